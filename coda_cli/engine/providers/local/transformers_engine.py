"""A safetensors model through transformers and torch, in worker threads that never hold the event loop.

Nothing of the model's folder is run: no remote code, no pickles, its chat template only in a limited child process;
and nothing is fetched. Both libraries are the extra `local` and are imported with the first model.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
import threading
import warnings
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from coda_cli.engine.core.errors import (
    LLMContextLengthError,
    LLMError,
    LLMInvalidRequestError,
    LLMProviderUnavailableError,
)
from coda_cli.engine.core.events import Finished, ProviderEvent, TextDelta, Usage
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.local.adapter import Adapter, merge
from coda_cli.engine.providers.local.background import in_background
from coda_cli.engine.providers.local.chat_template import ChatMessage, plain_chat, render_chat
from coda_cli.engine.providers.local.detokenize import Detokenizer, StopText
from coda_cli.engine.providers.local.fetch import human_size
from coda_cli.engine.providers.local.llama_child import available_memory
from coda_cli.engine.providers.local.safety import check_folder

_WINDOW_KEYS: Final = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
_DTYPES: Final = ("auto", "float32", "float16", "bfloat16")


class Sampling(Struct, frozen=True):
    """How to choose tokens; None leaves it to the model's own `generation_config.json`. `temperature` 0 is greedy."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    template_variables: Mapping[str, Any] = field(default_factory=dict)


