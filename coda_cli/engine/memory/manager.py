"""MemoryManager: what is remembered beyond a conversation, and what of it an answer is given.

    memory = MemoryManager()
    await llm_manager.set_memory_manager(memory)

Nothing is opened or loaded before the first call; all of it is in one file that a person can read.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from coda_cli import paths
from coda_cli.engine.core.prompts import MemoryNote, Messages, Noticed, Situation
from coda_cli.engine.memory.hints import may_hold_a_wish

if TYPE_CHECKING:
    from coda_cli.engine.memory.keeper import Keeper
    from coda_cli.engine.memory.proposals import Proposal
    from coda_cli.engine.memory.record import Kind, Memory
    from coda_cli.engine.memory.used import Given

_PREFERENCES: Final = 50
PROPOSED: Final = "memory-proposals.jsonl"
"""The file of what waits for a decision, beside the memories."""
_T = TypeVar("_T")
_Memories = list["Memory"]
_Notes = list[MemoryNote]
_Answers = list["Given"]


class MemoryManager:
    """The memories in *file* (default: `memory.jsonl` in the data folder), found through an index in *cache*.

    *semantic*: whether meaning is looked at beside words; None: if the extra `semantic` is installed. *enabled*
    switches everything off at once. Safe with any number of tasks, threads and processes. Everything raises
    MemoryStoreError where the disk refuses.
    """

    def __init__(
        self,
        file: Path | None = None,
        *,
        cache: Path | None = None,
        semantic: bool | None = None,
        enabled: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.enabled = enabled
        self._file = file
        self._cache = cache
        self._semantic = semantic
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Keeper | None = None

    @property
    def file(self) -> Path:
        """Where the memories are."""
        return self._file if self._file is not None else paths.data_dir() / "memory.jsonl"

    @property
    def problems(self) -> list[str]:
        """What could not be read, a line each."""
        return [] if self._kept is None else list(self._kept.problems)

    # ---- during an answer (MemoryPort) ------------------------------------------------------------------------

    async def notice(self, situation: Situation) -> Sequence[Noticed]:
        """Keep, change or forget what the question explicitly asks for ("remember that ..."); what was done."""
        if not self.enabled or situation.incognito or not may_hold_a_wish(situation.question):
            return ()
        from coda_cli.engine.memory.wishes import wishes

        wanted = wishes(situation.question)
        return await self._do(lambda keeper: keeper.follow(wanted, situation)) if wanted else ()

    async def preferences(self, situation: Situation) -> Sequence[MemoryNote]:
        """What holds for every answer, the most important first, of those the newest."""
        if not self.enabled or situation.incognito or not self._any():
            return ()
        found = await self._do(lambda keeper: keeper.index.of_kind("preference", _PREFERENCES))
        return [one.note() for one in sorted(found, key=lambda one: (one.importance, one.created))[::-1]]

    async def recall(self, situation: Situation, max_tokens: int) -> Sequence[MemoryNote]:
        """The few that matter for this question: those given before first, then new ones. May be none.

        *max_tokens* counts four characters as one. Preferences are not among them: they hold for every answer.
        """
        if not self.enabled or situation.incognito or not self._any():
            return ()
        return await self._do(lambda keeper: keeper.recall(situation, max_tokens))

    async def warm(self) -> None:
        """Load what the first recall needs (0.3 s with the extra `semantic`), while a person still types."""
        if self.enabled and self._any():
            await self._do(lambda keeper: keeper.warm())

    async def ended(self, conversation_id: str, title: str, messages: Messages) -> None:
        """A conversation is over for now: leave one gist of it, replacing its earlier one."""
        if not self.enabled or not conversation_id:
            return
        from coda_cli.engine.memory.gist import gist

        made = gist(title, messages)
        if made is not None:
            await self._do(lambda keeper: keeper.keep_gist(conversation_id, made))

    # ---- proposals ----------------------------------------------------------------------------------------------

    async def propose(self, proposals: Sequence[Proposal], conversation_id: str = "") -> int:
        """Let *proposals* wait for the person's decision, but what is known, refused or proposed already.

        Returns how many new ones wait.
        """
        return await self._do(lambda keeper: keeper.propose(proposals, conversation_id))

    async def proposals(self) -> _Memories:
        """What waits for a decision, the oldest first. None of it is recalled or told to a model."""
        if self._kept is None and not self.file.with_name(PROPOSED).exists():
            return []
        return await self._do(lambda keeper: keeper.proposals())

    async def decide(self, proposal_id: str, *, keep: bool) -> Noticed | None:
        """Remember a proposal, or drop it (None). Raises UsageError for an id that nobody knows."""
        return await self._do(lambda keeper: keeper.decide(proposal_id, keep=keep))

    # ---- by hand ----------------------------------------------------------------------------------------------

    async def add(
        self,
        text: str,
        kind: Kind = "fact",
        *,
        folder: Path | None = None,
        importance: float | None = None,
        conversation: str = "",
        message: str = "",
    ) -> Noticed:
        """Keep *text*. What says the same merges; what it contradicts ends; a secret is refused, and told."""
        from coda_cli.engine.memory.keeper import WEIGHTS, Told

        weight = WEIGHTS[kind] if importance is None else importance
        told = Told(text, kind, str(folder) if folder else "", weight, conversation, message)
        return await self._do(lambda keeper: keeper.keep(told))

    async def edit(self, memory_id: str, text: str) -> Noticed:
        """Give a memory another text. Raises UsageError for an id that nobody knows."""
        return await self._do(lambda keeper: keeper.edit(memory_id, text))

    async def forget(self, memory_id: str) -> Noticed:
        """Take a memory out of the file for good. Raises UsageError for an id that nobody knows."""
        return await self._do(lambda keeper: keeper.forget(memory_id))

    async def revive(self, memory_id: str) -> Noticed:
        """Let a memory that has ended hold again; what it contradicts ends. Raises UsageError for an unknown id."""
        return await self._do(lambda keeper: keeper.revive(memory_id))

    async def forget_all(self) -> int:
        """Take everything out for good, proposals among it; how many memories that were."""
        return await self._do(lambda keeper: keeper.forget_all())

    async def list(self, kind: Kind | None = None, *, ended: bool = False) -> _Memories:
        """The memories, the newest first; with *ended* also those that hold no longer."""
        return await self._do(lambda keeper: keeper.listed(kind, ended=ended))

    async def search(self, query: str, limit: int = 20, *, folder: Path | None = None) -> _Notes:
        """The memories that speak of *query*, preferences among them, the best first."""
        return await self._do(lambda keeper: keeper.search(query, limit, folder))

    async def get(self, memory_id: str) -> Memory:
        """The memory with this id, or the one whose id begins so. Raises UsageError for none or several."""
        return await self._do(lambda keeper: keeper.found(memory_id))

    async def find(self, memory_id: str) -> MemoryNote:
        """`get`, as a prompt and a tool see it. Raises UsageError."""
        return (await self.get(memory_id)).note()

    async def known(self, text: str) -> MemoryNote | None:
        """The memory that says the same as *text*, None for none."""
        return await self._do(lambda keeper: keeper.known(text))

    async def why(self, memory_id: str) -> tuple[Memory, _Answers]:
        """A memory, and the answers it was given to, the latest first. Raises UsageError."""
        return await self._do(lambda keeper: keeper.why(memory_id))

    async def take_in(self, memories: Sequence[Memory]) -> int:
        """Add *memories* (of an export) as they are, but those that are there or hold a secret; how many were new."""
        return await self._do(lambda keeper: keeper.take_in(memories))

    def close(self) -> None:
        """Close the index; the next call opens it again."""
        with self._lock:
            if self._kept is not None:
                self._kept.close()

    def _any(self) -> bool:
        """Whether there is anything to look at: without a file nothing is loaded."""
        return self._kept is not None or self.file.exists()

    async def _do(self, work: Callable[[Keeper], _T]) -> _T:
        return await asyncio.to_thread(partial(self._locked, work))

    def _locked(self, work: Callable[[Keeper], _T]) -> _T:
        with self._lock:
            if self._kept is None or self._kept.path != self.file:
                from coda_cli.engine.memory.keeper import Keeper

                cache = self._cache if self._cache is not None else paths.cache_dir()
                proposed = self.file.with_name(PROPOSED)
                self._kept = Keeper(self.file, proposed, cache / "memory.sqlite3", self._semantic, self._clock)
            return work(self._kept)
