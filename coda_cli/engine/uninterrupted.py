"""Work that a cancellation must not cut in two."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def through(work: Coroutine[Any, Any, T]) -> T:
    """Do *work* to its end; a cancellation that comes meanwhile is raised after it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def undisturbed(ending: Coroutine[Any, Any, T]) -> T:
    """Work *ending* through, whatever cancellations come: an answer that is whole must not be lost while it is kept."""
    task = asyncio.ensure_future(ending)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None:
                current.uncancel()
            if task.done():
                return task.result()
