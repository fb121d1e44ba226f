"""The transport over a vendor's official SDK, for the two SDKs (openai, anthropic) that share one generated client.

The SDK makes the request: URL, authentication, headers, its own checks. The body of the answer is taken raw from its
`post()` and read by `wire.py`, because the SDKs' own readers end a cut stream as if it were whole, let JSON and
transport errors through untranslated, and build a model object for every token.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from coda_cli.engine.core.config import ProviderConfig
from coda_cli.engine.core.errors import LLMConnectionError, LLMTimeoutError
from coda_cli.engine.providers.endpoints import loopback
from coda_cli.engine.providers.http import timeouts, translated
from coda_cli.engine.providers.status import from_status
from coda_cli.engine.providers.wire import JSON, RawResponse

if TYPE_CHECKING:
    import httpx2


class SDKClient(Protocol):
    """The part of the generated clients that is used here."""

    async def post(self, path: str, *, cast_to: type[Any], body: Any, options: Any) -> Any:
        """POST *body*; with the header below the answer comes back unread."""
        ...

    @property
    def models(self) -> Any:
        """The model list: `await models.list()`."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, slots=True)
class SDK:
    """A loaded SDK: its client and its three error classes."""

    client: SDKClient
    status_error: type[Exception]
    timeout_error: type[Exception]
    connection_error: type[Exception]


_UNREAD = {"headers": {"X-Stainless-Raw-Response": "stream"}}


class SDKTransport:
    """A `Transport` whose SDK is imported with the first request, in a thread."""

    def __init__(self, load: Callable[[], SDK], where: str) -> None:
        self._load = load
        self._where = where
        self._sdk: SDK | None = None
        self._loading = asyncio.Lock()

    async def sdk(self) -> SDK:
        """The SDK, imported now if it was not yet."""
        async with self._loading:
            if self._sdk is None:
                self._sdk = await asyncio.to_thread(self._load)
            return self._sdk

    @asynccontextmanager
    async def post(self, path: str, body: JSON) -> AsyncIterator[RawResponse]:
        """POST *body*; see Transport."""
        import httpx2

        sdk = await self.sdk()
        async with self.errors(sdk):
            response: httpx2.Response = await sdk.client.post(path, cast_to=httpx2.Response, body=body, options=_UNREAD)
        try:
            yield RawResponse(response.headers, self._bytes(response))
        finally:
            await response.aclose()

    @asynccontextmanager
    async def errors(self, sdk: SDK) -> AsyncIterator[None]:
        """The SDK's errors as Coda's, for every call on its client."""
        try:
            with translated(self._where):
                yield
        except sdk.timeout_error as exc:
            # The SDK tells connect and read timeouts apart only by what caused them.
            with translated(self._where):
                raise exc.__cause__ or LLMTimeoutError(f"{self._where} did not answer in time") from exc
        except sdk.connection_error as exc:
            with translated(self._where):
                raise exc.__cause__ or LLMConnectionError(f"can't reach {self._where}") from exc
        except sdk.status_error as exc:
            response: httpx2.Response = exc.response  # type: ignore[attr-defined]  # both SDKs' APIStatusError has it
            raise from_status(response.status_code, response.headers, response.content, where=self._where) from exc

    async def _bytes(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        with translated(self._where):
            async for chunk in response.aiter_bytes():
                yield chunk

    async def aclose(self) -> None:
        """Close all connections."""
        if self._sdk is not None:
            await self._sdk.client.close()


def http_client(config: ProviderConfig, base_url: str) -> httpx2.AsyncClient:
    """The HTTP client that an SDK is given: no redirects, since a redirect would take the key along."""
    import httpx2

    return httpx2.AsyncClient(timeout=timeouts(config), follow_redirects=False, trust_env=not loopback(base_url))
