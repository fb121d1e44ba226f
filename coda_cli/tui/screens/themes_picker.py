"""Choosing the colours: the chat underneath wears the theme under the cursor; Esc takes it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual.timer import Timer

from coda_cli.chat.front import Option
from coda_cli.tui import themes
from coda_cli.tui.screens.picker import PickerBase
from coda_cli.tui.theme_file import ChatTheme

_WEAR_AFTER: Final = 0.06
"""Seconds that the cursor rests before the theme is worn: each one draws everything anew."""


class ThemesPicker(PickerBase[str | None]):
    """Gives back the name of the theme that was taken. On Esc the theme from before is worn again, and None given."""

    DEFAULT_CSS = """
    ThemesPicker {
        align: right top; background: $background 0%;
        & > .sheet { width: 44; max-width: 100%; height: auto; max-height: 100%; }
        &.-low > .sheet, &.-narrow > .sheet { width: 44; max-width: 100%; height: auto; max-height: 100%; }
        .body { height: auto; max-height: 24; }
        RowList { height: auto; max-height: 24; }
        &.-low .body, &.-low RowList { max-height: 8; }
    }
    """

    def __init__(self, current: str, wear: Callable[[ChatTheme], None]) -> None:
        found, told = themes.load_all()
        self._themes = found
        self._names = [theme.name for theme in found]
        self._wear, self._before = wear, current
        self._worn = current
        self._told = told
        self._timer: Timer | None = None
        options = [Option(theme.name, "dark" if theme.dark else "light", theme.title) for theme in found]
        cursor = self._names.index(current) if current in self._names else 0
        super().__init__("Theme", options, cursor=cursor, placeholder="type to filter, ↑ ↓ to try")

    def on_mount(self) -> None:
        """Tell about files that are no themes."""
        super().on_mount()
        if self._told:
            self.tell("\n".join(self._told[:2]), bad=True)

    def moved(self) -> None:
        """Wear the theme under the cursor, once the cursor rests."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_WEAR_AFTER, self._try_on)

    def _try_on(self) -> None:
        self._timer = None
        index = self.current
        if index is not None and self._names[index] != self._worn:
            self._worn = self._names[index]
            self._wear(self._themes[index])

    def picked(self, index: int, action: str) -> None:
        """Keep it."""
        if self._timer is not None:
            self._timer.stop()
        if self._names[index] != self._worn:
            self._wear(self._themes[index])
        self.dismiss(self._names[index])

    def action_close(self) -> None:
        """Take it back."""
        if self._timer is not None:
            self._timer.stop()
        if self._worn != self._before and self._before in self._names:
            self._wear(self._themes[self._names.index(self._before)])
        self.dismiss(None)
