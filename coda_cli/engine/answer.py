"""The life of one answer: keep the question, ask, keep the answer, tell the world.

Every way out (done, failed, stopped by a person) passes the same end: what came is kept with its status, one usage
record is written, and one final event is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from coda_cli.engine.briefing import GIVEN, Briefing, BriefingHost
from coda_cli.engine.core.errors import (
    CodaError,
    LLMBudgetError,
    LLMContextLengthError,
    LLMError,
)
from coda_cli.engine.core.events import (
    Event,
    FunctionCalls,
    ReasoningChunk,
    ResponseChunk,
    ResponseStart,
)
from coda_cli.engine.core.messages import LLMMessage, ToolCallPart
from coda_cli.engine.core.ports import Provider, ProviderRequest, StoredBranch
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import FinishReason, Status, TokenUsage
from coda_cli.engine.ending import analytics_event, final_event, how_it_ended
from coda_cli.engine.fallback import Fallback, FallbackHost
from coda_cli.engine.generation import Outcome
from coda_cli.engine.keeping import Keeping
from coda_cli.engine.plan import Plan, asked as asked_question, endless, last_system_prompt
from coda_cli.engine.request import build
from coda_cli.engine.rounds import Rounds, ToolHost
from coda_cli.engine.sending import Sending, SendingHost, Sent
from coda_cli.engine.totals import Totals
from coda_cli.engine.turn import Stamp, Turn
from coda_cli.engine.uninterrupted import through, undisturbed
from coda_cli.engine.window import Window, WindowHost

Emit = Callable[[Event], None]


class Host(WindowHost, ToolHost, BriefingHost, SendingHost, FallbackHost, Protocol):
    """What an answer needs of the manager that it belongs to."""

    def price(self, provider: str, model: str, usage: TokenUsage) -> float | None:
        """USD, or None where no price is known."""
        ...

    def tell_health(self, provider: str, error: LLMError | None) -> None:
        """*provider* is left alone from now on because of *error*; None: it is well again."""
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
        cached = host.remembers and (host.config.enable_caching if plan.use_cache is None else plan.use_cache)
        self._sending = Sending(host, plan.conversation_id, self._stamp, publish, cached=cached)
        self._fallback = Fallback(host, self._stamp, publish)
        self._on_the_way: Sent | None = None

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
            provider = self._take(await self._fallback.resolve(plan.provider, plan.model))
        finally:
            self._publish(
                self._stamp(ResponseStart, response_id=plan.response_id, provider=self._name, model=self._model)
            )
        keeping.tell_unsaved()
        keeping.message.created = self._host.clock.now()
        provider = await self._fitted(provider, kept, again=plan.question is not None)
        while True:
            provider = await self._round_or_elsewhere(provider, kept)
            if self._turn is None or not (calls := self._rounds.wanted(self._turn)):
                break
            kept = await self._call(calls, self._turn)
        answer = self._turn.answer if self._turn is not None else None
        if self._rounds.spent and answer is not None and answer.tool_calls() and not answer.text:
            raise endless(self._host.config.function_calling.max_function_calls_per_turn)

    def _take(self, chosen: tuple[str, Provider, str]) -> Provider:
        self._name, provider, self._model = chosen
        self._keeping.provider, self._keeping.model = self._name, self._model
        return provider

    async def _fitted(self, provider: Provider, kept: StoredBranch, *, again: bool) -> Provider:
        """*provider* with what it can do of tools, briefed. *again*: the question was heard before."""
        fitted = await self._rounds.fitted(provider, self._model)
        await self._brief(fitted, kept, again=again)
        return fitted

    async def _round_or_elsewhere(self, provider: Provider, kept: StoredBranch) -> Provider:
        """One request, by another provider where this one fails before anything came; the one that answered."""
        while True:
            try:
                await self._round(provider, kept)
            except LLMError as error:
                if self._rounds.ran or (self._turn is not None and self._turn.answer.visible):
                    raise
                chosen = await self._fallback.instead_of(self._name, self._model, error)
                await through(self._settle(Status.ERROR, error))
                self._turn = None
                provider = await self._fitted(self._take(chosen), kept, again=True)
            else:
                return provider

    async def _keep_question(self) -> StoredBranch:
        plan, keeping = self._plan, self._keeping
        if plan.must_exist:
            await keeping.check_exists(plan.question)
        else:
            await keeping.create()
        if plan.question is not None:
            return await keeping.again(plan.question)
        return await keeping.ask(asked_question(plan.prompt, plan.media, plan.system_prompt), plan.parent)

    async def _round(self, provider: Provider, kept: StoredBranch) -> None:
        """One request, and its answer in `_turn`. Raises LLMError."""
        window = self._window(provider, kept)
        await self._request(provider, await window.fit(kept))
        if isinstance(self._error, LLMContextLengthError) and len(kept.messages) > 1:
            # a window that nobody knew of, or a count that was too low
            await through(self._settle(Status.ERROR, self._error))
            await self._request(provider, await window.fit(kept, smaller=True))
        if self._error is not None:
            raise self._error

    async def _brief(self, provider: Provider, kept: StoredBranch, *, again: bool) -> None:
        plan = self._plan
        given = plan.system_prompt if plan.system_prompt is not None else last_system_prompt(kept.messages)
        tools = [spec.name for spec in self._rounds.specs]
        profile = provider.profile(self._model)
        await self._briefing.prepare(given or None, kept.messages, profile, tools=tools, said=plan.said, again=again)

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
        self._on_the_way = await self._sending.send(provider, self._name, request, started)
        self._turn, self._settled = self._on_the_way.turn, False
        await self._turn.run(self._emit)
        if isinstance(self._error, LLMBudgetError):
            self._sending.tell_budget(self._error)

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
            "cost": self._cost(turn),
            "latency": round(turn.latency, 3),
        }

    @property
    def _cached(self) -> bool:
        return self._on_the_way is not None and self._on_the_way.cached

    def _cost(self, turn: Turn) -> float | None:
        return 0.0 if self._cached else self._host.price(self._name, self._model, turn.answer.usage)

    async def _settle(self, status: Status, error: LLMError | None) -> None:
        """Enter the turn's request into the books, once; learn from the vendor's count."""
        turn = self._turn
        if turn is None or self._settled:
            return
        self._settled = True
        cost = self._cost(turn)
        self._totals.add(turn, cost)
        cached = self._cached
        self._host.accounts.record(
            self._plan.conversation_id, self._name, self._model, turn, status, error, cached=cached
        )
        if self._on_the_way is not None:
            well = await self._on_the_way.done(cost, keep=status is Status.COMPLETE)
            if well is not None:
                self._host.tell_health(self._name, error)
        counted = turn.answer.usage.reported and not self._rounds.rewritten
        if self._sent is not None and status is Status.COMPLETE and counted:
            learn = self._host.tokens.learn  # may write a small file
            await asyncio.to_thread(learn, self._name, self._model, self._sent, turn.answer.usage.input_tokens)

    def _response(self, error: LLMError | None, cancelled: bool) -> LLMResponse:
        turn, totals = self._turn, self._totals
        finished = turn.answer.finished if turn is not None else None
        status, reason = how_it_ended(finished, error, cancelled=cancelled, began=turn is not None)
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
            cost = self._cost(turn)
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
        totals = self._totals
        latency = self._host.clock.monotonic() - self._started if totals.requests else 0.0
        cached = self._cached and totals.requests == 1
        self._publish(final_event(self._stamp, response, error, latency, totals.retries, cached=cached))
        self._publish(analytics_event(self._stamp, response.provider, self._host.accounts.stats(response.provider)))
