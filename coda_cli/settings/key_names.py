"""The actions of `coda chat` by the names that `[keys]` in coda.toml knows, and what is wrong with such a table.

The names and default keys are those of the bindings on the screen. They stand here once more, and a test holds the two
to each other: the settings are read, and their slips told, without loading a screen.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

ACTIONS: Final[Mapping[str, str]] = {
    # anywhere in the chat
    "help": "f1",
    "palette": "ctrl+p",
    "chats": "ctrl+s,ctrl+l",
    "new": "ctrl+n",
    "find": "ctrl+f",
    "reasoning": "ctrl+t",
    "tools": "ctrl+o",
    "sidebar": "ctrl+b",
    "model": "f2",
    "copy": "ctrl+shift+c,super+c",
    "messages": "shift+tab,ctrl+up",
    "page_up": "pageup",
    "page_down": "pagedown",
    "end": "ctrl+end",
    "stop": "escape",
    "interrupt": "ctrl+c",
    "quit": "ctrl+d,ctrl+q",
    # in the prompt
    "send": "enter",
    "newline": "ctrl+j,shift+enter,alt+enter",
    "complete": "tab",
    "escape": "escape",
    "editor": "ctrl+g",
    "search_history": "ctrl+r",
    "expand_paste": "ctrl+o",
    "undo": "ctrl+z,super+z",
    "redo": "ctrl+y,ctrl+shift+z,super+y",
    # on the messages
    "message.next": "j,down",
    "message.previous": "k,up",
    "message.page_up": "pageup",
    "message.page_down": "pagedown,space",
    "message.first": "home,g",
    "message.last": "end,G",
    "message.unfold": "enter,o",
    "message.copy": "y",
    "message.copy_code": "c",
    "message.edit": "e",
    "message.retry": "r",
    "message.retry_with": "R",
    "message.fork": "f",
    "message.pin": "p",
    "message.hide": "d",
    "message.previous_version": "left_square_bracket",
    "message.next_version": "right_square_bracket",
    # in the sidebar
    "sidebar.up": "up,k",
    "sidebar.down": "down,j",
    "sidebar.first": "home,g",
    "sidebar.last": "end,G",
    "sidebar.page_up": "pageup",
    "sidebar.page_down": "pagedown",
    "sidebar.open": "enter",
    # while something is found
    "find.next": "n,enter,down",
    "find.previous": "N,shift+enter,up",
    "find.close": "escape",
    "find.type": "ctrl+f,slash",
    # on every screen over the chat
    "sheet.close": "escape",
    # where one of several is chosen
    "picker.take": "enter",
    "picker.up": "up,ctrl+p",
    "picker.down": "down,ctrl+n",
    "picker.page_up": "pageup",
    "picker.page_down": "pagedown",
    "picker.first": "home",
    "picker.last": "end",
    # in the list of models
    "models.ask": "ctrl+r",
    # in the list of chats
    "chats.open": "enter",
    "chats.rename": "ctrl+r",
    "chats.tag": "ctrl+t",
    "chats.pin": "ctrl+p",
    "chats.delete": "ctrl+d,delete",
    "chats.trash": "ctrl+x",
    "chats.fork": "ctrl+k",
    "chats.export": "ctrl+e",
    "chats.up": "up",
    "chats.down": "down",
    "chats.page_up": "pageup",
    "chats.page_down": "pagedown",
    "chats.first": "home",
    "chats.last": "end",
    # in a list that has the focus
    "list.up": "up,k",
    "list.down": "down,j",
    "list.page_up": "pageup",
    "list.page_down": "pagedown",
    "list.first": "home,g",
    "list.last": "end,G",
    "list.take": "enter",
    # in a text to read
    "text.up": "up,k",
    "text.down": "down,j",
    "text.page_up": "pageup,b",
    "text.page_down": "pagedown,space",
    "text.first": "home,g",
    "text.last": "end,G",
    # around a text to read
    "reader.close": "q",
    "reader.find": "ctrl+f,slash",
    "reader.next": "n",
    "reader.previous": "N",
    # in the tree
    "tree.take": "enter",
    "tree.fold": "space",
    "tree.fold_one": "left,h",
    "tree.unfold_one": "right,l",
    "tree.fold_all": "z",
    "tree.find": "slash,ctrl+f",
    "tree.next": "n",
    "tree.previous": "N",
    "tree.close": "q",
    # where a turn is inspected
    "inspect.1": "1",
    "inspect.2": "2",
    "inspect.3": "3",
    "inspect.4": "4",
    "inspect.next": "tab,right,l",
    "inspect.previous": "shift+tab,left,h",
    "inspect.find": "slash,ctrl+f",
    "inspect.next_hit": "n",
    "inspect.previous_hit": "N",
    "inspect.close": "q",
    # where answers are compared
    "compare.1": "1",
    "compare.2": "2",
    "compare.3": "3",
    "compare.4": "4",
    "compare.choose": "enter",
    "compare.next": "tab,right",
    "compare.previous": "shift+tab,left",
    # where a text is asked for
    "ask.take": "enter",
    # where yes or no is asked for
    "confirm.yes": "y",
    "confirm.no": "n",
    "confirm.left": "left,up",
    "confirm.right": "right,down",
    # where a tool waits for a word
    "approval.once": "y",
    "approval.chat": "c",
    "approval.always": "a",
    "approval.no": "n",
    "approval.reason": "r",
}
"""Every action's name and its keys, several with commas."""

