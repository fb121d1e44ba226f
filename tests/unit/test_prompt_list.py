"""The list above the prompt: completions, the search in the history, and walking through it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.geometry import Region

from coda_cli.chat.completion import CommandCompleter, Completers, Completion
from coda_cli.chat.front import Completion as FrontCompletion
from coda_cli.chat.path_complete import PathCompleter
from coda_cli.chat.prompt_history import PromptHistory
from coda_cli.tui.prompt import Prompt
from coda_cli.tui.prompt_complete import ROWS, PromptList
from coda_cli.tui.prompt_paste import PasteGuard
from tests.unit.prompt_host import Commands, Hands, Remembered, hands


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PasteGuard, "GAP", -1.0)


def listed(at: Hands) -> list[str]:
    """The rows of the list, as they stand on the screen."""
    region = at.host.screen.query_one(PromptList).region
    return at.shown[region.y : region.bottom]


async def until(at: Hands, text: str) -> None:
    """Wait until *text* is on the screen: what is looked for in a thread comes later."""
    for _ in range(500):
        if any(text in row for row in at.shown):
            return
        await asyncio.sleep(0.01)
        await at.pilot.pause()
    raise AssertionError(f"{text!r} never came: {at.shown}")


async def test_a_slash_lists_commands_right_above_the_prompt_and_typing_filters_them() -> None:
    async with hands(Prompt(completer=Commands())) as at:
        await at.press("/")
        assert [row[2:].split()[0] for row in listed(at)] == ["/help", "/helpful", "/model", "/quit"]
        assert at.host.screen.query_one(PromptList).region == Region(0, 19, 80, 4)
        await at.press("h")
        assert listed(at) == ["› /help     what /help does", "  /helpful  what /helpful does"]
        assert at.host.screen.query_one(PromptList).region == Region(0, 21, 80, 2)
        await at.press("x")
        assert not at.prompt.list_is_open
        assert "/help" not in "\n".join(at.shown)


async def test_the_list_takes_no_room_from_the_transcript() -> None:
    async with hands(Prompt(completer=Commands())) as at:
        before = at.host.query_one("#transcript").region
        await at.press("/")
        assert at.host.query_one("#transcript").region == before


@pytest.mark.parametrize("key", ["enter", "tab"])
async def test_enter_and_tab_take_what_is_offered(key: str) -> None:
    async with hands(Prompt(completer=Commands())) as at:
        await at.press("/", "q", key)
        assert at.prompt.text == "/quit"
        assert not at.prompt.list_is_open
        assert at.host.sent == []


async def test_enter_on_a_whole_command_runs_it_while_the_list_is_open() -> None:
    async with hands(Prompt(completer=Commands())) as at:
        await at.write("/help")
        assert at.prompt.list_is_open
        await at.press("enter")
        assert at.host.texts == ["/help"]
        await at.write("/model ")
        assert at.prompt.list_is_open
        await at.press("enter")
        await at.write("/model small")
        await at.press("enter")
        assert at.host.texts == ["/help", "/model ", "/model small"]


async def test_enter_takes_a_row_that_was_chosen_although_the_command_is_whole() -> None:
    async with hands(Prompt(completer=Commands())) as at:
        await at.write("/help")
        await at.press("down", "enter")
        assert at.prompt.text == "/helpful"
        await at.press("enter")
        assert at.host.texts == ["/helpful"]


async def test_an_alias_that_the_list_does_not_show_runs_too() -> None:
    async with hands(Prompt(completer=Commands(), runs=lambda text: text == "/h")) as at:
        await at.press("/", "h")
        assert at.prompt.list_is_open
        await at.press("enter")
        assert at.host.texts == ["/h"]


async def test_escape_closes_the_list_for_this_word_and_only_then_stops() -> None:
    async with hands(Prompt(completer=Commands())) as at:
        opened = []
        for keys in (("/", "h", "escape"), ("e",), ("escape",), ("tab",), ("escape", "ctrl+u", "/")):
            await at.press(*keys)
            opened.append((at.prompt.list_is_open, list(at.host.said)))
        assert opened == [(False, []), (False, []), (False, ["escaped"]), (True, ["escaped"]), (True, ["escaped"])]


async def test_up_and_down_go_round_and_the_history_waits() -> None:
    async with hands(Prompt(completer=Commands(), history=Remembered("/before"))) as at:
        await at.press("/", "up")
        assert listed(at)[-1].startswith("› /quit")
        await at.press("down", "down")
        assert listed(at)[1].startswith("› /helpful")
        assert at.prompt.text == "/"


async def test_a_paste_opens_no_list_and_asks_nobody() -> None:
    completer = Commands()
    async with hands(Prompt(completer=completer)) as at:
        await at.paste("/help")
        assert not at.prompt.list_is_open
        assert completer.asked == 0
        await at.press("backspace")
        assert at.prompt.list_is_open


async def test_plain_writing_asks_nobody() -> None:
    completer = Commands()
    async with hands(Prompt(completer=completer)) as at:
        await at.write("what is 1/2 of it")
        assert completer.asked == 0


async def test_a_click_takes_a_row_and_the_focus_stays() -> None:
    async with hands(Prompt(completer=Commands())) as at:
        await at.press("/", "h")
        await at.pilot.click(PromptList, offset=(4, 1))
        await at.pilot.pause()
        assert at.prompt.text == "/helpful"
        assert at.prompt.has_focus


async def test_the_list_goes_with_the_focus() -> None:
    async with hands(Prompt(completer=Commands())) as at:
        await at.press("/")
        at.host.set_focus(None)
        await at.pilot.pause()
        assert not at.prompt.list_is_open


class Evil:
    def complete(self, text: str, cursor: int) -> Sequence[Completion]:
        return [
            Completion(0, cursor, f"/{n}", f"/[red]{n}\x1b[2J\n\u202e[/]", "\x9b31m[@click=app.quit]x")
            for n in range(30)
        ]


async def test_what_is_offered_is_drawn_as_plain_text_in_few_rows() -> None:
    async with hands(Prompt(completer=Evil())) as at:
        await at.press("/")
        rows = listed(at)
        assert len(rows) == ROWS
        assert rows[0].startswith("› /[red]0\ufffd[2J⏎\ufffd[/]")
        assert "[@click=app.quit]x" in rows[0]
        await at.press("up")
        assert listed(at)[-1].startswith("› /[red]29")


async def test_files_are_offered_behind_an_at_sign_and_folders_go_on(tmp_path: Path) -> None:
    (tmp_path / "my docs").mkdir()
    (tmp_path / "my docs" / "plan b.md").write_text("x")
    (tmp_path / "main.py").write_text("x")
    async with hands(Prompt(completer=Completers(Commands(), PathCompleter(tmp_path)))) as at:
        await at.write("read @doc")
        await until(at, "my docs/")
        await at.press("tab")
        assert at.prompt.text == 'read @"my docs/'
        await until(at, "plan b.md")
        await at.press("enter")
        assert at.prompt.text == 'read @"my docs/plan b.md" '
        await at.write("now")
        await at.press("enter")
        assert at.host.texts == ['read @"my docs/plan b.md" now']


class Slow:
    """Answers for the first question come when they are let go."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def complete(self, text: str, cursor: int) -> Sequence[Completion]:
        if text == "@":
            await self.gate.wait()
        return [Completion(0, cursor, f"{text}x", f"answer to {text}")]


