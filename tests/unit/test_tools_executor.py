"""Calls of a message: each has one result, nothing that a tool does gets out, and no bad call runs."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.core.messages import ToolCallPart, ToolResultPart
from coda_cli.engine.core.tools import Approval, Arguments, Decision, Touches
from coda_cli.engine.tools.base import BaseTool, ToolContext, ToolError
from coda_cli.engine.tools.function import tool
from coda_cli.engine.tools.results import MAX_BYTES
from tests.unit.tool_rounds import Person, add, call, managing, one, results, turn

# -- what never runs


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (call("ad", '{"a": 1}'), 'there is no tool "ad"; did you mean `add`?'),
        (call("functions.add", '{"a": 1}'), "did you mean `add`?"),
        (call("rm_rf", "{}"), "there are `add`"),
        (call("", "{}"), "there is no tool"),
        (call("x" * 100_000, "{}"), "there is no tool"),
        (call("add", '{"a": 1'), "not JSON"),
        (call("add", ""), "empty"),
        (call("add", '{"a": NaN}'), "NaN"),
        (call("add", '{"a": 1, "a": 2}'), "stands twice"),
        (call("add", '{"b": 1}'), "argument `a` is missing; it is a whole number"),
        (call("add", '{"a": 1, "c": 1}'), "there is no argument `c`"),
        (call("add", "[" * 1000), "deep"),
    ],
)  # fmt: skip
async def test_a_bad_call_gives_words_that_mend_it_and_runs_nothing(asked: ToolCallPart, words: str) -> None:
    ran: list[int] = []

    @tool(name="add")
    def counted(a: int, b: int = 0) -> int:
        ran.append(a)
        return a

    result = await one(managing(counted), asked)
    assert words in result.text
    assert result.is_error
    assert result.seconds is None
    assert ran == []


async def test_two_calls_with_one_id_are_both_refused() -> None:
    ran: list[int] = []

    @tool
    def note(a: int) -> None:
        ran.append(a)

    calls = [call("note", '{"a": 1}', "same"), call("note", '{"a": 2}', "same"), call("note", '{"a": 3}')]
    got = [result async for result in managing(note).run(calls, turn())]
    assert sorted(result.id for result in got) == sorted(one.id for one in calls)
    assert [result.is_error for result in got if result.id == "same"] == [True, True]
    assert ran == [3]


async def test_calls_over_the_limit_are_told_so() -> None:
    calls = [call("add", f'{{"a": {n}}}') for n in range(5)]
    got = await results(managing(add), calls, turn(left=2))
    assert [got[one.id].is_error for one in calls] == [False, False, True, True, True]
    assert "limit of 25 calls" in got[calls[4].id].text


async def test_a_tool_outside_the_allowed_ones_is_refused() -> None:
    manager = managing(add, tool(category="web", name="web")(add))
    assert "may not be used" in (await one(manager, call("add"), turn(allowed_categories=["web"]))).text
    assert "may not be used" in (await one(manager, call("add"), turn(only=["web"]))).text


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        ("aaa", [2]),
        ("aab", []),
        ("aabaa", []),
        ("aabaaa", [5]),
        ("ababab", [5]),
        ("abcabcabc", [8]),
        ("aaaa", [2, 3]),
        ("rrrr", []),
    ],
)
async def test_a_row_of_calls_that_is_made_for_the_third_time_is_a_loop(names: str, refused: list[int]) -> None:
    class Same(BaseTool):
        parameters = {"type": "object"}  # noqa: RUF012  # a class attribute of the base

        def __init__(self, name: str) -> None:
            self.name = name
            self.repeatable = name == "r"

        async def run(self, arguments: Arguments, context: ToolContext) -> str:
            return "ran"

    manager = managing(*(Same(name) for name in "abcr"))
    writings = ['{"x": 1, "y": 2}', '{ "y":2,"x":1 }']
    calls = [call(name, writings[place % 2]) for place, name in enumerate(names)]
    at_once = await results(manager, calls)
    assert [place for place, one in enumerate(calls) if at_once[one.id].is_error] == refused
    after = [await one(manager, asked, turn(earlier=calls[:place])) for place, asked in enumerate(calls)]
    assert [place for place, result in enumerate(after) if result.is_error] == refused


WRITTEN = '{"count": 3, "name": "abc", "many": [1, 2], "more": {"x": 1.5}}'


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """What a model may write: whole, cut, doubled, with a piece exchanged."""
    text = WRITTEN
    for _ in range(draw(st.integers(0, 3))):
        start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        piece = draw(
            st.sampled_from(["", text[start:end] * 2, "}", "NaN", '"count": 1,', '"3"', "null", "[", "\\ud800"])
        )
        text = text[:start] + piece + text[end:]
    return text


@settings(max_examples=300)
@given(spoilt() | st.text())
async def test_whatever_is_written_only_a_valid_call_runs(text: str) -> None:
    ran: list[dict[str, Any]] = []

    @tool
    def strict(count: int, name: str, many: list[int], more: dict[str, float]) -> None:
        ran.append({"count": count, "name": name, "many": many, "more": more})

    result = await one(managing(strict), call("strict", text))
    assert result.is_error is not bool(ran)
    if ran:
        written = json.loads(text)
        assert written.keys() == ran[0].keys()
        assert len(re.findall('"count"', text)) == 1
        assert str(ran[0]["count"]) == str(written["count"])
        assert ran[0]["name"] == written["name"]


# -- what a tool does wrong


async def raising(error: BaseException) -> ToolResultPart:
    @tool
    async def later() -> None:
        raise error

    @tool
    def blocking() -> None:
        raise error

    first, second = await one(managing(later), call("later")), await one(managing(blocking), call("blocking"))
    assert first.text.replace("coroutine raised ", "") == second.text
    assert first.is_error
    return second


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no such thing"), "the tool failed: ValueError: no such thing"),
        (SystemExit(3), "the tool failed: SystemExit: 3"),
        (KeyboardInterrupt(), "the tool failed: KeyboardInterrupt"),
        (BaseExceptionGroup("two", [SystemExit(1), ValueError("x")]), "SystemExit: 1; ValueError: x"),
        (asyncio.CancelledError(), "CancelledError"),
        (StopIteration(1), "StopIteration"),
        (StopAsyncIteration(), "StopAsyncIteration"),
        (RecursionError("deep"), "RecursionError: deep"),
        (MemoryError(), "MemoryError"),
        (ToolError("name another city"), "name another city"),
        (ToolError(""), "did not say why"),
        (ValueError("x" * 10_000), "xxx"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
async def test_whatever_a_tool_raises_is_an_error_for_the_model(error: BaseException, words: str) -> None:
    result = await raising(error)
    assert words in result.text
    assert len(result.text) < 1200


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")


async def test_an_error_that_cannot_be_printed_is_named() -> None:
    assert (await raising(Unprintable())).text == "the tool failed: Unprintable"


async def test_the_other_calls_go_on() -> None:
    @tool
    async def leaves() -> None:
        raise SystemExit

    calls = [call("leaves"), call("add", '{"a": 2}'), call("leaves", '{"x": 1}'), call("add", '{"a": 3}')]
    got = await results(managing(leaves, add), calls)
    assert [got[one.id].text for one in calls[1::2]] == ["2", "3"]


async def test_a_huge_result_keeps_its_head_and_its_tail() -> None:
    @tool
    def flood() -> str:
        return "head " + "ä" * 5_000_000 + " tail"

    result = await one(managing(flood), call("flood"))
    assert len(result.text.encode()) < MAX_BYTES + 200
    assert result.text.startswith("head ä")
    assert result.text.endswith("ä tail")
    assert "bytes are left out" in result.text


async def test_a_half_character_in_a_result_is_kept_out() -> None:
    @tool
    def half() -> str:
        return "a\ud800b"

    assert (await one(managing(half), call("half"))).text == "a?b"


async def test_a_class_may_return_what_it_likes() -> None:
    class Odd(BaseTool):
        name = "odd"

        async def run(self, arguments: Arguments, context: ToolContext) -> Any:
            return {"a": 1}

    class Broken(BaseTool):
        name = "broken"

        async def run(self, arguments: Arguments, context: ToolContext) -> str:
            return ""

        async def plan(self, arguments: Arguments, context: ToolContext) -> Any:
            return None

    assert (await one(managing(Odd()), call("odd"))).text == '{"a": 1}'
    assert "the tool is broken" in (await one(managing(Broken()), call("broken"))).text


# -- side by side


@pytest.mark.parametrize(
    ("calling", "most"),
    [({}, 4), ({"max_parallel": 2}, 2), ({"parallel_execution": False}, 1)],
)
async def test_harmless_calls_run_side_by_side_within_the_limit(calling: dict[str, Any], most: int) -> None:
    running = peak = 0

    @tool
    async def wait(n: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.02)
        running -= 1
        return n

    calls = [call("wait", f'{{"n": {n}}}') for n in range(8)]
    got = await results(managing(wait), calls, turn(**calling))
    assert [got[one.id].text for one in calls] == [str(n) for n in range(8)]
    assert peak == most


async def test_what_writes_or_runs_is_never_beside_anything_and_keeps_its_place() -> None:
    log: list[str] = []

    async def work(n: int) -> int:
        log.append(f"+{n}")
        await asyncio.sleep(0.01)
        log.append(f"-{n}")
        return n

    reads, writes = tool(name="reads")(work), tool(name="writes", touches=Touches.WRITES)(work)
    runs = tool(name="runs", touches=Touches.RUNS)(work)
    names = ["reads", "reads", "writes", "writes", "reads", "runs", "reads"]
    calls = [call(name, f'{{"n": {n}}}') for n, name in enumerate(names)]
    await results(managing(reads, writes, runs), calls, turn(approver=Person()))
    assert set(log[:2]) == {"+0", "+1"}
    assert set(log[2:4]) == {"-0", "-1"}
    assert log[4:] == ["+2", "-2", "+3", "-3", "+4", "-4", "+5", "-5", "+6", "-6"]


async def test_results_come_as_they_end() -> None:
    @tool
    async def wait(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    calls = [call("wait", '{"seconds": 0.2}'), call("wait", '{"seconds": 0.01}')]
    came = [result.id async for result in managing(wait).run(calls, turn())]
    assert came == [calls[1].id, calls[0].id]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reads", "writes", "fails", "leaves", "unknown", "cut"]), st.integers(0, 3), st.booleans()
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(STEPS, st.integers(1, 5), st.booleans(), st.integers(0, 12))
async def test_every_call_has_its_own_result_however_they_interleave(
    steps: list[tuple[str, int, bool]], most: int, parallel: bool, left: int
) -> None:
    async def work(n: int, turns: int, fail: str) -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        if fail == "leaves":
            raise SystemExit(n)
        if fail == "fails":
            raise ValueError(str(n))
        return f"result {n}"

    manager = managing(tool(name="reads")(work), tool(name="writes", touches=Touches.WRITES)(work))
    calls = []
    for n, (kind, turns, _) in enumerate(steps):
        name = {"fails": "reads", "leaves": "writes", "cut": "reads"}.get(kind, kind)
        text = f'{{"n": {n}, "turns": {turns}, "fail": "{kind}"}}'
        calls.append(ToolCallPart(id=f"id{n}", name=name, arguments=text[:-1] if kind == "cut" else text))
    says = {one.id: yes for one, (_, _, yes) in zip(calls, steps, strict=True)}
    person = Person(
        lambda request: Approval(Decision.ONCE if says[request.call_id] else Decision.NO, request.digest, "not now")
    )
    got = await results(
        manager, calls, turn(approver=person, max_parallel=most, parallel_execution=parallel, left=left)
    )
    assert set(got) == {one.id for one in calls}
    for n, (one_call, (kind, _, yes)) in enumerate(zip(calls, steps, strict=True)):
        text = got[one_call.id].text
        asks = one_call.name == "writes"
        if n >= left:
            assert "limit" in text
        elif kind == "unknown":
            assert "there is no tool" in text
        elif kind == "cut":
            assert "not JSON" in text
        elif asks and not yes:
            assert "the person said no: not now" in text
        else:
            assert str(n) in text
    assert person.most <= 1
