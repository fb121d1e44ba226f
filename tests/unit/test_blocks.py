"""Streamed Markdown cut into blocks: the same blocks however it arrives, at a cost linear in its length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.rendering.blocks import (
    CREDIT,
    SMALL,
    BlockSplitter,
    code_blocks,
    first_code_block,
    last_code_block,
)
from coda_cli.engine.rendering.parsing import block_tokens

DOCUMENTS: dict[str, str] = {
    "setext": "Title\n=====\n\npara\nmore\n---\n\nnot a heading\n\n---\nend",
    "loose list": "- a\n\n- b\n\n      code?\n\n  still b\n- c\n\npara\n1. one\n2. two\n\n\n3. three\n\n2) other\n",
    "numbers": "1. a\n\n2\n\n3. c\n\n10. ten\n2",
    "lazy quote": "> quote\nlazy\n> - list\n>   more\n\n> second\n# heading\n> third",
    "table": "text\na | b\n--- | ---\n1 | 2\nx | `|`\n\nafter\n| a |\n|---|\n| 1\n- list",
    "fences": "```py\nx = '''\n```` \n~~~\n```\ntext\n~~~~ md\n```\ninner\n```\n~~~\n~~~~~\n  ```\n  a\n   ```  \nend",
    "open fence": "para\n\n````markdown\n```\ncode\n```\n\n# not a heading\n\n- no list",
    "nested fence": "1. step\n\n   ```bash\n   ls\n\n   ```\n2. step\n   ~~~\n   a\n\nend\n\n> ```\n> q\n\nout",
    "indented code": "para\n\n    code\n\n\n    more\n\n  \n\nend\n    not code\n\n\tcode",
    "html": "<div>\n*a*\n\n</div>\n<!-- c\n\n# not\n-->\ntext\n<script>\n\n- x\n</script>\n\n<b>inline</b>",
    "definitions": "[a]: /u 'multi\nline\ntitle'\ntext [a]\n\n[b]: </x y>\n[c]:\n/late\n\n# h\n[d]: /d 't'\n\n- [d]\n",
    "definition in list": "- a\n\n  [n]: /n\n- b [n]\n\n> [q]: /q\n\nuse [n] [q] [z]\n[z]: /z\n'not\n\nclosed",
    "rules": "- a\n- - -\n- b\n***\n* * *\n_ _ _\ntext\n***\n+ x\n- y\n* z\n",
    "blank": "\n\n  \n\ntext\n\n\n\n# a #\n\n\n\n",
    "headings": "# a\n## b\ntext\n### c\n```\nx\n```\n#### d\n#not\n####### seven",
    "deep": "- a\n  - b\n    - c\n      - d\n\n        text\n\n   odd\n- e\n\n\n\n    f\n",
    "footnotes": "a[^1] b[^n]\n[^1]: one\nlazy\n[^2]: two\n\n    more\n\n    - list\n\n[^n]:\n    late\n    ===\n\n"
    "end\n- item\n[^3]: http://x\n> q\n[^4]: y\n\n```\n[^5]: code\n```\n| a |\n|--|\n| [^1] |\n[^6]: six\n[^7]",
    "math": "\\[\na_1 = b_2\n\\]\n$$\nx\n-\ny\n$$\nand $a*b*c$ \\(d_1\\)",
    "wide": "# 漢字の見出し\n\n日本語の文章、とても長い文章です。"
    + "改行なしで続く。" * 12
    + "\n\n- 😀 emoji 👩‍👩‍👧‍👦 ❤️ 🇩🇪\n- ok\n\n| 名 | 値 |\n|--|--|\n| 漢 | 😀 |\n",
    "tabs": "-\ta\n\n\tb\n\n1.\tx\n\n\t\tcode\n>\tq\n\n```\n\ttab\n\t```\n```\n",
}


def blocks_of(chunks: Sequence[str]) -> tuple[list[str], BlockSplitter]:
    """The blocks of chunks, with what must hold at every step checked."""
    splitter = BlockSplitter()
    done: list[str] = []
    fed = ""
    for chunk in chunks:
        done += splitter.feed(chunk)
        fed += chunk
        assert "".join(done) + splitter.tail == fed
    done += splitter.finish()
    assert "".join(done) == fed
    assert splitter.tail == ""
    return done, splitter


def cut_at(text: str, places: Sequence[int]) -> list[str]:
    marks = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(marks)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_one_character_at_a_time_gives_the_blocks_of_the_whole(name: str) -> None:
    text = DOCUMENTS[name]
    whole, all_at_once = blocks_of([text])
    single, by_character = blocks_of(list(text))
    assert single == whole
    assert by_character.references == all_at_once.references


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(DOCUMENTS)), st.lists(st.integers(0, 10_000), max_size=30))
def test_any_chunks_give_the_blocks_of_the_whole(name: str, places: list[int]) -> None:
    text = DOCUMENTS[name]
    assert blocks_of(cut_at(text, places))[0] == blocks_of([text])[0]


_LINES = st.sampled_from(
    [
        "", "  ", "text", "- a", "  b", "* c", "1. d", "2", "> q", "# h", "===", "---", "```", "~~~~", "   ```",
        "    code", "| a | b |", "|---|---|", "a | b", "-|-",
        "<div>", "-->", "[r]: /u", "'title", "end'", "\tt", "- - -", "[r]:", "/u",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(_LINES, max_size=24), st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_any_document_gives_the_same_blocks_however_it_is_cut(lines: list[str], places: list[int], ended: bool) -> None:
    text = "\n".join(lines) + ("\n" if ended else "")
    whole, all_at_once = blocks_of([text])
    cut, pieces = blocks_of(cut_at(text, places))
    assert cut == whole
    assert pieces.references == all_at_once.references


def test_a_heading_a_rule_and_a_closed_fence_are_finished_with_their_last_line() -> None:
    splitter = BlockSplitter()
    assert splitter.feed("# h") == []
    assert splitter.feed("\n") == ["# h\n"]
    assert splitter.feed("***\n") == ["***\n"]
    assert splitter.feed("```\na\n``") == []
    assert splitter.feed("`\n") == ["```\na\n```\n"]
    assert splitter.tail == ""


def test_a_line_that_is_not_complete_proves_nothing() -> None:
    splitter = BlockSplitter()
    assert splitter.feed("1. a\n\n2") == []
    assert splitter.feed(". b\n") == []
    assert splitter.feed("\nend\n") == ["1. a\n\n2. b\n\n"]


def test_definitions_of_finished_blocks_are_kept_and_the_first_wins() -> None:
    splitter = BlockSplitter()
    splitter.feed("[a]: /one\n\n# x\n[a]: /two\n[b]: /b 'T'\n\ntext\n\nmore\n")
    assert splitter.references == {"A": {"title": "", "href": "/one"}, "B": {"title": "T", "href": "/b"}}


def test_a_definition_right_before_a_fence_is_kept_when_the_fence_closes_later() -> None:
    splitter = BlockSplitter()
    assert splitter.feed("- a\n\n[r]: /u\n```\n") == ["- a\n\n"]
    assert splitter.feed("```\n") == ["[r]: /u\n```\n```\n"]
    assert splitter.references == {"R": {"title": "", "href": "/u"}}


@pytest.mark.parametrize(
    "line",
    ["- item **x** `y`\n", "| a | b | c |\n", "a | b | c\n", "> quoted\n", "    code\n", "words and words\n", "1. a\n"],
)
@pytest.mark.parametrize("size", [3, 40, 4000])
def test_the_work_is_linear_for_long_open_blocks(line: str, size: int) -> None:
    head = "| a | b | c |\n|---|---|---|\n" if line.startswith(("|", "a |")) else ""
    text = head + line * 1000
    splitter = blocks_of_long(text, size)
    assert splitter.parsed_chars <= CREDIT * len(text) + SMALL * (1000 + 2) + len(text)


def blocks_of_long(text: str, size: int) -> BlockSplitter:
    splitter = BlockSplitter()
    done = [block for at in range(0, len(text), size) for block in splitter.feed(text[at : at + size])]
    assert "".join(done + splitter.finish()) == text
    return splitter


def test_an_open_fence_is_never_parsed_again() -> None:
    splitter = BlockSplitter()
    splitter.feed("```python\n")
    before = splitter.parses
    for number in range(2000):
        splitter.feed(f"x = {number}\n")
    assert splitter.parses == before


def test_one_endless_line_is_never_parsed_before_its_end() -> None:
    splitter = BlockSplitter()
    for _ in range(10_000):
        splitter.feed("word ")
    assert splitter.parses == 0


def test_a_preview_is_bounded_and_shows_the_end() -> None:
    for text in ("```py\n" + "x = 1\n" * 5000 + "last", "- item\n" * 5000 + "last", "word " * 9000 + "last"):
        splitter = BlockSplitter()
        splitter.feed(text)
        view = splitter.preview(20, 2000)
        assert len(view) <= 2100
        assert view.endswith("last")
    splitter = BlockSplitter()
    splitter.feed("|a|b|\n|-|-|\n" + "|1|2|\n" * 5000)
    assert splitter.preview(20, 2000).startswith("|a|b|\n|-|-|\n|1|2|\n")


def test_a_preview_of_a_long_item_keeps_its_code_as_code() -> None:
    splitter = BlockSplitter()
    splitter.feed("- a\n" * 50 + "- step\n\n  ```\n" + "  # no heading\n" * 40)
    assert splitter.preview(20, 5000).startswith("- step\n\n  ```\n  # no heading\n")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("no code", None, None),
        ("```\n```\n", "", ""),
        ("a\n```py\nx\n\n y \n```\nb\n~~~\nz\n~~~\n", "x\n\n y \n", "z\n"),
        ("````md\n```\ninner\n```\n````\n", "```\ninner\n```\n", "```\ninner\n```\n"),
        ("~~~\n```\n~~~\n", "```\n", "```\n"),
        ("```\nopen\n\n\tend", "open\n\n\tend", "open\n\n\tend"),
        ("1. a\n   ```sh\n   ls\n     -l\n   ```\n> ```\n> q\n> ```\n", "ls\n  -l\n", "q\n"),
        ("```\r\na\r\nb\n\r\n```\r\n", "a\r\nb\n\r\n", "a\r\nb\n\r\n"),
        ("```\na\rb\x1b[1m\n```", "a\rb\x1b[1m\n", "a\rb\x1b[1m\n"),
        ("    indented\n\n`inline`", None, None),
        ("```\na\n    ```\n```", "a\n    ```\n", "a\n    ```\n"),
    ],
)
def test_code_blocks_are_extracted_byte_for_byte(text: str, first: str | None, last: str | None) -> None:
    assert first_code_block(text) == first
    assert last_code_block(text) == last


@settings(max_examples=300, deadline=None)
@given(st.lists(_LINES, min_size=4, max_size=60), st.lists(st.integers(0, 10_000), max_size=12))
def test_with_a_limit_nothing_is_lost_and_no_open_block_outgrows_it(lines: list[str], places: list[int]) -> None:
    text = "\n".join(lines) + "\n"
    splitter = BlockSplitter(limit=150)
    done: list[str] = []
    for chunk in cut_at(text, places):
        done += splitter.feed(chunk)
        assert splitter.open_fence is not None or splitter.weight <= 150
    whole = BlockSplitter(limit=150)
    assert done + splitter.finish() == whole.feed(text) + whole.finish()
    assert "".join(done) == text[: len("".join(done))]
    assert splitter.cut_short is whole.cut_short


def test_a_huge_line_is_a_block_of_its_own_and_what_stands_around_it_stays_markdown() -> None:
    for line in ["x" * 100_000, "- " * 50_000, "|" * 100_000]:
        splitter = BlockSplitter(limit=30_000)
        text = f"- a\n- b\n{line}\n# h\n```\n{line}\n```\nend"
        done = splitter.feed(text) + splitter.finish()
        assert done == ["- a\n- b\n", f"{line}\n", "# h\n", f"```\n{line}\n```\n", "end"]


def test_a_rule_is_what_commonmark_says_it_is() -> None:
    for rule in ["---", "* * *", "_\t_ _ \t", "   ----------"]:
        assert [token.type for token in block_tokens(rule)] == ["hr"]
    for other in ["--", "- - a", "*-*", "    ---", "-_-"]:
        assert "hr" not in [token.type for token in block_tokens(other)]


def test_the_code_of_a_text_too_long_to_parse_is_found_by_its_fences() -> None:
    code = "```py\nx\n```\n~~~~ sh\n```\n~~~\n~~~~\n  ```\n   y\n  ```\n``` not`code\n```\nopen"
    long = "some words\n" * 20_000
    assert code_blocks(f"{long}\n{code}") == code_blocks(code) == ["x\n", "```\n~~~\n", " y\n", "open"]


def test_a_definition_that_is_the_last_thing_is_one() -> None:
    for end in ["", "\n", "\n\n"]:
        assert list(blocks_of([f"see [it]\n\n[it]: http://it.example{end}"])[1].references) == ["IT"]
