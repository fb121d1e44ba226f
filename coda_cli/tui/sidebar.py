"""The sidebar: the latest chats, one line each. Read when it is shown, and again when a chat changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import set_cell_size
from textual.binding import Binding
from textual.content import Content
from textual.events import Click, Key
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from coda_cli.engine.rendering.sanitize import sanitize

if TYPE_CHECKING:
    from coda_cli.engine.conversations.info import ConversationInfo

SHOWN = 200
"""Chats in the list; the others are found by searching."""


class Sidebar(ScrollView, can_focus=True):
    """A list on the line API: it costs the same for one chat and for two hundred."""

    DEFAULT_CSS = """
    Sidebar {
        width: 30; height: 1fr; background: $surface; border-right: tall $panel;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
    }
    """
    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"sidebar--line", "sidebar--cursor", "sidebar--open"}  # noqa: RUF012 - Textual's own form
    BINDINGS = [  # noqa: RUF012 - Textual's own form
        Binding("up,k", "move(-1)", "Up", show=False, id="sidebar.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="sidebar.down"),
        Binding("home,g", "move(-1000000)", "First", show=False, id="sidebar.first"),
        Binding("end,G", "move(1000000)", "Last", show=False, id="sidebar.last"),
        Binding("pageup", "move(-10)", "Page up", show=False, id="sidebar.page_up"),
        Binding("pagedown", "move(10)", "Page down", show=False, id="sidebar.page_down"),
        Binding("enter", "open", "Open", show=False, id="sidebar.open"),
    ]

    class Chosen(Message):
        """A chat was chosen."""

        def __init__(self, conversation_id: str) -> None:
            super().__init__()
            self.conversation_id = conversation_id

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name in Textual
        super().__init__(id=id)
        self._rows: Sequence[ConversationInfo] = ()
        self._cursor = 0
        self._open: str | None = None

    def show(self, rows: Sequence[ConversationInfo], current: str | None) -> None:
        """Show *rows*; *current* is the chat that is open."""
        self._rows, self._open = rows, current
        self._cursor = next((place for place, row in enumerate(rows) if row.id == current), 0)
        self.virtual_size = Size(self.size.width, len(rows))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One chat."""
        width = self.scrollable_content_region.width
        place = y + int(self.scroll_y)
        if place >= len(self._rows):
            text = " no chats yet" if place == 0 else ""
            name = "sidebar--line"
        else:
            row = self._rows[place]
            mark = "★ " if row.pinned else "› " if row.id == self._open else "  "
            text = mark + sanitize(row.title).replace("\n", " ")
            under = place == self._cursor and self.has_focus
            name = "sidebar--cursor" if under else "sidebar--open" if row.id == self._open else "sidebar--line"
        style = self.get_visual_style(name, partial=True)
        content = Content(set_cell_size(text, width))
        segments = content.render_segments(self.visual_style + style)
        return Strip(segments).adjust_cell_length(width)

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self._cursor = max(0, min(len(self._rows) - 1, self._cursor + step))
        self.scroll_to(y=self._cursor - self.size.height // 2, animate=False)
        self.refresh()

    def action_open(self) -> None:
        """Open the chat under the cursor."""
        if self._rows:
            self.post_message(self.Chosen(self._rows[self._cursor].id))

    def on_click(self, event: Click) -> None:
        """Open the chat that was clicked."""
        place = event.y + int(self.scroll_y)
        if 0 <= place < len(self._rows):
            self._cursor = place
            self.action_open()

    def on_focus(self) -> None:
        """The cursor shows."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor hides."""
        self.refresh()

    def on_key(self, event: Key) -> None:
        """Nothing else: the app's own keys go on."""
