"""What `coda history` makes of rows, times, ids and trees before it prints them."""

from __future__ import annotations

import re
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.chat import words
from coda_cli.cli import history_common as common, history_list as listing, history_show as showing
from coda_cli.engine.conversations import operations
from coda_cli.engine.conversations.info import HIT_END, HIT_START, ConversationInfo, Filter, SearchHit
from coda_cli.engine.conversations.shelf import ROOT
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Conversation
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import LLMMessage, MessageRole, TextPart
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.markdown.text import cells

TEXT = st.text(max_size=120) | st.sampled_from(
    ["中文标题" * 20, "a" * 300, "\x1b[2J\x1b]0;x\x07", "👩‍👩‍👧‍👦" * 9, "é" * 50, ""]
)
SGR = re.compile(r"\x1b\[[0-9;]*m")


def row(**more: object) -> ConversationInfo:
    fields: dict[str, object] = {
        "id": "conv-0123456789abcdef0123",
        "title": "a title",
        "created": 1.7e9,
        "updated": time.time() - 7200,
        "messages": 12,
        "file": Path("x.jsonl"),
    }
    return ConversationInfo(**{**fields, **more})  # type: ignore[arg-type]  # the fields of a row


rows = st.builds(
    row,
    id=TEXT | st.just("conv-0123456789abcdef0123"),
    title=TEXT,
    updated=st.floats(0, 4e9),
    messages=st.integers(0, 10**9),
    tags=st.lists(TEXT, max_size=3).map(tuple),
    pinned=st.booleans(),
    model=TEXT,
    cost=st.none() | st.floats(0, 1e6),
)


@given(rows=st.lists(rows, min_size=1, max_size=5), columns=st.integers(20, 220), colour=st.booleans())
@settings(deadline=None)
def test_a_line_of_a_list_fits_the_terminal_and_is_harmless(
    rows: list[ConversationInfo], columns: int, colour: bool
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLICOLOR_FORCE", "1" if colour else "0")
        lines = listing._table(rows, columns)
    assert len(lines) == len(rows) + 1
    for line in lines:
        plain = SGR.sub("", line)
        assert cells(plain) < columns
        assert sanitize(plain) == plain
        assert "\n" not in plain
        assert colour or plain == line


@given(snippet=st.lists(TEXT | st.sampled_from([HIT_START, HIT_END]), max_size=12), columns=st.integers(4, 100))
@settings(deadline=None)
def test_a_snippet_is_folded_to_the_width_and_its_hits_are_lit(snippet: list[str], columns: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLICOLOR_FORCE", "1")
        lines = listing._folded(common.one_line("".join(snippet)), columns)
    assert len(lines) <= 3
    for line in lines:
        assert cells(SGR.sub("", line)) <= columns
        assert not {HIT_START, HIT_END, "\n"} & set(line)
        assert line.count("\x1b[1;33m") == line.count("\x1b[0m")


def test_the_hits_of_a_snippet_as_places() -> None:
    plain, spans = listing._spans(f"what {HIT_START}is{HIT_END} a {HIT_START}monad{HIT_END}?")
    assert plain == "what is a monad?"
    assert [plain[start:end] for start, end in spans] == ["is", "monad"]
    assert listing._spans(f"{HIT_END}odd{HIT_START}") == ("odd", [])


def test_a_hit_goes_on_over_the_end_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    lines = listing._folded(f"one {HIT_START}two three{HIT_END} four", 7)
    assert [SGR.sub("", line) for line in lines] == ["one two", "three", "four"]
    assert "\x1b[1;33mtwo" in lines[0]
    assert "\x1b[1;33mthree" in lines[1]


@given(text=TEXT, columns=st.integers(0, 60))
def test_cut_and_pad_keep_to_the_columns(text: str, columns: int) -> None:
    clean = common.one_line(text)
    assert cells(common.cut(clean, columns)) <= columns
    assert cells(common.pad(clean, columns)) == max(columns, 0) or not columns
    assert common.cut(clean, 10_000) == clean


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "now"),
        (59, "now"),
        (61, "1m ago"),
        (3601, "1h ago"),
        (25 * 3600, "1d ago"),
        (40 * 86400, "1mo ago"),
        (800 * 86400, "2y ago"),
        (-3600, "ahead"),
        (1.7e9, "53y ago"),
    ],
)
def test_how_long_ago(seconds: float, told: str) -> None:
    assert words.ago(1.7e9 - seconds, 1.7e9) == told
    assert len(told) <= 8


