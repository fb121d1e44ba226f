"""Fitting a conversation into a model's window before it is sent: summarise older turns, or leave them out and say so.

What to do is decided by `conversations.context`, which is pure; here it is done: the model is asked for the summary,
the store keeps it, and the events tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol, assert_never

from msgspec.structs import replace

from coda_cli.engine.accounts import Accounts
from coda_cli.engine.aside import Aside
from coda_cli.engine.conversations.context import Compact, Decision, Limits, Send, TooLong, decide
from coda_cli.engine.conversations.history import sendable
from coda_cli.engine.conversations.summary import summarise
from coda_cli.engine.core.config import LLMConfig, sampling
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.events import ContextCompacted, ContextCompacting, ContextTrimmed, Event
from coda_cli.engine.core.messages import LLMMessage
from coda_cli.engine.core.ports import Clock, ConversationStore, Provider, ProviderRequest, StoredBranch, StoredSummary
from coda_cli.engine.turn import Stamp
from coda_cli.engine.usage.tokens import ModelCounter, TokenEstimator

_ASK_EXACTLY: Final = 2
"""Where the estimate says that more than the window's half is taken, an engine on this machine is asked to count."""

_TRY_AGAIN: Final = 8
"""After a summary failed or was undone, how many messages the branch must grow before another is made."""

Build = Callable[[Sequence[LLMMessage]], ProviderRequest]


class WindowHost(Protocol):
    """What fitting needs of the manager."""

    config: LLMConfig
    store: ConversationStore
    clock: Clock
    tokens: TokenEstimator
    accounts: Accounts
    summary_failures: dict[str, int]
    """For a conversation, how many messages its branch had when a summary failed last."""


class Window:
    """The window of one model of one provider, for one conversation.

    *build* makes a request of messages: the system prompt, tools and a schema go along with them.
    """

    def __init__(
        self,
        host: WindowHost,
        conversation_id: str,
        provider: Provider,
        name: str,
        model: str,
        build: Build,
        stamp: Stamp,
        publish: Callable[[Event], None],
    ) -> None:
        self._host = host
        self._conversation_id = conversation_id
        self._provider, self._name, self._model = provider, name, model
        self._build = build
        self._stamp, self._publish = stamp, publish
        self._profile = provider.profile(model)
        empty = build([])
        self._counter: ModelCounter = host.tokens.counter(name, model)
        self._empty = empty
        answer = empty.options.get("max_tokens")
        most = answer if isinstance(answer, int) and not isinstance(answer, bool) else None
        self._limits = Limits.of(host.config.conversation, self._profile, most)

    async def fit(self, kept: StoredBranch, *, smaller: bool = False) -> ProviderRequest:
        """The request for *kept*. With *smaller* all but the latest turn is summarised: the last one was refused.

        Raises LLMContextLengthError where the question alone is too long.
        """
        limits = self._limits if smaller or not self._failed_lately(kept) else self._limits.without_summaries()
        decision = self._decide(kept, limits, force=smaller)
        if isinstance(decision, Send) and await self._count_exactly(decision):
            decision = self._decide(kept, limits)
        if isinstance(decision, Compact) and not smaller and _declined(decision, kept):
            # not made again before more is said, nor are turns left out for the sake of a setting
            decision = self._decide(kept, replace(limits, max_messages=None, max_tokens=None, summarise=False))
        failure: str | None = None
        if isinstance(decision, Compact):
            decision, failure = await self._compacted(kept, decision, smaller=smaller)
        match decision:
            case Send():
                if decision.trimmed:
                    self._tell_trimmed(decision, failure)
                return self._build(sendable(decision.messages))
            case TooLong():
                raise decision.error()
            case Compact():
                raise AssertionError("a decision without summaries asked for one")
            case _:
                assert_never(decision)

    async def _compacted(self, kept: StoredBranch, wanted: Compact, *, smaller: bool) -> tuple[Decision, str | None]:
        """What to send once *wanted* is summarised, and why that failed, if it did."""
        try:
            summary = await self._summarise(wanted)
        except CodaError as error:
            self._host.summary_failures[self._conversation_id] = len(kept.messages)
            if smaller:
                return self._only_the_latest(kept, wanted), error.message
            return self._decide(kept, self._limits.without_summaries()), error.message
        after = self._decide(replace(kept, summary=summary), self._limits.without_summaries())
        if isinstance(after, Send):
            self._tell_compacted(wanted, summary, after)
        return after, None

    def _failed_lately(self, kept: StoredBranch) -> bool:
        """Whether a summary failed and little was said since: no need to wait for another failure at once."""
        failed_at = self._host.summary_failures.get(self._conversation_id)
        return failed_at is not None and failed_at <= len(kept.messages) < failed_at + _TRY_AGAIN

    def preview(self, kept: StoredBranch) -> Compact | None:
        """What `compact` would summarise; None where there is nothing to."""
        decision = self._decide(kept, self._limits, force=True)
        return decision if isinstance(decision, Compact) else None

    async def compact(self, kept: StoredBranch) -> StoredSummary | None:
        """Summarise all but the latest turn, because a person asked for it. Raises CodaError where that fails."""
        decision = self.preview(kept)
        if decision is None:
            return None
        summary = await self._summarise(decision)
        after = self._decide(replace(kept, summary=summary), self._limits.without_summaries())
        if isinstance(after, Send):
            self._tell_compacted(decision, summary, after)
        return summary

    def _decide(self, kept: StoredBranch, limits: Limits, *, force: bool = False) -> Decision:
        return decide(
            kept.messages,
            limits,
            self._counter.message,
            pinned=kept.pinned,
            summary=kept.summary,
            system_tokens=self._counter.request(self._empty),
            force=force,
        )

    async def _count_exactly(self, decision: Send) -> bool:
        """Ask an engine on this machine where it may matter; whether the counts have changed."""
        window = self._limits.window
        if window is None or (decision.tokens + self._limits.reserve) * _ASK_EXACTLY < window:
            return False
        request = self._build(sendable(decision.messages))
        exact = await self._provider.count_tokens(request)
        if exact is None:
            return False
        self._counter = self._counter.corrected(request, exact)
        return True

    async def _summarise(self, decision: Compact) -> StoredSummary:
        self._publish(self._stamp(ContextCompacting, messages=len(decision.ids), reason=decision.reason))
        host = self._host
        text = await summarise(
            Aside(host.accounts, host.clock, self._conversation_id, self._provider, self._name, self._model),
            decision.messages,
            self._counter.message,
            previous=decision.previous,
            max_tokens=decision.max_tokens,
            window=self._limits.window,
        )
        return await host.store.summarise(self._conversation_id, decision.covers, text, self._model)

    def _only_the_latest(self, kept: StoredBranch, tried: Compact) -> Decision:
        """Leave out what could not be summarised: the vendor has refused to read it."""
        gone = set(tried.ids)
        rest = [message for message in kept.messages if message.message_id not in gone]
        decision = self._decide(replace(kept, messages=rest), self._limits.without_summaries())
        if isinstance(decision, Send):
            trimmed = (*tried.ids, *decision.trimmed)
            return Send(decision.messages, decision.tokens, decision.covered, trimmed, "context_window")
        return decision

    def _tell_compacted(self, decision: Compact, summary: StoredSummary, after: Send) -> None:
        self._publish(
            self._stamp(
                ContextCompacted,
                summary_id=summary.id,
                covers=list(summary.covers),
                text=summary.text,
                reason=decision.reason,
                tokens_before=decision.tokens,
                tokens_after=after.tokens,
            )
        )

    def _tell_trimmed(self, decision: Send, failure: str | None) -> None:
        self._publish(
            self._stamp(
                ContextTrimmed,
                trimmed=list(decision.trimmed),
                reason=decision.reason or "context_window",
                tokens=decision.tokens,
                failure=failure,
            )
        )


