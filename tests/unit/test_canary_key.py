"""A key is never shown: not in errors, events, reprs, logs or the usage log, not even where a server says it back."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from contextlib import suppress
from pathlib import Path

import pytest

from coda_cli.engine.core.config import LLMConfig, ProviderConfig
from coda_cli.engine.core.errors import LLMAuthenticationError, LLMError
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.endpoints import endpoint
from coda_cli.engine.usage.log import UsageLog
from tests.servers.errors import KINDS, captive_portal, error_reply
from tests.servers.http import FakeServer, Recorded, Reply
from tests.servers.script import ErrorEvent, RawEvent, Say
from tests.servers.threaded import dead_port
from tests.servers.wire import stream_reply, whole_reply
from tests.unit.wire_cases import GUARD, Outcome, Target, VirtualClock, ask, each_target, manager_of

CANARY = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"


def shown(outcome: Outcome) -> str:
    """All that a person, a program or a log is told of an answer."""
    texts = [json.dumps(event.to_json()) for event in outcome.events]
    texts += [repr(event) for event in outcome.events]
    if outcome.error is not None:
        error = outcome.error
        texts += [str(error), repr(error), repr(error.args), str(error.hint), json.dumps(error.describe())]
    return "\n".join(texts)


def chain(error: BaseException) -> str:
    """The error and its causes as a traceback would print them."""
    return "".join(traceback.format_exception(error))


def insides(manager: LLMManager) -> str:
    """The reprs of everything that holds a key or holds what holds one."""
    objects: list[object] = [manager, manager.config, *manager.config.providers.values(), *manager._providers.values()]
    for config in manager.config.providers.values():
        objects += [config.model_dump(), config.model_dump_json()]
        with suppress(LLMAuthenticationError):  # a key that no header can hold
            objects.append(endpoint(config))
    for provider in manager._providers.values():
        objects += list(vars(provider).values())
        transport = vars(provider).get("_transport")
        if transport is not None:
            objects += list(vars(transport).values())
    return "\n".join(f"{item!r} {item}" for item in objects)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Every logger there is, at its most talkative."""
    for name in ("openai", "anthropic", "ollama", "httpx", "httpx2", "httpcore", "httpcore2", "asyncio", "coda_cli"):
        caplog.set_level(logging.DEBUG, name)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)
    caplog.set_level(1)
    monkeypatch.setenv("OPENAI_LOG", "debug")
    monkeypatch.setenv("ANTHROPIC_LOG", "debug")
    return caplog


async def go(target: Target, reply: Reply, usage: UsageLog | None = None) -> tuple[Outcome, LLMManager, FakeServer]:
    """One question with the canary as its key, to a server that gives *reply*."""
    async with FakeServer(reply) as fake:
        config = target.config(fake.url, api_key=CANARY)
        async with manager_of(config, usage=usage, clock=VirtualClock()) as manager:
            outcome = await ask(manager)
            text = insides(manager)
        assert CANARY not in text
        assert CANARY in str(fake.requests[0].headers), "the canary must have been in use"
        return outcome, manager, fake


