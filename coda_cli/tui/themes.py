"""The themes there are, those that come along and a person's own, and which one a terminal gets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.settings.files import read_text
from coda_cli.tui.theme_file import ChatTheme, ThemeFile

DARK: Final = "coda-dark"
LIGHT: Final = "coda-light"
ANSI: Final = "ansi"


def own_folder() -> Path:
    """Where a person's own themes are."""
    return paths.config_dir() / "themes"


def names() -> list[str]:
    """All themes by name: the two defaults first, then by the alphabet."""
    found: set[str] = set()
    for folder in (paths.themes_dir(), own_folder()):
        try:
            found |= {path.stem for path in folder.glob("*.toml")}
        except OSError:
            continue
    return sorted(found, key=lambda name: (name not in (DARK, LIGHT), name))


def load(name: str) -> ChatTheme:
    """The theme called *name*: a person's own wins over one that comes along. Raises ConfigError for none such.

    So for a file that is no TOML; anything smaller is left out of the theme and told in its `problems`.
    """
    if os.sep not in name and name not in ("", ".", ".."):
        for folder, own in ((own_folder(), True), (paths.themes_dir(), False)):
            path = folder / f"{name}.toml"
            text = read_text(path)
            if text is not None:
                return ThemeFile(path, text, own=own).theme()
    from coda_cli.settings.problems import did_you_mean  # slow to load, and rarely needed

    shown = sanitize(name).replace("\n", " ")
    hint = did_you_mean(name, names()) or f"there are {', '.join(map(sanitize, names()))}"
    raise ConfigError(f"there is no theme {shown!r}", hint=hint, key="theme")


def load_or(name: str, fallback: str) -> tuple[ChatTheme, list[str]]:
    """The theme, or *fallback* (one that comes along) where it can't be read; with what there is to tell."""
    try:
        theme = load(name)
    except ConfigError as error:
        told = error.message if error.hint is None else f"{error.message} ({error.hint})"
        return _built_in(fallback), [sanitize(told)]
    return theme, list(theme.problems)


@lru_cache(maxsize=4)
def _built_in(name: str) -> ChatTheme:
    path = paths.themes_dir() / f"{name}.toml"
    return ThemeFile(path, read_text(path) or "", own=False).theme()


def load_all() -> tuple[list[ChatTheme], list[str]]:
    """Every theme that can be read, in the order of `names`; and what there is to tell about the others."""
    themes: list[ChatTheme] = []
    told: list[str] = []
    for name in names():
        try:
            theme = load(name)
        except ConfigError as error:
            told.append(sanitize(error.message))
            continue
        themes.append(theme)
        told += list(theme.problems)
    return themes, told


# ---- which one -------------------------------------------------------------------------------------------------------


class Wanted(Struct, frozen=True):
    """What decides on the theme. `flag` is from the command line; the others are the settings."""

    flag: str | None = None
    theme: str | None = None
    theme_dark: str = DARK
    theme_light: str = LIGHT
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def asks_background(self) -> bool:
        """Whether the terminal's background matters."""
        return self.flag is None and self.theme is None and not self._needs_ansi

    @property
    def _needs_ansi(self) -> bool:
        return bool(self.environ.get("NO_COLOR")) or colours(self.environ) < 256

    def name(self, dark: bool | None) -> str:
        """The theme for a terminal whose background is *dark* (None: nobody knows, so probably)."""
        if self.flag is not None:
            return self.flag
        if self._needs_ansi:
            return ANSI
        return self.theme or (self.theme_light if dark is False else self.theme_dark)

    def load(self, dark: bool | None) -> tuple[ChatTheme, list[str]]:
        """That theme, with what there is to tell; never fails."""
        return load_or(self.name(dark), ANSI if self._needs_ansi else LIGHT if dark is False else DARK)


def colours(environ: Mapping[str, str]) -> int:
    """How many colours the terminal has: 16, 256 or 16777216, from COLORTERM and TERM as Rich and Textual tell it."""
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return 1 << 24
    kind = environ.get("TERM", "").strip().lower().rpartition("-")[2]
    return 256 if kind in ("256color", "kitty") else 16
