"""Streamed Markdown, cut into finished blocks and a tail.

A renderer draws every finished block once and only the tail again and again. Needs no user interface toolkit. Text is
expected as `sanitize` leaves it: its newlines are `\\n`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from coda_cli.engine.rendering.parsing import block_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markdown_it.token import Token

# Only a line that may end the open block has the tail parsed. A tail up to SMALL characters is then parsed at once; a
# longer one (a table whose rows look like text, say) costs credit: each character received earns CREDIT characters of
# parsing. So at most `CREDIT * received + SMALL * lines` characters are parsed, which is linear, whatever the text
# and however it is cut; a skipped parse only finishes a block later, never differently.
SMALL: Final = 2048
CREDIT: Final = 4

# What a text costs to parse, in microseconds or so: a line takes as long as a hundred characters, however short it is.
_LINE: Final = 24
_CHARS: Final = 4
LONG_LINE: Final = 32_768
"""Characters of a line that a splitter with a limit takes for no Markdown."""
# More definitions than this are not taken: each drawing of a block copies them.
_REFERENCES: Final = 2000
# A text longer than this has its code blocks found by their fences alone.
_SCANNED: Final = 100_000

_OPENER: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM: Final = re.compile(r"(?:[-*+]|\d{1,9}[.)]) ")
_RULE: Final = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")


class _Fence(Struct, frozen=True):
    """An open fence: its opening line's index in the tail, its character and length."""

    start: int
    char: str
    length: int

    def closed_by(self, line: str) -> bool:
        body = line.rstrip(" \t\r\n")
        bare = body.lstrip(" ")
        return len(body) - len(bare) <= 3 and len(bare) >= self.length and bare == self.char * len(bare)


def _split(text: str) -> list[str]:
    """Lines with their newline; unlike `str.splitlines`, only `\\n` ends one."""
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


