"""`/memory`: what is remembered, and saying what should be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from coda_cli.chat import proposing
from coda_cli.chat.command_parts import beginning_with, cell
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front, Option
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.prompts import MemoryNote
from coda_cli.engine.memory.manager import MemoryManager

if TYPE_CHECKING:
    from coda_cli.engine.memory.record import Kind

_ACTIONS: Final = {
    "list": "everything that holds",
    "search": "what speaks of some words",
    "add": "remember a text",
    "forget": "take a memory out for good",
    "why": "where a memory comes from, and which answers were given it",
    "propose": "let the model propose what of this chat to remember",
    "review": "decide about what was proposed",
    "on": "remember and recall again, in this program",
    "off": "neither remember nor recall, in this program",
}

_KEEP, _LATER = 0, 2
_ANSWERS: Final = (
    Option("remember it"),
    Option("drop it", "it is not proposed again from these words"),
    Option("decide later"),
)


def _memory(front: Front) -> MemoryManager:
    found = front.session.manager.memory
    if not isinstance(found, MemoryManager):
        raise UsageError("memory is switched off", hint="set `memory_integration_enabled = true` in coda.toml")
    return found


async def memory(front: Front, text: str) -> None:
    """List what is remembered, or do one thing with it."""
    manager = _memory(front)
    action, _, rest = text.partition(" ")
    rest = rest.strip()
    if action in ("on", "off") and not rest:
        manager.enabled = action == "on"
        front.note(f"memory is {action}" + ("" if manager.enabled else ": nothing is remembered, nothing recalled"))
        return
    run = _RUN.get(action or "list")
    if run is None:
        raise UsageError(f"there is no /memory {action}", hint=f"write one of: {', '.join(_ACTIONS)}")
    await run(front, manager, rest)


async def _list(front: Front, manager: MemoryManager, _: str) -> None:
    notes = [one.note() for one in await manager.list()]
    for problem in manager.problems:
        front.note(problem)
    if not notes:
        front.note('nothing is remembered; say "remember that ...", or /memory add TEXT')
        return
    front.document("What is remembered", _table(notes))


async def _search(front: Front, manager: MemoryManager, query: str) -> None:
    if not query:
        raise UsageError("say what to look for", hint="/memory search the parser")
    notes = await manager.search(query)
    if notes:
        front.document("What is remembered", _table(notes))
    else:
        front.note("nothing that is remembered speaks of that")


async def _add(front: Front, manager: MemoryManager, text: str) -> None:
    if not text:
        raise UsageError("say what to remember", hint="/memory add I prefer metric units")
    _writable(front)
    kind, folder = kind_of(text), front.session.manager.folder
    if kind == "note" and folder is None:
        kind = "fact"
    bound = folder if kind == "note" else None
    done = await manager.add(text, kind, folder=bound, conversation=front.session.conversation_id or "")
    front.note(f"{done.action}: {done.text}")


def kind_of(text: str) -> Kind:
    """The kind that *text* would have behind "remember that": what is added by hand is no other thing."""
    from coda_cli.engine.memory.wishes import wishes

    first = next(iter(wishes(f"Remember that {text}")), None)
    return first.kind if first is not None and first.action == "keep" else "fact"


async def _forget(front: Front, manager: MemoryManager, text: str) -> None:
    _writable(front)
    memory_id = text or await _chosen(front, manager, "Which one is to be forgotten?")
    if memory_id:
        front.note(f"forgotten: {(await manager.forget(memory_id)).text}")


async def _why(front: Front, manager: MemoryManager, text: str) -> None:
    memory_id = text or await _chosen(front, manager, "Of which one?")
    if not memory_id:
        return
    found, answers = await manager.why(memory_id)
    note = found.note()
    lines = [
        f"{cell(note.text)}\n",
        f"- told {note.day} " + (f"in `{cell(note.source)}`" if note.source else "by hand"),
    ]
    lines += [] if found.holds else [f"- ended {found.ended_at[:10]} by `{cell(found.ended_by)}`"]
    lines += ["- a preference: every answer is given it"] if found.kind == "preference" and found.holds else []
    lines += [f"- given {one.time} to `{cell(one.conversation or 'a chat that is not kept')}`" for one in answers[:50]]
    front.document("Where it comes from", "\n".join(lines))


def _writable(front: Front) -> None:
    if front.session.incognito:
        raise UsageError("this chat is incognito: its memory stays as it is", hint="do it in another chat")


async def _chosen(front: Front, manager: MemoryManager, question: str) -> str | None:
    notes = [one.note() for one in await manager.list()]
    place = (
        await front.choose(question, [Option(one.text, f"{one.kind} {one.day}") for one in notes]) if notes else None
    )
    return None if place is None else notes[place].id


def _table(notes: Iterable[MemoryNote]) -> str:
    rows = [f"| `{cell(one.id)}` | {one.kind} | {one.day} | {cell(one.text)}{_chat(one)} |" for one in notes]
    return "\n".join(["| id | kind | told | what |", "|---|---|---|---|", *rows])


def _chat(note: MemoryNote) -> str:
    """The way to the chat that a gist is of."""
    chat = note.source.partition("#")[0] if note.kind == "gist" else ""
    return f" (`/resume {cell(chat)}`)" if chat else ""


async def _propose(front: Front, manager: MemoryManager, _: str) -> None:
    _writable(front)
    session = front.session
    front.note("asking the model what of your own words is worth remembering")
    new = await proposing.propose(session, await session.opened(), session.conversation_id or "")
    if new:
        await _review(front, manager, "")
    else:
        front.note("it proposes nothing new")


async def _review(front: Front, manager: MemoryManager, _: str) -> None:
    waiting = await manager.proposals()
    if not waiting:
        front.note("nothing is proposed; `/memory propose` asks the model")
    kept = 0
    for place, one in enumerate(waiting, 1):
        chosen = await front.choose(f"Remember it? ({place} of {len(waiting)}) {one.note().text}", _ANSWERS)
        if chosen is None or chosen == _LATER:
            continue
        done = await manager.decide(one.id, keep=chosen == _KEEP)
        kept += done is not None and done.action != "refused"
    if waiting:
        left = len(await manager.proposals())
        front.note(f"{kept} of {len(waiting)} remembered" + (f", {left} left for later" if left else ""))


_RUN: Final[dict[str, Callable[[Front, MemoryManager, str], Awaitable[None]]]] = {
    "list": _list,
    "search": _search,
    "add": _add,
    "forget": _forget,
    "why": _why,
    "propose": _propose,
    "review": _review,
}


def _complete(_: Front, typed: str) -> Sequence[tuple[str, str]]:
    return beginning_with(typed, list(_ACTIONS.items()))


COMMANDS: Final = (
    Command(
        "memory",
        "[list|search|add|forget|why|propose|review|on|off]",
        "What is remembered from one chat to the next",
        memory,
        "What the model gets",
        complete=_complete,
    ),
)
