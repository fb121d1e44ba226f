"""What each way in imports, read off `sys.modules` of a fresh process: speed and the walls of the house."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "aiohttp",
    "anthropic",
    "genai_prices",
    "httpx",
    "httpx2",
    "keyring",
    "markdown_it",
    "ollama",
    "openai",
    "prompt_toolkit",
    "pygments",
    "rich",
    "textual",
    "tomlkit",
    "torch",
    "transformers",
    "xllamacpp",
}
UI = {"prompt_toolkit", "rich", "textual", "typer"}


def modules_after(code: str, *arguments: str) -> set[str]:
    """The modules that a fresh interpreter has loaded when *code* ends, as full names."""
    program = f"""
import json, sys
sys.argv = ["coda", *{list(arguments)!r}]
try:
    exec({code!r})
except SystemExit:
    pass
print("\\n" + json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    return set(json.loads(done.stdout.rsplit("\n", 2)[-2]))


def roots(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


MAIN = "from coda_cli.__main__ import main; main()"


def test_version_imports_nothing_but_the_package() -> None:
    loaded = modules_after(MAIN, "--version")
    assert not roots(loaded) & (HEAVY | UI | {"pydantic", "asyncio"})
    assert {name for name in loaded if name.startswith("coda_cli")} <= {"coda_cli", "coda_cli.__main__"}


def test_importing_the_package_is_free() -> None:
    assert {name for name in modules_after("import coda_cli") if name.startswith("coda_cli.")} == set()


def test_help_imports_no_command_and_nothing_heavy() -> None:
    loaded = modules_after(MAIN, "--help")
    assert not roots(loaded) & HEAVY
    assert not any(name.startswith(("coda_cli.cli.ask", "coda_cli.engine.manager")) for name in loaded)


def test_the_program_ends_without_going_through_all_of_its_objects() -> None:
    code = "import atexit, gc; atexit.register(lambda: print(len(gc.get_objects()), gc.get_freeze_count())); "
    done = subprocess.run(
        [sys.executable, "-c", code + MAIN, "config", "path"], capture_output=True, text=True, check=True
    )
    left, frozen = map(int, done.stdout.splitlines()[-1].split())
    assert left < frozen / 10


@pytest.mark.parametrize(
    "command",
    [["ask", "--help"], ["providers", "--help"], ["models", "--help"], ["serve", "--help"], ["config", "path"]],
)
def test_a_command_imports_nothing_heavy_before_it_needs_it(command: list[str]) -> None:
    assert not roots(modules_after(MAIN, *command)) & HEAVY


def test_the_engine_runs_without_a_user_interface_or_an_sdk() -> None:
    loaded = roots(modules_after("import coda_cli; [getattr(coda_cli, name) for name in coda_cli.__all__]"))
    assert not loaded & (UI | HEAVY)


def test_a_scripted_answer_on_a_pipe_loads_no_sdk_and_no_terminal_toolkit() -> None:
    code = (
        "import asyncio; from coda_cli import *; p = ScriptedProvider(replies=['hi']);"
        "m = LLMManager(LLMConfig(providers={'s': p.config})); m._providers['s'] = p;"
        "asyncio.run(m.generate_response('x')._result())"
    )
    assert not roots(modules_after(code)) & (HEAVY | UI)


def test_all_names_resolve_and_are_sorted() -> None:
    import coda_cli

    assert coda_cli.__all__ == sorted(coda_cli.__all__)
    assert set(coda_cli._HOMES) == set(coda_cli.__all__)
    for name in coda_cli.__all__:
        assert getattr(coda_cli, name) is not None
