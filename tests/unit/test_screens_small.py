"""The small screens: a question, a line of text, something to read, the line that finds."""

from __future__ import annotations

from hypothesis import given, strategies as st
from textual.app import App, ComposeResult
from textual.widgets import Input

from coda_cli.tui.screens.ask_text import AskText
from coda_cli.tui.screens.confirm import Confirm
from coda_cli.tui.screens.find_bar import FindBar
from coda_cli.tui.screens.hints import Hint, Hints
from coda_cli.tui.screens.reader import Reader
from coda_cli.tui.screens.text_view import TextView, folded
from tests.unit.screen_host import HOSTILE, NOTHING_YET, Host, assert_harmless, every_size, seen

# ---- yes and no -----------------------------------------------------------------------------------------------------


@every_size
async def test_only_a_yes_that_is_said_is_one(size: tuple[int, int]) -> None:
    said = {("y",): True, ("n",): False, ("enter",): False, ("escape",): False, ("tab", "enter"): True}
    for keys, answer in said.items():
        app = Host(Confirm("Delete it?"))
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
            assert app.result is answer, keys


@every_size
async def test_the_buttons_and_a_click_beside_them(size: tuple[int, int]) -> None:
    for where, answer in (("#yes", True), ("#no", False)):
        app = Host(Confirm("Delete it?", detail="it moves to the trash", danger=True))
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await pilot.click(where)
            await pilot.pause()
            assert app.result is answer
    app = Host(Confirm("Delete it?"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(offset=(0, 0))
        await pilot.pause()
        assert app.result is False


@every_size
async def test_a_hostile_question_is_only_text(size: tuple[int, int]) -> None:
    app = Host(Confirm(HOSTILE, detail=HOSTILE * 10, title=HOSTILE))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "list[int] [/]" in seen(app)
        assert_harmless(app)
        await pilot.press("y")
        await pilot.pause()
        assert app.result is True


# ---- a line of text -------------------------------------------------------------------------------------------------


@every_size
async def test_a_line_comes_back_as_it_was_typed(size: tuple[int, int]) -> None:
    app = Host(AskText("Title", initial="old"))
    async with app.run_test(size=size) as pilot:
        await pilot.press(*" [b]", "enter")
    assert app.result == "old [b]"


async def test_escape_gives_nothing_also_where_something_was_typed() -> None:
    app = Host(AskText("Title", initial="old"))
    async with app.run_test() as pilot:
        await pilot.press("x", "escape")
        await pilot.pause()
        assert app.result is None


async def test_a_secret_is_never_on_the_screen_nor_in_the_clipboard() -> None:
    app = Host(AskText("Key of openai", secret=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"sk-secret")
        await pilot.press("ctrl+shift+a", "ctrl+c", "ctrl+x")
        await pilot.press(*"sk-other")
        await pilot.pause()
        assert "sk-" not in seen(app)
        assert "sk-" not in app.export_screenshot()
        assert app.clipboard == ""
        await pilot.press("enter")
    assert app.result == "sk-other"


@every_size
async def test_what_is_wrong_is_told_in_place_until_it_is_changed(size: tuple[int, int]) -> None:
    app = Host(AskText("Key", note="from the vendor", check=lambda text: None if len(text) > 3 else "too short"))
    async with app.run_test(size=size) as pilot:
        await pilot.press("a", "enter")
        await pilot.pause()
        assert "too short" in seen(app)
        assert app.result == NOTHING_YET
        await pilot.press(*"bcd")
        await pilot.pause()
        assert "too short" not in seen(app)
        await pilot.press("enter")
    assert app.result == "abcd"


# ---- something to read ----------------------------------------------------------------------------------------------

_PAGE = "# Title\n\n" + "\n".join(f"line {number} of list[int]" for number in range(300))


@every_size
async def test_a_text_is_read_found_in_and_closed(size: tuple[int, int]) -> None:
    app = Host(Reader("Help", _PAGE, markdown=False))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "line 1 of list[int]" in seen(app)
        await pilot.press("ctrl+f", *"line 29")
        await pilot.pause()
        assert "1/11" in seen(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "2/11" in seen(app)
        assert "line 290" in seen(app)
        await pilot.press("n", "n", "N")
        await pilot.pause()
        assert "3/11" in seen(app)
        await pilot.press("escape")
        await pilot.pause()
        assert app.result == NOTHING_YET
        assert "3/11" not in seen(app)
        await pilot.press("q")
        await pilot.pause()
        assert app.result is None


@every_size
async def test_the_line_that_finds_can_be_clicked(size: tuple[int, int]) -> None:
    app = Host(Reader("Help", _PAGE, markdown=False))
    async with app.run_test(size=size) as pilot:
        await pilot.press("slash", *"line 29")
        await pilot.pause()
        for arrow, count in (("↓", "2/11"), ("↓", "3/11"), ("↑", "2/11"), ("✕", None)):
            lines = seen(app).split("\n")
            row = next(number for number, line in enumerate(lines) if arrow in line)
            await pilot.click(offset=(lines[row].index(arrow), row))
            await pilot.pause()
            assert ("/11" not in seen(app)) if count is None else (count in seen(app))


async def test_a_text_that_is_not_there_counts_none() -> None:
    app = Host(Reader("Help", _PAGE, markdown=False))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"nowhere")
        await pilot.pause()
        assert "0/0" in seen(app)
        await pilot.press("enter", "n")
        await pilot.pause()
        assert "0/0" in seen(app)


@every_size
async def test_a_hostile_text_is_only_text(size: tuple[int, int]) -> None:
    app = Host(Reader(HOSTILE, HOSTILE * 50 + "\n" + "x" * 100_000 + "\n" + "e\u0301" * 5_000, markdown=False))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert_harmless(app)
        await pilot.press("slash", *"int")
        await pilot.pause()
        assert "1/50" in seen(app)
        assert_harmless(app)


@every_size
async def test_markdown_is_laid_out_for_the_width_and_found_in(size: tuple[int, int]) -> None:
    source = f"# Head\n\n- one **two**\n- three\n\n| a | b |\n|---|---|\n| 1 | `x[0]` |\n\n{'word ' * 100}\n\n{HOSTILE}"
    app = Host(Reader("Help", source))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        shown = seen(app)
        assert "• one two" in shown
        assert "**" not in shown
        assert "x[0]" in shown
        await pilot.press("slash", *"evil")
        await pilot.pause()
        assert "1/1" in seen(app)
        assert_harmless(app)
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert "• three" in seen(app) or "evil" in seen(app)


async def test_a_resize_keeps_the_line_at_the_top() -> None:
    text = "\n".join(f"{number} " + "word " * 30 for number in range(200))
    app = Host(Reader("Help", text, markdown=False))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        view = app.screen.query_one(TextView)
        view.scroll_to(y=view._row_of(100, 0), animate=False)
        await pilot.pause()
        for size in ((120, 40), (60, 15), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "100 word" in seen(app)


@given(st.text("ab 中e\u0301é", max_size=200), st.integers(1, 30))
def test_wrapping_loses_nothing_but_blanks_and_never_overflows(text: str, width: int) -> None:
    from rich.cells import cell_len

    rows = folded(text, width)
    assert "".join(text[start:end] for start, end in rows).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(text[start:end]) <= width or end - start == 1 for start, end in rows)


# ---- the line that finds, alone -------------------------------------------------------------------------------------


async def test_the_line_tells_what_is_typed_and_the_ways_on() -> None:
    told: list[str] = []

    class Alone(App[None]):
        def compose(self) -> ComposeResult:
            yield FindBar()

        def on_mount(self) -> None:
            self.query_one(FindBar).focus()

        def on_find_bar_changed(self, event: FindBar.Changed) -> None:
            told.append(event.text)
            self.query_one(FindBar).show_count(3, 17)

        def on_find_bar_next(self) -> None:
            told.append("next")

        def on_find_bar_previous(self) -> None:
            told.append("previous")

        def on_find_bar_closed(self) -> None:
            told.append("closed")

    app = Alone()
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press(*"nN")
        await pilot.pause()
        assert "3/17" in seen(app)
        await pilot.press("enter", "n", "N", "shift+enter", "slash")
        assert isinstance(app.focused, Input)
        await pilot.press("down", "up", "escape")
    assert told == ["n", "nN", "next", "next", "previous", "previous", "next", "previous", "closed"]


async def test_the_key_that_closes_is_shown_however_many_there_are() -> None:
    class Full(App[None]):
        def compose(self) -> ComposeResult:
            some = [Hint(f"f{n}", "does something", f"a{n}") for n in range(1, 9)]
            yield Hints([*some, Hint("esc", "close", "close")])

    app = Full()
    async with app.run_test(size=(60, 5)) as pilot:
        await pilot.pause()
        assert "f1 does something  f2 does something  esc close" in seen(app)
