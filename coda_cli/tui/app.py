"""The chat on the whole screen: its beginning and its end, and what each key or click leads to.

The session is made after the first paint, in a thread: the screen is there before the engine is loaded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, Static

from coda_cli.engine.core.errors import CodaError
from coda_cli.settings.key_names import spelt
from coda_cli.tui.key_words import key_of
from coda_cli.tui.prompt import Prompt
from coda_cli.tui.screens.find_bar import FindBar
from coda_cli.tui.shell import Shell
from coda_cli.tui.sidebar import Sidebar
from coda_cli.tui.starting import Start, show_download, who_answers
from coda_cli.tui.status import Status
from coda_cli.tui.transcript.messages import Acted, AtEnd, LinkPressed, NeedOlder, Selected
from coda_cli.tui.typed_ahead import LATE
from coda_cli.tui.warm import collect_again, load_commands, warm_up

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession

__all__ = ["CodaApp", "Start", "run"]

TWICE: Final = 1.5
"""Seconds within which a second Ctrl+C quits and a second Esc goes back to edit."""

PROMPT_ACTIONS: Final = frozenset(
    binding.id.removeprefix("prompt.") for binding in Prompt.BINDINGS if isinstance(binding, Binding) and binding.id
)
"""The prompt's own actions that `[keys]` may give other keys."""


