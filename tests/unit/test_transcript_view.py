"""The transcript as a person meets it: follows, keeps its place, answers keys and the mouse."""

from __future__ import annotations

import threading

import pytest
from textual.geometry import Region, Size
from textual.pilot import Pilot
from textual.reactive import Reactive
from textual.widget import Widget

from coda_cli.chat.entry import Entry, ToolCard
from coda_cli.markdown import code
from coda_cli.tui import private
from coda_cli.tui.transcript import Styles, Transcript
from coda_cli.tui.transcript.bar import Bar
from tests.unit.transcripts import NOW, Show, answer, conversation, question

SIZE = (80, 24)


async def stream(pilot: Pilot[None], transcript: Transcript, text: str) -> None:
    """Feed *text* in pieces and let it be drawn."""
    for at in range(0, len(text), 7):
        transcript.feed(text[at : at + 7])
    await pilot.pause(0.1)


async def test_it_shows_the_end_of_a_long_conversation() -> None:
    app = Show(conversation(200))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "Message number 199." in app.texts()
        assert "Message number 150." not in app.texts()
        assert app.transcript.following


async def test_it_shows_a_message_that_is_asked_for() -> None:
    app = Show(conversation(200), at="m50")
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert app.screen_lines()[2] == "Message number 50."
        assert app.transcript.current is not None
        assert app.transcript.current.id == "m50"


async def test_a_streamed_answer_is_followed_until_somebody_scrolls_up_and_again_from_the_end() -> None:
    app = Show(conversation(20))
    async with app.run_test(size=SIZE) as pilot:
        view = app.transcript
        view.begin(answer("", "s", status="streaming"))
        await stream(pilot, view, "".join(f"Line {n} of it.\n\n" for n in range(40)))
        assert "Line 39 of it." in app.texts()
        await pilot.press("pageup")
        before = app.screen_lines()
        await stream(pilot, view, "".join(f"Later {n}.\n\n" for n in range(40)))
        assert app.screen_lines() == before
        told = [message for message in app.posted if isinstance(message, Transcript.AtEnd)]
        assert (told[-1].value, told[-1].fresh > 60) == (False, True)
        view.end(answer("whatever the store says", "final"))
        view.jump_to_end()
        await pilot.pause()
        assert app.screen_lines()[-1] == "whatever the store says"
        assert [m.value for m in app.posted if isinstance(m, Transcript.AtEnd)][-1]


async def test_scrolling_up_through_estimated_heights_never_jumps() -> None:
    app = Show(conversation(120))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        above = app.screen_lines()
        for _ in range(60):
            app.transcript.move_by(-5)
            lines = app.screen_lines()
            assert lines[5:] == above[: len(lines) - 5]
            above = lines


async def test_an_older_page_comes_in_above_and_nothing_moves() -> None:
    entries = conversation(100)
    app = Show(entries[60:])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("home")
        await pilot.pause()
        assert sum(isinstance(message, Transcript.NeedOlder) for message in app.posted) == 1
        before = app.screen_lines()
        app.transcript.prepend(entries[:60])
        await pilot.pause()
        assert app.screen_lines() == before
        await pilot.press("home")
        await pilot.pause()
        assert app.screen_lines()[2] == "Message number 0."


async def test_a_resize_keeps_the_message_that_is_at_the_top() -> None:
    app = Show([answer(f"**Part** {n}. " + "word " * 60, f"m{n}") for n in range(60)], at="m30")
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        first = app.screen_lines()
        await pilot.resize_terminal(60, 24)
        await pilot.pause(0.1)
        assert "Part 30." in app.screen_lines()[2]
        await pilot.resize_terminal(100, 24)
        await pilot.pause(0.1)
        assert app.screen_lines() == first


async def test_letters_act_on_the_message_under_the_cursor() -> None:
    app = Show(conversation(6))
    async with app.run_test(size=SIZE) as pilot:
        for key in ("k", "k", "y", "r", "left_square_bracket", "j", "p"):
            await pilot.press(key)
        await pilot.pause()
        acted = [(m.action, m.entry_id) for m in app.posted if isinstance(m, Transcript.Acted)]
        assert acted == [("copy", "m4"), ("retry", "m4"), ("previous_sibling", "m4"), ("pin", "m5")]


