"""Run as a program: looks for a pattern in texts. It reads texts from stdin and opens nothing.

In: the pattern and its flags, then one text after the other. Out: one answer each, a JSON value. Every piece is a
length (4 bytes) and so many bytes of UTF-8. An expression that takes for ever is ended by killing this process.
"""

from __future__ import annotations

import json
import re
import struct
import sys

_MEMORY = 1 << 30
_LETTERS = 300


def main() -> None:
    """Answer until stdin ends."""
    _bounded()
    given = _take()
    if given is None:
        return
    pattern, ignore_case = json.loads(given)
    try:
        expression = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as exc:
        _give({"error": str(exc)})
        return
    _give({})
    while (text := _take()) is not None:
        most, _, body = text.decode("utf-8", "surrogatepass").partition("\n")
        _give(_matches(expression, body, int(most)))


def _matches(expression: re.Pattern[str], text: str, most: int) -> list[tuple[int, str]]:
    """Number and text of the first *most* lines that match; a long line from a little before the match."""
    found: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        match = expression.search(line)
        if match is None:
            continue
        start = 0 if len(line) <= _LETTERS else max(0, min(match.start() - 60, len(line) - _LETTERS))
        found.append((number, line[start : start + _LETTERS]))
        if len(found) >= most:
            break
    return found


def _bounded() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    except (ImportError, OSError, ValueError):  # not on every system
        pass


def _take() -> bytes | None:
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        return None
    return sys.stdin.buffer.read(struct.unpack(">I", head)[0])


def _give(answer: object) -> None:
    data = json.dumps(answer).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
