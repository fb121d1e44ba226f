"""Slash commands for messages: answer again, edit, go back, branch, pin, delete, copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from coda_cli.chat.command_parts import beginning_with, excerpt, message_numbers, opened_id
from coda_cli.chat.commands import Command
from coda_cli.chat.commands_models import complete_models
from coda_cli.chat.entry import Entry, numbered
from coda_cli.chat.file_blocks import split_files
from coda_cli.chat.front import Front, Option
from coda_cli.chat.tree_view import tree_options, tree_text
from coda_cli.engine.conversations.tree import Node, Rating
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import MessageRole
from coda_cli.engine.rendering.blocks import code_blocks


async def undo(front: Front, _: str) -> None:
    """Take the last question and its answer back, and put the question into the prompt."""
    session, name = front.session, opened_id(front)
    last = await session.last_question()
    await session.conversations.undo(name)
    await front.reload()
    if last is not None:
        front.put_prompt(split_files(last.message.content)[0])
    front.note("taken back; /redo brings it back")


async def redo(front: Front, _: str) -> None:
    """Take the last undo back."""
    await front.session.conversations.redo(opened_id(front))
    await front.reload()
    front.put_prompt("")


async def edit(front: Front, text: str) -> None:
    """Ask an earlier question anew, in other words; the old one stays as its sibling."""
    session = front.session
    opened_id(front)
    node = await session.message(text) if text else await session.last_question()
    if node is None:
        raise UsageError("there is no question to edit", hint="ask something first")
    if node.message.role is not MessageRole.USER:
        raise UsageError("only a question can be edited", hint="`/retry` makes another answer beside this one")
    session.editing = node.message.message_id
    front.put_prompt(split_files(node.message.content)[0])
    front.note("edit the question and send it: it is asked beside the old one; an empty prompt gives it up")


async def retry(front: Front, text: str) -> None:
    """Answer the latest question again, by another model if one is named."""
    opened_id(front)
    spec = front.session.parse(text) if text else None
    if spec is not None:
        await front.session.use(spec)
    front.start(await front.session.retry(None, spec))


async def fork(front: Front, text: str) -> None:
    """Copy the chat up to a message into a new one, and go on there."""
    session, name = front.session, opened_id(front)
    at = (await session.message(text)).message.message_id if text else None
    made = await session.conversations.fork(name, at)
    await session.switch_to(made.id)
    await front.reload()
    front.note("this is a copy; the chat it was made of is in /resume as it was")


async def branch(front: Front, text: str) -> None:
    """Go on from an earlier message, or switch to another branch."""
    session, name = front.session, opened_id(front)
    if text:
        node = await session.message(text)
        await session.conversations.set_head(name, node.message.message_id)
        await front.reload()
        front.note("what is asked now begins a branch here; /tree shows all of them")
        return
    conversation = await session.opened()
    leaves = [node for node in conversation.nodes.values() if not node.children]
    options = [_leaf_option(conversation.path(node.message.message_id), conversation.head) for node in leaves]
    if len(leaves) < 2:
        raise UsageError("this chat has one branch", hint="/branch N goes on from message N, /edit N asks it anew")
    chosen = await front.choose("Switch to a branch", options)
    if chosen is not None:
        await session.conversations.set_head(name, leaves[chosen].message.message_id)
        await front.reload()


def _leaf_option(path: Sequence[Node], head: str | None) -> Option:
    asked = [node.message.content for node in path if node.message.role is MessageRole.USER]
    here = " (here)" if path[-1].message.message_id == head else ""
    return Option(
        f"{excerpt(asked[-1] if asked else '')}{here}", f"{len(path)} messages, {excerpt(path[-1].message.content)}"
    )


async def tree(front: Front, text: str) -> None:
    """The whole conversation with all its branches; one can be gone to."""
    if await front.own("tree", text):
        return
    name = opened_id(front)
    conversation = await front.session.opened()
    if text == "show":
        front.document("The whole conversation", tree_text(conversation))
        return
    ids, options = tree_options(conversation)
    chosen = await front.choose("Go to a message", options)
    if chosen is not None:
        await front.session.conversations.branch(name, ids[chosen])
        await front.reload(ids[chosen])


async def pin(front: Front, text: str) -> None:
    """Keep a message out of summaries; `chat` pins this chat in the lists."""
    await _pin(front, text, pinned=True)


async def unpin(front: Front, text: str) -> None:
    """Take a pin back."""
    await _pin(front, text, pinned=False)


async def _pin(front: Front, text: str, *, pinned: bool) -> None:
    session, name = front.session, opened_id(front)
    done = "pinned" if pinned else "no longer pinned"
    if text == "chat":
        await session.conversations.pin(name, pinned=pinned)
        await session.refresh_recent()
        front.note(f"this chat is {done}" + (": it comes first in every list" if pinned else ""))
        return
    node = await session.message(text or "-1")
    await session.conversations.pin(name, pinned=pinned, message_id=node.message.message_id)
    await front.reload()
    front.note(f"{excerpt(node.message.content)!r} is {done}" + (": it is always sent whole" if pinned else ""))


async def rate(front: Front, text: str) -> None:
    """Say what an answer is worth: `coda finetune export` chooses by it."""
    said, _, which = text.partition(" ")
    if said not in _RATINGS:
        raise UsageError("an answer is rated good or bad", hint="/rate good, /rate bad N, /rate none takes it back")
    name = opened_id(front)
    node = await front.session.message(which.strip() or "-1")
    await front.session.conversations.rate(name, node.message.message_id, _RATINGS[said])
    await front.reload()
    front.note(f"{excerpt(node.message.content)!r} is {'not rated' if said == 'none' else f'rated {said}'}")


async def delete(front: Front, text: str) -> None:
    """Take a message out of view and out of what is sent; without one move this chat to the trash."""
    session, name = front.session, opened_id(front)
    if text:
        node = await session.message(text)
        await session.conversations.hide(name, node.message.message_id)
        await front.reload()
        front.note("deleted from view and from what is sent; /restore brings it back")
        return
    title = excerpt((await session.opened()).name) or "this chat"
    if not await front.confirm(f"Move {title!r} to the trash? /restore brings it back."):
        return
    await session.conversations.delete(name)
    session.drafts.forget(name)
    session.deleted.append(name)
    session.begin_new()
    await front.reload()
    front.note(f"{title!r} is in the trash; /restore brings it back")


async def restore(front: Front, _: str) -> None:
    """Bring back what was deleted: a message of this chat, or a chat deleted since the start."""
    session = front.session
    hidden = [node for node in (await session.opened()).nodes.values() if node.hidden]
    options = [Option(f"message: {excerpt(node.message.content)}", node.message.role.value) for node in hidden]
    options += [Option(f"chat: {name}", "deleted since the start") for name in reversed(session.deleted)]
    if not options:
        raise UsageError(
            "nothing was deleted here", hint="`coda history restore` lists the chats in the trash and brings one back"
        )
    chosen = 0 if len(options) == 1 else await front.choose("Bring back", options)
    if chosen is None:
        return
    if chosen < len(hidden):
        name = opened_id(front)
        await session.conversations.hide(name, hidden[chosen].message.message_id, hidden=False)
    else:
        name = session.deleted[len(session.deleted) - 1 - (chosen - len(hidden))]
        await session.conversations.restore(name)
        session.deleted.remove(name)
        await session.switch_to(name)
    await front.reload()
    front.note("brought back")


async def copy(front: Front, text: str) -> None:
    """Copy a message's source, a code block of it, or the whole chat."""
    entries = await front.session.entries()
    what, copied = _copied(entries, text.split())
    front.note(f"{what} copied: {front.copy(copied)}")


