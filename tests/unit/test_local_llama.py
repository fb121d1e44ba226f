"""The llama.cpp engine with the real built-in model: answers, cancellation, privacy, death and damage."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import (
    LLMContextLengthError,
    LLMError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMProviderUnavailableError,
)
from coda_cli.engine.core.events import Finished, ProviderEvent, TextDelta, Usage
from coda_cli.engine.core.messages import system, user
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.usage import FinishReason
from coda_cli.engine.providers.local import llama_server, weights
from coda_cli.engine.providers.local.gguf import cut_off, read_head
from coda_cli.engine.providers.local.llama_server import BASE_URL, LlamaParams, LlamaServer, shared
from coda_cli.engine.providers.local.provider import LocalProvider
from tests.weights import smollm2_path

ROOT = Path(__file__).parents[2]
SMALL = {"n_ctx": 256}  # quick to load and to fill
LIMIT = 180.0  # seconds after which something hangs


@pytest.fixture(scope="module")
def model() -> Path:
    return smollm2_path()


@pytest.fixture
def local(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalProvider:
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    return LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(model), extra_params={**SMALL}))


@pytest.fixture
async def server(model: Path) -> AsyncIterator[LlamaServer]:
    async with asyncio.timeout(LIMIT):
        running = shared(model, LlamaParams(n_ctx=256))
        await running.start()
        yield running


def _request(text: str, **options: Any) -> ProviderRequest:
    messages = [system("You are a helpful assistant."), user(text)]
    return ProviderRequest("", messages, {"temperature": 0.0, **options})


async def _collect(provider: LocalProvider, request: ProviderRequest) -> list[ProviderEvent]:
    async with asyncio.timeout(LIMIT):
        return [event async for event in provider.stream(request)]


def _text(events: list[ProviderEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


# ---- answers -------------------------------------------------------------------------------------------------


async def test_it_answers_in_a_stream_with_usage_and_its_reason(local: LocalProvider) -> None:
    events = await _collect(local, _request("What is the capital of France?"))
    assert "Paris" in _text(events)
    assert sum(isinstance(event, TextDelta) for event in events) > 3
    (usage,) = [event.usage for event in events if isinstance(event, Usage)]
    assert usage.input_tokens > 10
    assert usage.output_tokens > 3
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.reason is FinishReason.STOP


async def test_the_limit_on_tokens_ends_with_length(local: LocalProvider) -> None:
    events = await _collect(local, _request("Tell me a long story.", max_tokens=3))
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.reason is FinishReason.LENGTH


async def test_a_prompt_longer_than_the_window_is_a_context_error(local: LocalProvider) -> None:
    with pytest.raises(LLMContextLengthError, match="256"):
        await _collect(local, _request("word " * 300))


async def test_an_answer_that_fills_the_window_ends_with_length(local: LocalProvider) -> None:
    events = await _collect(local, _request("word " * 215, ignore_eos=True))
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.reason is FinishReason.LENGTH


async def test_an_answer_fits_the_schema_that_was_asked_for(local: LocalProvider) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    asked = _request("Is water wet?", max_tokens=50)
    events = await _collect(local, ProviderRequest(asked.model, asked.messages, asked.options, schema))
    assert isinstance(json.loads(_text(events))["ok"], bool)


async def test_the_event_loop_runs_on_while_the_model_loads(model: Path) -> None:
    fresh = LlamaServer(model, LlamaParams(n_ctx=256))
    loading = asyncio.create_task(fresh.start())
    ticks = 0
    while not loading.done():
        await asyncio.sleep(0.001)
        ticks += 1
    await loading
    await fresh.stop()
    assert ticks > 20


# ---- cancellation --------------------------------------------------------------------------------------------


async def test_after_a_stop_in_the_middle_of_an_answer_the_next_is_answered(local: LocalProvider) -> None:
    async with aclosing(local.stream(_request("Tell me a very long story.", max_tokens=200))) as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
    assert "Paris" in _text(await _collect(local, _request("What is the capital of France?")))


async def test_a_long_prompt_can_be_given_up_while_it_is_read(server: LlamaServer) -> None:
    body = {"messages": [{"role": "user", "content": "word " * 200}], "stream": True, "return_progress": True}
    body["max_tokens"] = 1
    async with _client(server) as client:
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if '"prompt_progress"' in line:
                    break
        assert json.loads(line.removeprefix("data: "))["prompt_progress"]["processed"] < 200
        short = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        assert (await client.post("/v1/chat/completions", json=short)).status_code == 200


async def test_cancelling_the_task_ends_it_and_leaves_the_engine_usable(local: LocalProvider) -> None:
    task = asyncio.create_task(_collect(local, _request("word " * 200)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _text(await _collect(local, _request("What is the capital of France?", max_tokens=20)))


# ---- privacy -------------------------------------------------------------------------------------------------


def _client(server: LlamaServer, key: str | None = None) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {server.api_key if key is None else key}"}
    transport = httpx2.AsyncHTTPTransport(uds=server.uds)
    return httpx2.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers, timeout=LIMIT, trust_env=False)


def _listening(pid: int) -> list[str]:
    """The TCP sockets on which the process *pid* listens."""
    if sys.platform != "linux":
        done = subprocess.run(
            ["lsof", "-a", "-nP", "-p", str(pid), "-iTCP", "-sTCP:LISTEN"], capture_output=True, text=True, check=False
        )
        return done.stdout.splitlines()[1:]
    inodes = {
        line.split()[9]: line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return [place for inode, place in inodes.items() if f"socket:[{inode}]" in links]


async def test_neither_process_owns_a_tcp_listener(server: LlamaServer) -> None:
    assert server.pid is not None
    async with _client(server) as client:
        assert (await client.get("/health")).status_code == 200
        assert _listening(server.pid) == []
        assert _listening(os.getpid()) == []


def test_the_search_for_listeners_finds_one() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)):
        assert len(_listening(os.getpid())) == 1


async def test_the_socket_is_private_and_asks_for_its_key(server: LlamaServer) -> None:
    folder = Path(server.uds).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(os.fsencode(server.uds)) < 100
    short = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    async with _client(server, "wrong") as client:
        assert (await client.post("/v1/chat/completions", json=short)).status_code == 401
        assert (await client.get("/props")).status_code == 401
    async with _client(server) as client:
        assert (await client.get("/slots")).status_code != 200
        answer = await client.get("/v1/models", headers={"origin": "https://evil.example"})
        assert answer.headers.get("access-control-allow-origin", "") in ("", "null")


async def test_no_key_is_in_the_childs_arguments_or_environment(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("HF_TOKEN", "hf-canary")
    started: list[str] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, argv: list[str], **options: Any) -> None:
            started.append(f"{argv} {options['env']}")
            super().__init__(argv, **options)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    fresh = LlamaServer(model, LlamaParams(n_ctx=128))
    await fresh.start()
    await fresh.stop()
    (seen,) = started
    assert "canary" not in seen
    assert fresh.api_key
    assert fresh.api_key not in seen


async def test_a_module_in_the_working_folder_is_not_run(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("xllamacpp.py", "json.py", "signal.py"):
        (tmp_path / name).write_text("raise SystemExit('ran')")
    monkeypatch.chdir(tmp_path)
    fresh = LlamaServer(model, LlamaParams(n_ctx=128))
    await fresh.start()
    assert fresh.pid
    await fresh.stop()


# ---- life and death ------------------------------------------------------------------------------------------


async def test_one_engine_serves_all_who_ask_for_the_same(model: Path, tmp_path: Path) -> None:
    assert shared(model, LlamaParams()) is shared(model, LlamaParams())
    assert shared(model, LlamaParams()) is not shared(model, LlamaParams(n_ctx=77))
    (tmp_path / "link.gguf").symlink_to(model)
    assert shared(tmp_path / "link.gguf", LlamaParams()) is shared(model, LlamaParams())
    (tmp_path / "x.gguf").write_bytes(b"1")
    before = shared(tmp_path / "x.gguf", LlamaParams())
    (tmp_path / "x.gguf").write_bytes(b"22")
    assert shared(tmp_path / "x.gguf", LlamaParams()) is not before


async def test_starting_twice_at_once_loads_once(model: Path) -> None:
    fresh = LlamaServer(model, LlamaParams(n_ctx=128))
    await asyncio.gather(fresh.start(), fresh.start())
    pid = fresh.pid
    await fresh.start()
    assert fresh.pid == pid
    folder = Path(fresh.uds).parent
    await fresh.stop()
    assert not folder.exists()
    assert fresh.pid is None


async def test_a_load_that_was_given_up_goes_on_for_the_next_caller(model: Path) -> None:
    fresh = LlamaServer(model, LlamaParams(n_ctx=128))
    impatient = asyncio.create_task(fresh.start())
    while fresh.pid is None:  # noqa: ASYNC110  # a process that begins has no event to wait for
        await asyncio.sleep(0.001)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    pid = fresh.pid
    await fresh.start()
    assert fresh.pid == pid
    async with _client(fresh) as client:
        assert (await client.get("/health")).status_code == 200
    await fresh.stop()


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:  # an orphan that nobody reaps is dead too
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return sys.platform == "linux"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_dies_with_its_parent_and_leaves_nothing(model: Path, tmp_path: Path, how: signal.Signals) -> None:
    script = textwrap.dedent(f"""
        import asyncio, sys
        from pathlib import Path
        from coda_cli.engine.providers.local.llama_server import LlamaParams, shared
        server = shared(Path({str(model)!r}), LlamaParams(n_ctx=128))
        asyncio.run(server.start())
        print(server.pid, flush=True)
        sys.stdin.read()
    """)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not _gone(child)
        parent.send_signal(how)
        parent.wait()
        deadline = time.monotonic() + LIMIT
        while not _gone(child):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_just_ends_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from coda_cli.engine.providers.local.llama_server import LlamaParams, shared
        server = shared(Path({str(model)!r}), LlamaParams(n_ctx=128))
        asyncio.run(server.start())
        print(server.pid)
    """)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == ""
    assert _gone(int(done.stdout))
    assert list(tmp_path.iterdir()) == []


