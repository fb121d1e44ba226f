"""What one answer is told beside the conversation: a system prompt made of sections, and what was kept just now.

Memory and persona first hear what the person said; then the prompt is put together, once for all rounds of the answer.
A failure of either is told to nobody but the log of events: it must not cost the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import to_builtins
from msgspec.structs import replace

from coda_cli.engine.core.config import LLMConfig
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.events import Event, MemoryUpdate, PersonaUpdate
from coda_cli.engine.core.messages import LLMMessage
from coda_cli.engine.core.ports import Clock, MemoryPort, PersonaPort, PromptPort
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.prompts import Assembled, Noticed, Situation, day_of
from coda_cli.engine.turn import Stamp

GIVEN: Final = "memories"
"""In the metadata of an answer: the ids of the memories that it was given."""


class BriefingHost(Protocol):
    """What a briefing needs of the manager."""

    config: LLMConfig
    clock: Clock
    memory: MemoryPort | None
    personality: PersonaPort | None
    prompts: PromptPort | None
    folder: Path | None

    @property
    def remembers(self) -> bool:
        """Whether anything of this is kept: else nothing is read from memory either."""
        ...


class Briefing:
    """The briefing of one answer. After `prepare()`: `text` is the system prompt, None for none."""

    def __init__(self, host: BriefingHost, stamp: Stamp, publish: Callable[[Event], None]) -> None:
        self._host = host
        self._stamp, self._publish = stamp, publish
        self.text: str | None = None
        self.assembled = Assembled("")

    async def prepare(
        self,
        given: str | None,
        messages: Sequence[LLMMessage],
        profile: ModelProfile,
        *,
        tools: Sequence[str] = (),
        said: str | None = None,
        again: bool = False,
    ) -> None:
        """Hear the latest of *messages*, the question, and assemble around the system prompt *given*.

        *said*: the person's own words in the question (None: all of it); what else stands in it is obeyed by nobody.
        *again*: the question was heard when it was asked first.
        """
        self.text = given
        host = self._host
        if host.prompts is None or not messages:
            return
        situation = self._situation(messages, profile, tools)
        noticed: Sequence[Noticed] = ()
        if not again:
            heard = situation if said is None else replace(situation, question=said)
            noticed = await self._notice(heard)
            await self._adapt(heard)
        self.assembled = await host.prompts.assemble(given, situation)
        parts = [self.assembled.text, "" if profile.tiny else _done(noticed)]
        self.text = "\n\n".join(part for part in parts if part) or None

    @property
    def options(self) -> Mapping[str, Any]:
        """What the persona wants of the request; what the caller says goes before it."""
        host = self._host
        wanted = host.personality is not None and host.prompts is not None and host.config.personality_enabled
        return host.personality.options if wanted and host.personality is not None else {}

    def _situation(self, messages: Sequence[LLMMessage], profile: ModelProfile, tools: Sequence[str]) -> Situation:
        host, question = self._host, messages[-1]
        given = [i for message in messages for i in _ids(message.metadata.get(GIVEN))]
        return Situation(
            question=question.content,
            conversation_id=self._stamp.conversation_id,
            message_id=question.message_id,
            day=day_of(host.clock.now()),
            folder=host.folder,
            given=tuple(dict.fromkeys(given)),
            incognito=not host.remembers,
            small=profile.tiny,
            tools=tuple(tools),
        )

    async def _notice(self, situation: Situation) -> Sequence[Noticed]:
        host = self._host
        if host.memory is None or not host.config.memory_enabled or situation.incognito:
            return ()
        try:
            noticed = await host.memory.notice(situation)
        except CodaError as error:
            self._tell(MemoryUpdate, changes=[], failure=error.message)
            return ()
        if noticed:
            self._tell(MemoryUpdate, changes=[to_builtins(one) for one in noticed], failure=None)
        return noticed

    async def _adapt(self, situation: Situation) -> None:
        host = self._host
        if host.personality is None or not host.config.personality_enabled:
            return
        try:
            adapted = await host.personality.heard(situation)
        except CodaError as error:
            self._tell(PersonaUpdate, changes=[], failure=error.message)
            return
        if adapted:
            self._tell(PersonaUpdate, changes=[to_builtins(one) for one in adapted], failure=None)

    def _tell(self, event: type[Event], **fields: object) -> None:
        self._publish(self._stamp(event, **fields))


def _ids(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _done(noticed: Sequence[Noticed]) -> str:
    """What the model should know of what was kept and forgotten just now, so that it does not say that it cannot."""
    by_action: dict[str, list[str]] = {}
    for one in noticed:
        by_action.setdefault(one.action, []).append(" ".join(one.text.split())[:200])
    kept = "; ".join(text for action in ("stored", "merged", "replaced") for text in by_action.get(action, ()))
    said = [f"You have just been asked to remember this, and it is kept: {kept}."] if kept else []
    if "forgotten" in by_action:
        said.append("You have just been asked to forget something, and it is forgotten.")
    if "unknown" in by_action:
        said.append("You have just been asked to forget something that no memory says.")
    return " ".join([*said, "Say so in a few words."]) if said else ""
