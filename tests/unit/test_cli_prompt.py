"""`coda prompt`: what a question goes out with, and a prompt rewritten by a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from coda_cli import PersonalityManager, PromptEnhancer, paths
from coda_cli.chat.session import ChatSession
from coda_cli.cli import prompt as command
from coda_cli.engine.core.errors import LLMError, UsageError
from coda_cli.engine.prompting.sections import SECTIONS
from coda_cli.engine.providers.scripted import Reply
from coda_cli.settings.templates import template_file
from tests.unit.chat_front import provider_of, session_with
from tests.unit.prompt_ports import Memory

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    return lambda *arguments, **more: CliRunner().invoke(command.app, list(arguments), **more)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[str | Reply]], ChatSession]:
    """Let the command have a manager whose model says *replies*."""

    def wire(replies: Sequence[str | Reply]) -> ChatSession:
        session = session_with(replies)
        monkeypatch.setattr("coda_cli.bootstrap.wire", lambda *_, **__: session.wired)
        return session

    return wire


# ---- show -------------------------------------------------------------------------------------------------------


def test_every_section_is_shown_with_its_tokens(run: Run, answering: Callable[..., ChatSession]) -> None:
    manager = answering(["x"]).manager
    memory = Memory(["lives in Bern"])
    manager.prompts = PromptEnhancer(memory, PersonalityManager("editor"), sections=["persona", "memories"])
    shown = run("show", "-s", "Be nice.", "where", "do", "I", "live?")
    assert "── your own, 3 tokens\nBe nice." in shown.stdout
    assert "── persona, " in shown.stdout
    assert "| - lives in Bern (2026-11-02)" in shown.stdout
    assert memory.asked[-1].question == "where do I live?"
    assert memory.asked[-1].day
    value = json.loads(run("show", "--json", "-s", "Be nice.").stdout)
    assert [section["name"] for section in value["sections"]] == ["persona", "memories"]
    assert value["text"].startswith("Be nice.\n\nYou edit")
    assert value["sections"][1]["sources"] == ["m0"]


def test_a_section_that_was_cut_says_so(run: Run, answering: Callable[..., ChatSession]) -> None:
    manager = answering(["x"]).manager
    manager.prompts = PromptEnhancer(Memory(["word " * 2_000]), sections=["memories"])
    assert "── memories, 0 tokens (1 of 1 notes do not fit)" in run("show").stdout


def test_with_nothing_to_add_it_says_so(run: Run, answering: Callable[..., ChatSession]) -> None:
    answering(["x"]).manager.prompts = None
    shown = run("show", "hello")
    assert shown.stdout == ""
    assert "the question goes out alone" in shown.stderr


def test_for_a_small_model_it_says_what_is_left_out(
    run: Run, answering: Callable[..., ChatSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = answering(["x"]).manager
    manager.prompts = PromptEnhancer(Memory(["a", "b", "c"], ["short answers"]), sections=SECTIONS)
    monkeypatch.setattr(command, "_small", lambda *_: True)
    shown = run("show", "hello")
    assert "── preferences, 0 tokens (left out: the model is small)" in shown.stdout
    assert "(1 of 3 notes left out: the model is small)" in shown.stdout
    assert '"a." "b."' in shown.stdout


# ---- improve ----------------------------------------------------------------------------------------------------


def test_what_would_change_is_shown_and_nothing_is_written(
    run: Run, answering: Callable[..., ChatSession], tmp_path: Path
) -> None:
    provider = provider_of(answering(["Summarise $text in three bullet points."]))
    file = tmp_path / "prompt.txt"
    file.write_text("pls summarize $text good\n")
    shown = run("improve", str(file))
    assert "-pls summarize $text good" in shown.stdout
    assert "+Summarise $text in three bullet points." in shown.stdout
    assert file.read_text() == "pls summarize $text good\n"
    [request] = provider.requests
    assert request.messages[-1].content == "pls summarize $text good\n"
    assert not request.tools


def test_with_write_the_file_is_replaced(run: Run, answering: Callable[..., ChatSession], tmp_path: Path) -> None:
    answering(["```\nBetter.\n```"])
    file = tmp_path / "prompt.txt"
    file.write_text("worse\n")
    file.chmod(0o640)
    value = json.loads(run("improve", str(file), "--write", "--json").stdout)
    assert (value["before"], value["after"], value["written"]) == ("worse\n", "Better.\n", True)
    assert file.read_text() == "Better.\n"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_prompt_that_has_lost_its_placeholders_is_not_written(
    run: Run, answering: Callable[..., ChatSession], tmp_path: Path
) -> None:
    answering(["Translate the text."])
    file = tmp_path / "prompt.txt"
    file.write_text("translate $text into ${language}")
    done = run("improve", str(file), "--write")
    assert isinstance(done.exception, UsageError)
    assert "has lost $language, $text" in done.stderr
    assert file.read_text() == "translate $text into ${language}"


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("write about {topic}", "Write about the topic.", ["{topic}"]),
        ("write about {topic}", "Write about {topic}.", []),
        ("write about {topic}", "Write about {{topic}}.", ["{topic}"]),
        ("dear {user.name}, {price:.2f} or {0}", "Dear reader.", ["{0}", "{price:.2f}", "{user.name}"]),
        ("dear {{ name }}", "Dear {{name}}.", []),
        ("dear {{name}}", "Dear {name}.", ["{{name}}"]),
        (r'say \frac{a}{b} and {"a": 1} and x{2} and {}', "Say it.", []),
    ],
)
def test_placeholders_in_braces_are_missed_as_well(
    run: Run, answering: Callable[..., ChatSession], tmp_path: Path, old: str, new: str, lost: list[str]
) -> None:
    answering([new])
    file = tmp_path / "prompt.txt"
    file.write_text(old)
    assert json.loads(run("improve", str(file), "--json").stdout)["lost"] == lost
    answering([new])
    run("improve", str(file), "--write")
    assert file.read_text() == (old if lost else new)


def test_line_ends_stay_as_they_were(run: Run, answering: Callable[..., ChatSession], tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    for ends, answer in (("\r\n", "One\nthree"), ("\n", "One\r\nthree"), ("\r\n", "One\r\nthree")):
        answering([answer])
        file.write_bytes(f"one{ends}two{ends}".encode())
        shown = run("improve", str(file), "--write")
        assert file.read_bytes() == f"One{ends}three{ends}".encode()
        assert "\r" not in shown.stdout


def test_what_is_no_file_gets_a_hint_about_prompts(run: Run, tmp_path: Path) -> None:
    for file in (tmp_path, Path("/dev/zero")):
        error = run("improve", str(file)).exception
        assert isinstance(error, UsageError)
        assert error.hint == "name the file of a prompt, or - for stdin"


def test_stdin_is_improved_too(run: Run, answering: Callable[..., ChatSession]) -> None:
    answering(["same"])
    done = run("improve", "-", input="same")
    assert done.stdout == ""
    assert "would change nothing" in done.stderr


@pytest.mark.parametrize(("arguments", "typed"), [(("-",), " \n"), (("-", "--write"), "x"), (("nowhere.txt",), "")])
def test_what_cannot_be_improved_is_said_before_a_model_is_asked(
    run: Run, answering: Callable[..., ChatSession], arguments: tuple[str, ...], typed: str
) -> None:
    provider = provider_of(answering(["x"]))
    assert isinstance(run("improve", *arguments, input=typed).exception, UsageError)
    assert provider.requests == []


def test_an_empty_answer_is_an_error(run: Run, answering: Callable[..., ChatSession]) -> None:
    answering(["```\n\n```"])
    assert isinstance(run("improve", "-", input="x").exception, LLMError)


def test_improving_alone_has_no_persona_no_memory_and_leaves_no_conversation(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    session = session_with(["better"], log=False)

    def wire(*_: object, **more: object) -> object:
        asked.append(more)
        return session.wired

    monkeypatch.setattr("coda_cli.bootstrap.wire", wire)
    assert run("improve", "-", input="x").exit_code == 0
    assert (asked[0]["log"], asked[0]["tools"], asked[0]["sections"]) == (False, False, ())
    assert not (paths.data_dir() / "conversations").exists()


# ---- test -------------------------------------------------------------------------------------------------------


def test_a_template_is_tried_out_here_too(run: Run) -> None:
    template_file("t").parent.mkdir(parents=True)
    template_file("t").write_text('prompt = "Say $what"')
    assert run("test", "t", "there", "-p", "what=hi").stdout == "Say hi\n\nthere\n"
