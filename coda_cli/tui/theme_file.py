"""One theme: its file (TOML), checked, and what Textual's widgets and the transcript need of it.

A file, all of it optional but what it wants to change::

    name = "What the list of themes calls it"
    dark = true
    [colors]            # names of one's own for colours, to be used below as `$name`
    [palette]           # Textual's names: primary, background, ...; and `dim`, for what is less important
    [markdown]          # Rich styles of an answer: "bold $primary", "italic #aabbcc on $surface"
    [syntax]            # those of code
    [chat]              # those of the chat itself

What is missing comes from the palette, and what is missing there from the default theme. What is wrong is left out
and told: a theme never ends the program. A theme is known by the name of its file. Its palette is either made of true
colours or of the terminal's own sixteen (`ansi_blue`), which fit every terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.settings.files import parse_toml

if TYPE_CHECKING:
    from textual.color import Color
    from textual.theme import Theme

# The palettes of coda-dark and coda-light, which stand in for what a file does not say (a test compares them).
PALETTES: Final[Mapping[bool, Mapping[str, str]]] = {
    True: {
        "primary": "#82b7ff", "secondary": "#c2a8ff", "accent": "#5fd7c4", "foreground": "#e1e5ec",
        "background": "#14171d", "surface": "#1b1f27", "panel": "#242a34", "success": "#8fd694", "warning": "#f0c674",
        "error": "#ff8f87", "dim": "#98a2b3",
    },
    False: {
        "primary": "#0b55b3", "secondary": "#6b32ad", "accent": "#00635a", "foreground": "#22262d",
        "background": "#fcfcfa", "surface": "#f3f2ee", "panel": "#e8e7e1", "success": "#1c652a", "warning": "#744d00",
        "error": "#ad1f1a", "dim": "#565c66",
    },
}  # fmt: skip
PALETTE: Final = frozenset(PALETTES[True]) | {"boost"}

_MARKDOWN: Final[Mapping[str, str]] = {
    "heading1": "bold underline $primary", "heading2": "bold $primary", "heading3": "bold italic $primary",
    "strong": "bold", "em": "italic", "strike": "strike", "code": "$accent", "code_block": "", "fence": "$dim",
    "quote": "italic", "quote_bar": "$dim", "link": "underline $primary", "url": "$dim", "image": "$secondary",
    "marker": "$accent", "table_header": "bold", "table_border": "$dim", "rule": "$dim", "html": "$dim",
    "math": "$warning", "note": "$warning",
}  # fmt: skip
_SYNTAX: Final[Mapping[str, str]] = {
    "comment": "italic $dim", "keyword": "$secondary", "string": "$success", "number": "$warning",
    "function": "$primary", "class": "$accent", "builtin": "$accent", "decorator": "$warning", "tag": "$primary",
    "attribute": "$accent", "inserted": "$success", "deleted": "$error", "heading": "bold",
}  # fmt: skip
_CHAT: Final[Mapping[str, str]] = {
    "user": "bold $primary", "user_text": "", "assistant": "bold $accent", "system": "bold $dim",
    "reasoning": "italic $dim", "tool": "bold $secondary", "tool_ok": "$success", "tool_bad": "$error",
    "error": "$error", "hint": "$warning", "warning": "$warning", "summary": "italic $dim", "muted": "$dim",
    "button": "underline $primary", "pin": "$warning", "panel": "", "find": "$background on $warning",
    "find_current": "bold $background on $accent", "selection": "$background on $primary", "cursor": "$accent",
    "bar": "$dim", "bar_thumb": "$primary", "fold": "$dim", "pill": "bold $background on $primary",
}  # fmt: skip
# In sixteen colours nobody knows what stands out from what: there it is attributes that do.
_CHAT_ANSI: Final[Mapping[str, str]] = {
    "reasoning": "dim italic", "summary": "dim italic", "muted": "dim", "system": "bold dim", "bar": "dim",
    "fold": "dim", "find": "reverse", "find_current": "bold underline reverse", "selection": "reverse",
    "pill": "bold reverse",
}  # fmt: skip
_TABLES: Final[Mapping[str, Mapping[str, str]]] = {"markdown": _MARKDOWN, "syntax": _SYNTAX, "chat": _CHAT}
_KEYS: Final = ("name", "dark", "colors", "palette", *_TABLES)

_REFERENCE: Final = re.compile(r"\$([A-Za-z][A-Za-z0-9_-]*)")
# What Textual's own widgets need in sixteen colours, so that it can be read on light and on dark.
_ANSI_VARIABLES: Final[Mapping[str, str]] = {
    "text-muted": "ansi_default", "ansi-background": "ansi_default", "ansi-foreground": "ansi_default",
    "block-cursor-foreground": "ansi_bright_white",
    "block-cursor-background": "ansi_blue", "border": "ansi_blue", "border-blurred": "ansi_bright_black",
    "input-selection-foreground": "ansi_bright_white", "input-selection-background": "ansi_blue",
    "screen-selection-foreground": "ansi_bright_white", "screen-selection-background": "ansi_blue",
    "link-color-hover": "ansi_bright_white", "link-background-hover": "ansi_blue",
    "scrollbar-background": "ansi_default", "scrollbar-background-hover": "ansi_default",
    "scrollbar-background-active": "ansi_default", "footer-key-foreground": "ansi_blue",
}  # fmt: skip


class ChatTheme(Struct, frozen=True):
    """A theme, ready for use: `palette` holds colours, `styles` Rich styles (`code`, `syntax.keyword`, `user`, ...).

    `title` is safe to show. `problems` is what was wrong with its file and has been left out.
    """

    name: str
    title: str
    dark: bool
    palette: Mapping[str, str]
    styles: Mapping[str, str]
    own: bool = False
    problems: tuple[str, ...] = ()

    @property
    def ansi(self) -> bool:
        """Whether it is made of the terminal's own sixteen colours."""
        return self.palette["foreground"].startswith("ansi_")

    @property
    def foreground(self) -> str:
        """The colour of text, as Rich names it."""
        return _for_rich(self.palette["foreground"])

    @property
    def background(self) -> str:
        """The colour that everything stands on, as Rich names it."""
        return _for_rich(self.palette["background"])

    def tables(self) -> dict[str, dict[str, str]]:
        """The styles as a theme file has them, complete: the tables `markdown`, `syntax` and `chat`."""
        return {
            table: {name: self.styles[_key(table, name)] for name in defaults} for table, defaults in _TABLES.items()
        }

    def textual(self) -> Theme:
        """The same for Textual's widgets. `$dim` is there for them, and `$chat-NAME` for each style with a colour."""
        from rich.style import Style
        from textual.theme import Theme

        colours = {name: value for name, value in self.palette.items() if name != "dim"}
        variables = dict(_ANSI_VARIABLES) if self.ansi else {"text-muted": self.palette["dim"]}
        variables["dim"] = self.palette["dim"]
        for name in (*_CHAT, "note"):
            colour = Style.parse(self.styles[name]).color
            plain = self.palette["foreground"] if colour is None else _for_textual(colour.name)
            variables[f"chat-{name.replace('_', '-')}"] = plain
        return Theme(name=self.name, dark=self.dark, ansi=self.ansi, variables=variables, **colours)  # type: ignore[arg-type]  # checked names, text all


