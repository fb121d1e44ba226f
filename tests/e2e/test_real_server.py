"""The program against a real model: llama.cpp's server in a child process, and the engine inside the program.

The server speaks Chat Completions, Responses and Anthropic's Messages; SmolLM2 (135 M) answers on the CPU.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.program import GUARD, Program, Ran, read_until
from tests.weights import smollm2_path

SYSTEM: Final = "You are a helpful assistant."
QUESTION: Final = "What is the capital of France?"
WINDOW: Final = 2048
SERVER: Final = f"""
import json, sys
import xllamacpp
p = xllamacpp.CommonParams()
p.verbosity = -1
p.model.path = sys.argv[1]
p.hostnames = ["127.0.0.1"]
p.port = 0
p.n_ctx = {WINDOW}
p.n_parallel = 1
p.use_jinja = True
p.ui = p.endpoint_slots = False
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 2
server = xllamacpp.Server(p)
print(json.dumps(server.listening_address), flush=True)
sys.stdin.read()
import os
os._exit(0)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a real server; it ends with the module, by its pid."""
    child = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(smollm2_path())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    try:
        yield str(json.loads(read_until(child.stdout, b"\n")))
    finally:
        child.kill()
        child.communicate(timeout=GUARD)


TARGETS: Final = [
    ("openai", "chat", "lean"),
    ("openai", "chat", "sdk"),
    ("openai", "responses", "lean"),
    ("openai", "responses", "sdk"),
    ("anthropic", "chat", "lean"),
    ("anthropic", "chat", "sdk"),
]
each_target = pytest.mark.parametrize(("kind", "api", "transport"), TARGETS)
# Which transport carried a refusal makes no difference to how one API words it.
each_api = pytest.mark.parametrize(("kind", "api", "transport"), [TARGETS[0], TARGETS[3], TARGETS[4]])


def configured(tmp_path: Path, server: str, kind: str, api: str, transport: str) -> Program:
    program = Program(tmp_path)
    base = f"{server}/v1" if kind == "openai" else server
    program.config(
        f'default_provider = "real"\n[providers.real]\ntype = "{kind}"\napi = "{api}"\ntransport = "{transport}"\n'
        f'api_base = "{base}"\nmodel = "smollm2"\ntemperature = 0.0\nmax_tokens = 60\nmax_retries = 0\n'
    )
    return program


def said(ran: Ran) -> Ran:
    assert ran.code == 0, ran.error
    return ran


@each_target
def test_a_real_server_answers_in_a_stream_with_its_counts(
    tmp_path: Path, server: str, kind: str, api: str, transport: str
) -> None:
    program = configured(tmp_path, server, kind, api, transport)
    ran = said(program.run("ask", "-s", SYSTEM, "--output-format", "stream-json", QUESTION))
    events = ran.lines
    chunks = [event["delta"] for event in events if event["type"] == "response_chunk"]
    assert len(chunks) > 3
    assert "Paris" in "".join(chunks)
    (complete,) = (event for event in events if event["type"] == "response_complete")
    assert complete["content"] == "".join(chunks)
    assert complete["status"] == "complete"
    assert complete["finish_reason"] == "stop"
    assert complete["usage"]["input_tokens"] > 10
    assert complete["usage"]["output_tokens"] > 3
    (line,) = program.usage
    assert (line["input"], line["output"]) == (
        complete["usage"]["input_tokens"],
        complete["usage"]["output_tokens"],
    )
    assert line["price"] == "unpriced"


def test_the_plain_answer_goes_to_stdout_and_nothing_to_stderr(tmp_path: Path, server: str) -> None:
    program = configured(tmp_path, server, "openai", "chat", "lean")
    ran = said(program.run("ask", "-s", SYSTEM, QUESTION))
    assert "Paris" in ran.text
    assert ran.error == ""


@each_api
def test_a_prompt_beyond_the_window_is_told_with_the_next_step(
    tmp_path: Path, server: str, kind: str, api: str, transport: str
) -> None:
    program = configured(tmp_path, server, kind, api, transport)
    ran = program.run("ask", "--json", "Say it back.", stdin=b"word " * (WINDOW + 500))
    assert ran.code == 1
    assert ran.json["error"]["type"] == "LLMContextLengthError"
    assert "shorten" in ran.json["error"]["hint"]
    (line,) = program.usage
    assert line["error"] == "LLMContextLengthError"


@pytest.mark.parametrize("transport", ["lean", "sdk"])
def test_a_schema_holds_the_answer_to_json(tmp_path: Path, server: str, transport: str) -> None:
    program = configured(tmp_path, server, "openai", "chat", transport)
    schema = {
        "type": "object",
        "properties": {"capital": {"type": "string", "maxLength": 20}},
        "required": ["capital"],
        "additionalProperties": False,
    }
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema))
    answer = said(program.run("ask", "-s", SYSTEM, "--schema", str(file), QUESTION)).json
    assert set(answer) == {"capital"}
    assert isinstance(answer["capital"], str)


def test_a_limit_is_told_as_the_reason_of_the_end(tmp_path: Path, server: str) -> None:
    program = configured(tmp_path, server, "openai", "chat", "lean")
    ran = program.run("ask", "-s", SYSTEM, "-o", "max_tokens=3", "--output-format", "stream-json", "Tell a story.")
    (complete,) = (event for event in ran.lines if event["type"] == "response_complete")
    assert complete["finish_reason"] == "length"
    assert complete["usage"]["output_tokens"] == 3


def test_the_servers_own_models_are_listed_and_the_first_is_the_default(tmp_path: Path, server: str) -> None:
    program = Program(tmp_path)
    program.config(
        f'default_provider = "real"\n[providers.real]\ntype = "openai"\napi_base = "{server}/v1"\ntemperature = 0.0\n'
    )
    assert "Paris" in said(program.run("ask", "-s", SYSTEM, QUESTION)).text
    listed = said(program.run("providers", "models", "real")).text
    assert listed.strip()


# -- the engine in the program


def embedded(tmp_path: Path) -> Program:
    """A home whose models folder has the weights, linked: 98 MB need no copy."""
    program = Program(tmp_path)
    weights = smollm2_path()
    models = program.home / "data" / "models"
    models.mkdir(parents=True, mode=0o700)
    try:
        os.link(weights, models / weights.name)
    except OSError:  # another file system
        (models / weights.name).symlink_to(weights)
    return program


def children(pid: int) -> Iterator[int]:
    """*pid* and all that it started, as long as they run."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            started = (task / "children").read_text().split()
        except OSError:
            continue
        for child in started:
            yield from children(int(child))


