"""Tools in `coda ask`: which of them, what is told of their calls, and the person at the terminal who is asked."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, assert_never

from coda_cli.chat import telling
from coda_cli.cli.output import say, style, warn
from coda_cli.cli.status_line import StatusLine
from coda_cli.engine.core.events import (
    ApprovalAnswered,
    ApprovalRequested,
    Event,
    FunctionCalls,
    FunctionProgress,
    FunctionResult,
    ToolsUnavailable,
)
from coda_cli.engine.core.tools import Approval, ApprovalRequest
from coda_cli.engine.rendering.sanitize import sanitize

if TYPE_CHECKING:
    from coda_cli.chat.approval import Shown

ToolNews = FunctionCalls | FunctionProgress | FunctionResult | ApprovalRequested | ApprovalAnswered | ToolsUnavailable
_LINES: Final = 60  # of a diff or a script, until more is asked for


def by_step(events: Sequence[Event]) -> list[ToolNews | list[Event]]:
    """*events* in order: what tools tell one by one, everything between in lists."""
    out: list[ToolNews | list[Event]] = []
    for event in events:
        if isinstance(event, ToolNews):
            out.append(event)
        elif out and isinstance(last := out[-1], list):
            last.append(event)
        else:
            out.append([event])
    return out


class ToolTeller:
    """Tells on stderr what tools do (to a terminal each call; else only what went wrong), and asks the person there.

    `approver` is None where there is no terminal to ask at: the answer is then no.
    """

    def __init__(self, status: StatusLine) -> None:
        self._status = status
        self._terminal = sys.stderr.isatty()
        self._asker = Asker(status) if self._terminal and _in_front() else None

    @property
    def approver(self) -> Asker | None:
        """Who can be asked."""
        return self._asker

    def show(self, event: ToolNews) -> None:
        """Tell *event*."""
        match event:
            case FunctionCalls():
                self._status.clear()
                for call in event.calls:
                    self._aside(f"→ {telling.calling(call['name'], call['arguments'])}")
                self._status.waiting("running " + ", ".join(dict.fromkeys(call["name"] for call in event.calls)))
            case FunctionResult():
                self._status.clear()
                if event.is_error and event.seconds is None and event.display:
                    warn(event.display)  # it was not run, and a person can do something about it
                else:
                    self._aside(f"  {event.name}: {telling.result(event)}")
            case ApprovalRequested():
                if self._asker is not None:
                    self._asker.seen(event.request_id)
            case ToolsUnavailable():
                self._status.clear()
                warn(f"no tools: {event.reason}")
            case FunctionProgress() | ApprovalAnswered():
                pass
            case _:
                assert_never(event)

    def _aside(self, text: str) -> None:
        if self._terminal:
            sys.stderr.write(style(sanitize(text).replace("\n", " "), "2", sys.stderr) + "\n")
            sys.stderr.flush()


class Asker:
    """Asks at the terminal, one line an answer. A question is put once its request has been shown (`seen`)."""

    def __init__(self, status: StatusLine) -> None:
        self._status = status
        self._seen: dict[str, asyncio.Event] = {}

    def seen(self, request_id: str) -> None:
        """What came before the request is on the screen."""
        self._seen.setdefault(request_id, asyncio.Event()).set()

    async def approve(self, request: ApprovalRequest) -> Approval:
        """What the person says; no at the end of the terminal's input."""
        from coda_cli.chat.approval import SHOW_ALL, answered, by_key, cut, declined, shown

        await self._seen.setdefault(request.request_id, asyncio.Event()).wait()
        self._status.clear()
        told = shown(request)
        sys.stderr.write("\n".join(_lines(told)) + "\n")
        keys = "\n".join(f"[{said.key}] {said.label}" for said in told.answers)
        while True:
            typed = await self._line(f"{keys}\n? ")
            if typed is None:
                return declined(request)
            if typed.strip() == SHOW_ALL and cut(told, _LINES):
                sys.stderr.write("\n".join(_lines(told, whole=True)) + "\n")
                continue
            said = by_key(told.answers, typed)
            if said is None:
                continue
            reason = (await self._line("why not? ") or "") if said.explains else ""
            return answered(request, said, reason)

    async def ask(self, question: str, choices: Sequence[str]) -> str | None:
        """Their answer to a question of the model: a number stands for a choice."""
        from coda_cli.engine.tools.visible import visible_line

        self._status.clear()
        say(f"The model asks: {visible_line(question)}")
        for place, choice in enumerate(choices, start=1):
            say(f"  {place}. {visible_line(choice)}")
        typed = await self._line("? ")
        if typed is None:
            return None
        typed = typed.strip()
        if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(choices):
            return choices[int(typed) - 1]
        return typed or None

    async def _line(self, prompt: str) -> str | None:
        """A line from the terminal, None at its end."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        fd = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            termios.tcflush(fd, termios.TCIFLUSH)  # what was typed before the question is no answer to it
            sys.stderr.write(sanitize(prompt))
            sys.stderr.flush()
            loop.add_reader(fd, ready.set)
            await ready.wait()
            data = os.read(fd, 1 << 16)
        finally:
            loop.remove_reader(fd)
            os.close(fd)
        return data.decode("utf-8", "replace").rstrip("\n") if data else None


def _lines(told: Shown, *, whole: bool = False) -> list[str]:
    """What is to be read before an answer."""
    from coda_cli.chat.approval import read_on

    lines = [
        style(sanitize(told.title), "1", sys.stderr),
        *([f"  {told.why}"] if told.why else ()),
        f"  {told.summary}",
    ]
    for block in (told.detail, told.diff):
        if block and block.strip() != told.summary.strip():
            lines += [f"  │ {line}" for line in read_on(block, _LINES, whole=whole)]
    return [lines[0], *(sanitize(line) for line in lines[1:])]


def _in_front() -> bool:
    """Whether this process may read from a terminal of its own."""
    try:
        fd = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(fd)
