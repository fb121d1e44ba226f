"""The transformers engine with tiny random-weight models made here, and folders made to attack it."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import (
    LLMContextLengthError,
    LLMError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMProviderUnavailableError,
    LLMUnsupportedError,
)
from coda_cli.engine.core.events import Finished, ProviderEvent, TextDelta, Usage
from coda_cli.engine.core.messages import system, user
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.usage import FinishReason
from coda_cli.engine.providers.local import transformers_engine
from coda_cli.engine.providers.local.adapter import adapter_of
from coda_cli.engine.providers.local.chat_template import plain_chat, render_chat
from coda_cli.engine.providers.local.detokenize import Detokenizer, StopText
from coda_cli.engine.providers.local.provider import LocalProvider
from coda_cli.engine.providers.local.safety import check_folder
from coda_cli.engine.providers.local.transformers_engine import Sampling, TransformersEngine

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HELLO = [{"role": "user", "content": "hello"}]
WINDOW = 256


def _make_model(folder: Path, template: str | None = CHATML) -> Path:
    tokenizers: Any = importlib.import_module("tokenizers")
    transformers: Any = importlib.import_module("transformers")
    torch: Any = importlib.import_module("torch")
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", bos_token="<|im_start|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = template
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=WINDOW,
        eos_token_id=None,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(tiny: Path) -> TransformersEngine:
    return TransformersEngine(tiny, device="cpu")


async def _collect(engine: TransformersEngine, sampling: Sampling, messages: Any = HELLO) -> list[ProviderEvent]:
    return [event async for event in engine.stream(messages, sampling)]


def _text(events: list[ProviderEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_an_answer_streams_and_ends_with_usage_and_its_reason(engine: TransformersEngine) -> None:
    events = await _collect(engine, Sampling(max_tokens=12, temperature=0))
    assert sum(isinstance(event, TextDelta) for event in events) > 1
    usage, finished = events[-2:]
    assert isinstance(usage, Usage)
    assert usage.usage.output_tokens == 12
    assert usage.usage.input_tokens == 1 + len("user\nhello") + 1 + 1 + 1 + len("assistant\n")
    assert finished == Finished(FinishReason.LENGTH)


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tokens that the model makes, as they come."""
    made: list[int] = []
    feed = Detokenizer.feed

    def listen(self: Detokenizer, token: int) -> str:
        made.append(token)
        return feed(self, token)

    monkeypatch.setattr(Detokenizer, "feed", listen)
    return made


async def test_what_is_streamed_is_the_decoding_of_all_tokens(engine: TransformersEngine, tokens: list[int]) -> None:
    events = await _collect(engine, Sampling(max_tokens=100, temperature=1.5, seed=7))
    expected = engine._tokenizer.decode(tokens, skip_special_tokens=True)
    assert "\ufffd" in expected  # random bytes: many of them no UTF-8
    assert _text(events).replace("\ufffd", "") == expected.replace("\ufffd", "")


async def test_the_same_seed_gives_the_same_answer(engine: TransformersEngine) -> None:
    sampling = Sampling(max_tokens=20, temperature=1.0, seed=3)
    assert await _collect(engine, sampling) == await _collect(engine, sampling)


