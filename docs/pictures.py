"""Makes the README's pictures from the real program: `python docs/pictures.py`, in a checkout with the extra `dev`.

Those of commands are the installed `coda` in a pseudo-terminal of 80 columns, against a fake server on this machine
that says what the picture needs. The terminal's screen is read by pyte and drawn as SVG. Those of the chat are the
application itself, driven by Textual's Pilot, with a scripted model.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import pexpect
import pyte
from textual.app import App
from textual.pilot import Pilot

sys.path.insert(0, str(Path(__file__).parent.parent))

from coda_cli.cli.chat_opening import make_session
from coda_cli.cli.chat_start import Started
from coda_cli.engine.providers.scripted import Reply, ScriptedProvider
from coda_cli.tui.app import CodaApp, Start
from coda_cli.tui.screens.approval import ApprovalSheet
from coda_cli.tui.themes import load
from tests.servers.errors import error_reply
from tests.servers.script import Used, say
from tests.servers.threaded import ThreadedServer, dead_port
from tests.servers.vendors import FakeVendor

COLUMNS, ROWS = 80, 22
TARGET = Path(__file__).parent / "pictures"

CELL, LINE, EDGE, BAR = 9.6, 20, 14, 34  # pixels: a cell, a row, the margin, the title bar
COLOURS = {
    "default": "#d8dee9", "black": "#3b4252", "red": "#f0717b", "green": "#a3d977", "brown": "#ebcb8b",
    "blue": "#7aa2f7", "magenta": "#c792ea", "cyan": "#7fdbca", "white": "#e5e9f0", "brightblack": "#7b88a1",
}  # fmt: skip

ANSWER = """\
## Three ways to wait

A **mutex** lets one in, a *semaphore* lets `n` in, a **condition** lets whoever it concerns in.

| Tool | Holds | Use it for |
|:-----|------:|:-----------|
| `Lock` | 1 | one writer |
| `Semaphore(n)` | n | a pool of connections |
| `Condition` | 1 | "wake me when it is ready" |

```python
async def fetch(url: str, slots: asyncio.Semaphore) -> bytes:
    async with slots:              # at most n at a time
        return await client.get(url)
```

1. Start with the smallest that does it.
2. Never hold one across an `await` that can hang.

