"""Themes: every one can be read, a bad file is told and never fatal, and the terminal decides which one holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widgets import Input, Static

from coda_cli.engine.core.errors import ConfigError
from coda_cli.markdown.text import DEFAULT_THEME
from coda_cli.paths import themes_dir
from coda_cli.tui import themes
from coda_cli.tui.theme_file import PALETTE, PALETTES, ChatTheme, ThemeFile, contrast
from coda_cli.tui.themes import Wanted, colours, load, load_all, load_or, names
from coda_cli.tui.transcript.styles import CHAT_STYLES, Styles

BUILT_IN = sorted(path.stem for path in themes_dir().glob("*.toml"))
TRUE_COLOURED = [name for name in BUILT_IN if name != "ansi"]


def own(name: str, text: str) -> Path:
    """Write a theme of one's own."""
    folder = themes.own_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text, "utf-8")
    return path


def styles_of(theme: ChatTheme) -> dict[str, Style]:
    """The styles of a theme, as the transcript reads them."""
    return {name: Style.parse(style) for name, style in theme.styles.items()}


def ratio(theme: ChatTheme, style: Style, ground: str = "background") -> float:
    """The contrast of a style where it stands on *ground*."""
    front = style.color.name if style.color else theme.palette["foreground"]
    back = style.bgcolor.name if style.bgcolor else theme.palette[ground]
    return contrast(Color.parse(front), Color.parse(back))


# ---- what comes along -----------------------------------------------------------------------------------------------


