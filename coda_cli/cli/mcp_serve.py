"""`coda mcp serve`: the chats of this installation, and with `--allow-ask` its models, for other programs.

An MCP server over standard input and output, which carry the protocol alone. What it reads are the chats; no tool of
Coda runs for another program.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from coda_cli.cli.loop import run_async
from coda_cli.engine.core.errors import LLMError, UsageError

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from coda_cli.bootstrap import Wired

app = typer.Typer(
    help="Be an MCP server: your chats for other programs.",
    epilog="Example: coda mcp serve --allow-ask",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
_ABOUT: Final = "The chats that a person has with language models in Coda: search them, list them, read them."
_MOST: Final = 100


@app.callback()
def _mcp() -> None:
    """Be an MCP server: your chats for other programs."""


@app.command(epilog="Example: coda mcp serve --allow-ask")
def serve(
    allow_ask: Annotated[
        bool, typer.Option("--allow-ask", help="Let the other program ask your models, at your cost.")
    ] = False,
) -> None:
    """Serve over standard input and output until they are closed."""
    if find_spec("mcp") is None:
        raise UsageError("this needs the extra `mcp`", hint="pip install 'coda-cli[mcp]'")
    from coda_cli.bootstrap import wire
    from coda_cli.settings.load import load_settings

    settings = load_settings()
    wired = wire(settings, only=None if allow_ask else (), tools=False)
    run_async(_serve(wired, allow_ask))


async def _serve(wired: Wired, allow_ask: bool) -> None:
    async with wired.manager:
        await server_of(wired, allow_ask=allow_ask).run_stdio_async()


def server_of(wired: Wired, *, allow_ask: bool = False) -> MCPServer[Any]:
    """The server, whatever carries it."""
    import logging

    from mcp.server import MCPServer

    from coda_cli import __version__

    server: MCPServer[Any] = MCPServer("coda", instructions=_ABOUT, version=__version__, log_level="ERROR")
    logging.getLogger("mcp").setLevel(logging.ERROR)
    _add_chats(server, wired)
    if allow_ask:
        _add_ask(server, wired)
    return server


def _add_chats(server: MCPServer[Any], wired: Wired) -> None:
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp_types import ToolAnnotations

    from coda_cli.cli.history_common import iso, row_json
    from coda_cli.engine.core.errors import CodaError

    chats = wired.conversations
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)

    async def markdown(chat: str) -> str:
        from coda_cli.engine.conversations.export import export_markdown

        try:
            return export_markdown(await chats.open(await chats.find(chat)))
        except CodaError as error:
            raise ToolError(error.message) from error

    @server.tool(annotations=reads)
    async def list_chats(limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
        """List the latest chats: id, title, times, number of messages, model."""
        rows = await chats.list_conversations(limit=min(max(limit, 1), _MOST), offset=max(offset, 0))
        return [{key: value for key, value in row_json(row).items() if key not in ("file", "size")} for row in rows]

    @server.tool(annotations=reads)
    async def search_chats(query: str, limit: int = 20) -> list[dict[str, Any]]:
        """Search all that was said in the chats; the best hits first, each with its chat and a snippet."""
        hits = await chats.search(query, limit=min(max(limit, 1), _MOST))
        return [
            {
                "chat": hit.conversation.id,
                "title": hit.conversation.title,
                "message": hit.message_id,
                "role": hit.role,
                "time": iso(hit.time),
                "snippet": "".join(char for char in hit.snippet if char.isprintable() or char == "\n"),
            }
            for hit in hits
        ]

    @server.tool(annotations=reads)
    async def read_chat(chat: str) -> str:
        """Read a chat as Markdown, by its id or the beginning of it."""
        return await markdown(chat)

    @server.resource("coda://chats/{chat}", mime_type="text/markdown", description="A chat as Markdown.")
    async def chat_as_markdown(chat: str) -> str:
        """A chat as Markdown."""
        return await markdown(chat)


def _add_ask(server: MCPServer[Any], wired: Wired) -> None:
    from mcp.server.mcpserver.exceptions import ToolError

    from coda_cli.engine.core.errors import CodaError
    from coda_cli.settings.model_cache import cached_models
    from coda_cli.settings.model_spec import check_prefix, parse_spec

    @server.tool()
    async def ask(prompt: str, model: str | None = None, conversation_id: str | None = None) -> dict[str, Any]:
        """Ask a language model. `model` is provider/model or an alias; with `conversation_id` the chat goes on."""
        try:
            spec = parse_spec(model, wired.settings, cached_models())
            check_prefix(spec, wired.settings)
            chat = await wired.conversations.find(conversation_id) if conversation_id else None
            response = await wired.manager.generate_response(
                prompt, provider=spec.provider, model=spec.model, conversation_id=chat, tools=()
            )
        except (LLMError, CodaError) as error:
            raise ToolError(error.message) from error
        return {
            "text": response.content,
            "conversation_id": response.conversation_id,
            "model": f"{response.provider}/{response.model}",
            "status": response.status.value,
        }
