"""The last messages of a conversation, read from the end of its file: what a person sees first.

A long chat is opened without reading it whole: the journal is read backward, from the head to its parent and so on, and
only the lines that matter are looked into. What they say is left to `Conversation`, which is given just those. Where
that does not add up, because lines are lost or damaged, the conversation is loaded whole.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from coda_cli.engine.conversations import blobs
from coda_cli.engine.conversations.journal import Journal, Record
from coda_cli.engine.conversations.store import Folder, unreadable
from coda_cli.engine.conversations.tree import Conversation, Node
from coda_cli.engine.core.messages import MessageRole

_SAID: Final = ("message", "checkpoint")
_SAID_LINE: Final = re.compile(rb'\{"type":"(?:message|checkpoint)","id":"([^"\\]*)"')
"""How `message_record` begins; a line that was written otherwise is decoded to see what it is."""


class Page(Struct, frozen=True):
    """Up to so many messages of a branch, first to last, and what the conversation is called.

    `more`: there are messages before the first of them. `head` is the conversation's, None on an earlier page. `title`,
    as in a list, `tags` and `pinned` are given only if labels were asked for. A node's `children` are those on the
    page.
    """

    nodes: list[Node]
    more: bool
    head: str | None
    title: str = ""
    tags: tuple[str, ...] = ()
    pinned: bool = False


def page(
    folder: Folder, conversation_id: str, before: str | None = None, count: int = 200, *, labels: bool = True
) -> Page:
    """The last *count* messages of the active branch, or the *count* that lead to the message *before*.

    Without *labels* no more of the file is read than the messages need; with them every line is passed once, few are
    decoded. Raises KeyError for an unknown conversation or message, and StoreError for a file that cannot be read.
    """
    file = folder.find(conversation_id)
    if file is None:
        raise KeyError(conversation_id)
    journal, walk = Journal(file), _Walk(before, max(1, count), labels)
    try:
        walk.go(journal)
        part = Conversation.of(blobs.bring_back(record, folder.blobs) for record in walk.kept())
        if walk.lost or part.problems:
            return page_of(folder.load(conversation_id), before, count)
        title = part.title or (_first_words(journal, folder) if labels else "")
    except FileNotFoundError:
        raise KeyError(conversation_id) from None
    except OSError as exc:
        raise unreadable(file, exc) from exc
    path = part.path(walk.start) if walk.start is not None else []
    if [node.message.message_id for node in path] != walk.found[: walk.needed][::-1]:
        return page_of(folder.load(conversation_id), before, count)
    return _last(path, before, count, Page([], False, walk.head, title, tuple(part.tags), part.pinned))


def page_of(conversation: Conversation, before: str | None = None, count: int = 200) -> Page:
    """The same of a conversation that is in memory. Raises KeyError for an unknown message."""
    path = conversation.path(before) if before is not None or conversation.head is not None else []
    labels = Page([], False, conversation.head, conversation.name, tuple(conversation.tags), conversation.pinned)
    return _last(path, before, count, labels)


def _last(path: list[Node], before: str | None, count: int, labels: Page) -> Page:
    if before is not None:
        path, labels = path[:-1], replace(labels, head=None)
    count = max(1, count)
    return replace(labels, nodes=path[-count:], more=len(path) > count)


def _first_words(journal: Journal, folder: Folder) -> str:
    """What a conversation without a title is called: its first question is near the beginning of the file."""
    for record in journal.records():
        if record["type"] == "message" and record.get("role") == MessageRole.USER:
            said = Conversation.of([blobs.bring_back({**record, "parent": None}, folder.blobs)])
            if said.nodes:
                return said.name
    return ""


def _place(record: Record) -> float:
    """Where *record* stands among others; one that has lost its number comes last."""
    seq = record.get("seq")
    return seq if isinstance(seq, int) else float("inf")


class _Walk:
    """From the last line of a journal backward, from a message to its parent, until there are enough of them.

    A piece or a mark of a message on the page may stand before its last line: the walk goes on to a message that is
    certainly older than all of the page, one that is no answer (only answers are written in pieces).
    """

    def __init__(self, before: str | None, count: int, labels: bool) -> None:
        self.start = before
        self.head: str | None = None
        self.found: list[str] = []
        """The branch, last message first."""
        self.needed = count + (2 if before is not None else 1)  # one more tells whether there are more
        self.lost = False
        self._before = before
        self._labels = labels
        self._want: str | None = before
        self._head_known = False
        self._older: str | None = None  # what is certainly older than the page
        self._ids: set[str] = set()  # of those that are needed
        self._complete = False
        self._marked: set[tuple[str, str]] = set()
        self._said: list[Record] = []  # last to first
        self._others: list[Record] = []
        self._in_pieces = False

    def go(self, journal: Journal) -> None:
        """Walk. Raises OSError."""
        for record in journal.backward(self._passed_over):
            self._take(record)
            if self._complete and not self._missing_labels():
                break
        self.lost = self._want is not None
        if self._in_pieces and not self.lost:
            self._again(journal)

    def kept(self) -> list[Record]:
        """The records that the page is made of, first to last.

        A mark keeps its place: one that stands before its message, whose first line is lost then, counts for nothing
        in the whole conversation either.
        """
        oldest = self.found[: self.needed][-1] if self.found else None
        said = [{**record, "parent": None} if record["id"] == oldest else record for record in reversed(self._said)]
        begun = [record for record in self._others if record["type"] == "conversation"]
        marks = [record for record in self._others if record["type"] != "conversation" and self._counts(record)]
        return [*begun[::-1], *sorted([*said, *marks[::-1]], key=_place)]

    def _counts(self, record: Record) -> bool:
        message = record.get("message")
        return self._labels if message is None else message in self._ids

    def _passed_over(self, raw: bytes) -> bool:
        found = _SAID_LINE.match(raw) if self._head_known else None
        if found is None:
            return False
        if self._complete:
            return True
        return (name := found[1].decode("utf-8", "replace")) not in self._ids and name != self._want

    def _missing_labels(self) -> bool:
        return self._labels and not {("title", ""), ("tags", ""), ("pin", "")} <= self._marked

    def _take(self, record: Record) -> None:
        head = record.get("head")
        if not self._head_known and "head" in record and (head is None or isinstance(head, str)):
            self._head_known, self.head = True, head
            if self._before is None:
                self.start = self._want = head
                self._complete = head is None  # it stands before its first message
        if record["type"] in _SAID:
            if not self._complete:
                self._take_said(record)
        elif record["type"] == "conversation":
            self._others.append(record)
        elif record["type"] in ("title", "tags", "pin", "hide", "rating"):
            mark = (record["type"], str(record.get("message") or ""))
            if mark not in self._marked:  # the last one counts
                self._marked.add(mark)
                self._others.append(record)

    def _take_said(self, record: Record) -> None:
        name, parent = record.get("id"), record.get("parent")
        if isinstance(name, str) and name == self._want:
            self._want = parent if isinstance(parent, str) else None
            if len(self.found) < self.needed:
                self._ids.add(name)
            self.found.append(name)
            self._in_pieces = self._in_pieces or record["type"] == "checkpoint"
            if len(self.found) >= self.needed - 1 or self._want is None:
                self._older = self._older or (name if record.get("role") != MessageRole.ASSISTANT else None)
        if name in self._ids:
            self._said.append(record)
        if self._older is not None and (self._want is None or len(self.found) >= self.needed):
            self._want, self._complete = None, True

    def _again(self, journal: Journal) -> None:
        """Read the page once more: what was said below an answer in pieces may stand before its last piece."""
        self._complete, self._want = False, self._older  # that one is not to be passed over
        self._said.clear()
        left = {self._older, self.found[: self.needed][-1]}
        for record in journal.backward(self._passed_over):
            if record["type"] in _SAID and record.get("id") in self._ids:
                self._said.append(record)
            if record["type"] in _SAID and record.get("id") in left:
                left.discard(record["id"])
                if not left:
                    break
