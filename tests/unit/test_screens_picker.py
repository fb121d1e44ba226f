"""The picker: what the fingers do, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given, strategies as st

from coda_cli.chat.front import Option
from coda_cli.tui.screens.fuzzy import Haystack, Matcher
from coda_cli.tui.screens.picker import ActionPicker, FilterInput, Grouped, KeyAction, Picked, Picker, PickerBase
from coda_cli.tui.screens.rows import RowList
from coda_cli.tui.screens.text_view import TextView
from tests.unit.screen_host import HOSTILE, NOTHING_YET, Host, assert_harmless, every_size, seen

FRUIT = [Option("apple", "red"), Option("banana", "yellow"), Option("cherry", "dark red"), Option("fig", "", "purple")]


def _many(number: int) -> list[Option]:
    return [Option(f"host/model-{place}", f"{place}k") for place in range(number)]


@every_size
async def test_enter_gives_the_index_of_the_option_under_the_cursor(size: tuple[int, int]) -> None:
    app = Host(Picker("Fruit", FRUIT))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "apple" in seen(app)
        assert "yellow" in seen(app)
        await pilot.press("down", "down", "enter")
    assert app.result == 2


async def test_escape_and_a_click_beside_it_give_nothing() -> None:
    for way in ("key", "click"):
        app = Host(Picker("Fruit", FRUIT))
        async with app.run_test(size=(120, 40)) as pilot:
            if way == "key":
                await pilot.press("escape")
            else:
                await pilot.click(offset=(0, 0))
            await pilot.pause()
            assert app.result is None


@every_size
async def test_typing_narrows_and_the_index_stays_that_of_the_option(size: tuple[int, int]) -> None:
    app = Host(Picker("Fruit", FRUIT))
    async with app.run_test(size=size) as pilot:
        await pilot.press(*"chr")
        await pilot.pause()
        assert "cherry" in seen(app)
        assert "banana" not in seen(app)
        await pilot.press("enter")
    assert app.result == 2


async def test_what_is_not_shown_is_searched_too() -> None:
    app = Host(Picker("Fruit", FRUIT))
    async with app.run_test() as pilot:
        await pilot.press(*"purple", "enter")
    assert app.result == 3


async def test_enter_takes_nothing_where_nothing_fits() -> None:
    app = Host(Picker("Fruit", FRUIT, empty="no such fruit"))
    async with app.run_test() as pilot:
        await pilot.press(*"zzz", "enter")
        await pilot.pause()
        assert "no such fruit" in seen(app)
        assert app.result == NOTHING_YET


@every_size
async def test_the_keys_of_a_list_move_in_ten_thousand_options(size: tuple[int, int]) -> None:
    picker = Picker("Models", _many(10_000))
    app = Host(picker)
    async with app.run_test(size=size) as pilot:
        await pilot.press("end")
        assert picker.current == 9_999
        await pilot.pause()
        assert "model-9999" in seen(app)
        await pilot.press("down")
        assert picker.current == 0
        await pilot.press("pagedown")
        assert (picker.current or 0) > 3
        await pilot.press("pageup")
        assert picker.current == 0
        await pilot.press("up")
        assert picker.current == 9_999
        await pilot.press("home")
        assert picker.current == 0
        await pilot.press(*"9998")
        assert picker.current == 9_998


async def test_only_the_rows_that_are_seen_are_made() -> None:
    made: list[int] = []

    class Counting(Picker):
        def row_of(self, index: int):  # type: ignore[no-untyped-def]  # the parent's
            made.append(index)
            return super().row_of(index)

    async with Host(Counting("Models", _many(10_000))).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert 0 < len(set(made)) < 50


@every_size
async def test_a_click_takes_the_option_that_was_clicked(size: tuple[int, int]) -> None:
    app = Host(Picker("Fruit", FRUIT))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.click(RowList, offset=(6, 1))
        await pilot.pause()
        assert app.result == 1


async def test_with_click_takes_off_the_first_click_only_moves() -> None:
    picker = Picker("Fruit", FRUIT, click_takes=False)
    app = Host(picker)
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.click(RowList, offset=(6, 2))
        await pilot.pause()
        assert (app.result, picker.current) == (NOTHING_YET, 2)
        await pilot.click(RowList, offset=(6, 2))
        await pilot.pause()
        assert app.result == 2


async def test_the_wheel_moves_the_view_and_not_the_cursor() -> None:
    picker = Picker("Models", _many(200))
    app = Host(picker)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        rows = picker.query_one(RowList)
        rows.scroll_to(y=50, animate=False)
        await pilot.pause()
        assert "model-55" in seen(app)
        assert picker.current == 0


async def test_keys_of_the_caller_give_the_index_and_the_action_even_those_of_the_line() -> None:
    actions = [KeyAction("ctrl+r", "rename", "rename"), KeyAction("delete", "delete", "delete")]
    for key, action in (("ctrl+r", "rename"), ("delete", "delete"), ("enter", "")):
        app = Host(ActionPicker("Fruit", FRUIT, actions=actions))
        async with app.run_test() as pilot:
            await pilot.press("b", "down", "up", key)
        assert app.result == Picked(1, action)


async def test_a_hint_that_is_clicked_is_its_key() -> None:
    app = Host(ActionPicker("Fruit", FRUIT, actions=[KeyAction("ctrl+r", "rename", "rename")]))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.pause()
        row = next(number for number, line in enumerate(seen(app).split("\n")) if "rename" in line)
        column = seen(app).split("\n")[row].index("rename")
        await pilot.click(offset=(column, row))
        await pilot.pause()
    assert app.result == Picked(0, "rename")


async def test_the_loader_adds_options_and_neither_text_nor_cursor_is_lost() -> None:
    go = asyncio.Event()

    async def load(picker: PickerBase[int | None]) -> None:
        await go.wait()
        picker.add_options([Option("apricot", "late"), Option("cranberry", "late")])

    picker = Picker("Fruit", FRUIT, loader=load)
    app = Host(picker)
    async with app.run_test() as pilot:
        await pilot.press(*"c", "down")
        before = picker.current
        go.set()
        await pilot.pause()
        await pilot.pause()
        assert picker.current == before
        assert picker.typed == "c"
        assert "cranberry" in seen(app)
        await pilot.press(*"ran", "enter")
    assert app.result == 5


async def test_a_loader_that_is_still_busy_does_not_hold_the_screen() -> None:
    async def load(picker: PickerBase[int | None]) -> None:
        await asyncio.Event().wait()

    app = Host(Picker("Fruit", FRUIT, loader=load))
    async with app.run_test() as pilot:
        await pilot.press("escape")
        await pilot.pause()
        assert app.result is None


async def test_headings_stand_over_groups_and_the_cursor_passes_over_them() -> None:
    options = [Grouped("one", group="first"), Grouped("two", group="second"), Grouped("three", group="first")]
    picker = Picker("Groups", options)
    app = Host(picker)
    async with app.run_test() as pilot:
        await pilot.pause()
        lines = [line for line in seen(app).split("\n") if "│" in line]
        order = [word for line in lines for word in ("first", "one", "three", "second", "two") if f" {word} " in line]
        assert order == ["first", "one", "three", "second", "two"]
        visited = []
        for _ in range(4):
            visited.append(picker.current)
            await pilot.press("down")
        assert visited == [0, 2, 1, 0]


async def test_a_preview_is_shown_where_there_is_room_and_may_take_its_time() -> None:
    async def preview(index: int) -> str:
        await asyncio.sleep(0)
        return f"about {FRUIT[index].label} {HOSTILE}"

    for size, wide in (((120, 40), True), ((80, 24), False)):
        picker = Picker("Fruit", FRUIT, preview=preview)
        app = Host(picker)
        async with app.run_test(size=size) as pilot:
            await pilot.press("down")
            await pilot.pause(0.2)
            assert picker.query_one(TextView).display is wide
            assert ("about banana" in seen(app)) is wide
            assert_harmless(app)


@every_size
async def test_hostile_titles_labels_and_details_are_only_text(size: tuple[int, int]) -> None:
    options = [Option(HOSTILE, HOSTILE, HOSTILE), Grouped(HOSTILE, HOSTILE, group=HOSTILE), Option("e\u0301" * 10_000)]
    app = Host(Picker(HOSTILE, options))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "list[int] [/]" in seen(app)
        assert_harmless(app)
        await pilot.press(*"int")
        await pilot.pause()
        assert_harmless(app)


async def test_no_timer_runs_while_nothing_happens() -> None:
    picker = Picker("Fruit", FRUIT, preview=lambda index: "")
    async with Host(picker).run_test() as pilot:
        await pilot.pause(0.2)
        assert picker.query_one(FilterInput).cursor_blink is False
        assert picker._preview_timer is None


@given(st.text(max_size=12), st.lists(st.text(max_size=30), max_size=20))
def test_whatever_is_typed_the_matches_are_places_of_the_text(typed: str, texts: Sequence[str]) -> None:
    haystack = Haystack()
    haystack.add([(text, "") for text in texts])
    found = haystack.find(typed)
    assert len(set(found)) == len(found)
    matcher = Matcher(typed)
    for index in found:
        places = matcher.places(texts[index])
        assert all(0 <= place < len(texts[index]) for place in places)
        assert places == sorted(set(places))


@given(st.text("abc ", max_size=8), st.lists(st.text("abcd ", max_size=10), max_size=20))
def test_narrowing_letter_by_letter_finds_what_the_whole_query_finds(typed: str, texts: list[str]) -> None:
    narrowed, fresh = Haystack(), Haystack()
    narrowed.add([(text, "") for text in texts])
    fresh.add([(text, "") for text in texts])
    for end in range(len(typed)):
        narrowed.find(typed[:end])
    assert narrowed.find(typed) == fresh.find(typed)
