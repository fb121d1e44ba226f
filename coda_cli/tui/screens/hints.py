"""The last line of a screen: which keys do what here. A click on one does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from msgspec import Struct
from rich.cells import cell_len
from textual.content import Content
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

_BETWEEN: Final = "  "


class Hint(Struct, frozen=True):
    """`key` as it is shown, what it does in a word or two, and the name that a click gives to the screen."""

    key: str
    does: str
    action: str


class Hints(Widget):
    """As many hints as fit, the first ones first, and the last, which closes. One line, nothing to focus."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"hints--key"}
    DEFAULT_CSS = """
    Hints { height: 1; width: 1fr; color: $text-muted; padding: 0 1; }
    Hints > .hints--key { color: $text-accent; text-style: bold; }
    """

    class Pressed(Message):
        """A hint was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, hints: Iterable[Hint] = (), *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._hints = tuple(hints)
        self._ends: list[tuple[int, str]] = []

    def show(self, hints: Iterable[Hint]) -> None:
        """Show other hints."""
        new = tuple(hints)
        if new != self._hints:
            self._hints = new
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line."""
        return 1

    def render(self) -> Content:
        """The hints that fit."""
        width = self.content_size.width
        last = self._hints[-1] if self._hints else None
        kept = len(_BETWEEN) + cell_len(f"{last.key} {last.does}") if last is not None else 0
        key_style = self.get_visual_style("hints--key", partial=True)
        pieces: list[Content] = []
        self._ends = []
        at = 0
        for hint in self._hints:
            text = f"{hint.key} {hint.does}"
            taken = cell_len(text) + (len(_BETWEEN) if at else 0)
            if at + taken > width - (0 if hint is last else kept):
                continue  # a shorter one after it may still fit
            if at:
                pieces.append(Content(_BETWEEN))
            pieces += [Content.styled(hint.key, key_style), Content(f" {hint.does}")]
            at += taken
            self._ends.append((at, hint.action))
        return Content("").join(pieces)

    def on_click(self, event: Click) -> None:
        """Tell which hint was clicked."""
        at = event.get_content_offset(self)
        if at is None:
            return
        for end, action in self._ends:
            if at.x < end:
                event.stop()
                self.post_message(self.Pressed(action))
                return
