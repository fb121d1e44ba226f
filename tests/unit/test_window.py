"""A conversation that outgrows its window: summarised or trimmed, told by events, kept whole, and undone again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from coda_cli import (
    ConversationConfig,
    LLMConfig,
    LLMContextLengthError,
    LLMManager,
    LLMMessage,
    ModelProfile,
    Reply,
    ScriptedProvider,
    TokenUsage,
)
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.errors import LLMError, LLMOverloadedError
from coda_cli.engine.core.events import (
    ContextCompacted,
    ContextCompacting,
    ContextTrimmed,
    Event,
    ResponseComplete,
)
from coda_cli.engine.core.ports import ProviderRequest

LONG = "It was said at some length that the parser keeps every token. " * 12


class Talker(ScriptedProvider):
    """Answers every question with its number, and every request for notes with `notes`; its window may be small."""

    def __init__(self, *, notes: str | LLMError = "They spoke of the parser.", window: int | None = None) -> None:
        super().__init__()
        self.notes, self.window = notes, window
        self.asked: list[ProviderRequest] = []
        self.noted: list[ProviderRequest] = []
        self.refuse_over: int | None = None

    def profile(self, model: str) -> ModelProfile:
        return ModelProfile(context_window=self.window, max_output=200)

    def next_reply(self, request: ProviderRequest) -> Reply:
        if request.messages[0].content.startswith("You write short, exact notes"):
            self.noted.append(request)
            return Reply(error=self.notes) if isinstance(self.notes, LLMError) else Reply(self.notes)
        self.asked.append(request)
        if self.refuse_over is not None and len(request.messages) > self.refuse_over:
            return Reply(error=LLMContextLengthError("the request is too long for the model", status=400))
        return Reply(f"answer {len(self.asked)}")


def manager_of(provider: ScriptedProvider, **limits: int | bool) -> LLMManager:
    config = LLMConfig(
        providers={"s": provider.config},
        default_provider="s",
        conversation=ConversationConfig.model_validate(limits),
    )
    manager = LLMManager(config, store=ConversationManager.in_memory())
    manager._providers["s"] = provider
    return manager


async def ask(manager: LLMManager, text: str) -> list[Event]:
    return [event async for event in manager.generate_response(text, conversation_id="c").events()]


def texts(messages: Sequence[LLMMessage]) -> list[str]:
    return [message.content for message in messages]


def of(events: list[Event], kind: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


async def test_a_conversation_over_its_tokens_is_summarised_and_nothing_is_lost() -> None:
    provider = Talker()
    manager = manager_of(provider, max_tokens_per_conversation=1000)
    told: list[ContextCompacted] = []
    for number in range(12):
        events = await ask(manager, f"{number}: {LONG}")
        told += [event for event in events if isinstance(event, ContextCompacted)]
        assert isinstance(events[-2], ResponseComplete)
        assert not of(events, ContextTrimmed)
        kinds = [type(event) for event in events]
        if ContextCompacted in kinds:
            assert kinds.index(ContextCompacting) < kinds.index(ContextCompacted)
    assert told
    assert told[0].reason == "max_tokens_per_conversation"
    assert told[0].text == "They spoke of the parser."
    assert told[0].tokens_after < told[0].tokens_before
    sent = provider.asked[-1].messages
    assert "They spoke of the parser." in "".join(texts(sent))
    kept = await manager.store.messages("c")
    assert len(kept) == 24
    covered = {message.content[:2] for message in kept if message.message_id in told[-1].covers}
    assert covered
    sent_ids = {message.message_id for message in sent}
    assert {message.message_id for message in kept[:-1]} == sent_ids | set(told[-1].covers)


async def test_a_summary_is_undone_and_the_whole_branch_is_sent_again() -> None:
    provider = Talker()
    manager = manager_of(provider)
    for number in range(4):
        await ask(manager, f"question {number}")
    preview = await manager.preview_compact("c")
    assert preview is not None
    assert texts(preview.messages)[:2] == ["question 0", "answer 1"]
    made = await manager.compact("c")
    assert made is not None
    assert set(preview.covers) == set(made.covers)
    await ask(manager, "and now?")
    assert len(provider.asked[-1].messages) < 9
    store = manager.store
    assert isinstance(store, ConversationManager)
    await store.uncompact("c")
    await ask(manager, "all of it?")
    assert texts(provider.asked[-1].messages)[0] == "question 0"
    assert len(provider.asked[-1].messages) == 11


async def test_a_summary_that_a_person_undid_is_not_made_again_before_more_was_said() -> None:
    provider = Talker()
    manager = manager_of(provider, max_messages=9)
    store = manager.store
    assert isinstance(store, ConversationManager)
    while not provider.noted:
        await ask(manager, "a question")
    await store.uncompact("c")
    events = await ask(manager, "another")
    assert not of(events, ContextCompacted)
    assert not of(events, ContextTrimmed)
    assert len(provider.asked[-1].messages) > 9
    made = len(provider.noted)
    while len(provider.noted) == made:
        await ask(manager, "more")
    assert len(await store.messages("c")) < 40


async def test_a_failed_summary_is_not_tried_again_at_every_question() -> None:
    provider = Talker(notes=LLMOverloadedError("broken", status=400))
    provider.config.max_retries = 0
    manager = manager_of(provider, max_messages=5)
    for number in range(12):
        await ask(manager, f"q{number}")
    assert 2 <= len(provider.noted) <= 4


async def test_the_threshold_of_the_seed_summarises() -> None:
    provider = Talker()
    manager = manager_of(provider, summarize_threshold=6)
    events = [event for number in range(6) for event in await ask(manager, f"q{number}")]
    assert [event.reason for event in events if isinstance(event, ContextCompacted)][:1] == ["summarize_threshold"]


async def test_no_request_has_more_messages_than_the_settings_allow() -> None:
    provider = Talker()
    manager = manager_of(provider, max_messages=5)
    for number in range(9):
        await ask(manager, f"q{number}")
    assert max(len(request.messages) for request in provider.asked) <= 5


async def test_without_summaries_older_turns_are_left_out_and_told() -> None:
    provider = Talker()
    manager = manager_of(provider, max_messages=5, auto_summarize=False)
    trimmed: set[str] = set()
    for number in range(6):
        for event in await ask(manager, f"q{number}"):
            if isinstance(event, ContextTrimmed):
                trimmed = set(event.trimmed)
                assert event.failure is None
    assert provider.noted == []
    kept = await manager.store.messages("c")
    assert len(kept) == 12
    assert trimmed == {message.message_id for message in kept[:-1]} - {
        message.message_id for message in provider.asked[-1].messages
    }


async def test_a_summary_that_fails_is_told_and_the_answer_comes_all_the_same() -> None:
    provider = Talker(notes=LLMOverloadedError("broken", status=400))
    manager = manager_of(provider, max_tokens_per_conversation=600)
    manager.config.providers["s"].max_retries = 0
    provider.config.max_retries = 0
    events: list[Event] = []
    for number in range(6):
        events += await ask(manager, f"{number}: {LONG}")
    told = [event for event in events if isinstance(event, ContextTrimmed)]
    assert told
    assert told[0].failure is not None
    assert "broken" in told[0].failure
    assert sum(isinstance(event, ResponseComplete) for event in events) == 6
    assert not of(events, ContextCompacted)


async def test_a_window_that_nobody_knew_of_is_found_out_by_its_refusal() -> None:
    provider = Talker()
    manager = manager_of(provider)
    for number in range(4):
        await ask(manager, f"q{number}")
    provider.refuse_over = 3
    events = await ask(manager, "one more")
    assert isinstance(events[-2], ResponseComplete)
    assert [event.reason for event in events if isinstance(event, ContextCompacted)] == ["request"]
    assert len(provider.asked[-1].messages) <= 3


async def test_a_question_longer_than_the_window_is_an_error_with_a_hint() -> None:
    provider = Talker(window=400)
    manager = manager_of(provider)
    with pytest.raises(LLMContextLengthError) as caught:
        await manager.generate_response(LONG * 20, conversation_id="c")
    assert caught.value.hint
    assert provider.asked == []
    assert texts(await manager.store.messages("c")) == [LONG * 20]


async def test_pinned_messages_are_sent_however_long_the_conversation_becomes() -> None:
    provider = Talker(window=1500)
    manager = manager_of(provider)
    store = manager.store
    assert isinstance(store, ConversationManager)
    await ask(manager, "the password of the day is swordfish")
    [first, _] = await store.messages("c")
    await store.pin("c", message_id=first.message_id)
    for number in range(14):
        await ask(manager, f"{number}: {LONG}")
    assert any("swordfish" in text for text in texts(provider.asked[-1].messages))
    assert provider.noted


async def test_hidden_messages_are_not_sent() -> None:
    provider = Talker()
    manager = manager_of(provider)
    store = manager.store
    assert isinstance(store, ConversationManager)
    await ask(manager, "secret")
    for message in await store.messages("c"):
        await store.hide("c", message.message_id)
    await ask(manager, "hello")
    assert texts(provider.asked[-1].messages) == ["hello"]


async def test_counts_learn_from_what_the_provider_reports() -> None:
    provider = ScriptedProvider(replies=[Reply("ok", usage=TokenUsage(input_tokens=4000, output_tokens=1))])
    manager = manager_of(provider)
    before = manager.tokens.counter("s", "").factor
    await manager.generate_response(LONG * 4, conversation_id="c", model="m")
    assert manager.tokens.counter("s", "m").factor > before


async def test_a_title_by_the_model_is_one_short_line_and_changes_nothing() -> None:
    provider = ScriptedProvider(replies=["A long answer.", '**"The parser and its tokens."**\nmore', "x" * 200])
    manager = manager_of(provider)
    response = await manager.generate_response("How does the parser work?", conversation_id="c")
    assert response.content == "A long answer."
    assert await manager.suggest_title("c") == "The parser and its tokens"
    with pytest.raises(LLMError):
        await manager.suggest_title("c")
    assert len(await manager.store.messages("c")) == 2
    assert manager.accounts.stats("s").request_count == 3
