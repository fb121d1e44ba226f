"""`coda usage`: the sums that a person sees, in a terminal, on a pipe, as JSON and CSV; and `get_analytics()`'s."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from typer.testing import CliRunner, Result

from coda_cli.cli import plots, usage as command, usage_view as view
from coda_cli.cli.app import app
from coda_cli.engine.accounts import ProviderStats
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import LLMMessage, MessageRole
from coda_cli.engine.core.ports import UsageRecord
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.engine.usage.analytics import analytics, provider_counts
from coda_cli.engine.usage.log import UsageLog
from coda_cli.engine.usage.sums import Speeds, Sums
from coda_cli.markdown.text import cells

SGR = re.compile(r"\x1b\[[0-9;]*m")
TODAY = datetime.now().astimezone().date()


def noon(days_ago: int) -> float:
    return datetime.combine(TODAY - timedelta(days=days_ago), datetime.min.time()).timestamp() + 43_200


def record(days_ago: int = 0, **more: Any) -> None:
    fields: dict[str, Any] = {
        "time": noon(days_ago),
        "conversation_id": "conv-0",
        "provider": "openai",
        "model": "gpt-6-luna",
        "usage": TokenUsage(input_tokens=1000, output_tokens=101, cached_tokens=400),
        "cost": 0.25,
        "latency": 2.5,
        "first_token": 0.5,
        "retries": 0,
        "status": "complete",
        "error": None,
    }
    UsageLog().record(UsageRecord(**{**fields, **more}))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["usage", *arguments])


def data(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The lines that a terminal of so many columns shows."""

    def show(*arguments: str, columns: int = 80, encoding: str = "utf-8", **environment: str) -> list[str]:
        class Tty(io.TextIOWrapper):
            def isatty(self) -> bool:
                return True

        for name, value in {"TERM": "xterm", **environment}.items():
            monkeypatch.setenv(name, value)
        raw = io.BytesIO()
        out = Tty(raw, encoding=encoding, errors="replace")
        monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((columns, 24)))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            app(["usage", *arguments], standalone_mode=False)
        out.flush()
        return raw.getvalue().decode(encoding).splitlines()

    return show


def test_every_way_to_add_up_gives_the_same_total() -> None:
    record(cost=0.1)
    record(1, model="gpt-6.1-sol", cost=0.2, conversation_id="conv-1")
    record(2, provider="ollama", model="qwen3", cost=0.0, conversation_id="conv-1")
    record(2, provider="x", model="y", cost=None, conversation_id="conv-2", error="LLMTimeoutError")
    rows = {by: data("--by", by) for by in ("day", "model", "provider", "conversation", "tag")}
    for found in rows.values():
        assert found["total"]["requests"] == sum(row["requests"] for row in found["rows"]) == 4
        assert found["total"]["cost_usd"] == pytest.approx(0.3)
        assert sum(row["tokens"] for row in found["rows"]) == 4 * 1101
        assert (found["total"]["unpriced"], found["total"]["errors"], found["total"]["cached"]) == (1, 1, 1600)
    assert [row["day"] for row in rows["day"]["rows"]] == [(TODAY - timedelta(days=n)).isoformat() for n in (2, 1, 0)]
    dearest_first = ["openai/gpt-6.1-sol", "openai/gpt-6-luna", "ollama/qwen3", "x/y"]
    assert [row["model"] for row in rows["model"]["rows"]] == dearest_first
    assert rows["tag"]["rows"][0]["tag"] is None
    assert rows["day"]["speeds"]["openai/gpt-6-luna"]["tokens_per_second"]["p50"] == pytest.approx(50, rel=0.03)
    assert "x/y" in rows["day"]["speeds"]
    assert rows["day"]["speeds"]["x/y"]["latency_seconds"] is None


@pytest.mark.parametrize(
    ("arguments", "days"),
    [
        (("--since", "1d"), [0]),
        (("--since", "today"), [0]),
        (("--since", "2d"), [1, 0]),
        (("--since", "1w"), [6, 1, 0]),
        (("--since", "3m"), [40, 6, 1, 0]),
        (("--since", "yesterday", "--until", "yesterday"), [1]),
        (("--until", "2d"), [400, 40, 6, 1]),
        (("--since", (TODAY - timedelta(days=40)).isoformat(), "--until", "3d"), [40, 6]),
        ((), [400, 40, 6, 1, 0]),
    ],
)
def test_days_are_counted_from_the_first_to_the_last(arguments: tuple[str, ...], days: list[int]) -> None:
    for number in (400, 40, 6, 1, 0):
        record(number)
    assert [row["day"] for row in data(*arguments)["rows"]] == [
        (TODAY - timedelta(days=number)).isoformat() for number in days
    ]


