"""Slash commands for what the model gets: the system prompt, the window, summaries, the last request, the cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coda_cli.chat.command_parts import beginning_with, cell, excerpt, opened_id
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front
from coda_cli.chat.inspection import context_text, inspect_text, usage_text
from coda_cli.chat.words import counted, money
from coda_cli.engine.core.errors import UsageError

_NONE: Final = ("-", "none", "off", "clear")


async def system(front: Front, text: str) -> None:
    """Show or set the system prompt, from the next question on."""
    now = await front.session.system_prompt()
    if not text:
        front.document("System prompt", now or "There is none. `/system TEXT` sets one, from the next question on.")
        return
    if text == "edit":
        edited = await front.edit_text(now)
        if edited is None:
            return
        text = edited.strip() or "-"
    front.session.set_system_prompt("" if text in _NONE else text)
    front.note("there is no system prompt any more" if text in _NONE else "it holds from the next question on")


async def context(front: Front, text: str) -> None:
    """What is in the window, and what each part takes."""
    if not await front.own("context", text):
        front.document("What the model gets", await context_text(front.session))


async def inspect(front: Front, text: str) -> None:
    """The exact request of the last turn, what it took, and what happened."""
    if not await front.own("inspect", text):
        front.document("The last turn", await inspect_text(front.session))


async def usage(front: Front, _: str) -> None:
    """Tokens and cost of this chat, by model."""
    front.document("Tokens and cost", await usage_text(front.session))


async def compact(front: Front, text: str) -> None:
    """Summarise all but the latest turn, once the person has seen what would go."""
    session, name = front.session, opened_id(front)
    spec = session.spec
    preview = await session.manager.preview_compact(name, provider=spec.provider, model=spec.model)
    if preview is None:
        raise UsageError("there is nothing to summarise", hint="the latest turn and pinned messages are always sent")
    if text not in ("yes", "-y"):
        lines = [f"- {cell(m.role.value)}: {cell(m.content) or '(no text)'}" for m in preview.messages]
        again = "\nThe summary in force is taken up into the new one.\n" if preview.previous else ""
        front.document(
            "These messages would be summarised for the model",
            f"{counted(len(lines), 'message')}, the chat takes {preview.tokens:,} tokens now. All of them stay in the "
            "chat, /uncompact sends them again, and /pin keeps a message out.\n" + again + "\n" + "\n".join(lines),
        )
        if not await front.confirm(f"Summarise {counted(len(preview.messages), 'message')}?"):
            return
    front.note("summarising; a moment")
    made = await session.manager.compact(name, provider=spec.provider, model=spec.model)
    await front.reload()
    if made is not None:
        front.note(f"{counted(len(made.covers), 'message')} are summarised: {excerpt(made.text, 200)}")


async def uncompact(front: Front, _: str) -> None:
    """Send the messages again that a summary stands for."""
    undone = await front.session.conversations.uncompact(opened_id(front))
    await front.reload()
    front.note(f"{counted(len(undone.covers), 'message')} are sent whole again")


async def cost(front: Front, _: str) -> None:
    """What this chat has cost, in one line."""
    gauge = await front.session.gauge()
    unpriced = f"; {counted(gauge.unpriced, 'answer')} without a known price" if gauge.unpriced else ""
    front.note(f"this chat has cost {money(gauge.cost) if gauge.cost is not None else 'nothing so far'}{unpriced}")


def _complete_system(_: Front, typed: str) -> Sequence[tuple[str, str]]:
    return beginning_with(typed, [("edit", "in your editor"), ("none", "take it back")])


_GROUP: Final = "What the model gets"
COMMANDS: Final = (
    Command("system", "[TEXT|edit|none]", "Show or set the system prompt", system, _GROUP, complete=_complete_system),
    Command("context", "", "What is in the window, part by part", context, _GROUP),
    Command("compact", "[yes]", "Summarise older messages, after a look", compact, _GROUP, idle=True),
    Command("uncompact", "", "Send them whole again", uncompact, _GROUP, idle=True),
    Command("inspect", "", "The exact request of the last turn", inspect, _GROUP),
    Command("usage", "", "Tokens and cost of this chat, by model", usage, _GROUP),
    Command("cost", "", "What this chat has cost", cost, _GROUP),
)
