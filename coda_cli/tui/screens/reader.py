"""Something to read and close. Ctrl+F or `/` finds in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from coda_cli.tui.screens.find_bar import FindBar
from coda_cli.tui.screens.markdown_view import MarkdownView
from coda_cli.tui.screens.sheet import Sheet
from coda_cli.tui.screens.text_view import TextView


class Reader(Sheet[None]):
    """*text* is untrusted: Markdown, or with *markdown* off shown as it is written."""

    DEFAULT_CSS = """
    Reader {
        TextView { padding: 0 1; }
        FindBar { display: none; }
        FindBar.-open { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "close", "Close", show=False, id="reader.close"),
        Binding("ctrl+f,slash", "find", "find", id="reader.find"),
        Binding("n", "find_next", "Next hit", show=False, id="reader.next"),
        Binding("N", "find_previous", "Hit before", show=False, id="reader.previous"),
    ]
    AUTO_FOCUS = "TextView"

    def __init__(self, title: str, text: str, *, markdown: bool = True) -> None:
        super().__init__(title)
        self._text, self._markdown = text, markdown

    def compose_sheet(self) -> Iterable[Widget]:
        """The text, and the line to find in it."""
        yield MarkdownView(self._text) if self._markdown else TextView(self._text)
        yield FindBar()

    @property
    def _view(self) -> TextView:
        return self.query_one(TextView)

    @property
    def _bar(self) -> FindBar:
        return self.query_one(FindBar)

    def action_find(self) -> None:
        """Open the line."""
        self._bar.add_class("-open")
        self._bar.focus()

    def action_close(self) -> None:
        """Close the line, then the text."""
        if self._bar.has_class("-open"):
            self._close_find()
        else:
            self.dismiss(None)

    def action_find_next(self) -> None:
        """To the next hit."""
        self._bar.show_count(*self._view.find_next())

    def action_find_previous(self) -> None:
        """To the hit before."""
        self._bar.show_count(*self._view.find_previous())

    @on(FindBar.Changed)
    def _changed(self, event: FindBar.Changed) -> None:
        self._bar.show_count(*self._view.find(event.text))

    @on(FindBar.Next)
    def _next(self) -> None:
        self.action_find_next()

    @on(FindBar.Previous)
    def _previous(self) -> None:
        self.action_find_previous()

    @on(FindBar.Closed)
    def _close_find(self) -> None:
        self._bar.remove_class("-open")
        self._view.clear_find()
        self._view.focus()
