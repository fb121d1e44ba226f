"""What clients may do beside watching, each only where the server was started so: ask, stop, approve."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from coda_cli import Approval, ApprovalRequest, Decision, Reply, ToolManager, Touches, tool
from coda_cli.server.options import Limits
from tests.unit.server_kit import Running, Watcher, running

MESSAGES: Mapping[str, dict[str, Any]] = {
    "ask": {"type": "ask", "prompt": "hello"},
    "cancel": {"type": "cancel", "conversation_id": "c"},
    "approve": {"type": "answer", "request_id": "r", "decision": "once", "digest": "d"},
}


async def asked(watcher: Watcher, **message: Any) -> dict[str, Any]:
    """The answer to *message* itself, whatever events come before it."""
    await watcher.tell(**message, ref="r1")
    while (told := await watcher.hear()).get("ref") != "r1":
        pass
    return told


@pytest.mark.parametrize("flag", MESSAGES)
@pytest.mark.parametrize("on", [(), ("ask",), ("cancel",), ("approve",), ("ask", "cancel", "approve")])
async def test_each_is_refused_unless_its_own_flag_is_on(flag: str, on: tuple[str, ...]) -> None:
    flags = {f"allow_{name}": name in on for name in MESSAGES}
    async with running(server=flags) as kit, kit.watch() as watcher:
        assert watcher.hello["allowed"] == [name for name in ("ask", "cancel", "approve") if name in on]
        told = await asked(watcher, **MESSAGES[flag])
        if flag in on:
            assert told.get("code") != "not_allowed"
        else:
            assert (told["type"], told["code"]) == ("error", "not_allowed")
            assert told["hint"] == f"start the server with --allow-{flag}"
            assert not kit.provider.requests


async def test_a_client_asks_and_sees_the_answer() -> None:
    async with running(["four"], allow_ask=True) as kit, kit.watch() as watcher:
        told = await asked(watcher, type="ask", prompt="2+2?", model="fake/scripted", system_prompt="be brief")
        assert told["type"] == "accepted"
        end = (await watcher.until("response_complete"))[-1]
        assert (end["content"], end["conversation_id"]) == ("four", told["conversation_id"])
        assert [message.content for message in kit.provider.requests[0].messages] == ["be brief", "2+2?"]
        again = await asked(watcher, type="ask", prompt="sure?", conversation_id=told["conversation_id"])
        assert again["conversation_id"] == told["conversation_id"]
        await watcher.until("response_complete")
        assert len(kit.provider.requests[1].messages) == 4


@pytest.mark.parametrize("model", ["nothing", "other/model"])
async def test_a_model_that_there_is_none_of_is_refused(model: str) -> None:
    async with running(allow_ask=True) as kit, kit.watch() as watcher:
        told = await asked(watcher, type="ask", prompt="x", model=model)
        assert (told["type"], told["code"]) == ("error", "refused")
        assert "provider/model" in told["hint"]


async def test_a_client_stops_an_answer_of_its_own_and_one_of_the_program() -> None:
    slow = Reply("word " * 1000, delay=0.01)
    async with running([slow], allow_ask=True, allow_cancel=True) as kit, kit.watch() as watcher:
        chat = (await asked(watcher, type="ask", prompt="x"))["conversation_id"]
        await watcher.until("response_chunk")
        assert (await asked(watcher, type="cancel", conversation_id=chat))["stopped"] == 1
        end = (await watcher.until("response_complete"))[-1]
        assert end["status"] == "interrupted"
        own = kit.manager.generate_response("y", conversation_id="mine")
        waiting = asyncio.create_task(own._result())
        await watcher.until("response_chunk")
        assert (await asked(watcher, type="cancel", conversation_id="mine"))["stopped"] == 1
        assert (await waiting).status.value == "interrupted"
        assert (await asked(watcher, type="cancel", conversation_id="mine"))["code"] == "not_running"


async def test_so_many_questions_at_a_time_and_no_more() -> None:
    slow = Reply("word " * 1000, delay=0.05)
    async with running([slow], allow_ask=True, limits=Limits(asks=2)) as kit, kit.watch(types=["x"]) as watcher:
        for _ in range(2):
            assert (await asked(watcher, type="ask", prompt="x"))["type"] == "accepted"
        assert (await asked(watcher, type="ask", prompt="x"))["code"] == "busy"


async def test_what_a_client_asked_for_is_stopped_and_kept_when_the_server_ends() -> None:
    slow = Reply("word " * 1000, delay=0.01)
    async with running([slow], allow_ask=True) as kit:
        async with kit.watch() as watcher:
            chat = (await asked(watcher, type="ask", prompt="x"))["conversation_id"]
            await watcher.until("response_chunk")
        await kit.manager.set_websocket_integration(None)
        kept = await kit.manager.store.messages(chat)
    assert [message.status for message in kept] == ["complete", "interrupted"]
    assert kept[-1].content.startswith("word")


@tool(touches=Touches.RUNS)
def launch(what: str) -> str:
    """Launch something."""
    ran.append(what)
    return f"launched {what}"


ran: list[str] = []
CALLS = [Reply(tool_calls=[("launch", '{"what": "the boat"}')]), Reply("done")]


async def with_tools(kit: Running) -> None:
    ran.clear()
    tools = ToolManager()
    tools.register(launch)
    await kit.manager.set_tool_manager(tools)


async def requested(kit: Running, watcher: Watcher) -> dict[str, Any]:
    await asked(watcher, type="ask", prompt="launch it")
    told: dict[str, Any] = (await watcher.until("approval_requested"))[-1]
    return told


@pytest.mark.parametrize(("decision", "runs"), [("once", ["the boat"]), ("no", [])])
async def test_a_client_answers_an_approval(decision: str, runs: list[str]) -> None:
    async with running(CALLS, allow_ask=True, allow_approve=True) as kit, kit.watch() as watcher:
        await with_tools(kit)
        request = await requested(kit, watcher)
        digest = request["request"]["digest"]
        answer = {"type": "answer", "request_id": request["request_id"], "decision": decision}
        assert (await asked(watcher, **answer, digest="0" * 64))["code"] == "bad_digest"
        assert (await asked(watcher, **{**answer, "decision": "always"}, digest=digest))["code"] == "bad_message"
        assert ran == []
        assert (await asked(watcher, **answer, digest=digest, reason="why not"))["type"] == "accepted"
        await watcher.until("response_complete")
        assert ran == runs
        assert (await asked(watcher, **answer, digest=digest))["code"] == "not_waiting"


async def test_without_the_flag_nothing_is_approved_by_anybody() -> None:
    async with running(CALLS, allow_ask=True) as kit, kit.watch() as watcher:
        await with_tools(kit)
        await asked(watcher, type="ask", prompt="launch it")
        heard = await watcher.until("response_complete")
        assert ran == []
        assert [one["is_error"] for one in heard if one["type"] == "function_result"] == [True]


async def test_nobody_there_or_nobody_answering_is_a_no() -> None:
    limits = Limits(approval_seconds=0.1)
    async with running([*CALLS, *CALLS], allow_ask=True, allow_approve=True, limits=limits) as kit:
        await with_tools(kit)
        await kit.manager.generate_response("launch it")  # no client is there
        async with kit.watch() as watcher:
            await requested(kit, watcher)
            answered = (await watcher.until("approval_answered"))[-1]
            assert answered["decision"] == "no"
            await watcher.until("response_complete")
        assert ran == []


async def test_a_program_that_asks_its_own_person_is_not_overruled() -> None:
    class Own:
        async def approve(self, request: ApprovalRequest) -> Approval:
            return Approval(Decision.NO, request.digest)

        async def ask(self, question: str, choices: object) -> str | None:
            return None

    async with running(CALLS, allow_ask=True) as kit:
        own = Own()
        kit.manager.set_approver(own)
        await with_tools(kit)
        await kit.manager.generate_response("launch it")
        assert ran == []
    assert kit.manager.approver is own
