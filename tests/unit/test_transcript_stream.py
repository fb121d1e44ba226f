"""Whatever way an answer comes in pieces, what stands there in the end is what drawing it as a whole gives."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.markdown.code import checked, highlight, lex, lexer_for
from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.tui.transcript import blocks as blocks_module, stream as stream_module
from coda_cli.tui.transcript.blocks import Block, is_code
from coda_cli.tui.transcript.fence import OpenFence
from coda_cli.tui.transcript.stream import Filling, MarkdownStream, markdown_blocks
from tests.unit.code_samples import SAMPLES
from tests.unit.test_blocks import DOCUMENTS

LONG = bool(os.environ.get("CODA_TEST_LONG"))
Drawn = list[tuple[list[tuple[str, tuple[str, ...]]], str, tuple[str, ...]]]

CODE = "".join(f"```{name}\n{text}```\n\nSome text.\n\n" for name, text in SAMPLES.items())
MORE = (
    "Intro\n\n" + "".join(f"{n}. item *{n}*\n" for n in range(1, 130)) + "\n    more of it\n\n"
    "| a | b |\n|--|:-:|\n" + "".join(f"| row {n} | `{n}` |\n" for n in range(80)) + "\n"
    "> quote\n" + "".join(f"> line {n} of it\n>\n" for n in range(60)) + "\n"
    "- loose\n\n- later\n" + "".join(f"- item {n}\n  - inner\n" for n in range(80)),
    CODE,
    "See [a] and [b].\n\n[a]: https://a.example\n\nText [a].\n\n[b]: https://b.example 'x'\n",
    "~~~ python\nx = 1\n~~~~\n   ```js\n   let a\n   ```\nnot closed:\n```\ncode $x$\n\n``\n",
    "Long " + "word " * 3000 + "\n\n" + "x" * 5000 + "\n\n漢字" * 50 + "\n\n" + "e\u0301" * 500,
    "\x1b[31mred\x1b[0m \u202e rtl \u200b\n\n`\x07`\n\n```\n\x1b]0;title\x07\n```\r\n\r\nend\r",
)


def drawn(blocks: Sequence[Block], width: int) -> Drawn:
    """What is seen of blocks: styled runs, how rows go on, what lies under them."""
    return [(row.runs, row.joint, row.fill) for block in blocks for row in block.lay(width)]


def whole(text: str, width: int) -> Drawn:
    return drawn(markdown_blocks(MarkdownRenderer(widget=True), sanitize(text)), width)


def streamed(text: str, cuts: Sequence[int], width: int, *, every: int = 1) -> Drawn:
    """Fed in pieces, drawn after every *every*-th of them."""
    stream = MarkdownStream(MarkdownRenderer(widget=True), lambda: width)
    points = [0, *sorted(cuts), len(text)]
    for number, (start, end) in enumerate(pairwise(points)):
        stream.feed(text[start:end])
        if number % every == 0:
            stream.draw()
            drawn(stream.tail, width)
    blocks = stream.final(text)
    if blocks is None:  # a definition came late: it is drawn anew
        return whole(text, width)
    for job in stream.jobs:
        while not job(1.0):
            time.sleep(0.001)  # its lexer is being built
    return drawn(blocks, width)


@pytest.mark.parametrize("document", range(len(DOCUMENTS) + len(MORE)))
def test_random_pieces_give_the_whole(document: int) -> None:
    text = [*DOCUMENTS.values(), *MORE][document]
    rng = random.Random(document)
    expected = whole(text, 60)
    for turn in range(40 if LONG else 4):
        most = [len(text), 40, 12, 300][turn % 4]
        cuts = [rng.randrange(len(text) + 1) for _ in range(min(most, len(text)))]
        assert streamed(text, cuts, 60, every=1 + len(cuts) // 200) == expected


LINES = "- a\n|1. b\n|  c\n|    d\n|\n|> q\n|```\n|```py\n|x = 1\n|# h\n|---\n|text |*e* |[l](http://x.y) "
LINES += "|$a^2$ |\t- t\n|~~~\n|<b>\n"


@settings(max_examples=500 if LONG else 60, deadline=None)
@given(
    st.lists(st.sampled_from([*LINES.split("|"), "| a | b |\n", "|--|--|\n", "[^1]: n\n", "a[^1] "]), max_size=40),
    st.randoms(use_true_random=False),
)
def test_any_markdown_in_any_pieces_gives_the_whole(parts: list[str], rng: random.Random) -> None:
    text = "".join(parts)
    cuts = [rng.randrange(len(text) + 1) for _ in range(rng.randrange(12))]
    assert streamed(text, cuts, 40) == whole(text, 40)


ITEMS = (
    "- item\n|- *item*\n  more of it\n|-  further in\n|- a\n  - b\n    - c\n|- x\n\n|- one\n\n  two\n|  lazy\n|lazy\n"
)


@pytest.mark.parametrize("seed", range(400 if LONG else 12))
@pytest.mark.parametrize("kind", ["-", "1.", "7)", "table"])
def test_a_long_list_or_table_taken_in_parts_is_the_whole_one(seed: int, kind: str) -> None:
    rng = random.Random(seed)
    if kind == "table":
        rows = [f"| {'9' * rng.randrange(1, 9)} | `x` |\n" for _ in range(200)]
        if rng.randrange(2):
            rows[rng.randrange(200)] = rng.choice(["no bars\n", "| one\n", "| a | b | c |\n", "|\n", "a \\| b | c\n"])
        text = "| h | i |\n|---|--:|\n" + "".join(rows)
        text += rng.choice(["", "\nafter\n", "lazy\n", "- list\n"])
    else:
        chosen = rng.choices(ITEMS.split("|"), [90, 20, 1, 9, rng.randrange(2), rng.randrange(2), 1, 1], k=250)
        text = "".join(item.replace("- ", f"{kind} ", 1) for item in chosen)
        text += rng.choice(["", "\nafter\n", "* other\n", "\n\n    code\n"])
    cuts = [rng.randrange(len(text) + 1) for _ in range(rng.randrange(60))]
    assert streamed(text, cuts, 30) == whole(text, 30)


@pytest.mark.parametrize("language", SAMPLES)
def test_code_that_grows_line_by_line_has_the_colours_of_the_whole(language: str) -> None:
    code = SAMPLES[language] * (60 if LONG else 15)
    whole = lexed_whole(code.removesuffix("\n"), language)
    fence = OpenFence(f"```{language}\n", gap=False)
    for line in code.splitlines(keepends=True):
        fence.update([line], "", 200)
    fence.update([], "", 200, whole=True)
    if language != "php":  # it has states that only its beginning tells
        assert fence._lines == whole
    block = Block(lambda width: [], "")
    rest = fence.close(block)
    while rest is not None and not rest(0.001):
        pass
    assert highlight(code.removesuffix("\n"), language) == whole


def test_a_comment_longer_than_what_is_lexed_again_is_put_right_when_the_fence_closes() -> None:
    code = "let a;\n/*\n" + "let b = 'not code';\n" * 200 + "*/\nlet c;"
    text = f"```js\n{code}\n```\nafter"
    cuts = range(0, len(text), 40)
    assert streamed(text, list(cuts), 80) == whole(text, 80)
    assert highlight(code, "js") == lexed_whole(code, "js")
    assert len({key for line in highlight(code, "js")[1:-1] for _, key in line}) == 1


def lexed_whole(code: str, language: str) -> list[list[tuple[str, tuple[str, ...]]]]:
    """What Pygments' own loop gives for all of *code* at once."""
    lexer = lexer_for(language)
    assert lexer is not None
    return checked(code, [run for run in lex(lexer, code) if run[0]])


