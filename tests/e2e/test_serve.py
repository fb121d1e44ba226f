"""`coda serve` and `coda chat --serve` as installed: processes, signals, what stands where, programs from outside."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from tests.e2e.program import Program, Ran, read_until
from tests.e2e.test_chat_start import READY, Sitting

KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def told(coda: Program) -> dict[str, Any]:
    """What `server.json` says."""
    value: dict[str, Any] = json.loads((coda.home / "data" / "server.json").read_text())
    return value


@contextmanager
def serving(coda: Program, *arguments: str, end: signal.Signals = signal.SIGINT) -> Iterator[subprocess.Popen[bytes]]:
    """A running `coda serve --json`, which must end well."""
    child = coda.start("serve", "--json", *arguments)
    assert child.stdout is not None
    try:
        read_until(child.stdout, b"}\n")
        yield child
        child.send_signal(end)
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        assert b"Traceback" not in out + err
        assert not (coda.home / "data" / "server.json").exists()
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()


async def asked(coda: Program, model: str = "s/parrot") -> str | None:
    here = told(coda)
    async with openai.AsyncOpenAI(base_url=f"{here['url']}/v1", api_key=here["token"], max_retries=0) as client:
        answer = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
        return answer.choices[0].message.content


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_serves_until_it_is_told_to_end(coda: Program, end: signal.Signals) -> None:
    coda.scripted("Hello from far")
    with serving(coda, "--allow-ask", end=end) as child:
        assert asyncio.run(asked(coda)) == "Hello from far"
        assert asyncio.run(asked(coda, "s")) == "Hello from far"
        assert told(coda)["pid"] == child.pid
        file = coda.home / "data" / "server.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list((coda.home / "data").glob("conversations/*.jsonl"))
    lines = [json.loads(line) for line in (coda.home / "data" / "usage.jsonl").read_text().splitlines()]
    assert [line["provider"] for line in lines] == ["s", "s"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_its_files_are_for_this_person_whatever_the_umask(coda: Program, umask: int) -> None:
    coda.scripted("x")
    token = coda.folder / "here" / "token"
    child = coda.start("serve", "--json", "--token-file", str(token), umask=umask)
    assert child.stdout is not None
    read_until(child.stdout, b"}\n")
    try:
        for file in (coda.home / "data" / "server.json", token):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert token.read_text().strip() == told(coda)["token"]
    finally:
        child.terminate()
        child.communicate(timeout=60)


def test_a_token_file_outlives_the_server_and_one_of_others_is_refused(coda: Program) -> None:
    coda.scripted("x")
    file = coda.folder / "token"
    with serving(coda, "--token-file", str(file)):
        first = told(coda)["token"]
    with serving(coda, "--token-file", str(file)):
        assert told(coda)["token"] == first
    file.write_text("short\n")
    ran = coda.run("serve", "--token-file", str(file))
    assert (ran.code, "32 characters" in ran.error) == (2, True)
    file.write_text("x" * 43)
    file.chmod(0o666)
    ran = coda.run("serve", "--token-file", str(file))
    assert ran.code == 2
    assert "others may write it" in ran.error


def refused(ran: Ran, *words: str) -> None:
    assert ran.code == 2, ran.error
    assert all(word in ran.error for word in ("hint:", *words)), ran.error


def test_what_cannot_be_is_told_with_a_way_out(coda: Program) -> None:
    coda.scripted("x")
    refused(coda.run("serve", "--host", "0.0.0.0"), "--allow-remote")
    refused(coda.run("serve", "--host", "192.0.2.1", "--allow-remote"), "address of this machine")
    with serving(coda):
        port = told(coda)["url"].rpartition(":")[2]
        refused(coda.run("serve", "--port", port), "is taken", "another port")
        assert told(coda)["url"].endswith(port)


def test_the_token_stands_in_no_output_no_argument_and_no_environment_of_it(coda: Program) -> None:
    coda.config(
        'default_provider = "v"\n[providers.v]\ntype = "openai"\nmodel = "m"\napi_base = "http://127.0.0.1:9/v1"\n'
    )
    with serving(coda, "--allow-ask") as child:
        here = told(coda)
        with pytest.raises(openai.APIError) as caught:
            asyncio.run(asked(coda, "v"))
        assert here["token"] not in caught.value.message
        seen = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(child.pid)], capture_output=True, check=False
        ).stdout
        environ = Path(f"/proc/{child.pid}/environ")
        seen += environ.read_bytes() if environ.exists() else b""
        assert here["token"].encode() not in seen
    ran = coda.run("serve", "--help")
    assert ran.code == 0
    for file in coda.folder.rglob("*"):
        if file.is_file():
            assert here["token"].encode() not in file.read_bytes(), file


def test_a_key_is_in_no_frame_no_page_no_log_and_no_answer(coda: Program) -> None:
    coda.config(
        'default_provider = "v"\n[providers.v]\ntype = "openai"\nmodel = "m"\napi_base = "http://127.0.0.1:9/v1"\n'
        'api_key_env = "V_KEY"\nmax_retries = 0\n'
    )
    child = coda.start("serve", "--json", "--allow-ask", env={"V_KEY": KEY})
    assert child.stdout is not None
    seen = b""
    try:
        seen += read_until(child.stdout, b"}\n")
        seen += asyncio.run(everything(told(coda)))
    finally:
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert KEY.encode() not in seen + out + err
    for file in coda.folder.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file


async def everything(here: dict[str, Any]) -> bytes:
    """All that comes out of the server while a request fails."""
    bearer = {"Authorization": f"Bearer {here['token']}"}
    seen = b""
    async with aiohttp.ClientSession(headers=bearer) as http:
        async with http.ws_connect(f"{here['url']}/events") as socket:
            await socket.send_json({"type": "subscribe"})
            await socket.send_json({"type": "ask", "prompt": "hi"})
            while b"analytics_update" not in seen and b"response_error" not in seen:
                seen += (await socket.receive_str(timeout=60)).encode()
        body = {"model": "v", "messages": [{"role": "user", "content": "hi"}]}
        for path in ("/", "/page.js", "/page.css", "/healthz", "/v1/models"):
            async with http.get(here["url"] + path) as answer:
                seen += await answer.read()
        async with http.post(f"{here['url']}/v1/chat/completions", json=body) as answer:
            assert answer.status >= 400
            seen += await answer.read()
    return seen


def test_at_a_terminal_the_address_of_the_page_has_the_token(coda: Program) -> None:
    coda.scripted("x")
    with coda.terminal("serve") as tty:
        tty.until(lambda text: "Ctrl-C ends it" in text)
        found = re.search(r"http://127\.0\.0\.1:\d+/#token=(\S{43})", tty.text.replace("\n", ""))
        assert found is not None
        assert found[1] == told(coda)["token"]
        assert "nobody can ask" in tty.text
        tty.interrupt()
        assert tty.end() == 0


async def watched(here: dict[str, Any], write: Any) -> list[dict[str, Any]]:
    """The events of a chat while *write* has it say something."""
    bearer = {"Authorization": f"Bearer {here['token']}"}
    async with aiohttp.ClientSession(headers=bearer) as http, http.ws_connect(f"{here['url']}/events") as socket:
        hello = await socket.receive_json()
        assert hello["allowed"] == []
        await socket.send_json({"type": "ask", "prompt": "no"})
        assert (await socket.receive_json())["code"] == "not_allowed"
        await socket.send_json({"type": "replay", "after": 0})
        write()
        heard = [await socket.receive_json(timeout=60)]
        while heard[-1]["type"] != "analytics_update":
            heard.append(await socket.receive_json(timeout=60))
        return heard


def test_a_plain_chat_can_be_watched(coda: Program) -> None:
    coda.scripted("The sky is blue.")
    child = coda.start("chat", "--plain", "--serve", stdin=subprocess.PIPE)
    assert child.stderr is not None
    assert child.stdin is not None
    seen = read_until(child.stderr, b"http://127.0.0.1:")
    here = told(coda)
    stdin = child.stdin
    heard = asyncio.run(watched(here, lambda: stdin.write(b"why?\n")))
    ends = [one for one in heard if one["type"] == "response_complete"]
    assert [one["content"] for one in ends] == ["The sky is blue."]
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0
    assert b"The sky is blue." in out
    assert here["token"].encode() not in seen + out + err  # no terminal
    assert not (coda.home / "data" / "server.json").exists()


def test_a_chat_on_the_whole_screen_can_be_watched(coda: Program) -> None:
    coda.scripted("The sky is blue.")
    sitting = Sitting(coda, ["chat", "--serve"])
    sitting.until(READY)
    sitting.until("watch this chat at")
    sitting.until("#token=")
    here = told(coda)
    heard = asyncio.run(watched(here, lambda: sitting.type("why?\r")))
    assert [one["content"] for one in heard if one["type"] == "response_complete"] == ["The sky is blue."]
    sitting.until("The sky is blue.")
    sitting.type("\x11")
    assert sitting.end() == 0
    sitting.close()
    assert not (coda.home / "data" / "server.json").exists()


def test_a_chat_without_it_listens_nowhere_and_imports_no_server(coda: Program) -> None:
    coda.scripted("The sky is blue.")
    ran = coda.run(python=["-c", CODE], stdin=b"why?\n")
    assert ran.text.splitlines()[-1] == "[]"
    assert not (coda.home / "data" / "server.json").exists()


CODE = """
import sys
from coda_cli.cli.app import run
run(["chat", "--plain"])
print([name for name in sys.modules if name.startswith(("coda_cli.server", "aiohttp"))])
"""
