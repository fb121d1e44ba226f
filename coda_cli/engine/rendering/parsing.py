"""The one Markdown parser of a process; markdown-it is imported with the first line that has to be parsed."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

# markdown-it leaves out what is nested deeper than this; its preset's 20 is ten levels of a list.
MAX_NESTING: Final = 100
_HR: Final = re.compile(r"([-*_])(?:[ \t]*+\1){2,}+[ \t]*+")
# The lengths are bounded so that a page of openers without an end costs no more than a page.
_MATH: Final = re.compile(
    r"\\\(.{1,800}?\\\)|\\\[.{1,800}?\\\]|\$\$.{1,800}?\$\$"
    r"|\$(?![\s$])(?:[^$\n\\]|\\.){1,400}?(?<![\s$])\$(?!\d)",
    re.DOTALL,
)


def _math(state: StateInline, silent: bool) -> bool:
    """Inline rule: TeX between `\\(..\\)`, `\\[..\\]`, `$$..$$` or `$..$` stays as it was written."""
    if state.src[state.pos] not in "\\$" or (found := _MATH.match(state.src, state.pos, state.posMax)) is None:
        return False
    if not silent:
        state.push("math_inline", "", 0).content = found.group()
    state.pos = found.end()
    return True


def _hr(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Block rule: a rule. markdown-it's own looks at a line character by character, once for each list it is in."""
    first, last = state.bMarks[start] + state.tShift[start], state.eMarks[start]
    if state.is_code_block(start) or (found := _HR.fullmatch(state.src, first, last)) is None:
        return False
    if not silent:
        state.line = start + 1
        token = state.push("hr", "hr", 0)
        token.map = [start, state.line]
        token.markup = found[1] * (found.group().count(found[1]) + 1)  # as markdown-it's
    return True


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """The one Markdown parser of this process: CommonMark with tables, strikethrough, footnotes and untouched TeX."""
    from markdown_it import MarkdownIt

    from coda_cli.engine.rendering import footnotes

    made = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable(["table", "strikethrough"])
    made.inline.ruler.before("escape", "math", _math)
    made.block.ruler.at("hr", _hr, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    footnotes.use(made)
    return made


def block_tokens(source: str, references: dict[str, dict[str, object]] | None = None) -> list[Token]:
    """The block tokens of *source*, their inline content not yet parsed. Link definitions go into *references*."""
    tokens: list[Token] = []
    made = parser()
    made.block.parse(source, made, {"references": {} if references is None else references}, tokens)
    return tokens
