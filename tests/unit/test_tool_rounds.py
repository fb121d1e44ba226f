"""An answer with tool calls, round by round: what is sent, told and kept, and how it ends. The tools are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.memory import MemoryShelf
from coda_cli.engine.core.config import FunctionCallingConfig, LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMIncompleteResponseError, LLMOverloadedError
from coda_cli.engine.core.events import (
    ConversationCreated,
    Event,
    FunctionCalls,
    FunctionResult,
    ResponseChunk,
    ResponseComplete,
    ResponseStart,
    ToolsUnavailable,
)
from coda_cli.engine.core.messages import MessageRole, ToolCallPart, ToolResultPart
from coda_cli.engine.core.ports import Provider, ToolRound, ToolSpec
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import FinishReason, Status, TokenUsage
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.scripted import Reply, ScriptedProvider

SPECS = (ToolSpec("add", "Adds.", {"type": "object"}), ToolSpec("wait", "Waits.", {"type": "object"}))


@dataclass
class FakeTools:
    """Gives `results` by the tool's name; "wait" never ends by itself. Records what it was asked."""

    results: dict[str, str] = field(default_factory=lambda: {"add": "4"})
    refuses: bool = False
    unfit: str = ""
    rounds: list[ToolRound] = field(default_factory=list)
    called: list[ToolCallPart] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def use_memory(self, memory: object | None) -> None:
        """There is none."""

    async def ready(self, only: Collection[str] | None = None) -> None:
        """Always."""

    async def aclose(self) -> None:
        """There is nothing to end."""

    def specs(self, calling: FunctionCallingConfig, only: Collection[str] | None = None) -> Sequence[ToolSpec]:
        return [spec for spec in SPECS if only is None or spec.name in only]

    def fitted(self, provider: Provider, model: str, specs: Sequence[ToolSpec]) -> Provider | str:
        return self.unfit or provider

    async def run(self, calls: Sequence[ToolCallPart], turn: ToolRound) -> AsyncGenerator[ToolResultPart, None]:
        self.rounds.append(turn)
        self.called += calls
        for call in reversed(calls):  # as each ends, in whatever order
            try:
                if call.name == "wait":
                    await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.stopped.append(call.id)
                raise
            seconds = None if self.refuses else 0.5
            yield ToolResultPart(
                id=call.id,
                name=call.name,
                text=self.results.get(call.name, "?"),
                is_error=self.refuses,
                seconds=seconds,
            )


def call(*names: str, text: str = "", **more: Any) -> Reply:
    return Reply(text, tool_calls=[(name, "{}") for name in names], **more)


class Sitting:
    """A manager over a scripted provider and fake tools."""

    def __init__(self, *replies: Reply | str, tools: FakeTools | None = None, **calling: Any) -> None:
        provider = ProviderConfig(provider=LLMProvider.SCRIPTED, max_retries=0)
        config = LLMConfig(
            providers={"s": provider}, default_provider="s", function_calling=FunctionCallingConfig(**calling)
        )
        self.manager = LLMManager(config, store=ConversationManager.in_memory())
        self.provider = ScriptedProvider(provider, replies=list(replies))
        self.manager._providers["s"] = self.provider
        self.tools = tools or FakeTools()
        self.manager.tools = self.tools
        self.events: list[Event] = []

    async def ask(self, prompt: str = "2+2?", **more: Any) -> LLMResponse:
        generation = self.manager.generate_response(prompt, conversation_id="c", **more)
        self.events = [event async for event in generation.events()]
        assert generation.response is not None
        return generation.response

    async def kept(self) -> list[tuple[str, str, str]]:
        """(role, text or results, status) of every message."""
        out = []
        for message in await self.manager.store.messages("c"):
            results = [f"{part.name}={part.text}" for part in message.parts if isinstance(part, ToolResultPart)]
            out.append((message.role.value, message.content or " ".join(results), message.status))
        return out

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


async def test_a_call_is_run_and_its_result_goes_back() -> None:
    one = Sitting(call("add", text="Let me see."), "It is 4.")
    response = await one.ask()
    assert response.content == "Let me see.\n\nIt is 4."
    assert (response.status, response.finish_reason) == (Status.COMPLETE, FinishReason.STOP)
    assert [made.name for made in response.tool_calls] == ["add"]
    first, second = one.provider.requests
    assert [tool.name for tool in first.tools] == ["add", "wait"]
    assert [message.role for message in second.messages] == [MessageRole.USER, MessageRole.ASSISTANT, MessageRole.TOOL]
    assert isinstance(result := second.messages[-1].parts[0], ToolResultPart)
    assert (result.text, result.id) == ("4", second.messages[1].tool_calls[0].id)
    assert await one.kept() == [
        ("user", "2+2?", "complete"),
        ("assistant", "Let me see.", "complete"),
        ("tool", "add=4", "complete"),
        ("assistant", "It is 4.", "complete"),
    ]


