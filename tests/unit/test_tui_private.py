"""What the chat takes from inside of Textual is still there, and does no harm where it is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from textual.app import App
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver

from coda_cli.tui import private


def test_what_is_drawn_goes_through_a_writer_that_can_be_silenced() -> None:
    assert "_writer_thread" in LinuxDriver.write.__code__.co_names
    driver = SimpleNamespace(_writer_thread=object())
    private.silence(cast("App[Any]", SimpleNamespace(_driver=driver)))
    for _ in range(1000):  # Textual's own blocks after thirty
        LinuxDriver.write(cast("LinuxDriver", driver), "x")
    wanted = {name for name in vars(WriterThread) if name in ("write", "flush", "stop")}
    assert wanted <= set(dir(driver._writer_thread))


def test_without_a_driver_or_a_writer_there_is_nothing_to_silence() -> None:
    for driver in (None, SimpleNamespace(), SimpleNamespace(_writer_thread=None)):
        private.silence(cast("App[Any]", SimpleNamespace(_driver=driver)))
        assert getattr(driver, "_writer_thread", None) is None
