"""What a working folder brings along, for a person to read before they trust it: each file whole, nothing hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from coda_cli.chat.words import counted
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.tools.discover import brought_sources
from coda_cli.engine.tools.own_folder import NOTES, OWN_FOLDER, own_folder
from coda_cli.engine.tools.trust import FolderFiles, Trust, read_folder, shown_name
from coda_cli.engine.tools.visible import visible, visible_line
from coda_cli.settings.folder import Brought
from coda_cli.settings.load import load

STATES: Final = {
    "none": "brings nothing along",
    "unknown": "not trusted: none of this counts",
    "changed": "changed since you trusted it: none of this counts",
    "trusted": "trusted, as it is now",
}


class Look(Struct, frozen=True):
    """One look at a folder: `files` are the bytes that were read, and that a yes is for."""

    files: FolderFiles
    state: str
    brought: Brought | None
    tools: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder, on one line with nothing hidden."""
        return visible_line(self.files.folder)

    @property
    def empty(self) -> bool:
        """Whether there is nothing that could count."""
        return not self.files.content


def folder_at(path: Path | None) -> Path:
    """The folder that a person means by *path*: the nearest that brings something. Raises UsageError for none."""
    found = own_folder(path)
    if found is None:
        raise UsageError(
            f"nothing is brought along by {visible_line(str(path if path is not None else Path.cwd()))}",
            hint=f"a folder brings settings and tools in {OWN_FOLDER}/, notes in {NOTES}; the home folder brings none",
        )
    return found


def look(folder: Path, trust: Trust | None = None) -> Look:
    """Read what *folder* brings, once. Raises ConfigError where the person's own settings are wrong."""
    trust = trust or Trust()
    files = read_folder(folder)
    trusted = trust.trusted(folder)
    if trusted is not None and trusted.digest == files.digest:
        state = "trusted"
    elif not files.content and not files.left_out:
        state = "none"
    else:
        state = "changed" if files.folder in trust.folders() else "unknown"
    tools = tuple(source.shown for source in brought_sources(files))
    return Look(files, state, load(files=files).brought, tools)


def lines(looked: Look) -> Iterator[str]:
    """All of it as plain lines. What a file holds stands behind a bar: it cannot be taken for anything else."""
    yield f"{looked.name}: {STATES[looked.state]}"
    for name, content in sorted(looked.files.content.items()):
        yield ""
        yield f"{shown_name(name)} ({counted(len(content), 'byte')})"
        yield from (f"  │ {line}" for line in _text(content).split("\n"))
    yield ""
    yield from changes(looked)


def changes(looked: Look) -> Iterator[str]:
    """What it would change, a line for each thing."""
    brought = looked.brought
    if brought is not None:
        for key, value in _flat(brought.sets):
            yield f"sets {visible_line(key)} = {visible_line(_toml(value))}"
        for key in brought.never:
            yield f"ignored: {key} counts from no folder"
        for problem in brought.problems:
            yield f"left out: {visible_line(problem.line())}"
    for name in looked.tools:
        yield f"tools of {visible_line(name)}: their code runs to be listed; each call asks"
    for name, why in sorted(looked.files.left_out.items()):
        yield f"left out: {shown_name(name)}: {why}"
    if looked.empty:
        yield "nothing of it can count"


def markdown(looked: Look) -> str:
    """The same to be read in a chat."""
    parts = [f"{_code(looked.name)}: {STATES[looked.state]}"]
    for name, content in sorted(looked.files.content.items()):
        text = _text(content)
        fence = "`" * max(3, 1 + max((len(found) for found in re.findall("`+", text)), default=0))
        parts.append(f"{_code(shown_name(name))}\n\n{fence}{_language(name)}\n{text}\n{fence}")
    parts.append("\n".join(f"- {_code(line)}" for line in changes(looked)))
    return "\n\n".join(parts)


def to_json(looked: Look) -> dict[str, Any]:
    """The same as plain data."""
    brought, files = looked.brought, looked.files
    return {
        "folder": files.folder,
        "state": looked.state,
        "digest": files.digest,
        "files": [
            {"name": shown_name(name), "bytes": len(content), "text": _text(content)}
            for name, content in sorted(files.content.items())
        ],
        "sets": dict(brought.sets) if brought is not None else {},
        "ignored": list(brought.never) if brought is not None else [],
        "problems": [problem.line() for problem in brought.problems] if brought is not None else [],
        "tools": list(looked.tools),
        "left_out": {shown_name(name): why for name, why in files.left_out.items()},
    }


def _text(content: bytes) -> str:
    return visible(content.decode("utf-8", "backslashreplace"))


def _flat(table: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    import tomli_w

    return tomli_w.dumps({"v": value}).removeprefix("v = ").strip()


def _language(name: str) -> str:
    return {"py": "python", "toml": "toml"}.get(name.rpartition(".")[2], "")


def _code(text: str) -> str:
    """*text* as a span of code, whatever it holds."""
    ticks = "`" * (1 + max((len(found) for found in re.findall("`+", text)), default=0))
    return f"{ticks} {text} {ticks}" if "`" in text else f"`{text}`"
