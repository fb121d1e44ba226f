"""`coda finetune`: training files that a vendor takes and that hold no secret; jobs; the model that comes of them."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from coda_cli import paths
from coda_cli.cli.app import app
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import CodaError, LLMError, UsageError
from coda_cli.engine.core.messages import (
    ImagePart,
    LLMMessage,
    MessageRole,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.finetune import Example, LeftOut, check_file, examples, told
from coda_cli.engine.manager import LLMManager
from tests.servers.finetuning import FakeFineTuning
from tests.servers.threaded import ThreadedServer

USER, ASSISTANT, TOOL, SYSTEM = MessageRole.USER, MessageRole.ASSISTANT, MessageRole.TOOL, MessageRole.SYSTEM
KEY = "canary-key-0123456789"


def said(role: MessageRole, *parts: Part | str, status: str = "complete", **metadata: Any) -> LLMMessage:
    made = [TextPart(text=part) if isinstance(part, str) else part for part in parts]
    return LLMMessage(role=role, parts=made, status=status, metadata=metadata)


def call(name: str = "calculator", call_id: str = "c1", arguments: str = '{"expression": "1+1"}') -> ToolCallPart:
    return ToolCallPart(id=call_id, name=name, arguments=arguments)


def result(text: str = "2", call_id: str = "c1") -> ToolResultPart:
    return ToolResultPart(id=call_id, name="calculator", text=text)


async def kept(*messages: LLMMessage, name: str = "conv-a", store: ConversationManager | None = None) -> None:
    store = store or ConversationManager()
    await store.create_conversation(name)
    for message in messages:
        await store.add_message(name, message)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["finetune", *arguments])


def exported(*arguments: str) -> list[dict[str, Any]]:
    done = run("export", *arguments)
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_an_example_is_the_chat_with_its_system_prompt_calls_and_tools() -> None:
    await kept(
        said(USER, "1+1?", system_prompt="Be brief."),
        said(ASSISTANT, ReasoningPart(text="hm"), call()),
        said(TOOL, result()),
        said(ASSISTANT, "2"),
        said(USER, "thanks"),
        said(ASSISTANT, "Welcome."),
        said(USER, "one more that nobody has answered"),
    )
    (example,) = exported("--cid", "conv-a")
    function = {"name": "calculator", "arguments": '{"expression": "1+1"}'}
    assert example["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1+1?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "thanks"},
        {"role": "assistant", "content": "Welcome."},
    ]
    (tool,) = example["tools"]
    assert tool["function"]["name"] == "calculator"
    assert tool["function"]["parameters"]["type"] == "object"
    (other,) = exported("--cid", "conv-a", "--system", "Be long.")
    assert other["messages"][0] == {"role": "system", "content": "Be long."}


GOOD = [said(USER, "q"), said(ASSISTANT, "a")]
UNFIT = {
    "no complete answer": [said(USER, "q")],
    "is not complete": [said(USER, "q"), said(ASSISTANT, "half", status="interrupted"), *GOOD],
    "alternate": [said(USER, "q"), said(USER, "q"), said(ASSISTANT, "a")],
    "alternate ": [said(ASSISTANT, "a"), *GOOD],
    "attachments": [said(USER, "q", ImagePart(data=b"x", media_type="image/png")), said(ASSISTANT, "a")],
    "no result": [said(USER, "q"), said(ASSISTANT, call()), *GOOD],
    "belongs to no call": [said(USER, "q"), said(TOOL, result()), said(ASSISTANT, "a")],
    "nowhere_tool": [
        said(USER, "q"),
        said(ASSISTANT, call("nowhere_tool")),
        said(TOOL, result()),
        said(ASSISTANT, "a"),
    ],
    "is empty": [said(USER, "q"), said(ASSISTANT, " "), *GOOD],
    "tokens, more than": [said(USER, "word " * 400), said(ASSISTANT, "a")],
}


@pytest.mark.parametrize("reason", UNFIT)
async def test_what_is_no_good_example_is_left_out_and_says_why(reason: str) -> None:
    await kept(*UNFIT[reason])
    await kept(*GOOD, name="conv-good")
    done = run("export", "--cid", "conv-a", "--cid", "conv-good", "--max-tokens", "300")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 1
    assert "conv-a is left out" in done.stderr
    assert reason.strip() in done.stderr
    alone = run("export", "--cid", "conv-a", "--max-tokens", "300")
    assert (alone.exit_code, alone.stdout) == (1, "")


SECRETS: list[list[LLMMessage]] = [
    [said(USER, "my key is sk-proj-abcdefghijklmnop1234"), said(ASSISTANT, "thanks")],
    [said(USER, "q"), said(ASSISTANT, f"use {KEY}")],
    [said(USER, "q", system_prompt="the password is hunter2"), said(ASSISTANT, "a")],
    [said(USER, "q"), said(ASSISTANT, call(arguments=json.dumps({"expression": KEY}))), said(TOOL, result()), GOOD[1]],
    [said(USER, "q"), said(ASSISTANT, call()), said(TOOL, result("ghp_" + "a1B2" * 9)), GOOD[1]],
]


@pytest.mark.parametrize("messages", SECRETS, ids=range(len(SECRETS)))
async def test_a_secret_is_never_in_a_file(
    messages: list[LLMMessage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    await kept(*messages)
    await kept(*GOOD, name="conv-good")
    file = tmp_path / "train.jsonl"
    done = run("export", "--since", "1d", "-o", str(file), "--json")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report["examples"] == 1
    assert [(one["conversation"], one["secret"]) for one in report["left_out"]] == [("conv-a", True)]
    for secret in (KEY, "sk-proj-abc", "hunter2", "ghp_a1"):
        assert secret not in file.read_text() + done.output
    file.unlink()
    strict = run("export", "--since", "1d", "-o", str(file), "--strict")
    assert isinstance(strict.exception, CodaError)
    assert not file.exists()


async def test_chats_are_chosen_by_tag_pin_day_and_id(tmp_path: Path) -> None:
    store = ConversationManager()
    for name in ("conv-tagged", "conv-pinned", "conv-other"):
        await kept(*GOOD, name=name, store=store)
    await store.tag("conv-tagged", add=["good"])
    await store.pin("conv-pinned")
    chosen = {("--tag", "good"): 1, ("--pinned",): 1, ("--since", "1d"): 3, ("--since", "1d", "--cid", "conv-other"): 3}
    for arguments, count in chosen.items():
        assert len(exported(*arguments)) == count
    assert isinstance(run("export").exception, UsageError)
    assert isinstance(run("export", "--tag", "good", "--json").exception, UsageError)
    file = tmp_path / "t.jsonl"
    done = run("export", "--pinned", "-o", str(file), "--price", "3", "--epochs", "2", "--json")
    report = json.loads(done.stdout)
    assert report["cost_usd"] == pytest.approx(report["tokens"] * 2 * 3 / 1e6)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "unpriced" in run("export", "--pinned", "-o", str(file)).stderr
    assert "at least 10 examples" in done.stderr


async def test_chats_are_chosen_by_what_their_answers_are_worth() -> None:
    store = ConversationManager()
    answers: dict[str, str] = {}
    for name in ("conv-good", "conv-mixed", "conv-bad", "conv-plain"):
        first, second = said(ASSISTANT, "a"), said(ASSISTANT, "b")
        await kept(said(USER, "q"), first, said(USER, "r"), second, name=name, store=store)
        answers |= {f"{name} 1": first.message_id, f"{name} 2": second.message_id}
    await store.rate("conv-good", answers["conv-good 2"], "good")
    await store.rate("conv-mixed", answers["conv-mixed 1"], "bad")
    await store.rate("conv-mixed", answers["conv-mixed 2"], "good")
    await store.rate("conv-bad", answers["conv-bad 1"], "bad")
    await store.rate("conv-bad", answers["conv-bad 2"], "bad")
    (good,) = exported("--rated", "good")
    assert not any("weight" in one for one in good["messages"])
    (mixed,) = exported("--cid", "conv-mixed")
    assert [one.get("weight") for one in mixed["messages"]] == [None, 0, None, None]
    done = run("export", "--cid", "conv-bad")
    assert done.exit_code == 1
    assert "every answer in it is rated bad" in done.stderr
    await store.rate("conv-good", answers["conv-good 2"], None)
    assert "0 examples" in run("export", "--rated", "good").stderr
    with pytest.raises(UsageError, match="only answers"):
        await store.rate("conv-plain", (await store.messages("conv-plain"))[0].message_id, "good")


async def test_what_is_hidden_and_other_branches_are_not_trained_on() -> None:
    store = ConversationManager()
    first, second = said(USER, "hidden"), said(ASSISTANT, "hidden too")
    await kept(first, second, *GOOD, store=store)
    await store.hide("conv-a", first.message_id)
    await store.hide("conv-a", second.message_id)
    (example,) = exported("--cid", "conv-a")
    assert [one["content"] for one in example["messages"]] == ["q", "a"]


# ---- jobs -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedServer[FakeFineTuning]]:
    with ThreadedServer(FakeFineTuning()) as running:
        running.server.api_key = KEY
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/v1")
        yield running


@pytest.fixture
def training(tmp_path: Path) -> Path:
    file = tmp_path / "train.jsonl"
    line = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    file.write_text("".join(json.dumps(line) + "\n" for _ in range(10)))
    return file


def test_a_job_is_made_watched_and_listed(fake: ThreadedServer[FakeFineTuning], training: Path) -> None:
    fake.server.looks = 2
    made = run("create", str(training), "-m", "gpt-4o-mini-2024-07-18", "--suffix", "house", "--epochs", "2", "--json")
    assert made.exit_code == 0, made.output
    job = json.loads(made.stdout)
    assert (job["id"], job["status"], job["error"]) == ("ftjob-1", "validating_files", None)
    assert fake.server.files["file-1"].rstrip() == training.read_bytes().rstrip()
    sent = fake.server.jobs["ftjob-1"]
    assert sent["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
    assert json.loads(run("status", "ftjob-1", "--json").stdout)["status"] == "running"
    done = run("status", "ftjob-1")
    assert "fine tuned model: ft:gpt-4o-mini-2024-07-18:fake:house:abc123" in done.stdout
    assert "trained tokens: 1234" in done.stdout
    assert [one["id"] for one in json.loads(run("list", "--json").stdout)] == ["ftjob-1"]
    assert "succeeded" in run("list").stdout
    assert KEY not in made.output + done.output


def test_a_job_that_fails_is_exit_1_and_says_why(fake: ThreadedServer[FakeFineTuning], training: Path) -> None:
    fake.server.refuse = "bad \x1b[2J file"
    assert run("create", str(training)).exit_code == 0
    done = run("status", "ftjob-1", "--json")
    assert (done.exit_code, json.loads(done.stdout)["error"]) == (1, "bad \x1b[2J file")


def test_an_unknown_job_and_a_wrong_key_are_errors_without_the_key(
    fake: ThreadedServer[FakeFineTuning], training: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = run("status", "ftjob-9/../../files").exception
    assert isinstance(unknown, LLMError)
    monkeypatch.setenv("OPENAI_API_KEY", "another-canary-key")
    refused = run("create", str(training)).exception
    assert isinstance(refused, LLMError)
    assert refused.exit_code == 4
    assert "another-canary-key" not in str(refused)
    assert isinstance(run("list", "--provider", "anthropic").exception, UsageError)


@pytest.mark.parametrize("content", [b"", b"{}\n" * 12, b'{"messages": []}\n' * 12, b"\xff\n" * 12, b"[" * 9000])
def test_a_file_that_no_vendor_takes_is_not_uploaded(
    content: bytes, fake: ThreadedServer[FakeFineTuning], tmp_path: Path
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(content)
    assert isinstance(run("create", str(file)).exception, UsageError)
    assert isinstance(run("create", str(tmp_path / "none.jsonl")).exception, UsageError)
    assert fake.server.requests == []


async def test_a_fine_tuned_model_is_a_model_like_any_other() -> None:
    name = "ft:gpt-4o-mini-2024-07-18:fake:house:abc123"
    async with FakeFineTuning() as fake:
        config = ProviderConfig(provider=LLMProvider.OPENAI, api_base=f"{fake.url}/v1", model=name)
        async with LLMManager(LLMConfig(providers={"p": config}), store=ConversationManager.in_memory()) as manager:
            answer = await manager.generate_response("hi")
        assert fake.asked[0].data["model"] == name
        assert answer.content == fake.answer


def test_a_fine_tuned_name_is_read_whole_where_a_model_is_named(
    fake: ThreadedServer[FakeFineTuning],
) -> None:
    name = "ft:gpt-4o-mini-2024-07-18:fake:house:abc123"
    for spec in (f"openai/{name}", f"openai:{name}", name):
        done = CliRunner().invoke(app, ["ask", "-n", "--no-stdin", "-m", spec, "hello"])
        assert done.exit_code == 0, (spec, done.output, done.exception)
    assert [one.data["model"] for one in fake.server.asked] == [name] * 3


def test_odd_answers_of_a_vendor_are_told_as_they_are() -> None:
    with pytest.raises(LLMError):
        told({"status": "running"})
    with pytest.raises(LLMError):
        told({"id": "x\x1b[2J"})
    job = told({"id": "j", "status": 5, "created_at": "x", "error": "text", "model": None})
    assert job["status"] is job["created_at"] is job["error"] is job["model"] is None


async def test_the_library_gives_examples_and_reasons() -> None:
    store = ConversationManager.in_memory()
    await kept(*GOOD, store=store)
    await kept(said(USER, "q"), name="conv-b", store=store)
    conversations = [await store.open(name) for name in ("conv-a", "conv-b")]
    good, bad = examples(conversations, "gpt-4o-mini")
    assert isinstance(good, Example)
    assert isinstance(bad, LeftOut)
    assert check_file(good.line) == 1
    assert good.tokens > 2
    assert not paths.data_dir().exists()
