"""`python -m coda_cli.demo`: everything that the library does, in a few seconds, with no key and no network.

The answers are scripted, but for the small model of this machine, where it has been fetched. All that is written goes
to a temporary folder. Each step is a few lines of code that a program could hold as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec import Struct

from coda_cli import (
    ConversationManager,
    FunctionCalls,
    FunctionResult,
    LLMAuthenticationError,
    LLMBudgetError,
    LLMConfig,
    LLMError,
    LLMManager,
    LLMOverloadedError,
    LLMProvider,
    LLMRateLimitError,
    LLMTimeoutError,
    MemoryManager,
    MemoryUpdate,
    PersonalityManager,
    PromptEnhancer,
    ProviderConfig,
    ProviderRequest,
    Reply,
    ResponseComplete,
    RetryScheduled,
    ScriptedProvider,
    ToolManager,
    ToolResultPart,
)
from coda_cli.engine.conversations.info import HIT_END, HIT_START

_SAYS: Final[dict[str, Reply]] = {
    "Hello, how can you help me?": Reply("I answer, remember, use tools, and say what all of it costs."),
    "Tell me about artificial intelligence": Reply("It is the study of programs that do what took a mind before."),
    "Tell me a story": Reply("Once upon a time there was a pipe, and everything flowed through it.", delay=0.02),
    "Explain quantum computing": Reply("Amplitudes add up, and what is wrong cancels out."),
    "What time is it and what's 2+2?": Reply(
        tool_calls=[("get_time", "{}"), ("calculator", '{"expression": "2+2"}')],
    ),
    "Remember that I prefer detailed explanations": Reply("I have noted that."),
    "What is AI?": Reply("Programs that do what took a mind before."),
    "no key": Reply(error=LLMAuthenticationError("the vendor does not accept the key", hint="set another one")),
    "too often": Reply(error=LLMRateLimitError("too many requests", retry_after=0.1)),
    "too late": Reply(error=LLMTimeoutError("no answer within 2 seconds")),
    "broken": Reply(error=LLMOverloadedError("the vendor has a problem (HTTP 503)")),
}


@dataclass
class Actor(ScriptedProvider):
    """A provider that knows its lines by the question; after a tool it says what the tools found."""

    config: ProviderConfig = field(
        default_factory=lambda: ProviderConfig(provider=LLMProvider.SCRIPTED, model="actor", max_retries=1)
    )

    def next_reply(self, request: ProviderRequest) -> Reply:
        """The line for the latest message."""
        last = request.messages[-1]
        if results := [part.text for part in last.parts if isinstance(part, ToolResultPart)]:
            return Reply(f"It is {', and '.join(results)}.")
        return _SAYS.get(last.content, Reply(f"You said: {last.content}"))


class Stage(Struct):
    """What the steps share: a manager with two scripted providers, and the model of this machine where it is here."""

    manager: LLMManager
    actor: Actor
    folder: Path
    weights: Path | None


def stage(folder: Path, weights: Path | None) -> Stage:
    """A new stage, with *folder* as the place of the tools."""
    actor, understudy = Actor(), Actor()
    config = LLMConfig(
        providers={
            "actor": actor.config,
            "understudy": understudy.config,
            **({"local": ProviderConfig(provider=LLMProvider.LOCAL, model=str(weights))} if weights else {}),
        },
        default_provider="actor",
    )
    manager = LLMManager(config)
    for name, provider in (("actor", actor), ("understudy", understudy)):
        manager._providers[name] = provider  # noqa: SLF001 - the documented way to put in a provider of one's own
    return Stage(manager, actor, folder, weights)


# ---- the steps ------------------------------------------------------------------------------------------------------


async def providers(on: Stage) -> None:
    """Whoever is configured, and whether they answer."""
    for name in await on.manager.list_providers():
        status = await on.manager.get_provider_status(name)
        say(f"{name}: {'✅' if status['available'] else '❌'}  model {Path(status['model']).name}")


async def answer(on: Stage) -> None:
    """An answer, with what is known about it."""
    response = await on.manager.generate_response("Hello, how can you help me?")
    say(f"Response: {response.content}")
    usage = response.usage
    say(f"from {response.provider}, {usage.input_tokens} tokens in, {usage.output_tokens} out, {response.status}")


async def streaming(on: Stage) -> None:
    """Each piece as it comes."""
    async for chunk in on.manager.generate_response("Tell me a story", stream=True):
        print(chunk.delta, end="", flush=True)
    print()


async def conversation(on: Stage) -> None:
    """It goes on, also with another provider, and is kept in a file."""
    first = await on.manager.generate_response("Hello, how can you help me?")
    await on.manager.continue_conversation(first.conversation_id, "Tell me about artificial intelligence")
    last = await on.manager.continue_conversation(
        first.conversation_id, "Explain quantum computing", provider="understudy"
    )
    conversations = ConversationManager()
    for message in await conversations.get_conversation_context(last.conversation_id, max_tokens=4000):
        say(f"{message.role.value:>9}: {message.content}")
    (found, *_) = await conversations.search("quantum")
    say(f'a search for "quantum" finds: {found.snippet.replace(HIT_START, "").replace(HIT_END, "")}')


async def tools(on: Stage) -> None:
    """The model asks for two of them, and answers with what they found."""
    await on.manager.set_tool_manager(ToolManager(folder=on.folder))
    async for event in on.manager.generate_response("What time is it and what's 2+2?").events():
        match event:
            case FunctionCalls():
                for call in event.calls:
                    say(f"calls {call['name']} {call['arguments']}")
            case FunctionResult():
                say(f"{event.name} gives {event.text}")
            case ResponseComplete():
                say(event.content)
            case _:
                pass
    await on.manager.set_tool_manager(None)


async def memory(on: Stage) -> None:
    """What is asked to be remembered is kept, told, and used in later conversations."""
    await on.manager.set_memory_manager(MemoryManager())
    async for event in on.manager.generate_response("Remember that I prefer detailed explanations").events():
        if isinstance(event, MemoryUpdate):
            say(f"{event.changes[0]['action']}: {event.changes[0]['text']}")
    await on.manager.generate_response("What is AI?")
    say("a later conversation begins with:")
    say(_system(on), "    ")


async def persona(on: Stage) -> None:
    """Who answers, and how that follows what a person says of the answers."""
    await on.manager.set_memory_manager(None)
    await on.manager.set_personality_manager(PersonalityManager("terse-engineer"))
    await on.manager.generate_response("What is AI?")
    say(_system(on), "    ")
    await on.manager.generate_response("Please be more formal")
    await on.manager.generate_response("What is AI?")
    say('and after "Please be more formal":')
    say(_system(on), "    ")
    await on.manager.set_personality_manager(None)


async def prompts(on: Stage) -> None:
    """A prompt, enhanced with what is known of the person."""
    enhancer = PromptEnhancer()
    say(
        await enhancer.enhance_system_prompt(
            "You are a helpful assistant", context={"user_preferences": ["detailed", "technical"]}
        ),
        "    ",
    )


async def events(on: Stage) -> None:
    """Everything is told as it happens, to this program and to any number of others over a WebSocket."""
    from coda_cli import CodaWebSocketIntegration, CodaWebSocketServer, WebSocketLLMManager

    server = CodaWebSocketServer()
    manager = WebSocketLLMManager(on.manager.config)
    manager._providers["actor"] = on.actor  # noqa: SLF001 - as above
    async with manager:
        await manager.set_websocket_integration(CodaWebSocketIntegration(server))
        try:
            subscription = manager.subscribe()
            await manager.generate_response("What is AI?")
            subscription.close()
            say(f"broadcast at {server.url}:")
            say(" ".join([event.type async for event in subscription]))
        finally:
            await server.stop()


async def analytics(on: Stage) -> None:
    """What was asked, and what it took."""
    found = await on.manager.get_analytics()
    say(f"Total conversations: {found['conversations']['total_conversations']}")
    say(f"Total tokens: {found['conversations']['total_tokens']}")
    say(f"Total cost: ${found['conversations']['total_cost']:.4f}")
    for name, stats in found["providers"].items():
        say(f"{name}: {stats['request_count']} requests, {stats['total_tokens']} tokens")


async def caching(on: Stage) -> None:
    """The very same is asked only once."""
    on.manager.config.enable_caching = True
    for _ in range(2):
        before = len(on.actor.requests)
        response = await on.manager.generate_response("What is AI?")
        say(f"{response.content}  ({'asked' if len(on.actor.requests) > before else 'from the cache'})")
    on.manager.config.enable_caching = False


async def errors(on: Stage) -> None:
    """Each has a name, says what failed, and what to do; what may help is tried again, and told."""
    for prompt in ("no key", "too often", "too late", "broken"):
        generation = on.manager.generate_response(prompt)
        async for event in generation.events():
            if isinstance(event, RetryScheduled):
                say(f"attempt {event.attempt} failed, the next one in {event.wait:.1f} s")
        try:
            await generation
        except LLMAuthenticationError as error:
            say(f"Invalid API key ({error.hint})")
        except LLMRateLimitError as error:
            say(f"Rate limited, retry after {error.retry_after} seconds")
        except LLMTimeoutError:
            say("Request timed out")
        except LLMError as error:
            say(f"LLM error: {error}")


async def budgets(on: Stage) -> None:
    """A limit refuses before anything is sent."""
    on.manager.config.budget.request.tokens = 1
    try:
        await on.manager.generate_response("Tell me a story")
    except LLMBudgetError as error:
        say(f"refused: {error}")
    on.manager.config.budget.request.tokens = None


async def local(on: Stage) -> None:
    """A model on this machine."""
    if on.weights is None:
        say("not here yet: `coda models pull smollm2` fetches a small one (93 MB), once")
        return
    response = await on.manager.generate_response("What is the capital of France?", provider="local", max_tokens=24)
    say(f"{on.weights.name} says: {response.content}")


STEPS: Final[tuple[Callable[[Stage], Awaitable[None]], ...]] = (
    providers,
    answer,
    streaming,
    conversation,
    tools,
    memory,
    persona,
    prompts,
    events,
    analytics,
    caching,
    errors,
    budgets,
    local,
)


# ---- around them ----------------------------------------------------------------------------------------------------


def say(text: str, indent: str = "  ") -> None:
    """*text*, indented, as a terminal may see it."""
    from coda_cli.engine.rendering.sanitize import sanitize

    print("\n".join(f"{indent}{line}".rstrip() for line in sanitize(text).splitlines()))


def _system(on: Stage) -> str:
    """The system prompt of the latest request."""
    return "\n".join(m.content for m in on.actor.requests[-1].messages if m.role.value == "system")


async def play(steps: list[str], folder: Path, weights: Path | None) -> None:
    """Run the steps named *steps* (none: all), in order."""
    on = stage(folder, weights)
    async with on.manager:
        for number, step in enumerate(STEPS, 1):
            if not steps or step.__name__ in steps:
                title = " ".join((step.__doc__ or "").split())
                print(f"\n{number}. {step.__name__}: {title[0].lower()}{title[1:].rstrip('.')}\n")
                await step(on)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    names = [step.__name__ for step in STEPS]
    parser = argparse.ArgumentParser(
        prog="python -m coda_cli.demo",
        description="Everything that Coda's library does, with no key, no network and nothing left behind.",
        epilog="Example: python -m coda_cli.demo tools memory",
    )
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"only these: {', '.join(names)}")
    parser.add_argument("--no-local", action="store_true", help="leave out the model of this machine")
    given = parser.parse_args(arguments)
    if unknown := [step for step in given.steps if step not in names]:
        parser.error(f"there is no step {unknown[0]!r}; choose from {', '.join(names)}")
    weights = None if given.no_local else _weights()
    kept = os.environ.get("CODA_HOME")
    with tempfile.TemporaryDirectory(prefix="coda-demo-") as folder:
        os.environ["CODA_HOME"] = folder
        try:
            asyncio.run(play(given.steps, Path(folder), weights))
        finally:
            os.environ.pop("CODA_HOME")
            if kept is not None:
                os.environ["CODA_HOME"] = kept
    print(f"\n{len(given.steps or names)} steps; nothing was sent anywhere, and nothing is left on the disk.")
    return 0


def _weights() -> Path | None:
    """The small model's file, where the person has it; only its size is looked at."""
    from coda_cli.engine.providers.local.weights import DEFAULT, default_path

    path = default_path()
    return path if path.is_file() and path.stat().st_size == DEFAULT.size else None


if __name__ == "__main__":
    sys.exit(main())
