"""Pastes on their way to the prompt of the plain chat: one key each, inert, however they are cut."""

import os
import pty
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from prompt_toolkit.keys import Keys

from coda_cli.plain.keys import END, START, KeyInput


@pytest.fixture
def keys() -> Iterator[KeyInput]:
    master, slave = pty.openpty()
    with os.fdopen(slave) as stdin:
        yield KeyInput(stdin)
    os.close(master)


def typed(keys: KeyInput, pieces: list[str]) -> list[tuple[str, str]]:
    for place, piece in enumerate(pieces):
        keys._take(piece, more=place < len(pieces) - 1)
    return [(str(press.key), press.data) for press in [*keys._keys(), *keys.flush_keys()]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(codec="ascii"), max_size=30).map(lambda t: t.replace("\x1b", "")),
    mark=st.sampled_from(["", END, START, "\x1b", END + "/quit\r"]),
    size=st.integers(1, 12),
)
def test_a_paste_is_one_key_whatever_stands_in_it(keys: KeyInput, text: str, mark: str, size: int) -> None:
    whole = f"a{START}{text}{mark}{text}{END}"
    found = typed(keys, [whole[at : at + size] for at in range(0, len(whole), size)])
    wanted = f"{text}{mark}{text}".replace(END, "").replace(START, "")
    assert [one for one in found if one[1] != wanted or one[0] != str(Keys.BracketedPaste)] == [("a", "a")]


def test_keys_are_keys_and_escape_alone_is_escape(keys: KeyInput) -> None:
    assert [key for key, _ in typed(keys, ["x\x1b[A\r"])] == ["x", str(Keys.Up), str(Keys.ControlM)]
    assert [key for key, _ in typed(keys, ["\x1b"])] == [str(Keys.Escape)]
    assert [key for key, _ in typed(keys, ["\x1b[2", "4~"])] == [str(Keys.F12)]


def test_a_paste_of_ten_megabytes_is_searched_once(keys: KeyInput) -> None:
    text = "line of a log\n" * 700_000
    pieces = [START, *(text[at : at + 4096] for at in range(0, len(text), 4096)), END]
    assert typed(keys, pieces) == [(str(Keys.BracketedPaste), text)]
