"""Answers that were given before: the very same request is answered from the disk, at once and for nothing.

One file an answer, named by a hash over everything that shapes it, for the person alone (0600). Only what is complete
and called no tool is kept. A file that is damaged, too old or not what its name says is no hit. Safe with any number of
processes: a file appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from coda_cli import paths
from coda_cli.engine.core.config import ProviderConfig
from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.usage import FinishReason

MAX_BYTES: Final = 256 << 20
MAX_ANSWER: Final = 8 << 20
_VERSION: Final = 1
_KEPT_REASONS: Final = (FinishReason.STOP, FinishReason.LENGTH)


class Cached(Struct, frozen=True):
    """An answer from the cache: what the provider said, and when (Unix seconds)."""

    events: tuple[ProviderEvent, ...]
    time: float


class CacheStats(Struct, frozen=True):
    """What is in the cache. Times in Unix seconds, None where it is empty."""

    answers: int
    size: int
    oldest: float | None
    newest: float | None


def key_of(config: ProviderConfig, name: str, request: ProviderRequest) -> str:
    """A hash over everything that shapes the answer: the provider and its address, the model, and the whole request."""
    value = {
        "version": _VERSION,
        "provider": [name, config.provider.value, config.api_base, config.api],
        "model": request.model,
        "messages": [
            [message.role.value, [part.model_dump(mode="json") for part in message.parts]]
            for message in request.messages
        ],
        "options": request.options,
        "schema": request.schema,
        "tools": [[spec.name, spec.description, spec.parameters] for spec in request.tools],
        "tool_choice": request.tool_choice,
    }
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class ResponseCache:
    """The cache in *folder* (default: `answers` in the cache folder), at most *max_bytes*."""

    def __init__(self, folder: Path | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    @property
    def folder(self) -> Path:
        """Where the answers are."""
        return self._folder if self._folder is not None else paths.cache_dir() / "answers"

    def get(self, key: str, ttl: float, now: float) -> Cached | None:
        """The answer of *key* that is at most *ttl* seconds old; None for none, whatever is wrong with the file."""
        try:
            value = json.loads(paths.read_private(self._file(key), MAX_ANSWER) or b"")
            events = tuple(_event(one) for one in value["events"])
            made = float(value["time"])
            sound = value["key"] == key and value["sum"] == _sum(value["events"]) and isinstance(events[-1], Finished)
        except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
            return None
        if not sound or not -60.0 <= now - made <= ttl:
            return None
        with suppress(OSError):
            os.utime(self._file(key))  # what is used stays longest
        return Cached(events, made)

    def put(self, key: str, events: Sequence[ProviderEvent], now: float) -> None:
        """Keep *events*, unless they are no whole answer or hold a tool call. A disk that refuses is passed over."""
        rows = [row for event in events if (row := _row(event)) is not None]
        whole = bool(events) and isinstance(events[-1], Finished) and events[-1].reason in _KEPT_REASONS
        if not whole or not any(row[0] == "text" for row in rows):
            return
        value = {"version": _VERSION, "key": key, "time": now, "sum": _sum(rows), "events": rows}
        content = json.dumps(value, ensure_ascii=True).encode()
        if len(content) > MAX_ANSWER:
            return
        with suppress(OSError):
            paths.replace_private(self._file(key), content)
            self._shrink()

    def stats(self) -> CacheStats:
        """How much there is."""
        found = self._files()
        times = [info.st_mtime for _, info in found]
        size = sum(info.st_size for _, info in found)
        return CacheStats(len(found), size, min(times, default=None), max(times, default=None))

    def clear(self) -> int:
        """Take all answers away; how many there were. Raises OSError."""
        found = self._files()
        for path, _ in found:
            path.unlink(missing_ok=True)
        return len(found)

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        out: list[tuple[Path, os.stat_result]] = []
        for path in self.folder.glob("??/*.json"):
            with suppress(OSError):
                out.append((path, path.stat()))
        return out

    def _shrink(self) -> None:
        """Take away what was used longest ago until it fits."""
        found = self._files()
        size = sum(info.st_size for _, info in found)
        if size <= self._max_bytes:
            return
        for path, info in sorted(found, key=lambda one: one[1].st_mtime):
            with suppress(OSError):
                path.unlink(missing_ok=True)
            size -= info.st_size
            if size <= 0.9 * self._max_bytes:
                return


def _row(event: ProviderEvent) -> list[Any] | None:
    match event:
        case TextDelta(text):
            return ["text", text]
        case ReasoningDelta(text, signature, data):
            return ["reasoning", text, signature, data]
        case Finished(reason, model, response_id):
            return ["finished", reason.value, model, response_id]
        case _:
            return None  # usage: a hit costs nothing; a call: such an answer is not kept


def _event(row: Any) -> ProviderEvent:
    """Raises ValueError, TypeError or IndexError for what is no row."""
    kind, *rest = row
    if kind == "text" and isinstance(rest[0], str):
        return TextDelta(rest[0])
    if kind == "reasoning" and isinstance(rest[0], str):
        return ReasoningDelta(rest[0], _text(rest[1]), _text(rest[2]))
    if kind == "finished":
        return Finished(FinishReason(rest[0]), _text(rest[1]), _text(rest[2]))
    raise ValueError("no event")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError("no text")


def _sum(rows: Any) -> str:
    return hashlib.sha256(json.dumps(rows, ensure_ascii=True).encode()).hexdigest()
