"""Markdown to lines of styled text: code, tables, wrapping, widths and the theme."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.markdown.text import DEFAULT_THEME, cells, line_cells, load_theme, plain, wrap
from coda_cli.paths import themes_dir
from tests.unit.test_blocks import DOCUMENTS


def shown(source: str, width: int = 80) -> list[str]:
    return [plain(line) for line in MarkdownRenderer().render(source, width)]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("Title\n=====\ntext\nnext line  \nlast<br>br", ["Title", "", "text", "next line", "last", "br"]),
        ("3. a\n4. b\n   - c\n     d", ["3. a", "4. b", "   • c", "     d"]),
        ("- a\n\n- b\n", ["• a", "", "• b"]),
        ("- [ ] open\n- [x] done\n-", ["• [ ] open", "• [x] done", "• "]),
        ("> a\n> > b\n>\n> c", ["│ a", "│ ", "│ │ b", "│ ", "│ c"]),
        ("<div>\nx\n</div>", ["<div>", "x", "</div>"]),
        ("a &amp; \\*b\\* &#x202e;&#10;c", ["a & *b* \ufffd c"]),
        ("[a]\n\n[a]: http://x", ["a (http://x)"]),
        ("[x](javascript:alert(1))", ["[x](javascript:alert(1))"]),
        ("[![i](http://p)](http://l)", ["[image: i] (http://p) (http://l)"]),
        ("| a |\n|---|\n| 1 | 2 |\n", ["a", "─", "1"]),
        ("[bold]a[/bold] [red]b", ["[bold]a[/bold] [red]b"]),
        (r"\(a_1 * b_2 * c\) and $x_1 *y* z$", [r"\(a_1 * b_2 * c\) and $x_1 *y* z$"]),
        (r"\[ \frac{a}{b} \\ c \] costs $5 to *$6*", [r"\[ \frac{a}{b} \\ c \] costs $5 to $6"]),
        ("\\[\na_1 = b_2\n\\]", ["\\[", "a_1 = b_2", "\\]"]),
        ("a[^1] `[^1]`[^2][^10]\n\n[^1]: x *y*\n[^2]: z\n", ["a¹ [^1]² ¹⁰", "", "¹ x y", "² z"]),
        ("[^n]: a\n\n    b\n\n[^12]: c", ["[^n] a", "", "     b", "¹² c"]),
        ("[^1]: http://x\n- [^1]\n[^2]:", ["¹ http://x", "", "• ¹", "", "² "]),
        (r"[^a-z] \[^1] [^1](http://x) [^ 1] ![^1]", ["[^a-z] [^1] ^1 (http://x) [^ 1] !¹"]),
        ("", []),
    ],
)
def test_each_kind_of_block_has_its_form(source: str, lines: list[str]) -> None:
    assert shown(source) == lines


def test_footnotes_are_ascii_where_the_terminal_is_and_wrap_under_themselves() -> None:
    lines = MarkdownRenderer(unicode=False).render("see[^1]\n\n[^1]: some words of it", 14)
    assert [plain(line) for line in lines] == ["see[1]", "", "[1] some words", "    of it"]


def test_definitions_from_before_are_used() -> None:
    references: dict[str, dict[str, object]] = {"A": {"href": "http://x", "title": ""}}
    lines = MarkdownRenderer().render("see [a]", 80, references=references)
    assert [plain(line) for line in lines] == ["see a (http://x)"]


@pytest.mark.parametrize(
    "opener", ["[", "![", "\\(", "$a ", "> ", "- ", "1. > ", "*a_ ", "**", "~~a ", "<!-- ", "[a]("]
)
@pytest.mark.parametrize("times", [9, 12, 24, 40, 48, 49, 50, 51, 98, 99, 100, 101, 2000])
def test_no_nesting_is_too_deep_to_be_shown(opener: str, times: int) -> None:
    lines = MarkdownRenderer().render(opener * times + "end", 40, folded=True)
    assert "end" in "".join(map(plain, lines))


_MARKS = [
    "",
    "# ",
    "- ",
    "  - ",
    "1. ",
    "> ",
    "    ",
    "\t",
    "**",
    "_",
    "`",
    "```",
    "~~~",
    "|",
    "| ",
    "<b>",
    "<!--",
    "-->",
    "[",
    "]",
]


@given(st.lists(st.lists(st.sampled_from(_MARKS), max_size=4), max_size=12), st.integers(8, 60))
@settings(max_examples=300, deadline=None)
def test_no_word_is_lost_whatever_the_markdown(lines: list[list[str]], width: int) -> None:
    source = "\n".join("".join(marks) + f"word{place}x" + "".join(marks[::-1]) for place, marks in enumerate(lines))
    for folded in (False, True):
        rendered = "".join(map(plain, MarkdownRenderer().render(source, width, folded=folded))).replace(" ", "")
        assert [place for place in range(len(lines)) if f"word{place}x" not in rendered.replace("│", "")] == []


def test_a_list_of_any_depth_shows_every_item() -> None:
    source = "".join("  " * depth + f"- item{depth}\n" for depth in range(60))
    text = "".join(map(plain, MarkdownRenderer().render(source, 200)))
    assert re.findall(r"item\d+", text) == [f"item{depth}" for depth in range(60)]


def test_code_is_printed_without_frame_indent_or_padding_and_long_lines_stay_whole() -> None:
    long = "x = '" + "y" * 100 + "'"
    text = f"```python\ndef f():\n\treturn 1\n\n{long}\n```"
    lines = [plain(line) for line in MarkdownRenderer().render(text, 40)]
    assert lines == ["```python", "def f():", "\treturn 1", "", long, "```"]


def test_code_of_a_known_language_is_coloured_and_of_an_unknown_one_is_not() -> None:
    def keys(language: str) -> set[tuple[str, ...]]:
        return {key for line in MarkdownRenderer().render(f"```{language}\nreturn 1\n```", 40)[1:-1] for _, key in line}

    assert ("syntax.keyword",) in keys("python")
    assert keys("no-such-language") == keys("") == {("code_block",)}


@pytest.mark.parametrize("columns", [80, 60, 30, 12])
def test_tables_fit_the_width(columns: int) -> None:
    table = (
        "| name | a long column of words | 漢字 |\n|:--|:-:|--:|\n"
        + "| a | some words to wrap in a cell | 漢字漢字漢字 |\n" * 3
    )
    lines = MarkdownRenderer().render(table, columns)
    assert all(line_cells(line) <= columns for line in lines)
    letters = re.sub(r"[^a-z漢字]", "", "".join(map(plain, lines)))
    assert letters.count("漢") >= 10


@pytest.mark.parametrize("columns", [8, 13, 20, 60, 80])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_folded_lines_never_pass_the_width(name: str, columns: int) -> None:
    for line in MarkdownRenderer().render(DOCUMENTS[name], columns, folded=True):
        assert line_cells(line) <= columns or "\u200d" in plain(line)


@given(st.text(alphabet=st.sampled_from("ab 漢、é😀\u200d\ufe0f"), max_size=80), st.integers(2, 20))
def test_wrapping_loses_nothing_but_spaces_at_the_breaks(text: str, width: int) -> None:
    lines = wrap([(text[:9], ("strong",)), (text[9:], ())], width)
    assert "".join(map(plain, lines)).replace(" ", "") == text.replace(" ", "")
    assert all(line_cells(line) <= width or " " not in plain(line).strip() for line in lines)


def test_the_width_of_a_text_is_never_too_small() -> None:
    assert [cells(text) for text in ("ab", "漢", "é", "❤️", "👩‍👩‍👧")] == [2, 2, 1, 2, 6]


def test_the_theme_that_comes_along_is_complete_and_is_the_built_in_one() -> None:
    assert load_theme(themes_dir() / "ansi.toml") == DEFAULT_THEME


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"\xff\xfe",
        b"[markdown",
        b"markdown = 3\nsyntax = []",
        b'[markdown]\ncode = "no such colour"\nem = 3\nx = "red"',
    ],
)
def test_a_theme_that_is_missing_or_bad_leaves_the_built_in_styles(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "theme.toml"
    if content is not None:
        file.write_bytes(content)
    assert load_theme(file) == DEFAULT_THEME


def test_a_theme_changes_what_it_names_and_may_not_hide_a_link(tmp_path: Path) -> None:
    file = tmp_path / "theme.toml"
    file.write_text('[markdown]\ncode = "bold red"\nlink = "link http://evil"\n[syntax]\nkeyword = "green"\n')
    theme = load_theme(file)
    assert (theme["code"], theme["syntax.keyword"], theme["link"]) == ("bold red", "green", DEFAULT_THEME["link"])
