"""A person is asked for what is not harmless: one at a time, for exactly these bytes, and a no is a no."""

from __future__ import annotations

import json
import typing

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.core.events import ApprovalAnswered, ApprovalRequested
from coda_cli.engine.core.tools import Approval, ApprovalRequest, Decision
from coda_cli.engine.tools.manager import ToolManager
from coda_cli.engine.tools.permissions import Verdict
from tests.unit.tool_rounds import Person, Told, Writing, call, managing, one, results, turn


async def test_what_is_shown_is_what_is_done_and_is_bound_to_the_call() -> None:
    told, person, writing = Told(), Person(), Writing()
    calls = [call("writing", f'{{"text": "t{n}"}}') for n in range(3)]
    got = await results(managing(writing), calls, turn(told, person))
    assert [request.effect.detail for request in person.requests] == writing.wrote == ["t0", "t1", "t2"]
    assert [request.arguments for request in person.requests] == [one.arguments for one in calls]
    assert len({request.digest for request in person.requests}) == 3
    assert all(got[one.id].text == "written" for one in calls)
    kinds = [type(event) for event in told.events]
    assert kinds == [ApprovalRequested, ApprovalAnswered] * 3


async def test_an_answer_to_another_call_is_a_no() -> None:
    digests: list[str] = []

    def swapped(request: ApprovalRequest) -> Approval:
        digests.append(request.digest)
        return Approval(Decision.ONCE, digests[0])

    writing = Writing()
    calls = [call("writing", '{"text": "harmless"}'), call("writing", '{"text": "grave"}')]
    got = await results(managing(writing), calls, turn(approver=Person(swapped)))
    assert writing.wrote == ["harmless"]
    assert "given to another call" in got[calls[1].id].text


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=6))
async def test_only_what_was_answered_with_its_own_bytes_is_done(drawn: list[tuple[str, int]]) -> None:
    """Answers that are swapped between calls, even between calls with the same arguments, do nothing."""
    writing, digests = Writing(), []
    calls = [call("writing", json.dumps({"text": f"{text}{place}"})) for place, (text, _) in enumerate(drawn)]

    def swapped(request: ApprovalRequest) -> Approval:
        digests.append(request.digest)
        answer = digests[drawn[len(digests) - 1][1] % len(digests)]
        return Approval(Decision.ONCE, answer)

    await results(managing(writing), calls, turn(approver=Person(swapped)))
    meant = [place for place, (_, which) in enumerate(drawn) if which % (place + 1) == place]
    assert writing.wrote == [f"{drawn[place][0]}{place}" for place in meant]
    assert len(set(digests)) == len(calls)


async def test_a_no_takes_its_reason_to_the_model() -> None:
    told, writing = Told(), Writing()
    person = Person(lambda request: Approval(Decision.NO, request.digest, "write it in German"))
    result = await one(managing(writing), call("writing", '{"text": "t"}'), turn(told, person))
    assert "the person said no: write it in German" in result.text
    assert result.is_error
    assert result.seconds is None
    assert writing.wrote == []
    answered = told.events[-1]
    assert isinstance(answered, ApprovalAnswered)
    assert (answered.decision, answered.reason) == ("no", "write it in German")


async def test_an_answer_for_this_chat_is_remembered() -> None:
    person = Person(lambda request: Approval(Decision.CHAT, request.digest))
    writing = Writing()
    manager = managing(writing)
    calls = [call("writing", f'{{"text": "{text}"}}') for text in ("same", "other", "same")]
    await results(manager, calls, turn(approver=person))
    assert writing.wrote == ["same", "other", "same"]
    assert [request.effect.detail for request in person.requests] == ["same", "other"]


async def test_without_anybody_to_ask_the_answer_is_no() -> None:
    writing = Writing()
    result = await one(managing(writing), call("writing", '{"text": "t"}'))
    assert writing.wrote == []
    assert "no terminal to ask" in result.text
    assert "--approval-mode" in result.display


@pytest.mark.parametrize("error", [ValueError("the dialog broke"), SystemExit(1)])
async def test_asking_that_fails_is_a_no(error: BaseException) -> None:
    def failing(request: ApprovalRequest) -> Approval:
        raise error

    writing = Writing()
    result = await one(managing(writing), call("writing", '{"text": "t"}'), turn(approver=Person(failing)))
    assert writing.wrote == []
    assert "asking failed" in result.text


async def test_an_answer_that_is_none_and_rules_that_fail_run_nothing() -> None:
    class Failing:
        def judge(self, *args: object) -> Verdict:
            raise OSError("the rules are gone")

        def remember(self, *args: object) -> None: ...

    writing = Writing()
    calls = [call("writing", '{"text": "t"}'), call("nothing")]
    got = await results(ToolManager([writing], builtin=False, permissions=Failing()), calls)
    assert "not run: OSError: the rules are gone" in got[calls[0].id].text
    odd = Person(lambda request: typing.cast("Approval", None))
    assert "not run" in (await one(managing(writing), calls[0], turn(approver=odd))).text
    assert writing.wrote == []


async def test_the_modes_mean_what_they_say() -> None:
    for mode, wrote, asked in (("ask", 1, 1), ("read-only", 0, 0), ("accept-edits", 1, 1), ("all", 1, 0)):
        person, writing = Person(), Writing()
        await one(managing(writing), call("writing", '{"text": "t"}'), turn(approver=person, approval_mode=mode))
        assert (len(writing.wrote), len(person.requests) <= asked) == (wrote, True), mode
