"""Fenced code that is still open: lexed and laid out from where it changes, not from its beginning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any, Final

from msgspec import Struct

from coda_cli.markdown.code import (
    HIGHLIGHT_LIMIT,
    LONGEST_LINE,
    Lexer,
    checked,
    left_out,
    lex,
    lexer_soon,
    remember,
    syntax_key,
    unlit,
)
from coda_cli.markdown.render import expand, panel, panel_rows
from coda_cli.markdown.text import Line, Run, clean, split_lines
from coda_cli.tui.transcript.blocks import Block, Row, rows_of

# A regular expression can match a construct of many lines, and only with its last: tokens are final when so many
# lines follow. What is longer than that is put right when the fence closes.
_DOUBT: Final = 24
# Lexers that are no state machine of Pygments' own start again at most so many lines back, at an unindented line.
_WINDOW: Final = 120
_EVERY: Final = 0.2
"""Seconds from one lexing of all that is in doubt to the next; in between only new lines are lexed."""
_OPENER: Final = re.compile(r"( {0,3})(?:`{3,}|~{3,})[ \t]*(.*)")


class OpenFence:
    """The code of a fence as it grows. `block` is drawn in place; its `touched` is the first row that changed."""

    def __init__(self, opener: str, *, gap: bool, style: tuple[str, ...] = ()) -> None:
        found = _OPENER.match(opener)
        self._indent = len(found.group(1)) if found else 0
        info = clean(found.group(2)).split() if found else []
        self._info = " ".join(info)
        self._opener = opener
        self._language = info[0].lower() if info else ""
        self._code: list[str] = []
        """Complete lines, clean and without the opener's indentation."""
        self._size = 0
        self._lines: list[Line] = []
        self._partial = ""
        self._lexed = _Lexed()
        self._lexer: Lexer | None = None
        self._known = False
        self._doubted = 0.0
        self._raw: list[str] = []
        self._told: dict[int, str] = {}
        """What is said of lines that are shown shortened."""
        self.block = Block(self._draw, opener, gap, style)
        self._starts: list[int] = []
        """The row of the block at which each line begins, for lines that are laid out."""
        self._width = 0

    @property
    def taken(self) -> int:
        """How many complete lines it has."""
        return len(self._code)

    @property
    def settled(self) -> bool:
        """Whether its colours are those that lexing all of it at once gives."""
        return (
            not self._language
            or (self._lexer is None and self._known)
            or (self._lexer is not None and not self._lexed.doubtful and len(self._code) <= _DOUBT)
        )

    def update(self, lines: Sequence[str], partial: str, width: int, *, whole: bool = False) -> None:
        """Take complete *lines*, the next ones, and the beginning of the line after them; *whole*: there is no more."""
        first = len(self._code)
        self._raw += lines
        for line in lines:
            self._code.append(self._shortened(len(self._code), line.rstrip("\n")))
            self._size += len(line)
        if partial != self._partial or lines:
            self._partial = partial
        self.block.source = self._opener + "".join(self._raw) + partial
        self._redraw(min(first, self._colour(whole=whole)), width)

    def _clean(self, line: str) -> str:
        bare = line.lstrip(" ")
        return clean(line[min(self._indent, len(line) - len(bare)) :])

    def _shortened(self, at: int, line: str) -> str:
        """Line number *at*, clean and no longer than is shown."""
        bare = line.lstrip(" ")
        taken = min(self._indent, len(line) - len(bare))
        if len(line) - taken > LONGEST_LINE:
            self._told[at] = left_out(line[taken:])
            line = line[: taken + LONGEST_LINE]
        return self._clean(line)

    def _colour(self, *, whole: bool) -> int:
        """Bring the lines up to date, those in doubt too if *whole* or time; returns the first that changed."""
        code = [*self._code, self._shortened(len(self._code), self._partial)] if self._partial else self._code
        if self._lexer is None and self._language and not self._known and self._size <= HIGHLIGHT_LIMIT:
            lexer = lexer_soon(self._language)
            if lexer is not False:
                self._known, self._lexer = True, lexer
                first = 0 if lexer is not None else min(len(self._lines), len(self._code))
            else:
                first = max(0, len(self._lines) - 1)
        else:
            first = max(0, len(self._lines) - 1)
        if self._lexer is None or self._size > HIGHLIGHT_LIMIT:
            self._lines[first:] = [unlit(line)[0] for line in code[first:]]
            return first
        now = perf_counter()
        doubt = whole or now - self._doubted > _EVERY or len(self._code) - self._lexed.firm > 2 * _DOUBT
        if doubt:
            self._doubted = now
        first, lines = self._lexed.take(self._lexer, code, len(self._code), doubt=doubt)
        same = 0
        for old, new in zip(self._lines[first:], lines, strict=False):
            if old != new:
                break
            same += 1
        self._lines[first + same :] = lines[same:]
        return first + same

    def _redraw(self, first: int, width: int) -> None:
        """Lay out the lines from *first* on; rows before them stay."""
        block = self.block
        if block.rows is None or width != self._width or not self._starts:
            self._width = width
            block.rows = None
            block.lay(width)
            block.touched = 0
            return
        first = min(first, len(self._starts))
        start = self._starts[first] if first < len(self._starts) else len(block.rows)
        rows, starts = self._rows(self._with_told(first), width, start)
        old = block.rows[start:]
        same = 0
        for before, after in zip(old, rows, strict=False):
            if before.runs != after.runs or before.joint != after.joint:
                break
            rows[same] = before
            same += 1
        block.rows[start:] = rows
        self._starts[first:] = starts
        block.height = len(block.rows)
        block.touched = start + same

    def _with_told(self, first: int) -> list[Line]:
        """The lines from number *first* on, with what is said of some."""
        lines = self._lines[first:]
        for at, told in self._told.items():
            if 0 <= at - first < len(lines):
                lines[at - first] = [*lines[at - first], (told, ("fold",))]
        return lines

    def _rows(self, lines: Sequence[Line], width: int, at: int) -> tuple[list[Row], list[int]]:
        rows: list[Row] = []
        starts = []
        for line in panel(lines, "")[1:]:
            starts.append(at + len(rows))
            rows += rows_of(panel_rows(expand(line), width), self.block.style)
        return rows, starts

    def _draw(self, width: int) -> list[Line]:
        """All lines at another width."""
        self._width = width
        head, *lines = panel(self._with_told(0), self._info)
        out = panel_rows(head, width)
        self._starts = []
        for line in lines:
            self._starts.append(len(out) + self.block.gap)
            out += panel_rows(expand(line), width)
        return out

    def close(self, block: Block) -> Callable[[float], bool] | None:
        """The fence is finished as *block*: give it what is laid out. Returns what is left to do for its colours."""
        code = "\n".join(self._code)
        if self._partial:  # it was never closed
            code += ("\n" if self._code else "") + self._shortened(len(self._code), self._partial)
        if len(self._lines) == code.count("\n") + 1 and not self._indent:
            block.rows, block.height = self.block.rows, self.block.height
        if not self._language:
            return None
        if self.settled:
            remember(code, self._language, self._lines)
            return None
        return Relexing(code, self._language, self._lines, block).work


