"""What stands around a message's text: the line above it, reasoning, tool calls, attachments, the line below."""

from __future__ import annotations

import json
import time
from typing import Final

from coda_cli.chat.entry import Attached, Entry, ToolCard
from coda_cli.chat.words import price
from coda_cli.engine.core.tools import INTERRUPTED
from coda_cli.markdown.code import highlight
from coda_cli.markdown.render import panel, panel_rows
from coda_cli.markdown.text import Line, clean, fold, line_cells, wrap
from coda_cli.tui.transcript.blocks import Block, fixed, plain_lines

_WHO: Final = {"user": "You", "assistant": "Assistant", "tool": "Tool", "system": "System"}
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_WORTH_TELLING: Final = 0.1  # seconds of a call
_SHOWN: Final = 400
"""Rows of a tool's result that are shown; the rest is counted."""


def one_line(text: str) -> str:
    """*text* safe and on one line."""
    return " ".join(clean(text).split())


def ago(then: float, now: float) -> str:
    """How long ago, for people: "just now", "5 min ago", "3 h ago", then the date."""
    past = now - then
    if past < _MINUTE:
        return "just now"
    if past < _HOUR:
        return f"{int(past // _MINUTE)} min ago"
    if past < _DAY:
        return f"{int(past // _HOUR)} h ago"
    there, here = time.localtime(then), time.localtime(now)
    return time.strftime("%d %b, %H:%M" if there.tm_year == here.tm_year else "%d %b %Y", there)


def header(entry: Entry, now: float) -> Block:
    """Who says it, when, whether it is pinned or rated, and which of its versions it is."""
    who = one_line(entry.model or entry.provider) if entry.kind == "assistant" else ""
    line: Line = [(who or _WHO.get(entry.kind, ""), (entry.kind,))]
    if entry.created:
        line.append((f" · {ago(entry.created, now)}", ("muted",)))
    if entry.pinned:
        line.append((" · ★ pinned", ("pin",)))
    if entry.rating is not None:
        line.append((f" · rated {entry.rating}", ("pin",)))
    if entry.siblings > 1:
        line += [
            (" · ", ("muted",)),
            ("‹", ("button", "!previous_sibling")),
            (f" {entry.place}/{entry.siblings} ", ("muted",)),
            ("›", ("button", "!next_sibling")),
        ]
    return fixed([line])


def attachments(attached: tuple[Attached, ...]) -> Block:
    """One line for each attachment."""
    return fixed(
        [[(f"+ {one_line(each.name)}", ("muted",)), (f"  {size(each.size)}", ("muted",))] for each in attached]
    )


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:,.0f} kB" if count < 1e6 else f"{count / 1e6:,.1f} MB"


def reasoning_head(words: int, seconds: float | None, *, unfolded: bool, thinking: bool) -> Block:
    """The line that folds and unfolds the reasoning."""
    if thinking:
        text = "thinking…"
    elif seconds is not None:
        text = f"thought for {seconds:.0f} s" if seconds >= 1 else "thought for a moment"
    else:
        text = f"thought, {words:,} word{'s' * (words != 1)}"
    return fixed([[("▾ " if unfolded else "▸ ", ("muted", "!fold:")), (text, ("reasoning", "!fold:"))]])


def summary_head(entry: Entry, *, unfolded: bool) -> Block:
    """The line that stands for the messages before it, which are sent as a summary."""
    mark, target = "▾ " if unfolded else "▸ ", "!fold:summary"
    by = f" by {one_line(entry.model)}" if entry.model else ""
    line: Line = [(mark, ("muted", target)), (f"the messages above are sent as a summary{by}", ("summary", target))]
    block = fixed([line])
    block.gap = True
    return block


