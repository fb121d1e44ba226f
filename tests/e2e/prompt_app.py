"""A small app around the prompt, to be run in a terminal: what it sends is written to the file named on its line."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from textual.app import App, ComposeResult
from textual.widgets import Static

from coda_cli.chat.completion import CommandCompleter, Completers
from coda_cli.chat.front import Completion
from coda_cli.chat.fuzzy import best
from coda_cli.chat.path_complete import PathCompleter
from coda_cli.tui import terminal_input
from coda_cli.tui.prompt import Prompt

_COMMANDS = ("/help", "/helpful", "/model", "/quit")


def _commands(text: str) -> Sequence[Completion]:
    found = best(text[1:], _COMMANDS, lambda name: name, 8) if " " not in text else []
    return [Completion(name, len(text), name) for name in found]


class PromptApp(App[None]):
    """A transcript that says what came, and the prompt under it."""

    CSS = "#transcript { height: 1fr; }"

    def __init__(self, out: Path) -> None:
        super().__init__()
        self._out = out

    def compose(self) -> ComposeResult:
        yield Static("", id="transcript", markup=False)
        yield Prompt(
            completer=Completers(CommandCompleter(_commands), PathCompleter(Path())), placeholder="Ask anything"
        )

    def on_mount(self) -> None:
        self.query_one(Prompt).focus()

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        with self._out.open("a") as file:
            file.write(json.dumps({"text": event.text, "typed": event.typed}) + "\n")
        self.query_one("#transcript", Static).update(f"sent {len(event.text)}")

    def on_prompt_escaped(self) -> None:
        self.query_one("#transcript", Static).update("escaped")


if __name__ == "__main__":
    terminal_input.install()
    PromptApp(Path(sys.argv[1])).run()
