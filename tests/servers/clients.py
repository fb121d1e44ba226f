"""The vendors' own SDKs aimed at a fake, with their retries off; imported by tests only, as the SDKs are slow to load.

Public API: `openai_client(fake)`, `anthropic_client(fake)` (close them: `async with`), `chat(client)` (one streamed
Chat Completions answer as a list of chunks), `chat_text(chunks)`, `get(fake, path)` (a plain GET).
"""

from collections.abc import Sequence

import anthropic
import httpx2
import openai

from tests.servers.http import FakeServer

__all__ = ["anthropic_client", "chat", "chat_text", "get", "openai_client"]


def openai_client(fake: FakeServer) -> openai.AsyncOpenAI:
    """The SDK's client for this fake."""
    return openai.AsyncOpenAI(base_url=fake.url + "/v1", api_key="unused", max_retries=0)


def anthropic_client(fake: FakeServer) -> anthropic.AsyncAnthropic:
    """The SDK's client for this fake."""
    return anthropic.AsyncAnthropic(base_url=fake.url, api_key="unused", max_retries=0)


async def chat(client: openai.AsyncOpenAI) -> list[openai.types.chat.ChatCompletionChunk]:
    """One streamed answer to "time?", with usage asked for."""
    stream = await client.chat.completions.create(
        model="fake-model",
        messages=[{"role": "user", "content": "time?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return [chunk async for chunk in stream]


def chat_text(chunks: Sequence[openai.types.chat.ChatCompletionChunk]) -> str:
    """The text of the chunks."""
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def get(fake: FakeServer, path: str = "/") -> httpx2.Response:
    """A plain GET, without keep-alive."""
    async with httpx2.AsyncClient() as client:
        return await client.get(fake.url + path)
