"""What all screens over the chat have in common: a frame with a title, the keys in its last line, Esc closes.

Below 80 columns or 20 rows the sheet takes the whole terminal, above it floats over the chat.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.tui.screens.hints import Hint, Hints
from coda_cli.tui.screens.runs import one_line
from coda_cli.tui.typed_ahead import Opened, TypedAhead

R = TypeVar("R")


class Sheet(ModalScreen[R], Generic[R]):
    """A modal screen with a frame. A subclass gives `compose_sheet()` and its bindings; those with `show` are hints."""

    DEFAULT_CSS = """
    Sheet {
        align: center middle; background: $background 60%;
        & > .sheet {
            width: 96%; max-width: 120; height: 90%; background: $surface; border: round $primary;
            border-title-color: $text-primary; border-title-style: bold; border-subtitle-color: $text-muted;
        }
        &.-low > .sheet, &.-narrow > .sheet { width: 100%; max-width: 100%; height: 100%; }
        &.-small > .sheet { width: auto; min-width: 36; max-width: 76; height: auto; max-height: 90%; }
        &.-small.-narrow > .sheet { width: 100%; max-width: 100%; }
        .told { display: none; height: auto; max-height: 3; padding: 0 1; color: $text-success; }
        .told.-shown { display: block; }
        .told.-bad { color: $text-error; }
        Input {
            border: none; height: 1; padding: 0 1; background: $surface; margin: 0;
            &:focus { border: none; background-tint: $foreground 0%; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (100, "-wide")]  # noqa: RUF012 - Textual's own form
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012 - Textual's own form
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close", id="sheet.close")]
    is_there = False
    """Whether it has told that it is open, and takes keys."""
    SMALL: ClassVar[bool] = False
    """Whether it is only as large as what it holds."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = one_line(title)

    def compose(self) -> ComposeResult:
        """The frame."""
        with Vertical(classes="sheet") as frame:
            yield from self.compose_sheet()
            yield Static(classes="told", markup=False)
            yield Hints()
        frame.border_title = Content(f" {self._title} ")
        self.set_class(self.SMALL, "-small")

    def compose_sheet(self) -> Iterable[Widget]:
        """What stands in the frame."""
        return ()

    def on_mount(self) -> None:
        """Show the keys once the bindings are known."""
        self.call_after_refresh(self.show_hints)

    def on_screen_resume(self) -> None:
        """It is there: what was typed meanwhile comes behind the focus."""
        self.call_later(self._tell_opened)

    def _tell_opened(self) -> None:
        self.is_there = True
        self.post_message(Opened())

    def opening(self) -> None:
        """Another screen comes over this one: keys wait for it."""
        if isinstance(self.app, TypedAhead):
            self.app.wait_for_screen()

    @property
    def frame(self) -> Vertical:
        """The frame."""
        return self.query_one(".sheet", Vertical)

    def retitle(self, title: str) -> None:
        """Another title; untrusted text is cleaned."""
        self._title = one_line(title)
        self.frame.border_title = Content(f" {self._title} ")

    def subtitle(self, text: str) -> None:
        """A quiet text in the lower edge of the frame."""
        self.frame.border_subtitle = Content(f" {one_line(text)} ") if text else None

    def tell(self, text: str, *, bad: bool = False) -> None:
        """A line above the keys: what was done, or why not; "" takes it away."""
        told = self.query_one(".told", Static)
        told.update(Content(sanitize(text)))
        told.set_class(bool(text), "-shown")
        told.set_class(bad, "-bad")

    def fail(self, error: CodaError) -> None:
        """An error with its next step."""
        self.tell(f"{error.message}\nhint: {error.hint}" if error.hint else error.message, bad=True)

    # ---- keys -------------------------------------------------------------------------------------------------------

    def hints(self) -> Iterable[Hint]:
        """The keys to show: the screen's own bindings as they are now, remapped ones with their new keys."""
        bound = [one for kind in reversed(type(self).__mro__) for one in kind.__dict__.get("BINDINGS", ())]
        order = [binding.action for binding in bound if isinstance(binding, Binding)]
        found: dict[str, Hint] = {}
        for key, (node, binding, enabled, _) in self.active_bindings.items():
            if node is self and binding.show and enabled and binding.action not in found:
                shown = binding.key_display or self.app.get_key_display(binding.with_key(key))
                found[binding.action] = Hint(shown, binding.description, binding.action)
        for action in sorted(found, key=lambda action: order.index(action) if action in order else len(order)):
            yield found[action]

    def show_hints(self) -> None:
        """Show the keys as they are now."""
        found = sorted(self.hints(), key=lambda hint: hint.action == "close")
        for hints in self.query(Hints):
            hints.show(found)

    async def on_hints_pressed(self, event: Hints.Pressed) -> None:
        """A click on a hint is its key."""
        event.stop()
        await self.press(event.action)

    async def press(self, action: str) -> None:
        """Do what the hint *action* says."""
        await self.run_action(action)

    def on_click(self, event: Click) -> None:
        """A click beside the sheet closes it."""
        if not self.frame.region.contains(int(event.screen_x), int(event.screen_y)):
            self.action_close()

    def action_close(self) -> None:
        """Close, with nothing chosen."""
        self.dismiss(None)
