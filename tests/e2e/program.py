"""Runs the installed `coda` in a child process, as a person's shell would, with a home of its own.

Public API::

    coda = Program(tmp_path)                    clean environment: no keys, CODA_HOME and HOME under tmp_path
    coda.config("...")                          writes coda.toml
    coda.scripted("answer", ...)                a coda.toml whose default provider says these answers
    coda.served_by(url, more="")                a coda.toml whose default provider is an OpenAI-compatible server
    coda.run("ask", "hi", stdin=b"...")         to the end -> Ran(code, out, err)
    coda.run_all([...])                         several runs, a few at a time -> [Ran, ...]
    coda.start("ask", ...) -> Popen             pipes on all three; stdin=None is /dev/null
    coda.terminal("ask", ..., only="err")       in a pseudo-terminal -> Terminal
    read_until(pipe, b"...")                    read a pipe until it has said this

Nothing here waits for a fixed time: a deadline (GUARD seconds) only ends a test that would hang.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

import pyte

from tests.servers.reply import Gate, Reply
from tests.servers.script import Script
from tests.servers.vendors import FakeVendor
from tests.servers.wire import WireName, stream_reply

GUARD = 60.0  # seconds after which a test gives up
TRACEBACK = b"Traceback (most recent call last)"


@dataclass(frozen=True)
class Ran:
    """How one run ended."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """stdout."""
        return self.out.decode()

    @property
    def error(self) -> str:
        """stderr."""
        return self.err.decode()

    @property
    def json(self) -> Any:
        """stdout as one JSON value."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def clean(ran: Ran) -> Ran:
    """The run itself, which must not have ended in a traceback or a Python warning."""
    assert TRACEBACK not in ran.err + ran.out, ran.error
    assert b"Exception ignored" not in ran.err, ran.error
    return ran


class Program:
    """The program with one home folder."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)
        self.folder = folder
        self.environ = {
            "CODA_HOME": str(self.home),
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "OLLAMA_HOST": "http://127.0.0.1:9",
            # Never the keyring of the person who runs the tests.
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }

    @property
    def config_file(self) -> Path:
        """Where coda.toml is, or would be."""
        return self.home / "config" / "coda.toml"

    def config(self, text: str) -> Path:
        """Write coda.toml."""
        self.config_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.config_file.write_text(text, "utf-8")
        return self.config_file

    def scripted(self, *replies: str, more: str = "") -> None:
        """A provider `s` that says *replies*, as the default."""
        listed = json.dumps(list(replies))  # a JSON list of strings is a TOML list too
        self.config(
            f'default_provider = "s"\n{more}\n[providers.s]\ntype = "scripted"\n'
            f'model = "parrot"\nextra_params = {{replies = {listed}}}\n'
        )

    def served_by(self, url: str, *, more: str = "", tables: str = "", name: str = "fake") -> None:
        """A provider that speaks OpenAI's format at *url* (without /v1), as the default."""
        self.config(
            f'default_provider = "{name}"\n[providers.{name}]\ntype = "openai"\n'
            f'api_base = "{url}/v1"\nmodel = "fake-model"\n{more}\n{tables}'
        )

    def env(self, more: Mapping[str, str]) -> dict[str, str]:
        """The child's environment; an empty value takes a variable out."""
        return {name: value for name, value in {**self.environ, **more}.items() if value}

    def start(
        self,
        *arguments: str | bytes,
        stdin: int | IO[bytes] | None = None,
        stdout: int | IO[bytes] | None = subprocess.PIPE,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        umask: int = -1,
        python: Sequence[str] = ("-m", "coda_cli"),
        cwd: Path | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start it with pipes; `stdin` None is /dev/null."""
        return subprocess.Popen(
            [*prefix, sys.executable, *python, *arguments],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=self.env(env or {}),
            umask=umask,
            cwd=cwd or self.folder,
            bufsize=0,
            start_new_session=True,
        )

    def run(
        self,
        *arguments: str | bytes,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        umask: int = -1,
        python: Sequence[str] = ("-m", "coda_cli"),
        cwd: Path | None = None,
        guard: float = GUARD,
    ) -> Ran:
        """Run it to its end; `stdin` None is /dev/null, bytes are a pipe. After *guard* seconds it hangs."""
        source = None if stdin is None else subprocess.PIPE
        child = self.start(*arguments, stdin=source, env=env, prefix=prefix, umask=umask, python=python, cwd=cwd)
        return finish(child, stdin, guard)

    def run_all(self, runs: Iterable[Sequence[str]], env: Mapping[str, str] | None = None) -> list[Ran]:
        """Several runs, a few at a time; their results in the given order."""
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(lambda arguments: self.run(*arguments, env=env), runs))

    def terminal(
        self,
        *arguments: str,
        only: Literal["all", "out", "err"] = "all",
        env: Mapping[str, str] | None = None,
        columns: int = 80,
        rows: int = 24,
    ) -> "Terminal":
        """Start it in a terminal. `only`: just that stream is the terminal, the others are a pipe and /dev/null."""
        command = [sys.executable, "-m", "coda_cli", *arguments]
        return Terminal(command, self.env(env or {}), self.folder, only=only, columns=columns, rows=rows)

    def files(self) -> list[str]:
        """Everything under the home folder, folders too."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*"))

    @property
    def usage(self) -> list[dict[str, Any]]:
        """The lines of the usage log."""
        file = self.home / "data" / "usage.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def finish(child: "subprocess.Popen[bytes]", stdin: bytes | None = None, guard: float = GUARD) -> Ran:
    """Wait for the end of *child* and read the rest of what it says."""
    try:
        out, err = child.communicate(stdin, timeout=guard)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        raise AssertionError(f"the program hangs; stdout {out[-500:]!r} stderr {err[-500:]!r}") from None
    return clean(Ran(child.returncode, out or b"", err or b""))


