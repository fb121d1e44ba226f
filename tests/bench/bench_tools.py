"""What tools cost a turn in which none is called: `python -m tests.bench.bench_tools`.

One turn of a scripted model, without tools (the baseline) and with the built-in ones and a hundred more, alternately in
the same process; medians in milliseconds, and how many tokens the tools take of the request.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from coda_cli import (
    ConversationManager,
    LLMConfig,
    LLMManager,
    LLMProvider,
    ProviderConfig,
    ScriptedProvider,
    ToolManager,
)
from coda_cli.engine.core.config import FunctionCallingConfig
from coda_cli.engine.core.ports import ProviderRequest

ROUNDS = 300


def manager(tools: ToolManager | None) -> LLMManager:
    """A manager whose model answers at once."""
    config = LLMConfig(providers={"s": ProviderConfig(provider=LLMProvider.SCRIPTED)}, default_provider="s")
    made = LLMManager(config, store=ConversationManager.in_memory())
    made._providers["s"] = ScriptedProvider(replies=["Fine."])
    made.tools = tools
    return made


def with_more(count: int) -> ToolManager:
    """The built-in tools and *count* more."""
    tools = ToolManager()
    for number in range(count):

        def more(text: str, times: int = 1) -> str:
            """One of many tools, with a line or two about what it is good for.

            Args:
                text: what it works on
                times: how often
            """
            return text * times

        more.__name__ = f"more_{number:03}"
        tools.register(more)
    return tools


async def turn(asked: LLMManager) -> float:
    """Seconds of one answer in a conversation of its own."""
    started = time.perf_counter()
    await asked.generate_response("hello")
    return time.perf_counter() - started


def tokens(asked: LLMManager) -> int:
    """What the tools take of a request (an estimate)."""
    if asked.tools is None:
        return 0
    counter = asked.tokens.counter("s", "scripted")
    specs = asked.tools.specs(FunctionCallingConfig())
    empty = counter.request(ProviderRequest(model="scripted", messages=()))
    return counter.request(ProviderRequest(model="scripted", messages=(), tools=specs)) - empty


async def main() -> None:
    """Measure and print."""
    kinds: Sequence[tuple[str, LLMManager]] = [
        ("no tools", manager(None)),
        ("built-in", manager(ToolManager())),
        ("and 100 more", manager(with_more(100))),
    ]
    for _, asked in kinds:
        await turn(asked)
    times: dict[str, list[float]] = {name: [] for name, _ in kinds}
    for _ in range(ROUNDS):
        for name, asked in kinds:
            times[name].append(await turn(asked))
    base = statistics.median(times["no tools"])
    print(f"{'tools':<14} {'ms a turn':>10} {'more than none':>15} {'tokens':>8}")
    for name, asked in kinds:
        median = statistics.median(times[name])
        print(f"{name:<14} {1000 * median:>10.2f} {1000 * (median - base):>15.2f} {tokens(asked):>8,}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        import os

        os.environ["CODA_HOME"] = folder
        os.chdir(Path(folder))
        asyncio.run(main())
