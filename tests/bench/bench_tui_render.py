"""The transcript against the bare Textual floor: a `Markdown` widget fed by `get_stream` in a `VerticalScroll`.

    python -m tests.bench.bench_tui_render [--runs 3] [--quick]

Every figure is of a fresh process on a pseudo terminal of 120x40 that is drained, with tokens fed inside the process:
CPU is that of the process (all threads) from the first token to 0.3 s after the last. `ratio` is Coda's over the
floor's of the same run. The floor does not end on the long fence; it is stopped at the time that `--patience` gives
and the ratio is then an upper bound. The longest tick is the
longest single callback of the event loop, on the clock and in CPU time (they differ on a busy machine), `echo` the
time from a key written to the terminal to the character read back, while an answer streams at 400 tokens a second.
`open` shows 1,000 stored messages (the floor: 100). Medians. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import random
import resource
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_SCALE = 1 if sys.platform == "darwin" else 1024
_KEYS = [chr(0x410 + number) for number in range(30)]
_END = "ENDMARK"
_WORDS = ["the", "model", "writes", "some", "plain", "words", "about", "what", "it", "was", "asked"]


def markdown_tokens(count: int) -> list[str]:
    """Markdown of every kind in *count* tokens of about four characters."""
    rng = random.Random(1)
    text: list[str] = []
    size = 0
    section = 0
    while size < 5 * count:
        section += 1
        words = " ".join(rng.choices(_WORDS, k=60))
        text.append(
            f"## Section {section}\n\n{words} with **bold**, *italic*, `code` and "
            f"[a link](https://example.org/{section}).\n\n"
            "- one item of it\n- another, with `code`\n  - and one inside\n\n1. first\n2. second\n\n"
            f"```python\ndef f{section}(x: int) -> int:\n    # a comment\n    return x + {section}\n```\n\n"
            f"> a quote that says something\n\n| name | value |\n|------|------:|\n| a | {section} |\n| bb | 22 |\n\n"
        )
        size += len(text[-1])
    whole = "".join(text)
    return [whole[at : at + 4] for at in range(0, 4 * count, 4)]


def fence_tokens(lines: int) -> list[str]:
    """A code block of *lines* lines."""
    code = "".join(f"    value_{n} = compute(value_{n - 1}, {n})  # step {n}\n" for n in range(lines))
    whole = f"Here it is:\n\n```python\ndef main():\n{code}```\n"
    return [whole[at : at + 4] for at in range(0, len(whole), 4)]


def list_tokens(items: int) -> list[str]:
    """A list of *items* items."""
    whole = "".join(f"{n}. item number {n} with `code` and *words* in it\n" for n in range(1, items + 1))
    return [whole[at : at + 4] for at in range(0, len(whole), 4)]


def table_tokens(rows: int) -> list[str]:
    """A table of *rows* rows."""
    whole = "| n | what | why |\n|--:|------|-----|\n"
    whole += "".join(f"| {n} | item `{n}` | because of *words* |\n" for n in range(rows))
    return [whole[at : at + 4] for at in range(0, len(whole), 4)]


SCENES = {
    "md 2,000, full speed": ("md", 2000, 0),
    "md 10,000, full speed": ("md", 10_000, 0),
    "md 2,000 at 400/s": ("md", 2000, 400),
    "md 400 at 100/s": ("md", 400, 100),
    "fence of 1,500 lines": ("fence", 1500, 0),
    "fence of 1,500 lines at 2,500/s": ("fence", 1500, 2500),
    "list of 1,000 items at 2,500/s": ("list", 1000, 2500),
    "table of 1,000 rows at 2,500/s": ("table", 1000, 2500),
}


def tokens_of(kind: str, count: int) -> list[str]:
    return {"md": markdown_tokens, "fence": fence_tokens, "list": list_tokens, "table": table_tokens}[kind](count)


def history(count: int) -> list[Any]:
    """*count* stored messages, every second one Markdown."""
    from coda_cli.chat.entry import Entry

    answer = "".join(markdown_tokens(330))
    return [
        Entry(f"m{n}", "assistant" if n % 2 else "user", f"{answer}\n\n{n}" if n % 2 else f"Question {n}?")
        for n in range(count - 1)
    ] + [Entry("last", "assistant", _END)]


# The child


def watch_ticks() -> list[float]:
    """The longest callback that the event loop has run: seconds on the clock, and of its thread's own CPU time."""
    longest = [0.0, 0.0]
    run: Any = asyncio.events.Handle._run

    def timed(self: Any) -> None:
        start, worked = time.perf_counter(), time.thread_time()
        run(self)
        longest[0] = max(longest[0], time.perf_counter() - start)
        longest[1] = max(longest[1], time.thread_time() - worked)

    asyncio.events.Handle._run = timed  # type: ignore[method-assign]  # the loop has no other place to look at
    return longest


