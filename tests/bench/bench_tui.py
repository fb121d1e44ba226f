"""Measures the installed `coda chat` beside the bare Textual floor (`textual_floor`), in the same rounds.

    python -m tests.bench.bench_tui [--runs 5] [--only start,idle,full,paced,fence,echo,tick,many,open] [--patience 120]

Both run on a drained pseudo terminal of 120x40 against one fake server. A ratio is Coda's figure over the floor's
of the same round, and what is printed is the median over the rounds: compare ratios, not milliseconds.

- start: the first screen (wall), CPU until it is at rest; ready: the model that answers stands in the status line
- idle: 10 s at rest before the first message
- full: a Markdown answer as fast as the server writes it; CPU from Enter to 0.5 s after its last word was drawn
- paced: the same at 400 and at 100 tokens a second
- fence: a code block of 1,500 lines. The floor is stopped after --patience seconds: the ratio is then an upper bound
- echo: a key typed while 400 tokens a second stream, until it comes back from the terminal
- tick: the longest callback of the event loop from Enter to the last word (`tick_probe`); CPU beside it, because on a
  machine that does something else the wall time of a tick is also that of others
- many: the first screen with 10,000 stored chats over none
- open: a chat of 1,000 messages: its end is drawn, memory, and 100 pages up

Nothing is asserted: these are figures, not tests.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tests.bench.answers import KINDS, markdown
from tests.bench.bench_ask import COALESCE
from tests.bench.bench_history import _fill as fill
from tests.bench.terminal import Terminal
from tests.servers.http import FakeServer
from tests.servers.reply import Body, Pause, Reply
from tests.servers.request import Recorded
from tests.servers.script import Say, Used
from tests.servers.threaded import ThreadedServer
from tests.servers.wire import openai_chat

END: Final = "ENDMARK"
LAST: Final = "the-last-line-of-all"
IDLE: Final = 10.0
KEYS: Final = [chr(0x410 + number) for number in range(32)]  # none of them is in the answer
PAGES: Final = 100

Figures = dict[str, float]


@dataclass(frozen=True)
class Program:
    """One of the two: how it is started for a model, and what its first screen says."""

    name: str
    command: Callable[[str], list[str]]
    screen: str
    ready: Callable[[str], str]


CODA_NAME: Final = str(Path(sys.executable).parent / "coda")
CODA: Final = Program(
    "coda", lambda model: [CODA_NAME, "chat", "-m", f"openai/{model}"], "Ask anything", lambda model: f"openai/{model}"
)
FLOOR: Final = Program(
    "floor",
    lambda model: [sys.executable, "-m", "tests.bench.textual_floor", model],
    "Ready to chat",
    lambda _: "Ready to chat",
)


# The server's side: a model named KIND-COUNT says that, KIND-COUNT-RATE so many tokens a second


@cache
def body(model: str) -> Body:
    """The streamed answer of *model*."""
    kind, count, *rate = model.split("-")
    tokens = [*KINDS[kind](int(count)), f"\n\n{END}\n"]
    events = openai_chat([*(Say(token) for token in tokens), Used(10, len(tokens))])
    if not rate:
        return [b"".join(events[start : start + COALESCE]) for start in range(0, len(events), COALESCE)]
    return [piece for event in events for piece in (Pause(1 / int(rate[0])), event)]


def answer(request: Recorded, number: int) -> Reply:
    """What the server says to any request."""
    return Reply(headers={"content-type": "text/event-stream"}, body=body(str(request.get("model"))))


# One run each


class Bench:
    """The programs' environment, and a folder for their homes."""

    def __init__(self, root: Path, url: str, patience: float, *, name_ticks: bool = False) -> None:
        self._root = root
        self._patience = patience
        self._name_ticks = name_ticks
        # An installed program has its byte code beside it: the first, uncounted round writes what is missing.
        own = ("CODA_", "OPENAI_", "PYTHONDONTWRITEBYTECODE")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        self._environ = {
            **clean,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"{url}/v1",
        }

    def home(self, name: str) -> Path:
        """One of the homes."""
        return self._root / name

    @contextmanager
    def running(self, command: Sequence[str], home: str = "home") -> Iterator[Terminal]:
        """*command* on a terminal."""
        with Terminal(command, {**self._environ, "CODA_HOME": str(self.home(home))}) as screen:
            yield screen

    def start(self, program: Program, model: str = "md-200", home: str = "home") -> Figures:
        """The first screen."""
        with self.running(program.command(model), home) as screen:
            drawn = self._first(screen, program)
            shown, first = drawn - screen.started, screen.cpu()
            ready = screen.drawn(program.ready(model), 20) or time.perf_counter()
            screen.settle()
            figures = {"first": shown, "cpu at first": first, "cpu": screen.cpu(), "rss": screen.memory()}
            return {**figures, "ready": ready - screen.started}

    def idle(self, program: Program) -> Figures:
        """Nothing happens for a while."""
        with self.running(program.command("md-200")) as screen:
            self._first(screen, program)
            screen.settle()
            time.sleep(1)
            cpu, since = screen.cpu(), time.perf_counter()
            time.sleep(IDLE)
            share = (screen.cpu() - cpu) / (time.perf_counter() - since)
            return {"rss": screen.memory(), "share": share * 100}

    def stream(self, program: Program, model: str) -> Figures:
        """One answer."""
        with self.running(program.command(model)) as screen:
            mark, cpu, sent = self._ask(screen, program)
            drawn = screen.drawn(END, self._patience, since=mark)
            if drawn is not None:
                time.sleep(0.5)
            wall = (drawn or time.perf_counter()) - sent
            figures = {"cpu": screen.cpu() - cpu, "wall": wall, "bytes": screen.written(mark), "rss": screen.memory()}
            return figures if drawn is not None else {**figures, "stopped": 1}

    def echo(self, program: Program, model: str = "md-2400-400") -> Figures:
        """Keys while an answer streams."""
        took = []
        with self.running(program.command(model)) as screen:
            self._ask(screen, program)
            time.sleep(0.7)
            for key in KEYS:
                mark = screen.mark()
                sent = screen.press(key)
                drawn = screen.drawn(key, 5, since=mark)
                took.append((drawn or time.perf_counter()) - sent)
                time.sleep(max(0.02, 0.13 - took[-1]))
        took.sort()
        return {"p50": statistics.median(took), "p95": took[int(len(took) * 0.95)], "max": took[-1]}

    def tick(self, program: Program, model: str) -> Figures:
        """The longest callback while *model* answers."""
        log = self._root / f"ticks-{time.perf_counter_ns()}"
        command = [sys.executable, "-m", "tests.bench.tick_probe", str(log), *program.command(model)[1:]]
        with self.running(command) as screen:
            _, _, sent = self._ask(screen, program)
            drawn = screen.drawn(END, self._patience)
            time.sleep(0.5)
        ticks = []
        for line in log.read_text().splitlines():
            start, wall_text, cpu_text, name = line.split(maxsplit=3)
            if sent - 0.001 <= float(start) <= (drawn or sent) + 0.5:
                ticks.append((float(wall_text), float(cpu_text), name))
        ticks.sort(reverse=True)
        for wall, cpu, name in ticks[: 3 if self._name_ticks else 0]:
            print(f"    {wall * 1000:6.1f} ms, CPU {cpu * 1000:6.1f} ms: {name}")
        longest = max((cpu for _, cpu, _ in ticks), default=0.0)
        return {"wall": ticks[0][0] if ticks else 0.0, "cpu": longest, "over": sum(tick[0] > 0.025 for tick in ticks)}

    def opened(self, home: str, conversation_id: str) -> Figures:
        """A long chat, shown and paged through."""
        with self.running([*CODA.command("md-200"), "--cid", conversation_id], home) as screen:
            drawn = screen.drawn(LAST, 30)
            first = (drawn or time.perf_counter()) - screen.started
            at_first, cpu_first = screen.memory(), screen.cpu()
            screen.settle()
            rss, cpu, took = screen.memory(), screen.cpu(), []
            for _ in range(PAGES):
                mark, sent = screen.mark(), screen.press("\x1b[5~")
                while screen.mark() == mark and time.perf_counter() < sent + 2:
                    time.sleep(0.0005)
                took.append(screen.quiet(0.03) - sent)
            took.sort()
            return {
                "first": first,
                "cpu at first": cpu_first,
                "rss at first": at_first,
                "rss": rss,
                "rss after": screen.memory(),
                "page cpu": (screen.cpu() - cpu) / PAGES,
                "page": statistics.median(took),
                "page p95": took[int(len(took) * 0.95)],
                "page max": took[-1],
            }

    def _first(self, screen: Terminal, program: Program) -> float:
        drawn = screen.drawn(program.screen, 30)
        if drawn is None:
            raise SystemExit(f"{program.name} shows no first screen: {screen.tail}")
        return drawn

    def _ask(self, screen: Terminal, program: Program) -> tuple[int, float, float]:
        """Type a question and Enter, at rest; the mark, the CPU and the time before it."""
        self._first(screen, program)
        screen.settle()
        mark = screen.mark()
        screen.press("Say something")
        screen.drawn("something", 5, since=mark)
        time.sleep(0.4)  # as fast as hands are
        mark, cpu = screen.mark(), screen.cpu()
        return mark, cpu, screen.press("\r")


