"""A walk through the blocks of the user's document, in order, in one namespace, against stand-ins for the vendors.

    tour = asyncio.run(walk())      with the *_BASE_URL of the environment set by `walk` itself
    tour.steps[9].printed, .value, .names, .asked["openai"], .error

What the document leaves to the reader is done here and nowhere else: where a block makes a new `config`, `llm_manager`
is made anew from it with the tools, memory and persona it had; the custom provider is given a `ProviderConfig`; and
what a stand-in is to answer is said before a block.
"""

from __future__ import annotations

import ast
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession

from coda_cli import LLMConfig, LLMError, LLMManager, LLMProvider, ProviderConfig
from tests.seed_blocks import Block, assigned, blocks, run_block
from tests.servers.errors import error_reply
from tests.servers.http import Recorded
from tests.servers.reply import Reply
from tests.servers.script import Call, Stop, Used, say
from tests.servers.vendors import FakeVendor
from tests.weights import smollm2_path

# The blocks by what they show.
(BASIC, STREAMING, SEVERAL, OPENAI, ANTHROPIC, OLLAMA, LOCAL, CONVERSATIONS, TOOLS, TOOLS_USED, MEMORY) = range(11)
(PERSONALITY, WEBSOCKET, PROMPTS, CONFIGURATION, ANALYTICS, STATUS, ERRORS, CACHE, CUSTOM, PROCESSED) = range(11, 21)
VENDORS: Final = ("openai", "anthropic", "ollama")


@dataclass
class Step:
    """What running one block did. `runs` has what it printed each time, where it ran several times."""

    block: Block
    printed: str = ""
    value: Any = None
    error: BaseException | None = None
    names: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, list[Recorded]] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        """A name of the namespace as it was after the block. Raises what the block failed with."""
        if self.error is not None:
            raise self.error
        return self.names[name]

    def messages(self, number: int = -1, vendor: str = "openai") -> list[dict[str, Any]]:
        """The messages of a request of this block."""
        if self.error is not None:
            raise self.error
        sent: Any = self.asked[vendor][number].data["messages"]
        return list(sent)

    def system(self, number: int = -1) -> str:
        """The system prompt of a request of this block to OpenAI."""
        return "\n".join(str(one["content"]) for one in self.messages(number) if one["role"] in ("system", "developer"))


