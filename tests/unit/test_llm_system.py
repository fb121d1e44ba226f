"""The library as the user's document shows it, against wire-level fakes of the vendors (no vendor is reached)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from coda_cli import (
    BaseLLMProvider,
    ConversationConfig,
    ConversationManager,
    FunctionCallingConfig,
    LLMAuthenticationError,
    LLMConfig,
    LLMConnectionError,
    LLMError,
    LLMInvalidRequestError,
    LLMManager,
    LLMMessage,
    LLMProvider,
    LLMProviderUnavailableError,
    LLMRateLimitError,
    LLMResponse,
    LLMTimeoutError,
    LLMUnsupportedError,
    MessageRole,
    ProviderConfig,
    Reply,
    ScriptedProvider,
    Status,
)
from coda_cli.engine.core.messages import FilePart, ImagePart
from coda_cli.engine.core.profiles import ModelProfile, profile_for
from tests.servers.errors import error_reply
from tests.servers.script import Call, Stop, Used, say
from tests.servers.threaded import dead_port
from tests.servers.vendors import FakeVendor


@pytest.fixture
async def openai(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeVendor]:
    async with FakeVendor("openai") as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{fake.url}/v1")
        yield fake


@pytest.fixture
async def anthropic(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeVendor]:
    async with FakeVendor("anthropic") as fake:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url)
        yield fake


def config(**openai: Any) -> LLMConfig:
    fields: dict[str, Any] = {"model": "gpt-4", "api_key": "your-api-key", "temperature": 0.7, **openai}
    return LLMConfig(
        providers={"openai": ProviderConfig(provider=LLMProvider.OPENAI, **fields)}, default_provider="openai"
    )


def scripted(*replies: str | Reply, **changes: Any) -> tuple[LLMManager, ScriptedProvider]:
    provider = ScriptedProvider(replies=replies)
    given = LLMConfig(providers={"fake": provider.config}, default_provider="fake", **changes)
    manager = LLMManager(given)
    manager._providers["fake"] = provider
    return manager, provider


# ---- quick start ----------------------------------------------------------------------------------------------


async def test_basic_usage_and_a_continued_conversation(openai: FakeVendor) -> None:
    async with LLMManager(config()) as llm_manager:
        response = await llm_manager.generate_response("Hello, how can you help me?")
        assert response.content == openai.answer
        response2 = await llm_manager.continue_conversation(
            response.conversation_id, "Tell me about artificial intelligence"
        )
    assert response2.conversation_id == response.conversation_id
    sent: Any = openai.asked[1].data["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == openai.answer
    assert openai.asked[0].data["temperature"] == 0.7
    assert openai.asked[0].headers["authorization"] == "Bearer your-api-key"


async def test_streaming_yields_one_chunk_for_each_delta_of_the_vendor(openai: FakeVendor) -> None:
    openai.script = [*say("Once upon a time there was a pipe."), Used(3, 9)]
    async with LLMManager(config()) as llm_manager:
        deltas = [
            chunk.delta async for chunk in llm_manager.generate_response("Tell me a story", stream=True) if chunk.delta
        ]
    assert deltas == [piece.text for piece in say("Once upon a time there was a pipe.")]


async def test_a_provider_is_chosen_for_one_call(openai: FakeVendor, anthropic: FakeVendor) -> None:
    given = config()
    given.providers["anthropic"] = ProviderConfig(
        provider=LLMProvider.ANTHROPIC, model="claude-3-sonnet", api_key="anthropic-key"
    )
    async with LLMManager(given) as llm_manager:
        response = await llm_manager.generate_response("Explain quantum computing", provider="anthropic")
    assert response.provider == "anthropic"
    assert response.content == anthropic.answer
    assert not openai.asked
    assert any("anthropic-key" in value for value in anthropic.asked[0].headers.values())


async def test_changing_the_provider_within_a_conversation_sends_the_whole_history(
    openai: FakeVendor, anthropic: FakeVendor
) -> None:
    given = config()
    given.providers["anthropic"] = ProviderConfig(
        provider=LLMProvider.ANTHROPIC, model="claude-sonnet-5-5", api_key="k"
    )
    openai.script = [Call("call_1", "get_time", ["{}"]), Stop("tool_calls")]
    async with LLMManager(given) as llm_manager:
        first = await llm_manager.generate_response("What time is it?")
        assert [call.name for call in first.tool_calls] == ["get_time"]
        await llm_manager.continue_conversation(first.conversation_id, "Never mind", provider="anthropic")
    sent: Any = anthropic.asked[0].data["messages"]
    blocks = [block for message in sent for block in message["content"]]
    assert [block["type"] for block in blocks if block["type"].startswith("tool")] == ["tool_use", "tool_result"]


# ---- the Generation -------------------------------------------------------------------------------------------


async def test_nothing_is_sent_before_the_first_await() -> None:
    manager, provider = scripted("hi")
    generation = manager.generate_response("hello")
    await asyncio.sleep(0)
    assert provider.requests == []
    first = await generation
    assert await generation is first
    assert len(provider.requests) == 1


async def test_leaving_the_loop_early_keeps_the_part_as_interrupted() -> None:
    manager, _ = scripted(Reply("one two three four five", delay=0.001), "next")
    generation = manager.generate_response("count")
    async for chunk in generation:
        if chunk.delta.strip() == "two":
            break
    response = await generation
    assert response.status is Status.INTERRUPTED
    assert response.content.startswith("one two")
    kept = await manager.store.messages(generation.conversation_id)
    assert kept[-1].content == response.content
    assert kept[-1].status == "interrupted"


async def test_cancelling_the_awaiting_task_stops_the_answer_and_keeps_its_part() -> None:
    manager, _ = scripted(Reply("one two three", delay=0.01))
    generation = manager.generate_response("count")
    task = asyncio.ensure_future(generation)
    async for event in generation.events():
        if event.type == "response_chunk":
            task.cancel()
            break
    with pytest.raises(asyncio.CancelledError):
        await task
    assert generation.response is not None
    assert generation.response.status is Status.INTERRUPTED


async def test_events_come_in_their_documented_order() -> None:
    manager, _ = scripted(Reply("a b", reasoning="hm", tool_calls=[("get_time", "{}")]))
    events = [event async for event in manager.generate_response("x").events()]
    assert [event.type for event in events] == [
        "conversation_created",
        "response_start",
        "reasoning_chunk",
        "response_chunk",
        "response_chunk",
        "function_calls",
        "response_complete",
        "analytics_update",
    ]
    assert [event.seq for event in events] == list(range(len(events)))


async def test_events_do_not_raise_what_the_answer_failed_with() -> None:
    manager, _ = scripted(Reply("part", error=LLMInvalidRequestError("no")))
    generation = manager.generate_response("x")
    events = [event async for event in generation.events()]
    assert events[-2].type == "response_error"
    assert events[-2].to_json()["partial"] == "part"
    with pytest.raises(LLMInvalidRequestError) as caught:
        await generation
    assert caught.value.partial == "part"


async def test_every_reader_sees_every_event() -> None:
    manager, _ = scripted(Reply("a b c", delay=0.001))
    generation = manager.generate_response("x")

    async def read() -> list[int]:
        return [event.seq async for event in generation.events()]

    first, second = await asyncio.gather(read(), read())
    assert first == second == await read()


# ---- providers of a person's own ------------------------------------------------------------------------------


class ShoutingProvider(BaseLLMProvider):
    def get_provider_name(self) -> LLMProvider:
        return LLMProvider.CUSTOM

    async def _make_request(self, messages: Sequence[LLMMessage], **kwargs: Any) -> dict[str, Any]:
        return {"text": messages[-1].content.upper(), "model": kwargs["model"]}

    def _parse_response(self, response: Any) -> LLMResponse:
        return LLMResponse(response_id="r1", content=response["text"], provider="custom", model=response["model"])


async def test_a_custom_provider_works_in_full() -> None:
    manager, _ = scripted("unused")
    manager._providers["custom"] = ShoutingProvider(ProviderConfig(provider=LLMProvider.CUSTOM, model="loud"))
    response = await manager.generate_response("hello", provider="custom")
    assert (response.content, response.provider, response.model) == ("HELLO", "custom", "loud")
    chunks = [chunk.delta async for chunk in manager.generate_response("again", provider="custom", stream=True)]
    assert chunks == ["AGAIN"]
    assert "custom" in await manager.list_providers()


async def test_a_custom_provider_that_answers_nothing_is_an_error_with_a_hint() -> None:
    class Silent(ShoutingProvider):
        def _parse_response(self, response: Any) -> Any:
            return None

    manager, _ = scripted("unused")
    manager._providers["custom"] = Silent(ProviderConfig(provider=LLMProvider.CUSTOM, max_retries=0))
    with pytest.raises(LLMError) as caught:
        await manager.generate_response("x", provider="custom")
    assert caught.value.hint is not None
    assert "_parse_response" in caught.value.hint


async def test_post_processing_changes_what_is_returned_and_kept_but_not_the_chunks() -> None:
    class CustomLLMManager(LLMManager):
        async def _process_response(self, response: LLMResponse) -> LLMResponse:
            response.content = response.content.replace("secret", "[removed]")
            return response

    provider = ScriptedProvider(replies=["the secret word"])
    manager = CustomLLMManager(LLMConfig(providers={"fake": provider.config}))
    manager._providers["fake"] = provider
    generation = manager.generate_response("x")
    raw = "".join([chunk.delta async for chunk in generation])
    assert raw == "the secret word"
    assert (await generation).content == "the [removed] word"
    assert (await manager.store.messages(generation.conversation_id))[-1].content == "the [removed] word"


# ---- configuration --------------------------------------------------------------------------------------------


def test_the_complete_configuration_of_the_document_loads() -> None:
    given = LLMConfig(
        providers={
            "openai": ProviderConfig(
                provider=LLMProvider.OPENAI,
                model="gpt-4",
                api_key="your-key",
                temperature=0.7,
                max_tokens=2000,
                timeout=120.0,
                max_retries=3,
            )
        },
        default_provider="openai",
        conversation=ConversationConfig(
            max_messages=50,
            max_tokens_per_conversation=8000,
            auto_summarize=True,
            summarize_threshold=40,
            memory_integration_enabled=True,
            personality_integration_enabled=True,
        ),
        function_calling=FunctionCallingConfig(
            enabled=True,
            auto_execute=True,
            max_function_calls_per_turn=5,
            parallel_execution=True,
            tool_integration_enabled=True,
        ),
        websocket_events_enabled=True,
        stream_responses=True,
        memory_integration_enabled=True,
        personality_integration_enabled=True,
        tool_integration_enabled=True,
    )
    assert given.memory_enabled
    assert given.personality_enabled
    assert given.tools_enabled
    assert "your-key" not in repr(given)


@pytest.mark.parametrize(
    ("field", "place", "switch"),
    [
        ("memory_enabled", None, "memory_integration_enabled"),
        ("memory_enabled", "conversation", "memory_integration_enabled"),
        ("personality_enabled", None, "personality_integration_enabled"),
        ("personality_enabled", "conversation", "personality_integration_enabled"),
        ("tools_enabled", None, "tool_integration_enabled"),
        ("tools_enabled", "function_calling", "tool_integration_enabled"),
        ("tools_enabled", "function_calling", "enabled"),
    ],
)
def test_a_doubled_switch_is_on_only_where_both_are(field: str, place: str | None, switch: str) -> None:
    given = LLMConfig()
    assert getattr(given, field)
    setattr(given if place is None else getattr(given, place), switch, False)
    assert not getattr(given, field)


async def test_stream_responses_off_makes_an_iteration_yield_one_chunk() -> None:
    manager, _ = scripted("one two three", stream_responses=False)
    chunks = [chunk.delta async for chunk in manager.generate_response("x", stream=True)]
    assert chunks == ["one two three"]
    manager.config.stream_responses = True
    assert len([chunk async for chunk in manager.generate_response("x", stream=True)]) == 3
    assert len([chunk async for chunk in manager.generate_response("x", stream=False)]) == 1


async def test_websocket_events_off_publishes_nothing() -> None:
    manager, _ = scripted("hi")
    subscription = manager.subscribe()
    await manager.generate_response("x")
    manager.config.websocket_events_enabled = False
    await manager.generate_response("y")
    subscription.close()
    types = [event.type async for event in subscription]
    assert types.count("response_complete") == 1


async def test_a_missing_default_provider_is_the_first_with_a_key(openai: FakeVendor) -> None:
    given = config()
    given.default_provider = None
    given.providers = {"local": ProviderConfig(provider=LLMProvider.LOCAL), **given.providers}
    async with LLMManager(given) as manager:
        assert (await manager.generate_response("x")).provider == "openai"


async def test_without_a_configuration_the_environment_decides(
    openai: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
    async with LLMManager() as manager:
        response = await manager.generate_response("x")
    assert response.provider == "openai"
    assert openai.asked[0].headers["authorization"] == "Bearer from-environment"


async def test_without_a_key_or_an_ollama_the_choice_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{dead_port()}")
    async with LLMManager() as manager:
        assert (await manager.default_choice()).name == "local"


async def test_without_a_key_a_running_ollama_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeVendor("ollama") as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        async with LLMManager() as manager:
            assert (await manager.default_choice()).name == "ollama"


# ---- status and errors ----------------------------------------------------------------------------------------


async def test_provider_status_has_the_keys_of_the_document(openai: FakeVendor) -> None:
    async with LLMManager(config()) as llm_manager:
        await llm_manager.generate_response("Hello")
        assert await llm_manager.list_providers() == ["openai"]
        status = await llm_manager.get_provider_status("openai")
    assert status["available"] is True
    assert status["model"] == "gpt-4"
    assert status["request_count"] == 1
    assert status["total_tokens"] > 0


async def test_an_unreachable_provider_is_unavailable_with_reason_and_hint() -> None:
    given = config(api_base=f"http://127.0.0.1:{dead_port()}/v1")
    async with LLMManager(given) as manager:
        status = await manager.get_provider_status("openai")
    assert status["available"] is False
    assert "connect" in status["reason"]
    assert status["hint"]


async def test_availability_changes_are_announced() -> None:
    async with FakeVendor("openai") as fake:
        given = config(api_base=f"{fake.url}/v1")
        manager = LLMManager(given)
        subscription = manager.subscribe()
        await manager.get_provider_status("openai")
    await manager.get_provider_status("openai")
    subscription.close()
    changes = [event.to_json() async for event in subscription if event.type == "provider_status_change"]
    assert [(change["provider"], change["available"]) for change in changes] == [("openai", False)]
    await manager.aclose()


async def test_errors_are_caught_as_the_document_shows(openai: FakeVendor) -> None:
    caught: list[str] = []
    async with LLMManager(config(max_retries=0, timeout=0.3)) as llm_manager:
        for reply in (
            error_reply("openai", "unauthorized"),
            error_reply("openai", "rate_limited", retry_after="7"),
            error_reply("openai", "server_error"),
        ):
            openai.queue(reply)
            try:
                await llm_manager.generate_response("Hello")
            except LLMAuthenticationError:
                caught.append("Invalid API key")
            except LLMRateLimitError as e:
                caught.append(f"Rate limited, retry after {e.retry_after} seconds")
            except LLMTimeoutError:
                caught.append("Request timed out")
            except LLMError as e:
                caught.append(f"LLM error: {type(e).__name__}")
    assert caught == ["Invalid API key", "Rate limited, retry after 7.0 seconds", "LLM error: LLMOverloadedError"]


async def test_max_retries_of_three_is_four_requests() -> None:
    provider = ScriptedProvider(replies=[Reply(error=LLMConnectionError("down"))])
    manager = LLMManager(LLMConfig(providers={"fake": provider.config}), clock=_Hurry())
    manager._providers["fake"] = provider
    with pytest.raises(LLMConnectionError):
        await manager.generate_response("x")
    assert len(provider.requests) == 4


class _Hurry:
    """A clock whose sleeps take no time."""

    def __init__(self) -> None:
        self._time = 1000.0

    def now(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._time

    async def sleep(self, seconds: float) -> None:
        self._time += seconds
        await asyncio.sleep(0)


async def test_no_key_for_the_vendor_is_an_authentication_error_with_the_next_step() -> None:
    with pytest.raises(LLMAuthenticationError) as caught:
        await LLMManager(config(api_key=None)).generate_response("x")
    assert "OPENAI_API_KEY" in (caught.value.hint or "")


async def test_an_unknown_provider_names_the_known_ones() -> None:
    manager, _ = scripted("x")
    with pytest.raises(LLMProviderUnavailableError) as caught:
        await manager.generate_response("x", provider="nope")
    assert caught.value.hint == "choose one of: fake"


async def test_continuing_an_unknown_conversation_is_an_error() -> None:
    manager, provider = scripted("x")
    with pytest.raises(LLMInvalidRequestError):
        await manager.continue_conversation("conv-unknown", "hello")
    assert not provider.requests


# ---- what a model takes ---------------------------------------------------------------------------------------


async def test_sampling_goes_only_to_models_that_take_it() -> None:
    class Reasoner(ScriptedProvider):
        """The fake, with the profile of a model that takes no sampling parameters."""

        def profile(self, model: str) -> ModelProfile:
            return profile_for("openai", "gpt-6.1-sol")

    provider = Reasoner(config=ProviderConfig(provider=LLMProvider.SCRIPTED, temperature=0.7, max_tokens=9))
    manager = LLMManager(LLMConfig(providers={"fake": provider.config}))
    manager._providers["fake"] = provider
    response = await manager.generate_response("x", top_p=0.5)
    assert response.metadata["dropped_options"] == ["top_p"]  # the configured temperature goes without a word
    assert dict(provider.requests[0].options) == {"max_tokens": 9}


async def test_an_attachment_that_the_model_does_not_take_is_refused_before_anything_is_sent(
    openai: FakeVendor,
) -> None:
    async with LLMManager(config(model="llava")) as manager:
        response = await manager.generate_response(
            "what is this?", media=[ImagePart(data=b"\x89PNG", media_type="image/png")]
        )
        assert response.status is Status.COMPLETE
        with pytest.raises(LLMUnsupportedError) as caught:
            await manager.generate_response("read", media=[FilePart(data=b"%PDF-1.7", media_type="application/pdf")])
    assert "PDF" in str(caught.value)
    assert caught.value.hint
    assert len(openai.asked) == 1


def test_a_message_is_made_from_role_and_content() -> None:
    message = LLMMessage(role=MessageRole.USER, content="Hello, world!")
    assert message.content == "Hello, world!"
    again = LLMMessage.model_validate_json(message.model_dump_json())
    assert again == message
    message.content = "changed"
    assert [part.model_dump() for part in message.parts] == [{"type": "text", "text": "changed"}]


async def test_a_defect_of_a_persons_own_provider_is_raised_and_still_told_and_kept() -> None:
    class Broken(ShoutingProvider):
        async def _make_request(self, messages: Sequence[LLMMessage], **kwargs: Any) -> dict[str, Any]:
            raise ZeroDivisionError("oops")

    manager, _ = scripted("unused")
    manager._providers["custom"] = Broken(ProviderConfig(provider=LLMProvider.CUSTOM))
    subscription = manager.subscribe()
    with pytest.raises(ZeroDivisionError):
        await manager.generate_response("x", provider="custom")
    subscription.close()
    told = [event.to_json() async for event in subscription]
    assert [event["type"] for event in told][-2:] == ["response_error", "analytics_update"]
    assert "ZeroDivisionError: oops" in told[-2]["error"]["message"]


async def test_a_changed_configuration_takes_effect_with_the_next_request(openai: FakeVendor) -> None:
    async with FakeVendor("openai", answer="from the other one") as other, LLMManager(config()) as manager:
        assert (await manager.generate_response("x")).content == openai.answer
        manager.config.providers["openai"].api_base = f"{other.url}/v1"
        assert (await manager.generate_response("x")).content == "from the other one"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "foo://x"),
        ("ALL_PROXY", "nonsense"),
        ("SSL_CERT_FILE", "/nonexistent"),
        ("OPENAI_ORG_ID", "\u00e4"),
    ],
)
async def test_an_environment_that_no_connection_can_be_made_with_is_one_of_our_errors(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(LLMConnectionError) as caught:
        await LLMManager(config()).generate_response("x")
    assert caught.value.hint


async def test_conversations_are_created_added_to_and_read_as_the_document_shows_and_outlive_their_manager() -> None:
    conv_manager = ConversationManager()

    # Create conversation
    conversation = await conv_manager.create_conversation("my-conversation")

    # Add messages
    message = LLMMessage(role=MessageRole.USER, content="Hello, world!")
    await conv_manager.add_message("my-conversation", message)

    # Get conversation context
    context = await conv_manager.get_conversation_context("my-conversation", max_tokens=4000)

    assert conversation.id == "my-conversation"
    assert [one.content for one in context] == ["Hello, world!"]
    again = ConversationManager()  # another process, say
    assert [info.title for info in await again.list_conversations()] == ["Hello, world!"]


async def test_a_conversation_goes_on_after_the_program_has_ended() -> None:
    manager, _ = scripted("It is blue.")
    response = await manager.generate_response("Which colour?")
    await manager.aclose()
    again, provider = scripted("As I said.")
    await again.continue_conversation(response.conversation_id, "Sure?")
    assert [message.content for message in provider.requests[0].messages] == ["Which colour?", "It is blue.", "Sure?"]
