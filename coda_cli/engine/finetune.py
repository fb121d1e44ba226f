"""Fine-tuning: conversations -> the chat format of training files, and the vendor's jobs.

The format is OpenAI's (API reference, "Fine-tuning: training format for chat models"), which others take too: one JSON
object a line, `{"messages": [...]}`, with `tools` where they are called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct

from coda_cli.engine.conversations.tree import Conversation
from coda_cli.engine.core.errors import LLMBadResponseError
from coda_cli.engine.core.messages import LLMMessage, MessageRole, TextPart, ToolCallPart, ToolResultPart, system
from coda_cli.engine.core.ports import ProviderRequest, ToolSpec
from coda_cli.engine.core.profiles import profile_for
from coda_cli.engine.memory.secrets import secret_in
from coda_cli.engine.plan import last_system_prompt
from coda_cli.engine.providers.openai import OpenAIProvider
from coda_cli.engine.providers.openai_chat import chat_body
from coda_cli.engine.providers.wire import JSON, parse_json, whole
from coda_cli.engine.redact import hide
from coda_cli.engine.usage.tokens import TokenEstimator

LEAST_EXAMPLES: Final = 10
"""Fewer are refused by the vendor."""
MOST_BYTES: Final = 512 << 20
"""A larger file is refused by the vendor."""
MOST_TOKENS: Final = 65_536
"""Tokens of one example: what is longer is cut by the vendor. Some models take less."""


class Example(Struct, frozen=True):
    """One line of a training file; *tokens* is an estimate."""

    conversation_id: str
    line: bytes
    tokens: int


class LeftOut(Struct, frozen=True):
    """A conversation that makes no example. *secret*: because there is one in it."""

    conversation_id: str
    reason: str
    secret: bool = False


class _Unfit(Exception):
    def __init__(self, reason: str, *, secret: bool = False) -> None:
        self.left_out = (reason, secret)


def examples(
    conversations: Iterable[Conversation],
    model: str,
    *,
    system_prompt: str | None = None,
    tools: Sequence[ToolSpec] = (),
    keys: Collection[str] = (),
    most_tokens: int = MOST_TOKENS,
) -> Iterator[Example | LeftOut]:
    """The active branch of each conversation as an example for *model*, or why it is none.

    *system_prompt* stands before each instead of its own. *tools* are those that the calls may be of, *keys* the texts
    that must never be in a file, beside all that looks like a secret.
    """
    counter = TokenEstimator(persist=False).counter("openai", model)
    known = {tool.name: tool for tool in tools}
    for conversation in conversations:
        try:
            request = _request(conversation, model, system_prompt, known)
            _refuse_secrets(request, keys)
            tokens = counter.request(request)
            if tokens > most_tokens:
                raise _Unfit(f"it has about {tokens:,} tokens, more than {most_tokens:,}")
            bad = {node.message.message_id for node in conversation.path() if node.rating == "bad"}
            yield Example(conversation.id, _line(request, bad), tokens)
        except _Unfit as unfit:
            yield LeftOut(conversation.id, *unfit.left_out)


def is_good(conversation: Conversation) -> bool:
    """Whether an answer of the active branch is rated good, and none bad."""
    ratings = {node.rating for node in conversation.path()}
    return "good" in ratings and "bad" not in ratings


def _request(
    conversation: Conversation, model: str, system_prompt: str | None, known: Mapping[str, ToolSpec]
) -> ProviderRequest:
    messages = [node.message for node in conversation.path() if not node.hidden]
    if system_prompt is None:
        own = [one.content for one in messages if one.role is MessageRole.SYSTEM and one.content]
        system_prompt = last_system_prompt(messages) or "\n\n".join(own)
    said = [one for one in messages if one.role is not MessageRole.SYSTEM]
    while said and not _answers(said[-1]):
        said.pop()  # a question that nobody has answered yet, an answer that was stopped
    if not any(one.role is MessageRole.USER for one in said):
        raise _Unfit("it has no complete answer to a question")
    _check_order(said)
    called = {call.name for one in said for call in one.tool_calls}
    if missing := sorted(called - known.keys()):
        raise _Unfit(f"it calls {missing[0]}, which is not among the tools now")
    return ProviderRequest(
        model=model,
        messages=[*([system(system_prompt)] if system_prompt else []), *said],
        tools=[known[name] for name in sorted(called)],
    )


def _answers(message: LLMMessage) -> bool:
    """Whether *message* may end an example."""
    whole = message.role is MessageRole.ASSISTANT and message.status == "complete" and not message.tool_calls
    return whole and bool(message.content.strip())


def _check_order(messages: Sequence[LLMMessage]) -> None:
    """A question, then its answer, with calls and their results between them; nothing but text and tools."""
    before: MessageRole = MessageRole.ASSISTANT
    open_calls: list[str] = []
    for message in messages:
        if open_calls and message.role is not MessageRole.TOOL:
            raise _Unfit("a call in it has no result")
        if any(not isinstance(part, TextPart | ToolCallPart | ToolResultPart) for part in _sent(message)):
            raise _Unfit("it has attachments, which a training file of texts does not hold")
        match message.role:
            case MessageRole.USER if before is not MessageRole.ASSISTANT or not message.content.strip():
                raise _Unfit("questions and answers do not alternate")
            case MessageRole.ASSISTANT:
                if message.status != "complete":
                    raise _Unfit("an answer in it is not complete")
                if before is MessageRole.ASSISTANT:
                    raise _Unfit("questions and answers do not alternate")
                open_calls = [call.id for call in message.tool_calls]
                if not open_calls and not message.content.strip():
                    raise _Unfit("an answer in it is empty")
            case MessageRole.TOOL:
                for part in message.parts:
                    if not isinstance(part, ToolResultPart) or part.id not in open_calls:
                        raise _Unfit("a result in it belongs to no call")
                    open_calls.remove(part.id)
            case _:
                pass
        before = message.role


def _sent(message: LLMMessage) -> list[object]:
    """The parts that count: a model's reasoning is not trained on."""
    return [part for part in message.parts if part.type != "reasoning"]


