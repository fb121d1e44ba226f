"""A text area whose big pastes edit as a unit and that draws no control character; readline's keys."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from rich.text import Text
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult, Location, Selection

from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.tui.prompt_paste import Blocks, clean

_REFERENCE: Final = re.compile(r'(?<!\S)@(?:"[^"]*"?|[^\s"]+)')
_COMMAND: Final = re.compile(r"/[^\s/]*(?=\s|$)")


class BlockArea(TextArea):
    """`text` has tokens in place of big pastes: `expanded` is what they stand for."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"prompt--paste", "prompt--reference", "prompt--command"}
    DEFAULT_CSS = """
    BlockArea {
        & > .prompt--paste { color: $text-muted; background: $panel; text-style: italic; }
        & > .prompt--reference { color: $text-accent; }
        & > .prompt--command { color: $text-accent; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+a", "line_start", "Start of the line", show=False),
        Binding("ctrl+e", "line_end", "End of the line", show=False),
        Binding("ctrl+u,super+backspace", "delete_to_start_of_line", "Delete to the line's start", show=False),
        Binding("ctrl+w", "delete_to_blank", "Delete back to a blank", show=False),
        Binding("alt+b,alt+left,ctrl+left", "cursor_word_left", "A word back", show=False),
        Binding("alt+f,alt+right,ctrl+right", "cursor_word_right", "A word on", show=False),
        Binding("alt+d,alt+delete,ctrl+delete", "delete_word_right", "Delete the next word", show=False),
    ]

    def __init__(self, *, placeholder: str, id: str | None, classes: str | None) -> None:  # noqa: A002 - as in Textual
        self._pastes = Blocks()
        super().__init__(placeholder=placeholder, id=id, classes=classes, highlight_cursor_line=False)
        self.cursor_blink = False
        self.match_cursor_bracket = False

    # --- text

    @property
    def expanded(self) -> str:
        """The whole text, blocks in full."""
        return self._pastes.expand(self.text)

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to send."""
        return not self.text.strip()

    def text_for_draft(self) -> str:
        """The text as one string, blocks marked, for `restore`."""
        return self._pastes.draft(self.text)

    @property
    def selected_text(self) -> str:
        """The selected text, blocks in full."""
        return self._pastes.expand(super().selected_text)

    def text_and_cursor(self) -> tuple[str, int]:
        """The text with its tokens, and before which of its characters the cursor is."""
        return self.text, self._index(self.cursor_location)

    def put_between(self, start: int, end: int, text: str) -> None:
        """Put *text* in place of the characters from *start* to *end*, and the cursor behind it."""
        self.replace(clean(text), self._location(start), self._location(end), maintain_selection_offset=False)

    def _index(self, location: Location) -> int:
        row, column = location
        return sum(len(line) + 1 for line in self.document.lines[:row]) + column

    def _location(self, index: int) -> Location:
        for row, line in enumerate(self.document.lines):
            if index <= len(line):
                return row, max(index, 0)
            index -= len(line) + 1
        return self.document.end

    def _insert(self, text: str) -> None:
        self.replace(text, *self.selection, maintain_selection_offset=False)

    # --- blocks

    def edit(self, edit: Edit) -> EditResult:
        """Do an edit; one that reaches into a block takes all of it."""
        if self._pastes:
            top, bottom = self._widened(edit.top, edit.bottom)
            edit = Edit(edit.text, top, bottom, edit.maintain_selection_offset)
        if len(edit.text) > 1:  # what came in one piece is undone in one piece
            self.history.checkpoint()
        return super().edit(edit)

    def _widened(self, top: Location, bottom: Location) -> tuple[Location, Location]:
        """The range with every block whole that it reaches into; a place inside of one moves behind it."""
        lines = self.document
        if top == bottom:
            if inside := self._pastes.around(lines[top[0]], top[1]):
                top = bottom = (top[0], inside[1])
            return top, bottom
        if inside := self._pastes.around(lines[top[0]], top[1]):
            top = (top[0], inside[0])
        if bottom[0] < lines.line_count and (inside := self._pastes.around(lines[bottom[0]], bottom[1])):
            bottom = (bottom[0], inside[1])
        return top, bottom

    def validate_selection(self, selection: Selection) -> Selection:
        """The cursor is never inside of a block: it jumps over it."""
        if not self._pastes:
            return selection
        old = self.selection
        return Selection(self._outside(old.start, selection.start), self._outside(old.end, selection.end))

    def _outside(self, old: Location, new: Location) -> Location:
        row, column = new
        inside = self._pastes.around(self.document[row], column)
        if inside is None:
            return new
        start, end = inside
        if old[0] == row and old[1] <= start:
            return row, end
        if old[0] == row and old[1] >= end:
            return row, start
        return row, start if column - start < end - column else end

    # --- what is seen

    def get_line(self, line_index: int) -> Text:
        """A line as it is drawn: no control character, blocks and references marked."""
        line = self.document.get_line(line_index)
        drawn = Text(sanitize(line), end="", no_wrap=True)
        if line_index == 0 and (command := _COMMAND.match(line)):
            drawn.stylize(self.get_component_rich_style("prompt--command", partial=True), *command.span())
        if "@" in line:
            style = self.get_component_rich_style("prompt--reference", partial=True)
            for reference in _REFERENCE.finditer(line):
                drawn.stylize(style, *reference.span())
        for span in self._pastes.spans(line):
            drawn.stylize(self.get_component_rich_style("prompt--paste", partial=True), *span)
        return drawn

    # --- keys

    def action_delete_right(self) -> None:
        """Delete the next character; in an empty prompt the key is the app's (Ctrl+D leaves)."""
        if not self.text:
            raise SkipAction
        super().action_delete_right()

    def action_line_start(self) -> None:
        """The start of the line, however it is wrapped."""
        self.move_cursor((self.cursor_location[0], 0))

    def action_line_end(self) -> None:
        """The end of the line, however it is wrapped."""
        row = self.cursor_location[0]
        self.move_cursor((row, len(self.document[row])))

    def action_delete_to_start_of_line(self) -> None:
        """Delete to the start of the line; there, join it to the line before."""
        row, column = self.cursor_location
        self.delete((row, 0) if column else self.get_cursor_left_location(), (row, column))

    def action_delete_to_end_of_line(self) -> None:
        """Delete to the end of the line, however it is wrapped."""
        row, column = self.cursor_location
        self.delete((row, column), (row, len(self.document[row])))

    def action_delete_to_blank(self) -> None:
        """Delete back to the blank before, as a shell does."""
        row, column = self.cursor_location
        if column == 0 or not self.selection.is_empty:
            self.action_delete_left()
            return
        before = self.document[row][:column].rstrip(" \t")
        start = max(before.rfind(" "), before.rfind("\t")) + 1
        self.delete((row, start), (row, column))

    def action_cut(self) -> None:
        """Cut what is selected, blocks in full."""
        if self.selection.is_empty:
            raise SkipAction
        self.app.copy_to_clipboard(self.selected_text)
        self.delete(*self.selection, maintain_selection_offset=False)
