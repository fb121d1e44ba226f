"""Choosing one of several: a list that a few letters narrow, with a detail at the right and a preview beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Final, Generic, NamedTuple, TypeVar

from msgspec import Struct
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Key
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from coda_cli.chat.front import Option
from coda_cli.tui.screens.fuzzy import Haystack, Matcher
from coda_cli.tui.screens.hints import Hint
from coda_cli.tui.screens.rows import RowList
from coda_cli.tui.screens.runs import Row, lit, one_line
from coda_cli.tui.screens.sheet import Sheet
from coda_cli.tui.screens.text_view import TextView

R = TypeVar("R")

_TYPED: Final = -1_000_000_000
"""Stands among the options that are shown for the text itself."""
_PREVIEW_AFTER: Final = 0.08
"""Seconds that the cursor rests before a preview is made: holding a key down makes none."""


class Grouped(Option, frozen=True):
    """An option under a heading; options of one group follow one another."""

    group: str = ""


class KeyAction(NamedTuple):
    """A key of the caller's own: `key` in Textual's spelling ("ctrl+r"), the action's name, and what is shown."""

    key: str
    action: str
    does: str


class Picked(Struct, frozen=True):
    """What was chosen and how: "" is Enter or a click, else the name of the key action."""

    index: int
    action: str


Preview = Callable[[int], str | Awaitable[str]]
"""The text beside option N: plain, untrusted; a slow one may be awaited."""


class FilterInput(Input):
    """The line to type in. Keys that move in the list go past it."""

    def __init__(self, placeholder: str, value: str = "") -> None:
        super().__init__(value, placeholder=placeholder, select_on_focus=False, compact=True)
        self.cursor_blink = False  # each blink would draw half the screen


