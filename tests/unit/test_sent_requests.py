"""What a person is shown of a request: what the vendor received, without a key, without an attachment's bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from coda_cli import paths
from coda_cli.bootstrap import wire
from coda_cli.chat.inspection import inspect_text, sent_json
from coda_cli.chat.session import ChatSession
from coda_cli.engine import request as requests, sent
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.events import Finished, ProviderEvent
from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, MediaPart, user
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.usage import FinishReason
from coda_cli.engine.generation import Generation
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.local import provider as local
from coda_cli.engine.providers.local.library import Located
from coda_cli.settings.load import load_settings
from coda_cli.tui.screens.inspect import request_lines
from coda_cli.tui.screens.inspect_turn import last_turn
from tests.servers.errors import error_reply
from tests.servers.http import Recorded
from tests.servers.vendors import FakeVendor, OllamaModel
from tests.unit.wire_cases import Target, VirtualClock, each_target, finish, manager_of

CANARY = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"
IMAGE = ImagePart(data=b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, media_type="image/png", name="a.png")


async def _asked(
    target: Target, prompt: str = "time?", *, media: tuple[MediaPart, ...] = (), **config: Any
) -> tuple[Generation, Recorded, LLMManager]:
    async with FakeVendor(target.vendor) as fake:
        fake.catalog = [OllamaModel("fake-model", ["completion", "vision"])]
        made = target.config(fake.url, api_key=CANARY, **config)
        async with manager_of(made, clock=VirtualClock()) as manager:
            generation = manager.generate_response(prompt, media=media, system_prompt=f"never say {CANARY}")
            await finish(manager, generation)
    return generation, fake.asked[-1], manager


@each_target
async def test_it_is_what_the_vendor_received(target: Target) -> None:
    generation, received, _ = await _asked(target, "what's “the time”?\n\x07 [/b]")
    [told] = generation.sent
    assert told.method == received.method
    assert told.url.endswith(received.path)
    assert told.size == len(received.body)
    hidden = json.loads(received.body.replace(CANARY.encode(), b"***"))
    assert told.body == hidden
    assert list(told.body) == list(hidden), "in the order of the wire"
    assert {name.lower() for name in told.headers} == set(received.headers)
    for name, value in told.headers.items():
        wire = received.headers[name.lower()]
        assert value == wire or (CANARY in wire and value in ("***", "Bearer ***")), name


@each_target
async def test_the_key_is_nowhere_in_it(target: Target) -> None:
    generation, received, manager = await _asked(target, f"is {CANARY} a key?")
    assert CANARY in str(received.headers), "the canary must have been in use"
    assert received.body.count(CANARY.encode()) == 2
    for text in (repr(generation.sent), json.dumps(sent_json(generation))):
        assert CANARY not in text
    session = ChatSession(replace(wire(load_settings(environ={}), conversations=_memory()), manager=manager))
    session.generation = generation
    document = await inspect_text(session)
    lines = "\n".join("".join(text for text, _ in line) for line in request_lines(await last_turn(session)))
    for shown in (document, lines):
        assert CANARY not in shown
        assert '"method": "POST"' in shown
        assert "is *** a key?" in shown
    assert b'"POST"' not in _on_disk()


def _on_disk() -> bytes:
    folders = (paths.data_dir(), paths.cache_dir(), paths.config_dir())
    return b"".join(file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file())


def _memory() -> ConversationManager:
    return ConversationManager.in_memory()


@each_target
@pytest.mark.parametrize("form", ["userinfo", "query"])
async def test_a_secret_in_the_address_is_hidden_too(target: Target, form: str) -> None:
    async with FakeVendor(target.vendor) as fake:
        base = target.base(fake.url)
        base = base.replace("//", f"//me:{CANARY}@") if form == "userinfo" else f"{base}?key={CANARY}"
        made = target.config(fake.url).model_copy(update={"api_base": base})
        async with manager_of(made) as manager:
            generation = manager.generate_response("time?")
            async for _ in generation.events():
                pass
    assert CANARY not in repr(generation.sent)


def _parts_of(target: Target) -> tuple[MediaPart, ...]:
    pdf = FilePart(data=b"%PDF-1.4 " + bytes(9_000), media_type="application/pdf", name="a.pdf")
    sound = AudioPart(data=b"RIFF" + bytes(9_000), media_type="audio/wav", name="a.wav")
    match target.wire:
        case "openai":
            return IMAGE, pdf, sound
        case "ollama":
            return (IMAGE,)
        case _:
            return IMAGE, pdf


@each_target
async def test_attachments_are_told_by_size_and_hash(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "check_attachments", lambda *_: None)  # whatever this model takes
    media = _parts_of(target)
    generation, received, _ = await _asked(target, media=media)
    [told] = generation.sent
    text = json.dumps(told.body)
    assert len(text) < 3_000 < told.size == len(received.body)
    for part in media:
        assert f"({len(part.data):,} bytes, sha256 {hashlib.sha256(part.data).hexdigest()})" in text


@each_target
async def test_a_large_body_is_recorded_as_well(target: Target) -> None:
    generation, received, _ = await _asked(target, "word " * 100_000 + CANARY)
    [told] = generation.sent
    assert told.size == len(received.body) > 500_000
    assert "word word" in json.dumps(told.body)
    assert CANARY not in json.dumps(told.body)


@each_target
async def test_attempts_with_one_body_are_counted_and_not_kept_twice(target: Target) -> None:
    async with FakeVendor(target.vendor) as fake:
        fake.fail_first(2, error_reply(target.vendor, "overloaded"))
        async with manager_of(target.config(fake.url, max_retries=3), clock=VirtualClock()) as manager:
            generation = manager.generate_response("time?")
            await finish(manager, generation)
    assert len(fake.asked) == 3
    assert [request.times for request in generation.sent] == [3]


async def test_a_request_that_failed_is_shown_and_an_unasked_one_is_not() -> None:
    target = Target("openai", "lean")
    async with FakeVendor("openai") as fake:
        fake.fail_first(9, error_reply("openai", "bad_request"))
        async with manager_of(target.config(fake.url)) as manager:
            generation = manager.generate_response("time?")
            assert sent_json(generation) is None
            await finish(manager, generation)
            await manager.list_models("p0")
    assert sent_json(generation)["body"]["messages"][-1]["content"] == "time?"
    assert len(generation.sent) == 1


async def test_an_embedded_engine_shows_what_it_is_handed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[Any] = []

    class Engine:
        def __init__(self, *_: object) -> None:
            pass

        async def stream(self, chat: Any, sampling: Any) -> AsyncGenerator[ProviderEvent, None]:
            handed.append(chat)
            yield Finished(FinishReason.STOP)

    monkeypatch.setattr(local, "TransformersEngine", Engine)
    monkeypatch.setattr(local, "_engines", {})
    log = sent.SentLog()
    request = ProviderRequest(model="m", messages=[user(f"say {CANARY}")], options={"temperature": 0.5})
    with sent.kept_in(log), sent.without([CANARY]):
        async for _ in local._transformers(Located(tmp_path, "safetensors", False), request, request.options):
            pass
    [told] = log.requests
    assert told.url == f"transformers:{tmp_path.name}"
    assert told.plain()["body"]["messages"] == [{"role": "user", "content": "say ***"}]
    assert handed == [[{"role": "user", "content": f"say {CANARY}"}]]
    assert told.body["sampling"]["temperature"] == 0.5


# ---- what is kept ---------------------------------------------------------------------------------------------------


def _recorded(*bodies: object) -> list[sent.SentRequest]:
    log = sent.SentLog()
    with sent.kept_in(log), sent.without([CANARY]):
        for body in bodies:
            sent.record("POST", "http://h/p", [("x", "y")], json.dumps(body).encode())
    return log.requests


def test_many_large_requests_leave_the_newest() -> None:
    kept = _recorded(*[{"n": n, "text": "x" * 1_000_000} for n in range(20)])
    assert [request.body["n"] for request in kept] == [16, 17, 18, 19][-len(kept) :]
    assert 2 <= len(kept) <= 4


def test_of_a_body_without_bound_only_the_beginning_is_kept() -> None:
    [kept] = _recorded({"text": CANARY + "x" * 5_000_000})
    assert isinstance(kept.body, str)
    assert len(kept.body) < 70_000
    assert CANARY not in kept.body
    assert kept.size > 5_000_000


def test_text_that_looks_like_an_attachment_stays_text() -> None:
    url = "data:image/png;base64,AAAA"
    body = {"messages": [{"content": url, "input": {"data": "QUJD", "source": {"type": "text", "data": "QUJD"}}}]}
    [kept] = _recorded(body)
    assert kept.body == body


def test_outside_of_an_answer_nothing_is_recorded() -> None:
    log = sent.SentLog()
    sent.record("POST", "http://h", [], b"{}")
    with sent.kept_in(log):
        sent.record("POST", "http://h", [], b"{}")
    assert log.requests == []


_SECRET = st.sampled_from([CANARY, 'sk-"quoted"-key', "sk-ключ-key", "sk\\back/slash"])
_JSON = st.recursive(
    st.text() | _SECRET | st.none() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | _SECRET, inner, max_size=4),
    max_leaves=12,
)


@given(_JSON, _SECRET, st.text(), st.booleans())
def test_no_secret_survives_anywhere(body: Any, secret: str, text: str, raw: bool) -> None:
    log = sent.SentLog()
    data = json.dumps({"it": body, "said": text + secret}, ensure_ascii=raw).encode("utf-8", "surrogatepass")
    with sent.kept_in(log), sent.without([secret]):
        sent.record("POST", f"http://u:{secret}@h/p?k={secret}", [("authorization", secret), ("x", secret)], data)
    [kept] = log.requests
    told = json.dumps(kept.plain(), ensure_ascii=False)
    assert secret not in told
    assert json.dumps(secret)[1:-1] not in told
