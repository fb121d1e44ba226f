"""OpenAI's Responses API on the wire: SSE events and whole answers.

Public API: `openai_responses`, `openai_responses_whole` (documented in `wire`).
Source of the format: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from tests.servers.script import (
    CREATED,
    Block,
    Call,
    ErrorEvent,
    Ping,
    RawEvent,
    Redacted,
    Refuse,
    Say,
    Script,
    Think,
    Used,
    blocks,
    stop_reason,
    usage,
)
from tests.servers.wire_chat import JsonObject, sse

__all__ = ["openai_responses", "openai_responses_whole"]

# Neutral reason -> (status, incomplete reason); any other reason is a status of its own or "completed".
_INCOMPLETE = {
    "length": "max_output_tokens",
    "context_window": "max_output_tokens",
    "content_filter": "content_filter",
}
_STATUSES = ("failed", "cancelled", "incomplete")


def _usage(used: Used) -> JsonObject:
    return {
        "input_tokens": used.input,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": used.cache_write},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.input + used.output,
    }


def _status(script: Script, end: bool) -> tuple[str, str | None]:
    if not end:
        return "in_progress", None
    reason = stop_reason(script)
    if reason in _INCOMPLETE:
        return "incomplete", _INCOMPLETE[reason]
    return (reason if reason in _STATUSES else "completed"), None


def _response(
    model: str,
    status: str,
    output: list[JsonObject],
    used: Used | None = None,
    why: str | None = None,
    error: JsonObject | None = None,
) -> JsonObject:
    return {
        "id": "resp_fake0001",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": error,
        "incomplete_details": {"reason": why} if why else None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(used) if used else None,
        "user": None,
    }


def _part(block: Block, text: str) -> JsonObject:
    if block.kind is Refuse:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _item(block: Block, index: int, *, begun: bool = False) -> JsonObject | None:
    """The output item of a block, as it is when it has ended or (`begun`) when it is announced."""
    status = "in_progress" if begun else "completed"
    first = block.items[0]
    if isinstance(first, Call):
        arguments = "" if begun else "".join(first.arguments)
        return {
            "id": f"fc_fake{index}",
            "type": "function_call",
            "status": status,
            "arguments": arguments,
            "call_id": first.id,
            "name": first.name,
        }
    if block.kind is Think:
        signatures = [item.signature for item in block.items if isinstance(item, Think) and item.signature]
        summary = [] if begun else [{"type": "summary_text", "text": block.text}]
        item: JsonObject = {"id": f"rs_fake{index}", "type": "reasoning", "summary": summary}
        if signatures and not begun:
            item["encrypted_content"] = signatures[-1]
        return item
    if block.kind in (Say, Refuse):
        content = [] if begun else [_part(block, block.text)]
        return {"id": f"msg_fake{index}", "type": "message", "status": status, "role": "assistant", "content": content}
    return None


class _Stream:
    """Collects the events of one answer and numbers them."""

    def __init__(self, model: str) -> None:
        self.events: list[bytes] = []
        self.output: list[JsonObject] = []
        self.failed = False
        self._model = model
        self._sequence = 0

    def add(self, kind: str, **fields: object) -> None:
        self.events.append(sse({"type": kind, "sequence_number": self._sequence, **fields}, kind))
        self._sequence += 1

    def aside(self, item: object) -> None:
        """What is not content: raw bytes, a keep-alive, an error."""
        if isinstance(item, RawEvent):
            self.events.append(item.data)
        elif isinstance(item, Ping):
            self.events.append(b": keep-alive\n\n")
        elif isinstance(item, ErrorEvent):
            self.failed = True
            if item.failed:
                error: JsonObject = {"code": item.type, "message": item.message}
                self.add("response.failed", response=_response(self._model, "failed", self.output, error=error))
            else:
                self.add("error", code=item.type, message=item.message, param=None)

    def block(self, block: Block) -> None:
        index = len(self.output)
        begun = _item(block, index, begun=True)
        ended = _item(block, index)
        if begun is None or ended is None:
            for item in block.items:
                self.aside(item)
            return
        self.add("response.output_item.added", output_index=index, item=begun)
        at: JsonObject = {"item_id": ended["id"], "output_index": index}
        if block.kind is Call:
            self._call(block, at)
        elif block.kind is Think:
            self._thinking(block, at)
        else:
            self._message(block, at)
        if not self.failed:
            self.add("response.output_item.done", output_index=index, item=ended)
            self.output.append(ended)

    def _call(self, block: Block, at: JsonObject) -> None:
        call = block.items[0]
        assert isinstance(call, Call)
        for fragment in call.arguments:
            self.add("response.function_call_arguments.delta", **at, delta=fragment)
        arguments = "".join(call.arguments)
        self.add("response.function_call_arguments.done", **at, arguments=arguments, name=call.name)

    def _thinking(self, block: Block, at: JsonObject) -> None:
        at = {**at, "summary_index": 0}
        self.add("response.reasoning_summary_part.added", **at, part={"type": "summary_text", "text": ""})
        for item in block.items:
            if isinstance(item, Think):
                self.add("response.reasoning_summary_text.delta", **at, delta=item.text)
            else:
                self.aside(item)
        if not self.failed:
            self.add("response.reasoning_summary_text.done", **at, text=block.text)
            part = {"type": "summary_text", "text": block.text}
            self.add("response.reasoning_summary_part.done", **at, part=part)

    def _message(self, block: Block, at: JsonObject) -> None:
        at = {**at, "content_index": 0}
        name = "response.refusal" if block.kind is Refuse else "response.output_text"
        more: JsonObject = {} if block.kind is Refuse else {"logprobs": []}
        self.add("response.content_part.added", **at, part=_part(block, ""))
        for item in block.items:
            if isinstance(item, Say | Refuse):
                self.add(f"{name}.delta", **at, delta=item.text, **more)
            else:
                self.aside(item)
        if not self.failed:
            field = "refusal" if block.kind is Refuse else "text"
            self.add(f"{name}.done", **at, **{field: block.text}, **more)
            self.add("response.content_part.done", **at, part=_part(block, block.text))


def openai_responses(
    script: Script, model: str = "fake-model", *, end: bool = True, done: bool = True, include_usage: bool = True
) -> list[bytes]:
    """The SSE events of a streamed Responses answer; see `wire` for the arguments."""
    stream = _Stream(model)
    stream.add("response.created", response=_response(model, "in_progress", []))
    stream.add("response.in_progress", response=_response(model, "in_progress", []))
    for block in blocks(script):
        stream.block(block)
        if stream.failed:
            return stream.events
    if end and done:
        status, why = _status(script, end)
        used = usage(script) if include_usage else None
        error: JsonObject | None = None
        if status == "failed":
            error = {"code": "server_error", "message": "The model failed to generate a response."}
        stream.add(f"response.{status}", response=_response(model, status, stream.output, used, why, error))
    return stream.events


def openai_responses_whole(script: Script, model: str = "fake-model", *, end: bool = True) -> JsonObject:
    """The JSON of an unstreamed Responses answer; see `wire`."""
    for item in script:
        if isinstance(item, ErrorEvent):
            return _response(model, "failed", [], error={"code": item.type, "message": item.message})
    output: list[JsonObject] = []
    for block in blocks(script):
        ended = _item(block, len(output)) if block.kind is not Redacted else None
        if ended is not None:
            output.append(ended)
    status, why = _status(script, end)
    return _response(model, status, output, usage(script), why)
