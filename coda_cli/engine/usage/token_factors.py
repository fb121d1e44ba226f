"""What reported tokens are to estimated ones, per provider and model: learned from answers, kept in the cache folder.

The file is `token-factors.json`: `{"version": 1, "factors": {"PROVIDER/MODEL": [factor, observations]}}`. It can be
deleted at any time: it is only a better guess.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Final

from coda_cli import paths

LEAST: Final = 0.25
MOST: Final = 4.0
_TOO_SMALL: Final = 50  # tokens: below that the marks around messages outweigh the text
_UP: Final = 0.5  # too small a factor loses an answer, so it is given up faster ...
_DOWN: Final = 0.2  # ... than too large a one, which only summarises early (or a server that left out cached tokens)
_JUMP: Final = 2.0  # one observation moves it as if it were at most this much off
_WORTH_WRITING: Final = 1.05
_ENTRIES: Final = 500
_MAX_BYTES: Final = 1 << 20

Entries = dict[str, tuple[float, int]]


class TokenFactors:
    """The factors in the file at *path* (default: in the cache folder), read when first needed.

    `persist=False` reads the file and never writes it. A file that cannot be read or written is no error.
    """

    def __init__(self, path: Path | None = None, *, persist: bool = True) -> None:
        self._path = path
        self._persist = persist
        self._entries: Entries | None = None
        self._written: dict[str, float] = {}

    def get(self, provider: str, model: str) -> float:
        """The factor, 1.0 where nothing is known."""
        return self._known().get(_key(provider, model), (1.0, 0))[0]

    def learn(self, provider: str, model: str, estimated: float, reported: float) -> None:
        """Take in that a prompt estimated at *estimated* (without the factor) was *reported* tokens. Never raises.

        The factor is an exponentially weighted mean of the logarithms of the ratios, within 0.25 and 4.
        """
        if not (estimated >= _TOO_SMALL and reported >= _TOO_SMALL and math.isfinite(estimated + reported)):
            return
        entries, key = self._known(), _key(provider, model)
        factor, seen = entries.pop(key, (1.0, 0))
        ratio = min(MOST, max(LEAST, reported / estimated))
        if seen:
            ratio = min(factor * _JUMP, max(factor / _JUMP, ratio))
            factor *= (ratio / factor) ** (_UP if ratio > factor else _DOWN)
        else:
            factor = ratio
        factor = min(MOST, max(LEAST, factor))
        entries[key] = factor, seen + 1  # most recently used last
        if self._persist and _moved(self._written.get(key, 1.0), factor):
            self._write(key)

    def _known(self) -> Entries:
        if self._entries is None:
            self._entries = _read(self._file())
            self._written = {key: factor for key, (factor, _) in self._entries.items()}
        return self._entries

    def _file(self) -> Path:
        if self._path is None:
            self._path = paths.cache_dir() / "token-factors.json"
        return self._path

    def _write(self, key: str) -> None:
        """Put the entry of *key* into the file, among those that other processes have written meanwhile."""
        entries = self._known()
        file = _read(self._file())
        file.pop(key, None)
        file[key] = entries[key]
        kept = dict(list(file.items())[-_ENTRIES:])
        self._written[key] = entries[key][0]  # also where it fails: a full disk is not tried again at every answer
        text = json.dumps({"version": 1, "factors": {name: [round(f, 4), n] for name, (f, n) in kept.items()}})
        try:
            paths.replace_private(self._file(), text.encode("utf-8", "replace"))
        except OSError:
            return


def _key(provider: str, model: str) -> str:
    return f"{provider}/{model}"


def _moved(before: float, after: float) -> bool:
    return max(before, after) > min(before, after) * _WORTH_WRITING


def _read(path: Path) -> Entries:
    """What the file says, without what makes no sense."""
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    factors = data.get("factors") if isinstance(data, dict) and data.get("version") == 1 else None
    out: Entries = {}
    for key, value in (factors if isinstance(factors, dict) else {}).items():
        match value:
            case [int() | float() as factor, int() as seen] if LEAST <= factor <= MOST and seen > 0:
                out[key] = float(factor), int(seen)
            case _:
                continue
    return out
