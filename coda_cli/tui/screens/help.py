"""Help, made from the keys that really are bound and the commands that really exist. A few letters find one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType

from coda_cli.chat.commands import commands
from coda_cli.settings.key_names import spelt
from coda_cli.tui.key_words import keys_name
from coda_cli.tui.screens.picker import Grouped, PickerBase
from coda_cli.tui.screens.runs import Row, Run, lit, one_line

if TYPE_CHECKING:
    from coda_cli.tui.app import CodaApp

_KEYS: Final = (24, 33)
"""Columns of the keys and commands: where there are few columns, and where there are enough."""


class HelpEntry(Grouped, frozen=True):
    """A key or a command (`label`), what it does (`detail`). `line` is what Enter runs, "" for nothing."""

    line: str = ""


class Help(PickerBase[None]):
    """Keys and commands by group. Enter on a command closes the help and runs it, where it needs no arguments."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1", "close", "Close", show=False, id="help")]

    def __init__(
        self, entries: Sequence[HelpEntry], run: Callable[[str], None] | None = None, *, query: str = ""
    ) -> None:
        super().__init__("Help", entries, query=query, placeholder="find a key or a command", click_takes=False)
        self._entries = entries
        self._run = run

    @classmethod
    def of(cls, app: CodaApp) -> Help:
        """The help of the chat as it is set up."""
        entries = [entry for group, bound in places() for entry in keys_of(group, bound, app.own_keys)]
        return cls([*entries, *command_entries()], app.action_command)

    def row_of(self, index: int) -> Row:
        """The key or command, then what it does."""
        entry = self.options[index]
        label = one_line(entry.label)
        typed = bool(self.typed.strip())
        first: list[Run] = lit(label, self._matcher.places(label), "accent") if typed else [(label, "accent")]
        does = one_line(entry.detail)
        second = lit(does, self._matcher.places(does)) if typed else [(does, "")]
        return Row([*first, (" " * max(2, _KEYS[not self.has_class("-narrow")] - len(label)), ""), *second])

    def picked(self, index: int, action: str) -> None:
        """Run the command."""
        entry = self._entries[index]
        if entry.line and self._run is not None:
            self.dismiss(None)
            self._run(entry.line)


def keys_of(group: str, bindings: Iterable[BindingType], own: Mapping[str, str]) -> Iterator[HelpEntry]:
    """The bindings with a description; *own* maps an action's name to the keys that a person gave it."""
    for binding in bindings:
        if not isinstance(binding, Binding) or not binding.description:
            continue
        name = action_name(binding)
        yield HelpEntry(
            keys_name(spelt(own.get(name, binding.key))), does(binding), f"{binding.description} {name}", group
        )


def does(binding: Binding) -> str:
    """What it does, as a line of its own."""
    return binding.description[:1].upper() + binding.description[1:]


def action_name(binding: Binding) -> str:
    """What `[keys]` calls it."""
    return (binding.id or "").removeprefix("prompt.")


def places() -> Iterator[tuple[str, Iterable[BindingType]]]:
    """Every place where keys mean something of their own, and its bindings."""
    from coda_cli.tui.app import CodaApp
    from coda_cli.tui.prompt import Prompt
    from coda_cli.tui.screens.approval import ApprovalSheet
    from coda_cli.tui.screens.ask_text import AskText
    from coda_cli.tui.screens.chats import Chats
    from coda_cli.tui.screens.compare import Compare
    from coda_cli.tui.screens.confirm import Confirm
    from coda_cli.tui.screens.find_bar import FindBar
    from coda_cli.tui.screens.inspect import Inspect
    from coda_cli.tui.screens.models import Models
    from coda_cli.tui.screens.reader import Reader
    from coda_cli.tui.screens.rows import RowList
    from coda_cli.tui.screens.sheet import Sheet
    from coda_cli.tui.screens.text_view import TextView
    from coda_cli.tui.screens.tree import Tree
    from coda_cli.tui.sidebar import Sidebar
    from coda_cli.tui.transcript.view import Transcript

    yield "Anywhere", CodaApp.BINDINGS
    yield "In the prompt", Prompt.BINDINGS
    yield "On the messages", Transcript.BINDINGS
    yield "In the sidebar", Sidebar.__dict__["BINDINGS"]
    yield "While finding", FindBar.BINDINGS
    yield "On every screen over the chat", Sheet.__dict__["BINDINGS"]
    yield "In the list of chats", Chats.__dict__["BINDINGS"]
    yield "In a list to choose from", PickerBase.__dict__["BINDINGS"]
    yield "In the list of models", Models.__dict__["BINDINGS"]
    yield "In a list that has the focus", RowList.__dict__["BINDINGS"]
    yield "In the tree", Tree.__dict__["BINDINGS"]
    yield "Comparing answers", Compare.__dict__["BINDINGS"]
    yield "Inspecting a turn", Inspect.__dict__["BINDINGS"]
    yield "In a text to read", [*Reader.__dict__["BINDINGS"], *TextView.__dict__["BINDINGS"]]
    yield "Where a tool waits for your word", ApprovalSheet.__dict__["BINDINGS"]
    yield "Where something is asked", [*AskText.__dict__["BINDINGS"], *Confirm.__dict__["BINDINGS"]]


def command_entries() -> Iterator[HelpEntry]:
    """The slash commands of the screen."""
    for command in commands("tui"):
        also = f" (also {', '.join('/' + alias for alias in command.aliases)})" if command.aliases else ""
        usage = f"/{command.name} {command.arguments}".rstrip()
        needs = bool(command.arguments) and not command.arguments.startswith("[")
        search = f"{command.help} {' '.join(command.aliases)}"
        yield HelpEntry(usage, command.help + also, search, command.group, "" if needs else f"/{command.name}")