async def test_the_events_come_in_their_order_and_the_chunks_make_the_content() -> None:
    one = Sitting(call("add", text="Let me see."), "It is 4.")
    response = await one.ask()
    kinds = [type(event) for event in one.events if not isinstance(event, ResponseChunk)]
    assert kinds[:4] == [ConversationCreated, ResponseStart, FunctionCalls, FunctionResult]
    assert kinds[4] is ResponseComplete
    assert [event.seq for event in one.events] == list(range(len(one.events)))
    assert "".join(event.delta for event in one.of(ResponseChunk)) == response.content
    (asked,), (result,) = one.of(FunctionCalls), one.of(FunctionResult)
    assert asked.calls == [{"id": result.call_id, "name": "add", "arguments": "{}"}]
    messages = await one.manager.store.messages("c")
    assert asked.message_id == messages[1].message_id
    assert response.metadata["message_id"] == messages[3].message_id


async def test_results_stand_in_the_order_of_the_calls_whatever_ended_first() -> None:
    tools = FakeTools(results={"add": "4", "sub": "0", "mul": "8"})
    one = Sitting(call("add", "sub", "mul"), "Done.", tools=tools)
    await one.ask()
    assert (await one.kept())[2][1] == "add=4 sub=0 mul=8"
    assert [event.name for event in one.of(FunctionResult)] == ["mul", "sub", "add"]


async def test_tokens_and_requests_of_all_rounds_are_counted() -> None:
    usage = TokenUsage(input_tokens=10, output_tokens=3)
    one = Sitting(call("add", usage=usage), Reply("4", usage=usage))
    response = await one.ask()
    assert (response.usage.input_tokens, response.usage.output_tokens) == (20, 6)
    assert one.manager.accounts.stats("s").request_count == 2
    assert one.manager.accounts.stats("s").total_tokens == 26
    steps = [message for message in await one.manager.store.messages("c") if message.role is MessageRole.ASSISTANT]
    assert [message.metadata["usage"]["input_tokens"] for message in steps] == [10, 10]


async def test_stopped_in_the_midst_of_a_call_it_keeps_a_result_that_says_so() -> None:
    one = Sitting(call("add", "wait", text="One moment."), "Never said.")
    generation = one.manager.generate_response("2+2?", conversation_id="c")
    async for event in generation.events():
        if isinstance(event, FunctionCalls):
            await asyncio.sleep(0)
            generation.cancel()
    response = await generation
    assert (response.status, response.content) == (Status.INTERRUPTED, "One moment.")
    assert len(one.tools.stopped) == 1
    kept = await one.kept()
    assert [row[0] for row in kept] == ["user", "assistant", "tool"]
    assert "interrupted" in kept[2][1]
    one.provider.replies = ["On we go."]
    one.provider.__post_init__()
    await one.ask("and now?")  # nothing is run again, and the vendor gets a result for every call
    assert len(one.tools.rounds) == 1
    sent = one.provider.requests[-1].messages
    asked = {made.id for message in sent for made in message.tool_calls}
    answered = {part.id for message in sent for part in message.parts if isinstance(part, ToolResultPart)}
    assert asked == answered


async def test_the_limit_of_calls_ends_in_an_answer_without_tools() -> None:
    one = Sitting(call("add"), call("add", "add"), "So it is 4.", max_function_calls_per_turn=3)
    response = await one.ask()
    assert response.content == "So it is 4."
    assert [request.tool_choice for request in one.provider.requests] == ["auto", "auto", "none"]
    assert [turn.left for turn in one.tools.rounds] == [3, 2]
    assert [made.name for made in one.tools.rounds[1].earlier] == ["add"]


async def test_a_model_that_cannot_stop_calling_is_an_error_with_a_hint_and_not_silence() -> None:
    one = Sitting(call("add"), max_function_calls_per_turn=2)
    response = await one.ask()
    assert response.status is Status.INCOMPLETE
    assert len(one.tools.rounds) == 2
    with pytest.raises(LLMIncompleteResponseError) as raised:
        await one.manager.generate_response("again?", conversation_id="c")
    assert "max_function_calls_per_turn" in (raised.value.hint or "")


async def test_rounds_in_which_nothing_runs_come_to_an_end() -> None:
    one = Sitting(*[call("add")] * 3, "I may not.", tools=FakeTools(refuses=True))
    response = await one.ask()
    assert response.content == "I may not."
    assert one.provider.requests[-1].tool_choice == "none"
    assert len(one.tools.rounds) == 3


