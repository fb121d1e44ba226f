"""`coda mcp serve`: the official SDK's client asks Coda over real pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp_types import TextContent, TextResourceContents

from coda_cli import paths
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.messages import LLMMessage, MessageRole


async def chats() -> None:
    store = ConversationManager()
    await store.create_conversation("first", title="About the sky")
    await store.append("first", LLMMessage(role=MessageRole.USER, content="why is it blue?"))
    await store.append("first", LLMMessage(role=MessageRole.ASSISTANT, content="Rayleigh scattering."))


@asynccontextmanager
async def served(*arguments: str) -> AsyncIterator[Client]:
    home = {name: os.environ[name] for name in ("CODA_HOME",)}
    command = ["-m", "coda_cli", "mcp", "serve", *arguments]
    async with Client(StdioServerParameters(command=sys.executable, args=command, env=home), mode="legacy") as client:
        yield client


async def given(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    structured = result.structured_content
    assert structured is not None
    return structured.get("result", structured)


async def test_another_program_lists_searches_and_reads_the_chats() -> None:
    await chats()
    async with served() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"list_chats", "search_chats", "read_chat"}  # and nothing that costs or changes anything
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools.values())
        (row,) = await given(client, "list_chats")
        assert (row["id"], row["title"], row["messages"]) == ("first", "About the sky", 2)
        (hit,) = await given(client, "search_chats", query="scattering")
        assert (hit["chat"], hit["role"]) == ("first", "assistant")
        assert "Rayleigh scattering." in await given(client, "read_chat", chat="first")
        (content,) = (await client.read_resource("coda://chats/first")).contents
        assert isinstance(content, TextResourceContents)
        assert content.mime_type == "text/markdown"
        assert "why is it blue?" in content.text


async def test_what_is_not_there_is_said_in_words() -> None:
    async with served() as client:
        assert await given(client, "list_chats") == []
        assert await given(client, "search_chats", query='"; DROP TABLE') == []
        missing = await client.call_tool("read_chat", {"chat": "../../etc/passwd"})
        assert missing.is_error
        assert isinstance(missing.content[0], TextContent)
        assert "no conversation" in missing.content[0].text
        with pytest.raises(MCPError):
            await client.read_resource("coda://chats/none")


async def test_asking_has_to_be_allowed_and_goes_on_in_a_chat() -> None:
    file = paths.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        'default_provider = "s"\n[providers.s]\ntype = "scripted"\nmodel = "m"\n'
        'extra_params = { replies = ["It is noon.", "Still noon."] }\n'
    )
    async with served("--allow-ask") as client:
        first = await given(client, "ask", prompt="what time is it?")
        assert first["text"] == "It is noon."
        assert first["model"] == "s/m"
        again = await given(client, "ask", prompt="and now?", conversation_id=first["conversation_id"])
        assert again["text"] == "Still noon."
        assert "and now?" in await given(client, "read_chat", chat=first["conversation_id"])
        wrong = await client.call_tool("ask", {"prompt": "x", "model": "openai/gpt-6"})
        assert wrong.is_error
    async with served() as client:
        refused = await client.call_tool("ask", {"prompt": "x"})
        assert refused.is_error