@pytest.mark.parametrize(
    "arguments",
    [("--since", "tomorrow"), ("--since", "99999y"), ("--since", "today", "--until", "3d"), ("--json", "--csv")],
)
def test_what_makes_no_sense_is_an_error_with_a_hint(arguments: tuple[str, ...]) -> None:
    error = run(*arguments).exception
    assert isinstance(error, UsageError)
    assert error.hint


def test_an_empty_log_says_so_and_is_no_failure() -> None:
    done = run()
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing has been asked yet" in done.stderr
    assert data() == {
        "by": "day",
        "since": None,
        "until": None,
        "total": Sums().to_json(),
        "rows": [],
        "speeds": {},
    }
    record(5)
    assert "in that time" in run("--since", "2d").stderr


async def test_tags_and_titles_are_those_of_now() -> None:
    store = ConversationManager()
    for name, tags in (("conv-a", ["Work", "go"]), ("conv-b", ["work"]), ("conv-c", [])):
        await store.create_conversation(name, title=f"about {name}")
        await store.tag(name, add=tags)
        record(conversation_id=name)
    record(conversation_id="conv-gone")
    found = {row["tag"]: row["requests"] for row in data("--by", "tag")["rows"]}
    assert {str(tag).casefold(): count for tag, count in found.items()} == {"work": 2, "go": 1, "none": 2}
    titles = {row["conversation"]: row["title"] for row in data("--by", "conversation")["rows"]}
    assert titles == {"conv-a": "about conv-a", "conv-b": "about conv-b", "conv-c": "about conv-c", "conv-gone": None}


def test_csv_has_a_heading_and_no_formula() -> None:
    record(model="=cmd|' /C calc'!A1", provider="@p")
    record(model='a,"b\x1b[31m')
    rows = list(csv.DictReader(io.StringIO(run("--by", "model", "--csv").stdout)))
    assert {row["requests"] for row in rows} == {"1"}
    assert all(row["model"][0] not in "=@+-" and "\x1b" not in row["model"] for row in rows)
    assert rows[0]["cost_usd"] == "0.25"


def test_a_pipe_gets_tab_separated_lines() -> None:
    record(model="m\t\x1b[2Jx")
    fields = run("--by", "model").stdout.rstrip("\n").split("\t")
    assert fields[0] == "openai/m �[2Jx"
    assert fields[1:3] == ["1", "0"]


def test_a_terminal_shows_a_table_charts_and_speeds(terminal: Callable[..., list[str]]) -> None:
    for number in range(3):
        record(number, cost=0.1 * (number + 1))
    record(1, provider="p", model="new", cost=None, latency=9.0, first_token=1.0)
    shown = terminal()
    text = SGR.sub("", "\n".join(shown))
    assert "$0.6000 and 1 request unpriced" in text
    assert "█" in text
    assert "spend, at most $0.3000 a day" in text
    assert re.search(r"openai/gpt-6-luna +2\.\d\ds +2\.\d\ds +2\.\d\ds +0\.\d\ds", text)
    assert any("\x1b[" in line for line in shown)
    plain = terminal(NO_COLOR="1", encoding="ascii", columns=80)
    assert not any("\x1b" in line for line in plain)
    assert any("##" in line for line in plain)


def test_what_is_free_and_what_nobody_can_price_are_told_apart(terminal: Callable[..., list[str]]) -> None:
    record(provider="local", model="smollm2", cost=0.0)
    assert "free" in SGR.sub("", "\n".join(terminal("--by", "model")))
    record(provider="x", model="y", cost=None)
    text = SGR.sub("", "\n".join(terminal("--by", "model")))
    assert re.search(r"x/y .*unpriced", text)
    assert "$0" not in text


NAMES = st.text(max_size=60) | st.sampled_from(["中文" * 30, "\x1b[2J\x1b]0;x\x07", "a" * 300, ""])
COUNTS = st.integers(0, 10**12)
SUMS = st.builds(
    Sums, requests=COUNTS, errors=COUNTS, input=COUNTS, output=COUNTS, cost=st.floats(0, 1e6), unpriced=COUNTS
)


