"""The context window: what is sent fits, nothing is dropped in silence, and calls stay with their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from coda_cli.engine.conversations.context import (
    Compact,
    Decision,
    Limits,
    Send,
    TooLong,
    decide,
    fit_to,
)
from coda_cli.engine.conversations.turns import labelled
from coda_cli.engine.core.config import ConversationConfig
from coda_cli.engine.core.messages import (
    LLMMessage,
    MessageRole,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.usage.tokens import ModelCounter

count = ModelCounter().message


@dataclass(frozen=True)
class Note:
    """A summary in force."""

    covers: tuple[str, ...]
    text: str = "They spoke of Paris."
    id: str = "sum-1"


def said(role: MessageRole, name: str, words: int = 8) -> LLMMessage:
    return LLMMessage(role=role, content=f"{name} " + "word " * words, message_id=name, created=1.0)


def chat(turns: int, words: int = 8) -> list[LLMMessage]:
    """*turns* answered questions `u0 a0 u1 a1 ...`, then the question `q`."""
    out = []
    for number in range(turns):
        out += [said(MessageRole.USER, f"u{number}", words), said(MessageRole.ASSISTANT, f"a{number}", words)]
    return [*out, said(MessageRole.USER, "q", words)]


def tool_turn(name: str, calls: int = 1, result: str = "42") -> list[LLMMessage]:
    """A question, a call, its result, an answer."""
    asked: list[Part] = [ToolCallPart(id=f"{name}{n}", name="f", arguments="{}") for n in range(calls)]
    told: list[Part] = [ToolResultPart(id=f"{name}{n}", name="f", text=result) for n in range(calls)]
    return [
        said(MessageRole.USER, f"{name}-u"),
        LLMMessage(role=MessageRole.ASSISTANT, parts=asked, message_id=f"{name}-call"),
        LLMMessage(role=MessageRole.TOOL, parts=told, message_id=f"{name}-result"),
        said(MessageRole.ASSISTANT, f"{name}-a"),
    ]


def ids(messages: Sequence[LLMMessage]) -> list[str]:
    return [message.message_id for message in messages]


def sent(decision: Decision) -> Send:
    assert isinstance(decision, Send)
    return decision


def compacted(decision: Decision) -> Compact:
    assert isinstance(decision, Compact)
    return decision


CONFIG = ConversationConfig(max_messages=50, max_tokens_per_conversation=8_000, summarize_threshold=40)
SEED = Limits.of(CONFIG, ModelProfile(context_window=1_000_000, max_output=64_000))


# ---- the limits of the settings ------------------------------------------------------------------------------


def test_what_fits_is_sent_as_it_is() -> None:
    branch = chat(5)
    decision = sent(decide(branch, SEED, count))
    assert decision.messages == branch
    assert (decision.trimmed, decision.covered, decision.reason) == ((), (), None)
    assert decision.tokens == sum(map(count, branch))


def test_more_messages_than_the_threshold_are_summarised_down_to_half() -> None:
    assert isinstance(decide(chat(19), SEED, count), Send)  # 39 messages
    decision = compacted(decide(chat(20), SEED, count))  # 41
    assert decision.reason == "summarize_threshold"
    assert decision.ids == decision.covers == tuple(ids(chat(20))[: len(decision.ids)])
    assert 41 - len(decision.ids) + 1 <= 20
    assert len(decision.ids) % 2 == 0  # whole turns


def test_more_tokens_than_the_setting_are_summarised_however_large_the_window() -> None:
    branch = chat(10, words=1_000)
    decision = compacted(decide(branch, SEED, count))
    assert decision.reason == "max_tokens_per_conversation"
    left = [message for message in branch if message.message_id not in decision.ids]
    assert 0 < sum(map(count, left)) <= 8_000
    assert left[-1].message_id == "q"


def test_after_a_summary_many_turns_pass_before_the_next() -> None:
    first = compacted(decide(chat(20), SEED, count))
    note = Note(first.covers)
    until = next(n for n in range(20, 60) if isinstance(decide(chat(n), SEED, count, summary=note), Compact))
    assert until - 20 >= 8


def test_a_summary_grows_to_cover_what_the_older_one_covered() -> None:
    note = Note(tuple(ids(chat(20))[:22]))
    decision = compacted(decide(chat(40), SEED, count, summary=note))
    assert decision.previous == note.text
    assert decision.covers[:22] == note.covers
    assert decision.covers == note.covers + decision.ids
    assert decision.ids[0] == "u11"


def test_switched_off_it_is_left_out_in_sight_by_the_hard_limits_only() -> None:
    limits = replace(SEED, summarise=False)
    assert sent(decide(chat(22), limits, count)).trimmed == ()  # over the threshold of 40, under the cap of 50
    decision = sent(decide(chat(30), limits, count))
    assert decision.reason == "max_messages"
    assert len(decision.messages) <= 50
    assert (*decision.trimmed, *ids(decision.messages)) == tuple(ids(chat(30)))


def test_leaving_out_goes_in_steps_so_that_the_head_of_the_request_stays() -> None:
    limits = replace(SEED, summarise=False)
    heads = [sent(decide(chat(n), limits, count)).messages[0].message_id for n in range(30, 60)]
    assert 2 <= len(set(heads)) <= 7


def test_the_small_window_of_a_model_wins_over_the_settings() -> None:
    limits = Limits.of(CONFIG, ModelProfile(context_window=512))
    decision = compacted(decide(chat(10, words=30), limits, count, system_tokens=20))
    assert decision.reason == "context_window"
    after = sent(
        decide(chat(10, words=30), limits.without_summaries(), count, summary=Note(decision.covers), system_tokens=20)
    )
    assert after.tokens <= 512 - limits.reserve - 20
    assert after.trimmed == ()


def test_an_unknown_window_is_no_limit_and_none_is_no_limit() -> None:
    assert isinstance(decide(chat(500, words=200), Limits(), count), Send)
    assert Limits.of(ConversationConfig(), ModelProfile()).room(10) is None


def test_the_answer_gets_its_room_but_never_the_whole_window() -> None:
    def reserve(window: int, max_output: int | None, asked: int | None = None) -> int:
        return Limits.of(
            ConversationConfig(), ModelProfile(context_window=window, max_output=max_output), asked
        ).reserve

    assert reserve(1_000_000, 64_000) == 64_000
    assert reserve(8_192, 4_096) == 2_048
    assert reserve(8_192, None, 1_024) == 1_024
    assert reserve(8_192, 4_096, 100_000) == 4_096


def test_the_room_for_the_conversation_leaves_out_the_answer_the_prompt_and_a_margin() -> None:
    limits = Limits(window=3_200, reserve=1_000, summarise=False)
    assert limits.room(100) == 3_200 - 100 - 1_000 - 100
    branch = chat(100)
    decision = sent(decide(branch, limits, count, system_tokens=100))
    assert 1_000 <= decision.tokens <= 2_000
    assert isinstance(decide(branch, replace(limits, reserve=0), count, system_tokens=100), Send)


def test_a_person_can_ask_for_it_at_any_time() -> None:
    decision = compacted(decide(chat(3), SEED, count, force=True))
    assert decision.reason == "request"
    assert decision.ids == ("u0", "a0", "u1", "a1", "u2", "a2")
    assert isinstance(decide(chat(0), SEED, count, force=True), Send)


# ---- what must be sent ---------------------------------------------------------------------------------------


def test_a_question_larger_than_the_settings_is_sent_alone() -> None:
    branch = [*chat(2)[:-1], said(MessageRole.USER, "q", 9_000)]
    decision = compacted(decide(branch, SEED, count))
    assert decision.ids == ("u0", "a0", "u1", "a1")
    assert ids(sent(decide(branch, SEED.without_summaries(), count)).messages) == ["q"]


def test_a_question_larger_than_the_window_is_an_error_that_says_what_to_do() -> None:
    limits = Limits.of(CONFIG, ModelProfile(context_window=512))
    decision = decide([*chat(3)[:-1], said(MessageRole.USER, "q", 900)], limits, count, system_tokens=20)
    assert isinstance(decision, TooLong)
    error = decision.error()
    assert "the question has about" in error.message
    assert str(decision.room) in error.message
    assert "-m" in (error.hint or "")


def test_an_error_names_what_fills_the_window() -> None:
    limits = Limits.of(CONFIG, ModelProfile(context_window=512))
    branch = [said(MessageRole.USER, "u0", 480), *chat(1)]
    pinned = decide(branch, limits, count, pinned=["u0"])
    assert isinstance(pinned, TooLong)
    assert "unpin" in (pinned.error().hint or "")
    tools = decide([*chat(1)[:-1], *tool_turn("t", result="word " * 700)[:3]], limits, count)
    assert isinstance(tools, TooLong)
    assert "tool results" in tools.error().message
    prompt = decide(chat(1), limits, count, system_tokens=600)
    assert isinstance(prompt, TooLong)
    assert "system prompt" in prompt.error().message


def test_pinned_and_system_messages_stay_where_they_were() -> None:
    branch = chat(20)
    branch[6] = said(MessageRole.SYSTEM, "rule")
    decision = compacted(decide(branch, SEED, count, pinned=["a1"]))
    assert not {"a1", "rule"} & set(decision.ids)
    after = sent(decide(branch, SEED.without_summaries(), count, pinned=["a1"], summary=Note(decision.covers)))
    assert ids(after.messages)[:3] == ["sum-1", "a1", "rule"]


def test_what_is_pinned_after_it_was_summarised_is_sent_again() -> None:
    note = Note(("u0", "a0", "u1", "a1"))
    decision = sent(decide(chat(3), SEED, count, pinned=["u1"], summary=note))
    assert ids(decision.messages) == ["u1", "u2", "a2", "q"]
    assert decision.covered == ("u0", "a0", "a1")


# ---- the summary in the request ------------------------------------------------------------------------------


def test_the_summary_stands_at_the_head_of_the_first_question_after_it() -> None:
    """Two user messages in a row are what some chat templates refuse."""
    branch = chat(3)
    note = Note(("u0", "a0", "u1", "a1"))
    decision = sent(decide(branch, SEED, count, summary=note))
    first = decision.messages[0]
    assert ids(decision.messages) == ["u2", "a2", "q"]
    assert first.parts[0] == TextPart(text=labelled(note, 4))
    assert first.parts[1:] == branch[4].parts
    assert first.content.index(note.text) < first.content.index("u2 word")
    assert branch[4].parts == chat(3)[4].parts  # the stored message is not touched
    assert [message.role for message in decision.messages] == [
        MessageRole.USER,
        MessageRole.ASSISTANT,
        MessageRole.USER,
    ]


def test_a_system_message_in_the_branch_does_not_take_the_summary() -> None:
    branch = chat(3)
    branch[2:2] = [said(MessageRole.SYSTEM, "rule")]
    decision = sent(decide(branch, SEED, count, summary=Note(("u0", "a0", "u1", "a1"))))
    assert ids(decision.messages) == ["rule", "u2", "a2", "q"]
    assert "Paris" in decision.messages[1].content


def test_a_summary_of_another_branch_is_not_sent() -> None:
    decision = sent(decide(chat(2), SEED, count, summary=Note(("x", "y"))))
    assert decision.messages == chat(2)
    assert decision.covered == ()


def test_a_summary_too_large_for_a_smaller_model_gives_way_in_sight() -> None:
    note = Note(("u0", "a0"), text="word " * 900)
    limits = Limits.of(CONFIG, ModelProfile(context_window=512)).without_summaries()
    decision = sent(decide(chat(2), limits, count, summary=note))
    assert decision.trimmed == ("u0", "a0")
    assert decision.reason == "context_window"
    assert "Notes" not in decision.messages[0].content


def test_a_summary_that_did_not_help_is_followed_by_leaving_out() -> None:
    limits = replace(SEED, max_tokens=200, summarise=False)
    note = Note(("u0", "a0"), text="word " * 30)
    decision = sent(decide(chat(10), limits, count, summary=note))
    assert decision.tokens <= 200
    assert decision.covered == ("u0", "a0")
    assert decision.trimmed[0] == "u1"


# ---- tools ---------------------------------------------------------------------------------------------------


def test_a_tool_turn_is_summarised_whole_or_not_at_all() -> None:
    branch = [*tool_turn("a", calls=3), *tool_turn("b"), *tool_turn("c"), *chat(0)]
    for threshold in range(1, 12):
        decision = decide(branch, replace(SEED, threshold=threshold), count)
        if isinstance(decision, Compact):
            assert len(decision.ids) % 4 == 0


def test_nothing_is_summarised_in_the_middle_of_a_tool_turn() -> None:
    branch = [*chat(30)[:-1], *tool_turn("t")[:3]]
    decision = sent(decide(branch, SEED, count))
    assert decision.messages == branch  # the settings wait for the next question ...
    small = Limits.of(ConversationConfig(), ModelProfile(context_window=600))
    assert sent(decide(branch, small, count)).trimmed  # ... the window does not


def test_pinning_a_call_keeps_its_result() -> None:
    branch = [*tool_turn("t"), *chat(30)]
    for half in ("t-call", "t-result"):
        decision = sent(decide(branch, replace(SEED, summarise=False), count, pinned=[half]))
        assert ids(decision.messages)[:2] == ["t-call", "t-result"]
        assert "t-u" in decision.trimmed


def test_a_foreign_summary_that_covers_half_a_call_does_not_split_it() -> None:
    branch = [*tool_turn("t"), *chat(1)]
    decision = sent(decide(branch, SEED, count, summary=Note(("t-u", "t-call"))))
    assert {"t-call", "t-result"} <= set(ids(decision.messages))


# ---- the seed's call -----------------------------------------------------------------------------------------


def test_the_newest_whole_turns_that_fit_are_returned() -> None:
    branch = chat(10)
    each = count(branch[0])
    assert ids(fit_to(branch, each * 5, count)) == ["u8", "a8", "u9", "a9", "q"]
    assert ids(fit_to(branch, each * 5 - 1, count)) == ["u9", "a9", "q"]
    assert fit_to(branch, None, count) == branch
    assert fit_to(branch, 0, count) == []
    assert fit_to([], 100, count) == []


def test_pinned_messages_and_the_summary_come_before_older_turns() -> None:
    branch = chat(10)
    note = Note(("u0", "a0"), text="Paris")
    out = fit_to(branch, count(branch[0]) * 9, count, summary=note, pinned=["u1"])
    assert ids(out)[:1] == ["u1"]
    assert "Paris" in out[0].content
    assert ids(out)[-1] == "q"


# ---- what must never break -----------------------------------------------------------------------------------

KINDS = ["user", "assistant", "system", "call", "result", "both", "empty"]


@st.composite
def branches(draw: st.DrawFn) -> list[LLMMessage]:
    """Anything that a file may hold: orphans, calls answered late or twice, no question at all."""
    out = []
    for number, (kind, words, call) in enumerate(
        draw(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 60), st.integers(0, 2)), max_size=24))
    ):
        role, parts = MessageRole.ASSISTANT, list[Part]()
        asked = ToolCallPart(id=f"c{call}", name="f", arguments="{}")
        told = ToolResultPart(id=f"c{call}", name="f", text="word " * words)
        match kind:
            case "user" | "assistant" | "system":
                role, parts = MessageRole(kind), [TextPart(text="word " * (words + 1))]
            case "call":
                parts = [asked]
            case "result":
                role, parts = (MessageRole.TOOL if words % 2 else MessageRole.USER), [told]
            case "both":
                parts = [told, asked]
            case _:
                role = MessageRole.USER
        out.append(LLMMessage(role=role, parts=parts, message_id=f"m{number}", created=1.0))
    if draw(st.booleans()):
        out.append(said(MessageRole.USER, "q", draw(st.integers(0, 100))))
    return out


maybe = st.none() | st.integers(1, 400)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[LLMMessage], Limits, list[str], Note | None, int]:
    branch = draw(branches())
    limits = Limits(
        max_messages=draw(st.none() | st.integers(1, 12)),
        max_tokens=draw(maybe),
        threshold=draw(st.none() | st.integers(1, 12)),
        window=draw(maybe),
        reserve=draw(st.integers(0, 100)),
        summarise=draw(st.booleans()),
    )
    pinned = [message.message_id for message in branch if draw(st.integers(0, 9)) == 0]
    known = [message.message_id for message in branch if draw(st.integers(0, 3)) == 0]
    note = Note(tuple(known), "word " * draw(st.integers(0, 60))) if draw(st.booleans()) else None
    return branch, limits, pinned, note, draw(st.integers(0, 60))


def _partners(branch: list[LLMMessage]) -> list[tuple[str, str]]:
    """(call, result) by message id."""
    asked: dict[str, str] = {}
    out = []
    for message in branch:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                asked[part.id] = message.message_id
            elif isinstance(part, ToolResultPart) and part.id in asked:
                out.append((asked[part.id], message.message_id))
    return out


def _last_turn(branch: list[LLMMessage]) -> list[str]:
    """At least the last question and what follows it."""
    for number in range(len(branch) - 1, -1, -1):
        parts = branch[number].parts
        if branch[number].role is MessageRole.USER and not any(isinstance(part, ToolResultPart) for part in parts):
            return ids(branch[number:])
    return ids(branch)


def _check_send(
    decision: Send, branch: list[LLMMessage], limits: Limits, pinned: list[str], note: Note | None, system: int
) -> None:
    names = ids(branch)
    out = [name for name in ids(decision.messages) if name != "sum-1"]
    assert out == [name for name in names if name in set(out)]  # order kept, nothing twice
    assert sorted([*out, *decision.covered, *decision.trimmed]) == sorted(names)  # nothing in silence
    must = {*pinned, *_last_turn(branch), *(m.message_id for m in branch if m.role is MessageRole.SYSTEM)}
    assert must <= set(out)
    for call, result in _partners(branch):
        assert (call in out) == (result in out)
    assert sum(map(count, decision.messages)) <= decision.tokens
    shown = [m for m in decision.messages if note and labelled(note, len(decision.covered)) in m.content]
    assert len(shown) == (1 if decision.covered else 0)
    if limits.window is not None:
        assert decision.tokens + system <= limits.window
    assert (decision.reason is not None) == bool(decision.trimmed)


def _check_compact(decision: Compact, branch: list[LLMMessage], pinned: list[str], note: Note | None) -> None:
    names = ids(branch)
    assert decision.ids
    assert ids(decision.messages) == list(decision.ids)
    must = {*pinned, *_last_turn(branch), *(m.message_id for m in branch if m.role is MessageRole.SYSTEM)}
    assert not must & set(decision.ids)
    before = set(note.covers) if note is not None else set()
    assert set(decision.covers) == before | set(decision.ids)
    assert list(decision.covers) == [name for name in names if name in set(decision.covers)]
    for call, result in _partners(branch):
        assert (call in decision.ids) == (result in decision.ids) or {call, result} & before


@settings(max_examples=400)
@given(cases())
def test_whatever_the_branch_the_decision_keeps_its_promises(
    case: tuple[list[LLMMessage], Limits, list[str], Note | None, int],
) -> None:
    branch, limits, pinned, note, system = case
    before = [message.model_dump() for message in branch]
    decision = decide(branch, limits, count, pinned=pinned, summary=note, system_tokens=system)
    again = decide(branch, limits, count, pinned=pinned, summary=note, system_tokens=system)
    assert decision == again
    assert [message.model_dump() for message in branch] == before
    match decision:
        case Send():
            _check_send(decision, branch, limits, pinned, note, system)
        case Compact():
            assert limits.summarise
            _check_compact(decision, branch, pinned, note)
            newer = Note(decision.covers, "word " * 5, "sum-1")
            after = decide(
                branch, limits.without_summaries(), count, pinned=pinned, summary=newer, system_tokens=system
            )
            _check_send(sent(after), branch, limits, pinned, newer, system)
        case TooLong():
            assert limits.window is not None
            assert decision.tokens > decision.room
            assert decision.error().hint


@settings(max_examples=300)
@given(cases())
def test_without_summaries_the_limits_hold_whenever_what_must_be_sent_fits(
    case: tuple[list[LLMMessage], Limits, list[str], Note | None, int],
) -> None:
    branch, limits, pinned, _, system = case
    decision = decide(branch, limits.without_summaries(), count, pinned=pinned, system_tokens=system)
    if isinstance(decision, TooLong):
        return
    least = sent(
        decide(branch, Limits(max_messages=1, max_tokens=1, summarise=False), count, pinned=pinned)
    )  # nothing but what must be sent
    out = sent(decision)
    rooms = [room for room in (limits.max_tokens, limits.room(system)) if room is not None]
    for room in rooms:
        assert out.tokens <= max(room, least.tokens)
    if limits.max_messages is not None:
        assert len(out.messages) <= max(limits.max_messages, len(least.messages))
    if limits.window is not None:
        assert out.tokens + system <= limits.window


@settings(max_examples=300)
@given(branches(), st.integers(-10, 500), st.data())
def test_what_is_fitted_fits_and_is_the_newest(branch: list[LLMMessage], room: int, data: st.DataObject) -> None:
    names = ids(branch)
    pinned = data.draw(st.lists(st.sampled_from(names), max_size=2)) if names else []
    note = Note(tuple(names[:3])) if data.draw(st.booleans()) else None
    out = fit_to(branch, room, count, summary=note, pinned=pinned)
    assert sum(map(count, out)) <= max(0, room)
    kept = [name for name in ids(out) if name != "sum-1"]
    assert kept == [name for name in names if name in set(kept)]
    assert not out or set(_last_turn(branch)) <= set(kept)
    for call, result in _partners(branch):
        assert (call in kept) == (result in kept)
    assert fit_to(branch, room, count, summary=note, pinned=pinned) == out
    assert len(fit_to(branch, None, count, summary=note, pinned=pinned)) >= len(out)


@pytest.mark.parametrize("turns", [2_000])
def test_a_long_conversation_is_decided_in_one_pass(turns: int) -> None:
    calls = 0

    def counted(message: LLMMessage) -> int:
        nonlocal calls
        calls += 1
        return count(message)

    decision = sent(decide(chat(turns), replace(SEED, summarise=False), counted))
    assert len(decision.messages) <= 50
    assert calls <= 2 * turns + 2
