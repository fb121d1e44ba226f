"""What was said and what it cost, by month and by model: counted in the journals, each answer where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from coda_cli.engine.conversations.journal import Journal, Record
from coda_cli.engine.conversations.store import Folder, unreadable


class Sums(Struct):
    """How many conversations have such a message, how many messages; tokens as reported, USD of what was priced."""

    conversations: int = 0
    messages: int = 0
    tokens: int = 0
    cost: float = 0.0


class Stats(Struct):
    """All sums. `months` by `2026-01` in the local time zone, `models` by `provider/model`; `size` in bytes on disk."""

    total: Sums = field(default_factory=Sums)
    months: dict[str, Sums] = field(default_factory=dict)
    models: dict[str, Sums] = field(default_factory=dict)
    size: int = 0
    unreadable: int = 0


def stats(folder: Folder, *, progress: Callable[[int, int], None] | None = None) -> Stats:
    """Read every journal once. Raises StoreError if the folder cannot be read."""
    out = Stats()
    try:
        files = list(folder.files())
    except OSError as exc:
        raise unreadable(folder.conversations, exc) from exc
    for number, file in enumerate(files):
        if progress is not None:
            progress(number, len(files))
        try:
            size = file.stat().st_size
            if size:
                _count(out, Journal(file))
                out.size += size
        except FileNotFoundError:
            continue  # deleted meanwhile
        except OSError:
            out.unreadable += 1
    out.size += sum(_sizes(folder))
    out.months = dict(sorted(out.months.items(), reverse=True))
    out.models = dict(sorted(out.models.items(), key=lambda item: (-item[1].tokens, -item[1].messages, item[0])))
    return out


def _sizes(folder: Folder) -> list[int]:
    try:
        return [file.stat().st_size for file in folder.blobs.iterdir() if file.is_file()]
    except OSError:
        return []


def _count(out: Stats, journal: Journal) -> None:
    """Add one conversation: its messages by id, as the last record of each says."""
    messages: dict[str, Record] = {}
    for record in journal.records():
        if record["type"] in ("message", "checkpoint") and isinstance(record.get("id"), str):
            known = messages.get(record["id"])
            if known is None or known["type"] == "checkpoint":
                messages[record["id"]] = {name: record.get(name) for name in _NEEDED}
    out.total.conversations += 1
    months, models = set(), set()
    for record in messages.values():
        sums = [out.total]
        if month := _month(record["time"]):
            months.add(month)
            sums.append(out.months.setdefault(month, Sums()))
        if record["role"] == "assistant" and isinstance(record["model"], str) and record["model"]:
            name = f"{record['provider']}/{record['model']}" if record["provider"] else record["model"]
            models.add(name)
            sums.append(out.models.setdefault(name, Sums()))
        for one in sums:
            one.messages += 1
            one.tokens += _tokens(record["usage"])
            one.cost += _price(record["cost"])
    for month in months:
        out.months[month].conversations += 1
    for name in models:
        out.models[name].conversations += 1


_NEEDED = ("type", "role", "time", "provider", "model", "usage", "cost")


def _month(when: Any) -> str:
    if isinstance(when, bool) or not isinstance(when, int | float) or not 0 < when < 2.5e11:
        return ""
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m")


def _tokens(usage: Any) -> int:
    if not isinstance(usage, dict):
        return 0
    return sum(usage[name] for name in ("input_tokens", "output_tokens") if type(usage.get(name)) is int)


def _price(cost: Any) -> float:
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else 0.0