@given(
    rows=st.lists(st.tuples(NAMES, SUMS), min_size=1, max_size=4),
    days=st.dictionaries(st.integers(739_000, 739_900), SUMS, min_size=1, max_size=4),
    by=st.sampled_from(["model", "conversation", "tag"]),
    columns=st.integers(40, 200),
    blocks=st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_any_sums_fit_the_terminal_and_are_harmless(
    rows: list[tuple[str, Sums]], days: dict[int, Sums], by: command.By, columns: int, blocks: bool
) -> None:
    days = dict(sorted(days.items()))
    speeds = {name: Speeds(1 << 9600, 1 << 9000, 1 << 9900) for name, _ in rows}
    report = command.Report(by, None, None, Sums(requests=9), rows, days, speeds)
    made: Sequence[str] = [
        *view._table(report, columns - 1, blocks=blocks),
        *view._charts(report, columns - 1, blocks=blocks),
        *view._speeds(report, columns - 1, blocks=blocks),
    ]
    for line in made:
        text = SGR.sub("", line)
        assert sanitize(text) == text
        assert cells(text) <= max(columns - 1, 62)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50), st.integers(1, 8), st.booleans())
def test_a_chart_shows_what_is_more_than_nothing_and_only_that(values: list[float], height: int, blocks: bool) -> None:
    lines = plots.chart(values, height, blocks=blocks)
    assert len(lines) == height
    for at, value in enumerate(values):
        drawn = [line[at : at + 1].strip() for line in lines]
        assert any(drawn) is (value > 0)
    assert all(plots.bar(value, max(values), 20, blocks=blocks) for value in values if value > 0)
    assert max(len(plots.bar(value, max(values), 20, blocks=blocks)) for value in values) <= 20


# ---- the library ----------------------------------------------------------------------------------------------------


async def test_analytics_are_the_seeds_across_restarts(tmp_path: Path) -> None:
    store = ConversationManager()
    answer = LLMMessage(
        role=MessageRole.ASSISTANT,
        content="x",
        metadata={"usage": {"input_tokens": 7, "output_tokens": 3}, "cost": 0.5},
    )
    await store.create_conversation("conv-a")
    await store.add_message("conv-a", answer)
    record(cost=0.5)
    record(cost=None, error="LLMTimeoutError", conversation_id="conv-gone")
    found = await analytics(UsageLog(), store.totals, {"openai": ProviderStats(1, 5, 0.1, 0)})
    kept = found["conversations"]
    assert (kept["total_conversations"], kept["total_tokens"], kept["total_cost"]) == (1, 10, 0.5)
    one = found["providers"]["openai"]
    assert (one["request_count"], one["total_tokens"], one["total_cost"]) == (2, 2202, 0.5)
    assert (one["error_count"], one["unpriced_count"]) == (1, 1)
    assert found["days"][TODAY.isoformat()]["request_count"] == 2
    assert found["total"]["request_count"] == 2
    assert found["models"]["openai/gpt-6-luna"]["cached_tokens"] == 800
    counts = await provider_counts(UsageLog(), "openai", ProviderStats(1, 5, 0.1, 0))
    assert counts["request_count"] == 2


async def test_without_a_log_analytics_are_of_this_process() -> None:
    live = {"p": ProviderStats(3, 50, 0.2, 1)}
    found = await analytics(None, ConversationManager.in_memory().totals, live)
    assert found["providers"] == {"p": {"request_count": 3, "total_tokens": 50, "total_cost": 0.2, "error_count": 1}}
    assert found["conversations"]["total_conversations"] == 0
    assert (await provider_counts(None, "p", live["p"]))["total_tokens"] == 50


async def test_a_log_that_could_not_be_written_hides_nothing_of_this_process() -> None:
    record()
    live = ProviderStats(9, 900, 1.5, 0)
    found = await analytics(UsageLog(), ConversationManager().totals, {"openai": live, "q": live})
    assert found["providers"]["openai"]["request_count"] == found["providers"]["q"]["request_count"] == 9
    assert (await provider_counts(UsageLog(), "openai", live))["total_cost"] == 1.5


def test_a_day_is_a_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    late = 1_790_031_600.0  # 2026-09-21 23:00 UTC
    for zone, day in (("UTC", "2026-09-21"), ("Asia/Tokyo", "2026-09-22")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        if zone == "UTC":
            record(time=late)
        assert [row["day"] for row in data()["rows"]] == [day]
    monkeypatch.delenv("TZ")
    time.tzset()