class _State(Struct):
    """Where lexing can begin: a line, and the lexer's states before it."""

    line: int = 0
    stack: tuple[str, ...] = ("root",)


class _Lexed:
    """How far code is lexed: up to `_firm` for good, up to `_loose` unless later lines change it."""

    def __init__(self) -> None:
        self._firm = _State()
        self._loose = _State()
        self.doubtful = False

    @property
    def firm(self) -> int:
        """How many lines are lexed for good."""
        return self._firm.line

    def take(self, lexer: Lexer, code: Sequence[str], complete: int, *, doubt: bool) -> tuple[int, list[Line]]:
        """Lex from the first line that has to be; with *doubt* also what is in doubt. Returns that line and the lines.

        *complete* lines of *code* are whole, the one after them may grow.
        """
        if not _resumable(lexer):
            return self._take_window(lexer, code)
        start = self._firm if doubt else self._loose
        first = start.line
        # The line before is there for what looks back; it is not lexed.
        before = code[first - 1] + "\n" if first else ""
        text = before + "\n".join(code[first:])
        base = len(before)
        last = base + sum(len(line) + 1 for line in code[first:complete])
        firm = base
        if doubt and complete - first > 2 * _DOUBT:
            firm = base + sum(len(line) + 1 for line in code[first : complete - _DOUBT])
        runs: Line = []
        firm_at = loose_at = base
        firm_stack = loose_stack = start.stack
        for end, states, run in _states(lexer, text, base, list(start.stack)):
            if run[0]:
                runs.append(run)
            if loose_at < end <= last and text[end - 1] == "\n":
                loose_at, loose_stack = end, tuple(states)
                if end <= firm:
                    firm_at, firm_stack = end, loose_stack
        self._loose = _State(first + text.count("\n", base, loose_at), loose_stack)
        if doubt:
            self._firm = _State(first + text.count("\n", base, firm_at), firm_stack)
        return first, checked(text[base:], runs)

    def _take_window(self, lexer: Lexer, code: Sequence[str]) -> tuple[int, list[Line]]:
        self.doubtful = True
        first = self._firm.line
        if len(code) > 2 * _WINDOW + first:
            at = len(code) - _WINDOW
            while at > first and (not code[at] or code[at][0] in " \t})]"):
                at -= 1
            self._firm = _State(at)
        text = "\n".join(code[first:])
        return first, checked(text, [run for run in lex(lexer, text) if run[0]])


