"""What a person means by `-m`."""

from __future__ import annotations

import pytest

from coda_cli.settings.model_spec import ModelSpec, parse_spec
from coda_cli.settings.schema import BUILT_IN_PROVIDERS, ProviderSettings, Settings

OWN = ProviderSettings(type="openai", api_base="http://127.0.0.1:1/v1")
SETTINGS = Settings(
    providers={**{name: ProviderSettings(**table) for name, table in BUILT_IN_PROVIDERS.items()}, "work": OWN},
    aliases={"fast": "openai/gpt-6-luna", "w": "work", "own": "my-model", "gpt-x": "ollama/llama3"},
)
KNOWN = {"ollama": ["llama3:8b", "both"], "work": ["big", "both"], "gone": ["lost"]}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (None, (None, None)),
        ("", (None, None)),
        # a provider, with and without a model
        ("openai", ("openai", None)),
        ("work", ("work", None)),
        ("openai/gpt-6.1-sol", ("openai", "gpt-6.1-sol")),
        ("openai:gpt-6.1-sol", ("openai", "gpt-6.1-sol")),
        ("work/org/model:tag", ("work", "org/model:tag")),
        ("work:org/model", ("work", "org/model")),
        ("ollama/llama3:8b", ("ollama", "llama3:8b")),
        ("ollama:llama3:8b", ("ollama", "llama3:8b")),
        ("openai:ft:gpt-4o:org::id", ("openai", "ft:gpt-4o:org::id")),
        ("local/Qwen/Qwen3-0.6B", ("local", "Qwen/Qwen3-0.6B")),
        ("local:/tmp/a b.gguf", ("local", "/tmp/a b.gguf")),
        # an alias, which may name anything that a spec may
        ("fast", ("openai", "gpt-6-luna")),
        ("w", ("work", None)),
        ("own", (None, "my-model")),
        ("gpt-x", ("ollama", "llama3")),
        # a vendor's naming habit
        ("gpt-6.1-sol", ("openai", "gpt-6.1-sol")),
        ("GPT-4o", ("openai", "GPT-4o")),
        ("o3", ("openai", "o3")),
        ("o4-mini", ("openai", "o4-mini")),
        ("chatgpt-4o-latest", ("openai", "chatgpt-4o-latest")),
        ("claude-sonnet-5-5", ("anthropic", "claude-sonnet-5-5")),
        ("smollm2", ("local", "smollm2")),
        ("model.gguf", ("local", "model.gguf")),
        ("/models/m", ("local", "/models/m")),
        ("./m", ("local", "./m")),
        ("../m", ("local", "../m")),
        ("../m.gguf", ("local", "../m.gguf")),
        ("~/m", ("local", "~/m")),
        ("owner/repo:file.gguf", ("local", "owner/repo:file.gguf")),
        # one provider's list
        ("llama3:8b", ("ollama", "llama3:8b")),
        ("big", ("work", "big")),
        ("both", (None, "both")),
        ("lost", (None, "lost")),
        # nothing of these: a model of the default provider
        ("olmo", (None, "olmo")),
        ("orca2", (None, "orca2")),
        ("o3x", (None, "o3x")),
        ("claude", (None, "claude")),
        ("nobody/model", (None, "nobody/model")),
        ("openai/", (None, "openai/")),
        ("/", ("local", "/")),
        (":", (None, ":")),
    ],
)
def test_a_spec(spec: str | None, wanted: tuple[str | None, str | None]) -> None:
    assert parse_spec(spec, SETTINGS, KNOWN) == ModelSpec(*wanted)


def test_the_configured_model_stands_in_for_none_and_may_be_an_alias() -> None:
    settings = SETTINGS.model_copy(update={"model": "fast"})
    assert parse_spec(None, settings) == ModelSpec("openai", "gpt-6-luna")
    assert parse_spec("work", settings) == ModelSpec("work", None)


def test_a_vendors_habit_counts_only_where_that_provider_is() -> None:
    settings = Settings(providers={"work": OWN})
    assert parse_spec("gpt-6.1-sol", settings) == ModelSpec(None, "gpt-6.1-sol")
    assert parse_spec("gpt-6.1-sol", settings, {"work": ["gpt-6.1-sol"]}) == ModelSpec("work", "gpt-6.1-sol")


def test_a_persons_own_alias_wins_over_everything() -> None:
    settings = SETTINGS.model_copy(update={"aliases": {"openai": "work/big", "gpt-4o": "work/small"}})
    assert parse_spec("openai", settings) == ModelSpec("work", "big")
    assert parse_spec("gpt-4o", settings) == ModelSpec("work", "small")


def test_aliases_that_name_each_other_end() -> None:
    settings = SETTINGS.model_copy(update={"aliases": {"a": "b", "b": "a"}})
    assert parse_spec("a", settings) == ModelSpec(None, "b")
