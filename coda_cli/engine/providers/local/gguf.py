"""The head of a GGUF file: what kind of model it is, and whether the file is whole.

Format (GGUF 2 and 3, little endian): magic "GGUF", u32 version, u64 tensors, u64 keys; then keys (string, u32 type,
value), then tensor infos (string name, u32 dimensions, u64 each, u32 type, u64 offset), then aligned data.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from coda_cli.engine.core.errors import LLMModelNotFoundError, LLMProviderUnavailableError

_SCALARS: Final = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_LABEL: Final = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)([KMBT])", re.IGNORECASE)
_UNIT: Final = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_MAX: Final = 1 << 24  # bytes of one string, entries of one array: more than any real model has


@dataclass(frozen=True, slots=True)
class GgufHead:
    """The metadata before the tokenizer's tables, as name -> number, text or truth value."""

    version: int
    tensors: int
    meta: dict[str, object] = field(repr=False)

    def number(self, name: str) -> int | None:
        """A number of the model's architecture (`context_length`, `block_count`, ...)."""
        value = self.meta.get(f"{self.meta.get('general.architecture')}.{name}")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def parameters(self) -> int | None:
        """About how many parameters the model has: as its label says ("0.5B", "8x7B"), else by the size of its layers.

        A block has four attention matrices, two of them narrower where heads share keys, and three for the feed-forward
        part; embeddings, norms and biases are left out of that estimate. None where the head tells neither.
        """
        label = _LABEL.match(str(self.meta.get("general.size_label", "")))
        if label is not None:
            return round(int(label[1] or 1) * float(label[2]) * _UNIT[label[3].upper()])
        blocks, width = self.number("block_count"), self.number("embedding_length")
        inner = self.number("feed_forward_length")
        if not blocks or not width or not inner:
            return None
        heads = self.number("attention.head_count") or 1
        shared = self.number("attention.head_count_kv") or heads
        experts = self.number("expert_count") or 1
        return blocks * (2 * width * width + 2 * width * width * shared // heads + 3 * width * inner * experts)


def read_head(path: Path) -> GgufHead:
    """The head of the model file *path*, with an error that says what is wrong with it.

    Raises LLMModelNotFoundError (no such file), LLMProviderUnavailableError (a folder, empty, unreadable, no GGUF).
    """
    try:
        if path.is_dir():
            raise LLMProviderUnavailableError(f"{path} is a folder, not a GGUF file", hint="name the .gguf file in it")
        size = path.stat().st_size
        with path.open("rb") as file:
            if size == 0:
                raise LLMProviderUnavailableError(f"{path} is empty", hint="download it again")
            if file.read(4) != b"GGUF":
                raise LLMProviderUnavailableError(
                    f"{path} is not a GGUF model file",
                    hint="the local engine takes .gguf files and safetensors folders",
                )
            return _head(file)
    except FileNotFoundError as exc:
        raise LLMModelNotFoundError(
            f"there is no file {path}", hint="check the path; `coda models list` shows what is here"
        ) from exc
    except OSError as exc:
        raise LLMProviderUnavailableError(f"cannot read {path}: {exc.strerror or exc}") from exc
    except (struct.error, ValueError) as exc:
        raise LLMProviderUnavailableError(
            f"the head of {path} is damaged or cut off", hint="download it again: `coda models list` shows models"
        ) from exc


def cut_off(path: Path) -> bool:
    """Whether the file ends before its last tensor begins. Reads the whole head: for use after a load has failed."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(8)
            tensors, keys = _number(file, "<Q"), _number(file, "<Q")
            alignment = 32
            for _ in range(keys):
                name = _text(file)
                value = _value(file, _number(file, "<I"))
                if name == "general.alignment" and isinstance(value, int):
                    alignment = max(1, value)
            last = 0
            for _ in range(tensors):
                _text(file)
                file.seek(8 * _number(file, "<I") + 4, 1)
                last = max(last, _number(file, "<Q"))
            start = -(-file.tell() // alignment) * alignment
            return start + last >= size
    except (OSError, struct.error, ValueError):
        return True


def _head(file: BinaryIO) -> GgufHead:
    version, tensors, keys = struct.unpack("<IQQ", file.read(20))
    if not 2 <= version <= 3:
        raise ValueError("a version that is not known")
    meta: dict[str, object] = {}
    for _ in range(min(keys, 4096)):
        name = _text(file)
        if name.startswith("tokenizer."):  # long tables follow, and nothing that is wanted here
            break
        kind = _number(file, "<I")
        value = _value(file, kind)
        if value is not None:
            meta[name] = value
    return GgufHead(version, tensors, meta)


def _value(file: BinaryIO, kind: int) -> object:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _number(file, _SCALARS.get(kind, ""))
    inner, count = _number(file, "<I"), _number(file, "<Q")
    if count > _MAX:
        raise ValueError("an array without end")
    if inner == _STRING:
        for _ in range(count):
            _text(file)
    else:
        file.seek(count * struct.calcsize(_SCALARS.get(inner, "")), 1)
    return None


def _number(file: BinaryIO, form: str) -> int:
    if not form:
        raise ValueError("a type that is not known")
    (value,) = struct.unpack(form, file.read(struct.calcsize(form)))
    return value  # type: ignore[no-any-return]  # struct's types are not known statically


def _text(file: BinaryIO) -> str:
    length = _number(file, "<Q")
    if length > _MAX:
        raise ValueError("a text without end")
    raw = file.read(length)
    if len(raw) < length:
        raise ValueError("cut off")
    return raw.decode("utf-8", "replace")
