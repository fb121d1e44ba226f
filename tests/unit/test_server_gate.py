"""Who gets in: every combination of Host, Origin and token, over a real socket (FAULTS 52, 53)."""

from __future__ import annotations

import asyncio
import itertools
import json
import stat
from collections.abc import Iterator

import pytest

from coda_cli import CodaError, CodaWebSocketServer, UsageError, paths
from coda_cli.server.gate import Gate, is_loopback
from coda_cli.server.options import Address
from tests.unit.server_kit import Running, frame, next_frame, raw, running, upgrade

HOSTS = {
    "own": "127.0.0.1:{port}",
    "own by name": "localhost:{port}",
    "own in v6": "[::1]:{port}",
    "own in capitals": "LOCALHOST:{port}",
    "another port": "127.0.0.1:1",
    "no port": "127.0.0.1",
    "rebound": "evil.example:{port}",
    "rebound below a good name": "localhost.evil.example:{port}",
    "another loopback address": "127.0.0.2:{port}",
    "any address": "0.0.0.0:{port}",
    "with a user": "localhost@evil.example:{port}",
    "empty": "",
    "two": "127.0.0.1:{port}\r\nHost: evil.example",
    "none": None,
}
OWN_HOSTS = {"own", "own by name", "own in v6", "own in capitals"}
ORIGINS = {
    "none": None,
    "own": "http://{host}",
    "own with https": "https://{host}",
    "null": "null",
    "evil": "http://evil.example",
    "another loopback port": "http://127.0.0.1:1",
    "another loopback name": "http://127.0.0.3:{port}",
    "a file": "file://",
    "an extension": "chrome-extension://abcdef",
    "ends alike": "http://evil.example/{host}",
    "begins alike": "http://{host}.evil.example",
    "two": "http://{host}\r\nOrigin: http://evil.example",
}
OWN_ORIGINS = {"none", "own"}
TOKENS = {
    "none": (None, ""),
    "right": ("Bearer {token}", ""),
    "right, small scheme": ("bearer {token}", ""),
    "wrong": ("Bearer wrong", ""),
    "nearly right": ("Bearer {token}x", ""),
    "empty": ("Bearer ", ""),
    "basic": ("Basic {token}", ""),
    "bare": ("{token}", ""),
    "two": ("Bearer {token}\r\nAuthorization: Bearer wrong", ""),
    "query": (None, "?token={token}"),
    "wrong query": (None, "?token=wrong"),
    "two queries": (None, "?token=wrong&token={token}"),
    "right, wrong query": ("Bearer {token}", "?token=wrong"),
}
RIGHT = {"right", "right, small scheme"}
COMBINED = list(itertools.product(HOSTS, ORIGINS, TOKENS))


def requested(kit: Running, host: str, origin: str, token: str) -> tuple[list[tuple[str, str]], str]:
    """(headers, query) of one combination."""
    named = HOSTS[host]
    own = (HOSTS["own"] or "" if named is None else named).partition("\r")[0].format(port=kit.port)
    headers: list[tuple[str, str]] = []
    if (value := HOSTS[host]) is not None:
        headers.append(("Host", value.format(port=kit.port)))
    if (value := ORIGINS[origin]) is not None:
        headers.append(("Origin", value.format(host=own, port=kit.port)))
    shown, query = TOKENS[token]
    if shown is not None:
        headers.append(("Authorization", shown.format(token=kit.server.token)))
    return headers, query.format(token=kit.server.token)


def wanted(host: str, origin: str, token: str) -> Iterator[int]:
    """The statuses that (a WebSocket, the endpoint, the page) must answer with."""
    if host not in OWN_HOSTS:
        yield from (403, 403, 403)
        return
    if origin not in OWN_ORIGINS:
        yield from (403, 403, 403)
        return
    browser = origin == "own"
    # With an Origin, which a browser always sends, a query that is wrong is not passed over.
    event = (
        token in RIGHT or (browser and token in ("query", "none")) or (not browser and token == "right, wrong query")
    )
    yield 101 if event else 401
    yield 200 if token in RIGHT | {"right, wrong query"} else 401
    yield 200


def same(got: int, right: int) -> bool:
    # A head that is no HTTP (no Host, two of them) may be refused by the parser already.
    return got == right or (right == 403 and got == 400)


async def test_only_the_right_token_of_the_right_place_gets_in() -> None:
    async with running() as kit:
        wrong = []
        for host, origin, token in COMBINED:
            headers, query = requested(kit, host, origin, token)
            event, endpoint, page = wanted(host, origin, token)
            got = [
                (await raw(kit.port, f"/events{query}", [*headers, *upgrade()]))[0],
                (await raw(kit.port, f"/v1/models{query}", headers))[0],
                (await raw(kit.port, f"/{query}", headers))[0],
            ]
            if not all(map(same, got, (event, endpoint, page))):
                wrong.append((host, origin, token, got, (event, endpoint, page)))
        assert not wrong
        assert len(COMBINED) > 2000


