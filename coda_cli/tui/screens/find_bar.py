"""The line to find something in a text: what, `3/17`, and the ways on. It knows no text: it tells, and is told."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widgets import Input, Static


class _Press(Static):
    """A word to click on."""

    def __init__(self, text: str, message: Message, host: FindBar) -> None:
        super().__init__(Content(text), classes="press")
        self._message, self._host = message, host

    def on_click(self, event: Click) -> None:
        """Tell it."""
        event.stop()
        self._host.post_message(self._message)


class FindBar(Horizontal, can_focus=True):
    """One line. While typing, each change is told; Enter goes to the next hit and leaves the line, so that n and N act.

    Tells `Changed(text)`, `Next()`, `Previous()`, `Closed()`; is told the count by `show_count(current, total)`.
    """

    DEFAULT_CSS = """
    FindBar {
        height: 1; width: 1fr; background: $panel; color: $foreground;
        .label { width: auto; padding: 0 0 0 1; color: $text-muted; }
        Input { border: none; height: 1; width: 1fr; padding: 0 1; background: $panel; }
        Input:focus { border: none; background-tint: $foreground 0%; }
        .count { width: auto; min-width: 9; content-align-horizontal: right; padding: 0 1; color: $text-muted; }
        .count.-none { color: $text-error; }
        .press { width: auto; padding: 0 1; color: $text-accent; }
        .press:hover { text-style: reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,enter,down", "next", "next", id="find.next"),
        Binding("N,shift+enter,up", "previous", "previous", id="find.previous"),
        Binding("escape", "close", "close", id="find.close"),
        Binding("ctrl+f,slash", "type", "change", id="find.type", show=False),
    ]

    class Changed(Message):
        """Something else is looked for."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Next(Message):
        """To the next hit."""

    class Previous(Message):
        """To the hit before."""

    class Closed(Message):
        """Nothing is looked for any more."""

    def __init__(self, text: str = "", *, id: str | None = None) -> None:  # noqa: A002 - the name in Textual
        super().__init__(id=id)
        self._initial = text

    def compose(self) -> ComposeResult:
        """The line, the count, three words to click on."""
        yield Static(Content("find"), classes="label")
        line = Input(self._initial, select_on_focus=True, compact=True)
        line.cursor_blink = False
        yield line
        yield Static(classes="count", markup=False)
        yield _Press("↑", self.Previous(), self)
        yield _Press("↓", self.Next(), self)
        yield _Press("✕", self.Closed(), self)

    @property
    def text(self) -> str:
        """What is looked for."""
        return self.query_one(Input).value

    @text.setter
    def text(self, text: str) -> None:
        self.query_one(Input).value = text

    def show_count(self, current: int, total: int) -> None:
        """Which hit is shown and how many there are; 0 of 0 for none."""
        count = self.query_one(".count", Static)
        count.update(Content(f"{current:,}/{total:,}" if self.text else ""))
        count.set_class(total == 0 and bool(self.text), "-none")

    def focus(self, scroll_visible: bool = True, from_app_focus: bool = False) -> FindBar:
        """Type in the line."""
        self.query_one(Input).focus(scroll_visible)
        return self

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        super().focus()
        self.post_message(self.Next())

    def action_next(self) -> None:
        """To the next hit."""
        self.post_message(self.Next())

    def action_previous(self) -> None:
        """To the hit before."""
        self.post_message(self.Previous())

    def action_close(self) -> None:
        """Look for nothing."""
        self.post_message(self.Closed())

    def action_type(self) -> None:
        """Back to the line."""
        self.focus()
