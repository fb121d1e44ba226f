"""The one place where the chat reaches into Textual past its documented interface, each with its reason.

Everything here has a test that it still is there, and a fall-back that is slower and not wrong.
"""

from __future__ import annotations

from typing import TypeVar

from textual.app import App
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.widget import Widget

Result = TypeVar("Result")


def grow(view: ScrollView, size: Size, top: int) -> None:
    """Give *view* another virtual size and scroll position, without a layout of the whole screen for either.

    `virtual_size` is declared to lay the screen out anew; while an answer streams that is half of a frame's time and
    a second paint. The documented `set_reactive` leaves that out, but that these two attributes are all that scrolling
    reads is an observation. Fall-back: assign them.
    """
    try:
        view.set_reactive(Widget.virtual_size, size)
        view.set_reactive(Widget.scroll_y, float(top))
        view.set_reactive(Widget.scroll_target_y, float(top))
    except AttributeError:
        view.virtual_size = size
        view.scroll_to(y=top, animate=False)


def write_raw(app: App[Result], data: str) -> None:
    """Write control characters of our own (OSC 52, OSC 9) to the terminal, in order with what Textual writes.

    Textual offers this for the clipboard alone. Fall-back: nothing is written.
    """
    driver = getattr(app, "_driver", None)
    if driver is not None:
        driver.write(data)


class _Nowhere:
    """In the place of Textual's writer, while another program has the terminal."""

    def write(self, text: str) -> None:
        """Drop it: the screen is painted anew afterwards."""

    def flush(self) -> None:
        """Nothing is held."""

    def stop(self) -> None:
        """Nothing runs."""


def silence(app: App[Result]) -> None:
    """Drop what *app* draws until it is resumed; to be called inside of `App.suspend`.

    Its writer thread has ended then, and the queue before it blocks the event loop when it is full. `resume` makes a
    new one. Fall-back: nothing, as Textual has it, which holds the answers up while an editor is open.
    """
    driver = getattr(app, "_driver", None)
    if getattr(driver, "_writer_thread", None) is not None:
        setattr(driver, "_writer_thread", _Nowhere())  # noqa: B010 - no attribute that a type checker knows


def leave_after_defect(app: App[Result]) -> None:
    """End *app* after a defect, without Textual's traceback: that prints local variables, keys among them.

    `_fatal_error` is what calls this; `_close_messages_no_wait` is how Textual ends there. Fall-back: `exit`.
    """
    close = getattr(app, "_close_messages_no_wait", None)
    if close is not None:
        close()
    else:
        app.exit()


def take_mouse(app: App[Result], taken: bool) -> None:
    """Let the terminal report the mouse, or leave it to the terminal, so that its own selection works.

    Textual decides that once, at its start; its driver's two methods are what it uses then, and when it is suspended.
    Fall-back: the mouse stays as it is.
    """
    driver = getattr(app, "_driver", None)
    turn = getattr(driver, "_enable_mouse_support" if taken else "_disable_mouse_support", None)
    if turn is None:
        return
    if taken:
        setattr(driver, "_mouse", True)  # noqa: B010 - no attribute that a type checker knows
        turn()
    else:
        turn()
        setattr(driver, "_mouse", False)  # noqa: B010 - else it is taken again after an editor
