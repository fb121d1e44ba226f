"""A call that waits for a person, as every front end shows it: what will be done, word for word, and what can be said.

Everything here has passed `visible`: no character that hides or misleads is left in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from coda_cli.engine.core.tools import WHY, Approval, ApprovalRequest, Decision, Touches
from coda_cli.engine.tools.visible import visible, visible_line

_DOES: Final = {
    Touches.NOTHING: "wants to use a tool",
    Touches.READS: "wants to read",
    Touches.WRITES: "wants to write",
    Touches.NETWORK: "wants to reach the network",
    Touches.RUNS: "wants to run a program",
}

_LONGEST: Final = 160  # characters of the first line, and of what a rule is called
SHOW_ALL: Final = "v"
"""What a person types to see the lines that were left out."""


class Said(Struct, frozen=True):
    """One of the answers: the key that gives it, and its words. With `explains` a reason is asked for."""

    key: str
    label: str
    decision: Decision
    explains: bool = False


class Shown(Struct, frozen=True):
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
    summary, detail = _told(effect.summary, effect.detail)
    return Shown(
        title=f"{visible_line(request.tool)} {_DOES[request.touches]}",
        summary=summary,
        why="" if request.why == WHY[request.touches] else visible_line(request.why),
        detail=visible(detail),
        diff=visible(effect.diff),
        answers=_answers(request),
    )


def _told(summary: str, detail: str) -> tuple[str, str]:
    """One line to begin with, and the rest. What does not fit into the line stands below, whole."""
    line = visible_line(summary.split("\n", 1)[0])
    if "\n" in summary or len(line) > _LONGEST:
        return f"{line[:_LONGEST]} …", detail if summary in detail else f"{summary}\n\n{detail}".rstrip()
    if detail == summary or detail.endswith(f"\n\n{summary}"):
        return line, detail.removesuffix(summary).strip("\n")
    if detail.startswith(f"{summary}\n"):
        return line, detail.removeprefix(summary).strip("\n")
    return line, detail


def _answers(request: ApprovalRequest) -> tuple[Said, ...]:
    """What can be said. What a yes is remembered for stands in its own words, which are those of the rule."""
    from coda_cli.engine.tools.rules import exact_pattern

    text = exact_pattern(request.tool, request.effect)
    what = "exactly this again"
    if text is not None:
        what = f"every call of {text}" if text == request.tool else visible_line(text)
        what = what if len(what) <= _LONGEST else f"{what[: _LONGEST - 1]}…"
    return (
        Said("y", "yes, this once", Decision.ONCE),
        Said("c", f"yes, in this chat: {what}", Decision.CHAT),
        *((Said("a", f"always here: {what}", Decision.ALWAYS),) if text is not None else ()),
        Said("n", "no", Decision.NO),
        Said("r", "no, and say why", Decision.NO, explains=True),
    )


def read_on(block: str, most: int, *, whole: bool) -> list[str]:
    """The lines of *block* for a front end of lines: *most* of them and a word on the rest, or the *whole*."""
    lines = block.splitlines()
    if whole or len(lines) <= most:
        return lines
    return [*lines[:most], f"… and {len(lines) - most} more lines: `{SHOW_ALL}` shows them all"]


def cut(told: Shown, most: int) -> bool:
    """Whether `read_on` leaves anything out."""
    return any(len(block.splitlines()) > most for block in (told.detail, told.diff))


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
