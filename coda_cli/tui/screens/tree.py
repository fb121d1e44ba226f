"""The whole conversation as a tree: every branch, where it leaves the others, and which one is the active one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from msgspec import Struct
from textual import on
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.widget import Widget
from textual.widgets import Input

from coda_cli.chat.file_blocks import split_files
from coda_cli.chat.words import ago, counted
from coda_cli.engine.conversations.tree import Conversation, Node
from coda_cli.engine.core.messages import MessageRole
from coda_cli.tui.screens.chats_source import now
from coda_cli.tui.screens.picker import FilterInput
from coda_cli.tui.screens.rows import RowList
from coda_cli.tui.screens.runs import Row, Run, lit, one_line
from coda_cli.tui.screens.sheet import Sheet

_SAID: Final = 200
"""Characters of a message that a row may need."""
_LANES: Final = 30
"""Columns of the tree's lines: what parts still further to the left is not drawn."""
_WHO: Final = {
    MessageRole.USER: "you",
    MessageRole.ASSISTANT: "answer",
    MessageRole.TOOL: "tool",
    MessageRole.SYSTEM: "system",
}


class Line(Struct, frozen=True):
    """One message in the tree. `lanes` are the branches that pass by at its left, `parts`: branches begin below it."""

    id: str
    lanes: str
    parts: int
    hidden_below: int = 0


