"""The endpoint that speaks as OpenAI's does, asked by the real `openai` SDK."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from coda_cli import (
    BudgetLimit,
    ConversationManager,
    ImagePart,
    LLMConfig,
    LLMProvider,
    ProviderConfig,
    Reply,
    ScriptedProvider,
    TokenUsage,
    ToolResultPart,
)
from coda_cli.engine.core.usage import FinishReason
from tests.servers.vendors import FakeVendor
from tests.unit.server_kit import Running, running
from tests.weights import smollm2_path

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


@asynccontextmanager
async def sdk(kit: Running, **more: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    """The SDK, pointed at the server with its token as the key."""
    given = {"base_url": f"{kit.server.url}/v1", "api_key": kit.server.token, "max_retries": 0, **more}
    async with openai.AsyncOpenAI(**given) as client:
        yield client


async def test_a_whole_answer() -> None:
    usage = TokenUsage(input_tokens=7, output_tokens=5, cached_tokens=3, reasoning_tokens=2)
    reply = Reply("Hello there", reasoning="I greet.", usage=usage)
    async with running([reply], allow_ask=True) as kit, sdk(kit) as client:
        answer = await client.chat.completions.create(
            model="fake/scripted",
            messages=[
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "Hi!"},
                {"role": "developer", "content": "And brief."},
                {"role": "user", "content": "hello"},
            ],
            temperature=0.5,
            top_p=0.9,
            max_completion_tokens=50,
            stop=["END"],
            seed=3,
            user="somebody",
        )
        assert answer.choices[0].message.content == "Hello there"
        assert (answer.choices[0].finish_reason, answer.model) == ("stop", "fake/scripted")
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 5, 12)
        assert answer.usage.prompt_tokens_details is not None
        assert answer.usage.prompt_tokens_details.cached_tokens == 3
        assert answer.usage.completion_tokens_details is not None
        assert answer.usage.completion_tokens_details.reasoning_tokens == 2
        request = kit.provider.requests[0]
    said = [(message.role.value, message.content) for message in request.messages]
    assert said == [("system", "Be kind.\n\nAnd brief."), ("user", "hi"), ("assistant", "Hi!"), ("user", "hello")]
    wanted = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 50, "stop": ["END"], "seed": 3}
    assert {name: request.options.get(name) for name in wanted} == wanted


async def test_what_is_passed_over_is_told_in_a_header() -> None:
    async with running(allow_ask=True) as kit, sdk(kit) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model="fake", messages=HELLO, user="me", store=True, extra_body={"made_up": 1}
        )
        assert raw.headers["coda-ignored"] == "made_up, store, user"


async def test_a_stream_word_by_word() -> None:
    reply = Reply("one two three", reasoning="Let me count.")
    async with running([reply], allow_ask=True) as kit, sdk(kit) as client:
        stream = await client.chat.completions.create(
            model="fake", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert [delta.content for delta in deltas if delta.content] == ["one", " two", " three"]
    assert "".join((delta.model_extra or {}).get("reasoning_content", "") for delta in deltas) == "Let me count."
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert {chunk.model for chunk in chunks} == {"fake/scripted"}
    assert len({chunk.id for chunk in chunks}) == 1


async def test_the_first_word_arrives_before_the_last_is_said() -> None:
    async with running([Reply("word " * 200, delay=0.02)], allow_ask=True) as kit, sdk(kit) as client:
        stream = await client.chat.completions.create(model="fake", messages=HELLO, stream=True)
        seen = 0
        async for chunk in stream:
            seen += bool(chunk.choices[0].delta.content)
            if seen == 3:
                break
        await stream.close()
        for _ in range(500):  # the model is stopped when nobody listens any more
            if not kit.server.desk or not kit.server.desk.busy:
                break
            await asyncio.sleep(0.01)
        assert kit.server.desk is not None
        assert kit.server.desk.busy == 0
        stats = kit.manager.accounts.stats("fake")
        assert stats.request_count == 1


async def test_images_come_as_data() -> None:
    url = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    async with running(["a dot"], allow_ask=True) as kit, sdk(kit) as client:
        await client.chat.completions.create(
            model="fake",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "what is this?"},
                        {"type": "image_url", "image_url": {"url": url}},
                        {"type": "text", "text": "be exact"},
                    ],
                }
            ],
        )
        parts = kit.provider.requests[0].messages[-1].parts
        assert [part.type for part in parts] == ["text", "image", "text"]
        assert isinstance(parts[1], ImagePart)
        assert parts[1].data == PIXEL
        with pytest.raises(openai.BadRequestError, match="nothing is fetched") as caught:
            await client.chat.completions.create(
                model="fake",
                messages=[
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://evil.example/x"}}]}
                ],
            )
        assert caught.value.param == "messages.0.content.0"


async def test_the_tools_of_a_program_are_called_by_the_program() -> None:
    calls = Reply("Let me look.", tool_calls=[("weather", '{"place": "Bern"}'), ("weather", '{"place": "Ulm"}')])
    async with running([calls, "Sun", calls], allow_ask=True) as kit, sdk(kit) as client:
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "weather?"}]
        first = await client.chat.completions.create(model="fake", messages=messages, tools=[WEATHER])
        message = first.choices[0].message
        assert first.choices[0].finish_reason == "tool_calls"
        assert message.tool_calls is not None
        assert [json.loads(c.function.arguments)["place"] for c in message.tool_calls if c.type == "function"] == [
            "Bern",
            "Ulm",
        ]
        assert [spec.name for spec in kit.provider.requests[0].tools] == ["weather"]
        messages.append(message.model_dump(exclude_none=True))  # type: ignore[arg-type]  # as the SDK's guide does it
        messages += [{"role": "tool", "tool_call_id": c.id, "content": f"{c.id} sun"} for c in message.tool_calls]
        second = await client.chat.completions.create(model="fake", messages=messages, tools=[WEATHER])
        assert second.choices[0].message.content == "Sun"
        last = kit.provider.requests[1].messages[-1]
        assert [part.text for part in last.parts if isinstance(part, ToolResultPart)] == [
            f"{c.id} sun" for c in message.tool_calls
        ]
        stream = await client.chat.completions.create(model="fake", messages=HELLO, tools=[WEATHER], stream=True)
        chunks = [chunk async for chunk in stream]
        told = [c for chunk in chunks for c in chunk.choices[0].delta.tool_calls or []]
        assert [(c.index, c.function.name if c.function else "") for c in told] == [(0, "weather"), (1, "weather")]
        assert chunks[-1].choices[0].finish_reason == "tool_calls"


class Place(BaseModel):
    city: str
    people: int


async def test_an_answer_in_the_shape_that_a_program_wants() -> None:
    async with running(['{"city": "Bern", "people": 134794}'], allow_ask=True) as kit, sdk(kit) as client:
        answer = await client.chat.completions.parse(model="fake", messages=HELLO, response_format=Place)
        assert answer.choices[0].message.parsed == Place(city="Bern", people=134794)
        schema = kit.provider.requests[0].schema
        assert schema is not None
        assert set(schema["properties"]) == {"city", "people"}


async def test_models_are_named_provider_and_model() -> None:
    def more(config: LLMConfig) -> None:
        config.providers["gone"] = ProviderConfig(
            provider=LLMProvider.OPENAI, model="gpt-x", api_base="http://127.0.0.1:1/v1", max_retries=0
        )
        config.providers["local"] = ProviderConfig(provider=LLMProvider.LOCAL)

    async with running(["yes"], config=more, allow_ask=True) as kit, sdk(kit) as client:
        names = [model.id async for model in await client.models.list()]
        assert sorted(names) == ["fake/scripted", "gone/gpt-x", "local/smollm2"]
        assert (await client.models.retrieve("fake/scripted")).owned_by == "fake"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("fake/other")
        with pytest.raises(openai.NotFoundError, match="GET /v1/models"):
            await client.chat.completions.create(model="gpt-4", messages=HELLO)


async def test_what_a_program_asks_is_counted_and_seen_but_kept_only_where_that_is_wanted() -> None:
    async with running(["yes"], allow_ask=True) as kit, kit.watch() as watcher, sdk(kit) as client:
        await client.chat.completions.create(model="fake", messages=HELLO)
        heard = await watcher.until("analytics_update")
        assert heard[0]["type"] == "response_start"
        assert kit.manager.accounts.stats("fake").request_count == 1
        assert await listed(kit) == []
    async with running(["yes"], allow_ask=True, keep=True) as kit, sdk(kit) as client:
        await client.chat.completions.create(
            model="fake", messages=[*HELLO, {"role": "assistant", "content": "a"}, *HELLO]
        )
        (chat,) = await listed(kit)
        kept = await kit.manager.store.messages(chat)
        assert [message.content for message in kept] == ["hello", "a", "hello", "yes"]


async def listed(kit: Running) -> list[str]:
    store = kit.manager.store
    assert isinstance(store, ConversationManager)
    return [row.id for row in await store.list_conversations()]


async def test_many_programs_at_once_get_their_own_answers() -> None:
    class Echo(ScriptedProvider):
        def next_reply(self, request: Any) -> Reply:
            return Reply(f"you said {request.messages[-1].content}", delay=0.001)

    async with running(allow_ask=True) as kit, sdk(kit) as client:
        kit.manager._providers["fake"] = Echo()

        async def one(number: int) -> str:
            said: Iterable[ChatCompletionMessageParam] = [{"role": "user", "content": f"number {number}"}]
            if number % 2:
                answer = await client.chat.completions.create(model="fake", messages=said)
                return answer.choices[0].message.content or ""
            stream = await client.chat.completions.create(model="fake", messages=said, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        assert await asyncio.gather(*map(one, range(16))) == [f"you said number {n}" for n in range(16)]


async def test_a_vendor_behind_it_is_asked_in_its_own_words_and_again_where_it_fails() -> None:
    async with FakeVendor("anthropic", answer="Grüezi") as vendor:

        def behind(config: LLMConfig) -> None:
            config.providers["claude"] = ProviderConfig(
                provider=LLMProvider.ANTHROPIC, model="fake-model", api_base=vendor.url, api_key="k"
            )

        async with running(config=behind, allow_ask=True) as kit, sdk(kit) as client:
            vendor.fail_first(1, overloaded())
            answer = await client.chat.completions.create(
                model="claude/fake-model", messages=[{"role": "system", "content": "Be Swiss."}, *HELLO], max_tokens=9
            )
            assert answer.choices[0].message.content == "Grüezi"
            assert len(vendor.asked) == 2
            sent = json.loads(vendor.asked[-1].body)
            assert sent["max_tokens"] == 9
            assert "Be Swiss." in json.dumps(sent["system"])


def overloaded() -> Any:
    from tests.servers.errors import error_reply

    return error_reply("anthropic", "overloaded")


async def test_the_embedded_model_answers_an_openai_program() -> None:
    def local(config: LLMConfig) -> None:
        config.providers["local"] = ProviderConfig(
            provider=LLMProvider.LOCAL, model=str(smollm2_path()), extra_params={"n_ctx": 512}
        )

    async with running(config=local, allow_ask=True) as kit, sdk(kit) as client:
        asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of France?"}]
        whole = await client.chat.completions.create(model="local", messages=asked, max_tokens=24, temperature=0)
        assert "Paris" in (whole.choices[0].message.content or "")
        stream = await client.chat.completions.create(
            model="local", messages=asked, max_tokens=24, temperature=0, stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert text == whole.choices[0].message.content
        assert whole.usage is not None
        assert whole.usage.completion_tokens > 0


async def test_a_reason_to_end_is_told_in_openais_words() -> None:
    replies = [Reply("a", finish_reason=reason) for reason in (FinishReason.LENGTH, FinishReason.CONTENT_FILTER)]
    async with running(replies, allow_ask=True) as kit, sdk(kit) as client:
        ends = [
            (await client.chat.completions.create(model="fake", messages=HELLO)).choices[0].finish_reason
            for _ in replies
        ]
        assert ends == ["length", "content_filter"]


async def test_what_was_asked_before_comes_from_the_cache_where_that_is_on_and_never_incognito() -> None:
    def cached(config: LLMConfig) -> None:
        config.enable_caching = True

    for store, asked in ((ConversationManager(), 1), (ConversationManager.in_memory(), 2)):
        async with running(["one", "two"], config=cached, allow_ask=True) as kit, sdk(kit) as client:
            kit.manager.store = store
            said: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is AI?"}]
            await client.chat.completions.create(model="fake", messages=said)
            answer = await client.chat.completions.create(model="fake", messages=said)
            assert len(kit.provider.requests) == asked
            assert answer.choices[0].message.content == ("one" if asked == 1 else "two")


async def test_a_budget_of_the_person_holds_for_programs() -> None:
    def poor(config: LLMConfig) -> None:
        config.budget.request = BudgetLimit(tokens=1)

    async with running(config=poor, allow_ask=True) as kit, sdk(kit) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model="fake", messages=HELLO)
        assert caught.value.code == "budget_reached"
        assert not kit.provider.requests
