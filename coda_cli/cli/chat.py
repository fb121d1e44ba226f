"""`coda chat`: the chat on the whole screen, or line by line."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from coda_cli.cli.ask import complete_conversation
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
    continue_: Annotated[bool, typer.Option("--continue", "-c", help="Go on with the latest conversation.")] = False,
    pick: Annotated[bool, typer.Option("--resume", "-r", help="Choose a conversation to go on with.")] = False,
    cid: Annotated[
        str | None,
        typer.Option(
            "--cid",
            metavar="ID",
            help="Go on with this conversation (the beginning of its id will do).",
            autocompletion=complete_conversation,
        ),
    ] = None,
    fork: Annotated[bool, typer.Option("--fork", help="With -c or --cid: go on in a copy.")] = False,
    system: Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="System prompt.")] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", metavar="PATH", help="Put a text file or a folder into the first message."),
    ] = None,
    attach: Annotated[
        list[str] | None,
        typer.Option("--attach", "-a", metavar="PATH", help="Attach an image, PDF, wav or mp3 (- is stdin)."),
    ] = None,
    no_log: Annotated[bool, typer.Option("--no-log", "-n", help="Leave no trace on disk.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Line by line, nothing drawn or redrawn.")] = False,
    inline: Annotated[bool, typer.Option("--inline", help="Draw below the prompt of the shell.")] = False,
    theme: Annotated[
        str | None,
        typer.Option("--theme", metavar="NAME", help="The theme, this time.", autocompletion=_complete_theme),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Make no connection beyond this machine.")] = False,
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
        files=file or [],
        attachments=attach or [],
        log=not no_log,
        plain=plain,
        inline=inline,
        theme=theme,
        offline=offline or None,
    )
    raise typer.Exit(run(started))
