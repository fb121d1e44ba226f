"""From defaults, `coda.toml`, the environment and flags to one `Settings`.

Later layers win: defaults < file < trusted working folder < environment < flags. Everything that is wrong is told at
once, each with its place; what is wrong in the folder is left out and told. Reading never writes.

Environment: `CODA_<KEY>` for the settings at the top (`CODA_MODEL`, `CODA_OFFLINE`), two underscores step into a
table (`CODA_PROVIDERS__OPENAI__TIMEOUT`, `CODA_CONVERSATION__MAX_MESSAGES`). Values are read by the setting's own
type: text as it is, anything else as a TOML value. An empty variable counts as not set.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace
from pydantic import ValidationError

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError
from coda_cli.settings import folder
from coda_cli.settings.files import parse_toml, read_text
from coda_cli.settings.glance import KEY_NAMES, flat_keys
from coda_cli.settings.problems import (
    KeyPath,
    Origin,
    Problem,
    SettingsError,
    annotation_at,
    did_you_mean,
    dotted,
    explain,
    lines_of,
    options_of,
    split_dotted,
)
from coda_cli.settings.schema import BUILT_IN_PROVIDERS, Settings, is_provider_name

if TYPE_CHECKING:
    from coda_cli.engine.tools.trust import FolderFiles

# Read elsewhere, by name, before or beside the settings.
RESERVED: Final = frozenset({"CODA_CONFIG", "CODA_HOME"})
_PREFIX: Final = "CODA_"
_WORDS: Final = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
_DEFAULT: Final = Origin("default", "default")


class Loaded(Struct, frozen=True):
    """The effective settings and where each value comes from.

    `file` is the coda.toml that was looked for (`found` says whether it is there), `ignored` the CODA_* variables
    that name no setting, `brought` what the working folder sets.
    """

    settings: Settings
    file: Path
    found: bool
    ignored: tuple[str, ...]
    origins: Mapping[KeyPath, Origin]
    brought: folder.Brought | None = None

    def origin(self, path: KeyPath) -> Origin:
        """Where the value at *path* comes from."""
        return self.origins.get(path, _DEFAULT)


def load_settings(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """The effective settings. Raises ConfigError (usually its subclass SettingsError); see `load`."""
    return load(file=file, environ=environ, overrides=overrides).settings


def load(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, object] | None = None,
    files: FolderFiles | None = None,
) -> Loaded:
    """The effective settings with their origins.

    *overrides* are the flags: dotted key -> typed value, None for a flag that was not given. *files* is what a working
    folder brings, as if it were trusted (default: of the current one, if it is and no *file* is named). A missing file
    is an error only where it was named, by *file* or CODA_CONFIG. Raises ConfigError.
    """
    path = file if file is not None else paths.config_file()
    text = read_text(path)
    if text is None and (file is not None or os.environ.get("CODA_CONFIG")):
        hint = "create it with `coda config edit`" if file is None else "`coda config path` shows where Coda looks"
        raise ConfigError(f"there is no file {path}", hint=hint, file=str(path))
    loaded = compose(text, path, environ=environ, overrides=overrides)
    if files is None and file is None:
        files = folder.trusted_files()
    brought = folder.brought(files) if files is not None else None
    while brought is not None and brought.sets:
        try:
            whole = compose(text, path, environ=environ, overrides=overrides, brought=brought)
        except SettingsError as error:
            brought = brought.without(error.problems)
            continue
        if (unfit := folder.unfit_model(whole.settings, brought.sets)) is None:
            return whole
        brought = brought.without([Problem(brought.place(("model",)), *unfit)])
    return replace(loaded, brought=brought)


def compose(
    text: str | None,
    path: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] | None = None,
    brought: folder.Brought | None = None,
) -> Loaded:
    """The settings that *text* would give as the content of *path*, with what was *brought*. Raises ConfigError."""
    layers = _Layers()
    for name, table in BUILT_IN_PROVIDERS.items():
        layers.merge(("providers", name), table, None)
    if text is not None:
        _add_file(layers, text, path)
    if brought is not None:
        _add_folder(layers, brought)
    ignored = _add_environment(layers, environ)
    for key, value in (overrides or {}).items():
        if value is not None:
            layers.merge(split_dotted(key), value, Origin("flag", f"flag {key}"))
    settings, problems = _validate(layers)
    if settings is None or problems:
        raise SettingsError(problems, file=str(path) if text is not None else None)
    return Loaded(settings, path, text is not None, ignored, layers.origins, brought)


def check_text(text: str, path: Path) -> Settings:
    """The settings of a file alone, the environment aside. Raises ConfigError."""
    return compose(text, path, environ={}).settings


class _Layers:
    """The layers laid over each other: one nested table, and the origin of each part of it."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.origins: dict[KeyPath, Origin] = {}

    def merge(self, path: KeyPath, value: object, origin: Origin | None) -> None:
        """Lay *value* over what stands at *path*: tables are joined, anything else replaced."""
        table = self.data
        for depth, part in enumerate(path[:-1], 1):
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                return  # a wrong type below: the validator tells about it
            if origin is not None:
                self.origins.setdefault(path[:depth], origin)
            table = inner
        name = path[-1]
        if isinstance(value, Mapping) and isinstance(table.get(name, {}), dict):
            table.setdefault(name, {})
            if origin is not None:
                self.origins.setdefault(path, origin)
            for key, inner_value in value.items():
                self.merge((*path, str(key)), inner_value, origin)
            return
        table[name] = value
        if origin is not None:
            self.origins[path] = origin

    def place(self, path: KeyPath) -> str:
        """Where a person finds what stands at *path*, or the nearest part above it."""
        for end in range(len(path), 0, -1):
            if origin := self.origins.get(path[:end]):
                return origin.where
        return ""


