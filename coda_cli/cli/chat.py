"""`coda chat`: the chat on the whole screen, or line by line."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from coda_cli.cli.options import (
    Approval,
    Attach,
    Cid,
    Continue,
    File,
    Fork,
    Functions,
    NoLog,
    Offline,
    Persona,
    System,
    Tool,
)
from coda_cli.settings.model_cache import complete_model

EPILOG: Final = """\
Examples:

  coda chat

  coda chat -m anthropic "let us plan a garden"

  coda chat -c

  coda chat -r

  make 2>&1 | coda chat "what went wrong?"

Inside, /help lists the commands and F1 the keys.
"""


def _complete_theme(incomplete: str) -> list[str]:
    from coda_cli.tui.themes import names

    return [name for name in names() if name.startswith(incomplete)]


def chat(
    prompt: Annotated[list[str] | None, typer.Argument(help="The first message; stdin comes before it.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="provider/model, a provider, a model or an alias.",
            autocompletion=complete_model,
        ),
    ] = None,
    continue_: Continue = False,
    pick: Annotated[bool, typer.Option("--resume", "-r", help="Choose a conversation to go on with.")] = False,
    cid: Cid = None,
    fork: Fork = False,
    system: System = None,
    persona: Persona = None,
    file: File = None,
    attach: Attach = None,
    tool: Tool = None,
    functions: Functions = None,
    approval_mode: Approval = None,
    no_log: NoLog = False,
    plain: Annotated[bool, typer.Option("--plain", help="Line by line, nothing drawn or redrawn.")] = False,
    inline: Annotated[bool, typer.Option("--inline", help="Draw below the prompt of the shell.")] = False,
    theme: Annotated[
        str | None,
        typer.Option("--theme", metavar="NAME", help="The theme, this time.", autocompletion=_complete_theme),
    ] = None,
    offline: Offline = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Let a page and programs on this machine watch the chat.")
    ] = False,
) -> None:
    """Chat with a model, on the whole screen or line by line (--plain)."""
    from coda_cli.cli.chat_run import run
    from coda_cli.cli.chat_start import Started

    started = Started(
        words=prompt or [],
        model=model,
        latest=continue_,
        pick=pick,
        cid=cid,
        fork=fork,
        system=system,
        persona=persona,
        files=file or [],
        attachments=attach or [],
        tools=tool or [],
        functions=functions or [],
        approval=approval_mode,
        log=not no_log,
        plain=plain,
        inline=inline,
        theme=theme,
        offline=offline or None,
        serve=serve,
    )
    raise typer.Exit(run(started))