async def test_an_end_token_finishes_with_stop_and_is_not_shown(
    engine: TransformersEngine, tokens: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = Sampling(max_tokens=6, temperature=0)
    await _collect(engine, sampling)
    monkeypatch.setattr(engine._model.generation_config, "eos_token_id", [9999, tokens[0]])
    events = await _collect(engine, sampling)
    assert events[-1] == Finished(FinishReason.STOP)
    assert _text(events) == ""


async def test_a_stop_text_ends_the_answer_before_it(engine: TransformersEngine) -> None:
    whole = _text(await _collect(engine, Sampling(max_tokens=40, temperature=0)))
    events = await _collect(engine, Sampling(max_tokens=40, temperature=0, stop=(whole[3:5],)))
    assert _text(events) == whole[: whole.index(whole[3:5])]
    assert events[-1] == Finished(FinishReason.STOP)


async def test_closing_the_stream_stops_the_model_and_frees_it_for_the_next(engine: TransformersEngine) -> None:
    stream = engine.stream(HELLO, Sampling(max_tokens=200, temperature=0))
    assert isinstance(await anext(stream), TextDelta)
    await stream.aclose()
    async with asyncio.timeout(10):
        assert await _collect(engine, Sampling(max_tokens=2, temperature=0))


async def test_a_cancelled_reader_is_released_at_once(engine: TransformersEngine) -> None:
    await engine.load()
    with engine._turn:  # as if another answer were running
        task = asyncio.create_task(_collect(engine, Sampling(max_tokens=5)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_conversation_longer_than_the_window_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(LLMContextLengthError, match=str(WINDOW)):
        await _collect(engine, Sampling(), [{"role": "user", "content": "x" * WINDOW}])


async def test_an_answer_that_fills_the_window_ends_with_length(engine: TransformersEngine) -> None:
    events = await _collect(engine, Sampling(temperature=0), [{"role": "user", "content": "x" * (WINDOW - 40)}])
    assert events[-1] == Finished(FinishReason.LENGTH)


async def test_an_error_in_generate_reaches_the_reader(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.load()

    def fail(**_: Any) -> None:
        raise RuntimeError("the sampler broke")

    monkeypatch.setattr(engine._model, "generate", fail)
    async with asyncio.timeout(10):
        with pytest.raises(LLMProviderUnavailableError, match="the sampler broke"):
            await _collect(engine, Sampling(max_tokens=2))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")])
async def test_a_lack_of_memory_is_told_with_what_helps(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    await engine.load()

    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(engine._model, "generate", fail)
    with pytest.raises(LLMProviderUnavailableError, match="not enough memory") as caught:
        await _collect(engine, Sampling(max_tokens=2))
    assert caught.value.hint is not None
    assert "device" in caught.value.hint


async def test_nothing_is_printed(engine: TransformersEngine, tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fresh = TransformersEngine(tiny, device="cpu")
    await _collect(fresh, Sampling(max_tokens=3))
    await _collect(fresh, Sampling(max_tokens=3, temperature=0, top_p=0.5))
    assert capfd.readouterr() == ("", "")


async def test_a_model_that_is_too_large_for_the_memory_is_not_begun(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers_engine, "available_memory", lambda: 10)
    with pytest.raises(LLMProviderUnavailableError, match="memory"):
        await TransformersEngine(tiny, device="cpu").load()


@pytest.mark.parametrize(("device", "error"), [("mps", LLMProviderUnavailableError), ("tpu", LLMInvalidRequestError)])
async def test_a_device_that_is_not_here_is_named(tiny: Path, device: str, error: type[LLMError]) -> None:
    if device == "mps" and sys.platform == "darwin":
        device = "cuda"
    with pytest.raises(error, match=device) as caught:
        await TransformersEngine(tiny, device=device).load()
    assert caught.value.hint


async def test_without_the_extra_the_command_that_installs_it_is_named(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(LLMProviderUnavailableError) as caught:
        await TransformersEngine(tiny).load()
    assert "pip install '.[local]'" in (caught.value.hint or "")


async def test_a_model_without_a_template_takes_turns_joined_by_the_end_token(tmp_path: Path) -> None:
    engine = TransformersEngine(_make_model(tmp_path / "plain", template=None), device="cpu")
    events = await _collect(engine, Sampling(max_tokens=4, temperature=0), [{"role": "user", "content": "abc"}])
    usage = next(event.usage for event in events if isinstance(event, Usage))
    assert usage.input_tokens == 4
    assert plain_chat([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "</s>") == "a</s>b</s>"


async def test_the_provider_takes_a_folder_and_tells_its_window(tiny: Path) -> None:
    config = ProviderConfig(provider=LLMProvider.LOCAL, model=str(tiny), extra_params={"device": "cpu"})
    provider = LocalProvider(config)
    await provider.check()
    profile = provider.profile(str(tiny))
    assert (profile.context_window, profile.tiny, profile.schema) == (WINDOW, True, False)
    messages = [system("Be brief."), user("hello")]
    options = {"temperature": 0.0, "max_tokens": 5, "stop": "\x00"}
    events = [event async for event in provider.stream(ProviderRequest("", messages, options))]
    assert _text(events)
    assert events[-1] == Finished(FinishReason.LENGTH, str(tiny))
    with pytest.raises(LLMInvalidRequestError, match="Schema"):
        await anext(provider.stream(ProviderRequest("", messages, options, {"type": "object"})))


@pytest.mark.parametrize("options", [{"top_p": "x"}, {"max_tokens": -1}, {"temperature": True}, {"dtype": "int3"}])
async def test_an_option_that_makes_no_sense_is_refused(tiny: Path, options: dict[str, Any]) -> None:
    provider = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(tiny)))
    with pytest.raises(LLMInvalidRequestError):
        await anext(provider.stream(ProviderRequest("", [user("hello")], options)))


# ---- folders that attack -------------------------------------------------------------------------------------


@pytest.fixture
def evil(tmp_path: Path, tiny: Path) -> Iterator[Path]:
    folder = tmp_path / "evil"
    folder.mkdir()
    for file in tiny.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "modeling_evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    yield folder
    assert not (tmp_path / "ran").exists()
    assert "modeling_evil" not in sys.modules


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config.json", {"auto_map": {"AutoModelForCausalLM": "modeling_evil.Evil"}}),
        ("config.json", {"text_config": {"auto_map": {"AutoConfig": "stranger/repo--modeling_evil.Evil"}}}),
        ("config.json", {"_attn_implementation_internal": "stranger/kernels"}),
        ("config.json", {"attn_implementation": {"": "stranger/kernels"}}),
        ("config.json", {"vision_config": {"nested": [{"trust_remote_code": True}]}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["modeling_evil.Evil", None]}}),
        ("generation_config.json", {"custom_generate": "stranger/repo"}),
    ],
)
async def test_a_folder_that_wants_to_run_its_own_code_is_refused(
    evil: Path, file: str, changes: dict[str, Any]
) -> None:
    _edit(evil / file, **changes)
    with pytest.raises(LLMUnsupportedError, match="code of its own"):
        await TransformersEngine(evil, device="cpu").load()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl"])
async def test_pickled_weights_are_refused(evil: Path, name: str) -> None:
    (evil / "model.safetensors").rename(evil / name)
    with pytest.raises(LLMUnsupportedError, match="safetensors"):
        await TransformersEngine(evil, device="cpu").load()


async def test_an_adapter_that_would_bring_another_model_is_refused(evil: Path) -> None:
    (evil / "adapter_config.json").write_text('{"base_model_name_or_path": "stranger/model", "peft_type": "LORA"}')
    with pytest.raises(LLMUnsupportedError, match="adapter"):
        await TransformersEngine(evil, device="cpu").load()


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_damaged_weights_are_refused_before_they_are_loaded(evil: Path, keep: int) -> None:
    weights = evil / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(LLMProviderUnavailableError, match="damaged"):
        check_folder(evil)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000])
def test_a_damaged_configuration_is_refused(evil: Path, content: str) -> None:
    (evil / "config.json").write_text(content)
    with pytest.raises(LLMProviderUnavailableError, match=r"config\.json"):
        check_folder(evil)


async def test_an_unknown_architecture_is_an_error_with_a_hint(evil: Path) -> None:
    _edit(evil / "config.json", model_type="nonsense", architectures=["Nonsense"])
    with pytest.raises(LLMProviderUnavailableError, match="cannot load") as caught:
        await TransformersEngine(evil, device="cpu").load()
    assert caught.value.hint


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(LLMModelNotFoundError, match=r"config\.json"):
        check_folder(tmp_path)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.system('touch ran') }}",
        "{{ messages.append(1) }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 99999999999 }}",
        "{% include '/etc/passwd' %}",
        "{{ undefined.attribute.chain }}",
        "{% unclosed",
    ],
)
def test_a_hostile_template_ends_in_an_error(template: str) -> None:
    with pytest.raises(LLMProviderUnavailableError, match="template"):
        render_chat(template, HELLO, {})


