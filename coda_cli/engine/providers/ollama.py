"""Ollama by its native API. Its SDK serves tags, show, ps and pull; the chat goes through Coda's own decoder.

The SDK's chat dies on a raw U+2028 in a stream, takes a cut stream for a whole one and lets errors of httpx through.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import (
    LLMBadResponseError,
    LLMConnectionError,
    LLMError,
    LLMIncompleteResponseError,
    LLMModelNotFoundError,
    LLMTimeoutError,
    LLMUnsupportedError,
)
from coda_cli.engine.core.events import ProviderEvent
from coda_cli.engine.core.messages import ImagePart
from coda_cli.engine.core.ports import ModelInfo, ProviderRequest
from coda_cli.engine.core.profiles import Dialect, ModelProfile, profile_for
from coda_cli.engine.providers.base import BaseLLMProvider
from coda_cli.engine.providers.endpoints import Endpoint, endpoint, loopback
from coda_cli.engine.providers.http import LeanTransport
from coda_cli.engine.providers.local.background import in_background
from coda_cli.engine.providers.lookup import doubt, missing
from coda_cli.engine.providers.ollama_chat import ChatMapping, chat_body
from coda_cli.engine.providers.status import error_fields, from_event, from_status
from coda_cli.engine.providers.wire import NDJSONDecoder, events

if TYPE_CHECKING:
    import httpx
    from ollama import AsyncClient

SUGGESTED_MODEL: Final = "llama3.2"


class PullProgress(NamedTuple):
    """How far a download is: Ollama's words, and bytes where it tells them."""

    status: str
    completed: int | None
    total: int | None


class _Shown(Struct, frozen=True):
    """What /api/show tells of a model. `capabilities` is None where an old server does not tell."""

    capabilities: frozenset[str] | None
    context_window: int | None

    def can(self, capability: str) -> bool:
        return self.capabilities is None or capability in self.capabilities


