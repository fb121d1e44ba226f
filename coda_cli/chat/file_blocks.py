"""Text files in a question: each is a block with its name behind what was asked, as the model reads it.

The transcript shows the question alone and the files by name; an edited question keeps the files of the original.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

_RUN: Final = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)
# The name is on one line; the fence is one that does not occur at the start of a line of the file.
_BLOCK: Final = re.compile(r"\n\n\[file ([^\n]{1,4096})\]\n(`{3,})\n((?:(?!\2)[^\n]*\n)*+)\2(?=\Z|\n\n\[file )")
_START: Final = "\n\n[file "


class FileBlock(Struct, frozen=True):
    """A text file in a question; `size` is that of its text in bytes."""

    name: str
    size: int


def file_block(name: str, text: str) -> str:
    """The block for the file *name* with *text*."""
    longest = max((len(found[1]) for found in _RUN.finditer(text)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") or not text else "\n"
    shown = " ".join(name.split()) or "unnamed"
    return f"{_START}{shown}]\n{fence}\n{text}{end}{fence}"


def with_files(text: str, blocks: Sequence[str]) -> str:
    """The question *text* with the *blocks* that `file_block` made."""
    return text.rstrip("\n") + "".join(blocks) if blocks else text


def split_files(text: str) -> tuple[str, tuple[FileBlock, ...]]:
    """What a person wrote in the question *text*, and the files behind it."""
    at = _files_start(text)
    if at is None:
        return text, ()
    files = tuple(FileBlock(found[1], len(found[3].encode("utf-8", "replace"))) for found in _BLOCK.finditer(text, at))
    return text[:at], files


def with_files_of(original: str, text: str) -> str:
    """The edited question *text* with the files of the *original*, unless it has some of its own."""
    at = _files_start(original)
    if at is None or _files_start(text) is not None:
        return text
    return with_files(text, [original[at:]])


def _files_start(text: str) -> int | None:
    """Where the blocks begin, if they go on to the end."""
    at = text.find(_START)
    while at >= 0:
        end = at
        while (found := _BLOCK.match(text, end)) is not None:
            end = found.end()
        if end == len(text):
            return at
        at = text.find(_START, max(end, at + 1))  # what is inside the chain ends where the chain does
    return None
