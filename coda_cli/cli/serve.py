"""`coda serve`: this installation's models and their events for programs and for a page, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coda_cli.cli.loop import run_async
from coda_cli.cli.output import put, put_json, say
from coda_cli.engine.core.errors import UsageError

if TYPE_CHECKING:
    from coda_cli.bootstrap import Wired
    from coda_cli.server.app import CodaWebSocketServer
    from coda_cli.server.desk import NameModel

EPILOG: Final = """\
Examples:

  coda serve --allow-ask

  coda serve --allow-ask --port 8765 --token-file ~/.config/coda/server-token

  curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8765/v1/models

docs/server.md tells what is spoken at which address. `coda chat --serve` shows a chat of yours.
"""


def serve(
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="The port; 0 is a free one.")] = 0,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="The address to listen at.")] = "127.0.0.1",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let --host be one that other machines can reach.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="Answer to this name in the Host header, too (name:port)."),
    ] = None,
    allow_ask: Annotated[
        bool, typer.Option("--allow-ask", help="Let clients ask your models, at your cost: needed for /v1.")
    ] = False,
    allow_cancel: Annotated[bool, typer.Option("--allow-cancel", help="Let clients stop answers.")] = False,
    allow_approve: Annotated[
        bool, typer.Option("--allow-approve", help="Let models use tools, and clients say yes to them.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep what is asked over /v1 as chats.")] = False,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Keep the token in FILE from one start to the next."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Serve events, a page to watch them and an endpoint like OpenAI's, until Ctrl-C."""
    from coda_cli.server import handed
    from coda_cli.server.app import CodaWebSocketServer

    server = CodaWebSocketServer(
        host,
        port,
        token=handed.kept_token(token_file.expanduser()) if token_file is not None else None,
        allow_remote=allow_remote,
        allowed_hosts=allow_host or (),
        allow_ask=allow_ask,
        allow_cancel=allow_cancel,
        allow_approve=allow_approve,
        keep=keep,
    )
    from coda_cli.bootstrap import wire
    from coda_cli.settings.load import load_settings

    settings = load_settings()
    wired = wire(settings, only=None if allow_ask else (), tools=allow_approve)
    run_async(_serve(wired, server, json=json))


async def _serve(wired: Wired, server: CodaWebSocketServer, *, json: bool) -> None:
    from coda_cli.server.integration import CodaWebSocketIntegration

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    integration = CodaWebSocketIntegration(server, name_model=_named(wired))
    async with wired.manager:
        await integration.start(wired.manager)
        try:
            _tell(server, json=json)
            await ended.wait()
        finally:
            await integration.stop()


def _named(wired: Wired) -> NameModel:
    """What a model's name means, as after `-m`."""
    from coda_cli.settings.model_cache import cached_models
    from coda_cli.settings.model_spec import check_prefix, parse_spec

    def named(model: str) -> tuple[str | None, str | None]:
        spec = parse_spec(model, wired.settings, cached_models())
        check_prefix(spec, wired.settings)
        if spec.provider is None and spec.model is not None and wired.settings.default_provider is None:
            raise UsageError(f"there is no model {model!r}", hint="name it as provider/model")
        return spec.provider, spec.model

    return named


def _tell(server: CodaWebSocketServer, *, json: bool) -> None:
    """Where it is. The token is for the eyes of a person at a terminal; programs read it from the file."""
    from coda_cli.server import handed

    if json:
        allowed = server.allowed.names()
        put_json({"url": server.url, "token_file": str(handed.file()), "pid": os.getpid(), "allowed": allowed})
    else:
        put(server.page if sys.stdout.isatty() else server.url)
    sys.stdout.flush()
    if server.allowed.ask:
        say(f"programs that speak to OpenAI: base_url {server.url}/v1, the token in {handed.file()} as the key")
    else:
        say("nobody can ask anything here: --allow-ask lets them, and `coda chat --serve` shows a chat of yours")
    if sys.stderr.isatty():
        say("Ctrl-C ends it")
