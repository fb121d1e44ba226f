"""The page in a real Chromium: what it shows, what it never does."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from coda_cli import LLMRateLimitError, Reply, TokenUsage, ToolManager
from tests.servers.browser import Page, browser
from tests.unit.server_kit import Running, running
from tests.unit.test_server_two_way import CALLS, with_tools

EVIL = (
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    '<a href="javascript:alert(1)">link</a> </pre> {{7*7}} &lt;b&gt; \u202e'
)


async def shown(kit: Running, page: Page) -> None:
    """*page* shows the server and is connected."""
    await page.go(kit.server.page)
    await page.until("document.getElementById('state').textContent === 'live'")


async def test_a_person_watches_a_chat(tmp_path: Path) -> None:
    usage = TokenUsage(input_tokens=1000, output_tokens=234)
    replies = [
        Reply("The sky is blue. " * 20, reasoning="Rayleigh.", usage=usage),
        Reply(error=LLMRateLimitError("slow down", final=True)),
    ]
    async with running(replies) as kit, browser(tmp_path / "profile") as chromium:
        page = await chromium.page()
        await kit.manager.generate_response("before the page", conversation_id="sky")
        await shown(kit, page)
        await page.until("document.getElementById('answers').textContent === '1'")
        answer = kit.manager.generate_response("now", conversation_id="other")
        with pytest.raises(LLMRateLimitError):
            await answer
        await page.until("document.getElementById('failed').textContent === '1'")
        await page.until("document.getElementById('title').textContent === 'other'")  # it goes where one speaks
        chats = "[...document.querySelectorAll('nav button')]"
        await page.run(f"{chats}.find((one) => one.textContent.includes('sky')).click()")
        text = await page.run("document.body.innerText")
        assert "sky" in text
        assert "The sky is blue. The sky is blue." in text
        assert "Rayleigh." in text
        assert "1,234" in text  # tokens
        assert "slow down" in text
        await page.until("document.getElementById('cost').textContent === '$0.0000'")
        assert "s" in await page.run("document.getElementById('whole').textContent")
        assert page.told == []
        assert {url.partition("//")[2].partition("/")[0] for url in page.asked} == {kit.server.url.partition("//")[2]}
        assert not [url for url in page.asked if kit.server.token in url and "#" not in url]
        assert await page.run("location.href") == f"{kit.server.url}/"
        if folder := os.environ.get("CODA_TEST_PICTURES"):
            (Path(folder) / "page.png").write_bytes(await page.picture())


async def test_an_answer_grows_on_the_page_as_it_is_said(tmp_path: Path) -> None:
    async with running([Reply("one two three", delay=0.3)]) as kit, browser(tmp_path / "profile") as chromium:
        page = await chromium.page()
        await shown(kit, page)
        waiting = asyncio.create_task(kit.manager.generate_response("x")._result())
        await page.until("document.querySelector('pre.answer')?.textContent === 'one'")
        await page.until("document.querySelector('pre.answer')?.textContent === 'one two three'")
        await waiting


@pytest.mark.parametrize("dark", [False, True])
async def test_a_narrow_window_shows_all_of_it_in_both_schemes(tmp_path: Path, dark: bool) -> None:
    async with running([Reply("word " * 50 + "x" * 500)]) as kit, browser(tmp_path / "profile") as chromium:
        page = await chromium.page(width=400, dark=dark)
        await shown(kit, page)
        await kit.manager.generate_response("x", conversation_id="a-very-long-name-" * 10)
        await page.until("document.getElementById('answers').textContent === '1'")
        assert await page.run("document.documentElement.scrollWidth <= 400")
        colours = await page.run(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        first, ground = (int(colour.partition("(")[2].partition(",")[0]) for colour in colours)
        assert (first > ground) is dark
        if folder := os.environ.get("CODA_TEST_PICTURES"):
            (Path(folder) / f"narrow-{'dark' if dark else 'light'}.png").write_bytes(await page.picture())


async def test_what_a_model_says_is_text_and_nothing_else(tmp_path: Path) -> None:
    calls = Reply(EVIL, reasoning=EVIL, tool_calls=[("launch", json.dumps({"what": EVIL}))])
    replies = [calls, Reply(EVIL), Reply(EVIL, error=LLMRateLimitError(EVIL, final=True))]
    async with running(replies) as kit, browser(tmp_path / "profile") as chromium:
        page = await chromium.page()
        await shown(kit, page)
        await kit.manager.set_tool_manager(ToolManager())
        await kit.manager.generate_response("x", conversation_id=EVIL)
        with pytest.raises(LLMRateLimitError):
            await kit.manager.generate_response("x", conversation_id=EVIL)
        await page.until("document.getElementById('failed').textContent === '1'")
        assert await page.run("document.title") == "Coda"
        assert await page.run("document.querySelectorAll('img, a, script:not([src]), b, [style], iframe').length") == 0
        assert EVIL in await page.run("document.querySelector('pre.answer').textContent")
        assert page.told == []


async def test_the_page_comes_back_after_the_connection_was_lost(tmp_path: Path) -> None:
    async with running(["one", "two", "three"]) as kit, browser(tmp_path / "profile") as chromium:
        page = await chromium.page()
        await shown(kit, page)
        await kit.manager.generate_response("x", conversation_id="c")
        await page.until("document.querySelectorAll('pre.answer').length === 1")
        await page.run("state.socket.close()")
        await kit.manager.generate_response("x", conversation_id="c")
        await page.until("document.getElementById('state').textContent === 'live'")
        await page.until("document.querySelectorAll('pre.answer').length === 2")
        await page.do("Page.reload")
        await page.until("document.querySelectorAll('pre.answer').length === 2")
        await kit.manager.generate_response("x", conversation_id="c")
        await page.until("document.querySelectorAll('pre.answer').length === 3")
        said = await page.run("[...document.querySelectorAll('pre.answer')].map((one) => one.textContent)")
        assert said == ["one", "two", "three"]
        await page.until("document.getElementById('answers').textContent === '3'")


async def test_without_the_token_the_page_asks_for_it(tmp_path: Path) -> None:
    async with running() as kit, browser(tmp_path / "profile") as chromium:
        page = await chromium.page()
        await page.go(f"{kit.server.url}/#token=wrong")
        await page.until("!document.getElementById('login').hidden")
        assert kit.server.token not in await page.run("document.documentElement.outerHTML")
        await page.run(f"document.getElementById('token').value = {json.dumps(kit.server.token)}")
        await page.run("document.getElementById('login').requestSubmit()")
        await page.until("document.getElementById('state').textContent === 'live'")
        assert await page.run("document.getElementById('ask').hidden")


async def test_a_person_asks_stops_and_allows_from_the_page_where_that_is_on(tmp_path: Path) -> None:
    replies = [*CALLS, Reply("word " * 1000, delay=0.02)]
    flags = {"allow_ask": True, "allow_cancel": True, "allow_approve": True}
    async with running(replies, server=flags) as kit, browser(tmp_path / "profile") as chromium:
        await with_tools(kit)
        page = await chromium.page()
        await shown(kit, page)
        await page.run("document.getElementById('prompt').value = 'launch it'")
        await page.run("document.getElementById('ask').requestSubmit()")
        await page.until("document.querySelector('.approval button')")
        await page.run("document.querySelector('.approval button').click()")
        await page.until("document.querySelector('pre.answer')?.textContent === 'done'")
        assert "launched the boat" in await page.run("document.body.innerText")
        await page.run("document.getElementById('prompt').value = 'talk'")
        await page.run("document.getElementById('ask').requestSubmit()")
        await page.until("[...document.querySelectorAll('article button')].length")
        await page.run("document.querySelector('article button').click()")
        await page.until("document.body.innerText.includes('interrupted')")


async def test_another_site_gets_nothing_out_of_the_server(tmp_path: Path) -> None:
    async with running() as kit, running() as evil, browser(tmp_path / "profile") as chromium:
        page = await chromium.page()
        await page.go(f"{evil.server.url}/healthz")  # a page of another origin; its own policy is no help here
        await page.do("Page.setBypassCSP", enabled=True)
        await page.go(f"{evil.server.url}/healthz")
        url, token = kit.server.url, kit.server.token
        read = f"fetch('{url}/healthz').then((answer) => answer.text(), (error) => 'refused')"
        assert await page.run(read) == "refused"
        headers = f"{{headers: {{Authorization: 'Bearer {token}'}}}}"
        keyed = f"fetch('{url}/v1/models', {headers}).then(() => 'read', () => 'refused')"
        assert await page.run(keyed) == "refused"
        socket = f"""new Promise((done) => {{
            const socket = new WebSocket('{url.replace("http", "ws")}/events?token={token}');
            socket.onopen = () => done('open'); socket.onerror = () => done('refused');
        }})"""
        assert await page.run(socket) == "refused"
        framed = f"""new Promise((done) => {{
            const frame = document.createElement('iframe'); frame.src = '{url}/';
            frame.onload = () => {{
                try {{ done(frame.contentDocument === null ? 'closed' : frame.contentDocument.title); }}
                catch (error) {{ done('closed'); }}
            }};
            document.body.append(frame);
        }})"""
        assert await page.run(framed) == "closed"
