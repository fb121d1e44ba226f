"""coda_cli.ask(): one question from a script without asyncio."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

import coda_cli
from coda_cli import (
    ConversationManager,
    LLMAuthenticationError,
    LLMConfig,
    LLMProvider,
    LLMResponse,
    ProviderConfig,
    UsageError,
)
from coda_cli.paths import data_dir
from tests.servers.errors import error_reply
from tests.servers.reply import Gate
from tests.servers.script import Used, say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor
from tests.servers.wire import stream_reply


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVendor]:
    with ThreadedServer(FakeVendor("openai")) as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{fake.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
        yield fake.server


def scripted(*replies: str) -> LLMConfig:
    given = ProviderConfig(provider=LLMProvider.SCRIPTED, extra_params={"replies": list(replies)})
    return LLMConfig(providers={"s": given})


def test_the_answer_comes_back_whole_with_what_belongs_to_it(openai: FakeVendor) -> None:
    response = coda_cli.ask("What is AI?", system="Be brief.", model="gpt-4", temperature=0.2)
    assert isinstance(response, LLMResponse)
    assert (response.content, response.provider, response.model) == (openai.answer, "openai", "gpt-4")
    (sent,) = openai.asked
    assert sent.headers["authorization"] == "Bearer from-environment"
    assert sent.data["temperature"] == 0.2
    assert sent.get("messages", 0, "content") == "Be brief."
    assert sent.get("messages", -1, "content") == "What is AI?"


@pytest.mark.parametrize(
    ("model", "provider", "named"),
    [("openai", "openai", "gpt-6.1-sol"), ("openai/gpt-4", "openai", "gpt-4"), ("openai:a/b:c", "openai", "a/b:c")],
)
def test_a_model_is_named_as_on_the_command_line(openai: FakeVendor, model: str, provider: str, named: str) -> None:
    response = coda_cli.ask("hi", model=model)
    assert (response.provider, openai.asked[0].data["model"]) == (provider, named)


def test_a_conversation_goes_on_and_is_kept_like_any_other(openai: FakeVendor) -> None:
    openai.queue([*say("It is blue."), Used(1, 1)])
    first = coda_cli.ask("Which colour?")
    second = coda_cli.ask("Sure?", conversation_id=first.conversation_id)
    assert second.conversation_id == first.conversation_id
    assert openai.asked[1].get("messages", 1, "content") == "It is blue."
    (kept,) = asyncio.run(ConversationManager().list_conversations())
    assert kept.id == first.conversation_id


def test_nothing_is_kept_where_that_is_wished() -> None:
    coda_cli.ask("hi", config=scripted("yes"), store=ConversationManager.in_memory())
    assert asyncio.run(ConversationManager().list_conversations()) == []


def test_an_error_is_the_librarys_own(openai: FakeVendor) -> None:
    openai.queue(error_reply("openai", "unauthorized"))
    with pytest.raises(LLMAuthenticationError):
        coda_cli.ask("hi")


async def test_inside_an_event_loop_it_says_what_to_write_instead(openai: FakeVendor) -> None:
    with pytest.raises(UsageError, match="event loop") as caught:
        coda_cli.ask("hi")
    assert "await LLMManager().generate_response" in (caught.value.hint or "")
    assert not openai.requests


def test_it_closes_what_it_opens_however_often_it_is_called(openai: FakeVendor) -> None:
    threads = threading.active_count()
    for _ in range(3):
        coda_cli.ask("hi")
    openai.queue(error_reply("openai", "unauthorized"))
    with pytest.raises(LLMAuthenticationError):
        coda_cli.ask("hi")
    gc.collect()  # an open socket or loop would warn here, and a warning is an error
    assert threading.active_count() <= threads


def test_it_works_in_a_thread(openai: FakeVendor) -> None:
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(coda_cli.ask("hi").content))
    thread.start()
    thread.join(30)
    assert answers == [openai.answer]


def test_a_plain_script_needs_one_import(openai: FakeVendor) -> None:
    code = "import coda_cli\nprint(coda_cli.ask('hi').content)"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == (f"{openai.answer}\n", "")


def test_ctrl_c_ends_it_and_keeps_what_came(openai: FakeVendor) -> None:
    whole = stream_reply("openai", say("one two three four"))
    openai.queue(whole.but(body=[*whole.body[:3], Gate()]))
    with subprocess.Popen(
        [sys.executable, "-c", "import coda_cli; coda_cli.ask('go')"], stderr=subprocess.PIPE
    ) as child:
        ends = time.monotonic() + 30
        while not any(b'"one' in file.read_bytes() for file in data_dir().glob("conversations/*.jsonl")):
            assert child.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        assert child.stderr.read().strip().endswith(b"KeyboardInterrupt")
    conversations = ConversationManager()
    (kept,) = asyncio.run(conversations.list_conversations())
    answer = asyncio.run(conversations.messages(kept.id))[-1]
    assert answer.status == "interrupted"
    assert answer.content.startswith("one")
