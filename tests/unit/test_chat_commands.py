"""Every slash command does what it says, and no line that anybody types raises."""

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli.chat import commands
from coda_cli.chat.commands import complete, find, is_complete, run, split
from coda_cli.engine.core.errors import LLMAuthenticationError, LLMConnectionError, UsageError
from coda_cli.engine.providers.scripted import Reply
from tests.unit.chat_front import Recorder, provider_of, session_with

NAMES = [name for command in commands.commands() for name in (command.name, *command.aliases)]


async def asked(front: Recorder, *texts: str) -> None:
    for text in texts:
        await front.session.ask(text)
    await front.session.entries()


def texts(front: Recorder) -> list[str]:
    return [entry.text for entry in front.session.shown]


# ---- the table -------------------------------------------------------------------------------------------------------


def test_each_name_means_one_command_and_each_has_its_line_of_help() -> None:
    assert len(NAMES) == len(set(NAMES))
    for command in commands.commands():
        assert command.group in commands.GROUPS
        assert command.help
        assert "\n" not in command.help
        assert find(command.name.upper()) is command
    wanted = (
        "help model clear new resume search rename fork branch tree undo redo edit retry compact uncompact pin context"
    )
    for expected in [*wanted.split(), "inspect", "usage", "theme", "export", "copy", "compare", "quit", "exit", "q"]:
        assert find(expected), expected


@pytest.mark.parametrize("line", ["/etc/passwd is what?", "/ hello", "//", "a /model", "/1", " /quit", "/usr/bin", ""])
def test_what_is_no_command_is_a_question(line: str) -> None:
    assert split(line) is None
    assert not is_complete(line, "tui")


async def test_a_command_that_does_not_exist_names_one_that_does() -> None:
    front = Recorder(session_with())
    assert await run(front, "/modle x")
    assert "/model" in (front.errors[0].hint or "")


def test_completions_begin_with_what_was_typed_and_know_the_arguments() -> None:
    front = Recorder(session_with())
    assert [one.text for one in complete("/re", front)][:3] == ["/resume", "/rename", "/retry"]
    assert complete("/model other", front)[0].text == "other/other-model"
    assert complete("/key ", front)[0].text == "vendor"
    assert complete("a question", front) == complete("/nope x", front) == []
    assert "/mouse" not in {one.text for one in complete("/", front)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(NAMES) | st.text(max_size=8),
    argument=st.text(max_size=40)
    | st.lists(st.sampled_from(["fake", "code", "-1", "0", "99999999999", "--", "md", "'", "\0", "~x", "@", "-"])).map(
        " ".join
    ),
)
def test_no_line_that_anybody_types_raises(name: str, argument: str, tmp_path: Path) -> None:
    async def type_it() -> None:
        front = Recorder(session_with(log=False))
        await asked(front, "one")
        complete(f"/{name} {argument}", front)
        if name in ("export", "save", "import"):
            return  # they touch files: their own tests
        if await run(front, f"/{name} {argument}"):
            for generation in front.started:
                generation.cancel()

    asyncio.run(type_it())


# ---- messages --------------------------------------------------------------------------------------------------------


async def test_undo_puts_the_question_back_and_redo_brings_the_answer_back() -> None:
    front = Recorder(session_with(["A", "B"]))
    await asked(front, "one", "two")
    await front.do("/undo")
    assert texts(front) == ["one", "A"]
    assert front.prompt == "two"
    await front.do("/redo")
    assert texts(front) == ["one", "A", "two", "B"]
    assert front.prompt == ""


async def test_edit_asks_beside_the_question_and_keeps_what_went_along() -> None:
    front = Recorder(session_with(["A", "B"]))
    await front.session.ask("look\n\n[file a.txt]\n```\ncontent\n```")
    await front.session.entries()
    await front.do("/edit 1")
    assert front.prompt == "look"
    generation = await front.session.submit("look again")
    await generation
    entries = await front.session.entries()
    assert (entries[0].text, entries[0].place, entries[0].siblings) == ("look again", 2, 2)
    assert [one.name for one in entries[0].attached] == ["a.txt"]
    assert "content" in provider_of(front.session).requests[-1].messages[-1].content


async def test_retry_by_another_model_makes_a_sibling() -> None:
    front = Recorder(session_with())
    await asked(front, "one")
    await front.do("/retry other")
    await front.session.entries()
    last = front.session.shown[-1]
    assert (last.text, last.provider, last.place, last.siblings) == ("Another.", "other", 2, 2)
    assert front.session.spec.provider == "other"


async def test_fork_and_branch_go_on_from_an_earlier_message() -> None:
    front = Recorder(session_with(["A", "B", "C"]))
    await asked(front, "one", "two")
    before = front.session.conversation_id
    await front.do("/fork 2")
    assert front.session.conversation_id != before
    assert texts(front) == ["one", "A"]
    await front.do("/branch 1")
    assert texts(front) == ["one"]
    await front.session.ask("three")
    assert [entry.text for entry in await front.session.entries()] == ["one", "three", "C"]
    front.choices = [0]
    await front.do("/branch")
    assert texts(front) == ["one", "A"]


