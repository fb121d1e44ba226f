"""Whatever a model writes, the terminal only gets what Textual means to send, and the event loop goes on."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pyte
import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.chat.entry import Attached, Entry, ToolCard
from coda_cli.tui.transcript.styles import Styles
from tests.unit.transcripts import Show, answer, question

HOSTILE = (
    "\x1b]0;PWNED\x07 \x1b]52;c;UFdORUQ=\x07 \x1b]8;;file:///etc\x1b\\PWNED \x1b[2J\x1b[H \x1bP1;2|PWNED\x1b\\ "
    "\x1b_PWNED\x1b\\ \x9b31mPWNED \x9d0;PWNED\x9c \x1b]1337;File=:PWNED\x07 \x1b]777;notify;a;PWNED\x07 \x08\x08 "
    "\u202ePWNED\u2066 [@click=app.quit]PWNED[/] [/] &#27;[31mPWNED&#x9b;1m \x00 \x0e \x7f"
)
PROGRAM = """
import sys
from tests.unit.test_transcript_untrusted import Ending, hostile_entries
Ending(hostile_entries()).run()
"""


class Ending(Show):
    """Streams one more hostile answer and ends."""

    def on_mount(self) -> None:
        super().on_mount()
        self.transcript.reasoning_open = self.transcript.tools_open = True
        self.set_timer(0.3, self.stream_one)

    def stream_one(self) -> None:
        text = f"# {HOSTILE}\n\n```py{HOSTILE}\n{HOSTILE}\n```\n\nALLDONE"
        self.transcript.begin(answer("", "s", status="streaming"))
        for at in range(0, len(text), 3):
            self.transcript.feed(text[at : at + 3])
        self.transcript.end(answer(text, "s"))
        self.set_timer(0.5, self.exit)


def hostile_entries() -> list[Entry]:
    """Every text of an entry, hostile."""
    bad = HOSTILE
    card = ToolCard(f"t{bad}", bad, '{"a": "' + bad + '"}', bad)
    links = f"[PWNED](http://x.example/{bad}) ![i](http://img.example/x.png) <https://ok.example/a> [j](javascript:a)"
    return [
        question(bad, attached=(Attached("file", bad, 3, bad),)),
        answer(f"{bad}\n\n{links}", reasoning=bad, tools=(card,), model=bad, provider=bad, hint=bad, status="error"),
        Entry("n", "note", bad),
        Entry("e", "error", bad, hint=bad),
        Entry("s", "summary", bad, model=bad),
        Entry("y", "system", bad),
        Entry("t", "tool", bad),
    ]


def output_of(program: str) -> bytes:
    """What *program* writes to a terminal of 100x60."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    )
    os.close(theirs)
    out = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the child has closed its side
            break
        if not data:
            break
        out += data
    assert child.wait() == 0
    os.close(ours)
    return out


def test_no_foreign_control_byte_reaches_a_terminal() -> None:
    out = output_of(PROGRAM).decode("utf-8", "strict")
    assert "ALLDONE" in out
    assert "PWNED" in out
    rest = re.sub(r"\x1b\]22;[a-z-]+\x07|\x1b\]8;id=[\w.-]*;https?://[!-~]*\x1b\\|\x1b\]8;;\x1b\\", "", out)
    rest = re.sub(r"\x1b\[[0-9;:?<>=$!]*[A-Za-z@`~]|\x1b[()][AB0]|\x1b[78=>]|\x1b\[[0-9;?]*\$p", "", rest)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202e\u2066]", rest)
    assert "\x1b" not in rest, re.findall(r"\x1b.{0,20}", rest)
    screen = pyte.Screen(100, 60)
    pyte.Stream(screen).feed(out)
    assert "PWNED" not in screen.title


def test_markup_is_text_and_an_image_is_named_with_its_address() -> None:
    app = Show([answer("[b]bold[/b] [/] x[0] [@click=app.quit]go[/] ![cat](http://img.example/x.png)")])

    async def check() -> None:
        async with app.run_test(size=(100, 20)) as pilot:
            await pilot.pause()
            line = app.screen_lines()[2]
            assert line.startswith("[b]bold[/b] [/] x[0] [@click=app.quit]go[/]")
            assert "[image: cat] (http://img.example/x.png)" in app.texts()

    asyncio.run(check())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=80), min_size=1, max_size=4))
def test_any_text_is_drawn_at_exactly_the_width_without_a_control_character(texts: list[str]) -> None:
    async def check() -> None:
        app = Show([Entry(f"i{n}", "assistant" if n % 2 else "user", text) for n, text in enumerate(texts)])
        async with app.run_test(size=(40, 30)) as pilot:
            await pilot.pause()
            for strip in app.transcript.render_lines(app.transcript.size.region):
                assert strip.cell_length == app.transcript.size.width
                assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", strip.text)

    asyncio.run(check())


HUGE = {
    "one line of a megabyte": "word " * 200_000,
    "one word of a megabyte": "x" * 1_000_000,
    "deep lists": "".join("  " * n + "- a\n" for n in range(250)),
    "deep quotes": ">" * 10_000 + " a",
    "brackets": "[" * 50_000,
    "stars": "*a **b " * 10_000,
    "combining": "e" + "\u0301" * 10_000,
    "a wide table": "|" + "a|" * 2000 + "\n|" + "-|" * 2000 + "\n|" + "b|" * 2000 + "\n",
    "backticks": "`" * 30_000 + "a",
}


@pytest.mark.parametrize("kind", ["stored", "streamed", "question"])
@pytest.mark.parametrize("name", HUGE)
async def test_huge_and_deep_texts_are_shown(name: str, kind: str) -> None:
    text = HUGE[name]
    app = Show([] if kind == "streamed" else [(question if kind == "question" else answer)(text, "h")])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        if kind == "streamed":
            app.transcript.begin(answer("", "h"))
            for at in range(0, len(text), 4000):
                app.transcript.feed(text[at : at + 4000])
            app.transcript.end(answer(text, "h"))
            await app.transcript.idle()
        await pilot.press("home")
        await pilot.press("pagedown")
        await pilot.press("end")
        await pilot.pause()
        assert app.texts().strip()
        assert app.transcript.source_of("h") == text


def test_a_style_with_a_link_or_nonsense_is_refused() -> None:
    styles = Styles({"markdown": {"code": "bold link http://evil.example", "em": "no such style"}})
    assert styles.of(("code",)).link is None
    assert styles.of(("em",)).italic