class ThemeFile:
    """One file on its way to a theme: what it gives over what it leaves out, and what is wrong with it."""

    def __init__(self, path: Path, text: str, *, own: bool) -> None:
        """Raises ConfigError for what is no TOML."""
        self._path, self._text, self._own = path, text, own
        self._data = parse_toml(text, path)
        self._problems: list[str] = []
        self._lines: dict[tuple[str, ...], int] | None = None
        self._colours: dict[str, str] = {}

    def theme(self) -> ChatTheme:
        """The theme that it makes."""
        for key in self._data:
            if key not in _KEYS:
                self._wrong((key,), "there is no such key", among=_KEYS)
        dark = self._data.get("dark", True)
        if not isinstance(dark, bool):
            self._wrong(("dark",), "expected true or false")
            dark = True
        title = self._data.get("name", self._path.stem)
        if not isinstance(title, str):
            self._wrong(("name",), "expected text in quotes")
            title = self._path.stem
        palette = self._palette(dark=dark)
        styles = self._styles(palette)
        title = " ".join(sanitize(title).split())[:60]
        return ChatTheme(self._path.stem, title, dark, palette, styles, self._own, tuple(self._problems))

    def _palette(self, *, dark: bool) -> dict[str, str]:
        for name, value in self._table("colors"):
            if _REFERENCE.fullmatch(f"${name}") is None:
                self._wrong(("colors", name), "a name begins with a letter and has letters, digits, `-` and `_`")
            elif (colour := self._colour(("colors", name), value)) is not None:
                self._colours[name] = colour
        given: dict[str, str] = {}
        for name, value in self._table("palette"):
            if name not in PALETTE:
                self._wrong(("palette", name), "there is no such colour", among=PALETTE)
            elif (colour := self._colour(("palette", name), value)) is not None:
                given[name] = colour
        if any(colour.startswith("ansi_") for colour in given.values()):
            return self._of_sixteen(given)
        palette = {**PALETTES[dark], **given}
        if {"foreground", "background"} & given.keys() and "dim" not in given:
            palette["dim"] = _dimmed(palette["foreground"], palette["background"])
        for name in ("surface", "panel"):
            if "background" in given and name not in given:
                palette[name] = _blended(palette["background"], palette["foreground"], 0.05)
        return palette

    def _of_sixteen(self, given: dict[str, str]) -> dict[str, str]:
        """A palette is of one kind: what the terminal does with its own colours nobody can mix or compare."""
        for name, colour in given.items():
            if not colour.startswith("ansi_"):
                self._wrong(("palette", name), "does not go together with the terminal's own colours (`ansi_...`)")
        plain = dict.fromkeys(PALETTES[True], "ansi_default")
        return {**plain, **{name: colour for name, colour in given.items() if colour.startswith("ansi_")}}

    def _styles(self, palette: Mapping[str, str]) -> dict[str, str]:
        known = {**palette, **self._colours}
        styles: dict[str, str] = {}
        ansi = palette["foreground"].startswith("ansi_")
        for table, defaults in _TABLES.items():
            if ansi and table == "chat":
                defaults = {**defaults, **_CHAT_ANSI}
            for name, default in defaults.items():
                styles[_key(table, name)] = _REFERENCE.sub(lambda found: _for_rich(known[found[1]]), default)
            for name, value in self._table(table):
                if name not in defaults:
                    self._wrong((table, name), "there is no such style", among=defaults)
                elif (style := self._style((table, name), value, known)) is not None:
                    styles[_key(table, name)] = style
        return styles

    def _table(self, name: str) -> Iterator[tuple[str, object]]:
        table: Any = self._data.get(name, {})
        if isinstance(table, dict):
            yield from table.items()
        else:
            self._wrong((name,), "expected a table", f"write it under a line [{name}]")

    def _colour(self, key: tuple[str, str], value: object) -> str | None:
        """A colour as `#rrggbb` or `ansi_name`."""
        if not isinstance(value, str):
            self._wrong(key, "expected text in quotes", 'write a colour, as in "#82b7ff"')
            return None
        if value.startswith("$"):
            if value[1:] not in self._colours:
                self._wrong(key, f"there is no colour {value!r} in [colors]", word=value[1:], among=self._colours)
            return self._colours.get(value[1:])
        from textual.color import Color, ColorParseError

        try:
            colour = Color.parse(value)
        except ColorParseError:
            self._wrong(key, f"{value!r} is not a colour", 'write it as "#82b7ff", or by name')
            return None
        if value.startswith("ansi_"):
            return value
        if colour.a != 1:
            self._wrong(key, f"{value!r} is see-through", "write a colour that covers what is below")
            return None
        return colour.hex6.lower()

    def _style(self, key: tuple[str, str], value: object, known: Mapping[str, str]) -> str | None:
        from rich.errors import StyleSyntaxError
        from rich.style import Style

        if not isinstance(value, str):
            self._wrong(key, "expected text in quotes", 'write a style, as in "bold $primary"')
            return None
        for name in _REFERENCE.findall(value):
            if name not in known:
                self._wrong(key, f"there is no colour `${name}`", word=name, among=known)
                return None
        style = _REFERENCE.sub(lambda found: _for_rich(known[found[1]]), value)
        try:
            if Style.parse(style).link is None:
                return style
        except StyleSyntaxError:
            self._wrong(key, f"{value!r} is not a style", 'write it as in "bold italic $primary on #202020"')
            return None
        self._wrong(key, "a style has no link: it would hide its target")
        return None

    def _wrong(
        self,
        key: tuple[str, ...],
        message: str,
        hint: str | None = None,
        *,
        word: str | None = None,
        among: Iterable[str] = (),
    ) -> None:
        """Tell about what stands at *key*; *among* are the names that *word* (or the key itself) may have meant."""
        from coda_cli.settings.problems import (  # slow to load, and rarely needed
            Problem,
            did_you_mean,
            dotted,
            lines_of,
        )

        if self._lines is None:
            self._lines = lines_of(self._text)
        line = self._lines.get(key)
        where = str(self._path) if line is None else f"{self._path}:{line}"
        hint = did_you_mean(word or key[-1], among) or hint
        told = Problem(where, dotted(key), message).line()
        self._problems.append(sanitize(f"{told} ({hint})" if hint else told))


def _key(table: str, name: str) -> str:
    return f"syntax.{name}" if table == "syntax" else name


def _for_rich(colour: str) -> str:
    return colour.removeprefix("ansi_")


def _for_textual(colour: str) -> str:
    return colour if colour.startswith("#") else f"ansi_{colour}"


def _blended(colour: str, other: str, share: float) -> str:
    from textual.color import Color

    return Color.parse(colour).blend(Color.parse(other), share).hex6.lower()


def _dimmed(foreground: str, background: str) -> str:
    """The colour between the two that is as quiet as it can be and still read."""
    from textual.color import Color

    ground = Color.parse(background)
    for share in (0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1):
        dim = Color.parse(foreground).blend(ground, share)
        if contrast(dim, ground) >= 5:
            return dim.hex6.lower()
    return foreground


def contrast(one: Color, other: Color) -> float:
    """The contrast of two colours, 1 to 21: the ratio of WCAG 2.1 (https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Color) -> float:
    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    return 0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b)
