"""The settings that a working folder brings along: they count between `coda.toml` and the environment, once trusted.

Where there is no `.coda` a few names are looked at and nothing is loaded. What is read is what the trust was given
for, byte for byte: the file in the folder is not opened again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.engine.tools.own_folder import NOTES, OWN_FOLDER, SETTINGS, brings_something, own_folder
from coda_cli.settings.files import decode, parse_toml

if TYPE_CHECKING:
    from coda_cli.engine.tools.trust import FolderFiles
    from coda_cli.settings.load import Loaded
    from coda_cli.settings.problems import KeyPath, Problem
    from coda_cli.settings.schema import Settings

_STRANGE: Final = "this folder brings notes, settings or tools of its own; `coda trust` shows and allows them"
_CHANGED: Final = "what this folder brings has changed since you trusted it; `coda trust` shows and allows it"


def trusted_files() -> FolderFiles | None:
    """What the working folder brings along, if a person trusts it as it is now."""
    folder = own_folder()
    if folder is None:
        return None
    from coda_cli.engine.tools.trust import Trust

    return Trust().trusted(folder)


def trusted_notes(_: Path) -> str | None:
    """The notes for models of the working folder (`AGENTS.md`, then `.coda/AGENTS.md`), if trusted as they are."""
    files = trusted_files()
    if files is None:
        return None
    from coda_cli.engine.tools.trust import BESIDE

    found = [files.content[name].decode("utf-8", "replace") for name in (BESIDE, NOTES) if name in files.content]
    return "\n\n".join(found) or None


def note() -> str | None:
    """One quiet line where the working folder brings something that does not count yet. Opens nothing of it."""
    folder = own_folder()
    if folder is None or not brings_something(folder):
        return None
    from coda_cli.engine.tools.trust import Trust

    return {"unknown": _STRANGE, "changed": _CHANGED}.get(Trust().state(folder))


def problems(loaded: Loaded) -> list[str]:
    """What is wrong with the settings of the working folder, a line for each: it is left out."""
    if loaded.brought is None:
        return []
    from coda_cli.engine.tools.visible import visible_line

    return [visible_line(f"left out: {problem.line()}") for problem in loaded.brought.problems]


def notes(loaded: Loaded) -> list[str]:
    """What a person should know of the working folder when a chat begins; nothing nearly everywhere."""
    quiet = note()
    return [*([quiet] if quiet else ()), *problems(loaded)]


class Brought(Struct, frozen=True):
    """The settings of a folder. `sets` is what counts, `never` what counts from no folder, `problems` what is wrong."""

    file: Path
    sets: Mapping[str, Any]
    never: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    lines: Mapping[KeyPath, int] | None = None

    def place(self, path: KeyPath) -> str:
        """Where *path* stands, or the nearest part above it."""
        for end in range(len(path), 0, -1):
            if line := (self.lines or {}).get(path[:end]):
                return f"{self.file}:{line}"
        return str(self.file)

    def without(self, problems: Iterable[Problem]) -> Brought:
        """The same, but for the keys of *problems*; nothing at all where they cannot be told from the rest."""
        from coda_cli.settings.problems import split_dotted

        new = tuple(problems)
        sets = {key: dict(value) if isinstance(value, Mapping) else value for key, value in self.sets.items()}
        for problem in (one for one in new if one.key):
            _remove(sets, split_dotted(problem.key))
        if sets == self.sets:
            sets = {}
        return Brought(self.file, sets, self.never, (*self.problems, *new), self.lines)


def _remove(table: dict[str, Any], path: KeyPath) -> None:
    """Take out what stands at *path*, or the deepest part above it that is there."""
    inner = table.get(path[0])
    if isinstance(inner, dict) and len(path) > 1 and path[1] in inner:
        _remove(inner, path[1:])
    else:
        table.pop(path[0], None)


def brought(files: FolderFiles) -> Brought | None:
    """The settings in *files*; None where there are none. Never raises: what is wrong stands in `problems`."""
    from coda_cli.engine.tools.trust import folder_settings
    from coda_cli.settings.problems import Problem, lines_of

    content = files.content.get(SETTINGS)
    if content is None:
        return None
    file = Path(files.folder) / OWN_FOLDER / SETTINGS
    try:
        text = decode(content, str(file))
        table = parse_toml(text, file)
    except ConfigError as error:
        return Brought(file, {}, problems=(Problem("", "", error.message, error.hint),))
    kept, never = folder_settings(table)
    return Brought(file, kept, tuple(never), lines=lines_of(text))


def laid_over(own: Mapping[str, Any], sets: Mapping[str, Any]) -> dict[str, Any]:
    """*sets* as it counts over the person's *own* settings: what they forbid stays forbidden."""
    result = {key: dict(value) if isinstance(value, Mapping) else value for key, value in sets.items()}
    denied, more = _at(own, "permissions", "deny"), _at(result, "permissions", "deny")
    if isinstance(denied, list) and isinstance(more, list):
        result["permissions"]["deny"] = [*denied, *(one for one in more if one not in denied)]
    allowed, wanted = (_at(table, "function_calling", "allowed_categories") for table in (own, result))
    if isinstance(allowed, list) and isinstance(wanted, list):
        result["function_calling"]["allowed_categories"] = [one for one in wanted if one in allowed]
    return result


def _at(table: Mapping[str, Any], first: str, second: str) -> object:
    inner = table.get(first)
    return inner.get(second) if isinstance(inner, Mapping) else None


def unfit_model(settings: Settings, sets: Mapping[str, Any]) -> tuple[str, str, str | None] | None:
    """Key, message and hint for a model in *sets* that a folder cannot choose, or None."""
    from coda_cli.settings.model_spec import check_prefix, parse_spec

    name = sets.get("model")
    if not isinstance(name, str):
        return None
    spec = parse_spec(name, settings)
    try:
        check_prefix(spec, settings)
    except UsageError as error:
        return "model", error.message, error.hint
    if spec.model is None:
        return None
    table = settings.providers.get(spec.provider or settings.default_provider or "")
    hint = "name a model of a provider, as in openai/gpt-6-luna"
    if table is None:
        return "model", "it does not say whose model that is", hint
    # A file of weights is not among the bytes that were trusted.
    return ("model", "a folder names no weights for this machine", hint) if table.type == "local" else None