def _declined(wanted: Compact, kept: StoredBranch) -> bool:
    """Whether a person has undone a summary of nearly the same messages."""
    fresh = set(wanted.ids) - kept.declined
    return len(fresh) < min(_TRY_AGAIN, len(wanted.ids))


class CompactHost(WindowHost, Protocol):
    """What a compaction by hand needs of the manager."""

    async def resolve(self, provider: str | None, model: str | None) -> tuple[str, Provider, str]:
        """(name, provider, model) for what was asked, defaults filled in. Raises LLMError."""
        ...

    def publish(self, event: Event) -> None:
        """Tell every subscriber."""
        ...


async def _by_hand(
    host: CompactHost, conversation_id: str, provider: str | None, model: str | None
) -> tuple[Window, StoredBranch]:
    kept = await host.store.stored_branch(conversation_id)
    name, chosen, resolved = await host.resolve(provider, model)

    def bare(messages: Sequence[LLMMessage]) -> ProviderRequest:
        return ProviderRequest(model=resolved, messages=messages, options=sampling(chosen.config))

    stamp = Stamp(conversation_id, host.clock)
    return Window(host, conversation_id, chosen, name, resolved, bare, stamp, host.publish), kept


async def preview(host: CompactHost, conversation_id: str, provider: str | None, model: str | None) -> Compact | None:
    """What `compacted` would summarise, None where there is nothing to. Raises CodaError."""
    window, kept = await _by_hand(host, conversation_id, provider, model)
    return window.preview(kept)


async def compacted(
    host: CompactHost, conversation_id: str, provider: str | None, model: str | None
) -> StoredSummary | None:
    """Summarise all but the latest turn of the active branch; None where there is nothing to. Raises CodaError."""
    window, kept = await _by_hand(host, conversation_id, provider, model)
    return await window.compact(kept)
