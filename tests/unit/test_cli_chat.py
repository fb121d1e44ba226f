"""`coda chat`: what it reads before the screen is drawn: settings, flags, stdin, and which front end it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from coda_cli.engine.core.errors import ConfigError
from coda_cli.settings.load import check_text

# ---- settings --------------------------------------------------------------------------------------------------------


def test_the_settings_of_the_chat_are_read() -> None:
    defaults = check_text("", Path("coda.toml"))
    assert (defaults.theme, defaults.theme_dark, defaults.theme_light) == (None, "coda-dark", "coda-light")
    assert (defaults.plain, defaults.mouse, defaults.sidebar, defaults.auto_title) == (False, True, False, False)
    assert (defaults.bell, defaults.bell_after, defaults.keys) == ("bell", 20.0, {})
    text = (
        'theme = "nord"\nplain = true\nmouse = false\nsidebar = true\nbell = "notify"\nbell_after = 0.0\n'
        'auto_title = true\n[keys]\nfind = "f3"'
    )
    given = check_text(text, Path("coda.toml"))
    assert (given.theme, given.plain, given.mouse, given.sidebar) == ("nord", True, False, True)
    assert (given.bell, given.bell_after, given.auto_title, given.keys) == ("notify", 0.0, True, {"find": "f3"})


@pytest.mark.parametrize("key", ["ctrl+x", "f5", "ctrl+shift+a", "question_mark", "?", "ctrl+f,f3", "alt+enter", "["])
def test_a_key_may_be_any_that_the_screen_knows(key: str) -> None:
    assert check_text(f"[keys]\nfind = '{key}'", Path("coda.toml")).keys == {"find": key}


@pytest.mark.parametrize("key", ["", "ctrl f", "ctrl+", "+x", "ctrl+f,", "strg+x", "\\u001b", "ctrl+f, f3"])
def test_keys_can_be_remapped_and_a_slip_is_told(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_text(f'[keys]\nfind = "{key}"', Path("coda.toml"))
    assert "coda.toml:2: keys.find: this is not the name of a key" in caught.value.message
    assert caught.value.hint is not None
    assert 'find = "ctrl+f"' in caught.value.hint


@pytest.mark.parametrize("line", ['bell = "ring"', "bell_after = -1.0", 'mouse = "no"', 'theme = ""'])
def test_a_wrong_setting_of_the_chat_is_told(line: str) -> None:
    with pytest.raises(ConfigError, match=r"coda\.toml:1: "):
        check_text(line, Path("coda.toml"))


def test_what_makes_the_chat_plain() -> None:
    assert check_text("plain = true", Path("coda.toml")).plain
