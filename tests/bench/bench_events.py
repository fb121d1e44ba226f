"""What events cost: microseconds a token, with no subscriber, with three that listen, and with three that never read.

    python -m tests.bench.bench_events [--tokens N] [--rounds N]

A scripted provider says N tokens; the same engine, store and process for all rows, the rows in turn in each round. The
last column is what the row costs over the first one.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from typing import Final

from coda_cli import ConversationManager, LLMConfig, LLMManager, LLMProvider, ProviderConfig, ScriptedProvider
from coda_cli.engine.bus import Subscription

ROWS: Final = ("no subscriber", "three that read", "three that read and encode", "three that never read")


async def _drain(subscription: Subscription, *, encode: bool) -> int:
    size = 0
    async for event in subscription:
        if encode:
            size += len(str(event.to_json()))
    return size


async def once(row: str, tokens: int) -> float:
    """Microseconds a token of one answer."""
    config = LLMConfig(providers={"s": ProviderConfig(provider=LLMProvider.SCRIPTED)}, default_provider="s")
    async with LLMManager(config, store=ConversationManager.in_memory()) as manager:
        manager._providers["s"] = ScriptedProvider(replies=[" ".join(["word"] * tokens)])
        subscriptions = [manager.subscribe() for _ in range(0 if row == ROWS[0] else 3)]
        reading = row in ROWS[1:3]
        readers = [
            asyncio.create_task(_drain(one, encode=row == ROWS[2])) for one in (subscriptions if reading else ())
        ]
        begun = time.process_time()
        await manager.generate_response("go")
        for subscription in subscriptions:
            subscription.close()
        await asyncio.gather(*readers)
        return 1e6 * (time.process_time() - begun) / tokens


async def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    took: dict[str, list[float]] = {row: [] for row in ROWS}
    for _ in range(asked.rounds):
        for row in ROWS:
            took[row].append(await once(row, asked.tokens))
    base = statistics.median(took[ROWS[0]])
    print(f"{asked.tokens:,} tokens, {asked.rounds} rounds, medians of CPU time")
    for row in ROWS:
        median = statistics.median(took[row])
        print(f"{row:<28}{median:8.1f} us a token{median - base:+8.1f}")


if __name__ == "__main__":
    asyncio.run(main())
