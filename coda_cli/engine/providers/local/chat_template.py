"""Messages -> the prompt text of a model, by its own chat template or, where it has none, by a plain format."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from coda_cli.engine.core.errors import LLMInvalidRequestError, LLMProviderUnavailableError

_LIMIT: Final = 256 << 10
_DEADLINE: Final = 15.0  # seconds of wall time; the child limits its own CPU time to less
_OUTPUT: Final = 64 << 20

ChatMessage = dict[str, Any]


def render_chat(template: str, messages: Sequence[ChatMessage], variables: Mapping[str, Any]) -> str:
    """The prompt that *template* makes of *messages*, rendered in a limited child process. Blocks.

    A template that knows no system role gets the system text at the head of the first user message. Raises
    LLMInvalidRequestError (the template refuses the messages), LLMProviderUnavailableError (it is broken or hostile).
    """
    if len(template) > _LIMIT:
        raise LLMProviderUnavailableError("the model's chat template is too large to be one")
    answer = _ask(template, list(messages), variables)
    if "error" in answer and "TemplateError: " in answer["error"] and messages and messages[0]["role"] == "system":
        merged = _without_system(messages)
        answer = _ask(template, merged, variables) if merged else answer
    if "text" in answer:
        return answer["text"]
    said = answer["error"]
    if said.startswith("TemplateError: "):
        raise LLMInvalidRequestError(f"the model's chat template refuses this conversation: {said[15:]}")
    raise LLMProviderUnavailableError(
        f"the model's chat template cannot be used: {said}", hint="choose another model, or its GGUF version"
    )


def plain_chat(messages: Sequence[ChatMessage], end: str) -> str:
    """The format for models without a template: every turn's text followed by the end token, in order.

    This is what DialoGPT was trained on (its model card: turns joined by the end-of-text token, no role names).
    """
    return "".join(f"{message['content']}{end or chr(10)}" for message in messages)


def _ask(template: str, messages: list[ChatMessage], variables: Mapping[str, Any]) -> dict[str, str]:
    request = json.dumps({"template": template, "messages": messages, "variables": dict(variables)})
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(Path(__file__).with_name("template_child.py"))],
            input=request.encode(),
            capture_output=True,
            timeout=_DEADLINE,
            env=kept,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": "it does not come to an end"}
    try:
        answer = json.loads(done.stdout) if done.returncode == 0 and len(done.stdout) < _OUTPUT else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not all(isinstance(value, str) for value in answer.values()) or not answer:
        return {"error": "it takes too much time or memory"}
    return answer


def _without_system(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    head, rest = messages[0], list(messages[1:])
    for index, message in enumerate(rest):
        if message["role"] == "user":
            rest[index] = {**message, "content": f"{head['content']}\n\n{message['content']}"}
            return rest
    return []