def test_a_template_too_long_to_be_one_is_refused() -> None:
    with pytest.raises(LLMProviderUnavailableError, match="large"):
        render_chat("x" * 300_000, HELLO, {})


def test_our_rendering_is_that_of_transformers(tiny: Path) -> None:
    transformers: Any = importlib.import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    template = (
        "{{ bos_token }}{%- for message in messages %}\n    {%- if loop.first and message.role != 'user' %}"
        "{% continue %}{% endif %}\n  {% generation %}[{{ message['content'] | trim | tojson }}]{% endgeneration %}\n"
        "{%- endfor %}{{ strftime_now('%Y') }}{% if add_generation_prompt %} go{% endif %}\n"
    )
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": " “é” <b> "}]
    theirs = tokenizer.apply_chat_template(messages, chat_template=template, add_generation_prompt=True, tokenize=False)
    assert render_chat(template, messages, {"bos_token": tokenizer.bos_token}) == theirs


def test_a_template_without_a_system_role_gets_its_text_in_the_first_user_message() -> None:
    refusal = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    template = refusal + "{{ messages[0].content }}"
    messages = [{"role": "system", "content": "be brief"}, *HELLO]
    assert render_chat(template, messages, {}) == "be brief\n\nhello"
    with pytest.raises(LLMInvalidRequestError, match="no system role"):
        render_chat(template, messages[:1], {})


# ---- tokens to text ------------------------------------------------------------------------------------------


def _bytes_decode(tokens: list[int], **_: Any) -> str:
    return bytes(tokens).decode("utf-8", "replace")


