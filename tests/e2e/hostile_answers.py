"""Answers that are made to hold a terminal program up, each with what is seen of it at its very end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

END: Final = "THE VERY END"


def _table(cell: str) -> str:
    return f"| a | b |\n|---|---|\n| {cell} | z |\n"


HOSTILE: Final[dict[str, Callable[[], str]]] = {
    "10,000 combining marks": lambda: "e" + "\u0301" * 10_000,
    "10,000 joined emoji": lambda: "\u200d".join("\U0001f469" for _ in range(10_000)),
    "a line of 1 MB": lambda: "x" * 1_000_000,
    "a line of 1 MB in words": lambda: "word *and* `code` " * 60_000,
    "a code block with a line of 1 MB": lambda: "```python\nx = '" + "y" * 1_000_000 + "'\n```\n",
    "10,000 quotes deep": lambda: "> " * 10_000 + "deep",
    "10,000 lists deep on a line": lambda: "- " * 10_000 + "deep",
    "lists ever deeper": lambda: "\n".join("  " * depth + "- item" for depth in range(1_000)),
    "10,000 brackets": lambda: "[" * 10_000 + "deep" + "](http://e.example/)" * 10_000,
    "10,000 stars": lambda: "*a **b " * 10_000,
    "a table cell of 1 MB": lambda: _table("y" * 1_000_000),
    "a table cell of 1 MB in words": lambda: _table("some words " * 90_000),
    "100,000 links": lambda: "[a](http://e.example/1) " * 100_000,
    "100,000 bare links": lambda: "http://e.example/1 " * 100_000,
    "50,000 references": lambda: "".join(f"[r{n}]: http://e.example/{n}\n" for n in range(50_000)) + "\n[r1] [r2]",
    "a table of 20,000 rows": lambda: "| a | b |\n|---|---|\n" + "| one | two |\n" * 20_000,
}
