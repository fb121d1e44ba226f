"""What a tool touches, gives back, and asks of a person. Values only; their texts are raw (untrusted)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Literal

from msgspec import Struct

ApprovalMode = Literal["ask", "read-only", "accept-edits", "all"]
"""What runs without a question beside what only computes and what reads here.

"ask": nothing else. "read-only": nothing else, and the rest is refused instead of asked. "accept-edits": writing files
of the working folder. "all": everything.
"""


class Touches(StrEnum):
    """What a call can reach beyond its own answer, from harmless to grave."""

    NOTHING = "nothing"
    READS = "reads"
    WRITES = "writes"
    NETWORK = "network"
    RUNS = "runs"


WHY: Final = {
    Touches.NOTHING: "it only computes",
    Touches.READS: "it reads files",
    Touches.WRITES: "it writes files",
    Touches.NETWORK: "it sends something over the network",
    Touches.RUNS: "it runs a program",
}
"""Why a call asks where nothing else is to be said."""


class ToolOutput(Struct, frozen=True):
    """What a call gave back: `text` for the model, `display` (Markdown; "" is the text) for the person."""

    text: str
    display: str = ""
    is_error: bool = False


class Effect(Struct, frozen=True):
    """What a call will do, told before it is done.

    `summary` is one line, `detail` all that will run or be sent, `diff` (unified) what a file will become. `outside`:
    it reaches beyond the working folder, or a person is asked for another `reason` (a few words). `rule` is the exact
    pattern that they may allow for good (None: never), `argv` the one simple command that it runs (None: not one, or
    no command).
    """

    summary: str
    detail: str = ""
    diff: str = ""
    outside: bool = False
    rule: str | None = None
    argv: tuple[str, ...] | None = None
    reason: str = ""


class Decision(StrEnum):
    """What a person says to a call."""

    ONCE = "once"
    CHAT = "chat"
    ALWAYS = "always"
    NO = "no"


class ApprovalRequest(Struct, frozen=True):
    """A call that waits for a person. `digest` binds the answer to this call's id, name and bytes."""

    request_id: str
    call_id: str
    tool: str
    touches: Touches
    arguments: str
    digest: str
    effect: Effect
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """The request as plain data, for events."""
        return {
            "request_id": self.request_id,
            "call_id": self.call_id,
            "name": self.tool,
            "touches": self.touches.value,
            "arguments": self.arguments,
            "digest": self.digest,
            "summary": self.effect.summary,
            "detail": self.effect.detail,
            "diff": self.effect.diff,
            "rule": self.effect.rule,
            "why": self.why,
        }


class Approval(Struct, frozen=True):
    """The answer to an `ApprovalRequest`; `digest` is copied from it, `reason` goes to the model with a no."""

    decision: Decision
    digest: str
    reason: str = ""


def digest(call_id: str, name: str, arguments: str) -> str:
    """What an approval is bound to: SHA-256 over the call's id, its name and its arguments as they were written."""
    return hashlib.sha256("\0".join((call_id, name, arguments)).encode("utf-8", "surrogatepass")).hexdigest()


INTERRUPTED: Final = "this call was interrupted: it may have been done in part, or not at all"
"""The result of a call that was stopped, or that a crash left without one."""

Arguments = Mapping[str, Any]
"""The arguments of a call, parsed and checked against the tool's schema."""
