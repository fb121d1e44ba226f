"""Where a provider is, which key goes there, and what counts as this machine."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMConnectionError, LLMError, retryable
from coda_cli.engine.core.messages import user
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.providers.endpoints import endpoint, loopback
from coda_cli.engine.providers.registry import create

KEYS = {"OPENAI_API_KEY": "ok", "ANTHROPIC_API_KEY": "ak", "OLLAMA_API_KEY": "lk"}
VENDORS = [
    (LLMProvider.OPENAI, "https://api.openai.com/v1", "ok"),
    (LLMProvider.ANTHROPIC, "https://api.anthropic.com", "ak"),
    (LLMProvider.OLLAMA, "http://127.0.0.1:11434", "lk"),
]
BASES = {
    LLMProvider.OPENAI: "OPENAI_BASE_URL",
    LLMProvider.ANTHROPIC: "ANTHROPIC_BASE_URL",
    LLMProvider.OLLAMA: "OLLAMA_HOST",
}


def secret(key: SecretStr | None) -> str | None:
    return key.get_secret_value() if key is not None else None


@pytest.mark.parametrize(("kind", "base", "key"), VENDORS)
def test_the_vendors_own_address_has_the_vendors_key(kind: LLMProvider, base: str, key: str) -> None:
    found = endpoint(ProviderConfig(provider=kind), environ=KEYS)
    assert (found.base_url, secret(found.key), found.own) == (base, key, False)
    assert key not in repr(found.key)


@pytest.mark.parametrize(("kind", "base", "key"), VENDORS)
def test_the_environments_address_has_the_environments_key(kind: LLMProvider, base: str, key: str) -> None:
    found = endpoint(ProviderConfig(provider=kind), environ={**KEYS, BASES[kind]: " http://10.0.0.1:80/v1/ "})
    assert (found.base_url, secret(found.key), found.own) == ("http://10.0.0.1:80/v1", key, True)
    others = {name: "http://10.0.0.1:80" for other, name in BASES.items() if other is not kind}
    assert endpoint(ProviderConfig(provider=kind), environ={**KEYS, **others}).base_url == base


@pytest.mark.parametrize(("kind", "base", "key"), VENDORS)
def test_an_address_of_ones_own_has_its_own_key_or_none(kind: LLMProvider, base: str, key: str) -> None:
    named = ProviderConfig(provider=kind, api_base="http://10.0.0.2:81")
    environ = {**KEYS, BASES[kind]: "http://10.0.0.1:80"}
    found = endpoint(named, environ=environ)
    assert (found.base_url, found.key, found.own) == ("http://10.0.0.2:81", None, True)
    with_key = named.model_copy(update={"api_key": SecretStr("mine")})
    assert secret(endpoint(with_key, environ=environ).key) == "mine"
    assert secret(endpoint(ProviderConfig(provider=kind, api_key=SecretStr("mine")), environ=KEYS).key) == "mine"


@pytest.mark.parametrize(("kind", "base", "key"), VENDORS)
def test_an_empty_variable_is_none(kind: LLMProvider, base: str, key: str) -> None:
    found = endpoint(ProviderConfig(provider=kind), environ={BASES[kind]: "  ", **dict.fromkeys(KEYS, " ")})
    assert (found.base_url, found.key) == (base, None)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1", True),
        ("http://127.0.0.1:8080/v1", True),
        ("http://127.255.0.1/", True),
        ("https://[::1]:8080/v1", True),
        ("http://localhost:1", True),
        ("http://LOCALHOST/", True),
        ("http://me.localhost", False),
        ("http://me:secret@localhost/", True),
        ("http://10.0.0.1", False),
        ("http://192.168.1.1:11434", False),
        ("http://0.0.0.0", False),
        ("http://[2001:db8::1]", False),
        ("https://api.openai.com/v1", False),
        ("http://localhost.example.com", False),
        ("http://notlocalhost", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@example.com/", False),
        ("http://example.com/127.0.0.1", False),
        ("http://example.com#@127.0.0.1", False),
        ("http://example.com?@127.0.0.1", False),
        ("http://2130706433", False),
        ("http://0x7f.1", False),
        ("", False),
        ("nonsense", False),
        ("http://", False),
    ],
)
def test_loopback_is_told_by_the_address_alone(url: str, here: bool) -> None:
    assert loopback(url) is here


@pytest.mark.parametrize("url", ["http://[::1", "http://[nonsense]/", "http://]"])
def test_what_is_no_address_is_not_this_machine(url: str) -> None:
    assert not loopback(url)


@pytest.mark.parametrize("kind", [LLMProvider.OPENAI, LLMProvider.ANTHROPIC, LLMProvider.OLLAMA])
@pytest.mark.parametrize("base", ["http://[::1", "http://[nonsense]/v1", "http://", "http://a b/", "http://:99999"])
@pytest.mark.parametrize("offline", [False, True])
async def test_a_broken_address_is_an_error_of_codas_own(kind: LLMProvider, base: str, offline: bool) -> None:
    provider = create(ProviderConfig(provider=kind, api_base=base, model="m", max_retries=0), offline=offline)
    with pytest.raises(LLMError):
        [event async for event in provider.stream(ProviderRequest("m", [user("x")]))]
    await provider.aclose()


@pytest.mark.parametrize("base", ["https://api.openai.com/v1", "http://10.0.0.1/v1", "http://127.0.0.1@example.com/"])
def test_offline_refuses_what_is_not_this_machine_and_names_it(base: str) -> None:
    with pytest.raises(LLMConnectionError, match="offline") as caught:
        endpoint(ProviderConfig(provider=LLMProvider.OPENAI, api_base=base), offline=True, environ={})
    assert not retryable(caught.value)
    assert "-m local" in str(caught.value.hint)
    assert "127.0.0.1" not in str(caught.value)


def test_offline_looks_at_the_environments_address_too() -> None:
    config = ProviderConfig(provider=LLMProvider.OPENAI)
    with pytest.raises(LLMConnectionError):
        endpoint(config, offline=True, environ={"OPENAI_BASE_URL": "http://10.0.0.1"})
    here = endpoint(config, offline=True, environ={"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    assert here.own
    assert endpoint(ProviderConfig(provider=LLMProvider.OLLAMA), offline=True, environ={}).base_url.endswith(":11434")