> A queue is often what you wanted all along.
"""


def draw(screen: pyte.Screen, title: str, name: str) -> None:
    """Write the screen as an SVG file: one text element for each run of cells that look alike."""
    used = max((row for row in range(screen.lines) if screen.display[row].strip()), default=0) + 1
    width, height = COLUMNS * CELL + 2 * EDGE, used * LINE + BAR + EDGE
    fonts = "DejaVu Sans Mono, Menlo, Consolas, monospace"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" xml:space="preserve">',
        f"<style>text {{ white-space: pre; font-family: {fonts}; font-size: 16px }}</style>",
        f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#1e222a"/>',
        *(
            f'<circle cx="{20 + 20 * n}" cy="17" r="6" fill="{c}"/>'
            for n, c in enumerate(("#f0717b", "#ebcb8b", "#a3d977"))
        ),
        f'<text x="{width / 2:.0f}" y="22" fill="#7b88a1" text-anchor="middle" font-size="14">{escape(title)}</text>',
    ]
    for row in range(used):
        cells = [screen.buffer[row][column] for column in range(COLUMNS)]
        start = 0
        for look, run in groupby(cells, key=lambda cell: (cell.fg, cell.bold, cell.italics, cell.underscore)):
            text = "".join(cell.data for cell in run)
            colour, bold, italic, underline = look
            attributes = 'font-weight="bold" ' * bold + 'font-style="italic" ' * italic
            attributes += 'text-decoration="underline" ' * underline
            if text.strip():
                out.append(
                    f'<text x="{EDGE + start * CELL:.1f}" y="{BAR + (row + 0.75) * LINE:.0f}" {attributes}'
                    f'fill="{COLOURS.get(colour, COLOURS["default"])}">{escape(text.rstrip())}</text>'
                )
            start += len(text)
    out.append("</svg>")
    (TARGET / f"{name}.svg").write_text("\n".join(out) + "\n", "utf-8")


def shoot(
    name: str, arguments: Sequence[str], environ: dict[str, str], ready: Callable[[str], bool], *, limit: float = 30.0
) -> None:
    """Run `coda ARGUMENTS` in a terminal and draw its screen when *ready* says so of its text, or when it ends."""
    coda = str(Path(sys.executable).parent / "coda")
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    title = "coda " + " ".join(f'"{word}"' if " " in word else word for word in arguments)
    child = pexpect.spawn(coda, list(arguments), env=environ, dimensions=(ROWS, COLUMNS), encoding="utf-8")
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        try:
            stream.feed(child.read_nonblocking(4096, timeout=0.2))
        except pexpect.TIMEOUT:
            pass
        except pexpect.EOF:
            break
        if ready("\n".join(screen.display)):
            break
    child.close(force=True)
    draw(screen, title, name)
    print(f"{name}.svg")


# ---- the chat --------------------------------------------------------------------------------------------------------

CHATS = (
    ("A name for the boat", "we need a name for a small red boat", "**Pimpernel**: small, red, hard to catch."),
    (
        "Sourdough at altitude",
        "does dough rise faster in the mountains?",
        "It does: less pressure, bigger bubbles.",
    ),
    ("Rust lifetimes", "explain 'a to me like I'm five", "`'a` is a promise of how long something stays."),
    ("Trip to Lisbon", "three days in Lisbon, no museums", "Day 1: **Alfama**, on foot, before ten."),
)
COMMAND = "grep -rc 'def test_' --include='*.py' tests | sort -t: -k2 -n"
QUESTION = "Which lock do I take for a pool of ten connections? With asyncio."
REPLY = """\
A **semaphore**: it lets ten in and keeps the eleventh waiting.

```python
class Pool:
    def __init__(self, size: int = 10) -> None:
        self._slots = asyncio.Semaphore(size)

    async def fetch(self, url: str) -> bytes:
        async with self._slots:          # at most `size` at a time
            return await self._client.get(url)
```

| | Lets in | Good for |
|:--|--:|:--|
| `Lock` | 1 | one writer |
| `Semaphore(n)` | n | a pool |
| `Condition` | 1 | "wake me when it is ready" |

> Never hold one across an `await` that can hang: give it a timeout.
"""


def picture(app: App[int], title: str) -> str:
    """The application's screen as SVG, which loads nothing from anywhere."""
    svg = re.sub(r"@font-face \{.*?\}", "", app.export_screenshot(title=title), flags=re.DOTALL)
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
    return svg.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")


def home_of_the_chat(home: str, replies: Sequence[str]) -> None:
    """Make *home* one whose model says *replies*, the answers of `CHATS` before them."""
    os.environ.update(CODA_HOME=home, OLLAMA_HOST=f"127.0.0.1:{dead_port()}", TERM="xterm-256color")
    os.environ.pop("NO_COLOR", None)
    said = json.dumps([*(answer for _, _, answer in CHATS), *replies])
    config = Path(home, "config", "coda.toml")
    config.parent.mkdir(parents=True)
    config.write_text(
        'default_provider = "lab"\n[providers.lab]\ntype = "scripted"\nmodel = "qwen3-32b"\n'
        f"extra_params = {{ replies = {said} }}\n"
    )


async def drawn_chat(*, theme: str, size: tuple[int, int], keys: Sequence[str] = ()) -> str:
    """The chat in which `QUESTION` was asked, after *keys* were pressed, as SVG."""
    session = make_session(Started())
    for title, question, _ in CHATS:
        await session.ask(question)
        await session.conversations.rename(session.conversation_id or "", title)
        session.begin_new()
    app = CodaApp(lambda: session, Start(load(theme)))
    async with app.run_test(size=size) as pilot:
        await settled(pilot, lambda: app.front is not None)
        app.prompt.put(QUESTION)
        await pilot.press("enter")
        await settled(pilot, lambda: session.generation is not None and not session.busy)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.5)
        svg = picture(app, "coda")
        app.exit(0)
    return svg


