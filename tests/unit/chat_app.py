"""The whole chat in a test: the real application over a session with a scripted provider.

async with chat("An answer.") as it:
    await it.say("a question")
    await it.until("An answer.")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from textual.pilot import Pilot

from coda_cli.chat.session import ChatSession
from coda_cli.engine.providers.scripted import Reply
from coda_cli.tui import themes
from coda_cli.tui.app import CodaApp, Start
from coda_cli.tui.transcript.view import Transcript
from tests.unit.chat_front import session_with

GUARD = 30.0


@dataclass
class Chat:
    """The application and its pilot."""

    app: CodaApp
    pilot: Pilot[int]
    session: ChatSession

    @property
    def text(self) -> str:
        """What is on the screen; of one that is being opened not all of it."""
        return "\n".join(line.text for line in self.app.screen._compositor.render_strips())

    @property
    def transcript(self) -> Transcript:
        """The messages."""
        return self.app.transcript

    async def until(self, wanted: str | Callable[[], Any]) -> None:
        """Until *wanted* is on the screen, or is true."""
        ends = monotonic() + GUARD
        while not (wanted in self.text if isinstance(wanted, str) else wanted()):
            assert monotonic() < ends, f"never came: {wanted}\n{self.text}\n{self.shown()}"
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Put *text* into the prompt as a paste does, without sending it."""
        self.app.prompt.paste(text)
        await self.pilot.pause()

    async def say(self, text: str) -> None:
        """Send *text*."""
        await self.type(text)
        await self.pilot.press("enter")
        await self.pilot.pause()

    async def ask(self, text: str) -> None:
        """Send *text* and wait for the end of its answer."""
        await self.say(text)
        await self.idle()

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def idle(self) -> None:
        """Until nothing is under way."""
        await self.until(lambda: not self.app.flow.busy and not self.app.workers._workers)

    def shown(self) -> list[tuple[str, str]]:
        """Kind and text of all that the transcript holds."""
        views = self.transcript._doc.views
        return [(view.entry.kind, view.entry.text) for view in views]

    def errors(self) -> list[str]:
        """The errors that stand in the transcript."""
        return [text for kind, text in self.shown() if kind == "error"]

    def notes(self) -> list[str]:
        """The notes that stand in the transcript."""
        return [text for kind, text in self.shown() if kind == "note"]

    def told(self) -> list[str]:
        """The notices."""
        return [str(one.message) for one in self.app._notifications]


@asynccontextmanager
async def chat(
    *replies: str | Reply,
    session: ChatSession | None = None,
    size: tuple[int, int] = (80, 24),
    theme: str = "coda-dark",
    log: bool = True,
    other: Sequence[str | Reply] = ("Another.",),
    **start: Any,
) -> AsyncIterator[Chat]:
    """The chat, open and idle."""
    made = session or session_with(replies or ("An answer.",), other=other, log=log)
    app = CodaApp(lambda: made, Start(themes.load(theme), **start))
    async with app.run_test(size=size, notifications=True) as pilot:
        it = Chat(app, pilot, made)
        await it.until(lambda: app.front is not None)
        if start.get("first") is None:
            await it.idle()
        yield it
    for defect in (app.defect, *app.told):
        if defect is not None:
            raise defect
    await made.manager.aclose()
