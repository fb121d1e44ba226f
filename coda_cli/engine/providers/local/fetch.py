"""Large files over HTTPS: resumed, bounded, checked, and moved into place only when they are whole.

A download grows in `NAME.part` beside its target. A broken connection is resumed with a Range request, in this
process and in the next; the file gets its name only after its size and sha256 are right.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from coda_cli.engine.core.errors import LLMConnectionError, LLMProviderUnavailableError
from coda_cli.paths import open_private, private_dir

if TYPE_CHECKING:
    import httpx2

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all or 0 if not known); what it raises stops the work and keeps the part."""

_BLOCK: Final = 1 << 18
_STALLS: Final = 3  # attempts in a row that may bring nothing before a source is given up
_SPARE: Final = 16 << 20  # bytes left free on the disk
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class SourceError(Exception):
    """One source did not deliver; the message says why and never holds a credential."""


class _BrokenError(SourceError):
    """The transfer stopped on the way: worth another attempt from where it stopped."""


class RemoteFile(Struct, frozen=True):
    """A file to fetch. `size` 0 and `sha256` None mean "not known"; a file with no sha256 is never resumed."""

    url: str
    size: int = 0
    sha256: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def http_client(timeout: float = 30.0) -> httpx2.Client:
    """A client for downloads: follows redirects (never to plain HTTP off this machine), 8 s to connect."""
    import httpx2

    def check(response: httpx2.Response) -> None:
        target = response.next_request
        if target is not None and response.url.scheme == "https" and target.url.scheme != "https":
            raise SourceError(f"{response.url.host} redirects from https to {target.url.scheme}")

    try:
        return httpx2.Client(
            follow_redirects=True,
            timeout=httpx2.Timeout(timeout, connect=8.0),
            headers={"User-Agent": "coda-cli"},
            event_hooks={"response": [check]},
        )
    except (ImportError, ValueError, OSError) as exc:  # a proxy of an unknown kind, certificates that are not there
        raise LLMConnectionError(
            f"the environment's proxy or certificate settings can't be used: {exc}",
            hint="check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
            final=True,
        ) from exc


def human_size(count: int) -> str:
    """A byte count for people, in decimal units ("98 MB")."""
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def sha256_of(path: Path, progress: Progress | None = None) -> str:
    """The sha256 of a file, in hex. Raises OSError."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_BLOCK * 4):
            digest.update(block)
            done += len(block)
            if progress:
                progress(done, total)
    return digest.hexdigest()


def need_space(folder: Path, count: int) -> None:
    """Raise LLMProviderUnavailableError unless *folder*'s disk has room for *count* more bytes."""
    free = shutil.disk_usage(folder).free
    if free < count + _SPARE:
        raise LLMProviderUnavailableError(
            f"not enough disk space in {folder}: {human_size(count)} needed, {human_size(free)} free",
            hint="free some space, or set CODA_HOME to a folder on a larger disk",
        )


def part_of(target: Path) -> Path:
    """The file in which the download of *target* grows."""
    return target.with_name(f".{target.name}.part")