class PickerBase(Sheet[R], Generic[R]):
    """The list, the line to type in, the preview. A subclass says what is given back."""

    DEFAULT_CSS = """
    PickerBase {
        FilterInput { margin: 0 1 0 0; }
        .body { height: 1fr; border-top: solid $primary 40%; }
        .preview { display: none; width: 2fr; border-left: solid $primary 40%; padding: 0 1; }
        RowList { width: 3fr; }
        &.-wide.-previews .preview { display: block; }
        &.-low .body { border-top: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "take", key_display="enter", id="picker.take", priority=True),
        Binding("up,ctrl+p", "move(-1)", "up", show=False, priority=True, id="picker.up"),
        Binding("down,ctrl+n", "move(1)", "down", show=False, priority=True, id="picker.down"),
        Binding("pageup", "page(-1)", "page up", show=False, priority=True, id="picker.page_up"),
        Binding("pagedown", "page(1)", "page down", show=False, priority=True, id="picker.page_down"),
        Binding("home", "to_start", "first", show=False, priority=True, id="picker.first"),
        Binding("end", "to_end", "last", show=False, priority=True, id="picker.last"),
    ]
    AUTO_FOCUS = "FilterInput"

    def __init__(
        self,
        title: str,
        options: Sequence[Option],
        *,
        cursor: int = 0,
        query: str = "",
        placeholder: str = "type to filter",
        empty: str = "nothing fits",
        preview: Preview | None = None,
        loader: Callable[[PickerBase[R]], Awaitable[None]] | None = None,
        actions: Sequence[KeyAction] = (),
        click_takes: bool = True,
        free_text: bool = False,
    ) -> None:
        super().__init__(title)
        self._free_text = free_text
        self.options: list[Option] = []
        self._labels: list[str] = []
        self._haystack = Haystack()
        self._shown: list[int] = []  # indexes of options; -1 - N is the heading of group N
        self._groups: list[str] = []
        self._matcher = Matcher("")
        self._query, self._placeholder, self._empty = query, placeholder, empty
        self._preview, self._loader = preview, loader
        self._actions: Mapping[str, KeyAction] = {action.key: action for action in actions}
        self._click_takes = click_takes
        self._first_cursor = cursor
        self._preview_timer: Timer | None = None
        self._ready = False
        self._filtered = ""
        self._take_in(options)

    # ---- options ----------------------------------------------------------------------------------------------------

    def _take_in(self, options: Iterable[Option]) -> None:
        new = list(options)
        labels = [one_line(option.label) for option in new]
        self.options += new
        self._labels += labels
        self._haystack.add([(label, option.search) for label, option in zip(labels, new, strict=True)])

    def add_options(self, options: Iterable[Option]) -> None:
        """More options below; what is typed and the cursor's option stay. Indexes go on counting."""
        self._take_in(options)
        self.refilter(keep=True)

    def set_options(self, options: Iterable[Option]) -> None:
        """Other options in place of all; the cursor stays on the one with the same label."""
        index = self.current
        label = self._labels[index] if index is not None else ""
        self.options, self._labels, self._haystack = [], [], Haystack()
        self._take_in(options)
        self.refilter(cursor=self._labels.index(label) if label in self._labels else None)

    @property
    def current(self) -> int | None:
        """The index of the option under the cursor."""
        rows = self.query_one(RowList)
        if not 0 <= rows.cursor < len(self._shown):
            return None
        index = self._shown[rows.cursor]
        return index if index >= 0 else None

    @property
    def typed(self) -> str:
        """What stands in the line."""
        return self.query_one(FilterInput).value

    # ---- screen -----------------------------------------------------------------------------------------------------

    def compose_sheet(self) -> Iterable[Widget]:
        """The line, the list, the preview."""
        yield FilterInput(self._placeholder, self._query)
        with Horizontal(classes="body"):
            yield RowList(empty=self._empty, click_takes=self._click_takes)
            yield TextView(classes="preview", can_focus=False)

    def on_mount(self) -> None:
        """Show the options, and let the loader bring more."""
        super().on_mount()
        self.set_class(self._preview is not None, "-previews")
        self._ready = True
        self.refilter(cursor=self._first_cursor)
        if self._loader is not None:
            self.run_worker(self._loader(self), group="loader", exit_on_error=True)

    def refilter(self, *, keep: bool = False, cursor: int | None = None) -> None:
        """Show what fits to what is typed. *keep*: the cursor stays on its option; *cursor*: it goes to that one."""
        if not self._ready:
            return
        wanted = self.current if keep else cursor
        self._filtered = typed = self.typed.strip()
        self._matcher = Matcher(typed)
        found = self._haystack.find(typed)
        self._shown = list(found) if typed else self._with_headings(found)
        if self._free_text and typed and typed not in self._labels:
            self._shown.append(_TYPED)
        place = self._shown.index(wanted) if wanted is not None and wanted in self._shown else 0
        self.query_one(RowList).show(len(self._shown), self._row, cursor=place)
        self.count()

    def count(self) -> None:
        """How many fit, in the lower edge."""
        fitting = sum(index >= 0 for index in self._shown)
        total = len(self.options)
        self.subtitle(f"{fitting:,} of {total:,}" if fitting != total else f"{total:,}" if total > 10 else "")

    def _with_headings(self, found: list[int]) -> list[int]:
        self._groups = []
        if not any(isinstance(option, Grouped) and option.group for option in self.options):
            return found
        by_group: dict[str, list[int]] = {}
        for index in found:
            option = self.options[index]
            by_group.setdefault(option.group if isinstance(option, Grouped) else "", []).append(index)
        out: list[int] = []
        for group, members in by_group.items():
            if group:
                out.append(-1 - len(self._groups))
                self._groups.append(one_line(group))
            out += members
        return out

    def _row(self, place: int) -> Row:
        index = self._shown[place]
        if index == _TYPED:
            return Row([("take ", "dim"), (one_line(self.typed), "strong"), (" as it is typed", "dim")])
        if index < 0:
            name, dot, more = self._groups[-1 - index].partition(" · ")
            return Row([(name, "group"), (dot + more, "dim")], heading=True)
        return self.row_of(index)

    def row_of(self, index: int) -> Row:
        """The row of an option, the typed letters lit."""
        label = self._labels[index]
        left = lit(label, self._matcher.places(label)) if self.typed.strip() else [(label, "")]
        return Row(left, [(one_line(self.options[index].detail), "dim")])

    # ---- events -----------------------------------------------------------------------------------------------------

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._catch_up()

    def _catch_up(self) -> None:
        """A key may come right behind the last letter: the list is what was typed."""
        if self.typed.strip() != self._filtered:
            self.refilter()

    @on(RowList.Taken)
    def _taken(self, event: RowList.Taken) -> None:
        event.stop()
        self.action_take()

    @on(RowList.Moved)
    def _moved(self, event: RowList.Moved) -> None:
        event.stop()
        self.moved()
        if self._preview is None:
            return
        if self._preview_timer is not None:
            self._preview_timer.stop()
        self._preview_timer = self.set_timer(_PREVIEW_AFTER, self._make_preview)

    def moved(self) -> None:
        """The cursor is on another option, or on none."""

    def _make_preview(self) -> None:
        self._preview_timer = None
        self.run_worker(self._show_preview(), group="preview", exclusive=True)

    async def _show_preview(self) -> None:
        index = self.current
        text: str = ""
        if index is not None and self._preview is not None:
            made = self._preview(index)
            text = made if isinstance(made, str) else await made
        self.query_one(TextView).show(text)

    def hints(self) -> Iterable[Hint]:
        """The screen's keys and the caller's."""
        yield from super().hints()
        for action in self._actions.values():
            yield Hint(self.app.get_key_display(Binding(action.key, "")), action.does, f"own:{action.action}")

    async def press(self, action: str) -> None:
        """The caller's actions, and the screen's."""
        name = action.removeprefix("own:")
        if name == action:
            await super().press(action)
        elif (index := self.current) is not None:
            self.picked(index, name)

    def on_key(self, event: Key) -> None:
        """The caller's keys come before those of the line."""
        action = self._actions.get(event.key)
        if action is None:
            return
        event.stop()
        event.prevent_default()
        if (index := self.current) is not None:
            self.picked(index, action.action)

    def picked(self, index: int, action: str) -> None:
        """Give back what was chosen."""
        raise NotImplementedError

    def action_take(self) -> None:
        """Take the option under the cursor."""
        self._catch_up()
        if (index := self.current) is not None:
            self.picked(index, "")
        elif self._free_text and self.typed.strip():
            self.picked_text(self.typed.strip())

    def picked_text(self, text: str) -> None:
        """Give back what was typed: only with `free_text`."""
        raise NotImplementedError

    def action_move(self, step: int) -> None:
        """Up or down."""
        self._catch_up()
        self.query_one(RowList).action_move(step)

    def action_page(self, step: int) -> None:
        """Up or down by a page."""
        self._catch_up()
        self.query_one(RowList).action_page(step)

    def action_to_start(self) -> None:
        """To the first option."""
        self.query_one(RowList).action_to_start()

    def action_to_end(self) -> None:
        """To the last one."""
        self._catch_up()
        self.query_one(RowList).action_to_end()


class Picker(PickerBase[int | None]):
    """Gives back the index of the option that was taken, None where the person closed it."""

    def picked(self, index: int, action: str) -> None:
        """The index."""
        self.dismiss(index)


class ActionPicker(PickerBase[Picked | None]):
    """Gives back the index and the action: "" for Enter, else one of `actions`."""

    def picked(self, index: int, action: str) -> None:
        """Both."""
        self.dismiss(Picked(index, action))