def _add_file(layers: _Layers, text: str, path: Path) -> None:
    table = parse_toml(text, path)
    tables = table.get("providers")
    for name, built_in in BUILT_IN_PROVIDERS.items():
        own = tables.get(name) if isinstance(tables, dict) else None
        if isinstance(own, dict) and own.get("type", built_in["type"]) != built_in["type"]:
            # Another kind of provider under a built-in name: its default model means nothing there.
            layers.data["providers"][name].pop("model", None)
    for key, value in table.items():
        layers.merge((key,), value, Origin("file", str(path)))
    for at, line in lines_of(text).items():
        layers.origins[at] = Origin("file", f"{path}:{line}")


def _add_folder(layers: _Layers, brought: folder.Brought) -> None:
    for key, value in folder.laid_over(layers.data, brought.sets).items():
        layers.merge((key,), value, Origin("file", str(brought.file)))
    for at in brought.lines or ():
        if at in layers.origins and layers.origins[at].where == str(brought.file):
            layers.origins[at] = Origin("file", brought.place(at))


def _add_environment(layers: _Layers, environ: Mapping[str, str]) -> tuple[str, ...]:
    ignored: list[str] = []
    for variable in sorted(environ, key=lambda name: (name.count("__"), name)):
        if not variable.startswith(_PREFIX) or variable in RESERVED:
            continue
        path = _path_of(variable, layers.data)
        if path is None:
            ignored.append(variable)
        elif text := environ[variable].strip():
            layers.merge(path, coerce(path, text), Origin("env", variable))
    return tuple(ignored)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """The CODA_* variables that name no setting and nothing else that Coda reads, sorted."""
    names = sorted(name for name in environ if name.startswith(_PREFIX) and name not in RESERVED)
    return [name for name in names if _path_of(name, {}) is None]


