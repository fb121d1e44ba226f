"""What an answer needs and the first screen does not: loaded beside the person who has begun to type.

While nobody types it takes neither memory nor time.
"""

from __future__ import annotations

import gc
import threading
from functools import cache


@cache
def warm_up() -> None:
    """Load it in a thread, once: an answer that finds nothing loaded holds up the screen for 100 ms."""
    threading.Thread(target=_load, name="coda-warm", daemon=True).start()


def _load() -> None:
    from coda_cli.engine.providers.http import preload
    from coda_cli.markdown.render import warm

    warm()
    preload()  # what comes too late here loads itself in another thread


def load_commands() -> None:
    """Load the slash commands, so that the first "/" does not wait for them."""
    from coda_cli.chat import commands

    commands.commands("tui")


def collect_again() -> None:
    """Take garbage collection up again where it was put off for the start.

    All that stands by now stays to the end. Left to the collector, it is gone through again and again: 50 ms, in the
    midst of an answer.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
