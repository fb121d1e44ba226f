"""`coda history verify`, `rebuild-index` and `stats`."""

from __future__ import annotations

import sys
import time
from typing import Any

from msgspec.structs import asdict

from coda_cli import paths
from coda_cli.chat.words import counted, money
from coda_cli.cli.history_common import ProgressLine, amount, one_line, open_folder, open_index, pad
from coda_cli.cli.output import EXIT_FAILURE, EXIT_OK, put, put_json, say, style, warn
from coda_cli.engine.conversations.findings import Finding, VerifyReport


def verify(*, fix: bool, json: bool) -> int:
    """Read every file and tell what is wrong; the exit code."""
    from coda_cli.engine.conversations.verify import verify as check

    with ProgressLine("reading") as progress:
        report = check(open_folder(), fix=fix, progress=progress)
    for warning in report.warnings:
        warn(warning)
    if json:
        put_json(_report_json(report))
    else:
        for finding in report.findings:
            _put_finding(finding)
        _put_summary(report)
    left = sum(finding.fixable and not finding.fixed for finding in report.findings)
    if left and not fix:
        say(f"`coda history verify --fix` mends {left:,} of them without losing anything")
    return EXIT_FAILURE if report.findings else EXIT_OK


def _report_json(report: VerifyReport) -> dict[str, Any]:
    return {
        **asdict(report),
        "findings": [{**asdict(finding), "file": str(finding.file)} for finding in report.findings],
    }


def _put_finding(finding: Finding) -> None:
    where = f"{finding.file}:{finding.line}" if finding.line is not None else str(finding.file)
    which = f" (byte {finding.byte})" if finding.byte is not None else ""
    chat = f"  [{one_line(finding.conversation)}]" if finding.conversation else ""
    print(f"{style(one_line(where), '1', sys.stdout)}{chat}")
    print(f"  {finding.kind}: {one_line(finding.problem)}{which}")
    print(f"  {'mended' if finding.fixed else 'mend'}: {one_line(finding.mend)}")


def _put_summary(report: VerifyReport) -> None:
    read = [
        counted(report.conversations, "conversation"),
        counted(report.messages, "message"),
        counted(report.records, "record"),
        counted(report.blobs, "large part"),
        f"{report.trashed:,} in the trash",
        amount(report.size),
    ]
    found = counted(len(report.findings), "finding") if report.findings else "all is well"
    mended = sum(finding.fixed for finding in report.findings)
    put(f"{', '.join(read)}: {found}{f', {mended:,} mended' if mended else ''}")


def rebuild_index(*, json: bool) -> None:
    """Make the index from the files."""
    index = open_index()
    begun = time.monotonic()
    count = 0
    if index is not None:
        with ProgressLine("indexing") as progress:
            count = index.rebuild(progress)
    seconds = time.monotonic() - begun
    if json:
        put_json({"conversations": count, "seconds": round(seconds, 3), "file": str(index.file) if index else None})
    else:
        put(f"{counted(count, 'conversation')} indexed in {seconds:.1f} s")


def stats(*, json: bool) -> None:
    """What was said and what it cost."""
    from coda_cli.engine.conversations.stats import Sums, stats as count

    with ProgressLine("counting") as progress:
        found = count(open_folder(), progress=progress)
    if found.unreadable:
        warn(f"{counted(found.unreadable, 'file')} can't be read; `coda history verify` tells which")

    def fields(sums: Sums) -> dict[str, Any]:
        numbers = asdict(sums)
        cost = numbers.pop("cost")
        return {**numbers, "cost_usd": round(cost, 6)}

    if json:
        put_json(
            {
                **fields(found.total),
                "size": found.size,
                "folder": str(paths.data_dir()),
                "unreadable": found.unreadable,
                "months": [{"month": name, **fields(sums)} for name, sums in found.months.items()],
                "models": [{"model": name, **fields(sums)} for name, sums in found.models.items()],
            }
        )
        return
    total = found.total
    what = [counted(total.conversations, "conversation"), counted(total.messages, "message")]
    put(f"{', '.join(what)}, {total.tokens:,} tokens, {money(total.cost)}, {amount(found.size)}")
    for heading, rows in (("MONTH", found.months), ("MODEL", found.models)):
        if rows:
            put("")
            _put_sums(heading, rows)


def _put_sums(heading: str, rows: dict[str, Any]) -> None:
    lines = [[heading, "CHATS", "MESSAGES", "TOKENS", "COST"]]
    for name, sums in rows.items():
        numbers = (f"{sums.conversations:,}", f"{sums.messages:,}", f"{sums.tokens:,}", money(sums.cost))
        lines.append([one_line(name), *numbers])
    sizes = [min(40, max(len(line[place]) for line in lines)) for place in range(5)]
    for number, line in enumerate(lines):
        text = "  ".join(
            pad(cell, size, right=place > 0) for place, (cell, size) in enumerate(zip(line, sizes, strict=True))
        )
        print(style(text, "2", sys.stdout) if number == 0 else text)
