"""What the keys of the transcript do to the message under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coda_cli.chat import commands
from coda_cli.chat.entry import Entry
from coda_cli.chat.front import Option
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.rendering.blocks import code_blocks

if TYPE_CHECKING:
    from coda_cli.tui.app import CodaApp
    from coda_cli.tui.front import TuiFront

_READS: Final = ("copy", "copy_code", "pin")
"""What may be done while an answer comes; all else changes the branch that it belongs to."""


class OnMessages:
    """The actions of `Acted`."""

    def __init__(self, app: CodaApp, front: TuiFront) -> None:
        self._app = app
        self._front = front

    async def act(self, action: str, entry_id: str) -> None:
        """Do *action* to the entry. What cannot be done is told in passing; raises CodaError for what fails."""
        try:
            await self._checked(action, entry_id)
        except UsageError as error:
            self._app.tell(f"{error.message}: {error.hint}" if error.hint else error.message)

    async def _checked(self, action: str, entry_id: str) -> None:
        if action not in _READS and self._app.flow.busy:
            raise UsageError("an answer is under way", hint="Esc stops it; what came is kept")
        entry = next((one for one in self._app.pages.entries if one.id == entry_id), None)
        if action == "retry":
            self._front.start(await self._front.session.retry(entry_id if entry is not None else None))
        elif action == "copy" and entry is None:
            self._front.copied(self._app.transcript.source_of(entry_id))
        elif entry is None:
            under_way = "it is still on its way" if self._app.flow.busy else "j and k walk through the messages"
            raise UsageError("this is no message of the chat", hint=under_way)
        else:
            await self._act(action, entry)

    async def _act(self, action: str, entry: Entry) -> None:
        front = self._front
        match action:
            case "copy":
                front.copied(entry.text)
            case "copy_code":
                await self._copy_code(entry)
            case "edit":
                await commands.run(front, f"/edit {self._question_of(entry).id}")
            case "retry_with":
                await self._retry_with(entry)
            case "fork":
                await commands.run(front, f"/fork {entry.id}")
            case "pin":
                await self._pin(entry)
            case "hide":
                await self._hide(entry)
            case "previous_sibling":
                await self._step(entry, -1)
            case "next_sibling":
                await self._step(entry, 1)
            case _:
                raise UsageError(f"there is no action {action!r}")

    def _question_of(self, entry: Entry) -> Entry:
        """The entry itself, or of an answer its question."""
        entries = self._app.pages.entries
        before = reversed(entries[: entries.index(entry) + 1])
        return next((one for one in before if one.kind == "user"), entry)

    async def _copy_code(self, entry: Entry) -> None:
        blocks = code_blocks(entry.text)
        if not blocks:
            raise UsageError("this message has no code block", hint="y copies all of it")
        chosen: int | None = 0
        if len(blocks) > 1:
            options = [
                Option(block.strip().split("\n", 1)[0], f"{block.count(chr(10)) + 1} lines", block) for block in blocks
            ]
            chosen = await self._front.choose("Copy which block", options)
        if chosen is not None:
            self._front.copied(blocks[chosen])

    async def _retry_with(self, entry: Entry) -> None:
        from coda_cli.tui import features

        session = self._front.session
        name = await features.choose_model(self._app, self._front)
        if name is None:
            return
        spec = session.parse(name)
        await session.use(spec)
        self._front.start(await session.retry(entry.id, spec))

    async def _pin(self, entry: Entry) -> None:
        session = self._front.session
        if session.conversation_id is not None:
            await session.conversations.pin(session.conversation_id, pinned=not entry.pinned, message_id=entry.id)
            await self._front.reload()
            self._app.tell("no longer pinned" if entry.pinned else "pinned: it is always sent whole")

    async def _hide(self, entry: Entry) -> None:
        session = self._front.session
        if session.conversation_id is not None:
            await session.conversations.hide(session.conversation_id, entry.id)
            await self._front.reload()
            self._app.tell("hidden, and no longer sent; /restore brings it back")

    async def _step(self, entry: Entry, step: int) -> None:
        session = self._front.session
        place = self._app.pages.entries.index(entry)
        if not await session.step_sibling(entry.id, step):
            self._app.tell("there is one version of this" if entry.siblings < 2 else "there is none beyond this one")
            return
        await self._front.reload()
        if place < len(entries := self._app.pages.entries):
            self._app.transcript.select(entries[place].id)