class BlockSplitter:
    """Cuts growing Markdown into top-level blocks: finished ones, and the source of what is still open.

    All finished blocks and the tail, joined, are exactly what was fed, and however the text is cut into chunks the
    blocks are the same. A heading, a rule and a closed fence are finished with their last line; any other block when
    the first line of the next one is complete, for a line that is still growing proves nothing ("2" may become "2.").
    """

    def __init__(self, *, limit: int | None = None) -> None:
        """A tail of more than *limit* (see `weight`), or a line longer than LONG_LINE, is cut off as it is.

        No parse is then longer than some tens of milliseconds; what was cut off is to be shown as plain text.
        """
        self._limit = limit
        self.cut_short = False
        """Whether a tail was: other chunks may then give other blocks."""
        self._lines: list[str] = []
        self._size = 0
        self._partial: list[str] = []
        self._fence: _Fence | None = None
        self._kind = ""
        self._markup = ""
        self._credit = 0
        self._due = False
        self.references: dict[str, dict[str, object]] = {}
        """Link definitions of the finished blocks, in markdown-it's form; the first of a name wins."""
        self.parses = 0
        """How often the parser ran."""
        self.parsed_chars = 0
        """How many characters it was given in all."""

    @property
    def tail(self) -> str:
        """The source of what is not finished."""
        return "".join(self._lines) + "".join(self._partial)

    @property
    def weight(self) -> int:
        """About how many microseconds a parse of the tail takes."""
        return self._size // _CHARS + _LINE * len(self._lines)

    @property
    def open_kind(self) -> str:
        """markdown-it's name of the open block's first token, as of the last parse; "" where there was none."""
        return self._kind

    @property
    def open_fence(self) -> str | None:
        """The opening line of the fenced code that is open; None if the tail is anything else."""
        return self._lines[self._fence.start] if self._fence is not None else None

    def fence_lines(self, start: int) -> list[str]:
        """The complete lines of the open fence's content, from number *start* on, as they were written."""
        return self._lines[self._fence.start + 1 + start :] if self._fence is not None else []

    @property
    def partial(self) -> str:
        """The last line, as long as it is not complete; "" for what is most likely a closing fence on its way."""
        line = "".join(self._partial)
        return line if self._fence is None or line.strip(self._fence.char + " ") else ""

    def feed(self, text: str) -> list[str]:
        """Take the next piece of text; returns the sources of the blocks that it finished, in order."""
        head, newline, rest = text.rpartition("\n")
        if not newline:
            if text:
                self._partial.append(text)
            return []
        complete = "".join([*self._partial, head, newline])
        self._partial = [rest] if rest else []
        self._credit += CREDIT * len(complete)
        return self._take(_split(complete))

    def release(self, start: int, end: int) -> None:
        """Forget complete lines of the open block: a caller has taken them as they are.

        What is left must be a block of the same kind (the later items of a list, a table with fewer rows); it is all
        that the finished block will have.
        """
        self._size -= sum(map(len, self._lines[start:end]))
        del self._lines[start:end]

    def finish(self) -> list[str]:
        """The text is at its end: returns every block that is left and empties the tail."""
        finished: list[str] = []
        if self._partial:
            last = "".join(self._partial)
            self._partial = []
            if self._limit is not None and len(last) > LONG_LINE:
                finished += self._take([last])
            else:
                self._append([last])
            if self._fence is not None and self._lines and self._fence.closed_by(last):
                self._fence = None
                finished.append(self._cut(len(self._lines)))
        if self._fence is None:
            return finished + self._close()
        self._fence = None
        return [*finished, self._cut(len(self._lines))]

    def preview(self, lines: int, chars: int) -> str:
        """The tail, or if it is longer than *lines* or *chars*, a bounded source that renders like its end."""
        partial = "".join(self._partial)
        if self._fence is not None and partial and not partial.strip(self._fence.char + " "):
            partial = ""  # most likely the closing fence on its way
        if self._size + len(partial) <= chars and len(self._lines) <= lines:
            return "".join(self._lines) + partial
        first = self._fence.start + 1 if self._fence else 0
        kept = self._lines[max(first, len(self._lines) - lines) :]
        head = ""
        if self._fence is not None:
            head = self._lines[self._fence.start]
        elif self._kind == "table_open":
            rows = [line for line in self._lines[: lines + 2] if line.strip()][:2]
            head = "".join(rows) if len(self._lines) > lines + 2 else ""
        elif self._kind.endswith("list_open"):
            kept = _from_item(self._lines, lines)
        body = "".join(kept) + partial
        if len(body) > chars:
            body = body[-chars:]
            cut = body.find("\n")
            body = body[cut + 1 :] if 0 <= cut < chars // 2 else body
        return head + body

    def _take(self, lines: list[str]) -> list[str]:
        finished: list[str] = []
        at = 0
        while at < len(lines):
            if self._fence is not None:
                at += self._take_code(lines[at:], self._fence, finished)
                continue
            if self._limit is not None and len(lines[at]) > LONG_LINE:
                if self._lines:
                    finished += self._parse(final=False)
                    if self.open_fence is not None:
                        continue
                finished += self._close()
                self._append(lines[at : at + 1])
                finished.append(self._cut(1))
                at += 1
                continue
            new = lines[at : self._room(lines, at)]
            at += len(new)
            self._append(new)
            heavy = self._limit is not None and self.weight > self._limit
            if heavy or self._worth_parsing(new):
                finished += self._parse(final=False)
            if heavy and self.open_fence is None and self.weight > (self._limit or 0):
                self.cut_short = True
                finished += self._close()
        return finished

    def _take_code(self, lines: list[str], fence: _Fence, finished: list[str]) -> int:
        """Take the lines that belong to the open fence; returns how many those are."""
        at = 0
        while at < len(lines) and not fence.closed_by(lines[at]):
            at += 1
        closed = at < len(lines)
        at += closed
        self._append(lines[:at])
        if closed:
            self._fence = None
            finished.append(self._cut(len(self._lines)))
        return at

    def _room(self, lines: Sequence[str], at: int) -> int:
        """The line after the first one from *at* on with which the tail weighs too much, or after the last one."""
        if self._limit is None:
            return len(lines)
        size, count = self._size, len(self._lines) - at + 1
        for place in range(at, len(lines)):
            if len(lines[place]) > LONG_LINE:
                return place
            size += len(lines[place])
            if size // _CHARS + _LINE * (count + place) > self._limit:
                return place + 1
        return len(lines)

    def _close(self) -> list[str]:
        """Finish what is left; no fence is open."""
        finished = self._parse(final=True) if self._lines else []
        if self._lines:
            finished.append(self._cut(len(self._lines)))
        return finished

    def _append(self, lines: Sequence[str]) -> None:
        self._lines.extend(lines)
        self._size += sum(map(len, lines))

    def _worth_parsing(self, new: Iterable[str]) -> bool:
        self._due = self._due or any(self._may_end(line) for line in new)
        if self._size <= SMALL or not self._due:
            return self._due
        if self._credit < self._size:
            return False
        self._credit -= self._size
        return True

    def _may_end(self, line: str) -> bool:
        """Whether *line* may begin another block. A wrong no only delays, a wrong yes only costs a parse."""
        bare = line.lstrip(" ")
        if not bare.strip():
            return False
        indent = len(line) - len(bare)
        match self._kind:
            case "bullet_list_open":
                return indent <= 3 and (not bare.startswith((f"{self._markup} ", "\t")) or bool(_RULE.match(line)))
            case "ordered_list_open":
                digits = bare.lstrip("0123456789")
                return indent <= 3 and not (digits != bare and digits.startswith(self._markup) and bare[0] != "\t")
            case "table_open":
                return not bare.startswith("|")
            case "blockquote_open":
                return not bare.startswith(">")
            case "code_block":
                return indent < 4 and not bare.startswith("\t")
            case _:
                return True

    def _parse(self, *, final: bool) -> list[str]:
        """Parse the tail; cut off and return the blocks that can no longer change (all, if *final*)."""
        source = "".join(self._lines)
        self.parses += 1
        self.parsed_chars += len(source)
        self._due = False
        found: dict[str, dict[str, object]] = {}
        tops = [
            token
            for token in block_tokens(source.replace("\r", " "), found)
            if token.level == 0 and token.map is not None
        ]
        cuts: list[int] = []
        open_token: Token | None = None
        for place, token in enumerate(tops):
            if (end := self._end(token, last=place == len(tops) - 1 and not final)) is None:
                open_token = token
            else:
                cuts.append(end)
        settled = cuts[-1] if cuts else 0
        if open_token and open_token.map and open_token.type == "fence":
            settled = open_token.map[0]  # no later line changes what stands before a fence, and none parses it again
        self._collect(found, len(self._lines) if final else settled)
        self._kind = open_token.type if open_token else ""
        self._markup = open_token.markup if open_token else ""
        if open_token and open_token.map and open_token.type == "fence":
            start = open_token.map[0]
            if opener := _OPENER.match(self._lines[start]):
                fence = opener.group(1)
                self._fence = _Fence(start - (cuts[-1] if cuts else 0), fence[0], len(fence))
        finished: list[str] = []
        done = 0
        for cut in cuts:
            finished.append("".join(self._lines[done:cut]))
            done = cut
        self._drop(done)
        return finished

    def _end(self, token: Token, *, last: bool) -> int | None:
        """The line after *token*'s block, or None if lines to come may still change it."""
        if token.map is None:
            return None
        start, end = token.map
        if token.type in ("heading_open", "hr"):
            return end
        if token.type == "fence" and (opener := _OPENER.match(self._lines[start])):
            fence = _Fence(start, opener.group(1)[0], len(opener.group(1)))
            if end - 1 > start and fence.closed_by(self._lines[end - 1]):
                return end
        if last:
            return None
        # Blank lines belong to the block before them. Definitions that follow go with the next block, for whether a
        # line is one can depend on lines after it.
        while end > start and not self._lines[end - 1].strip():
            end -= 1
        while end < len(self._lines) and not self._lines[end].strip():
            end += 1
        return end

    def _collect(self, found: dict[str, dict[str, object]], end: int) -> None:
        for label, definition in found.items():
            lines = definition.get("map")
            if isinstance(lines, list) and lines[1] <= end and len(self.references) < _REFERENCES:
                self.references.setdefault(label, {"title": definition["title"], "href": definition["href"]})

    def _cut(self, end: int) -> str:
        """Take the first *end* lines of the tail away and return them."""
        block = "".join(self._lines[:end])
        self._drop(end)
        return block

    def _drop(self, end: int) -> None:
        self._size -= sum(map(len, self._lines[:end]))
        del self._lines[:end]
        if not self._lines:
            self._kind = ""