def card(tool: ToolCard, *, unfolded: bool, running: bool) -> Block:
    """A tool call: one line, and unfolded its arguments and its result."""
    target = f"!fold:{tool.id}"
    if tool.result is None:
        under_way = tool.doing or ("…" if running else "")
        status: Line = [(under_way, ("muted", target)) if under_way else ("■ interrupted", ("warning", target))]
    else:
        status = [_ended(tool, target)]
    head: Line = [
        ("▾ " if unfolded else "▸ ", ("muted", target)),
        (one_line(tool.name), ("tool", target)),
        (f"  {_summary(tool.arguments)}  ", ("muted", target)),
    ]
    if not unfolded:
        return Block(lambda width: [_with_status(head, status, width)], gap=True, height=2)

    def draw(width: int) -> list[Line]:
        lines = [_with_status(head, status, width)]
        code = clean(_pretty(tool.arguments)).split("\n")
        lit = highlight("\n".join(code), "json")
        lines += [row for line in panel(lit, "arguments") for row in panel_rows(line, width)]
        said = tool.output if tool.result is None else tool.display or tool.result
        if tool.result is not None or said:
            result = plain_lines(clean(said).strip("\n"), width - 2, ("tool_bad",) if tool.is_error else ())
            name = "error" if tool.is_error else "result" if tool.result is not None else "so far"
            shown = panel(result[:_SHOWN], name)
            lines += [row for line in shown for row in panel_rows(line, width)]
            if len(result) > _SHOWN:
                lines.append([(f"{len(result) - _SHOWN:,} more lines", ("muted",))])
        return lines

    return Block(draw, gap=True, height=6)


def _ended(tool: ToolCard, target: str) -> tuple[str, tuple[str, ...]]:
    """How the call ended and how long it took, where that is worth a word."""
    if tool.result == INTERRUPTED:
        return "■ interrupted", ("warning", target)
    if tool.is_error:
        return "✗ not run" if tool.seconds is None and tool.display else "✗ failed", ("tool_bad", target)
    slow = tool.seconds is not None and tool.seconds >= _WORTH_TELLING
    return f"✓ {tool.seconds:.1f} s" if slow else "✓", ("tool_ok", target)


def _with_status(head: Line, status: Line, width: int) -> Line:
    """The card's line, shortened so that its status is always seen."""
    room = max(width - line_cells(status), 1)
    if line_cells(head) > room:
        head = [*fold(head, max(room - 2, 1))[0], ("… ", ("muted",))]
    return [*head, *status]


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):  # a model may write anything
        return None


def _pretty(arguments: str) -> str:
    value = _parsed(arguments)
    return arguments if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def _summary(arguments: str) -> str:
    value = _parsed(arguments)
    if not isinstance(value, dict):
        return one_line(arguments[:500])
    shown = (item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in value.values())
    return one_line(" ".join(text[:200] for text in shown))


def footer(entry: Entry) -> Block | None:
    """Under an answer: what it took, and how it ended if not well."""
    lines: list[Line] = []
    match entry.status:
        case "interrupted":
            lines.append([("■ interrupted", ("warning",)), *_retry()])
        case "incomplete":
            lines.append([("▲ incomplete: the answer broke off", ("warning",)), *_retry()])
        case "error":
            lines.append([("✗ the answer failed", ("error",)), *_retry()])
        case _:
            pass
    numbers = []
    if entry.tokens:
        numbers.append(f"{entry.tokens:,} token{'s' * (entry.tokens != 1)}")
    if entry.latency is not None:
        numbers.append(f"{entry.latency:.1f} s")
    if entry.cost is not None:
        numbers.append(price(entry.cost))
    if numbers:
        lines.append([(" · ".join(numbers), ("muted",))])
    if not lines:
        return None
    hint = one_line(entry.hint or "")

    def draw(width: int) -> list[Line]:
        told = [wrapped for line in lines[:1] for wrapped in wrap(line, width)]
        told += wrap([(f"hint: {hint}", ("hint",))], width) if hint else []
        return told + [wrapped for line in lines[1:] for wrapped in wrap(line, width)]

    return Block(draw, gap=True, height=1 + len(lines))


def _retry() -> Line:
    return [("  ", ()), ("r to retry", ("button", "!retry"))]


def failure(entry: Entry) -> Block:
    """An error with its next step."""
    text, hint = clean(entry.text).strip("\n"), one_line(entry.hint or "")

    def draw(width: int) -> list[Line]:
        lines = plain_lines(f"✗ {text}", width, ("error",))
        lines += plain_lines(f"hint: {hint}", width, ("hint",)) if hint else []
        return [*lines, _retry()[1:]] if entry.provider else lines  # only what a model failed at can be tried again

    return Block(draw, text)
