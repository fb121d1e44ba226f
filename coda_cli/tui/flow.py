"""What happens between a question and its answer on the screen: send, queue, show, stop, answer again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from coda_cli.chat.entries import entry_of
from coda_cli.chat.entry import Entry
from coda_cli.engine.core.errors import CodaError, LLMError
from coda_cli.engine.core.messages import MediaPart, user
from coda_cli.engine.generation import Generation
from coda_cli.tui.approver import ScreenApprover
from coda_cli.tui.event_handler import AnswerView
from coda_cli.tui.starting import show_download

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession
    from coda_cli.tui.shell import Shell


class Flow:
    """The answers of one chat, one at a time; questions that come meanwhile wait in the session's queue."""

    def __init__(self, app: Shell) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._numbers = count(1)
        self._question: str | None = None  # the entry that stands for the question until it is kept
        self._closing = False
        self._told: set[str] = set()
        app.session.manager.set_approver(ScreenApprover(app))

    @property
    def _session(self) -> ChatSession:
        return self._app.session

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._task is not None and not self._task.done()

    @property
    def answering(self) -> bool:
        """Whether words may still come: an answer that is whole, and is only put in its place, is not under way."""
        generation = self._session.generation
        return self.busy and (generation is None or generation.outcome is None)

    # ---- questions ------------------------------------------------------------------------------------------------

    def submit(self, text: str, media: Sequence[MediaPart] = ()) -> None:
        """Ask now, or after the answer that is under way."""
        if self.busy:
            self._session.enqueue(text, media)
            self._app.show_queue()
            return
        self.start(self._session.ask(text, media), media)

    def start(self, generation: Generation, media: Sequence[MediaPart] = ()) -> None:
        """Begin *generation* and show it below the question that it answers."""
        app, asked = self._app, self._session.asked
        app.chat_is_shown()
        if asked.below is not None:  # another way is taken there: what stood below it is out of sight, not lost
            app.pages.cut(asked.below)
        self._question = None
        if asked.text is not None:
            self._question = self.fresh("question")
            app.transcript.add(replace(entry_of(user(asked.text, media)), id=self._question))
        app.transcript.jump_to_end()
        app.status.doing("waiting")
        self._task = asyncio.get_running_loop().create_task(self._run(generation))
        self._task.add_done_callback(self._done)

    def fresh(self, kind: str) -> str:
        """An id for what is no message."""
        return f"{kind}-{next(self._numbers)}"

    async def _run(self, generation: Generation) -> None:
        app = self._app
        started = monotonic()
        try:
            await show_download(self._session, app.status)
        except LLMError:
            pass  # the answer itself tells it
        view = AnswerView(app.transcript, app.status, app.note, self._told)
        await view.follow(generation)
        self._tell_problems()
        outcome = generation.outcome
        response = outcome.response if outcome is not None else None
        await self._settle(view, response.metadata if response is not None else {})
        if view.error is not None:
            self._fail(view)
        else:
            app.work(app.show_title())
        app.answer_ended(seconds=monotonic() - started)

    def _tell_problems(self) -> None:
        """Tell once which of the person's own tools are left out, and why."""
        tools = self._session.manager.tools
        for problem in tools.problems if tools is not None else ():
            if problem not in self._told:
                self._told.add(problem)
                self.note(problem)

    def _done(self, task: asyncio.Task[None]) -> None:
        """The answer is there, or what shows it is broken; the next question may come."""
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._app.status.rest()
            self._app.failed(error)
            return
        self.ask_next()

    async def _settle(self, view: AnswerView, metadata: Mapping[str, Any]) -> None:
        """Put what is kept in the place of what was shown meanwhile: ids, versions, costs."""
        app = self._app
        known = await self._session.entries()
        entries = {entry.id: entry for entry in known}
        question = entries.get(str(metadata.get("question_id")))
        if question is not None and self._question is not None:
            app.transcript.rename(self._question, question)
            app.pages.adopt(question)
        answer = entries.get(str(metadata.get("message_id")))
        for step in view.settle_steps(entries):
            app.pages.adopt(step)
        view.end(answer)
        await app.transcript.idle()  # a long one may still be drawn, under the id of an answer under way
        if answer is not None:
            app.pages.adopt(answer)
        app.pages.sync(known)
        await app.show_gauge()

    def _fail(self, view: AnswerView) -> None:
        event = view.error
        if event is None:
            return
        message, hint = str(event.error.get("message") or "the answer failed"), event.error.get("hint")
        entry = Entry(self.fresh("error"), "error", message, status=event.status, provider=event.provider)
        self._app.transcript.add(replace(entry, hint=str(hint) if hint else None))

    def ask_next(self, *, anyway: bool = False) -> None:
        """Ask what waits first, unless the last answer failed or was stopped and nobody says to go on *anyway*."""
        session = self._session
        if self.busy or self._closing:
            return
        media: Sequence[MediaPart] = session.queue[0].media if session.queue else ()
        if anyway and session.queue:
            waiting = session.queue.pop(0)
            generation: Generation | None = session.ask(waiting.text, waiting.media)
        else:
            generation = session.ask_next()
        if generation is not None:
            self.start(generation, media)
        self._app.show_queue()

    # ---- stopping -------------------------------------------------------------------------------------------------

    def stop(self) -> bool:
        """Stop the answer that is under way, keeping its part; whether there was one."""
        generation = self._session.generation
        if not self.busy or generation is None:
            return False
        self._app.status.doing("stopping")
        generation.cancel()
        return True

    async def finish(self) -> None:
        """Stop, and wait until what came is kept."""
        self._closing = True
        self.stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    def fail(self, error: CodaError) -> None:
        """Show *error* in the transcript."""
        self._app.transcript.add(Entry(self.fresh("error"), "error", error.message, hint=error.hint))

    def note(self, text: str) -> None:
        """Show a quiet line in the transcript."""
        self._app.transcript.add(Entry(self.fresh("note"), "note", text))
