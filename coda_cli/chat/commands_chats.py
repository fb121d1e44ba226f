"""Slash commands for chats: begin, find, name, delete and bring them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coda_cli.chat.command_parts import beginning_with, excerpt, opened_id
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front, Option
from coda_cli.chat.remembering import remember_end
from coda_cli.chat.words import ago, counted
from coda_cli.engine.conversations.info import HIT_END, HIT_START, ConversationInfo
from coda_cli.engine.core.errors import UsageError

_HITS: Final = 50


def option_of(info: ConversationInfo) -> Option:
    """A chat as one choice of several."""
    tags = "".join(f" #{tag}" for tag in info.tags)
    mark = "* " if info.pinned else ""
    detail = f"{ago(info.updated)}, {counted(info.messages, 'message')}, {info.model or 'no answer yet'}{tags}"
    return Option(mark + (excerpt(info.title) or "(untitled)"), detail, f"{info.title} {info.model}{tags} {info.id}")


async def new(front: Front, text: str) -> None:
    """Begin an empty chat."""
    await remember_end(front.session)
    front.session.begin_new()
    await front.reload()
    if text:
        front.start(front.session.ask(text))
    else:
        front.note("a new chat; the one before is kept, and /resume brings it back")


async def resume(front: Front, text: str) -> None:
    """Open another chat."""
    if await front.own("resume", text):
        return
    session = front.session
    rows = await session.refresh_recent()
    if text:
        await _open(front, _titled(rows, text) or await session.conversations.find(text))
        return
    if not rows:
        raise UsageError("there is no chat yet", hint="what is asked here becomes the first one")
    chosen = await front.choose("Open a chat", [option_of(row) for row in rows])
    if chosen is not None:
        await _open(front, rows[chosen].id)


def _titled(rows: Sequence[ConversationInfo], text: str) -> str | None:
    """The one chat whose title is *text*, or the only one whose title contains it."""
    wanted = text.casefold()
    for fits in (lambda title: title == wanted, lambda title: wanted in title):
        found = [row.id for row in rows if fits(row.title.casefold())]
        if len(found) == 1:
            return found[0]
    return None


async def _open(front: Front, conversation_id: str, at: str | None = None, text: str = "") -> None:
    session = front.session
    if conversation_id != session.conversation_id:
        await session.switch_to(conversation_id)
    if at is not None and at not in {node.message.message_id for node in (await session.opened()).path()}:
        await session.conversations.branch(conversation_id, at)  # the hit is on another branch
    await front.reload(at, text)


async def search(front: Front, text: str) -> None:
    """Search all chats, and open one at the line that was found."""
    if await front.own("search", text):
        return
    wanted = text or await front.ask_text("Search all chats for")
    if not wanted:
        return
    hits = await front.session.conversations.search(wanted, limit=_HITS)
    if not hits:
        front.note(f"nothing in any chat matches {wanted!r}")
        return
    options = []
    for hit in hits:
        snippet = excerpt(hit.snippet.replace(HIT_START, "»").replace(HIT_END, "«"), 160)
        detail = f"{excerpt(hit.conversation.title, 40)}, {hit.role}, {ago(hit.time)}"
        options.append(Option(snippet, detail, f"{snippet} {detail}"))
    chosen = await front.choose(f"{counted(len(hits), 'message')} found", options)
    if chosen is not None:
        await _open(front, hits[chosen].conversation.id, hits[chosen].message_id, wanted)


async def rename(front: Front, text: str) -> None:
    """Give this chat another title."""
    name = opened_id(front)
    if not text:
        now = (await front.session.opened()).name
        given = await front.ask_text("Title of this chat", initial=now)
        if given is None:
            return
        text = given
    conversation = await front.session.conversations.rename(name, text)
    await front.session.refresh_recent()
    front.note(f"this chat is called {excerpt(conversation.name)!r}")


async def tag(front: Front, text: str) -> None:
    """Show, add and remove tags."""
    name = opened_id(front)
    words = text.split()
    add = [word.lstrip("+#") for word in words if not word.startswith("-")]
    remove = [word.lstrip("-#") for word in words if word.startswith("-")]
    conversation = await front.session.conversations.tag(name, add, remove)
    await front.session.refresh_recent()
    front.note(
        "tags: " + (", ".join(conversation.tags) or "none") + ("" if text else "; /tag WORD adds, -WORD removes")
    )


def _complete_tags(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    return beginning_with(typed, [(tag, "a tag of other chats") for row in front.session.recent for tag in row.tags])


def _complete_chats(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    word = typed.casefold()
    return [
        (row.id, f"{excerpt(row.title)}, {ago(row.updated)}")
        for row in front.session.recent
        if word in row.title.casefold() or word in row.id
    ]


COMMANDS: Final = (
    Command("new", "[QUESTION]", "Begin a new chat; this one is kept", new, "Chats", ("clear", "n"), idle=True),
    Command(
        "resume",
        "[TITLE|ID]",
        "Open another chat",
        resume,
        "Chats",
        ("chats", "r", "continue", "open"),
        idle=True,
        complete=_complete_chats,
    ),
    Command("search", "[WORDS]", "Search all chats, to the line", search, "Chats", ("find",), idle=True),
    Command("rename", "[TITLE]", "Give this chat a title", rename, "Chats", ("title",)),
    Command("tag", "[WORD] [-WORD]", "Show, add, remove tags of this chat", tag, "Chats", complete=_complete_tags),
)