def test_times_that_a_person_says() -> None:
    now = time.time()
    for text, seconds in (
        ("12h", 43200),
        ("3d", 3 * 86400),
        ("2w ago", 14 * 86400),
        ("1mo", 30 * 86400),
        ("5min", 300),
    ):
        assert common.moment(text, "--since") == pytest.approx(now - seconds, abs=5)
    day = datetime(2026, 1, 31).astimezone().timestamp()
    assert common.moment("2026-01-31", "--since") == day
    assert day + 86399 < common.moment("2026-01-31", "--until", end=True) < day + 86400
    assert common.moment("2026-01-31T10:30", "--until", end=True) == day + 10.5 * 3600
    assert common.moment("2026-01-31T10:30+00:00", "--since") == 1769855400
    assert common.moment("yesterday", "--since") < common.moment("today", "--since") <= now
    for wrong in ("", "soon", "5x", "31.01.2026", "99999999d", "0001-01-01T00:00"):
        with pytest.raises(UsageError, match="is no time"):
            print(common.moment(wrong, "--since"))


@given(st.text(max_size=20))
def test_no_text_as_a_time_is_a_traceback(text: str) -> None:
    try:
        said = common.moment(text, "--since")
    except UsageError:
        return
    assert isinstance(said, float)


# ---- ids ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    return Folder()


def say(
    folder: Folder, chat: str, name: str, parent: str | None = None, *, answer: bool = False, text: str = ""
) -> None:
    role = MessageRole.ASSISTANT if answer else MessageRole.USER
    message = LLMMessage(role=role, parts=[TextPart(text=text or f"text of {name}")], message_id=name)
    folder.add_message(chat, message, parent)


def test_an_id_is_named_by_its_beginning_or_as_the_newest(folder: Folder) -> None:
    for number, name in enumerate(("conv-aaaa", "conv-aabb", "mine")):
        folder.create(name)
        folder.append(name, lambda _, at=1e9 + number: [{"type": "title", "title": "t", "time": at}])  # type: ignore[misc]
    store = common.open_folder()
    assert common.find(store, "aaaa") == common.find(store, "conv-aaaa") == common.find(store, "aaa…") == "conv-aaaa"
    assert common.find(store, "mi") == "mine"
    newest = operations.latest(store)
    assert newest is not None
    for word in ("-", "@", "latest", "last"):
        assert common.find(store, word) == newest.id
    for wrong in ("aa", "conv-", "nobody", ""):
        with pytest.raises(operations.ConversationNotFoundError):
            common.find(store, wrong)
    folder.create("last")
    assert common.find(common.open_folder(), "last") == "last"  # its own name comes first


def test_a_message_is_named_by_its_beginning_or_its_number(folder: Folder) -> None:
    folder.create("c")
    say(folder, "c", "msg-aa11")
    say(folder, "c", "msg-aa22", answer=True)
    chat = folder.load("c")
    assert common.find_message(chat, "aa1") == common.find_message(chat, "1") == "msg-aa11"
    assert common.find_message(chat, "msg-aa22") == common.find_message(chat, "2") == "msg-aa22"
    for wrong in ("3", "0", "aa", "msg-", "zz", ""):
        with pytest.raises(UsageError):
            common.find_message(chat, wrong)


