"""A message of a chat that is opened, and what an answer took, in lines."""

from __future__ import annotations

from coda_cli.chat import telling
from coda_cli.chat.entry import Entry, ToolCard
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.plain.lines import one_line, spoken


def told(number: int, entry: Entry, *, raw: bool) -> str:
    """The message with its number, who said it, and what is special about it."""
    who = "you" if entry.kind == "user" else f"{entry.provider}/{entry.model}" if entry.model else entry.kind
    marks = [f"version {entry.place} of {entry.siblings}"] if entry.siblings > 1 else []
    marks += ["pinned"] if entry.pinned else []
    marks += [f"rated {entry.rating}"] if entry.rating else []
    marks += [entry.status] if entry.status not in ("complete", "") else []
    marks += [f"with {one_line(one.name)}" for one in entry.attached]
    more = f" ({', '.join(marks)})" if marks else ""
    body = sanitize(entry.text) + "\n" if entry.kind == "user" else spoken(entry.text, raw=raw)
    calls = "".join(f"Called {one_line(telling.calling(t.name, t.arguments))}: {_gave(t)}\n" for t in entry.tools)
    return f"{number}. {one_line(who)}{more}:\n{body}{calls}\n"


def _gave(tool: ToolCard) -> str:
    """What a call gave, in a line."""
    if tool.result is None:
        return "interrupted"
    return ("failed, " if tool.is_error else "") + telling.short(one_line(tool.result))


def took(number: int, tokens: int, cost: float | None, latency: float | None) -> str:
    """What an answer took, in a line."""
    price = "unpriced" if cost is None else f"${cost:.4f}" if cost else "free"
    seconds = f", {latency:.1f} s" if latency is not None else ""
    return f"{number}: {tokens:,} tokens, {price}{seconds}"
