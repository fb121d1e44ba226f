"""Texts on their way into the index, many at a time."""

from __future__ import annotations

import sqlite3
from typing import Final

from coda_cli.engine.conversations.index_query import indexed, original

ENOUGH_TEXT: Final = 4_000_000
"""Characters that are gathered before they are written."""


class Writes:
    """A transaction's writes. Texts are put in many at a time: between, FTS5 would write a segment for each journal."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._texts: dict[int, str] = {}
        self._again: list[tuple[int]] = []
        self._length = 0

    def put(self, key: int, text: str, *, new: bool) -> None:
        """Keep the text of the message *key*, which is *new* or takes the place of another."""
        if not new and key not in self._texts:
            self._again.append((key,))
        self._texts[key] = text
        self._length += len(text)
        if self._length > ENOUGH_TEXT:
            self.flush()

    def text(self, key: int) -> str:
        """The text of the message *key*, "" if it has none."""
        if key in self._texts:
            return self._texts[key]
        row = self.db.execute("SELECT text FROM words WHERE rowid = ?", (key,)).fetchone()
        return original(str(row[0])) if row is not None else ""

    def flush(self) -> None:
        """Write what was gathered; before the transaction ends."""
        self.db.executemany("DELETE FROM words WHERE rowid = ?", self._again)
        spoken = [(key, indexed(text)) for key, text in self._texts.items() if text.strip()]
        self.db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", spoken)
        self._texts, self._again, self._length = {}, [], 0
