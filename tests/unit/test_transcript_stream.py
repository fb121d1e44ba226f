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
from coda_cli.tui.transcript.blocks import Block
from coda_cli.tui.transcript.fence import OpenFence
from coda_cli.tui.transcript.stream import MarkdownStream, markdown_blocks
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
