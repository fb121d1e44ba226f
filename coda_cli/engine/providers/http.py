"""The lean transport: `httpx2` and nothing else. POST a JSON body, get the open answer or one of Coda's errors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Protocol

from coda_cli.engine.core.config import ProviderConfig
from coda_cli.engine.core.errors import LLMConnectionError, LLMError, LLMTimeoutError
from coda_cli.engine.providers.endpoints import loopback, shown
from coda_cli.engine.providers.local.background import in_background
from coda_cli.engine.providers.status import from_status
from coda_cli.engine.providers.wire import JSON, RawResponse, parse_json, whole
from coda_cli.engine.sent import record, recording

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import httpx2

MAX_ERROR_BYTES: Final = 256 * 1024
LARGE_BODY: Final = 256 * 1024


class Transport(Protocol):
    """What carries a vendor's JSON. Raises only LLMError."""

    def post(self, path: str, body: JSON) -> AbstractAsyncContextManager[RawResponse]:
        """POST *body* and keep the answer open while its bytes arrive; leaving the block closes the connection."""
        ...

    async def get(self, path: str) -> JSON:
        """The JSON object at *path*."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


def preload() -> None:
    """Load what the first request needs, for a thread that has the time."""
    import importlib

    # httpcore2 and anyio's backend are else loaded by the first client and by its first connection.
    for name in ("ssl", "httpx2", "httpcore2", "anyio._backends._asyncio"):
        importlib.import_module(name)


def timeouts(config: ProviderConfig) -> httpx2.Timeout:
    """The connect and idle timeouts of *config* for one request."""
    import httpx2

    return httpx2.Timeout(config.idle_timeout, connect=config.connect_timeout, pool=config.connect_timeout)


def new_client(config: ProviderConfig, address: str, *, uds: str | None = None, **changes: Any) -> httpx2.AsyncClient:
    """A client that follows no redirect (it would take the key along) and refuses every status but 2xx."""
    import ssl

    import httpx2

    # Loading the system's certificates takes 50 ms; without TLS, and never redirected, none is looked at.
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if address.startswith("http://") else None
    try:
        return httpx2.AsyncClient(
            timeout=timeouts(config),
            follow_redirects=False,
            event_hooks={"request": [keep], "response": [refuse_errors]},
            transport=httpx2.AsyncHTTPTransport(uds=uds, verify=bare or True) if uds else None,
            verify=bare or True,
            trust_env=uds is None and not loopback(address),  # a proxy is for what is not on this machine
            # how many run at once is the caller's to say: a pool that is full would end requests with a timeout
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=512),
            **changes,
        )
    except (ImportError, ValueError, OSError) as exc:  # a proxy of an unknown kind, certificates that are not there
        raise LLMConnectionError(
            f"the environment's proxy or certificate settings can't be used: {exc}",
            hint="check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
            final=True,
        ) from exc


async def keep(request: httpx2.Request) -> None:
    """Record what leaves, as it leaves: whoever made it, with all that the SDK and the client have put in."""
    if not recording():
        return
    url, headers, body = str(request.url), list(request.headers.items()), request.content
    if len(body) < LARGE_BODY:
        record(request.method, url, headers, body)
    else:  # a thread: attachments are hashed, and keys are to be echoed meanwhile
        context = copy_context()
        await in_background(lambda: context.run(record, request.method, url, headers, body), "keep-request")


async def refuse_errors(response: httpx2.Response) -> None:
    """Nothing for a 2xx; else raise the LLMError of its status and of as much of its body as comes, up to 256 KiB."""
    import httpx2

    if response.is_success:
        return
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ERROR_BYTES:
                break
    except httpx2.RequestError:
        pass  # the status says what is wrong, whatever became of the body
    raise from_status(response.status_code, response.headers, bytes(body), where=shown(str(response.url)))


def translation(exc: BaseException, where: str) -> LLMError | None:
    """What an httpx2 error means, None for anything else. *where* names the host for the person."""
    import httpx2

    match exc:
        case httpx2.ConnectTimeout():
            return LLMTimeoutError(f"no connection to {where} within the connect timeout")
        case httpx2.TimeoutException():
            return LLMTimeoutError(f"{where} fell silent: no byte within the idle timeout")
        case httpx2.ConnectError():
            return LLMConnectionError(f"can't connect to {where}: {_reason(exc)}")
        case httpx2.RequestError() | httpx2.StreamError():
            return LLMConnectionError(f"the connection to {where} broke: {_reason(exc)}")
        case httpx2.InvalidURL() | UnicodeError():
            return LLMConnectionError(
                f"{where} is not a valid address", hint="check `api_base` in coda.toml", final=True
            )
        case _:
            return None


@contextmanager
def translated(where: str) -> Iterator[None]:
    """httpx2's errors as Coda's."""
    import httpx2

    try:
        yield
    except (httpx2.RequestError, httpx2.StreamError, httpx2.InvalidURL, UnicodeError) as exc:
        error = translation(exc, where)
        if error is None:
            raise
        raise error from exc
    except ExceptionGroup as exc:  # anyio's, for a port that is none
        raise LLMConnectionError(f"can't connect to {where}: {_reason(exc)}", final=True) from exc


def _reason(exc: BaseException) -> str:
    """What the system said, where it is in the chain of causes; else the first cause that says anything."""
    text, seen = "", set[int]()
    cause: BaseException | None = exc
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        inner = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause
        if isinstance(inner, OSError) and inner.strerror and inner.errno is not None and inner.errno > 0:
            return os.strerror(inner.errno).lower()
        text = text or str(inner).strip()
        cause = inner.__cause__ or inner.__context__
    return text or type(exc).__name__


class LeanTransport:
    """One httpx2 client for one provider. *headers* may hold the key; nothing here prints them.

    The client is made with the first request, in a thread: loading httpx2 and the system's certificates takes 50 ms
    each, in which keys are to be echoed and Esc is to stop.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], config: ProviderConfig, *, uds: str | None = None
    ) -> None:
        self._where = shown(base_url) if uds is None else "the local engine"
        sent = {"accept-encoding": "identity", **headers}

        def make() -> httpx2.AsyncClient:
            return new_client(config, base_url, uds=uds, base_url=base_url, headers=sent)

        self._make = make  # no `partial`: that shows the key when it is printed
        self._client: httpx2.AsyncClient | None = None
        self._loading = asyncio.Lock()

    def _made(self) -> httpx2.AsyncClient:
        with translated(self._where):
            return self._make()

    async def _opened(self) -> httpx2.AsyncClient:
        async with self._loading:
            if self._client is None:
                self._client = await in_background(self._made, "transport")
            return self._client

    @asynccontextmanager
    async def post(self, path: str, body: JSON) -> AsyncIterator[RawResponse]:
        """POST *body*; see Transport."""
        client = await self._opened()
        with translated(self._where):
            async with client.stream("POST", path, json=body) as response:
                yield RawResponse(response.headers, read(response, self._where))

    async def get(self, path: str) -> JSON:
        """The JSON object at *path*."""
        client = await self._opened()
        with translated(self._where):
            async with client.stream("GET", path) as response:
                return parse_json(await whole(read(response, self._where)))

    async def aclose(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()


async def read(response: httpx2.Response, where: str) -> AsyncIterator[bytes]:
    """The body of *response* as it arrives."""
    with translated(where):
        # Asked for as it is; undoing "no encoding" piece by piece is a tenth of what reading costs.
        coded = response.headers.get("content-encoding", "identity").lower() != "identity"
        async for chunk in response.aiter_bytes() if coded else response.aiter_raw():
            yield chunk
