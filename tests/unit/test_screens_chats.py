"""The chats: list, search, and what can be done with one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.pilot import Pilot

from coda_cli.engine.conversations.info import Filter
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.messages import LLMMessage, MessageRole
from coda_cli.tui.screens.chats import ChatChoice, Chats
from coda_cli.tui.screens.chats_source import ChatsSource, asked, matched, snippet
from coda_cli.tui.screens.picker import FilterInput
from coda_cli.tui.screens.rows import RowList
from coda_cli.tui.screens.text_view import TextView
from tests.unit.screen_host import HOSTILE, NOTHING_YET, Host, assert_harmless, every_size, seen

WIDE = (120, 40)


async def _filled(*titles: str, manager: ConversationManager | None = None) -> tuple[ConversationManager, list[str]]:
    """One chat for each title, a question and an answer in it; the last one is the latest."""
    manager = manager or ConversationManager.in_memory()
    ids = []
    for number, title in enumerate(titles):
        made = await manager.create_conversation(title=title)
        question = LLMMessage(role=MessageRole.USER, content=f"what about {title}?", created=1000.0 + number)
        answer = LLMMessage(
            role=MessageRole.ASSISTANT,
            content=f"the answer is forty{number} [b]\n" + "more\n" * 3,
            created=1000.5 + number,
            metadata={"provider": "openai", "model": f"gpt-{number}"},
        )
        await manager.add_message(made.id, question)
        await manager.add_message(made.id, answer)
        ids.append(made.id)
    return manager, ids


async def _settled(pilot: Pilot[None]) -> None:
    """Long enough for a search that waits for the next letter, and for its preview."""
    for _ in range(2):
        await pilot.pause(0.15)
        if reading := [worker for worker in pilot.app.workers if worker.group in ("read", "preview")]:
            await pilot.app.workers.wait_for_complete(reading)
    await pilot.pause()


@every_size
async def test_the_latest_chats_stand_there_and_enter_opens_one(size: tuple[int, int]) -> None:
    manager, ids = await _filled("planes", "trains", "list[int]")
    app = Host(Chats(manager))
    async with app.run_test(size=size) as pilot:
        await _settled(pilot)
        shown = seen(app)
        assert shown.index("list[int]") < shown.index("trains") < shown.index("planes")
        assert "2 msg" in shown
        await pilot.press("down", "enter")
        await pilot.pause()
    assert app.result == ChatChoice(ids[1])


@every_size
async def test_typing_finds_what_was_said_and_enter_leads_to_the_message(size: tuple[int, int]) -> None:
    manager, ids = await _filled("planes", "trains")
    app = Host(Chats(manager))
    async with app.run_test(size=size) as pilot:
        await pilot.press(*"forty0")
        await _settled(pilot)
        assert "the answer is forty0" in seen(app)
        assert "trains" not in seen(app)
        await pilot.press("enter")
        await pilot.pause()
    message = (await manager.search("forty0"))[0].message_id
    assert app.result == ChatChoice(ids[0], message, "forty0")


async def test_enter_right_behind_the_last_letter_opens_what_was_meant() -> None:
    manager, ids = await _filled("planes", "trains")
    app = Host(Chats(manager))
    async with app.run_test(size=WIDE) as pilot:
        await _settled(pilot)
        await pilot.press(*"forty0", "enter")
        await _settled(pilot)
    assert app.result.conversation_id == ids[0]


async def test_letters_behind_that_enter_are_searched_and_nothing_opens() -> None:
    manager, _ = await _filled("planes", "trains")
    app = Host(Chats(manager))
    async with app.run_test(size=WIDE) as pilot:
        await _settled(pilot)
        screen = app.screen
        assert isinstance(screen, Chats)
        await pilot.press(*"forty")
        screen.action_open()
        screen.query_one(FilterInput).value = "forty1"
        screen._read()
        await _settled(pilot)
        assert app.result == NOTHING_YET
        assert "trains" in seen(app)


async def test_a_title_is_found_too_and_a_tag_narrows() -> None:
    manager, ids = await _filled("planes", "trains", "boats")
    await manager.rename(ids[0], "Aeronautics")
    await manager.tag(ids[1], ["rail"])
    app = Host(Chats(manager, query="aeronau"))
    async with app.run_test(size=WIDE) as pilot:
        await _settled(pilot)
        assert "Aeronautics" in seen(app)
        await pilot.press("ctrl+u", *"#rail")
        await _settled(pilot)
        assert "trains" in seen(app)
        assert "boats" not in seen(app)
        await pilot.press("enter")
        await pilot.pause()
    assert app.result == ChatChoice(ids[1])


async def test_the_hits_are_lit_in_the_list_and_in_the_preview() -> None:
    manager, _ = await _filled("planes", "trains")
    app = Host(Chats(manager, query="forty1"))
    async with app.run_test(size=WIDE) as pilot:
        await _settled(pilot)
        view = app.screen.query_one(TextView)
        assert "the answer is forty1" in view.text
        strips = app.screen._compositor.render_strips()
        lit = [segment.text for strip in strips for segment in strip if segment.style and segment.style.underline]
        assert lit.count("forty1") == 2


async def test_the_preview_shows_the_end_of_the_chat_where_there_is_room() -> None:
    manager, _ = await _filled("planes")
    for size, wide in ((WIDE, True), ((80, 24), False)):
        app = Host(Chats(manager))
        async with app.run_test(size=size) as pilot:
            await _settled(pilot)
            assert ("the answer is forty0 [b]" in seen(app)) is wide


@every_size
async def test_a_chat_is_renamed_tagged_and_pinned(size: tuple[int, int]) -> None:
    manager, ids = await _filled("planes", "trains")
    chats = Chats(manager)
    app = Host(chats)
    async with app.run_test(size=size) as pilot:
        await _settled(pilot)
        await pilot.press("ctrl+r", "ctrl+u", *"New [b]", "enter")
        await _settled(pilot)
        assert "New [b]" in seen(app)
        await pilot.press("ctrl+t", *"one #two", "enter")
        await _settled(pilot)
        await pilot.press("down", "ctrl+p")
        await _settled(pilot)
        rows = await manager.list_conversations()
        assert [(row.id, row.title, row.tags, row.pinned) for row in rows] == [
            (ids[0], "planes", (), True),
            (ids[1], "New [b]", ("one", "two"), False),
        ]
        assert chats.changed == set(ids)
        await pilot.press("down", "ctrl+t", "ctrl+u", *"one", "enter")
        await _settled(pilot)
    assert (await manager.list_conversations(Filter(pinned=False)))[0].tags == ("one",)


async def test_deleting_asks_and_the_trash_gives_it_back() -> None:
    manager, ids = await _filled("planes", "trains", manager=ConversationManager())
    chats = Chats(manager)
    app = Host(chats)
    async with app.run_test(size=WIDE) as pilot:
        await _settled(pilot)
        await pilot.press("ctrl+d", "enter")  # Enter is no
        await _settled(pilot)
        assert len(await manager.list_conversations()) == 2
        await pilot.press("delete", "y")
        await _settled(pilot)
        assert [row.id for row in await manager.list_conversations()] == [ids[0]]
        assert chats.deleted == [ids[1]]
        await pilot.press("ctrl+x")
        await _settled(pilot)
        assert "Trash" in seen(app)
        assert "trains" in seen(app)
        assert "rename" not in seen(app)
        await pilot.press("ctrl+d")
        assert app.screen is chats
        await pilot.press("enter")
        await _settled(pilot)
        assert len(await manager.list_conversations()) == 2
        assert chats.deleted == []
        assert "the trash is empty" in seen(app)
        await pilot.press("escape")
        await _settled(pilot)
        assert "planes" in seen(app)
        assert app.result == NOTHING_YET


async def test_a_fork_is_opened_and_an_export_told() -> None:
    manager, ids = await _filled("planes")

    async def export(conversation_id: str) -> str:
        assert conversation_id == ids[0]
        return "written to planes.md"

    app = Host(Chats(manager, export=export))
    async with app.run_test(size=WIDE) as pilot:
        await _settled(pilot)
        await pilot.press("ctrl+e")
        await _settled(pilot)
        assert "written to planes.md" in seen(app)
        await pilot.press("ctrl+k")
        await _settled(pilot)
    assert app.result.conversation_id not in (None, ids[0])
    assert len(await manager.list_conversations()) == 2


async def test_without_an_exporter_there_is_no_key_for_it() -> None:
    manager, _ = await _filled("planes")
    app = Host(Chats(manager))
    async with app.run_test(size=WIDE) as pilot:
        await _settled(pilot)
        assert "export" not in seen(app)


async def test_escape_first_empties_the_line() -> None:
    manager, _ = await _filled("planes")
    app = Host(Chats(manager))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("x", "escape")
        await pilot.pause()
        assert app.result == NOTHING_YET
        await pilot.press("escape")
        await pilot.pause()
        assert app.result is None


async def test_a_click_moves_a_second_one_opens() -> None:
    manager, ids = await _filled("planes", "trains")
    app = Host(Chats(manager))
    async with app.run_test(size=(80, 24)) as pilot:
        await _settled(pilot)
        await pilot.click(RowList, offset=(6, 1))
        await pilot.pause()
        assert app.result == NOTHING_YET
        await pilot.click(RowList, offset=(6, 1))
        await pilot.pause()
    assert app.result == ChatChoice(ids[0])


async def test_a_long_list_is_read_in_pages() -> None:
    manager, ids = await _filled(*(f"chat {number}" for number in range(230)))
    chats = Chats(manager)
    async with Host(chats).run_test(size=(80, 24)) as pilot:
        await _settled(pilot)
        assert chats.rows.length == 100
        for length in (200, 230):
            await pilot.press("end")
            for _ in range(20):
                await pilot.pause(0.02)
            assert chats.rows.length == length
        await pilot.press("end")
        assert chats.item is not None
        assert chats.item.chat.id == ids[0]


async def test_a_store_that_fails_is_told_with_its_hint_and_the_screen_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coda_cli.engine.conversations.journal import StoreError

    manager, _ = await _filled("planes")

    async def broken(*args: object, **kwargs: object) -> None:
        raise StoreError("the disk is full", hint="make room")

    monkeypatch.setattr(manager, "pin", broken)
    app = Host(Chats(manager))
    async with app.run_test(size=(60, 15)) as pilot:
        await _settled(pilot)
        await pilot.press("ctrl+p")
        await _settled(pilot)
        assert "the disk is full" in seen(app)
        assert "make room" in seen(app)


@every_size
async def test_hostile_titles_tags_and_texts_are_only_text(size: tuple[int, int]) -> None:
    manager, ids = await _filled("planes")
    hostile = HOSTILE.replace("\ud800", "")
    await manager.rename(ids[0], hostile)
    await manager.add_message(ids[0], LLMMessage(role=MessageRole.USER, content=f"planes {hostile}"))
    app = Host(Chats(manager))
    async with app.run_test(size=size) as pilot:
        await _settled(pilot)
        assert "list[int] [/]" in seen(app)
        assert_harmless(app)
        await pilot.press(*"planes")
        await _settled(pilot)
        assert_harmless(app)
        await pilot.press("ctrl+r")
        await _settled(pilot)
        assert_harmless(app)


def test_the_marks_of_a_hit_become_styles() -> None:
    text = "a \ue000big\ue001 plane, \ue000bigger\ue001"
    assert snippet(text) == [("a ", ""), ("big", "match"), (" plane, ", ""), ("bigger", "match")]
    assert matched(text) == ["big", "bigger"]


def test_a_word_with_a_hash_is_a_tag() -> None:
    assert asked("planes #fly high") == ("planes high", Filter(tag="fly"))
    assert asked("# a") == ("# a", Filter())


async def test_a_page_that_moved_meanwhile_shows_no_chat_twice() -> None:
    manager, _ = await _filled(*(f"chat {number}" for number in range(120)))
    source = ChatsSource(manager)
    listing = await source.read("")
    await asyncio.gather(*(_filled("new one", manager=manager) for _ in range(3)))
    await source.read_on(listing, "")
    ids = [item.chat.id for item in listing.items]
    assert len(ids) == len(set(ids))