@contextmanager
def one_at_a_time(folder: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold *folder*'s download lock, so that two processes never fetch the same file twice.

    `waiting` is called five times a second while another process holds it; what it raises ends the wait.
    """
    private_dir(folder)
    fd = open_private(folder / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waiting:
                    waiting()
                time.sleep(0.2)
        yield
    finally:
        os.close(fd)


def fetch(client: httpx2.Client, remote: RemoteFile, target: Path, progress: Progress | None = None) -> str:
    """Download *remote* to *target* whole and checked, or raise SourceError. Returns its sha256 in hex.

    A part left by an earlier attempt is resumed. Raises LLMProviderUnavailableError for a full disk, OSError for one
    that cannot be written.
    """
    part = part_of(target)
    private_dir(target.parent)
    if remote.sha256 is None:
        part.unlink(missing_ok=True)
    have = part.stat().st_size if part.exists() else 0
    need_space(target.parent, max(0, remote.size - have))
    resumed = have > 0
    _transfer(client, remote, part, progress)
    digest = sha256_of(part)
    if remote.sha256 and digest != remote.sha256:
        part.unlink()
        if not resumed:
            raise SourceError(f"{_where(remote.url)} sent a file with another sha256: {digest}, not {remote.sha256}")
        return fetch(client, remote, target, progress)  # the old part may be what was wrong: once more from zero
    install(part, target)
    return digest


def install(part: Path, target: Path) -> None:
    """Give a finished part its name, durably. Raises OSError."""
    fd = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    part.replace(target)


def _transfer(client: httpx2.Client, remote: RemoteFile, part: Path, progress: Progress | None) -> None:
    stalls = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _attempt(client, remote, part, progress)
            return
        except _BrokenError as exc:
            stalls = stalls + 1 if part.exists() and part.stat().st_size <= before else 0
            if stalls >= _STALLS:
                raise SourceError(str(exc)) from exc
            time.sleep(0.1 * 2**stalls)


def _attempt(client: httpx2.Client, remote: RemoteFile, part: Path, progress: Progress | None) -> None:
    import httpx2

    fd = open_private(part, os.O_RDWR | os.O_CREAT)
    with os.fdopen(fd, "r+b") as file:
        have = file.seek(0, os.SEEK_END)
        if remote.size and have == remote.size:
            return
        if remote.size and have > remote.size:
            have = file.truncate(0)
        # Any content coding would make offsets and hashes those of another file.
        headers = {**remote.headers, "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        try:
            with client.stream("GET", remote.url, headers=headers) as response:
                start, total = _answered(response, have, remote)
                if start < 0:
                    return
                file.seek(start)
                file.truncate(start)
                _copy(response, file.write, start, total, progress)
        except httpx2.TransportError as exc:
            raise _BrokenError(f"{_where(remote.url)}: {str(exc) or type(exc).__name__}") from exc
        except (httpx2.InvalidURL, httpx2.TooManyRedirects) as exc:
            raise SourceError(f"{_where(remote.url)}: {exc}") from exc


def _answered(response: httpx2.Response, have: int, remote: RemoteFile) -> tuple[int, int]:
    """Where this answer's body begins in the file (-1: there is none), and the size of the whole (0: not known)."""
    status, place = response.status_code, _where(str(response.url))
    if status == 206:
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if not found or int(found[1]) != have:
            raise _BrokenError(f"{place} answered a range that was not asked for")
        total = int(found[2]) if found[2] != "*" else remote.size
    elif status == 200:
        have, total = 0, int(response.headers.get("content-length") or remote.size)
    elif status == 416:  # nothing after what is here: the checksum will say whether that is the whole
        have = total = -1
    elif status in (408, 429) or status >= 500:
        raise _BrokenError(f"{place} answered {status}")
    else:
        raise SourceError(f"{place} answered {status} {response.reason_phrase}".rstrip())
    if remote.size and status != 416 and total != remote.size:
        raise SourceError(f"{place} offers {total} bytes, not {remote.size}")
    return have, total


def _copy(
    response: httpx2.Response, write: Callable[[bytes], int], done: int, total: int, progress: Progress | None
) -> None:
    if progress:
        progress(done, total)
    for block in response.iter_raw():
        done += len(block)
        if total and done > total:
            raise SourceError(f"{_where(str(response.url))} sent more than the {total} bytes it announced")
        write(block)
        if progress:
            progress(done, total)
    if total and done < total:
        raise _BrokenError(f"{_where(str(response.url))} stopped after {done} of {total} bytes")


def _where(url: str) -> str:
    """The host of *url*: all of it that belongs in a message (no credentials, no signed query)."""
    import httpx2

    try:
        return httpx2.URL(url).host or "the source"
    except httpx2.InvalidURL:
        return "the source"