def _refuse_secrets(request: ProviderRequest, keys: Collection[str]) -> None:
    for message in request.messages:
        for part in message.parts:
            text = part.arguments if isinstance(part, ToolCallPart) else getattr(part, "text", "")
            what = "one of your API keys" if hide(text, keys) != text else secret_in(text)
            if what is not None:
                raise _Unfit(f"there is {what} in it", secret=True)


def _line(request: ProviderRequest, bad: Collection[str]) -> bytes:
    """The example; an answer whose id is among the *bad* is read on the way and not learned (`weight` 0)."""
    body = chat_body(request, profile_for("openai", request.model))
    answers = [one for one in request.messages if one.role is MessageRole.ASSISTANT]
    if all(one.message_id in bad for one in answers):
        raise _Unfit("every answer in it is rated bad")
    sent = [one for one in body["messages"] if one["role"] == "assistant"]
    for answer, one in zip(answers, sent, strict=True):
        if answer.message_id in bad:
            one["weight"] = 0
    example = {name: body[name] for name in ("messages", "tools") if name in body}
    return json.dumps(example, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


# ---- the vendor's jobs ----------------------------------------------------------------------------------------------


def check_file(content: bytes) -> int:
    """How many examples a training file has. Raises ValueError with the line that is none."""
    number = 0
    for number, line in enumerate(content.splitlines(), 1):
        try:
            messages = json.loads(line)["messages"]
            good = messages[-1]["role"] == "assistant" and all(isinstance(one["role"], str) for one in messages)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            good = False
        if not good:
            raise ValueError(f"line {number} is no example that ends in an answer")
    return number


class FineTuning:
    """The fine-tuning API of OpenAI (or a server that has it), through its SDK. Calls raise LLMError."""

    def __init__(self, provider: OpenAIProvider) -> None:
        self._transport = provider.sdk_transport()

    async def create(
        self, name: str, content: bytes, model: str, *, suffix: str | None = None, epochs: int | None = None
    ) -> dict[str, Any]:
        """Upload the training file *content*, called *name*, and start a job that trains *model* on it; the job."""
        file = await self._transport.upload("/files", {"purpose": "fine-tune"}, name, content)
        wish: JSON = {"model": model, "training_file": _id(file)}
        if suffix:
            wish["suffix"] = suffix
        if epochs is not None:
            wish["method"] = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
        async with self._transport.post("/fine_tuning/jobs", wish) as response:
            return told(parse_json(await whole(response.chunks)))

    async def status(self, job: str) -> dict[str, Any]:
        """How the job stands."""
        return told(await self._transport.get(f"/fine_tuning/jobs/{quote(job, safe='')}"))

    async def list(self, limit: int) -> list[dict[str, Any]]:
        """The latest jobs, the newest first."""
        page = await self._transport.get(f"/fine_tuning/jobs?limit={limit}")
        listed = page.get("data")
        if not isinstance(listed, list):
            raise LLMBadResponseError("the provider's list of jobs is none")
        return [told(job) for job in listed if isinstance(job, dict)]

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


_TEXTS: Final = ("model", "status", "fine_tuned_model", "training_file")
_NUMBERS: Final = ("created_at", "finished_at", "estimated_finish", "trained_tokens")
_JOB: Final = re.compile(r"[\x21-\x7e]{1,200}")


def _id(value: JSON) -> str:
    found = value.get("id")
    if not isinstance(found, str) or not _JOB.fullmatch(found):
        raise LLMBadResponseError("the provider's answer has no id")
    return found


def told(job: JSON) -> dict[str, Any]:
    """What a job says of itself: its id, texts and numbers (None where not told), `error` as one text."""
    out: dict[str, Any] = {"id": _id(job)}
    out |= {name: value if isinstance(value := job.get(name), str) else None for name in _TEXTS}
    out |= {name: value if type(value := job.get(name)) is int else None for name in _NUMBERS}
    error = job.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return {**out, "error": message if isinstance(message, str) and message else None}