@each_target
@pytest.mark.parametrize("kind", KINDS)
async def test_no_error_shows_the_key(target: Target, kind: str, log: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    usage = UsageLog(tmp_path / "usage.jsonl")
    outcome, _, _ = await go(target, error_reply(target.vendor, kind), usage)  # type: ignore[arg-type]  # one of KINDS
    error = outcome.failure()
    assert CANARY not in shown(outcome) + chain(error) + log.text
    assert CANARY not in usage.path.read_text()


def faults(target: Target) -> dict[str, Reply]:
    """One reply for every way in which a request may go wrong."""
    stream = stream_reply(target.wire, [Say("one "), Say("two")], end=False)
    return {
        "cut": stream.but(end="cut"),
        "reset": stream.but(end="reset"),
        "eof": stream,
        "no headers": Reply(no_headers=True, end="reset"),
        "portal": captive_portal(),
        "redirect": Reply(302, {"location": "http://127.0.0.1:1/"}, framing="length"),
        "broken": stream_reply(target.wire, [RawEvent(b"data: {oops\n\n")]),
        "not http": Reply(raw_head=b"what?\r\n\r\n"),
        "error inside": whole_reply(target.wire, [ErrorEvent("api_error", "no")]),
    }


@each_target
async def test_no_fault_shows_the_key(target: Target, log: pytest.LogCaptureFixture) -> None:
    for name, reply in faults(target).items():
        outcome, _, _ = await go(target, reply)
        assert CANARY not in shown(outcome) + chain(outcome.failure()), name
    assert CANARY not in log.text


@each_target
async def test_no_success_shows_the_key(target: Target, log: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    usage = UsageLog(tmp_path / "usage.jsonl")
    outcome, manager, _ = await go(target, stream_reply(target.wire, [Say("Hi")]), usage)
    assert outcome.text == "Hi"
    assert CANARY not in shown(outcome) + log.text + usage.path.read_text()
    assert CANARY not in repr(outcome.response)
    assert CANARY not in insides(manager)


@each_target
async def test_a_server_that_is_not_there_shows_no_key(target: Target, log: pytest.LogCaptureFixture) -> None:
    config = target.config(f"http://127.0.0.1:{dead_port()}", api_key=CANARY)
    async with asyncio.timeout(GUARD), manager_of(config) as manager:
        outcome = await ask(manager)
        status = await manager.get_provider_status("p0")
        assert CANARY not in insides(manager) + json.dumps(status)
    assert CANARY not in shown(outcome) + chain(outcome.failure()) + log.text


# ---- a server that says the key back --------------------------------------------------------------------------


def echoes(target: Target) -> dict[str, Reply]:
    """Answers that hold the key, as vendors and careless proxies send it."""
    said = f"Incorrect API key provided: {CANARY}. You can find your key on the web page."
    vendors = {
        "openai": {"error": {"message": said, "type": "invalid_request_error", "code": "invalid_api_key"}},
        "anthropic": {"type": "error", "error": {"type": "authentication_error", "message": said}},
        "ollama": {"error": said},
    }
    raw = f"{CANARY} is no JSON".encode()
    broken = raw + b"\n" if target.wire == "ollama" else b"data: " + raw + b"\n\n"
    odd = json.dumps({"choices": CANARY, "delta": CANARY, "message": CANARY, "type": "response.output_item.added"})
    strange = odd.encode() + b"\n" if target.wire == "ollama" else b"data: " + odd.encode() + b"\n\n"
    anything = {"content-type": target.format.content_type}
    return {
        "refused": Reply.json(vendors[target.vendor], 401),
        "bad request": Reply.json(vendors[target.vendor], 400),
        "rate limited": Reply.json(vendors[target.vendor], 429),
        "no such model": Reply.json(vendors[target.vendor], 404),
        "overloaded": Reply.json(vendors[target.vendor], 503),
        "as the code": Reply.json({"error": {"code": CANARY, "type": CANARY}}, 400),
        "as detail": Reply.json({"detail": [{"loc": ["header"], "input": f"Bearer {CANARY}"}]}, 422),
        "as text": Reply.text(f"bad header: Bearer {CANARY}", 400),
        "as a page": Reply.text(f"<html>{CANARY}</html>", 500, "text/html"),
        "redirect": Reply(302, {"location": f"http://127.0.0.1:1/?key={CANARY}"}, framing="length"),
        "redirect with text": Reply.text(f"moved for {CANARY}", 302),
        "request id": Reply(500, {"x-request-id": CANARY, "request-id": CANARY}, framing="length"),
        "in the stream": stream_reply(target.wire, [ErrorEvent("api_error", said)]),
        "after text": stream_reply(target.wire, [Say("Hi"), ErrorEvent("api_error", said)]),
        "inside a success": whole_reply(target.wire, [ErrorEvent("api_error", said)]),
        "broken event": Reply(headers=anything, body=[broken]),
        "strange event": Reply(headers=anything, body=[strange]),
        "broken answer": Reply.text(raw.decode(), content_type="application/json"),
        "not http": Reply(raw_head=f"ICY {CANARY}\r\n\r\n".encode()),
    }


@each_target
@pytest.mark.parametrize("name", echoes(Target("openai", "lean")))
async def test_a_key_that_a_server_says_back_is_not_shown(
    target: Target, name: str, log: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    usage = UsageLog(tmp_path / "usage.jsonl")
    outcome, _, _ = await go(target, echoes(target)[name], usage)
    assert isinstance(outcome.error, LLMError)
    told = shown(outcome)
    # also not in part: a snippet may cut it, and most of a key is a key
    assert CANARY not in told
    assert CANARY[3:25] not in told
    assert CANARY not in usage.path.read_text()
    kept = "".join(message.model_dump_json() for message in outcome.messages)
    assert CANARY not in kept


@each_target
async def test_a_key_that_the_model_list_says_back_is_not_shown(target: Target) -> None:
    async with FakeServer(echoes(target)["refused"]) as fake:
        manager = manager_of(target.config(fake.url, api_key=CANARY))
        with pytest.raises(LLMAuthenticationError) as caught:
            await manager.list_models("p0")
        status = await manager.get_provider_status("p0")
        await manager.aclose()
    assert CANARY not in f"{caught.value} {caught.value.hint} {caught.value.describe()} {status}"


# ---- keys and addresses that are no keys and addresses --------------------------------------------------------


@each_target
@pytest.mark.parametrize("key", [f"{CANARY}\n", f"{CANARY}\r\nx: y", f"{CANARY}\x00", f"{CANARY}\u00e9", f" {CANARY} "])
async def test_a_key_that_no_header_can_hold_is_an_error_that_does_not_show_it(target: Target, key: str) -> None:
    async with FakeServer(lambda request, _: _good(target, request)) as fake:
        async with manager_of(target.config(fake.url, api_key=key)) as manager:
            outcome = await ask(manager)
            assert CANARY not in insides(manager)
        assert CANARY not in shown(outcome)
        assert "x" not in (fake.requests[0].headers if fake.requests else {})
        if outcome.error is not None:
            assert isinstance(outcome.error, LLMAuthenticationError), repr(outcome.error)
            assert CANARY not in chain(outcome.error)


def _good(target: Target, request: Recorded) -> Reply:
    return stream_reply(target.wire, [Say("Hi")]) if request.method == "POST" else Reply.json({"data": []})


@each_target
@pytest.mark.parametrize("form", ["userinfo", "query"])
@pytest.mark.parametrize("fault", ["dead", "500", "404", "reset"])
async def test_a_secret_in_an_address_is_not_shown(target: Target, form: str, fault: str) -> None:
    replies = {"500": Reply.text("no", 500), "404": Reply.text("no", 404), "reset": Reply(no_headers=True, end="reset")}
    async with FakeServer(replies.get(fault, Reply.text("no", 500))) as fake:
        url = f"http://127.0.0.1:{dead_port()}" if fault == "dead" else fake.url
        base = target.base(url)
        base = base.replace("//", f"//me:{CANARY}@") if form == "userinfo" else f"{base}?key={CANARY}"
        config = target.config(url).model_copy(update={"api_base": base})
        async with manager_of(config) as manager:
            outcome = await ask(manager)
            status = await manager.get_provider_status("p0")
        assert isinstance(outcome.error, LLMError)
        assert CANARY not in shown(outcome) + json.dumps(status)


def test_a_config_never_prints_its_key() -> None:
    config = Target("openai", "lean").config(None, api_key=CANARY)
    whole = LLMConfig(providers={"p": config})
    for text in (repr(config), str(config), config.model_dump_json(), repr(whole), whole.model_dump_json()):
        assert CANARY not in text
    with pytest.raises(ValueError, match="timeout") as caught:
        ProviderConfig(provider="openai", api_key=CANARY, timeout=-1)
    assert CANARY not in str(caught.value)
