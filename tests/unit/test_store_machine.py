"""Any order of what a person, a crash and another process may do, against a plain model in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from coda_cli.engine.conversations import operations
from coda_cli.engine.conversations.journal import Journal, Record, StoreError, Tail
from coda_cli.engine.conversations.shelf import ROOT
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Rating, message_record
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import LLMMessage, MessageRole, TextPart
from tests.unit.wire_cases import LONG

TEXTS = st.text(max_size=30) | st.sampled_from(["\ud800", "a\u2028b", "\n", "x" * 70_000, "\0"])


@dataclass
class Said:
    """A message as the model knows it."""

    role: MessageRole
    text: str
    parent: str | None
    status: str = "complete"
    pinned: bool = False
    hidden: bool = False
    rating: Rating | None = None


@dataclass
class Model:
    """What the conversation must be. `undone` are the heads that redo goes back to, the next one last."""

    messages: dict[str, Said] = field(default_factory=dict)
    head: str | None = None
    title: str = ""
    tags: list[str] = field(default_factory=list)
    undone: list[str | None] = field(default_factory=list)
    summaries: dict[str, tuple[tuple[str, ...], bool]] = field(default_factory=dict)

    def stand(self, head: str | None) -> None:
        """Go to *head* by any way but undo and redo: there is nothing to redo then."""
        if head != self.head:
            self.undone.clear()
        self.head = head

    def questions(self) -> list[str]:
        return [name for name in self.path() if self.messages[name].role is MessageRole.USER]

    def leaf(self, name: str) -> str:
        """The message written last at or below *name*."""
        below = {name}
        for other, said in self.messages.items():
            if said.parent in below:
                below.add(other)
        return [other for other in self.messages if other in below][-1]

    def summary(self) -> str | None:
        """The latest that is in force on the active branch."""
        path = set(self.path())
        fitting = [made for made, (covers, undone) in self.summaries.items() if not undone and path.issuperset(covers)]
        return fitting[-1] if fitting else None

    def path(self) -> list[str]:
        out, at = [], self.head
        while at is not None:
            out.append(at)
            at = self.messages[at].parent
        return out[::-1]


class Store(RuleBasedStateMachine):
    """One conversation, two folders that look at it, and whatever happens."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="store-machine-"))
        self.model = Model()
        self.count = 0
        self.open: str | None = None
        self.deleted = False
        self.torn = 0

    @initialize(name=st.sampled_from(["c", "../x", "\ud800", ""]))
    def begin(self, name: str) -> None:
        self.name = name
        self.folder, self.other = Folder(self.root), Folder(self.root)
        assert self.folder.create(name)

    def _fresh(self) -> str:
        self.count += 1
        return f"m{self.count}"

    def _say(self, role: MessageRole, text: str, parent: str | None) -> None:
        name = self._fresh()
        message = LLMMessage(role=role, parts=[TextPart(text=text)], message_id=name)
        below = self.model.head if parent is None else parent or None
        self.folder.add_message(self.name, message, parent)
        self.model.messages[name] = Said(role, text, below)
        self.model.stand(name)

    def _pick(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.model.messages)))

    @precondition(lambda self: not self.deleted)
    @rule(text=TEXTS, role=st.sampled_from([MessageRole.USER, MessageRole.ASSISTANT]))
    def append(self, text: str, role: MessageRole) -> None:
        self._say(role, text, None)

    @precondition(lambda self: not self.deleted and self.model.messages)
    @rule(text=TEXTS, data=st.data())
    def sibling(self, text: str, data: st.DataObject) -> None:
        """A retry or an edit: the same role below the same parent."""
        said = self.model.messages[self._pick(data)]
        self._say(said.role, text, ROOT if said.parent is None else said.parent)

    @precondition(lambda self: not self.deleted)
    @rule(data=st.data())
    def move_head(self, data: st.DataObject) -> None:
        head = data.draw(st.sampled_from([None, *sorted(self.model.messages)]))
        self.other.append(self.name, lambda _: [{"type": "head", "head": head}])
        self.model.stand(head)

    # ---- what a person does beside saying something -----------------------------------------------------------

    def _shelf(self, data: st.DataObject) -> Folder:
        return data.draw(st.sampled_from([self.folder, self.other]))

    @precondition(lambda self: not self.deleted and self.model.messages)
    @rule(data=st.data())
    def branch(self, data: st.DataObject) -> None:
        name = self._pick(data)
        operations.branch(self._shelf(data), self.name, name)
        self.model.stand(self.model.leaf(name))

    @precondition(lambda self: not self.deleted)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        if not (questions := self.model.questions()):
            with pytest.raises(operations.NothingToDoError):
                operations.undo(self._shelf(data), self.name)
            return
        operations.undo(self._shelf(data), self.name)
        self.model.undone.append(self.model.head)
        self.model.head = self.model.messages[questions[-1]].parent

    @precondition(lambda self: not self.deleted)
    @rule(data=st.data())
    def redo(self, data: st.DataObject) -> None:
        if not self.model.undone:
            with pytest.raises(operations.NothingToDoError):
                operations.redo(self._shelf(data), self.name)
            return
        operations.redo(self._shelf(data), self.name)
        self.model.head = self.model.undone.pop()

    @precondition(lambda self: not self.deleted and self.model.questions())
    @rule(text=TEXTS, data=st.data())
    def edit(self, text: str, data: st.DataObject) -> None:
        """The question is asked otherwise: a sibling of it, below which the talk goes on."""
        asked = data.draw(st.sampled_from(self.model.questions()))
        parent = self.model.messages[asked].parent
        self._say(MessageRole.USER, text, ROOT if parent is None else parent)

    @precondition(lambda self: not self.deleted and self.model.messages)
    @rule(data=st.data(), on=st.booleans())
    def pin(self, data: st.DataObject, on: bool) -> None:
        name = self._pick(data)
        operations.pin(self._shelf(data), self.name, pinned=on, message_id=name)
        self.model.messages[name].pinned = on

    @precondition(lambda self: not self.deleted and self.model.messages)
    @rule(data=st.data(), on=st.booleans())
    def hide(self, data: st.DataObject, on: bool) -> None:
        name = self._pick(data)
        operations.hide(self._shelf(data), self.name, name, hidden=on)
        self.model.messages[name].hidden = on

    @precondition(lambda self: not self.deleted and self.model.messages)
    @rule(data=st.data(), rating=st.sampled_from(["good", "bad", None]))
    def rate(self, data: st.DataObject, rating: Rating | None) -> None:
        name = self._pick(data)
        if self.model.messages[name].role is not MessageRole.ASSISTANT:
            with pytest.raises(UsageError, match="only answers"):
                operations.rate(self._shelf(data), self.name, name, rating)
            return
        operations.rate(self._shelf(data), self.name, name, rating)
        self.model.messages[name].rating = rating

    @precondition(lambda self: not self.deleted and self.model.head)
    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        covers = self.model.path()[: data.draw(st.integers(1, len(self.model.path())))]
        made = operations.summarise(self._shelf(data), self.name, covers, "in short", model="m")
        self.model.summaries[made.id] = (tuple(covers), False)

    @precondition(lambda self: not self.deleted)
    @rule(data=st.data())
    def uncompact(self, data: st.DataObject) -> None:
        made = self.model.summary()
        if made is None:
            with pytest.raises(operations.NothingToDoError):
                operations.uncompact(self._shelf(data), self.name)
            return
        assert operations.uncompact(self._shelf(data), self.name).id == made
        self.model.summaries[made] = (self.model.summaries[made][0], True)

    @precondition(lambda self: not self.deleted)
    @rule(data=st.data(), add=st.sampled_from(["sea", "Sea", "two  words"]))
    def tag(self, data: st.DataObject, add: str) -> None:
        remove = data.draw(st.sampled_from([[], ["SEA"], ["two words"]]))
        operations.tag(self._shelf(data), self.name, [add], remove)
        gone, cleaned = {one.casefold() for one in remove}, " ".join(add.split())
        self.model.tags = [one for one in self.model.tags if one.casefold() not in gone]
        if cleaned.casefold() not in {one.casefold() for one in self.model.tags}:
            self.model.tags.append(cleaned)

    @precondition(lambda self: not self.deleted and self.model.messages)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        """A copy of the branch, in a conversation that then goes its own way; the origin does not change."""
        at = data.draw(st.sampled_from([None, *sorted(self.model.messages)]))
        copy = operations.fork(self._shelf(data), self.name, at)
        head, self.model.head = self.model.head, at or self.model.head
        path, self.model.head = self.model.path(), head
        expected = [self.model.messages[name] for name in path]
        assert [node.message.message_id for node in copy.path()] == path
        assert [(n.message.content, n.pinned, n.hidden, n.rating) for n in copy.path()] == [
            (said.text, said.pinned, said.hidden, said.rating) for said in expected
        ]
        assert copy.origin == {"conversation": self.name, "message": path[-1] if path else None}
        assert copy.tags == self.model.tags
        assert {s.covers for s in copy.summaries.values()} == {
            covers for covers, undone in self.model.summaries.values() if not undone and set(path).issuperset(covers)
        }
        self.folder.add_message(copy.id, LLMMessage(role=MessageRole.USER, content="elsewhere"))

    @precondition(lambda self: not self.deleted)
    @rule(title=st.text(max_size=10))
    def rename(self, title: str) -> None:
        self.other.append(self.name, lambda _: [{"type": "title", "title": title}])
        self.model.title = title

    @precondition(lambda self: not self.deleted)
    @rule(text=TEXTS)
    def checkpoint(self, text: str) -> None:
        if self.open is None:
            self.open = self._fresh()
            self.model.messages[self.open] = Said(MessageRole.ASSISTANT, "", self.model.head, "interrupted")
        said = self.model.messages[self.open]
        message = LLMMessage(role=MessageRole.ASSISTANT, message_id=self.open)
        self.folder.checkpoint(self.name, message, [TextPart(text=text)], said.parent or ROOT)
        said.text += text
        self.model.stand(self.open)

    @precondition(lambda self: not self.deleted and self.open)
    @rule(text=TEXTS, status=st.sampled_from(["complete", "incomplete", "error"]))
    def finish(self, text: str, status: str) -> None:
        assert self.open is not None
        said = self.model.messages[self.open]
        parts = [TextPart(text=text)]
        message = LLMMessage(role=said.role, message_id=self.open, parts=parts, status=status)
        self.folder.add_message(self.name, message, said.parent or ROOT)
        self.model.messages[self.open] = replace(said, text=text, status=status)
        self.model.stand(self.open)
        self.open = None

    @precondition(lambda self: not self.deleted)
    @rule(share=st.floats(0, 1, exclude_max=True))
    def crash(self, share: float) -> None:
        """A writer dies somewhere in a record that nobody was told is safe; its program is started anew."""
        file = self.folder.own_file(self.name)
        before = file.stat().st_size
        Journal(file).append(
            lambda tail: [message_record(LLMMessage(role=MessageRole.USER, content="lost"), tail.head)]
        )
        written = file.stat().st_size - before
        os.truncate(file, before + int((written - 1) * share))
        self.reopen()

    @rule()
    def reopen(self) -> None:
        self.folder = Folder(self.root)
        self.open = None

    @precondition(lambda self: not self.deleted)
    @rule(value=st.sampled_from([float("nan"), b"x"]))
    def refused(self, value: object) -> None:
        def build(tail: Tail) -> list[Record]:
            return [{"type": "title", "title": "never"}, {"type": "x", "value": value}]

        with pytest.raises(StoreError):
            self.folder.append(self.name, build)

    @precondition(lambda self: not self.deleted)
    @rule()
    def create_again(self) -> None:
        assert not self.other.create(self.name, title="never")

    @rule()
    def delete_or_restore(self) -> None:
        if self.deleted:
            self.other.restore(self.name)
        else:
            self.folder.delete(self.name)
        self.deleted = not self.deleted

    @invariant()
    def is_as_the_model_says(self) -> None:
        for folder in (self.folder, self.other):
            if self.deleted:
                with pytest.raises(KeyError):
                    folder.load(self.name)
                continue
            chat = folder.load(self.name)
            assert chat.id == self.name
            assert (chat.title, chat.head) == (self.model.title, self.model.head)
            assert [node.message.message_id for node in chat.path()] == self.model.path()
            found = {
                name: Said(
                    node.message.role,
                    node.message.content,
                    node.parent,
                    node.message.status,
                    node.pinned,
                    node.hidden,
                    node.rating,
                )
                for name, node in chat.nodes.items()
            }
            assert found == self.model.messages
            assert (chat.tags, chat.redo) == (self.model.tags, self.model.undone)
            assert {s.id: (s.covers, s.undone) for s in chat.summaries.values()} == self.model.summaries
            in_force = chat.summary_for(chat.path())
            assert (in_force.id if in_force is not None else None) == self.model.summary()
            for name, said in self.model.messages.items():
                assert chat.siblings(name) == [
                    n for n, other in self.model.messages.items() if other.parent == said.parent
                ]
                # what a crash left is told, and nothing else
            assert all("torn" in problem or "not JSON" in problem for problem in chat.problems)

    @invariant()
    def is_written_in_order(self) -> None:
        if self.deleted:
            return
        journal = Journal(self.folder.own_file(self.name))
        records = list(journal.records())
        assert [record["seq"] for record in records] == list(range(len(records)))
        assert list(journal.backward()) == records[::-1]
        assert (journal.tail().seq, journal.tail().head) == (len(records) - 1, self.model.head)

    def teardown(self) -> None:
        shutil.rmtree(self.root)


Store.TestCase.settings = settings(
    deadline=None,
    max_examples=400 if LONG else 25,
    stateful_step_count=60 if LONG else 25,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStore = Store.TestCase


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
