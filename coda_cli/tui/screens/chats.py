"""All chats in one place: the latest ones, and with a few words everything that was ever said in any of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar, Final

from msgspec import Struct
from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from coda_cli.chat.words import counted
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.errors import CodaError
from coda_cli.tui.screens.ask_text import AskText
from coda_cli.tui.screens.chats_source import ChatsSource, Item, Listing, now, row_of
from coda_cli.tui.screens.confirm import Confirm
from coda_cli.tui.screens.picker import FilterInput
from coda_cli.tui.screens.rows import RowList
from coda_cli.tui.screens.runs import Row, one_line
from coda_cli.tui.screens.sheet import Sheet
from coda_cli.tui.screens.text_view import TextView

_SEARCH_AFTER: Final = 0.12
_PREVIEW_AFTER: Final = 0.1

Exporter = Callable[[str], Awaitable[str]]
"""Exports the chat of this id and says where to; raises CodaError."""


class ChatChoice(Struct, frozen=True):
    """The chat to open; from a search also the message that was found, and what was searched."""

    conversation_id: str
    message_id: str | None = None
    text: str = ""


def _key(item: Item) -> tuple[str, str | None]:
    return item.chat.id, item.hit.message_id if item.hit is not None else None


class Chats(Sheet[ChatChoice | None]):
    """Gives back what to open. Of `changed` chats the title, tags, pin may be new, `deleted` ones are in the trash."""

    DEFAULT_CSS = """
    Chats {
        FilterInput { margin: 0 1 0 0; }
        .body { height: 1fr; border-top: solid $primary 40%; }
        .preview { display: none; width: 2fr; border-left: solid $primary 40%; padding: 0 1; }
        RowList { width: 3fr; }
        &.-wide .preview { display: block; }
        &.-low .body { border-top: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", key_display="enter", id="chats.open", priority=True),
        Binding("ctrl+r", "rename", "rename", id="chats.rename", priority=True),
        Binding("ctrl+t", "tag", "tag", id="chats.tag", priority=True),
        Binding("ctrl+p", "pin", "pin", id="chats.pin", priority=True),
        Binding("ctrl+d,delete", "delete", "delete", key_display="^d", id="chats.delete", priority=True),
        Binding("ctrl+x", "trash", "trash", id="chats.trash", priority=True),
        Binding("ctrl+k", "fork", "fork", id="chats.fork", priority=True),
        Binding("ctrl+e", "export", "export", id="chats.export", priority=True),
        Binding("up", "move(-1)", "up", show=False, priority=True, id="chats.up"),
        Binding("down", "move(1)", "down", show=False, priority=True, id="chats.down"),
        Binding("pageup", "page(-1)", "page up", show=False, priority=True, id="chats.page_up"),
        Binding("pagedown", "page(1)", "page down", show=False, priority=True, id="chats.page_down"),
        Binding("home", "to_start", "first", show=False, priority=True, id="chats.first"),
        Binding("end", "to_end", "last", show=False, priority=True, id="chats.last"),
    ]
    AUTO_FOCUS = "FilterInput"

    def __init__(
        self,
        conversations: ConversationManager,
        *,
        current: str | None = None,
        query: str = "",
        export: Exporter | None = None,
    ) -> None:
        super().__init__("Chats")
        self._source = ChatsSource(conversations)
        self._conversations = conversations
        self._current, self._query, self._exporter = current, query, export
        self._listing = Listing()
        self._in_trash = False
        self._now = now()
        self._search_timer: Timer | None = None
        self._preview_timer: Timer | None = None
        self._reading_on = False
        self._sought: str | None = None  # what was typed when it was last read
        self._shown_for: str | None = None  # what was typed for what is shown
        self.changed: set[str] = set()
        self.deleted: list[str] = []

    # ---- screen -----------------------------------------------------------------------------------------------------

    def compose_sheet(self) -> Iterable[Widget]:
        """The line, the list, the preview."""
        yield FilterInput("search everything ever said, #tag", self._query)
        with Horizontal(classes="body"):
            yield RowList(empty="reading", click_takes=False)
            yield TextView(classes="preview", can_focus=False)

    def on_mount(self) -> None:
        """The first page."""
        super().on_mount()
        self._read()

    @property
    def rows(self) -> RowList:
        """The list."""
        return self.query_one(RowList)

    @property
    def typed(self) -> str:
        """What stands in the line."""
        return self.query_one(FilterInput).value

    @property
    def item(self) -> Item | None:
        """What is under the cursor."""
        place = self.rows.cursor
        return self._listing.items[place] if 0 <= place < len(self._listing.items) else None

    def _read(self, *, stay: bool = False, then_open: bool = False) -> None:
        """Read the first page anew; *stay*: the cursor stays on its row, or at its place where that is gone."""
        self._sought = self.typed
        if self._search_timer is not None:
            self._search_timer.stop()
            self._search_timer = None
        self._read_first(self.typed, stay, then_open)

    @work(exclusive=True, group="read")
    async def _read_first(self, typed: str, stay: bool, then_open: bool) -> None:
        rows, before = self.rows, self.item
        place, seen = (max(0, rows.cursor), rows.scroll_offset.y) if stay else (0, 0)
        try:
            listing = await self._source.read(typed, trash=self._in_trash)
            while stay and listing.more and len(listing.items) <= place:
                await self._source.read_on(listing, typed)
        except CodaError as error:
            self.fail(error)
            return
        if stay and before is not None:
            keys = [_key(item) for item in listing.items]
            place = keys.index(_key(before)) if _key(before) in keys else place
        self._listing, self._now = listing, now()
        rows.empty = self._nothing()
        rows.show(len(listing.items), self._row, cursor=place, row_height=2 if listing.searched else 1)
        if seen:
            rows.scroll_to(y=seen, animate=False)
        self._count()
        self._shown_for = typed
        if then_open:
            self._open()

    def _nothing(self) -> str:
        if self._in_trash:
            return "the trash is empty"
        return "nothing was ever said like this" if self.typed.strip() else "no chats yet"

    def _count(self) -> None:
        number = len(self._listing.items)
        what = "hit" if self._listing.searched else "chat"
        self.subtitle(f"{counted(number, what)}{'+' if self._listing.more else ''}" if number else "")

    def _row(self, place: int) -> Row:
        return row_of(self._listing.items[place], self._now, searched=self._listing.searched, current=self._current)

    # ---- events -----------------------------------------------------------------------------------------------------

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value == self._sought:  # Enter was faster
            return
        if self._search_timer is not None:
            self._search_timer.stop()
        self._search_timer = self.set_timer(_SEARCH_AFTER, self._read)

    @on(RowList.NearEnd)
    def _near_end(self) -> None:
        if self._listing.more and not self._reading_on:
            self._reading_on = True
            self._read_on()

    @work(group="more")
    async def _read_on(self) -> None:
        listing, typed = self._listing, self.typed
        try:
            await self._source.read_on(listing, typed)
        except CodaError as error:
            listing.more = False
            self.fail(error)
        finally:
            self._reading_on = False
        if listing is self._listing:
            self.rows.grow(len(listing.items))
            self._count()

    @on(RowList.Moved)
    def _moved(self, event: RowList.Moved) -> None:
        event.stop()
        if not self.has_class("-wide"):
            return
        if self._preview_timer is not None:
            self._preview_timer.stop()
        self._preview_timer = self.set_timer(_PREVIEW_AFTER, self._show_preview)

    @work(exclusive=True, group="preview")
    async def _show_preview(self) -> None:
        self._preview_timer = None
        item = self.item
        view = self.query_one(TextView)
        if item is None or self._in_trash:
            view.show("")
            return
        lines = await self._source.preview(item)
        view.show_lines(lines)
        if item.hit is None:
            view.scroll_end(animate=False)
        else:
            view.reveal("match")

    @on(RowList.Taken)
    def _taken(self, event: RowList.Taken) -> None:
        event.stop()
        self.action_open()

    # ---- actions ----------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the trash a chat can only come back; what nobody gave cannot be done."""
        if action in ("rename", "tag", "pin", "delete", "fork", "export") and self._in_trash:
            return False
        return not (action == "export" and self._exporter is None)

    def action_open(self) -> None:
        """Open the chat, at the message that was found; out of the trash it comes back first."""
        if self.typed != self._shown_for:  # Enter right behind the last letter: what is shown is not what was meant
            self._read(then_open=True)
        else:
            self._open()

    def _open(self) -> None:
        item = self.item
        if item is None:
            return
        if self._in_trash:
            self._restore(item)
            return
        hit = item.hit
        self.dismiss(ChatChoice(item.chat.id, hit.message_id if hit else None, self._listing.words if hit else ""))

    def action_close(self) -> None:
        """Leave the trash, then the text, then the screen."""
        if self._in_trash:
            self.action_trash()
        elif self.typed:
            self.query_one(FilterInput).value = ""
        else:
            self.dismiss(None)

    def action_trash(self) -> None:
        """Show what was deleted, or the chats again."""
        self._in_trash = not self._in_trash
        self.retitle("Trash: Enter brings a chat back" if self._in_trash else "Chats")
        self.tell("")
        self.refresh_bindings()
        self.show_hints()
        self._read()

    @work(group="change")
    async def _restore(self, item: Item) -> None:
        try:
            await self._conversations.restore(item.chat.id)
        except CodaError as error:
            self.fail(error)
            return
        if item.chat.id in self.deleted:
            self.deleted.remove(item.chat.id)
        self._done(item, "is back")

    def _done(self, item: Item, what: str) -> None:
        self.changed.add(item.chat.id)
        self.tell(f"“{one_line(item.chat.title) or '(untitled)'}” {what}")
        self._read(stay=True)

    @work(group="change")
    async def action_rename(self) -> None:
        """Give the chat a title; an empty one is its first words again."""
        if (item := self.item) is None:
            return
        title = await self.app.push_screen_wait(AskText("Title of this chat", initial=one_line(item.chat.title)))
        if title is None:
            return
        try:
            await self._conversations.rename(item.chat.id, title.strip())
        except CodaError as error:
            self.fail(error)
            return
        self._done(item, "has a new title")

    @work(group="change")
    async def action_tag(self) -> None:
        """Give the chat exactly these tags."""
        if (item := self.item) is None:
            return
        before = set(item.chat.tags)
        text = await self.app.push_screen_wait(
            AskText("Tags of this chat", initial=" ".join(item.chat.tags), placeholder="words, separated by blanks")
        )
        if text is None:
            return
        wanted = {word.lstrip("#") for word in text.replace(",", " ").split() if word.lstrip("#")}
        try:
            await self._conversations.tag(item.chat.id, sorted(wanted - before), sorted(before - wanted))
        except CodaError as error:
            self.fail(error)
            return
        self._done(item, "has new tags")

    @work(group="change")
    async def action_pin(self) -> None:
        """Pin the chat above the others, or let it go."""
        if (item := self.item) is None:
            return
        try:
            await self._conversations.pin(item.chat.id, pinned=not item.chat.pinned)
        except CodaError as error:
            self.fail(error)
            return
        self._done(item, "is let go" if item.chat.pinned else "is pinned")

    @work(group="change")
    async def action_fork(self) -> None:
        """Copy the chat as it stands, and open the copy."""
        if (item := self.item) is None:
            return
        try:
            made = await self._conversations.fork(item.chat.id)
        except CodaError as error:
            self.fail(error)
            return
        self.dismiss(ChatChoice(made.id))

    @work(group="change")
    async def action_delete(self) -> None:
        """Move the chat to the trash, if the person means it."""
        if (item := self.item) is None:
            return
        question = f"Delete “{one_line(item.chat.title) or '(untitled)'}”?"
        detail = (
            f"{counted(item.chat.messages, 'message')}; it moves to the trash, and Ctrl+X brings it back from there."
        )
        if not await self.app.push_screen_wait(Confirm(question, detail=detail, yes="Delete", danger=True)):
            return
        try:
            await self._conversations.delete(item.chat.id)
        except CodaError as error:
            self.fail(error)
            return
        self.deleted.append(item.chat.id)
        self._done(item, "is in the trash")

    @work(group="change")
    async def action_export(self) -> None:
        """Write the chat to a file."""
        item = self.item
        if item is None or self._exporter is None:
            return
        try:
            self.tell(await self._exporter(item.chat.id))
        except CodaError as error:
            self.fail(error)

    def action_move(self, step: int) -> None:
        """Up or down."""
        self.rows.action_move(step)

    def action_page(self, step: int) -> None:
        """Up or down by a page."""
        self.rows.action_page(step)

    def action_to_start(self) -> None:
        """To the first."""
        self.rows.action_to_start()

    def action_to_end(self) -> None:
        """To the last that was read."""
        self.rows.action_to_end()