async def test_reasoning_and_tool_calls_fold_and_unfold() -> None:
    tool = ToolCard("t", "read_file", '{"path": "notes.txt"}', "the content of it")
    app = Show([answer("Done.", reasoning="First, think about it.", tools=(tool,))])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "First, think" not in app.texts()
        assert "read_file  notes.txt  ✓" in app.texts()
        app.transcript.reasoning_open = app.transcript.tools_open = True
        await pilot.pause()
        assert "First, think about it." in app.texts()
        assert '"path": "notes.txt"' in app.texts()
        assert "the content of it" in app.texts()
        line = next(n for n, text in enumerate(app.screen_lines()) if text.startswith("▾ thought"))
        await pilot.click(Transcript, offset=(4, line))
        assert "First, think" not in app.texts()


async def test_a_header_tells_who_when_which_version_and_a_footer_what_it_took() -> None:
    entry = answer(
        "Hi.", model="m1", created=NOW - 300, place=2, siblings=3, pinned=True, tokens=1204, latency=3.21, cost=0.0041
    )
    app = Show([entry])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "m1 · 5 min ago · ★ pinned · ‹ 2/3 ›" in app.texts()
        assert "1,204 tokens · 3.2 s · $0.0041" in app.texts()
        await pilot.click(Transcript, offset=(2 + app.screen_lines()[1].index("›"), 1))
        assert [(m.action, m.entry_id) for m in app.posted if isinstance(m, Transcript.Acted)] == [
            ("next_sibling", "a")
        ]


async def test_what_went_wrong_stands_under_the_answer_with_its_hint_and_a_retry() -> None:
    broken = answer("Half of", status="error", hint="wait a minute")
    app = Show([broken, Entry("note-1", "error", "No connection", provider="ollama", hint="start `ollama serve`")])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        text = app.texts()
        assert "the answer failed  r to retry" in text
        assert "hint: wait a minute" in text
        assert "✗ No connection\nhint: start `ollama serve`\nr to retry" in text


async def test_find_counts_and_shows_hits_off_the_screen_and_lights_them() -> None:
    entries = conversation(300)
    entries[11] = answer("A **nee**dle here, and a\nneedle there.", "m11")
    entries[200] = answer("One more Needle.", "m200")
    app = Show(entries)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        view = app.transcript
        assert view.find("needle") == (1, 3)
        assert "needle there." in app.texts()
        assert [view.find_next(), view.find_next()] == [(2, 3), (3, 3)]
        assert "One more Needle." in app.texts()
        assert view.find_previous()[0] == 2
        assert view.find("nothing like it") == (0, 0)


async def test_a_search_hit_is_jumped_to_and_in_sight() -> None:
    text = "\n\n".join(f"Paragraph {n}." for n in range(100)) + "\n\nThe wanted words."
    app = Show([*conversation(50), answer(text, "long"), *[question("x", f"x{n}") for n in range(30)]])
    async with app.run_test(size=SIZE) as pilot:
        app.transcript.jump("long", "wanted")
        await pilot.pause()
        assert "The wanted words." in app.texts()
        assert not app.transcript.following


async def test_a_drag_over_whole_blocks_copies_their_markdown_and_over_a_part_the_words() -> None:
    app = Show([answer("# Title\n\nSome **bold** words that are long enough to be wrapped, as here at the edge.\n")])
    async with app.run_test(size=(50, 24)) as pilot:
        await pilot.pause()
        lines = app.screen_lines()
        assert lines[2:6] == [
            "Title",
            "",
            "Some bold words that are long enough to be",
            "wrapped, as here at the edge.",
        ]
        await pilot.mouse_down(Transcript, offset=(2, 2))
        await pilot.hover(Transcript, offset=(40, 5))
        await pilot.mouse_up(Transcript, offset=(40, 5))
        await pilot.pause()
        whole = app.transcript.selected_text()
        assert whole == "# Title\n\nSome **bold** words that are long enough to be wrapped, as here at the edge."
        await pilot.mouse_down(Transcript, offset=(7, 4))
        await pilot.hover(Transcript, offset=(9, 5))
        await pilot.mouse_up(Transcript, offset=(9, 5))
        await pilot.pause()
        assert app.transcript.selected_text() == "bold words that are long enough to be wrapped"
        assert isinstance(app.posted[-1], Transcript.Selected)