_PROMPT: Final = frozenset(
    {"send", "newline", "complete", "escape", "editor", "search_history", "expand_paste", "undo", "redo"}
)
_MAIN: Final = frozenset({"prompt", "message", "sidebar"})
_OVER: Final = frozenset(
    {"picker", "models", "chats", "list", "text", "reader", "tree", "inspect", "compare", "ask", "confirm", "approval"}
)
_MEET: Final = (
    *(frozenset({"", place}) for place in _MAIN),
    *(frozenset({"sheet", place}) for place in _OVER),
    *(frozenset({"picker", place}) for place in ("models", "list")),
    *(frozenset({"text", place}) for place in ("reader", "inspect")),
)
"""Places whose keys are looked up together."""
_SPELT: Final[Mapping[str, str]] = {
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "/": "slash",
    "?": "question_mark",
    " ": "space",
    "esc": "escape",
    "return": "enter",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "del": "delete",
}


class Slip(NamedTuple):
    """What is wrong with the keys of one action, and the next step."""

    action: str
    message: str
    hint: str


def spelt(keys: str) -> str:
    """*keys* as Textual spells them: `Ctrl+F` is `ctrl+f`, `pgup` is `pageup`; `R` stays another key than `r`."""
    return ",".join(_spelt(key.strip()) for key in keys.split(","))


def _spelt(key: str) -> str:
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    if modifiers or len(last) > 1:
        last = last.lower()
    return "+".join([*(modifier.lower() for modifier in modifiers), _SPELT.get(last, last)])


def keys_in_force(own: Mapping[str, str]) -> dict[str, str]:
    """Every action's keys, with those that a person gave."""
    return {name: spelt(own.get(name, default)) for name, default in ACTIONS.items()}


def slips(own: Mapping[str, str]) -> Iterator[Slip]:
    """Names that are no action's, and keys that would do two things in one place."""
    force = keys_in_force(own)
    told: set[frozenset[str]] = set()
    for name, given in own.items():
        if name not in ACTIONS:
            yield Slip(name, "there is no such action", _meant(name))
            continue
        for other, keys in force.items():
            both = set(spelt(given).split(",")) & set(keys.split(","))
            pair = frozenset({name, other})
            if other != name and both and pair not in told and _meet(name, other) and not _meant_so(name, other):
                told.add(pair)
                key = min(both)
                yield Slip(name, f"{key} is also the key of {other}", f"choose another, or give {_quoted(other)} one")


def _meant(name: str) -> str:
    close = difflib.get_close_matches(name, ACTIONS, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else "docs/chat.md names them all, and so does F1 in `coda chat`"


def _quoted(name: str) -> str:
    return f'"{name}"' if "." in name else name


def _place(name: str) -> str:
    if name in _PROMPT:
        return "prompt"
    return name.partition(".")[0] if "." in name else ""


def _meet(one: str, other: str) -> bool:
    return frozenset({_place(one), _place(other)}) in _MEET or _place(one) == _place(other)


def _meant_so(one: str, other: str) -> bool:
    """Whether the two share a key anyway: the nearer one is asked first, and passes on what it has no use for."""
    return bool(set(ACTIONS[one].split(",")) & set(ACTIONS[other].split(",")))