class Relexing:
    """Lexes a finished fence once more as a whole, bit by bit, and puts its colours right where they differ."""

    def __init__(self, code: str, language: str, lines: list[Line] | None = None, block: Block | None = None) -> None:
        self._code, self._language, self._lines, self._block = code, language, lines, block
        self._runs: Iterator[Run] | None = None
        self._found: list[Line] = [[]]
        self._at = 0
        """How many characters are lexed."""

    def work(self, budget: float) -> bool:
        """Go on for *budget* seconds; whether it is done."""
        end = perf_counter() + budget
        if self._runs is None:
            lexer = lexer_soon(self._language)
            if lexer is False:
                return False
            if lexer is None or len(self._code) > HIGHLIGHT_LIMIT:
                return self._done(unlit(self._code))
            self._runs = lex(lexer, self._code)
        for count, (text, key) in enumerate(self._runs):
            if not self._code.startswith(text, self._at):  # as in `checked`
                return self._done(unlit(self._code))
            self._at += len(text)
            first, *others = split_lines([(text, key)])
            self._found[-1] += first
            self._found += others
            if count % 32 == 31 and perf_counter() > end:
                return False
        return self._done(self._found if self._at == len(self._code) else unlit(self._code))

    def _done(self, lines: list[Line]) -> bool:
        if len(self._code) <= HIGHLIGHT_LIMIT:
            remember(self._code, self._language, lines)
        if self._block is not None and lines != self._lines:
            self._block.rows = None
        return True


def _resumable(lexer: Lexer) -> bool:
    """Whether it is a state machine that nothing but Pygments' own loop runs."""
    from pygments.lexer import RegexLexer

    method = getattr(type(lexer), "get_tokens_unprocessed", None)
    return isinstance(lexer, RegexLexer) and method is RegexLexer.get_tokens_unprocessed


def _states(lexer: Any, text: str, at: int, stack: list[str]) -> Iterator[tuple[int, list[str], Run]]:
    """The runs of *text* from *at* on as Pygments' loop makes them, each with where its match ends and the states then.

    Pygments' own loop does not tell its states, and they are what lexing can be resumed with.
    """
    from pygments.token import Error, Whitespace, _TokenType

    table = lexer._tokens  # noqa: SLF001  # the compiled rules; tests compare with Pygments' own loop
    size = len(text)
    while True:
        for match_at, action, transition in table[stack[-1]]:
            if (match := match_at(text, at)) is None:
                continue
            found: list[Run] = []
            if type(action) is _TokenType:
                found.append((match.group(), syntax_key(action)))
            elif action is not None:
                found += [(value, syntax_key(kind)) for _, kind, value in action(lexer, match)]
            at = match.end()
            if transition is not None:
                _move(stack, transition)
            for run in found[:-1]:
                yield 0, stack, run
            yield at, stack, found[-1] if found else ("", ())
            break
        else:
            if at >= size:
                return
            if text[at] == "\n":
                stack[:] = ["root"]
                at += 1
                yield at, stack, ("\n", syntax_key(Whitespace))
            else:
                at += 1
                yield at, stack, (text[at - 1], syntax_key(Error))


def _move(stack: list[str], transition: Any) -> None:
    if isinstance(transition, int):
        del stack[max(len(stack) + transition, 1) :]
        return
    for state in (transition,) if isinstance(transition, str) else transition:
        if state == "#pop":
            if len(stack) > 1:
                stack.pop()
        else:
            stack.append(stack[-1] if state == "#push" else state)


def content_lines(source: str, opener: str) -> list[str]:
    """The lines of a finished block between its fences, with their newlines; *opener* is the opening line."""
    lines = [line + "\n" for line in source.removesuffix("\n").split("\n")]
    del lines[: lines.index(opener if opener.endswith("\n") else opener + "\n") + 1]
    mark = opener.strip()[:1]
    length = len(opener.strip()) - len(opener.strip().lstrip(mark))
    if lines:
        last = lines[-1].rstrip()
        bare = last.lstrip(" ")
        if len(last) - len(bare) <= 3 and len(bare) >= length and not bare.strip(mark):
            lines.pop()
    return lines