async def settled(pilot: Pilot[int], ready: Callable[[], bool], *, limit: float = 20.0) -> None:
    """Let the application go on until *ready*, and until it has drawn that."""
    ends = time.monotonic() + limit
    while not ready() and time.monotonic() < ends:
        await pilot.pause(0.05)
    await pilot.pause(0.5)


def shoot_chat(name: str, *, theme: str, size: tuple[int, int], keys: Sequence[str] = ()) -> None:
    """Draw the chat in a home of its own, after *keys* were pressed."""
    with tempfile.TemporaryDirectory() as home:
        home_of_the_chat(home, [REPLY])
        (TARGET / f"{name}.svg").write_text(asyncio.run(drawn_chat(theme=theme, size=size, keys=keys)), "utf-8")
    print(f"{name}.svg")


async def drawn_approval(*, theme: str, size: tuple[int, int]) -> str:
    """The chat with a command that waits for a yes, as SVG."""
    calls = [("run_command", json.dumps({"command": COMMAND}))]
    session = make_session(Started())
    provider = ScriptedProvider(replies=[Reply("I will look for them.", tool_calls=calls)])
    provider.config.model = "qwen3-32b"
    session.manager.pool.made["lab"] = provider
    app = CodaApp(lambda: session, Start(load(theme)))
    async with app.run_test(size=size) as pilot:
        await settled(pilot, lambda: app.front is not None)
        app.prompt.put("How many tests has each folder here?")
        await pilot.press("enter")
        await settled(pilot, lambda: isinstance(app.screen, ApprovalSheet))
        svg = picture(app, "coda")
        app.flow.stop()
        await settled(pilot, lambda: not app.flow.busy)
        app.exit(0)
    return svg


def shoot_approval() -> None:
    """Draw it in a home and a folder of its own."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        home_of_the_chat(home, [REPLY])
        os.chdir(folder)
        try:
            svg = asyncio.run(drawn_approval(theme="coda-dark", size=(96, 28)))
        finally:
            os.chdir(before)
    (TARGET / "approval.svg").write_text(svg.replace(folder, "~/project"), "utf-8")
    print("approval.svg")


def chats() -> None:
    """Draw the pictures of the chat."""
    shoot_approval()
    shoot_chat("chat", theme="coda-dark", size=(96, 34))
    shoot_chat("chat-light", theme="coda-light", size=(110, 34), keys=["ctrl+b"])


def main() -> None:
    """Draw all pictures."""
    TARGET.mkdir(exist_ok=True)
    chats()
    with tempfile.TemporaryDirectory() as home, ThreadedServer(FakeVendor("openai", answer="")) as server:
        config = Path(home, "config", "coda.toml")
        config.parent.mkdir(parents=True)
        config.write_text(
            'default_provider = "lab"\n'
            f'[providers.lab]\ntype = "openai"\napi_base = "{server.url}/v1"\nmodel = "fake-model"\n'
            f'[providers.attic]\ntype = "openai"\napi_base = "http://127.0.0.1:{dead_port()}/v1"\nmodel = "qwen3"\n'
            "max_retries = 0\n"
        )
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "CODA_HOME": home,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "OLLAMA_HOST": f"127.0.0.1:{dead_port()}",
        }
        fake = server.server
        fake.script = [*say(ANSWER), Used(40, 260)]
        fake.shape = lambda reply: reply.but(delay_between=0.02)
        shoot("ask", ["ask", "mutex, semaphore or condition?"], environ, lambda text: "Never hold" in text)
        fake.queue(error_reply("openai", "rate_limited", retry_after="20"))
        shoot("rate-limit", ["ask", "hello"], environ, lambda text: " in 1" in text)
        shoot("dead-server", ["ask", "-m", "attic", "hello"], environ, lambda text: False)
        shoot("status", ["providers", "status"], environ, lambda text: False)


if __name__ == "__main__":
    main()
