"""Pictures of tools in the chat: an edit and a command that wait for a word, the model's question, unfolded cards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from coda_cli.chat.approval import shown
from coda_cli.chat.entry import Entry, ToolCard
from coda_cli.engine.core.tools import INTERRUPTED, ApprovalRequest, Effect, Touches
from coda_cli.tui.app import CodaApp
from coda_cli.tui.screens.approval import ApprovalSheet
from coda_cli.tui.screens.question import Choice, Question
from tests.unit.test_tui_snapshots import NOW, _same_each_time, covered_by, every_look, every_size, picture

__all__ = ["_same_each_time", "picture"]

DIFF = """\
--- garden.md
+++ garden.md
@@ -1,3 +1,3 @@
 # The garden
-Peas in April
+Peas in March
 Beans in May
"""


def edit() -> Screen[Any]:
    effect = Effect("edit garden.md (+1 -1)", detail="garden.md", diff=DIFF, rule="edit_file garden.md")
    return ApprovalSheet(shown(ApprovalRequest("r", "c", "edit_file", Touches.WRITES, "{}", "d", effect)))


def command() -> Screen[Any]:
    run = "grep -rc 'def test_' tests | sort -t: -k2 -n"
    effect = Effect(run, detail=f"in ~/garden: not a sandbox\n\n{run}")
    return ApprovalSheet(shown(ApprovalRequest("r", "c", "run_command", Touches.RUNS, "{}", "d", effect)))


def question() -> Screen[Any]:
    return Question("Which bed do you mean, the one at the wall or the one at the pond?")


def choice() -> Screen[Any]:
    return Choice("Which bed do you mean?", ["the one at the wall", "the one at the pond"])


@every_look
@every_size
@pytest.mark.parametrize("made", [edit, command, question, choice], ids=lambda made: made.__name__)
def test_what_waits_for_a_person(made: Callable[[], Screen[Any]], picture: Callable[..., bool]) -> None:
    async def do(app: CodaApp, pilot: Pilot[int]) -> None:
        app.push_screen(made())
        await covered_by()(app, pilot)

    assert picture(do)


@every_look
@every_size
@pytest.mark.parametrize("unfolded", [False, True])
def test_cards_folded_and_unfolded(unfolded: bool, picture: Callable[..., bool]) -> None:
    cards = (
        ToolCard("1", "calculator", '{"expression": "15% of 80"}', result="12", seconds=0.01),
        ToolCard(
            "2",
            "run_command",
            '{"command": "make"}',
            result="no rule\n[exit code 2, 0.3 s]",
            is_error=True,
            seconds=0.3,
        ),
        ToolCard("3", "write_file", '{"path": "a.txt"}', result="no", display="Not run: you said no", is_error=True),
        ToolCard("4", "run_command", '{"command": "sleep 60"}', result=INTERRUPTED, is_error=True),
        ToolCard("5", "fetch_url", '{"url": "https://example.com/"}', doing="waits for you"),
    )

    async def do(app: CodaApp, pilot: Pilot[int]) -> None:
        entry = Entry("step", "assistant", "Let me see.", tools=cards, provider="fake", model="fake-model", created=NOW)
        app.transcript.show([entry])
        await pilot.pause(0.1)
        app.transcript.tools_open = unfolded
        await pilot.pause(0.1)

    assert picture(do)
