"""Models, the tree, help and themes: what is shown, what comes back."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, strategies as st
from textual.binding import Binding

from coda_cli.bootstrap import wire
from coda_cli.chat.commands import commands
from coda_cli.chat.session import ChatSession
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.tree import Conversation, message_record
from coda_cli.engine.core.errors import LLMConnectionError
from coda_cli.engine.core.messages import LLMMessage, MessageRole
from coda_cli.engine.core.ports import ModelInfo
from coda_cli.settings.load import load_settings
from coda_cli.settings.model_cache import cached_models, remember_models
from coda_cli.settings.model_spec import ModelSpec
from coda_cli.tui.key_words import key_name
from coda_cli.tui.screens.help import Help, HelpEntry, command_entries, keys_of
from coda_cli.tui.screens.models import Models
from coda_cli.tui.screens.themes_picker import ThemesPicker
from coda_cli.tui.screens.tree import Tree, lines_of
from coda_cli.tui.theme_file import ChatTheme
from tests.unit.screen_host import HOSTILE, NOTHING_YET, Host, assert_harmless, every_size, seen

# ---- models ---------------------------------------------------------------------------------------------------------

_TOML = """
[providers.fast]
type = "scripted"
[providers.slow]
type = "scripted"
[providers.down]
type = "ollama"
model = "llama3"
[aliases]
best = "fast/good"
"""


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> ChatSession:
    from coda_cli import paths

    paths.replace_private(paths.config_file(), _TOML.encode())
    settings = load_settings(environ={})
    settings.providers = {name: settings.providers[name] for name in ("fast", "slow", "down")}
    remember_models("fast", ["good", "list[int]"])
    remember_models("down", ["llama3", "qwen"])
    made = ChatSession(wire(settings, conversations=ConversationManager.in_memory()), spec=ModelSpec("fast", "good"))
    answers: dict[str, list[ModelInfo] | LLMConnectionError] = {
        "fast": [ModelInfo("good", context_window=4096), ModelInfo("newer", context_window=1_000_000)],
        "down": LLMConnectionError("can't connect to [/] nobody", hint="start it"),
    }

    async def list_models(name: str) -> list[ModelInfo]:
        if name == "slow":
            await asyncio.Event().wait()
        answer = answers[name]
        if isinstance(answer, LLMConnectionError):
            raise answer
        return answer

    monkeypatch.setattr(made.manager, "list_models", list_models)
    return made


async def _told(app: Host, text: str) -> None:
    for _ in range(100):
        await asyncio.sleep(0.02)
        if text in seen(app):
            return
    raise AssertionError(f"{text!r} is not shown:\n{seen(app)}")


@every_size
async def test_what_is_known_is_there_at_once_and_hosts_join_as_they_answer(
    session: ChatSession, size: tuple[int, int]
) -> None:
    app = Host(Models(session))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "fast/good" in seen(app)
        await pilot.press(*"newer")
        await _told(app, "fast/newer")
        assert "1.0M" in seen(app)
        await pilot.press("home", "enter")
        await pilot.pause()
    assert app.result == "fast/newer"
    assert cached_models()["fast"] == ["good", "newer"]


async def test_why_a_host_is_silent_stands_over_its_models_which_can_be_taken_all_the_same(
    session: ChatSession,
) -> None:
    app = Host(Models(session))
    async with app.run_test(size=(120, 40)) as pilot:
        await _told(app, "can't connect to [/] nobody (start it)")
        assert "slow · asking" in seen(app)
        assert "answers now" in seen(app)
        await pilot.press(*"qwen", "enter")
        await pilot.pause()
    assert app.result == "down/qwen"


async def test_an_alias_gives_what_it_stands_for(session: ChatSession) -> None:
    app = Host(Models(session))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"best", "enter")
        await pilot.pause()
    assert app.result == "fast/good"


async def test_any_name_can_be_typed_and_a_misspelt_provider_is_told(session: ChatSession) -> None:
    app = Host(Models(session))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"fast/unheard-of", "enter")
        await pilot.pause()
    assert app.result == "fast/unheard-of"
    app = Host(Models(session))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"fats/model", "enter")
        await pilot.pause()
        assert app.result == NOTHING_YET or app.result == "fats/model"


async def test_the_latest_chats_models_come_first(session: ChatSession) -> None:
    made = await session.conversations.create_conversation()
    await session.conversations.add_message(made.id, LLMMessage(role=MessageRole.USER, content="hello"))
    meta = {"provider": "down", "model": "qwen"}
    answer = LLMMessage(role=MessageRole.ASSISTANT, content="hi", metadata=meta)
    await session.conversations.add_message(made.id, answer)
    app = Host(Models(session))
    async with app.run_test(size=(120, 40)):
        await _told(app, "used lately")
        shown = seen(app)
        assert shown.index("down/qwen") < shown.index("fast/good")


# ---- the tree -------------------------------------------------------------------------------------------------------


def _conversation(*said: tuple[str, str | None, str]) -> Conversation:
    """(id, parent, text) of each message: questions and answers by turns."""
    records = [{"type": "conversation", "schema": 1, "id": "c", "title": "", "time": 1.0, "head": None, "seq": 0}]
    for number, (name, parent, text) in enumerate(said):
        role = MessageRole.USER if name.startswith("q") else MessageRole.ASSISTANT
        message = LLMMessage(role=role, content=text, message_id=name, created=1.0 + number)
        records.append({**message_record(message, parent), "seq": number + 1})
    return Conversation.of(records)


BRANCHED = (
    ("q1", None, "How do planes fly?"),
    ("a1", "q1", "By lift."),
    ("a2", "q1", "By magic [/]."),
    ("q2", "a1", "Really?"),
    ("q3", "a2", "Sure?"),
    ("a3", "q3", "Sure."),
)


@every_size
async def test_the_tree_shows_every_branch_and_enter_gives_the_message(size: tuple[int, int]) -> None:
    app = Host(Tree(_conversation(*BRANCHED)))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        shown = seen(app)
        for text in ("How do planes fly?", "By lift.", "By magic [/].", "Really?", "2 versions below", "●"):
            assert text in shown
        await pilot.press("home", "down", "down", "enter")
        await pilot.pause()
    assert app.result == "q2"


async def test_the_cursor_stands_where_the_conversation_stands() -> None:
    tree = Tree(_conversation(*BRANCHED))
    async with Host(tree).run_test() as pilot:
        await pilot.pause()
        assert tree.at is not None
        assert tree.at.id == "a3"


async def test_space_folds_and_unfolds_and_z_leaves_only_the_active_branch() -> None:
    app = Host(Tree(_conversation(*BRANCHED)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("home", "space")
        await pilot.pause()
        assert "By lift." not in seen(app)
        assert "+5" in seen(app)
        await pilot.press("space", "z")
        await pilot.pause()
        assert "Really?" not in seen(app)
        assert "Sure?" in seen(app)
        await pilot.press("z")
        await pilot.pause()
        assert "Really?" in seen(app)


async def test_marks_tell_what_is_pinned_hidden_and_summarised() -> None:
    conversation = _conversation(*BRANCHED)
    conversation.apply({"type": "pin", "message": "a2", "pinned": True, "seq": 10})
    conversation.apply({"type": "hide", "message": "q2", "hidden": True, "seq": 11})
    conversation.apply({"type": "summary", "id": "s", "covers": ["q1", "a2"], "text": "planes", "time": 1.0, "seq": 12})
    app = Host(Tree(conversation))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        for text in ("★", "hidden", "2 messages summarised"):
            assert text in seen(app)


@every_size
async def test_a_text_is_found_in_the_tree(size: tuple[int, int]) -> None:
    tree = Tree(_conversation(*BRANCHED))
    app = Host(tree)
    async with app.run_test(size=size) as pilot:
        await pilot.press("home", "slash", *"sure")
        await pilot.pause()
        assert tree.at is not None
        assert tree.at.id == "q3"
        await pilot.press("enter", "n")
        assert tree.at.id == "a3"
        await pilot.press("slash", *"zzz")
        await pilot.pause()
        assert "nothing here says" in seen(app)
        await pilot.press("escape", "escape")
        await pilot.pause()
    assert app.result is None


@every_size
async def test_a_hostile_conversation_is_only_text_in_the_tree(size: tuple[int, int]) -> None:
    app = Host(Tree(_conversation(("q1", None, HOSTILE), ("a1", "q1", HOSTILE), ("a2", "q1", ""))))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "list[int] [/]" in seen(app)
        assert "(no text)" in seen(app)
        assert_harmless(app)


async def test_an_empty_conversation_says_so() -> None:
    app = Host(Tree(Conversation()))
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press("space", "z", "enter")
        await pilot.pause()
        assert "nothing has been said yet" in seen(app)
        assert app.result == NOTHING_YET


@given(st.lists(st.integers(0, 30), max_size=40), st.sets(st.integers(0, 40)))
def test_every_message_is_in_the_tree_once_or_counted_where_it_is_folded(parents: list[int], folded: set[int]) -> None:
    said = [(f"q{n}", f"q{parent % n}" if n and parent else None, "x") for n, parent in enumerate(parents)]
    conversation = _conversation(*said)
    lines = lines_of(conversation, {f"q{n}" for n in folded})
    ids = [line.id for line in lines]
    assert len(set(ids)) == len(ids)
    assert len(ids) + sum(line.hidden_below for line in lines) == len(said)
    places = {name: place for place, name in enumerate(ids)}
    for name, parent, _ in said:
        if name in places and parent in places:
            assert places[parent] < places[name]


def test_five_thousand_messages_in_any_shape_are_laid_out_without_recursion() -> None:
    random.seed(4)
    chain = [(f"q{n}", f"q{n - 1}" if n else None, "x") for n in range(5000)]
    bushy = [(f"q{n}", f"q{random.randrange(n)}" if n else None, "x") for n in range(5000)]
    comb = [(f"q{n}", f"q{(n - 1) // 2 * 2}" if n else None, "x") for n in range(5000)]
    for said in (chain, bushy, comb):
        lines = lines_of(_conversation(*said), set())
        assert len(lines) == 5000
        assert max(len(line.lanes) for line in lines) < 60


# ---- help -----------------------------------------------------------------------------------------------------------


def test_the_keys_in_the_help_are_those_that_are_bound_and_remapped_ones_are_told() -> None:
    bindings = [
        Binding("ctrl+t", "x", "Thinking", id="reasoning"),
        Binding("ctrl+j,shift+enter", "y", "New line", id="prompt.newline"),
        Binding("left_square_bracket", "z", "Version before"),
        Binding("R", "z", "Retry with"),
        Binding("q", "hidden"),
    ]
    shown = [(entry.label, entry.detail) for entry in keys_of("Keys", bindings, {"reasoning": "f5,alt+t"})]
    assert shown == [
        ("F5, Alt+T", "Thinking"),
        ("Ctrl+J, Shift+Enter", "New line"),
        ("[", "Version before"),
        ("R", "Retry with"),
    ]


def test_a_plus_is_a_key_too() -> None:
    assert key_name("+") == "+"


@every_size
async def test_every_command_is_in_the_help_and_enter_runs_one(size: tuple[int, int]) -> None:
    ran: list[str] = []
    entries = [*keys_of("Anywhere", [Binding("f1", "help", "Help")], {}), *command_entries()]
    app = Host(Help(entries, ran.append))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "F1" in seen(app)
        await pilot.press(*"/tree")
        await pilot.pause()
        assert "/tree" in seen(app)
        await pilot.press("enter")
        await pilot.pause()
    assert ran == ["/tree"]
    assert app.result is None
    assert {entry.label.split()[0] for entry in entries if entry.label.startswith("/")} == {
        f"/{command.name}" for command in commands("tui")
    }


async def test_enter_on_a_key_stays_in_the_help() -> None:
    app = Host(Help([HelpEntry("F1", "Help", "", "Keys")]))
    async with app.run_test() as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert app.result == NOTHING_YET


# ---- themes ---------------------------------------------------------------------------------------------------------


@every_size
async def test_the_theme_under_the_cursor_is_worn_and_escape_takes_it_back(size: tuple[int, int]) -> None:
    worn: list[str] = []

    def wear(theme: ChatTheme) -> None:
        worn.append(theme.name)

    for keys, result in (((), "coda-light"), (("escape",), None)):
        worn.clear()
        app = Host(ThemesPicker("coda-dark", wear))
        async with app.run_test(size=size) as pilot:
            await pilot.press("down")
            await pilot.pause(0.15)
            assert worn == ["coda-light"]
            await pilot.press(*(keys or ("enter",)))
            await pilot.pause()
        assert app.result == result
        assert worn == (["coda-light"] if result else ["coda-light", "coda-dark"])
