"""The end of a chat, also by a signal: what has come of an answer is kept, drafts are on disk, connections closed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from coda_cli.cli.chat_terminal import Terminal

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_KEEPING: Final = 5.0
"""Seconds that an answer under way has at the end to keep what has come of it."""


async def kept(
    chat: Callable[[], Coroutine[Any, Any, int]], session: Callable[[], ChatSession | None], terminal: Terminal
) -> int:
    """The exit code of *chat*; a signal cancels it, and a second one ends the program at once."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(chat())
    signals: list[int] = []

    def stop(number: int) -> None:
        signals.append(number)
        if len(signals) > 1:  # it hangs
            terminal.restore()
            os._exit(128 + number)
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        code = await task
    except asyncio.CancelledError:
        if not signals:
            raise
        code = 0
    finally:
        made = session()
        if made is not None:
            await _finish(made)
    return 128 + signals[0] if signals else code


async def _finish(session: ChatSession) -> None:
    from coda_cli.engine.core.errors import LLMError

    generation = session.generation
    if generation is not None and session.busy:
        generation.cancel()
        with suppress(LLMError, TimeoutError):
            await asyncio.wait_for(generation, _KEEPING)
    session.drafts.flush()
    if session.asides:
        await _proposals(session)
    await session.manager.aclose()


async def _proposals(session: ChatSession) -> None:
    from coda_cli.chat.proposing import finished
    from coda_cli.chat.words import counted
    from coda_cli.cli.output import say
    from coda_cli.engine.core.errors import CodaError

    with suppress(CodaError):
        if waiting := await finished(session):
            say(f"{counted(waiting, 'proposal')} for the memory: `coda memory review`")
