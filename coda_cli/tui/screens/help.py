"""Help, made from the keys that really are bound and the commands that really exist. A few letters find one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.keys import format_key
from textual.widget import Widget

from coda_cli.chat.commands import commands
from coda_cli.tui.screens.picker import Grouped, PickerBase
from coda_cli.tui.screens.runs import Row, Run, lit, one_line

if TYPE_CHECKING:
    from coda_cli.tui.app import CodaApp

_KEYS: Final = (24, 33)
"""Columns of the keys and commands: where there are few columns, and where there are enough."""
_NAMES: Final[Mapping[str, str]] = {
    "escape": "Esc",
    "enter": "Enter",
    "tab": "Tab",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "delete": "Del",
    "space": "Space",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "slash": "/",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "ctrl": "Ctrl",
    "shift": "Shift",
    "alt": "Alt",
    "super": "Super",
}


@dataclass(frozen=True, slots=True)
class HelpEntry(Grouped):
    """A key or a command (`label`), what it does (`detail`). `line` is what Enter runs, "" for nothing."""

    line: str = ""


class Help(PickerBase[None]):
    """Keys and commands by group. Enter on a command closes the help and runs it, where it needs no arguments."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1", "close", "Close", show=False)]

    def __init__(
        self, entries: Sequence[HelpEntry], run: Callable[[str], None] | None = None, *, query: str = ""
    ) -> None:
        super().__init__("Help", entries, query=query, placeholder="find a key or a command", click_takes=False)
        self._entries = entries
        self._run = run

    @classmethod
    def of(cls, app: CodaApp) -> Help:
        """The help of the chat as it is set up."""
        from coda_cli.tui.prompt import Prompt
        from coda_cli.tui.screens.chats import Chats
        from coda_cli.tui.transcript.view import Transcript

        keys = app.session.settings.keys
        sources: list[tuple[str, type[Widget | CodaApp]]] = [
            ("Anywhere", type(app)),
            ("In the prompt", Prompt),
            ("On the messages", Transcript),
            ("In the list of chats", Chats),
        ]
        entries = [entry for group, source in sources for entry in keys_of(group, source.BINDINGS, keys)]
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
        name = (binding.id or "").rsplit(".", 1)[-1]
        shown = ", ".join(key_name(key.strip()) for key in own.get(name, binding.key).split(","))
        yield HelpEntry(shown, binding.description, binding.description, group)


def command_entries() -> Iterator[HelpEntry]:
    """The slash commands of the screen."""
    for command in commands("tui"):
        also = f" (also {', '.join('/' + alias for alias in command.aliases)})" if command.aliases else ""
        usage = f"/{command.name} {command.arguments}".rstrip()
        needs = bool(command.arguments) and not command.arguments.startswith("[")
        search = f"{command.help} {' '.join(command.aliases)}"
        yield HelpEntry(usage, command.help + also, search, command.group, "" if needs else f"/{command.name}")


def key_name(key: str) -> str:
    """A key as a person reads it: `Ctrl+T`, `Esc`, `R`."""
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    name = _NAMES.get(last) or (last.upper() if len(last) > 1 and last[0] == "f" and last[1:].isdigit() else None)
    if name is None:
        name = last.upper() if modifiers and len(last) == 1 else last if len(last) == 1 else format_key(last)
    return "+".join([*(_NAMES.get(modifier, modifier.title()) for modifier in modifiers), name])
