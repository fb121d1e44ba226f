"""What a model, a server, a file or an old chat says is text: no byte of it commands the terminal, nothing is fetched.

Each attack carries the number 4242 in its sequence. What the chat itself writes is a short list of sequences, none with
that number in it; anything else in the terminal's input is foreign.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest

from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.messages import assistant, user
from tests.e2e.program import Program
from tests.e2e.test_chat_start import READY, Sitting
from tests.e2e.test_chat_terminal import rest
from tests.servers.errors import error_reply
from tests.servers.script import Say, Think
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor
from tests.servers.wire import stream_reply

MARK: Final = "4242"


def corpus() -> list[str]:
    """Over 500 ways to command a terminal, those of eight bits and of one hidden in another included."""
    ends = ("\x07", "\x1b\\", "\x9c", "")
    out = [
        f"{start}{private}{MARK}{more}{final}"
        for start, private, more, final in product(
            ("\x1b[", "\x9b"), ("", "?", ">"), ("", ";1"), "ABCDEFGHIJKLMPSTXZ@`abcdefghlmnpqrstu"
        )
    ]
    osc = (0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 22, 50, 52, 66, 99, 104, 110, 133, 633, 777, 1337, 5522)
    texts = (f"{MARK};owned", f";{MARK}", f"c;{MARK}ZXZpbA==", f"File=inline=1:{MARK}")
    out += [f"{start}{number};{text}{end}" for start, number, text, end in product(("\x1b]", "\x9d"), osc, texts, ends)]
    out += [f"{start}{MARK}q{text}{end}" for start, text, end in product(("\x1bP", "\x90"), ("", "$q", "+q544e"), ends)]
    out += [f"{start}G{MARK}{end}" for start, end in product(("\x1b_", "\x9f", "\x1b^", "\x9e", "\x1bX", "\x98"), ends)]
    out += [f"\x1b{final}{MARK}" for final in "cDEHMNOZ78=><\\|}~#6(0)0%G"]
    out += [f"{chr(code)}{MARK}" for code in (*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0))]
    marks = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    out += [f"{mark}{MARK}" for mark in marks]
    out += [f"\x1b\x1b[{MARK}m", f"\x1b\x1b]0;{MARK}\x07", f"\x1b[\x1b[{MARK}A", f"\r\x1b[{MARK}K", f"\x1b\n[{MARK}m"]
    return out


CORPUS: Final = corpus()
MARKUP: Final = "[/foo] [/] [bold [@click=app.quit]x[/] [$error]y [link=file:///etc]z[/link] [red]\\[ [["
SOME: Final = "".join(CORPUS[:: len(CORPUS) // 24]) + MARKUP

_SEQUENCE: Final = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|[_^X][^\x1b]*\x1b\\|.)", re.DOTALL
)
_OWN: Final = re.compile(
    rb"\x1b(?:\[[0-9;]*[mHABCDGJK]|\[\?(?:7|25|1000|1002|1003|1004|1006|1015|1016|1049|2004|2026|2048)[hl]"
    rb"|\[\?20(?:26|48)\$p|\[c|\[[<>][0-9]*u|\[\?u|\]11;\?\x1b\\|\]22;[a-z-]+\x07"
    rb"|\]8;(?:id=[0-9]+;https?://[!-~]*|;)\x1b\\)"
)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def foreign(raw: bytes) -> set[bytes]:
    """Everything in *raw* that is neither text nor of the chat's own making."""
    found = {one for one in _SEQUENCE.findall(raw) if not _OWN.fullmatch(one) or MARK.encode() in one}
    rest = _SEQUENCE.sub(b"", raw).decode("utf-8", "replace")
    return found | {character.encode() for character in _CONTROL.findall(rest)}


def test_the_corpus_is_what_it_says() -> None:
    assert len(set(CORPUS)) >= 500
    assert all(foreign(attack.encode()) for attack in CORPUS)
    assert not foreign(b"\x1b[38;2;1;2;3mtext\x1b[0m\r\n\x1b[3;4H")