async def test_an_answer_that_comes_too_late_is_not_shown() -> None:
    slow = Slow()
    async with hands(Prompt(completer=slow)) as at:
        await at.press("@")
        await at.press("a")
        await until(at, "answer to @a")
        slow.gate.set()
        await at.pilot.pause()
        assert listed(at) == ["› answer to @a"]


class Broken:
    async def complete(self, text: str, cursor: int) -> Sequence[Completion]:
        raise OSError("gone")


async def test_a_completer_that_fails_leaves_the_prompt_alone() -> None:
    async with hands(Prompt(completer=Broken())) as at:
        await at.write("@a\n")
        assert at.host.texts == ["@a"]


async def test_up_and_down_walk_through_the_history_and_what_was_not_sent_waits() -> None:
    async with hands(Prompt(history=Remembered("one", "two", "three\nlines"))) as at:
        await at.press("up")
        assert at.prompt.text == "three\nlines"
        await at.press("up")
        assert at.prompt.text == "two"
        await at.press("up", "up", "up")
        assert at.prompt.text == "one"
        await at.press("down", "down")
        assert at.prompt.text == "three\nlines"
        await at.press("down", "down")
        assert at.prompt.text == ""


async def test_what_is_written_is_what_entries_must_begin_with() -> None:
    async with hands(Prompt(history=Remembered("fix a", "other", "fix b"))) as at:
        await at.write("fix")
        await at.press("up")
        assert at.prompt.text == "fix b"
        await at.press("up", "up")
        assert at.prompt.text == "fix a"
        await at.press("down", "down", "down")
        assert at.prompt.text == "fix"


