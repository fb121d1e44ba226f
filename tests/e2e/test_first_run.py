"""The first minutes: no settings, no key, no files. What is created, with which modes, and what is imported."""

import re
import stat
import threading
from pathlib import Path

import pytest

from tests.e2e.program import Program, finish
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

HEAVY = {
    "anthropic",
    "genai_prices",
    "httpx",
    "httpx2",
    "keyring",
    "markdown_it",
    "ollama",
    "openai",
    "pydantic",
    "rich",
    "textual",
    "tomlkit",
    "torch",
    "transformers",
    "typer",
    "xllamacpp",
}


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def loaded(coda: Program, *arguments: str) -> set[str]:
    """The top-level modules that are there when the program leaves."""
    code = (
        "import sys, atexit\nsys.argv = ['coda', *sys.argv[1:]]\n"
        "atexit.register(lambda: print('MODULES', *sorted({name.split('.')[0] for name in sys.modules})))\n"
        "from coda_cli.__main__ import main\nmain()\n"
    )
    ran = coda.run(*arguments, python=["-c", code])
    assert ran.code == 0, ran.error
    return set(ran.text.splitlines()[-1].split()[1:])


def test_version_and_help_load_nothing_heavy(coda: Program) -> None:
    assert loaded(coda, "--version") & (HEAVY | {"asyncio", "json", "platformdirs"}) == set()
    # Typer itself brings pydantic where that is installed.
    allowed = {"typer", "pydantic"}
    assert loaded(coda, "--help") & HEAVY <= allowed
    assert loaded(coda, "ask", "--help") & HEAVY <= allowed
    assert coda.files() == []


def test_version(coda: Program) -> None:
    for flag in ("--version", "-V"):
        ran = coda.run(flag)
        assert re.fullmatch(r"coda \d+\.\d+\.\d+\S*\n", ran.text)
        assert (ran.code, ran.err) == (0, b"")
    # The version is also an answer where another word stands before it or the settings are broken.
    coda.config("broken = \n")
    assert coda.run("--version").code == 0
    assert coda.run("--help").code == 0


def test_an_answer_loads_only_its_own_sdk(coda: Program) -> None:
    coda.scripted("the answer")
    modules = loaded(coda, "ask", "hi")
    assert modules & (HEAVY - {"pydantic", "genai_prices"}) == set()


def test_a_mere_read_writes_nothing(coda: Program) -> None:
    commands = ["config show", "config path", "config check", "doctor", "providers list", "templates list"]
    commands += ["models list", "models path", "templates path", "config show --origin"]
    for command, ran in zip(commands, coda.run_all([command.split() for command in commands]), strict=True):
        assert ran.code in (0, 1), (command, ran.error)
    assert coda.files() == []


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_folders_0700_and_files_0600_whatever_the_umask(coda: Program, umask: int) -> None:
    coda.home.rmdir()
    env = {"CODA_PROVIDERS__S__TYPE": "scripted", "CODA_DEFAULT_PROVIDER": "s"}
    with ThreadedServer(FakeVendor("openai")) as fake:
        env |= {"OPENAI_BASE_URL": fake.url + "/v1"}
        assert coda.run("ask", "-m", "s", "hi", env=env, umask=umask).code == 0
        assert coda.run("providers", "models", "openai", env=env, umask=umask).code == 0
        assert coda.run("config", "set", "offline", "false", umask=umask).code == 0
        assert coda.run("config", "set-key", "openai", stdin=b"k\n", umask=umask).code == 0
        assert coda.run("templates", "edit", "mine", env={"EDITOR": "true"}, umask=umask).code == 0
    seen = [coda.home, *coda.home.rglob("*")]
    assert {path.name for path in seen} >= {"coda.toml", "usage.jsonl", "models.json", "mine.toml"}
    for path in seen:
        mode = path.stat().st_mode
        assert stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600), path


def test_with_nothing_configured_the_built_in_model_is_chosen_and_named(coda: Program) -> None:
    ran = coda.run("ask", "--offline", "hi")
    assert ran.code == 1
    assert "hint:" in ran.error
    assert ran.out == b""
    with coda.terminal("ask", "--offline", "hi") as tty:
        assert tty.end() == 1
    flat = " ".join(tty.text.split())
    assert "using local" in flat
    assert "tiny" in flat
    assert "-m" in flat
    again = coda.terminal("ask", "--offline", "hi")
    with again as tty:
        assert tty.end() == 1
    assert "using local" not in tty.text  # told once


def test_a_key_then_ollama_then_this_machine(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as openai, ThreadedServer(FakeVendor("ollama")) as ollama:
        openai.server.answer, ollama.server.answer = "from openai", "from ollama"
        env = {"OLLAMA_HOST": ollama.url}
        key = {"OPENAI_BASE_URL": openai.url + "/v1", "OPENAI_API_KEY": "k"}
        by_key = coda.run("ask", "hi", env=env | key)
        by_ollama = coda.run("ask", "hi", env=env)
        ollama.server.catalog = []
        nobody = coda.run("ask", "hi", "--offline", env=env)
    assert by_key.text == "from openai\n"
    assert by_ollama.text == "from ollama\n"
    assert nobody.code == 1
    assert "local" in nobody.error or "model" in nobody.error


def test_no_terminal_and_no_arguments_says_how_to_begin(coda: Program) -> None:
    ran = coda.run()
    assert ran.code == 2
    assert "coda ask" in ran.text + ran.error


def test_everything_at_once(coda: Program) -> None:
    """Several processes share one home: nobody fails, and no file is torn."""
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        children = [coda.start("ask", f"n{n}") for n in range(2)]
        children += [coda.start("providers", "models", "fake") for _ in range(2)]
        children += [coda.start("config", "set", "cache_ttl_seconds", f"{n + 1}") for n in range(2)]
        ends: list[int] = []
        threads = [threading.Thread(target=lambda child=child: ends.append(finish(child).code)) for child in children]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ends == [0] * 6
    assert len(coda.usage) == 2
    assert coda.run("config", "check").code == 0
    assert not [name for name in coda.files() if name.endswith(".tmp")]


def test_coda_home_decides_where_everything_goes(coda: Program) -> None:
    coda.home.rmdir()
    before = {path.name for path in coda.folder.iterdir()}
    xdg = str(coda.folder / "xdg")
    env = {"CODA_HOME": "", "XDG_DATA_HOME": xdg, "XDG_CACHE_HOME": xdg, "CODA_PROVIDERS__S__TYPE": "scripted"}
    assert coda.run("ask", "-m", "s", "hi", env=env).code == 0
    assert (coda.folder / "xdg" / "coda" / "usage.jsonl").is_file()
    assert {path.name for path in coda.folder.iterdir()} - before == {"xdg"}