@pytest.fixture
def coda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    made = Program(tmp_path)
    monkeypatch.setenv("CODA_HOME", str(made.home))
    return made


Sit = Callable[..., Sitting]


@pytest.fixture
def sit(coda: Program) -> Iterator[Sit]:
    made: list[Sitting] = []

    def start(*arguments: str, **more: Any) -> Sitting:
        made.append(Sitting(coda, ["chat", *arguments], **more))
        return made[-1]

    yield start
    for sitting in made:
        sitting.close()


def harmless(sitting: Sitting) -> None:
    """The chat ends, and all that was ever written to its terminal was its own."""
    sitting.type("\x11")
    assert sitting.end() == 0, sitting.text
    assert foreign(sitting.raw) == set()
    assert b"MarkupError" not in sitting.raw
    assert b"defect" not in sitting.raw
    assert b"Traceback" not in sitting.raw


def chat_with(*messages: str, title: str = "", tags: tuple[str, ...] = ()) -> str:
    """A chat on the disk whose questions and answers are *messages*."""

    async def make() -> str:
        manager = ConversationManager()
        made = await manager.create_conversation(title=title)
        for place, text in enumerate(messages):
            await manager.add_message(made.id, assistant(text) if place % 2 else user(text))
        if tags:
            await manager.tag(made.id, tags)
        return made.id

    return asyncio.run(make())


@pytest.mark.parametrize("half", [0, 1])
def test_an_answer_and_its_reasoning_split_anywhere(half: int, coda: Program, sit: Sit) -> None:
    attacks = CORPUS[half::2]
    body = "\n".join(f"{number} {attack}" for number, attack in enumerate(attacks))
    thought = "".join(attacks[::9]) + MARKUP
    pieces = [Think(thought[at : at + 3]) for at in range(0, len(thought), 3)]
    said = [Say(body[at : at + 2 + half]) for at in range(0, len(body), 2 + half)]
    code = (
        f"\n\n```python\n{SOME}\n```\n\n| a | {MARKUP.replace('|', '')} |\n|---|---|\n| {SOME.replace('|', '')} | b |"
    )
    with ThreadedServer(FakeVendor("openai")) as server:
        server.server.queue(stream_reply("openai", [*pieces, *said, Say(code), Say("\n\nThe very end.")]))
        coda.served_by(server.url)
        sitting = sit("go")
        sitting.until("The very end.")
        sitting.until("F1 help")
        sitting.type("\x14")  # Ctrl+T
        sitting.type("\x1b[Z")
        for _ in range(30):
            sitting.type("\x1b[5~")  # every page of it
        sitting.type("g")
        sitting.until(lambda text: "You" in text and "thought" in text)
        sitting.type("\x1b")
        rest(sitting, 0.3)
        sitting.type("/raw\r")
        sitting.until("as they were written")
        harmless(sitting)


def test_a_chat_from_elsewhere_with_its_title_tags_and_hits(coda: Program, sit: Sit) -> None:
    coda.scripted("ok", more="sidebar = true")
    chat_with(f"pelican {SOME}", f"an answer {SOME} pelican", title=f"Title {SOME}", tags=("tag\x1b[4242m", "[/x]"))
    chat_with(f"{SOME} another question", "\n".join(CORPUS), title="")
    sitting = sit("-c", env={"CODA_SIDEBAR": "1"})
    sitting.until(READY)
    sitting.until("Title")
    sitting.type("\x13")
    sitting.until("enter open")
    sitting.type("pelican")
    sitting.until("Answer:")
    sitting.type("\x1b[B\x12")  # down, rename: the title as text to edit
    sitting.until("Title of this chat")
    sitting.type("\x1b")
    sitting.until(lambda text: "Title of this chat" not in text)
    sitting.type("\x1b")
    sitting.until(lambda text: "Answer:" not in text)
    sitting.type("\x1b")
    sitting.until(lambda text: "enter open" not in text)
    sitting.type("/tree\r")
    sitting.until("switch there")
    sitting.type("\x1b")
    sitting.until(lambda text: "switch there" not in text)
    harmless(sitting)