async def test_health_says_one_word_to_whoever_is_here_and_nothing_to_others() -> None:
    async with running() as kit:
        status, body = await raw(kit.port, "/healthz", [("Host", f"127.0.0.1:{kit.port}")])
        assert (status, json.loads(body)) == (200, {"status": "ok"})
        assert (await raw(kit.port, "/healthz", [("Host", "evil.example")]))[0] == 403


async def test_no_answer_lets_another_site_read_it() -> None:
    async with running() as kit, kit.http.get(f"{kit.server.url}/healthz") as response:
        assert not [name for name in response.headers if name.lower().startswith("access-control")]
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    async with running() as kit:
        headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
        async with kit.http.options(f"{kit.server.url}/v1/models", headers=headers) as response:
            assert response.status == 403


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1/nothing", "/../etc/passwd", "/page.js/..%2f..%2fsite.py", "//", "/v1"]
)
async def test_an_unknown_address_is_not_even_told_to_be_unknown_without_the_token(path: str) -> None:
    async with running() as kit:
        host = ("Host", f"127.0.0.1:{kit.port}")
        assert (await raw(kit.port, path, [host]))[0] == 401
        bearer = ("Authorization", f"Bearer {kit.server.token}")
        assert (await raw(kit.port, path, [host, bearer]))[0] == 404


async def browser(kit: Running, first: bytes) -> tuple[int, bytes]:
    """The first frame that a page gets which sends *first* as its first one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
    own = f"127.0.0.1:{kit.port}"
    headers = [("Host", own), ("Origin", f"http://{own}"), *upgrade()]
    writer.write(("GET /events HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n").encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.write(first)
    try:
        return await next_frame(reader)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "first",
    [
        {"type": "auth", "token": "wrong"},
        {"type": "auth"},
        {"type": "subscribe"},
        {"type": "auth", "token": ["{token}"]},
        b"no json",
        b"[" * 5000,
    ],
)
async def test_a_page_that_does_not_begin_with_the_token_hears_nothing(first: dict[str, object] | bytes) -> None:
    async with running() as kit:
        opcode, payload = await browser(kit, frame(first))
        assert opcode == 8
        assert payload[:2] == (1008).to_bytes(2, "big")
        assert kit.server.clients == 0


async def test_a_page_shows_the_token_in_its_first_message() -> None:
    async with running() as kit:
        opcode, payload = await browser(kit, frame({"type": "auth", "token": kit.server.token}))
        assert opcode == 1
        assert json.loads(payload)["type"] == "hello"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "example.org", ""])
async def test_what_others_can_reach_has_to_be_meant(host: str) -> None:
    server = CodaWebSocketServer(host)
    with pytest.raises(UsageError, match="could reach") as caught:
        await server.start()
    assert "--allow-remote" in (caught.value.hint or "")
    assert not server.running


async def test_a_server_for_others_still_needs_the_token_and_a_host_that_no_name_can_be_turned_to() -> None:
    async with running(host="0.0.0.0", allow_remote=True, allowed_hosts=["coda.example.org"]) as kit:
        bearer = ("Authorization", f"Bearer {kit.server.token}")
        for host, right in {
            f"192.168.7.7:{kit.port}": 200,
            f"127.0.0.1:{kit.port}": 200,
            "coda.example.org": 200,
            f"evil.example:{kit.port}": 403,
            "192.168.7.7:1": 403,
            "coda.example.org:1": 403,
        }.items():
            assert (await raw(kit.port, "/v1/models", [("Host", host), bearer]))[0] == right, host
        assert (await raw(kit.port, "/v1/models", [("Host", f"127.0.0.1:{kit.port}")]))[0] == 401


def test_behind_a_proxy_the_page_may_come_over_https() -> None:
    gate = Gate(Address(also=("coda.example.org",)), 8765, "t")
    assert gate.origin(["https://coda.example.org"], "coda.example.org")
    assert not gate.origin(["https://evil.example"], "coda.example.org")
    assert not gate.origin(["https://127.0.0.1:8765"], "127.0.0.1:8765")


def test_loopback_is_what_only_this_machine_reaches() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", ""]))


async def test_the_token_stands_in_a_file_that_only_this_person_can_read_while_the_server_runs() -> None:
    file = paths.data_dir() / "server.json"
    async with running() as kit:
        told = json.loads(file.read_text())
        assert told["url"] == kit.server.url
        assert told["token"] == kit.server.token
        assert len(kit.server.token) == 43
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not file.exists()


async def test_two_servers_do_not_take_each_others_file() -> None:
    file = paths.data_dir() / "server.json"
    async with running() as first:
        async with running() as second:
            assert json.loads(file.read_text())["token"] == second.server.token != first.server.token
        assert not file.exists()


async def test_a_taken_port_is_an_error_with_a_way_out() -> None:
    async with running() as kit:
        other = CodaWebSocketServer(port=kit.port)
        with pytest.raises(CodaError, match="is taken") as caught:
            await other.start()
        assert "another port" in (caught.value.hint or "")
        assert not other.running
        assert json.loads((paths.data_dir() / "server.json").read_text())["token"] == kit.server.token
