"""Shell completion: names from the settings and the last cached list, and never a connection."""

from pathlib import Path

import pytest

from tests.e2e.program import Program
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def protocol(shell: str, line: str) -> dict[str, str]:
    """What the shell's script puts into the environment; *line* ends where the cursor is."""
    if shell == "bash":
        words = line.split(" ")
        return {"_CODA_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    more = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"} if shell == "fish" else {}
    return {"_CODA_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line, **more}


def offered(coda: Program, line: str, shell: str = "bash") -> list[str]:
    ran = coda.run(env=protocol(shell, line))
    assert ran.err == b""
    return ran.text.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_models_come_from_the_last_list_without_a_connection(coda: Program, shell: str) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.models = ["alpha-one", "alpha-two"]
        coda.served_by(fake.url, tables='[aliases]\nfast = "fake/alpha-one"\n')
        assert "alpha" not in coda.run(env=protocol(shell, "coda ask -m fake/")).text
        assert fake.server.requests == []
        assert coda.run("providers", "models", "fake").code == 0
        count = len(fake.server.requests)
        models = coda.run(env=protocol(shell, "coda ask -m fake/al"))
        names = coda.run(env=protocol(shell, "coda ask -m fa"))
        assert len(fake.server.requests) == count
    for word in ("fake/alpha-one", "fake/alpha-two"):
        assert word in models.text
    assert "openai" not in models.text
    for word in ("fake", "fast"):
        assert word in names.text
    assert models.err == b""


def test_commands_options_templates_and_providers(coda: Program) -> None:
    coda.served_by("http://127.0.0.1:9", tables='[aliases]\nfast = "fake/x"\n')
    folder = coda.home / "config" / "templates"
    folder.mkdir()
    (folder / "translate.toml").write_text('prompt = "x"\n')
    assert offered(coda, "coda as") == ["ask"]
    assert "--schema" in offered(coda, "coda ask --sch")
    assert offered(coda, "coda ask -t tr") == ["translate"]
    assert "status" in offered(coda, "coda providers st")
    assert offered(coda, "coda providers models fa") == ["fake"]  # a provider, not an alias
    assert "stream-json" in offered(coda, "coda ask --output-format st")
    assert offered(coda, "coda config set-key fa") == ["fake"]


def test_broken_settings_do_not_disturb_the_shell(coda: Program) -> None:
    coda.config("broken = \n")
    cache = coda.home / "cache"
    cache.mkdir()
    (cache / "models.json").write_text("[oops")
    assert offered(coda, "coda ask -m fa") == []
    coda.config("")
    assert "openai" in offered(coda, "coda ask -m op")


def test_hostile_model_names_do_not_reach_the_shell(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.models = ["good", "two words", "new\nline", "esc\x1b[2J", "$(touch pwned)", "`touch pwned`", "a'b"]
        coda.served_by(fake.url)
        assert coda.run("providers", "models", "fake").code == 0
    for shell in ("bash", "zsh", "fish"):
        ran = coda.run(env=protocol(shell, "coda ask -m fake/"))
        assert "good" in ran.text
        assert "\x1b" not in ran.text, shell
        assert "touch pwned" not in ran.text, shell


def test_the_scripts_for_the_shells(coda: Program) -> None:
    for shell in ("bash", "zsh", "fish"):
        ran = coda.run("--show-completion", shell)
        assert ran.code == 0, ran.error
        assert "_CODA_COMPLETE" in ran.text
    assert coda.files() == []


def test_completion_loads_nothing_heavy(coda: Program) -> None:
    coda.scripted("x")
    code = (
        "import sys\nsys.argv = ['coda']\nfrom coda_cli.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'openai', 'anthropic', 'ollama', 'httpx', 'httpx2', 'rich', 'textual', 'torch', 'xllamacpp'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    ran = coda.run(env=protocol("bash", "coda ask -m s"), python=["-c", code])
    assert ran.text.splitlines()[-1] == "heavy: []"
