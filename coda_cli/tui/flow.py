"""What happens between a question and its answer on the screen: send, queue, show, stop, answer again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from coda_cli.chat.entry import Entry
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.messages import MediaPart
from coda_cli.engine.generation import Generation
from coda_cli.tui.event_handler import AnswerView

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession
    from coda_cli.tui.app import CodaApp


class Flow:
    """The answers of one chat, one at a time; questions that come meanwhile wait in the session's queue."""

    def __init__(self, app: CodaApp) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._numbers = count(1)
        self._question: str | None = None  # the entry that stands for the question until it is kept

    @property
    def _session(self) -> ChatSession:
        return self._app.session

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._task is not None and not self._task.done()

    # ---- questions ------------------------------------------------------------------------------------------------

    def submit(self, text: str, media: Sequence[MediaPart] = ()) -> None:
        """Ask now, or after the answer that is under way."""
        if self.busy:
            self._session.enqueue(text, media)
            self._app.show_queue()
            return
        self.start(self._session.ask(text, media))

    def start(self, generation: Generation) -> None:
        """Begin *generation* and show it below the question that it answers."""
        transcript, asked = self._app.transcript, self._session.asked
        if asked.below is not None:  # another way is taken there: what stood below it is out of sight, not lost
            transcript.show(_up_to(self._session.shown, asked.below))
        self._question = self.fresh("question") if asked.text is not None else None
        if asked.text is not None and self._question is not None:
            transcript.add(Entry(self._question, "user", asked.text))
        transcript.jump_to_end()
        self._task = asyncio.get_running_loop().create_task(self._run(generation))

    def fresh(self, kind: str) -> str:
        """An id for what is no message."""
        return f"{kind}-{next(self._numbers)}"

    async def _run(self, generation: Generation) -> None:
        app = self._app
        started = app.now()
        view = AnswerView(app.transcript, app.status, app.note)
        await view.follow(generation)
        outcome = generation.outcome
        response = outcome.response if outcome is not None else None
        await self._settle(view, response.metadata if response is not None else {})
        if view.error is not None:
            self._fail(view)
        else:
            app.run_worker(self._session.title_if_wanted(), exit_on_error=False)
        app.answer_ended(seconds=app.now() - started)
        self._next()

    async def _settle(self, view: AnswerView, metadata: Mapping[str, Any]) -> None:
        """Put what is kept in the place of what was shown meanwhile: ids, versions, costs."""
        transcript = self._app.transcript
        before = {entry.id: entry for entry in self._session.shown}
        entries = {entry.id: entry for entry in await self._session.entries()}
        question = entries.get(str(metadata.get("question_id")))
        if question is not None and self._question is not None:
            transcript.rename(self._question, question)
        for entry_id, entry in entries.items():
            if entry_id in before and before[entry_id] != entry:
                transcript.replace(entry)
        view.end(entries.get(str(metadata.get("message_id"))))
        await self._app.show_gauge()

    def _fail(self, view: AnswerView) -> None:
        event = view.error
        if event is None:
            return
        message, hint = str(event.error.get("message") or "the answer failed"), event.error.get("hint")
        entry = Entry(self.fresh("error"), "error", message, status=event.status, provider=event.provider)
        self._app.transcript.add(replace(entry, hint=str(hint) if hint else None))

    def _next(self) -> None:
        generation = self._session.ask_next()
        self._app.show_queue()
        if generation is not None:
            self.start(generation)

    # ---- stopping -------------------------------------------------------------------------------------------------

    def stop(self) -> bool:
        """Stop the answer that is under way, keeping its part; whether there was one."""
        generation = self._session.generation
        if not self.busy or generation is None:
            return False
        generation.cancel()
        return True

    async def finish(self) -> None:
        """Stop, and wait until what came is kept."""
        self.stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    def fail(self, error: CodaError) -> None:
        """Show *error* in the transcript."""
        self._app.transcript.add(Entry(self.fresh("error"), "error", error.message, hint=error.hint))

    def note(self, text: str) -> None:
        """Show a quiet line in the transcript."""
        self._app.transcript.add(Entry(self.fresh("note"), "note", text))


def _up_to(entries: Sequence[Entry], entry_id: str) -> list[Entry]:
    """*entries* up to *entry_id*; none for "" and for an id that is not shown."""
    ids = [entry.id for entry in entries]
    return list(entries[: ids.index(entry_id) + 1]) if entry_id in ids else []
