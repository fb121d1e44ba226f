"""The options that `coda ask` and `coda chat` have in common, once: name, letter, help and completion."""

from __future__ import annotations

from typing import Annotated

import typer

from coda_cli.engine.core.tools import ApprovalMode


def complete_conversation(incomplete: str) -> list[str]:
    """Ids for the shell, from the index alone."""
    from coda_cli.engine.conversations.manager import personal_folder

    return personal_folder().with_prefix(incomplete, limit=50)


def complete_persona(incomplete: str) -> list[str]:
    """Names of personas for the shell."""
    from coda_cli.engine.personality.persona import persona_names

    return [name for name in persona_names() if name.startswith(incomplete)]


Continue = Annotated[bool, typer.Option("--continue", "-c", help="Go on with the latest conversation.")]
Cid = Annotated[
    str | None,
    typer.Option(
        "--cid",
        metavar="ID",
        help="Go on with this conversation (the beginning of its id will do).",
        autocompletion=complete_conversation,
    ),
]
Fork = Annotated[bool, typer.Option("--fork", help="With -c or --cid: go on in a copy.")]
System = Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="System prompt.")]
File = Annotated[
    list[str] | None,
    typer.Option("--file", "-f", metavar="PATH", help="Put a text file or a folder into the first message."),
]
Attach = Annotated[
    list[str] | None,
    typer.Option("--attach", "-a", metavar="PATH", help="Attach an image, PDF, wav or mp3 (- is stdin)."),
]
Tool = Annotated[
    list[str] | None,
    typer.Option(
        "--tool", "-T", metavar="NAME", help="A tool the model may call: a name, a category, name*, all or none."
    ),
]
Functions = Annotated[
    list[str] | None,
    typer.Option("--functions", metavar="FILE", help="Let the model call the functions of this Python file."),
]
Persona = Annotated[
    str | None,
    typer.Option(
        "--persona", metavar="NAME", help="Who answers (`coda personas list`).", autocompletion=complete_persona
    ),
]
Approval = Annotated[
    ApprovalMode | None,
    typer.Option("--approval-mode", help="What tools may do without a question."),
]
NoLog = Annotated[bool, typer.Option("--no-log", "-n", help="Leave no trace on disk.")]
Offline = Annotated[bool, typer.Option("--offline", help="Make no connection beyond this machine.")]
