"""Streamed Markdown on a terminal, seen through a terminal emulator."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pyte
import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.cli.markdown import INTERVAL, MarkdownWriter
from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.markdown.text import plain
from tests.unit.test_blocks import DOCUMENTS, cut_at

# What the writer itself may send: colours, rows erased one by one (see `_draw`), synchronized output, autowrap.
OURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\d+A\r(?:\x1b\[K\n)+\x1b\[\d+A|\r\x1b\[K|\x1b\[\?2026[hl]|\x1b\[\?7[hl]")
FOREIGN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# A document whose later definitions change earlier links can only be right once it is whole.
SETTLED = [name for name in DOCUMENTS if not name.startswith("definition")]


class Terminal(io.StringIO):
    """A terminal with scrollback that is written to as a text stream, and counts the writes."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(columns, rows, history=100_000, ratio=0.5)
        self.screen.set_mode(pyte.modes.LNM)
        self.stream = pyte.Stream(self.screen)
        self.writes: list[str] = []
        self.now = 0.0

    def write(self, text: str) -> int:
        self.writes.append(text)
        self.stream.feed(text)
        return len(text)

    def size(self) -> tuple[int, int]:
        return self.screen.columns, self.screen.lines

    def clock(self) -> float:
        return self.now

    def writer(self, *, colour: bool = True) -> MarkdownWriter:
        return MarkdownWriter(self, colour=colour, clock=self.clock, size=self.size)

    def visible(self) -> list[str]:
        """The rows of the screen."""
        return [row.rstrip() for row in self.screen.display]

    def text(self) -> str:
        """Scrollback and screen, without the empty rows at the end."""
        columns = range(self.screen.columns)
        past = ["".join(row[x].data for x in columns).rstrip() for row in self.screen.history.top]
        return "\n".join(past + self.visible()).rstrip()


def show(chunks: Sequence[str], columns: int = 80, rows: int = 24, *, step: float = INTERVAL) -> Terminal:
    terminal = Terminal(columns, rows)
    with terminal.writer() as writer:
        for chunk in chunks:
            writer.write(chunk)
            terminal.now += step
            writer.tick()
    return terminal


def one_shot(text: str, columns: int) -> str:
    """The rendering of the whole text on a terminal so tall that nothing scrolls."""
    terminal = Terminal(columns, 2000)
    for line in MarkdownRenderer().render(text, columns):
        terminal.write(plain(line) + "\n")
    return terminal.text()


@pytest.mark.parametrize("columns", [80, 60, 24])
@pytest.mark.parametrize("name", SETTLED)
def test_a_stream_ends_as_the_whole_document_rendered_at_once(name: str, columns: int) -> None:
    text = DOCUMENTS[name]
    chunks = [text[at : at + 4] for at in range(0, len(text), 4)]
    terminal = show(chunks, columns, rows=12)
    assert terminal.text() == one_shot(text, columns)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(SETTLED),
    st.lists(st.integers(0, 10_000), max_size=20),
    st.integers(20, 100),
    st.integers(3, 40),
    st.sampled_from([0.0, INTERVAL / 3, INTERVAL]),
)
def test_chunks_sizes_and_pace_do_not_matter(
    name: str, places: list[int], columns: int, rows: int, step: float
) -> None:
    text = DOCUMENTS[name]
    assert show(cut_at(text, places), columns, rows, step=step).text() == one_shot(text, columns)


def test_the_tail_is_on_screen_while_it_is_open() -> None:
    terminal = Terminal(40, 10)
    writer = terminal.writer()
    for text, last in [("Hel", "Hel"), ("lo **wor", "Hello **wor"), ("ld** and", "Hello world and")]:
        writer.write(text)
        terminal.now += INTERVAL
        writer.tick()
        assert terminal.text() == last
    assert terminal.screen.cursor.x == 0


def test_of_a_tail_taller_than_the_screen_only_the_end_is_shown_and_then_all_of_it() -> None:
    rows = 10
    terminal = Terminal(40, rows)
    writer = terminal.writer()
    writer.write("before\n\n```python\n")
    for number in range(200):
        writer.write(f"x = {number}\n")
        terminal.now += INTERVAL
        writer.tick()
        assert terminal.visible()[rows - 2 if number > rows else terminal.screen.cursor.y - 2] in (
            f"x = {number}",
            "```",
        )
    assert "x = 5\n" not in terminal.text()
    writer.write("```\n")
    writer.finish()
    assert terminal.text() == "before\n\n```python\n" + "".join(f"x = {number}\n" for number in range(200)) + "```"


def test_at_most_ten_frames_a_second_and_one_write_a_frame() -> None:
    terminal = Terminal()
    writer = terminal.writer()
    for _ in range(1000):
        writer.write("word ")
        terminal.now += 0.01
        writer.tick()
    assert 90 <= writer.frames <= 101
    assert len(terminal.writes) <= writer.frames
    assert all(text.startswith("\x1b[?2026h") and text.endswith("\x1b[?2026l") for text in terminal.writes)


