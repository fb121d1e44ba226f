"""The life of one answer: keep the question, ask, keep the answer, tell the world.

Every way out (done, failed, stopped by a person) passes the same end: what came is kept with its status, one usage
record is written, and one final event is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from coda_cli.engine.briefing import GIVEN, Briefing, BriefingHost
from coda_cli.engine.core.errors import CodaError, LLMContextLengthError, LLMError, LLMIncompleteResponseError
from coda_cli.engine.core.events import (
    AnalyticsUpdate,
    Event,
    FunctionCalls,
    ReasoningChunk,
    ResponseChunk,
    ResponseComplete,
    ResponseError,
    ResponseStart,
)
from coda_cli.engine.core.messages import LLMMessage, MediaPart, ToolCallPart, new_id, user
from coda_cli.engine.core.ports import Provider, ProviderRequest, StoredBranch
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import FinishReason, Status, TokenUsage
from coda_cli.engine.generation import Outcome
from coda_cli.engine.keeping import Keeping
from coda_cli.engine.request import build
from coda_cli.engine.rounds import Rounds, ToolHost
from coda_cli.engine.totals import Totals
from coda_cli.engine.turn import Stamp, Turn
from coda_cli.engine.uninterrupted import through, undisturbed
from coda_cli.engine.window import Window, WindowHost

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a caller asked for.

    `must_exist`: the conversation has to be there already. `parent`: what the question stands below ("": nothing; None:
    the newest message). `question`: one that was asked before and is to be answered again. `tools`: which tools the
    model may use (None: all that are allowed). `said`: the person's own words in `prompt` (None: all of it).
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
    tools: Sequence[str] | None = None
    said: str | None = None


class Host(WindowHost, ToolHost, BriefingHost, Protocol):
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
        self._settled = False  # whether the turn's request is in the books
        self._sent: ProviderRequest | None = None
        self._dropped: list[str] = []
        self._started = host.clock.monotonic()
        self._totals = Totals()
        self._keeping = Keeping(host, plan.conversation_id, self._stamp, publish)
        self._briefing = Briefing(host, self._stamp, publish)
        self._rounds = Rounds(host, plan.conversation_id, plan.tools, self._stamp, publish)

    async def run(self) -> Outcome:
        """The answer, or what there is of it with the error; a cancellation gives what came, marked interrupted."""
        error: LLMError | None = None
        defect: Exception | None = None
        cancelled = False
        try:
            await self._ask()
        except LLMError as exc:
            error = exc
        except CodaError as exc:  # the store's, or a tool that nobody knows
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
        outcome = await undisturbed(self._end(error, cancelled))
        if defect is not None:
            raise defect
        return outcome

    async def _end(self, error: LLMError | None, cancelled: bool) -> Outcome:
        response = self._response(error, cancelled)
        if error is None:
            response = await self._process(response)
        else:
            error.partial = response.content
        await self._keep_answer(response)
        await self._settle(response.status, error)
        self._tell(response, error)
        return Outcome(response, error, self._sent, self._totals.first_token, self._briefing.assembled.sections)

    # ---- asking ---------------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        plan, keeping = self._plan, self._keeping
        try:
            await asyncio.sleep(0)  # where a cancellation from before the start arrives
            kept = await self._keep_question()
            self._name, provider, self._model = await self._host.resolve(plan.provider, plan.model)
            keeping.provider, keeping.model = self._name, self._model
        finally:
            self._publish(
                self._stamp(ResponseStart, response_id=plan.response_id, provider=self._name, model=self._model)
            )
        keeping.tell_unsaved()
        keeping.message.created = self._host.clock.now()
        provider = await self._rounds.fitted(provider, self._model)
        await self._brief(provider, kept)
        while True:
            await self._round(provider, kept)
            if self._turn is None or not (calls := self._rounds.wanted(self._turn)):
                break
            kept = await self._call(calls, self._turn)
        answer = self._turn.answer if self._turn is not None else None
        if self._rounds.spent and answer is not None and answer.tool_calls() and not answer.text:
            raise _endless(self._host.config.function_calling.max_function_calls_per_turn)

    async def _keep_question(self) -> StoredBranch:
        plan, keeping = self._plan, self._keeping
        if plan.must_exist:
            await keeping.check_exists(plan.question)
        else:
            await keeping.create()
        if plan.question is not None:
            return await keeping.again(plan.question)
        return await keeping.ask(asked(plan.prompt, plan.media, plan.system_prompt), plan.parent)

    async def _round(self, provider: Provider, kept: StoredBranch) -> None:
        """One request, and its answer in `_turn`. Raises LLMError."""
        window = self._window(provider, kept)
        await self._request(provider, await window.fit(kept))
        if isinstance(self._error, LLMContextLengthError) and len(kept.messages) > 1:
            # a window that nobody knew of, or a count that was too low
            await self._request(provider, await window.fit(kept, smaller=True))
        if self._error is not None:
            raise self._error

    async def _brief(self, provider: Provider, kept: StoredBranch) -> None:
        plan = self._plan
        given = plan.system_prompt if plan.system_prompt is not None else _last_system_prompt(kept.messages)
        tools = [spec.name for spec in self._rounds.specs]
        profile = provider.profile(self._model)
        await self._briefing.prepare(
            given or None, kept.messages, profile, tools=tools, said=plan.said, again=plan.question is not None
        )

    def _window(self, provider: Provider, kept: StoredBranch) -> Window:
        plan = self._plan

        def made(messages: Sequence[LLMMessage]) -> ProviderRequest:
            request, self._dropped = build(
                provider.config,
                provider.profile(self._model),
                self._model,
                messages,
                system_prompt=self._briefing.text,
                options={**self._briefing.options, **plan.options},
                schema=plan.schema,
            )
            if not self._rounds.specs:
                return request
            return replace(request, tools=self._rounds.specs, tool_choice="none" if self._rounds.spent else "auto")

        return Window(
            self._host, plan.conversation_id, provider, self._name, self._model, made, self._stamp, self._publish
        )

    async def _request(self, provider: Provider, request: ProviderRequest) -> None:
        self._sent = request
        started = self._host.clock.monotonic() if self._rounds.ran else self._started
        self._turn, self._settled = Turn(provider, self._name, request, self._host.clock, self._stamp, started), False
        await self._turn.run(self._emit)

    @property
    def _error(self) -> LLMError | None:
        return self._turn.error if self._turn is not None else None

    def _emit(self, event: Event) -> None:
        if isinstance(event, ResponseChunk | ReasoningChunk):
            self._keeping.add(event)
        if isinstance(event, ResponseChunk) and self._totals.owes_a_gap:
            event = replace(event, delta="\n\n" + event.delta)
            self._totals.owes_a_gap = False
        self._publish(event)

    # ---- tools ----------------------------------------------------------------------------------------------------

    async def _call(self, calls: Sequence[ToolCallPart], turn: Turn) -> StoredBranch:
        """Keep what the model says and asks for, have it done, keep the results; the branch with them."""
        await through(self._keep_step(calls, turn))
        await self._rounds.run(calls, turn)
        return await through(self._keeping.results(self._rounds.results()))

    async def _keep_step(self, calls: Sequence[ToolCallPart], turn: Turn) -> None:
        message_id = await self._keeping.step(turn.answer.parts(), Status.COMPLETE.value, self._about(turn))
        await self._settle(Status.COMPLETE, None)
        self._totals.step(turn)
        self._turn = None
        self._rounds.begin(calls, message_id)

    # ---- the end --------------------------------------------------------------------------------------------------

    def _about(self, turn: Turn) -> dict[str, Any]:
        """What is kept beside the text of a step."""
        finished = turn.answer.finished
        usage = turn.answer.usage
        given = list(self._briefing.assembled.memory_ids)
        return {
            **({GIVEN: given} if given else {}),
            "usage": usage.model_dump(),
            "finish_reason": (finished.reason if finished is not None else FinishReason.UNKNOWN).value,
            "cost": self._host.price(self._name, self._model, usage),
            "latency": round(turn.latency, 3),
        }

    async def _settle(self, status: Status, error: LLMError | None) -> None:
        """Enter the turn's request into the books, once; learn from the vendor's count."""
        turn = self._turn
        if turn is None or self._settled:
            return
        self._settled = True
        self._totals.add(turn, self._host.price(self._name, self._model, turn.answer.usage))
        self._host.accounts.record(self._plan.conversation_id, self._name, self._model, turn, status, error)
        counted = turn.answer.usage.reported and not self._rounds.rewritten
        if self._sent is not None and status is Status.COMPLETE and counted:
            learn = self._host.tokens.learn  # may write a small file
            await asyncio.to_thread(learn, self._name, self._model, self._sent, turn.answer.usage.input_tokens)

    def _response(self, error: LLMError | None, cancelled: bool) -> LLMResponse:
        turn, totals = self._turn, self._totals
        finished = turn.answer.finished if turn is not None else None
        status, reason = Status.COMPLETE, finished.reason if finished else FinishReason.UNKNOWN
        if cancelled:
            status, reason = Status.INTERRUPTED, FinishReason.CANCELLED
        elif error is not None:
            incomplete = isinstance(error, LLMIncompleteResponseError)
            status, reason = Status.INCOMPLETE if incomplete else Status.ERROR, FinishReason.ERROR
        response = LLMResponse(
            response_id=self._plan.response_id,
            content=totals.text(turn),
            reasoning=totals.reasoning(turn),
            provider=self._name,
            model=self._model,
            conversation_id=self._plan.conversation_id,
            finish_reason=reason,
            status=status,
            tool_calls=[*self._rounds.ran, *self._rounds.open],
            usage=totals.usage,
            cost=totals.cost,
        )
        if turn is not None:
            response.tool_calls += turn.answer.tool_calls()
            response.usage = totals.usage + turn.answer.usage
            cost = self._host.price(self._name, self._model, turn.answer.usage)
            response.cost = None if cost is None or totals.cost is None else totals.cost + cost
        if self._keeping.question is not None:
            response.metadata["question_id"] = self._keeping.question
        if given := self._briefing.assembled.memory_ids:
            response.metadata[GIVEN] = list(given)
        if self._dropped:
            response.metadata["dropped_options"] = self._dropped
        if finished is not None:
            response.metadata |= {"vendor_response_id": finished.response_id, "vendor_model": finished.model}
        return response

    async def _keep_answer(self, response: LLMResponse) -> None:
        turn, keeping = self._turn, self._keeping
        if turn is None and keeping.parent is not None and keeping.parent != keeping.question:
            response.metadata["message_id"] = keeping.parent  # it ended with its tools
        try:
            if self._rounds.open:
                await keeping.results(self._rounds.results())
            parts = turn.answer.parts() if turn is not None else []
            if turn is None or not parts:
                return
            about = self._about(turn) | {"finish_reason": response.finish_reason.value}
            before = self._totals.text(None, gap=bool(turn.answer.text))
            text = response.content.removeprefix(before)
            response.metadata["message_id"] = keeping.message.message_id
            await keeping.step(parts, response.status.value, about, text)
        except CodaError as problem:
            keeping.lost(problem)
        else:
            keeping.tell_unsaved()

    def _tell(self, response: LLMResponse, error: LLMError | None) -> None:
        if self._turn is not None and error is None and (calls := self._turn.answer.tool_calls()):
            told = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in calls]
            message_id = str(response.metadata.get("message_id", ""))
            self._publish(self._stamp(FunctionCalls, calls=told, message_id=message_id))
        shared = {
            "response_id": response.response_id,
            "provider": response.provider,
            "model": response.model,
            "status": response.status.value,
            "usage": response.usage,
            "latency": self._host.clock.monotonic() - self._started if self._totals.requests else 0.0,
            "retries": self._totals.retries,
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


def _endless(most: int) -> LLMIncompleteResponseError:
    return LLMIncompleteResponseError(
        "the model goes on calling tools where it was told to answer with what it has",
        hint=f"ask for less at once, or raise `max_function_calls_per_turn` ({most}) in coda.toml",
        final=True,
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
