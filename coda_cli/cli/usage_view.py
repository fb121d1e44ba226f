"""How `coda usage` prints: a table and charts on a terminal, tab-separated lines on a pipe, JSON, CSV."""

from __future__ import annotations

import csv
import sys
import textwrap
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from coda_cli.chat.words import counted, money
from coda_cli.cli.history_common import cells, cut, one_line, pad, short_id, width
from coda_cli.cli.output import can_draw, say, style
from coda_cli.cli.plots import bar, chart, has_blocks, squeezed
from coda_cli.cli.usage import NO_TAG, Report
from coda_cli.engine.usage.histogram import percentiles
from coda_cli.engine.usage.sums import SHARES, Sums

_FIELDS: Final = (
    *("requests", "errors", "hits", "retries", "input", "cached", "cache_write", "output", "reasoning", "tokens"),
    *("cost_usd", "unpriced"),
)
_GAP: Final = "  "
_HEIGHT: Final = 4
_MODELS: Final = 12
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


# ---- for programs ---------------------------------------------------------------------------------------------------


def as_json(report: Report) -> dict[str, Any]:
    """The report as one object; days are ISO dates."""
    return {
        "by": report.by,
        "since": report.since and report.since.isoformat(),
        "until": report.until and report.until.isoformat(),
        "total": report.total.to_json(),
        "rows": [{report.by: key or None, **_title(report, key), **one.to_json()} for key, one in report.rows],
        "speeds": {name: one.to_json() for name, one in report.speeds.items()},
    }


def _title(report: Report, key: str) -> dict[str, str | None]:
    return {"title": report.titles.get(key)} if report.by == "conversation" else {}


def put_csv(report: Report) -> None:
    """A heading and a line for each row. A name that a spreadsheet would take for a formula gets an apostrophe."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    titled = report.by == "conversation"
    out.writerow([report.by, *(["title"] if titled else []), *_FIELDS])
    for key, one in report.rows:
        names = [key, *([report.titles.get(key, "")] if titled else [])]
        out.writerow([*map(_harmless, names), *_values(one)])


def _harmless(name: str) -> str:
    name = one_line(name)
    return f"'{name}" if name.startswith(_FORMULA) else name


def _values(one: Sums) -> list[Any]:
    made = one.to_json()
    return [made[name] for name in _FIELDS]


# ---- for a person ---------------------------------------------------------------------------------------------------


def put(report: Report) -> None:
    """The report for the terminal, or for a pipe."""
    columns = width()
    if columns is None:
        for key, one in report.rows:
            print("\t".join([one_line(key), *map(str, _values(one))]))
        return
    blocks = has_blocks()
    for line in _heading(report, columns):
        print(line)
    print()
    for line in _table(report, columns - 1, blocks=blocks):
        print(line)
    if report.by == "tag" and sum(one.requests for _, one in report.rows) > report.total.requests:
        print(style("a chat with several tags counts for each of them", "2", sys.stdout))
    if len(report.days) > 1:
        print()
        for line in _charts(report, columns - 1, blocks=blocks):
            print(line)
    if lines := _speeds(report, columns - 1, blocks=blocks):
        print()
        for line in lines:
            print(line)
    if report.more and can_draw(sys.stdout):
        say(f"there are more: --limit {4 * len(report.rows)}")


def _heading(report: Report, columns: int) -> list[str]:
    total, days = report.total, list(report.days)
    first = report.since or date.fromordinal(days[0])
    last = report.until or date.fromordinal(days[-1])
    facts = [counted(total.requests, "request")]
    if total.errors:
        facts.append(f"{total.errors:,} failed")
    if total.hits:
        facts.append(f"{total.hits:,} from the cache")
    sent = f"{_short(total.input)} tokens in"
    if total.cached:
        sent += f" ({100 * total.cached // max(1, total.input)} % cached)"
    facts += [sent, f"{_short(total.output)} out"]
    when = f"{first}" if first == last else f"{first} to {last}"
    spent = style(_cost(total), "1", sys.stdout)
    if total.unpriced and total.cost:
        spent += style(f" and {counted(total.unpriced, 'request')} unpriced", "33", sys.stdout)
    return [style(when, "2", sys.stdout), spent, *textwrap.wrap(", ".join(facts), columns - 1)]


def _cost(one: Sums) -> str:
    """ "free" where all of it was on a machine of one's own, "unpriced" where no price is known."""
    if one.unpriced and not one.cost:
        return "unpriced"
    return "free" if not one.cost else money(one.cost)


def _short(number: int) -> str:
    value = float(number)
    for unit in ("", "k", "M", "B"):
        if value < 1000 or unit == "B":
            break
        value /= 1000
    return f"{number:,}" if not unit else f"{value:.1f}{unit}" if value < 100 else f"{value:.0f}{unit}"


