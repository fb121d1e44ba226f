"""Keys stay secret and go only to their own vendor; `--offline` connects to nobody outside; no text is left behind."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.e2e.program import Program, finish, held
from tests.servers.errors import error_reply
from tests.servers.reply import Gate, Reply
from tests.servers.script import Used, say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

CANARIES = {
    "OPENAI_API_KEY": "sk-canary-openai-4411",
    "ANTHROPIC_API_KEY": "sk-canary-anthropic-4412",
    "OLLAMA_API_KEY": "canary-ollama-4413",
    "HF_TOKEN": "hf_canary4414",
}
CANARY = re.compile(r"canary")

LOG = [
    "time",
    "conversation",
    "provider",
    "model",
    "input",
    "cached",
    "output",
    "reasoning",
    "price",
    "latency",
    "retries",
    "error",
]


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_keys_are_never_shown(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        env = {**CANARIES, "OPENAI_BASE_URL": fake.url + "/v1", "ANTHROPIC_BASE_URL": fake.url, "OLLAMA_HOST": fake.url}
        commands = ["config show", "config show --json --origin", "doctor", "doctor --json", "providers list --json"]
        commands += ["providers status --json", "ask -m openai hi --json", "ask -m anthropic hi", "ask -m ollama hi"]
        runs = coda.run_all([command.split() for command in commands], env={**env, "PYTHONASYNCIODEBUG": "1"})
        noisy = coda.run("ask", "-m", "openai", "hi", env={**env, "OPENAI_LOG": "debug", "HTTPX_LOG_LEVEL": "trace"})
    for command, ran in zip([*commands, "noisy"], [*runs, noisy], strict=True):
        assert not CANARY.search(ran.text + ran.error), command
    for path in coda.home.rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes(), path


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_a_server_that_repeats_the_key_does_not_get_it_shown(coda: Program, vendor: str) -> None:
    key = CANARIES[f"{vendor.upper()}_API_KEY"]
    with ThreadedServer(FakeVendor("openai")) as fake:
        error = {"type": "error", "error": {"type": "authentication_error", "message": f"bad key {key}", "code": "x"}}
        reply = Reply.json(error, 401)
        fake.server.routes = {"/v1/chat/completions": reply, "/v1/messages": reply, "/v1/models": reply}
        env = {f"{vendor.upper()}_API_KEY": key, f"{vendor.upper()}_BASE_URL": fake.url}
        if vendor == "openai":
            env["OPENAI_BASE_URL"] += "/v1"
        runs = [
            coda.run(*command.split(), env=env)
            for command in (f"ask -m {vendor} hi", f"ask -m {vendor} hi --json", "providers status")
        ]
    assert runs[0].code == 4
    for ran in runs:
        assert key not in ran.text + ran.error


def test_a_vendors_key_goes_only_to_that_vendor(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as own, ThreadedServer(FakeVendor("openai")) as other:
        coda.served_by(
            other.url,
            name="house",
            tables=f'[providers.named]\ntype = "openai"\napi_base = "{other.url}/v1"\nmodel = "m"\n'
            'api_key_env = "HOUSE_KEY"\n',
        )
        env = {**CANARIES, "OPENAI_BASE_URL": own.url + "/v1", "HOUSE_KEY": "house-secret"}
        for model in ("house", "named", "openai"):
            assert coda.run("ask", "-m", model, "hi", env=env).code == 0
        assert coda.run("providers", "status", env={**env, "ANTHROPIC_BASE_URL": other.url}).code in (0, 1)
        sent = [json.dumps(request.headers) + request.body.decode() for request in other.server.requests]
        mine = [json.dumps(request.headers) for request in own.server.asked]
        asked = [json.dumps(request.headers) for request in other.server.asked]
    assert not any(CANARIES["OPENAI_API_KEY"] in text for text in sent)
    assert not any(CANARIES["HF_TOKEN"] in text for text in sent)
    assert "house-secret" not in asked[0]
    assert "house-secret" in asked[1]
    assert CANARIES["OPENAI_API_KEY"] in mine[0]
    assert CANARIES["ANTHROPIC_API_KEY"] not in mine[0]


def test_a_key_does_not_follow_a_redirect(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as own, ThreadedServer(FakeVendor("openai")) as other:
        target = {"location": other.url + "/v1/chat/completions"}
        own.server.routes["/v1/chat/completions"] = Reply(status=307, headers=target)
        env = {**CANARIES, "OPENAI_BASE_URL": own.url + "/v1"}
        ran = coda.run("ask", "-m", "openai", "hi", env=env)
        assert other.server.requests == []
    assert ran.code == 1


def test_stored_keys_are_in_no_process_list(coda: Program) -> None:
    gate = Gate()
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.queue(held([*say("some words"), Used(input=1, output=1)], gate, after=1))
        coda.served_by(fake.url)
        assert coda.run("config", "set-key", "fake", stdin=b"stored-canary-1\n").code == 0
        trace = coda.folder / "trace"
        child = coda.start("ask", "hi", prefix=["strace", "-f", "-s", "9999", "-v", "-o", str(trace), "-e", "execve"])
        try:
            fake.wait_for_requests(1)
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                except OSError:
                    continue
                assert b"stored-canary-1" not in shown
        finally:
            gate.open()
        assert finish(child).code == 0
        assert "stored-canary-1" in json.dumps(fake.server.asked[0].headers)
    assert "stored-canary-1" not in trace.read_text()


def test_no_child_process_gets_the_keys_of_the_environment(coda: Program) -> None:
    trace = coda.folder / "trace"
    with ThreadedServer(FakeVendor("openai")) as fake:
        env = {**CANARIES, "OPENAI_BASE_URL": fake.url + "/v1"}
        prefix = ["strace", "-f", "-s", "9999", "-v", "-o", str(trace), "-e", "execve"]
        assert coda.run("ask", "-m", "openai", "hi", env=env, prefix=prefix).code == 0
    # The first is the program itself.
    started = [line for line in trace.read_text().splitlines() if "execve(" in line and "ENOENT" not in line][1:]
    assert [line[:80] for line in started if CANARY.search(line)] == []


def test_looking_for_a_key_starts_no_compiler(coda: Program) -> None:
    """Some keyring backends look for libraries of other systems by running the C compiler and linker."""
    trace = coda.folder / "trace"
    prefix = ["strace", "-f", "-o", str(trace), "-e", "execve"]
    ran = coda.run("ask", "-m", "openai", "hi", prefix=prefix, env={"PYTHON_KEYRING_BACKEND": ""})
    assert ran.code == 4
    started = [line.split('"')[1] for line in trace.read_text().splitlines() if "execve(" in line and " = 0" in line]
    assert len(started) == 1, started


@pytest.mark.parametrize("case", ["flag", "environment", "settings"])
def test_offline_connects_to_this_machine_only(coda: Program, case: str) -> None:
    trace = coda.folder / "trace"
    env = {**CANARIES, "OPENAI_BASE_URL": "http://192.0.2.7/v1"}
    prefix = ["strace", "-f", "-o", str(trace), "-e", "trace=connect,sendto,sendmsg"]
    if case == "environment":
        env["CODA_OFFLINE"] = "1"
    if case == "settings":
        coda.config("offline = true\n")
    flags = ["--offline"] if case == "flag" else []
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.config_file.parent.mkdir(exist_ok=True)
        with coda.config_file.open("a") as file:
            file.write(f'[providers.near]\ntype = "openai"\napi_base = "{fake.url}/v1"\nmodel = "m"\n')
            file.write('[providers.far]\ntype = "openai"\napi_base = "http://example.invalid/v1"\nmodel = "m"\n')
        calls = []
        commands = [["ask", "-m", "near", "hi"], ["ask", "-m", "far", "hi"], ["providers", "status"]]
        if case == "flag":
            commands += [["models", "pull", "smollm2"], ["providers", "models", "anthropic"], ["ask", "hi"]]
        for command in commands:
            ran = coda.run(*command, *flags, env=env, prefix=prefix)
            assert ran.code == (1 if {"far", "anthropic", "pull"} & set(command) else 0), (command, ran)
            calls += trace.read_text().splitlines()
    inet = [line for line in calls if "sa_family=AF_INET" in line]
    assert [line for line in inet if 'inet_addr("127.' not in line and '"::1"' not in line] == []
    assert any("127.0.0.1" in line for line in calls)


def test_every_request_leaves_one_line_in_the_usage_log(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        fake.server.fail_first(1, error_reply("openai", "overloaded", retry_after="0"))
        fake.server.script = [*say("yes"), Used(input=10, output=4, cached=3, reasoning=1)]
        began = time.time()
        assert coda.run("ask", "secret question").code == 0
        fake.server.fail_first(1, error_reply("openai", "unauthorized"))
        assert coda.run("ask", "hi").code == 4
    good, bad = coda.usage
    assert set(LOG) <= set(good)
    assert began - 1 <= good["time"] <= time.time() + 1
    assert (good["provider"], good["model"]) == ("fake", "fake-model")
    assert (good["input"], good["cached"], good["output"], good["reasoning"]) == (10, 3, 4, 1)
    assert good["price"] == "unpriced"
    assert (good["retries"], good["error"]) == (1, None)
    assert bad["error"] == "LLMAuthenticationError"
    assert "secret" not in (coda.home / "data" / "usage.jsonl").read_text()


def test_an_address_of_ones_own_has_no_vendors_price(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.script = [*say("yes"), Used(input=1000, output=1000)]
        coda.served_by(fake.url)
        ran = coda.run("ask", "--json", "-m", "fake/gpt-4o", "hi")
        vendor = coda.run(
            "ask",
            "--json",
            "-m",
            "openai/gpt-4o",
            "hi",
            env={"OPENAI_BASE_URL": fake.url + "/v1", "OPENAI_API_KEY": "k"},
        )
    assert ran.json["cost_usd"] is None
    assert vendor.json["cost_usd"] is None
    assert coda.usage[-1]["price"] == "unpriced"


def test_processes_that_log_at_once_lose_no_line(coda: Program) -> None:
    coda.scripted("the answer")
    children = [coda.start("ask", f"question {n}") for n in range(4)]
    assert [finish(child).code for child in children] == [0, 0, 0, 0]
    assert len(coda.usage) == 4
    assert len({line["conversation"] for line in coda.usage}) == 4


def test_no_log_leaves_no_file_at_all(coda: Program, tmp_path: Path) -> None:
    config = tmp_path / "elsewhere.toml"
    config.write_text('default_provider = "s"\n[providers.s]\ntype = "scripted"\n')
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    cases = [["ask", "-n", "hi"], ["ask", "--no-log", "-m", "openai", "hi"], ["ask", "-n", "-m", "s", "-m", "s", "hi"]]
    assert [ran.code for ran in coda.run_all(cases, env={"CODA_CONFIG": str(config)})] == [0, 4, 0]
    assert coda.files() == []
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_what_the_answer_cost_is_told_when_asked_for(coda: Program) -> None:
    coda.scripted("the answer")
    ran = coda.run("ask", "--usage", "hi")
    assert ran.out == b"the answer\n"
    assert "tokens" in ran.error
