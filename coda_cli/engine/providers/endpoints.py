"""Where a provider is, and which key goes there.

A vendor's key goes only to that vendor: the standard environment key is sent to the vendor's default host or to the
`*_BASE_URL` of the same environment. A provider with its own `api_base` gets only its own key, or none.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct
from pydantic import SecretStr

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMAuthenticationError, LLMConnectionError

_DEFAULT_BASE: Final = {
    LLMProvider.OPENAI: "https://api.openai.com/v1",
    LLMProvider.ANTHROPIC: "https://api.anthropic.com",
    LLMProvider.OLLAMA: "http://127.0.0.1:11434",
}
_BASE_VARIABLE: Final = {
    LLMProvider.OPENAI: "OPENAI_BASE_URL",
    LLMProvider.ANTHROPIC: "ANTHROPIC_BASE_URL",
    LLMProvider.OLLAMA: "OLLAMA_HOST",
}
KEY_VARIABLE: Final = {
    LLMProvider.OPENAI: "OPENAI_API_KEY",
    LLMProvider.ANTHROPIC: "ANTHROPIC_API_KEY",
    LLMProvider.OLLAMA: "OLLAMA_API_KEY",
}


class Endpoint(Struct, frozen=True):
    """A base URL (no trailing slash) and the key for it. `own` is whether the person named the address."""

    base_url: str
    key: SecretStr | None
    own: bool


def endpoint(config: ProviderConfig, *, offline: bool = False, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Where *config* points. Raises LLMConnectionError when offline and that is not this machine."""
    kind = config.provider
    named = config.api_base
    base = (named or environ.get(_BASE_VARIABLE.get(kind, ""), "").strip() or _DEFAULT_BASE[kind]).strip()
    if kind is LLMProvider.OLLAMA:
        base = ollama_url(base)
    base = base.rstrip("/")
    _check_address(base, named is not None)
    key = config.api_key
    if key is None and not named:
        value = environ.get(KEY_VARIABLE[kind], "").strip()
        key = SecretStr(value) if value else None
    if offline and not loopback(base):
        raise LLMConnectionError(
            f"offline: {urlsplit(base).hostname} is not on this machine",
            hint="leave out --offline (or CODA_OFFLINE), or choose a local model with -m local",
            final=True,
        )
    return Endpoint(base, _usable_key(key), own=base != _DEFAULT_BASE[kind])


def has_own_address(config: ProviderConfig, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether *config* points anywhere but at its vendor's own address."""
    if config.provider not in _DEFAULT_BASE:
        return False
    base = config.api_base or environ.get(_BASE_VARIABLE[config.provider], "").strip() or _DEFAULT_BASE[config.provider]
    return base.rstrip("/") != _DEFAULT_BASE[config.provider]


def _check_address(base: str, named: bool) -> None:
    try:
        parts = urlsplit(base)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        good = False
    if not good:
        raise LLMConnectionError(
            "the provider's address is not a valid URL",
            hint="check `api_base` in coda.toml" if named else "check the *_BASE_URL variable in the environment",
            final=True,
        )


def _usable_key(key: SecretStr | None) -> SecretStr | None:
    """*key* without the white space that a copy or a file adds. Raises for one that no HTTP header can hold."""
    if key is None:
        return None
    value = key.get_secret_value().strip()
    if not all("!" <= letter <= "~" for letter in value):
        raise LLMAuthenticationError(
            "the API key holds characters that no key has",
            hint="set it again with `coda config set-key PROVIDER`; it may have been copied with something beside it",
        )
    return SecretStr(value) if value else None


def shown(url: str) -> str:
    """*url* for a person: without user, password, query and fragment, any of which may be secret."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "the provider's address"
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme else parts.path


def custom_headers(kind: LLMProvider, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """OPENAI_CUSTOM_HEADERS or ANTHROPIC_CUSTOM_HEADERS, `Name: value` a line, as the SDKs read it.

    Meant for the vendor's address or the environment's own, never for a provider's `api_base`.
    """
    lines = environ.get(f"{kind.value.upper()}_CUSTOM_HEADERS", "").split("\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise for a header that HTTP cannot carry; the key was checked before, so it came from the environment."""
    for name, value in headers.items():
        if not all(" " <= letter <= "~" for letter in name + value):
            raise LLMConnectionError(
                f"the header {name!r} holds characters that no header can",
                hint="check OPENAI_ORG_ID, OPENAI_PROJECT_ID and the *_CUSTOM_HEADERS in the environment",
                final=True,
            )


def secrets_of(config: ProviderConfig, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Every text that must not be shown for *config*: keys, and what its address carries beside host and path."""
    found = [config.api_key.get_secret_value().strip()] if config.api_key is not None else []
    found += [environ.get(name, "").strip() for name in (KEY_VARIABLE.get(config.provider, ""), "HF_TOKEN") if name]
    found += custom_headers(config.provider, environ).values()
    for url in (config.api_base, environ.get(_BASE_VARIABLE.get(config.provider, ""), "")):
        try:
            parts = urlsplit(url or "")
            found += [parts.password or "", parts.username or "", parts.query]
            found += [value for values in parse_qs(parts.query).values() for value in values]
        except ValueError:
            continue
    return tuple(secret for secret in found if secret)


def ollama_url(host: str) -> str:
    """OLLAMA_HOST in any of its spellings as a URL: "", "host", ":port", "host:port", "[::1]", a URL, a path.

    The default port is 11434, or the scheme's own where one is given; 0.0.0.0 and [::], which a server listens on,
    mean this machine for a client.
    """
    text = host.strip().strip("\"'")
    scheme, _, rest = text.rpartition("://")
    rest, _, path = rest.partition("/")
    name, port = rest, ""
    if rest.startswith("["):
        name, _, tail = rest.partition("]")
        name, port = name + "]", tail.removeprefix(":")
    elif rest.count(":") == 1:
        name, _, port = rest.partition(":")
    elif rest.count(":") > 1:
        name = f"[{rest}]"
    port = port if port.isdigit() and 0 < int(port) < 65536 else {"http": "80", "https": "443"}.get(scheme, "11434")
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(name, name)  # noqa: S104 - a client, not a bind
    return f"{scheme or 'http'}://{name}:{port}" + (f"/{path.strip('/')}" if path.strip("/") else "")


def loopback(url: str) -> bool:
    """Whether *url* points at this machine by its address alone (no name is looked up)."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
