"""A chat's place taken by an empty app: the screens are pushed over it, and what they give back is kept."""

from __future__ import annotations

from typing import Any, Final

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

SIZES: Final = ((80, 24), (120, 40), (60, 15))
every_size: Final = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
NOTHING_YET: Final = "nothing yet"

HOSTILE: Final = (
    "list[int] [/] [@click=app.quit]x[/] \x1b]0;owned\x07\x1b[2J\x9b31m \u202eevil\u202c \ud800 \r\n two \x00 \x7f end"
)
"""Markup, escape sequences, controls, bidi marks, a lone surrogate: what a title or an answer may hold."""


class Host(App[None]):
    """Shows one screen; `result` is what it gave back."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, screen: Screen[Any], *, theme: str = "textual-dark") -> None:
        super().__init__()
        self.result: Any = NOTHING_YET
        self._shown = screen
        self._wanted_theme = theme

    def compose(self) -> ComposeResult:
        """What is underneath."""
        yield Static(Content("the chat\n" * 50))

    def on_mount(self) -> None:
        """Push it."""
        self.theme = self._wanted_theme
        self.push_screen(self._shown, self._keep)

    def _keep(self, result: Any) -> None:
        self.result = result


def seen(app: App[Any]) -> str:
    """The text on the screen, row by row."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    assert len(lines) == height
    assert all(line.cell_length == width for line in lines)
    return "\n".join(line.text for line in lines)


def assert_harmless(app: App[Any]) -> None:
    """No control character and no bidi mark is on the screen."""
    import unicodedata

    shown = seen(app)
    foreign = {c for c in shown if (c != "\n" and unicodedata.category(c) in ("Cc", "Cs")) or c in "\u202a\u202e\u2066"}
    assert not foreign
