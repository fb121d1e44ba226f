"""Waiting for stdin can be ended at any moment, and is nobody else's business."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from coda_cli.chat import reading

# A Ctrl-C whose exception Python loses, as in any finalizer: only the byte that the signal left behind tells of it.
LOST = """
import os, signal
from coda_cli.chat import reading

class Finalizer:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

reading.SILENCE = 0.05
silent, _writer = os.pipe()
try:
    reading.read_all(silent, "stdin", limit=9, too_much="", deadline=None, tell=lambda line: Finalizer() and None)
except KeyboardInterrupt:
    print("interrupted")
"""


def _read(content: bytes) -> bytes:
    out, into = os.pipe()
    try:
        os.write(into, content)
        os.close(into)
        return reading.read_all(out, "stdin", limit=1 << 20, too_much="", deadline=None)
    finally:
        os.close(out)


def test_ctrl_c_is_heard_even_when_its_exception_is_lost() -> None:
    ran = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout == "interrupted\n"


def test_the_wakeup_of_an_event_loop_stays_its_own() -> None:
    out, into = os.pipe()
    os.set_blocking(into, False)
    before = signal.set_wakeup_fd(into)
    try:
        assert _read(b"words") == b"words"
        assert signal.set_wakeup_fd(before) == into
    finally:
        signal.set_wakeup_fd(before)
        os.close(out)
        os.close(into)


def test_no_wakeup_is_left_behind() -> None:
    assert _read(b"words") == b"words"
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_with_a_handler_of_its_own_does_not_end_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SILENCE", 0.05)
    out, into = os.pipe()
    heard: list[int] = []

    def handler(number: int, _: object) -> None:
        heard.append(number)
        os.write(into, b"words")
        os.close(into)

    before = signal.signal(signal.SIGINT, handler)
    try:
        read = reading.read_all(
            out,
            "stdin",
            limit=1 << 20,
            too_much="",
            deadline=None,
            tell=lambda _: os.kill(os.getpid(), signal.SIGINT),
        )
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(out)
    assert (read, heard) == (b"words", [signal.SIGINT])


def test_a_thread_can_read_too() -> None:
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.append(_read(b"words")))
    thread.start()
    thread.join(timeout=30)
    assert read == [b"words"]
