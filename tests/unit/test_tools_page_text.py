"""HTML to text for a model: readable, nothing that a person would not see, and in linear time."""

import time

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.tools.page_text import markdown


def text(page: str) -> str:
    return markdown(page, lambda link: link if link.startswith("http") else None)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>one<p>two", "one\n\ntwo"),
        ("a\n  b\t c", "a b c"),
        ("<h1>Big</h1>x<h3>small</h3>", "# Big\n\nx\n\n### small"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "- a\n- b\n  - c"),
        ("<ol><li><p>a</p></li><li>b</li></ol>after", "1. a\n2. b\n\nafter"),
        ("<li></li><p>x", "x"),
        ("<pre>a\n  b &lt;c&gt;</pre>x", "```\na\n  b <c>\n```\n\nx"),
        ("use <code>x = 1</code> here", "use `x = 1` here"),
        ("<a href='http://x/y'>a  <b>link</b></a> end", "[a link](http://x/y) end"),
        ("<a href=http://x/>one</a>two", "[one](http://x/) two"),
        ("<a href='javascript:x'>not</a> <a>one</a>", "not one"),
        ("a<br>b", "a\nb"),
        ("<blockquote>said<p>more</blockquote>x", "> said\n\n> more\n\nx"),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a | b\n1 | 2"),
        ("<img src=x alt=pic><input value=v>t", "t"),
        ("&amp; &lt;b&gt; &eacute; &#8364; &nope; &", "& <b> é € &nope; &"),
        ("1 < 2 and 3 > 2 <", "1 < 2 and 3 > 2 <"),
        ("<title>A &amp; B</title><p>x", "# A & B\n\nx"),
        ("<title>Same</title><h1>Same</h1>x", "# Same\n\nx"),
        ("a<!-- hidden -->b<!-- never closed", "ab"),
        ("<![CDATA[x]]>y<?php z ?>", "y"),
        ("<P CLASS=x>up</P>", "up"),
        ("<svg><text>no</text></svg>yes", "yes"),
        ("", ""),
    ],
)
def test_pages(page: str, expected: str) -> None:
    assert text(page) == expected


@pytest.mark.parametrize(
    "page",
    [
        "<script>IGNORE</script>",
        "<SCRIPT >if (a<b) '</div>' IGNORE</SCRIPT >",
        "<style>IGNORE</style>",
        "<!-- IGNORE -->",
        "<div hidden>IGNORE<div>IGNORE</div>IGNORE</div>",
        "<p hidden>IGNORE",
        "<span style='display: none'>IGNORE</span>",
        "<span style=visibility:hidden>IGNORE</span>",
        "<span style='font-size:0'>IGNORE</span>",
        "<span style='DISPLAY:NONE'>IGNORE</span>",
        "<i aria-hidden=true>IGNORE</i>",
        "<template>IGNORE</template>",
        "<noscript>IGNORE</noscript>",
        "<iframe>IGNORE</iframe>",
        "<textarea>IGNORE</textarea>",
        "<img alt='IGNORE'>",
        "<div data-x='IGNORE'></div>",
        "<meta name=description content='IGNORE'>",
        "".join(chr(0xE0000 + ord(letter)) for letter in "IGNORE"),
    ],
)
def test_what_nobody_sees_is_not_told(page: str) -> None:
    told = text(f"<p>before{page}<p>after")
    assert "IGNORE" not in told
    assert told.startswith("before")
    assert told.endswith("after")
    assert told.isascii()


def test_letters_that_cannot_be_seen_are_left_out() -> None:
    assert text("a\u200bb\u202ec\u2066d\ufeffe\x1b[31mf&#8203;g&#x1b;h") == "abcde[31mfgh"


def test_the_main_part_is_the_page() -> None:
    long = "This is what the page is about. " * 10
    page = (
        f"<nav>Menu <a href=http://x/>x</a></nav><main><h1>H</h1><p>{long}<aside>ad</aside></main><footer>foot</footer>"
    )
    assert text(page) == f"# H\n\n{long.strip()}"
    assert text(f"<nav>Menu</nav><p>{long}<footer>foot</footer>") == long.strip()
    assert text("<nav>Menu</nav><p>short") == "Menu\n\nshort"


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        "<!--",
        "<!",
        "</",
        "<a href='",
        '<a x="',
        "&#",
        "&#9",
        "&",
        "<p>",
        "<div hidden>",
        "<script>",
        "<ul><li>",
        "<pre>",
        "<a href=http://x/>",
        "</a>",
        "<title>",
        "<b x=y",
        " =",
        "<a / / /",
        "\t",
        "<blockquote>",
        "]]>",
        "<td>",
        "<x" + "y" * 50,
        "&#x110000;",
        "<h1>",
        "</h1",
        "<style",
        "-->",
        "<table><tr><td>",
    ],
)
def test_the_time_grows_with_the_page_and_no_faster(piece: str) -> None:
    """CPU time of two sizes, 16 times apart in one run: with the square it would be 256 times as much."""
    small, large = (_seconds(piece * (size // len(piece))) for size in (5_000, 80_000))
    assert large < 96 * small + 0.05


def _seconds(page: str) -> float:
    best = 1e9
    for _ in range(3):
        began = time.process_time()
        text(page)
        best = min(best, time.process_time() - began)
    return best


def test_numbers_that_are_no_letters_do_not_break() -> None:
    assert text("&#" + "9" * 10_000 + ";x") == "\ufffdx"
    assert text("&#x" + "f" * 10_000 + ";x") == "\ufffdx"
    assert text("&#0;&#55296;x") == "\ufffd\ufffdx"


@given(
    st.lists(
        st.sampled_from(
            ["<", ">", "/", "a", "p", "li", "<p>", "</p>", "<ul>", "<pre>", "'", '"', "=", " ", "!--", "&#1", "x"]
        )
    )
)
def test_no_page_breaks_it(pieces: list[str]) -> None:
    told = text("".join(pieces))
    assert told == told.strip() or "```" in told
