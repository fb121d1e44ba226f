"""The few settings that decide how the first screen looks, read without the models of all settings.

Those take 90 ms to load, a quarter of the time to the first screen. What is here is checked as little as it takes; a
file with anything odd in it gives None, and `load` then tells what it is. A test holds the two to the same values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field

from coda_cli import paths
from coda_cli.settings.files import parse_toml, read_text

# Keys as Textual names them: `ctrl+x`, `f5`, `question_mark`, or the character itself; several with commas.
_ONE_KEY: Final = r"(?:(?:ctrl|alt|shift|super|meta)\+)*(?:[a-z][a-z0-9_]*|[!-+\--~])"
KEY_NAMES: Final = re.compile(rf"{_ONE_KEY}(?:,{_ONE_KEY})*", re.IGNORECASE)

_SWITCHES: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_BELLS: Final = ("off", "bell", "notify")


class Glance(Struct, frozen=True):
    """Settings at the top of `coda.toml`, as in `schema.Settings`."""

    theme: str | None = None
    theme_dark: str = "coda-dark"
    theme_light: str = "coda-light"
    plain: bool = False
    mouse: bool = True
    sidebar: bool = False
    bell: str = "bell"
    bell_after: float = 20.0
    keys: Mapping[str, str] = field(default_factory=dict)


_TEXTS: Final = ("theme", "theme_dark", "theme_light")
_FLAGS: Final = ("plain", "mouse", "sidebar")


def glance(environ: Mapping[str, str] = os.environ) -> Glance | None:
    """Those settings from `coda.toml` and the environment; None where they are not plainly right.

    Raises ConfigError for a file that cannot be read or is no TOML.
    """
    path = paths.config_file()
    text = read_text(path)
    if text is None and environ.get("CODA_CONFIG"):
        return None
    table = parse_toml(text, path) if text is not None else {}
    given: dict[str, Any] = {name: table[name] for name in Glance.__struct_fields__ if name in table}
    if "keys" in given:
        given["keys"] = flat_keys(given["keys"])
    for variable, value in environ.items():
        name = variable.removeprefix("CODA_").lower()
        if not variable.startswith("CODA_") or not value.strip():
            continue
        if name.startswith("keys__") or name in ("keys", "bell_after"):
            return None
        if name in _FLAGS:
            given[name] = _SWITCHES.get(value.strip().lower())
        elif name in (*_TEXTS, "bell"):
            given[name] = value.strip()
    return Glance(**given) if all(_right(name, value) for name, value in given.items()) else None


def flat_keys(table: object) -> object:
    """The table `keys` with `chats.open` for what stands in a table of its own (`chats.open = "f2"` is one in TOML)."""
    if not isinstance(table, dict):
        return table
    flat: dict[object, object] = {}
    for name, value in table.items():
        inner = flat_keys(value) if isinstance(name, str) else value
        if isinstance(inner, dict) and inner:
            flat.update({f"{name}.{more}": key for more, key in inner.items()})
        else:
            flat[name] = inner
    return flat


def _right(name: str, value: object) -> bool:
    if name in _FLAGS:
        return isinstance(value, bool)
    if name == "bell":
        return value in _BELLS
    if name == "bell_after":
        return type(value) in (int, float) and isinstance(value, int | float) and 0 <= value < 1e9
    if name == "keys":
        if not isinstance(value, dict) or not all(
            isinstance(key, str) and KEY_NAMES.fullmatch(key) is not None for key in value.values()
        ):
            return False
        from coda_cli.settings.key_names import slips

        return next(slips(value), None) is None
    return isinstance(value, str) and bool(value)