class Tree(Sheet[str | None]):
    """Gives back the id of the message whose branch is to be the active one. Space folds what is below a message."""

    DEFAULT_CSS = """
    Tree {
        FilterInput { display: none; }
        FilterInput.-shown { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "switch there", key_display="enter", id="tree.take", priority=True),
        Binding("space", "fold", "fold", id="tree.fold"),
        Binding("left,h", "fold(True)", "Fold", show=False, id="tree.fold_one"),
        Binding("right,l", "fold(False)", "Unfold", show=False, id="tree.unfold_one"),
        Binding("z", "fold_all", "only branches", id="tree.fold_all"),
        Binding("slash,ctrl+f", "find", "find", id="tree.find"),
        Binding("n", "find_next(1)", "Next hit", show=False, id="tree.next"),
        Binding("N", "find_next(-1)", "Hit before", show=False, id="tree.previous"),
        Binding("q", "close", "Close", show=False, id="tree.close"),
    ]
    AUTO_FOCUS = "RowList"

    def __init__(self, conversation: Conversation) -> None:
        super().__init__(one_line(conversation.name) or "Conversation")
        self._conversation = conversation
        self._active = {node.message.message_id for node in conversation.path()}
        self._folded: set[str] = set()
        self._lines: list[Line] = []
        self._summaries = {
            summary.covers[-1]: summary
            for summary in conversation.summaries.values()
            if summary.covers and not summary.undone
        }
        self._covered = {one for summary in self._summaries.values() for one in summary.covers}
        self._now = now()
        self._found = ""

    def compose_sheet(self) -> Iterable[Widget]:
        """The lines, and the line to find in them."""
        yield RowList(empty="nothing has been said yet", click_takes=False)
        yield FilterInput("find")

    def on_mount(self) -> None:
        """Show the tree with the cursor where the conversation stands."""
        super().on_mount()
        self._show(self._conversation.head)
        branches = sum(not node.children for node in self._conversation.nodes.values())
        self.subtitle(f"{counted(len(self._conversation.nodes), 'message')}, {counted(branches, 'end')}")

    @property
    def rows(self) -> RowList:
        """The list."""
        return self.query_one(RowList)

    @property
    def at(self) -> Line | None:
        """The line under the cursor."""
        return self._lines[self.rows.cursor] if 0 <= self.rows.cursor < len(self._lines) else None

    def _show(self, cursor: str | None) -> None:
        self._lines = lines_of(self._conversation, self._folded)
        place = next((n for n, line in enumerate(self._lines) if line.id == cursor), 0)
        self.rows.show(len(self._lines), self._row, cursor=place)

    # ---- drawing ----------------------------------------------------------------------------------------------------

    def _row(self, place: int) -> Row:
        line = self._lines[place]
        node = self._conversation.nodes[line.id]
        active = line.id in self._active
        plain = "" if active else "dim"
        mark = "●" if line.id == self._conversation.head else "▸" if line.hidden_below else "│" if active else "╎"
        runs: list[Run] = [(line.lanes, "dim"), (f"{mark} ", "accent" if active else "dim")]
        runs.append((f"{_WHO[node.message.role]} ", "group" if active else "dim"))
        text = said(node)
        places = [at + n for at in _places(text.lower(), self._found) for n in range(len(self._found))]
        runs += lit(text, places, plain) if places else [(text, plain)]
        return Row(runs, self._facts(line, node))

    def _facts(self, line: Line, node: Node) -> list[Run]:
        facts: list[Run] = []
        model = node.message.metadata.get("model")
        if isinstance(model, str) and model:
            facts.append((f"  {one_line(model)}", "dim"))
        facts.append((f"  {ago(node.message.created, self._now)}" if node.message.created else "", "dim"))
        if node.message.status != "complete":
            facts.append((f"  {one_line(node.message.status)}", "warn"))
        if line.id in self._summaries:
            facts.append((f"  ⤒ {counted(len(self._summaries[line.id].covers), 'message')} summarised", "accent"))
        elif line.id in self._covered:
            facts.append(("  summarised", "dim"))
        if node.hidden:
            facts.append(("  hidden", "warn"))
        if node.pinned:
            facts.append(("  ★", "accent"))
        if node.rating is not None:
            facts.append((f"  rated {node.rating}", "accent" if node.rating == "good" else "warn"))
        if line.parts > 1:
            facts.append((f"  {line.parts} versions below", "accent"))
        if line.hidden_below:
            facts.append((f"  +{line.hidden_below:,}", "strong"))
        return facts

    # ---- actions ----------------------------------------------------------------------------------------------------

    @on(RowList.Taken)
    def _taken(self, event: RowList.Taken) -> None:
        event.stop()
        self.action_take()

    def action_take(self) -> None:
        """Switch to the branch through this message; in the line that finds, go back to the tree."""
        if self.query_one(FilterInput).has_focus:
            self.rows.focus()
        elif (line := self.at) is not None:
            self.dismiss(line.id)

    def action_fold(self, folded: bool | None = None) -> None:
        """Hide what is below the message, or show it again."""
        line = self.at
        if line is None or not self._conversation.nodes[line.id].children:
            return
        if folded is None:
            folded = line.id not in self._folded
        (self._folded.add if folded else self._folded.discard)(line.id)
        self._show(line.id)

    def action_fold_all(self) -> None:
        """Fold every branch that is not the active one, or unfold all."""
        if self._folded:
            self._folded.clear()
        else:
            nodes = self._conversation.nodes
            self._folded = {
                one
                for one, node in nodes.items()
                if node.children and one not in self._active and (node.parent in self._active or node.parent is None)
            }
        line = self.at
        self._show(line.id if line is not None else self._conversation.head)

    def action_find(self) -> None:
        """Open the line that finds."""
        self.query_one(FilterInput).add_class("-shown").focus()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._found = event.value.lower()
        self.rows.refresh()
        if self._found:
            self._go(self.rows.cursor, 1)

    def action_find_next(self, step: int) -> None:
        """To the next hit."""
        if self._found:
            self._go(self.rows.cursor + step, step)

    def _go(self, start: int, step: int) -> None:
        number = len(self._lines)
        nodes = self._conversation.nodes
        for offset in range(number):
            place = (start + step * offset) % number
            if self._found in said(nodes[self._lines[place].id]).lower():
                self.rows.move_to(place)
                return
        self.tell(f"nothing here says “{self._found}”; folded messages are not looked at", bad=True)

    def on_key(self, event: Key) -> None:
        """While something is typed, up and down still move."""
        if self.query_one(FilterInput).has_focus and event.key in ("up", "down"):
            event.stop()
            self.rows.action_move(-1 if event.key == "up" else 1)

    def action_close(self) -> None:
        """Leave the line that finds, then the tree."""
        line = self.query_one(FilterInput)
        self.tell("")
        if line.has_class("-shown"):
            line.remove_class("-shown")
            line.value = ""
            self.rows.focus()
        else:
            self.dismiss(None)


def said(node: Node) -> str:
    """The beginning of a message on one line."""
    content = node.message.content[: 8 * _SAID]
    if node.message.role is MessageRole.USER:
        content = split_files(node.message.content)[0][: 8 * _SAID]
    text = one_line(content)[:_SAID]
    if text:
        return text
    calls = ", ".join(one_line(call.name) for call in node.message.tool_calls)
    return f"asks for {calls}" if calls else "(no text)"


def _places(text: str, wanted: str) -> list[int]:
    out, at = [], text.find(wanted) if wanted else -1
    while at >= 0:
        out.append(at)
        at = text.find(wanted, at + len(wanted))
    return out


def lines_of(conversation: Conversation, folded: set[str]) -> list[Line]:
    """All messages, each before what follows it. It goes to the right only where branches part; the oldest is first."""
    nodes = conversation.nodes
    out: list[Line] = []
    seen: set[str] = set()
    several = len(conversation.roots) > 1
    # (message, lanes left of it, lanes left of what follows it)
    stack = [_branch(one, "", place, len(conversation.roots), several) for place, one in enumerate(conversation.roots)][
        ::-1
    ]
    while stack:
        at, here, below = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        children = nodes[at].children
        if at in folded:
            out.append(Line(at, here, len(children), _count_below(conversation, at, seen)))
            continue
        out.append(Line(at, here, len(children)))
        parting = len(children) > 1
        stack += [_branch(one, below, place, len(children), parting) for place, one in enumerate(children)][::-1]
    return out


def _branch(one: str, lanes: str, place: int, number: int, parting: bool) -> tuple[str, str, str]:
    if not parting:
        return one, lanes, lanes
    last = place == number - 1
    lanes = lanes[-_LANES:]  # of branches in branches in branches the nearest count
    return one, lanes + ("└╴" if last else "├╴"), lanes + ("  " if last else "│ ")


def _count_below(conversation: Conversation, at: str, seen: set[str]) -> int:
    stack, number = list(conversation.nodes[at].children), 0
    while stack:
        below = stack.pop()
        if below not in seen:
            seen.add(below)
            number += 1
            stack += conversation.nodes[below].children
    return number
