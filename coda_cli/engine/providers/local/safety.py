"""What a model folder may not bring along: code of its own, pickles, kernels from elsewhere.

Coda never sets `trust_remote_code`. These checks go further: they refuse what would make a library import a module of
the repository or fetch one from a hub, before that library sees the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from coda_cli.engine.core.errors import LLMModelNotFoundError, LLMProviderUnavailableError, LLMUnsupportedError

CONFIG_FILES: Final = frozenset(
    {"config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json"}
)
_LIMIT: Final = 32 << 20
_FORBIDDEN: Final = frozenset(
    {"auto_map", "custom_pipelines", "custom_generate", "trust_remote_code", "use_kernels", "kernel_config"}
)
# Every other value names a kernel repository that transformers would fetch and import.
_ATTENTION: Final = frozenset({None, "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention", ""})
_PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.pickle", "*.ckpt", "*.h5", "*.msgpack")


def check_config(path: Path) -> dict[str, object]:
    """The JSON object in *path*, if it asks for no foreign code (LLMUnsupportedError). Raises as `read_config()`."""
    data = read_config(path)
    for key, value in _walk(data):
        attention = key.lstrip("_").startswith("attn_implementation")
        if attention and all(item is None or item in _ATTENTION for item in _leaves(value)):
            continue
        if attention or (key in _FORBIDDEN and value):
            raise LLMUnsupportedError(
                f"{path.parent.name}/{path.name} asks to run code of its own ({key})",
                hint="Coda never runs code from a model repository; choose a model without it, or its GGUF version",
            )
    return data


def read_config(path: Path) -> dict[str, object]:
    """The JSON object in *path*. Raises LLMProviderUnavailableError if it is missing, too large or not an object."""
    try:
        if path.stat().st_size > _LIMIT:
            raise LLMProviderUnavailableError(f"{path} is too large for a configuration file")
        data = json.loads(path.read_bytes())
    except OSError as exc:
        raise LLMProviderUnavailableError(f"cannot read {path}: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:
        raise LLMProviderUnavailableError(f"{path} is not valid JSON") from exc
    if not isinstance(data, dict):
        raise LLMProviderUnavailableError(f"{path} does not hold a JSON object")
    return data


def check_folder(folder: Path) -> dict[str, object]:
    """The folder's `config.json`, if the folder is a safetensors model that brings no code along.

    Raises LLMModelNotFoundError (not a model folder), LLMUnsupportedError (pickles, foreign code),
    LLMProviderUnavailableError (damaged files).
    """
    if not (folder / "config.json").is_file():
        raise LLMModelNotFoundError(
            f"{folder} is not a model folder: it has no config.json",
            hint="name a .gguf file, or a folder with config.json, a tokenizer and *.safetensors",
        )
    config: dict[str, object] = {}
    for name in sorted(CONFIG_FILES):
        if (folder / name).is_file():
            found = check_config(folder / name)
            config = found if name == "config.json" else config
    if (folder / "adapter_config.json").exists():
        raise LLMUnsupportedError(
            f"{folder} is an adapter for another model, not a model",
            hint="name its model, and this as `adapter` in extra_params",
        )
    tensors = sorted(folder.glob("*.safetensors"))
    if not tensors:
        pickled = next((file.name for pattern in _PICKLES for file in folder.glob(pattern)), None)
        raise LLMUnsupportedError(
            f"{folder} has no safetensors weights" + (f", only {pickled}" if pickled else ""),
            hint="pickled weights can run code and are refused; look for a safetensors or GGUF version",
        )
    for file in tensors:
        check_safetensors(file)
    return config


def check_safetensors(path: Path) -> None:
    """Compare the header of a safetensors file with its size (format: 8 bytes length, JSON, data).

    Raises LLMProviderUnavailableError for a damaged one.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, 100 << 20):
            raise _damaged(path)
        try:
            header = json.loads(file.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as exc:
            raise _damaged(path) from exc
    if 8 + length + max(ends, default=0) != size:
        raise _damaged(path)


def _damaged(path: Path) -> LLMProviderUnavailableError:
    return LLMProviderUnavailableError(
        f"{path} is damaged or was not downloaded whole", hint="remove the model and pull it again: `coda models list`"
    )


def _walk(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        yield value  # no list is a valid choice, and a list has no place in a set of choices
    else:
        yield value
