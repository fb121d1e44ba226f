"""Exports: JSON loses nothing, Markdown says what was said, and no HTML that anybody writes comes out as HTML."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.conversations.export import export_html, export_json, export_markdown
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Conversation, message_record
from coda_cli.engine.core.messages import (
    ImagePart,
    LLMMessage,
    MessageRole,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from tests.archives import png
from tests.unit.wire_cases import LONG


def said(key: str, text: str, role: MessageRole = MessageRole.USER, *parts: Part) -> LLMMessage:
    first: list[Part] = [TextPart(text=text)] if text else []
    return LLMMessage(role=role, parts=[*first, *parts], message_id=key, created=1.7e9)


def chat(*messages: tuple[LLMMessage, str | None], title: str = "A chat") -> Conversation:
    first = {"type": "conversation", "schema": 1, "id": "c", "title": title, "time": 1.7e9, "head": None}
    return Conversation.of([first, *(message_record(message, parent) for message, parent in messages)])


def forked() -> Conversation:
    """Two questions in a row; the first has two answers, and there is another beginning."""
    answer = MessageRole.ASSISTANT
    return chat(
        (said("q1", "one?"), None),
        (said("a1", "old answer", answer), "q1"),
        (said("q3", "elsewhere?"), None),
        (said("a2", "new answer", answer), "q1"),
        (said("q2", "two?"), "a2"),
    )


# ---- JSON -----------------------------------------------------------------------------------------------------------


def test_json_has_every_record_and_tells_of_the_lines_that_are_none(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("c", title="T")
    folder.add_message("c", said("m1", "\ud800 lone"))
    folder.append("c", lambda _: [{"type": "later", "what": {"ever": [1]}, "head": "m1"}])
    with folder.own_file("c").open("ab") as file:
        file.write(b'{"type": "x", "number": NaN}\n\0\0\0\n{"torn": ')
    text = export_json(folder, "c")
    text.encode()
    value = json.loads(text)
    assert (value["format"], value["version"], value["id"], value["title"]) == ("coda-conversation", 1, "c", "T")
    assert [record["type"] for record in value["records"]] == ["conversation", "message", "later"]
    assert value["records"][1]["parts"][0]["text"] == "\ud800 lone"
    assert [bad["problem"].split()[0] for bad in value["bad_lines"]] == ["not", "NUL", "torn:"]
    assert [bad["line"] for bad in value["bad_lines"]] == [4, 5, 6]


def test_json_inlines_what_lies_in_blobs_and_keeps_the_reference_to_what_is_lost(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("c")
    folder.add_message("c", said("m1", "x" * 100_000))
    assert json.loads(export_json(folder, "c"))["records"][1]["parts"][0]["text"] == "x" * 100_000
    for blob in folder.blobs.iterdir():
        blob.unlink()
    assert json.loads(export_json(folder, "c"))["records"][1]["parts"][0]["blob"]["size"] == 100_000
    with pytest.raises(KeyError):
        export_json(folder, "nobody")


# ---- Markdown -------------------------------------------------------------------------------------------------------


def test_markdown_shows_the_active_branch_and_counts_the_others() -> None:
    text = export_markdown(forked())
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## 1. You · 2023-11-14 22:13 UTC",
        "## 2. Assistant · 2023-11-14 22:13 UTC",
        "## 3. You · 2023-11-14 22:13 UTC",
    ]
    assert "3 messages, 2 more on other branches" in text
    assert "old answer" not in text
    other = export_markdown(forked(), branch="a1")
    assert "old answer" in other
    assert "two?" not in other
    with pytest.raises(KeyError):
        export_markdown(forked(), branch="nobody")


def test_markdown_of_the_tree_says_which_branch_is_which() -> None:
    text = export_markdown(forked(), tree=True)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "Branch 1: the active one",
        "Branch 2: after message 1",
        "Branch 3: another beginning",
    ]
    assert re.findall(r"^### (\d)", text, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert all(words in text for words in ("one?", "old answer", "elsewhere?", "new answer", "two?"))


def test_markdown_keeps_what_was_said_and_makes_what_is_around_it_safe() -> None:
    words = "# not *mine*\n<b>\x1b[31m\n```py\nprint(1)"
    conversation = chat((said("m", words), None), title="T\n# <script>[x](javascript:1) \x1b]0;")
    text = export_markdown(conversation)
    assert words in text
    assert text.splitlines()[0] == "# T \\# \\<script\\>\\[x\\](javascript:1) \ufffd\\]0;"
    assert text.rstrip().endswith("print(1)\n```")  # the block that was left open ends with its message


def test_what_an_answer_is_worth_is_told() -> None:
    conversation = forked()
    conversation.apply({"type": "rating", "message": "a2", "rating": "good", "head": "q2"})
    for text in (export_markdown(conversation), export_html(conversation)):
        assert text.count("rated good") == 1


def test_a_hidden_message_is_left_out_and_a_summary_is_shown() -> None:
    conversation = forked()
    conversation.apply({"type": "hide", "message": "a2", "hidden": True, "head": "q2"})
    conversation.apply(
        {"type": "summary", "id": "s", "covers": ["q1", "a2"], "text": "so far", "time": 1.0, "head": "q2"}
    )
    for text in (export_markdown(conversation, tree=True), export_html(conversation, tree=True)):
        assert "new answer" not in text
        assert "1 hidden and left out" in text
        assert "so far" in text


# ---- HTML -----------------------------------------------------------------------------------------------------------

ELEMENTS = re.compile(
    r"html|head|meta|title|style|body|header|article|h[1-6]|p|b|a|pre|code|span|details|summary|img|hr|br|blockquote|ul"
    r"|ol|li|table|thead|tbody|tr|th|td|em|strong|s|sup|section|div"
)
CLASSES = re.compile(r"facts|who|branch|user|assistant|tool|system|text|hl|right|center|language-\S+|hl-[a-z0-9]+")
ATTRIBUTES = {
    "html": {"lang": r"en"},
    "meta": {
        "charset": r"utf-8",
        "http-equiv": r"Content-Security-Policy",
        "content": r".*",
        "name": r"viewport|referrer",
    },
    "a": {
        "href": r"(?i:https?://|mailto:).*",
        "title": r"(?i:https?://|mailto:).*",
        "rel": r"noopener noreferrer nofollow",
    },
    "img": {"src": r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*", "alt": r"(?s:.*)"},
    "article": {"class": CLASSES.pattern, "id": r"m\d+", "dir": r"auto"},
    "ol": {"start": r"\d+"},
}


class Check(HTMLParser):
    """Fails for any element, attribute or comment that the page has no use for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert ELEMENTS.fullmatch(tag), tag
        self.seen.append(tag)
        for name, value in attrs:
            allowed = ATTRIBUTES.get(tag, {"class": CLASSES.pattern})
            assert name in allowed, (tag, name, value)
            assert re.fullmatch(allowed[name], value or ""), (tag, name, value)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def check(page: str) -> Check:
    parsed = Check()
    parsed.feed(page)
    parsed.close()
    assert parsed.seen.count("style") == parsed.seen.count("body") == parsed.seen.count("html") == 1
    assert parsed.seen.count("meta") == 4
    assert "script" not in parsed.seen
    return parsed


