"""The usage log: one JSON line a request, append-only, so that status and cost live across processes.

Fields: `time` (Unix s), `conversation`, `provider`, `model`, `input`, `cached`, `cache_write`, `output`, `reasoning`
(tokens; `cached` and `cache_write` are part of `input`, `reasoning` of `output`), `price` (USD or "unpriced"),
`latency`, `first_token` (s), `rate` (tokens a second once the first had come), `hit` (Coda's own cache answered),
`retries`, `status`, `error` (its class). Older lines have no `cache_write`, `rate` and `hit`. It never holds any text.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from coda_cli import paths
from coda_cli.engine.core.ports import UsageRecord

UNPRICED: Final = "unpriced"
_SHORTEST: Final = 0.05
"""Seconds that an answer must take to tell a rate: a shorter one came in one piece."""


class UsageLog:
    """The log at *path* (default: `usage.jsonl` in the data folder)."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.data_dir() / "usage.jsonl"
        self.failed: OSError | None = None

    def record(self, record: UsageRecord) -> None:
        """Append one line in one write under a lock. A disk that refuses is kept in `failed`, not raised."""
        visible = 0 if record.cached else record.usage.output_tokens - record.usage.reasoning_tokens
        told = rate(visible, record.latency, record.first_token)
        line = json.dumps(
            {
                "time": round(record.time, 3),
                "conversation": record.conversation_id,
                "provider": record.provider,
                "model": record.model,
                "input": record.usage.input_tokens,
                "cached": record.usage.cached_tokens,
                "cache_write": record.usage.cache_write_tokens,
                "output": record.usage.output_tokens,
                "reasoning": record.usage.reasoning_tokens,
                "price": UNPRICED if record.cost is None else record.cost,
                "latency": round(record.latency, 3),
                "first_token": None if record.first_token is None else round(record.first_token, 3),
                "rate": None if told is None else round(told, 2),
                "hit": record.cached,
                "retries": record.retries,
                "status": record.status,
                "error": record.error,
            },
            ensure_ascii=False,
        )
        try:
            with self._locked() as fd:
                _append(fd, line.encode("utf-8", "replace") + b"\n")
        except OSError as exc:
            self.failed = exc

    @contextmanager
    def _locked(self) -> Iterator[int]:
        fd = paths.open_private(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every readable line, oldest first; a damaged one is passed over."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for raw in file:
                try:
                    value = json.loads(raw)
                except (ValueError, RecursionError):
                    continue
                if isinstance(value, dict):
                    yield value


def rate(tokens: int, latency: float, first_token: float | None) -> float | None:
    """Tokens a second after the first one; None where the answer came in one piece, or not at all.

    *tokens* are those that can be seen: most vendors think before the first token comes.
    """
    seconds = latency - first_token if first_token is not None else 0.0
    return (tokens - 1) / seconds if tokens > 1 and seconds >= _SHORTEST else None


def _append(fd: int, line: bytes) -> None:
    """Write *line* whole or not at all, and never onto the torn end of another one."""
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        line = b"\n" + line
    written = 0
    try:
        while written < len(line):
            written += os.write(fd, line[written:])
    except OSError:
        os.ftruncate(fd, size)
        raise
