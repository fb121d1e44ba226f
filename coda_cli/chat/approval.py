"""A call that waits for a person, as every front end shows it: what will be done, word for word, and what can be said.

Everything here has passed `visible`: no character that hides or misleads is left in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from coda_cli.engine.core.tools import WHY, Approval, ApprovalRequest, Decision, Touches
from coda_cli.engine.tools.visible import visible, visible_line

_DOES: Final = {
    Touches.NOTHING: "wants to use a tool",
    Touches.READS: "wants to read",
    Touches.WRITES: "wants to write",
    Touches.NETWORK: "wants to reach the network",
    Touches.RUNS: "wants to run a program",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One of the answers: the key that gives it, and its words. With `explains` a reason is asked for."""

    key: str
    label: str
    decision: Decision
    explains: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person reads. `title` and `summary` are one line each, `detail` and `diff` many ("" for none)."""

    title: str
    summary: str
    why: str
    detail: str
    diff: str
    answers: tuple[Said, ...]


def shown(request: ApprovalRequest) -> Shown:
    """*request*, fit to be read."""
    effect = request.effect
    answers = [
        Said("y", "yes, this once", Decision.ONCE),
        Said("c", "yes, the same in this chat", Decision.CHAT),
        Said("n", "no", Decision.NO),
        Said("r", "no, and say why", Decision.NO, explains=True),
    ]
    if effect.rule is not None:
        answers.insert(2, Said("a", f"always: {visible_line(effect.rule)}", Decision.ALWAYS))
    return Shown(
        title=f"{visible_line(request.tool)} {_DOES[request.touches]}",
        summary=visible_line(effect.summary),
        why="" if request.why == WHY[request.touches] else visible_line(request.why),
        detail=visible(_beyond(effect.detail, effect.summary)),
        diff=visible(effect.diff),
        answers=tuple(answers),
    )


def _beyond(detail: str, summary: str) -> str:
    """What *detail* says beyond *summary*, which stands above it."""
    if detail == summary or detail.startswith(summary + "\n"):
        return detail[len(summary) :].strip("\n")
    return detail


def answered(request: ApprovalRequest, said: Said, reason: str = "") -> Approval:
    """The answer *said* to *request*, bound to it."""
    return Approval(said.decision, request.digest, reason.strip())


def declined(request: ApprovalRequest) -> Approval:
    """No, for want of an answer."""
    return Approval(Decision.NO, request.digest)


def by_key(answers: Sequence[Said], typed: str) -> Said | None:
    """The answer whose key, or number from 1, was typed; None for anything else."""
    typed = typed.strip().lower()
    if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(answers):
        return answers[int(typed) - 1]
    return next((said for said in answers if said.key == typed), None)
