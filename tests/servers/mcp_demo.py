"""An MCP server made with the official SDK: `python mcp_demo.py` speaks over its pipes, `... http PORT` over HTTP."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Image
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

server = MCPServer("demo", instructions="A demonstration.")


class Sum(BaseModel):
    """A sum."""

    total: int


class Name(BaseModel):
    """Who is asked."""

    name: str


@server.tool()
def add(a: int, b: int) -> Sum:
    """Adds two numbers."""
    return Sum(total=a + b)


@server.tool()
def environment(name: str) -> str:
    """The value of an environment variable."""
    return os.environ.get(name, "not set")


@server.tool()
def folder() -> str:
    """The folder that this runs in."""
    return str(Path.cwd())


@server.tool()
def fail() -> str:
    """Fails."""
    raise ToolError("no luck today")


@server.tool()
def picture() -> Image:
    """A picture."""
    return Image(data=b"\x89PNG not really", format="png")


@server.tool()
async def slow(context: Context, started: str, seconds: float) -> str:
    """Takes its time, and writes into the file *started* what becomes of it."""
    await context.report_progress(1, 2, "half way")
    file = anyio.Path(started)
    await file.write_text("started")
    try:
        await anyio.sleep(seconds)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await file.write_text("cancelled")
        raise
    return "done"


@server.tool()
async def curious(context: Context) -> str:
    """Asks the person back."""
    answer = await context.elicit("Who are you?", Name)
    return f"hello {answer}"


@server.resource("demo://notes", description="Some notes.")
def notes() -> str:
    """Some notes."""
    return "milk, bread"


@server.prompt()
def greet(name: str) -> str:
    """Greets somebody."""
    return f"Greet {name} warmly."


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run()
