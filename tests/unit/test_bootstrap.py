"""The composition root loses no setting on the way, looks up no key that is not needed, and shows none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coda_cli import bootstrap, paths
from coda_cli.bootstrap import wire
from coda_cli.engine.core.config import LLMConfig, ProviderConfig
from coda_cli.engine.providers.scripted import ScriptedProvider
from coda_cli.settings import secrets
from coda_cli.settings.schema import (
    BudgetSettings,
    ConversationSettings,
    FunctionCallingSettings,
    PriceSettings,
    ProviderSettings,
    Settings,
)

SECRET = "sk-secret-0123456789"
FULL = ProviderSettings(
    type="openai",
    model="m",
    api_base="http://127.0.0.1:1/v1",
    api_key_env="MY_KEY",
    api="responses",
    transport="sdk",
    timeout=1.5,
    connect_timeout=2.5,
    idle_timeout=3.5,
    max_retries=9,
    temperature=0.25,
    max_tokens=77,
    top_p=0.5,
    fallback=["plain"],
    extra_params={"seed": 1, "metadata": {"a": [1, 2]}},
)
SETTINGS = Settings(
    default_provider="full",
    offline=True,
    stream_responses=False,
    websocket_events_enabled=False,
    memory_integration_enabled=False,
    personality_integration_enabled=False,
    tool_integration_enabled=False,
    enable_caching=True,
    cache_ttl_seconds=12.5,
    budget=BudgetSettings.model_validate({"day": {"usd": 5.0}}),
    prices={"m": PriceSettings(input=1.0, output=2.0)},
    providers={"full": FULL, "plain": ProviderSettings(type="anthropic")},
    conversation=ConversationSettings(
        max_messages=1,
        max_tokens_per_conversation=2,
        auto_summarize=False,
        summarize_threshold=3,
        memory_integration_enabled=False,
        personality_integration_enabled=False,
    ),
    function_calling=FunctionCallingSettings(
        enabled=False,
        auto_execute=False,
        max_function_calls_per_turn=4,
        parallel_execution=False,
        tool_integration_enabled=False,
    ),
)
ENVIRON = {"MY_KEY": SECRET}


def test_every_field_of_a_provider_arrives() -> None:
    wired = wire(SETTINGS, environ=ENVIRON)
    made = wired.manager.config.providers["full"]
    assert made.api_key is not None
    assert made.api_key.get_secret_value() == SECRET
    given = FULL.model_dump(exclude={"type", "api_key_env"})
    assert made.model_dump(exclude={"provider", "api_key"}) == given
    assert made.provider.value == "openai"
    default = ProviderConfig(provider=made.provider)
    unchanged = [name for name in ProviderConfig.model_fields if getattr(made, name) == getattr(default, name)]
    assert unchanged == ["provider"], "this test must give every field a value of its own"


def test_every_other_field_arrives() -> None:
    config = wire(SETTINGS, environ=ENVIRON).manager.config
    default = LLMConfig()
    for name in LLMConfig.model_fields:
        assert getattr(config, name) != getattr(default, name), f"{name} is the default's"
        if name not in ("providers", "conversation", "function_calling", "budget", "prices"):
            assert getattr(config, name) == getattr(SETTINGS, name)
    assert config.conversation.model_dump() == SETTINGS.conversation.model_dump()
    assert {name: one.model_dump() for name, one in config.prices.items()} == {
        name: one.model_dump() for name, one in SETTINGS.prices.items()
    }
    assert config.budget.model_dump() == SETTINGS.budget.model_dump()
    assert config.function_calling.model_dump() == SETTINGS.function_calling.model_dump()


def test_a_setting_left_out_is_the_engines_default() -> None:
    made = wire(SETTINGS, environ={}).manager.config.providers["plain"]
    assert made == ProviderConfig(provider=made.provider)


def test_a_default_that_is_asked_for_wins() -> None:
    assert wire(SETTINGS, default="plain", environ={}).manager.config.default_provider == "plain"
    assert wire(SETTINGS, environ={}).manager.config.default_provider == "full"


def test_only_one_key_is_looked_up_where_only_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = secrets.find_key

    def find(name: str, *rest: Any, **more: Any) -> Any:
        asked.append(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(bootstrap, "find_key", find)
    environ = {**ENVIRON, "ANTHROPIC_API_KEY": "sk-other"}
    wired = wire(SETTINGS, only=["full"], environ=environ)
    assert asked == ["full"]
    assert wired.key_sources == {"full": "environment MY_KEY"}
    assert list(wired.manager.config.providers) == ["full", "plain"], "the others are still there"
    asked.clear()
    assert set(wire(SETTINGS, environ=environ).key_sources) == {"full", "plain"}
    assert asked == ["full", "plain"]
    asked.clear()
    wire(SETTINGS, only=[], choose=True, environ=environ)
    assert asked == ["full", "plain"], "offline, the first vendor with a key may not be the default"
    asked.clear()
    wire(SETTINGS.model_copy(update={"offline": False}), only=[], choose=True, environ=environ)
    assert asked == ["full"], "the search ends at the first key"


def test_no_key_is_ever_shown() -> None:
    wired = wire(SETTINGS, environ=ENVIRON)
    config = wired.manager.config
    shown = [repr(wired), repr(config), str(config), repr(config.providers), config.model_dump_json()]
    shown += [json.dumps(config.model_dump(), default=str), repr(wired.key_sources), repr(vars(wired.manager))]
    assert all(SECRET not in text for text in shown)


async def test_the_usage_log_is_written_where_it_is_wanted_and_only_there() -> None:
    scripted = Settings(providers={"s": ProviderSettings(type="scripted")}, default_provider="s")
    for log in (False, True):
        wired = wire(scripted, log=log, environ={})
        async with wired.manager as manager:
            assert isinstance(manager.provider("s"), ScriptedProvider)
            await manager.generate_response("hi")
        assert wired.log.path == paths.data_dir() / "usage.jsonl"
        assert len(list(wired.log.lines())) == log


def test_wiring_writes_nothing() -> None:
    wire(SETTINGS, environ=ENVIRON)
    assert not paths.data_dir().parent.exists()
