"""The stand-ins for the vendors: each vendor's own SDK must read what its fake says."""

import json

import anthropic
import ollama
import openai
import pytest

from tests.servers.clients import anthropic_client, chat, chat_text, get, openai_client
from tests.servers.errors import COMPATIBLE, KINDS, RETRY_AFTER, STATUS, captive_portal, error_reply
from tests.servers.framings import TRICKY_TEXT
from tests.servers.http import Recorded, Reply
from tests.servers.samples import FULL, TEXT, TOOLS
from tests.servers.script import (
    Ping,
    Redacted,
    Refuse,
    Say,
    Script,
    Stop,
)
from tests.servers.vendors import FakeVendor, OllamaModel
from tests.servers.wire import WIRES, Vendor

VENDORS: list[Vendor] = ["openai", "anthropic", "ollama"]


# -- each vendor's SDK reads its fake


async def test_openai_sdk_reads_a_streamed_chat() -> None:
    async with FakeVendor("openai") as fake, openai_client(fake) as client:
        fake.script = FULL
        chunks = await chat(client)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert chat_text(chunks) == TEXT
    assert "".join(getattr(delta, "reasoning_content", "") for delta in deltas) == "Let me see."
    calls: dict[int, list[str]] = {}
    for part in (part for delta in deltas for part in delta.tool_calls or []):
        assert part.function is not None
        calls.setdefault(part.index, []).append((part.function.name or "") + (part.function.arguments or ""))
    assert calls == {0: ["get_time", '{"zo', 'ne": "UTC"}'], 1: ["add", '{"a": 2, "b": 2}']}
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    used = chunks[-1].usage
    assert not chunks[-1].choices
    assert used is not None
    assert used.prompt_tokens_details is not None
    assert used.completion_tokens_details is not None
    figures = (used.prompt_tokens, used.completion_tokens, used.prompt_tokens_details.cached_tokens)
    assert (*figures, used.completion_tokens_details.reasoning_tokens) == (100, 40, 64, 8)


async def test_openai_sdk_reads_a_whole_chat() -> None:
    async with FakeVendor("openai") as fake, openai_client(fake) as client:
        fake.script = FULL
        answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "time?"}])
    message = answer.choices[0].message
    assert message.content == TEXT
    assert message.tool_calls is not None
    assert [
        (call.function.name, json.loads(call.function.arguments))
        for call in message.tool_calls
        if call.type == "function"
    ] == TOOLS
    assert answer.usage is not None
    assert answer.usage.total_tokens == 140


async def test_openai_sdk_reads_a_streamed_response() -> None:
    async with FakeVendor("openai") as fake, openai_client(fake) as client:
        fake.script = FULL
        stream = await client.responses.create(model="m", input="time?", stream=True)
        events = [event async for event in stream]
    assert events[0].type == "response.created"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    thought = "".join(event.delta for event in events if event.type == "response.reasoning_summary_text.delta")
    assert thought == "Let me see."
    fragments = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert fragments == ['{"zo', 'ne": "UTC"}', '{"a": 2, "b": 2}']
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == TEXT
    assert [item.type for item in last.response.output] == ["reasoning", "message", "function_call", "function_call"]
    assert last.response.usage is not None
    assert last.response.usage.input_tokens_details.cached_tokens == 64


async def test_openai_sdk_accumulates_a_response_itself() -> None:
    async with FakeVendor("openai") as fake, openai_client(fake) as client:
        fake.script = FULL
        async with client.responses.stream(model="m", input="time?") as stream:
            final = await stream.get_final_response()
        whole = await client.responses.create(model="m", input="time?")
    assert final.output_text == whole.output_text == TEXT


async def test_anthropic_sdk_accumulates_a_streamed_message() -> None:
    async with FakeVendor("anthropic") as fake, anthropic_client(fake) as client:
        fake.script = [*FULL, Redacted("cmVk")]
        async with client.messages.stream(
            model="m", max_tokens=100, messages=[{"role": "user", "content": "time?"}]
        ) as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_message()
    assert "input_json" in kinds
    thinking, text, first, second, redacted = final.content
    assert thinking.type == "thinking"
    assert (thinking.thinking, thinking.signature) == ("Let me see.", "c2ln")
    assert text.type == "text"
    assert text.text == TEXT
    assert first.type == second.type == "tool_use"
    assert [(first.name, first.input), (second.name, second.input)] == TOOLS
    assert redacted.type == "redacted_thinking"
    assert final.stop_reason == "tool_use"
    usage = final.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (36, 64, 40)
    assert fake.asked[0].get("messages", -1, "content") == "time?"


