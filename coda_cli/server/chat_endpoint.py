"""`/v1/chat/completions` and `/v1/models`: Coda's providers for programs that speak to OpenAI.

The program brings the whole history, so an answer is made in a conversation of its own that ends with the request,
by a manager that shares everything else with the person's: providers, retries, cache, budgets, usage log, events.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from aiohttp import web

from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.config import ConversationConfig, LLMConfig
from coda_cli.engine.core.errors import CodaError, LLMContextLengthError, LLMError, LLMModelNotFoundError
from coda_cli.engine.core.events import (
    ContextTrimmed,
    Event,
    FunctionCalls,
    ReasoningChunk,
    ResponseChunk,
    ResponseStart,
)
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    LLMMessage,
    MediaPart,
    MessageRole,
    TextPart,
    new_id,
)
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import Status
from coda_cli.engine.generation import Generation
from coda_cli.server.chat_reply import Chunks, completion, failure
from coda_cli.server.chat_request import BadRequest, ChatRequest, read_request
from coda_cli.server.client_tools import ClientTools
from coda_cli.server.passing_store import PassingStore
from coda_cli.server.refused import Refused, error_body
from coda_cli.server.site import HEADERS, as_json
from coda_cli.server.wire import dumped

if TYPE_CHECKING:
    from coda_cli.engine.manager import LLMManager
    from coda_cli.server.desk import Desk

_CHATS: Final = "/v1/chat/completions"
_MODELS: Final = "/v1/models"
_FRESH: Final = 60.0
"""Seconds that a list of models is good for."""
_PATIENCE: Final = 10.0
"""Seconds that a provider has to say which models it has."""
_WRITING: Final = 60.0
"""Seconds that a program may read nothing of its answer."""


class ChatEndpoint:
    """Answers programs with what *desk* has."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._models: tuple[float, list[dict[str, Any]]] = (0.0, [])

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request whose token was right. Raises Refused."""
        path = request.path
        if path == _CHATS:
            self._method(request, "POST")
            return await self._chat(request)
        if path == _MODELS:
            self._method(request, "GET")
            return as_json({"object": "list", "data": await self._list()})
        if path.startswith(f"{_MODELS}/"):
            self._method(request, "GET")
            return await self._model(unquote(path.removeprefix(f"{_MODELS}/")))
        raise Refused(404, "there is nothing at this address", "not_found")

    @staticmethod
    def _method(request: web.BaseRequest, wanted: str) -> None:
        if request.method != wanted:
            raise Refused(405, f"only {wanted} works here", "method_not_allowed", {"Allow": wanted})

    # ---- models ---------------------------------------------------------------------------------------------------

    async def _list(self) -> list[dict[str, Any]]:
        made, found = self._models
        if not found or time.monotonic() - made > _FRESH:
            manager = self._desk.manager
            lists = await asyncio.gather(*(_offered(manager, name) for name in manager.pool.names()))
            found = [one for models in lists for one in models]
            self._models = (time.monotonic(), found)
        return found

    async def _model(self, name: str) -> web.Response:
        for one in await self._list():
            if one["id"] == name:
                return as_json(one)
        return as_json(error_body(f"there is no model {name!r}", "invalid_request_error", "model_not_found"), 404)

    # ---- chats ----------------------------------------------------------------------------------------------------

    async def _chat(self, request: web.BaseRequest) -> web.StreamResponse:
        desk = self._desk
        if not desk.allowed.ask:
            raise Refused(403, "asking is not allowed here; start the server with --allow-ask", "not_allowed")
        if desk.busy >= desk.limits.asks:
            raise Refused(429, "too many answers are under way", "rate_limit_exceeded", {"Retry-After": "1"})
        desk.busy += 1  # from here on: a body that comes slowly is under way, too
        try:
            asked = read_request(await self._body(request))
            return await self._reply(request, asked)
        except BadRequest as no:
            return as_json(error_body(no.message, "invalid_request_error", no.code, no.param), no.status)
        except CodaError as error:
            status, body, headers = failure(error)
            return as_json(body, status, headers)
        finally:
            desk.busy -= 1

    async def _body(self, request: web.BaseRequest) -> bytes:
        limits = self._desk.limits
        too_large = Refused(413, f"the body is larger than {limits.body_bytes >> 20} MiB", "too_large")
        if (request.content_length or 0) > limits.body_bytes:
            raise too_large
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(415, "send the body as it is, not compressed", "unsupported_encoding")
        body = bytearray()
        try:
            async with asyncio.timeout(limits.body_seconds):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > limits.body_bytes:
                        raise too_large
        except TimeoutError:
            raise Refused(408, "the body did not come in time", "timeout") from None
        return bytes(body)

    async def _reply(self, request: web.BaseRequest, asked: ChatRequest) -> web.StreamResponse:
        answer = await self._ask(asked)
        self._desk.track(answer)
        headers = {"coda-ignored": ", ".join(asked.ignored)} if asked.ignored else {}
        try:
            if asked.stream:
                return await _stream(request, answer, asked, headers)
            async for event in answer.events():
                _check_whole(event)
            return as_json(completion(_ended(answer), int(time.time())), headers=headers)
        finally:
            await _stopped(answer)

    async def _ask(self, asked: ChatRequest) -> Generation:
        try:
            provider, model = self._desk.name_model(asked.model)
        except CodaError as error:
            hint = "GET /v1/models lists them"
            raise LLMModelNotFoundError(error.message, hint=f"{error.hint}; {hint}" if error.hint else hint) from error
        manager = beside(self._desk.manager, asked, keep=self._desk.allowed.keep)
        *before, last = asked.messages
        conversation = new_id("api")
        await manager.store.create(conversation)
        for message in before:
            await manager.store.append(conversation, message)
        question = _question(last)
        if question is None:
            await manager.store.append(conversation, last)
            return manager.retry(
                conversation,
                last.message_id,
                provider=provider,
                model=model,
                system_prompt=asked.system_prompt,
                schema=asked.schema,
                options=asked.options,
                use_cache=None,
            )
        text, media = question
        return manager.generate_response(
            text,
            media=media,
            conversation_id=conversation,
            provider=provider,
            model=model,
            system_prompt=asked.system_prompt,
            schema=asked.schema,
            options=asked.options,
        )


def beside(manager: LLMManager, asked: ChatRequest, *, keep: bool) -> LLMManager:
    """A manager that shares all of *manager* but its store, its memory, its persona and its tools."""
    light = copy.copy(manager)
    if not keep:
        light.store = PassingStore() if manager.remembers else ConversationManager.in_memory()
    light.memory = light.personality = light.prompts = light.approver = light.folder = None
    light.tools = ClientTools(asked.tools) if asked.tools else None
    light.config = _config(manager.config)
    return light


def _config(config: LLMConfig) -> LLMConfig:
    """*config*, but nothing is summarised, and tools are called by whoever asks."""
    calling = config.function_calling.model_copy(
        update={"enabled": True, "auto_execute": False, "tool_integration_enabled": True}
    )
    return config.model_copy(
        update={
            "conversation": ConversationConfig(auto_summarize=False),
            "function_calling": calling,
            "tool_integration_enabled": True,
            "stream_responses": True,
        }
    )


def _question(last: LLMMessage) -> tuple[str, Sequence[MediaPart]] | None:
    """*last* as a prompt with attachments, None where it is something else."""
    if last.role is not MessageRole.USER:
        return None
    head = [part for part in last.parts[:1] if isinstance(part, TextPart)]
    media = [part for part in last.parts[len(head) :] if isinstance(part, ImagePart | AudioPart | FilePart)]
    if len(head) + len(media) != len(last.parts):
        return None
    return (head[0].text if head else ""), media


async def _offered(manager: LLMManager, provider: str) -> list[dict[str, Any]]:
    """The models of *provider*; the one it is configured with, where it does not say."""
    names: list[str] = []
    config = manager.config.providers.get(provider)
    if config is not None and config.model:
        names.append(config.model)
    with suppress(CodaError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            names += [model.id for model in await manager.list_models(provider)]
    return [
        {"id": f"{provider}/{name}", "object": "model", "created": 0, "owned_by": provider}
        for name in dict.fromkeys(names)
    ]


def _check_whole(event: Event) -> None:
    """Raise where the engine leaves out what the program has sent: it would not know."""
    if isinstance(event, ContextTrimmed):
        raise LLMContextLengthError("the messages do not fit into the model's context window")


def _ended(answer: Generation) -> LLMResponse:
    """The response of *answer*, which has ended. Raises the LLMError that it ended with."""
    outcome = answer.outcome
    if outcome is None:
        raise LLMError("the answer has no end")
    if outcome.error is not None:
        raise outcome.error
    if outcome.response.status is Status.INTERRUPTED:
        raise LLMError("the answer was stopped", final=True)
    return outcome.response


async def _stopped(answer: Generation) -> None:
    """Stop *answer* unless it has ended; return when it has."""
    if answer.outcome is None:
        answer.cancel()
        with suppress(Exception):  # a provider of one's own may raise anything
            await answer


async def _stream(
    request: web.BaseRequest, answer: Generation, asked: ChatRequest, headers: dict[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={**HEADERS, **headers, "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    )
    chunks: Chunks | None = None
    model = asked.model
    try:
        async for batch in answer.batches():
            told: list[dict[str, Any]] = []
            for event in batch:
                _check_whole(event)
                if isinstance(event, ResponseStart):
                    model = f"{event.provider}/{event.model}"
                if isinstance(event, ResponseChunk | ReasoningChunk | FunctionCalls):
                    if chunks is None:
                        chunks = await _begun(request, response, model, asked)
                        told.append(chunks.first())
                    told.append(chunks.of(event))
            if told:
                await _write(request, response, told)
        ended = _ended(answer)
        if chunks is None:  # nothing was said, and that is the answer
            chunks = await _begun(request, response, model, asked)
            await _write(request, response, [chunks.first()])
        await _write(request, response, chunks.last(ended), done=True)
    except CodaError as error:
        if chunks is None:
            raise
        await _write(request, response, [failure(error)[1]])
    await response.write_eof()
    return response


async def _begun(request: web.BaseRequest, response: web.StreamResponse, model: str, asked: ChatRequest) -> Chunks:
    await response.prepare(request)
    return Chunks(new_id("resp"), model, int(time.time()), include_usage=asked.include_usage)


async def _write(
    request: web.BaseRequest, response: web.StreamResponse, told: Sequence[dict[str, Any]], *, done: bool = False
) -> None:
    text = b"".join(b"data: " + dumped(one) + b"\n\n" for one in told)
    try:
        async with asyncio.timeout(_WRITING):
            await response.write(text + (b"data: [DONE]\n\n" if done else b""))
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError from None