async def test_an_engine_that_is_killed_while_it_answers_is_an_error_and_the_next_call_loads_again(
    local: LocalProvider, model: Path
) -> None:
    stream = local.stream(_request("Tell me a very long story.", max_tokens=200, ignore_eos=True))
    assert isinstance(await anext(stream), TextDelta)
    pid = shared(model, LlamaParams(n_ctx=256)).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(LLMProviderUnavailableError, match="SIGKILL") as caught:
        async for _ in stream:
            pass
    assert caught.value.hint
    assert "Paris" in _text(await _collect(local, _request("What is the capital of France?")))


# ---- what cannot be loaded -----------------------------------------------------------------------------------


def _beginning(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


async def _fails(path: Path, params: LlamaParams | None = None) -> LLMError:
    async with asyncio.timeout(LIMIT):
        with pytest.raises(LLMError) as caught:
            await LlamaServer(path, params or LlamaParams()).start()
    return caught.value


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (0, "is empty"),
        (3, "not a GGUF"),
        (20, "damaged"),
        (1000, "cut off"),
        (900_000, "cut off"),
        (50_000_000, "cut off"),
    ],
)
async def test_a_file_that_is_cut_off_is_refused_with_the_reason(
    model: Path, tmp_path: Path, keep: int, words: str
) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(_beginning(model, keep))
    error = await _fails(path)
    assert isinstance(error, LLMProviderUnavailableError)
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize("position", [4, 8, 16, 30, 400])
async def test_junk_in_the_head_never_takes_this_process_down(model: Path, tmp_path: Path, position: int) -> None:
    head = bytearray(_beginning(model, 2_000_000))
    head[position : position + 64] = b"\xff" * 64
    path = tmp_path / "junk.gguf"
    path.write_bytes(head)
    assert isinstance(await _fails(path), LLMProviderUnavailableError)