@pytest.mark.parametrize("kind", ["table", "list"])
def test_a_long_list_or_table_that_comes_at_once_is_taken_in_parts_and_more_of_it_costs_only_itself(kind: str) -> None:
    text = "| h | i |\n|---|--:|\n" + "| row | `x` |\n" * 3000 if kind == "table" else "- item *x*\n" * 3500
    renderer = MarkdownRenderer(widget=True)
    stream = MarkdownStream(renderer, lambda: 60)
    stream.feed(text)
    stream.draw()
    assert len(stream.tail) > 1
    assert len(stream._splitter.tail) < 2000
    assert drawn(stream.tail, 60) == whole(text, 60)
    before = renderer.rendered_chars
    for _ in range(50):
        stream.feed("| more | `y` |\n" if kind == "table" else "- more *y*\n")
        stream.draw()
        drawn(stream.tail[-1:], 60)
    assert renderer.rendered_chars - before < 50 * 1000


def test_long_code_in_a_list_is_lexed_when_the_list_is_complete_and_not_with_every_frame() -> None:
    code = "".join(f"    x{n} = 'text {n}'\n" for n in range(300))
    text = f"1. Do this:\n\n   ```python\n{code}   ```\n"
    stream = MarkdownStream(MarkdownRenderer(widget=True), lambda: 60)
    stream.feed(text)
    stream.draw()
    assert not any("syntax" in str(row) for row in drawn(stream.tail, 60))
    blocks = stream.final(text)
    assert blocks is not None
    assert drawn(blocks, 60) == whole(text, 60)
    assert any("syntax" in str(row) for row in drawn(blocks, 60))


PIECES = [
    *LINES.split("|"), "| a | b |\n", "|--|--|\n", "| c | `d` |\n" * 9, "- item *x*\n" * 9, "- a\n  - b\n    - c\n" * 4,
    "1. a\n2. b\n" * 6, "word *and* `code` " * 9, "[r]: http://x.y\n", "[r] ", "text\n" * 9, "> q\n" * 9, "\n",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(1500 if LONG else 40))
