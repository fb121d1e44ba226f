"""What the screen does in its own way where a slash command asks for it: lists with a preview, trees, live themes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from coda_cli import paths
from coda_cli.chat.front import Feature, Option
from coda_cli.engine.core.errors import UsageError
from coda_cli.tui.typed_ahead import LATE

if TYPE_CHECKING:
    from coda_cli.chat.comparison import Comparison
    from coda_cli.settings.load import Loaded
    from coda_cli.tui.app import CodaApp
    from coda_cli.tui.front import TuiFront


_SCREENS: Final = frozenset({"resume", "search", "model", "tree", "theme", "queue", "help", "inspect", "settings"})
"""What opens a screen where nothing is named."""


async def run(app: CodaApp, front: TuiFront, feature: Feature, argument: str) -> bool:
    """Do *feature*; False where the command's common way is good enough."""
    if feature in _SCREENS and not argument:
        app.wait_for_screen(LATE)
    match feature:
        case "resume" | "search":
            await _chats(app, front, argument)
        case "model" if not argument:
            await _model(app, front)
        case "tree" if not argument:
            return await _tree(app, front)
        case "theme":
            await _theme(app, front, argument)
        case "queue" if not argument and app.session.queue:
            await _queue(app, front)
        case "raw":
            app.transcript.raw = not app.transcript.raw
            app.tell("answers as they were written" if app.transcript.raw else "answers as Markdown")
        case "mouse":
            app.use_mouse(not app.mouse_taken)
            app.tell(
                "the mouse is Coda's again" if app.mouse_taken else "the mouse is the terminal's; /mouse takes it again"
            )
        case "help" if not argument:
            from coda_cli.tui.screens.help import Help

            app.push_screen(Help.of(app))
        case "inspect" | "context":
            await _inspect(app, parts=feature == "context")
        case "settings" if not argument:
            from coda_cli.tui.screens.settings import SettingsScreen

            app.push_screen(SettingsScreen(lambda key, loaded: _changed(app, key, loaded)))
        case _:
            return False
    return True


async def _chats(app: CodaApp, front: TuiFront, text: str) -> None:
    from coda_cli.tui.screens.chats import Chats

    session = app.session

    async def exported(conversation_id: str) -> str:
        from coda_cli.chat.exporting import export

        return str(await asyncio.to_thread(export, session, "md", None, conversation_id))

    screen = Chats(session.conversations, current=session.conversation_id, query=text, export=exported)
    choice = await app.push_screen_wait(screen)
    gone = session.conversation_id in screen.deleted
    session.deleted += screen.deleted
    if gone:
        session.begin_new()
    if choice is not None:
        await front.go_to(choice.conversation_id, choice.message_id, choice.text)
    elif gone:
        await front.reload()
    elif screen.changed:
        await app.show_sidebar()


async def _model(app: CodaApp, front: TuiFront) -> None:
    name = await choose_model(app, front)
    if name is not None:
        session = app.session
        spec = await session.switch_model(name)
        app.show_model()
        front.note(f"{session.spec_name(spec)} answers from now on")
        app.work(app.show_gauge())


async def choose_model(app: CodaApp, front: TuiFront) -> str | None:
    """`provider/model` as chosen from the list, or typed."""
    from coda_cli.tui.screens.models import Models

    return await app.push_screen_wait(Models(front.session))


async def _tree(app: CodaApp, front: TuiFront) -> bool:
    session = app.session
    if session.conversation_id is None:
        return False
    from coda_cli.tui.screens.tree import Tree

    chosen = await app.push_screen_wait(Tree(await session.opened()))
    if chosen is not None:
        await session.conversations.branch(session.conversation_id, chosen)
        await front.reload(chosen)
    return True


async def _theme(app: CodaApp, front: TuiFront, name: str) -> None:
    from coda_cli.tui import themes

    if name:
        chosen: str | None = name
        if name not in themes.names():
            raise UsageError(f"there is no theme {name!r}", hint=f"choose one of: {', '.join(themes.names())}")
        app.use_theme(themes.load(name))
    else:
        from coda_cli.tui.screens.themes_picker import ThemesPicker

        chosen = await app.push_screen_wait(ThemesPicker(app.chat_theme.name, app.use_theme))
    if chosen is not None and not app.session.incognito:
        from coda_cli.settings.edit import set_value

        await asyncio.to_thread(set_value, paths.config_file(), "theme", chosen)
        app.tell(f"{chosen} is the theme from now on")


async def _queue(app: CodaApp, front: TuiFront) -> None:
    """What waits, and what to do with one of it."""
    waiting = list(app.session.queue)
    chosen = await front.choose("Questions that wait", [Option(text) for text in front.waiting()])
    if chosen is None:
        return
    one = waiting[chosen]
    ways = [Option("Edit it", "into the prompt"), Option("Take it out"), Option("Take all out")]
    if not app.flow.busy:
        ways.append(Option("Ask the first that waits now"))
    way = await front.choose("Question that waits", ways)
    if way is None or not any(one is other for other in app.session.queue):  # it may be asked by now
        return
    match way:
        case 0:
            front.edit_waiting(one)
        case 1:
            app.session.queue.remove(one)
        case 2:
            app.session.queue.clear()
        case _:
            app.flow.ask_next(anyway=True)
    app.show_queue()


async def compare(app: CodaApp, comparison: Comparison) -> int | None:
    """Side by side; the chosen one's index."""
    from coda_cli.tui.screens.compare import Compare

    return await app.push_screen_wait(Compare(comparison, styles=app.styles_of_theme))


async def _inspect(app: CodaApp, *, parts: bool) -> None:
    from coda_cli.tui.screens.inspect import Inspect
    from coda_cli.tui.screens.inspect_turn import last_turn

    app.push_screen(Inspect(await last_turn(app.session), tab=1 if parts else 0))


def _changed(app: CodaApp, key: str, loaded: Loaded) -> None:
    """A setting was written: what can be other at once is."""
    settings = loaded.settings
    if key == "mouse":
        app.use_mouse(settings.mouse)
    elif key == "sidebar":
        app.query_one("#sidebar").set_class(settings.sidebar, "-shown")
    elif key.startswith("theme") and settings.theme is not None:
        from coda_cli.tui import themes

        app.use_theme(themes.load(settings.theme))
    elif key.startswith("keys."):
        app.use_keys(settings.keys)