def test_the_themes_that_people_ask_for_come_along() -> None:
    assert {
        *("ansi", "coda-dark", "coda-light", "high-contrast", "high-contrast-light"),
        *("catppuccin-mocha", "catppuccin-latte", "gruvbox-dark", "nord", "solarized-light", "dracula", "tokyo-night"),
        "rose-pine",
    } <= set(BUILT_IN)
    assert names()[:2] == ["coda-dark", "coda-light"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_is_without_a_mistake_and_says_every_style(name: str) -> None:
    theme = load(name)
    assert theme.problems == ()
    assert set(styles_of(theme)) == {*DEFAULT_THEME, *CHAT_STYLES, "pill"}


@pytest.mark.parametrize("name", TRUE_COLOURED)
def test_everything_in_each_can_be_read(name: str) -> None:
    theme = load(name)
    assert ratio(theme, Style()) >= 7
    strict = name.startswith("high-contrast")
    for key, style in styles_of(theme).items():
        assert ratio(theme, style) >= (7 if strict else 4.5), key
    for ground in ("surface", "panel"):
        assert ratio(theme, Style(), ground) >= (7 if name.startswith(("coda", "high")) else 4.5)
        for key in ("muted", "note", "error"):
            assert ratio(theme, styles_of(theme)[key], ground) >= (4.5 if key == "muted" else 3), (ground, key)


@pytest.mark.parametrize("name", ["coda-dark", "coda-light"])
def test_the_defaults_are_what_stands_in_for_what_a_file_does_not_say(name: str) -> None:
    text = (themes_dir() / f"{name}.toml").read_text("utf-8")
    assert tomllib.loads(text)["palette"] == PALETTES[name == "coda-dark"]
    own("bare", f"dark = {str(name == 'coda-dark').lower()}")
    assert (load("bare").palette, load("bare").styles) == (load(name).palette, load(name).styles)


def test_light_and_dark_are_what_their_backgrounds_are() -> None:
    for name in TRUE_COLOURED:
        theme = load(name)
        assert theme.dark == (Color.parse(theme.palette["background"]).brightness < 0.5), name


def test_the_terminals_own_colours_stay_the_terminals_own() -> None:
    theme = load("ansi")
    assert theme.ansi
    assert theme.textual().ansi
    plain = ("default", "blue", "magenta", "cyan", "green", "yellow", "red")
    assert set(theme.palette.values()) <= {f"ansi_{name}" for name in plain}
    for name, style in styles_of(theme).items():
        for colour in (style.color, style.bgcolor):
            assert colour is None or colour.is_default or (colour.number or 0) < 16, name


def test_the_transcript_takes_a_theme_whole() -> None:
    theme = load("nord")
    styles = Styles(theme.tables(), foreground=theme.foreground, background=theme.background)
    assert styles.base == Style.parse("#eceff4 on #2e3440")
    for name, style in styles_of(theme).items():
        assert styles.of((name,)) == styles.base + style, name


class _Screen(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("hello", markup=False)
        yield Input("typed")


@pytest.mark.parametrize("no_color", [False, True])
async def test_textual_takes_every_theme_live(no_color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    app = _Screen()
    async with app.run_test(size=(40, 6)) as pilot:
        for name in names():
            app.register_theme(load(name).textual())
            app.theme = name
            await pilot.pause()
            assert app.current_theme.name == name
            assert {"dim", "chat-user", "chat-note", "chat-tool-ok"} <= app.theme_variables.keys()
            for variable, value in app.theme_variables.items():
                if variable.startswith("chat-"):
                    Color.parse(value)


# ---- a person's own --------------------------------------------------------------------------------------------------


def test_a_small_file_of_ones_own_is_a_whole_theme() -> None:
    own("ember", 'name = "Ember"\n[colors]\nglow = "#ffb070"\n[palette]\nprimary = "$glow"\nbackground = "#200"\n'
        '[markdown]\ncode = "bold $glow on $panel"\n')  # fmt: skip
    theme = load("ember")
    assert (theme.title, theme.own, theme.problems) == ("Ember", True, ())
    assert theme.palette["background"] == "#220000"
    styles = styles_of(theme)
    assert set(styles) == {*DEFAULT_THEME, *CHAT_STYLES, "pill"}
    assert styles["code"] == Style.parse(f"bold #ffb070 on {theme.palette['panel']}")
    assert styles["user"] == Style.parse("bold #ffb070")
    assert ratio(theme, styles["muted"]) >= 4.5
    assert "ember" in names()


def test_ones_own_wins_over_one_that_comes_along() -> None:
    own("nord", 'name = "My Nord"')
    assert load("nord").title == "My Nord"
    assert names().count("nord") == 1


@pytest.mark.parametrize(
    ("text", "line", "key", "cause"),
    [
        ('[palette]\nprimary = "#12"', 2, "palette.primary", "is not a colour"),
        (
            '[palette]\n\nprimary = "$blu"\n[colors]\nblue = "#00f"',
            3,
            "palette.primary",
            "no colour '$blu' in [colors] (did you mean `blue`?)",
        ),
        ("[palette]\nprimary = 7", 2, "palette.primary", "expected text in quotes"),
        ('[palette]\nprimry = "#123456"', 2, "palette.primry", "no such colour"),
        ('[palette]\npanel = "#12345680"', 2, "palette.panel", "see-through"),
        ('[palette]\nprimary = "#123456"\nerror = "ansi_red"', 2, "palette.primary", "the terminal's own colours"),
        ('[colors]\n"a b" = "#123456"', 2, 'colors."a b"', "a name begins with a letter"),
        ('[markdown]\ncode = "shiny"', 2, "markdown.code", "is not a style"),
        ('[markdown]\ncode = "$nothing"', 2, "markdown.code", "no colour `$nothing`"),
        ('[markdown]\nlink = "link https://elsewhere.example"', 2, "markdown.link", "would hide its target"),
        ('[syntax]\nkeywrd = "red"', 2, "syntax.keywrd", "no such style"),
        ("[chat]\nuser = true", 2, "chat.user", "expected text in quotes"),
        ('dark = "yes"', 1, "dark", "expected true or false"),
        ("name = 5", 1, "name", "expected text in quotes"),
        ('colour = "red"', 1, "colour", "no such key"),
        ('chat = "red"', 1, "chat", "expected a table"),
    ],
)
def test_a_mistake_is_told_with_file_line_key_and_cause_and_the_rest_holds(
    text: str, line: int, key: str, cause: str
) -> None:
    path = own("mine", text)
    theme, told = load_or("mine", "coda-dark")
    assert theme.name == "mine"
    assert len(told) == 1
    assert told[0].startswith(f"{path}:{line}: {key}: ")
    assert cause in told[0]
    assert set(styles_of(theme)) == {*DEFAULT_THEME, *CHAT_STYLES, "pill"}
    theme.textual().to_color_system().generate()


@pytest.mark.parametrize("text", ["[palette\n", "a = \x00", "name = 1\nname = 2"])
def test_a_file_that_is_no_toml_leaves_the_default_and_is_told(text: str) -> None:
    path = own("broken", text)
    theme, told = load_or("broken", "coda-light")
    assert theme.name == "coda-light"
    assert str(path) in told[0]
    found, more = load_all()
    assert "broken" not in [theme.name for theme in found]
    assert any(str(path) in line for line in more)


@pytest.mark.parametrize("name", ["no-such-theme", "../coda", "a/b", "", ".", "x\x1b[31m", "nul\x00"])
def test_a_theme_that_does_not_exist_is_an_error_with_a_hint_and_reads_nothing_else(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(name)
    assert caught.value.hint or "not a file name" in caught.value.message
    theme, told = load_or(name, "coda-dark")
    assert theme.name == "coda-dark"
    assert "\x1b" not in told[0]


def test_a_title_cannot_act_on_the_terminal() -> None:
    own("evil", 'name = "a\\u001b]0;b\\u0007\\nc [bold]"')
    assert load("evil").title == "a\ufffd]0;b\ufffd c [bold]"


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*sorted(PALETTE), "code", "user", "x y"]),
        st.one_of(st.text(max_size=12), st.integers(), st.sampled_from(["$primary", "#fff", "red", "ansi_red"])),
    ),
    st.sampled_from(["colors", "palette", "markdown", "syntax", "chat"]),
)
def test_no_table_whatever_is_in_it_breaks_a_theme(table: dict[str, object], name: str) -> None:
    import tomli_w

    text = tomli_w.dumps({name: table})
    theme = ThemeFile(Path("x.toml"), text, own=True).theme()
    theme.textual().to_color_system().generate()
    assert set(styles_of(theme)) == {*DEFAULT_THEME, *CHAT_STYLES, "pill"}


