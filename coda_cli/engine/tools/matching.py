"""Regular expressions that cannot hang the program: they run in a child that is killed when their time is over.

In a thread they could not be stopped: Python's `re` holds the interpreter while it matches. The child gets texts, never
file names; its environment is empty.
"""

from __future__ import annotations

import json
import selectors
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from coda_cli.engine.tools.base import ToolError

_CHILD: Final = Path(__file__).with_name("regex_child.py")
_STEP: Final = 0.1
_PATTERN: Final = 2_000


class Matcher:
    """One expression, for as long as the block lasts and *seconds* in all. Raises ToolError, for a bad pattern too."""

    def __init__(self, pattern: str, *, ignore_case: bool, seconds: float, cancelled: threading.Event) -> None:
        if len(pattern) > _PATTERN:
            raise ToolError(f"the regular expression is over {_PATTERN} characters long")
        self._pattern = pattern
        self._ignore_case = ignore_case
        self._ends = time.monotonic() + seconds
        self._cancelled = cancelled

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                bufsize=0,
            )
        except OSError as exc:
            raise ToolError("no process can be started for a regular expression: search for a plain text") from exc
        try:
            answer = self._asked(json.dumps([self._pattern, self._ignore_case]).encode(), "compiling it")
            if answer:
                raise ToolError(f"not a regular expression of Python: {answer['error']}")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def lines(self, text: str, most: int, where: str) -> list[tuple[int, str]]:
        """The first *most* lines of *text* that match, with their numbers. *where* is for the error."""
        found = self._asked(f"{most}\n{text}".encode("utf-8", "surrogatepass"), where)
        return [(number, line) for number, line in found]

    def _asked(self, data: bytes, where: str) -> Any:
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            piece = memoryview(struct.pack(">I", len(data)) + data)
            while piece:
                piece = piece[self._process.stdin.write(piece) or 0 :]
            head = self._read(4, where)
            return json.loads(self._read(struct.unpack(">I", head)[0], where))
        except (BrokenPipeError, EOFError) as exc:
            raise ToolError("the regular expression needs too much memory: make it simpler") from exc

    def _read(self, count: int, where: str) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        data = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while len(data) < count:
                if self._cancelled.is_set():
                    raise ToolError("stopped")
                if time.monotonic() > self._ends:
                    raise ToolError(f"the regular expression takes too long ({where}): make it simpler")
                if ready.select(_STEP):
                    piece = self._process.stdout.read(count - len(data))
                    if not piece:
                        raise EOFError
                    data += piece
        return bytes(data)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
