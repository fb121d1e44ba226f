"""The lean transport: `httpx2` and nothing else. POST a JSON body, get the open answer or one of Coda's errors."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Protocol

from coda_cli.engine.core.config import ProviderConfig
from coda_cli.engine.core.errors import LLMConnectionError, LLMTimeoutError
from coda_cli.engine.providers.endpoints import loopback
from coda_cli.engine.providers.status import from_status
from coda_cli.engine.providers.wire import JSON, RawResponse, parse_json

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import httpx2

MAX_ERROR_BYTES = 256 * 1024


class Transport(Protocol):
    """What carries a vendor's JSON. Raises only LLMError."""

    def post(self, path: str, body: JSON) -> AbstractAsyncContextManager[RawResponse]:
        """POST *body* and keep the answer open while its bytes arrive; leaving the block closes the connection."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


def timeouts(config: ProviderConfig) -> httpx2.Timeout:
    """The connect and idle timeouts of *config* for one request."""
    import httpx2

    return httpx2.Timeout(config.idle_timeout, connect=config.connect_timeout, pool=config.connect_timeout)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """httpx2's errors as Coda's. *where* names the host for the person."""
    import httpx2

    try:
        yield
    except httpx2.ConnectTimeout as exc:
        raise LLMTimeoutError(f"no connection to {where} within the connect timeout") from exc
    except httpx2.TimeoutException as exc:
        raise LLMTimeoutError(f"{where} fell silent: no byte within the idle timeout") from exc
    except httpx2.ConnectError as exc:
        raise LLMConnectionError(f"can't connect to {where}: {_reason(exc)}") from exc
    except (httpx2.TransportError, httpx2.StreamError) as exc:
        raise LLMConnectionError(f"the connection to {where} broke: {_reason(exc)}") from exc
    except (httpx2.InvalidURL, UnicodeError) as exc:
        raise LLMConnectionError(
            f"{where} is not a valid address ({exc})", hint="check `api_base` in coda.toml", final=True
        ) from exc


def _reason(exc: BaseException) -> str:
    """What the system said, where it is in the chain of causes; else the first cause that says anything."""
    text = ""
    cause: BaseException | None = exc
    while cause is not None:
        inner = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause
        if isinstance(inner, OSError) and inner.strerror and inner.errno is not None and inner.errno > 0:
            return os.strerror(inner.errno).lower()
        text = text or str(inner).strip()
        cause = inner.__cause__ or inner.__context__
    return text or type(exc).__name__


class LeanTransport:
    """One httpx2 client for one provider. *headers* may hold the key; nothing here prints them."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        config: ProviderConfig,
        *,
        uds: str | None = None,
    ) -> None:
        import ssl

        import httpx2

        self._where = base_url if uds is None else "the local engine"
        with translated(self._where):
            # Loading the system's certificates takes 50 ms; without TLS, and never redirected, none is looked at.
            bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if base_url.startswith("http://") else None
            self._client = httpx2.AsyncClient(
                base_url=base_url,
                headers={"accept-encoding": "identity", **headers},
                timeout=timeouts(config),
                transport=httpx2.AsyncHTTPTransport(uds=uds, verify=bare or True) if uds else None,
                verify=bare or True,
                trust_env=uds is None and not loopback(base_url),  # a proxy is for what is not on this machine
            )

    @asynccontextmanager
    async def post(self, path: str, body: JSON) -> AsyncIterator[RawResponse]:
        """POST *body*; see Transport."""
        with translated(self._where):
            async with self._client.stream("POST", path, json=body) as response:
                await raise_for_status(response)
                yield RawResponse(response.headers, self._bytes(response))

    async def _bytes(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        with translated(self._where):
            async for chunk in response.aiter_bytes():
                yield chunk

    async def get(self, path: str) -> JSON:
        """The JSON object at *path*."""
        with translated(self._where):
            async with self._client.stream("GET", path) as response:
                await raise_for_status(response)
                return parse_json(await response.aread())

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()


async def raise_for_status(response: httpx2.Response) -> None:
    """Nothing for a 2xx; else the LLMError of its status and body, of which at most 256 KiB are read."""
    if response.is_success:
        return
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            break
    raise from_status(
        response.status_code, response.headers, bytes(body), where=str(response.url.copy_with(query=None))
    )
