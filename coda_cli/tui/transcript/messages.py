"""What the transcript tells the application."""

from __future__ import annotations

from textual.message import Message


class AtEnd(Message):
    """Whether the view follows the end (*value*), and how many rows have come below it since it does not (*fresh*)."""

    def __init__(self, value: bool, fresh: int) -> None:
        super().__init__()
        self.value = value
        self.fresh = fresh


class NeedOlder(Message):
    """The view is near the top: older messages are wanted, if there are any. Sent once for each first entry."""


class LinkPressed(Message):
    """A link to http(s) or mailto was clicked."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url


class Acted(Message):
    """A key or a click asks for *action* on a message.

    Actions: copy, copy_code, edit, retry, retry_with, fork, pin, hide, previous_sibling, next_sibling.
    """

    def __init__(self, action: str, entry_id: str) -> None:
        super().__init__()
        self.action = action
        self.entry_id = entry_id


class Selected(Message):
    """The mouse has selected *text*: Markdown source where whole blocks are selected."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