# ---- which one -------------------------------------------------------------------------------------------------------

COLOURFUL = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def test_the_background_decides_where_nothing_is_set() -> None:
    wanted = Wanted(theme_dark="nord", theme_light="solarized-light", environ=COLOURFUL)
    assert wanted.asks_background
    assert [wanted.name(dark) for dark in (True, False, None)] == ["nord", "solarized-light", "nord"]
    assert [Wanted(environ=COLOURFUL).name(dark) for dark in (True, False)] == ["coda-dark", "coda-light"]


def test_what_is_set_wins_over_the_background() -> None:
    wanted = Wanted(theme="dracula", environ=COLOURFUL)
    assert not wanted.asks_background
    assert wanted.name(False) == "dracula"
    assert Wanted(flag="nord", theme="dracula", environ=COLOURFUL).name(None) == "nord"


@pytest.mark.parametrize(
    "environ",
    [{"TERM": "linux"}, {"TERM": "xterm"}, {"TERM": "screen"}, {}, {**COLOURFUL, "NO_COLOR": "1"}],
)
def test_sixteen_colours_and_no_color_get_the_terminals_own(environ: dict[str, str]) -> None:
    wanted = Wanted(theme="dracula", environ=environ)
    assert not wanted.asks_background
    assert wanted.load(None)[0].name == "ansi"
    # What somebody types just now is obeyed all the same.
    assert Wanted(flag="dracula", environ=environ).load(None)[0].name == "dracula"


@pytest.mark.parametrize("dark", [True, False])
def test_a_setting_that_names_no_theme_is_told_and_the_default_holds(dark: bool) -> None:
    theme, told = Wanted(theme="draclua", environ=COLOURFUL).load(dark)
    assert theme.name == ("coda-dark" if dark else "coda-light")
    assert "did you mean `dracula`?" in told[0]


@pytest.mark.parametrize("term", ["xterm-256color", "xterm", "linux", "screen-256color", "tmux", "xterm-kitty", ""])
@pytest.mark.parametrize("colorterm", ["", "truecolor", "24bit", "yes"])
def test_colours_are_counted_as_by_what_draws_them(term: str, colorterm: str) -> None:
    environ = {"TERM": term, "COLORTERM": colorterm}
    console = Console(force_terminal=True, _environ=environ)
    drawn = {ColorSystem.TRUECOLOR: 1 << 24, ColorSystem.EIGHT_BIT: 256, ColorSystem.STANDARD: 16, None: 16}
    assert colours(environ) == drawn[console._color_system]
