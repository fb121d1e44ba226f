"""Footnotes for markdown-it: `[^1]` in a text, and `[^1]: what it says`, which stays where it was written.

A mark does not depend on whether, where or when its note comes: so an answer that streams has its final form at once.
Notes that follow one another are one block, as the items of a list are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.ruler import RuleOptionsType
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

DEFINITION: Final = re.compile(r"\[\^([^\s\[\]^]{1,64})\]:[ \t]*")
# Any other label is as likely a piece of a regular expression: it stays as it was written.
MARK: Final = re.compile(r"\[\^([0-9]{1,9})\](?!\()")
_INDENT: Final = 4


def use(made: MarkdownIt) -> None:
    """Let *made* know footnotes."""
    ends: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    made.block.ruler.before("reference", "footnotes", _notes, ends)
    made.inline.ruler.before("link", "footnote", _mark)


def _mark(state: StateInline, silent: bool) -> bool:
    """Inline rule: `[^1]`."""
    if state.src[state.pos] != "[" or (found := MARK.match(state.src, state.pos, state.posMax)) is None:
        return False
    if not silent:
        state.push("footnote_mark", "sup", 0).content = found[1]
    state.pos = found.end()
    return True


def _found(state: StateBlock, line: int) -> re.Match[str] | None:
    """The beginning of the note at *line*, if one stands there."""
    if state.is_code_block(line):
        return None
    return DEFINITION.match(state.src, state.bMarks[line] + state.tShift[line], state.eMarks[line])


def _notes(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """Block rule: notes, one after another, with or without empty lines between them."""
    found = _found(state, first)
    if found is None or silent:  # a line that stands further out than the block also ends a paragraph in it
        return found is not None
    opening = state.push("footnotes_open", "section", 1)
    line = first
    while found is not None:
        _note(state, line, end, found)
        line = state.line
        after = state.skipEmptyLines(line)
        found = _found(state, after) if after < end and state.sCount[after] >= state.blkIndent else None
        line = after if found is not None else line
    opening.map = [first, line]
    state.push("footnotes_close", "section", -1)
    state.line = line
    return True


def _note(state: StateBlock, line: int, end: int, found: re.Match[str]) -> None:
    """One note: what stands after the colon, and lines below it that stand in by four."""
    opening = state.push("footnote_open", "div", 1)
    opening.info = found[1]
    at = len(state.tokens)
    kept = state.bMarks[line], state.tShift[line], state.sCount[line], state.parentType
    state.bMarks[line], state.tShift[line] = found.end(), 0
    state.blkIndent += _INDENT
    state.sCount[line] = state.blkIndent
    state.parentType = "footnote"
    state.md.block.tokenize(state, line, end)
    state.blkIndent -= _INDENT
    state.bMarks[line], state.tShift[line], state.sCount[line], state.parentType = kept
    opening.map = [line, state.line]
    if len(state.tokens) == at + 3 and state.tokens[at].type == "paragraph_open":
        state.tokens[at].hidden = state.tokens[at + 2].hidden = True  # as the only paragraph of an item
    state.push("footnote_close", "div", -1)
