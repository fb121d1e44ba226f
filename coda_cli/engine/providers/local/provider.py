"""Models on this machine: a GGUF file through llama.cpp, a safetensors folder through transformers.

No model (or `smollm2`) means the built-in one, fetched with the first message. `extra_params` for both engines:
`device` (auto, cpu, cuda, metal or mps), `adapter` (a LoRA adapter: a GGUF file, or a PEFT folder); llama.cpp: `n_ctx`
(tokens, default 8192 or the model's window if smaller), `n_threads`, `n_gpu_layers`, `cache_ram_mib`; transformers:
`dtype` (auto, float32, float16, bfloat16), `chat_template_kwargs`. Everything else goes to the engine as a sampling
option.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict, replace

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import (
    LLMConnectionError,
    LLMError,
    LLMInvalidRequestError,
    LLMProviderUnavailableError,
)
from coda_cli.engine.core.events import Finished, ProviderEvent
from coda_cli.engine.core.ports import ModelInfo, ProviderRequest
from coda_cli.engine.core.profiles import Dialect, ModelProfile
from coda_cli.engine.providers.base import BaseLLMProvider
from coda_cli.engine.providers.http import LeanTransport
from coda_cli.engine.providers.local import library, llama_server, weights
from coda_cli.engine.providers.local.adapter import Adapter, adapter_of
from coda_cli.engine.providers.local.background import in_background
from coda_cli.engine.providers.local.chat_template import ChatMessage
from coda_cli.engine.providers.local.fetch import Progress
from coda_cli.engine.providers.local.gguf import read_head
from coda_cli.engine.providers.local.library import Located
from coda_cli.engine.providers.local.llama_server import BASE_URL, LlamaParams, LlamaServer
from coda_cli.engine.providers.local.safety import check_folder, read_config
from coda_cli.engine.providers.local.transformers_engine import (
    Sampling,
    TransformersEngine,
    check_libraries,
    context_window,
)
from coda_cli.engine.providers.openai_chat import ChatMapping, chat_body
from coda_cli.engine.providers.wire import JSON, events, parse_json, whole
from coda_cli.engine.sent import record

_ENGINE_OPTIONS: Final = frozenset(
    {"device", "adapter", "n_ctx", "n_threads", "n_gpu_layers", "cache_ram_mib", "dtype", "chat_template_kwargs"}
)
_DEVICES: Final = {"auto": "auto", "cpu": "cpu", "cuda": "cuda", "metal": "metal", "mps": "metal", "gpu": "gpu"}
_TINY: Final = 1e9  # parameters
_COUNT_SECONDS: Final = 5.0  # a count that takes longer is not worth waiting for


class LocalProvider(BaseLLMProvider):
    """The engines of this machine. `progress(done, total)` hears about the download of the built-in model.

    `progress` is called in a worker thread, with bytes. Engines are shared by the whole process and outlive
    `aclose()`, so that the next conversation finds its model loaded; they end with the process.
    """

    def __init__(self, config: ProviderConfig, *, offline: bool = False, progress: Progress | None = None) -> None:
        super().__init__(config)
        self._offline = offline
        self.progress = progress

    def get_provider_name(self) -> LLMProvider:
        """`local`."""
        return LLMProvider.LOCAL

    @property
    def dialect(self) -> Dialect:
        """Its own rows of the profile table."""
        return "local"

    def profile(self, model: str) -> ModelProfile:
        """What *model* can do, with its window and size read from its files where they are here."""
        known = super().profile(model)
        try:
            where = library.locate(model)
            return self._gguf_profile(known, where) if where.kind == "gguf" else _folder_profile(known, where.path)
        except (LLMError, OSError):
            return known

    async def resolve_model(self) -> str:
        """The configured model, else the built-in one."""
        return self.config.model or weights.DEFAULT.name

    async def list_models(self) -> list[ModelInfo]:
        """The built-in model and everything that was pulled."""
        return await in_background(self._list, "list-models")

    async def check(self, model: str = "") -> str | None:
        """Return if *model* (default: the configured one) is here, or can be fetched, and its engine is installed."""
        await in_background(partial(self._check, model or self.config.model), "check-model")
        return None

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer; loads the model first if need be."""
        request = replace(request, model=request.model or await self.resolve_model())
        where = await self._ready(request.model)
        options = {**self.config.extra_params, **request.options}
        answer = (
            self._llama(where, request, options) if where.kind == "gguf" else _transformers(where, request, options)
        )
        async with aclosing(answer) as stream:
            async for event in stream:
                yield replace(event, model=request.model) if isinstance(event, Finished) else event

    async def _ready(self, model: str) -> Located:
        """Where *model* lies; the built-in one is fetched if it is not here. A cancelled caller stops the download."""
        stop = threading.Event()

        def report(done: int, total: int) -> None:
            if stop.is_set():
                raise asyncio.CancelledError
            if self.progress:
                self.progress(done, total)

        def work() -> Located:
            where = library.locate(model)
            if where.default:
                weights.ensure_default(report, self._offline)
            return where

        try:
            return await in_background(work, "find-model")
        finally:
            stop.set()

    async def _llama(
        self, where: Located, request: ProviderRequest, options: Mapping[str, Any]
    ) -> AsyncGenerator[ProviderEvent, None]:
        server = llama_server.shared(where.path, _llama_params(options))
        # Progress chunks while a long prompt is read: they keep the idle timeout from taking it for silence.
        body = {**self._llama_body(request, options), "return_progress": True}
        with server.in_use():
            await server.start()
            transport = self._transport(server)
            try:
                async with (
                    transport.post("/v1/chat/completions", body) as response,
                    aclosing(events(response, ChatMapping())) as answer,
                ):
                    async for event in answer:
                        yield event
            except LLMConnectionError as exc:
                raise await in_background(partial(_explained, exc, server), "llama-obituary") from exc
            finally:
                await transport.aclose()

    def _llama_body(self, request: ProviderRequest, options: Mapping[str, Any]) -> JSON:
        sent = replace(request, options={k: v for k, v in options.items() if k not in _ENGINE_OPTIONS}, tools=())
        body = chat_body(sent, self.profile(request.model))
        if template := options.get("chat_template_kwargs"):
            body["chat_template_kwargs"] = template
        return body

    def _transport(self, server: LlamaServer) -> LeanTransport:
        return LeanTransport(BASE_URL, {"authorization": f"Bearer {server.api_key}"}, self.config, uds=server.uds)

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """The number of tokens that the engine will count for *request*; None while its model is not loaded."""
        options = {**self.config.extra_params, **request.options}
        try:
            request = replace(request, model=request.model or await self.resolve_model())
            where = await in_background(partial(library.locate, request.model), "find-model")
            if where.kind == "gguf":
                return await self._llama_count(where, request, options)
            engine = _engines.get(_engine_key(where.path, options))
            return None if engine is None else await engine.count(_chat(request), _sampling(options))
        except (LLMError, TimeoutError):
            return None  # the answer itself will meet the same error, and tell it

    async def _llama_count(self, where: Located, request: ProviderRequest, options: Mapping[str, Any]) -> int | None:
        server = llama_server.shared(where.path, _llama_params(options))
        with server.in_use():
            if not server.loaded:
                return None
            transport, body = self._transport(server), self._llama_body(request, options)
            try:
                async with (
                    asyncio.timeout(_COUNT_SECONDS),
                    transport.post("/v1/chat/completions/input_tokens", body) as response,
                ):
                    counted = parse_json(await whole(response.chunks)).get("input_tokens")
            finally:
                await transport.aclose()
        return counted if isinstance(counted, int) and counted > 0 else None

    def _gguf_profile(self, known: ModelProfile, where: Located) -> ModelProfile:
        head = read_head(where.path)
        window = head.number("context_length") or llama_server.DEFAULT_CTX
        asked = _llama_params(self.config.extra_params).n_ctx or llama_server.DEFAULT_CTX
        count = head.parameters
        tiny = known.tiny if count is None else count < _TINY
        return replace(known, context_window=min(window, asked), tiny=tiny, parameters=count, grammar=True)

    def _list(self) -> list[ModelInfo]:
        out = []
        for model in library.list_models():
            if not model.installed and not model.default:
                continue
            out.append(ModelInfo(model.name, self.profile(model.name).context_window, size=model.size))
        return out

    def _check(self, model: str) -> None:
        where = library.locate(model)
        if where.kind == "safetensors":
            check_libraries()
            check_folder(where.path)
            adapter_of(self.config.extra_params, "safetensors")
            return
        llama_server.check_engine()
        adapter_of(self.config.extra_params, "gguf")
        if not where.default or weights.default_path().exists():
            read_head(where.path)
        elif self._offline:
            weights.ensure_default(offline=True)


