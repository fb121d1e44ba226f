"""What is asked of a model, held against what it can do, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMUnsupportedError
from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, MediaPart, assistant, system, user
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.profiles import ModelProfile, profile_for
from coda_cli.engine.request import BRIEF_SYSTEM_PROMPT, TINY_MAX_TOKENS, build

GPT = profile_for("openai", "gpt-6.1-sol")
OLD = profile_for("openai", "gpt-4o")
TINY = profile_for("local", "smollm2")
CLAUDE_4 = profile_for("anthropic", "claude-sonnet-4-5")


def config(**more: Any) -> ProviderConfig:
    return ProviderConfig(provider=LLMProvider.OPENAI, **more)


def made(
    profile: ModelProfile = OLD,
    given: ProviderConfig | None = None,
    prompt: str | None = None,
    schema: dict[str, Any] | None = None,
    media: tuple[MediaPart, ...] = (),
    **options: Any,
) -> tuple[ProviderRequest, list[str]]:
    return build(
        given or config(), profile, "m", [user("hi", media)], system_prompt=prompt, options=options, schema=schema
    )


def test_the_request_has_the_model_the_messages_and_the_schema() -> None:
    messages = [user("a"), assistant("b"), user("c")]
    schema = {"type": "object"}
    request, dropped = build(config(), OLD, "m", messages, system_prompt=None, options={}, schema=schema)
    assert request == ProviderRequest(model="m", messages=messages, options={}, schema=schema)
    assert dropped == []


def test_options_of_the_request_win_over_extra_ones_and_those_over_the_configured_ones() -> None:
    given = config(temperature=0.1, top_p=0.2, max_tokens=3, extra_params={"top_p": 0.3, "seed": 1, "x": [1]})
    request, dropped = made(OLD, given, seed=2, stop=["a"])
    assert request.options == {
        "temperature": 0.1, "top_p": 0.3, "max_tokens": 3, "seed": 2, "x": [1], "stop": ["a"],
    }  # fmt: skip
    assert dropped == []


@pytest.mark.parametrize(
    ("profile", "kept", "dropped"),
    [
        (OLD, {"temperature", "top_p"}, []),
        (GPT, set(), ["temperature", "top_p"]),
        (CLAUDE_4, {"temperature"}, ["top_p"]),
    ],
)
def test_sampling_that_a_model_does_not_take_is_left_out_and_told(
    profile: ModelProfile, kept: set[str], dropped: list[str]
) -> None:
    request, told = made(profile, top_p=0.5, temperature=0.5, max_tokens=5, effort="low")
    assert request.options.keys() == kept | {"max_tokens", "effort"}
    assert told == dropped


def test_what_only_the_configuration_sets_is_left_out_quietly() -> None:
    """A person who configured a temperature for a provider does not want to be told with every answer."""
    request, told = made(GPT, config(temperature=0.5, top_p=0.5, extra_params={"temperature": 1.0}))
    assert (dict(request.options), told) == ({}, [])


def test_a_tiny_model_is_greedy_and_has_a_brief_system_prompt_unless_told_otherwise() -> None:
    request, _ = made(TINY)
    assert request.options == {"temperature": 0.0, "max_tokens": TINY_MAX_TOKENS}
    assert [message.content for message in request.messages] == [BRIEF_SYSTEM_PROMPT, "hi"]
    request, _ = made(TINY, config(temperature=0.7), prompt="Be a pirate.")
    assert request.options == {"temperature": 0.7, "max_tokens": TINY_MAX_TOKENS}
    assert [message.content for message in request.messages] == ["Be a pirate.", "hi"]
    assert made(TINY, temperature=0.9, max_tokens=9)[0].options == {"temperature": 0.9, "max_tokens": 9}


@pytest.mark.parametrize("prompt", [None, ""])
def test_without_a_system_prompt_no_other_model_has_one(prompt: str | None) -> None:
    request, _ = made(OLD, prompt=prompt)
    assert [message.role.value for message in request.messages] == ["user"]


def test_nothing_that_was_given_is_changed() -> None:
    given = config(temperature=0.5, extra_params={"seed": 1})
    before = given.model_copy(deep=True)
    messages = [user("a")]
    options = {"top_p": 0.5}
    build(given, GPT, "m", messages, system_prompt="s", options=options, schema=None)
    assert (given, len(messages), options) == (before, 1, {"top_p": 0.5})


IMAGE = ImagePart(data=b"x", media_type="image/png")
PDF = FilePart(data=b"x", media_type="application/pdf")
WAV = AudioPart(data=b"x", media_type="audio/wav")
OGG = AudioPart(data=b"x", media_type="audio/ogg")


@pytest.mark.parametrize(
    ("part", "profile", "says", "hint"),
    [
        (IMAGE, TINY, "images", "-m"),
        (PDF, TINY, "PDF", "pdftotext"),
        (WAV, GPT, "audio", "gpt-audio"),
        (OGG, profile_for("openai", "gpt-audio"), "audio/ogg", "wav or mp3"),
    ],
)
def test_an_attachment_that_a_model_does_not_take_is_refused_with_the_next_step(
    part: MediaPart, profile: ModelProfile, says: str, hint: str
) -> None:
    with pytest.raises(LLMUnsupportedError, match=says) as caught:
        made(profile, media=(part,))
    assert str(caught.value).startswith("m does not take")
    assert caught.value.hint is not None
    assert hint in caught.value.hint


def test_an_attachment_of_an_earlier_message_counts_too() -> None:
    earlier = [user("look", [IMAGE]), assistant("a cat"), user("and now?")]
    with pytest.raises(LLMUnsupportedError, match="images"):
        build(config(), TINY, "", earlier, system_prompt=None, options={}, schema=None)


@pytest.mark.parametrize(
    ("part", "profile"),
    [
        (IMAGE, OLD),
        (PDF, GPT),
        (WAV, profile_for("openai", "gpt-audio")),
        (WAV, profile_for("scripted", "")),
    ],
)
def test_an_attachment_that_a_model_takes_is_sent(part: MediaPart, profile: ModelProfile) -> None:
    request, _ = made(profile, media=(part,))
    assert part in request.messages[-1].parts


def test_a_schema_needs_a_model_that_can_be_held_to_it() -> None:
    with pytest.raises(LLMUnsupportedError, match="JSON Schema") as caught:
        made(profile_for("openai", "gpt-4"), schema={})
    assert caught.value.hint is not None
    assert "-m" in caught.value.hint
    request, _ = made(OLD, schema={})
    assert request.schema == {}


def test_system_messages_of_the_history_stay_behind_the_prompt() -> None:
    request, _ = build(
        config(), OLD, "m", [system("old"), user("a")], system_prompt="new", options={}, schema=None
    )  # fmt: skip
    assert [message.content for message in request.messages] == ["new", "old", "a"]
