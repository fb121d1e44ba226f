"""A tool waits for a person's word: what it will do, word for word, and the answers under their keys.

It opens by itself, maybe under the fingers of somebody who types: what is typed until they pause is no answer, and is
given back for the prompt. Esc and a click beside it say no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import monotonic
from typing import ClassVar, Final, NamedTuple

from msgspec.structs import replace
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click, Key
from textual.widget import Widget
from textual.widgets import Input, Static

from coda_cli.chat.approval import Said, Shown
from coda_cli.engine.core.tools import Decision
from coda_cli.tui.screens.hints import Hint
from coda_cli.tui.screens.runs import Run
from coda_cli.tui.screens.sheet import Sheet
from coda_cli.tui.screens.text_view import TextView

_NO: Final = Said("n", "no", Decision.NO)


class Answered(NamedTuple):
    """What was said, why not, and what was typed that was meant for the prompt."""

    said: Said
    reason: str = ""
    typed: str = ""


class ApprovalSheet(Sheet[Answered]):
    """Gives back what the person says to a call."""

    DEFAULT_CSS = """
    ApprovalSheet {
        & > .sheet { height: auto; max-height: 90%; border: round $warning; border-title-color: $text-warning; }
        .why { width: 1fr; height: auto; padding: 1 2 0 2; color: $text-muted; }
        .summary { width: 1fr; height: auto; padding: 1 2 0 2; text-style: bold; }
        TextView { height: auto; max-height: 8; min-height: 1; margin: 1 2 0 2; }
        .answers { width: 1fr; height: auto; padding: 1 2; }
        .answers Static { width: 1fr; height: auto; }
        .answers Static:hover { background: $boost; }
        Input { margin: 1 1 0 1; display: none; }
        Input.-asked { display: block; }
        &.-low > .sheet, &.-narrow > .sheet { max-height: 100%; }
        &.-low {
            .why, .summary, .answers { padding: 0 1; }
            TextView, Input { margin: 0 1; }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "say('y')", "once", id="approval.once"),
        Binding("c", "say('c')", "this chat", id="approval.chat"),
        Binding("a", "say('a')", "always", id="approval.always"),
        Binding("n", "say('n')", "no", id="approval.no", show=False),
        Binding("r", "say('r')", "no, because", id="approval.reason"),
    ]
    AUTO_FOCUS = "TextView"
    SETTLE: ClassVar[float] = 0.6
    """Seconds without a key until a key is an answer."""

    def __init__(self, shown: Shown) -> None:
        super().__init__(shown.title)
        self._shown = shown
        self._ready = 0.0
        self._typed = ""
        self._because: Said | None = None

    def compose_sheet(self) -> Iterable[Widget]:
        """Why it asks, what will be done, and what can be said."""
        shown = self._shown
        if shown.why:
            yield Static(Content(shown.why), classes="why")
        yield Static(Content(shown.summary), classes="summary")
        text = TextView()
        text.show_lines(_lines(shown))
        text.display = bool(shown.detail or shown.diff)
        yield text
        with Vertical(classes="answers"):
            for said in shown.answers:
                words = Content.assemble((f" {said.key} ", "bold"), f" {said.label}")
                yield Static(words, id=f"answer-{said.key}")
        line = Input(placeholder="Why not? The model is told.", compact=True)
        line.cursor_blink = False
        yield line

    def on_mount(self) -> None:
        """From now on keys are meant for this screen, after a pause."""
        self._ready = monotonic() + self.SETTLE
        super().on_mount()
        self.call_after_refresh(self._fit)
        if not (self._shown.detail or self._shown.diff):
            self.set_focus(None)

    def on_resize(self) -> None:
        """Another size leaves another room."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """The text gives way: the answers are always there to be seen."""
        text, frame = self.query_one(TextView), self.frame
        whole = self.has_class("-low") or self.has_class("-narrow")
        room = self.size.height if whole else self.size.height * 9 // 10
        others = sum(one.outer_size.height for one in frame.children if one is not text and one.display)
        room -= others + frame.gutter.height + text.styles.margin.height
        text.styles.max_height = max(1, room)
        rows = text.virtual_size.height
        self.subtitle(f"{rows} lines: space and ↓ read on" if text.display and rows > room else "")

    def hints(self) -> Iterable[Hint]:
        """Only how to leave: the answers stand above with their keys."""
        for hint in super().hints():
            if hint.action == "close":
                yield replace(hint, does="no")

    def on_click(self, event: Click) -> None:
        """A click on an answer gives it."""
        name = event.widget.id or "" if event.widget is not None else ""
        if name.startswith("answer-"):
            self.action_say(name.removeprefix("answer-"))
        else:
            super().on_click(event)

    def on_key(self, event: Key) -> None:
        """What is typed on is no answer."""
        if monotonic() >= self._ready or self._because is not None:
            return
        event.stop()
        event.prevent_default()
        self._ready = monotonic() + self.SETTLE
        if event.is_printable and event.character:
            self._typed += event.character

    def action_say(self, key: str) -> None:
        """Give the answer of *key*."""
        said = next((one for one in self._shown.answers if one.key == key), None)
        if said is None or self._because is not None:
            return
        if not said.explains:
            self.dismiss(Answered(said, typed=self._typed))
            return
        self._because = said
        line = self.query_one(Input)
        line.add_class("-asked")
        line.focus()
        self.call_after_refresh(self._fit)

    @on(Input.Submitted)
    def _explained(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(Answered(self._because or _NO, event.value, self._typed))

    def action_close(self) -> None:
        """No."""
        self.dismiss(Answered(_NO, typed=self._typed))


def _lines(shown: Shown) -> list[Sequence[Run]]:
    """The detail, then the diff in its colours. Both are safe to show."""
    lines: list[Sequence[Run]] = [[(line, "")] for line in shown.detail.splitlines() if shown.detail != shown.summary]
    if lines and shown.diff:
        lines.append([("", "")])
    for line in shown.diff.splitlines():
        head = line.startswith(("+++", "---", "@@"))
        style = "dim" if head else "good" if line.startswith("+") else "bad" if line.startswith("-") else ""
        lines.append([(line, style)])
    return lines
