"""A real headless Chromium, driven by its own protocol over a WebSocket.

Public API::

    async with browser(folder) as chromium:               folder: an empty one for its profile
        page = await chromium.page(width=400, dark=True)
        await page.go("http://127.0.0.1:1234/")
        await page.run("document.title")                   a JavaScript expression; promises are awaited
        await page.until("document.title === 'x'")         polls nothing: it waits for a change of the page
        page.asked, page.told                              addresses that it asked for; what its console said
        (await page.picture())                             a PNG
"""

import asyncio
import base64
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.fetch_browser import chromium as program

__all__ = ["Browser", "Page", "browser"]

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_PATIENCE = 30.0


class Page:
    """One page of it."""

    def __init__(self, chromium: "Browser", session: str) -> None:
        self._chromium, self._session = chromium, session
        self.asked: list[str] = []
        self.told: list[str] = []

    async def do(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol."""
        return await self._chromium.do(method, params, self._session)

    async def go(self, url: str) -> None:
        """Show *url*."""
        await self.do("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def run(self, expression: str) -> Any:
        """The value of *expression* in the page."""
        done = await self.do("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise AssertionError(done["exceptionDetails"])
        return done["result"].get("value")

    async def until(self, condition: str) -> None:
        """Return once *condition* holds in the page."""
        for _ in range(600):
            with suppress(LookupError):  # the page was exchanged for the next one meanwhile
                if await self.run(f"!!({condition})"):
                    return
            await asyncio.sleep(0.05)
        body = await self.run("document.body && document.body.innerText")
        raise AssertionError(f"it never came true: {condition}\n{self.told}\n{body}")

    async def picture(self) -> bytes:
        """What it looks like, as a PNG."""
        return base64.b64decode((await self.do("Page.captureScreenshot", format="png"))["data"])

    def heard(self, method: str, params: dict[str, Any]) -> None:
        """An event of the protocol."""
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.asked.append(params["url"])
        elif method == "Log.entryAdded":
            self.told.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.told.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.told.append(str(params["args"]))


class Browser:
    """A running Chromium."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}

    async def listen(self) -> None:
        """Take what it says, until it ends."""
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                answer = self._waiting.pop(told["id"])
                if "error" in told:
                    answer.set_exception(LookupError(told["error"]))
                else:
                    answer.set_result(told["result"])
            elif told.get("sessionId") in self._pages:
                self._pages[told["sessionId"]].heard(told["method"], told["params"])

    async def do(self, method: str, params: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """One command of the protocol. Raises LookupError where it fails."""
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        whole = {"id": number, "method": method, "params": params}
        await self._socket.send_json(whole if session is None else {**whole, "sessionId": session})
        return await asyncio.wait_for(answer, _PATIENCE)

    async def page(self, *, width: int = 1000, height: int = 800, dark: bool = False) -> Page:
        """A new page of this size in CSS pixels."""
        target = (await self.do("Target.createTarget", {"url": "about:blank"}))["targetId"]
        session = (await self.do("Target.attachToTarget", {"targetId": target, "flatten": True}))["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await page.do(f"{domain}.enable")
        await page.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await page.do("Emulation.setEmulatedMedia", features=[scheme])
        return page


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    """A Chromium with an empty profile in *folder*."""
    found = program()
    if found is None:
        raise AssertionError("there is no Chromium here: `python -m tests.fetch_browser` gets it")
    process = await asyncio.create_subprocess_exec(
        found,
        *_FLAGS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    rest: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(_PATIENCE):
            while (place := re.search(rb"ws://\S+", await process.stderr.readline())) is None:
                if process.returncode is not None:
                    raise AssertionError(f"Chromium ended with {process.returncode}")
        rest = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as http, http.ws_connect(place[0].decode(), max_msg_size=0) as socket:
            chromium = Browser(socket)
            listening = asyncio.create_task(chromium.listen())
            try:
                yield chromium
            finally:
                with suppress(LookupError, TimeoutError, ConnectionError):
                    await chromium.do("Browser.close", {})
                listening.cancel()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
        await process.wait()
        if rest is not None:
            await rest
