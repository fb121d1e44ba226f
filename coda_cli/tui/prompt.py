"""The prompt of the chat: a text area that sends on Enter, keeps big pastes as blocks, and knows what was asked before.

Pastes, the history, the list of completions and the parser of the terminal's input have files of their own beside this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, Final

from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.events import Blur, Key, Paste
from textual.message import Message
from textual.screen import Screen
from textual.widgets.text_area import EditResult, Selection

from coda_cli.chat.completion import Completer, Completion
from coda_cli.tui.prompt_area import BlockArea
from coda_cli.tui.prompt_history import History, Walk
from coda_cli.tui.prompt_offers import Offers
from coda_cli.tui.prompt_paste import PasteGuard, clean, is_big
from coda_cli.tui.typed_ahead import TypedAhead

MAX_ROWS: Final = 10
_EDITABLE: Final = 100_000
"""More characters than this stay a block, whoever puts them in: a text area gets slow."""


class Prompt(BlockArea):
    """Where a question is written. `text` has tokens in place of big pastes: `expanded` is what they stand for."""

    DEFAULT_CSS = """
    Prompt {
        height: 1; padding: 0 1; border: none; background: $surface;
        scrollbar-size: 0 0; overflow-x: hidden;
        &:focus { border: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", show=False, id="prompt.send"),
        Binding("ctrl+j,shift+enter,alt+enter", "newline", "New line", show=False, id="prompt.newline"),
        Binding("tab", "complete", "Complete", show=False, id="prompt.complete"),
        Binding("escape", "escape", "Stop, or close the list", show=False, id="prompt.escape"),
        Binding("ctrl+g", "editor", "Write in your editor", show=False, id="prompt.editor"),
        Binding("ctrl+r", "search_history", "Search in what was asked", show=False, id="prompt.search_history"),
        Binding("ctrl+o", "expand_paste", "Unfold the paste at the cursor", show=False, id="prompt.expand_paste"),
        Binding("ctrl+z,super+z", "undo", "Undo", show=False, id="prompt.undo"),
        Binding("ctrl+y,ctrl+shift+z,super+y", "redo", "Redo", show=False, id="prompt.redo"),
    ]

    class Submitted(Message):
        """A question is to be sent; the prompt is empty again.

        `text` is all of it, `typed` leaves the pasted blocks out (an `@name` in a paste is no file that anybody means),
        `draft` is what `restore` takes and what a history keeps.
        """

        def __init__(self, prompt: Prompt, text: str, typed: str, draft: str) -> None:
            super().__init__()
            self.prompt, self.text, self.typed, self.draft = prompt, text, typed, draft

        @property
        def attachments_text(self) -> str:
            """Where references to files are to be looked for: `typed`."""
            return self.typed

    class Blank(Message):
        """Enter was pressed, and there is nothing to send."""

    class EditorWanted(Message):
        """The text is to be written in the person's editor."""

    class HistorySearchWanted(Message):
        """The history is to be searched, and the prompt was given none of its own."""

    class Escaped(Message):
        """Escape was pressed, and no list was there to close."""

    class CompletionsChanged(Message):
        """The list above the prompt opened, changed or closed."""

        def __init__(self, completions: Sequence[Completion], searching: bool) -> None:
            super().__init__()
            self.completions, self.searching = completions, searching

    def __init__(
        self,
        *,
        history: History | None = None,
        completer: Completer | None = None,
        runs: Callable[[str], bool] | None = None,
        keys: Mapping[str, str] | None = None,
        placeholder: str = "",
        max_rows: int = MAX_ROWS,
        id: str | None = None,  # noqa: A002 - the name in Textual
        classes: str | None = None,
    ) -> None:
        """`runs` says whether a text is a whole slash command; `keys` is action -> keys, as in `{"send": "ctrl+s"}`."""
        self._guard = PasteGuard()
        self._walk = Walk(history) if history is not None else None
        self._offers = Offers(self, completer, history, runs)
        self._quiet = False
        self._key_time: float | None = None
        self._own_keys = dict(keys or {})
        self._max_rows = max_rows
        super().__init__(placeholder=placeholder, id=id, classes=classes)

    def on_mount(self) -> None:
        """Take the person's keys, and follow the layout."""
        if self._own_keys:
            self.app.update_keymap({f"prompt.{action}": keys for action, keys in self._own_keys.items()})
        self.screen.screen_layout_refresh_signal.subscribe(self, self._laid_out, immediate=True)
        self._fit_rows()

    def on_unmount(self) -> None:
        """Leave nothing on the screen."""
        self._offers.remove()

    # --- what others ask for

    @property
    def list_is_open(self) -> bool:
        """Whether a list is shown above the prompt."""
        return self._offers.is_open

    def restore(self, draft: str) -> None:
        """Put a draft in place of the text. Undo brings the old text back."""
        self._replace_all(self._pastes.load(draft))

    def put(self, text: str) -> None:
        """Put *text* in place of the text. Undo brings the old text back."""
        text = clean(text)
        self._replace_all(self._pastes.add(text) if len(text) > _EDITABLE else self._pastes.harmless(text))

    def clear(self) -> EditResult:
        """Empty the prompt. Undo brings the text back."""
        with self._quietly():
            return super().clear()

    def paste(self, text: str) -> None:
        """Put *text* where the cursor is: as it is, or as a block if it is big. Never sends."""
        text = clean(text)
        if self._offers.searching:
            self._offers.type(text.split("\n", 1)[0])
        elif text:
            with self._quietly():
                self._insert(self._pastes.add(text) if is_big(text) else self._pastes.harmless(text))

    def _replace_all(self, text: str) -> None:
        with self._quietly():
            self.replace(text, self.document.start, self.document.end, maintain_selection_offset=False)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """A change that opens no list."""
        self._offers.close()
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    def update_suggestion(self) -> None:
        """Textual's hook after every change of the text: follow it."""
        if not self.is_mounted:
            return
        first = self.document[0][:1]
        self.set_class(first == "!", "-shell")
        self.set_class(first == "/", "-command")
        self._fit_rows()
        self._update_offers()

    def watch_selection(self, old: Selection, new: Selection) -> None:
        """What is offered is for the place of the cursor."""
        if old != new and self._offers.completions:
            self._update_offers()

    def _update_offers(self) -> None:
        if self._quiet or not self.has_focus:
            return
        row, column = self.cursor_location
        line = self.document[row]
        if (row == 0 and line.startswith("/")) or "@" in line[:column]:
            self._offers.update(*self.text_and_cursor())
        else:
            self._offers.nothing_is_meant()

    def offers_changed(self) -> None:
        """Called by the list."""
        self.post_message(self.CompletionsChanged(self._offers.completions, self._offers.searching))

    # --- what is seen

    def _fit_rows(self) -> None:
        """As high as the text is, within bounds; the screen is laid out again only when that changes."""
        most = max(1, min(self._max_rows, self.app.size.height // 3))
        rows = min(max(1, self.wrapped_document.height), most) + self.gutter.height
        height = self.styles.height
        if height is None or height.value != rows:
            self.styles.height = rows

    def _laid_out(self, _screen: Screen[object]) -> None:
        """The screen was laid out: the caret may be elsewhere now, and input methods look for it there."""
        self._fit_rows()
        self._offers.place()
        if self.has_focus and self.app.cursor_position != self.cursor_screen_offset:
            self.app.cursor_position = self.cursor_screen_offset
            self.refresh()  # the terminal's cursor goes along with what is drawn, and this layout is drawn already

    def on_resize(self) -> None:
        """The text is wrapped anew: keep the caret in sight."""
        self._fit_rows()
        self.call_after_refresh(self.scroll_cursor_visible)

    def on_blur(self, _event: Blur) -> None:
        """Nobody writes here now."""
        self._offers.close()

    # --- keys

    async def on_key(self, event: Key) -> None:
        """Printable keys are text; all others are bindings, Enter too.

        A binding of the prompt is run here and now. Textual would send the key on to the app and run it from there,
        after the letters that were typed behind it: of `a`, Backspace, `b` in one read `a` would be left.
        """
        ahead = self.app if isinstance(self.app, TypedAhead) else None
        if ahead is not None and ahead.take_back(event):
            event.prevent_default().stop()
            return
        self._key_time = event.time
        printable = event.is_printable and "+" not in event.key
        if self._guard.key(event.time) and (printable or event.key in ("enter", "ctrl+j", "tab")):
            event.prevent_default().stop()
            with self._quietly():
                self._insert((event.character or "") if printable else "\t" if event.key == "tab" else "\n")
        elif self._offers.searching and (printable or event.key in ("backspace", "ctrl+u")):
            event.prevent_default().stop()
            if printable:
                self._offers.type(event.character or "")
            else:
                self._offers.rub_out(everything=event.key == "ctrl+u")
        elif not printable:
            event.prevent_default()
            active = self.screen.active_bindings.get(event.key)
            if active is not None and active.node is self and await self.app.run_action(active.binding.action, self):
                event.stop()

    def on_paste(self, event: Paste) -> None:
        """A paste is text, whatever is in it."""
        event.prevent_default().stop()
        self.paste(event.text)
        self._guard.paste(event.time)

    def action_paste(self) -> None:
        """Paste what was copied in this program."""
        self.paste(self.app.clipboard)

    def action_send(self) -> None:
        """Send; or take what the list offers; or, behind a backslash, begin a new line."""
        if self._offers.is_open and not self._offers.sends(self.text):
            self._offers.take()
            return
        row, column = self.cursor_location
        if self.selection.is_empty and self.document[row][:column].endswith("\\"):
            self.replace("\n", (row, column - 1), (row, column), maintain_selection_offset=False)
            return
        if self.is_blank:
            self.post_message(self.Blank())
            return
        self._offers.close()
        if self.text.startswith("/") and isinstance(self.app, TypedAhead):
            self.app.wait_for_screen(since=self._key_time)
        sent = self.Submitted(self, self.expanded, self._pastes.without(self.text), self.text_for_draft())
        if self._walk is not None:
            self._walk.stop()
        with self._quietly():
            self.load_text("")
        self._pastes.forget()
        self.post_message(sent)

    def action_newline(self) -> None:
        """A new line."""
        self._insert("\n")

    def action_complete(self) -> None:
        """Take what the list offers, or ask for it."""
        if self._offers.is_open:
            self._offers.take()
        elif not self._offers.ask(*self.text_and_cursor()):
            raise SkipAction

    def action_escape(self) -> None:
        """Close the list, or tell the app."""
        if self._offers.is_open:
            self._offers.dismiss()
        else:
            self.post_message(self.Escaped())

    def action_editor(self) -> None:
        """Write in the person's editor."""
        self.post_message(self.EditorWanted())

    def action_search_history(self) -> None:
        """Search in what was asked before."""
        if not self._offers.search():
            self.post_message(self.HistorySearchWanted())

    def action_expand_paste(self) -> None:
        """Unfold the block at the cursor, so that it can be edited."""
        row, column = self.cursor_location
        beside = self._pastes.beside(self.document[row], column)
        if beside is None:
            raise SkipAction
        text = self._pastes.harmless(self._pastes.text(self.document[row][slice(*beside)]))
        if len(text) > _EDITABLE:
            self.app.bell()
            return
        with self._quietly():
            self.replace(text, (row, beside[0]), (row, beside[1]), maintain_selection_offset=False)

    def action_cursor_up(self, select: bool = False) -> None:
        """A row up; in the list if there is one; from the first row to what was asked before."""
        if self._offers.is_open:
            self._offers.move(-1)
        elif select or not self.navigator.is_first_wrapped_line(self.cursor_location):
            super().action_cursor_up(select)
        elif self._walk is not None and (older := self._walk.older(self.text_for_draft())) is not None:
            self._recall(older)
            self.move_cursor((0, len(self.document[0])))
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """A row down; in the list if there is one; from the last row to what was asked after."""
        if self._offers.is_open:
            self._offers.move(1)
        elif select or not self.navigator.is_last_wrapped_line(self.cursor_location):
            super().action_cursor_down(select)
        elif self._walk is not None and (newer := self._walk.newer(self.text_for_draft())) is not None:
            self._recall(newer)
        else:
            super().action_cursor_down(select)

    def _recall(self, entry: str) -> None:
        self.restore(entry)
        if self._walk is not None:
            self._walk.shown(self.text_for_draft())
