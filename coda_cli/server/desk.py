"""What clients may have done: a question asked, an answer stopped, an approval answered."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.tools import Approval, ApprovalRequest, Decision
from coda_cli.engine.generation import Generation
from coda_cli.engine.manager import LLMManager
from coda_cli.server.options import Allowed, Limits
from coda_cli.server.wire import Answer, Ask, Cancel, WireError

NameModel = Callable[[str], tuple[str | None, str | None]]
"""A model as a client names it -> (provider, model), None for the default. Raises CodaError."""

_FLAGS: Final = {"ask": "asking a model", "cancel": "stopping an answer", "approve": "answering an approval"}


class Approvals:
    """An `Approver` whose person sits at a client."""

    def __init__(self, limits: Limits, listeners: Callable[[], int]) -> None:
        """*listeners*: how many clients there are now; without one the answer is no at once."""
        self._limits = limits
        self._listeners = listeners
        self._open: dict[str, tuple[str, asyncio.Future[Approval]]] = {}

    async def approve(self, request: ApprovalRequest) -> Approval:
        """What a client says to *request*; no where none is there, or none answers in time."""
        if not self._listeners():
            return Approval(Decision.NO, request.digest, "nobody is there to be asked")
        answer: asyncio.Future[Approval] = asyncio.get_running_loop().create_future()
        self._open[request.request_id] = (request.digest, answer)
        try:
            async with asyncio.timeout(self._limits.approval_seconds):
                return await answer
        except TimeoutError:
            return Approval(Decision.NO, request.digest, "nobody has answered")
        finally:
            del self._open[request.request_id]

    async def ask(self, question: str, choices: Sequence[str]) -> str | None:
        """A question of the model: there is no message for it, so it stays unanswered."""
        return None

    def answer(self, message: Answer) -> None:
        """Take a client's answer. Raises WireError where nothing waits for it."""
        waiting = self._open.get(message.request_id)
        if waiting is None or waiting[1].done():
            raise WireError("no call waits for this answer", code="not_waiting", ref=message.ref)
        digest, answer = waiting
        if not hmac.compare_digest(message.digest.encode("utf-8", "replace"), digest.encode()):
            hint = "copy `digest` from the request that was shown"
            raise WireError("this is the answer to another call", code="bad_digest", hint=hint, ref=message.ref)
        answer.set_result(Approval(Decision(message.decision), digest, message.reason))


class Desk:
    """Works for the clients of one server, with one manager."""

    def __init__(
        self,
        manager: LLMManager,
        allowed: Allowed,
        limits: Limits,
        listeners: Callable[[], int],
        name_model: NameModel | None = None,
    ) -> None:
        self.manager = manager
        self.allowed = allowed
        self.limits = limits
        self.name_model = name_model or self._named
        self._answers: WeakSet[Generation] = WeakSet()
        self._tasks: set[asyncio.Task[None]] = set()
        self.busy = 0
        self.approvals = Approvals(limits, listeners)
        self._approves = allowed.approve and manager.approver is None
        if self._approves:
            manager.set_approver(self.approvals)

    def _named(self, model: str) -> tuple[str | None, str | None]:
        known = self.manager.pool.names()
        if model in known:
            return model, None
        provider, found, name = model.partition("/")
        if found and provider in known:
            return provider, name
        raise LLMError(f"there is no model {model!r}", hint="name it as provider/model", final=True)

    def track(self, answer: Generation) -> None:
        """Let clients stop *answer*, where they may stop any."""
        self._answers.add(answer)

    def _check(self, flag: str, ref: str | None) -> None:
        if not getattr(self.allowed, flag):
            hint = f"start the server with --allow-{flag}"
            raise WireError(f"{_FLAGS[flag]} is not allowed here", code="not_allowed", hint=hint, ref=ref)

    def ask(self, message: Ask) -> dict[str, Any]:
        """Ask a model; returns where the answer will stand. Raises WireError, CodaError."""
        self._check("ask", message.ref)
        if self.busy >= self.limits.asks:
            hint = "wait for one of them to end"
            raise WireError(f"{self.busy} answers are under way", code="busy", hint=hint, ref=message.ref)
        provider, model = self.name_model(message.model) if message.model else (None, None)
        answer = self.manager.generate_response(
            message.prompt,
            conversation_id=message.conversation_id,
            provider=provider,
            model=model,
            system_prompt=message.system_prompt,
        )
        self.track(answer)
        self.busy += 1
        task = asyncio.get_running_loop().create_task(self._work(answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return {"conversation_id": answer.conversation_id}

    async def _work(self, answer: Generation) -> None:
        try:
            with suppress(Exception):  # the events have told it; a provider of one's own may raise anything
                await answer
        finally:
            self.busy -= 1

    def cancel(self, message: Cancel) -> dict[str, Any]:
        """Stop what is under way in a conversation; returns how many answers that were. Raises WireError."""
        self._check("cancel", message.ref)
        running = [
            answer
            for answer in list(self._answers)
            if answer.conversation_id == message.conversation_id and answer.outcome is None
        ]
        for answer in running:
            answer.cancel()
        if not running:
            raise WireError("nothing is under way there", code="not_running", ref=message.ref)
        return {"conversation_id": message.conversation_id, "stopped": len(running)}

    def answer(self, message: Answer) -> dict[str, Any]:
        """Answer an approval. Raises WireError."""
        self._check("approve", message.ref)
        self.approvals.answer(message)
        return {"request_id": message.request_id}

    async def close(self) -> None:
        """Stop what was asked for here; what has come of it is kept. Returns once that is done."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._approves and self.manager.approver is self.approvals:
            self.manager.set_approver(None)