class Tour:
    """The blocks as they run; `steps` has one for each that has run."""

    def __init__(self, fakes: dict[str, FakeVendor]) -> None:
        self.fakes = fakes
        self.openai = fakes["openai"]
        self.names: dict[str, Any] = {}
        self.steps: list[Step] = []
        self.parts: dict[str, Any] = {}
        self._made: list[LLMManager] = []
        self._before: dict[int, Callable[[], None]] = {
            STREAMING: lambda: self.openai.queue([*say("Once upon a time there was a pipe."), Used(3, 9)]),
            TOOLS_USED: self._two_calls,
        }
        self._after: dict[int, Callable[[Step], Awaitable[None]]] = {
            OLLAMA: self._ask_ollama,
            LOCAL: self._ask_this_machine,
            MEMORY: self._memory_file,
            PERSONALITY: self._another_mood,
            WEBSOCKET: self._events_of_the_socket,
            ERRORS: self._each_error,
            CUSTOM: self._ask_custom,
        }

    async def run(self, block: Block) -> None:
        """Run one block, and keep what it did."""
        step = Step(block)
        self.steps.append(step)
        if before := self._before.get(block.number):
            before()
        sent = {name: len(fake.asked) for name, fake in self.fakes.items()}
        if block.number == CUSTOM:
            self.names["config"] = ProviderConfig(provider=LLMProvider.CUSTOM, model="mine")
        try:
            step.printed, step.value = await run_block(block, self.names, self._statement_done)
            if after := self._after.get(block.number):
                await after(step)
        except Exception as error:  # told by the test of this block: the later ones run all the same
            step.error = error
        step.asked = {name: list(fake.asked[sent[name] :]) for name, fake in self.fakes.items()}
        step.names = dict(self.names)

    async def _statement_done(self, statement: ast.stmt, names: dict[str, Any]) -> None:
        for part in ("tool_manager", "memory_manager", "personality_manager"):
            if assigned(statement) == part:
                self.parts[part] = names[part]
        if assigned(statement) == "llm_manager":
            self._made.append(names["llm_manager"])
        if assigned(statement) == "config" and "llm_manager" in names:
            await self._rebuild()

    async def _rebuild(self) -> None:
        made = LLMManager(self.names["config"])
        self._made.append(made)
        for part, value in self.parts.items():
            await getattr(made, f"set_{part}")(value)
        self.names["llm_manager"] = made

    async def close(self) -> None:
        """Close every manager that a block or the walk has made."""
        for manager in reversed(self._made):
            await manager.aclose()

    # ---- what belongs to one block ----------------------------------------------------------------------------

    def _two_calls(self) -> None:
        calls = [Call("call_1", "get_time", ["{}"]), Call("call_2", "calculator", ['{"expression": ', '"2+2"}'])]
        self.openai.queue([*calls, Stop("tool_calls"), Used(20, 10)], [*say("It is noon, and 4."), Used(40, 6)])

    async def _ask_ollama(self, step: Step) -> None:
        step.value.api_base = self.fakes["ollama"].url
        manager = LLMManager(self.names["config"].model_copy(update={"providers": {"ollama": step.value}}))
        step.found["answer"] = await manager.generate_response("Hello", provider="ollama")
        await manager.aclose()

    async def _ask_this_machine(self, step: Step) -> None:
        """The model as printed, which is not here, and the one that comes along."""
        here = step.value.model_copy(update={"model": str(smollm2_path()), "extra_params": {}})
        config = LLMConfig(providers={"printed": step.value, "here": here}, offline=True)
        async with LLMManager(config) as manager:
            question = "What is the capital of France?"
            step.found["answer"] = await manager.generate_response(question, provider="here", max_tokens=24)
            try:
                await manager.generate_response(question, provider="printed")
            except LLMError as error:
                step.found["as printed"] = error

    async def _memory_file(self, step: Step) -> None:
        step.found["file"] = self.names["memory_manager"].file.read_text("utf-8")

    async def _another_mood(self, step: Step) -> None:
        """The same question after a word about the answers: the state has changed, and with it what is told."""
        manager = self.names["llm_manager"]
        await manager.generate_response("That was much too long. Keep it short from now on, please.")
        await manager.generate_response("How are you feeling?")
        step.found["state"] = self.names["personality_manager"].state()

    async def _events_of_the_socket(self, step: Step) -> None:
        """What a program that connects now is told of the answer that has been given: all of it, from the first."""
        server = self.names["server"]
        step.found["url"] = server.url
        events: list[dict[str, Any]] = []
        token = {"Authorization": f"Bearer {server.token}"}
        async with ClientSession(headers=token) as session, session.ws_connect(f"{server.url}/events") as socket:
            await socket.send_json({"type": "subscribe", "after": 0})
            while not events or events[-1]["type"] != "response_complete":
                frame = await socket.receive_json(timeout=30)
                events += [frame] if "id" in frame else []
        step.found["events"] = events

    async def _each_error(self, step: Step) -> None:
        """The block again, with each of the failures that it names."""
        step.runs.append(step.printed)
        provider = self.names["config"].providers["openai"]
        provider.max_retries = 0
        failures = [
            error_reply("openai", "unauthorized"),
            error_reply("openai", "rate_limited", retry_after="7"),
            Reply(body=[b": nothing comes\n\n"], end="hang"),
            error_reply("openai", "server_error"),
        ]
        for failure in failures:
            provider.timeout = 0.3 if failure.end == "hang" else 60
            self.openai.queue(failure)
            printed, _ = await run_block(step.block, self.names)
            step.runs.append(printed)
        provider.timeout, provider.max_retries = 120.0, 3

    async def _ask_custom(self, step: Step) -> None:
        manager = self.names["llm_manager"]
        step.found["providers"] = await manager.list_providers()
        made: Any = self.names["CustomProvider"]

        class Filled(made):  # type: ignore[misc]  # a class of the document, known only when it has run
            async def _make_request(self, messages: list[Any], **kwargs: Any) -> str:
                return str(messages[-1].content).upper()

            def _parse_response(self, response: str) -> str:
                return response

        manager._providers["filled"] = Filled(ProviderConfig(provider=LLMProvider.CUSTOM, model="mine"))
        step.found["answer"] = await manager.generate_response("hello", provider="filled")
        try:
            await manager.generate_response("hello", provider="custom")
        except Exception as error:
            step.found["as printed"] = error


async def walk(home: Path, patch: pytest.MonkeyPatch) -> Tour:
    """Run all blocks with *home* as the person's folders and stand-ins for the vendors' addresses."""
    patch.setenv("CODA_HOME", str(home))
    async with AsyncExitStack() as stack:
        fakes: dict[str, FakeVendor] = {}
        for vendor in VENDORS:
            fakes[vendor] = await stack.enter_async_context(FakeVendor(vendor))
        fakes["ollama"].catalog = []
        patch.setenv("OPENAI_BASE_URL", f"{fakes['openai'].url}/v1")
        patch.setenv("ANTHROPIC_BASE_URL", fakes["anthropic"].url)
        patch.setenv("OLLAMA_HOST", fakes["ollama"].url)
        tour = Tour(fakes)
        for block in blocks():
            await tour.run(block)
        await tour.close()
        return tour
