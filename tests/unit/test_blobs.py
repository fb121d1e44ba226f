"""Large parts beside the journal: exact, shared, mended, and missed without breaking anything."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from coda_cli.engine.conversations import blobs
from coda_cli.engine.conversations.tree import Conversation, message_record
from coda_cli.engine.core.messages import (
    FilePart,
    ImagePart,
    LLMMessage,
    MessageRole,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

BYTES = bytes(range(256)) * 512  # every byte: both base64 alphabets differ in it
TEXT = "é😀\u2028\n" * 20_000


def through(part: Part, folder: Path) -> Part:
    message = LLMMessage(role=MessageRole.ASSISTANT, parts=[part], message_id="m")
    record = blobs.put_away(message_record(message, None), folder)
    return Conversation.of([blobs.bring_back(record, folder)]).nodes["m"].message.parts[0]


@pytest.mark.parametrize(
    ("part", "away"),
    [
        (ImagePart(data=BYTES, media_type="image/png", name="a.png"), True),
        (FilePart(data=BYTES, media_type="application/pdf"), True),
        (TextPart(text=TEXT), True),
        (ToolResultPart(id="1", name="t", text=TEXT, is_error=True), True),
        (ToolCallPart(id="1", name="t", arguments=TEXT), True),
        (ReasoningPart(text=TEXT, signature="s", data="-_" * 70_000), False),
        (ImagePart(data=b"small", media_type="image/png"), False),
        (TextPart(text="x" * blobs.LIMIT), False),
    ],
)
def test_a_part_comes_back_as_it_was(tmp_path: Path, part: Part, away: bool) -> None:
    assert through(part, tmp_path / "blobs") == part
    assert (tmp_path / "blobs").exists() == away


def test_lone_surrogates_and_other_programs_base64_come_back(tmp_path: Path) -> None:
    text = "\udc80" * 70_000
    standard = base64.b64encode(BYTES).decode()
    broken = "!" * 70_000
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": text},
        {"type": "image", "data": standard, "media_type": "x"},
        {"type": "image", "data": broken, "media_type": "x"},
    ]
    record = blobs.put_away({"type": "message", "parts": [*parts, "no part", None]}, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    back = blobs.bring_back(record, tmp_path)["parts"]
    assert back[0]["text"] == text
    assert base64.urlsafe_b64decode(back[1]["data"]) == BYTES
    assert back[2:] == [parts[2], "no part", None]


def test_records_without_parts_are_left_alone(tmp_path: Path) -> None:
    for record in ({"type": "title", "title": "x"}, {"type": "x", "parts": "text"}, {"type": "x", "parts": None}):
        assert blobs.put_away(record, tmp_path) == blobs.bring_back(record, tmp_path) == record


def test_the_same_content_is_kept_once_and_mended_when_it_is_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    name = blobs.save(BYTES, folder)
    inode = (folder / name).stat().st_ino
    assert blobs.save(BYTES, folder) == name
    assert (folder / name).stat().st_ino == inode
    (folder / name).write_bytes(b"\0" * len(BYTES))
    assert blobs.load(name, folder) is None
    blobs.save(BYTES, folder)
    assert blobs.load(name, folder) == BYTES
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize("damage", ["missing", "damaged", "folder"])
@pytest.mark.parametrize(
    "part",
    [
        ImagePart(data=BYTES, media_type="image/png"),
        TextPart(text=TEXT),
        ToolResultPart(id="1", name="t", text=TEXT),
        ToolCallPart(id="1", name="t", arguments=TEXT),
    ],
)
def test_a_lost_blob_is_told_and_the_rest_stays_paired(tmp_path: Path, damage: str, part: Part) -> None:
    message = LLMMessage(role=MessageRole.ASSISTANT, parts=[part, TextPart(text="rest")], message_id="m")
    record = blobs.put_away(message_record(message, None), tmp_path)
    file = next(tmp_path.iterdir())
    file.unlink()
    if damage == "damaged":
        file.write_bytes(b"else")
    elif damage == "folder":
        file.mkdir()
    first, rest = Conversation.of([blobs.bring_back(record, tmp_path)]).nodes["m"].message.parts
    assert rest == TextPart(text="rest")
    assert first.type == (part.type if part.type.startswith("tool") else "text")
    if isinstance(first, ToolCallPart):
        assert (first.id, first.arguments) == ("1", "{}")
    else:
        assert isinstance(first, TextPart | ToolResultPart)
        assert "missing" in first.text


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "/" * 64, "0" * 63, "\0" * 64])
def test_a_name_that_is_no_digest_is_not_opened(tmp_path: Path, name: str) -> None:
    assert blobs.load(name, tmp_path) is None


def test_a_pipe_in_the_place_of_a_blob_does_not_hang(tmp_path: Path) -> None:
    name = "0" * 64
    os.mkfifo(tmp_path / name)
    assert blobs.load(name, tmp_path) is None


def test_threads_that_save_the_same_at_once(tmp_path: Path) -> None:
    failed: list[OSError] = []
    start = threading.Barrier(8)

    def save() -> None:
        start.wait()
        try:
            for number in range(10):
                blobs.save(BYTES + bytes([number]), tmp_path)
        except OSError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=save) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(list(tmp_path.iterdir())) == 10
    assert all(blobs.load(path.name, tmp_path) for path in tmp_path.iterdir())
