"""`/persona`: who answers, how that has changed, and taking a change back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coda_cli.chat.command_parts import beginning_with, cell
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front, Option
from coda_cli.chat.persona_use import use_persona
from coda_cli.chat.words import counted
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.personality.manager import PersonalityManager

_ACTIONS: Final = {
    "list": "choose another persona",
    "undo": "take one change back, by its id",
    "reset": "take all changes of this persona back",
}


def _manager(front: Front) -> PersonalityManager:
    found = front.session.manager.personality
    if not isinstance(found, PersonalityManager):
        hint = "set `personality_integration_enabled = true` in coda.toml"
        raise UsageError("personas are switched off", hint=hint)
    return found


def _private(front: Front) -> str | None:
    """The conversation whose changes these are, where nothing of them is kept."""
    return (front.session.conversation_id or "") if front.session.incognito else None


async def persona(front: Front, text: str) -> None:
    """Show who answers and why so, choose another, or take changes back."""
    manager = _manager(front)
    action, _, rest = text.partition(" ")
    if not text:
        _show(front, manager)
    elif text == "list":
        await _choose(front, manager)
    elif action == "undo":
        _undo(front, manager, rest.strip())
    elif text == "reset":
        await _reset(front, manager)
    else:
        await _use(front, manager, text)


def _show(front: Front, manager: PersonalityManager) -> None:
    chosen, state = manager.persona, manager.state(_private(front))
    said = manager.prompt(
        Situation(conversation_id=front.session.conversation_id or "", incognito=front.session.incognito)
    )
    lines = [f"**{cell(chosen.name)}**: {cell(chosen.description)}", f"Mood: {cell(state.mood)}"]
    lines += ["What the model is told:", _quoted(said)] if said else ["It adds nothing to what you ask."]
    apart = {name: value for name, value in state.traits.items() if abs(value - 0.5) > 0.01}
    if apart:
        rows = [f"| {name} | {value:.2f} | {chosen.traits[name]:.2f} |" for name, value in apart.items()]
        lines.append("\n".join(["| trait | now | its file |", "|---|---|---|", *rows]))
    if state.changes:
        rows = [f"| `{one.id}` | {one.trait} | {one.delta:+.2f} | {cell(one.cause)} |" for one in state.changes]
        lines.append("\n".join(["| change | trait | by | cause |", "|---|---|---|---|", *rows]))
        lines.append("`/persona undo ID` takes one back, `/persona reset` all. Left alone they fade away.")
    lines += [f"- {cell(problem)}" for problem in manager.problems]
    front.document("Persona", "\n\n".join(lines))


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.split("\n"))


async def _choose(front: Front, manager: PersonalityManager) -> None:
    names = manager.names()
    options = [
        Option(name + (" (now)" if name == manager.persona.name else ""), manager.get(name).description)
        for name in names
    ]
    place = await front.choose("Who shall answer?", options)
    if place is not None:
        await _use(front, manager, names[place])


async def _use(front: Front, manager: PersonalityManager, name: str) -> None:
    for line in await use_persona(front.session, manager, name):
        front.note(line)


def _undo(front: Front, manager: PersonalityManager, change: str) -> None:
    if not change:
        known = manager.changes(_private(front))
        if not known:
            raise UsageError("nothing has changed", hint="`/persona` shows what does")
        change = known[0].id
    done = manager.undo(change, _private(front))
    front.note(f"{done.trait} is {done.after:.2f} again ({done.cause})")


async def _reset(front: Front, manager: PersonalityManager) -> None:
    count = len(manager.changes(_private(front)))
    if not count or await front.confirm(f"Take {counted(count, 'change')} of {manager.persona.name} back?"):
        manager.reset(_private(front))
        front.note(f"{manager.persona.name} is as its file says")


def _complete(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    found = front.session.manager.personality
    if not isinstance(found, PersonalityManager):
        return ()
    if typed.startswith("undo "):
        known = found.changes(_private(front))
        return beginning_with(typed, [(one.id, f"{one.trait} {one.delta:+.2f}, {one.cause}") for one in known])
    names = [(name, found.get(name).description) for name in found.names()]
    return beginning_with(typed, [*names, *_ACTIONS.items()])


COMMANDS: Final = (
    Command(
        "persona",
        "[NAME|list|undo [ID]|reset]",
        "Who answers, and how that has changed",
        persona,
        "What the model gets",
        complete=_complete,
    ),
)
