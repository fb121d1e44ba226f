"""Which model answers next, wherever it is shown: the picker's cursor, the status line."""

from __future__ import annotations

from coda_cli.settings.model_spec import ModelSpec
from coda_cli.tui.screens.compare import Compare
from coda_cli.tui.screens.models import ModelOption, Models
from tests.unit.chat_app import Chat, chat
from tests.unit.chat_front import session_with


def under_the_cursor(it: Chat) -> str:
    """What Enter in the picker would take."""
    screen = it.app.screen
    assert isinstance(screen, Models)
    option = screen.options[screen.current] if screen.current is not None else None
    return option.takes if isinstance(option, ModelOption) else ""


async def opened(it: Chat) -> None:
    """The picker, when every host has been asked."""
    await it.press("f2")
    await it.until(lambda: isinstance(it.app.screen, Models))
    await asked(it)


async def asked(it: Chat) -> None:
    """Until every host has said what it has."""
    await it.until(lambda: not any(one.group == "models" for one in it.app.workers))


async def test_the_pickers_cursor_stands_on_the_model_that_answers() -> None:
    session = session_with()
    session.spec = ModelSpec("other", None)
    async with chat(session=session) as it:
        await opened(it)
        assert under_the_cursor(it) == "other/other-model"
        assert "other/other-model  answers now" in it.text


async def test_also_on_one_that_no_list_has_and_on_the_default_that_nobody_named() -> None:
    session = session_with()
    session.spec = ModelSpec("other", "a-new-one")
    async with chat(session=session) as it:
        await opened(it)
        assert under_the_cursor(it) == "other/a-new-one"
        await it.press("escape")
        session.spec = ModelSpec(None, None)
        await opened(it)
        assert under_the_cursor(it) == "fake/fake-model"


async def test_a_cursor_that_was_moved_stays_when_the_hosts_have_answered() -> None:
    session = session_with()
    session.spec = ModelSpec(None, None)
    async with chat(session=session) as it:
        await it.press("f2")
        await it.until(lambda: isinstance(it.app.screen, Models))
        await it.press("end")
        await asked(it)
        assert under_the_cursor(it) == "vendor/gpt-6"


async def test_after_a_comparison_the_chosen_model_answers_and_the_status_line_says_so() -> None:
    async with chat("from fake", "more from fake", other=["from other", "more from other"]) as it:
        await it.say("/compare fake other which is it?")
        await it.until(lambda: isinstance(it.app.screen, Compare) and "all answers are there" in it.text)
        await it.press("2")
        await it.until(lambda: len(it.app.screen_stack) == 1)
        await it.idle()
        assert it.app.status.state.model == "other/other-model"
        await it.ask("and then?")
        assert it.shown()[-1] == ("assistant", "more from other")
        assert it.app.status.state.model == "other/other-model"


async def test_a_comparison_that_is_left_without_a_choice_changes_no_model() -> None:
    async with chat("from fake", "more from fake", other=["from other"]) as it:
        await it.say("/compare other fake which is it?")
        await it.until(lambda: isinstance(it.app.screen, Compare) and "all answers are there" in it.text)
        await it.press("escape")
        await it.until(lambda: len(it.app.screen_stack) == 1)
        await it.idle()
        assert it.app.status.state.model == "fake/fake-model"
        await it.ask("and then?")
        assert it.shown()[-1] == ("assistant", "more from fake")
