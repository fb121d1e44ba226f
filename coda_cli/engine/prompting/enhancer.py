"""PromptEnhancer: a system prompt made of named sections, each with its budget, in the open.

The caller's own prompt comes first, then the sections in the order of `SectionName`, the stable ones first, so that a
vendor's prompt cache hits. The same question with the same answers of memory and persona gives the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from coda_cli.engine.clock import SystemClock
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.ports import Clock, MemoryPort, PersonaPort
from coda_cli.engine.core.prompts import Assembled, Section, SectionName, Situation
from coda_cli.engine.prompting import sections as parts
from coda_cli.engine.prompting.sections import BUDGETS, SECTIONS, SMALL_BUDGET, TOO_SMALL

FolderNotes = Callable[[Path], str | None]
"""The notes of a folder that the person trusts, None where there are none or it is not trusted. Raises CodaError."""

_HISTORY_TOKENS: Final = 1_500
_SMALL: Final[frozenset[SectionName]] = frozenset({"persona", "memories"})
"""The sections that a small model gets: what is said of the others is only that they are left out."""


class PromptEnhancer:
    """Assembles system prompts from what memory, persona and folder say.

    *sections* are those that are switched on, *budgets* their tokens (default: `BUDGETS`). A port that fails costs its
    section, never the answer: the section is then empty and its `cut` says why. *clock* gives the day where a caller
    of the library names none.
    """

    def __init__(
        self,
        memory: MemoryPort | None = None,
        persona: PersonaPort | None = None,
        *,
        sections: Collection[SectionName] = SECTIONS,
        budgets: Mapping[SectionName, int] | None = None,
        clock: Clock | None = None,
        folder_notes: FolderNotes | None = None,
    ) -> None:
        self.memory = memory
        self.persona = persona
        self.sections: frozenset[SectionName] = frozenset(sections)
        self.budgets: dict[SectionName, int] = {**BUDGETS, **(budgets or {})}
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.folder_notes = folder_notes

    # ---- the engine's way in ----------------------------------------------------------------------------------

    async def assemble(self, given: str | None, situation: Situation) -> Assembled:
        """*given*, the caller's own prompt, with all sections that have something to say. Raises nothing.

        A small model gets the persona's one sentence and one or two memories; of what else there would be, the section
        says that it is left out. An incognito chat has no memory.
        `situation.context` may hold `user_preferences` and `memories` (texts).
        """
        made = [await self._made(name, situation) for name in SECTIONS if name in self.sections]
        told = tuple(section for section in made if section.text or section.cut)
        texts = [given.strip() if given else "", *(section.text for section in told)]
        return Assembled("\n\n".join(filter(None, texts)), told)

    async def _made(self, name: SectionName, situation: Situation) -> Section:
        try:
            made = await self._section(name, situation)
        except CodaError as error:
            return Section(name, "", cut=f"left out: {error.message}")
        too_much = situation.small and name not in _SMALL and made.text
        return Section(name, "", cut=TOO_SMALL) if too_much else made

    async def _section(self, name: SectionName, situation: Situation) -> Section:
        budget, context = self.budgets[name], situation.context
        memory = None if situation.incognito else self.memory
        match name:
            case "persona":
                return parts.persona(self.persona.prompt(situation) if self.persona is not None else "", budget)
            case "preferences":
                notes = await memory.preferences(situation) if memory is not None else ()
                return parts.preferences(notes, _texts(context.get("user_preferences")), budget)
            case "memories" if situation.small:
                # Nothing given before: the few are those that matter most for this very question.
                budget, anew = min(budget, SMALL_BUDGET), replace(situation, given=())
                notes = await memory.recall(anew, budget) if memory is not None else ()
                return parts.few_memories(notes, _texts(context.get("memories")), budget)
            case "memories":
                notes = await memory.recall(situation, budget) if memory is not None else ()
                return parts.memories(notes, _texts(context.get("memories")), budget)
            case "folder":
                return self._folder(situation, budget)
            case "system":
                return parts.system(situation.day)
            case "tools":
                return parts.tools(situation.tools, budget)

    def _folder(self, situation: Situation, budget: int) -> Section:
        if self.folder_notes is None or situation.folder is None:
            return Section("folder", "")
        return parts.folder(self.folder_notes(situation.folder) or "", str(situation.folder), budget)

    # ---- the library's way in ---------------------------------------------------------------------------------

    async def enhance_system_prompt(self, prompt: str, context: Mapping[str, Any] | None = None) -> str:
        """*prompt* with the sections that have something to say.

        *context* may hold `user_preferences` and `memories` (a text or a list), `conversation_history` (messages),
        `question`, `conversation_id`, `message_id`, `tools` (names), `folder`, `day` (an ISO date, by default today),
        `incognito` and `small`; other keys say nothing.
        """
        context = context or {}
        assembled = await self.assemble(prompt, self._situation(str(context.get("question") or ""), context))
        return "\n\n".join(filter(None, [assembled.text, _history(context)]))

    async def enhance_user_prompt(self, prompt: str, context: Mapping[str, Any] | None = None) -> str:
        """*prompt* below what is remembered for it and what was said before; unchanged where that is nothing.

        *context* as for `enhance_system_prompt`.
        """
        context = context or {}
        situation = self._situation(prompt, context)
        notes = await self._made("memories", situation) if "memories" in self.sections else None
        above = list(filter(None, [_history(context), notes.text if notes is not None else ""]))
        return "\n\n".join([*above, prompt]) if above else prompt

    def _situation(self, question: str, context: Mapping[str, Any]) -> Situation:
        folder = context.get("folder")
        today = datetime.fromtimestamp(self.clock.now()).astimezone().date().isoformat()
        return Situation(
            question=question,
            conversation_id=str(context.get("conversation_id") or ""),
            message_id=str(context.get("message_id") or ""),
            day=str(context.get("day") or today),
            folder=Path(folder) if isinstance(folder, str | Path) else None,
            given=tuple(_texts(context.get("given"))),
            incognito=bool(context.get("incognito", False)),
            small=bool(context.get("small", False)),
            tools=tuple(_texts(context.get("tools"))),
            context=context,
        )


def _history(context: Mapping[str, Any]) -> str:
    messages = context.get("conversation_history")
    return parts.history([messages] if isinstance(messages, str) else _items(messages), _HISTORY_TOKENS)


def _items(value: Any) -> Iterable[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, bytes) else ()


def _texts(value: Any) -> list[str]:
    """The texts of what a caller gave: one, several, or a mapping's `name: value`."""
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, Mapping):
        return [f"{name}: {item}" for name, item in value.items()]
    if isinstance(value, Iterable):
        found = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [str(item) for item in found if str(item).strip()]
    return []
