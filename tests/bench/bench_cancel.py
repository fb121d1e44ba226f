"""Times how long an answer takes to stop: from `cancel()` to the end of `await generation`, in every state.

    python -m tests.bench.bench_cancel [--runs 20] [--no-local]

The vendors are fake servers in a thread of their own; the llama.cpp engine answers with the real built-in model (see
`tests.weights`). Each cell is the median and the maximum in milliseconds. Nothing here is asserted: these are figures,
not tests (`tests/unit/test_cancel_states.py` has those).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.events import Event, ReasoningChunk, ResponseChunk, RetryScheduled
from coda_cli.engine.core.usage import Status
from coda_cli.engine.generation import Generation
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.local import llama_server
from tests.servers.errors import error_reply
from tests.servers.reply import Gate, Reply
from tests.servers.script import Say, Script, Think, say
from tests.servers.threaded import SilentPort, ThreadedServer
from tests.servers.vendors import FakeVendor
from tests.servers.wire import stream_reply
from tests.unit.wire_cases import TARGETS, Target
from tests.weights import smollm2_path

SETTLE: Final = 0.03  # seconds for the engine to come to rest in the state that was reached
LONG: Final = 5_000  # words of a prompt that takes seconds to read

Reached = Callable[[Generation], Awaitable[None]]


def until(kind: type[Event]) -> Reached:
    """Wait for the first event of this kind."""

    async def reached(generation: Generation) -> None:
        async for event in generation.events():
            if isinstance(event, kind):
                return
        try:
            told: object = (await generation).status
        except LLMError as error:
            told = error
        raise SystemExit(f"the answer ended before {kind.__name__}: {told}")

    return reached


def after(seconds: float) -> Reached:
    """Wait so long."""

    async def reached(_: Generation) -> None:
        await asyncio.sleep(seconds)

    return reached


async def stopped(generation: Generation, reached: Reached) -> float:
    """Seconds that *generation* took to stop in the state that *reached* waits for."""
    waiter = asyncio.ensure_future(_whole(generation))
    await reached(generation)
    await asyncio.sleep(SETTLE)
    started = time.perf_counter()
    generation.cancel()
    status = await waiter
    seconds = time.perf_counter() - started
    if status is not Status.INTERRUPTED:
        raise SystemExit(f"the answer ended as {status} before it was cancelled")
    return seconds


async def _whole(generation: Generation) -> Status:
    return (await generation).status


def held(target: Target, script: Script, wanted: bytes) -> Reply:
    """The script as a stream that stops for good after the event that holds *wanted*."""
    pieces = target.format.stream(script)
    at = next(number for number, piece in enumerate(pieces) if wanted in piece)
    return Reply(headers={"content-type": target.format.content_type}, body=[*pieces[: at + 1], Gate()])


STATES: Final = ("connecting", "headers", "reasoning", "text", "full speed", "retry wait")


def reply_for(state: str, target: Target) -> Reply:
    """What the fake says to bring an answer into *state*."""
    match state:
        case "headers":
            return Reply(no_headers=True, end="hang")
        case "reasoning":
            return held(target, [Think("pondered"), Think("more"), Say("never")], b"pondered")
        case "text":
            return held(target, [Say("spoken"), Say("never")], b"spoken")
        case "full speed":
            return stream_reply(target.wire, say("one more word " * 20_000))
        case _:
            return error_reply(target.vendor, "rate_limited", retry_after="30")


REACHED: Final[dict[str, Reached]] = {
    "connecting": after(0.1),
    "reasoning": until(ReasoningChunk),
    "text": until(ResponseChunk),
    "full speed": until(ResponseChunk),
    "retry wait": until(RetryScheduled),
}


async def vendor(target: Target, runs: int) -> list[list[float]]:
    """The times of one wire format over one transport, by state."""
    out = []
    with ThreadedServer(FakeVendor(target.vendor)) as fake, SilentPort() as silent:
        for state in STATES:
            url = silent.url if state == "connecting" else fake.url
            config = LLMConfig(providers={"p": target.config(url, max_retries=3)}, default_provider="p")
            times = []
            async with LLMManager(config) as manager:
                for number in range(runs + 1):  # the first is not counted: it loads the transport
                    if state != "connecting":
                        fake.server.queue(reply_for(state, target))
                    before = len(fake.server.requests)

                    async def asked(_: Generation, count: int = before + 1) -> None:
                        await asyncio.to_thread(fake.wait_for_requests, count)

                    generation = manager.generate_response("hi")
                    seconds = await stopped(generation, REACHED.get(state, asked) if number else after(1.0))
                    times += [seconds] * (number > 0)
            out.append(times)
    return out


async def local(runs: int) -> dict[str, list[float]]:
    """The times of the llama.cpp engine with the real model, by state."""
    provider = ProviderConfig(provider=LLMProvider.LOCAL, model=str(smollm2_path()))
    words = ["the", "harbour", "is", "quiet", "at", "night", "and", "light", "settles", "over", "it"]
    text = " ".join(words * (LONG // len(words)))
    states: dict[str, tuple[Callable[[int], str], Reached]] = {
        "loading": (str, after(0.05)),
        "reading the prompt": (lambda number: f"{number} {text}", after(0.5)),
        "text": (lambda number: f"Count from {number} to 1000.", until(ResponseChunk)),
    }
    out: dict[str, list[float]] = {name: [] for name in states}
    async with LLMManager(LLMConfig(providers={"p": provider}, default_provider="p")) as manager:
        for name, (prompt, reached) in states.items():
            for number in range(runs):
                if name == "loading":
                    await asyncio.to_thread(llama_server.close_all)
                elif not number:
                    await manager.generate_response("hi", max_tokens=1)  # loads it
                out[name].append(await stopped(manager.generate_response(prompt(number)), reached))
    await asyncio.to_thread(llama_server.close_all)
    return out


def cell(times: Sequence[float]) -> str:
    """Median and maximum, in milliseconds."""
    return f"{statistics.median(times) * 1000:.1f} / {max(times) * 1000:.1f}"


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--no-local", action="store_true", help="leave out the llama.cpp engine")
    asked = parser.parse_args()
    print(f"{'ms, median / max':24}" + "".join(f"{state:>16}" for state in STATES))
    for target in TARGETS:
        cells = [cell(times) for times in await vendor(target, asked.runs)]
        print(f"{target.id:24}" + "".join(f"{text:>16}" for text in cells))
        sys.stdout.flush()
    if not asked.no_local:
        for name, times in (await local(asked.runs)).items():
            print(f"{'llama.cpp, ' + name:32}{cell(times):>16}")


if __name__ == "__main__":
    asyncio.run(main())
