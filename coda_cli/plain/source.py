"""Where a person's lines come from: what a source is, and plain lines of stdin where no prompt can be drawn."""

from __future__ import annotations

import asyncio
import getpass
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

_MOST: Final = 1 << 24
_TOGETHER: Final = 0.03
"""Seconds in which lines that come from a terminal are one paste."""


class Interrupt(Exception):
    """Ctrl-C at the prompt; `empty`: there was nothing in it."""

    def __init__(self, *, empty: bool) -> None:
        super().__init__()
        self.empty = empty


class Source(Protocol):
    """Gives what a person types. All raise EOFError at the end.

    `interactive`: a person sits there. `prefills`: a prompt can begin with a text to be changed.
    """

    prefills: bool

    @property
    def interactive(self) -> bool: ...

    async def prompt(self, default: str) -> str:
        """The next question or command. Raises Interrupt."""
        ...

    async def line(self, title: str, *, initial: str = "", secret: bool = False) -> str:
        """One line in answer to *title*. Raises Interrupt."""
        ...

    def listening(self, stop: Callable[[], object]) -> AbstractContextManager[None]:
        """A context in which Ctrl-C and Esc call *stop*, and what is typed waits for the next prompt."""
        ...

    def typed(self) -> str:
        """What stands in the prompt and is not sent."""
        ...

    def keep_typed(self, *, send: bool) -> None:
        """What was typed while listening goes into the next prompt; it is sent by its own Enter only with *send*."""
        ...


class LineSource:
    """Lines of a pipe or a file, or of a terminal that cannot draw; a `\\` at the end of one joins the next to it.

    On a terminal (*shown*) the prompt is written, and lines that come together are one question: somebody pasted them.
    """

    prefills = False

    def __init__(self, fd: int = 0, *, shown: Callable[[str], None] | None = None) -> None:
        self._fd = fd
        self._shown = shown
        self._buffer = b""
        self._ended = False

    @property
    def interactive(self) -> bool:
        """Whether a person sits there."""
        return self._shown is not None

    async def prompt(self, default: str) -> str:
        """The next line, or several that are joined."""
        if self._shown is not None:
            self._shown("> ")
        lines = [await self._next()]
        while lines[-1].endswith("\\") or (self._shown is not None and self._more()):
            lines[-1] = lines[-1].removesuffix("\\")
            try:
                lines.append(await self._next())
            except EOFError:
                break
        return "\n".join(lines)

    async def line(self, title: str, *, initial: str = "", secret: bool = False) -> str:
        """The next line."""
        if self._shown is None:
            return await self._next()
        if secret:
            return await asyncio.to_thread(getpass.getpass, f"{title}: ")
        self._shown(f"{title}: ")
        return await self._next()

    @contextmanager
    def listening(self, stop: Callable[[], object]) -> Iterator[None]:
        """Ctrl-C comes as a signal, and what is typed meanwhile waits in the terminal."""
        yield

    def typed(self) -> str:
        """Nobody knows before its Enter."""
        return ""

    def keep_typed(self, *, send: bool) -> None:
        """It waits where it is."""

    def _more(self) -> bool:
        return b"\n" in self._buffer or bool(select.select([self._fd], [], [], _TOGETHER)[0])

    async def _next(self) -> str:
        while b"\n" not in self._buffer and not self._ended:
            piece = await self._read()
            self._ended = not piece
            self._buffer += piece
            if len(self._buffer) > _MOST and b"\n" not in self._buffer:
                raise EOFError  # no line, but a file that never ends
        if not self._buffer:
            raise EOFError
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace").removesuffix("\r")

    async def _read(self) -> bytes:
        """What there is, once there is something. A file is always ready, and no loop can watch it."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        try:
            loop.add_reader(self._fd, _set, ready)
        except (PermissionError, ValueError, NotImplementedError):
            return os.read(self._fd, 1 << 16)
        try:
            await ready
        finally:
            loop.remove_reader(self._fd)
        try:
            return os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return await self._read()


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def draws_prompts() -> bool:
    """Whether stdin is a terminal that can draw a prompt."""
    return sys.stdin is not None and sys.stdin.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