async def test_the_tree_goes_to_any_message() -> None:
    front = Recorder(session_with(["A", "B"]), choices=[1])
    await asked(front, "one")
    await front.do("/retry")
    await front.do("/tree")
    assert [option.label.strip() for option in front.options[0]] == ["one", "A", "B"]
    assert texts(front) == ["one", "A"]


async def test_delete_hides_a_message_and_restore_brings_it_back() -> None:
    front = Recorder(session_with(["A"]))
    await asked(front, "one")
    await front.do("/delete 2")
    assert texts(front) == ["one"]
    await front.do("/restore")
    assert texts(front) == ["one", "A"]


async def test_a_deleted_chat_is_asked_about_and_comes_back() -> None:
    front = Recorder(session_with(["A"]), confirms=[False, True])
    await asked(front, "one")
    await front.do("/delete")
    assert texts(front) == ["one", "A"]
    await front.do("/delete")
    assert texts(front) == []
    assert front.session.conversation_id is None
    await front.do("/restore")
    assert texts(front) == ["one", "A"]


async def test_copy_gives_the_source_of_a_message_or_of_its_code() -> None:
    front = Recorder(session_with(["**A**\n\n```py\nx = 1\n```\n\n```\ny\n```\n"]))
    await asked(front, "one")
    await front.do("/copy")
    assert front.copied.startswith("**A**")
    await front.do("/copy code 1")
    assert front.copied == "x = 1\n"
    await front.do("/copy code")
    assert front.copied == "y\n"
    await front.do("/copy 1")
    assert front.copied == "one"
    await front.do("/copy code 9")
    assert isinstance(front.errors[0], UsageError)


async def test_an_answer_is_rated_and_the_rating_taken_back() -> None:
    front = Recorder(session_with())
    await asked(front, "one")
    await front.do("/rate good")
    assert [entry.rating for entry in front.session.shown] == [None, "good"]
    await front.do("/rate bad 2")
    assert [entry.rating for entry in front.session.shown] == [None, "bad"]
    await front.do("/rate none")
    assert [entry.rating for entry in front.session.shown] == [None, None]
    await front.do("/rate good 1")
    await front.do("/rate lovely")
    assert ["only answers" in str(front.errors[0]), "good or bad" in str(front.errors[1])] == [True, True]


async def test_pins_are_set_and_taken_back() -> None:
    front = Recorder(session_with())
    await asked(front, "one")
    await front.do("/pin 1")
    assert [entry.pinned for entry in front.session.shown] == [True, False]
    await front.do("/unpin 1")
    assert [entry.pinned for entry in front.session.shown] == [False, False]
    await front.do("/pin chat")
    assert front.session.recent[0].pinned


# ---- models ----------------------------------------------------------------------------------------------------------


async def test_a_model_can_be_switched_in_the_middle_even_to_one_that_is_down() -> None:
    session = session_with(["A"], other=[Reply(error=LLMConnectionError("refused")), "Back."])
    front = Recorder(session)
    await asked(front, "one")
    await front.do("/model other")
    with pytest.raises(LLMConnectionError):
        await session.ask("two")
    await front.do("/retry")
    assert [entry.text for entry in await session.entries()] == ["one", "A", "two", "Back."]
    await front.do("/model vendor")
    assert session.spec.provider == "vendor"
    await front.do("/model vendro/gpt-6")
    assert "vendor" in (front.errors[-1].hint or "")


async def test_a_key_is_asked_for_masked_and_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    front = Recorder(session_with(), texts=["sk-canary-123"])
    await front.do("/key vendor")
    assert front.secrets == [True]
    key = front.session.manager.config.providers["vendor"].api_key
    assert key is not None
    assert key.get_secret_value() == "sk-canary-123"
    told = [*front.notes, *(str(error) + str(error.hint) for error in front.errors)]
    assert "canary" not in " ".join(told)
    await front.do("/key vendor sk-canary-456")
    assert "canary" not in f"{front.errors[-1]} {front.errors[-1].hint}"


async def test_the_chosen_answer_of_a_comparison_becomes_the_branch() -> None:
    session = session_with(["A"], other=["B"])
    front = Recorder(session, choices=[0])
    await front.do("/compare fake other which one?")
    last = (await session.entries())[-1]
    assert (last.text, last.siblings) == ("A", 2)
    front.choices = [1]
    await front.do("/compare fake other")
    assert (await session.entries())[-1].siblings == 4
    assert session.spec.provider == "other"
    assert len({node.message.content for node in (await session.opened()).nodes.values()}) == 3


