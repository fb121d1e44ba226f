"""PersonalityManager: who answers, how that adapts to the person, and how it is told and taken back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace

from coda_cli.engine.clock import SystemClock
from coda_cli.engine.core.errors import CodaError, UsageError
from coda_cli.engine.core.ports import Clock
from coda_cli.engine.core.prompts import Adapted, Situation
from coda_cli.engine.personality import effect, traits as tables
from coda_cli.engine.personality.doubts import fits
from coda_cli.engine.personality.feedback import wishes
from coda_cli.engine.personality.mood import asks_about_mood
from coda_cli.engine.personality.persona import DEFAULT, Persona, load_persona, persona_names
from coda_cli.engine.personality.phrases import Wish
from coda_cli.engine.personality.state import Change, Kept, Signal, State, StateFile
from coda_cli.engine.personality.topics import LEANING, MOOD, Topic, topic_of
from coda_cli.engine.rendering.sanitize import sanitize

T = TypeVar("T")

CALM: Final = "calm"
_MOOD_LASTS: Final = 86_400.0
_INCOGNITO_CHATS: Final = 32


class PersonaState(Struct, frozen=True):
    """How a persona is now: its traits with every change in force, its mood, and the changes, newest first."""

    persona: str
    traits: dict[str, float]
    mood: str
    changes: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        changes = [asdict(change) for change in self.changes]
        return {"persona": self.persona, "mood": self.mood, "traits": self.traits, "changes": changes}


class PersonalityManager:
    """The persona that answers. Implements `PersonaPort`.

    *persona* is a name that `names()` lists. Its state is kept in the data folder, for all processes together; a chat
    that is incognito begins with the persona as its file says and leaves nothing. Raises UsageError for an unknown
    persona, ConfigError for one whose file is wrong. `problems` are what is wrong with others, a line each.
    """

    def __init__(self, persona: str = DEFAULT, clock: Clock | None = None, *, state: StateFile | None = None) -> None:
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._state = state if state is not None else StateFile()
        self._persona = load_persona(persona)
        self._incognito: dict[str, State] = {}
        self._turn = threading.Lock()  # one writer of this process at a time; the file's lock is for the others

    # ---- personas ---------------------------------------------------------------------------------------------

    @property
    def persona(self) -> Persona:
        """The one that answers now."""
        return self._persona

    @property
    def problems(self) -> list[str]:
        """The persona files that cannot be used, and a state that cannot."""
        found = [problem for name in persona_names() if (problem := _problem(name))]
        self._state.read()
        return [*found, *self._state.problems]

    def names(self) -> list[str]:
        """The personas that can be used: the default first, then by name."""
        return [name for name in persona_names() if _problem(name) is None]

    def get(self, name: str) -> Persona:
        """One persona. Raises UsageError for an unknown one, ConfigError where its file is wrong."""
        return load_persona(name)

    def use(self, name: str) -> Persona:
        """Let *name* answer from now on. Raises as `get`, and then nothing has changed."""
        self._persona = load_persona(name)
        return self._persona

    @property
    def options(self) -> dict[str, float]:
        """What the persona wants of a request: its temperature, if its file names one."""
        temperature = self._persona.temperature
        return {} if temperature is None else {"temperature": temperature}

    # ---- what it says -----------------------------------------------------------------------------------------

    def prompt(self, situation: Situation) -> str:
        """What the persona says to the model; "" where it is neutral. The same for a whole day and one state."""
        traits = self._traits(self._kept(situation))
        if situation.small:
            own, added = tables.small_sentence(traits, self._persona.brief), list[str]()
        else:
            own, added = self._persona.prompt, [" ".join(tables.sentences(traits))]
        if asks_about_mood(situation.question):
            added.append(self._about_mood(situation))
        whole = _paragraphs(own, *added)
        # What does not fit is cut at its end: then what the person has asked for stands before the file's prompt.
        return whole if fits(whole) else _paragraphs(*added, own)

    def _about_mood(self, situation: Situation) -> str:
        mood = self._mood(self._kept(situation))
        return f"If asked how you feel: your mood is {mood}. Say so in your own words, in a sentence or two."

    # ---- how it adapts ----------------------------------------------------------------------------------------

    async def heard(self, situation: Situation) -> Sequence[Adapted]:
        """Adapt to what the person said: explicit feedback at once, the topic a little. Raises ConfigError.

        A change by the topic has a `cause` that begins with "topic:". It is listed by `changes()` as every one is, but
        returned, and so told, only where a model is told something else because of it.
        """
        said = wishes(situation.question)
        topic = None if any(wish.steps for wish, _ in said) else topic_of(situation.question)
        if not said and topic is None:
            return ()
        now = self.clock.now()

        def adapt(state: State) -> list[Adapted]:
            return self._adapt(state, said, topic, now)

        if situation.incognito:
            return self._in_private(situation.conversation_id, adapt)
        if not said and not self._new_topic(topic, now):
            return ()
        return await asyncio.to_thread(self._change, adapt)

    def _new_topic(self, topic: Topic | None, now: float) -> bool:
        """Whether *topic* would change anything: most messages go on with that of the one before, and write nothing."""
        kept = self._state.read().of(self._persona.name)
        if topic is None:
            return False
        last = kept.signals[-1] if kept.signals else None
        settled = last is not None and last.word == MOOD[topic] and now - last.time < _MOOD_LASTS / 2
        leans = [effect.lean(now, kept.changes, trait, _cause(topic), step) for trait, step in LEANING[topic].items()]
        return not settled or any(abs(after - before) >= effect.SMALLEST for before, after in leans)

    def _adapt(self, state: State, said: Sequence[tuple[Wish, str]], topic: Topic | None, now: float) -> list[Adapted]:
        name = self._persona.name
        made: list[Adapted] = []
        for wish, phrase in said:
            for trait, step in wish.steps.items():
                made += self._wish(state, trait, step, f"you said: {phrase}", now)
        if topic is not None:
            before, leant = tables.sentences(self._traits(state.of(name))), list[Adapted]()
            for trait, step in LEANING[topic].items():
                leant += self._lean(state, trait, step, _cause(topic), now)
            made += leant if tables.sentences(self._traits(state.of(name))) != before else []
        words = [wish.word for wish, _ in said if wish.word] or ([MOOD[topic]] if topic is not None else [])
        kept = state.of(name)
        signals = (*kept.signals, *(Signal(word, now) for word in words))
        state.personas[name] = replace(kept, signals=signals).pruned(now)
        return made

    def _wish(self, state: State, trait: str, step: float, cause: str, now: float) -> list[Adapted]:
        name = self._persona.name
        before = self._traits(state.of(name))[trait]
        delta = effect.wish_delta(now, self._persona.traits[trait], state.of(name).changes, trait, step)
        # A wish that is fulfilled already is kept too: it counts once the one before it is taken back.
        change = state.add(name, Change("", trait, delta, cause, now, "feedback", step))
        return self._told(state, change, before)

    def _lean(self, state: State, trait: str, step: float, cause: str, now: float) -> list[Adapted]:
        kept = state.of(self._persona.name)
        before = self._traits(kept)[trait]
        was, leans = effect.lean(now, kept.changes, trait, cause, step)
        if abs(leans - was) < effect.SMALLEST:
            return []
        change = state.fold(self._persona.name, Change("", trait, round(leans, 3), cause, now, "topic"))
        return self._told(state, change, before)

    def _told(self, state: State, change: Change, before: float) -> list[Adapted]:
        after = self._traits(state.of(self._persona.name))[change.trait]
        if abs(after - before) < effect.SMALLEST:
            return []
        return [Adapted(change.id, change.trait, before, after, change.cause)]

    # ---- what has changed -------------------------------------------------------------------------------------

    def changes(self, conversation_id: str | None = None) -> list[Change]:
        """What has changed and not faded yet, newest first; of the incognito chat *conversation_id*, where named."""
        return self._in_force(self._kept_of(conversation_id))

    def undo(self, change_id: str, conversation_id: str | None = None) -> Adapted:
        """Take one change back, so that the trait is as it would be without it; what that did.

        Raises UsageError for an unknown one, ConfigError.
        """

        def take_back(state: State) -> Adapted:
            kept = state.of(self._persona.name)
            change = next((change for change in kept.changes if change.id == change_id), None)
            if change is None:
                known = ", ".join(change.id for change in self._in_force(kept)) or "none"
                what = f'there is no change "{sanitize(change_id[:40])}" of {self._persona.name}'
                raise UsageError(what, hint=f"there are: {known}")
            return self._take_back(state, change)

        return self._changed(conversation_id, take_back)

    def undo_latest(self, conversation_id: str | None = None) -> list[Adapted]:
        """Take the latest explicit wish back, or the latest topic where no wish is left; what that did to each trait.

        Raises UsageError where nothing has changed, ConfigError.
        """

        def take_back(state: State) -> list[Adapted]:
            known = self._in_force(state.of(self._persona.name))
            latest = next((one for one in known if one.kind == "feedback"), known[0] if known else None)
            if latest is None:
                raise UsageError("nothing has changed", hint="`/persona` shows what does")
            # "be gentler" is one wish about two traits.
            alike = [
                one for one in known if (one.kind, one.time, one.cause) == (latest.kind, latest.time, latest.cause)
            ]
            parts = {one.trait: one for one in reversed(alike)}
            return [self._take_back(state, change) for change in parts.values()]

        return self._changed(conversation_id, take_back)

    def _take_back(self, state: State, change: Change) -> Adapted:
        name = self._persona.name
        kept = state.of(name)
        left = replace(kept, changes=effect.without(change, kept.changes, self._persona.traits[change.trait]))
        state.personas[name] = left
        before, after = (self._traits(one)[change.trait] for one in (kept, left))
        return Adapted(change.id, change.trait, before, after, f"undone: {change.cause}")

    def reset(self, conversation_id: str | None = None) -> int:
        """Take all changes and the mood of this persona back; how many changes that were. Raises ConfigError."""

        def empty(state: State) -> int:
            return len(state.personas.pop(self._persona.name, Kept()).changes)

        return self._changed(conversation_id, empty)

    def state(self, conversation_id: str | None = None) -> PersonaState:
        """How the persona is now; in the incognito chat *conversation_id*, where named."""
        kept = self._kept_of(conversation_id)
        changes = tuple(self.changes(conversation_id))
        return PersonaState(self._persona.name, self._traits(kept), self._mood(kept), changes)

    # ---- where it is kept -------------------------------------------------------------------------------------

    def _changed(self, conversation_id: str | None, change: Callable[[State], T]) -> T:
        if conversation_id is not None:
            return change(self._incognito.get(conversation_id, State()))
        return self._change(change)

    def _change(self, change: Callable[[State], T]) -> T:
        with self._turn:
            return self._state.change(change)

    def _in_private(self, conversation_id: str, adapt: Callable[[State], list[Adapted]]) -> list[Adapted]:
        state = self._incognito.setdefault(conversation_id, State())
        while len(self._incognito) > _INCOGNITO_CHATS:
            del self._incognito[next(iter(self._incognito))]
        return adapt(state)

    def _kept(self, situation: Situation) -> Kept:
        return self._kept_of(situation.conversation_id if situation.incognito else None)

    def _kept_of(self, conversation_id: str | None) -> Kept:
        state = self._state.read() if conversation_id is None else self._incognito.get(conversation_id, State())
        return state.of(self._persona.name)

    def _traits(self, kept: Kept) -> dict[str, float]:
        return effect.traits_at(self.clock.now(), self._persona.traits, kept.changes)

    def _in_force(self, kept: Kept) -> list[Change]:
        now = self.clock.now()
        return [change for change in reversed(kept.changes) if change.now(now)]

    def _mood(self, kept: Kept) -> str:
        """The word that came up most within a day; of several the latest."""
        now = self.clock.now()
        recent = [signal.word for signal in kept.signals if 0 <= now - signal.time < _MOOD_LASTS]
        return max(reversed(recent), key=recent.count) if recent else CALM


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))


def _cause(topic: Topic) -> str:
    return f"topic: {topic}"


def _problem(name: str) -> str | None:
    """What is wrong with the file of a persona."""
    try:
        load_persona(name)
    except CodaError as error:
        return error.message
    return None
