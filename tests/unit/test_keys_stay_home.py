"""A vendor's key goes only to that vendor, and offline nothing leaves this machine.

Every secret of the environment is a canary of its own; the fakes record each header and byte that reaches them.
"""

from __future__ import annotations

import socket

import pytest

from coda_cli.engine.core.config import LLMProvider
from coda_cli.engine.core.errors import LLMConnectionError, LLMError
from coda_cli.engine.providers.endpoints import endpoint
from tests.servers.http import FakeServer, Recorded, Reply
from tests.servers.vendors import FakeVendor
from tests.unit.wire_cases import Target, ask, each_target, manager_of

_SECRETS = {
    "OPENAI_API_KEY": "canary-openai-key",
    "OPENAI_ADMIN_KEY": "canary-openai-admin",
    "OPENAI_ORG_ID": "canary-openai-org",
    "OPENAI_PROJECT_ID": "canary-openai-project",
    "OPENAI_WEBHOOK_SECRET": "canary-openai-webhook",
    "OPENAI_CUSTOM_HEADERS": "x-openai-extra: canary-openai-custom",
    "ANTHROPIC_API_KEY": "canary-anthropic-key",
    "ANTHROPIC_AUTH_TOKEN": "canary-anthropic-token",
    "ANTHROPIC_CUSTOM_HEADERS": "x-anthropic-extra: canary-anthropic-custom",
    "OLLAMA_API_KEY": "canary-ollama-key",
    "HF_TOKEN": "canary-hf",
}
_KEY = {"openai": "canary-openai-key", "anthropic": "canary-anthropic-key", "ollama": "canary-ollama-key"}
_BASE = {"openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL", "ollama": "OLLAMA_HOST"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _SECRETS.items():
        monkeypatch.setenv(name, value)
    for name in (*_BASE.values(), "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def canaries(requests: list[Recorded]) -> set[str]:
    """The canaries in anything that was received: path, query, headers, bodies."""
    text = "\n".join(f"{r.path} {r.query} {r.headers} {r.body!r}" for r in requests)
    values = {value.rpartition(" ")[2] for value in _SECRETS.values()}
    return {value for value in values if value in text}


async def use_everything(target: Target, url: str | None, api_key: str | None = None) -> None:
    """An answer, the models, and the status of a provider."""
    async with manager_of(target.config(url, api_key=api_key)) as manager:
        outcome = await ask(manager)
        assert outcome.error is None, repr(outcome.error)
        await manager.list_models("p0")
        status = await manager.get_provider_status("p0")
        assert status["available"]


@each_target
async def test_an_address_of_ones_own_gets_nothing_of_the_environment(target: Target) -> None:
    async with FakeVendor(target.vendor) as fake:
        await use_everything(target, fake.url)
        assert len(fake.requests) >= 3
        assert canaries(fake.requests) == set()


@each_target
async def test_an_address_of_ones_own_gets_its_own_key_only(target: Target) -> None:
    async with FakeVendor(target.vendor) as fake:
        await use_everything(target, fake.url, api_key="sk-own")
        assert canaries(fake.requests) == set()
        for request in fake.requests:
            sent = request.headers.get("x-api-key") or request.headers.get("authorization")
            assert sent in ("sk-own", "Bearer sk-own"), request.path


@each_target
async def test_the_address_in_the_environment_gets_the_vendors_key_and_no_other_vendors(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeVendor(target.vendor) as fake:
        monkeypatch.setenv(_BASE[target.vendor], target.base(fake.url))
        fake.api_key = _KEY[target.vendor]
        await use_everything(target, None)
        found = canaries(fake.requests)
        assert _KEY[target.vendor] in found
        assert all(target.vendor in canary for canary in found)


@each_target
async def test_a_base_url_of_one_vendor_says_nothing_about_another(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeServer(Reply.text("no", 500)) as other:
        for vendor, name in _BASE.items():
            if vendor != target.vendor:
                monkeypatch.setenv(name, other.url)
        for name in ("HF_ENDPOINT", "BASE_URL", "API_BASE"):
            monkeypatch.setenv(name, other.url)
        found = endpoint(target.config(None))
        assert other.url not in found.base_url
        assert not found.own
        assert found.key is not None
        assert found.key.get_secret_value() == _KEY[target.vendor]


@each_target
async def test_an_empty_key_in_the_environment_is_no_key(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    for vendor in ("OPENAI", "ANTHROPIC", "OLLAMA"):
        monkeypatch.setenv(f"{vendor}_API_KEY", "  ")
    async with FakeVendor(target.vendor) as fake:
        monkeypatch.setenv(_BASE[target.vendor], target.base(fake.url))
        await use_everything(target, None)
        assert not any("canary" in canary and canary.endswith("-key") for canary in canaries(fake.requests))


@each_target
@pytest.mark.parametrize("where", ["own address", "environment"])
async def test_another_host_gets_nothing_by_a_redirect(
    target: Target, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeServer(Reply.json({})) as elsewhere, FakeServer(None) as fake:
        fake._script = lambda request, _: Reply(307, {"location": elsewhere.url + request.path}, framing="length")
        monkeypatch.setenv(_BASE[target.vendor], target.base(fake.url))
        config = target.config(fake.url if where == "own address" else None)
        async with manager_of(config) as manager:
            assert isinstance((await ask(manager)).error, LLMError)
            with pytest.raises(LLMError):
                await manager.list_models("p0")
            assert not (await manager.get_provider_status("p0"))["available"]
        assert elsewhere.connections == 0


@pytest.mark.parametrize("trial", ["same host, other scheme", "path", "port", "userinfo", "subdomain"])
def test_an_address_that_only_looks_like_the_vendors_gets_no_key(trial: str) -> None:
    addresses = {
        "same host, other scheme": "http://api.openai.com/v1",
        "path": "https://api.openai.com/v2",
        "port": "https://api.openai.com:8443/v1",
        "userinfo": "https://api.openai.com@evil.example/v1",
        "subdomain": "https://api.openai.com.evil.example/v1",
    }
    config = Target("openai", "lean").config("https://x.example").model_copy(update={"api_base": addresses[trial]})
    assert endpoint(config).key is None


# ---- offline --------------------------------------------------------------------------------------------------


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every host that is looked up; a connection beyond loopback is refused by the test run itself."""
    seen: list[str] = []
    real = socket.getaddrinfo

    def look(host: object, *args: object, **more: object) -> object:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in ("127.0.0.1", "::1", "localhost"):
            seen.append(name)
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return real(host, *args, **more)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return seen


_OUTSIDE = [
    "http://192.0.2.1:1",
    "http://10.0.0.1",
    "http://0.0.0.1",
    "http://[2001:db8::1]:1",
    "http://[::ffff:192.0.2.1]",
    "http://example.com",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://127.0.0.1@example.com",
    "http://example.com#@127.0.0.1",
    "http://example.com/?x=http://127.0.0.1",
    "http://something.localhost",
]


@each_target
@pytest.mark.parametrize("base", _OUTSIDE)
async def test_offline_refuses_an_outside_address_before_any_connection(
    target: Target, base: str, lookups: list[str]
) -> None:
    config = target.config("http://127.0.0.1").model_copy(update={"api_base": base})
    async with manager_of(config, offline=True) as manager:
        error = (await ask(manager)).failure()
        assert isinstance(error, LLMConnectionError)
        assert error.final
        with pytest.raises(LLMError):
            await manager.list_models("p0")
        assert not (await manager.get_provider_status("p0"))["available"]
    assert lookups == []


@each_target
async def test_offline_refuses_the_vendors_own_host(target: Target, lookups: list[str]) -> None:
    if target.vendor == "ollama":
        return  # its own host is this machine
    async with manager_of(target.config(None), offline=True) as manager:
        error = (await ask(manager)).failure()
        assert isinstance(error, LLMConnectionError)
        assert "offline" in str(error)
        assert error.hint
    assert lookups == []


@each_target
async def test_offline_still_asks_this_machine(target: Target) -> None:
    async with FakeVendor(target.vendor) as fake, manager_of(target.config(fake.url), offline=True) as manager:
        assert (await ask(manager)).text == fake.answer


@each_target
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"])
async def test_offline_goes_around_a_proxy(target: Target, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is an outside connection, even for an address on this machine."""
    async with FakeServer(Reply.text("proxied", 502)) as proxy, FakeVendor(target.vendor) as fake:
        monkeypatch.setenv(variable, proxy.url)
        async with manager_of(target.config(fake.url), offline=True) as manager:
            outcome = await ask(manager)
        assert proxy.connections == 0
        assert outcome.text == fake.answer


def test_the_fakes_are_of_every_vendor() -> None:
    assert set(_KEY) == {"openai", "anthropic", "ollama"}
    assert {LLMProvider(vendor) for vendor in _KEY} <= set(LLMProvider)