async def test_without_auto_execute_the_calls_are_the_callers() -> None:
    one = Sitting(call("add"), "never", auto_execute=False)
    response = await one.ask()
    assert one.tools.rounds == []
    assert response.finish_reason is FinishReason.TOOL_CALLS
    assert [made.name for made in response.tool_calls] == ["add"]
    assert [event.calls[0]["name"] for event in one.of(FunctionCalls)] == ["add"]


@pytest.mark.parametrize("switch", ["enabled", "tool_integration_enabled"])
async def test_switched_off_no_tool_is_told_of(switch: str) -> None:
    one = Sitting("4")
    setattr(one.manager.config.function_calling, switch, False)
    await one.ask()
    assert one.provider.requests[0].tools == ()


async def test_only_the_tools_that_a_question_names_are_told_of() -> None:
    one = Sitting("4")
    await one.ask(tools=["add"])
    await one.ask(tools=())
    assert [[tool.name for tool in request.tools] for request in one.provider.requests] == [["add"], []]


async def test_a_model_that_cannot_use_tools_is_told_of() -> None:
    one = Sitting("4", tools=FakeTools(unfit="too small"))
    await one.ask()
    assert one.provider.requests[0].tools == ()
    assert [event.reason for event in one.of(ToolsUnavailable)] == ["too small"]


async def test_a_call_that_was_cut_at_the_length_limit_does_not_run() -> None:
    one = Sitting(call("add", finish_reason=FinishReason.LENGTH), "I will be brief.")
    response = await one.ask()
    assert one.tools.called == []
    assert response.content == "I will be brief."
    assert "cut" in (await one.kept())[2][1]


async def test_a_refusal_runs_nothing() -> None:
    one = Sitting(call("add", text="No.", finish_reason=FinishReason.REFUSAL))
    response = await one.ask()
    assert one.tools.called == []
    assert response.finish_reason is FinishReason.REFUSAL


async def test_a_failure_after_the_tools_keeps_what_was_done() -> None:
    one = Sitting(call("add", text="Let me see."), Reply(error=LLMOverloadedError("down")))
    response = await one.ask()
    assert (response.status, response.content) == (Status.ERROR, "Let me see.")
    assert [row[0] for row in await one.kept()] == ["user", "assistant", "tool"]
    assert one.manager.accounts.stats("s").error_count == 1


async def test_what_a_subclass_makes_of_the_answer_is_kept_in_its_last_step() -> None:
    class Loud(LLMManager):
        async def _process_response(self, response: LLMResponse) -> LLMResponse:
            response.content = response.content.upper()
            return response

    one = Sitting(call("add", text="Let me see."), "It is 4.")
    loud = Loud(one.manager.config, store=one.manager.store)
    loud._providers["s"], loud.tools = one.provider, one.tools
    response = await loud.generate_response("2+2?", conversation_id="c")
    assert response.content == "LET ME SEE.\n\nIT IS 4."
    assert (await one.kept())[-1][1] == response.content


async def test_a_defect_in_the_tools_leaves_a_conversation_that_goes_on() -> None:
    class Broken(FakeTools):
        async def run(self, calls: Sequence[ToolCallPart], turn: ToolRound) -> AsyncGenerator[ToolResultPart, None]:
            if self.results:
                raise RuntimeError("a defect")
            yield ToolResultPart(id="", name="", text="")

    one = Sitting(call("add"), "Fine.", tools=Broken())
    with pytest.raises(RuntimeError, match="a defect"):
        await one.manager.generate_response("2+2?", conversation_id="c")
    assert [row[0] for row in await one.kept()] == ["user", "assistant", "tool"]
    response = await one.manager.generate_response("and now?", conversation_id="c")
    assert response.content == "Fine."


class SlowStore(ConversationManager):
    """Tells when results are about to be kept, and takes its time."""

    saving: Callable[[], None] = staticmethod(lambda: None)

    async def append(self, conversation_id: str, message: Any, parent: str | None = None) -> None:
        if message.role is MessageRole.TOOL:
            self.saving()
            await asyncio.sleep(0.01)
        await super().append(conversation_id, message, parent)


async def test_results_that_are_being_kept_are_kept_whole_when_the_answer_is_stopped() -> None:
    one = Sitting(call("add"), "Never said.")
    store = SlowStore(MemoryShelf())
    one.manager.store = store
    generation = one.manager.generate_response("2+2?", conversation_id="c")
    store.saving = generation.cancel
    response = await generation
    assert response.status is Status.INTERRUPTED
    assert [row[:2] for row in await one.kept()][2:] == [("tool", "add=4")]
