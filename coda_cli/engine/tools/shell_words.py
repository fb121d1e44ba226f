"""Is a shell command line exactly one simple command with nothing but literal words?

Only such a line can be compared with a rule: what stands in it is what runs. Everything that a shell would act on, or
that two shells read differently, is not parsed here but refused, and then a person is asked. Characters are allowed by
a list, not forbidden by one. The grammar is the part of POSIX.1-2017, XCU 2.2 and 2.3, where all shells agree.
"""

from __future__ import annotations

import re
import string
from typing import Final

from coda_cli.engine.tools.shell_programs import hands_over

MAX_LENGTH: Final = 4096
_BARE: Final = frozenset(string.ascii_letters + string.digits + "_-./:,+@%=")
_PRINTABLE: Final = frozenset(string.printable) - frozenset(string.whitespace) | {" "}
_IN_DOUBLE_QUOTES: Final = _PRINTABLE - frozenset('"\\$`!')
# Only these may stand behind a backslash in double quotes, where they lose their meaning in every shell.
_ESCAPED_IN_DOUBLE_QUOTES: Final = frozenset('"\\$`')
_PROGRAM: Final = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_./][A-Za-z0-9_./+-]*")


def simple_argv(command: str) -> tuple[str, ...] | None:
    """The words of *command*, or None where it is anything but one simple command that runs nothing else."""
    words = literal_words(command)
    if not words or not _PROGRAM.fullmatch(words[0]) or hands_over(words):
        return None
    return words


def literal_words(command: str) -> tuple[str, ...] | None:
    """The words of *command* where a shell would change none of them, else None. The empty line has none."""
    if len(command) > MAX_LENGTH:
        return None
    words: list[str] = []
    at = 0
    while True:
        while at < len(command) and command[at] == " ":
            at += 1
        if at == len(command):
            return tuple(words)
        found = _word(command, at)
        if found is None:
            return None
        word, at = found
        words.append(word)


def _word(command: str, at: int) -> tuple[str, int] | None:
    """The word that begins at *at*, and where it ends."""
    if command[at] == "=":  # zsh: the path of a program
        return None
    word: list[str] = []
    while at < len(command) and command[at] != " ":
        char = command[at]
        if char == "'":
            end = command.find("'", at + 1)
            piece = command[at + 1 : end]
            if end < 0 or not all(_literal(inner) for inner in piece):
                return None
            at = end + 1
        elif char == '"':
            found = _double_quoted(command, at + 1)
            if found is None:
                return None
            piece, at = found
        elif char == "\\":
            piece = command[at + 1 : at + 2]
            if not piece or piece not in _PRINTABLE:
                return None
            at += 2
        elif char in _BARE or (not char.isascii() and char.isalnum() and char.isprintable()):
            piece = char
            at += 1
        else:
            return None
        word.append(piece)
    return "".join(word), at


def _double_quoted(command: str, at: int) -> tuple[str, int] | None:
    """What stands up to the closing quote, and where the rest begins."""
    piece: list[str] = []
    while at < len(command):
        char = command[at]
        if char == '"':
            return "".join(piece), at + 1
        if char == "\\":
            at += 1
            char = command[at : at + 1]
            if not char or char not in _ESCAPED_IN_DOUBLE_QUOTES:
                return None
        elif not (char in _IN_DOUBLE_QUOTES or (not char.isascii() and _literal(char))):
            return None
        piece.append(char)
        at += 1
    return None


def _literal(char: str) -> bool:
    """A character with a shape, or the plain space: no control, no format character, no look-alike of a space."""
    return char in _PRINTABLE or (not char.isascii() and char.isprintable())
