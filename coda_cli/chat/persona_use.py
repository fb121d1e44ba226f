"""What a persona wants of a chat, its model and its tools, and what stands again once another answers.

What the person has named (`-m`, `/model`, `-T`, `/tools`) stays, whoever answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coda_cli.chat.lent import Lent
from coda_cli.chat.words import counted

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession
    from coda_cli.engine.personality.manager import PersonalityManager


async def use_persona(session: ChatSession, manager: PersonalityManager, name: str) -> list[str]:
    """Let the persona *name* answer from the next question on; what there is to tell, a line each.

    Raises UsageError, and ConfigError for a persona whose file is wrong; then nothing has changed.
    """
    persona = manager.get(name)
    wanted = None if persona.model is None else session.parse(persona.model)
    manager.use(name)
    told = [f"{persona.name} answers from the next question on: {persona.description}"]
    if wanted is not None and session.named_model:
        if wanted != session.spec:
            told.append(f"you have chosen {session.spec_name(session.spec)}, so it is not {session.spec_name(wanted)}")
    elif not session.named_model:
        lent, spec = Lent.of(session.lent_model, session.spec, wanted)
        session.lent_model = lent
        if spec != session.spec:
            await session.use(spec)
            told.append(f"with {session.spec_name(spec)}")
    if not session.named_tools:
        session.lent_tools, tools = Lent.of(session.lent_tools, session.tools, persona.tools)
        if tools != session.tools:
            session.tools = tools
            told.append(f"it may call {_tools(tools)}")
    return [*told, *([persona.greeting] if persona.greeting else [])]


def _tools(names: Sequence[str] | None) -> str:
    if names is None:
        return "all tools"
    return ", ".join(names) if 0 < len(names) <= 6 else counted(len(names), "tool") if names else "no tools"
