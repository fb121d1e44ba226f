"""Writing in the prompt: sending, new lines, pastes as blocks, its height, its keys."""

import os

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from textual.widgets import TextArea

from coda_cli.tui.prompt import Prompt
from coda_cli.tui.prompt_paste import PasteGuard
from tests.unit.prompt_host import Commands, Hands, Remembered, hands

LINES = "".join(f"line {number}\n" for number in range(1240))
BLOCK = "[pasted\u00a01,240\u00a0lines\u00a0#1]"


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test presses keys faster than hands; what that means behind a paste has a test of its own."""
    monkeypatch.setattr(PasteGuard, "GAP", -1.0)


async def test_enter_sends_and_empties_the_prompt() -> None:
    async with hands(Prompt()) as at:
        await at.press("enter")
        await at.write(" \n")
        assert at.host.texts == []
        await at.write("hello\n")
        assert at.host.texts == [" hello"]
        assert at.prompt.text == ""
        await at.press("ctrl+z")
        assert at.prompt.text == ""


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter", "alt+enter"])
async def test_these_begin_a_new_line(key: str) -> None:
    async with hands(Prompt()) as at:
        await at.press("a", key, "b", "enter")
        assert at.host.texts == ["a\nb"]


async def test_a_backslash_before_enter_begins_a_new_line_and_goes() -> None:
    async with hands(Prompt()) as at:
        await at.write("a\\\nb\n")
        assert at.host.texts == ["a\nb"]


async def test_letters_with_alt_are_no_text() -> None:
    async with hands(Prompt()) as at:
        await at.press("a", "alt+x", "alt+d")
        assert at.prompt.text == "a"


async def test_a_small_paste_is_text_and_sends_nothing() -> None:
    async with hands(Prompt()) as at:
        await at.paste("one\r\ntwo\x1b[201~\x00\x07\x1b[31m\tthree\r")
        assert at.host.sent == []
        assert at.prompt.text == "one\ntwo\tthree\n"
        await at.press("enter")
        assert at.host.texts == ["one\ntwo\tthree\n"]


async def test_a_big_paste_is_one_block_that_is_sent_in_full() -> None:
    async with hands(Prompt()) as at:
        await at.write("look: ")
        await at.paste(LINES.replace("\n", "\r"))
        await at.write(" ok")
        assert at.prompt.text == f"look: {BLOCK} ok"
        assert " look: [pasted 1,240 lines #1] ok" in [row.replace("\u00a0", " ") for row in at.shown]
        assert at.host.sent == []
        await at.press("enter")
        (sent,) = at.host.sent
        assert sent.text == f"look: {LINES} ok"
        assert sent.typed == sent.attachments_text == "look:  ok"
        at.prompt.restore(sent.draft)
        assert at.prompt.text == f"look: {BLOCK} ok"
        assert at.prompt.expanded == sent.text


async def test_ten_megabytes_are_one_block_and_one_message() -> None:
    async with hands(Prompt()) as at:
        text = "0123456789abcde\n" * (10_000_000 // 16)
        await at.paste(text)
        assert at.prompt.text == "[pasted\u00a0625,000\u00a0lines\u00a0#1]"
        await at.press("enter")
        assert at.host.texts == [text]


async def test_enter_right_behind_a_paste_is_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PasteGuard, "GAP", 3600.0)
    async with hands(Prompt(completer=Commands())) as at:
        await at.paste("x")
        await at.press("enter", "/", "tab", "q", "enter")
        assert at.prompt.text == "x\n/\tq\n"
        assert at.host.sent == []
        assert not at.prompt.list_is_open


@pytest.mark.parametrize("key", ["backspace", "ctrl+w", "ctrl+u"])
async def test_deleting_into_a_block_takes_all_of_it_and_undo_brings_it_back(key: str) -> None:
    async with hands(Prompt()) as at:
        await at.paste(LINES)
        await at.press(key)
        assert at.prompt.text == ""
        await at.press("ctrl+z")
        assert at.prompt.text == BLOCK
        await at.press("ctrl+y")
        assert at.prompt.text == ""
        await at.press("ctrl+z", "enter")
        assert at.host.texts == [LINES]


async def test_the_cursor_jumps_over_a_block_and_delete_takes_it() -> None:
    async with hands(Prompt()) as at:
        await at.write("a")
        await at.paste(LINES)
        await at.press("left")
        assert at.prompt.cursor_location == (0, 1)
        await at.press("right")
        assert at.prompt.cursor_location == (0, 1 + len(BLOCK))
        await at.press("left", "delete")
        assert at.prompt.text == "a"


async def test_a_block_unfolds_and_elsewhere_the_key_is_the_apps() -> None:
    async with hands(Prompt()) as at:
        await at.paste("x\n" * 20)
        await at.press("ctrl+o")
        assert at.prompt.text == "x\n" * 20
        await at.press("ctrl+o")
        assert at.host.said == ["ctrl+o"]
        await at.press("enter")
        assert at.host.texts == ["x\n" * 20]


async def test_copying_a_block_copies_its_text() -> None:
    async with hands(Prompt()) as at:
        await at.paste(LINES)
        await at.press("f7", "ctrl+x")
        assert at.host.clipboard == LINES
        assert at.prompt.text == ""
        await at.press("ctrl+v")
        assert at.prompt.expanded == LINES


KEYS = """a space left right backspace delete ctrl+w ctrl+u ctrl+k ctrl+a ctrl+e ctrl+j up down ctrl+z ctrl+y
shift+left home"""
OPERATIONS = st.lists(st.sampled_from([*KEYS.split(), "paste", "paste", "restore"]), max_size=15)
EXAMPLES = 200 if os.environ.get("CODA_TEST_LONG") else 8


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OPERATIONS)
async def test_no_edit_leaves_half_a_block(operations: list[str]) -> None:
    async with hands(Prompt(history=Remembered("old", "older\nmore"))) as at:
        for operation in operations:
            await _do(at, operation)
            prompt = at.prompt
            left = prompt.text_for_draft()
            assert "pasted" not in left.replace("\x02", "").replace("\x03", "")
            assert "pasted" not in prompt.expanded
            row, column = prompt.cursor_location
            assert prompt._pastes.around(prompt.document[row], column) is None


async def _do(at: Hands, operation: str) -> None:
    if operation == "paste":
        at.prompt.paste("block " * 500)
    elif operation == "restore":
        at.prompt.restore(at.prompt.text_for_draft())
    else:
        await at.pilot.press(operation)


async def test_it_grows_to_ten_rows_and_no_further_and_shrinks_again() -> None:
    async with hands(Prompt(), size=(80, 40)) as at:
        heights = []
        for _ in range(12):
            heights.append(at.prompt.size.height)
            await at.press("a", "ctrl+j")
        assert heights == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]
        assert at.prompt.region.bottom == 40
        await at.press("enter")
        assert at.prompt.size.height == 1


async def test_it_takes_a_third_of_a_low_screen_at_most_also_when_it_gets_lower() -> None:
    async with hands(Prompt(), size=(60, 15)) as at:
        at.prompt.put("a\n" * 20)
        await at.pilot.pause()
        assert at.prompt.size.height == 5
        await at.pilot.resize_terminal(60, 9)
        await at.pilot.pause()
        assert at.prompt.size.height == 3


async def test_typing_in_one_row_lays_nothing_out() -> None:
    async with hands(Prompt()) as at:
        await at.press("a")
        laid_out: list[object] = []
        at.host.screen.screen_layout_refresh_signal.subscribe(at.host, laid_out.append, immediate=True)
        await at.write("some words more")
        assert laid_out == []
        await at.press("ctrl+j")
        assert laid_out


async def test_wide_letters_take_two_cells_and_the_caret_stands_behind_them() -> None:
    async with hands(Prompt(), size=(20, 12)) as at:
        at.prompt.put("漢字")
        await at.pilot.pause()
        assert at.host.cursor_position == (1 + 4, 11)
        await at.write("か" * 8)
        assert at.prompt.size.height == 2
        assert at.host.cursor_position == at.prompt.cursor_screen_offset
        assert at.host.cursor_position.y == 11
        await at.press("home")
        assert at.host.cursor_position == (1, 11)
        await at.press("up")
        assert at.host.cursor_position == (1, 10)


async def test_the_placeholder_shows_and_markup_is_text() -> None:
    async with hands(Prompt(placeholder="Ask anything")) as at:
        assert at.shown[-1] == " Ask anything"
        await at.paste("[bold]x[/] [/nothing] [@click=app.quit]y[/]")
        assert at.shown[-1] == " [bold]x[/] [/nothing] [@click=app.quit]y[/]"


async def test_control_characters_and_marks_that_turn_text_around_are_not_drawn() -> None:
    async with hands(Prompt()) as at:
        at.prompt.put("a\x1b]0;x\x07b\x9bc\u202ed")
        await at.pilot.pause()
        assert at.shown[-1] == " abc\ufffdd"
        await at.press("enter")
        assert at.host.texts == ["abc\u202ed"]


async def test_a_huge_text_that_is_put_in_becomes_a_block() -> None:
    async with hands(Prompt()) as at:
        at.prompt.put("x" * 1_000_000)
        assert len(at.prompt.text) < 100
        await at.press("enter")
        assert at.host.texts == ["x" * 1_000_000]


async def test_clear_can_be_undone_block_and_all() -> None:
    async with hands(Prompt()) as at:
        await at.paste(LINES)
        at.prompt.clear()
        assert at.prompt.is_blank
        await at.press("ctrl+z")
        assert at.prompt.expanded == LINES


async def test_the_keys_of_readline() -> None:
    async with hands(Prompt()) as at:
        at.prompt.put("one two-three four")
        await at.press("ctrl+w")
        assert at.prompt.text == "one two-three "
        await at.press("ctrl+w")
        assert at.prompt.text == "one "
        await at.write("more words here")
        await at.press("alt+b", "ctrl+k")
        assert at.prompt.text == "one more words "
        await at.press("ctrl+a", "alt+d")
        assert at.prompt.text == " more words "
        await at.press("alt+f", "ctrl+u")
        assert at.prompt.text == " words "
        await at.press("ctrl+e", "x", "ctrl+a", "y")
        assert at.prompt.text == "y words x"


async def test_ctrl_u_and_ctrl_a_mean_the_whole_line_however_it_is_wrapped() -> None:
    async with hands(Prompt(), size=(20, 24)) as at:
        at.prompt.put("a b c d e f g h i j k l m n o p q r s t u v w x y z")
        await at.press("ctrl+a")
        assert at.prompt.cursor_location == (0, 0)
        await at.press("ctrl+e", "ctrl+u")
        assert at.prompt.text == ""


async def test_ctrl_d_in_an_empty_prompt_and_ctrl_c_are_the_apps() -> None:
    async with hands(Prompt()) as at:
        await at.press("ctrl+d", "a", "ctrl+c", "ctrl+a", "ctrl+d", "ctrl+d")
        assert at.host.said == ["ctrl+d", "ctrl+c", "ctrl+d"]


async def test_escape_the_editor_and_the_search_are_told_to_the_app() -> None:
    async with hands(Prompt()) as at:
        await at.press("escape", "ctrl+g", "ctrl+r")
        assert at.host.said == ["escaped", "editor", "search"]


async def test_keys_can_be_others() -> None:
    async with hands(Prompt(keys={"send": "ctrl+s", "newline": "enter"})) as at:
        await at.press("a", "enter", "b", "ctrl+s")
        assert at.host.texts == ["a\nb"]


async def test_the_first_character_shows_the_mode() -> None:
    async with hands(Prompt()) as at:
        await at.press("!", "l")
        assert at.prompt.has_class("-shell")
        at.prompt.put("/help")
        assert at.prompt.has_class("-command")
        assert not at.prompt.has_class("-shell")
        await at.press("enter")
        assert not at.prompt.has_class("-command")


def test_it_uses_no_name_that_textual_uses() -> None:
    own = {name for name in vars(Prompt()) if name not in vars(TextArea())}
    assert not {name for name in own if hasattr(TextArea, name)}
    for name in ("_pastes", "_guard", "_walk", "_offers", "_quiet", "_own_keys", "_max_rows"):
        assert name in own
