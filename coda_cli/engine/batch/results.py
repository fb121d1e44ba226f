"""The output: one JSON object a line, appended and synced before a result counts as there.

One process at a time holds the file's lock. A line that a crash tore is cut off: it was never acknowledged, and its
prompt is asked again. Once all is done the file is put in the order of the input, one line a prompt.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import itertools
import json
import os
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from coda_cli.engine.batch.prompts import MAX_LINE, key_of
from coda_cli.engine.core.errors import CodaError, UsageError
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.providers.local.background import in_background

Record = dict[str, Any]
COMPLETE: Final = "complete"
_BEGINS: Final = b'{"id":'
_BLOCK: Final = 1 << 16
_LOW: Final = (1 << 64) - 1
# Ends of lines for some readers of text, which would cut a JSON line in two.
_ENDS: Final = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"})


class OutputError(CodaError):
    """The output can't be written; what was written before is safe."""


class Sink(Protocol):
    """Where results go."""

    def is_done(self, key: int) -> bool:
        """Whether the request known by *key* was answered in an earlier run."""
        ...

    async def room(self, number: int) -> None:
        """Return once the request *number* (from 0, in the order of the input) may start."""
        ...

    async def put(self, number: int, record: Record | None) -> None:
        """Keep the result of the request *number*; None: it has none. When this returns it is safe."""
        ...


def encoded(record: Record) -> bytes:
    """*record* as one line."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.translate(_ENDS).encode("utf-8", "replace") + b"\n"


def counts(usage: TokenUsage) -> dict[str, int]:
    """The counts of *usage* that say something."""
    said = usage.model_dump(exclude_defaults=True)
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, **said}


def is_result(record: Record) -> bool:
    """Whether a line's object is one of ours."""
    return all(name in record for name in ("id", "prompt_hash", "status"))


def index_of(record: Record) -> int:
    """The place of a result's prompt in the input, 0 where the file says nothing sensible."""
    index = record.get("index")
    return index if isinstance(index, int) and 0 <= index < 1 << 40 else 0


def record_key(record: Record) -> int:
    """What the request of *record* is known by."""
    return key_of(str(record["id"]), str(record["prompt_hash"]))


