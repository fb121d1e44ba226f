"""Who answers where a provider cannot: by one's own wish, before anything has come, and told; and a host left alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from coda_cli import LLMConfig, LLMManager, LLMProvider, ProviderConfig, Reply, ScriptedProvider
from coda_cli.engine.breaker import FAILURES, FIRST_WAIT
from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMBadResponseError,
    LLMConnectionError,
    LLMError,
    LLMInvalidRequestError,
    LLMOverloadedError,
    LLMRateLimitError,
    LLMTimeoutError,
)
from coda_cli.engine.core.events import (
    ProviderFallback,
    ProviderStatusChange,
    ResponseComplete,
    ResponseError,
    ResponseStart,
)
from tests.unit.wire_cases import VirtualClock


def manager(
    *fallback: str, clock: VirtualClock | None = None, **replies: list[str | Reply]
) -> tuple[LLMManager, dict[str, ScriptedProvider]]:
    """A manager of scripted providers; the first is the default and falls back to *fallback*."""
    first = next(iter(replies))
    configs = {
        name: ProviderConfig(
            provider=LLMProvider.SCRIPTED,
            model=f"{name}-model",
            max_retries=0,
            fallback=list(fallback) if name == first else [],
        )
        for name in replies
    }
    made = LLMManager(LLMConfig(providers=configs, default_provider=first), clock=clock)
    providers = {name: ScriptedProvider(configs[name], replies=said) for name, said in replies.items()}
    made._providers.update(providers)
    return made, providers


async def events_of(made: LLMManager, prompt: str = "hello", **more: Any) -> list[Any]:
    return [event async for event in made.generate_response(prompt, **more).events()]


@pytest.mark.parametrize("error", [LLMConnectionError, LLMTimeoutError, LLMOverloadedError, LLMRateLimitError])
async def test_another_provider_answers_where_the_first_cannot_be_reached(error: type[LLMError]) -> None:
    made, providers = manager("second", first=[Reply(error=error("it is down"))], second=["I am the second."])
    events = await events_of(made, conversation_id="c")
    (told,) = [event for event in events if isinstance(event, ProviderFallback)]
    assert (told.provider, told.to_provider, told.to_model) == ("first", "second", "second-model")
    assert told.error["message"] == "it is down"
    done = events[-2]
    assert isinstance(done, ResponseComplete)
    assert (done.provider, done.content) == ("second", "I am the second.")
    assert [event.seq for event in events] == list(range(len(events)))
    question, answer = await made.store.messages("c")
    assert (question.content, answer.content) == ("hello", "I am the second.")
    assert answer.metadata["provider"] == "second"
    assert len(providers["first"].requests) == 1


async def test_they_are_asked_in_order_with_the_model_that_is_named() -> None:
    down = Reply(error=LLMConnectionError("down"))
    made, providers = manager("second/other", "third", first=[down], second=[down], third=["Third."])
    assert (await made.generate_response("hello")).content == "Third."
    assert providers["second"].requests[0].model == "other"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="A part", error=LLMConnectionError("cut")),
        Reply(reasoning="Hm", error=LLMConnectionError("cut")),
        Reply(error=LLMAuthenticationError("no key")),
        Reply(error=LLMInvalidRequestError("no such option")),
        Reply(text="A part", end=False),
    ],
)
async def test_after_the_first_output_and_where_it_cannot_help_nobody_else_is_asked(reply: Reply) -> None:
    made, providers = manager("second", first=[reply], second=["I am the second."])
    events = await events_of(made)
    assert not any(isinstance(event, ProviderFallback) for event in events)
    assert any(isinstance(event, ResponseError) for event in events)
    assert providers["second"].requests == []


async def test_without_the_wish_nobody_else_is_asked() -> None:
    made, providers = manager(first=[Reply(error=LLMConnectionError("down"))], second=["I am the second."])
    with pytest.raises(LLMConnectionError):
        await made.generate_response("hello")
    assert providers["second"].requests == []


async def test_where_all_are_down_the_last_error_is_told() -> None:
    made, _ = manager(
        "second",
        "nobody",
        first=[Reply(error=LLMConnectionError("down"))],
        second=[Reply(error=LLMTimeoutError("slow"))],
    )
    with pytest.raises(LLMTimeoutError, match="slow"):
        await made.generate_response("hello")


# ---- a host that is left alone --------------------------------------------------------------------------------------


async def test_a_host_that_fails_again_and_again_is_left_alone_and_tried_again_later() -> None:
    clock = VirtualClock()
    down: list[str | Reply] = [Reply(error=LLMOverloadedError("503", status=503)) for _ in range(FAILURES + 1)]
    made, providers = manager(clock=clock, first=[*down, "Well again."])
    watch = made.subscribe(types=["provider_status_change"])
    for _ in range(FAILURES):
        with pytest.raises(LLMOverloadedError):
            await made.generate_response("hello")
    with pytest.raises(LLMConnectionError, match="left alone for") as refused:
        await made.generate_response("hello")
    assert "providers status" in (refused.value.hint or "")
    assert len(providers["first"].requests) == FAILURES
    clock.time += FIRST_WAIT
    with pytest.raises(LLMOverloadedError):  # one is let through, and fails: a longer wait
        await made.generate_response("hello")
    clock.time += FIRST_WAIT
    with pytest.raises(LLMConnectionError, match="left alone"):
        await made.generate_response("hello")
    clock.time += FIRST_WAIT
    assert (await made.generate_response("hello")).content == "Well again."
    assert (await made.generate_response("hello")).content == "Well again."
    watch.close()
    changes = [event async for event in watch]
    assert [event.available for event in changes if isinstance(event, ProviderStatusChange)] == [False, True]


async def test_an_error_of_ones_own_is_none_of_the_host() -> None:
    made, providers = manager(first=[Reply(error=LLMAuthenticationError("no", status=401))])
    for _ in range(2 * FAILURES):
        with pytest.raises(LLMAuthenticationError):
            await made.generate_response("hello")
    assert len(providers["first"].requests) == 2 * FAILURES


async def test_a_host_that_is_left_alone_is_no_reason_to_wait_where_another_may_answer() -> None:
    down: list[str | Reply] = [Reply(error=LLMConnectionError("down"))]
    made, providers = manager("second", first=down, second=["Second."])
    for _ in range(FAILURES + 3):
        assert (await made.generate_response("hello")).content == "Second."
    assert len(providers["first"].requests) == FAILURES


async def test_a_try_that_says_nothing_of_the_host_does_not_lock_it_out() -> None:
    clock = VirtualClock()
    down: list[str | Reply] = [Reply(error=LLMConnectionError("down")) for _ in range(FAILURES)]
    made, _ = manager(clock=clock, first=[*down, Reply(error=LLMBadResponseError("junk", final=True)), "Well."])
    for _ in range(FAILURES):
        with pytest.raises(LLMConnectionError):
            await made.generate_response("hello")
    clock.time += FIRST_WAIT
    with pytest.raises(LLMBadResponseError):
        await made.generate_response("hello")
    assert (await made.generate_response("hello")).content == "Well."


async def test_an_answer_that_was_given_up_says_nothing_of_the_host() -> None:
    down: list[str | Reply] = [Reply(error=LLMConnectionError("down")) for _ in range(FAILURES - 1)]
    made, _ = manager(first=[*down, Reply("late", delay=30.0), Reply(error=LLMConnectionError("down")), "Well."])
    for _ in range(FAILURES - 1):
        with pytest.raises(LLMConnectionError):
            await made.generate_response("hello")
    generation = made.generate_response("hello")
    async for event in generation.events():
        if isinstance(event, ResponseStart):
            asyncio.get_running_loop().call_later(0.05, generation.cancel)
    with pytest.raises(LLMConnectionError):
        await made.generate_response("hello")
    with pytest.raises(LLMConnectionError, match="left alone"):
        await made.generate_response("hello")
