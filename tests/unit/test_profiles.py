"""What the table says of the models that people name in November 2026, old ones, and names that nobody knows."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.core.profiles import SAMPLING, Dialect, ModelProfile, profile_for

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("model", "window", "output", "reasons", "sampling"),
    [
        ("gpt-6.1-sol", 1_050_000, 128_000, True, NONE),
        ("gpt-6-astra", 1_050_000, 128_000, True, NONE),
        ("gpt-6-luna", 1_050_000, 128_000, True, NONE),
        ("gpt-6.2-sol", 1_050_000, 128_000, True, NONE),
        ("openai/gpt-6.1-terra", 1_050_000, 128_000, True, NONE),
        ("GPT-6.1-SOL", 1_050_000, 128_000, True, NONE),
        ("gpt-5", 400_000, 128_000, True, NONE),
        ("gpt-5.1-codex-mini", 400_000, 128_000, True, NONE),
        ("gpt-5-chat-latest", 128_000, 16_384, False, NONE),
        ("o3", 200_000, 100_000, True, NONE),
        ("o4-mini-2025-04-16", 200_000, 100_000, True, NONE),
        ("gpt-4.1-nano", 1_047_576, 32_768, False, SAMPLING),
        ("gpt-4o-mini", 128_000, 16_384, False, SAMPLING),
        ("ft:gpt-4o-mini-2024-07-18:org::id", 128_000, 16_384, False, SAMPLING),
        ("gpt-4", 8_192, 4_096, False, SAMPLING),
        ("gpt-4-0613", 8_192, 4_096, False, SAMPLING),
        ("gpt-3.5-turbo-0125", 16_385, 4_096, False, SAMPLING),
        ("something-new", 1_050_000, 128_000, True, NONE),
    ],
)
def test_openai(model: str, window: int, output: int, reasons: bool, sampling: frozenset[str]) -> None:
    profile = profile_for("openai", model)
    assert (profile.context_window, profile.max_output) == (window, output)
    assert (profile.reasons, profile.sampling) == (reasons, sampling)
    assert profile.output_field == "max_completion_tokens"
    assert profile.tools


def test_the_first_chat_models_neither_see_nor_are_held_to_a_schema() -> None:
    for model in ("gpt-4", "gpt-3.5-turbo"):
        profile = profile_for("openai", model)
        assert (profile.images, profile.pdf, profile.schema) == (False, False, False)
    assert profile_for("openai", "gpt-6.1-sol").schema


@pytest.mark.parametrize("model", ["gpt-audio", "gpt-audio-mini", "gpt-4o-audio-preview", "openai/gpt-audio"])
def test_only_audio_models_hear(model: str) -> None:
    assert profile_for("openai", model).audio
    assert not profile_for("openai", "gpt-6.1-sol").audio


@pytest.mark.parametrize(
    ("model", "window", "output", "thinking", "sampling"),
    [
        ("claude-sonnet-5-5", 1_000_000, 128_000, "adaptive", NONE),
        ("claude-opus-5-5", 1_000_000, 128_000, "adaptive", NONE),
        ("claude-haiku-5-5", 1_000_000, 128_000, "adaptive", NONE),
        ("claude-fable-5-2", 1_000_000, 128_000, "adaptive", NONE),
        ("anthropic/claude-sonnet-5-5", 1_000_000, 128_000, "adaptive", NONE),
        ("something-new", 1_000_000, 128_000, "adaptive", NONE),
        ("claude-sonnet-4-5-20250929", 200_000, 64_000, "budget", {"temperature"}),
        ("claude-haiku-4-5", 200_000, 64_000, "budget", {"temperature"}),
        ("claude-opus-4-1", 200_000, 32_000, "budget", {"temperature"}),
        ("claude-3-7-sonnet-latest", 200_000, 64_000, "budget", SAMPLING),
        ("claude-3-5-haiku-20241022", 200_000, 8_192, "none", SAMPLING),
        ("claude-3-opus-20240229", 200_000, 4_096, "none", SAMPLING),
    ],
)
def test_anthropic(model: str, window: int, output: int, thinking: str, sampling: set[str]) -> None:
    profile = profile_for("anthropic", model)
    assert (profile.context_window, profile.max_output) == (window, output)
    assert (profile.thinking, set(profile.sampling)) == (thinking, set(sampling))
    assert profile.images
    assert profile.pdf
    assert not profile.audio


@pytest.mark.parametrize(
    ("model", "tiny"),
    [
        ("", True),
        ("default", True),
        ("smollm2", True),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", True),
        ("HuggingFaceTB/SmolLM2-360M-Instruct", True),
        ("Qwen/Qwen3-0.6B", True),
        ("/models/qwen2.5-0.5b-instruct-q4_k_m.gguf", True),
        ("owner/repo:qwen2.5-coder-0.5b.gguf", True),
        ("google/gemma-3-270m-it", True),
        ("EleutherAI/pythia-70m", True),
        ("Qwen/Qwen2.5-1.5B-Instruct", False),
        ("TinyLlama-1.1B", False),
        ("llama-3.1-8b", False),
        ("model-10.5b", False),
        ("mistral-7b-v0.3", False),
        ("some-model", False),
    ],
)
def test_a_local_model_is_tiny_under_a_billion_parameters(model: str, tiny: bool) -> None:
    profile = profile_for("local", model)
    assert profile.tiny is tiny
    assert (profile.tools, profile.images, profile.audio, profile.pdf) == (False, False, False, False)


def test_the_built_in_model_has_a_known_window() -> None:
    assert {profile_for("local", name).context_window for name in ("", "default", "smollm2")} == {8_192}
    assert profile_for("local", "Qwen/Qwen3-0.6B").context_window is None


@pytest.mark.parametrize("model", ["gpt-4", "claude-3-opus", "o3", "smollm2-135m", ""])
def test_a_compatible_server_is_taken_to_do_what_such_servers_do(model: str) -> None:
    profile = profile_for("compatible", model)
    assert profile == ModelProfile()
    assert (profile.output_field, profile.context_window, profile.tiny) == ("max_tokens", None, False)


@given(st.sampled_from(DIALECTS), st.text())
def test_every_name_has_a_profile(dialect: Dialect, model: str) -> None:
    profile = profile_for(dialect, model)
    assert profile.sampling <= SAMPLING
    assert profile_for(dialect, f"vendor/{model}" if "/" not in model else model) == profile


def test_a_profile_is_frozen() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        profile_for("openai", "x").tools = False  # type: ignore[misc]  # it is what must not work
