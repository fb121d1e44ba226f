"""Keys in words, as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.keys import format_key

from coda_cli.settings.key_names import keys_in_force

_NAMES: Final[Mapping[str, str]] = {
    "escape": "Esc",
    "enter": "Enter",
    "tab": "Tab",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "delete": "Del",
    "space": "Space",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "slash": "/",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "ctrl": "Ctrl",
    "shift": "Shift",
    "alt": "Alt",
    "super": "Super",
}


def key_name(key: str) -> str:
    """A key as a person reads it: `Ctrl+T`, `Esc`, `R`."""
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    name = _NAMES.get(last) or (last.upper() if len(last) > 1 and last[0] == "f" and last[1:].isdigit() else None)
    if name is None:
        name = last.upper() if modifiers and len(last) == 1 else last if len(last) == 1 else format_key(last)
    return "+".join([*(_NAMES.get(modifier, modifier.title()) for modifier in modifiers), name])


def keys_name(keys: str) -> str:
    """Several keys with commas, each as a person reads it."""
    return ", ".join(key_name(key.strip()) for key in keys.split(","))


def key_of(action: str, own: Mapping[str, str]) -> str:
    """The first key of *action*, with the keys that a person gave."""
    return key_name(keys_in_force(own)[action].split(",")[0])
