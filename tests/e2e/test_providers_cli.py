"""`coda providers`: status, list, models; `coda config set-key`; what `--help` says."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.program import Program, read_until
from tests.servers.reply import Gate, Reply
from tests.servers.threaded import SilentPort, ThreadedServer, dead_port
from tests.servers.vendors import FakeVendor

COMMANDS = [
    "",
    "ask",
    "usage",
    "finetune",
    "finetune export",
    "finetune create",
    "finetune status",
    "finetune list",
    "providers",
    "providers status",
    "providers list",
    "providers models",
    "models",
    "models list",
    "models pull",
    "models remove",
    "models path",
    "templates",
    "templates list",
    "templates show",
    "templates edit",
    "templates path",
    "config",
    "config show",
    "config path",
    "config edit",
    "config check",
    "config set",
    "config unset",
    "config set-key",
    "config remove-key",
    "events",
    "events schema",
    "events types",
    "doctor",
]
KEY = "sk-canary-7781"


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def hosts(good: str, dead: int, silent: str) -> str:
    return (
        f'[providers.dead]\ntype = "openai"\nmodel = "m"\napi_base = "http://127.0.0.1:{dead}/v1"\n'
        f'[providers.silent]\ntype = "openai"\nmodel = "m"\nconnect_timeout = 1\napi_base = "{silent}/v1"\n'
        f'[providers.good]\ntype = "openai"\nmodel = "fake-model"\napi_key_env = "GOOD_KEY"\napi_base = "{good}/v1"\n'
    )


def test_status_of_one_good_and_two_dead_hosts(coda: Program) -> None:
    dead = dead_port()
    with ThreadedServer(FakeVendor("openai")) as fake, SilentPort() as silent:
        fake.server.api_key = KEY
        tables = hosts(fake.url, dead, silent.url)
        env = {"GOOD_KEY": KEY}
        coda.config(f'default_provider = "good"\n{tables}')
        asked = coda.run("ask", "hi", env=env)
        assert asked.code == 0
        text, listed = coda.run_all([["providers", "status"], ["providers", "status", "--json"]], env=env)
        coda.config(f'default_provider = "dead"\n{tables}')
        bad = coda.run("providers", "status", "--json", env=env)
        coda.config(f'default_provider = "good"\n{tables}')
        locked = coda.run("providers", "status", "--json", env={"GOOD_KEY": "wrong"})
        assert [request.path for request in fake.server.asked] == ["/v1/chat/completions"]
    assert (text.code, listed.code, bad.code, locked.code) == (0, 0, 1, 4)
    rows = {row["provider"]: row for row in listed.json}
    assert [rows[name]["available"] for name in ("good", "dead", "silent")] == [True, False, False]
    assert rows["good"]["default"] is True
    assert rows["good"]["model"] == "fake-model"
    assert rows["good"]["requests"] == 1
    assert rows["good"]["tokens"] == 15
    assert rows["good"]["latency"] > 0
    assert "GOOD_KEY" in rows["good"]["key"]
    for name in ("dead", "silent"):
        assert rows[name]["reason"]
        assert rows[name]["hint"]
    assert str(dead) in rows["dead"]["reason"]
    for ran in (asked, text, listed, bad, locked):
        assert KEY not in ran.text + ran.error
        assert "wrong" not in ran.text
    assert "hint:" in text.text
    assert text.err == b""
    assert "\x1b" not in text.text
    assert "\n\n" not in text.text


def test_status_asks_all_hosts_at_once(coda: Program) -> None:
    gate = Gate()
    with ThreadedServer(FakeVendor("openai")) as one, ThreadedServer(FakeVendor("openai")) as two:
        body = json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]}).encode()
        for fake in (one, two):
            fake.server.routes["/v1/models"] = Reply(headers={"content-type": "application/json"}, body=[gate, body])
        coda.config(
            "".join(
                f'[providers.p{n}]\ntype = "openai"\nmodel = "m"\napi_base = "{fake.url}/v1"\n'
                for n, fake in enumerate((one, two))
            )
        )
        child = coda.start("providers", "status", "--json")
        try:
            one.wait_for_requests(1)
            two.wait_for_requests(1)
        finally:
            gate.open()
        read_until(child.stdout, b'"p1"')
        child.communicate(timeout=60)


def test_status_looks_the_model_up_where_the_host_tells_what_it_has(coda: Program) -> None:
    with ThreadedServer(FakeVendor("ollama")) as ollama, ThreadedServer(FakeVendor("openai")) as server:
        coda.config(
            'default_provider = "mine"\n'
            f'[providers.mine]\ntype = "ollama"\nmodel = "fake-model"\napi_base = "{ollama.url}"\n'
            f'[providers.other]\ntype = "openai"\nmodel = "fake-modell"\napi_base = "{server.url}/v1"\n'
        )
        good = coda.run("providers", "status", "--json")
        lacking, shown, doubtful = (
            coda.run("providers", "status", *flags, env={"CODA_MODEL": model})
            for flags, model in ((["--json"], "mine/nope:7b"), ([], "nope:7b"), ([], "other"))
        )
        asked = [request.path for fake in (ollama, server) for request in fake.server.requests]
    assert asked == ["/api/tags"] * 4 + ["/v1/models"] * 4
    rows = {row["provider"]: row for row in good.json}
    assert good.code == 0
    assert (rows["mine"]["reason"], rows["other"]["available"]) == (None, True)
    assert "fake-modell" in rows["other"]["reason"]
    row = next(row for row in lacking.json if row["provider"] == "mine")
    assert (lacking.code, row["model"], row["hint"]) == (1, "nope:7b", "ollama pull nope:7b")
    assert shown.code == 1
    assert "ollama pull nope:7b" in shown.text
    assert doubtful.code == 0
    assert "warning:" in doubtful.text
    assert "ollama pull" not in doubtful.text


def test_status_in_a_terminal(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake, SilentPort() as silent:
        coda.config(f'default_provider = "good"\n{hosts(fake.url, dead_port(), silent.url)}')
        with coda.terminal("providers", "status", rows=40) as tty:
            assert tty.end() == 0
    for word in ("good", "dead", "silent", "ok", "down", "hint:"):
        assert word in tty.text
    assert max(len(line) for line in tty.text.split("\n")) <= 80


def test_status_with_nothing_configured(coda: Program) -> None:
    ran = coda.run("providers", "status", "--json")
    assert ran.code in (0, 1)
    rows = {row["provider"]: row for row in ran.json}
    assert list(rows) == ["openai", "anthropic", "ollama", "local"]
    assert [name for name, row in rows.items() if row["default"]] == ["local"]
    assert "OPENAI_API_KEY" in rows["openai"]["hint"]
    assert coda.files() == []


def test_status_offline_before_the_model_was_fetched(coda: Program) -> None:
    """`coda ask --offline` cannot answer then, so the status must not say that it can."""
    ran = coda.run("providers", "status", "--offline", "--json")
    local = next(row for row in ran.json if row["provider"] == "local")
    assert (ran.code, local["available"]) == (1, False)
    assert local["hint"]


def test_list_asks_nobody_and_names_what_exists(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        text, listed = coda.run_all([["providers", "list"], ["providers", "list", "--json"]])
        assert fake.server.requests == []
    names = ["openai", "anthropic", "ollama", "local", "fake"]
    assert sorted(row["provider"] for row in listed.json) == sorted(names)
    assert all(name in text.text for name in names)


def test_models_of_a_provider(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake, ThreadedServer(FakeVendor("ollama")) as ollama:
        fake.server.models = ["plain-model", "evil\x1b[31m\u202emodel"]
        coda.served_by(fake.url)
        text, listed, tags, unknown = coda.run_all(
            [
                ["providers", "models", "fake"],
                ["providers", "models", "fake", "--json"],
                ["providers", "models", "ollama", "--json"],
                ["providers", "models", "fkae"],
            ],
            env={"OLLAMA_HOST": ollama.url},
        )
        with coda.terminal("providers", "models", "fake") as tty:
            assert tty.end() == 0
    assert "plain-model" in text.text
    assert next(row["id"] for row in listed.json) == "plain-model"
    assert [row["id"] for row in tags.json] == ["fake-model:latest", "fake-model:mini"]
    assert b"\x1b[31m" not in tty.raw
    assert "\u202e" not in tty.raw.decode()
    assert unknown.code == 2
    assert "fake" in unknown.error


def test_models_of_a_dead_or_locked_provider(coda: Program) -> None:
    coda.served_by(f"http://127.0.0.1:{dead_port()}")
    dead, locked = coda.run_all([["providers", "models", "fake"], ["providers", "models", "openai"]])
    assert (dead.code, locked.code) == (1, 4)
    for ran in (dead, locked):
        assert ran.out == b""
        assert "hint:" in ran.error


def test_every_help_has_an_example(coda: Program) -> None:
    code = (
        "import sys, contextlib, io\nfrom coda_cli.cli.app import run\n"
        "for line in sys.stdin.read().split('\\n'):\n"
        "    for flag in ('--help', '-h'):\n"
        "        out = io.StringIO()\n"
        "        with contextlib.redirect_stdout(out):\n"
        "            code = run([*line.split(), flag])\n"
        "        print(line, flag, code, 'xample' in out.getvalue(), 'coda ' in out.getvalue().split('xample')[-1])\n"
    )
    ran = coda.run(stdin="\n".join(COMMANDS).encode(), python=["-c", code])
    for line in ran.text.splitlines():
        assert line.endswith(" 0 True True"), line
    assert len(ran.text.splitlines()) == 2 * len(COMMANDS)
    assert coda.files() == []


def test_every_list_and_show_takes_json(coda: Program) -> None:
    coda.scripted("x")
    commands = ["providers status", "providers list", "models list", "templates list", "config show", "doctor"]
    commands += ["providers models s", "config check", "config path", "usage", "usage --by tag"]
    for command, ran in zip(commands, coda.run_all([[*c.split(), "--json"] for c in commands]), strict=True):
        if command == "config path":  # shows one plain line
            continue
        assert ran.code == 0, (command, ran.error)
        assert ran.json is not None


def test_set_key_reads_stdin_and_never_shows_the_key(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.api_key = KEY
        coda.served_by(fake.url)
        argument = coda.run("config", "set-key", "fake", KEY)
        assert argument.code == 2
        assert KEY not in argument.text + argument.error
        stored = coda.run("config", "set-key", "fake", stdin=KEY.encode() + b"\n")
        assert stored.code == 0, stored.error
        runs = [coda.run("ask", "hi")]
        shows = ["config show", "config show --json", "doctor", "providers status", "providers list"]
        runs += coda.run_all(command.split() for command in shows)
        removed = coda.run("config", "remove-key", "fake")
        after = coda.run("ask", "hi")
        empty = coda.run("config", "set-key", "fake", stdin=b"\n")
        unknown = coda.run("config", "set-key", "fkae", stdin=KEY.encode())
    assert runs[0].code == 0, runs[0].error
    for ran in (stored, *runs, removed, after):
        assert KEY not in ran.text + ran.error
    assert after.code == 4
    assert (empty.code, unknown.code) == (2, 2)
    keys = coda.home / "config" / "keys.toml"
    if keys.exists():
        assert keys.stat().st_mode & 0o777 == 0o600


def test_set_key_in_a_terminal_does_not_echo(coda: Program) -> None:
    coda.served_by("http://127.0.0.1:9")
    with coda.terminal("config", "set-key", "fake") as tty:
        tty.until(lambda text: "not shown" in text)
        os.write(tty._master, KEY.encode() + b"\n")
        assert tty.end() == 0
    assert KEY.encode() not in tty.raw


def test_config_round_trip_keeps_comments(coda: Program) -> None:
    coda.config('# mine\ndefault_provider = "openai"  # because\n')
    assert coda.run("config", "set", "providers.openai.timeout", "60").code == 0
    wrong = coda.run("config", "set", "providers.openai.timeout", "soon")
    assert wrong.code == 2
    text = coda.config_file.read_text()
    assert "# mine" in text
    assert "# because" in text
    assert "soon" not in text
    assert coda.run("config", "unset", "providers.openai.timeout").code == 0
    assert "60" not in coda.config_file.read_text()
    assert coda.run("config", "path").text == f"{coda.config_file}\n"