class TransformersEngine:
    """One model folder on one device. `load()` once, then `stream()`; one answer at a time, others wait."""

    def __init__(self, folder: Path, device: str = "auto", dtype: str = "auto", adapter: Adapter | None = None) -> None:
        self.folder = folder
        self.adapter = adapter
        self.device = device
        self.dtype = dtype
        self.context_window: int | None = None
        self._model: Any = None
        self._tokenizer: Any = None
        self._turn = threading.Lock()

    async def load(self) -> None:
        """Read the model into memory unless it is there.

        Raises LLMModelNotFoundError, LLMUnsupportedError (pickles, foreign code), LLMProviderUnavailableError (the
        extra, the device or memory is missing, or the files are damaged).
        """
        if self._model is None:
            await in_background(self._load, "model-load")

    async def stream(self, messages: Sequence[ChatMessage], sampling: Sampling) -> AsyncGenerator[ProviderEvent, None]:
        """The answer as events. Closing the generator stops the model before its next token.

        *messages* are `{"role": ..., "content": text}`. Raises LLMContextLengthError, LLMInvalidRequestError,
        LLMProviderUnavailableError.
        """
        await self.load()
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[ProviderEvent | LLMError | None]()
        stop = threading.Event()

        def send(item: ProviderEvent | LLMError | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(queue.put_nowait, item)

        def work() -> None:
            try:
                with self._turn:
                    if not stop.is_set():
                        self._generate(messages, sampling, stop, send)
            except BaseException as exc:  # carried over: a reader must never wait for a thread that is gone
                send(self._translated(exc))
            finally:
                send(None)

        threading.Thread(target=work, name="coda-transformers", daemon=True).start()
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, LLMError):
                    raise item
                yield item
        finally:
            stop.set()

    async def count(self, messages: Sequence[ChatMessage], sampling: Sampling) -> int | None:
        """The tokens of the prompt that *messages* make, or None while the model is not loaded. Raises LLMError."""
        tokenizer = self._tokenizer
        if tokenizer is None:
            return None

        def work() -> int:
            try:
                return int(_encode(tokenizer, messages, sampling)["input_ids"].shape[1])
            except (ValueError, TypeError, RuntimeError) as exc:  # RuntimeError: the tokenizer is in use just now
                raise self._translated(exc) from exc

        return await in_background(work, "count-tokens")

    def close(self) -> None:
        """Give the model's memory back once its current answer is done."""
        with self._turn:
            self._model = self._tokenizer = None
            torch = sys.modules.get("torch")
            if torch is not None and self.device in ("auto", "cuda") and torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _load(self) -> None:
        with self._turn:
            if self._model is not None:
                return
            config = check_folder(self.folder)
            torch, transformers = _libraries()
            device = _device(torch, self.device)
            if self.dtype not in _DTYPES:
                raise LLMInvalidRequestError(f"{self.dtype!r} is not one of {', '.join(_DTYPES)} (`dtype`)")
            self._check_memory(device)
            self.context_window = context_window(config)
            options = {"local_files_only": True, "trust_remote_code": False}
            try:
                tokenizer = transformers.AutoTokenizer.from_pretrained(self.folder, **options)
                model = transformers.AutoModelForCausalLM.from_pretrained(
                    self.folder, dtype=self.dtype, use_safetensors=True, **options
                )
                if self.adapter is not None:
                    merge(self.adapter, model, torch, importlib.import_module("safetensors.torch").load_file)
                self._model = model.to(device).eval()
            except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, MemoryError) as exc:
                raise self._translated(exc, loading=True) from exc
            self._tokenizer = tokenizer

    def _check_memory(self, device: str) -> None:
        free = available_memory() if device == "cpu" else None
        need = sum(file.stat().st_size for file in self.folder.glob("*.safetensors"))
        if free is not None and need > free:
            raise LLMProviderUnavailableError(
                f"{self.folder.name} needs at least {human_size(need)} of memory, {human_size(free)} are free",
                hint="close other programs, or choose a smaller model or a quantized GGUF of it",
            )

    def _generate(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        stop: threading.Event,
        send: Callable[[ProviderEvent], None],
    ) -> None:
        torch, transformers = _libraries()
        tokenizer, model = self._tokenizer, self._model
        if model is None:
            raise LLMProviderUnavailableError("the model was unloaded meanwhile", hint="ask again")
        encoded = _encode(tokenizer, messages, sampling)
        prompt = int(encoded["input_ids"].shape[1])
        room = self._room(prompt, sampling)
        options = _options(model, tokenizer, sampling, room)
        ends = _ends(options["eos_token_id"])
        sink = _Sink(Detokenizer(tokenizer.decode), StopText(sampling.stop), ends, stop, send)
        if sampling.seed is not None:
            torch.manual_seed(sampling.seed)
        with torch.inference_mode():
            model.generate(
                **encoded.to(model.device),
                **options,
                streamer=sink,
                stopping_criteria=transformers.StoppingCriteriaList([_criterion(torch, sink)]),
            )
        if stop.is_set():
            return
        sink.flush()
        send(Usage(TokenUsage(input_tokens=prompt, output_tokens=sink.count)))
        send(Finished(FinishReason.STOP if sink.ended else FinishReason.LENGTH))

    def _room(self, prompt: int, sampling: Sampling) -> int:
        window = self.context_window
        if window is not None and prompt >= window:
            raise LLMContextLengthError(
                f"the request has {prompt} tokens, the model's window is {window}", model=str(self.folder)
            )
        left = 4096 if window is None else window - prompt
        return min(left, sampling.max_tokens or left)

    def _translated(self, exc: BaseException, loading: bool = False) -> LLMError:
        if isinstance(exc, LLMError):
            return exc
        said = (str(exc).strip() or type(exc).__name__).splitlines()[0][:300]
        if isinstance(exc, MemoryError) or "out of memory" in str(exc) or "can't allocate" in str(exc):
            return LLMProviderUnavailableError(
                f"not enough memory for {self.folder.name} ({said})",
                hint='shorten the input, set a smaller model, or `device = "cpu"` in extra_params',
            )
        doing = "load" if loading else "run"
        error = LLMProviderUnavailableError(
            f"transformers cannot {doing} {self.folder.name}: {said}",
            hint="the folder may be damaged, or of a kind that this transformers does not know; try its GGUF version",
        )
        error.__cause__ = exc
        return error


def _encode(tokenizer: Any, messages: Sequence[ChatMessage], sampling: Sampling) -> Any:
    template = tokenizer.chat_template
    if isinstance(template, str):
        special = {name: str(value) for name, value in tokenizer.special_tokens_map.items() if value}
        text = render_chat(template, messages, {**special, **sampling.template_variables})
    else:
        text = plain_chat(messages, tokenizer.eos_token or "")
    # The template has written the special tokens itself; adding them again would double the first one.
    encoded = tokenizer(text, add_special_tokens=False, return_tensors="pt", return_token_type_ids=False)
    if encoded["input_ids"].shape[1] == 0:
        raise LLMInvalidRequestError("there is nothing to send: the conversation is empty")
    return encoded


