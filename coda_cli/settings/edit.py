"""Change one key of `coda.toml` and keep everything else in it: comments, order, spacing.

The whole result is read back and validated before it replaces the file, so a bad edit never lands.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from coda_cli.engine.core.errors import ConfigError
from coda_cli.settings.files import locked, parse_toml, read_text, write_text
from coda_cli.settings.load import check_text, coerce
from coda_cli.settings.problems import KeyPath, Problem, SettingsError, annotation_at, dotted, split_dotted, unknown_key

_Table = MutableMapping[str, Any]


def set_value(path: Path, key: str, text: str) -> object:
    """Set the dotted *key* to *text*, read by the setting's type; returns the value. Raises ConfigError."""
    at = _known(key)
    value = coerce(at, text)
    try:
        _edit(path, lambda table: _put(table, at, value))
    except SettingsError as exc:
        # The value came from the caller, not from the line of the file where it would have landed.
        mine, table = dotted(at), dotted(at[:-1]) + "."
        raise SettingsError(
            replace(problem, where="") if problem.key == mine or problem.key.startswith(table) else problem
            for problem in exc.problems
        ) from None
    return value


def add_table(path: Path, at: KeyPath, values: Mapping[str, object]) -> None:
    """Put the table *values* at *at*, all of it at once, in place of one that is there. Raises ConfigError."""
    _edit(path, lambda table: _put(table, at, dict(values)))


def unset_value(path: Path, key: str) -> bool:
    """Take the dotted *key* out of the file; whether it was there. Raises ConfigError."""
    at = split_dotted(key)
    if read_text(path) is None:
        return False
    return _edit(path, lambda table: _drop(table, at))


def _known(key: str) -> KeyPath:
    at = split_dotted(key)
    if annotation_at(at) is None:
        message, hint = unknown_key(at)
        raise SettingsError([Problem("", dotted(at), message, hint)])
    return at


def _edit(path: Path, change: Callable[[_Table], bool]) -> bool:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    with locked(path):
        old = read_text(path) or ""
        expected = parse_toml(old, path)
        changed = change(expected)
        if not changed:
            return False
        try:
            document = tomlkit.parse(old)
            change(document)
            new = tomlkit.dumps(document)
            landed = tomllib.loads(new)
        except (TOMLKitError, ValueError, KeyError, TypeError) as exc:
            raise _by_hand(path) from exc
        # TOML lets one table be spread over a file in ways an edit can break; what is written is what was meant.
        if _without_empty(landed) != _without_empty(expected):
            raise _by_hand(path)
        check_text(new, path)
        write_text(path, new)
    return True


def _by_hand(path: Path) -> ConfigError:
    hint = "change it by hand with `coda config edit`"
    return ConfigError(f"{path} is laid out in a way that this edit cannot keep", hint=hint, file=str(path))


def _put(table: _Table, path: KeyPath, value: object) -> bool:
    """Works on the plain table and on tomlkit's alike."""
    for part in path[:-1]:
        inner = table.get(part)
        if inner is None:
            table[part] = _new_table(table)
            inner = table[part]
        if not isinstance(inner, MutableMapping):
            raise ConfigError(f"`{part}` is not a table in this file", hint="change it by hand with `coda config edit`")
        table = inner
    if path[-1] in table and table[path[-1]] == value and type(table[path[-1]]) is type(value):
        return False
    table[path[-1]] = copy.deepcopy(value)
    return True


def _new_table(parent: _Table) -> _Table:
    if type(parent) is dict:
        return {}
    import tomlkit
    from tomlkit.items import InlineTable

    return tomlkit.inline_table() if isinstance(parent, InlineTable) else tomlkit.table()


def _drop(table: _Table, path: KeyPath) -> bool:
    inner = table.get(path[0])
    if len(path) > 1:
        return isinstance(inner, MutableMapping) and _drop(inner, path[1:])
    if path[0] not in table:
        return False
    del table[path[0]]
    return True


def _without_empty(value: object) -> object:
    """*value* without empty tables: those may appear and vanish with the layout and mean nothing."""
    if not isinstance(value, dict):
        return value
    inner = ((name, _without_empty(part)) for name, part in value.items())
    return {name: part for name, part in inner if part != {}}
