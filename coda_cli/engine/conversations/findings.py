"""What `verify` found: values only."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct, field

Kind = Literal[
    "bad-line",  # a line that is no record
    "torn-tail",  # the last line is not whole: its writer was killed
    "empty",  # no byte in it
    "no-beginning",  # the first record is lost, and the id with it
    "record",  # a record that makes no sense
    "unknown-parent",  # the message before it is not there
    "duplicate-message",  # two messages of one id
    "gap",  # a record was taken out
    "order",  # a record's number is not after the one before it
    "newer-schema",  # a newer version of Coda wrote it
    "unreadable",  # the system does not let us read it
    "permissions",  # others may read it, or the owner may not
    "owner",  # it belongs to somebody else
    "duplicate-id",  # two files say that they are the same conversation
    "missing-blob",  # a large part is not in blobs/
    "damaged-blob",  # it is, and not what its name says
    "leftover",  # half of a file that was never finished
    "stranger",  # nothing that Coda has made
    "index",  # the index says something else than the files
]


class Finding(Struct):
    """One thing that is wrong: where, what, and the mend. Texts may hold names and ids: clean them for a terminal.

    `line` counts from 1 and `byte` from 0. `fixable`: `--fix` can mend it without losing anything.
    """

    kind: Kind
    file: Path
    problem: str
    mend: str
    line: int | None = None
    byte: int | None = None
    conversation: str | None = None
    fixable: bool = False
    fixed: bool = False


class VerifyReport(Struct):
    """What was read, and everything that was found in it. `warnings` are no fault of the files."""

    conversations: int = 0
    trashed: int = 0
    records: int = 0
    messages: int = 0
    blobs: int = 0
    size: int = 0
    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
