"""Markdown to lines of styled runs, for a terminal.

Nothing is fetched, no markup but Markdown is understood, and a link or image always shows its true target. Code has
no frame, gutter or padding, so that what is selected with the mouse is the code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from coda_cli.engine.rendering.parsing import MAX_NESTING, block_tokens, parser
from coda_cli.markdown.code import highlight, lexer_for, shortened
from coda_cli.markdown.table import layout
from coda_cli.markdown.text import (
    HARD,
    PANEL,
    Key,
    Line,
    Run,
    cells,
    clean,
    fold,
    line_cells,
    marked,
    plain,
    split_lines,
    wrap,
)

if TYPE_CHECKING:
    from markdown_it.token import Token

# Inline parsing of one paragraph is not linear for hostile input; past this many characters it is shown as text.
_INLINE_LIMIT: Final = 30_000
_RULE_WIDTH: Final = 72
_MIN_WIDTH: Final = 8
_HURRIED: Final = 4000
"""Characters of code in a list or quote that is drawn again and again, from which on it waits for its colours."""
# What may be a link that a click opens, and what a terminal is told about: nothing that leads to a file or a script.
_SAFE_URL: Final = re.compile(r"(?:https?://|mailto:)[!-~]+", re.IGNORECASE)
_BARE_URL: Final = re.compile(r"\bhttps?://[!-;=?-~]+")
_BOXES: Final = {"[ ] ": "☐", "[x] ": "☑", "[X] ": "☑"}
_MARKED: Final = re.compile(r"[\n\\`*_~\[<&$]")
"""What an inline rule can begin with; text without it is text, and needs no parser: most cells of a table."""
_SUPERSCRIPT: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SPANS: Final = {"strong": "strong", "em": "em", "s": "strike", "link": "link"}


def warm() -> None:
    """Import and build what the first render would wait for, some 0.1 s: for a thread while nothing else is to do."""
    MarkdownRenderer(widget=True).render("`a` | *b*\n\n```python\nx\n```", 80)
    for language in ("bash", "json", "javascript"):
        lexer_for(language)


class ListShape(Struct, frozen=True):
    """What all items of a list depend on: the first number, the last one, and whether empty lines part them."""

    number: int
    last: int
    loose: bool


def list_shape(token: Token, inner: Sequence[Token], count: int) -> ListShape:
    """The shape of a list of *count* items: its opening token and those inside."""
    first = token.attrGet("start")
    number = first if isinstance(first, int) else 1
    loose = any(part.type == "paragraph_open" and part.level == token.level + 2 and not part.hidden for part in inner)
    return ListShape(number, number + count - 1, loose)


class MarkdownRenderer:
    """Renders Markdown source, block by block. `rendered_chars` counts the source characters of all calls."""

    def __init__(self, *, colour: bool = True, unicode: bool = True, widget: bool = False, wait: bool = True) -> None:
        """Without *colour* headings, emphasis and inline code keep their Markdown marks; without *unicode*, ASCII.

        For a *widget*, which draws, copies and answers clicks by itself, lines also hold what is no text: the empty
        runs SOFT, HARD and PANEL, the targets of links as style names that begin with "@", and TeX in Unicode with its
        source as a name that begins with "=". Without *wait*, code is plain until its lexer is built in a thread.
        """
        self._colour = colour
        self._widget = widget
        self.missed: set[str] | None = None if wait else set()
        """Languages whose code was shown plain because there was no lexer yet."""
        self.later: dict[tuple[str, str], None] | None = None if wait else {}
        """Languages and code that were shown plain because to lex them takes long."""
        self.put_off = 0
        """How often code was shown plain for either reason."""
        self._unicode = unicode
        self._bullet, self._bar = ("• ", "│ ") if unicode else ("- ", "| ")
        self._references: dict[str, dict[str, object]] = {}
        self._within: ListShape | None = None
        self._open = False
        self.rendered_chars = 0

    def render(
        self,
        source: str,
        width: int,
        *,
        folded: bool = False,
        references: Mapping[str, dict[str, object]] | None = None,
        within: ListShape | None = None,
        growing: bool = False,
    ) -> list[Line]:
        """The lines of *source* at *width* cells, blocks apart by an empty line.

        Prose is wrapped. Code and words wider than the screen stay whole, for the terminal to wrap and to copy in one
        piece, unless *folded*: then no line is wider than *width*. *references* are link definitions from before. The
        first list of *source* is a part of a longer one that is *within* that shape. What is still *growing*, and so
        is drawn often, has long code without colour.
        """
        self.rendered_chars += len(source)
        self._within, self._open = within, growing
        self._references = dict(references or {})
        width = max(width, _MIN_WIDTH)
        tokens = block_tokens(source, self._references)
        if any(token.level >= MAX_NESTING - 1 for token in tokens):
            lines: list[Line] = [[(line, ())] for line in clean(source).rstrip("\n").split("\n")]
        else:
            lines = self._blocks(tokens, width)
        if not folded:
            return lines
        return [part for line in lines for part in self._folded(expand(line), width)]

    def _folded(self, line: Line, width: int) -> list[Line]:
        if line[:1] == [PANEL]:
            return panel_rows(line, width)
        if not self._widget or line_cells(line) <= width:
            return fold(line, width)
        marks = [run for run in line if not run[0]]
        pieces = fold(line, width)
        return [[*marks, *pieces[0]], *([HARD, *piece] for piece in pieces[1:])]

    def _wrapped(self, line: Line, width: int) -> list[Line]:
        pieces = wrap(line, width)
        return marked(line, pieces) if self._widget else pieces

    def _blocks(self, tokens: Sequence[Token], width: int, *, tight: bool = False) -> list[Line]:
        lines: list[Line] = []
        at = 0
        while at < len(tokens):
            end = _closing(tokens, at)
            block = self._block(tokens[at], tokens[at + 1 : end], max(width, _MIN_WIDTH))
            if block and lines and not tight:
                lines.append([])
            lines += block
            at = end + 1
        return lines

    def _block(self, token: Token, inner: Sequence[Token], width: int) -> list[Line]:
        match token.type:
            case "heading_open":
                return self._heading(token, inner, width)
            case "fence" | "code_block":
                return self._code(token)
            case "bullet_list_open" | "ordered_list_open":
                return self._list(token, inner, width)
            case "blockquote_open":
                body = self._blocks(inner, width - 2)
                return [[(self._bar, ("quote_bar",)), *_under(line, "quote")] for line in body]
            case "table_open":
                return self._table(inner, width)
            case "footnotes_open":
                return self._footnotes(inner, width)
            case "hr":
                return [[(("─" if self._unicode else "-") * min(width, _RULE_WIDTH), ("rule",))]]
            case "html_block":
                return [[(line, ("html",))] for line in clean(token.content).rstrip("\n").split("\n")]
            case "inline":
                return self._prose(token, width)
            case _:  # a paragraph, or a container of a kind that is not known here
                return self._blocks(inner, width, tight=True)

    def _prose(self, token: Token, width: int, key: Key = ()) -> list[Line]:
        return [part for line in split_lines(self._inline(token, key)) for part in self._wrapped(line, width)]

    def _heading(self, token: Token, inner: Sequence[Token], width: int) -> list[Line]:
        level = int(token.tag[1:])
        key = (f"heading{min(level, 3)}",)
        lines = [line for part in inner for line in self._prose(part, width, key)]
        if not self._colour and lines:
            lines[0] = [("#" * level + " ", key), *lines[0]]
        return lines

    def _code(self, token: Token) -> list[Line]:
        code = clean(token.content)
        code = code.removesuffix("\n")
        info = clean(token.info).split()
        lit = info and self._colour and not (self._open and len(code) > _HURRIED)
        code, told = shortened(code) if self._widget else (code, {})
        lines = self._lit(code, info[0].lower() if lit else "")
        if told:
            lines = [[*line, (told[at], ("fold",))] if at in told else line for at, line in enumerate(lines)]
        if self._widget and token.level == 0:
            return panel(lines, " ".join(info))
        if token.type == "code_block":
            return lines
        # The fence stays, dim: it shows where code begins and ends without touching a column of it.
        return [[(f"{token.markup}{' '.join(info)}", ("fence",))], *lines, [(token.markup, ("fence",))]]

    def _lit(self, code: str, language: str) -> list[Line]:
        if self.missed is None or self.later is None:
            return highlight(code, language)
        there = len(self.missed), len(self.later)
        wanted = (language, code) in self.later or language in self.missed
        lines = highlight(code, language, missed=self.missed, later=self.later)
        self.put_off += wanted or there != (len(self.missed), len(self.later))
        return lines

    def _list(self, token: Token, inner: Sequence[Token], width: int) -> list[Line]:
        items = _children(inner)
        shape = list_shape(token, inner, len(items))
        if self._within is not None and token.level == 0:
            shape, self._within = self._within, None
        number, loose = shape.number, shape.loose
        size = len(str(shape.last)) + 2 if token.type == "ordered_list_open" else 2
        lines: list[Line] = []
        for place, (_, item) in enumerate(items):
            mark = f"{number + place}{token.markup} ".rjust(size) if size > 2 else self._bullet
            body = self._blocks(item, width - size, tight=not loose) or [[]]
            if self._widget:
                _tick(body[0])
            if loose and lines:
                lines.append([])
            lines += _hung((mark, ("marker",)), size, body)
        return lines

    def _footnotes(self, inner: Sequence[Token], width: int) -> list[Line]:
        lines: list[Line] = []
        for token, note in _children(inner):
            mark = self._footnote(token.info)
            size = cells(mark) + 1
            lines += _hung((f"{mark} ", ("marker",)), size, self._blocks(note, width - size) or [[]])
        return lines

    def _footnote(self, label: str) -> str:
        """The label of a footnote as it is seen, in the text and before the note."""
        label = clean(label)
        if label.isascii() and label.isdigit():
            return label.translate(_SUPERSCRIPT) if self._unicode else f"[{label}]"
        return f"[^{label}]"

    def _table(self, inner: Sequence[Token], width: int) -> list[Line]:
        rows, aligns = self._cells(inner)
        return layout(rows, aligns, width, unicode=self._unicode)

    def table(
        self, source: str, references: Mapping[str, dict[str, object]]
    ) -> tuple[list[list[Line]], list[str], int] | None:
        """The cells, the alignments and the number of lines of the table that *source* begins with, if it does."""
        self.rendered_chars += len(source)
        self._references = dict(references)
        tokens = block_tokens(source, self._references)
        if not tokens or tokens[0].type != "table_open" or tokens[0].map is None or tokens[0].map[0]:
            return None
        return (*self._cells(tokens[1 : _closing(tokens, 0)]), tokens[0].map[1])

    def _cells(self, inner: Sequence[Token]) -> tuple[list[list[Line]], list[str]]:
        rows: list[list[Line]] = []
        aligns: list[str] = []
        for at, token in enumerate(inner):
            if token.type == "tr_open":
                rows.append([])
            elif token.type in ("th_open", "td_open"):
                header = token.type == "th_open"
                if header:
                    aligns.append(str(token.attrGet("style") or "").rpartition(":")[2])
                rows[-1].append(self._inline(inner[at + 1], ("table_header",) if header else ()))
        return rows, aligns

    def _inline(self, token: Token, key: Key = ()) -> Line:
        """The runs of one inline token; a line break is a run of a newline."""
        if len(token.content) > _INLINE_LIMIT:
            return [(clean(token.content), key)]
        if not _MARKED.search(token.content):
            return self._text(token.content, key)
        children: list[Token] = []
        made = parser()
        made.inline.parse(token.content, made, {"references": self._references}, children)
        runs: Line = []
        styles: list[str] = []
        links: list[tuple[int, str]] = []
        for place, child in enumerate(children):
            if place and child.type == children[place - 1].type == "footnote_mark":
                runs.append((" ", key))
            name, _, side = child.type.rpartition("_")
            if side == "open" and name in _SPANS:
                if name == "link":
                    links.append((len(runs), str(child.attrGet("href") or "")))
                styles.append(_SPANS[name])
            elif side == "close" and name in _SPANS:
                styles.pop()
                if name == "link":
                    start, target = links.pop()
                    label = plain(runs[start:])
                    if self._widget:
                        runs[start:] = _linked(runs[start:], target)
                    runs += _target(label, target, key)
            else:
                runs += self._leaf(child, (*key, *styles))
        return runs

    def _math(self, source: str, key: Key) -> Line:
        from coda_cli.markdown.tex import approximate  # its tables are not needed for the first screen

        if self._widget and (text := approximate(source)) is not None:
            return [(text, (*key, f"={source}"))]
        return [(source, key)]

    def _leaf(self, token: Token, key: Key) -> Line:
        match token.type:
            case "softbreak" | "hardbreak":
                return [("\n", ())]
            case "code_inline":
                text = clean(token.content).replace("\n", " ")
                return [(text if self._colour else f"`{text}`", (*key, "code"))]
            case "image":
                label = clean(token.content).replace("\n", " ")
                url = clean(str(token.attrGet("src") or ""))
                return [(f"[image: {label}]", (*key, "image")), (f" ({url})", (*key, "url"))]
            case "html_inline":
                if token.content.lower().replace(" ", "").rstrip("/>") == "<br":
                    return [("\n", ())]
                return [(clean(token.content).replace("\n", " "), (*key, "html"))]
            case "footnote_mark":
                # For a widget with its source, as TeX.
                source = (f"=[^{token.content}]",) if self._widget else ()
                return [(self._footnote(token.content), (*key, "marker", *source))]
            case "math_inline":
                return self._math(clean(token.content), (*key, "math"))
            case _:
                return self._text(token.content, key)

    def _text(self, content: str, key: Key) -> Line:
        text = clean(content).replace("\n", " ").expandtabs(4)
        if self._widget and "://" in text and "link" not in key:
            return _bare_links(text, key)
        return [(text, key)] if text else []


def panel(lines: Sequence[Line], info: str) -> list[Line]:
    """Lines of code as they stand in a panel of their own, under a line that names the language."""
    return [[PANEL, (info or "code", ("fence",))], *([PANEL, *line] for line in lines)]


def panel_rows(line: Line, width: int) -> list[Line]:
    """A line of a panel at *width*, with a cell of padding on both sides; what is folded has a mark before it."""
    code = line[1:]
    if line_cells(code) <= width - 2:
        return [[PANEL, (" ", ("pad",)), *code]]
    first, *others = fold(code, max(width - 4, 1))
    return [[PANEL, (" ", ("pad",)), *first], *([PANEL, HARD, (" ↪ ", ("fold",)), *piece] for piece in others)]


def _tick(line: Line) -> None:
    """A task's box, `[ ]` or `[x]` at the start of an item, as a box."""
    if line and (box := _BOXES.get(line[0][0][:4])) is not None:
        text, key = line[0]
        line[0] = (text[4:], key)
        line.insert(0, (f"{box} ", ("marker",)))


