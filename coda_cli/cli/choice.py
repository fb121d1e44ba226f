"""Telling a person which provider was chosen for them, and getting the small model the first time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Final

from coda_cli import paths
from coda_cli.cli.output import say
from coda_cli.cli.status_line import StatusLine
from coda_cli.engine.core.config import LLMProvider
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.choose import Choice
from coda_cli.settings.model_spec import ModelSpec
from coda_cli.settings.schema import Settings

_TINY: Final = " tiny, often wrong;"


def announce(choice: Choice, settings: Settings, *, remember: bool) -> None:
    """One line on a terminal's stderr when the default provider is another one than last time."""
    if settings.default_provider or settings.model or not sys.stderr.isatty():
        return
    file = paths.cache_dir() / "last-choice"
    try:
        if file.read_text("utf-8") == choice.name:
            return
    except (OSError, UnicodeDecodeError):
        pass
    tiny = _TINY if settings.providers[choice.name].type == "local" else ""
    say(f"using {choice.name} ({choice.why}):{tiny or ' the default;'} another with -m NAME")
    if remember:
        try:
            paths.replace_private(file, choice.name.encode())
        except OSError:
            return


def show_downloads(manager: LLMManager, spec: ModelSpec, status: StatusLine) -> Callable[[], None]:
    """Show a progress bar if answering *spec* fetches a model first. Returns what takes the bar away."""
    config = manager.config.providers.get(spec.provider or "")
    if config is None or config.provider is not LLMProvider.LOCAL:
        return lambda: None
    from coda_cli.cli.models import ProgressBar
    from coda_cli.engine.providers.local.provider import LocalProvider

    provider = manager.provider(spec.provider or "")
    if not isinstance(provider, LocalProvider):
        return lambda: None
    loop = asyncio.get_running_loop()
    bar = ProgressBar("fetching the built-in model, once")

    def progress(done: int, total: int) -> None:  # called in a worker thread
        loop.call_soon_threadsafe(status.clear)
        bar(done, total)

    provider.progress = progress
    return bar.close