async def test_other_things_than_model_files_are_named_for_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello, world")
    assert "not a GGUF" in (await _fails(tmp_path / "text.gguf")).message
    assert "folder" in (await _fails(tmp_path)).message
    assert isinstance(await _fails(tmp_path / "none.gguf"), LLMModelNotFoundError)


async def test_a_failed_load_leaves_no_folder_and_no_child(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    (tmp_path / "cut.gguf").write_bytes(_beginning(model, 1000))
    await _fails(tmp_path / "cut.gguf")
    assert list((tmp_path / "t").iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "memory", "message": "1000000"}, "needs about"),
        ({"error": "device", "message": "cuda"}, "no cuda device"),
        ({"error": "missing", "message": "no such library"}, "xllamacpp"),
        ({"error": "load", "message": "bad luck"}, "bad luck"),
        ({}, "ended while loading"),
    ],
    ids=["memory", "device", "missing", "load", "death"],
)
async def test_each_reason_of_the_child_is_told_with_what_mends_it(
    model: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, str], words: str
) -> None:
    monkeypatch.setattr(llama_server, "_handshake", lambda child, given: answer)
    error = await _fails(model)
    assert words in error.message
    assert error.hint


async def test_a_model_larger_than_the_memory_is_not_begun(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_server, "_window_memory", lambda head, n_ctx: 1 << 60)
    error = await _fails(model, LlamaParams(device="cpu"))
    assert "memory" in error.message


