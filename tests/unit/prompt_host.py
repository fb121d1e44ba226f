"""A prompt in an app of its own, for tests."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from textual.app import App, ComposeResult
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Static

from coda_cli.chat.completion import Completion
from coda_cli.chat.fuzzy import best
from coda_cli.tui.prompt import Prompt

NAMES = ("/help", "/helpful", "/model", "/quit")


class Remembered:
    """A history in memory."""

    def __init__(self, *entries: str) -> None:
        self._entries = entries

    def with_prefix(self, text: str, *, limit: int) -> Sequence[str]:
        return [entry for entry in reversed(self._entries) if entry.startswith(text)][:limit]

    def search(self, text: str, *, limit: int) -> Sequence[str]:
        return [entry for entry in reversed(self._entries) if text in entry][:limit]


class Commands:
    """Completes slash commands, and says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def complete(self, text: str, cursor: int) -> Sequence[Completion]:
        self.asked += 1
        typed = text[:cursor]
        if typed.startswith("/model "):
            start = len("/model ")
            return [Completion(start, cursor, name, name) for name in best(typed[start:], ("large", "small"), str, 8)]
        if typed.startswith("/") and " " not in typed:
            found = best(typed[1:], NAMES, str, 8)
            return [Completion(0, cursor, name, name, f"what {name} does", final=name != "/model") for name in found]
        return ()


class Host(App[None]):
    """Keeps what the prompt says."""

    CSS = "#transcript { height: 1fr; }"
    BINDINGS = [("ctrl+d", "say('ctrl+d')"), ("ctrl+o", "say('ctrl+o')"), ("ctrl+c", "say('ctrl+c')")]  # noqa: RUF012

    def __init__(self, prompt: Prompt) -> None:
        super().__init__()
        self.prompt = prompt
        self.sent: list[Prompt.Submitted] = []
        self.said: list[str] = []

    def compose(self) -> ComposeResult:
        yield Static("", id="transcript", markup=False)
        yield self.prompt

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        self.sent.append(event)

    def on_prompt_escaped(self) -> None:
        self.said.append("escaped")

    def on_prompt_editor_wanted(self) -> None:
        self.said.append("editor")

    def on_prompt_history_search_wanted(self) -> None:
        self.said.append("search")

    def action_say(self, text: str) -> None:
        self.said.append(text)

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.sent]


class Hands:
    """What a person does to the prompt."""

    def __init__(self, host: Host, pilot: Pilot[None]) -> None:
        self.host, self.pilot, self.prompt = host, pilot, host.prompt

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        for letter in text:
            await self.pilot.press({"\n": "enter", " ": "space"}.get(letter, letter))
        await self.pilot.pause()

    async def paste(self, text: str) -> None:
        self.host.post_message(Paste(text))
        await self.pilot.pause()

    @property
    def shown(self) -> list[str]:
        """The rows of the screen, without blanks at their ends."""
        strips = self.host.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]


@asynccontextmanager
async def hands(prompt: Prompt, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Hands]:
    """The app runs, the prompt has the focus."""
    host = Host(prompt)
    async with host.run_test(size=size) as pilot:
        prompt.focus()
        await pilot.pause()
        yield Hands(host, pilot)
