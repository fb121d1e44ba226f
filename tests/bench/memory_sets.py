"""Made-up people's memories, and questions with what should be recalled for them: published to be argued with.

A set is two tables. Memories: `key | when told | text`, a day or so many days ago; `*` before the key for the gist of a
conversation, `key@project` for a note on the folder of a project; what contradicts something older ends it as in daily
use. Questions: `kind | question | keys` ("" for none), asked today, `kind@project` in the folder of one. The kinds are
`same` (the memory's own words), `other` (a paraphrase), `time`, `changed` (something older is no longer true),
`several` (more than one memory answers) and `none`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

TODAY: Final = date(2026, 11, 24)  # a Tuesday
KINDS: Final = ("same", "other", "time", "changed", "several", "none")


@dataclass(frozen=True, slots=True)
class Told:
    """A memory of a set. `folder`: of the project that it is bound to."""

    key: str
    day: date
    text: str
    gist: bool
    folder: Path | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a set, asked in *folder*."""

    kind: str
    question: str
    keys: tuple[str, ...]
    folder: Path | None


@dataclass(frozen=True, slots=True)
class MemorySet:
    """One person. `blind`: written by somebody who knew neither the rules of recall nor the other sets."""

    name: str
    blind: bool
    told: str
    asked: str

    def memories(self) -> list[Told]:
        """The oldest first."""
        told = [
            Told(key.lstrip("*").partition("@")[0], _day(when), text, key[0] == "*", _folder(key))
            for key, when, text in _rows(self.told)
        ]
        return sorted(told, key=lambda one: one.day)

    def questions(self) -> list[Asked]:
        """In the order of the table."""
        return [
            Asked(kind.partition("@")[0], question, tuple(keys.split()), _folder(kind))
            for kind, question, keys in _rows(self.asked)
        ]


def _rows(table: str) -> list[list[str]]:
    return [[part.strip() for part in line.split("|")] for line in table.splitlines() if line.strip()]


def _day(when: str) -> date:
    return TODAY - timedelta(days=int(when)) if when.isdigit() else date.fromisoformat(when)


def _folder(key: str) -> Path | None:
    project = key.partition("@")[2]
    return Path("/projects") / project if project else None
