"""`coda ask` in a terminal: Markdown, colour, control characters, countdowns, interrupts."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.program import Program, foreign, held
from tests.servers.errors import error_reply
from tests.servers.reply import Gate
from tests.servers.script import Say, Think, Used, say
from tests.servers.threaded import ThreadedServer, dead_port
from tests.servers.vendors import FakeVendor
from tests.servers.wire import stream_reply

MARKDOWN = """\
# The title

Some **bold** and *slanted* words, `code`, and a [link](https://example.com/there).

- first
- second

| name | size |
|---|---:|
| one | 1 |
| two | 22 |

```python
def f():
    return 1
```

> quoted

The end.
"""
ATTACKS = [
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b[2J\x1b[H",
    "\x1b[?1049h",
    "\x1bP+q544e\x1b\\",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31m",
    "\x9d0;x\x9c",
    "\x07\x08\x0b\x0c\x0e",
    "\x1b[6n",
    "\x1bc",
    "\u202eevil\u2066",
    "\x1b]1337;File=:AAAA\x07",
    "\rover",
    "\x7f\x00",
]


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def attack(n: int) -> str:
    return f"{ATTACKS[n % len(ATTACKS)]} word{n} "


def test_markdown_is_rendered_at_80_columns(coda: Program) -> None:
    coda.scripted(MARKDOWN + "\nA long line: " + "many words in a row " * 20)
    with coda.terminal("ask", "hi", rows=60) as tty:
        assert tty.end() == 0
    text = tty.text
    for gone in ("**", "`code`", "|---|", "# The"):
        assert gone not in text
    for kept in ("The title", "bold", "• first", "return 1", "quoted", "https://example.com/there", "The end."):
        assert kept in text, text
    assert max(len(line) for line in text.split("\n")) <= 80
    assert "\x1b[1m" in tty.raw.decode() or re.search(r"\x1b\[[0-9;]*\b1\b[0-9;]*m", tty.raw.decode())
    assert "\x1b[?1049h" not in tty.raw.decode()
    assert foreign(tty.raw) == set()


def test_markdown_streams(coda: Program) -> None:
    gate = Gate()
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.queue(
            held([*say("# Title\n\nfirst words "), Say("and more"), Used(input=1, output=1)], gate, after=4)
        )
        coda.served_by(fake.url)
        with coda.terminal("ask", "hi") as tty:
            try:
                tty.until(lambda text: "first" in text)
                assert "and more" not in tty.text
            finally:
                gate.open()
            assert tty.end() == 0
    assert tty.text.count("Title") == 1
    assert "first words and more" in tty.text


@pytest.mark.parametrize(
    "mode", [[], ["--raw"], ["--no-stream"], ["-x"], ["--json"], ["--reasoning"], ["--output-format", "stream-json"]]
)
def test_500_escape_sequences_never_reach_the_terminal(coda: Program, mode: list[str]) -> None:
    hostile = "".join(attack(n) for n in range(500))
    with ThreadedServer(FakeVendor("openai")) as fake:
        text = f"```\n{hostile}\n```\n" if mode == ["-x"] else hostile
        fake.server.script = [Think(hostile), *(Say(text[i : i + 7]) for i in range(0, len(text), 7))]
        coda.served_by(fake.url)
        with coda.terminal("ask", *mode, "hi") as tty:
            assert tty.end() == 0
    assert foreign(tty.raw) == set()
    shown = tty.raw.decode()
    assert "word499" in tty.text.replace("\n", "")
    assert not re.search("[\x80-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]", shown)
    for bad in ("\x1b]", "\x1bP", "\x1b[2J", "\x1b[H", "\x1bc", "\x1b[?1049h", "\x1b[6n"):
        assert bad not in shown.replace("\x1b]8;;\x1b\\", ""), bad


def test_hostile_errors_never_reach_the_terminal(coda: Program) -> None:
    hostile = "".join(ATTACKS)
    with ThreadedServer(FakeVendor("openai")) as fake:
        reply = error_reply("openai", "bad_request")
        fake.server.fail_first(
            1, reply.but(body=[b'{"error": {"message": "' + _escaped(hostile) + b'", "code": "x", "type": "y"}}'])
        )
        coda.served_by(fake.url)
        with coda.terminal("ask", "hi") as tty:
            assert tty.end() == 1
    assert foreign(tty.raw) == set()
    assert "error:" in tty.text
    assert "\x1b]" not in tty.raw.decode()


def _escaped(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()


def test_colour_can_be_turned_off(coda: Program) -> None:
    coda.scripted(MARKDOWN)
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with coda.terminal("ask", "hi", env=env, rows=60) as tty:
            assert tty.end() == 0
        coloured = [code for code in re.findall(rb"\x1b\[([0-9;]*)m", tty.raw) if re.search(rb"\b[34][0-9]\b", code)]
        assert coloured == [], env
        assert "bold" in tty.text
        if env == {"TERM": "dumb"}:
            assert b"\x1b" not in tty.raw


def test_raw_shows_the_markup_itself(coda: Program) -> None:
    coda.scripted("some **bold** words")
    with coda.terminal("ask", "--raw", "hi") as tty:
        assert tty.end() == 0
    assert tty.text == "some **bold** words"
    assert tty.raw.endswith(b"\n")  # the prompt comes back on a line of its own


def test_stderr_on_a_terminal_does_not_make_stdout_one(coda: Program) -> None:
    coda.scripted("some **bold** words")
    with coda.terminal("ask", "hi", only="err") as tty:
        assert tty.end() == 0
    assert tty.piped == b"some **bold** words\n"
    assert b"bold" not in tty.raw


def test_a_rate_limit_counts_down_and_leaves_no_trace(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.fail_first(1, error_reply("openai", "rate_limited", retry_after="2"))
        coda.served_by(fake.url)
        with coda.terminal("ask", "hi") as tty:
            assert tty.end() == 0
    assert tty.text == "Hello there, friend."  # the line that waited has gone
    seconds = [int(number) for number in re.findall(rb" in ([0-9]+) s\b", tty.raw)]
    assert seconds, "the countdown does not fit into 80 columns"
    assert seconds == sorted(set(seconds), reverse=True)
    assert 2 in seconds


def test_a_countdown_off_a_terminal_is_one_plain_line(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.fail_first(1, error_reply("openai", "rate_limited", retry_after="1"))
        coda.served_by(fake.url)
        ran = coda.run("ask", "hi")
    assert ran.text == "Hello there, friend.\n"
    assert ran.error.count("\n") == 1
    assert "retry 1 of 3" in ran.error
    assert "\x1b" not in ran.error


def test_a_countdown_can_be_interrupted(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.fail_first(5, error_reply("openai", "rate_limited", retry_after="500"))
        coda.served_by(fake.url)
        with coda.terminal("ask", "hi") as tty:
            tty.until(lambda text: "rate limited" in text)
            tty.interrupt()
            assert tty.end() == 130
        assert len(fake.server.asked) == 1
    assert "rate limited" not in tty.text


def test_ctrl_c_keeps_what_was_shown(coda: Program) -> None:
    gate = Gate()
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.queue(held([*say("The **first** words of it"), Used(input=1, output=1)], gate, after=3))
        coda.served_by(fake.url)
        with coda.terminal("ask", "hi") as tty:
            tty.until(lambda text: "first" in text)
            tty.interrupt()
            assert tty.end() == 130
        gate.open()
    assert "The first" in tty.text
    assert tty.screen.cursor.x == 0  # where the prompt will stand
    assert not tty.screen.cursor.hidden


def test_an_incomplete_answer_keeps_its_text_and_is_told(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.queue(stream_reply("openai", say("half an answer"), end=False))
        coda.served_by(fake.url)
        with coda.terminal("ask", "hi") as tty:
            assert tty.end() == 1
    assert "half an answer" in tty.text
    assert "error:" in tty.text or "warning:" in tty.text


def test_a_dead_server_is_named_with_a_hint(coda: Program) -> None:
    port = dead_port()
    coda.served_by(f"http://127.0.0.1:{port}", more="max_retries = 0")
    with coda.terminal("ask", "hi") as tty:
        assert tty.end() == 1
    assert f"127.0.0.1:{port}" in tty.text
    assert "hint:" in tty.text


def test_reasoning_and_answer_do_not_run_together(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.script = [Think("let me think"), *say("The answer"), Used(input=1, output=1)]
        coda.served_by(fake.url)
        with coda.terminal("ask", "--reasoning", "hi") as tty:
            assert tty.end() == 0
    lines = [line for line in tty.text.split("\n") if line]
    assert lines == ["let me think", "The answer"]


def test_a_tiny_terminal_is_enough(coda: Program) -> None:
    coda.scripted(MARKDOWN)
    with coda.terminal("ask", "hi", columns=10, rows=4) as tty:
        assert tty.end() == 0
    assert "The end." in tty.text


def test_a_model_that_says_nothing(coda: Program) -> None:
    coda.scripted("")
    with coda.terminal("ask", "hi") as tty:
        assert tty.end() in (0, 1)
    assert tty.screen.cursor.x == 0
