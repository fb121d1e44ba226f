"""A tool's code under supervision: it has a deadline, it can be stopped, and nothing that it raises gets out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from coda_cli.engine.tools.base import ToolError

T = TypeVar("T")
_GRACE: Final = 5.0
"""So many seconds a stopped tool has to clean up behind itself; then it is left alone."""
_left_alone: Final[set[asyncio.Task[Any]]] = set()
"""Tools that did not stop: kept, so that they are not collected in the middle of what they do."""


class ToolTimeout(Exception):
    """The deadline passed. `value`: what the tool still gave when it was told to stop."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


class Alarm:
    """The seconds that a call has. They do not run while it is `held` (a person is asked)."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.rang: asyncio.Future[None] = self._loop.create_future()
        self._left = seconds
        self._spent = 0.0
        self._since = 0.0
        self._holds = 0
        self._handle: asyncio.TimerHandle | None = None
        self._run()

    @property
    def spent(self) -> float:
        """The seconds that have run so far."""
        return self._spent + (self._loop.time() - self._since if self._handle else 0.0)

    @contextmanager
    def held(self) -> Iterator[None]:
        """No second runs inside. May be nested."""
        self._holds += 1
        self.stop()
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._run()

    def stop(self) -> None:
        """No second runs any more."""
        if self._handle is not None:
            ran = self._loop.time() - self._since
            self._spent += ran
            self._left -= ran
            self._handle.cancel()
            self._handle = None

    def _run(self) -> None:
        self._since = self._loop.time()
        self._handle = self._loop.call_later(max(self._left, 0.0), self._ring)

    def _ring(self) -> None:
        if not self.rang.done():
            self.rang.set_result(None)


class Outcome(Generic[T]):
    """What some code gave: `value`, or `error`."""

    def __init__(self, value: T | None, error: BaseException | None) -> None:
        self.error = error
        self._value = value

    def get(self) -> T:
        """The value. Raises ToolError where there is none, which says what happened in the words of the tool."""
        if self.error is None:
            return self._value  # type: ignore[return-value]  # there is no error: `work` returned it
        if isinstance(self.error, ToolError):
            raise self.error
        raise ToolError(f"the tool failed: {failure(self.error)}") from self.error


async def outcome_of(work: Callable[[], Awaitable[T]]) -> Outcome[T]:
    """What *work* gives or raises, even SystemExit. Raises only CancelledError, and only if this task is cancelled."""
    try:
        return Outcome(await work(), None)
    except GeneratorExit:  # the loop is gone
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return Outcome(None, error)
    except BaseException as error:  # what a stranger's code raises ends its call, not the program
        return Outcome(None, error)


async def supervised(work: Callable[[], Awaitable[T]], alarm: Alarm, cancelled: threading.Event) -> T:
    """The value of *work*. Raises ToolError, ToolTimeout or CancelledError, the last two when it is really stopped."""
    task = asyncio.create_task(outcome_of(work))
    try:
        both: set[asyncio.Future[Any]] = {task, alarm.rang}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            cancelled.set()
            task.cancel()
            await _end(task)
    if alarm.rang.done() and cancelled.is_set():
        given = task.result() if task.done() and not task.cancelled() else None
        value = given.get() if given is not None and given.error is None else None
        raise ToolTimeout(value)
    return task.result().get()


async def _end(task: asyncio.Task[Outcome[T]]) -> None:
    await asyncio.wait({task}, timeout=_GRACE)
    if not task.done():
        _left_alone.add(task)
        task.add_done_callback(_left_alone.discard)


def failure(error: BaseException) -> str:
    """*error* in one line: its type and what it says."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(failure(one) for one in error.exceptions[:3])
    try:
        said = " ".join(str(error).split())
    except Exception:  # a stranger's `__str__`
        said = ""
    return f"{type(error).__name__}: {said[:1000]}" if said else type(error).__name__
