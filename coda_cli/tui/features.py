"""What the screen does in its own way where a slash command asks for it: lists with a preview, trees, live themes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coda_cli.chat.front import Feature

if TYPE_CHECKING:
    from coda_cli.tui.app import CodaApp
    from coda_cli.tui.front import TuiFront


async def run(app: CodaApp, front: TuiFront, feature: Feature, argument: str) -> bool:
    """Do *feature*; False where the command's common way is good enough."""
    match feature:
        case "resume" | "search":
            await _chats(app, front, argument)
        case "model" if not argument:
            name = await choose_model(app)
            if name is not None:
                await app.session.switch_model(name)
                app.status.tell(model=name)
                await app.show_gauge()
        case "tree":
            return await _tree(app, front)
        case "theme":
            return await _theme(app, front, argument)
        case "raw":
            app.transcript.raw = not app.transcript.raw
        case "help":
            from coda_cli.tui.screens.help import Help

            app.push_screen(Help.of(app))
        case "settings" if not argument:
            from coda_cli.tui.screens.settings import SettingsScreen

            app.push_screen(SettingsScreen())
        case _:
            return False
    return True


async def _chats(app: CodaApp, front: TuiFront, text: str) -> None:
    from coda_cli.tui.screens.chats import Chats

    choice = await app.push_screen_wait(Chats(app.session.conversations, query=text))
    if choice is not None:
        await front.go_to(choice.conversation_id, choice.message_id, choice.text)


async def choose_model(app: CodaApp) -> str | None:
    """`provider/model` as chosen from the list, or typed."""
    from coda_cli.tui.screens.models import Models

    return await app.push_screen_wait(Models(app.session))


async def _tree(app: CodaApp, front: TuiFront) -> bool:
    from coda_cli.tui.screens.tree import Tree

    session = app.session
    chosen = await app.push_screen_wait(Tree(await session.opened()))
    if chosen is not None and session.conversation_id is not None:
        await session.conversations.branch(session.conversation_id, chosen)
        await front.reload(chosen)
    return True


async def _theme(app: CodaApp, front: TuiFront, name: str) -> bool:
    from coda_cli.tui import themes

    if name:
        app.use_theme(themes.load(name))
        return True
    from coda_cli.tui.screens.themes_picker import ThemesPicker

    before = app.chat_theme
    chosen = await app.push_screen_wait(ThemesPicker(app.chat_theme.name, app.use_theme))
    if chosen is None:
        app.use_theme(before)
    return True
