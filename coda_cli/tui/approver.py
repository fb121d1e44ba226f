"""The person at the chat's screen, as tools see them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from coda_cli.engine.core.tools import Approval, ApprovalRequest

if TYPE_CHECKING:
    from textual.screen import Screen

    from coda_cli.tui.shell import Shell

R = TypeVar("R")


class ScreenApprover:
    """Asks on a screen over the chat; the screen goes when the answer under way is stopped."""

    def __init__(self, app: Shell) -> None:
        self._app = app

    async def approve(self, request: ApprovalRequest) -> Approval:
        """What the person says to *request*."""
        from coda_cli.chat.approval import answered, declined, shown
        from coda_cli.tui.screens.approval import ApprovalSheet

        told = await asyncio.to_thread(shown, request)  # a large file takes seconds to look through
        given = await self._ask(ApprovalSheet(told))
        if given is None:
            return declined(request)
        if given.typed:
            self._app.prompt.insert(given.typed)
        return answered(request, given.said, given.reason)

    async def ask(self, question: str, choices: Sequence[str]) -> str | None:
        """Their answer to a question of the model."""
        from coda_cli.tui.screens.question import Choice, Question

        if choices:
            place = await self._ask(Choice(question, (*choices, "something else")))
            if place is None:
                return None
            if place < len(choices):
                return choices[place]
        return await self._ask(Question(question)) or None

    async def _ask(self, screen: Screen[R]) -> R | None:
        """What *screen* gives back."""
        answer: asyncio.Future[R | None] = asyncio.get_running_loop().create_future()

        def take(given: Any) -> None:
            if not answer.done():
                answer.set_result(given)

        self._app.tell_unseen("a tool waits for your word")
        self._app.push_screen(screen, take)
        try:
            return await answer
        finally:
            if not answer.done() or answer.cancelled():
                screen.dismiss()
