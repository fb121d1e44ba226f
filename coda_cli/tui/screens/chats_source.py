"""What the list of chats shows: the latest ones, what a search found, what lies in the trash. Read in pages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from heapq import nlargest
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from coda_cli.chat.words import ago, counted
from coda_cli.engine.conversations.info import HIT_END, HIT_START, ConversationInfo, Filter, SearchHit
from coda_cli.engine.conversations.journal import Journal, StoreError
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.pages import page, page_of
from coda_cli.engine.conversations.scan import describe
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Conversation, Node
from coda_cli.engine.core.messages import MessageRole
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.tui.screens.runs import Row, Run, one_line

PAGE: Final = 100
_TITLES: Final = 1000
"""Chats whose titles a search looks at; what was said is found in all of them."""
_TITLED: Final = 5
"""Chats with the words in their titles that stand before what was said."""
_TRASH: Final = 200
_PREVIEW: Final = 6
_LONG: Final = 4_000
"""Characters of one message in the preview."""
_LARGE: Final = 8 * 1024 * 1024
"""Bytes of a file that is not read for a preview of a hit."""

_NAMES: Final = {
    MessageRole.USER: "You",
    MessageRole.ASSISTANT: "Answer",
    MessageRole.TOOL: "Tool",
    MessageRole.SYSTEM: "System",
}
_SPEAKERS: Final = {role.value: name for role, name in _NAMES.items()}


class Item(Struct, frozen=True):
    """One row: a chat, or with `hit` a message in it."""

    chat: ConversationInfo
    hit: SearchHit | None = None


class Listing(Struct):
    """Items as far as they were read; `more` may be behind them. `words` is what was searched, without tags."""

    items: list[Item] = field(default_factory=list)
    more: bool = False
    words: str = ""
    trash: bool = False

    @property
    def searched(self) -> bool:
        """Whether the rows are hits."""
        return bool(self.words)


class ChatsSource:
    """Asks the conversations. Raises CodaError."""

    def __init__(self, conversations: ConversationManager) -> None:
        self.conversations = conversations

    async def read(self, typed: str, *, trash: bool = False) -> Listing:
        """The first page for what is typed; `#tag` words narrow it to chats with that tag."""
        words, where = asked(typed)
        if trash:
            items = [Item(chat) for chat in await asyncio.to_thread(self._trashed)]
            wanted = words.casefold()
            return Listing([item for item in items if wanted in item.chat.title.casefold()], False, "", True)
        if not words:
            rows = await self.conversations.list_conversations(where, limit=PAGE)
            return Listing([Item(row) for row in rows], len(rows) == PAGE)
        rows, hits = await asyncio.gather(
            self.conversations.list_conversations(where, limit=_TITLES),
            self.conversations.search(words, where, limit=PAGE),
        )
        folded = [word.casefold() for word in words.replace('"', " ").split()]
        titled = [row for row in rows if all(word in row.title.casefold() for word in folded)]
        if hits:
            titled = titled[:_TITLED]
        return Listing(
            [Item(row) for row in titled] + [Item(h.conversation, h) for h in hits], len(hits) == PAGE, words
        )

    async def read_on(self, listing: Listing, typed: str) -> None:
        """The next page, behind the others."""
        words, where = asked(typed)
        if words:
            offset = sum(item.hit is not None for item in listing.items)
            hits = await self.conversations.search(words, where, limit=PAGE, offset=offset)
            listing.items += [Item(hit.conversation, hit) for hit in hits]
            listing.more = len(hits) == PAGE
        else:
            rows = await self.conversations.list_conversations(where, limit=PAGE, offset=len(listing.items))
            known = {item.chat.id for item in listing.items}  # a chat may have moved up since the page before
            listing.items += [Item(row) for row in rows if row.id not in known]
            listing.more = len(rows) == PAGE

    def _trashed(self) -> list[ConversationInfo]:
        shelf = self.conversations.shelf
        if not isinstance(shelf, Folder):
            return []
        try:
            files = nlargest(_TRASH, ((file.stat().st_ctime, file) for file in shelf.trashed()))
        except OSError as exc:
            raise StoreError(f"can't read the trash: {exc.strerror or exc}", hint="check its permissions") from exc
        return [info for _, file in files if (info := _described(file)) is not None]

    async def preview(self, item: Item) -> list[list[Run]]:
        """The chat's last messages, or the message that was found with its hits lit."""
        return await asyncio.to_thread(self._preview, item)

    def _preview(self, item: Item) -> list[list[Run]]:
        shelf = self.conversations.shelf
        try:
            if item.hit is not None:
                if item.chat.size > _LARGE:
                    return [snippet(item.hit.snippet)]
                node = shelf.load(item.chat.id).nodes.get(item.hit.message_id)
                return list(_said(node, matched(item.hit.snippet))) if node is not None else []
            nodes = (
                page(shelf, item.chat.id, count=_PREVIEW, labels=False)
                if isinstance(shelf, Folder)
                else page_of(shelf.load(item.chat.id), count=_PREVIEW)
            ).nodes
        except (KeyError, StoreError):
            return [[("this chat cannot be read", "dim")]]
        return [line for node in nodes if not node.hidden for line in _said(node)]