@given(st.text())
def test_pieces_of_valid_text_join_to_it_and_no_character_is_torn(text: str) -> None:
    decoder = Detokenizer(_bytes_decode)
    data = text.encode("utf-8", "replace")
    pieces = [decoder.feed(byte) for byte in data] + [decoder.flush()]
    assert "".join(pieces) == data.decode("utf-8")
    if "\ufffd" not in data.decode("utf-8"):
        assert not any("\ufffd" in piece for piece in pieces)


@given(st.binary(max_size=60))
def test_text_with_invalid_bytes_ends_and_keeps_its_valid_part(data: bytes) -> None:
    decoder = Detokenizer(_bytes_decode)
    out = "".join([decoder.feed(byte) for byte in data] + [decoder.flush()])
    assert [c for c in out if c != "\ufffd"] == [c for c in data.decode("utf-8", "replace") if c != "\ufffd"]


@given(st.lists(st.text("abc", max_size=4)), st.lists(st.text("abc", min_size=1, max_size=3), max_size=3))
def test_a_stop_text_cuts_wherever_the_chunks_are_split(chunks: list[str], stops: list[str]) -> None:
    whole = "".join(chunks)
    cuts = [at for stop in stops if (at := whole.find(stop)) >= 0]
    filtered = StopText(stops)
    assert "".join([filtered.feed(chunk) for chunk in chunks] + [filtered.flush()]) == whole[: min(cuts, default=None)]


# ---- adapters -------------------------------------------------------------------------------------------------------


def _adapter(folder: Path, up: float, width: int = 32, **config: Any) -> Path:
    """A LoRA adapter of rank 2 for both layers' first projection, as PEFT writes it, all of whose B is *up*."""
    torch: Any = importlib.import_module("torch")
    tensors = {}
    torch.manual_seed(1)
    for layer in range(2):
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        tensors[f"{name}.lora_A.weight"] = torch.randn(2, width)
        tensors[f"{name}.lora_B.weight"] = torch.full((width, 2), up)
    folder.mkdir()
    importlib.import_module("safetensors.torch").save_file(tensors, folder / "adapter_model.safetensors")
    made = {"peft_type": "LORA", "r": 2, "lora_alpha": 8, "bias": "none", "target_modules": ["q_proj"], **config}
    (folder / "adapter_config.json").write_text(json.dumps(made))
    return folder


@pytest.mark.parametrize(("config", "factor"), [({}, 4.0), ({"use_rslora": True}, 8 / 2**0.5)])
async def test_an_adapter_is_added_to_the_weights(
    config: dict[str, Any], factor: float, tiny: Path, tmp_path: Path
) -> None:
    torch: Any = importlib.import_module("torch")
    found = adapter_of({"adapter": str(_adapter(tmp_path / "lora", 0.5, **config))}, "safetensors")
    plain, changed = TransformersEngine(tiny, device="cpu"), TransformersEngine(tiny, device="cpu", adapter=found)
    await plain.load()
    await changed.load()
    tensors = importlib.import_module("safetensors.torch").load_file(tmp_path / "lora" / "adapter_model.safetensors")
    for layer in range(2):
        name = f"model.layers.{layer}.self_attn.q_proj"
        a, b = (tensors[f"base_model.model.{name}.lora_{which}.weight"] for which in "AB")
        expected = plain._model.get_parameter(f"{name}.weight") + factor * (b @ a)
        assert torch.allclose(changed._model.get_parameter(f"{name}.weight"), expected, atol=1e-6)
        other = f"model.layers.{layer}.self_attn.k_proj.weight"
        assert torch.equal(changed._model.get_parameter(other), plain._model.get_parameter(other))
    assert _text(await _collect(changed, Sampling(max_tokens=20, temperature=0)))


async def test_an_adapter_of_another_model_does_not_fit(tiny: Path, tmp_path: Path) -> None:
    found = adapter_of({"adapter": str(_adapter(tmp_path / "lora", 0.5, width=48))}, "safetensors")
    with pytest.raises(LLMProviderUnavailableError, match="does not fit"):
        await TransformersEngine(tiny, device="cpu", adapter=found).load()


async def test_the_adapter_of_the_settings_is_used(tiny: Path, tmp_path: Path) -> None:
    seen = []
    for up in (0.0, 5.0):
        extra = {"device": "cpu", "adapter": str(_adapter(tmp_path / f"lora-{up}", up))}
        provider = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(tiny), extra_params=extra))
        request = ProviderRequest(str(tiny), [user("hello")], options={"temperature": 0.0, "max_tokens": 30})
        seen.append(_text([event async for event in provider.stream(request)]))
    assert seen[0] != seen[1]