def sockets(pid: int) -> set[str]:
    """The inodes of the sockets that a process holds."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def tcp_of(pid: int) -> list[str]:
    """The lines of TCP sockets, in any state, that *pid* or a process it started holds."""
    held = {inode for one in children(pid) for inode in sockets(one)}
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [line for line in lines if line.split()[9] in held]


def test_without_a_key_or_a_network_the_model_in_the_program_answers(tmp_path: Path) -> None:
    program = embedded(tmp_path)
    ran = said(program.run("ask", "-m", "local", "--offline", "--output-format", "stream-json", QUESTION))
    chunks = [event["delta"] for event in ran.lines if event["type"] == "response_chunk"]
    assert len(chunks) > 3
    assert "Paris" in "".join(chunks)
    (line,) = program.usage
    assert line["input"] > 0
    assert line["output"] > 0
    assert line["price"] == 0.0
    again = said(program.run("ask", "-m", "local", "--offline", QUESTION))
    assert again.text.strip() == "".join(chunks).strip()
    assert again.error == ""


@pytest.mark.parametrize("option", ["--json", "--schema"])
def test_the_model_in_the_program_answers_as_json(tmp_path: Path, option: str) -> None:
    program = embedded(tmp_path)
    schema = '{"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}}, "required": ["a"]}'
    more = ["--json"] if option == "--json" else ["--schema", schema]
    answer = said(program.run("ask", "-m", "local", *more, QUESTION)).json
    assert ("Paris" in answer["text"]) if option == "--json" else isinstance(answer["a"], str)


if sys.platform == "linux":  # it looks at /proc

    def test_the_engine_opens_no_tcp_port_and_leaves_no_process(tmp_path: Path) -> None:
        program = embedded(tmp_path)
        story = "Write a very long story about a king."
        child = program.start("ask", "-m", "local", "-o", "max_tokens=2000", story)
        try:
            read_until(child.stdout, b" ")  # it answers: whatever will listen listens now
            family = list(children(child.pid))
            handles = [os.pidfd_open(pid) for pid in family[1:]]  # readable once that process has ended
            assert len(family) > 1, "the engine runs in a child process"
            assert any(sockets(pid) for pid in family), "the engine has a socket"
            assert tcp_of(child.pid) == []
        finally:
            child.terminate()
            child.communicate(timeout=GUARD)
        for handle in handles:
            assert select.select([handle], [], [], GUARD)[0], "the engine outlives the program"
            os.close(handle)