_Key = tuple[Path, str, str, Adapter | None]
_engines: dict[_Key, TransformersEngine] = {}


def _engine_key(folder: Path, options: Mapping[str, Any]) -> _Key:
    adapter = adapter_of(options, "safetensors")
    return folder.resolve(), str(options.get("device", "auto")), str(options.get("dtype", "auto")), adapter


def _engine(folder: Path, options: Mapping[str, Any]) -> TransformersEngine:
    """This process's engine for a folder. Only the last one used is kept: such a model may fill the memory."""
    key = _engine_key(folder, options)
    for other in [name for name in _engines if name != key]:
        engine = _engines.pop(other)
        threading.Thread(target=engine.close, name="coda-unload", daemon=True).start()
    _, device, dtype, adapter = key
    return _engines.setdefault(key, TransformersEngine(folder, device, dtype, adapter))


async def _transformers(
    where: Located, request: ProviderRequest, options: Mapping[str, Any]
) -> AsyncGenerator[ProviderEvent, None]:
    if request.schema is not None:
        raise LLMInvalidRequestError(
            "the transformers engine can't hold an answer to a JSON Schema", hint="use a GGUF version of the model"
        )
    engine, chat, sampling = _engine(where.path, options), _chat(request), _sampling(options)
    record("", f"transformers:{where.path.name}", (), {"messages": chat, "sampling": asdict(sampling)})
    async with aclosing(engine.stream(chat, sampling)) as stream:
        async for event in stream:
            yield event