def _table(report: Report, columns: int, *, blocks: bool) -> list[str]:
    """A heading and a line for each row, its cost (or where nothing costs, its tokens) as a bar."""
    unpriced = any(one.unpriced and one.cost for _, one in report.rows)
    names = [report.by.upper(), "REQUESTS", "TOKENS", "COST", *(["UNPRICED"] if unpriced else [])]
    found = []
    for key, one in report.rows:
        cost = [_cost(one), *([f"{one.unpriced:,}" if one.unpriced else ""] if unpriced else [])]
        found.append([_label(report, key), f"{one.requests:,}", _short(one.tokens), *cost])
    sizes = [max(cells(name), *(cells(row[at]) for row in found)) for at, name in enumerate(names)]
    others = sum(sizes[1:]) + len(_GAP) * (len(sizes) - 1)
    sizes[0] = max(8, min(sizes[0], columns - others, 44))
    room = columns - others - sizes[0] - len(_GAP)
    by_cost = any(one.cost for _, one in report.rows)
    weights = [one.cost if by_cost else float(one.tokens) for _, one in report.rows]

    def line(row: Sequence[str]) -> str:
        return _GAP.join(pad(text, size, right=at > 0) for at, (text, size) in enumerate(zip(row, sizes, strict=True)))

    out = [style(line(names).rstrip(), "2", sys.stdout)]
    for row, weight in zip(found, weights, strict=True):
        drawn = bar(weight, max(weights), min(room, 24), blocks=blocks) if room >= 6 else ""
        out.append((line(row) + (_GAP + style(drawn, "36", sys.stdout) if drawn else "")).rstrip())
    return out


def _label(report: Report, key: str) -> str:
    if report.by == "tag" and key == NO_TAG:
        return "(no tag)"
    if report.by != "conversation":
        return one_line(key) or "(no name)"
    return f"{short_id(key)} {one_line(report.titles.get(key, '(deleted)')) or '(no title)'}"


def _charts(report: Report, columns: int, *, blocks: bool) -> list[str]:
    """Spend and tokens over time, a column for each day, or for several where the time is long."""
    first = report.since.toordinal() if report.since else min(report.days)
    last = max(report.days)
    every = [report.days.get(at, Sums()) for at in range(first, last + 1)]
    out = []
    for name, values in (("spend", [one.cost for one in every]), ("tokens", [float(one.tokens) for one in every])):
        drawn, each = squeezed(values, max(10, columns - 10))
        most = max(drawn)
        if not most:
            continue
        top = money(most) if name == "spend" else _short(int(most))
        lines = chart(drawn, _HEIGHT, blocks=blocks)
        unit = "a day" if each == 1 else f"in {each} days"
        out.append(f"{style(name, '1', sys.stdout)}, at most {top} {unit}")
        out += [f"  {style(line, '36', sys.stdout)}" for line in lines]
        begins, ends = date.fromordinal(first).isoformat(), date.fromordinal(last).isoformat()
        blanks = len(drawn) - len(begins) - len(ends)
        axis = f"{begins}{' ' * blanks}{ends}" if blanks > 0 else f"{begins} to {ends}"
        out.append(f"  {style(axis, '2', sys.stdout)}")
    return out


def _speeds(report: Report, columns: int, *, blocks: bool) -> list[str]:
    """By model: percentiles of the whole answer and of the first token in seconds, and the tokens a second."""
    rows = []
    for name, one in report.speeds.items():
        whole, first = percentiles(one.latency, SHARES), percentiles(one.first, SHARES)
        middle = percentiles(one.rate, [0.5])
        if whole is not None:
            rows.append((one_line(name), whole, first, middle[0] if middle else 0.0))
    rows.sort(key=lambda row: -row[3])
    rows = rows[:_MODELS]
    if not rows:
        return []
    wide = columns >= 70
    size = max(8, min(max(cells(row[0]) for row in rows), columns - (50 if wide else 29)))
    numbered = [pad(head, 5, right=True) for head in ("p50", "p90", "p99")]
    above = [pad("", size), pad("ANSWER", 19), *([pad("FIRST TOKEN", 19)] if wide else []), "TOKENS"]
    below = [pad("SPEED", size), *numbered, *(numbered if wide else []), pad("/s", 6, right=True)]
    out = [style(cut(_GAP.join(line), columns), "2", sys.stdout) for line in (above, below)]
    room = columns - cells(_GAP.join(below)) - len(_GAP)
    for name, whole, first, rate in rows:
        numbers = [*map(_seconds, whole), *(map(_seconds, first or (None, None, None)) if wide else [])]
        told = f"{rate:.0f}" if rate else "-"
        text = _GAP.join([pad(name, size), *(pad(one, 5, right=True) for one in numbers), pad(told, 6, right=True)])
        drawn = bar(rate, rows[0][3], min(room, 20), blocks=blocks) if room >= 4 else ""
        out.append((cut(text, columns) + (_GAP + style(drawn, "36", sys.stdout) if drawn else "")).rstrip())
    return out


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}s" if value < 10 else f"{value:.0f}s" if value < 10_000 else ">9ks"