class OllamaProvider(BaseLLMProvider):
    """A running Ollama at `api_base`, OLLAMA_HOST, or this machine's port 11434."""

    def __init__(self, config: ProviderConfig, *, offline: bool = False) -> None:
        super().__init__(config)
        self._offline = offline
        self._transport: LeanTransport | None = None
        self._client: AsyncClient | None = None
        self._loading = asyncio.Lock()
        self._shown: dict[str, _Shown | None] = {}
        self._default = ""

    def get_provider_name(self) -> LLMProvider:
        """`ollama`."""
        return LLMProvider.OLLAMA

    @property
    def dialect(self) -> Dialect:
        """Ollama's models."""
        return "ollama"

    def profile(self, model: str) -> ModelProfile:
        """What *model* can do: what the server told of it, if it was asked already."""
        profile = profile_for(self.dialect, model)
        shown = self._shown.get(model)
        if shown is None:
            return profile
        profile = replace(profile, context_window=shown.context_window)
        if shown.capabilities is None:
            return profile
        return replace(
            profile,
            tools="tools" in shown.capabilities,
            images="vision" in shown.capabilities,
            thinking="adaptive" if "thinking" in shown.capabilities else "none",
        )

    def _endpoint(self) -> Endpoint:
        return endpoint(self.config, offline=self._offline)

    def _connection(self) -> LeanTransport:
        if self._transport is None:
            where = self._endpoint()
            headers = {"authorization": f"Bearer {where.key.get_secret_value()}"} if where.key else {}
            self._transport = LeanTransport(where.base_url, headers, self.config)
        return self._transport

    async def _sdk(self) -> AsyncClient:
        async with self._loading:
            if self._client is None:
                where = self._endpoint()
                self._client = await in_background(partial(_load, self.config, where), "sdk")
            return self._client

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer."""
        await self._look_closer(request)
        body = chat_body(request, self.profile(request.model))
        with self._hints(request.model):
            async with (
                self._connection().post("/api/chat", body) as response,
                aclosing(events(response, ChatMapping(), decoder=NDJSONDecoder)) as answer,
            ):
                async for event in answer:
                    yield event

    async def _look_closer(self, request: ProviderRequest) -> None:
        """Ask what the model can do, where the request depends on it: a model that does not see ignores images."""
        pictures = any(isinstance(part, ImagePart) for message in request.messages for part in message.parts)
        if not pictures and "effort" not in request.options:
            return
        shown = await self._show(request.model)
        if pictures and shown is not None and not shown.can("vision"):
            raise LLMUnsupportedError(
                f"{request.model} does not take images",
                hint="choose a model that sees with -m, such as llama3.2-vision",
            )

    async def learn(self, model: str) -> None:
        """Ask the server what *model* can do, once, so that its profile is no guess; one that is down is no error."""
        await self._show(model)

    async def _show(self, model: str) -> _Shown | None:
        """What the server tells of *model*, asked once; None where it does not. A chat never fails for it."""
        if model not in self._shown:
            try:
                client = await self._sdk()
                with self._calls(model):
                    told = await client.show(model)
            except (LLMConnectionError, LLMTimeoutError):
                return None  # the chat itself will say what is wrong
            except LLMError:
                self._shown[model] = None
            else:
                names = None if told.capabilities is None else frozenset(told.capabilities)
                self._shown[model] = _Shown(names, _window(told.modelinfo or {}))
        return self._shown[model]

    async def list_models(self) -> list[ModelInfo]:
        """The models that are on the server's disk."""
        client = await self._sdk()
        with self._calls():
            listed = await client.list()
        out = []
        for entry in listed.models:
            if entry.model:
                shown = self._shown.get(entry.model)
                size = None if entry.size is None else int(entry.size)
                names = tuple(sorted(shown.capabilities or ())) if shown else ()
                out.append(ModelInfo(entry.model, shown.context_window if shown else None, None, size, names))
        return out

    async def running(self) -> list[ModelInfo]:
        """The models that are in memory now, with the windows that they were loaded with."""
        client = await self._sdk()
        with self._calls():
            loaded = await client.ps()
        return [
            ModelInfo(
                entry.model, context_window=entry.context_length, size=None if entry.size is None else int(entry.size)
            )
            for entry in loaded.models
            if entry.model
        ]

    async def pull(self, model: str) -> AsyncGenerator[PullProgress, None]:
        """Fetch *model* to the server's disk; closing the iterator stops it, and Ollama goes on there next time."""
        client = await self._sdk()
        self._shown.pop(model, None)
        with self._calls(model):
            progress = await client.pull(model, stream=True)
            try:
                async for step in progress:
                    yield PullProgress(step.status or "", step.completed, step.total)
            finally:
                if isinstance(progress, AsyncGenerator):
                    await progress.aclose()

    async def resolve_model(self) -> str:
        """The configured model; else the first on disk that can call tools, or at least chat."""
        if self.config.model or self._default:
            return self.config.model or self._default
        fallback = ""
        for listed in await self.list_models():
            shown = await self._show(listed.id)
            told = None if shown is None else shown.capabilities
            if ("embed" in listed.id.lower()) if told is None else ("completion" not in told):
                continue
            if told is not None and "tools" in told:
                self._default = listed.id
                return listed.id
            fallback = fallback or listed.id
        if not fallback:
            raise LLMModelNotFoundError("this Ollama has no chat model yet", hint=f"ollama pull {SUGGESTED_MODEL}")
        self._default = fallback
        return fallback

    async def check(self, model: str = "") -> str | None:
        """Return if the server answers and has *model* on its disk; raise LLMError with a hint if not."""
        listed = [found.id for found in await self.list_models()]
        wanted = model or self.config.model
        if not wanted or _full_name(wanted) in map(_full_name, listed):
            return None
        if wanted.endswith("cloud"):  # runs on Ollama's own machines, and newer servers need no pull for it
            return doubt(wanted, listed)
        error = missing(wanted, listed)
        error.hint = f"ollama pull {wanted}"
        raise error

    async def aclose(self) -> None:
        """Close all connections."""
        if self._transport is not None:
            await self._transport.aclose()
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]  # the SDK has no annotation there

    @contextmanager
    def _calls(self, model: str = "") -> Iterator[None]:
        """Around every call of the SDK: its errors as Coda's, with hints."""
        with self._hints(model), _translated(self._endpoint().base_url):
            yield

    @contextmanager
    def _hints(self, model: str = "") -> Iterator[None]:
        """Say what to do about a server that is down and a model that is not there."""
        try:
            yield
        except LLMModelNotFoundError as error:
            error.hint = f"ollama pull {model or SUGGESTED_MODEL}"
            raise
        except LLMIncompleteResponseError:
            raise
        except LLMConnectionError as error:
            if not error.final:
                named = "check `api_base`" if self.config.api_base else "set OLLAMA_HOST"
                error.hint = f"start it with `ollama serve`, or {named}"
            raise


