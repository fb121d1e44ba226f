"""A LoRA adapter beside a model on this machine: `extra_params.adapter`.

For llama.cpp it is a GGUF file of the type "adapter"; for transformers a folder as PEFT writes it, with
`adapter_config.json` and `adapter_model.safetensors`, which is added to the weights when the model is loaded:
W + alpha/r x B A (Hu et al., "LoRA", section 4.1). Nothing of it is run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from coda_cli.engine.core.errors import (
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMProviderUnavailableError,
    LLMUnsupportedError,
)
from coda_cli.engine.providers.local.gguf import read_head
from coda_cli.engine.providers.local.safety import check_config, check_safetensors

_CONFIG: Final = "adapter_config.json"
_WEIGHTS: Final = "adapter_model.safetensors"
_PREFIX: Final = "base_model.model."
_UNTAKEN: Final = ("use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication", "lora_bias")


class Adapter(Struct, frozen=True):
    """A file or folder that exists, and what tells it from a later version of itself."""

    path: Path
    stamp: tuple[int, int]


def adapter_of(options: Mapping[str, Any], kind: str) -> Adapter | None:
    """The adapter that *options* name for a model of *kind* ("gguf" or "safetensors"), None for none.

    Raises LLMInvalidRequestError, LLMModelNotFoundError, LLMUnsupportedError, LLMProviderUnavailableError.
    """
    given = options.get("adapter")
    if given is None or given == "":
        return None
    if not isinstance(given, str) or "\0" in given:
        raise LLMInvalidRequestError("`adapter` in extra_params must be the path of a LoRA adapter")
    path = Path(given).expanduser()
    if not path.exists():
        raise LLMModelNotFoundError(f"there is no adapter {path}", hint="check `adapter` in extra_params")
    file = _gguf(path) if kind == "gguf" else _folder(path)
    status = file.stat()
    return Adapter(file if kind == "gguf" else path, (status.st_size, status.st_mtime_ns))


def _gguf(path: Path) -> Path:
    if path.is_dir():
        found = sorted(path.glob("*.gguf"))
        if len(found) != 1:
            raise LLMUnsupportedError(
                f"{path} has {len(found) or 'no'} GGUF files",
                hint="a GGUF model takes a GGUF adapter: llama.cpp's convert_lora_to_gguf.py makes one",
            )
        path = found[0]
    if read_head(path).meta.get("general.type") != "adapter":
        raise LLMUnsupportedError(f"{path} is a model, not an adapter", hint="name it with -m instead")
    return path


def _folder(path: Path) -> Path:
    if not (path / _CONFIG).is_file() or not (path / _WEIGHTS).is_file():
        raise LLMUnsupportedError(
            f"{path} is no adapter for a safetensors model",
            hint=f"it takes a folder with {_CONFIG} and {_WEIGHTS}, as PEFT writes it",
        )
    return path / _WEIGHTS


def merge(adapter: Adapter, model: Any, torch: Any, load_file: Any) -> None:
    """Add the adapter's weights to those of the transformers *model*, in place.

    *load_file* is that of safetensors.torch. Raises LLMUnsupportedError, LLMProviderUnavailableError.
    """
    config = check_config(adapter.path / _CONFIG)
    scale = _scale(config, adapter.path)
    check_safetensors(adapter.path / _WEIGHTS)
    tensors = load_file(adapter.path / _WEIGHTS)
    names = {name.removesuffix(".lora_A.weight") for name in tensors if name.endswith(".lora_A.weight")}
    if not names or len(tensors) != 2 * len(names):
        raise LLMUnsupportedError(f"{adapter.path} holds more than the LoRA matrices of linear layers", hint=_MERGED)
    with torch.no_grad():
        for name in sorted(names):
            try:
                down, up = tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"]
                weight = model.get_parameter(f"{name.removeprefix(_PREFIX)}.weight")
                change = (up.float() @ down.float()) * scale(int(down.shape[0]))
                weight += (change.T if config.get("fan_in_fan_out") else change).to(weight.dtype).to(weight.device)
            except (KeyError, AttributeError, RuntimeError) as exc:
                raise LLMProviderUnavailableError(
                    f"{adapter.path} does not fit this model ({name.removeprefix(_PREFIX)})",
                    hint="an adapter belongs to the model that it was trained on",
                ) from exc


_MERGED: Final = "merge it into the model where it was trained, and name the merged model"


def _scale(config: Mapping[str, object], path: Path) -> Any:
    """The factor for a rank. Raises LLMUnsupportedError for kinds of adapter that are more than that."""
    kind, alpha = config.get("peft_type"), config.get("lora_alpha")
    more = next((name for name in _UNTAKEN if config.get(name)), None)
    if kind != "LORA" or more is not None or config.get("bias", "none") != "none":
        what = more or ("bias" if kind == "LORA" else str(kind)[:40])
        raise LLMUnsupportedError(f"{path.name} is an adapter of a kind that is not built in ({what})", hint=_MERGED)
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise LLMProviderUnavailableError(f"{path / _CONFIG} has no `lora_alpha`")
    root = config.get("use_rslora") is True

    def factor(rank: int) -> float:
        return float(alpha) / (math.sqrt(rank) if root else rank)

    return factor