# Rounds and the table


def median(samples: Sequence[Figures], name: str) -> float:
    """The median of one figure."""
    return statistics.median(sample[name] for sample in samples)


def ratio(coda: Sequence[Figures], floor: Sequence[Figures], name: str) -> float:
    """The median over the rounds of Coda's figure over the floor's."""
    return statistics.median(one[name] / other[name] for one, other in zip(coda, floor, strict=True))


def rounds(runs: int, *works: Callable[[], Figures], warm: bool = False) -> list[list[Figures]]:
    """Every work once a round."""
    if warm:
        for work in works:
            work()
    taken = [[work() for work in works] for _ in range(runs)]
    return [list(samples) for samples in zip(*taken, strict=True)]


def row(name: str, target: str, measured: str, absolute: str) -> None:
    """One line of the table."""
    print(f"{name:38} {target:>9} {measured:>9}  {absolute}", flush=True)


def report_start(bench: Bench, runs: int) -> None:
    """The first screen."""
    coda, floor = rounds(runs, lambda: bench.start(CODA), lambda: bench.start(FLOOR), warm=True)
    for figure, target, name in (
        ("first", "1.5", "first screen, wall"),
        ("cpu at first", "", "first screen, CPU"),
        ("cpu", "", "at rest, CPU"),
        ("ready", "", "ready (model shown), wall"),
    ):
        both = f"{median(coda, figure) * 1000:.0f} ms, floor {median(floor, figure) * 1000:.0f} ms"
        row(name, target, f"{ratio(coda, floor, figure):.2f}", both)
    row("at rest, RSS", "", f"{ratio(coda, floor, 'rss'):.2f}", f"{median(coda, 'rss'):.0f} MB")


