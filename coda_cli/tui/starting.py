"""How a chat begins on the screen: what it is given, the line that says who answers, and the model that is fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from coda_cli import paths
from coda_cli.tui.theme_file import ChatTheme

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession
    from coda_cli.engine.core.messages import MediaPart
    from coda_cli.engine.providers.choose import Choice
    from coda_cli.tui.status import Status

_TINY: Final = "; it is tiny, often wrong, and fetched once with the first question (93 MB)"
_CHANGE: Final = "/model chooses another, /key takes a vendor's key"


class Start(Struct, frozen=True):
    """How the chat begins. `first` is asked at once; `pick` opens the list of chats; `notes` are told."""

    theme: ChatTheme
    first: str | None = None
    media: Sequence[MediaPart] = ()
    pick: bool = False
    sidebar: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    typed: str = ""
    bell: str = "bell"
    bell_after: float = 20.0


async def who_answers(session: ChatSession) -> str | None:
    """One line that says which model answers and how to change it, where nobody chose one and it is news.

    Raises LLMError where none can answer.
    """
    settings = session.settings
    if session.spec.provider is not None or settings.default_provider or settings.model:
        return None
    choice = await session.manager.default_choice()
    if not await asyncio.to_thread(_is_news, choice, remember=not session.incognito):
        return None
    table = settings.providers.get(choice.name)
    tiny = _TINY if table is not None and table.type == "local" and not table.model else ""
    return f"{choice.name} answers: {choice.why}{tiny} · {_CHANGE}"


def _is_news(choice: Choice, *, remember: bool) -> bool:
    """Whether another provider answered last time; `coda ask` keeps the same note."""
    file = paths.cache_dir() / "last-choice"
    try:
        if file.read_text("utf-8") == choice.name:
            return False
    except (OSError, UnicodeDecodeError):
        pass
    if remember:
        with suppress(OSError):
            paths.replace_private(file, choice.name.encode())
    return True


async def show_download(session: ChatSession, status: Status) -> None:
    """Let the status line tell how far it is, should the next answer have to fetch its model first.

    Raises LLMError where no provider answers.
    """
    from coda_cli.engine.core.config import LLMProvider

    name = session.spec.provider or (await session.manager.default_choice()).name
    config = session.manager.config.providers.get(name)
    if config is None or config.provider is not LLMProvider.LOCAL:
        return
    from coda_cli.engine.providers.local.provider import LocalProvider

    provider = session.manager.provider(name)
    if isinstance(provider, LocalProvider) and provider.progress is None:
        provider.progress = progress_of(status, asyncio.get_running_loop())


def progress_of(status: Status, loop: asyncio.AbstractEventLoop) -> Callable[[int, int], None]:
    """What a download calls from its own thread with (bytes done, bytes in all or 0)."""

    def progress(done: int, total: int) -> None:
        share = f"{100 * done // total} % of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"
        told = "starting the model" if total and done >= total else f"fetching the built-in model, once: {share}"
        with suppress(RuntimeError):  # the chat is over
            loop.call_soon_threadsafe(status.doing, told)

    return progress
