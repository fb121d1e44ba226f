"""What a MemoryManager does with its file, index and log: for one thread at a time, and no word of asyncio."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.prompts import MemoryNote, Noticed, Situation
from coda_cli.engine.memory.file import MemoryFile
from coda_cli.engine.memory.forgetting import Forgotten, named_in, telling_words, without_words
from coda_cli.engine.memory.gist import Gist
from coda_cli.engine.memory.index import MemoryIndex
from coda_cli.engine.memory.proposals import Proposal
from coda_cli.engine.memory.recall import MOST, recalled
from coda_cli.engine.memory.record import LONGEST, PERSON, Kind, Memory, one_line
from coda_cli.engine.memory.secrets import secret_in
from coda_cli.engine.memory.subjects import concerned_by, contradicts
from coda_cli.engine.memory.used import Given, GivenLog, counts
from coda_cli.engine.memory.vectors import Vectors, installed
from coda_cli.engine.memory.wishes import Wish
from coda_cli.engine.memory.words import same, terms

_OVERHEAD: Final = 24
"""Characters that a note costs beside its text: its mark, its day, a line break."""
WEIGHTS: Final[dict[Kind, float]] = {"preference": 0.8, "fact": 0.7, "note": 0.7, "gist": 0.4}
_MOST_FORGOTTEN: Final = 20
_MOST_PREFERENCES: Final = 10
_UNDECIDED: Final = "fact"
_MOST_PROPOSED: Final = 50


class Told(Struct, frozen=True):
    """What somebody wants kept, and where it was said."""

    text: str
    kind: Kind = "fact"
    folder: str = ""
    importance: float = 0.7
    conversation: str = ""
    message: str = ""


class Keeper:
    """The memories in *path*."""

    def __init__(
        self, path: Path, proposed: Path, index: Path, semantic: bool | None, clock: Callable[[], datetime]
    ) -> None:
        self.path = path
        self._file = MemoryFile(path)
        self.index = MemoryIndex(self._file, index)
        self._proposed = MemoryFile(proposed)
        self._forgotten = Forgotten(path.with_name("memory-forgotten.json"))
        self._given = GivenLog(path.with_name(path.name.removesuffix(".jsonl") + ".given.jsonl"))
        wanted = installed() if semantic is None else semantic
        self._vectors = Vectors(self.index) if wanted else None
        self._clock = clock

    @property
    def problems(self) -> list[str]:
        """What could not be read."""
        return self._file.problems

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    # ---- keeping ----------------------------------------------------------------------------------------------

    def follow(self, wanted: Sequence[Wish], situation: Situation) -> list[Noticed]:
        """Do what a person has asked for."""
        out: list[Noticed] = []
        for wish in wanted:
            if wish.action == "forget":
                out += self._forget_what(wish, situation) or [Noticed("unknown", "", wish.text)]
                continue
            folder = str(situation.folder) if wish.here and situation.folder is not None else ""
            kind: Kind = "fact" if wish.kind == "note" and not folder else wish.kind
            told = Told(wish.text, kind, folder, WEIGHTS[kind], situation.conversation_id, situation.message_id)
            out += self._store(told, only_news=wish.action == "news")
        return out

    def keep(self, told: Told) -> Noticed:
        """Keep *told*: merged with what says the same, in place of what it contradicts."""
        return self._store(told)[0]

    def _store(self, told: Told, *, only_news: bool = False) -> list[Noticed]:
        """What was done; nothing with *only_news* where nothing older is known of the subject."""
        text = one_line(told.text)
        if refusal := refused(told.text):
            return [] if only_news else [Noticed("refused", "", refusal, told.kind)]
        now = self._now()
        made = Memory(
            _new_id(), told.kind, text, told.conversation, told.message, now, told.importance, folder=told.folder
        )
        done: list[Noticed] = []
        may_concern = concerned_by(text)

        def change(memories: tuple[Memory, ...]) -> Sequence[Memory]:
            done.clear()
            beside = (one for one in memories if one.holds and one.kind != "gist" and one.folder == made.folder)
            there = [one for one in beside if may_concern(one.text)]
            twin = next((one for one in there if same(one.text, text)), None)
            if twin is not None:
                merged = _merged(twin, made)
                done.append(Noticed("merged", twin.id, merged.text, merged.kind))
                return [merged if one is twin else one for one in memories]
            older = [one for one in there if contradicts(text, one.text)]
            if only_news and not older:
                return memories
            self._forgotten.remember_again(text)
            done.append(Noticed("replaced" if older else "stored", made.id, text, made.kind))
            return [*(one.ended(now, made.id) if one in older else one for one in memories), made]

        self._file.change(change)
        return done

    def edit(self, memory_id: str, text: str) -> Noticed:
        """Another text for a memory."""
        old = self.found(memory_id)
        if refusal := refused(text):
            return Noticed("refused", old.id, refusal, old.kind)
        new = one_line(text)
        self._change_one(old, lambda one: replace(one, text=new))
        return Noticed("replaced", old.id, new, old.kind)

    def revive(self, memory_id: str) -> Noticed:
        """What had ended holds again; what it contradicts has ended instead."""
        old = self.found(memory_id)
        self._change_one(old, lambda one: replace(one, ended_at="", ended_by=""))
        return Noticed("stored", old.id, old.text, old.kind)

    def _change_one(self, old: Memory, made: Callable[[Memory], Memory]) -> None:
        """Put what is *made* of *old* in its place; if that holds, what it contradicts has ended."""
        new, now = made(old), self._now()

        def changed(one: Memory) -> Memory:
            if one.id == old.id:
                return made(one)
            beside = new.holds and one.holds and one.kind != "gist" and one.folder == new.folder
            return one.ended(now, new.id) if beside and contradicts(new.text, one.text) else one

        self._file.change(lambda all_of: [changed(one) for one in all_of])

    def forget_all(self) -> int:
        """Everything out of the file for good, proposals too; how many memories that were."""
        count = len(self._file.memories())
        self._file.change(lambda _: [])
        self._proposed.change(lambda _: [])
        with suppress(OSError):
            self._given.erase()
        return count

    def forget(self, memory_id: str) -> Noticed:
        """Out of the file for good."""
        gone = self.found(memory_id)
        self._erase({gone.id})
        return Noticed("forgotten", gone.id, gone.text, gone.kind)

    def _erase(self, ids: set[str]) -> None:
        """Take them out, and what they had ended stays ended by the person."""

        def change(memories: tuple[Memory, ...]) -> Sequence[Memory]:
            gone = [one for one in memories if one.id in ids and one.kind != "gist"]
            left = [one for one in memories if one.id not in ids]
            telling = telling_words(gone, left)
            self._forgotten.note(telling, self._now())
            left = [one if one.kind != "gist" else without_words(one, telling) for one in left]
            left = [one for one in left if one.text]
            return [replace(one, ended_by=PERSON) if one.ended_by in ids else one for one in left]

        self._file.change(change)

    def _forget_what(self, wish: Wish, situation: Situation) -> list[Noticed]:
        """Forget the memory that says what *wish* names, or all of them; nothing where none clearly does."""
        if wish.wide and not terms(wish.text):
            return [Noticed("refused", "", "everything at once is for you to do: `coda memory forget --all`")]
        chosen = named_in(self._file.memories(), wish, situation.folder)[:_MOST_FORGOTTEN]
        if chosen:
            self._erase({one.id for one in chosen})
        return [Noticed("forgotten", one.id, one.text, one.kind) for one in chosen]

    def keep_gist(self, conversation: str, made: Gist) -> None:
        """One gist a conversation: in place of its earlier one, with what was used of that."""
        now = self._now()
        text = self._forgotten.out_of(made.text)
        if not text:
            return
        new = Memory(_new_id(), "gist", text, conversation, made.message, now, WEIGHTS["gist"])

        def change(memories: tuple[Memory, ...]) -> Sequence[Memory]:
            old = next((one for one in memories if one.kind == "gist" and one.conversation == conversation), None)
            if old is None:
                return [*memories, new]
            kept = replace(old, text=new.text, message=new.message, created=now)
            return [kept if one is old else one for one in memories] if old.text != new.text else memories

        if refused(text) is None:
            self._file.change(change)

    def propose(self, proposals: Sequence[Proposal], conversation: str) -> int:
        """Those of *proposals* that are new wait for the person; how many these are."""
        there = [one.text for one in self._file.memories() if one.kind != "gist"]
        new: list[Memory] = []

        def change(waiting: tuple[Memory, ...]) -> Sequence[Memory]:
            new.clear()
            known = [*there, *(one.text for one in waiting)]
            for one in proposals:
                if refused(one.text) is None and not any(same(one.text, text) for text in known):
                    new.append(Memory(_new_id(), one.kind, one.text, conversation, created=self._now()))
                    known.append(one.text)
            return [*waiting, *new][-_MOST_PROPOSED:]

        self._proposed.change(change)
        return len(new)

    def proposals(self) -> list[Memory]:
        """What waits for the person."""
        return list(self._proposed.memories())

    def decide(self, proposal_id: str, *, keep: bool) -> Noticed | None:
        """Remember one of them or not; it waits no longer."""
        chosen = [one for one in self._proposed.memories() if proposal_id and one.id.startswith(proposal_id)]
        if len(chosen) != 1:
            raise UsageError(
                f"there is no proposal {one_line(proposal_id)[:80]!r}", hint="`coda memory proposals` lists them"
            )
        [one] = chosen
        done = self.keep(Told(one.text, one.kind, "", WEIGHTS[one.kind], one.conversation)) if keep else None
        self._proposed.change(lambda waiting: [other for other in waiting if other.id != one.id])
        return done

    def take_in(self, memories: Sequence[Memory]) -> int:
        """Those of *memories* that are new."""
        taken: list[Memory] = []

        def change(there: tuple[Memory, ...]) -> Sequence[Memory]:
            taken.clear()
            ids, texts = {one.id for one in there}, {(one.text, one.folder, one.holds) for one in there}
            for one in memories:
                key = (one.text, one.folder, one.holds)
                if one.id not in ids and key not in texts and refused(one.text) is None:
                    taken.append(one)
                    ids.add(one.id)
                    texts.add(key)
            return [*there, *taken]

        self._file.change(change)
        return len(taken)

    # ---- looking ----------------------------------------------------------------------------------------------

    def recall(self, situation: Situation, max_tokens: int) -> list[MemoryNote]:
        """Those given before, in order, then new ones, as many as fit; noted in the log."""
        before = dict.fromkeys(situation.given)
        given = [one for one in self.index.get(before) if one.kind != "preference" and one.holds]
        found = recalled(self.index, self._vectors, situation, MOST + len(before) + _MOST_PREFERENCES)
        new = [f.memory for f in found if f.memory.kind != "preference" and f.memory.id not in before][:MOST]
        notes, left = list[MemoryNote](), 4 * max_tokens
        said: list[str] = []
        for memory in (*given, *new):
            note = memory.note()
            cost = len(note.text) + _OVERHEAD
            if note.text and cost <= left and not any(same(note.text, one) for one in said):
                notes.append(note)
                said.append(note.text)
                left -= cost
        if notes:
            ids = tuple(note.id for note in notes)
            fresh = tuple(one for one in ids if one not in before)
            line = Given(self._now(), situation.conversation_id, situation.message_id, ids, fresh)
            if self._given.note(line):
                self._fold()
        return notes

    def warm(self) -> None:
        """Bring the index up to date, and load what finds by meaning."""
        if self._vectors is not None:
            self._vectors.nearest("warm", 1)
        else:
            self.index.fresh()

    def search(self, query: str, limit: int, folder: Path | None) -> list[MemoryNote]:
        """What speaks of *query*."""
        today = self._now()[:10]
        found = recalled(self.index, self._vectors, Situation(query, day=today, folder=folder), limit)
        return [one.memory.note() for one in found]

    def listed(self, kind: Kind | None, *, ended: bool) -> list[Memory]:
        """The newest first, with what the log knows of their use."""
        all_of = [one for one in self._file.memories() if (kind is None or one.kind == kind) and (ended or one.holds)]
        return sorted(self._with_uses(all_of), key=lambda one: one.created, reverse=True)

    def found(self, memory_id: str) -> Memory:
        """By its id, or the beginning of it."""
        fitting = [one for one in self._file.memories() if memory_id and one.id.startswith(memory_id)]
        exact = [one for one in fitting if one.id == memory_id] or fitting
        if len(exact) == 1:
            return next(iter(self._with_uses(exact)))
        why = f"{len(exact)} memories have an id that begins with" if exact else "there is no memory"
        raise UsageError(f"{why} {one_line(memory_id)[:80]!r}", hint="`coda memory list` shows their ids")

    def known(self, text: str) -> MemoryNote | None:
        """The memory that holds and says the same as *text*."""
        there = (one for one in self._file.memories() if one.holds and one.kind != "gist" and same(one.text, text))
        return next((one.note() for one in there), None)

    def why(self, memory_id: str) -> tuple[Memory, list[Given]]:
        """The memory and the answers it was given to."""
        memory = self.found(memory_id)
        return memory, [one for one in self._given.all() if memory.id in one.memories][::-1]

    def _with_uses(self, memories: Iterable[Memory]) -> list[Memory]:
        return _counted(memories, counts(self._given.current()))

    def _fold(self) -> None:
        """Bring the counts of the log into the memories, and begin a new one."""
        known = counts(self._given.current())
        self._file.change(lambda memories: _counted(memories, known))
        with suppress(OSError):
            self._given.fold()

    def _now(self) -> str:
        return self._clock().replace(microsecond=0).isoformat()


def refused(text: str) -> str | None:
    """Why *text* is not kept, None if it may be."""
    if what := secret_in(text):
        return f"{what} is never remembered: keep it in a keyring"
    if len(text) > 2 * LONGEST:
        return f"it is longer than {2 * LONGEST} characters: keep it in a file"
    return None if one_line(text) else "there is nothing in it"


def _merged(old: Memory, new: Memory) -> Memory:
    kind = new.kind if old.kind == _UNDECIDED else old.kind
    text = new.text if len(new.text) > len(old.text) else old.text
    return replace(old, kind=kind, text=text, importance=max(old.importance, new.importance))


def _counted(memories: Iterable[Memory], known: dict[str, tuple[int, str]]) -> list[Memory]:
    return [
        replace(one, uses=one.uses + known[one.id][0], last_used=max(one.last_used, known[one.id][1]))
        if one.id in known
        else one
        for one in memories
    ]


def _new_id() -> str:
    return f"m{secrets.token_hex(5)}"