def everywhere(attack: str) -> Conversation:
    """*attack* in every place where a person or a model can put it."""
    role = MessageRole.ASSISTANT
    message = said(
        "m", attack, role,
        ReasoningPart(text=attack), ToolCallPart(id=attack, name=attack, arguments=attack),
        ToolResultPart(id=attack, name=attack, text=attack),
        ImagePart(data=png(), media_type="image/png", name=attack),
        ImagePart(data=attack.encode("utf-8", "replace"), media_type=attack, name=attack),
    )  # fmt: skip
    message.metadata["model"] = attack
    conversation = chat((said("q", attack), None), (message, "q"), title=attack)
    conversation.id = attack
    conversation.tags = [attack]
    conversation.apply({"type": "summary", "id": "s", "covers": ["q"], "text": attack, "time": 1.0, "head": "m"})
    return conversation


ATTACKS = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</pre></code></details></article><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](java&#10;script&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/svg+xml,<svg/onload=alert(1)>)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/x)",
    "[x](#m1)",
    "[x](blob:https://x/y)",
    '[x](https://e.example/"onmouseover="alert(1))',
    '[x](https://e.example "t\\" onclick=\\"alert(1)")',
    "![x](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "![x](data:image/png;base64,AAAA)",
    '![x" onerror="alert(1)](https://evil.example/p.png)',
    "[![x](https://a.example/p.png)](javascript:alert(1))",
    "[![x](https://a.example/p.png)](https://b.example)",
    "<javascript:alert(1)>",
    '<https://e.example/"><script>alert(1)</script>>',
    "[x]\n\n[x]: javascript:alert(1)",
    "[x]\n\n[x]: https://e.example 'a\" onclick=\"b'",
    '```html"><script>alert(1)</script>\n<script>alert(1)</script>\n```',
    "```<script>\nx\n```",
    '```" onclick="alert(1)\nx\n```',
    "```html\n<script>alert(1)</script><!-- x\n```",
    "    <script>alert(1)</script>",
    "`<script>alert(1)</script>`",
    "| <script> | b |\n|:--:|--:|\n| <img src=x onerror=alert(1)> | [x](javascript:1) |",
    "<!-- x --><![CDATA[<script>alert(1)</script>]]><?php x ?>",
    "<style>@import url(https://evil.example)</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example><form action=x><iframe src=x><object data=x><embed src=x><link href=x>",
    "<details open ontoggle=alert(1)>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "$<script>alert(1)</script>$ \\(<img src=x onerror=alert(1)>\\)",
    "\x00<scr\x00ipt>alert(1)</script>",
    "\u2028<script>\u2029alert(1)</script>",
    "\ufeff+ADw-script+AD4-",
    'x[^1]\n\n[^<script>]: <script>alert(1)</script>\n[^"onclick="x]: y',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "-->\n<script>",
    "<" * 3000,
    "[" * 3000,
    "> " * 300 + "<script>alert(1)</script>",
    "*" * 2000 + "<script>",
    "image/svg+xml",
    'image/png" onerror="alert(1)',
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_no_attack_becomes_html(attack: str) -> None:
    check(export_html(everywhere(attack), tree=True))


_pieces = st.sampled_from(
    [*ATTACKS[:50], "<", ">", '"', "'", "`", "```", "\n", "\n\n", "    ", "[", "](", ")", "!", "https://e.example", "&",
     "#", "- ", "1. ", "> ", "|", "|-|", "\\", "$", "~~~", "javascript:", "=", "\t", "\r", "*", "_", "<a href=", "x"]
)  # fmt: skip


@settings(max_examples=2000 if LONG else 120, deadline=None)
@given(st.lists(st.one_of(_pieces, st.text(max_size=6)), max_size=25).map("".join))
def test_whatever_is_written_only_the_pages_own_elements_come_out(text: str) -> None:
    check(export_html(everywhere(text), tree=True))


def test_html_is_one_file_that_shows_what_was_said() -> None:
    code = (
        "Look:\n\n```python\ndef f():\n    return '<b>'\n```\n\n**bold** [site](https://e.example/?a=1&b=2)\n\n3. three"
        "\n\nso[^1]\n\n[^1]: why <b>"
    )
    answer = said(
        "a", code, MessageRole.ASSISTANT, ReasoningPart(text="hm"), ImagePart(data=png(), media_type="image/png")
    )
    page = export_html(chat((said("q", "line one\nline two"), None), (answer, "q"), title="<T> & co"))
    parsed = check(page)
    assert "<title>&lt;T&gt; &amp; co</title>" in page
    assert '<span class="hl-k">def</span>' in page
    assert "<strong>bold</strong>" in page
    assert 'href="https://e.example/?a=1&amp;b=2"' in page
    assert "line one<br>\nline two" in page
    assert '<ol start="3">' in page
    assert "so<sup>1</sup>" in page
    assert "<div><sup>1</sup> why &lt;b&gt;</div>" in page
    assert "prefers-color-scheme: dark" in page
    assert page.count("src=") == page.count('src="data:image/png;base64,') == 1
    assert parsed.seen.count("details") == 1
    assert "return" in "".join(parsed.text)
    policy = re.search(r'content="(default-src[^"]*)"', page)
    assert policy is not None
    assert policy.group(1).startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_the_policy_names_the_hash_of_the_style_that_the_page_has() -> None:
    page = export_html(forked())
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page


def test_a_picture_of_a_kind_that_can_run_code_is_only_named() -> None:
    image = ImagePart(data=b"<svg onload=alert(1)>", media_type="image/svg+xml", name="x.svg")
    page = export_html(chat((said("q", "", MessageRole.USER, image), None)))
    assert "<img" not in page
    assert "[image: x.svg, image/svg+xml, 21 bytes]" in page


def test_a_long_conversation_and_a_deep_tree_are_exported_in_linear_time() -> None:
    count = 20_000 if LONG else 3_000
    chain = [(said(f"m{n}", "x"), f"m{n - 1}" if n else None) for n in range(count)]
    comb = [(said(f"s{n}", "y"), f"m{n}") for n in range(count)]
    conversation = chat(*chain, *comb)
    assert export_markdown(conversation, tree=True).count("## Branch") == count
    check(export_html(conversation))
