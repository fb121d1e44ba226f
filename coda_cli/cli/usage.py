"""`coda usage`: what was asked, what it cost, how fast it was. From the usage log, by day; no text of any chat."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

import typer
from msgspec import Struct, field

from coda_cli.cli.output import put_json, say
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.usage.sums import Speeds, Sums

EPILOG: Final = """\
Examples:

  coda usage                               by day, with charts

  coda usage --by model --since 30d

  coda usage --by tag --since 2026-01-01 --until 2026-03-31

  coda usage --by conversation --limit 10

  coda usage --by day --csv > usage.csv

  coda usage --json | jq .total.cost_usd

A request whose price nobody knows is counted as unpriced, beside the sum. Set a price in coda.toml: [prices."MODEL"].
"""
By = Literal["day", "model", "provider", "conversation", "tag"]
_SPAN: Final = re.compile(r"(\d{1,5})\s*(d|w|mo?|y)")
_DAYS: Final = {"d": 1, "w": 7, "m": 30, "mo": 30, "y": 365}
_FAR: Final = 1 << 31
_FEW: Final = 100  # titles that are looked up one by one
NO_TAG: Final = ""
"""The key of what has no tag."""


class Report(Struct):
    """What was found. `rows` in the order they are shown; the days of *since* and *until* are counted, None: no bound.

    `days` are the sums of every day that has some, by its ordinal; `titles` by conversation.
    """

    by: By
    since: date | None
    until: date | None
    total: Sums = field(default_factory=Sums)
    rows: list[tuple[str, Sums]] = field(default_factory=list)
    days: dict[int, Sums] = field(default_factory=dict)
    speeds: dict[str, Speeds] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    more: bool = False


def usage(
    by: Annotated[By, typer.Option("--by", help="What to add up by.")] = "day",
    since: Annotated[
        str | None, typer.Option("--since", metavar="DAY", help="2026-01-31, today, or 7d, 4w, 3m: with today.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DAY", help="The same; that day is counted.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, metavar="N", help="How many rows at most.")] = 30,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: all rows, percentiles by model.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV: all rows.")] = False,
) -> None:
    """Show requests, tokens, cost and speed, by day, model, provider, conversation or tag."""
    if json and csv:
        raise UsageError("--json and --csv exclude each other", hint="choose one of them")
    first = None if since is None else day(since, "--since")
    last = None if until is None else day(until, "--until")
    if first is not None and last is not None and first > last:
        raise UsageError(f"--since {first} is after --until {last}", hint="swap the two")
    report = gather(by, first, last, most=None if json or csv else limit)
    from coda_cli.cli import usage_view as view

    if json:
        put_json(view.as_json(report))
    elif csv:
        view.put_csv(report)
    elif not report.total.requests:
        bounded = since is not None or until is not None
        say("nothing was asked in that time" if bounded else 'nothing has been asked yet: `coda ask "..."` begins')
    else:
        view.put(report)


def day(text: str, option: str) -> date:
    """A day: `2026-01-31`, `today`, `yesterday`, or the first of so many days up to today (`7d`, `4w`, `3m`, `1y`).

    Raises UsageError.
    """
    given = text.strip().lower()
    today = datetime.now().astimezone().date()
    try:
        if span := _SPAN.fullmatch(given):
            return today - timedelta(days=max(0, int(span[1]) * _DAYS[span[2]] - 1))
        if given in ("today", "yesterday"):
            return today - timedelta(days=given == "yesterday")
        return date.fromisoformat(given)
    except (ValueError, OverflowError) as exc:
        raise UsageError(f"{option} {text!r} is no day", hint="say 2026-01-31, today, yesterday, 7d, 4w or 3m") from exc


def gather(by: By, since: date | None, until: date | None, *, most: int | None) -> Report:
    """Ask the rollup. *most* rows of conversations, models, ...; of days the latest ones. None is all."""
    from coda_cli.cli.history_common import ProgressLine
    from coda_cli.engine.usage import rollup

    report = Report(by, since, until)
    first, last = since.toordinal() if since else 0, until.toordinal() if until else _FAR

    def question(db: sqlite3.Connection) -> None:
        report.days = {int(at): one for at, one in sorted(rollup.sums(db, "day", first, last).items())}
        report.speeds = {str(name): one for name, one in rollup.speeds(db, "model", first, last).items()}
        if by not in ("day", "tag"):
            limit = -1 if most is None else most + 1
            report.rows = [(str(key), one) for key, one in rollup.sums(db, by, first, last, most=limit).items()]
        elif by == "tag":
            report.rows = _by_tag(lambda: rollup.sums(db, "conversation", first, last))

    with ProgressLine("adding up the usage log") as progress:
        rollup.Rollup().ask(question, progress)
    for one in report.days.values():
        report.total.add(one)
    if by == "day":
        report.rows = [(date.fromordinal(at).isoformat(), one) for at, one in report.days.items()]
    if most is not None and len(report.rows) > most:
        report.more = True
        report.rows = report.rows[-most:] if by == "day" else report.rows[:most]
    if by == "conversation":
        _name(report)
    return report


def _by_tag(conversations: Callable[[], dict[str | int, Sums]]) -> list[tuple[str, Sums]]:
    """Sums by tag: a conversation with two tags counts for both. What has none comes last."""
    from coda_cli.cli.history_common import open_index
    from coda_cli.engine.conversations.info import Filter

    index = open_index()
    tagged: dict[str, list[str]] = {}
    for tag, _ in index.tags() if index is not None else ():
        for row in index.rows(Filter(tag=tag), limit=_FAR) if index is not None else ():
            tagged.setdefault(row.id, []).append(tag)
    out: dict[str, Sums] = {}
    for conversation, one in conversations().items():
        for tag in tagged.get(str(conversation), [NO_TAG]):
            out.setdefault(tag, Sums()).add(one)
    return sorted(out.items(), key=lambda item: (item[0] == NO_TAG, -item[1].cost, -item[1].tokens, item[0]))


def _name(report: Report) -> None:
    from coda_cli.cli.history_common import open_index
    from coda_cli.engine.conversations.info import Filter

    index = open_index()
    if index is None:
        return
    if len(report.rows) > _FEW:
        report.titles = {row.id: row.title for row in index.rows(Filter(), limit=_FAR)}
        return
    for conversation, _ in report.rows:
        row = index.get(conversation)
        if row is not None:
            report.titles[conversation] = row.title
