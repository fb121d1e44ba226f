"""`[keys]`: the names are those of the bindings, slips are told, and what is given is in force and shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from textual.binding import Binding

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError
from coda_cli.settings.edit import set_value
from coda_cli.settings.glance import glance
from coda_cli.settings.key_names import ACTIONS, keys_in_force, slips, spelt
from coda_cli.settings.load import check_text, load_settings
from coda_cli.tui.screens.chats import Chats
from coda_cli.tui.screens.help import Help, action_name, places
from coda_cli.tui.screens.models import Models
from tests.unit.chat_app import chat


def bindings() -> list[tuple[str, Binding]]:
    """Every binding that the help lists, with its place."""
    return [(place, one) for place, bound in places() for one in bound if isinstance(one, Binding)]


def test_the_names_and_keys_are_those_of_the_bindings() -> None:
    bound = {action_name(binding): binding.key for _, binding in bindings()}
    assert dict(ACTIONS) == bound
    assert len(bound) == len(bindings())
    assert not [binding for _, binding in bindings() if not binding.id or not binding.description]


def test_the_keys_as_they_are_clash_nowhere() -> None:
    assert not list(slips(ACTIONS))


@given(st.sets(st.sampled_from(sorted(ACTIONS))))
def test_an_action_may_be_given_its_own_keys(names: set[str]) -> None:
    assert not list(slips({name: ACTIONS[name] for name in names}))


@pytest.mark.parametrize(
    ("written", "line", "told"),
    [
        ('[keys]\n\nfinde = "f3"', 3, "keys.finde: there is no such action"),
        ('[keys]\nfind = "f3"\nmessage.cpy = "y"', 3, "keys.message.cpy: there is no such action"),
        ('[keys]\nmodel = "Ctrl+S"', 2, "keys.model: ctrl+s is also the key of chats"),
        ('[keys]\nsend = "f5"\nfind = "f5"', 2, "keys.send: f5 is also the key of find"),
        ('[keys]\n"message.edit" = "r"', 2, 'keys."message.edit": r is also the key of message.retry'),
        ('[keys]\n"message.edit" = "f2"', 2, 'keys."message.edit": f2 is also the key of model'),
        ('[keys]\nchats.open = "escape"', 2, "keys.chats.open: escape is also the key of sheet.close"),
        ('[keys]\nmessage.edit = "["', 2, "left_square_bracket is also the key of message.previous_version"),
    ],
)  # fmt: skip
def test_an_unknown_action_and_a_clash_are_told_with_file_and_key(written: str, line: int, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_text(written, Path("coda.toml"))
    assert f"coda.toml:{line}: " in caught.value.message
    assert told in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2
    paths.replace_private(paths.config_file(), written.encode())
    assert glance({}) is None


def test_a_misspelt_action_is_guessed() -> None:
    assert [slip.hint for slip in slips({"message.coppy": "x"})] == ["did you mean `message.copy`?"]


@pytest.mark.parametrize(
    "own",
    [
        {"find": "ctrl+s", "chats": "ctrl+f"},  # swapped
        {"chats.rename": "f2"},  # the chat's own keys mean nothing under a screen
        {"message.copy": "ctrl+j"},  # nobody writes there
        {"find.next": "ctrl+n"} | {"new": "f9"},
    ],
)
def test_what_only_looks_like_a_clash_is_none(own: dict[str, str]) -> None:
    assert not list(slips(own))


def test_keys_are_spelt_as_the_screen_spells_them() -> None:
    assert spelt("Ctrl+F, pgup,R,?,Esc") == "ctrl+f,pageup,R,question_mark,escape"
    assert keys_in_force({"find": "F3"})["find"] == "f3"


def test_a_clash_is_not_written() -> None:
    set_value(paths.config_file(), 'keys."message.copy"', "ctrl+v")
    with pytest.raises(ConfigError, match=r"message\.copy.*also the key of message\.edit"):
        set_value(paths.config_file(), 'keys."message.edit"', "ctrl+v")
    assert load_settings(environ={}).keys == {"message.copy": "ctrl+v"}


async def test_keys_of_messages_find_chats_and_pickers_can_be_others() -> None:
    own = {
        "message.edit": "Ctrl+E", "message.previous": "i", "find.next": "m", "chats.open": "f6", "picker.take": "f7",
        "sheet.close": "f8", "stop": "f9",
    }  # fmt: skip
    async with chat("word and word", "more", keys=own) as it:
        await it.ask("a word")
        await it.press("shift+tab", "i", "i", "e")
        assert it.session.editing is None
        await it.press("ctrl+e")
        await it.until(lambda: it.session.editing is not None)
        await it.press("escape")
        await it.press("ctrl+f", *"word", "enter")
        await it.until("2/3")
        await it.press("n")
        assert "2/3" in it.text
        await it.press("m")
        await it.until("3/3")
        await it.press("escape", "f2")
        await it.until(lambda: isinstance(it.app.screen, Models))
        assert "f7 take" in it.text
        assert "f8 close" in it.text
        await it.press(*"other", "f7")
        await it.until(lambda: it.session.spec.provider == "other")
        await it.press("ctrl+s")
        await it.until(lambda: isinstance(it.app.screen, Chats))
        await it.until("a word")
        await it.press("escape")
        assert isinstance(it.app.screen, Chats)
        await it.press("f8")
        await it.until(lambda: len(it.app.screen_stack) == 1)


async def test_the_help_and_the_status_line_show_the_keys_that_are_in_force() -> None:
    async with chat(keys={"help": "f12", "message.copy_code": "x,f4"}, size=(80, 24)) as it:
        await it.until("F12 help")
        await it.press("f12")
        await it.until(lambda: isinstance(it.app.screen, Help))
        await it.press(*"copy_code")
        await it.until("x, F4")
        await it.press("f12")
        await it.until(lambda: len(it.app.screen_stack) == 1)
