"""Any order of what a person, a crash and another process may do, against a plain model in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from coda_cli.engine.conversations.journal import Journal, Record, StoreError, Tail
from coda_cli.engine.conversations.shelf import ROOT
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import message_record
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


@dataclass
class Model:
    """What the conversation must be."""

    messages: dict[str, Said] = field(default_factory=dict)
    head: str | None = None
    title: str = ""

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
        self.model.head = name

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
        self.model.head = head

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
        self.model.head = self.open

    @precondition(lambda self: not self.deleted and self.open)
    @rule(text=TEXTS, status=st.sampled_from(["complete", "incomplete", "error"]))
    def finish(self, text: str, status: str) -> None:
        assert self.open is not None
        said = self.model.messages[self.open]
        parts = [TextPart(text=text)]
        message = LLMMessage(role=said.role, message_id=self.open, parts=parts, status=status)
        self.folder.add_message(self.name, message, said.parent or ROOT)
        self.model.messages[self.open] = Said(said.role, text, said.parent, status)
        self.model.head, self.open = self.open, None

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
                name: Said(node.message.role, node.message.content, node.parent, node.message.status)
                for name, node in chat.nodes.items()
            }
            assert found == self.model.messages
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
