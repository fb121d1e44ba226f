"""Tools for models of half a billion to two billion parameters on the llama.cpp engine.

Such a model, given tools, calls one for nearly every message, and repeats its call when it is given the result. So it
is asked twice: first, held by a grammar and with nothing but the message, which of the few tools that its words point
to is needed, if any; then to answer, with the result in a plain sentence. Arguments come from the message or not at
all, and a value that the answer leaves out is shown below it. A message is answered after one round of calls.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from msgspec.structs import replace

from coda_cli.engine.core.errors import LLMIncompleteResponseError
from coda_cli.engine.core.events import Finished, ProviderEvent, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import (
    LLMMessage,
    MessageRole,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    assistant,
    new_id,
)
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.tools import routing
from coda_cli.engine.tools.around import AroundProvider
from coda_cli.engine.tools.grammar import ANSWER, Choice, union
from coda_cli.engine.tools.grounding import grounded, only_arithmetic
from coda_cli.engine.tools.results_told import missing, sentence

_REPLY: Final = "Answer with exactly these values, in one or two short sentences."
_MAX_TOKENS: Final = 200  # of one choice: a name and short arguments

Results = Sequence[tuple[ToolCallPart | None, ToolResultPart]]


class RouterProvider(AroundProvider):
    """A provider whose model takes the option `grammar`, asked for one choice before it is asked for an answer."""

    def profile(self, model: str) -> ModelProfile:
        """As the model is now: with tools."""
        return replace(super().profile(model), tools=True)

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer: calls, or the answer."""
        results = _results(request.messages)
        told = self._told(request, results) if results else self._routed(request)
        async with aclosing(told):
            async for event in told:
                yield event

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """As the provider counts what the answer is asked with."""
        return await self.inner.count_tokens(_plain(request))

    # ---- the choice -----------------------------------------------------------------------------------------------

    async def _routed(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        spent = TokenUsage()
        calls: list[tuple[str, str]] = []
        for part, choices in _asked(request):
            call, usage = await self._choose(request, part, choices)
            spent += usage
            if call is not None and call not in calls:
                calls.append(call)
        if not calls:
            async with aclosing(self._answered(_plain(request), spent)) as answer:
                async for event in answer:
                    yield event
            return
        for index, (name, arguments) in enumerate(calls):
            yield ToolCallDelta(index, new_id("call"), name, arguments)
        yield Usage(spent)
        yield Finished(FinishReason.TOOL_CALLS, request.model)

    async def _choose(
        self, request: ProviderRequest, message: str, choices: Sequence[Choice]
    ) -> tuple[tuple[str, str] | None, TokenUsage]:
        """The call that *message* needs, as (name, arguments), and what asking cost."""
        if (call := _obvious(choices, message)) is not None:
            return call, TokenUsage()
        engine = {name: value for name, value in request.options.items() if name not in _SAMPLING}
        options = {**engine, "temperature": 0.0, "max_tokens": _MAX_TOKENS, "grammar": union(choices)}
        asked = replace(
            request,
            messages=routing.prompt(request.tools, choices, message),
            options=options,
            schema=None,
            tools=(),
            tool_choice="auto",
        )
        text, usage, finished = "", TokenUsage(), False
        async with aclosing(self.inner.stream(asked)) as answer:
            async for event in answer:
                if isinstance(event, TextDelta):
                    text += event.text
                elif isinstance(event, Usage):
                    usage = event.usage
                elif isinstance(event, Finished):
                    finished = True
        if not finished:
            raise LLMIncompleteResponseError("the model broke off while it chose a tool")
        return _call(text, choices, message), usage

    # ---- the answer -----------------------------------------------------------------------------------------------

    async def _told(self, request: ProviderRequest, results: Results) -> AsyncGenerator[ProviderEvent, None]:
        """The answer with *results*; where a call failed, what failed: a small model would answer all the same."""
        if any(result.is_error for _, result in results):
            yield TextDelta("\n\n".join(sentence(call, result) for call, result in results))
            yield Finished(FinishReason.STOP, request.model)
            return
        sent = _plain(request)
        facts = "\n".join(sentence(call, result) for call, result in results)
        *before, question = sent.messages
        asked = question.model_copy(update={"parts": [*question.parts, TextPart(text=f"\n\n{facts}\n{_REPLY}")]})
        said = ""
        async with aclosing(self._answered(replace(sent, messages=[*before, asked]), TokenUsage())) as answer:
            async for event in answer:
                if isinstance(event, TextDelta):
                    said += event.text
                # JSON that had to fit a schema would not be JSON any more
                if isinstance(event, Finished) and request.schema is None and (left := missing(said, results)):
                    gap = "\n\n" if said.strip() else ""
                    yield TextDelta(gap + "\n\n".join(left))
                yield event

    async def _answered(self, request: ProviderRequest, spent: TokenUsage) -> AsyncGenerator[ProviderEvent, None]:
        """The answer to *request*, with what was *spent* before in its usage."""
        async with aclosing(self.inner.stream(request)) as answer:
            async for event in answer:
                yield Usage(spent + event.usage) if isinstance(event, Usage) else event


_SAMPLING: Final = frozenset({"temperature", "top_p", "top_k", "max_tokens", "seed", "stop", "grammar", "effort"})


def _asked(request: ProviderRequest) -> list[tuple[str, list[Choice]]]:
    """What to decide: each part of the last message that points to tools of its own, with those tools."""
    last = request.messages[-1] if request.messages else None
    if last is None or last.role is not MessageRole.USER or request.tool_choice == "none":
        return []
    message = last.content.strip()
    whole = routing.candidates(request.tools, message)
    if not whole:
        return []
    parts = [(part, made) for part in routing.clauses(message) if (made := routing.candidates(request.tools, part))]
    several = len({made[0].name for _, made in parts}) > 1
    return parts if several else [(message, whole)]


def _obvious(choices: Sequence[Choice], message: str) -> tuple[str, str] | None:
    """The call of a message that is nothing but arithmetic."""
    for choice in choices:
        if choice.name == "calculator" and len(choice.fields) == 1 and (sum_ := only_arithmetic(message)) is not None:
            return choice.name, json.dumps({choice.fields[0].name: sum_})
    return None


def _call(text: str, choices: Sequence[Choice], message: str) -> tuple[str, str] | None:
    """The call that the model chose, held against what was said; None for none."""
    name, _, written = text.strip().partition(" ")
    chosen = next((choice for choice in choices if choice.name == name), None)
    if chosen is None or name == ANSWER:
        return None
    try:
        arguments = json.loads(written)
    except ValueError:  # cut at its limit
        return None
    kept = grounded(chosen, arguments, message) if isinstance(arguments, dict) else None
    return None if kept is None else (name, json.dumps(kept, ensure_ascii=False))


# ---- history ------------------------------------------------------------------------------------------------------


def _results(messages: Sequence[LLMMessage]) -> Results:
    """The results that *messages* end with, each with its call."""
    if not messages or messages[-1].role is not MessageRole.TOOL:
        return []
    calls = {call.id: call for message in messages for call in message.tool_calls}
    return [(calls.get(part.id), part) for part in messages[-1].parts if isinstance(part, ToolResultPart)]


def _plain(request: ProviderRequest) -> ProviderRequest:
    """*request* without tools: the questions as they were asked, and the answers. Results that got none are told."""
    calls = {call.id: call for message in request.messages for call in message.tool_calls}
    out: list[LLMMessage] = []
    open_results: list[str] = []
    for message in request.messages:
        if message.role is MessageRole.TOOL:
            results = [part for part in message.parts if isinstance(part, ToolResultPart)]
            open_results += [sentence(calls.get(part.id), part) for part in results]
            continue
        if message.role is MessageRole.USER and open_results:
            out.append(assistant("\n".join(open_results)))
        open_results = []
        parts: list[Part] = [part for part in message.parts if not isinstance(part, ToolCallPart)]
        if parts:
            out.append(message.model_copy(update={"parts": parts}))
    return replace(request, messages=out, tools=(), tool_choice="auto")