async def test_a_comparison_in_which_one_model_fails_keeps_the_other() -> None:
    session = session_with(["A"], other=[Reply(error=LLMAuthenticationError("no"))])
    front = Recorder(session, choices=[None])
    await front.do("/compare other fake which one?")
    assert [entry.text for entry in await session.entries()] == ["which one?", "A"]


# ---- what the model gets ---------------------------------------------------------------------------------------------


async def test_a_system_prompt_holds_from_the_next_question_on() -> None:
    front = Recorder(session_with())
    await front.do("/system Be brief.")
    await asked(front, "one")
    assert provider_of(front.session).requests[-1].messages[0].content == "Be brief."
    await front.do("/system")
    assert front.documents["System prompt"] == "Be brief."
    await front.do("/system none")
    await asked(front, "two")
    assert provider_of(front.session).requests[-1].messages[0].content == "one"


async def test_compact_shows_first_and_asks_and_can_be_undone() -> None:
    front = Recorder(session_with(["A " * 200, "B", "Notes on it."]), confirms=[False, True])
    await asked(front, "one", "two")
    await front.do("/compact")
    assert len(provider_of(front.session).requests) == 2, "nothing is sent before the yes"
    assert "one" in front.documents["These messages would be summarised for the model"]
    await front.do("/compact")
    assert "summary" in [entry.kind for entry in front.session.shown]
    await front.do("/uncompact")
    assert "summary" not in [entry.kind for entry in front.session.shown]


async def test_inspect_shows_the_exact_request_without_keys() -> None:
    session = session_with(["A"])
    front = Recorder(session)
    provider = provider_of(session)
    provider.secrets = lambda: ("sk-canary",)  # type: ignore[method-assign]  # a provider that has a key
    await asked(front, "say sk-canary")
    await front.do("/inspect")
    [shown] = front.documents.values()
    assert '"text": "say ***"' in shown
    assert "canary" not in shown
    assert "retries: 0" in shown


async def test_context_and_usage_count_the_parts_of_the_chat() -> None:
    front = Recorder(session_with(["A"]))
    await front.do("/system Be brief.")
    await asked(front, "one")
    await front.do("/context")
    await front.do("/usage")
    context, usage = front.documents["What the model gets"], front.documents["Tokens and cost"]
    for part in ("system prompt", "questions", "answers", "128,000"):
        assert part in context
    assert "fake/fake-model | 1 |" in usage


# ---- chats and files -------------------------------------------------------------------------------------------------


async def test_a_chat_is_found_by_its_words_and_opened_at_the_line() -> None:
    front = Recorder(session_with(["The walrus answer.", "B"]), choices=[0])
    await asked(front, "one")
    first = front.session.conversation_id
    await front.do("/new two")
    assert front.session.conversation_id != first
    await front.do("/search walrus")
    assert front.session.conversation_id == first
    assert front.reloads[-1][0] == front.session.shown[-1].id
    assert front.reloads[-1][1] == "walrus"
    await front.do("/rename A better name")
    await front.do("/tag work -old")
    await front.do("/new")
    await front.do("/resume better")
    assert front.session.conversation_id == first
    assert [row.tags for row in front.session.recent if row.id == first] == [("work",)]


@pytest.mark.parametrize(("form", "begins"), [("md", "# one"), ("json", "{"), ("html", "<!")])
async def test_a_chat_is_exported_for_its_owner_alone(
    form: str, begins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    front = Recorder(session_with(["A"]), confirms=[False, True])
    await asked(front, "one")
    await front.do(f"/export {form} 'a file.{form}'")
    file = tmp_path / f"a file.{form}"
    assert file.read_text().startswith(begins)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("mine")
    await front.do(f"/export {form} a file.{form}")
    assert file.read_text() == "mine", "nothing is overwritten without a yes"
    await front.do(f"/export {form}")
    assert sum(name.endswith(f".{form}") for name in os.listdir(tmp_path)) == 2  # noqa: PTH208 - not a Path's own list


async def test_an_exported_chat_is_imported_again(tmp_path: Path) -> None:
    front = Recorder(session_with(["A"]), confirms=[True])
    await asked(front, "one")
    await front.do(f"/export json {tmp_path}/chat.json")
    await front.do(f"/import {tmp_path}/chat.json")
    assert any("1 known" in note for note in front.notes), front.notes
    value = json.loads((tmp_path / "chat.json").read_text())
    assert value["id"] == front.session.conversation_id


async def test_what_changes_the_chat_waits_for_the_answer_under_way() -> None:
    session = session_with([Reply(text="slow " * 50, delay=0.01)])
    front = Recorder(session)
    generation = session.ask("one")
    task = asyncio.ensure_future(generation._result())
    await asyncio.sleep(0)
    for line in ("/undo", "/new", "/retry", "/delete 1"):
        await run(front, line)
    assert len(front.errors) == 4
    await run(front, "/cost")
    generation.cancel()
    await task
    assert len(front.errors) == 4
