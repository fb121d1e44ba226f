"""Which messages of a branch go into a request: what fits is sent, older turns are summarised, or left out and told.

The limits are `ConversationConfig`'s and the model's window:

- `summarize_threshold`: more messages than that, and the older turns are summarised.
- `max_tokens_per_conversation`, `max_messages`, the window: never more than that is sent, but for what must be. Older
  turns are summarised, or left out where summarising is off, has failed or was not enough.

What must be sent: system and pinned messages, the latest turn, and the summary in force. Only the window can refuse
them: the summary gives way first, then it is `TooLong`.
Every message of the branch is sent, covered by the summary, or named in `Send.trimmed`. All of it is pure, so a preview
is a call of `decide`.

Summarising goes down to about half of the limit, and leaving out goes in steps of a quarter of it, so that neither
happens at every question and the request's head stays the same for caches.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from coda_cli.engine.conversations.turns import Branch, Count, SummaryLike, summary_message
from coda_cli.engine.core.config import ConversationConfig
from coda_cli.engine.core.errors import LLMContextLengthError
from coda_cli.engine.core.messages import LLMMessage
from coda_cli.engine.core.profiles import ModelProfile

KEEP_TURNS: Final = 3
"""The latest turns (the question among them) that are not summarised as long as they fit the limits."""

LEAST_ANSWER: Final = 64
"""Tokens that the latest turn must leave for an answer."""

_DEFAULT_ANSWER: Final = 4096  # tokens, where neither the person nor the profile says how long an answer may be
_MARGIN: Final = 32  # a 32nd of the window is left free: counts are estimates
_SUMMARY_LEAST: Final = 64
_SUMMARY_MOST: Final = 1024

Reason = Literal["context_window", "max_tokens_per_conversation", "max_messages", "summarize_threshold", "request"]


class Limits(Struct, frozen=True):
    """How much may be sent; None is no limit. `window` and `reserve` (kept free for the answer) are in tokens."""

    max_messages: int | None = None
    max_tokens: int | None = None
    threshold: int | None = None
    window: int | None = None
    reserve: int = 0
    summarise: bool = True

    @classmethod
    def of(cls, config: ConversationConfig, profile: ModelProfile, max_answer: int | None = None) -> Limits:
        """The limits of *config* for a model of *profile*; *max_answer*: the request's `max_tokens`.

        The answer gets what it may take, but at most a quarter of the window (half of it if *max_answer* says so).
        """
        reserve = max_answer or profile.max_output or _DEFAULT_ANSWER
        if profile.context_window is not None:
            reserve = min(reserve, profile.context_window // (2 if max_answer else 4))
        return cls(
            max_messages=config.max_messages,
            max_tokens=config.max_tokens_per_conversation,
            threshold=config.summarize_threshold,
            window=profile.context_window,
            reserve=reserve,
            summarise=config.auto_summarize,
        )

    def without_summaries(self) -> Limits:
        """The same limits for a request that must not be summarised for: it failed, or has just been done."""
        return replace(self, summarise=False)

    def room(self, system_tokens: int) -> int | None:
        """What the window leaves for the conversation, in tokens."""
        if self.window is None:
            return None
        return self.window - self.window // _MARGIN - self.reserve - system_tokens


class Send(Struct, frozen=True):
    """Send `messages`, `tokens` in all. `covered`: ids that the summary stands for; `trimmed`: ids left out."""

    messages: list[LLMMessage]
    tokens: int
    covered: tuple[str, ...] = ()
    trimmed: tuple[str, ...] = ()
    reason: Reason | None = None


class Compact(Struct, frozen=True):
    """Have `messages` (ids `ids`) summarised first, after `previous` (the summary in force, if any), in `max_tokens`.

    Keep the summary with `covers`, then call `decide` again with it and `limits.without_summaries()`. `tokens` is what
    the conversation takes now.
    """

    messages: list[LLMMessage]
    ids: tuple[str, ...]
    covers: tuple[str, ...]
    previous: str | None
    max_tokens: int
    reason: Reason
    tokens: int


class TooLong(Struct, frozen=True):
    """What must be sent takes `tokens` and the window has room for `room`; `pinned` of them are pinned messages."""

    tokens: int
    room: int
    pinned: int
    under_way: bool

    def error(self) -> LLMContextLengthError:
        """What to tell the person."""
        if self.room <= 0:
            return LLMContextLengthError(
                "the system prompt, with tools and schema, fills the model's whole window",
                hint="shorten it, or choose a model with a larger window with -m",
            )
        what, hint = "the question has", "shorten it, attach less, or choose a model with a larger window with -m"
        if self.under_way:
            what = "this turn with its tool results has"
            hint = "ask for less at once, or choose a model with a larger window with -m"
        elif self.pinned and self.tokens - self.pinned <= self.room:
            what = "the question and the pinned messages have"
            hint = "unpin some messages, or choose a model with a larger window with -m"
        return LLMContextLengthError(
            f"{what} about {self.tokens} tokens, and the model's window has room for {self.room}", hint=hint
        )


Decision = Send | Compact | TooLong


def decide(
    messages: Sequence[LLMMessage],
    limits: Limits,
    count: Count,
    *,
    pinned: Collection[str] = (),
    summary: SummaryLike | None = None,
    system_tokens: int = 0,
    force: bool = False,
) -> Decision:
    """What to do with the branch *messages*, whose last turn is the question.

    *pinned* are ids. *summary* is the one in force. *system_tokens* is what goes along beside the branch: the system
    prompt, tools, a schema. *force*: summarise all but the latest turn, because a person asked for it.
    """
    plan = _Plan(Branch(messages, count, pinned, summary), limits, count, summary, system_tokens)
    if plan.least > plan.hard_room:
        return TooLong(plan.least, plan.hard_room, plan.branch.sum(plan.branch.fixed), plan.branch.under_way)
    if force and plan.branch.older:
        return plan.compact("request", len(plan.branch.older))
    reason = plan.reached(threshold=plan.may_summarise)
    if reason is None:
        return plan.send(0, None)
    if plan.may_summarise and plan.branch.older:
        return plan.compact(reason, plan.turns_to_summarise())
    return plan.send(plan.turns_to_trim(), plan.reached(threshold=False))


class _Plan:
    """The numbers behind one decision."""

    def __init__(
        self, branch: Branch, limits: Limits, count: Count, summary: SummaryLike | None, system_tokens: int
    ) -> None:
        self.branch, self.summary = branch, summary
        must = branch.fixed | branch.last
        self.must = must
        self.least = branch.sum(must)
        endless = self.least + branch.sum(i for turn in branch.older for i in turn) + (1 << 40)
        window = limits.window
        least_reserve = min(limits.reserve, LEAST_ANSWER)
        self.hard_room = endless if window is None else window - system_tokens - least_reserve
        self.note = count(summary_message(summary, len(branch.covered))) if summary and branch.covered else 0
        # a summary made for a larger window may leave no room for the question
        self.lost = branch.covered if self.least + self.note > self.hard_room else set[int]()
        if self.lost:
            self.note = 0
        self.noted = 1 if self.note else 0
        # In the middle of a tool turn nothing is summarised: what only summarising is for waits for the next question.
        self.may_summarise = limits.summarise and not branch.under_way
        soft = not (limits.summarise and branch.under_way)
        room = limits.room(system_tokens)
        self.window_room = endless if room is None else room
        self.token_limit = limits.max_tokens if soft and limits.max_tokens is not None else endless
        self.message_limit = limits.max_messages if soft and limits.max_messages is not None else endless
        self.threshold = limits.threshold if limits.threshold is not None else endless
        self.tokens = self.least + self.note + sum(branch.sum(turn) for turn in branch.older)
        self.count = len(must) + self.noted + sum(map(len, branch.older))

    def reached(self, *, threshold: bool) -> Reason | None:
        """The limit that the whole branch would break."""
        if self.tokens > self.window_room:
            return "context_window"
        if self.tokens > self.token_limit:
            return "max_tokens_per_conversation"
        if self.count > self.message_limit:
            return "max_messages"
        return "summarize_threshold" if threshold and self.count > self.threshold else None

    def turns_to_summarise(self) -> int:
        """How many of the oldest turns: down to half of the limits, but the latest ones stay while they fit."""
        most_tokens = min(self.window_room, self.token_limit)
        most_count = min(self.message_limit, self.threshold)
        older = self.branch.older
        tokens = self.least + self._summary_size() + sum(self.branch.sum(turn) for turn in older)
        count = len(self.must) + 1 + sum(map(len, older))
        for number, turn in enumerate(older):
            few = number > 0 and len(older) - number < KEEP_TURNS
            part = 1 if few else 2
            if number > 0 and tokens <= most_tokens // part and count <= most_count // part:
                return number
            tokens, count = tokens - self.branch.sum(turn), count - len(turn)
        return len(older)

    def turns_to_trim(self) -> int:
        """How many of the oldest turns are left out, in steps of a quarter of the limit."""
        most = min(self.window_room, self.token_limit)
        drop_tokens = _in_steps(self.tokens - most, most // 4)
        drop_count = _in_steps(self.count - self.message_limit, self.message_limit // 4)
        for number, turn in enumerate(self.branch.older):
            if drop_tokens <= 0 and drop_count <= 0:
                return number
            drop_tokens, drop_count = drop_tokens - self.branch.sum(turn), drop_count - len(turn)
        return len(self.branch.older)

    def send(self, dropped: int, reason: Reason | None) -> Send:
        """Send all but the *dropped* oldest turns."""
        branch, older = self.branch, self.branch.older
        kept = self.must.union(*older[dropped:])
        trimmed = self.lost.union(*older[:dropped])
        note = self.summary if self.note else None
        return Send(
            messages=branch.assembled(kept, note),
            tokens=branch.sum(kept) + self.note,
            covered=branch.ids(branch.covered - self.lost),
            trimmed=branch.ids(trimmed),
            reason=(reason or "context_window") if trimmed else None,
        )

    def compact(self, reason: Reason, number: int) -> Compact:
        """Summarise the *number* oldest turns."""
        branch = self.branch
        chosen = sorted({i for turn in branch.older[:number] for i in turn})
        before = set(self.summary.covers) if self.summary is not None else set()
        known = {i for i, message in enumerate(branch.messages) if message.message_id in before}
        return Compact(
            messages=[branch.messages[i] for i in chosen],
            ids=branch.ids(chosen),
            covers=branch.ids(known.union(chosen)),
            previous=self.summary.text if self.summary is not None and known else None,
            max_tokens=self._summary_size(),
            reason=reason,
            tokens=self.tokens,
        )

    def _summary_size(self) -> int:
        """How long a summary may be, in tokens: an eighth of the limit."""
        most = min(self.window_room, self.token_limit)
        return max(_SUMMARY_LEAST, min(_SUMMARY_MOST, most // 8))


def _in_steps(excess: int, step: int) -> int:
    """*excess* rounded up to whole steps, so that it stays the same while a branch grows by less than one."""
    step = max(1, step)
    return -(-excess // step) * step if excess > 0 else 0


def fit_to(
    messages: Sequence[LLMMessage],
    max_tokens: int | None,
    count: Count,
    *,
    summary: SummaryLike | None = None,
    pinned: Collection[str] = (),
) -> list[LLMMessage]:
    """The newest whole turns of *messages* that fit into *max_tokens* (None: all), in order. Never raises.

    First comes the latest turn (where it does not fit, nothing does), then system and pinned messages, the summary,
    and older turns, newest first.
    """
    branch = Branch(messages, count, pinned, summary)
    note = count(summary_message(summary, len(branch.covered))) if summary is not None and branch.covered else 0
    if max_tokens is None:
        return branch.assembled(branch.fixed.union(branch.last, *branch.older), summary)
    left = max_tokens - branch.sum(branch.last)
    if left < 0:
        return []
    kept = set(branch.last)
    for block in reversed(branch.fixed_blocks()):
        if branch.sum(block) <= left:
            kept |= block
            left -= branch.sum(block)
    told = summary if note and note <= left else None
    left -= note if told is not None else 0
    for turn in reversed(branch.older):
        if branch.sum(turn) > left:
            break
        kept.update(turn)
        left -= branch.sum(turn)
    return branch.assembled(kept, told)
