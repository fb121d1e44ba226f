"""Writes the table of names in docs/library.md from their docstrings: `python docs/names.py`, in a checkout."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import coda_cli

PAGE: Final = Path(__file__).parent / "library.md"
_UNIONS: Final = {"Event": "Any of the events."}


def main() -> None:
    """Write it."""
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")


def written(page: str) -> str:
    """*page* with the table as it is now."""
    table = "\n".join(["| Name | |", "|---|---|", *rows()])
    return re.sub(
        r"(<!-- names: [^\n]*-->\n).*?(<!-- end of names -->)",
        lambda found: f"{found[1]}\n{table}\n\n{found[2]}",
        page,
        flags=re.DOTALL,
    )


def rows() -> Iterator[str]:
    """A row for each name: the first sentence of what it says of itself."""
    for name in coda_cli.__all__:
        yield f"| `{name}` | {about(name)} |"


def about(name: str) -> str:
    """The first sentence of the docstring of *name*, "" where it has none of its own."""
    if name in _UNIONS:
        return _UNIONS[name]
    value = getattr(coda_cli, name)
    said = inspect.cleandoc(vars(value).get("__doc__") or "" if isinstance(value, type) else value.__doc__ or "")
    first = " ".join(said.partition("\n\n")[0].split())
    sentence = re.match(r".*?\.(?= |$)", first)
    return textwrap.shorten(sentence[0] if sentence else first, 300).replace("|", "\\|")


if __name__ == "__main__":
    main()