def test_an_empty_filter_and_no_store_touch_nothing(folder: Folder, tmp_path: Path) -> None:
    assert common.open_index() is None
    assert common.complete_id("") == []
    assert common.wanted(None, None, None, None, None, pinned=False) == Filter()
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_a_slash_is_a_provider_and_its_model_or_a_name_of_its_own(folder: Folder) -> None:
    for number, (provider, model) in enumerate([("openai", "gpt"), ("local", "meta/llama")]):
        folder.create(f"c{number}")
        told = {"provider": provider, "model": model}
        message = LLMMessage(role=MessageRole.ASSISTANT, parts=[TextPart(text="x")], metadata=told)
        folder.add_message(f"c{number}", message)
    index = common.open_index()
    assert index is not None
    for model, expected in (("openai/gpt", ["c0"]), ("meta/llama", ["c1"]), ("gpt", ["c0"]), ("nobody/gpt", [])):
        where = listing._meant(index, Filter(model=model))
        assert [found.id for found in index.rows(where, limit=9)] == expected


# ---- the tree -------------------------------------------------------------------------------------------------------


def drawn(chat: Conversation) -> list[str]:
    return [SGR.sub("", line) for line in showing._tree(chat, None)][1:]


def test_the_tree_goes_straight_down_the_active_branch(folder: Folder) -> None:
    folder.create("c")
    say(folder, "c", "q1")
    say(folder, "c", "a1", "q1", answer=True)
    say(folder, "c", "q2", "a1")
    say(folder, "c", "a2", "q2", answer=True)
    say(folder, "c", "a3", "q2", answer=True)
    say(folder, "c", "b1", "q1", answer=True)
    say(folder, "c", "r1", ROOT)
    operations.set_head(folder, "c", "a3")
    assert drawn(folder.load("c")) == [
        "├─○ r1 you: text of r1",
        "● q1 you: text of q1",
        "├─○ b1 answer: text of b1",
        "● a1 answer: text of a1",
        "● q2 you: text of q2",
        "├─○ a2 answer: text of a2",
        "● a3 answer (here): text of a3",
    ]
    operations.set_head(folder, "c", "b1")
    assert drawn(folder.load("c")) == [
        "├─○ r1 you: text of r1",
        "● q1 you: text of q1",
        "├─○ a1 answer: text of a1",
        "│ ○ q2 you: text of q2",
        "│ ├─○ a2 answer: text of a2",
        "│ ○ a3 answer: text of a3",
        "● b1 answer (here): text of b1",
    ]


def test_a_tree_of_any_shape_shows_every_message_once(folder: Folder) -> None:
    chat = Conversation()
    chat.apply({"type": "conversation", "id": "c", "schema": 1, "seq": 0})
    for number in range(3000):
        parent = f"m{number - 1}" if number % 3 else (f"m{number // 2}" if number else None)
        text = [{"type": "text", "text": "\x1b[2J\n中文" * 30}]
        chat.apply(
            {"type": "message", "id": f"m{number}", "parent": parent, "role": "user", "parts": text, "seq": number + 1}
        )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(showing, "width", lambda: 60)
        lines = drawn(chat)
    assert len(lines) == 3000
    for line in lines:
        assert cells(line) < 60
        assert sanitize(line) == line


def test_rows_on_a_pipe_are_tab_separated_whatever_is_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stdout.isatty()
    listing.put_rows([row(title="a\tb\nc\x1b[2J", tags=("x\ty", "z"), model="m\n", cost=0.5, pinned=True)])
    (line,) = capsys.readouterr().out.splitlines()
    fields = line.split("\t")
    assert len(fields) == 8
    assert fields[0] == "conv-0123456789abcdef0123"
    assert fields[2:] == ["12", "m", "x y,z", "*", "0.500000", "a b c\ufffd[2J"]


def test_a_hit_says_which_message_and_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    hit = SearchHit(row(), "msg-0123456789abcdef0123", "assistant", time.time(), f"a {HIT_START}hit{HIT_END}", 1.0)
    listing._put_hit(hit, 60)
    assert capsys.readouterr().out == "01234567  now  a title  assistant 01234567\n    a hit\n"
