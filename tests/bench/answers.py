"""Answers of any length for the benches, in tokens of about four characters.

markdown(2000)      Markdown of every kind: headings, prose, lists, code, quotes, tables, links
code(1500)          one code block of so many lines        items(1000), rows(1000): one list, one table
KINDS["md"|"fence"|"list"|"table"]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

TOKEN: Final = 4

_SENTENCES: Final = (
    "The harbour of the old town lies *below* the wall, and the light settles on it in the evening.",
    "A clerk with a **ledger** counts what comes and goes; nobody has asked for `count()` in years.",
    "See [the figures](https://example.org/figures) of last summer, which say much the same.",
    "What the tide leaves on the stones is written down twice, ~~once~~ in ink and once in pencil.",
)


def _tokens(text: str) -> list[str]:
    return [text[at : at + TOKEN] for at in range(0, len(text), TOKEN)]


def markdown(count: int) -> list[str]:
    """*count* tokens of Markdown."""
    parts: list[str] = []
    size, number = 0, 0
    while size < TOKEN * count:
        number += 1
        prose = " ".join(_SENTENCES[(number + more) % len(_SENTENCES)] for more in range(5))
        parts.append(
            f"## Part {number}\n\n{prose}\n\n"
            f"- the first of them\n- another one, with `code`\n  - and one below it\n\n1. then\n2. after that\n\n"
            f"```python\ndef tide_{number}(hour: int) -> float:\n    # metres above the stones\n"
            f'    return {number} * math.sin(hour / 12) if hour else float("nan")\n```\n\n'
            f"> what was said about it\n> on the day\n\n"
            f"| hour | metres | who |\n|-----:|-------:|-----|\n| {number} | 1.5 | the clerk |\n| 22 | 0.3 | `x` |\n\n"
        )
        size += len(parts[-1])
    return _tokens("".join(parts)[: TOKEN * count])


def code(lines: int) -> list[str]:
    """A code block of *lines* lines."""
    body = "".join(f"    tide[{n}] = level(hour={n % 24}, place='quay {n}')  # line {n}\n" for n in range(lines - 1))
    return _tokens(f"Here it is:\n\n```python\ndef fill(tide: dict[int, float]) -> None:\n{body}```\n")


def items(count: int) -> list[str]:
    """A list of *count* items."""
    return _tokens("".join(f"{n}. entry {n} of the ledger, with `code` and *words*\n" for n in range(1, count + 1)))


def rows(count: int) -> list[str]:
    """A table of *count* rows."""
    head = "| hour | what | why |\n|-----:|------|-----|\n"
    return _tokens(head + "".join(f"| {n} | entry `{n}` | because of the *tide* |\n" for n in range(count)))


KINDS: Final[dict[str, Callable[[int], list[str]]]] = {"md": markdown, "fence": code, "list": items, "table": rows}
