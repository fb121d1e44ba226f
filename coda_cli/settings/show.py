"""The effective settings as TOML or plain data, fit to be shown: what looks like a secret is masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from coda_cli.settings.load import Loaded
from coda_cli.settings.problems import KeyPath, dotted
from coda_cli.settings.schema import Settings

MASK: Final = "********"
_SECRET: Final = re.compile(r"(^|[_-])(api[_-]?key|authorization|password|secret|token|cookie)$", re.IGNORECASE)


def plain(settings: Settings) -> dict[str, Any]:
    """All values as JSON-able data, secrets masked."""
    return {name: _masked(name, value) for name, value in settings.model_dump(mode="json").items()}


def _masked(name: str, value: Any) -> Any:
    if name == "headers_env":  # names of variables, no secrets
        return value
    if isinstance(value, dict):
        return {key: _masked(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(name, inner) for inner in value]
    if not isinstance(value, str):
        return value
    if _SECRET.search(name):
        return MASK
    return _without_password(value) if name in ("api_base", "url") else value


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=f"{MASK}@{parts.netloc.rpartition('@')[2]}"))


def as_toml(loaded: Loaded, keys: Mapping[str, str], *, origin: bool = False) -> str:
    """The settings as a TOML text that can be read back; *keys* is each provider's key state, put in comments.

    What is not set is left out. With *origin* each line ends in where its value comes from.
    """
    values = plain(loaded.settings)
    lines = _assignments(loaded, (), values, origin=origin)
    for name, provider in values["providers"].items():
        lines += ["", f"[{dotted(('providers', name))}]", f"# key: {keys.get(name, 'not set')}"]
        lines += _assignments(loaded, ("providers", name), provider, origin=origin, inline=True)
    for name, server in values["mcp"]["servers"].items():
        at = ("mcp", "servers", name)
        lines += ["", f"[{dotted(at)}]", *_assignments(loaded, at, server, origin=origin, inline=True)]
    for name, price in values["prices"].items():
        lines += ["", f"[{dotted(('prices', name))}]", *_assignments(loaded, ("prices", name), price, origin=origin)]
    for name in ("aliases", "keys", "conversation", "function_calling", "permissions"):
        if values[name]:
            lines += ["", f"[{name}]", *_assignments(loaded, (name,), values[name], origin=origin)]
    return "\n".join(lines)


def _assignments(
    loaded: Loaded, at: KeyPath, table: Mapping[str, Any], *, origin: bool, inline: bool = False
) -> list[str]:
    lines = []
    for name, value in table.items():
        if value is None or value == {} or (isinstance(value, dict) and not inline):
            continue
        line = f"{dotted((name,))} = {_value(value)}"
        lines.append(f"{line}  # {loaded.origin((*at, name)).where}" if origin else line)
    return lines


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_name(name)} = {_value(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    import tomli_w

    return tomli_w.dumps({"v": value}).removeprefix("v = ").rstrip("\n")


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)