def asked(typed: str) -> tuple[str, Filter]:
    """What to search for, and in which chats: a word like `#tag` names a tag."""
    words, tag = [], None
    for word in typed.split(" "):
        if word.startswith("#") and len(word) > 1 and tag is None:
            tag = word[1:]
        else:
            words.append(word)
    return " ".join(words).strip(), Filter(tag=tag)


def _described(file: Path) -> ConversationInfo | None:
    """The row of a file in the trash; large ones are known by their beginning only."""
    try:
        size = file.stat().st_size
        records = []
        for record in Journal(file).records():
            records.append(record)
            if size > _LARGE and len(records) > PAGE:
                break
        return describe(Conversation.of(records), file, size)
    except (OSError, StoreError):
        return None


# ---- rows -----------------------------------------------------------------------------------------------------------


def snippet(text: str) -> list[Run]:
    """A snippet on one line, its hits lit; HIT_START and HIT_END are taken out."""
    out: list[Run] = []
    name = ""
    for piece in _pieces(text):
        if piece in (HIT_START, HIT_END):
            name = "match" if piece == HIT_START else ""
        elif clean := one_line(f"|{piece}|")[1:-1]:  # blanks at the ends separate words
            out.append((clean, name))
    return out


def _pieces(text: str) -> Iterator[str]:
    start = 0
    for at, character in enumerate(text):
        if character in (HIT_START, HIT_END):
            yield text[start:at]
            yield character
            start = at + 1
    yield text[start:]


def matched(text: str) -> list[str]:
    """What matched in a snippet."""
    return [piece.split(HIT_END)[0] for piece in text.split(HIT_START)[1:]]


def row_of(item: Item, now: float, *, searched: bool, current: str | None) -> Row:
    """The row of *item*: one line for a list of chats, two for what a search found."""
    chat = item.chat
    mark: Run = ("★ ", "accent") if chat.pinned else ("› ", "accent") if chat.id == current else ("  ", "")
    title = one_line(chat.title) or "(untitled)"
    tags: list[Run] = [(f" #{one_line(tag)}", "accent") for tag in chat.tags]
    when = ago(item.hit.time if item.hit is not None else chat.updated, now)
    if not searched:
        model, said = one_line(chat.model), f"{chat.messages:,} msg"
        facts: list[Run] = [(f"{model:<20}" if len(model) < 20 else model, "dim"), (f"  {said:>8}", "dim")]
        return Row([mark, (title, ""), *tags], [*facts, (f"  {when:>7}", "dim")])
    if item.hit is None:
        below = f"{one_line(chat.model) or 'no answer yet'}, {counted(chat.messages, 'message')}"
        return Row([mark, (title, "strong"), *tags], [(when, "dim")], below=[("  " + below, "dim")])
    who = _SPEAKERS.get(item.hit.role, item.hit.role)
    return Row(
        [mark, (title, "strong"), *tags], [(when, "dim")], below=[(f"  {who}: ", "dim"), *snippet(item.hit.snippet)]
    )


def _said(node: Node, lit: Sequence[str] = ()) -> Iterator[list[Run]]:
    """A message as lines: who, then what, with the words *lit*."""
    message = node.message
    model = message.metadata.get("model") if message.role is MessageRole.ASSISTANT else None
    who = _NAMES[message.role] + (f" · {one_line(model)}" if isinstance(model, str) and model else "")
    yield [(who, "group")]
    content = message.content
    text = sanitize(content[:_LONG]).replace("\t", "    ") + (" …" if len(content) > _LONG else "")
    words = [sanitize(word).lower() for word in lit if word]
    for line in text.split("\n"):
        yield _with_lit(line, words)
    yield []


def _with_lit(line: str, words: Sequence[str]) -> list[Run]:
    out: list[Run] = []
    lower, at = line.lower(), 0
    if len(lower) != len(line):
        return [(line, "")]
    while words:
        found = [(place, -len(word)) for word in words if (place := lower.find(word, at)) >= 0]
        if not found:
            break
        start, length = min(found)
        out += [(line[at:start], ""), (line[start : start - length], "match")]
        at = start - length
    return [*out, (line[at:], "")]


def now() -> float:
    """Unix seconds."""
    return time.time()