def report_idle(bench: Bench, runs: int) -> None:
    """At rest."""
    coda, floor = rounds(min(runs, 3), lambda: bench.idle(CODA), lambda: bench.idle(FLOOR))
    row("idle, RSS of the tree", "60 MB", f"{median(coda, 'rss'):.0f} MB", f"floor {median(floor, 'rss'):.0f} MB")
    row("idle, CPU", "0.6 %", f"{median(coda, 'share'):.2f} %", f"floor {median(floor, 'share'):.2f} %")


def report_stream(bench: Bench, runs: int, model: str, name: str, target: str) -> float:
    """One answer in both; returns Coda's CPU seconds."""
    coda, floor = rounds(runs, lambda: bench.stream(CODA, model), lambda: bench.stream(FLOOR, model))
    bound = "<" if any("stopped" in one for one in floor) else ""
    stopped = ", stopped" if bound else ""
    own, other = (
        {figure: median(some, figure) for figure in ("cpu", "wall", "bytes", "rss")} for some in (coda, floor)
    )
    row(
        name,
        target,
        f"{bound}{ratio(coda, floor, 'cpu'):.3f}",
        f"CPU {own['cpu']:.3f} s, floor {other['cpu']:.2f} s{stopped}; "
        f"wall {own['wall']:.2f} s, {other['wall']:.2f} s; "
        f"{own['bytes'] / 1e3:.0f} KB, {other['bytes'] / 1e3:.0f} KB; RSS {own['rss']:.0f} MB",
    )
    return own["cpu"]


