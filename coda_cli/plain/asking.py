"""The person at the lines, as tools see them: numbered answers, put while an answer is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from coda_cli.chat.approval import SHOW_ALL, Shown, answered, by_key, cut, declined, read_on, shown
from coda_cli.engine.core.tools import Approval, ApprovalRequest
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.plain.choosing import Chooser
from coda_cli.plain.lines import one_line
from coda_cli.plain.output import Output
from coda_cli.plain.source import Source

_LINES: Final = 200  # of a diff or a script, until more is asked for

Question = Callable[[], Awaitable[None]]


class Asking:
    """An `Approver`. What it is asked waits until `while_following` can put it, after what came before it."""

    def __init__(self, source: Source, output: Output) -> None:
        self._source = source
        self._out = output
        self._chooser = Chooser(source, output)
        self._waiting: asyncio.Queue[Question] = asyncio.Queue()
        self._shown: dict[str, asyncio.Event] = {}

    def seen(self, request_id: str) -> None:
        """All that came before the request has been written."""
        self._shown.setdefault(request_id, asyncio.Event()).set()

    async def approve(self, request: ApprovalRequest) -> Approval:
        """What the person says; no where they say nothing."""
        await self._shown.setdefault(request.request_id, asyncio.Event()).wait()
        given: asyncio.Future[Approval] = asyncio.get_running_loop().create_future()

        async def put() -> None:
            approval = await self._approval(request)
            if not given.done():
                given.set_result(approval)

        self._waiting.put_nowait(put)
        return await given

    async def ask(self, question: str, choices: Sequence[str]) -> str | None:
        """Their answer to a question of the model: a number stands for a choice."""
        given: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        async def put() -> None:
            self._out.put(f"The model asks: {one_line(question)}\n")
            for number, choice in enumerate(choices, 1):
                self._out.put(f"{number}. {one_line(choice)}\n")
            typed = await self._chooser.ask("Number, or your own words" if choices else "Your answer")
            chosen = choices[int(typed) - 1] if typed and typed in map(str, range(1, len(choices) + 1)) else typed
            if not given.done():
                given.set_result(chosen or None)

        self._waiting.put_nowait(put)
        return await given

    async def while_following(self, following: asyncio.Task[None], stop: Callable[[], object]) -> None:
        """Work *following* to its end, and put what is asked meanwhile. Esc and Ctrl-C call *stop*."""
        while not following.done():
            waiting = asyncio.ensure_future(self._waiting.get())
            try:
                with self._source.listening(stop):
                    await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not waiting.done():
                    waiting.cancel()
            if waiting.done() and not waiting.cancelled():
                asked = asyncio.ensure_future(waiting.result()())
                await asyncio.wait({following, asked}, return_when=asyncio.FIRST_COMPLETED)
                if not asked.done():  # the answer was stopped, or its time is over
                    asked.cancel()
                    await asyncio.wait({asked})
                else:
                    asked.result()
        await following

    async def _approval(self, request: ApprovalRequest) -> Approval:
        told = shown(request)
        self._out.put("\n".join(sanitize(line) for line in _lines(told)) + "\n")
        while True:
            typed = await self._chooser.ask("Number; empty for no")
            if not typed:
                return declined(request)
            if typed.strip() == SHOW_ALL and cut(told, _LINES):
                self._out.put("\n".join(sanitize(line) for line in _lines(told, whole=True)) + "\n")
                continue
            said = by_key(told.answers, typed)
            if said is not None:
                reason = (await self._chooser.ask("Why not") or "") if said.explains else ""
                return answered(request, said, reason)


def _lines(told: Shown, *, whole: bool = False) -> list[str]:
    """What is to be read before an answer, and the answers with their numbers."""
    lines = [f"{told.title}:", told.summary]
    if told.why:
        lines.insert(1, f"({told.why})")
    for block in (told.detail, told.diff):
        lines += read_on(block, _LINES, whole=whole)
    return [*lines, *(f"{number}. {said.label}" for number, said in enumerate(told.answers, 1))]
