"""Keys that were typed before the screen that they are meant for is there: they wait for it, and go in as they came.

From the key that opens a screen to the screen it takes 10 to 200 ms: a command, what it loads, a layout. Textual gives
what comes meanwhile to whatever has the focus: letters meant for a search would stand in the prompt, an Enter would
send them. And it runs a key with priority before the letters that were typed ahead of it: `gpt`, Enter in one read
would take the first row of the whole list.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Awaitable
from typing import Final

from textual import events, on
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, TextArea

_OPENING: Final = frozenset(
    {
        *("command('/help')", "command('/model')", "palette", "chats"),
        *("act('retry_with')", "act('copy_code')", "act('edit')"),
        *("rename", "tag", "delete"),
    }
)
"""Actions of bindings behind which something opens, or the focus goes elsewhere."""
_SOON: Final = 0.4
"""Seconds that keys wait for a command that may open nothing."""
_NEXT: Final = 1.0
"""The same behind a screen that has closed."""
LATE: Final = 5.0
"""The same where it is known that a screen opens."""
_DRAIN: Final = 0.2


class Opened(Message):
    """A screen is there and has its focus."""


class _TypeOn(Message):
    """Nothing more has to be waited for."""


class TypedAhead(App[int]):
    """Keeps keys in the order in which they were typed, across screens that open."""

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self._ahead: list[events.Key | events.Paste] = []
        self._waits = False
        self._since = 0.0
        self._limit: Timer | None = None
        self._commands = 0

    async def on_event(self, event: events.Event) -> None:
        """Every event comes by here first."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif (self._waits or self._half_open()) and not self._is_interrupt(event):
            self._ahead.append(event)
        else:
            await self._type(event)

    def _half_open(self) -> bool:
        """Whether a screen is on top that has nothing yet to type in: such a one tells `Opened`, and `is_there`."""
        screen = self.screen_stack[-1] if self.screen_stack else None
        return getattr(screen, "is_there", True) is False

    def _is_interrupt(self, event: events.Event) -> bool:
        """Ctrl+C waits for nothing."""
        return isinstance(event, events.Key) and event.key == "ctrl+c"

    async def _type(self, event: events.Key | events.Paste) -> None:
        if isinstance(event, events.Key) and not (event.is_printable and isinstance(self.focused, Input | TextArea)):
            active = self.screen.active_bindings.get(event.key)
            if active is not None and active.binding.action in _OPENING:
                self.wait_for_screen(since=event.time)
            if active is not None and active.binding.priority and not self._is_interrupt(event):
                await self._drain()
        await super().on_event(event)

    async def _drain(self) -> None:
        """Let what has the focus take the keys that were typed before."""
        done = asyncio.Event()
        if self.focused is not None and self.focused.call_later(done.set):
            try:
                async with asyncio.timeout(_DRAIN):
                    await done.wait()
            except TimeoutError:
                pass  # it is busy: better out of order than not at all

    # ---- waiting ----------------------------------------------------------------------------------------------------

    def wait_for_screen(self, seconds: float = _SOON, *, since: float | None = None) -> None:
        """Keep keys until a screen opens, the command that may open one is over, or *seconds* have gone by.

        *since* is when the key was pressed that leads there, now where it is not given.
        """
        if not self._waits:
            self._since = Opened().time if since is None else since
        self._waits = True
        if self._limit is not None:
            self._limit.stop()
        self._limit = self.set_timer(seconds, self.type_on)

    def take_back(self, event: events.Key) -> bool:
        """Whether the key waits: what has the focus was handed it before it was known that a screen would open."""
        if not self._waits or event.time <= self._since:
            return False
        again = events.Key(event.key, event.character)
        again.time = event.time
        insort(self._ahead, again, key=lambda one: one.time)
        return True

    def type_on(self) -> None:
        """What was typed goes to what has the focus now."""
        self.post_message(_TypeOn())

    @on(_TypeOn)
    @on(Opened)
    async def _typed_on(self) -> None:
        self._waits = False
        if self._limit is not None:
            self._limit.stop()
            self._limit = None
        while self._ahead and not self._waits and not self._half_open():
            await self._type(self._ahead.pop(0))

    # ---- commands ---------------------------------------------------------------------------------------------------

    async def watched(self, command: Awaitable[None]) -> None:
        """Do *command*; keys wait for the screen that it may open, and wait no more when it is over."""
        self._commands += 1
        try:
            await command
        finally:
            self._commands -= 1
            if not self._commands and len(self.screen_stack) < 2:  # else the screen that it left there tells
                self.type_on()

    def pop_screen(self) -> AwaitComplete:
        """A screen closes; the command that it belongs to may open the next one."""
        if self._commands:
            self.wait_for_screen(_NEXT)
        return super().pop_screen()
