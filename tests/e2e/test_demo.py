"""`python -m coda_cli.demo`, as installed: every step shows what it says, with no key, no network, and no trace."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coda_cli import demo
from coda_cli.paths import models_dir
from tests.e2e.program import Program, Ran
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor
from tests.weights import smollm2_path

DEMO = ("-m", "coda_cli.demo")


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def part(ran: Ran, step: str) -> str:
    """What the step called *step* prints."""
    found = re.search(rf"^\d+\. {step}: .*?\n\n(.*?)(?=^\d+\. |\Z)", ran.text, re.MULTILINE | re.DOTALL)
    assert found, f"no step {step} in {ran.text}"
    return found[1]


def test_every_step_shows_what_it_says_and_nothing_is_sent_or_left(coda: Program) -> None:
    temporary = coda.folder / "tmp"
    temporary.mkdir()
    with ThreadedServer(FakeVendor("openai")) as fake:
        keys = {"OPENAI_API_KEY": "a-key-of-the-person", "OPENAI_BASE_URL": f"{fake.url}/v1", "TMPDIR": str(temporary)}
        ran = coda.run("--no-local", python=DEMO, env=keys)
        assert fake.server.requests == []
    assert (ran.code, ran.err) == (0, b"")
    assert (coda.files(), list(temporary.iterdir())) == ([], [])
    steps = re.findall(r"^(\d+)\. (\w+): ", ran.text, re.MULTILINE)
    assert steps == [(str(number), step.__name__) for number, step in enumerate(demo.STEPS, 1)]
    assert "actor: ✅" in part(ran, "providers")
    assert re.search(r"Response: I answer.*\n.*from actor, \d+ tokens in, \d+ out, complete", part(ran, "answer"))
    assert "Once upon a time there was a pipe" in part(ran, "streaming")
    assert re.findall(r"^ +(user|assistant): ", part(ran, "conversation"), re.MULTILINE) == ["user", "assistant"] * 3
    assert re.search(
        r"calls get_time(?s:.*)calls calculator(?s:.*)calculator gives 4\n(?s:.*), and 4\.", part(ran, "tools")
    )
    assert re.search(r"stored: .*detailed explanations(?s:.*)\| - .*detailed explanations", part(ran, "memory"))
    assert "Write formally." in part(ran, "persona")
    assert re.search(r"You are a helpful assistant(?s:.*)technical", part(ran, "prompts"))
    assert re.search(r"http://127\.0\.0\.1:\d+(?s:.*)response_start (?s:.*)response_complete", part(ran, "events"))
    assert re.search(r"Total conversations: [1-9]\d*\n  Total tokens: [1-9]", part(ran, "analytics"))
    assert part(ran, "caching").count("(asked)") == part(ran, "caching").count("(from the cache)") == 1
    errors = part(ran, "errors")
    assert errors.count("attempt 1 failed") == 3
    for name in ("Invalid API key", "Rate limited, retry after 0.1 seconds", "Request timed out", "LLM error: "):
        assert name in errors
    assert "refused: " in part(ran, "budgets")
    assert "coda models pull smollm2" in part(ran, "local")


def test_the_model_of_this_machine_answers_where_it_is_here(coda: Program) -> None:
    here = coda.home / "data" / "models" / smollm2_path().name
    here.parent.mkdir(parents=True)
    here.symlink_to(smollm2_path())
    before = coda.files()
    ran = coda.run("local", python=DEMO)
    assert ran.code == 0
    assert "Paris" in part(ran, "local")
    assert coda.files() == before
    assert models_dir().name == here.parent.name


def test_some_steps_can_be_named_and_an_unknown_one_is_an_error_of_usage(coda: Program) -> None:
    ran = coda.run("prompts", "answer", python=DEMO)
    assert re.findall(r"^\d+\. (\w+): ", ran.text, re.MULTILINE) == ["answer", "prompts"]
    wrong = coda.run("nope", python=DEMO)
    assert (wrong.code, wrong.out) == (2, b"")
    assert "there is no step 'nope'" in wrong.error


def test_help_lists_the_steps_and_writes_nothing(coda: Program) -> None:
    ran = coda.run("--help", python=DEMO)
    assert ran.code == 0
    assert all(step.__name__ in ran.text for step in demo.STEPS)
    assert coda.files() == []