def test_what_is_cut_short_is_so_however_it_comes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HEAVY": 1200, "HEAVY_OPEN": 500}.items():
        monkeypatch.setattr(blocks_module, name, value)
        monkeypatch.setattr(stream_module, name, value, raising=False)
    monkeypatch.setattr(stream_module, "_AT_ONCE", 300)
    monkeypatch.setattr(stream_module, "_SLICE", 150)
    rng = random.Random(seed)
    text = "".join(rng.choice(PIECES) for _ in range(rng.randrange(60)))
    cuts = [rng.randrange(len(text) + 1) for _ in range(rng.randrange(30))]
    assert streamed(text, cuts, 40) == whole(text, 40)


HEAVY = {
    "a dense paragraph": "*a* `b` " * 4000,
    "lines of a paragraph": "some words\n" * 3000,
    "an item": "- a\n" + "  - *b*\n" * 2000,
    "an item among others": "1. one\n2. two\n" + "   - *b*\n" * 2000 + "3. three\n",
    "lists ever deeper": "\n".join("  " * depth + "- item" for depth in range(400)) + "\n",
    "definitions": "".join(f"[r{n}]: http://e.example/{n}\n" for n in range(3000)),
    "a huge line": "- " * 40_000 + "\n",
    "a huge cell": "| a | b |\n|---|---|\n| c | d |\n| " + "*e* " * 10_000 + "| f |\n",
    "a quote": "> *some* words\n" * 2000,
}


@pytest.mark.parametrize("name", HEAVY)
def test_what_is_too_heavy_is_plain_says_so_and_loses_nothing(name: str) -> None:
    text = f"**before**\n\n{HEAVY[name]}\n\n**after**\n"
    blocks = markdown_blocks(MarkdownRenderer(widget=True), sanitize(text))
    assert "".join(block.source or "" for block in blocks).replace("\n", "") == text.replace("\n", "")
    rows = [row.text for block in blocks for row in block.lay(80)]
    assert "shown as plain text" in rows
    assert (rows[0], rows[-1]) == ("before", "after")
    assert streamed(text, range(0, len(text), 3000), 80) == drawn(blocks, 80)


@pytest.mark.parametrize("name", [*HEAVY, "code", "a list", "a table", "a wide table", "items of code"])
def test_no_step_parses_or_draws_more_than_a_bounded_piece(name: str) -> None:
    more = {
        "code": "```text\n" + "x = 1\n" * 20_000 + "```\n",
        "a list": "- item *x*\n" * 9000,
        "a table": "| a | b |\n|---|---|\n" + "| one | two |\n" * 9000,
        "a wide table": "|" + "a|" * 500 + "\n|" + "-|" * 500 + "\n" + ("|" + "1|" * 500 + "\n") * 60,
        "items of code": "".join(f"{n}. do\n\n   ```py\n" + "   x = 1\n" * 60 + "   ```\n" for n in range(90)),
    }
    text = HEAVY.get(name) or more[name]
    renderer = MarkdownRenderer(widget=True, wait=False)
    made = Filling(renderer, text)
    most = 0
    while True:
        before = renderer.rendered_chars
        blocks = made.work(lambda: False)
        most = max(most, renderer.rendered_chars - before)
        if blocks is not None:
            break
    for block in blocks:
        before = renderer.rendered_chars
        block.lay(80)
        if not is_code(block.source or ""):  # which is not parsed but shown line by line
            most = max(most, renderer.rendered_chars - before)
    assert most < 40_000


def test_a_definition_at_the_end_of_a_long_text_makes_links_above_it() -> None:
    text = "".join(f"- see [it] {n}\n" for n in range(2000)) + "\n| [it] |\n|--|\n| [it] |\n\n[it]: http://it.example\n"
    rows = [row.text for block in markdown_blocks(MarkdownRenderer(widget=True), text) for row in block.lay(60)]
    assert len(rows) > 2000
    assert all("(http://it.example)" in row for row in rows if "it" in row)


def test_the_end_of_a_huge_line_of_code_is_left_out_with_a_word_and_copied_with_the_rest() -> None:
    for cuts in (range(0), range(0, 60_000, 5000)):
        text = f"```text\nfirst\n{'x' * 50_000}\nlast\n```\n"
        stream = MarkdownStream(MarkdownRenderer(widget=True), lambda: 80)
        for start, end in pairwise([0, *(cut for cut in cuts if cut < len(text)), len(text)]):
            stream.feed(text[start:end])
            stream.draw()
        blocks = stream.final(text)
        assert blocks is not None
        assert drawn(blocks, 80) == whole(text, 80)
        rows = [row.text for block in blocks for row in block.lay(80)]
        assert len(rows) < 250
        assert "33,616 more characters" in "".join(rows).replace(" ↪ ", "")
        assert rows[-1].strip() == "last"
        assert "".join(block.source or "" for block in blocks) == text
