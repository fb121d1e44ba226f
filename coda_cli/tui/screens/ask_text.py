"""One line of text: a title, a name, a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import on
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.tui.screens.sheet import Sheet

Check = Callable[[str], str | None]
"""What is wrong with a text, None if nothing is."""


class SecretInput(Input):
    """Masked, and nothing of it can be copied out again."""

    def action_copy(self) -> None:
        """A secret is not copied."""
        raise SkipAction

    def action_cut(self) -> None:
        """A secret is not copied; the selected part goes."""
        self.delete_selection()


class AskText(Sheet[str | None]):
    """Gives back the text, None where the person closed it. With *secret* it is masked, and kept nowhere here.

    *check* says what is wrong with a text: it is shown in place, and the screen stays.
    """

    DEFAULT_CSS = """
    AskText {
        &.-small > .sheet { width: 76; }
        .note { width: 1fr; height: auto; padding: 1 2 0 2; color: $text-muted; }
        Input, SecretInput { margin: 1 1 1 1; }
        .wrong { width: 1fr; height: auto; padding: 0 2 1 2; color: $text-error; display: none; }
        .wrong.-told { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "ok", key_display="enter", id="ask.take", priority=True)
    ]
    SMALL = True
    AUTO_FOCUS = "Input"

    def __init__(
        self,
        title: str,
        *,
        initial: str = "",
        secret: bool = False,
        placeholder: str = "",
        note: str = "",
        check: Check | None = None,
    ) -> None:
        super().__init__(title)
        self._initial, self._secret, self._placeholder = initial, secret, placeholder
        self._note, self._check = note, check

    def compose_sheet(self) -> Iterable[Widget]:
        """A note, the line, what is wrong."""
        if self._note:
            yield Static(Content(sanitize(self._note)), classes="note")
        if self._secret:
            line: Input = SecretInput(self._initial, placeholder=self._placeholder, password=True, compact=True)
        else:
            line = Input(self._initial, placeholder=self._placeholder, select_on_focus=False, compact=True)
        line.cursor_blink = False
        yield line
        yield Static(classes="wrong", markup=False)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one(".wrong", Static).remove_class("-told")

    def action_take(self) -> None:
        """Give it back, unless something is wrong with it."""
        text = self.query_one(Input).value
        wrong = self._check(text) if self._check is not None else None
        if wrong is None:
            self.dismiss(text)
            return
        told = self.query_one(".wrong", Static)
        told.update(Content(sanitize(wrong)))
        told.add_class("-told")