def test_the_errors_of_a_server(coda: Program, sit: Sit) -> None:
    with ThreadedServer(FakeVendor("openai")) as server:
        for number in range(3):
            said = "".join(CORPUS[number::40]) + MARKUP
            body = json.dumps({"error": {"message": said, "code": said[:50], "type": "y"}}).encode()
            server.server.queue(error_reply("openai", "bad_request").but(body=[body]))
        coda.served_by(server.url, more="max_retries = 0")
        sitting = sit()
        sitting.until(READY)
        for number in range(3):
            sitting.type(f"question {number}\r")
            sitting.until(f"question {number}")
            sitting.until("✗")
            sitting.until("F1 help")
        sitting.type("/inspect\r")
        sitting.until("Timeline")
        for tab in "1234":
            sitting.type(tab)
        sitting.type("\x1b")
        sitting.until(lambda text: "Timeline" not in text)
        harmless(sitting)


def test_file_names_models_the_shell_and_notices(coda: Program, sit: Sit) -> None:
    names = (f"\x1b]0;{MARK}\x07", f"\x9b{MARK}m", f"\x1b[{MARK}A[@click=app.quit]", "\u202e4242", "[bold][$x]")
    for number, name in enumerate(names):
        (coda.folder / f"file{number}{name}.txt").write_text("x")
    listed = [f"model\x1b[{MARK}m{number}[/foo]" for number in range(3)]
    with ThreadedServer(FakeVendor("openai", answer="seen")) as server:
        server.server.models = listed
        coda.served_by(server.url)
        sitting = sit()
        sitting.until(READY)
        sitting.type("look at @file")
        sitting.until("file4[bold][$x]")
        sitting.type("\x1b")
        rest(sitting, 0.3)
        sitting.type("4[bold][$x].txt ")
        sitting.type("\r")
        sitting.until("seen")
        sitting.until("F1 help")
        sitting.type("!printf '\\033]0;4242\\007\\033[4242A\\2334242m[/foo]'\r")
        sitting.until("goes along")
        sitting.type(f"/rename {MARKUP}\r")
        sitting.until("called")
        sitting.type("/nonsense[/foo]\r")
        sitting.type(f"/theme {MARKUP}\r")
        sitting.until("there is no theme")
        sitting.type("\x1bOQ")
        sitting.until("4242m2[/foo]")
        sitting.type("\x1b")
        sitting.until(lambda text: "4242m2[/foo]" not in text)
        harmless(sitting)


def test_a_link_shows_its_target_and_nothing_is_fetched(coda: Program, sit: Sit) -> None:
    with ThreadedServer(FakeVendor("openai")) as elsewhere:
        port = elsewhere.url
        coda.scripted(
            f"![a picture]({port}/pixel.png) [safe](https://evil.example/x) [f](file:///etc/passwd) "
            f"[j](javascript:alert) <img src='{port}/i.png'> [o](https://e.example/\x1b]0;owned\x07)\n\nThe end."
        )
        sitting = sit("go")
        sitting.until("The end.")
        sitting.until("F1 help")
        assert "evil.example" in sitting.text
        harmless(sitting)
        assert not elsewhere.server.requests
        links = set(re.findall(rb"\x1b\]8;[^;]*;([^\x1b\x07]*)", sitting.raw)) - {b""}
        assert all(link.startswith((b"https://", b"http://", b"mailto:")) for link in links)


def test_a_paste_of_the_corpus_is_text_in_the_prompt_and_sends_nothing(coda: Program, sit: Sit) -> None:
    coda.scripted("ok")
    sitting = sit()
    sitting.until(READY)
    sitting.type("\x1b[200~" + SOME + "\r\n\x1b[201~")
    sitting.until("4242")
    harmless(sitting)
    assert not list((coda.home / "data").glob("conversations/*.jsonl"))
