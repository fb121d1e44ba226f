"""How the transcript looks: names of styles to colours, resolved when a row is drawn, so that a theme can change."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Final

from rich.errors import StyleSyntaxError
from rich.style import Style

from coda_cli.markdown.text import DEFAULT_THEME, Key

_serial = count(1)

CHAT_STYLES: Final[dict[str, str]] = {
    "user": "bold",
    "user_text": "",
    "assistant": "bold cyan",
    "system": "bold bright_black",
    "reasoning": "italic bright_black",
    "tool": "bold",
    "tool_ok": "green",
    "tool_bad": "red",
    "error": "red",
    "hint": "yellow",
    "warning": "yellow",
    "summary": "italic",
    "muted": "bright_black",
    "button": "underline",
    "pin": "yellow",
    "panel": "",
    "find": "reverse",
    "find_current": "black on yellow",
    "selection": "reverse",
    "cursor": "cyan",
    "bar": "bright_black",
    "bar_thumb": "cyan",
    "fold": "bright_black",
}
"""The styles of the chat itself; a theme's table `[chat]` may give each another value."""


class Styles:
    """An immutable mapping of style names to Rich styles over one foreground and background."""

    def __init__(
        self,
        theme: Mapping[str, object] | None = None,
        *,
        foreground: str = "default",
        background: str = "default",
    ) -> None:
        """*theme* has the tables `markdown`, `syntax` and `chat` of a theme file; a bad value leaves the built-in."""
        self.serial: Final = next(_serial)
        """Another one for every instance: what was drawn with other styles is stale."""
        self.base: Final = _parse(f"{foreground} on {background}") or Style()
        names = {**DEFAULT_THEME, **CHAT_STYLES}
        self._styles = {name: _parse(value) or Style() for name, value in names.items()}
        for table, prefix in (("markdown", ""), ("syntax", "syntax."), ("chat", "")):
            values = (theme or {}).get(table)
            for name, value in values.items() if isinstance(values, dict) else ():
                if isinstance(value, str) and (style := _parse(value)) is not None:
                    self._styles[f"{prefix}{name}"] = style
        used = [colour for style in (self.base, *self._styles.values()) for colour in (style.color, style.bgcolor)]
        self._ansi = any(colour is not None and colour.triplet is None for colour in used)
        self._combined: dict[Key, Style] = {}

    @property
    def needs_filter(self) -> bool:
        """Whether some colour is one of the terminal's own sixteen, which Textual puts its theme's colours for."""
        return self._ansi

    def of(self, key: Key) -> Style:
        """The style of text with these names, over the base. "@URL" makes it a link; "!..." and "=..." say no style."""
        style = self._combined.get(key)
        if style is None:
            style = self.base
            for name in key:
                if name.startswith("@"):
                    style += Style(link=name[1:])
                elif name[0] not in "!=":
                    style += self._styles.get(name, _PLAIN)
            if len(self._combined) > _MOST:  # every link is a key of its own
                self._combined.clear()
            self._combined[key] = style
        return style

    def of_mark(self, name: str) -> Style:
        """The style that is laid over text for a hit or a selection."""
        return self._styles.get(name, _PLAIN)


_PLAIN: Final = Style()
_MOST: Final = 4096


def _parse(text: str) -> Style | None:
    """None for what is no style, and for one with a link: that would be a hidden target."""
    try:
        style = Style.parse(text)
    except StyleSyntaxError:
        return None
    return style if style.link is None else None