async def test_an_old_entry_that_is_written_on_is_a_new_text() -> None:
    async with hands(Prompt(history=Remembered("one", "two"))) as at:
        await at.press("up", "x", "up", "down")
        assert at.prompt.text == "twox"
        await at.press("ctrl+z")
        assert at.prompt.text == "two"


async def test_a_pasted_block_that_waits_comes_back_as_a_block() -> None:
    async with hands(Prompt(history=Remembered("one"))) as at:
        await at.paste("x\n" * 50)
        await at.press("up")
        assert "one" not in at.prompt.text
        at.prompt.clear()
        await at.press("up", "down")
        assert at.prompt.text == ""


async def test_up_moves_in_the_text_before_it_walks() -> None:
    async with hands(Prompt(history=Remembered("first line and more")), size=(30, 24)) as at:
        at.prompt.put("first line and more of it\nsecond")
        await at.press("up")
        assert at.prompt.cursor_location[0] == 0
        at.prompt.put("first line a")
        await at.press("up", "enter")
        assert at.host.texts == ["first line and more"]


async def test_ctrl_r_searches_takes_and_leaves(tmp_path: Path) -> None:
    history = PromptHistory(tmp_path / "history.jsonl")
    for text in ("list the files", "explain [red]this\x1b[2J", "find the files of it"):
        history.add(text)
    async with hands(Prompt(history=history)) as at:
        await at.write("unsent")
        await at.press("ctrl+r")
        await at.write("the f")
        assert listed(at) == [" history: the f▏", "› find the files of it", "  list the files"]
        assert at.prompt.text == "unsent"
        await at.press("ctrl+r", "enter")
        assert at.prompt.text == "list the files"
        assert at.host.sent == []
        await at.press("ctrl+r", "z", "z")
        assert "nothing was asked like that" in listed(at)[0]
        await at.press("enter")
        assert at.prompt.text == "list the files"
        await at.press("ctrl+r", "e", "x", "q", "backspace", "escape")
        assert at.prompt.text == "list the files"
        assert not at.prompt.list_is_open
        await at.press("ctrl+z")
        assert at.prompt.text == "unsent"


async def test_a_paste_into_the_search_is_searched_for() -> None:
    async with hands(Prompt(history=Remembered("one", "two"))) as at:
        await at.press("ctrl+r")
        await at.paste("tw\nrest")
        assert listed(at)[0] == " history: tw▏"
        await at.press("enter")
        assert at.prompt.text == "two"


def test_commands_with_arguments_are_followed_by_a_blank() -> None:
    offered = [
        FrontCompletion("/model", 3, "/model NAME", "switch"),
        FrontCompletion("/quit", 3, "/quit", "leave"),
    ]
    made = CommandCompleter(lambda text: offered).complete("/mo", 3)
    assert made == [
        Completion(0, 3, "/model ", "/model NAME", "switch", final=False),
        Completion(0, 3, "/quit", "/quit", "leave"),
    ]
    assert CommandCompleter(lambda text: offered).complete("mo", 2) == ()
