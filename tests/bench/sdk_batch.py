"""The baseline: many prompts over the bare openai SDK. Usage: sdk_batch.py MODEL PROMPTS OUTPUT CONCURRENCY [stream].

A gather over all lines behind a semaphore, the answers written when all are there: what one writes in ten minutes.
"""

import asyncio
import json
import sys
from pathlib import Path

from openai import AsyncOpenAI


async def main(model: str, prompts: str, output: str, concurrency: int, *, stream: bool) -> None:
    """Ask every line."""
    client = AsyncOpenAI()
    gate = asyncio.Semaphore(concurrency)

    async def whole(prompt: str) -> str:
        answer = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}])
        return answer.choices[0].message.content or ""

    async def streamed(prompt: str) -> str:
        answer = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": prompt}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in answer if chunk.choices])

    async def one(prompt: str) -> str:
        async with gate:
            text = await (streamed(prompt) if stream else whole(prompt))
        return json.dumps({"prompt": prompt, "text": text})

    lines = await asyncio.gather(*(one(line) for line in Path(prompts).read_text().splitlines()))  # noqa: ASYNC240
    Path(output).write_text("\n".join(lines) + "\n")  # noqa: ASYNC240


model, prompts, output, concurrency, *more = sys.argv[1:]
asyncio.run(main(model, prompts, output, int(concurrency), stream="stream" in more))
