"""What a recall leaves alone, and how an answer tells which memories it was given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coda_cli.cli.ask_input import Asked, Question
from coda_cli.cli.ask_report import Printer, Result
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.memory.manager import MemoryManager
from coda_cli.engine.providers.scripted import ScriptedProvider
from coda_cli.settings.model_spec import ModelSpec
from tests.weights import smollm2_path

LOGGING = """
import logging
from coda_cli.engine.memory.vectors import embedded
embedded(["hello"])
root = logging.getLogger()
print(root.handlers, root.level)
logging.getLogger("httpx2").info("HTTP Request: POST")
"""


def test_meaning_leaves_the_logging_of_the_program_alone() -> None:
    """In a process of its own: pytest has handlers, and the package sets up logging only where there are none."""
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True)
    assert done.stdout == "[] 30\n"
    assert "HTTP Request" not in done.stderr


async def test_a_response_tells_which_memories_it_was_given() -> None:
    config = LLMConfig(providers={"s": ProviderConfig(provider=LLMProvider.SCRIPTED)}, default_provider="s")
    manager = LLMManager(config, store=ConversationManager())
    manager._providers["s"] = ScriptedProvider(replies=["Fine."])
    memory = MemoryManager(semantic=False)
    kept = await memory.add("My cat is called Momo")
    await manager.set_memory_manager(memory)
    assert (await manager.generate_response("What is my cat called?")).metadata["memories"] == [kept.memory_id]
    assert "memories" not in (await manager.generate_response("What is a monad?")).metadata


@pytest.mark.parametrize("memories", [["m1", "m2"], []])
def test_the_json_of_an_answer_ends_with_them_if_there_are_any(
    memories: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    response = LLMResponse(response_id="r", content="Fine.", provider="s", model="m")
    response.metadata |= {"memories": memories} if memories else {}
    printer = Printer(Asked(format="json"), Question(""), None, stream=False)
    printer.one(Result(ModelSpec("s", "m"), response, None, 0.1, 0))
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(value)[:3] == ["text", "conversation_id", "response_id"]
    assert list(value)[-1] == ("memories" if memories else "error")
    assert value.get("memories", []) == memories


async def test_135_million_parameters_know_what_the_cat_is_called(tmp_path: Path) -> None:
    local = ProviderConfig(provider=LLMProvider.LOCAL, model=str(smollm2_path()), max_tokens=24)
    manager = LLMManager(LLMConfig(providers={"local": local}, default_provider="local"), store=ConversationManager())
    memory = MemoryManager(semantic=False)
    await memory.add("My cat is called Momo")
    await manager.set_memory_manager(memory)
    response = await manager.generate_response("What is my cat called?")
    assert "Momo" in response.content
    assert len(response.metadata["memories"]) == 1
