"""`@` in a prompt: files and folders under the working folder, found by a few letters, looked for in a thread.

What is inserted is what `attach.mentioned` reads: `@name`, and `@"a name"` where there are blanks.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from coda_cli.chat.completion import Completion
from coda_cli.chat.fuzzy import best
from coda_cli.engine.tools.ignored import RULES_BYTES, SKIPPED, IgnoreRules, Rules, left_out

LIMIT: Final = 20_000
"""Files and folders that are looked at."""
SECONDS: Final = 2.0
"""How long to look for them."""
_FRESH: Final = 5.0
_OFFERED: Final = 50
_WORD: Final = re.compile(r"(?<![^\s(\[{\"'])@(\"[^\"\n]*|'[^'\n]*|(?![\"'])(?:\\ |\S)*)\Z")


class PathCompleter:
    """The files of one folder. Listed anew when somebody asks and the list has gone stale."""

    def __init__(self, folder: Path | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder or Path()
        self._clock = clock
        self._names: Sequence[str] = ()
        self._listed = float("-inf")

    def complete(self, text: str, cursor: int) -> Sequence[Completion] | Awaitable[Sequence[Completion]]:
        """As in `Completer`: nothing at once where no `@` is being written."""
        word = _WORD.search(text[max(0, cursor - 4096) : cursor])
        return () if word is None else asyncio.to_thread(self._find, word[1], cursor)

    def _find(self, written: str, cursor: int) -> Sequence[Completion]:
        """What *written*, which stands before *cursor* behind an `@`, may mean."""
        typed = written[1:] if written[:1] in ('"', "'") else written.replace("\\ ", " ")
        start = cursor - len(written) - 1
        found = dict.fromkeys([*self._beside(typed), *self._below(typed)])
        return [_completion(name, start, cursor) for name in list(found)[:_OFFERED]]

    def _beside(self, typed: str) -> Sequence[str]:
        """What is in the folder that *typed* names, with what it says of the name."""
        folder, slash, name = typed.rpartition("/")
        place = os.path.expanduser(folder + slash)  # noqa: PTH111 - Path.expanduser raises for an unknown user
        names = [
            folder + slash + entry.name + "/" * _is_folder(entry)
            for entry in _entries(self._folder / place)
            if name.startswith(".") == entry.name.startswith(".")
        ]
        if not name:
            rules = _read_rules(self._folder, "") if not folder else ()
            names = [one for one in names if one.rstrip("/") not in SKIPPED and not left_out(rules, one)]
            return sorted(names, key=lambda one: (not one.endswith("/"), one.lower()))
        return best(name, names, lambda one: one[len(folder + slash) :].rstrip("/"), _OFFERED)

    def _below(self, typed: str) -> Sequence[str]:
        """What *typed* fits anywhere below the working folder."""
        if not typed or typed.endswith("/") or typed.startswith(("/", "~", ".")) or "/." in typed:
            return ()
        if self._clock() - self._listed > _FRESH:
            self._names = tuple(listed(self._folder, self._clock))
            self._listed = self._clock()
        return best(typed, self._names, _worth, _OFFERED)


def _worth(name: str) -> str:
    """What the typed letters are held against: the whole path."""
    return name.rstrip("/")


def listed(folder: Path, clock: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """Files and folders (with a slash) below *folder*, the nearest first; not the hidden and the ignored ones."""
    ends = clock() + SECONDS
    waiting: deque[tuple[str, Rules]] = deque([("", ())])
    seen = 0
    while waiting:
        inside, rules = waiting.popleft()
        rules += _read_rules(folder, inside)
        for entry in _entries(folder / inside):
            if entry.name.startswith(".") or entry.name in SKIPPED:
                continue
            name = inside + entry.name + "/" * _is_folder(entry)
            if left_out(rules, name):
                continue
            seen += 1
            yield name
            if seen >= LIMIT or clock() > ends:
                return
            if name.endswith("/") and not entry.is_symlink():
                waiting.append((name, rules))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in *folder* and can be named; nothing where it cannot be read."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.isprintable():  # a name with control characters is not typed
                    found.append(entry)
                if len(found) >= LIMIT:
                    break
    except (OSError, ValueError):
        return []
    return sorted(found, key=lambda entry: entry.name.lower())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _read_rules(folder: Path, inside: str) -> Rules:
    """The rules of the `.gitignore` in *inside*, a folder below *folder*."""
    try:
        with (folder / inside / ".gitignore").open(encoding="utf-8", errors="replace") as file:
            return ((inside, IgnoreRules(file.read(RULES_BYTES).splitlines())),)
    except (OSError, ValueError):
        return ()


def _completion(name: str, start: int, end: int) -> Completion:
    """*name* as it is written behind an `@`. The quotes of a folder stay open: its files come next."""
    folder = name.endswith("/")
    if not re.search(r"\s", name) and name[0] not in "\"'":
        written = name if folder else name + " "
    elif '"' not in name:
        written = f'"{name}' if folder else f'"{name}" '
    elif "'" not in name:
        written = f"'{name}" if folder else f"'{name}' "
    else:
        written = name.replace(" ", "\\ ") + " " * (not folder)
    return Completion(start, end, "@" + written, name, final=not folder)