def _chat(request: ProviderRequest) -> list[ChatMessage]:
    return [{"role": message.role.value, "content": message.content} for message in request.messages]


def _sampling(options: Mapping[str, Any]) -> Sampling:
    stop = options.get("stop") or ()
    variables = options.get("chat_template_kwargs")
    return Sampling(
        max_tokens=_whole(options, "max_tokens"),
        temperature=_real(options, "temperature"),
        top_p=_real(options, "top_p"),
        top_k=_whole(options, "top_k"),
        seed=_whole(options, "seed"),
        stop=(stop,) if isinstance(stop, str) else tuple(str(text) for text in stop),
        template_variables=variables if isinstance(variables, dict) else {},
    )


def _llama_params(options: Mapping[str, Any]) -> LlamaParams:
    wanted = options.get("device", "auto")
    match _DEVICES.get(str(wanted)):
        case "auto" | "cpu" | "cuda" | "metal" | "gpu" as device:
            return LlamaParams(
                device=device,
                n_ctx=_whole(options, "n_ctx", least=64),
                n_threads=_whole(options, "n_threads", least=1),
                n_gpu_layers=_whole(options, "n_gpu_layers", least=-1),
                cache_mib=_whole(options, "cache_ram_mib") or llama_server.CACHE_MIB,
                adapter=adapter_of(options, "gguf"),
            )
        case _:
            raise LLMInvalidRequestError(
                f"{wanted!r} is not a device", hint="set `device` in extra_params to auto, cpu, cuda or metal"
            )


def _whole(options: Mapping[str, Any], name: str, least: int = 0) -> int | None:
    value = options.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise LLMInvalidRequestError(f"`{name}` must be a whole number of at least {least}, not {value!r}")
    return value


def _real(options: Mapping[str, Any], name: str) -> float | None:
    value = options.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise LLMInvalidRequestError(f"`{name}` must be a number of at least 0, not {value!r}")
    return float(value)


def _folder_profile(known: ModelProfile, folder: Path) -> ModelProfile:
    config = read_config(folder / "config.json")
    width = 4 if "float32" in (config.get("dtype"), config.get("torch_dtype")) else 2
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    count = size // width or None
    tiny = count is not None and count < _TINY
    return replace(known, schema=False, context_window=context_window(config), tiny=tiny, parameters=count)


def _explained(exc: LLMConnectionError, server: LlamaServer) -> LLMError:
    """A connection that broke because the engine died is that engine's failure, and another attempt would not help."""
    why = server.obituary(patience=1.0)
    if why is None:
        return exc
    return LLMProviderUnavailableError(
        f"the local engine ended while it answered: {why}",
        hint="most often there is too little memory: lower `n_ctx` in extra_params, or choose a smaller model",
        partial=exc.partial,
    )