def test_a_slow_frame_puts_the_next_one_off() -> None:
    terminal = Terminal()

    def slow() -> float:
        terminal.now += 0.5
        return terminal.now

    writer = MarkdownWriter(terminal, colour=False, clock=slow, size=terminal.size)
    for _ in range(20):
        writer.write("word ")
    assert writer.frames < 8


def test_without_new_text_nothing_is_drawn() -> None:
    terminal = Terminal()
    writer = terminal.writer()
    writer.tick()
    writer.write("text")
    for _ in range(5):
        terminal.now += 1
        writer.tick()
    assert len(terminal.writes) == 1


@pytest.mark.parametrize("before", [80, 50])
@pytest.mark.parametrize("after", [60, 100])
def test_after_a_change_of_width_all_text_is_there_and_the_next_frame_fits(before: int, after: int) -> None:
    words = [f"word{number}" for number in range(120)]
    terminal = Terminal(before, 30)
    writer = terminal.writer()
    for place, word in enumerate(words):
        if place == 60:
            terminal.screen.resize(30, after)
        writer.write(word + (" " if place % 40 else "\n\n# head\n\n"))
        terminal.now += INTERVAL
        writer.tick()
    writer.finish()
    assert re.findall(r"word\d+", terminal.text())[-60:] == words[-60:]
    assert terminal.text().count("word100") == 1
    expected = one_shot(" ".join(words[81:]), after)
    assert terminal.text().endswith(expected)


def test_a_screen_that_gets_lower_loses_nothing() -> None:
    text = "\n".join(f"- item {number}" for number in range(60))
    terminal = Terminal(40, 30)
    writer = terminal.writer()
    for place, line in enumerate(text.split("\n")):
        if place == 25:
            terminal.screen.resize(8, 40)
        writer.write(line + "\n")
        terminal.now += INTERVAL
        writer.tick()
    writer.finish()
    assert terminal.text().endswith(text.replace("- ", "• "))


def test_abort_shows_all_text_and_puts_the_terminal_back() -> None:
    terminal = Terminal(40, 8)
    writer = terminal.writer()
    writer.write("# head\n\ntext\n\n```\n" + "".join(f"line {number}\n" for number in range(20)))
    writer.write("not yet dr\r")
    writer.abort("interrupted")
    writer.abort()
    writer.finish()
    writer.write("too late")
    lines = terminal.text().split("\n")
    assert lines == [
        "head",
        "",
        "text",
        "",
        "```",
        *(f"line {n}" for n in range(20)),
        "not yet dr",
        "```",
        "",
        "interrupted",
    ]
    assert terminal.writes[-1].endswith("\x1b[0m\x1b[?7h\x1b[?2026l")
    assert pyte.modes.DECAWM in terminal.screen.mode
    assert terminal.screen.cursor.x == 0


def test_an_exception_in_the_block_aborts_and_gets_through() -> None:
    terminal = Terminal()

    def interrupted() -> None:
        with terminal.writer() as writer:
            writer.write("par")
            writer.write("tial")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.text() == "partial"


def test_an_interrupt_in_the_middle_of_a_frame_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    writer = terminal.writer()
    writer.write("# one\n\ntwo")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_draw", interrupted)
        terminal.now += INTERVAL
        with pytest.raises(KeyboardInterrupt):
            writer.write(" three\n\nfour")
    writer.abort()
    assert terminal.text() == "one\n\ntwo three\n\nfour"


