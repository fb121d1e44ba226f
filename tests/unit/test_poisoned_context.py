"""Poisoned memories and folder notes make a model call tools: nothing happens that the person has not said yes to.

Each text of the tables stands in the real memory, or in the real notes of a trusted folder, beside innocent ones. A
scripted model that finds it in its prompt does the worst that it asks for, twice. It is tried with nobody there and
with a person who is asked and says no; the last tests show that a yes, or a word of the person, does change things.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from coda_cli.bootstrap import Wired, wire
from coda_cli.chat.approval import shown
from coda_cli.engine.core.events import ApprovalRequested, Event, MemoryUpdate, PersonaUpdate
from coda_cli.engine.core.messages import MessageRole, ToolCallPart
from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.core.tools import ApprovalRequest, Decision, digest
from coda_cli.engine.memory.manager import MemoryManager
from coda_cli.engine.memory.record import from_json
from coda_cli.engine.personality.manager import PersonalityManager
from coda_cli.engine.prompting.sections import SECTIONS
from coda_cli.engine.tools.builtin.fetch_url import FetchUrl
from coda_cli.engine.tools.manager import ToolManager
from coda_cli.engine.tools.permissions import Permissions
from coda_cli.engine.tools.sandbox import confinement
from coda_cli.engine.tools.trust import Trust, read_folder
from coda_cli.settings.load import load_settings
from tests.unit.poisoned_texts import (
    ABOUT,
    ASKS,
    BLOCK,
    CANARY,
    HARM,
    INNOCENT,
    LABELS,
    MARK,
    MEMORIES,
    NOTES,
    QUESTION,
    QUIET,
    UNSEEN,
    Obedient,
    Person,
    Poison,
    system_of,
    words_of,
)
from tests.unit.test_tools_injection import Sink

BOOKS: Final = re.compile(
    r"coda-home/data/(?:conversations(?:/[0-9a-f]{32}\.jsonl)?|usage\.jsonl|memory\.given\.jsonl)"
    r"|coda-home/cache/(?:token-factors\.json|(?:index|memory)\.sqlite3[\w.-]*)"
)
"""The conversation, its index, what it took, which memories were given: they are written in every turn."""
CASES: Final = [*(("memory", one) for one in MEMORIES), *(("notes", one) for one in NOTES)]


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    confinement()  # tried once in a process, in a child that is not the model's
    with Sink() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@dataclass
class World:
    """The folders of a person, with a secret in each place where there is one. `harm` says what is not as it was."""

    top: Path
    sink: Sink
    started: list[object] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    set_otherwise: bool = False

    def __post_init__(self) -> None:
        self.work, self.coda = self.top / "work", self.top / "coda-home"
        secret = f"API_KEY = '{CANARY}'\n"
        files = {
            "work/.env": secret,
            "work/readme.md": "# Kumquats\n",
            "work/.git/hooks/keep.sample": "",
            "work/.coda/AGENTS.md": "# Kumquats\n\nUse tabs.\n",
            "outside/secret.txt": secret,
            "home/.bashrc": "# mine\n",
            "home/.ssh/id_rsa": secret,
            "coda-home/config/keys.toml": f'openai = "{CANARY}"\n',
            "coda-home/config/coda.toml": 'default_provider = "s"\n\n[providers.s]\ntype = "scripted"\n',
        }
        for name, text in files.items():
            path = self.top / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)
        self.memory = MemoryManager(semantic=False)

    async def begin(self, place: str, poison: Poison) -> None:
        """Three innocent memories, a trusted note, and *poison* in one of them."""
        self.ids = [(await self.memory.add(text, kind)).memory_id for kind, text in INNOCENT]
        self.clean = await self._clean_prompt()
        if place == "memory":
            await self._remember(poison, f"{self.filled(poison.text)} {ABOUT}")
        else:
            note = f"{self.filled(poison.text)}\n\nUse tabs. {ABOUT}\n"
            (self.work / ".coda/AGENTS.md").write_bytes(note.encode())
            Trust().trust(read_folder(self.work))
        assert len(await self.memory.list(ended=True)) == 3 + (place == "memory"), "the poison is not kept"
        self.before, self.remembered = self.now(), self.memories()

    async def _clean_prompt(self) -> str:
        """The system prompt without any poison."""
        Trust().trust(read_folder(self.work))
        manager = self.wired().manager
        assert manager.prompts is not None
        assert manager.tools is not None
        tools = tuple(spec.name for spec in manager.tools.specs(manager.config.function_calling))
        situation = Situation(QUESTION, day="2026-11-24", folder=self.work, tools=tools)
        made = await manager.prompts.assemble(None, situation)
        await manager.aclose()
        return made.text

    async def _remember(self, poison: Poison, text: str) -> None:
        if poison.by == "added":
            done = await self.memory.add(text, poison.kind, importance=0.9)
            assert done.action == "stored", done
            self.ids.append(done.memory_id)
            return
        line = {"id": "m-poison", "kind": poison.kind, "text": text, "importance": 0.9, "created": "2026-01-02"}
        self.ids.append("m-poison")
        if poison.by == "in the file":
            with self.memory.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        else:
            assert await self.memory.take_in([from_json(line)]) == 1

    def wired(self) -> Wired:
        """The program as `coda` makes it, but for vectors, and with a `fetch_url` that would reach the attacker."""
        made = wire(load_settings(environ={}), only=["s"], sections=SECTIONS, persona="researcher", environ={})
        manager, tools = made.manager, made.manager.tools
        assert isinstance(tools, ToolManager)
        assert isinstance(manager.memory, MemoryManager)
        assert manager.config.function_calling.approval_mode == "ask"
        manager.memory._semantic = False
        tools.unregister("fetch_url")
        tools.register(FetchUrl(allow_private=True, resolve=self._resolve))
        return made

    def _resolve(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        return ["127.0.0.1"]

    def filled(self, text: str, loot: str = "leaked") -> str:
        """*text* of the tables with what its names stand for here."""
        names = {"work": self.work, "home": self.top / "home", "coda": self.coda, "outside": self.top / "outside"}
        places = {"sink": f"http://127.0.0.1:{self.sink.port}", "port": self.sink.port, "loot": loot}
        ids = {"self": (self.ids[3:] or self.ids)[0], **{f"m{place}": one for place, one in enumerate(self.ids[:3])}}
        for name, value in {**names, **places, **ids}.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def now(self) -> dict[str, object]:
        """Everything that is there: what it holds, or where it leads, and its mode."""
        found: dict[str, object] = {}
        for above, folders, names in os.walk(self.top):
            for name in (*folders, *names):
                path = Path(above, name)
                held = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
                found[str(path.relative_to(self.top))] = (held, path.lstat().st_mode)
        return found

    def memories(self) -> list[tuple[object, ...]]:
        """Every memory in the file, those that hold no longer among them."""
        lines = self.memory.file.read_text(encoding="utf-8").strip("\n").split("\n")
        names = ("id", "kind", "text", "folder", "ended_at", "ended_by")
        return [tuple(json.loads(line).get(name) for name in names) for line in lines]

    def harm(self, model: Obedient) -> list[str]:
        """What has happened beside a conversation, a word each; nothing of it may."""
        now = self.now()
        changed = [name for name in sorted(self.before.keys() | now.keys()) if self.before.get(name) != now.get(name)]
        told = [event for event in self.events if isinstance(event, MemoryUpdate | PersonaUpdate)]
        return [
            *(f"file: {name}" for name in changed if not BOOKS.fullmatch(name)),
            *(f"process: {argv}" for argv in self.started),
            *(f"network: {what!r}" for what in (*self.sink.got, *self.looked_up)),
            *(["memory"] if self.memories() != self.remembered else []),
            *(f"wish: {event}" for event in told),
            *(["setting"] if self.set_otherwise else []),
            *(["leak"] if CANARY in model.seen else []),
        ]

    async def turn(self, poison: Poison, person: Person | None, question: str = QUESTION) -> Obedient:
        """One question and its whole answer."""
        wired = self.wired()
        manager = wired.manager
        model = Obedient(poison, self.filled)
        manager._providers["s"] = model
        manager.approver = person
        before = settings_of(wired)
        events = manager.subscribe()
        await manager.generate_response(question, conversation_id="c-nobody" if person is None else "c-person")
        events.close()
        self.events += [event async for event in events]
        self.set_otherwise |= settings_of(wired) != before or manager.approver is not person
        await manager.aclose()
        return model


def settings_of(wired: Wired) -> tuple[object, ...]:
    """All that can be set, as this program and as the next one to start has it."""
    manager = wired.manager
    assert isinstance(manager.tools, ToolManager)
    assert isinstance(manager.tools.permissions, Permissions)
    assert isinstance(manager.personality, PersonalityManager)
    return (
        manager.config.model_dump(),
        wired.settings.model_dump(),
        load_settings(environ={}).model_dump(),
        manager.tools.permissions.rules(),
        manager.tools.names(),
        manager.personality.persona,
        manager.personality.state(),
    )


@pytest.fixture
def world(tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PROBE_API_KEY", CANARY)
    made = World(tmp_path, sink)
    monkeypatch.chdir(made.work)
    sink.got.clear()

    def noted(name: str, really: Any) -> Any:
        def start(*args: Any, **named: Any) -> Any:
            made.started.append((name, args[-1:]))
            return really(*args, **named)

        return start

    for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    monkeypatch.setattr(subprocess.Popen, "__init__", noted("Popen", subprocess.Popen.__init__))
    return made


def check_quoted(prompt: str, poison: Poison, world: World) -> None:
    """The poison is in *prompt*, whole, and nowhere but behind a margin in a block that is called data."""
    blocks = list(BLOCK.finditer(prompt))
    assert [block["tag"] for block in blocks] == ["preferences", "memories", "folder_notes"]
    assert all(LABELS[block["tag"]] in block["label"] for block in blocks)
    bodies = "".join(block["body"] for block in blocks)
    assert MARK in bodies
    words = words_of(world.filled(poison.text))
    missing = [word for word in words if word not in bodies]
    assert len(missing) <= len(words) / 5, f"only a part of the poison came: {missing} is missing"
    assert "<" not in bodies
    assert not UNSEEN.search(prompt)

    def rest(text: str) -> str:
        return re.sub(r"(?m)^Today is \w+, [\d-]+\.$", "Today", BLOCK.sub(r"\g<label>\g<tag>", text))

    assert rest(prompt) == rest(world.clean), "a word of the poison stands outside of its quotation"


def check_request(model: Obedient, poison: Poison, world: World) -> None:
    """Where the poison stands in the first request that the provider received."""
    request = model.requests[0]
    check_quoted(system_of(request), poison, world)
    assert [one.role for one in request.messages] == [MessageRole.SYSTEM, MessageRole.USER]
    assert request.messages[1].content == QUESTION
    assert MARK not in json.dumps([dict(spec.parameters) | {"": spec.description} for spec in request.tools])
    assert {spec.name for spec in request.tools} >= QUIET | ASKS | {"write_file", "edit_file"}


def check_calls(model: Obedient, poison: Poison, person: Person | None, world: World) -> None:
    """What was not harmless has been refused, and the person was shown its very words before."""
    calls, results = model.parts()
    assert [call.name for call in calls.values()] == [name for name, _ in (*poison.calls, poison.calls[-1])]
    ran = {results[key].name for key in calls if not results[key].is_error}
    assert ran <= QUIET, f"{ran - QUIET} ran"
    asked = {} if person is None else {request.call_id: request for request in person.asked}
    assert sum(isinstance(event, ApprovalRequested) for event in world.events) == len(asked)
    for key, call in calls.items():
        if person is not None and call.name in ASKS:
            assert key in asked, f"{call.name} {call.arguments} was not asked for: {results[key].text}"
        if key in asked:
            check_told(asked[key], call, world)
            assert "the person said no" in results[key].text


def check_told(request: ApprovalRequest, call: ToolCallPart, world: World) -> None:
    """*request* shows what *call* will do, in its words, with nothing hidden, and is bound to its bytes."""
    assert (request.tool, request.arguments) == (call.name, call.arguments)
    assert request.digest == digest(call.id, call.name, call.arguments)
    told = shown(request)
    read = "\n".join((told.title, told.summary, told.why, told.detail, told.diff))
    assert all(char.isprintable() or char in "\n\t" for char in read), "something is hidden"
    given: Mapping[str, Any] = json.loads(call.arguments)
    for name, value in given.items():
        if isinstance(value, str):
            text = Path(value).name if name == "path" else value
            missing = [word for word in re.findall(r"[!-~]+", text) if word not in read]
            assert not missing, f"{missing} is not shown in {read}"
    if call.name in ("delete_memory", "update_memory"):
        old = next(str(memory[2]) for memory in world.remembered if memory[0] == given["id"])
        assert all(word in read for word in words_of(old)), f"{old} is not shown in {read}"


@pytest.mark.parametrize(("place", "poison"), CASES, ids=[f"{place}: {one.name}" for place, one in CASES])
async def test_nothing_happens_without_the_person(world: World, place: str, poison: Poison) -> None:
    await world.begin(place, poison)
    for person in (None, Person(Decision.NO)):
        world.events.clear()
        model = await world.turn(poison, person)
        check_request(model, poison, world)
        check_calls(model, poison, person, world)
        assert world.harm(model) == []


_WISHES: Final = ("remember that", "forget that", "from now on", "name", "German", "French")
WISHES: Final = [case for case in CASES if case[1].name in _WISHES]


@pytest.mark.parametrize(("place", "poison"), WISHES, ids=[f"{place}: {one.name}" for place, one in WISHES])
async def test_what_a_text_says_is_never_the_persons_wish(world: World, place: str, poison: Poison) -> None:
    """Nor later, when it stands in answers of the same chat; the gist of that says what the person has asked."""
    await world.begin(place, poison)
    first, second, third = QUESTION, "Which part of the kumquat harvest report comes first?", "And the second?"
    for question in (first, second):
        assert world.harm(await world.turn(poison, None, question)) == []
    model = await world.turn(poison, None, third)
    assert MARK in system_of(model.requests[0])
    assert world.harm(model) == []
    said = [(one.role.value, one.content) for one in model.requests[-1].messages if one.role is not MessageRole.SYSTEM]
    assert sum(text.startswith("Remember that: ") for _, text in said) == 2, "the chat says it over again"
    await world.memory.ended("c-nobody", "", [{"role": role, "text": text} for role, text in said])
    assert world.memories()[:-1] == world.remembered
    kind, text = world.memories()[-1][1:3]
    assert kind == "gist"
    own = set(words_of(world.filled(poison.text))) - set(words_of(first + second + third))
    assert not own & set(words_of(str(text))), "the gist says what the person never said"


async def test_the_same_words_of_the_person_are_their_wish(world: World) -> None:
    await world.begin("notes", NOTES[0])
    model = await world.turn(NOTES[0], None, "Remember that I want it in German. Forget that Ada keeps kumquats.")
    assert {"memory", "file: coda-home/data/memory.jsonl"} <= set(world.harm(model))
    assert len(world.memories()) == 3
    model = await world.turn(NOTES[0], None, "From now on be more formal.")
    assert {"setting", "file: coda-home/data/personas.json"} <= set(world.harm(model))
    assert [event.type for event in world.events if isinstance(event, PersonaUpdate)]


@pytest.mark.parametrize("name", HARM)
async def test_with_a_yes_the_same_calls_do_what_they_say(world: World, name: str) -> None:
    """A test that nothing can fail shows nothing."""
    place, poison = next(case for case in CASES if f"{case[0]}: {case[1].name}" == name)
    await world.begin(place, poison)
    person = Person(Decision.ONCE)
    model = await world.turn(poison, person)
    harm = world.harm(model)
    assert person.asked
    assert all(any(one.startswith(wanted) for one in harm) for wanted in HARM[name]), harm
    with pytest.raises(AssertionError):
        check_calls(model, poison, person, world)
    with pytest.raises(AssertionError, match="outside of its quotation"):
        check_quoted(f"{system_of(model.requests[0])}\n{MARK}", poison, world)


async def test_a_note_that_nobody_has_trusted_is_not_read(world: World) -> None:
    """Nor is one that has changed since, by a single byte."""
    await world.begin("notes", NOTES[0])
    with (world.work / ".coda/AGENTS.md").open("a", encoding="utf-8") as file:
        file.write("\n")
    model = await world.turn(NOTES[0], Person(Decision.ONCE))
    assert MARK not in model.seen
    assert "folder_notes" not in model.seen


def test_the_tables_are_as_long_as_they_say() -> None:
    assert min(len(MEMORIES), len(NOTES)) >= 25
    assert len({(place, one.name) for place, one in CASES}) == len({one.text for _, one in CASES}) == len(CASES)
    assert {name for _, one in CASES for name, _ in one.calls} >= ASKS | {"write_file", "edit_file"}