def _full_name(model: str) -> str:
    """*model* with what Ollama takes for granted: case does not count, the tag is `latest`, the library is its own."""
    name = model.lower().removeprefix("registry.ollama.ai/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _window(facts: Any) -> int | None:
    """`<architecture>.context_length` of a model's metadata."""
    value = facts.get(f"{facts.get('general.architecture')}.context_length")
    return value if isinstance(value, int) and value > 0 else None


def _load(config: ProviderConfig, where: Endpoint) -> AsyncClient:
    import httpx
    from ollama import AsyncClient

    def authorize(request: httpx.Request) -> httpx.Request:
        # the SDK takes OLLAMA_API_KEY from the environment by itself, for any host
        request.headers.pop("authorization", None)
        if where.key is not None:
            request.headers["authorization"] = f"Bearer {where.key.get_secret_value()}"
        return request

    with _translated(where.base_url):
        return AsyncClient(
            host=where.base_url,
            timeout=httpx.Timeout(config.idle_timeout, connect=config.connect_timeout),
            follow_redirects=False,
            auth=authorize,
            trust_env=not loopback(where.base_url),
        )


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """The SDK's errors, and those of httpx that it lets through, as Coda's."""
    import httpx
    from ollama import ResponseError

    try:
        yield
    except ResponseError as exc:
        raise _refused(exc.status_code, exc.error, where) from exc
    except httpx.ConnectTimeout as exc:
        raise LLMTimeoutError(f"no connection to {where} within the connect timeout") from exc
    except httpx.TimeoutException as exc:
        raise LLMTimeoutError(f"{where} fell silent: no byte within the idle timeout") from exc
    except httpx.ConnectError as exc:
        raise LLMConnectionError(f"can't connect to {where} ({exc})") from exc
    except (httpx.TransportError, httpx.StreamError) as exc:
        raise LLMConnectionError(f"the connection to {where} broke ({str(exc) or type(exc).__name__})") from exc
    except ConnectionError as exc:
        raise LLMConnectionError(f"can't connect to {where}") from exc
    except httpx.InvalidURL as exc:
        raise LLMConnectionError(
            f"{where} is not a valid address ({exc})", hint="check `api_base` or OLLAMA_HOST", final=True
        ) from exc
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        # The SDK builds its objects from whatever JSON came, and reads any body of an error as if it were an object.
        raise LLMBadResponseError(f"{where} answered with something that is not Ollama's format") from exc


def _refused(status: int, error: object, where: str) -> LLMError:
    """The error of a ResponseError: its status is -1 inside a stream, its error a text or an object."""
    _, message = error_fields({"error": error})
    if status < 400:
        if "does not exist" in message or "not found" in message:
            return LLMModelNotFoundError(f"Ollama's library has no such model: {message}")
        return from_event({"error": error}) if status < 0 else LLMBadResponseError(f"{where} answered HTTP {status}")
    body = error if isinstance(error, str) and error.lstrip()[:1] == "<" else json.dumps({"error": error})
    return from_status(status, {}, body.encode("utf-8", "replace"), where=where)
