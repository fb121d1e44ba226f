"""What people type into a search box: any of it is safe, and finds what they mean."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.conversations.index_query import MAX_QUERY, TOKENIZER, indexed, match, original

TEXTS = (
    "What's the time in Zürich?",
    "The café opens at nine; the bakery too",
    "rebase --onto main and force-push",
    "北京大学的学生",
    "東京タワーに行きました",
    "서울에서 만나요",
    "สวัสดีชาวโลก",
    "it works 🎉 great 🤔",
    "AND OR NOT NEAR",
    "don’t panic",
    "中文 mixed with english手机iPhone里",
)
AWKWARD = (
    *("", " ", '"', '""', '"""', "'", "what's", "*", "a*", "^a", "AND", "OR", "NOT", "a AND", "NEAR(", "NEAR(a b, 2)"),
    *(
        "a:b",
        "text:a",
        "{a b}:c",
        "(",
        ")",
        "()",
        "a)",
        "-",
        "--",
        "-a",
        '-"',
        '-"a',
        "- a",
        "+a",
        "a+b",
        "\\",
        "%",
        "_",
    ),
    *(";", "'; DROP TABLE chat; --", "\0", "a\0b", "\ud800", "a\udfffb", "\x1f", "\ue000a\ue001", "\U000f0123"),
    *("🎉", "👩‍👩‍👧", "\u202e", "\u200b", "é", "e\u0301", "\ufeff", "ﬁ", "٣", "½", "\n", "a\nb", "!!!", "...", "“a b”"),
    *("x" * 1_000_000, "a " * 500_000, "学" * 1_000_000, '"' * 1_000_000, "-a " * 300_000, '"a b" ' * 100_000),
)


@pytest.fixture(scope="module")
def texts() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.execute(f'CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = "{TOKENIZER}")')
    db.executemany("INSERT INTO words (text) VALUES (?)", [(indexed(text),) for text in TEXTS])
    return db


def found(texts: sqlite3.Connection, query: str) -> list[str]:
    asked = match(query)
    if asked is None:
        return []
    rows = texts.execute("SELECT text FROM words WHERE words MATCH ? ORDER BY rowid", (asked,))
    return [original(row[0]) for row in rows]


@pytest.mark.parametrize("query", AWKWARD, ids=lambda query: ascii(query[:12]))
def test_no_input_is_an_error(texts: sqlite3.Connection, query: str) -> None:
    assert set(found(texts, query)) <= set(TEXTS)


@settings(max_examples=300, deadline=None)
@given(query=st.text(st.characters(), max_size=40) | st.text('"*-()^:{}+ANDORT \0', max_size=30))
def test_no_input_is_an_error_whatever_it_is(texts: sqlite3.Connection, query: str) -> None:
    assert set(found(texts, query)) <= set(TEXTS)


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs", "Co", "Cc"]), max_size=40))
def test_a_text_is_shown_as_it_was(text: str) -> None:
    import unicodedata

    assert original(indexed(text)) in {text, unicodedata.normalize("NFC", text)}


@settings(max_examples=300, deadline=None)
@given(text=st.text("的一是不了人我在有他这为之大来以个中上们", min_size=1, max_size=30), data=st.data())
def test_any_piece_of_a_chinese_text_finds_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    piece = text[start : data.draw(st.integers(start + 1, len(text)))]
    db = sqlite3.connect(":memory:")
    db.execute(f'CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = "{TOKENIZER}")')
    db.execute("INSERT INTO words (text) VALUES (?)", (indexed(text),))
    assert found(db, piece) == [text]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        *(("what's", 0), ("WHAT’S", 0), ("zurich", 0), ("ZÜRICH", 0), ("tim", 0), ("time zurich", 0)),
        *(("cafe", 1), ("CAFÉ", 1), ("cafe\u0301", 1), ('"opens at nine"', 1), ("bakery opens", 1)),
        *(("force-push", 2), ("--onto", 2), ("-v rebase", 2)),
        *(("北京大学", 3), ("京大", 3), ("学生", 3), ("的", 3)),
        *(("タワー", 4), ("東京", 4), ("行", 4)),
        *(("서울", 5), ("에서", 5), ("\u1109\u1165\u110b\u116e\u11af", 5)),
        *(("ชาวโลก", 6), ("สวัสดี", 6)),
        *(("🎉", 7), ("🤔", 7), ("works 🎉", 7)),
        *(("AND", 8), ("near", 8), ("or", 8)),
        *(("don't", 9), ("don’t panic", 9)),
        *(("手机", 10), ("iphone", 10), ("english手机", 10), ("中", 10)),
    ],
)
def test_what_is_meant_is_found(texts: sqlite3.Connection, query: str, number: int) -> None:
    assert TEXTS[number] in found(texts, query)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("the", [0, 1]),
        ("the -bakery", [0]),
        ("the -time", [1]),
        ('the -"opens at"', [0]),
        ("the bakery time", []),
        ('"nine opens"', []),
        ('"at ni"', []),
        ("at ni", [1]),
        ("ni at", []),
        ("at n", []),
        ("what'", [0]),
        ("大京", []),
        ("the -zurich -café", []),
        ("bakery?!", [1]),
        ("!!! bakery", [1]),
        ("-bakery", [1]),
        ("“at nine”", [1]),
    ],
)
def test_words_phrases_and_exclusions(texts: sqlite3.Connection, query: str, numbers: list[int]) -> None:
    assert found(texts, query) == [TEXTS[number] for number in numbers]


def test_a_pasted_page_finds_the_message_it_was_copied_from() -> None:
    page = " ".join(f"word{number}" for number in range(2_000))
    db = sqlite3.connect(":memory:")
    db.execute(f'CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = "{TOKENIZER}")')
    db.execute("INSERT INTO words (text) VALUES (?)", (indexed(page),))
    assert len(page) > MAX_QUERY
    assert found(db, page) == [page]
    assert found(db, f'"{page}"') == [page]