async def test_without_the_engine_the_command_that_installs_it_is_named(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = await _fails(model)
    assert isinstance(error, LLMProviderUnavailableError)
    assert "-m pip install 'xllamacpp" in (error.hint or "")


async def test_a_folder_for_sockets_with_a_long_path_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = llama_server._private_folder()
    folder.rmdir()
    assert len(str(folder)) < 90


# ---- options and profile -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"device": "tpu"}, {"n_ctx": 1}, {"n_ctx": "big"}, {"n_threads": 0}, {"n_gpu_layers": True}],
    ids=["device", "small", "text", "none", "bool"],
)
async def test_an_engine_option_that_makes_no_sense_is_refused(local: LocalProvider, options: dict[str, Any]) -> None:
    with pytest.raises(LLMInvalidRequestError):
        await _collect(local, _request("hi", **options))


def test_the_window_and_the_size_are_read_from_the_file(local: LocalProvider, model: Path) -> None:
    profile = local.profile(str(model))
    assert (profile.context_window, profile.tiny, profile.tools) == (256, True, False)
    head = read_head(model)
    assert head.number("context_length") == 8192
    assert not cut_off(model)


async def test_a_window_larger_than_the_models_is_cut_to_it(model: Path) -> None:
    fresh = LlamaServer(model, LlamaParams(n_ctx=10**6))
    await fresh.start()
    await fresh.stop()
    assert fresh.n_ctx == 8192


async def test_the_list_holds_the_built_in_model_first(local: LocalProvider) -> None:
    assert [model.id for model in await local.list_models()] == ["smollm2"]


async def test_the_check_says_what_is_missing(local: LocalProvider, tmp_path: Path) -> None:
    await local.check()
    missing = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(tmp_path / "no.gguf")))
    with pytest.raises(LLMModelNotFoundError):
        await missing.check()
    offline = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL), offline=True)
    with pytest.raises(LLMProviderUnavailableError, match="offline"):
        await offline.check()


async def test_with_no_model_named_the_built_in_one_is_fetched_and_its_progress_told(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    seen: list[tuple[int, int]] = []

    def fetch(progress: Any, offline: bool) -> Path:
        progress(5, 10)
        target = tmp_path / "data" / "models" / model.name
        target.parent.mkdir(parents=True)
        target.symlink_to(model)
        return target

    monkeypatch.setattr(weights, "ensure_default", fetch)
    provider = LocalProvider(
        ProviderConfig(provider=LLMProvider.LOCAL, extra_params={**SMALL}),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert await provider.resolve_model() == "smollm2"
    assert "Paris" in _text(await _collect(provider, _request("What is the capital of France?")))
    assert seen == [(5, 10)]


async def test_a_cancelled_caller_stops_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    begun, stopped = threading.Event(), threading.Event()

    def fetch(progress: Any, offline: bool) -> Path:
        try:
            while True:
                begun.set()
                progress(1, 2)
        finally:
            stopped.set()

    monkeypatch.setattr(weights, "ensure_default", fetch)
    task = asyncio.create_task(_collect(LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL)), _request("hi")))
    await asyncio.to_thread(begun.wait, LIMIT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(stopped.wait, LIMIT)
