"""What a persona has picked up: its changes, each with a cause, and what the mood is made of. One private JSON file.

Several programs may change it at once: every change is read, made and written under a lock, and the file is replaced
whole. A file that cannot be used counts as empty, is told, and is kept under another name by the next change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError
from coda_cli.engine.personality.traits import TRAITS
from coda_cli.engine.rendering.sanitize import sanitize

T = TypeVar("T")
Kind = Literal["feedback", "topic"]

MOST_WISHES: Final = 20
"""Wishes about one trait; the oldest of more become one, so that no wish is lost by another."""
MOST_TOPIC_CHANGES: Final = 100
MOST_SIGNALS: Final = 12
_MAX_BYTES: Final = 1024 * 1024
_DAY: Final = 86_400.0
_HALF_LIFE: Final[Mapping[Kind, float]] = {"feedback": 14.0, "topic": 1.0}
"""Days until a change counts half: a wish holds for a while, a topic for the day."""
_FADED: Final = 0.01
EARLIER: Final = "what you said earlier"
"""The cause of what older wishes have become."""


class Change(Struct, frozen=True):
    """One change of a trait: `delta` when it was made at `time` (Unix seconds), and what caused it.

    `step` is what was wished, from which `delta` follows anew once an earlier wish is undone; None: `delta` stands.
    """

    id: str
    trait: str
    delta: float
    cause: str
    time: float
    kind: Kind
    step: float | None = None

    def now(self, time: float) -> float:
        """What is left of it at *time*: it halves, in whole days, so that a prompt stays the same for a day."""
        left = self.delta * self._share(time)
        return left if abs(left) >= _FADED else 0.0

    def faded(self, time: float) -> bool:
        """Whether nothing is left of it, and of what it could do if another were undone."""
        return max(abs(self.delta), abs(self.step or 0.0)) * self._share(time) < _FADED

    def joined(self, later: Change) -> Change:
        """This wish and the *later* one about the same trait as one that changes as much as both."""
        delta = round(self.now(later.time) + later.delta, 3)
        return replace(later, delta=delta, cause=EARLIER, step=None)

    def _share(self, time: float) -> float:
        days = max(0.0, time // _DAY - self.time // _DAY)
        return float(0.5 ** (days / _HALF_LIFE[self.kind]))


class Signal(Struct, frozen=True):
    """Something that colours the mood: a topic, or how feedback sounded."""

    word: str
    time: float


class Kept(Struct, frozen=True):
    """All that is kept of one persona."""

    changes: tuple[Change, ...] = ()
    signals: tuple[Signal, ...] = ()

    def pruned(self, time: float) -> Kept:
        """Without what has faded away, and bounded: topics never push a wish out."""
        left = [change for change in self.changes if not change.faded(time)]
        topics = [change for change in left if change.kind == "topic"][-MOST_TOPIC_CHANGES:]
        for trait in TRAITS:
            while len(wishes := [one for one in left if one.kind == "feedback" and one.trait == trait]) > MOST_WISHES:
                left[left.index(wishes[1])] = wishes[0].joined(wishes[1])
                left.remove(wishes[0])
        changes = tuple(change for change in left if change.kind == "feedback" or change in topics)
        return Kept(changes, self.signals[-MOST_SIGNALS:])


class State(Struct):
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

    def fold(self, persona: str, change: Change) -> Change:
        """Keep *change* by a topic in place of that of the same topic and trait; returns it with the id of that."""
        kept = self.of(persona)
        same = [
            one for one in kept.changes if (one.kind, one.trait, one.cause) == ("topic", change.trait, change.cause)
        ]
        if not same:
            return self.add(persona, change)
        change = replace(change, id=same[-1].id)
        self.personas[persona] = replace(kept, changes=(*(one for one in kept.changes if one not in same), change))
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
    value = {
        "following": state.following,
        "personas": {name: to_builtins(kept) for name, kept in state.personas.items()},
    }
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
    numbers = (change.delta, change.time, 0.0 if change.step is None else change.step)
    return change if _texts(value, "id", "cause") and all(map(_finite, numbers)) else None


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
