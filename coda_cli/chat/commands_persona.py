"""`/persona`: who answers, how that has changed, and taking a change back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coda_cli.chat.command_parts import beginning_with, cell
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front, Option
from coda_cli.chat.persona_use import use_persona
from coda_cli.chat.words import counted
from coda_cli.engine.core.errors import LLMError, UsageError
from coda_cli.engine.core.prompts import Adapted, Section, Situation
from coda_cli.engine.personality.doubts import too_long, unknown_tools
from coda_cli.engine.personality.effect import SMALLEST
from coda_cli.engine.personality.manager import PersonalityManager
from coda_cli.engine.personality.persona import Persona
from coda_cli.engine.prompting import sections
from coda_cli.engine.prompting.enhancer import PromptEnhancer
from coda_cli.engine.tools.manager import ToolManager

_ACTIONS: Final = {
    "list": "choose another persona",
    "undo": "take one change back: your latest wish, or one by its id",
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
        await _show(front, manager)
    elif text == "list":
        await _choose(front, manager)
    elif action == "undo":
        _undo(front, manager, rest.strip())
    elif text == "reset":
        await _reset(front, manager)
    else:
        await _use(front, manager, text)


async def _show(front: Front, manager: PersonalityManager) -> None:
    chosen, state = manager.persona, manager.state(_private(front))
    said = await _told(front, manager)
    lines = [f"**{cell(chosen.name)}**: {cell(chosen.description)}", f"Mood: {cell(state.mood)}"]
    lines += ["What the model is told:", _quoted(said.text)] if said.text else ["It adds nothing to what you ask."]
    lines += [f"It is not told all: {said.cut}."] if said.cut else []
    apart = {name: value for name, value in state.traits.items() if abs(value - 0.5) > 0.01}
    if apart:
        rows = [f"| {name} | {value:.2f} | {chosen.traits[name]:.2f} |" for name, value in apart.items()]
        lines.append("\n".join(["| trait | now | its file |", "|---|---|---|", *rows]))
    if state.changes:
        rows = [f"| `{one.id}` | {one.trait} | {one.delta:+.2f} | {cell(one.cause)} |" for one in state.changes]
        lines.append("\n".join(["| change | trait | by | cause |", "|---|---|---|---|", *rows]))
        lines.append(
            "`/persona undo` takes your latest wish back, `/persona undo ID` one of these, `/persona reset` all. "
            "Left alone they fade away."
        )
    lines += [f"- {cell(doubt)}" for doubt in _unknown_tools(front, chosen)]
    lines += [f"- {cell(problem)}" for problem in manager.problems]
    front.document("Persona", "\n\n".join(lines))


async def _told(front: Front, manager: PersonalityManager) -> Section:
    """What the model that answers next is told of the persona, as far as the question does not decide it."""
    session, prompts = front.session, front.session.manager.prompts
    small = await _small(front)
    situation = Situation(conversation_id=session.conversation_id or "", incognito=session.incognito, small=small)
    budgets = prompts.budgets if isinstance(prompts, PromptEnhancer) else sections.BUDGETS
    return sections.persona(manager.prompt(situation), budgets["persona"])


async def _small(front: Front) -> bool:
    """Whether a tiny model answers next: it gets one sentence."""
    try:
        provider, model = await front.session.model_name()
        return front.session.manager.provider(provider).profile(model).tiny
    except LLMError:
        return False  # nothing answers


def _unknown_tools(front: Front, persona: Persona) -> list[str]:
    """A line for each tool that *persona* names and nobody knows now: discovery and servers are not waited for."""
    tools = front.session.manager.tools
    if not isinstance(tools, ToolManager) or not persona.tools:
        return []
    return unknown_tools(persona, {name: tools.get(name).category for name in tools.names()})


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
    for doubt in [*too_long(manager.persona), *_unknown_tools(front, manager.persona)]:
        front.note(f"{name}: {doubt}")


def _undo(front: Front, manager: PersonalityManager, change: str) -> None:
    private = _private(front)
    for done in [manager.undo(change, private)] if change else manager.undo_latest(private):
        front.note(_undone(done))


def _undone(done: Adapted) -> str:
    if abs(done.after - done.before) < SMALLEST:
        return f"{done.trait} stays {done.after:.2f}, it would be the same without this ({done.cause})"
    return f"{done.trait} is {done.after:.2f} now, it was {done.before:.2f} ({done.cause})"


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
