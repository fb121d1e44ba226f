"""What a persona has picked up: its changes, each with a cause, and what the mood is made of. One private JSON file.

Several programs may change it at once: every change is read, made and written under a lock, and the file is replaced
whole. A file that cannot be used counts as empty, is told, and is kept under another name by the next change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError
from coda_cli.engine.personality.traits import TRAITS
from coda_cli.engine.rendering.sanitize import sanitize

T = TypeVar("T")
Kind = Literal["feedback", "topic"]

MOST_CHANGES: Final = 100
MOST_SIGNALS: Final = 12
_MAX_BYTES: Final = 1024 * 1024
_DAY: Final = 86_400.0
_HALF_LIFE: Final[Mapping[Kind, float]] = {"feedback": 14.0, "topic": 1.0}
"""Days until a change counts half: a wish holds for a while, a topic for the day."""
_FADED: Final = 0.01


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a trait: `delta` when it was made at `time` (Unix seconds), and what caused it."""

    id: str
    trait: str
    delta: float
    cause: str
    time: float
    kind: Kind

    def now(self, time: float) -> float:
        """What is left of it at *time*: it halves, in whole days, so that a prompt stays the same for a day."""
        days = max(0.0, time // _DAY - self.time // _DAY)
        left = self.delta * 0.5 ** (days / _HALF_LIFE[self.kind])
        return left if abs(left) >= _FADED else 0.0


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that colours the mood: a topic, or how feedback sounded."""

    word: str
    time: float


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept of one persona."""

    changes: tuple[Change, ...] = ()
    signals: tuple[Signal, ...] = ()

    def pruned(self, time: float) -> Kept:
        """Without what has faded away, and bounded."""
        changes = tuple(change for change in self.changes if change.now(time))[-MOST_CHANGES:]
        return Kept(changes, self.signals[-MOST_SIGNALS:])


@dataclass(slots=True)
class State:
    """The whole file: the number of the next change, and each persona's part."""

    following: int = 1
    personas: dict[str, Kept] = field(default_factory=dict)

    def add(self, persona: str, change: Change) -> Change:
        """Keep *change* under the next id; returns it with that."""
        change = replace(change, id=f"c{self.following}")
        self.following += 1
        kept = self.of(persona)
        self.personas[persona] = replace(kept, changes=(*kept.changes, change))
        return change

    def of(self, persona: str) -> Kept:
        """What is kept of *persona*."""
        return self.personas.get(persona, Kept())


class StateFile:
    """The state on disk. `problems`: why it could not be used, a line each."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path if path is not None else paths.data_dir() / "personas.json"
        self.problems: list[str] = []
        self._stamp: tuple[int, int, int] | None = None
        self._known = State()

    def read(self) -> State:
        """The state as it is now; not to be changed. Never raises."""
        try:
            info = self.path.stat()
            stamp = (info.st_ino, info.st_size, info.st_mtime_ns)
        except OSError:
            self._stamp, self._known = None, State()
            return self._known
        if stamp != self._stamp:
            self._stamp, self._known = stamp, self._read()[0]
        return self._known

    def change(self, change: Callable[[State], T]) -> T:
        """Let *change* work on the state under the lock and keep it; its result. Raises ConfigError."""
        try:
            with paths.locked(self.path):
                state, broken = self._read()
                result = change(state)
                if broken and self.path.exists():
                    paths.keep_aside(self.path)
                paths.replace_private(Path(os.path.realpath(self.path)), _dumped(state))
        except OSError as exc:
            hint = f"check the folder and the free space: `ls -ld '{self.path.parent}'`"
            raise ConfigError(f"cannot keep how the persona has changed: {exc.strerror or exc}", hint=hint) from exc
        self._stamp = None
        return result

    def _read(self) -> tuple[State, bool]:
        """The state, and whether the file cannot be used."""
        self.problems = []
        try:
            content = paths.read_private(self.path, _MAX_BYTES)
            return (State(), False) if content is None else (_loaded(json.loads(content)), False)
        except OSError as exc:
            why = exc.strerror or str(exc)
        except (ValueError, RecursionError) as exc:
            why = str(exc) or "nested too deeply"
        self.problems.append(sanitize(f"{self.path} cannot be used, so personas are as their files say: {why}"))
        return State(), True


def _dumped(state: State) -> bytes:
    value = {"following": state.following, "personas": {name: asdict(kept) for name, kept in state.personas.items()}}
    return (json.dumps(value, indent=1) + "\n").encode("ascii")


def _loaded(value: object) -> State:
    """The state in *value*. Raises ValueError for what is none; a single odd entry is left out."""
    if not isinstance(value, dict) or not isinstance(value.get("personas"), dict):
        raise ValueError("it is not the state of personas")
    following = value.get("following")
    state = State(following if type(following) is int and following > 0 else 1)
    for name, kept in value["personas"].items():
        if isinstance(kept, dict):
            changes = tuple(filter(None, map(_change, _list(kept.get("changes")))))
            state.personas[name] = Kept(changes, tuple(filter(None, map(_signal, _list(kept.get("signals"))))))
    ids = (change.id[1:] for kept in state.personas.values() for change in kept.changes)
    state.following = max([state.following, *(int(text[:9]) + 1 for text in ids if text.isascii() and text.isdigit())])
    return state


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _change(value: Any) -> Change | None:
    if (
        not isinstance(value, dict)
        or value.get("trait") not in TRAITS
        or value.get("kind") not in ("feedback", "topic")
    ):
        return None
    try:
        change = Change(**value)
    except TypeError:
        return None
    return change if _texts(value, "id", "cause") and _finite(change.delta) and _finite(change.time) else None


def _signal(value: Any) -> Signal | None:
    try:
        signal = Signal(**value)
    except TypeError:
        return None
    return signal if _texts(value, "word") and _finite(signal.time) else None


def _texts(value: dict[str, Any], *names: str) -> bool:
    return all(isinstance(value[name], str) for name in names)


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
