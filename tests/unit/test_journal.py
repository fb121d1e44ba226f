"""The journal's file: cut, damaged, strange, shared. What was whole is read, and nothing is ever fused."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.conversations import journal as module
from coda_cli.engine.conversations.journal import (
    MAX_DEPTH,
    SCHEMA,
    ConversationGoneError,
    Journal,
    Record,
    StoreError,
    decode,
    encode,
)
from tests.unit.wire_cases import LONG


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of appends: what a sync is for is shown in `test_store_faults`."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def note(text: str, **more: Any) -> Record:
    return {"type": "note", "text": text, **more}


def write(path: Path, *texts: str) -> Journal:
    journal = Journal(path)
    journal.append(lambda _: [note(text) for text in texts], create=True)
    return journal


def texts(journal: Journal) -> list[str]:
    return [record["text"] for record in journal.records()]


def test_records_are_numbered_and_carry_the_head(tmp_path: Path) -> None:
    journal = write(tmp_path / "a.jsonl", "one", "two")
    journal.append(lambda tail: [note(f"after {tail.seq}", head="m1"), note("x")])
    journal.append(lambda tail: [note(f"{tail.head} at {tail.size == journal.path.stat().st_size}")])
    assert [(r["seq"], r["text"], r["head"]) for r in journal.records()] == [
        (0, "one", None),
        (1, "two", None),
        (2, "after 1", "m1"),
        (3, "x", "m1"),
        (4, "m1 at True", "m1"),
    ]


def test_every_cut_leaves_a_whole_prefix_and_the_next_append_is_not_fused(tmp_path: Path) -> None:
    rng = random.Random(1)
    count, size = (150, 600) if LONG else (24, 160)
    said = [chr(rng.choice((97, 233, 0x2028, 0x1F600))) * rng.randrange(size // 4) for _ in range(count)]
    whole = write(tmp_path / "whole.jsonl", *said).path.read_bytes()
    ends = [index for index, byte in enumerate(whole) if byte == 0x0A]
    path = tmp_path / "cut.jsonl"
    for cut in range(1, len(whole) + 1):
        path.write_bytes(whole[:cut])
        journal = Journal(path)
        complete = sum(end <= cut for end in ends)  # a line that lacks only its newline is whole
        lines = list(journal.lines())
        assert [line.record["text"] for line in lines if line.record] == said[:complete]
        torn = [line.problem for line in lines if line.problem]
        assert len(torn) == (cut not in ends and whole[cut - 1] != 0x0A)
        assert all(str(problem).startswith("torn") for problem in torn)
        journal.append(lambda _: [note("next")])
        assert texts(journal) == [*said[:complete], "next"]
        assert [record["seq"] for record in journal.records()] == list(range(complete + 1))


@settings(deadline=None, max_examples=1000 if LONG else 100)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=6), st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_at_the_end_are_kept_apart_from_the_next_record(
    tmp_path_factory: pytest.TempPathFactory, said: list[str], junk: bytes, last: str
) -> None:
    path = tmp_path_factory.mktemp("j") / "a.jsonl"
    journal = write(path, *said)
    before = path.read_bytes() + junk
    path.write_bytes(before)
    journal.append(lambda _: [note(last)])
    assert path.read_bytes().startswith(before)  # nothing is thrown away
    found = [record["text"] for record in journal.records() if record["type"] == "note"]
    assert found[: len(said)] == said
    assert found[-1] == last
    assert list(journal.backward()) == list(journal.records())[::-1]


def test_a_flipped_byte_costs_the_line_that_it_is_in(tmp_path: Path) -> None:
    said = [f"{number} " + "x" * 20 for number in range(60 if LONG else 8)]
    whole = write(tmp_path / "whole.jsonl", *said).path.read_bytes()
    path = tmp_path / "flipped.jsonl"
    for place in range(len(whole)):
        line = whole[:place].count(b"\n")
        for flip in (0x01, 0x80):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            journal = Journal(path)
            found = [str(record.get("text")) for record in journal.records()]
            fused = {line + 1} if whole[place] == 0x0A else set()
            rest = [text for number, text in enumerate(said) if number != line and number not in fused]
            assert set(rest) <= set(found)
            # told, or so little hurt that it still is a record
            assert len(found) == len(said) or any(entry.problem for entry in journal.lines())
            journal.append(lambda _: [note("next")])
            assert list(journal.records())[-1]["text"] == "next"


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 5000, b"\n\n\n", b"[]", b"{}\n", b"\xff\xfe\xfd\n", b'"text"\n', b"\0"]
)
def test_a_file_without_a_record_reads_as_empty_and_can_be_appended_to(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    journal = Journal(path)
    assert list(journal.records()) == list(journal.backward()) == []
    assert journal.tail().seq == -1
    journal.append(lambda tail: [note(str(tail.seq))])
    assert texts(journal) == ["-1"]
    assert path.read_bytes().startswith(content)


def test_a_huge_line_is_passed_over_in_both_directions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 200_000)
    path = tmp_path / "a.jsonl"
    journal = write(path, "one", "y" * 190_000)
    for length in (199_999, 200_000, 200_001, 900_000):
        with path.open("ab") as file:
            file.write(b"x" * (length - 1) + b"\n")
        journal.append(lambda _, said=str(length): [note(said)])  # type: ignore[misc]  # a lambda with a default
    with path.open("ab") as file:
        file.write(b"x" * 300_000)
    assert [text[:9] for text in texts(journal)] == ["one", "y" * 9, "199999", "200000", "200001", "900000"]
    assert list(journal.backward()) == list(journal.records())[::-1]
    assert journal.tail().seq == 5
    assert [line.problem for line in journal.lines() if line.problem] == [
        *["not JSON (JSONDecodeError)"] * 2,
        *["a line longer than 0 MiB"] * 3,
    ]
    assert sum(line.end - line.offset for line in journal.lines()) == path.stat().st_size


def test_a_record_too_long_to_be_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 1000)
    journal = write(tmp_path / "a.jsonl", "one")
    with pytest.raises(StoreError) as caught:
        journal.append(lambda _: [note("two"), note("x" * 1000)])
    assert caught.value.hint
    assert texts(journal) == ["one"]


@settings(deadline=None, max_examples=300 if LONG else 60)
@given(st.lists(st.one_of(st.binary(max_size=80), st.text(max_size=300).map(lambda t: encode(note(t))))))
def test_backward_is_forward_reversed(tmp_path_factory: pytest.TempPathFactory, blocks: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("j") / "a.jsonl"
    path.write_bytes(b"".join(blocks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", 7)
        patch.setattr(module, "MAX_LINE", 150)
        journal = Journal(path)
        forward = list(journal.records())
        assert list(journal.backward()) == forward[::-1]
        numbered = [record["seq"] for record in forward if isinstance(record.get("seq"), int)]
        assert journal.tail().seq == (numbered[-1] if numbered else -1)


def test_the_tail_is_that_of_the_last_good_record(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = [{"type": "x", "seq": 4, "head": "m4"}, {"type": "later", "seq": 5}, {"type": "x", "seq": True, "head": 7}]
    path.write_text("".join(json.dumps(record) + "\n" for record in good) + '{"type":"x","seq":99,"hea')
    tail = Journal(path).tail()
    assert (tail.seq, tail.head) == (5, "m4")


@pytest.mark.parametrize(
    "value",
    [
        "\ud800 lone",
        "a\u2028b\u2029c\x85d",
        "\x00\x1b[2J",
        "\U0001f600",
        "\ufeff",
        10**30,
        -0.0,
        1e300,
        [[[1]]],
        {"": {}},
    ],
)
def test_strange_values_come_back_as_they_were(tmp_path: Path, value: object) -> None:
    journal = write(tmp_path / "a.jsonl", "one")
    journal.append(lambda _: [note("two", value=value, unknown={"kept": [value]})])
    assert len(journal.path.read_bytes().splitlines(keepends=False)) >= 2
    last = list(journal.records())[-1]
    assert (last["value"], last["unknown"]) == (value, {"kept": [value]})


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), b"bytes", {1, 2}, object(), deep(MAX_DEPTH), deep(100_000), 10**5000],
    ids=["nan", "inf", "bytes", "set", "object", "deep", "deeper", "long"],
)
def test_what_json_cannot_say_is_refused_and_nothing_is_written(tmp_path: Path, value: object) -> None:
    journal = write(tmp_path / "a.jsonl", "one")
    before = journal.path.read_bytes()
    with pytest.raises(StoreError):
        journal.append(lambda _: [note("two"), note("three", value=value)])
    assert journal.path.read_bytes() == before
    with pytest.raises(StoreError):
        Journal(tmp_path / "new.jsonl").append(lambda _: [note("x", value=value)], create=True)
    assert not (tmp_path / "new.jsonl").exists()


def test_nesting_up_to_the_limit_is_written_and_read(tmp_path: Path) -> None:
    journal = write(tmp_path / "a.jsonl", "one")
    journal.append(lambda _: [note("two", value=deep(MAX_DEPTH - 1))])
    assert list(journal.records())[1]["value"] == deep(MAX_DEPTH - 1)


@settings(deadline=None, max_examples=20_000 if LONG else 100)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()), st.lists))
def test_any_json_is_read_back_or_refused(value: object) -> None:
    try:
        raw = encode(note("x", value=value))
    except StoreError:
        assert "nan" in repr(value) or "inf" in repr(value)
        return
    assert decode(raw) == (note("x", value=value), None)
    assert raw.count(b"\n") == 1


def test_a_file_of_a_newer_version_is_read_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    newer = {"type": "conversation", "id": "c", "schema": SCHEMA + 1, "seq": 0, "head": None, "new": [1]}
    path.write_text(json.dumps(newer) + "\n")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer version") as caught:
        Journal(path).append(lambda _: [note("x")])
    assert caught.value.hint
    assert path.read_bytes() == before
    assert list(Journal(path).records()) == [newer]


def test_without_create_a_missing_file_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ConversationGoneError):
        Journal(tmp_path / "a.jsonl").append(lambda _: [note("x")])
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_append_makes_no_file_and_changes_none(tmp_path: Path) -> None:
    assert Journal(tmp_path / "a.jsonl").append(lambda _: [], create=True) == []
    assert list(tmp_path.iterdir()) == []
    torn = tmp_path / "b.jsonl"
    torn.write_bytes(b'{"type":')
    assert Journal(torn).append(lambda _: []) == []
    assert torn.read_bytes() == b'{"type":'


def test_a_builder_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def build(_: object) -> list[Record]:
        raise LookupError("no")

    with pytest.raises(LookupError):
        Journal(tmp_path / "a.jsonl").append(build, create=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_move_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool) -> None:
    if not hard_links:

        def refuse(*_: object) -> None:
            raise PermissionError("no links here")

        monkeypatch.setattr(os, "link", refuse)
    one, two, three = write(tmp_path / "1", "one"), write(tmp_path / "2", "two"), tmp_path / "3"
    assert not one.move(two.path)
    assert (texts(one), texts(two)) == (["one"], ["two"])
    assert one.move(three)
    assert texts(Journal(three)) == ["one"]
    assert not one.path.exists()


def test_a_move_that_died_halfway_is_finished(tmp_path: Path) -> None:
    journal = write(tmp_path / "1", "one")
    (tmp_path / "2").hardlink_to(journal.path)
    assert journal.move(tmp_path / "2")
    assert [path.name for path in tmp_path.iterdir()] == ["2"]