async def test_anthropic_sdk_reads_a_whole_message_and_a_token_count() -> None:
    async with FakeVendor("anthropic") as fake, anthropic_client(fake) as client:
        fake.script = FULL
        answer = await client.messages.create(
            model="m", max_tokens=100, messages=[{"role": "user", "content": "time?"}]
        )
        count = await client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "time?"}])
    assert [block.type for block in answer.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert answer.usage.output_tokens == 40
    assert count.input_tokens > 0


async def test_ollama_sdk_reads_a_streamed_and_a_whole_chat() -> None:
    # Without TRICKY_TEXT: this SDK splits lines at U+2028.
    script = [item for item in FULL if item != Say(TRICKY_TEXT) and not isinstance(item, Ping)]
    async with FakeVendor("ollama") as fake:
        fake.script = script
        client = ollama.AsyncClient(host=fake.url)
        ask = [{"role": "user", "content": "time?"}]
        parts = [part async for part in await client.chat(model="m", messages=ask, stream=True)]
        whole = await client.chat(model="m", messages=ask)
    await client._client.aclose()
    assert "".join(part.message.content or "" for part in parts) == whole.message.content == "It is noon. "
    assert "".join(part.message.thinking or "" for part in parts) == whole.message.thinking == "Let me see."
    calls = [call.function for part in parts for call in part.message.tool_calls or []]
    assert [(call.name, dict(call.arguments)) for call in calls] == TOOLS
    last = parts[-1]
    assert (last.done, last.done_reason, last.prompt_eval_count, last.eval_count) == (True, "stop", 100, 40)


async def test_ollama_sdk_reads_the_library() -> None:
    async with FakeVendor("ollama") as fake:
        fake.catalog.append(OllamaModel("seer:7b", ["completion", "vision", "thinking"], "qwen3", 40960))
        client = ollama.AsyncClient(host=fake.url)
        listed = await client.list()
        shown = await client.show("seer:7b")
        running = await client.ps()
        pulled = [step async for step in await client.pull("seer:7b", stream=True)]
        with pytest.raises(ollama.ResponseError) as missing:
            await client.show("nope")
        version = await get(fake, "/api/version")
    await client._client.aclose()
    assert [model.model for model in listed.models] == ["fake-model:latest", "fake-model:mini", "seer:7b"]
    assert shown.capabilities == ["completion", "vision", "thinking"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["qwen3.context_length"] == 40960
    assert running.models[0].context_length == 8192
    assert [(step.completed, step.total) for step in pulled if step.total] == [(0, 1000), (400, 1000), (1000, 1000)]
    assert pulled[-1].status == "success"
    assert missing.value.status_code == 404
    assert version.json()["version"]


async def test_model_lists_have_each_vendors_shape() -> None:
    async with FakeVendor("openai") as one, FakeVendor("anthropic") as two:
        async with openai_client(one) as client:
            assert [model.id async for model in client.models.list()] == one.models
        async with anthropic_client(two) as other:
            models = [model async for model in other.models.list()]
    assert [model.id for model in models] == two.models
    assert models[0].max_input_tokens == 200_000


@pytest.mark.parametrize(
    ("reason", "chat_word", "responses_word", "anthropic_word", "ollama_word"),
    [
        ("stop", "stop", "completed", "end_turn", "stop"),
        ("length", "length", "incomplete", "max_tokens", "length"),
        ("content_filter", "content_filter", "incomplete", "refusal", "stop"),
        ("refusal", "stop", "completed", "refusal", "stop"),
        ("pause", "stop", "completed", "pause_turn", "stop"),
        ("context_window", "length", "incomplete", "model_context_window_exceeded", "length"),
        ("failed", "failed", "failed", "failed", "failed"),
    ],
)
def test_every_stop_reason_has_the_vendors_own_word(
    reason: str, chat_word: str, responses_word: str, anthropic_word: str, ollama_word: str
) -> None:
    script: Script = [Refuse("I cannot"), Stop(reason)]
    openai_body = b"".join(WIRES["openai"].stream(script))
    assert f'"finish_reason":"{chat_word}"'.encode() in openai_body
    assert f"event: response.{responses_word}\n".encode() in WIRES["responses"].stream(script)[-1]
    assert f'"stop_reason":"{anthropic_word}"'.encode() in WIRES["anthropic"].stream(script)[-2]
    assert f'"done_reason":"{ollama_word}"'.encode() in WIRES["ollama"].stream(script)[-1]
    assert b'"refusal":"I cannot"' in openai_body


# -- errors


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vendor", VENDORS)
async def test_an_error_reaches_the_vendors_sdk_with_its_status(vendor: Vendor, kind: str) -> None:
    known = next(name for name in KINDS if name == kind)
    reply = error_reply(vendor, known, model="nope", retry_after=RETRY_AFTER["seconds"]())
    error: Exception
    async with FakeVendor(vendor) as fake:
        fake.fail_first(1, reply)
        if vendor == "openai":
            async with openai_client(fake) as client:
                with pytest.raises(openai.APIStatusError) as caught:
                    await chat(client)
            error, status = caught.value, caught.value.status_code
            assert caught.value.response.headers["retry-after"] == "2"
        elif vendor == "anthropic":
            async with anthropic_client(fake) as other:
                with pytest.raises(anthropic.APIStatusError) as refused:
                    await other.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}])
            error, status = refused.value, refused.value.status_code
        else:
            third = ollama.AsyncClient(host=fake.url)
            with pytest.raises(ollama.ResponseError) as failed:
                await third.chat(model="m", messages=[{"role": "user", "content": "x"}])
            await third._client.aclose()
            error, status = failed.value, failed.value.status_code
    assert status == STATUS[vendor][known]
    body = json.loads(reply.payload())
    message = body["error"] if vendor == "ollama" else body["error"]["message"]
    assert message in str(error) or json.dumps(message) in str(error)