class _Sink:
    """A transformers streamer: tokens in, text events out; knows how the answer ended."""

    def __init__(
        self,
        text: Detokenizer,
        stop_text: StopText,
        ends: frozenset[int],
        stop: threading.Event,
        send: Callable[[ProviderEvent], None],
    ) -> None:
        self._text, self._stop_text, self._ends, self._stop, self._send = text, stop_text, ends, stop, send
        self._prompt_seen = False
        self.count = 0
        self.ended = False

    @property
    def done(self) -> bool:
        """Whether no more tokens are wanted."""
        return self._stop.is_set() or self._stop_text.hit

    def put(self, value: Any) -> None:
        """Called by `generate` with the prompt's tokens once, then with each new one."""
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        for token in value.reshape(-1).tolist():
            self.count += 1
            self.ended = token in self._ends
            if not self.ended and not self.done:
                self._emit(self._stop_text.feed(self._text.feed(token)))
                self.ended = self._stop_text.hit

    def end(self) -> None:
        """Called by `generate` after the last token; the rest is sent by `flush()`."""

    def flush(self) -> None:
        """Send what was held back."""
        self._emit(self._stop_text.feed(self._text.flush()) + self._stop_text.flush())
        self.ended = self.ended or self._stop_text.hit

    def _emit(self, text: str) -> None:
        if text and not self._stop.is_set():
            self._send(TextDelta(text))


def _criterion(torch: Any, sink: _Sink) -> Any:
    """A stopping criterion that looks at *sink* after each token."""

    def criterion(input_ids: Any, scores: Any, **_: Any) -> Any:
        return torch.full((input_ids.shape[0],), sink.done, dtype=torch.bool, device=input_ids.device)

    return criterion


def _options(model: Any, tokenizer: Any, sampling: Sampling, room: int) -> dict[str, Any]:
    """What `generate` is told; all else comes from the model's `generation_config.json`."""
    end = model.generation_config.eos_token_id
    options: dict[str, Any] = {"max_new_tokens": room, "num_beams": 1, "num_return_sequences": 1}
    options["eos_token_id"] = tokenizer.eos_token_id if end is None else end
    if model.generation_config.pad_token_id is None:  # any will do for a batch of one, but there must be one
        options["pad_token_id"] = tokenizer.pad_token_id or min(_ends(options["eos_token_id"]), default=0)
    if sampling.temperature is not None:
        options["do_sample"] = sampling.temperature > 0
        if sampling.temperature > 0:
            options["temperature"] = sampling.temperature
    for name in ("top_p", "top_k"):
        if (value := getattr(sampling, name)) is not None:
            options[name] = value
    return options


def _ends(ids: int | Sequence[int] | None) -> frozenset[int]:
    return frozenset([ids] if isinstance(ids, int) else ids or ())


def context_window(config: Mapping[str, object]) -> int | None:
    """The context window that a `config.json` tells, in tokens."""
    inner = config.get("text_config")
    for source in (config, inner if isinstance(inner, dict) else {}):
        for key in _WINDOW_KEYS:
            value = source.get(key)
            if isinstance(value, int) and value > 0:
                return value
    return None


def _device(torch: Any, wanted: str) -> str:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    if wanted.partition(":")[0] not in available:
        raise LLMInvalidRequestError(
            f"{wanted!r} is not a device", hint="set `device` in extra_params to auto, cpu, cuda or mps"
        )
    if not available[wanted.partition(":")[0]]:
        raise LLMProviderUnavailableError(
            f"torch finds no {wanted} device here",
            hint='set `device = "cpu"` or "auto" in extra_params, or install a build of torch with it',
        )
    return wanted


def check_libraries() -> None:
    """Raise LLMProviderUnavailableError unless the extra `local` is installed. Imports nothing."""
    for name in ("torch", "transformers"):
        if importlib.util.find_spec(name) is None:
            raise _extra_missing(f"no module named {name}")


def _extra_missing(reason: str) -> LLMProviderUnavailableError:
    return LLMProviderUnavailableError(
        f"models in safetensors folders need torch and transformers ({reason})",
        hint="run `pip install '.[local]'` in the checkout of Coda, or use a GGUF file, which needs neither",
    )


def _libraries() -> tuple[Any, Any]:
    """torch and transformers, silent: a progress bar or a warning would tear the screen."""
    try:
        torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    except ImportError as exc:
        raise _extra_missing(str(exc)) from exc
    transformers.utils.logging.set_verbosity(50)
    transformers.utils.logging.disable_progress_bar()
    for module in ("torch", "transformers", "huggingface_hub"):
        warnings.filterwarnings("ignore", module=rf"{module}(\.|$)")
    return torch, transformers
