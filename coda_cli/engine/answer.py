"""The life of one answer: keep the question, ask, keep the answer, tell the world.

Every way out (done, failed, stopped by a person) passes the same end: what came is kept with its status, one usage
record is written, and one final event is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from coda_cli.engine.checkpoints import Checkpoints
from coda_cli.engine.core.errors import (
    CodaError,
    LLMContextLengthError,
    LLMError,
    LLMIncompleteResponseError,
    LLMInvalidRequestError,
)
from coda_cli.engine.core.events import (
    AnalyticsUpdate,
    ConversationCreated,
    ConversationUnsaved,
    Event,
    FunctionCalls,
    ReasoningChunk,
    ResponseChunk,
    ResponseComplete,
    ResponseError,
    ResponseStart,
)
from coda_cli.engine.core.messages import (
    LLMMessage,
    MediaPart,
    MessageRole,
    Part,
    ReasoningPart,
    TextPart,
    new_id,
    user,
)
from coda_cli.engine.core.ports import Provider, ProviderRequest, StoredBranch
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import FinishReason, Status, TokenUsage
from coda_cli.engine.generation import Outcome
from coda_cli.engine.request import build
from coda_cli.engine.turn import Stamp, Turn
from coda_cli.engine.window import Window, WindowHost

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a caller asked for.

    `must_exist`: the conversation has to be there already. `parent`: what the question stands below ("": nothing; None:
    the newest message). `question`: one that was asked before and is to be answered again.
    """

    prompt: str
    conversation_id: str
    response_id: str = field(default_factory=lambda: new_id("resp"))
    must_exist: bool = False
    parent: str | None = None
    question: str | None = None
    provider: str | None = None
    model: str | None = None
    system_prompt: str | None = None
    media: Sequence[MediaPart] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None


class Host(WindowHost, Protocol):
    """What an answer needs of the manager that it belongs to."""

    async def resolve(self, provider: str | None, model: str | None) -> tuple[str, Provider, str]:
        """(name, provider, model) for what was asked, defaults filled in. Raises LLMError."""
        ...

    def price(self, provider: str, model: str, usage: TokenUsage) -> float | None:
        """USD, or None where no price is known."""
        ...


