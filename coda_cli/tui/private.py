"""The one place where the chat reaches into Textual past its documented interface, each with its reason.

Everything here has a test that it still is there, and a fall-back that is slower and not wrong.
"""

from __future__ import annotations

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.widget import Widget


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
