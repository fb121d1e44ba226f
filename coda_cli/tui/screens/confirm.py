"""A question with yes and no. The safe answer is the default: Enter, Esc and a click beside it say no."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from msgspec.structs import replace
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Static

from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.tui.screens.hints import Hint
from coda_cli.tui.screens.sheet import Sheet


class Confirm(Sheet[bool]):
    """Gives back True only for a yes that was said: `y`, a click on it, or Enter while it has the focus."""

    DEFAULT_CSS = """
    Confirm {
        .question { width: auto; max-width: 100%; padding: 1 2 0 2; }
        .detail { width: auto; max-width: 100%; padding: 1 2 0 2; color: $text-muted; }
        .buttons { height: 1; margin: 1 2; width: auto; }
        .buttons Button { margin-right: 2; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", id="confirm.yes"),
        Binding("n", "close", "no", id="confirm.no", show=False),
        Binding("left,up", "app.focus_previous", "Other", show=False, id="confirm.left"),
        Binding("right,down", "app.focus_next", "Other", show=False, id="confirm.right"),
    ]
    SMALL = True
    AUTO_FOCUS = "#no"

    def __init__(
        self,
        question: str,
        *,
        detail: str = "",
        title: str = "",
        yes: str = "Yes",
        no: str = "No",
        danger: bool = False,
    ) -> None:
        super().__init__(title or "Sure?")
        self._question, self._detail = question, detail
        self._yes, self._no, self._danger = yes, no, danger

    def compose_sheet(self) -> Iterable[Widget]:
        """The question and two buttons."""
        yield Static(Content(sanitize(self._question)), classes="question")
        if self._detail:
            yield Static(Content(sanitize(self._detail)), classes="detail")
        yield Horizontal(
            Button(Content(self._no), id="no", compact=True),
            Button(Content(self._yes), id="yes", compact=True, variant="error" if self._danger else "primary"),
            classes="buttons",
        )

    def hints(self) -> Iterable[Hint]:
        """What the two keys say."""
        for hint in super().hints():
            yield replace(hint, does=self._no.lower() if hint.action == "close" else self._yes.lower())

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "yes")

    def action_yes(self) -> None:
        """Yes."""
        self.dismiss(True)

    def action_close(self) -> None:
        """No."""
        self.dismiss(False)