class Answer:
    """One answer under way. `run()` works it through, once."""

    def __init__(
        self, plan: Plan, host: Host, publish: Emit, process: Callable[[LLMResponse], Awaitable[LLMResponse]]
    ) -> None:
        self._plan = plan
        self._host = host
        self._publish = publish
        self._process = process
        self._stamp = Stamp(plan.conversation_id, host.clock)
        self._name = plan.provider or ""
        self._model = plan.model or ""
        self._turn: Turn | None = None
        self._sent: ProviderRequest | None = None
        self._dropped: list[str] = []
        self._started = host.clock.monotonic()
        self._question: str | None = None
        self._unsaved_told = False
        self._message = LLMMessage(role=MessageRole.ASSISTANT, created=host.clock.now())
        self._checkpoints = Checkpoints(self._keep_piece, host.clock)

    async def run(self) -> Outcome:
        """The answer, or what there is of it with the error; a cancellation gives what came, marked interrupted."""
        error: LLMError | None = None
        defect: Exception | None = None
        cancelled = False
        try:
            await self._ask()
        except LLMError as exc:
            error = exc
        except CodaError as exc:  # the store's
            error = LLMError(exc.message, hint=exc.hint)
            error.__cause__ = exc
        except Exception as exc:  # a provider of a person's own may raise anything: told, kept, and raised again below
            defect = exc
            error = LLMError(f"{type(exc).__name__}: {exc}", hint="this is a defect in the provider's code")
        except asyncio.CancelledError:
            # A person stopped the answer. From here on this task finishes its work: the part is kept.
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            cancelled = True
        outcome = await _undisturbed(self._end(error, cancelled))
        if defect is not None:
            raise defect
        return outcome

    async def _end(self, error: LLMError | None, cancelled: bool) -> Outcome:
        response = self._response(error, cancelled)
        if error is None:
            response = await self._process(response)
        await self._keep_answer(response)
        if self._turn is not None:
            self._host.accounts.record(
                response.conversation_id, self._name, self._model, self._turn, response.status, error
            )
        if self._sent is not None and response.status is Status.COMPLETE and response.usage.reported:
            learn = self._host.tokens.learn  # may write a small file
            await asyncio.to_thread(learn, self._name, self._model, self._sent, response.usage.input_tokens)
        self._tell(response, error)
        return Outcome(response, error, self._sent, self._turn.first_token if self._turn is not None else None)

    async def _ask(self) -> None:
        plan = self._plan
        try:
            await asyncio.sleep(0)  # where a cancellation from before the start arrives
            kept = await self._keep_question()
            self._name, provider, self._model = await self._host.resolve(plan.provider, plan.model)
        finally:
            self._publish(
                self._stamp(ResponseStart, response_id=plan.response_id, provider=self._name, model=self._model)
            )
        self._tell_unsaved()
        self._message.created = self._host.clock.now()
        window = self._window(provider, kept)
        await self._request(provider, await window.fit(kept))
        if isinstance(self._error, LLMContextLengthError) and len(kept.messages) > 1:
            # a window that nobody knew of, or a count that was too low
            await self._request(provider, await window.fit(kept, smaller=True))
        if self._error is not None:
            raise self._error

    def _window(self, provider: Provider, kept: StoredBranch) -> Window:
        plan = self._plan
        given = plan.system_prompt if plan.system_prompt is not None else _last_system_prompt(kept.messages)

        def made(messages: Sequence[LLMMessage]) -> ProviderRequest:
            request, self._dropped = build(
                provider.config,
                provider.profile(self._model),
                self._model,
                messages,
                system_prompt=given,
                options=plan.options,
                schema=plan.schema,
            )
            return request

        return Window(
            self._host, plan.conversation_id, provider, self._name, self._model, made, self._stamp, self._publish
        )

    async def _request(self, provider: Provider, request: ProviderRequest) -> None:
        self._sent = request
        self._turn = Turn(provider, self._name, request, self._host.clock, self._stamp, self._started)
        await self._turn.run(self._emit)

    @property
    def _error(self) -> LLMError | None:
        return self._turn.error if self._turn is not None else None

    def _emit(self, event: Event) -> None:
        self._publish(event)
        if isinstance(event, ResponseChunk):
            self._checkpoints.add(TextPart(text=event.delta))
        elif isinstance(event, ReasoningChunk):
            self._checkpoints.add(ReasoningPart(text=event.delta, provider=self._name))

    async def _keep_piece(self, parts: Sequence[Part]) -> None:
        meta = {"provider": self._name, "model": self._model}
        piece = self._message.model_copy(update={"metadata": meta})
        await self._host.store.checkpoint(self._plan.conversation_id, piece, parts, self._question)

    async def _keep_question(self) -> StoredBranch:
        plan, store = self._plan, self._host.store
        if plan.must_exist:
            await self._check_exists()
        elif await store.create(plan.conversation_id):
            self._publish(self._stamp(ConversationCreated))
        if plan.question is None:
            question = asked(plan.prompt, plan.media, plan.system_prompt)
            await store.append(plan.conversation_id, question, plan.parent)
            self._question = question.message_id
        else:
            self._question = plan.question
        # up to this question, whatever another answer of the same conversation has added meanwhile
        return await store.stored_branch(plan.conversation_id, self._question)

    async def _check_exists(self) -> None:
        plan = self._plan
        try:
            await self._host.store.messages(plan.conversation_id, plan.question)
        except KeyError:
            what = "conversation" if plan.question is None else f"question {plan.question!r} in the conversation"
            raise LLMInvalidRequestError(
                f"there is no {what} {plan.conversation_id!r}",
                hint="start one with generate_response(), which gives its conversation_id",
            ) from None

    def _tell_unsaved(self) -> None:
        """Say once an answer that the disk refuses; the conversation goes on all the same."""
        problem = self._host.store.unsaved(self._plan.conversation_id)
        if problem is not None and not self._unsaved_told:
            self._unsaved_told = True
            self._publish(self._stamp(ConversationUnsaved, reason=problem.message, hint=problem.hint))

    def _response(self, error: LLMError | None, cancelled: bool) -> LLMResponse:
        turn = self._turn
        finished = turn.answer.finished if turn is not None else None
        status, reason = Status.COMPLETE, finished.reason if finished else FinishReason.UNKNOWN
        if cancelled:
            status, reason = Status.INTERRUPTED, FinishReason.CANCELLED
        elif error is not None:
            incomplete = isinstance(error, LLMIncompleteResponseError)
            status, reason = Status.INCOMPLETE if incomplete else Status.ERROR, FinishReason.ERROR
        response = LLMResponse(
            response_id=self._plan.response_id,
            content="",
            provider=self._name,
            model=self._model,
            conversation_id=self._plan.conversation_id,
            finish_reason=reason,
            status=status,
        )
        if self._question is not None:
            response.metadata["question_id"] = self._question
        if self._dropped:
            response.metadata["dropped_options"] = self._dropped
        if turn is not None:
            response.content = turn.answer.text
            response.reasoning = turn.answer.reasoning
            response.tool_calls = turn.answer.tool_calls()
            response.usage = turn.answer.usage
            response.cost = self._host.price(self._name, self._model, response.usage)
        if finished is not None:
            response.metadata |= {"vendor_response_id": finished.response_id, "vendor_model": finished.model}
        return response

    async def _keep_answer(self, response: LLMResponse) -> None:
        parts = self._turn.answer.parts() if self._turn is not None else []
        if not parts:
            return
        await self._checkpoints.stop()
        message = self._message.model_copy(update={"parts": parts, "status": response.status.value})
        if message.content != response.content:
            message.content = response.content
        response.metadata["message_id"] = message.message_id
        message.metadata |= {
            "provider": response.provider,
            "model": response.model,
            "usage": response.usage.model_dump(),
            "finish_reason": response.finish_reason.value,
            "cost": response.cost,
            "latency": round(self._turn.latency, 3) if self._turn is not None else None,
        }
        try:
            await self._host.store.append(response.conversation_id, message, self._question)
        except CodaError as problem:  # the answer is on the screen: say that it is nowhere else
            self._publish(self._stamp(ConversationUnsaved, reason=problem.message, hint=problem.hint))
        else:
            self._tell_unsaved()

    def _tell(self, response: LLMResponse, error: LLMError | None) -> None:
        turn = self._turn
        if response.tool_calls and error is None:
            calls = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in response.tool_calls]
            self._publish(self._stamp(FunctionCalls, calls=calls))
        shared = {
            "response_id": response.response_id,
            "provider": response.provider,
            "model": response.model,
            "status": response.status.value,
            "usage": response.usage,
            "latency": turn.latency if turn is not None else 0.0,
            "retries": turn.retries if turn is not None else 0,
        }
        if error is not None:
            final: Event = self._stamp(ResponseError, error=error.describe(), partial=response.content, **shared)
        else:
            final = self._stamp(
                ResponseComplete,
                content=response.content,
                finish_reason=response.finish_reason.value,
                cost=response.cost,
                **shared,
            )
        self._publish(final)
        stats = self._host.accounts.stats(response.provider)
        self._publish(
            self._stamp(
                AnalyticsUpdate,
                provider=response.provider,
                request_count=stats.request_count,
                total_tokens=stats.total_tokens,
                total_cost=stats.total_cost,
            )
        )


def asked(prompt: str, media: Sequence[MediaPart], system_prompt: str | None) -> LLMMessage:
    """The question as it is kept; its own system prompt holds for those that follow it, too."""
    question = user(prompt, media)
    if system_prompt is not None:
        question.metadata["system_prompt"] = system_prompt
    return question


def _last_system_prompt(messages: Sequence[LLMMessage]) -> str | None:
    """The system prompt that was given last in this branch; "" takes an earlier one back."""
    given = (message.metadata.get("system_prompt") for message in reversed(messages))
    return next((text for text in given if isinstance(text, str)), None) or None


async def _undisturbed(ending: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Work *ending* through, whatever cancellations come: an answer that is whole must not be lost while it is kept."""
    task = asyncio.ensure_future(ending)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None:
                current.uncancel()
            if task.done():
                return task.result()
