"""Comparing models, looking into a turn, changing the settings."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator

import pytest
from pydantic import SecretStr

from coda_cli import paths
from coda_cli.bootstrap import wire
from coda_cli.chat.comparison import Comparison
from coda_cli.chat.session import ChatSession
from coda_cli.chat.shares import Share
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.errors import LLMConnectionError
from coda_cli.engine.core.events import Finished, ProviderEvent, TextDelta, Usage
from coda_cli.engine.core.messages import MessageRole
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.settings.load import Loaded, load_settings
from coda_cli.settings.model_spec import ModelSpec
from coda_cli.tui.screens.compare import Compare, Pane
from coda_cli.tui.screens.inspect import Inspect, Moment, Turn, parts_lines
from coda_cli.tui.screens.inspect_turn import last_turn
from coda_cli.tui.screens.settings import SETTINGS, SettingsScreen
from tests.unit.screen_host import HOSTILE, NOTHING_YET, Host, assert_harmless, every_size, seen

_TOML = """# mine
bell = "off" # quiet

[providers.one]
type = "scripted"
[providers.two]
type = "scripted"
[providers.three]
type = "scripted"
"""


async def _shown(app: Host, text: str) -> None:
    for _ in range(150):
        await asyncio.sleep(0.02)
        if text in seen(app):
            return
    raise AssertionError(f"{text!r} is not shown:\n{seen(app)}")


@pytest.fixture(autouse=True)
def _file() -> None:
    paths.replace_private(paths.config_file(), _TOML.encode())


def _session() -> ChatSession:
    return ChatSession(wire(load_settings(environ={}), conversations=ConversationManager.in_memory()))


async def _comparison(
    *, names: tuple[str, ...] = ("one", "two"), question: str = "How?"
) -> tuple[ChatSession, Comparison]:
    session = _session()
    return session, await session.compare([ModelSpec(name, "m") for name in names], question)


# ---- comparing ------------------------------------------------------------------------------------------------------


@every_size
async def test_all_answer_and_a_number_takes_one(size: tuple[int, int]) -> None:
    session, comparison = await _comparison(question="How [/] do planes fly?")
    app = Host(Compare(comparison))
    async with app.run_test(size=size) as pilot:
        await _shown(app, "all answers are there")
        assert "This is a scripted answer." in seen(app)
        assert "tokens" in seen(app)
        await pilot.press("2")
        await pilot.pause()
    assert app.result == 1
    await session.settle(comparison, app.result)
    assert session.spec == ModelSpec("two", "m")
    assert (await session.opened()).path()[-1].message.metadata["provider"] == "two"


async def test_enter_and_a_click_on_its_name_take_an_answer_too() -> None:
    for way, result in (("tab enter", 1), ("click", 1), ("enter", 0)):
        _, comparison = await _comparison()
        app = Host(Compare(comparison))
        async with app.run_test(size=(120, 40)) as pilot:
            await _shown(app, "all answers are there")
            if way == "click":
                lines = seen(app).split("\n")
                row = next(n for n, line in enumerate(lines) if "two/m" in line)
                await pilot.click(offset=(lines[row].index("two/m"), row))
            else:
                await pilot.press(*way.split())
            await pilot.pause()
        assert app.result == result


async def test_below_a_hundred_columns_one_pane_is_open_and_tab_opens_the_next() -> None:
    _, comparison = await _comparison(names=("one", "two", "three"))
    compare = Compare(comparison)
    app = Host(compare)
    async with app.run_test(size=(60, 15)) as pilot:
        await _shown(app, "all answers are there")
        assert [pane.transcript.display for pane in compare.query(Pane)] == [True, False, False]
        await pilot.press("tab")
        await pilot.pause()
        assert [pane.transcript.display for pane in compare.query(Pane)] == [False, True, False]
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert all(pane.transcript.display for pane in compare.query(Pane))


async def _slow_comparison(monkeypatch: pytest.MonkeyPatch) -> tuple[ChatSession, Comparison]:
    session = _session()

    async def stream(request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        yield TextDelta("a first word")
        await asyncio.Event().wait()

    monkeypatch.setattr(session.manager.provider("two"), "stream", stream)
    return session, await session.compare([ModelSpec("one", "m"), ModelSpec("two", "m")], "How?")


async def test_escape_stops_what_is_under_way_and_then_leaves_without_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    session, comparison = await _slow_comparison(monkeypatch)
    app = Host(Compare(comparison))
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(app, "a first word")
        await _shown(app, "answering")
        await pilot.press("escape")
        await _shown(app, "interrupted")
        assert app.result == NOTHING_YET
        await pilot.press("escape")
        await pilot.pause()
    assert app.result is None
    stored = [node.message for node in (await session.opened()).nodes.values()]
    assert [m.content for m in stored if m.role is MessageRole.ASSISTANT and m.status == "interrupted"] == [
        "a first word"
    ]


async def test_taking_one_answer_stops_the_others_before_it_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    _, comparison = await _slow_comparison(monkeypatch)
    app = Host(Compare(comparison))
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(app, "This is a scripted answer.")
        await _shown(app, "a first word")
        await pilot.press("1")
        for _ in range(100):
            await pilot.pause(0.02)
            if app.result != NOTHING_YET:
                break
    assert app.result == 0
    assert all(one.generation.response is not None for one in comparison.contenders)


async def test_a_provider_that_fails_tells_why_in_its_pane_and_the_other_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = _session()
    session.manager.config.providers["two"].max_retries = 0

    async def stream(request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        if request.model:
            raise LLMConnectionError(f"nobody there {HOSTILE}", hint="plug it in")
        yield TextDelta("")

    monkeypatch.setattr(session.manager.provider("two"), "stream", stream)
    comparison = await session.compare([ModelSpec("one", "m"), ModelSpec("two", "m")], "How?")
    app = Host(Compare(comparison))
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(app, "all answers are there")
        assert "nobody there" in seen(app)
        assert "plug it in" in seen(app)
        assert "This is a scripted answer." in seen(app)
        assert_harmless(app)
        await pilot.press("escape")
        await pilot.pause()
    assert app.result is None


async def test_no_clock_runs_once_all_have_answered() -> None:
    _, comparison = await _comparison()
    compare = Compare(comparison)
    app = Host(compare)
    async with app.run_test(size=(120, 40)):
        await _shown(app, "all answers are there")
        assert compare._clock is not None
        assert compare._clock._task is None or compare._clock._task.done() or compare._clock._task.cancelling()


# ---- inspecting -----------------------------------------------------------------------------------------------------

TURN = Turn(
    facts=[("model", "openai/gpt"), ("price", "$0.01")],
    parts=[Share("questions", 300, 3), Share("answers [/]", 700, 2)],
    window=10_000,
    moments=[Moment(0.0, "the request leaves"), Moment(1.5, "attempt 1 failed", bad=True), Moment(2.0, "first word")],
    request={"model": "gpt", "messages": [{"role": "user", "parts": [{"type": "text", "text": "hello [b]"}]}]},
)


@every_size
async def test_the_tabs_of_a_turn_by_key_and_by_mouse(size: tuple[int, int]) -> None:
    app = Host(Inspect(TURN))
    async with app.run_test(size=size) as pilot:
        await _shown(app, "openai/gpt")
        await pilot.press("tab")
        await _shown(app, "70.0 %")
        assert "10.0 % of a window of 10,000" in re.sub(r"[│\s]+", " ", seen(app))
        await pilot.press("3")
        await _shown(app, "+1.50")
        lines = seen(app).split("\n")
        row = next(n for n, line in enumerate(lines) if "4 Request" in line)
        await pilot.click(offset=(lines[row].index("4 Request"), row))
        await _shown(app, '"role": "user"')
        await pilot.press("slash", *"hello", "enter")
        await _shown(app, "1/1")
        await pilot.press("escape")
        await pilot.pause()
        assert app.result == NOTHING_YET
        await pilot.press("escape")
        await pilot.pause()
    assert app.result is None


@pytest.mark.parametrize("tab", range(4))
async def test_a_hostile_turn_is_only_text(tab: int) -> None:
    turn = Turn([(HOSTILE, HOSTILE)], [Share(HOSTILE, 3)], 5, [Moment(0, HOSTILE)], {HOSTILE: HOSTILE})
    for shown in (turn, Turn()):
        app = Host(Inspect(shown, tab=tab))
        async with app.run_test(size=(60, 15)) as pilot:
            await pilot.pause()
            await pilot.pause()
            assert_harmless(app)


def test_the_bars_fit_into_sixty_columns() -> None:
    lines = parts_lines(TURN, 56)
    assert all(sum(len(text) for text, _ in line) <= 56 for line in lines[:2])


async def test_the_last_turn_is_told_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _session()
    key = 'sk-very"secret'
    session.manager.config.providers["one"].api_key = SecretStr(key)
    session.spec = ModelSpec("one", "m")

    async def stream(request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        yield TextDelta("an ")
        yield TextDelta("answer")
        yield Usage(TokenUsage(input_tokens=10, output_tokens=2))
        yield Finished(FinishReason.STOP)

    monkeypatch.setattr(session.manager.provider("one"), "stream", stream)
    assert await last_turn(session) == Turn()
    await session.ask(f"my key is {key}, keep it")
    turn = await last_turn(session)
    facts = dict(turn.facts)
    assert facts["model"] == "one/m"
    assert [moment.what for moment in turn.moments][:2] == ["the request leaves for one/m", "the first word"]
    assert turn.moments[-1].what.startswith("the end: stop, 2 tokens")
    assert turn.parts
    assert "sk-very" not in str(turn.request)
    json.dumps(turn.request)
    again = ChatSession(session.wired, conversation_id=session.conversation_id)
    assert dict((await last_turn(again)).facts)["provider"] == "one"


# ---- settings -------------------------------------------------------------------------------------------------------


@every_size
async def test_a_switch_turns_and_comments_stay(size: tuple[int, int]) -> None:
    app = Host(SettingsScreen())
    async with app.run_test(size=size) as pilot:
        await pilot.press(*"sidebar")
        await pilot.pause(0.1)
        await pilot.press("enter")
        await _shown(app, "sidebar is true")
        await _shown(app, "yes")
    text = paths.config_file().read_text()
    assert "sidebar = true" in text
    assert text.startswith("# mine")
    assert '"off" # quiet' in text


async def test_a_choice_is_made_from_a_list_and_given_back_with_delete() -> None:
    told: list[tuple[str, str]] = []

    def changed(key: str, loaded: Loaded) -> None:
        told.append((key, loaded.settings.bell))

    app = Host(SettingsScreen(changed))
    async with app.run_test(size=(80, 24)) as pilot:
        await _shown(app, "coda.toml:2")
        await pilot.press(*"bell", "enter")
        await _shown(app, "notify")
        await pilot.press("down", "down", "enter")
        await _shown(app, "bell is notify")
        await pilot.press("delete")
        await _shown(app, "bell is the default again")
    assert told == [("bell", "notify"), ("bell", "bell")]
    assert "bell" not in paths.config_file().read_text()


@every_size
async def test_what_is_wrong_is_told_in_place_and_the_file_stays(size: tuple[int, int]) -> None:
    app = Host(SettingsScreen())
    async with app.run_test(size=size) as pilot:
        await pilot.press(*"bell_after")
        await pilot.pause(0.1)
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("ctrl+u", *"soon", "enter")
        await _shown(app, "number")
    assert paths.config_file().read_text() == _TOML


async def test_what_the_environment_says_is_marked_and_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODA_SIDEBAR", "true")
    app = Host(SettingsScreen())
    async with app.run_test(size=(120, 40)) as pilot:
        await _shown(app, "CODA_SIDEBAR")
        await pilot.press(*"sidebar", "enter")
        await _shown(app, "wins while it is there")


async def test_a_broken_file_is_told_with_its_place() -> None:
    paths.replace_private(paths.config_file(), b"bell = \n")
    app = Host(SettingsScreen())
    async with app.run_test(size=(80, 24)):
        await _shown(app, "coda.toml:1")


async def test_an_own_key_is_written() -> None:
    app = Host(SettingsScreen())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"keys.sidebar", "enter")
        await pilot.pause()
        await pilot.press(*"f5", "enter")
        await _shown(app, "keys.sidebar is f5")
    assert load_settings(environ={}).keys == {"sidebar": "f5"}


def test_every_setting_that_is_offered_exists() -> None:
    from coda_cli.settings.problems import annotation_at, split_dotted

    assert all(annotation_at(split_dotted(setting.key)) is not None for setting in SETTINGS)
