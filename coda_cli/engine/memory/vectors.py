"""Meaning beside words: static embeddings that come with the package `wordllama`, from the disk, never the network.

Without the extra `semantic` there are none, and words alone decide. NumPy and the model are loaded by the first recall.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coda_cli.engine.memory.index import MemoryIndex
from coda_cli.engine.memory.words import terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

SIZE: Final = 256
ROUGH: Final = 64
"""The first so many numbers say roughly the same (the model was trained so): they make the shortlist."""
_BATCH: Final = 512


def installed() -> bool:
    """Whether the extra is there, without importing it."""
    return find_spec("wordllama") is not None


class Vectors:
    """The vectors of the memories in *index*. For one thread at a time."""

    def __init__(self, index: MemoryIndex) -> None:
        self._index = index
        self._generation = -1
        self._keys: tuple[int, ...] = ()
        self._places: dict[int, int] = {}
        self._matrix: Matrix | None = None
        self._rough: Matrix

    def nearest(self, question: str, limit: int, others: Iterable[int] = ()) -> dict[int, float]:
        """Place of a memory in the index -> cosine of the angle to *question*: the nearest *limit*, and *others*.

        Raises MemoryStoreError.
        """
        import numpy as np

        matrix = self._current()
        if matrix is None:
            return {}
        asked = embedded([" ".join(terms(question))])[0]
        # Not `@`: the threads of a BLAS cost more than they bring for so little, and wait on a busy machine.
        rough = np.einsum("ij,j->i", self._rough, asked[:ROUGH])
        shortlist = 4 * limit
        best = np.arange(len(rough)) if len(rough) <= shortlist else np.argpartition(-rough, shortlist)[:shortlist]
        near = np.einsum("ij,j->i", matrix[best], asked)
        found = {self._keys[int(best[place])]: float(near[place]) for place in np.argsort(-near)[:limit]}
        wanted = [(key, place) for key in others if key not in found and (place := self._places.get(key)) is not None]
        if wanted:
            more = np.einsum("ij,j->i", matrix[[place for _, place in wanted]], asked)
            found |= {key: float(value) for (key, _), value in zip(wanted, more, strict=True)}
        return found

    def _current(self) -> Matrix | None:
        generation = self._index.fresh()
        if generation == self._generation:
            return self._matrix
        import numpy as np

        missing = self._index.texts_without_vector()
        for start in range(0, len(missing), _BATCH):
            part = missing[start : start + _BATCH]
            made = embedded([text for _, text in part])
            self._index.keep_vectors([(key, row.tobytes()) for (key, _), row in zip(part, made, strict=True)])
        rows = [(key, value) for key, value in self._index.vectors() if len(value) == 4 * SIZE]
        self._keys = tuple(key for key, _ in rows)
        self._places = {key: place for place, key in enumerate(self._keys)}
        joined = np.frombuffer(b"".join(value for _, value in rows), dtype=np.float32)
        self._matrix = joined.reshape(len(rows), SIZE) if rows else None
        if self._matrix is not None:
            self._rough = np.ascontiguousarray(self._matrix[:, :ROUGH])
        self._generation = generation
        return self._matrix


_lock = threading.Lock()
_loaded: list[Any] = []


def embedded(texts: list[str]) -> Matrix:
    """One row of length 1 a text (of length 0 for a text without words)."""
    import numpy as np

    model = _model()
    made: Matrix = np.asarray(model.embed([text or " " for text in texts], norm=False), dtype=np.float32)
    length = np.linalg.norm(made, axis=1, keepdims=True)
    made /= np.where(length > 0, length, 1)
    return made


def _model() -> Any:
    with _lock:
        if not _loaded:
            with _root_logger_kept():
                import wordllama

            # Its own folder as the cache: the weights lie there, and nothing is looked for elsewhere.
            _loaded.append(wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True))
        return _loaded[0]


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Keep what is imported from setting up logging for the whole program: wordllama does, for everybody's INFO.

    Where the root logger has a handler, `logging.basicConfig` does nothing; so not even another thread sees a change.
    """
    root, nobody = logging.getLogger(), logging.NullHandler()
    level = root.level
    root.addHandler(nobody)
    try:
        yield
    finally:
        root.removeHandler(nobody)
        root.setLevel(level)
