"""Where an answer goes: a terminal as rendered Markdown, a pipe as text, JSON for programs, a file.

A sink gets the answer's events in batches, one batch a network read, and writes once a batch.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from coda_cli.cli.output import to_json, warn
from coda_cli.engine.core.errors import LLMError, UsageError
from coda_cli.engine.core.events import Event, ResponseChunk
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.rendering.sanitize import Sanitizer, sanitize


class Sink(Protocol):
    """Takes the events of one answer."""

    def take(self, events: Sequence[Event]) -> None:
        """The next events."""
        ...

    def pause(self) -> None:
        """A tool is called: something else is going to stand on the terminal before the next text."""
        ...

    def end(self, response: LLMResponse | None, error: LLMError | None) -> None:
        """The answer is over: whole, or stopped by *error*, or (both None) interrupted."""
        ...


def write_out(data: bytes) -> None:
    """All of *data* to stdout, unbuffered. Raises BrokenPipeError when nobody reads."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(1, view) :]
        except BlockingIOError:  # somebody made our pipe non-blocking
            import select

            select.select([], [1], [])


def _text(events: Sequence[Event]) -> str:
    return "".join(event.delta for event in events if isinstance(event, ResponseChunk))


class PipeSink:
    """The text as it comes, ending in one newline. `raw`: byte for byte."""

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._sanitizer = Sanitizer()
        self._last = "\n"

    def take(self, events: Sequence[Event]) -> None:
        """Write the new text in one call."""
        text = _text(events)
        self._put(text if self._raw else self._sanitizer.feed(text))

    def pause(self) -> None:
        """Nothing: what was written stays."""

    def end(self, response: LLMResponse | None, error: LLMError | None) -> None:
        """Write what was held back, and the last newline if the text has none."""
        self._put(self._sanitizer.flush())
        if not self._raw and self._last != "\n":
            self._put("\n")

    def _put(self, text: str) -> None:
        if text:
            self._last = text[-1]
            write_out(text.encode("utf-8", "replace"))


class TerminalSink:
    """Rendered Markdown, drawn at most ten times a second."""

    def __init__(self) -> None:
        from coda_cli.cli.markdown import INTERVAL, MarkdownWriter

        self._interval = INTERVAL
        self._make = MarkdownWriter
        self._writer = MarkdownWriter(sys.stdout)
        self._timer: asyncio.TimerHandle | None = None
        self._failure: OSError | None = None

    def take(self, events: Sequence[Event]) -> None:
        """Add the new text; a timer draws what was not yet due."""
        if self._failure is not None:
            raise self._failure
        text = _text(events)
        if text:
            self._writer.write(text)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            waiting = self._writer.tick()
        except OSError as exc:  # a timer has nobody to tell
            self._failure = exc
            return
        if waiting:  # a slow frame has put the next one off
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick)

    def pause(self) -> None:
        """Draw what there is for good; what comes next stands below what others write meanwhile."""
        self._stop()
        self._writer.finish()
        self._writer = self._make(sys.stdout)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._failure is not None:
            raise self._failure

    def end(self, response: LLMResponse | None, error: LLMError | None) -> None:
        """Draw the rest for good."""
        self._stop()
        if response is not None:
            self._writer.finish()
        else:
            self._writer.abort()


class JsonLinesSink:
    """Every event as one line of JSON."""

    def take(self, events: Sequence[Event]) -> None:
        """Write the events' lines in one call."""
        lines = (to_json(event.to_json()) + "\n" for event in events)
        write_out("".join(lines).encode("utf-8", "replace"))

    def pause(self) -> None:
        """Nothing."""

    def end(self, response: LLMResponse | None, error: LLMError | None) -> None:
        """Nothing: the last event has told it."""


class QuietSink:
    """Nothing while it comes: the whole is printed by the caller at the end."""

    def take(self, events: Sequence[Event]) -> None:
        """Nothing."""

    def pause(self) -> None:
        """Nothing."""

    def end(self, response: LLMResponse | None, error: LLMError | None) -> None:
        """Nothing."""


def as_json(response: LLMResponse, error: LLMError | None) -> dict[str, Any]:
    """The one object of `--json`. Tokens as counts, cost in USD or null where no price is known."""
    return {
        "text": response.content,
        "conversation_id": response.conversation_id,
        "response_id": response.response_id,
        "provider": response.provider,
        "model": response.model,
        "finish_reason": response.finish_reason.value,
        "status": response.status.value,
        "usage": response.usage.model_dump(),
        "cost_usd": response.cost,
        "error": error.describe() if error is not None else None,
    }


def put_whole(text: str, *, raw: bool) -> None:
    """A whole text on stdout: cleaned unless *raw* on a pipe, with one newline at its end unless *raw*."""
    if not raw or sys.stdout.isatty():
        text = sanitize(text)
    if not raw and text and not text.endswith("\n"):
        text += "\n"
    write_out(text.encode("utf-8", "replace"))


class OutputFile:
    """`--output FILE`: refused at once if it cannot be written, written whole at the end, and only with an answer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: list[str] = []
        try:
            _check_writable(path)
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else None
            raise UsageError(
                f"can't write {path}: {reason or exc}", hint="choose another --output; nothing was sent"
            ) from exc

    def add(self, text: str) -> None:
        """Another part of what is to be written, on lines of its own."""
        if text:
            self._parts.append(text if text.endswith("\n") else text + "\n")

    def save(self, *, between: str = "\n") -> bool:
        """Write the parts, if there are any; on failure print them on stdout instead, so that they are not lost."""
        if not self._parts:
            return True
        text = between.join(self._parts)
        try:
            self._path.write_text(text, "utf-8", errors="replace")
        except OSError as exc:
            warn(f"can't write {self._path} ({exc.strerror or exc}); the answer follows on stdout")
            put_whole(text, raw=False)
            return False
        return True


def _check_writable(path: Path) -> None:
    """Raises OSError if *path* cannot be written; neither creates nor changes it."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        folder = path.resolve().parent
        folder.stat()
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
        return
    if not stat.S_ISFIFO(mode):  # opening one would wait for its reader
        with path.open("ab"):
            pass
