"""What the prompt asks while the engine is still being loaded: nothing is offered until it is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coda_cli.chat.completion import Completers, Completion
    from coda_cli.chat.session import ChatSession
    from coda_cli.tui.front import TuiFront


class LateHistory:
    """The session's prompt history, once there is a session."""

    def __init__(self, session: Callable[[], ChatSession | None]) -> None:
        self._session = session

    def with_prefix(self, text: str, *, limit: int) -> Sequence[str]:
        """Those that begin with *text*, the newest first."""
        session = self._session()
        return session.history.with_prefix(text, limit=limit) if session is not None else ()

    def search(self, text: str, *, limit: int) -> Sequence[str]:
        """Those that contain *text*, the newest first."""
        session = self._session()
        return session.history.search(text, limit=limit) if session is not None else ()


class LateCompleter:
    """Commands, their arguments and files, once there is a front end to ask for."""

    def __init__(self, front: Callable[[], TuiFront | None]) -> None:
        self._front = front
        self._completers: Completers | None = None

    def complete(self, text: str, cursor: int) -> Sequence[Completion] | Awaitable[Sequence[Completion]]:
        """As in `chat.completion.Completer`."""
        front = self._front()
        if front is None:
            return ()
        if self._completers is None:
            from coda_cli.chat import commands
            from coda_cli.chat.completion import CommandCompleter, Completers
            from coda_cli.chat.path_complete import PathCompleter

            self._completers = Completers(
                CommandCompleter(lambda typed: commands.complete(typed, front)), PathCompleter(Path.cwd())
            )
        return self._completers.complete(text, cursor)