async def test_a_copied_footnote_mark_is_its_source() -> None:
    app = Show([answer("So it is[^12] now.")])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert app.screen_lines()[2] == "So it is¹² now."
        await pilot.mouse_down(app.transcript, offset=(5, 2))
        await pilot.hover(app.transcript, offset=(17, 2))
        await pilot.mouse_up(app.transcript, offset=(17, 2))
        assert app.transcript.selected_text() == "it is[^12] now."


async def test_a_double_click_takes_a_word_and_a_third_the_block() -> None:
    app = Show([answer("Look at src/app.py now.\n\nOther.")])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.click(Transcript, offset=(12, 2), times=2)
        assert app.transcript.selected_text() == "src/app.py"
        await pilot.click(Transcript, offset=(12, 2), times=3)
        assert app.transcript.selected_text().strip() == "Look at src/app.py now."


async def test_a_click_on_a_link_gives_its_true_target_and_only_the_web_opens() -> None:
    app = Show([answer("[bank](https://evil.example/x) [f](file:///etc) [g](gopher://x.example)")])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        line = app.screen_lines()[2]
        assert line == "bank (https://evil.example/x) [f](file:///etc) g (gopher://x.example)"
        for word in ("bank", "[f]", "g ("):
            await pilot.click(Transcript, offset=(2 + line.index(word), 2))
        assert [m.url for m in app.posted if isinstance(m, Transcript.LinkPressed)] == ["https://evil.example/x"]


async def test_other_styles_draw_anew_and_neither_parse_nor_wrap() -> None:
    app = Show([answer("Some `code` and *words*.\n\n```python\nx = 1\n```")])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        view = app.transcript
        rows = [row for _, row in view._doc.rows(0, 10)]
        before = view.render_line(2)
        view.restyle(Styles({"markdown": {"code": "#123456"}}, foreground="#ffffff", background="#000000"))
        after = view.render_line(2)
        assert [row for _, row in view._doc.rows(0, 10)] == rows
        assert after.text == before.text
        colours = {segment.style.color.name for segment in after if segment.style and segment.style.color}
        assert {"#123456", "#ffffff"} <= colours


async def test_rows_that_do_not_change_stay_the_same_strips_while_an_answer_streams() -> None:
    app = Show(conversation(2))
    async with app.run_test(size=SIZE) as pilot:
        view = app.transcript
        view.begin(answer("", "s"))
        await stream(pilot, view, "First paragraph.\n\nSecond one")
        before = view.render_lines(view.size.region)
        await stream(pilot, view, " goes on")
        after = view.render_lines(view.size.region)
        changed = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a is not b]
        assert len(changed) == 1
        assert "Second one goes on" in after[changed[0]].text


async def test_a_wider_row_of_a_long_table_draws_those_above_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Show()
    async with app.run_test(size=(80, 100)) as pilot:
        view = app.transcript
        view.begin(answer("", "s"))
        await stream(pilot, view, "| a | b |\n|--|--|\n" + "".join(f"| {n} | long enough |\n" for n in range(70)))
        before = app.screen_lines()
        drawn: list[Region] = []
        monkeypatch.setattr(view, "refresh", lambda *regions, **_: drawn.extend(regions))
        await stream(pilot, view, "| wide, wide | b |\n")
        first = next(n for n, (old, new) in enumerate(zip(before, app.screen_lines(), strict=True)) if old != new)
        assert first < 5
        assert any(region.y <= first for region in drawn)
        drawn.clear()
        await stream(pilot, view, "| 1 | b |\n")
        assert drawn
        assert all(region.y > 70 for region in drawn)


async def test_growing_lays_out_no_screen_and_scrolling_by_textuals_means_still_works() -> None:
    app = Show(conversation(60))
    async with app.run_test(size=SIZE) as pilot:
        view = app.transcript
        await pilot.pause()
        assert view.virtual_size.height == view._doc.height
        assert view.scroll_y == view.max_scroll_y == view._top
        private.grow(view, Size(80, 500), 100)
        assert (view.virtual_size.height, view.scroll_y, view.scroll_target_y) == (500, 100, 100)
        view.jump_to_end()
        view.scroll_to(y=3, animate=False)
        await pilot.pause()
        assert not view.following
        assert view._top <= 10