class ResultFile:
    """The results at *path*, made 0600 where there is no such file. Raises UsageError, and OutputError.

    `skipped` counts damaged lines, `cost` is what all the results in it cost (USD), those that failed included.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped = 0
        self.cost = 0.0
        self._done: set[int] = set()
        self._pending: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._fd = _opened(path)
        try:
            self._mend()
            self._learn()
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """Let go of the file and its lock."""
        os.close(self._fd)

    def __len__(self) -> int:
        return len(self._done)

    # ---- what is there --------------------------------------------------------------------------------------------

    def _mend(self) -> None:
        """Cut a torn last line off; where it only lacks its end, end it."""
        size = os.fstat(self._fd).st_size
        start = size
        tail = b""
        while start > 0 and b"\n" not in tail:
            if len(tail) > MAX_LINE:
                raise _foreign(self.path)
            step = min(_BLOCK, start)
            start -= step
            tail = os.pread(self._fd, step, start) + tail
        torn = tail.rpartition(b"\n")[2]
        if not torn:
            return
        record = _parsed(torn)
        if record is not None and is_result(record):
            os.write(self._fd, b"\n")  # O_APPEND
        elif record is None and (torn.startswith(_BEGINS) or _BEGINS.startswith(torn)) and self._begins_as_ours(torn):
            os.ftruncate(self._fd, size - len(torn))
        else:
            raise _foreign(self.path)
        os.fsync(self._fd)

    def _begins_as_ours(self, torn: bytes) -> bool:
        """Whether the first line is a result, or *torn* is all there is: nobody else's file is ever cut."""
        first = next(self.records(), None)
        return os.fstat(self._fd).st_size == len(torn) or (first is not None and is_result(first))

    def _learn(self) -> None:
        first = True
        for record in self.records():
            if record is None or not is_result(record):
                if first:
                    raise _foreign(self.path)
                self.skipped += record is None
                continue
            first = False
            cost = record.get("cost_usd")
            self.cost += cost if isinstance(cost, int | float) else 0.0
            if record["status"] == COMPLETE:
                self._done.add(record_key(record))

    def records(self) -> Iterator[Record | None]:
        """Every line's object in the order of the file, None for a damaged line."""
        for record, _, _ in self.places():
            yield record

    def places(self) -> Iterator[tuple[Record | None, int, int]]:
        """The same with each line's offset and length in bytes."""
        offset = 0
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            for line in file:
                yield _parsed(line), offset, len(line)
                offset += len(line)

    def at(self, offset: int, length: int) -> Record:
        """The result in that place."""
        return _parsed(os.pread(self._fd, length, offset)) or {}

    def is_done(self, key: int) -> bool:
        """Whether the request known by *key* was complete in the file when it was opened."""
        return key in self._done

    # ---- adding ---------------------------------------------------------------------------------------------------

    async def room(self, number: int) -> None:
        """At once: lines stand in the order in which they were answered."""

    async def put(self, number: int, record: Record | None) -> None:
        """Append *record* and sync; with others that wait, in one go. Raises OutputError."""
        if record is None:
            return
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((encoded(record), written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await asyncio.shield(written)
        cost = record.get("cost_usd")
        self.cost += cost if isinstance(cost, int | float) else 0.0

    async def flush(self) -> None:
        """Return once all that was put is on disk, or has failed."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])

    async def _write_all(self) -> None:
        while self._pending:
            lot, self._pending = self._pending, []
            data = b"".join(line for line, _ in lot)
            try:
                await in_background(partial(self._append, data), "write-results")
            except OSError as exc:
                problem = OutputError(
                    f"can't write {self.path}: {exc.strerror or exc}",
                    hint="make room and run the same command again: what is in the file is not asked again",
                )
                for _, written in lot:
                    if not written.done():
                        written.set_exception(problem)
            else:
                for _, written in lot:
                    if not written.done():
                        written.set_result(None)

    def _append(self, data: bytes) -> None:
        size = os.fstat(self._fd).st_size
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
            os.fsync(self._fd)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, size)
            raise

    # ---- the order of the input -----------------------------------------------------------------------------------

    def tidy(self, known: Callable[[str], bool], rank: Callable[[Record], int]) -> bool:
        """Put the lines in the order that *rank* gives, the latest of each request; whether that was done.

        Not where the file holds what *known* does not know (the answers to another input) or a damaged line. The file
        is replaced whole or not at all. Raises OSError.
        """
        # some 30 bytes a line, whatever it holds: there may be a million
        keys, ranks, places = array("Q"), array("Q"), array("Q")
        lengths = array("L")
        for record, offset, length in self.places():
            if record is None or not is_result(record) or not known(str(record["id"])):
                return False
            keys.append(record_key(record) & _LOW)
            ranks.append(rank(record))
            places.append(offset)
            lengths.append(length)
        wanted = array("Q", sorted(self._latest(keys, places, lengths), key=ranks.__getitem__))
        if len(wanted) == len(keys) and all(one < other for one, other in itertools.pairwise(wanted)):
            return False
        self._replace((places[number], lengths[number]) for number in wanted)
        return True

    def _latest(self, keys: array[int], places: array[int], lengths: array[int]) -> Iterator[int]:
        """The numbers of the lines, without those that a later one of the same request replaces."""
        by_key = array("Q", sorted(range(len(keys)), key=keys.__getitem__))  # stable: of one key the latest comes last
        for number, after in itertools.zip_longest(by_key, by_key[1:]):
            if after is not None and keys[number] == keys[after]:
                one, other = (self.at(places[line], lengths[line]) for line in (number, after))
                if record_key(one) == record_key(other):
                    continue
            yield number

    def _replace(self, lines: Iterable[tuple[int, int]]) -> None:
        """Let the file hold *lines* (offset, length) of what it holds now. Raises OSError."""
        mode = stat.S_IMODE(os.fstat(self._fd).st_mode)
        target = self.path.resolve()
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.fchmod(fd, mode)
            with os.fdopen(os.dup(fd), "wb") as out:
                for start, length in lines:
                    out.write(os.pread(self._fd, length, start))
            os.fsync(fd)
            temporary.replace(target)
        except OSError:
            os.close(fd)
            temporary.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd = fd


def _parsed(line: bytes) -> Record | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _foreign(path: Path) -> UsageError:
    return UsageError(
        f"{path} holds something else than results", hint="choose another --output; nothing was written to it"
    )


def _opened(path: Path) -> int:
    """A locked descriptor of a regular file. Raises UsageError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as exc:
        raise UsageError(
            f"can't write {path}: {exc.strerror or exc}", hint="choose another --output; nothing was sent"
        ) from exc
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise UsageError(f"{path} is not a regular file", hint="leave --output out and send stdout there with >")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_ino != path.stat().st_ino:  # replaced while we waited for nothing
            raise BlockingIOError(errno.EWOULDBLOCK, "")
    except BlockingIOError:
        os.close(fd)
        raise UsageError(
            f"another run is writing {path}", hint="wait for it to end, or choose another --output"
        ) from None
    except BaseException:
        os.close(fd)
        raise
    return fd


class OrderedOut:
    """Results for a pipe, in the order of the input: *write* gets whole lines, in a thread, one call at a time.

    No request starts more than *ahead* places before the oldest one that is unfinished, so what waits stays bounded.
    """

    def __init__(self, write: Callable[[bytes], None], encode: Callable[[Record], bytes] = encoded, ahead: int = 64):
        self._write = write
        self._encode = encode
        self._ahead = ahead
        self._next = 0
        self._waiting: dict[int, bytes] = {}
        self._moved = asyncio.Event()
        self._turn = asyncio.Lock()
        self.cost = 0.0

    def is_done(self, key: int) -> bool:
        """Never: a pipe remembers nothing."""
        return False

    async def room(self, number: int) -> None:
        """Wait while *number* is too far ahead."""
        while number - self._next >= self._ahead:
            self._moved.clear()
            await self._moved.wait()

    async def put(self, number: int, record: Record | None) -> None:
        """Write *record* when its turn has come. Raises OSError."""
        if record is not None:
            cost = record.get("cost_usd")
            self.cost += cost if isinstance(cost, int | float) else 0.0
        self._waiting[number] = b"" if record is None else self._encode(record)
        async with self._turn:
            ready = []
            while self._next in self._waiting:
                ready.append(self._waiting.pop(self._next))
                self._next += 1
            self._moved.set()
            if data := b"".join(ready):
                await in_background(lambda: self._write(data), "write-results")