def _copied(entries: Sequence[Entry], words: Sequence[str]) -> tuple[str, str]:
    shown = numbered(entries)
    if not shown:
        raise UsageError("there is nothing to copy yet")
    if words and words[0] == "all":
        return "the chat", "\n\n".join(f"**{e.kind}**\n\n{e.text}" for e in shown)
    answers = [entry for entry in shown if entry.kind == "assistant"]
    if words and words[0] == "code":
        return _copied_code(answers or shown, words[1:])
    if not words:
        return "the latest answer", (answers or shown)[-1].text
    return f"message {words[0]}", _numbered(shown, words[0]).text


def _copied_code(answers: Sequence[Entry], words: Sequence[str]) -> tuple[str, str]:
    blocks = next((found for entry in reversed(answers) if (found := code_blocks(entry.text))), [])
    if not blocks:
        raise UsageError("no answer in this chat has a code block", hint="/copy copies the whole answer")
    number = _whole(words[0]) if words else len(blocks)
    if number is None or not 1 <= number <= len(blocks):
        raise UsageError(f"the answer has {len(blocks)} code blocks", hint="/copy code 1 copies the first one")
    return f"code block {number} of {len(blocks)}", blocks[number - 1]


def _numbered(shown: Sequence[Entry], word: str) -> Entry:
    number = _whole(word)
    if number is None or not 1 <= abs(number) <= len(shown):
        raise UsageError(f"there is no message {word!r}", hint=f"messages are numbered from 1 to {len(shown)}")
    return shown[number - 1 if number > 0 else number]