def test_what_is_used_of_textual_past_its_documents_is_still_there() -> None:
    for name in ("virtual_size", "scroll_y", "scroll_target_y"):
        assert isinstance(getattr(Widget, name, None), Reactive)


async def test_the_scrollbar_moves_the_view() -> None:
    app = Show(conversation(100))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.mouse_down(Bar, offset=(0, 0))
        await pilot.mouse_up(Bar, offset=(0, 0))
        await pilot.pause()
        assert "Message number 0." in app.texts()
        assert not app.transcript.following


async def test_an_answer_ends_under_its_own_id_and_can_be_replaced_and_taken_away() -> None:
    app = Show(conversation(2))
    async with app.run_test(size=SIZE) as pilot:
        view = app.transcript
        view.begin(answer("", "temporary", status="streaming"))
        view.feed_reasoning("Thinking about it.")
        await pilot.pause(0.1)
        assert "▸ thinking…" in app.texts()
        await stream(pilot, view, "The *answer*.\n\n```py\nx = 1\n```\n")
        view.end(answer("The *answer*.\n\n```py\nx = 1\n```\n", "real", reasoning="Thinking about it.", tokens=5))
        await pilot.pause(0.1)
        assert "▸ thought for a moment" in app.texts()
        assert "5 tokens" in app.texts()
        assert view.code_blocks("real") == ["x = 1\n"]
        assert view.source_of("temporary") == ""
        view.replace(answer("The *answer*.", "real", pinned=True))
        await pilot.pause()
        assert "★ pinned" in app.texts()
        view.discard("real")
        await pilot.pause()
        assert "answer" not in app.texts()


async def test_how_long_ago_grows_older_and_nothing_else_changes() -> None:
    now = [NOW]
    app = Show([answer("Hi.", model="m1", created=NOW - 30), question("Old", created=NOW - 90_000_000)])
    app.transcript._setting.now = lambda: now[0]
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        before = app.screen_lines()
        assert before[1] == "m1 · just now"
        now[0] += 240
        app.transcript._age()
        after = app.screen_lines()
        assert after[1] == "m1 · 4 min ago"
        assert after[:1] + after[2:] == before[:1] + before[2:]


async def test_code_is_shown_at_once_and_gets_its_colours_when_its_lexer_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = threading.Event()
    build = code.lexer_for
    monkeypatch.setattr(code, "_lexers", {})
    monkeypatch.setattr(code, "_building", set())
    monkeypatch.setattr(code, "_kept", {})
    monkeypatch.setattr(code, "lexer_for", lambda name: build(name) if ready.wait(10) else None)
    app = Show([answer("```ruby\ndef a; end\n```")])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "def a; end" in app.texts()
        assert {key for _, key in app.transcript._doc.views[0].lay(1)[-1].runs} == {("pad",), ("code_block",)}
        ready.set()
        await pilot.pause(0.5)
        assert "syntax.keyword" in {name for _, key in app.transcript._doc.views[0].lay(1)[-1].runs for name in key}


async def test_a_long_stored_answer_is_markdown_soon_and_its_code_gets_its_colours() -> None:
    code = "x = 'text'  # why\n" * 800
    text = "".join(f"{n}. item *{n}*\n" for n in range(1500)) + f"\n```python\n{code}```\n\n**done**\n"
    app = Show([question("What?"), answer(text)])
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.transcript

        def settled() -> bool:
            renderer = view._setting.renderer
            return not (view._doc.views[1].filling or renderer.missed or renderer.later)

        for _ in range(500):
            await pilot.pause(0.01)
            if settled():
                break
        await pilot.pause(0.05)
        assert app.screen_lines()[-1] == "done"
        keys = {key for _, row in view._doc.rows(view._top, 24) if row is not None for _, key in row.runs}
        assert ("syntax.comment",) in keys
        await pilot.press("home")
        await pilot.pause(0.05)
        assert any(line.endswith("0. item 0") for line in app.screen_lines())
        assert view.source_of("a") == text


async def test_a_long_stored_answer_that_is_made_in_slices_stays_where_one_reads() -> None:
    text = "".join(f"Line *{n}* of it.\n\n" for n in range(2000))
    app = Show([question("What?"), answer(text)], at="a")
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(500):
            await pilot.pause(0.01)
            if not app.transcript._doc.views[1].filling:
                break
        await pilot.pause(0.05)
        assert any("Line 0 of it." in line for line in app.screen_lines())
