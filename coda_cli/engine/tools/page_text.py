"""A page of the web as text: HTML to plain Markdown, in one pass whose time grows with the page and no faster.

Nothing is run, loaded or shown as an image. What a browser does not show (scripts, hidden elements, letters that cannot
be seen) is left out: a page must not say to the model what it does not say to a person. The standard library's parser
is not used: its time grows with the square of some broken pages.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

_SKIPPED: Final = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "canvas", "iframe", "object", "audio", "video", "select"}
    | {"button", "datalist", "dialog", "map", "noembed", "noframes", "xmp"}
)
_RAW: Final = frozenset({"script", "style", "iframe", "noembed", "noframes", "xmp", "noscript", "textarea", "title"})
_VOID: Final = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
_BLOCKS: Final = frozenset(
    {
        "address",
        "article",
        "aside",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
    }
    | {"figcaption", "footer", "form", "header", "html", "legend", "main", "nav", "p", "section", "summary", "table"}
    | {"tbody", "tfoot", "thead", "tr", "ul", "ol", "li", "pre", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr"}
)
_AROUND: Final = frozenset({"nav", "footer", "aside"})
_CLOSED_BY_NEXT: Final = frozenset({"p", "li", "td", "th", "tr", "dt", "dd", "option"})
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][^\s/>\x00]{0,40})")
_BLANKS: Final = re.compile(r"[\s/]*")
_HUGE: Final = re.compile(r"&#(?:\d{8,}|[xX][0-9a-fA-F]{7,});?")
_ATTRIBUTE: Final = re.compile(r"""([^\s/>=][^\s/>=]{0,60})(?:\s{0,20}=\s{0,20}("[^"]*"|'[^']*'|[^\s>"']+))?""")
_HIDDEN: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])")
_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ud800-\udfff"
    r"\U000e0000-\U000e0fff]"
)
_ENOUGH: Final = 200
"""Letters of the main part that make it the page."""


def seen(text: str) -> str:
    """*text* without letters that cannot be seen."""
    return _UNSEEN.sub("", text)


def markdown(page: str, link: Callable[[str], str | None]) -> str:
    """*page* (HTML) as Markdown. `link` gives the whole address of a link, None for one that is left out."""
    reader = _Reader(page, link)
    reader.read()
    text = reader.text()
    title = " ".join(seen(reader.title).split())
    return text if not title or text.startswith(f"# {title}\n") else f"# {title}\n\n{text}"


class _Block(Struct):
    text: str
    main: bool
    around: bool
    close: bool  # no empty line before it: it is of one list or table with the one before


