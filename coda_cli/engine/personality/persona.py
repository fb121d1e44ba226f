"""A persona: who answers, read from one TOML file. Those that come along lie in `personas/` beside this file."""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import asdict

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.engine.personality.traits import NEUTRAL, TRAITS
from coda_cli.engine.rendering.sanitize import sanitize

DEFAULT: Final = "default"
MAX_BYTES: Final = 64 * 1024
STARTER: Final = '''\
# A persona, used with `coda --persona {name}` or `/persona {name}`

description = "What this persona is for"

# What it says to the model about itself. Leave it out for a persona of traits alone.
prompt = """
You are a careful colleague.
"""

# The one sentence that a small model gets instead.
# brief = "You are a careful colleague."

# model = "anthropic/claude-sonnet-5-5"       # a model spec or an alias, where none is named
# temperature = 0.5
# tools = ["read_file", "search_files"]       # those that it may call; leave it out for all
# greeting = "What shall we look at?"

[traits]                                      # from 0 to 1; 0.5 says nothing
# {traits}
verbosity = 0.35
directness = 0.7
'''

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_KEYS: Final = ("name", "description", "prompt", "brief", "traits", "model", "temperature", "tools", "greeting")
_BUILT_IN: Final = Path(__file__).parent / "personas"


class Persona(Struct, frozen=True):
    """Who answers. `traits` holds all of them. `tools`: those it may call, None for all; `own`: a person's file."""

    name: str
    description: str = ""
    prompt: str = ""
    brief: str = ""
    traits: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(TRAITS, NEUTRAL))
    model: str | None = None
    temperature: float | None = None
    tools: tuple[str, ...] | None = None
    greeting: str = ""
    own: bool = False

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        tools = None if self.tools is None else list(self.tools)
        return {**asdict(self), "traits": dict(self.traits), "tools": tools}


def personas_dir() -> Path:
    """The folder of the person's own personas."""
    return paths.config_dir() / "personas"


def persona_file(name: str) -> Path:
    """The person's own file of the persona *name*, whether it exists or not. Raises UsageError for what is no name."""
    if not _NAME.fullmatch(name):
        hint = "a name has small letters, digits and `-`, and begins with a letter or digit"
        raise UsageError(f'"{sanitize(name[:60])}" is not a name for a persona', hint=hint)
    return personas_dir() / f"{name}.toml"


def persona_names() -> list[str]:
    """The names of all personas, good files and bad: the default first, then by name."""
    found: set[str] = set()
    for folder in (_BUILT_IN, personas_dir()):
        try:
            found |= {entry.stem for entry in folder.iterdir() if entry.suffix == ".toml"}
        except OSError:
            continue
    return sorted(filter(_NAME.fullmatch, found), key=lambda name: (name != DEFAULT, name))


def load_persona(name: str) -> Persona:
    """The persona *name*: the person's own file wins over the one that comes along.

    Raises UsageError if there is none of this name, ConfigError if its file is wrong.
    """
    own = persona_file(name)
    text = _read(own)
    if text is not None:
        return parse_persona(text, own, own=True)
    text = _read(built_in_file(name))
    if text is None:
        raise UsageError(f'there is no persona "{name}"', hint=_near(name, persona_names()))
    return parse_persona(text, built_in_file(name))


def built_in_file(name: str) -> Path:
    """The file of a persona that comes along, whether it exists or not."""
    return _BUILT_IN / f"{name}.toml"


def persona_text(name: str) -> str:
    """The file of the persona *name* as it stands. Raises as `load_persona`."""
    load_persona(name)
    return _read(persona_file(name)) or _read(built_in_file(name)) or ""


def _read(path: Path) -> str | None:
    try:
        # O_NONBLOCK: opening a FIFO must not wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise _wrong(path, f"cannot be read: {exc.strerror or exc}", f"check its mode: `ls -l '{path}'`") from exc
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _wrong(path, "is not a regular file", "a persona is a TOML file")
    with os.fdopen(fd, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _wrong(path, "is larger than 64 KiB", "is this the right file?")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _wrong(path, "is not valid UTF-8", "save it as UTF-8") from exc


def parse_persona(text: str, path: Path, *, own: bool = False) -> Persona:
    """The persona in *text*, the content of *path*. Raises ConfigError for the first thing that is wrong."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        hint = f"mend it with `coda personas edit {path.stem}`"
        raise _wrong(path, f"bad TOML: {str(exc) or 'nested too deeply'}", hint) from None
    for key in table:
        if key not in _KEYS:
            raise _wrong(path, f"{key}: there is no such key", _near(key, _KEYS))
    name = _text(table, "name", path) or path.stem
    if name != path.stem:
        raise _wrong(
            path, f'name: the file is called {path.stem}, not "{name}"', "leave `name` out, or rename the file"
        )
    return Persona(
        name=path.stem,
        description=" ".join(_text(table, "description", path).split()),
        prompt=_text(table, "prompt", path).strip(),
        brief=" ".join(_text(table, "brief", path).split()),
        traits=_traits(table.get("traits", {}), path),
        model=_text(table, "model", path) or None,
        temperature=_number(table.get("temperature"), "temperature", 2.0, path),
        tools=_tools(table.get("tools"), path),
        greeting=_text(table, "greeting", path).strip(),
        own=own,
    )


def _text(table: Mapping[str, Any], key: str, path: Path) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise _wrong(path, f"{key}: expected text in quotes", f'write {key} = "..."')
    return value


def _traits(table: object, path: Path) -> dict[str, float]:
    if not isinstance(table, dict):
        raise _wrong(path, "traits: expected a table", "write them under a line [traits], as in verbosity = 0.3")
    for name in table:
        if name not in TRAITS:
            raise _wrong(path, f"traits.{name}: there is no such trait", _near(str(name), TRAITS))
    given = {name: _number(value, f"traits.{name}", 1.0, path) for name, value in table.items()}
    return {name: NEUTRAL if (value := given.get(name)) is None else value for name in TRAITS}


def _number(value: object, key: str, most: float, path: Path) -> float | None:
    if value is None:
        return None
    # A comparison with nan is false, so it is refused here too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise _wrong(path, f"{key}: expected a number from 0 to {most:g}", f"write {key.split('.')[-1]} = 0.5")
    return float(value)


def _tools(value: object, path: Path) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _wrong(path, "tools: expected a list of names", 'write tools = ["read_file"]')
    return tuple(value)


def _near(word: str, choices: Iterable[str]) -> str:
    some = list(choices)
    close = difflib.get_close_matches(word, some, n=1)
    return f"did you mean `{close[0]}`?" if close else f"choose one of: {', '.join(some)}"


def _wrong(path: Path, what: str, hint: str) -> ConfigError:
    return ConfigError(sanitize(f"{path}: {what}"), hint=hint, file=str(path))
