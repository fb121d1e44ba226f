"""LoRA adapters: llama.cpp with the real built-in model, the transformers folder by its arithmetic and its faults."""

from __future__ import annotations

import json
import os
import struct
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import (
    LLMError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMProviderUnavailableError,
    LLMUnsupportedError,
)
from coda_cli.engine.core.events import TextDelta
from coda_cli.engine.core.messages import user
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.providers.local import llama_server
from coda_cli.engine.providers.local.adapter import adapter_of, merge
from coda_cli.engine.providers.local.provider import LocalProvider
from tests.weights import smollm2_path

WIDTH, INNER, RANK = 576, 1536, 4  # of SmolLM2-135M, and of the adapter


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def write_gguf(path: Path, up: float, *, kind: str = "adapter", blocks: range = range(30), width: int = WIDTH) -> Path:
    """A GGUF adapter for the last matrix of each block, all of whose B is *up*: 0 changes nothing."""
    keys = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.type") + struct.pack("<I", 8) + text(kind),
        text("adapter.type") + struct.pack("<I", 8) + text("lora"),
        text("adapter.lora.alpha") + struct.pack("<If", 6, float(RANK)),
    ]
    infos, data = b"", b""
    for block in blocks:
        a = struct.pack("<f", 0.01) * (INNER * RANK)
        b = struct.pack("<f", up) * (RANK * width)
        for name, shape, values in (("lora_a", (INNER, RANK), a), ("lora_b", (RANK, width), b)):
            infos += text(f"blk.{block}.ffn_down.weight.{name}") + struct.pack("<IQQIQ", 2, *shape, 0, len(data))
            data += values + bytes(-len(values) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, 2 * len(blocks), len(keys)) + b"".join(keys) + infos
    path.write_bytes(head + bytes(-len(head) % 32) + data)
    return path


async def answer(adapter: Path | None) -> str:
    extra: dict[str, Any] = {"n_ctx": 256, "device": "cpu"}
    if adapter is not None:
        extra["adapter"] = str(adapter)
    provider = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(smollm2_path()), extra_params=extra))
    options = {"temperature": 0.0, "max_tokens": 12, "seed": 1}
    request = ProviderRequest(provider.config.model, [user("Name three colours.")], options=options)
    async with aclosing(provider.stream(request)) as stream:
        return "".join([event.text async for event in stream if isinstance(event, TextDelta)])


async def test_an_adapter_changes_the_answers_of_the_real_model_and_an_empty_one_does_not(tmp_path: Path) -> None:
    plain = await answer(None)
    assert await answer(write_gguf(tmp_path / "same.gguf", 0.0)) == plain
    file = write_gguf(tmp_path / "other.gguf", 0.5)
    changed = await answer(file)
    assert changed != plain
    write_gguf(file, 0.0)  # trained again under the same name: loaded again
    os.utime(file, (1, 1))
    assert await answer(file) == plain
    llama_server.close_all()


async def test_an_adapter_of_another_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(LLMProviderUnavailableError, match=r"with other\.gguf"):
        await answer(write_gguf(tmp_path / "other.gguf", 0.5, width=WIDTH - 64))
    llama_server.close_all()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda folder: str(folder / "none.gguf"), LLMModelNotFoundError),
        (lambda folder: 5, LLMInvalidRequestError),
        (lambda folder: "a\0b", LLMInvalidRequestError),
        (lambda folder: str(folder), LLMUnsupportedError),
        (lambda folder: str(write_gguf(folder / "m.gguf", 0.0, kind="model", blocks=range(1))), LLMUnsupportedError),
        (lambda folder: str(smollm2_path()), LLMUnsupportedError),
    ],
)
async def test_what_is_no_adapter_is_told_before_anything_is_loaded(
    make: Any, error: type[LLMError], tmp_path: Path
) -> None:
    extra = {"adapter": make(tmp_path)}
    provider = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(smollm2_path()), extra_params=extra))
    with pytest.raises(error):
        await provider.check()


def test_a_folder_with_one_gguf_is_that_file(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "a.gguf", 0.0, blocks=range(1))
    found = adapter_of({"adapter": str(tmp_path)}, "gguf")
    assert found is not None
    assert found.path == file
    assert adapter_of({}, "gguf") is adapter_of({"adapter": ""}, "safetensors") is None


# ---- transformers ---------------------------------------------------------------------------------------------------

CONFIG: dict[str, Any] = {"peft_type": "LORA", "r": 2, "lora_alpha": 8, "bias": "none", "target_modules": ["q_proj"]}


def write_peft(folder: Path, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({**CONFIG, **changes}))
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "adapter_model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"peft_type": "IA3"},
        {"use_dora": True},
        {"modules_to_save": ["lm_head"]},
        {"alpha_pattern": {"q": 3}},
        {"bias": "all"},
        {"auto_map": {"x": "y"}},
        {},
    ],
)
def test_a_kind_of_adapter_that_is_not_built_in_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    found = adapter_of({"adapter": str(write_peft(tmp_path / "a", **changes))}, "safetensors")
    assert found is not None
    with pytest.raises(LLMUnsupportedError):
        merge(found, None, None, lambda path: {"base_model.model.embed.lora_embedding_A": 1})


@pytest.mark.parametrize("alpha", [None, "8", True, float("nan")])
def test_an_adapter_without_its_scale_is_damaged(alpha: object, tmp_path: Path) -> None:
    found = adapter_of({"adapter": str(write_peft(tmp_path / "a", lora_alpha=alpha))}, "safetensors")
    assert found is not None
    with pytest.raises(LLMProviderUnavailableError):
        merge(found, None, None, lambda path: {})


def test_a_cut_off_adapter_and_a_folder_without_one_are_told(tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "a")
    found = adapter_of({"adapter": str(folder)}, "safetensors")
    assert found is not None
    os.truncate(folder / "adapter_model.safetensors", 20)
    with pytest.raises(LLMProviderUnavailableError):
        merge(found, None, None, lambda path: {})
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(LLMUnsupportedError):
        adapter_of({"adapter": str(folder)}, "safetensors")