def test_a_stream_that_breaks_is_reported_once() -> None:
    class Broken(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    writer = Broken().writer()
    with pytest.raises(BrokenPipeError):
        writer.write("text")
    writer.abort()


def test_prepare_shows_nothing_and_changes_nothing() -> None:
    terminal = Terminal()
    writer = terminal.writer()
    writer.prepare()
    assert terminal.writes == []
    writer.write("text")
    writer.finish()
    assert terminal.text() == "text"


def test_an_echoed_interrupt_does_not_stay_in_the_text() -> None:
    terminal = Terminal()
    writer = terminal.writer()
    writer.write("# head\n")
    terminal.write("^C")
    writer.abort()
    assert terminal.text() == "head"


def test_clear_makes_room_for_other_output() -> None:
    terminal = Terminal()
    writer = terminal.writer()
    writer.write("# done\n\nopen")
    writer.clear()
    terminal.write("a warning\n")
    writer.write(" end")
    writer.finish()
    assert terminal.text() == "done\na warning\n\nopen end"


ATTACKS = [
    *(f"a{chr(code)}b" for code in [*range(0x09), *range(0x0B, 0x0D), *range(0x0E, 0x20), *range(0x7F, 0xA0)]),
    *(f"a{chr(code)}b" for code in [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
    *(f"a&#{code};b" for code in [7, 8, 9, 10, 12, 13, 27, 127, 144, 155, 157, 0x202E, 0x2066, 0x200F, 0x2028]),
    *(f"[x](http://a/{char})" for char in ["%1b]0;t%07", "\x1b[2J", "&#27;[A", "&#x202e;", "\x9b1A", "&#12;"]),
    *(f"<http://a/{char}>" for char in ["%1b]0;t%07", "\x1b[2J", "%9b", "&#x202e;", "%E2%80%AE", "%0d%0a"]),
    *(f"![{char}](u{char})" for char in ["\x1b]8;;http://e\x1b\\", "&#x202e;", "\x07", "&NewLine;", "\x9c"]),
    *(f"```{char}\n{char}\n```" for char in ["\x1b[31m", "\x9b31m", "py\x1b]0;t\x07", "&#27;", "\x1b[?1049h"]),
    *(f"| {char} | b |\n|--|--|\n| {char} | {char} |" for char in ["\x1b[A", "&#13;", "\x08\x08", "\x1b[10;10H"]),
    "\x1b]52;c;aGFja2Vk\x07", "\x1b]0;title\x1b\\", "\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "\x1bP+q544e\x1b\\",
    "\x1b[2J\x1b[H", "\x1b[3J", "\x1b[?1049h", "\x1b[6n", "\x1bc", "\x1b[?7l", "\x1b[?2026h",
    "\x9d0;t\x9c", "\x1b_Gf=24\x1b\\",
    "text\r\x1b[Koverwritten", "a\rb\rc", "x\x08\x08\x08y", "\x1b(0lqk", "[bold red]markup[/]",
    "[link=http://e]x[/link]", "\x1b]1337;File=inline=1:AAAA\x07", "\x1b[21t", "\x1b[>c", "\x1b[5i", "\x1b#8",
    "\x0e\x0f", "\x1bPq#0\x1b\\", "<b>\x1b[1m</b>",
    "# head \x1b[A\n\n> \x1b[B quote\n\n- \x1b[C\n", "`\x1b[1m` **\x1b[2m** ~~\x9b3m~~",
    "\\\x1b[A \\(\x1b[B\\)", "$\x1b[A$",
]  # fmt: skip


def test_the_corpus_of_attacks_is_large() -> None:
    assert len(ATTACKS) >= 100


@pytest.mark.parametrize("place", range(len(ATTACKS)))
def test_no_control_of_the_models_reaches_the_terminal_wherever_it_is_cut(place: int) -> None:
    attack = ATTACKS[place]
    results = set()
    for at in range(len(attack) + 1):
        terminal = Terminal(40, 10)
        with terminal.writer() as writer:
            for chunk in (attack[:at], attack[at:]):
                writer.write(chunk)
                terminal.now += INTERVAL
                writer.tick()
        sent = "".join(terminal.writes)
        assert not FOREIGN.search(OURS.sub("", sent)), (at, sent)
        results.add(terminal.text())
    assert len(results) == 1


@given(st.text(alphabet=st.sampled_from("\x1b\x9b\x07\r\n[]()<>`*_|#-! ab&;123456789xm\u202e\ue000漢😀"), max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_brings_a_control_to_the_terminal(text: str) -> None:
    terminal = show([text[:7], text[7:]], 30, 6)
    assert not FOREIGN.search(OURS.sub("", "".join(terminal.writes)))


def test_links_and_images_show_their_true_target_and_no_hidden_one() -> None:
    terminal = show(["[bank](http://evil/x) <http://a.b> [http://a.b](http://c.d) ![cat](http://i/p.png) <m@a.b>"], 200)
    assert terminal.text() == (
        "bank (http://evil/x) http://a.b http://a.b (http://c.d) [image: cat] (http://i/p.png) m@a.b"
    )
    assert "\x1b]" not in "".join(terminal.writes)


def test_without_colour_no_style_is_sent_and_marks_show_the_structure() -> None:
    terminal = Terminal()
    with terminal.writer(colour=False) as writer:
        writer.write("## head\n\n**bold** `code`\n\n```python\nreturn\n```")
    assert not re.search(r"\x1b\[[0-9;]*m", "".join(terminal.writes))
    assert terminal.text() == "## head\n\nbold `code`\n\n```python\nreturn\n```"


def test_a_stream_that_is_not_unicode_gets_what_it_can_show() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    with MarkdownWriter(stream, colour=False, size=lambda: (40, 10)) as writer:
        writer.write("- é\n\n> q\n")
    assert b"- ?" in raw.getvalue()
    assert b"| q" in raw.getvalue()


def cost(text: str, rows: int = 24) -> int:
    """Characters rendered in all frames at the pace of a fast model: 16 characters, 2 ms apart."""
    terminal = Terminal(80, rows)
    quiet = MarkdownWriter(io.StringIO(), colour=False, clock=terminal.clock, size=terminal.size)
    for at in range(0, len(text), 16):
        quiet.write(text[at : at + 16])
        terminal.now += 0.002
    quiet.finish()
    return quiet.rendered_chars


@pytest.mark.parametrize(
    "line",
    [
        "x = f(1, 'two')\n",
        "- an item **of** a list\n",
        "| a | b | c |\n",
        "> quoted text\n",
        "words without end ",
        "para\n\n",
    ],
)
def test_the_work_grows_with_the_text_and_not_with_its_square(line: str) -> None:
    head = {"x": "```python\n", "|": "| a | b | c |\n|---|---|---|\n"}.get(line[0], "")
    small, large = (cost(head + line * (size // len(line))) for size in (15_000, 60_000))
    assert large <= 6 * small  # four times the text; quadratic work would be sixteen times as much