def _whole(word: str) -> int | None:
    try:
        return int(word) if len(word) < 8 else None
    except ValueError:
        return None


def _complete_copy(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    if " " in typed:
        return ()
    words = [("code", "the last code block; code N: the Nth"), ("all", "the whole chat")]
    return [*beginning_with(typed, words), *message_numbers(front, typed)]


def _complete_rate(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    said, space, rest = typed.partition(" ")
    if not space:
        return beginning_with(typed, [("good", "a good answer"), ("bad", "a bad one"), ("none", "take it back")])
    return [(f"{said} {number}", excerpt) for number, excerpt in message_numbers(front, rest)]


def _complete_pin(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    return [*beginning_with(typed, [("chat", "this chat, in the lists")]), *message_numbers(front, typed)]


_RATINGS: Final[Mapping[str, Rating | None]] = {"good": "good", "bad": "bad", "none": None}
COMMANDS: Final = (
    Command(
        "retry",
        "[MODEL]",
        "Another answer to the last question",
        retry,
        "Messages",
        ("regenerate",),
        idle=True,
        complete=complete_models,
    ),
    Command(
        "edit",
        "[N]",
        "Ask a question anew, in other words",
        edit,
        "Messages",
        ("e",),
        idle=True,
        complete=message_numbers,
    ),
    Command("undo", "", "Take the last question back", undo, "Messages", ("u",), idle=True),
    Command("redo", "", "Bring back what /undo took", redo, "Messages", idle=True),
    Command(
        "fork",
        "[N]",
        "Copy the chat up to message N into a new one",
        fork,
        "Messages",
        idle=True,
        complete=message_numbers,
    ),
    Command(
        "branch",
        "[N]",
        "Go on from message N, or switch branches",
        branch,
        "Messages",
        ("b",),
        idle=True,
        complete=message_numbers,
    ),
    Command("tree", "", "All branches of this chat", tree, "Messages", idle=True),
    Command(
        "copy",
        "[N|code [N]|all]",
        "Copy an answer, a code block, the chat",
        copy,
        "Messages",
        ("y",),
        complete=_complete_copy,
    ),
    Command(
        "delete",
        "[N]",
        "Delete message N from view, or this chat",
        delete,
        "Messages",
        ("del", "rm"),
        idle=True,
        complete=message_numbers,
    ),
    Command("restore", "", "Bring back what was deleted", restore, "Messages", idle=True),
    Command("pin", "[N|chat]", "Always send message N whole; pin the chat", pin, "Messages", complete=_complete_pin),
    Command("rate", "good|bad|none [N]", "Say what an answer is worth", rate, "Messages", complete=_complete_rate),
    Command("unpin", "[N|chat]", "Take a pin back", unpin, "Messages", complete=_complete_pin),
)