async def pace(tokens: list[str], rate: int) -> Any:
    """The tokens, *rate* a second (0: as fast as the loop takes them)."""
    start = time.perf_counter()
    for number, token in enumerate(tokens):
        if not rate:
            if number % 20 == 0:
                await asyncio.sleep(0)
        elif (wait := start + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        yield token


def child(app: str, kind: str, count: int, rate: int, out: str) -> None:
    """Show one thing in this process, which has a terminal, and write figures to the file *out*."""
    figures: dict[str, float] = {}
    longest = watch_ticks()

    async def measured(feed: Any) -> None:
        await asyncio.sleep(1)
        longest[:] = [0.0, 0.0]
        cpu, wall = time.process_time(), time.perf_counter()
        await feed(pace(tokens_of(kind, count), rate))
        figures["wall"] = time.perf_counter() - wall
        await asyncio.sleep(0.3)
        figures["cpu"] = time.process_time() - cpu
        figures["tick"], figures["busy"] = longest
        save()

    def save() -> None:
        figures["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _SCALE / 1e6
        Path(out).write_text(json.dumps(figures), encoding="utf-8")

    made = (_coda if app == "coda" else _floor)(kind, count, measured, save)
    made.run()


def _coda(kind: str, count: int, measured: Any, save: Any) -> Any:
    from textual.app import App, ComposeResult
    from textual.widgets import Input

    from coda_cli.chat.entry import Entry
    from coda_cli.markdown.render import warm
    from coda_cli.tui.transcript import TranscriptPane

    class Coda(App[None]):
        def compose(self) -> ComposeResult:
            self.pane = TranscriptPane()
            yield self.pane
            yield Input()

        def on_mount(self) -> None:
            self.query_one(Input).focus()
            if kind != "open":  # as the chat does when somebody begins to type
                threading.Thread(target=warm, daemon=True).start()
            if kind == "open":
                self.pane.transcript.show(history(count))
                self.set_timer(0.5, self.done)
            else:
                self.run_worker(self.work())

        def done(self) -> None:
            save()
            self.exit()

        async def work(self) -> None:
            view = self.pane.transcript
            text: list[str] = []

            async def feed(tokens: Any) -> None:
                view.begin(Entry("s", "assistant", "", status="streaming"))
                async for token in tokens:
                    text.append(token)
                    view.feed(token)
                view.end(Entry("a", "assistant", "".join(text)))
                await view.idle()

            await measured(feed)
            self.exit()

    return Coda()


def _floor(kind: str, count: int, measured: Any, save: Any) -> Any:
    from textual.app import App, ComposeResult
    from textual.containers import VerticalScroll
    from textual.widgets import Input, Markdown

    class Floor(App[None]):
        CSS = "VerticalScroll { height: 1fr } Input { dock: bottom }"

        def compose(self) -> ComposeResult:
            yield VerticalScroll()
            yield Input()

        async def on_mount(self) -> None:
            self.query_one(VerticalScroll).anchor()
            self.query_one(Input).focus()
            self.run_worker(self.opened() if kind == "open" else self.work())

        async def opened(self) -> None:
            await self.query_one(VerticalScroll).mount_all([Markdown(entry.text) for entry in history(count)])
            await asyncio.sleep(0.5)
            save()
            self.exit()

        async def work(self) -> None:
            async def feed(tokens: Any) -> None:
                shown = Markdown()
                await self.query_one(VerticalScroll).mount(shown)
                stream = Markdown.get_stream(shown)
                async for token in tokens:
                    await stream.write(token)
                await stream.stop()

            await measured(feed)
            self.exit()

    return Floor()


# The parent


def run(app: str, kind: str, count: int, rate: int, *, keys: bool = False, patience: float = 120) -> dict[str, float]:
    """The figures of one child; keys are typed into it if *keys*."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "figures"
        start = time.perf_counter()
        process, terminal = _start([app, kind, str(count), str(rate), str(out)])
        try:
            figures = dict(_drain(process, terminal, keys=keys, end=start + patience, start=start))
        finally:
            os.close(terminal)
        if out.exists():
            figures |= json.loads(out.read_text(encoding="utf-8"))
        return figures


def _start(arguments: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.bench_tui_render", "--child", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )
    os.close(theirs)
    return process, terminal


def _drain(
    process: subprocess.Popen[bytes], terminal: int, *, keys: bool, end: float, start: float
) -> Iterator[tuple[str, float]]:
    size = 0
    sent: dict[str, float] = {}
    echoes: list[float] = []
    left = list(_KEYS) if keys else []
    due = start + 2.0
    seen = b""
    marked = False
    while process.poll() is None:
        now = time.perf_counter()
        if now > end:
            process.send_signal(signal.SIGKILL)
            process.wait()
            yield "stopped", now - start
            return
        if left and now >= due:
            sent[left[0]] = now
            os.write(terminal, left.pop(0).encode())
            due = now + 0.13
        if not select.select([terminal], [], [], 0.002)[0]:
            continue
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # the other side is closed
            break
        now = time.perf_counter()
        size += len(data)
        seen = seen[-200:] + data
        if not marked and _END.encode() in seen:
            marked = True
            yield "paint", now - start
        for key in [key for key in sent if key.encode() in seen]:
            typed = sent.pop(key)
            echoes.append(now - typed)
    process.wait()
    yield "bytes", size
    if echoes:
        echoes.sort()
        yield "echo50", statistics.median(echoes)
        yield "echo95", echoes[min(len(echoes) - 1, int(len(echoes) * 0.95))]


def median(app: str, kind: str, count: int, rate: int, runs: int, **options: Any) -> dict[str, float]:
    """The medians of *runs* children."""
    all_figures = [run(app, kind, count, rate, **options) for _ in range(runs)]
    names = set.intersection(*(set(each) for each in all_figures))
    return {name: statistics.median(each[name] for each in all_figures) for name in names}


def _line(name: str, coda: dict[str, float], floor: dict[str, float]) -> str:
    cpu = floor.get("cpu", floor.get("stopped", 0.0))
    ratio = coda["cpu"] / cpu if cpu else 0.0
    bound = "<" if "stopped" in floor else " "
    written = f"{coda['bytes'] / 1e6:5.2f} MB / {floor.get('bytes', 0) / 1e6:5.2f}"
    return (
        f"{name:34}{coda['cpu']:7.2f} s  {cpu:7.2f} s  {bound}{ratio:6.3f}   {_tick(coda)} / {_tick(floor)}   {written}"
    )


def _tick(figures: dict[str, float]) -> str:
    return f"{figures.get('tick', 0) * 1e3:5.0f} ms, CPU {figures.get('busy', 0) * 1e3:4.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="Coda alone")
    parser.add_argument("--only", default="", help="the scenes that have this in their name")
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("--child", nargs=5)
    options = parser.parse_args()
    if options.child:
        app, kind, count, rate, out = options.child
        child(app, kind, int(count), int(rate), out)
        return
    print(f"{'':34}{'coda':>9}  {'floor':>9}   ratio   longest tick                       written")
    for name, (kind, count, rate) in SCENES.items():
        if options.only not in name:
            continue
        coda = median("coda", kind, count, rate, options.runs)
        floor: dict[str, float] = {}
        if not options.quick:
            floor = median("floor", kind, count, rate, 1 if kind != "md" else options.runs, patience=options.patience)
        print(_line(name, coda, floor), flush=True)
    if options.only:
        return
    for app in ("coda", "floor")[: 1 if options.quick else 2]:
        typed = median(app, "md", 2000, 400, options.runs, keys=True)
        print(f"echo at 400/s, {app:6} p50 {typed['echo50'] * 1e3:5.0f} ms   p95 {typed['echo95'] * 1e3:5.0f} ms")
    for app, count in (("coda", 1000), ("floor", 100))[: 1 if options.quick else 2]:
        shown = median(app, "open", count, 0, options.runs)
        print(f"open {count:5,}, {app:6} first paint {shown['paint']:6.2f} s   RSS {shown['rss']:5.0f} MB")


if __name__ == "__main__":
    main()