class _Reader:
    """Tags open and close counters and blocks; nothing is nested, so nothing can be too deep."""

    def __init__(self, page: str, link: Callable[[str], str | None]) -> None:
        self._page = page
        self._link = link
        self.title = ""
        self._blocks: list[_Block] = []
        self._line: list[str] = []
        self._open: dict[str, int] = {}
        self._lists: list[int] = []  # next number, 0 for one without
        self._prefix = ""
        self._close = False
        self._href: str | None = None
        self._href_at = 0

    def read(self) -> None:
        """Take in the whole page."""
        place, page = 0, self._page
        while place < len(page):
            start = page.find("<", place)
            if start < 0:
                self._letters(page[place:])
                break
            self._letters(page[place:start])
            place = self._markup(start)
        self._end()

    def text(self) -> str:
        """The main part if the page names one, else all but what is around it, else all."""
        for wanted in (
            [block for block in self._blocks if block.main and not block.around],
            [block for block in self._blocks if not block.around],
        ):
            if sum(len(block.text) for block in wanted) >= _ENOUGH:
                return _joined(wanted)
        return _joined(self._blocks)

    def _markup(self, start: int) -> int:
        """What begins with `<` at *start*; where it ends."""
        page = self._page
        if page.startswith("<!--", start):
            end = page.find("-->", start + 4)
            return len(page) if end < 0 else end + 3
        if page.startswith(("<!", "<?"), start):
            end = page.find(">", start)
            return len(page) if end < 0 else end + 1
        tag = _TAG.match(page, start)
        if tag is None:
            self._letters("<")
            return start + 1
        name = tag[2].lower()
        attributes, place = self._attributes(tag.end())
        if tag[1]:
            self._closed(name)
            return place
        if name in _RAW:
            return self._raw(name, place)
        if name in _SKIPPED or _is_hidden(attributes):
            return place if name in _VOID else self._skip(name, place)
        self._opened(name, attributes)
        return place

    def _attributes(self, place: int) -> tuple[dict[str, str], int]:
        found: dict[str, str] = {}
        page = self._page
        while place < len(page):
            blanks = _BLANKS.match(page, place)
            place = blanks.end() if blanks else place
            if page.startswith(">", place):
                return found, place + 1
            match = _ATTRIBUTE.match(page, place)
            if match is None:
                place += 1
                continue
            if len(found) < 50:
                found.setdefault(match[1].lower(), _unescaped((match[2] or "").strip("\"'")[:4000]))
            place = match.end()
        return found, place

    def _raw(self, name: str, place: int) -> int:
        """An element in which no tag is read: to its end tag."""
        end = _end_tag(name).search(self._page, place)
        stop = end.start() if end else len(self._page)
        if name == "title" and not self.title:
            self.title = _unescaped(self._page[place : min(stop, place + 1000)])
        return end.end() if end else stop

    def _skip(self, name: str, place: int) -> int:
        """An element that is not shown: to the end tag that belongs to it."""
        depth = 1
        for tag in _tags(name).finditer(self._page, place):
            closing = tag[1] == "/"
            if not closing and name in _CLOSED_BY_NEXT:
                return tag.start()
            depth += -1 if closing else 1
            if depth == 0:
                end = self._page.find(">", tag.end())
                return len(self._page) if end < 0 else end + 1
        return len(self._page)

    def _opened(self, name: str, attributes: dict[str, str]) -> None:
        if name in _BLOCKS:
            self._end()
        if name not in _VOID:
            self._open[name] = self._open.get(name, 0) + 1
        if name in ("ul", "ol"):
            self._lists.append(1 if name == "ol" else 0)
        elif name == "li":
            self._item()
        elif name[0] == "h" and name[1:] in ("1", "2", "3", "4", "5", "6"):
            self._prefix = "#" * int(name[1]) + " "
        elif name == "br":
            self._line.append("\n")
        elif name == "hr":
            self._add("---")
        elif name in ("td", "th"):
            self._line.append(" | " if self._line else "")
            self._close = True
        elif name == "code" and not self._open.get("pre"):
            self._line.append("`")
        elif name == "a" and self._href is None:
            self._href = self._link(attributes["href"]) if attributes.get("href") else None
            self._href_at = len(self._line)

    def _closed(self, name: str) -> None:
        if name in _BLOCKS:
            self._end(preformatted=name == "pre")
        elif name == "a":
            self._end_link()
        elif name == "code" and self._open.get("code") and not self._open.get("pre"):
            self._line.append("`")
        if name in ("ul", "ol") and self._lists:
            self._lists.pop()
        if name in _BLOCKS and name != "p":
            self._prefix = ""
        if self._open.get(name):
            self._open[name] -= 1

    def _item(self) -> None:
        number = self._lists[-1] if self._lists else 0
        if number:
            self._lists[-1] += 1
        self._prefix = "  " * (min(len(self._lists), 8) - 1) + (f"{number}. " if number else "- ")
        self._close = bool(self._blocks) and self._blocks[-1].text.lstrip()[:1] in "-0123456789"

    def _letters(self, letters: str) -> None:
        if not letters:
            return
        text = _unescaped(letters)
        if not self._open.get("pre"):
            text = re.sub(r"\s+", " ", text)
        self._line.append(text)

    def _end_link(self) -> None:
        if self._href is None:
            return
        words = " ".join("".join(self._line[self._href_at :]).split())
        if words:
            del self._line[self._href_at :]
            self._line.append(f"[{words}]({self._href}) ")
        self._href = None

    def _end(self, *, preformatted: bool = False) -> None:
        self._end_link()
        text = seen("".join(self._line))
        self._line.clear()
        self._href_at = 0
        if preformatted or self._open.get("pre"):
            text = text.strip("\n")
            text = f"```\n{text}\n```" if text.strip() else ""
        else:
            text = "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()
        if not text:
            return  # the prefix waits for what follows: <li><p>
        self._add(self._prefix + text)
        self._prefix = ""

    def _add(self, text: str) -> None:
        if self._open.get("blockquote"):
            text = "\n".join(f"> {line}" for line in text.split("\n"))
        main = bool(self._open.get("main") or self._open.get("article"))
        around = any(self._open.get(name) for name in _AROUND)
        self._blocks.append(_Block(text, main, around, self._close))
        self._close = False


def _joined(blocks: list[_Block]) -> str:
    pieces: list[str] = []
    for block in blocks:
        pieces.append(("\n" if block.close else "\n\n") + block.text if pieces else block.text)
    return "".join(pieces)


def _unescaped(text: str) -> str:
    """Character references read; not those of no character, whose digits Python may refuse to count."""
    return html.unescape(_HUGE.sub("\ufffd", text)) if "&" in text else text


def _is_hidden(attributes: dict[str, str]) -> bool:
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden", "").lower() == "true"
        or _HIDDEN.search(attributes.get("style", "").lower()) is not None
    )


def _end_tag(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{re.escape(name)}(?=[\s/>])[^>]*>?", re.IGNORECASE)


def _tags(name: str) -> re.Pattern[str]:
    return re.compile(rf"<(/?){re.escape(name)}(?=[\s/>])", re.IGNORECASE)
