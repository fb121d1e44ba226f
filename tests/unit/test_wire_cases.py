"""One table of cases for all vendors: whatever a server sends, it ends in the right events or the right error.

The cases stand in the lists below and run for every wire format over every transport. `CODA_TEST_LONG=1` runs the
sweeps at full size.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from coda_cli.engine.core.errors import (
    LLMIncompleteResponseError,
)
from coda_cli.engine.core.events import FunctionCalls, ResponseError
from coda_cli.engine.core.messages import ReasoningPart
from coda_cli.engine.core.usage import FinishReason, Status
from tests.servers.framings import framings
from tests.servers.http import Reply
from tests.servers.reply import End
from tests.servers.samples import FULL, TEXT, THOUGHT, TOOLS
from tests.servers.script import Call, Refuse, Say, Script, Stop, Think, Used, say
from tests.servers.wire import Wire, WireName, stream_reply, whole_reply
from tests.unit.wire_cases import (
    LONG,
    Outcome,
    Target,
    ask,
    bench,
    canned,
    each_target,
    each_wire,
)

# ---- whole answers --------------------------------------------------------------------------------------------


def check_full(outcome: Outcome, target: Target) -> None:
    """The answer is all that FULL says."""
    response = outcome.whole()
    assert outcome.text == response.content == TEXT
    assert outcome.reasoning == response.reasoning == THOUGHT
    assert [(call.name, json.loads(call.arguments)) for call in response.tool_calls] == TOOLS
    assert response.finish_reason is FinishReason.TOOL_CALLS
    assert response.status is Status.COMPLETE
    assert (response.usage.input_tokens, response.usage.output_tokens) == (100, 40)
    apart = (0, 0) if target.wire == "ollama" else (64, 8)
    assert (response.usage.cached_tokens, response.usage.reasoning_tokens) == apart
    told = [event for event in outcome.events if isinstance(event, FunctionCalls)]
    assert [call["name"] for event in told for call in event.calls] == [name for name, _ in TOOLS]
    kept = outcome.answer
    assert kept is not None
    assert kept.tool_calls == response.tool_calls
    thoughts = [part for part in kept.parts if isinstance(part, ReasoningPart)]
    assert "".join(part.text for part in thoughts) == THOUGHT
    if target.wire in ("anthropic", "responses"):
        assert any("c2ln" in (part.signature or part.data or "") for part in thoughts)


@each_target
async def test_a_streamed_answer_has_all_its_parts(target: Target) -> None:
    async with bench(target) as b:
        b.fake.script = FULL
        outcome = await ask(b.manager)
        check_full(outcome, target)
        assert outcome.whole().metadata["vendor_model"] == "fake-model"
        assert b.fake.asked[0].path == target.format.path


@each_target
async def test_a_server_that_does_not_stream_gives_the_same_answer(target: Target) -> None:
    async with bench(target) as b:
        b.fake.queue(whole_reply(target.wire, FULL))
        check_full(await ask(b.manager), target)


@each_target
async def test_every_framing_of_a_stream_means_the_same(target: Target) -> None:
    async with bench(target) as b:
        b.fake.script = FULL
        for name, framing in framings(target.wire).items():
            b.fake.framing = framing
            outcome = await ask(b.manager)
            assert outcome.error is None, f"{name}: {outcome.error!r}"
            check_full(outcome, target)


@each_wire
def test_a_stream_cut_in_two_anywhere_means_the_same(wire: Wire) -> None:
    import asyncio

    body = b"".join(wire.stream(FULL))
    step = 1 if LONG else max(1, len(body) // 120)

    async def sweep() -> None:
        manager, provider = canned(wire)
        for offset in range(1, len(body), step):
            provider.pieces = [body[:offset], body[offset:]]
            check_full(await ask(manager), Target(wire.name, "lean"))
        provider.pieces = [body[at : at + 1] for at in range(len(body))]
        check_full(await ask(manager), Target(wire.name, "lean"))

    asyncio.run(sweep())


@each_target
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_every_way_to_end_a_body_is_taken(target: Target, framing: str) -> None:
    async with bench(target) as b:
        reply = stream_reply(target.wire, FULL)
        b.fake.queue(Reply(reply.status, reply.headers, reply.body, framing))  # type: ignore[arg-type]  # a Framing
        check_full(await ask(b.manager), target)


@dataclass(frozen=True)
class Ending:
    """A script, and the finish reason that it means; `otherwise` where a vendor has a reason of its own."""

    script: Script
    reason: FinishReason
    otherwise: dict[WireName, FinishReason] = field(default_factory=dict)


_HI = Say("Hi")
ENDINGS = {
    "stop": Ending([_HI], FinishReason.STOP),
    "length": Ending([_HI, Stop("length")], FinishReason.LENGTH),
    "tool_calls": Ending([Call("c", "f")], FinishReason.TOOL_CALLS),
    "content_filter": Ending(
        [_HI, Stop("content_filter")],
        FinishReason.CONTENT_FILTER,
        {"anthropic": FinishReason.REFUSAL, "ollama": FinishReason.STOP},
    ),
    "refusal": Ending(
        [Refuse("I can't "), Refuse("help."), Stop("refusal")], FinishReason.REFUSAL, {"ollama": FinishReason.STOP}
    ),
    "context": Ending([_HI, Stop("context_window")], FinishReason.LENGTH, {"anthropic": FinishReason.CONTEXT}),
    "pause": Ending([_HI, Stop("pause")], FinishReason.STOP, {"anthropic": FinishReason.PAUSE}),
    "unheard-of": Ending([_HI, Stop("tired")], FinishReason.UNKNOWN, {"responses": FinishReason.STOP}),
    "empty": Ending([], FinishReason.STOP),
    "only thought": Ending([Think("Hm.", signature="c2ln")], FinishReason.STOP),
}


@each_target
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_every_finish_reason_has_its_word(target: Target, streamed: bool) -> None:
    async with bench(target) as b:
        for name, ending in ENDINGS.items():
            build = stream_reply if streamed else whole_reply
            b.fake.queue(build(target.wire, ending.script))
            response = (await ask(b.manager)).whole()
            assert response.finish_reason is ending.otherwise.get(target.wire, ending.reason), name
            assert response.status is Status.COMPLETE


@each_target
async def test_an_answer_without_usage_counts_nothing(target: Target) -> None:
    async with bench(target) as b:
        b.fake.queue(stream_reply(target.wire, FULL, include_usage=False))
        assert (await ask(b.manager)).whole().usage.total_tokens == 0


@each_target
async def test_the_next_question_takes_the_answer_along(target: Target) -> None:
    async with bench(target) as b:
        first = await ask(b.manager, "one?")
        second = await ask(b.manager, "two?", conversation_id=first.conversation_id)
        assert [message.content for message in second.messages] == ["one?", b.fake.answer, "two?", b.fake.answer]
        sent = b.fake.asked[1].body
        assert b"one?" in sent
        assert b.fake.answer.encode() in sent


# ---- answers that stop --------------------------------------------------------------------------------------


_LONG_ANSWER: Script = [Think("Hm. "), *say("one two three four five"), Used(3, 5)]
_ANSWERED = "one two three four five"


def end_of(wire: Wire, script: Script) -> tuple[int, int]:
    """Before the first offset an answer is cut, from the second on it is whole."""
    pieces = wire.stream(script)
    cut = b"".join(wire.stream(script, end=False))
    return len(cut), sum(map(len, pieces))


@each_target
@pytest.mark.parametrize("end", ["eof", "cut", "reset"])
async def test_an_answer_cut_anywhere_keeps_its_part_and_says_so(target: Target, end: End) -> None:
    reply = stream_reply(target.wire, _LONG_ANSWER)
    missing, whole = end_of(target.format, _LONG_ANSWER)
    offsets = set(range(0, whole, 1 if LONG else max(1, whole // 9))) | {missing - 1, missing, whole}
    async with bench(target) as b:
        for after in sorted(offsets):
            b.fake.queue(reply.but(end=end, after=after))
            outcome = await ask(b.manager)
            assert _ANSWERED.startswith(outcome.text), after
            if after >= whole:
                assert outcome.error is None
                assert outcome.text == _ANSWERED
            elif after < missing:
                _check_cut(outcome)


def _check_cut(outcome: Outcome) -> None:
    error = outcome.failure()
    assert type(error) is LLMIncompleteResponseError
    assert error.hint
    assert error.exit_code == 1
    assert isinstance(outcome.final, ResponseError)
    assert outcome.final.status == "incomplete"
    assert (outcome.answer is not None) is bool(outcome.text or outcome.reasoning)
    if outcome.answer is not None:
        assert outcome.answer.status == "incomplete"


@each_target
async def test_a_clean_end_without_the_end_marker_is_incomplete(target: Target) -> None:
    async with bench(target) as b:
        b.fake.queue(stream_reply(target.wire, _LONG_ANSWER, end=False))
        outcome = await ask(b.manager)
        _check_cut(outcome)
        assert outcome.text == outcome.failure().partial == _ANSWERED
        assert outcome.answer is not None
        assert outcome.answer.content == _ANSWERED


@each_target
async def test_a_whole_answer_that_does_not_say_it_ended_is_incomplete(target: Target) -> None:
    async with bench(target) as b:
        b.fake.queue(whole_reply(target.wire, _LONG_ANSWER, end=False))
        _check_cut(await ask(b.manager))


@each_target
async def test_a_connection_left_open_after_the_end_marker_holds_nothing_up(target: Target) -> None:
    """The end marker ends the answer: a proxy that keeps the body open must not cost the idle timeout."""
    async with bench(target, idle_timeout=1.0) as b:
        b.fake.queue(stream_reply(target.wire, _LONG_ANSWER).but(end="hang"))
        outcome = await ask(b.manager)
        assert outcome.whole().content == _ANSWERED


@each_target
async def test_a_break_after_the_end_marker_takes_nothing_away(target: Target) -> None:
    async with bench(target) as b:
        for end in ("cut", "reset"):
            b.fake.queue(stream_reply(target.wire, _LONG_ANSWER).but(end=end))
            assert (await ask(b.manager)).whole().content == _ANSWERED
