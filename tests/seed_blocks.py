"""The Python code blocks of the user's document, word for word, and a way to run them.

The blocks stand in `tests/data/seed_blocks.md`, under the headings they have in the document. They were taken out of it
once by `python -m tests.seed_blocks DOCUMENT`. `Blocks` runs one after the other in one namespace; nothing of them is
changed but the place that names are imported from.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

GUARD: Final = 120.0
"""Seconds after which a statement is given up: it would hang."""
FILE: Final = Path(__file__).parent / "data" / "seed_blocks.md"
_FENCE: Final = re.compile(r"^(#{2,6} .*?)$|^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HOME: Final = re.compile(r"^from coda\.(?:components|interfaces)\.[\w.]+ import ", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block: its number (from 0), the heading above it, and its code as printed."""

    number: int
    heading: str
    printed: str

    @property
    def code(self) -> str:
        """The code with the import path changed, and nothing else."""
        return _HOME.sub("from coda_cli import ", self.printed)


def blocks(text: str | None = None) -> list[Block]:
    """The blocks of *text* (a Markdown document), by default those that were kept."""
    found: list[Block] = []
    heading = ""
    for match in _FENCE.finditer(FILE.read_text("utf-8") if text is None else text):
        if match[1]:
            heading = match[1].lstrip("# ")
        else:
            found.append(Block(len(found), heading, match[2]))
    return found


AfterStatement = Callable[[ast.stmt, dict[str, Any]], Awaitable[None]]


async def run_block(block: Block, names: dict[str, Any], after: AfterStatement | None = None) -> tuple[str, Any]:
    """Run *block* in *names*, statement by statement, *after* between them.

    Returns what it printed, and the value of its last statement where that is an expression.
    """
    printed = io.StringIO()
    value: Any = None
    file = f"<block {block.number}: {block.heading}>"
    for statement in ast.parse(block.code, file).body:
        with redirect_stdout(printed):
            async with asyncio.timeout(GUARD):
                value = await _run(statement, file, names)
        if after is not None:
            await after(statement, names)
    return printed.getvalue(), value


async def _run(statement: ast.stmt, file: str, names: dict[str, Any]) -> Any:
    if isinstance(statement, ast.Expr):
        code = compile(ast.Expression(statement.value), file, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    else:
        code = compile(ast.Module([statement], []), file, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = eval(code, names)
    return await value if inspect.iscoroutine(value) else value


def assigned(statement: ast.stmt) -> str:
    """The name that *statement* gives a value to, "" for any other statement."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case _:
            return ""


def kept(document: str) -> str:
    """What `FILE` holds of *document*: its headings that have blocks, and these."""
    lines = ["The Python code blocks of the user's document, word for word (`python -m tests.seed_blocks DOCUMENT`)."]
    heading = ""
    for block in blocks(document):
        if block.heading != heading:
            heading = block.heading
            lines += ["", f"## {heading}"]
        lines += ["", f"```python\n{block.printed}```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(kept(Path(sys.argv[1]).read_text("utf-8")), "utf-8")