class CodaApp(Shell):
    """The program's one application."""

    TITLE = "Coda"
    CSS_PATH = "coda.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "command('/help')", "Help", id="help"),
        Binding("ctrl+p", "palette", "Commands", id="palette"),
        Binding("ctrl+s,ctrl+l", "chats", "Chats", id="chats"),
        Binding("ctrl+n", "command('/new')", "New chat", id="new"),
        # What moves the focus has priority: Textual runs it before the letters that were typed behind it.
        Binding("ctrl+f", "find", "Find in this chat", id="find", priority=True),
        Binding("ctrl+t", "toggle_reasoning", "Thinking", id="reasoning"),
        Binding("ctrl+o", "toggle_tools", "Tool calls", id="tools"),
        Binding("ctrl+b", "toggle_sidebar", "Sidebar", id="sidebar"),
        Binding("f2", "command('/model')", "Model", id="model"),
        Binding("ctrl+shift+c,super+c", "copy", "Copy", id="copy"),
        Binding("shift+tab,ctrl+up", "focus_transcript", "Messages", id="messages", priority=True),
        Binding("pageup", "page(-1)", "Page up", show=False, id="page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="page_down"),
        Binding("ctrl+end", "to_end", "Newest", show=False, id="end"),
        Binding("escape", "escape", "Stop", show=False, id="stop"),
        Binding("ctrl+c", "interrupt", "Stop, twice quits", show=False, priority=True, id="interrupt"),
        Binding("ctrl+d,ctrl+q", "leave", "Quit", id="quit"),
    ]

    def __init__(self, make: Callable[[], ChatSession], start: Start, *, mouse: bool = True) -> None:
        super().__init__(start, self._runs)
        self._make = make
        self.mouse_taken = mouse
        self.failure: CodaError | None = None
        self.own_keys: Mapping[str, str] = {}
        self._early: list[Prompt.Submitted] = []
        self._wanted: list[str] = []
        self._pressed: dict[str, float] = {}
        self._going = False

    # ---- beginning and end ----------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Colours and keys; the rest once the screen has been painted."""
        self.use_theme(self._start.theme)
        self.transcript.attach_bar(self.bar)
        self.use_keys(self._start.keys)
        self.prompt.focus()
        if self._start.typed:
            self.prompt.put(self._start.typed)
        if self._start.pick:
            self.wait_for_screen(LATE)
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        try:
            session = await asyncio.to_thread(self._make)
        except CodaError as error:
            self.failure = error
            self.exit(error.exit_code)
            return
        from coda_cli.tui.flow import Flow
        from coda_cli.tui.front import TuiFront

        self._session = session
        self._flow = Flow(self)
        self._front = TuiFront(self)
        self.status.tell(incognito=session.incognito)
        await self._first_view()
        for note in (*self._start.notes, *session.notes):  # opening the chat puts away what stood there
            self.note(note)
        if self._start.first is not None or self._start.media:
            self.flow.submit(self._start.first or "", self._start.media)
        self.prompt.update_suggestion()  # what was typed meanwhile has not been offered anything
        early, self._early = self._early, []
        for message in early:
            await self._submitted(message)
        wanted, self._wanted = self._wanted, []
        for line in wanted:
            self.action_command(line)
        self.call_after_refresh(lambda: self.work(self._greet()))  # not before the chat is seen
        collect_again()

    async def _first_view(self) -> None:
        try:
            await self.open_chat(keep_prompt=not self.prompt.is_blank)
            if self._start.sidebar:
                await self.action_toggle_sidebar()
        except CodaError as error:
            self.flow.fail(error)
        if self._start.pick:
            self.action_chats()

    def use_keys(self, keys: Mapping[str, str]) -> None:
        """Give actions other keys, by their names in `[keys]`; all others have their own."""
        self.own_keys = keys
        self.set_keymap({f"prompt.{name}" if name in PROMPT_ACTIONS else name: spelt(to) for name, to in keys.items()})
        self.status.show_keys(key_of("help", keys), key_of("palette", keys))

    async def _greet(self) -> None:
        """Say which model answers, and how to change it where nobody chose one."""
        session = self.session
        await asyncio.to_thread(load_commands)
        line = await who_answers(session)
        if line is not None:
            self.note(line)
        await show_download(session, self.status)
        provider, model = await session.model_name()
        self.status.tell(model=f"{provider}/{model}")
        await self.show_gauge()

    async def leave(self, code: int = 0) -> None:
        """Stop what is under way, keep the draft, and end."""
        if self._going:
            return
        self._going = True
        if self._flow is not None:
            await self._flow.finish()
        if self._session is not None:
            from coda_cli.chat.remembering import remember_end

            await remember_end(self._session)
            waiting = self.front.waiting() if self.front is not None else []
            draft = "\n\n".join(text for text in (*waiting, self.prompt.text_for_draft()) if text.strip())
            self._session.drafts.save(self._session.conversation_id, draft)
        self.exit(code)

    # ---- the prompt -----------------------------------------------------------------------------------------------

    def _runs(self, text: str) -> bool:
        if self._front is None:
            return False
        from coda_cli.chat import commands

        return commands.is_complete(text, "tui")

    @on(Prompt.Submitted)
    async def _submitted(self, message: Prompt.Submitted) -> None:
        if self._front is None or self._session is None:
            self._early.append(message)
            return
        self._session.history.add(message.draft)
        self._session.drafts.forget(self._session.conversation_id)
        self.work(self.watched(self._front.take(message.text, message.typed, message.draft)))

    @on(Prompt.Blank)
    def _nothing_to_send(self) -> None:
        if self._front is not None:
            self.work(self._front.take_nothing())

    @on(Prompt.Changed)
    def _draft(self) -> None:
        if not self.prompt.is_blank:
            warm_up()
        if self._session is not None:
            self._session.drafts.note(self._session.conversation_id, self.prompt.text_for_draft())

    @on(Prompt.EditorWanted)
    def _to_editor(self) -> None:
        if self._front is not None:
            self.work(self._front.write_in_editor())

    @on(Prompt.Escaped)
    def _escaped(self) -> None:
        self.action_escape()

    # ---- the transcript -------------------------------------------------------------------------------------------

    @on(AtEnd)
    def _at_end(self, message: AtEnd) -> None:
        pill = self.query_one("#pill", Static)
        more = f"{message.fresh} new lines" if message.fresh else "newest"
        pill.update(Content(f"↓ {more} · {key_of('end', self.own_keys)}"))
        pill.set_class(not message.value, "-shown")

    @on(events.Click, "#pill")
    def _pill(self) -> None:
        self.transcript.jump_to_end()

    @on(NeedOlder)
    def _older(self) -> None:
        self.pages.older()

    @on(Acted)
    def _acted(self, message: Acted) -> None:
        if self._front is not None:
            self.work(self.watched(self._front.act(message.action, message.entry_id)))

    @on(LinkPressed)
    def _link(self, message: LinkPressed) -> None:
        if self._front is not None:
            self.work(self._front.open_link(message.url))

    @on(Selected)
    def _selected(self, message: Selected) -> None:
        if self._front is not None and message.text:
            self._front.copied(message.text, quiet=True)

    @on(Sidebar.Chosen)
    def _chosen(self, message: Sidebar.Chosen) -> None:
        if self._front is not None:
            self.work(self._front.go_to(message.conversation_id))
            self.prompt.focus()

    @on(Status.Pressed)
    def _status(self, message: Status.Pressed) -> None:
        if message.name == "menu":
            self.action_palette()
        elif message.name == "stop":
            self._stop()
        else:
            self.action_command(f"/{message.name}")

    # ---- find -----------------------------------------------------------------------------------------------------

    def action_find(self) -> None:
        """Find in this chat."""
        bar = self.query_one(FindBar)
        bar.display = True
        self.screen.set_focus(bar.query_one(Input))  # at once, where `focus` waits: letters may be behind
        if bar.text:
            self._find(FindBar.Changed(bar.text))

    @on(FindBar.Changed)
    def _find(self, message: FindBar.Changed) -> None:
        bar = self.query_one(FindBar)
        if not bar.display:  # closed meanwhile
            return
        if message.text:
            self.pages.everything()
        bar.show_count(*self.transcript.find(message.text))

    @on(FindBar.Next)
    def _find_next(self) -> None:
        self.query_one(FindBar).show_count(*self.transcript.find_next())

    @on(FindBar.Previous)
    def _find_previous(self) -> None:
        self.query_one(FindBar).show_count(*self.transcript.find_previous())

    @on(FindBar.Closed)
    def _find_closed(self) -> None:
        self.query_one(FindBar).display = False
        self.transcript.clear_find()
        self.prompt.focus()

    # ---- keys -----------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What moves the focus in the chat does nothing while a screen covers it."""
        return action not in ("find", "focus_transcript") or len(self.screen_stack) < 2

    def action_command(self, line: str) -> None:
        """Run a slash command; what stands in the prompt stays there."""
        if self._front is not None:
            self.work(self.watched(self._front.command(line)))
        else:
            self._wanted.append(line)
            self.wait_for_screen(LATE)

    def action_palette(self) -> None:
        """All commands, to be filtered by typing."""
        if self._front is not None:
            self.work(self.watched(self._front.palette()))

    def action_chats(self) -> None:
        """The list of chats, and the search in all of them."""
        self.action_command("/resume")

    def action_toggle_reasoning(self) -> None:
        """Unfold or fold the models' thinking."""
        self.transcript.reasoning_open = not self.transcript.reasoning_open

    def action_toggle_tools(self) -> None:
        """Unfold or fold tool calls."""
        self.transcript.tools_open = not self.transcript.tools_open

    async def action_toggle_sidebar(self) -> None:
        """Show or hide the latest chats; Tab from an empty prompt goes there."""
        sidebar = self.query_one(Sidebar)
        sidebar.toggle_class("-shown")
        if sidebar.has_class("-shown") and self._session is not None:
            await self.show_sidebar()
        elif sidebar.has_focus:
            self.prompt.focus()

    def action_focus_transcript(self) -> None:
        """Walk from the prompt to the messages and back."""
        self.screen.set_focus(self.prompt if self.transcript.has_focus else self.transcript)

    def action_page(self, step: int) -> None:
        """Page in the transcript, wherever the focus is."""
        self.transcript.action_page(step)

    def action_to_end(self) -> None:
        """The newest message."""
        self.transcript.jump_to_end()

    def _twice(self, key: str) -> bool:
        before, now = self._pressed.get(key, -TWICE), monotonic()
        self._pressed[key] = now
        return now - before < TWICE

    def _stop(self) -> bool:
        """Stop the answer, or the command of the shell; whether there was one."""
        return (self._flow is not None and self._flow.stop()) or (self._front is not None and self._front.stop_shell())

    def action_escape(self) -> None:
        """Stop the answer; from elsewhere to the prompt; give an edit up; twice: edit the last question."""
        if self._stop():
            self._pressed.pop("escape", None)
        elif not self.prompt.has_focus:
            self.prompt.focus()
        elif self._front is not None and self._front.give_up_editing():
            self._pressed.pop("escape", None)
        elif self._front is not None and self._twice("escape"):
            self._pressed.pop("escape", None)
            self.work(self._front.rewind())

    def action_copy(self) -> None:
        """Copy what is selected, the message under the cursor, or the newest answer."""
        if self._front is not None:
            self.work(self._front.copy_current())

    def action_interrupt(self) -> None:
        """Ctrl+C: stop the answer; empty the prompt; twice: quit."""
        if self._stop():
            self._pressed["interrupt"] = monotonic()
        elif self._twice("interrupt"):
            self.work(self.leave())
        elif not self.prompt.is_blank:
            self.prompt.clear()
        elif self.attached:
            self.attached.clear()
            self.show_attached()
        else:
            self.notify("Ctrl+C once more quits", timeout=TWICE, markup=False)

    def action_leave(self) -> None:
        """Quit; ask first if an answer is under way."""
        if self._front is not None:
            self.work(self._front.ask_and_leave())
        else:
            self.exit(0)


async def run(make: Callable[[], ChatSession], start: Start, *, mouse: bool = True, inline: bool = False) -> int:
    """Run the chat of the session that *make* makes, until the person leaves it; returns the exit code.

    *make* is called in a thread, after the first paint. Raises CodaError, also for what *make* raises, and defects.
    The caller stops what is under way after a defect or a cancellation, and closes the manager.
    """
    from coda_cli.tui import terminal_input

    terminal_input.install()
    app = CodaApp(make, start, mouse=mouse)
    code = await app.run_async(mouse=mouse, inline=inline, inline_no_clear=inline)
    if app.failure is not None:
        raise app.failure
    if app.defect is not None:
        raise app.defect
    return code or 0
