"""The programs of docs/server.md, as they are printed there; its tables against what the code knows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from coda_cli.server.wire import _KINDS
from tests.e2e.program import Program
from tests.e2e.test_serve import serving

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "server.md").read_text("utf-8")
WATCHING, ASKING, OWN = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    made = Program(tmp_path)
    made.scripted("It is Paris.")
    return made


def test_a_client_watches_and_asks(coda: Program) -> None:
    with serving(coda, "--allow-ask"):
        ran = coda.run(python=["-c", WATCHING])
    assert ran.code == 0, ran.error
    assert "'type': 'hello'" in ran.text
    assert "\nIt is Paris.\n" in ran.text


def test_the_openai_sdk_asks(coda: Program) -> None:
    assert 'model="local/smollm2"' in ASKING
    with serving(coda, "--allow-ask"):
        ran = coda.run(python=["-c", ASKING.replace("local/smollm2", "s/parrot")])
    assert ran.code == 0, ran.error
    *models, answer = ran.text.splitlines()
    assert "s/parrot" in models
    assert answer == "It is Paris."


def test_a_program_of_ones_own_is_a_server(coda: Program) -> None:
    ran = coda.run(python=["-c", OWN])
    assert ran.code == 0, ran.error
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", ran.text)


def test_every_option_and_every_message_is_in_the_page(coda: Program) -> None:
    told = set(re.findall(r"--[a-z][a-z-]+", coda.run("serve", "--help").text)) - {"--help", "--serve"}
    assert {name for name in told if f"`{name}" not in PAGE} == set()
    assert {kind for kind in _KINDS if f'{{"type": "{kind}"' not in PAGE} == set()


@pytest.mark.parametrize("name", ["Containerfile", "coda.service"])
def test_what_is_deployed_is_a_command_that_there_is(coda: Program, name: str) -> None:
    text = (DOCS / "deploy" / name).read_text("utf-8")
    help_text = coda.run("serve", "--help").text
    assert "--allow-ask" in text
    for option in re.findall(
        r"--[a-z][a-z-]+", next(line for line in text.splitlines() if "serve" in line and "#" not in line)
    ):
        assert option in help_text


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:  # elsewhere than on Linux there is nobody to ask
        return
    unit = (
        (DOCS / "deploy" / "coda.service").read_text("utf-8").replace("%h/.local/bin/coda", shutil.which("true") or "")
    )
    (tmp_path / "coda.service").write_text(unit)
    done = subprocess.run(
        [verify, "verify", "--user", str(tmp_path / "coda.service")], capture_output=True, text=True, check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert "coda.service" not in done.stderr, done.stderr


def test_the_container_checks_the_health_that_there_is(coda: Program) -> None:
    from tests.e2e.test_serve import told

    with serving(coda):
        text = (DOCS / "deploy" / "Containerfile").read_text("utf-8")
        code = re.search(r'CMD \["python", "-c", "(.*?)"\]', text)
        assert code is not None
        ran = coda.run(python=["-c", code[1].replace("http://127.0.0.1:8765", told(coda)["url"])])
        assert ran.code == 0, ran.error
