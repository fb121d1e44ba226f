"""The transport over a vendor's official SDK, for the two SDKs (openai, anthropic) that share one generated client.

The SDK makes the request: URL, authentication, headers, its own checks. The body of the answer is taken raw from its
`post()` and read by `wire.py`, because the SDKs' own readers end a cut stream as if it were whole, let JSON and
transport errors through untranslated, and build a model object for every token.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct

from coda_cli.engine.core.errors import LLMConnectionError, LLMError, LLMTimeoutError
from coda_cli.engine.providers.endpoints import shown
from coda_cli.engine.providers.http import read, translated, translation
from coda_cli.engine.providers.local.background import in_background
from coda_cli.engine.providers.wire import JSON, RawResponse, parse_json, whole

if TYPE_CHECKING:
    import httpx2


class SDKClient(Protocol):
    """The part of the generated clients that is used here."""

    async def post(self, path: str, *, cast_to: type[Any], body: Any, options: Any, files: Any = None) -> Any:
        """POST *body*; with the header below the answer comes back unread."""
        ...

    async def get(self, path: str, *, cast_to: type[Any], options: Any) -> Any:
        """GET *path*, likewise."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class SDK(Struct, frozen=True):
    """A loaded SDK: its client (made over `http.new_client`, which refuses errors) and two error classes."""

    client: SDKClient
    timeout_error: type[Exception]
    connection_error: type[Exception]


_UNREAD: Final = {"headers": {"X-Stainless-Raw-Response": "stream"}}


class SDKTransport:
    """A `Transport` whose SDK is imported with the first request, in a thread."""

    def __init__(self, load: Callable[[], SDK], base_url: str) -> None:
        self._load = load
        self._where = shown(base_url)
        self._sdk: SDK | None = None
        self._loading = asyncio.Lock()

    async def _loaded(self) -> SDK:
        async with self._loading:
            if self._sdk is None:
                with translated(self._where):
                    self._sdk = await in_background(self._load, "sdk")
            return self._sdk

    @asynccontextmanager
    async def post(self, path: str, body: JSON) -> AsyncIterator[RawResponse]:
        """POST *body*; see Transport."""
        import httpx2

        sdk = await self._loaded()
        with self._errors(sdk):
            response: httpx2.Response = await sdk.client.post(path, cast_to=httpx2.Response, body=body, options=_UNREAD)
        try:
            yield RawResponse(response.headers, read(response, self._where))
        finally:
            await response.aclose()

    async def get(self, path: str) -> JSON:
        """The JSON object at *path*. Raw: the SDKs make a model object of whatever a proxy may have sent."""
        import httpx2

        sdk = await self._loaded()
        with self._errors(sdk):
            response: httpx2.Response = await sdk.client.get(path, cast_to=httpx2.Response, options=_UNREAD)
        try:
            return parse_json(await whole(read(response, self._where)))
        finally:
            await response.aclose()

    @asynccontextmanager
    async def download(self, path: str) -> AsyncIterator[RawResponse]:
        """GET *path* and keep the answer open while its bytes arrive."""
        import httpx2

        sdk = await self._loaded()
        with self._errors(sdk):
            response: httpx2.Response = await sdk.client.get(path, cast_to=httpx2.Response, options=_UNREAD)
        try:
            yield RawResponse(response.headers, read(response, self._where))
        finally:
            await response.aclose()

    async def upload(self, path: str, fields: JSON, name: str, content: bytes) -> JSON:
        """POST *content* as the file *name* of a form with *fields*; the JSON object that comes back."""
        import httpx2

        sdk = await self._loaded()
        options = {"headers": {**_UNREAD["headers"], "Content-Type": "multipart/form-data"}}
        files = [("file", (name, content, "application/jsonl"))]
        with self._errors(sdk):
            response: httpx2.Response = await sdk.client.post(
                path, cast_to=httpx2.Response, body=fields, files=files, options=options
            )
        try:
            return parse_json(await whole(read(response, self._where)))
        finally:
            await response.aclose()

    @contextmanager
    def _errors(self, sdk: SDK) -> Iterator[None]:
        try:
            with translated(self._where):
                yield
        except (sdk.timeout_error, sdk.connection_error) as exc:
            # The SDK says no more than that. Its cause says what it was: httpx2's error, or ours from `refuse_errors`.
            cause = exc.__cause__
            if isinstance(cause, LLMError):
                raise cause from None
            error = translation(cause, self._where) if cause is not None else None
            if error is None and isinstance(exc, sdk.timeout_error):
                error = LLMTimeoutError(f"{self._where} did not answer in time")
            raise error or LLMConnectionError(f"can't reach {self._where}") from exc

    async def aclose(self) -> None:
        """Close all connections."""
        if self._sdk is not None:
            await self._sdk.client.close()