def _target(label: str, target: str, key: Key) -> Line:
    url = clean(target).replace("\n", " ")
    return [] if url in (label, f"mailto:{label}") else [(f" ({url})", (*key, "url"))]


def _linked(runs: Line, target: str) -> Line:
    url = clean(target)
    return [(text, (*key, f"@{url}")) for text, key in runs] if _SAFE_URL.fullmatch(url) else runs


def _bare_links(text: str, key: Key) -> Line:
    runs: Line = []
    at = 0
    for match in _BARE_URL.finditer(text):
        url = match.group().rstrip(".,;:!?'*_")
        if url.endswith(")") and "(" not in url:
            url = url.rstrip(")")
        if before := text[at : match.start()]:
            runs.append((before, key))
        runs += _linked([(url, (*key, "link"))], url)
        at = match.start() + len(url)
    return [*runs, (text[at:], key)] if at < len(text) else runs


def _under(line: Line, name: str) -> Line:
    return [(text, (name, *key)) for text, key in line]


def expand(line: Line) -> Line:
    """Tabs as spaces, as a terminal would show them."""
    if not any("\t" in text for text, _ in line):
        return line
    out: Line = []
    for text, key in line:
        column = line_cells(out)
        out.append(((" " * (column % 8) + text).expandtabs(8)[column % 8 :], key))
    return out


def _children(inner: Sequence[Token]) -> list[tuple[Token, Sequence[Token]]]:
    """The containers that follow one another in *inner*: the token that opens each, and those inside."""
    found: list[tuple[Token, Sequence[Token]]] = []
    at = 0
    while at < len(inner):
        end = _closing(inner, at)
        found.append((inner[at], inner[at + 1 : end]))
        at = end + 1
    return found


def _hung(mark: Run, size: int, body: Sequence[Line]) -> list[Line]:
    """The lines of *body* with *mark* before the first and as many cells, *size*, before the others."""
    return [[mark, *body[0]], *([(" " * size, ("indent",)), *line] if line else [] for line in body[1:])]


def _closing(tokens: Sequence[Token], at: int) -> int:
    """The index of the token that closes the one at *at*; itself if it opens nothing."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place].nesting
        if depth <= 0:
            return place
    return len(tokens)