def _from_item(lines: list[str], count: int) -> list[str]:
    """The last *count* lines of a list, or up to four times as many so that they begin with a top-level item."""
    for place in range(max(0, len(lines) - count), max(-1, len(lines) - 4 * count), -1):
        if _ITEM.match(lines[place]):
            return lines[place:]
    kept = lines[max(0, len(lines) - count) :]
    indent = min((len(line) - len(line.lstrip(" ")) for line in kept if line.strip()), default=0)
    return [line[indent:] if line.strip() else line for line in kept]


def first_code_block(text: str) -> str | None:
    """The content of the first fenced code block of *text*, byte for byte and without its fences; None if none.

    A fence in a list or quote counts, its indentation or `>` removed; one that is never closed goes to the end.
    """
    blocks = code_blocks(text)
    return blocks[0] if blocks else None


def last_code_block(text: str) -> str | None:
    """The content of the last fenced code block of *text*, as `first_code_block` gives it."""
    blocks = code_blocks(text)
    return blocks[-1] if blocks else None


def code_blocks(text: str) -> list[str]:
    """The contents of all fenced code blocks of *text*, in order, each as `first_code_block` gives it."""
    if "```" not in text and "~~~" not in text:
        return []
    if len(text) > _SCANNED:
        return _scanned(text)
    original = text.split("\n")
    tokens = block_tokens(text.replace("\r\n", "\n"))
    found: list[str] = []
    for token in tokens:
        if token.type != "fence" or token.map is None:
            continue
        first = token.map[0] + 1
        content = token.content.split("\n")
        last = content.pop()
        lines = [
            line + ("\r\n" if original[first + place].endswith("\r") else "\n") for place, line in enumerate(content)
        ]
        found.append("".join(lines) + last)
    return found


def _scanned(text: str) -> list[str]:
    """The code blocks of a text that would take long to parse: those whose fences stand in no list and no quote."""
    found: list[str] = []
    fence: _Fence | None = None
    indent = 0
    code: list[str] = []
    for place, line in enumerate(_split(text)):
        if fence is None:
            opener = _OPENER.match(line)
            if opener and not (opener[1][0] == "`" and "`" in line[opener.end() :]):
                fence, indent, code = _Fence(place, opener[1][0], len(opener[1])), opener.start(1), []
        elif fence.closed_by(line):
            found.append("".join(code))
            fence = None
        else:
            code.append(line[min(indent, len(line) - len(line.lstrip(" "))) :])
    return [*found, "".join(code)] if fence is not None else found
