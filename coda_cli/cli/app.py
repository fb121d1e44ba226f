"""The command tree. Every subcommand is a module that is imported when it is called, not before."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_command_from_info
from typer.models import CommandInfo

from coda_cli.cli.folding import fold_options
from coda_cli.cli.guard import guarded
from coda_cli.cli.output import flush_all, lenient_streams, stdin_is_readable, write_failed
from coda_cli.engine.core.errors import UsageError


class _Lazy(NamedTuple):
    module: str
    attribute: str
    help: str


_COMMANDS: Final = {
    "chat": _Lazy("coda_cli.cli.chat", "chat", "Chat, on the whole screen or line by line. The default."),
    "ask": _Lazy("coda_cli.cli.ask", "ask", "Ask once: a prompt, a pipe, files, images."),
    "batch": _Lazy("coda_cli.cli.batch", "app", "Many prompts on one model, a few at a time."),
    "compare": _Lazy("coda_cli.cli.compare", "compare", "The same prompts for several models, side by side."),
    "history": _Lazy("coda_cli.cli.history", "app", "Conversations: list, search, read, export, back up."),
    "usage": _Lazy("coda_cli.cli.usage", "usage", "What was asked, what it cost, how fast it was."),
    "providers": _Lazy("coda_cli.cli.providers", "app", "What answers, what does not, and why."),
    "models": _Lazy("coda_cli.cli.models", "app", "Models on this machine: list, pull, remove."),
    "tools": _Lazy("coda_cli.cli.tools", "app", "What models may call, and what needs your word."),
    "trust": _Lazy("coda_cli.cli.trust", "app", "Whether this folder's own settings and tools count."),
    "serve": _Lazy("coda_cli.cli.serve", "serve", "Events, a page and an endpoint like OpenAI's for programs."),
    "mcp": _Lazy("coda_cli.cli.mcp_serve", "app", "Be an MCP server: your chats for other programs."),
    "personas": _Lazy("coda_cli.cli.personas", "app", "Who answers: list, show, make your own."),
    "prompt": _Lazy("coda_cli.cli.prompt", "app", "What a model is told, and making a prompt better."),
    "memory": _Lazy("coda_cli.cli.memory", "app", "What is remembered: list, search, add, forget."),
    "templates": _Lazy("coda_cli.cli.templates", "app", "Prompts to use again, with variables."),
    "finetune": _Lazy("coda_cli.cli.finetune", "app", "Training files from chats, and fine-tuning jobs."),
    "config": _Lazy("coda_cli.cli.config", "app", "Show, check and edit the settings; set keys."),
    "events": _Lazy("coda_cli.cli.events", "app", "What programs can watch: the types of events, their schema."),
    "cache": _Lazy("coda_cli.cli.cache", "app", "Answers that were kept: how many, and clearing them."),
    "doctor": _Lazy("coda_cli.cli.doctor", "doctor", "What is wrong here, and how to mend it."),
}
_EXAMPLES: Final = """\
Examples:

  coda

  coda ask "why is the sky blue?"

  git diff | coda ask "review this"

  coda ask -m anthropic/claude-sonnet-5-5 -a chart.png "what does it show?"

  coda history search "the answer I remember"

  coda providers status
"""


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are run; its help is made from the table alone."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the table's order."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself, or nothing for an unknown name."""
        lazy = _COMMANDS.get(cmd_name)
        if lazy is None:
            return None
        module = import_module(lazy.module)
        target = getattr(module, lazy.attribute)
        if isinstance(target, typer.Typer):
            command = get_command(target)
        else:
            info = CommandInfo(name=cmd_name, callback=target, epilog=getattr(module, "EPILOG", None), cls=TyperCommand)
            command = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a closed pipe ends it as in every program of a shell, where Typer would say 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise typer.Exit(write_failed(error)) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command; for anything else a hint, since a question is most likely meant for `ask`."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            close = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f"did you mean `coda {close[0]}`?" if close else "a question goes behind `coda ask`"
            raise UsageError(f"there is no command {args[0]!r}", hint=f"{hint}; `coda --help` lists all commands")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table of commands, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in _COMMANDS.items()])


app = typer.Typer(
    cls=LazyGroup,
    name="coda",
    help="Every language model, in the terminal.",
    epilog=_EXAMPLES,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=False)
def _root(
    version: bool = typer.Option(False, "--version", "-V", help="Print the version.", is_eager=True),
) -> None:
    if version:
        from coda_cli import __version__

        print(f"coda {__version__}")
        raise typer.Exit


def run(arguments: list[str]) -> int:
    """Run `coda ARGUMENTS`; returns the exit code. Whatever a person can cause ends in a message, not a traceback."""
    lenient_streams()
    return flush_all(_run(arguments))


def _run(arguments: list[str]) -> int:
    if arguments[:1] != ["history"]:  # its -o is a file
        arguments = fold_options(arguments)
    if not arguments and stdin_is_readable():
        arguments = ["ask"]
    return guarded(lambda: app(arguments, prog_name="coda", standalone_mode=True))
