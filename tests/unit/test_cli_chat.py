"""`coda chat`: what it reads before the screen is drawn: settings, flags, stdin, and which front end it takes."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given, settings as hypothesis_settings, strategies as st
from msgspec.structs import asdict, fields

from coda_cli import paths
from coda_cli.cli import ask_run, chat_opening, chat_run
from coda_cli.cli.app import run as app_run
from coda_cli.cli.ask_input import Asked
from coda_cli.cli.chat_opening import Opening, make_session, read_opening
from coda_cli.cli.chat_run import is_plain
from coda_cli.cli.chat_start import Started
from coda_cli.cli.quick import parse_ask, parse_chat
from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.settings.glance import Glance, glance
from coda_cli.settings.load import check_text, load_settings
from tests.unit.test_walls import HEAVY, MAIN, modules_after, roots

# ---- settings -------------------------------------------------------------------------------------------------------


def test_the_settings_of_the_chat_are_read() -> None:
    defaults = check_text("", Path("coda.toml"))
    assert (defaults.theme, defaults.theme_dark, defaults.theme_light) == (None, "coda-dark", "coda-light")
    assert (defaults.plain, defaults.mouse, defaults.sidebar, defaults.auto_title) == (False, True, False, False)
    assert (defaults.bell, defaults.bell_after, defaults.keys) == ("bell", 20.0, {})
    text = (
        'theme = "nord"\nplain = true\nmouse = false\nsidebar = true\nbell = "notify"\nbell_after = 0.0\n'
        'auto_title = true\n[keys]\nfind = "f3"'
    )
    given = check_text(text, Path("coda.toml"))
    assert (given.theme, given.plain, given.mouse, given.sidebar) == ("nord", True, False, True)
    assert (given.bell, given.bell_after, given.auto_title, given.keys) == ("notify", 0.0, True, {"find": "f3"})


@pytest.mark.parametrize("key", ["ctrl+x", "f5", "ctrl+shift+a", "question_mark", "?", "ctrl+f,f3", "alt+up", "{"])
def test_a_key_may_be_any_that_the_screen_knows(key: str) -> None:
    assert check_text(f"[keys]\nfind = '{key}'", Path("coda.toml")).keys == {"find": key}


def test_an_action_with_a_dot_needs_no_quotes() -> None:
    written = '[keys]\nfind = "f3"\nchats.open = "f4"\n"chats.tag" = "f5"\n[keys.confirm]\nyes = "j"'
    keys = {"find": "f3", "chats.open": "f4", "chats.tag": "f5", "confirm.yes": "j"}
    assert check_text(written, Path("coda.toml")).keys == keys
    configured(written)
    seen = glance({})
    assert seen is not None
    assert seen.keys == keys


@pytest.mark.parametrize("key", ["", "ctrl f", "ctrl+", "+x", "ctrl+f,", "strg+x", "\\u001b", "ctrl+f, f3"])
def test_keys_can_be_remapped_and_a_slip_is_told(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_text(f'[keys]\nfind = "{key}"', Path("coda.toml"))
    assert "coda.toml:2: keys.find: this is not the name of a key" in caught.value.message
    assert caught.value.hint is not None
    assert 'find = "ctrl+f"' in caught.value.hint


@pytest.mark.parametrize("line", ['bell = "ring"', "bell_after = -1.0", 'mouse = "no"', 'theme = ""'])
def test_a_wrong_setting_of_the_chat_is_told(line: str) -> None:
    with pytest.raises(ConfigError, match=r"coda\.toml:1: "):
        check_text(line, Path("coda.toml"))


# ---- the few that the first screen needs ----------------------------------------------------------------------------


def configured(text: str) -> None:
    """Write coda.toml."""
    paths.config_dir().mkdir(parents=True, exist_ok=True)
    paths.config_file().write_text(text, "utf-8")


def same(environ: dict[str, str]) -> None:
    """`glance` says what `load` says, or leaves it to it; for settings in order it never leaves it."""
    seen = glance(environ)
    settings = load_settings(environ=environ)
    if seen is not None:
        assert all(getattr(settings, one.name) == getattr(seen, one.name) for one in fields(Glance))


def test_a_glance_sees_the_defaults_without_a_file() -> None:
    assert glance({}) == Glance()
    same({})


NAMES = [one.name for one in fields(Glance)]
VALUES = st.sampled_from(
    [True, False, "nord", "", "off", "notify", "bell", "ring", 0, 1, 20, 2.5, -1.0, {}, {"find": "f3"}, {"find": "f 3"},
     {"find": 1}, {"a": {"b": "f3"}}, {"a": {"b": {}}}, {"a": []}, float("inf"), float("nan"), [], "1"]
)  # fmt: skip


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    st.dictionaries(
        st.sampled_from([f"CODA_{name.upper()}" for name in (*NAMES, "keys__find")]),
        st.sampled_from(["nord", "", " ", "1", "no", "TRUE", "off", "notify", "ring", "2.5", "-1", "f3", "{}"]),
        max_size=3,
    ),
)
def test_a_glance_and_the_settings_agree_or_the_glance_says_nothing(
    table: dict[str, object], environ: dict[str, str]
) -> None:
    configured(tomli_w.dumps(table))
    try:
        load_settings(environ=environ)
    except ConfigError:
        assert glance(environ) is None
    else:
        same(environ)


def test_a_glance_sees_a_file_that_is_in_order() -> None:
    configured('theme = "nord"\nbell_after = 5\nmouse = false\n[keys]\nfind = "f3"\n[providers.openai]\nmodel = "m"')
    seen = glance({"CODA_SIDEBAR": "yes", "CODA_THEME": "dracula"})
    assert seen is not None
    assert (seen.theme, seen.bell_after, seen.mouse, seen.sidebar, seen.keys) == (
        "dracula", 5, False, True, {"find": "f3"},
    )  # fmt: skip


# ---- the command line -----------------------------------------------------------------------------------------------

FLAGS = st.sampled_from(
    ["-c", "--continue", "-r", "--resume", "--fork", "-n", "--no-log", "--plain", "--inline", "--offline", "-m", "-mx",
     "--cid", "--model", "-s", "--system", "--theme", "-f", "--file", "-a", "--attach", "hello", "two", "", "-", "--",
     "-cn", "--model=x", "--nonsense", "-x", "ask"]
)  # fmt: skip


@hypothesis_settings(max_examples=300, deadline=None)
@given(st.lists(FLAGS, max_size=5))
def test_the_quick_way_reads_a_command_line_as_typer_does(arguments: list[str]) -> None:
    quick = parse_chat(["chat", *arguments])
    if quick is None:
        return
    seen: list[Started] = []

    def run(started: Started) -> int:
        seen.append(started)
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat_run, "run", run)
        assert app_run(["chat", *arguments]) == 0
    assert [plainly(started) for started in seen] == [plainly(quick)]


def plainly(started: Started | Asked) -> dict[str, object]:
    """A command line with lists for what is listed, and without the difference between off and not given."""
    shown = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(started).items()}
    return {**shown, "offline": bool(started.offline)}


@pytest.mark.parametrize("arguments", [["chat"], ["chat", "-c"], ["chat", "-m", "openai", "hi", "-f", "a", "-f", "b"]])
def test_what_people_type_goes_the_quick_way(arguments: list[str]) -> None:
    assert parse_chat(arguments) is not None


ASKED = st.sampled_from(
    ["-c", "--continue", "--fork", "-n", "--no-log", "--offline", "-m", "-mx", "--model", "--cid", "-s", "--system",
     "-f", "-a", "-T", "--functions", "--persona", "-o", "--option", "-p", "-t", "--schema", "-x", "--extract", "--xl",
     "--extract-last", "--stream", "--no-stream", "--raw", "--reasoning", "-u", "--usage", "--json", "--no-cache",
     "--no-stdin", "--timeout", "--output-format", "hello", "two", "k=v", "3", "-1", "", "-", "--", "-xu",
     "--model=x", "chat"]
)  # fmt: skip


@hypothesis_settings(max_examples=400, deadline=None)
@given(st.lists(ASKED, max_size=6))
def test_the_quick_way_reads_a_question_as_typer_does(arguments: list[str]) -> None:
    quick = parse_ask(["ask", *arguments])
    if quick is None:
        return
    seen: list[Asked] = []

    def run(asked: Asked) -> int:
        seen.append(asked)
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ask_run, "run", run)
        assert app_run(["ask", *arguments]) == 0
    assert [plainly(asked) for asked in seen] == [plainly(quick)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["hi"],
        ["-m", "openai", "why", "-u"],
        ["-o", "temperature", "0.2", "hi"],
        ["-T", "time", "--json", "-c", "hi"],
        [],
    ],
)
def test_what_people_ask_goes_the_quick_way(arguments: list[str]) -> None:
    assert parse_ask(["ask", *arguments]) is not None


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["-x", "--xl", "hi"], ["-m"], ["-m", "-c"], ["--timeout", "3", "hi"], ["--nonsense"], ["--"]],
)
def test_what_is_not_plainly_a_question_is_left_to_typer(arguments: list[str]) -> None:
    assert parse_ask(["ask", *arguments]) is None


@pytest.mark.parametrize("arguments", [["ask", "hi"], ["chat", "--help"], ["chat", "-m"], ["chat", "-m", "-c"], ["x"]])
def test_what_is_not_plainly_a_chat_is_left_to_typer(arguments: list[str]) -> None:
    assert parse_chat(arguments) is None


# ---- which front end, with what -------------------------------------------------------------------------------------


class Terminal:
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def test_what_makes_the_chat_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    assert not is_plain(Started(), Glance(), terminal=True)
    assert is_plain(Started(plain=True), Glance(), terminal=True)
    assert is_plain(Started(), Glance(plain=True), terminal=True)
    assert not is_plain(Started(inline=True), Glance(plain=True), terminal=True)
    assert is_plain(Started(), Glance(), terminal=False)
    for term in ("dumb", ""):
        monkeypatch.setenv("TERM", term)
        assert is_plain(Started(), Glance(), terminal=True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert is_plain(Started(), Glance(), terminal=True)
    with pytest.raises(UsageError, match="no terminal to draw on"):
        is_plain(Started(inline=True), Glance(), terminal=True)


@pytest.mark.parametrize(
    "started", [Started(plain=True, inline=True), Started(pick=True, latest=True), Started(pick=True, cid="x")]
)
def test_flags_that_contradict_each_other_are_told(started: Started) -> None:
    with pytest.raises(UsageError) as caught:
        chat_run.run(started)
    assert caught.value.hint == "give one of them"


def test_the_first_message_is_files_then_stdin_then_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note, picture = tmp_path / "note.txt", tmp_path / "p.png"
    note.write_text("from a file")
    picture.write_bytes(b"\x89PNG\r\n\x1a\n....")
    monkeypatch.setattr(chat_opening, "read_stdin", lambda deadline, tell: "from a pipe\n")
    started = Started(words=["and", "words"], files=[str(note)], attachments=[str(picture)])
    opening = read_opening(started, piped=True)
    assert opening.first == f"{note}\n```\nfrom a file\n```\n\nfrom a pipe\n\nand words"
    assert [part.name for part in opening.media] == ["p.png"]
    assert read_opening(Started(words=["just", "this"]), piped=False) == Opening("just this")


def test_files_without_a_question_wait_for_it_in_the_prompt(tmp_path: Path) -> None:
    name = tmp_path / "my notes.txt"
    name.write_text("x")
    assert read_opening(Started(files=[str(name)]), piped=False) == Opening(typed=f'@"{name}" ')
    assert read_opening(Started(attachments=["/dev/null"]), piped=False) == Opening(typed="@/dev/null ")
    with pytest.raises(UsageError, match="there is no such file"):
        read_opening(Started(files=[str(tmp_path / "none")]), piped=False)


def test_the_session_is_what_the_command_line_says() -> None:
    configured('default_provider = "s"\n[providers.s]\ntype = "scripted"\nmodel = "parrot"')
    session = make_session(Started(model="s/other", system="be brief", log=False))
    assert (session.spec.provider, session.spec.model, session.incognito) == ("s", "other", True)
    assert session.conversation_id is None
    with pytest.raises(UsageError, match="there is no conversation to continue"):
        make_session(Started(latest=True))
    with pytest.raises(UsageError, match="there is no provider called"):
        make_session(Started(model="opnai/gpt-6"))


# ---- what is imported -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["chat", "--help"], ["chat", "--plain", "--inline"]])
def test_what_does_not_chat_imports_no_toolkit(command: list[str]) -> None:
    loaded = modules_after(MAIN, *command)
    assert not roots(loaded) & HEAVY


def test_the_way_to_the_first_screen_imports_neither_typer_nor_the_engine() -> None:
    code = (
        "import coda_cli.cli.quick, coda_cli.cli.chat_run as r, coda_cli.tui.background\n"
        "from coda_cli.tui.themes import Wanted\n"
        "from coda_cli.settings.glance import glance\n"
        "glance({}); Wanted(environ={'COLORTERM': 'truecolor'}).load(True)[0].textual()\n"
    )
    loaded = modules_after(code)
    assert not roots(loaded) & (HEAVY - {"rich", "textual"} | {"typer", "pydantic"})
    assert not any(name.startswith(("coda_cli.bootstrap", "coda_cli.engine.manager")) for name in loaded)