def _path_of(variable: str, data: Mapping[str, Any]) -> KeyPath | None:
    parts = variable.removeprefix(_PREFIX).lower().split("__")
    if not all(parts):
        return None
    if len(parts) > 1 and parts[0] in ("providers", "aliases"):
        # A variable cannot hold `-`: my-server and MY_SERVER are the same name.
        known = data.get(parts[0])
        for name in known if isinstance(known, dict) else ():
            if re.sub(r"\W", "_", name.lower()) == re.sub(r"\W", "_", parts[1]):
                parts[1] = name
                break
    path = tuple(parts)
    return path if annotation_at(path) is not None else None


def coerce(path: KeyPath, text: str) -> object:
    """*text* as a value for the setting at *path*; the text itself where it does not fit, for the validator to tell."""
    options = options_of(annotation_at(path))
    if str in options:
        return text
    if bool in options and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _validate(layers: _Layers) -> tuple[Settings | None, list[Problem]]:
    problems: list[Problem] = []
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(layers.data)
    except ValidationError as exc:
        # Not chained: the validator's own report would show values, and a value may be a key in the wrong place.
        seen: set[tuple[KeyPath, str]] = set()
        for error in exc.errors(include_url=False):
            path, message, hint = explain(error)
            if (path, message) not in seen:
                seen.add((path, message))
                problems.append(Problem(layers.place(path), dotted(path), message, hint))
    problems += _cross_check(layers)
    problems.sort(key=lambda problem: _by_place(problem.where))
    return settings, problems


def _by_place(where: str) -> tuple[str, int]:
    name, _, line = where.rpartition(":")
    return (name, int(line)) if line.isdigit() else (where, 0)


def _cross_check(layers: _Layers) -> Iterator[Problem]:
    """What one field alone cannot show: names that must fit each other."""
    providers = layers.data.get("providers")
    if not isinstance(providers, dict):
        return
    for name in providers:
        if not is_provider_name(name):
            path = ("providers", name)
            hint = "use letters, digits, `-` and `_`: `/` and `:` separate a provider from its model"
            yield Problem(layers.place(path), dotted(path), "not a name for a provider", hint)
    chosen = layers.data.get("default_provider")
    if isinstance(chosen, str) and chosen and chosen not in providers:
        yield _no_provider(layers, ("default_provider",), chosen, providers)
    yield from _slips_in_keys(layers)
    aliases = layers.data.get("aliases")
    for alias, spec in aliases.items() if isinstance(aliases, dict) else ():
        path = ("aliases", alias)
        hint = "choose one plain word: `/` and `:` separate a provider from its model"
        if re.search(r"[/:\s\x00-\x1f]", alias) or not alias:
            yield Problem(layers.place(path), dotted(path), "an alias has no `/`, `:` or space in its name", hint)
        if not isinstance(spec, str) or not spec:
            continue
        found = re.fullmatch(r"([^/:]+)[/:](.+)", spec)
        if found is None:
            hint = 'write provider/model, as in fast = "openai/gpt-6-luna"'
            yield Problem(layers.place(path), dotted(path), f'"{spec}" is not a model spec', hint)
        elif found[1] not in providers:
            yield _no_provider(layers, path, found[1], providers)


def _slips_in_keys(layers: _Layers) -> Iterator[Problem]:
    keys = flat_keys(layers.data.get("keys"))
    if not isinstance(keys, dict) or not all(
        isinstance(key, str) and KEY_NAMES.fullmatch(key) for key in keys.values()
    ):
        return  # the validator tells
    if not keys:
        return
    from coda_cli.settings.key_names import slips

    for slip in slips(keys):
        whole, parts = ("keys", slip.action), ("keys", *slip.action.split("."))
        path = whole if whole in layers.origins else parts
        yield Problem(layers.place(path), dotted(path), slip.message, slip.hint)


def _no_provider(layers: _Layers, path: KeyPath, name: str, providers: Mapping[str, Any]) -> Problem:
    hint = did_you_mean(name, providers) or f"configured: {', '.join(providers)}"
    return Problem(layers.place(path), dotted(path), f'there is no provider "{name}"', hint)
