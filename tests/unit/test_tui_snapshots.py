"""Pictures of the chat: each screen at 80x24 and 120x40, light and dark.

`pytest --snapshot-update` takes them anew; look at the report before they are kept.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Static

from coda_cli import paths
from coda_cli.chat.session import ChatSession
from coda_cli.engine.core import messages
from coda_cli.engine.core.messages import LLMMessage, assistant, user
from coda_cli.tui import themes
from coda_cli.tui.app import CodaApp, Start
from coda_cli.tui.screens.compare import Pane
from coda_cli.tui.screens.inspect import Inspect
from coda_cli.tui.screens.inspect_turn import last_turn
from tests.unit.chat_front import session_with

NOW = 1_790_000_000.0
SIZES = ((80, 24), (120, 40))
every_look = pytest.mark.parametrize("theme", ["coda-dark", "coda-light"])
every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")

ANSWER = """\
## A garden in spring

Start with **what you have**: `soil`, light and [time](https://example.com/time).

1. Peas, as soon as the ground can be worked
2. Lettuce in the half shade

| Plant | Sow | Harvest |
|---|---|--:|
| Peas | March | 70 days |
| Beans | May | 60 days |

```python
def water(beds: list[str]) -> None:
    for bed in beds:  # each morning
        print(f"watering {bed}")
```

> The best time was twenty years ago, the second best is now.
"""


@pytest.fixture(autouse=True)
def _same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still, ids are counted, the settings lie at home."""
    numbers = itertools.count(1)
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(Path, "home", lambda: paths.config_dir().parent)
    monkeypatch.setattr(messages, "new_id", lambda kind: f"{kind}-{next(numbers):08}")


async def a_chat(session: ChatSession) -> None:
    """A chat of two questions, and another one, on the disk; nothing has to be waited for."""
    store = session.conversations
    for name, title, said in (
        ("conv-boat", "Where to moor the boat", [user("where to moor?"), assistant("At the pier.")]),
        ("conv-garden", "A garden in spring", [user("what do I plant first?"), assistant(ANSWER), user("and then?")]),
    ):
        await store.create_conversation(name, title=title)
        for place, message in enumerate(said):
            await store.add_message(name, told(message, place))


def told(message: LLMMessage, place: int) -> LLMMessage:
    """The message as it was said at a fixed time."""
    metadata: dict[str, Any] = {"provider": "fake", "model": "fake-model", "latency": 1.5, "cost": 0.0012}
    metadata["usage"] = {"input_tokens": 310, "output_tokens": 120}
    said = metadata if message.role.value == "assistant" else {}
    return message.model_copy(update={"message_id": f"msg-{place:08}", "created": NOW - 90, "metadata": said})


Do = Callable[[CodaApp, Pilot[int]], Awaitable[None]]


@pytest.fixture
def picture(snap_compare: Any, size: tuple[int, int], theme: str) -> Callable[[Do], bool]:
    """Compares a picture of the chat after what *do* does in it."""

    def compare(do: Do, *, first: bool = False) -> bool:
        session = session_with()
        if not first:
            asyncio.run(a_chat(session))
            session.conversation_id = "conv-garden"
        app = CodaApp(lambda: session, Start(themes.load(theme)))
        app.transcript._setting.now = lambda: NOW

        async def run_before(pilot: Pilot[int]) -> None:
            while app.front is None or app.workers._workers:
                await pilot.pause(0.01)
            await do(app, pilot)
            await pilot.pause()

        return bool(snap_compare(app, terminal_size=size, run_before=run_before))

    return compare


async def nothing(app: CodaApp, pilot: Pilot[int]) -> None:
    """The chat as it opens."""


@every_look
@every_size
def test_an_empty_chat(picture: Callable[..., bool]) -> None:
    assert picture(nothing, first=True)


@every_look
@every_size
def test_a_chat(picture: Callable[..., bool]) -> None:
    assert picture(nothing)


@every_look
@every_size
def test_the_sidebar_the_cursor_an_error_and_a_draft(picture: Callable[..., bool]) -> None:
    async def do(app: CodaApp, pilot: Pilot[int]) -> None:
        from coda_cli.engine.core.errors import LLMConnectionError

        app.flow.fail(LLMConnectionError("can't connect", provider="fake", hint="start the server"))
        app.note("a quiet line")
        app.prompt.put("a draft\nof two lines")
        await pilot.press("ctrl+b", "shift+tab", "k")
        while app.workers._workers:
            await pilot.pause(0.01)

    assert picture(do)


@every_look
@every_size
def test_finding(picture: Callable[..., bool]) -> None:
    async def do(app: CodaApp, pilot: Pilot[int]) -> None:
        await pilot.press("ctrl+f", *"bed", "enter")

    assert picture(do)


def covered_by(*keys: str) -> Do:
    """A screen over the chat, that *keys* open."""

    async def do(app: CodaApp, pilot: Pilot[int]) -> None:
        await pilot.press(*keys)
        while len(app.screen_stack) < 2:
            await pilot.pause(0.01)
        await pilot.pause(0.3)  # the screens read in threads

    return do


@every_look
@every_size
@pytest.mark.parametrize("key", ["f1", "f2", "ctrl+p", "ctrl+s"])
def test_a_screen_over_the_chat(key: str, picture: Callable[..., bool]) -> None:
    assert picture(covered_by(key))


@every_look
@every_size
@pytest.mark.parametrize("command", ["tree", "theme", "usage", "context", "settings"])
def test_a_screen_that_a_command_opens(command: str, picture: Callable[..., bool]) -> None:
    async def do(app: CodaApp, pilot: Pilot[int]) -> None:
        app.action_command(f"/{command}")
        await covered_by()(app, pilot)

    assert picture(do)


@every_look
@every_size
@pytest.mark.parametrize("tab", [0, 2, 3])  # the second is /context
def test_a_tab_of_a_turn_that_is_inspected(tab: int, picture: Callable[..., bool]) -> None:
    async def do(app: CodaApp, pilot: Pilot[int]) -> None:
        app.flow.submit("and then?")
        while app.flow.busy:
            await pilot.pause(0.01)
        turn = await last_turn(app.session)
        facts = [(name, re.sub(r"\d+\.\d+ s", "1.23 s", value)) for name, value in turn.facts]
        moments = [replace(moment, seconds=place / 4) for place, moment in enumerate(turn.moments)]
        app.push_screen(Inspect(replace(turn, facts=facts, moments=moments), tab=tab))
        await covered_by()(app, pilot)

    assert picture(do)


@every_look
@every_size
def test_answers_side_by_side(picture: Callable[..., bool]) -> None:
    async def do(app: CodaApp, pilot: Pilot[int]) -> None:
        app.action_command("/compare fake other What is in season now?")
        await covered_by()(app, pilot)
        while any(not pane.over for pane in app.screen.query(Pane)):
            await pilot.pause(0.01)
        for pane in app.screen.query(Pane):  # how long it took is never the same
            facts = pane.query_one(".facts", Static)
            facts.update(re.sub(r"\d+/s", "42/s", re.sub(r"\d+\.\d+ s", "1.2 s", str(facts.content))))
            await pane.transcript.idle()

    assert picture(do)
