"""Running `coda chat`: the front end that fits the terminal, drawn before the engine is loaded, ended without a loss.

What stands at the top is all that the first screen waits for beside Textual; the rest is imported where it is used.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from coda_cli.cli.chat_start import Started
from coda_cli.cli.chat_terminal import Terminal, has_terminal, stderr_on_terminal, take_terminal
from coda_cli.cli.output import can_draw, hint, say, stdin_is_readable, warn
from coda_cli.engine.core.errors import UsageError
from coda_cli.settings.glance import Glance, glance

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession
    from coda_cli.cli.chat_opening import Opening
    from coda_cli.cli.chat_serve import Watched
    from coda_cli.tui.theme_file import ChatTheme


def run(started: Started) -> int:
    """Chat, and return the exit code. Raises CodaError for what is wrong before the chat begins."""
    if started.plain and started.inline:
        raise UsageError("--plain draws nothing, --inline draws", hint="give one of them")
    if started.pick and (started.latest or started.cid is not None or started.fork):
        raise UsageError("-r lets you choose a conversation, -c and --cid name one", hint="give one of them")
    settings = glance() or _whole(started)
    opening = _opening(started)
    if is_plain(started, settings, terminal=take_terminal()):
        return _plain(started, opening)
    return _drawn(started, settings, opening)


def _whole(started: Started) -> Glance:
    """The same from all settings; raises what is wrong with them."""
    from coda_cli.settings.load import load_settings

    settings = load_settings(overrides={"offline": started.offline})
    return Glance(**{name: getattr(settings, name) for name in Glance.__struct_fields__})


def is_plain(started: Started, settings: Glance, *, terminal: bool) -> bool:
    """Whether the chat is line by line: asked for, or because there is nothing to draw on. Raises UsageError."""
    if started.plain:
        return True
    able = terminal and can_draw(sys.stdout) and os.environ.get("TERM", "") not in ("", "unknown")
    if started.inline and not able:
        raise UsageError("there is no terminal to draw on", hint="--plain works everywhere")
    return not able or (settings.plain and not started.inline)


def _opening(started: Started) -> Opening | None:
    """What is asked at once; None for nothing, which needs no engine to find out."""
    # Without a terminal to go on with, what comes in on stdin is what a person types there.
    piped = stdin_is_readable() and has_terminal()
    if not (piped or started.words or started.files or started.attachments):
        return None
    from coda_cli.cli.chat_opening import read_opening

    return read_opening(started, piped=piped)


class _Making:
    """Makes the session when the front end wants it, and knows it at the end."""

    def __init__(self, started: Started, opening: Opening | None) -> None:
        self._started = started
        self._brought = opening.brought if opening is not None else ""
        self.session: ChatSession | None = None
        self.watched: Watched | None = None
        if started.serve:
            from coda_cli.cli.chat_serve import Watched

            self.watched = Watched()

    def __call__(self) -> ChatSession:
        """Raises CodaError."""
        from coda_cli.cli.chat_opening import make_session

        self.session = make_session(self._started)
        self.session.brought = self._brought
        if self.watched is not None:
            self.watched.show(self.session)
        return self.session

    @property
    def kept(self) -> str | None:
        """The id of the chat, if it has one and is kept."""
        session = self.session
        return None if session is None or session.incognito else session.conversation_id

    def warn(self) -> None:
        """Tell what could not be kept beside the chat."""
        session = self.session
        if session is not None and not session.incognito and session.wired.log.failed is not None:
            warn(f"the usage log could not be written ({session.wired.log.failed})")


def _plain(started: Started, opening: Opening | None) -> int:
    from coda_cli.plain.app import run as front

    making = _Making(started, opening)
    session = making()

    def chat() -> Coroutine[Any, Any, int]:
        return front(
            session,
            first=opening.first if opening is not None else None,
            media=opening.media if opening is not None else (),
            typed=opening.typed if opening is not None else "",
            pick=started.pick,
            notes=session.notes,
        )

    return _to_its_end(making, chat)


def _drawn(started: Started, settings: Glance, opening: Opening | None) -> int:
    gc.disable()  # a tenth of the time to the first screen; the chat takes it up again once it stands
    theme, notes, typed = _theme(started, settings)
    from coda_cli.tui.app import Start, run as front

    making = _Making(started, opening)
    start = Start(
        theme,
        first=opening.first if opening is not None else None,
        media=opening.media if opening is not None else (),
        typed=(opening.typed if opening is not None else "") + typed,
        pick=started.pick,
        notes=notes,
        sidebar=settings.sidebar,
        keys=settings.keys,
        bell=settings.bell,
        bell_after=settings.bell_after,
    )

    with stderr_on_terminal():
        code = _to_its_end(making, lambda: front(making, start, mouse=settings.mouse, inline=started.inline))
    if making.kept is not None:
        say(f"coda chat --cid {making.kept} goes on with this chat")
    return code


def _theme(started: Started, settings: Glance) -> tuple[ChatTheme, list[str], str]:
    """The theme, what there is to tell about it, and what was typed while the terminal was asked."""
    from coda_cli.tui.background import Query, from_environment, may_ask
    from coda_cli.tui.themes import Wanted

    wanted = Wanted(
        flag=started.theme, theme=settings.theme, theme_dark=settings.theme_dark, theme_light=settings.theme_light
    )
    dark, typed = from_environment(os.environ), ""
    if wanted.asks_background and may_ask(os.environ):
        with Query() as query:
            import coda_cli.tui.app  # noqa: F401 - takes longer than the terminal's answer

            background = query.wait()
        dark = dark if background.dark is None else background.dark
        typed = background.typed
    theme, notes = wanted.load(dark)
    return theme, notes, typed


def _to_its_end(making: _Making, chat: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run *chat*. However it ends, the terminal is as before and a person knows where the chat is."""
    from coda_cli.cli.chat_end import kept
    from coda_cli.cli.loop import run_async

    terminal = Terminal()
    ended = False
    try:
        watched, made = making.watched, making.session
        whole = chat if watched is None else lambda: watched.run(chat, made)
        code = run_async(kept(whole, lambda: making.session, terminal))
        ended = True
    finally:
        terminal.restore()
        if not ended and making.kept is not None:
            hint(f"the chat is saved; `coda chat --cid {making.kept}` goes on with it")
    making.warn()
    return code