async def test_openai_names_the_code_of_an_error() -> None:
    async with FakeVendor("openai") as fake, openai_client(fake) as client:
        fake.queue(error_reply("openai", "context_length"), error_reply("openai", "quota"))
        with pytest.raises(openai.BadRequestError) as long:
            await chat(client)
        with pytest.raises(openai.RateLimitError) as poor:
            await chat(client)
        assert (long.value.code, poor.value.code) == ("context_length_exceeded", "insufficient_quota")
        assert chat_text(await chat(client)) == fake.answer


def test_the_odd_replies_have_the_status_and_type_they_should() -> None:
    assert [reply.status for reply in COMPATIBLE.values()] == [400, 400, 422]
    assert captive_portal().headers["content-type"].startswith("text/html")
    assert {name: make() for name, make in RETRY_AFTER.items() if "date" not in name} == {
        "seconds": "2",
        "junk": "soon",
        "zero": "0",
        "negative": "-1",
        "hour": "3600",
    }
    assert RETRY_AFTER["date"]().endswith("GMT")


# -- vendors, threads, dead addresses


async def test_a_vendor_asks_for_its_key_and_knows_its_models() -> None:
    async with FakeVendor("openai") as fake, openai_client(fake) as client:
        fake.api_key = "secret"
        with pytest.raises(openai.AuthenticationError):
            await chat(client)
        fake.api_key = "unused"
        fake.strict = True
        assert chat_text(await chat(client)) == fake.answer
        fake.models.remove("fake-model")
        with pytest.raises(openai.NotFoundError):
            await chat(client)
        fake.routes["/v1/models"] = error_reply("openai", "server_error")
        with pytest.raises(openai.InternalServerError):
            await client.models.list()
    assert len(fake.asked) == 3
    assert fake.requests[-1].path == "/v1/models"


async def test_a_vendor_can_answer_by_the_request_and_shape_every_answer() -> None:
    def script(request: Recorded) -> Script:
        return [Say(f"you said {request.get('messages', 0, 'content')}")]

    async with FakeVendor("openai") as fake, openai_client(fake) as client:
        fake.script = script
        fake.shape = lambda reply: reply.but(every_byte=True)
        fake.queue([Say("first")], Reply.text("<html>", content_type="text/html"))
        assert chat_text(await chat(client)) == "first"
        assert chat_text(await chat(client)) == ""
        assert chat_text(await chat(client)) == "you said time?"


async def test_paths_of_another_vendor_are_not_found() -> None:
    async with FakeVendor("openai") as one, FakeVendor("ollama") as two:
        assert (await get(one, "/api/tags")).status_code == 404
        assert (await get(two, "/v1/models")).status_code == 200
        assert (await get(two)).text == "Ollama is running"
        assert (await get(one, "/v1/chat/completions")).status_code == 405
