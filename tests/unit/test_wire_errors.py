"""One table of cases for all vendors, second part: what is no answer, and what the vendors call an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMBadResponseError,
    LLMConnectionError,
    LLMContextLengthError,
    LLMError,
    LLMIncompleteResponseError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMOverloadedError,
    LLMRateLimitError,
    LLMTimeoutError,
)
from coda_cli.engine.core.events import ResponseComplete
from tests.servers.errors import COMPATIBLE, KINDS, ErrorKind, captive_portal, error_reply
from tests.servers.http import FakeServer, Reply
from tests.servers.script import Call, ErrorEvent, Ping, RawEvent, Say, Script, Think
from tests.servers.wire import WIRES, Wire, stream_reply, whole_reply
from tests.unit.wire_cases import (
    Target,
    VirtualClock,
    ask,
    bench,
    canned,
    each_target,
    each_wire,
    manager_of,
)

_HI = Say("Hi")

# ---- what is no answer --------------------------------------------------------------------------------------

_BROKEN: dict[str, bytes] = {
    "truncated": b'{"choices":[{"delta":{"content":"x',
    "not json": b"oops",
    "a list": b"[1,2]",
    "a number": b"7",
    "null": b"null",
    "not utf-8": b'{"a":"\xff\xfe"}',
    "deep": b"[" * 5000,
    "huge number": b'{"a":' + b"9" * 5000 + b"}",
}


def broken_event(wire: Wire, data: bytes) -> RawEvent:
    """*data* as an event of this wire format."""
    return RawEvent(data + b"\n" if wire.name == "ollama" else b"data: " + data + b"\n\n")


@each_target
@pytest.mark.parametrize("middle", [False, True], ids=["first", "middle"])
async def test_broken_json_is_a_bad_response(target: Target, middle: bool) -> None:
    async with bench(target) as b:
        for name, data in _BROKEN.items():
            event = broken_event(target.format, data)
            b.fake.queue(stream_reply(target.wire, [Say("Well, "), event, Say("no.")] if middle else [event, _HI]))
            outcome = await ask(b.manager)
            assert type(outcome.failure()) is LLMBadResponseError, name
            assert outcome.text == ("Well, " if middle else ""), name
            assert outcome.failure().hint


@dataclass(frozen=True)
class Stray:
    """A reply that is no answer, and the error it must become after how many requests."""

    reply: Reply
    error: type[LLMError]
    requests: int


_ALL = 3  # with max_retries=2
_PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"
STRAYS: dict[str, Stray] = {
    "captive portal": Stray(captive_portal(), LLMBadResponseError, 1),
    "a page said to be text": Stray(Reply.text(_PAGE.decode()), LLMBadResponseError, 1),
    "a page said to be a stream": Stray(
        Reply(headers={"content-type": "text/event-stream"}, body=[_PAGE]), LLMBadResponseError, 1
    ),
    "a page said to be json": Stray(
        Reply(headers={"content-type": "application/json"}, body=[_PAGE]), LLMBadResponseError, 1
    ),
    "empty": Stray(Reply(), LLMIncompleteResponseError, _ALL),
    "empty json": Stray(Reply(headers={"content-type": "application/json"}), LLMError, _ALL),
    "no content": Stray(Reply(204, framing="length"), LLMIncompleteResponseError, _ALL),
    "not http": Stray(Reply(raw_head=b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), LLMConnectionError, _ALL),
    "no headers": Stray(Reply(no_headers=True, end="cut"), LLMConnectionError, _ALL),
    "reset at once": Stray(Reply(no_headers=True, end="reset"), LLMConnectionError, _ALL),
    "said to be gzip": Stray(
        Reply(headers={"content-type": "text/event-stream", "content-encoding": "gzip"}, body=[b"data: {}\n\n"]),
        LLMConnectionError,
        _ALL,
    ),
    "gateway timeout": Stray(Reply.text("upstream timed out", 504), LLMTimeoutError, _ALL),
    "request timeout": Stray(Reply.text("slow", 408), LLMTimeoutError, _ALL),
    "unknown 4xx": Stray(Reply.text("I'm a teapot", 418), LLMInvalidRequestError, 1),
    "unknown 5xx": Stray(Reply.text("", 599), LLMOverloadedError, _ALL),
    "error without a body": Stray(Reply(400, framing="length"), LLMInvalidRequestError, 1),
    "error of a page": Stray(Reply.text(_PAGE.decode(), 502, "text/html"), LLMOverloadedError, _ALL),
    "error of bytes": Stray(
        Reply(400, {"content-type": "application/json"}, [b"\xff\x00{"]), LLMInvalidRequestError, 1
    ),
    "error too deep": Stray(Reply(400, {"content-type": "application/json"}, [b"[" * 5000]), LLMInvalidRequestError, 1),
    "error of a list": Stray(Reply.json([{"error": {"message": "no"}}], 400), LLMInvalidRequestError, 1),
    "error with odd fields": Stray(
        Reply.json({"error": {"message": {"a": [1]}, "type": 7, "code": []}}, 400), LLMInvalidRequestError, 1
    ),
    "refused key, cut short": Stray(
        Reply.json({"error": {"message": "x" * 64}}, 401).but(end="cut", after=10), LLMAuthenticationError, 1
    ),
}


@each_target
@pytest.mark.parametrize("name", STRAYS)
async def test_what_is_no_answer_becomes_an_error_of_ours(target: Target, name: str) -> None:
    stray = STRAYS[name]
    async with bench(target, clock=VirtualClock(), max_retries=2) as b:
        b.fake.queue(*[stray.reply] * stray.requests)
        outcome = await ask(b.manager)
        error = outcome.failure()
        assert isinstance(error, stray.error)
        # a cut before any output may be called either way, nothing under a JSON label too; all else has one name
        assert type(error) is stray.error or stray.error in (LLMConnectionError, LLMError)
        assert len(b.fake.asked) == stray.requests
        assert outcome.messages[0].content == "time?"
        assert outcome.answer is None


@each_target
async def test_an_error_inside_a_success_is_that_error(target: Target) -> None:
    script: Script = [ErrorEvent("rate_limit_error", "slow down, please")]
    async with bench(target) as b:
        b.fake.queue(whole_reply(target.wire, script))
        error = (await ask(b.manager)).failure()
        assert "slow down, please" in str(error)
        assert type(error) is (LLMOverloadedError if target.wire == "ollama" else LLMRateLimitError)


@each_target
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(target: Target, status: int) -> None:
    async with FakeServer(Reply.json({})) as elsewhere, bench(target, api_key="sk-canary", max_retries=2) as b:
        b.fake.queue(Reply(status, {"location": elsewhere.url + target.format.path}, framing="length"))
        error = (await ask(b.manager)).failure()
        assert type(error) is LLMBadResponseError
        assert error.hint
        assert elsewhere.connections == 0
        assert len(b.fake.asked) == 1


@each_wire
async def test_an_event_without_end_is_given_up(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coda_cli.engine.providers.wire.MAX_EVENT_BYTES", 10_000)
    manager, provider = canned(wire)
    head = b'{"message":{"content":"' if wire.name == "ollama" else b'data: {"a":"'
    endless: list[list[bytes]] = [[head, *[b"x" * 999] * 30]]
    if wire.name != "ollama":
        endless.append([b"data: 1\n" + b"data: " + b"x" * 900 + b"\n"] * 30)
        endless.append([head + b"x" * 30_000])
    for pieces in endless:
        provider.pieces = pieces
        error = (await ask(manager)).failure()
        assert type(error) is LLMBadResponseError


# ---- errors -------------------------------------------------------------------------------------------------

EXPECTED: dict[ErrorKind, tuple[type[LLMError], int]] = {
    "bad_request": (LLMInvalidRequestError, 1),
    "context_length": (LLMContextLengthError, 1),
    "unauthorized": (LLMAuthenticationError, 1),
    "forbidden": (LLMAuthenticationError, 1),
    "model_not_found": (LLMModelNotFoundError, 1),
    "too_large": (LLMInvalidRequestError, 1),
    "unprocessable": (LLMInvalidRequestError, 1),
    "rate_limited": (LLMRateLimitError, _ALL),
    "quota": (LLMRateLimitError, 1),
    "server_error": (LLMOverloadedError, _ALL),
    "bad_gateway": (LLMOverloadedError, _ALL),
    "unavailable": (LLMOverloadedError, _ALL),
    "overloaded": (LLMOverloadedError, _ALL),
}


@each_target
@pytest.mark.parametrize("kind", KINDS)
async def test_every_error_has_its_class_its_exit_code_and_a_hint(target: Target, kind: ErrorKind) -> None:
    expected, requests = EXPECTED[kind]
    if target.wire == "ollama" and kind == "quota":
        requests = _ALL  # it has no word of its own for this: any 429 may pass
    async with bench(target, clock=VirtualClock(), max_retries=2) as b:
        reply = error_reply(target.vendor, kind)
        b.fake.fail_first(9, reply)
        outcome = await ask(b.manager)
        error = outcome.failure()
        assert type(error) is expected
        assert error.exit_code == (4 if expected is LLMAuthenticationError else 1)
        assert error.hint
        assert error.status == reply.status
        assert (error.provider, error.model) == ("p0", "fake-model")
        assert error.request_id == (None if target.vendor == "ollama" else "req_fake0001")
        assert len(b.fake.asked) == requests
        assert len(outcome.retries) == requests - 1


@pytest.mark.parametrize("name", COMPATIBLE)
@pytest.mark.parametrize("transport", ["sdk", "lean"])
async def test_errors_of_compatible_servers_have_their_class(name: str, transport: str) -> None:
    expected = LLMContextLengthError if "context" in name else LLMInvalidRequestError
    async with bench(Target("openai", transport)) as b:  # type: ignore[arg-type]  # one of the two
        b.fake.queue(COMPATIBLE[name])
        error = (await ask(b.manager)).failure()
        assert type(error) is expected
        assert error.hint


_STREAM_ERRORS: dict[str, type[LLMError]] = {
    "overloaded_error": LLMOverloadedError,
    "rate_limit_error": LLMRateLimitError,
    "api_error": LLMOverloadedError,
    "server_error": LLMOverloadedError,
    "never_heard_of": LLMOverloadedError,
}
_VISIBLE: dict[str, Sequence[Say | Think | Call]] = {
    "text": [Say("Well")],
    "reasoning": [Think("Hm")],
    "tool call": [Call("c", "f", ['{"a"'])],
}


@each_target
@pytest.mark.parametrize("kind", _STREAM_ERRORS)
async def test_an_error_first_in_the_stream_is_tried_again(target: Target, kind: str) -> None:
    for failed in (False, True) if target.wire == "responses" else (False,):
        async with bench(target, clock=VirtualClock(), max_retries=1) as b:
            b.fake.queue([ErrorEvent(kind, "try later", failed)], [Ping(), Say("Hi")])
            outcome = await ask(b.manager)
            assert outcome.text == "Hi"
            assert isinstance(outcome.final, ResponseComplete)
            assert outcome.final.retries == 1
            assert len(outcome.retries) == 1
            expected = LLMOverloadedError if target.wire == "ollama" else _STREAM_ERRORS[kind]
            assert outcome.retries[0].error["type"] == expected.__name__
            assert len(b.fake.asked) == 2


@each_target
@pytest.mark.parametrize("shown", _VISIBLE)
async def test_an_error_after_visible_output_is_not_tried_again(target: Target, shown: str) -> None:
    async with bench(target, clock=VirtualClock(), max_retries=2) as b:
        b.fake.queue([*_VISIBLE[shown], ErrorEvent("overloaded_error", "try later")])
        outcome = await ask(b.manager)
        assert type(outcome.failure()) is LLMOverloadedError
        assert "try later" in str(outcome.failure())
        assert outcome.text == ("Well" if shown == "text" else "")
        assert outcome.reasoning == ("Hm" if shown == "reasoning" else "")
        assert outcome.answer is not None
        assert outcome.answer.status == "error"
        assert len(b.fake.asked) == 1


def test_the_table_names_every_wire() -> None:
    from tests.unit.wire_cases import TARGETS

    assert {target.wire for target in TARGETS} == set(WIRES)
    assert set(EXPECTED) == set(KINDS)


async def test_a_provider_that_is_not_there_is_named() -> None:
    async with manager_of(Target("openai", "lean").config("http://127.0.0.1:1")) as manager:
        outcome = await ask(manager)
        assert type(outcome.failure()) is LLMConnectionError


_ODD_LISTS: dict[str, Reply] = {
    "numbers": Reply.json({"data": [1], "models": [1]}),
    "an object": Reply.json({"data": {"a": 1}, "models": {"a": 1}}),
    "without ids": Reply.json({"data": [{}], "models": [{}]}),
    "a list": Reply.json([1]),
    "a page": Reply.text(_PAGE.decode(), content_type="text/html"),
    "broken": Reply.text("{oops", content_type="application/json"),
    "nothing": Reply(framing="length"),
}


@each_target
@pytest.mark.parametrize("name", _ODD_LISTS)
async def test_an_odd_list_of_models_is_an_error_of_ours_or_empty(target: Target, name: str) -> None:
    async with FakeServer(_ODD_LISTS[name]) as fake, manager_of(target.config(fake.url)) as manager:
        failure: LLMError | None = None
        try:
            assert await manager.list_models("p0") == []
        except LLMError as error:
            failure = error
        assert failure is None or failure.hint
        await manager.get_provider_status("p0")


_BAD_ADDRESSES = ["http://[::1", "not a url", "http://127.0.0.1:99999", "ftp://127.0.0.1/", "http://", "http://a\nb/"]


@each_target
@pytest.mark.parametrize("base", _BAD_ADDRESSES)
@pytest.mark.parametrize("offline", [False, True])
async def test_an_address_that_is_none_is_an_error_of_ours(target: Target, base: str, offline: bool) -> None:
    config = target.config("http://127.0.0.1").model_copy(update={"api_base": base})
    async with manager_of(config, offline=offline) as manager:
        outcome = await ask(manager)
        assert isinstance(outcome.error, LLMConnectionError)
        assert outcome.error.hint