def read_until(pipe: IO[bytes] | None, wanted: bytes) -> bytes:
    """Read from *pipe* until *wanted* was in it; what came. AssertionError at its end or after GUARD seconds."""
    assert pipe is not None
    got = b""
    ends = time.monotonic() + GUARD
    while wanted not in got:
        assert select.select([pipe], [], [], max(0.0, ends - time.monotonic()))[0], f"{wanted!r} never came: {got!r}"
        piece = os.read(pipe.fileno(), 1 << 16)
        assert piece, f"the end came before {wanted!r}: {got!r}"
        got += piece
    return got


@dataclass
class Terminal:
    """The program in a pseudo-terminal: `raw` is every byte it wrote there, `screen` what a person sees."""

    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    only: Literal["all", "out", "err"] = "all"
    columns: int = 80
    rows: int = 24
    raw: bytes = b""
    piped: bytes = b""
    screen: pyte.HistoryScreen = field(init=False)
    child: "subprocess.Popen[bytes]" = field(init=False)

    def __enter__(self) -> Self:
        self.screen = pyte.HistoryScreen(self.columns, self.rows, history=5000, ratio=0.5)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        tty = {"all": "in out err", "out": "out", "err": "err"}[self.only].split()
        self.child = subprocess.Popen(
            self.command,
            stdin=slave if "in" in tty else subprocess.DEVNULL,
            stdout=slave if "out" in tty else subprocess.PIPE,
            stderr=slave if "err" in tty else subprocess.PIPE,
            env=dict(self.env),
            cwd=self.cwd,
            bufsize=0,
            start_new_session=True,
        )
        os.close(slave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.child.poll() is None:
            self.child.kill()
        for pipe in (self.child.stdout, self.child.stderr):
            if pipe is not None:
                pipe.close()
        self.child.wait()
        os.close(self._master)

    def _read(self, ends: float) -> bool:
        """Take in what has come; False at the terminal's end."""
        pipe = self.child.stdout or self.child.stderr
        sources: list[Any] = [self._master, *([pipe] if pipe is not None and not pipe.closed else [])]
        ready = select.select(sources, [], [], max(0.0, ends - time.monotonic()))[0]
        assert ready, f"nothing more came: {self.text!r}"
        if pipe in ready and pipe is not None:
            piece = os.read(pipe.fileno(), 1 << 16)
            self.piped += piece
            if not piece:
                pipe.close()
        if self._master in ready:
            try:
                piece = os.read(self._master, 1 << 16)
            except OSError:  # Linux: EIO once the child's side is closed
                return False
            self.raw += piece
            self._stream.feed(piece)
            return bool(piece)
        return True

    def until(self, done: Callable[[str], object]) -> None:
        """Read until the screen's text satisfies *done*."""
        ends = time.monotonic() + GUARD
        while not done(self.text):
            assert self._read(ends), f"the end came too early: {self.text!r}"

    def end(self) -> int:
        """Read to the end; the exit code."""
        ends = time.monotonic() + GUARD
        while self._read(ends):
            pass
        pipe = self.child.stdout or self.child.stderr
        if pipe is not None and not pipe.closed:
            self.piped += pipe.read()
        return self.child.wait(timeout=GUARD)

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        os.kill(self.child.pid, signal.SIGINT)

    @property
    def text(self) -> str:
        """The screen's rows, the scrolled-off ones first, without blanks at their ends."""
        history = [
            "".join(row[column].data for column in range(self.columns)).rstrip() for row in self.screen.history.top
        ]
        return "\n".join([*history, *(row.rstrip() for row in self.screen.display)]).rstrip("\n")


_SGR = re.compile(rb"\x1b\[[0-9;:]*m")
_OWN = re.compile(
    rb"\x1b\[\?(?:2026|7|25)[hl]|\x1b\[[0-9]*[ABCDEFGJK]|\x1b\]8;[^\x07\x1b]*(?:\x1b\\|\x07)|\r",
)


def foreign(raw: bytes) -> set[bytes]:
    """Control bytes in *raw* beyond colour, cursor movement of rows and the like, which a renderer needs itself."""
    rest = _OWN.sub(b"", _SGR.sub(b"", raw)).replace(b"\n", b"").replace(b"\t", b"")
    return {bytes([byte]) for byte in rest if byte < 0x20 or byte == 0x7F}


def held(script: Script, gate: Gate, after: int, wire: WireName = "openai") -> Reply:
    """A streamed answer that stops after *after* events until *gate* opens."""
    reply = stream_reply(wire, script)
    return reply.but(body=[*reply.body[:after], gate, *reply.body[after:]])


def asked_text(fake: FakeVendor, number: int = -1) -> str:
    """All text of the last message of a request for an answer (OpenAI's format)."""
    content = fake.asked[number].get("messages", -1, "content")
    if isinstance(content, str):
        return content
    assert isinstance(content, list)
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