def report_full(bench: Bench, runs: int) -> None:
    """As fast as it comes."""
    small = report_stream(bench, runs, "md-2000", "2,000 Markdown tokens, full speed", "0.25")
    large = report_stream(bench, max(1, runs // 2), "md-10000", "10,000 Markdown tokens, full speed", "")
    row("10,000 over 2,000, CPU", "5", f"{large / small:.2f}", "")


def report_paced(bench: Bench, runs: int) -> None:
    """As a model speaks."""
    for rate in (400, 100):
        report_stream(bench, max(1, runs // 2), f"md-2000-{rate}", f"2,000 tokens at {rate} a second", "0.20")


def report_fence(bench: Bench, runs: int) -> None:
    """A long code block; the floor once, because it does not end."""
    report_stream(bench, 1, "fence-1500", "code block of 1,500 lines", "0.02")


def report_echo(bench: Bench, runs: int) -> None:
    """Keys while an answer streams."""
    coda, floor = rounds(max(1, runs // 2), lambda: bench.echo(CODA), lambda: bench.echo(FLOOR))
    for name, target in (("p50", ""), ("p95", "40 ms"), ("max", "")):
        own, other = median(coda, name) * 1000, median(floor, name) * 1000
        row(f"keystroke to echo, {name}", target, f"{own:.1f} ms", f"floor {other:.0f} ms")


def report_tick(bench: Bench, runs: int) -> None:
    """The longest callback."""
    for model in ("md-2000", "md-10000", "md-2000-400", "fence-1500", "list-1000", "table-1000"):
        coda = [bench.tick(CODA, model) for _ in range(max(1, runs // 2))]
        wall, cpu = median(coda, "wall") * 1000, median(coda, "cpu") * 1000
        over = median(coda, "over")
        row(f"longest tick, {model}", "50 ms", f"{wall:.1f} ms", f"CPU {cpu:.1f} ms; {over:.0f} over 25 ms")


def report_many(bench: Bench, runs: int) -> None:
    """Stored chats."""
    fill(bench.home("many") / "data", 10_000, 2)
    bench.start(CODA, home="many")
    empty, many = rounds(runs, lambda: bench.start(CODA), lambda: bench.start(CODA, home="many"), warm=True)
    for figure, target in (("first", "+50 ms"), ("ready", ""), ("cpu", "")):
        more = (median(many, figure) - median(empty, figure)) * 1000
        both = f"{median(empty, figure) * 1000:.0f} ms with none, {median(many, figure) * 1000:.0f} ms"
        row(f"10,000 chats, {figure}", target, f"{more:+.0f} ms", both)


def report_open(bench: Bench, runs: int) -> None:
    """A chat of 1,000 messages."""
    conversation_id = long_chat(bench.home("long") / "data", 1000)
    coda, floor = rounds(runs, lambda: bench.opened("long", conversation_id), lambda: bench.start(FLOOR), warm=True)
    times = f"CPU {median(coda, 'cpu at first') * 1000:.0f} ms, {ratio(coda, floor, 'first'):.2f} of the floor's start"
    row("1,000 messages, first paint", "600 ms", f"{median(coda, 'first') * 1000:.0f} ms", times)
    sizes = f"{median(coda, 'rss'):.0f} MB at rest, {median(coda, 'rss after'):.0f} MB after {PAGES} pages up"
    row("1,000 messages, RSS", "65 MB", f"{median(coda, 'rss at first'):.0f} MB", sizes)
    pages = ", ".join(f"{name} {median(coda, f'page {name}') * 1000:.0f} ms" for name in ("p95", "max", "cpu"))
    row("1,000 messages, a page up", "", f"{median(coda, 'page') * 1000:.0f} ms", pages)


def long_chat(root: Path, count: int) -> str:
    """A stored conversation of *count* messages, every second one Markdown of 330 tokens; its id."""
    from coda_cli.engine.conversations.journal import encode
    from coda_cli.engine.conversations.shelf import first_record
    from coda_cli.engine.conversations.store import Folder
    from coda_cli.engine.conversations.tree import message_record
    from coda_cli.engine.core.messages import LLMMessage, MessageRole

    name = "long-chat"
    said = "".join(markdown(330))
    file = Folder(root).own_file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    parent: str | None = None
    with file.open("wb") as opened:
        opened.write(encode({**first_record(name), "seq": 0}))
        for number in range(count):
            text = f"{said}\n\nNumber {number}." if number % 2 else f"Question {number}?"
            text += f"\n\n{LAST}" if number == count - 1 else ""
            role = MessageRole.ASSISTANT if number % 2 else MessageRole.USER
            message = LLMMessage(role=role, content=text, message_id=f"msg-{number:032x}")
            opened.write(encode({**message_record(message, parent), "seq": number + 1}))
            parent = message.message_id
    return name


REPORTS: Final[dict[str, Callable[[Bench, int], None]]] = {
    "start": report_start,
    "idle": report_idle,
    "full": report_full,
    "paced": report_paced,
    "fence": report_fence,
    "echo": report_echo,
    "tick": report_tick,
    "many": report_many,
    "open": report_open,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default=",".join(REPORTS))
    parser.add_argument("--patience", type=float, default=120.0)
    parser.add_argument("--name-ticks", action="store_true", help="name the three longest of each run")
    asked = parser.parse_args()
    row("", "target", "measured", "absolute")
    with tempfile.TemporaryDirectory() as root, ThreadedServer(FakeServer(answer)) as server:
        bench = Bench(Path(root), server.url, asked.patience, name_ticks=asked.name_ticks)
        for name in asked.only.split(","):
            REPORTS[name](bench, asked.runs)


if __name__ == "__main__":
    main()
