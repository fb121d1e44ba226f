"""The prompt in the person's own editor: $VISUAL, $EDITOR, else nano, vim or vi."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from coda_cli import paths
from coda_cli.engine.core.errors import UsageError

_GRACE: Final = 1.0
"""Seconds that an editor has to end when the chat ends."""
_AFTER_A_CRASH: Final = b"\x1b[?1049l\x1b[!p\x1b[r\x1b[m\x1b[?1l\x1b>\x1b[?1000;1002;1003;1006l\x1b[?2004l"
"""Out of the second screen; soft reset (scroll region, colours, cursor); cursor keys, keypad, mouse, pastes."""
HINT: Final = "set EDITOR to your editor's command, as in EDITOR=nano"


def editor_command(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The editor's command line. Raises UsageError where there is none."""
    try:
        command = shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or "")
    except ValueError as exc:
        raise UsageError(f"EDITOR is not a command: {exc}", hint=HINT) from exc
    command = command or [name for name in ("nano", "vim", "vi") if shutil.which(name)][:1]
    if not command:
        raise UsageError("there is no editor to open", hint=HINT)
    return command


def run_editor(file: Path) -> None:
    """Open *file* in the editor and wait. Raises UsageError if there is none or it fails."""
    command = editor_command()
    try:
        status = subprocess.run([*command, str(file)], check=False).returncode
    except (OSError, ValueError) as exc:
        raise _cannot_start(command, exc) from exc
    if status != 0:
        raise UsageError(f"the editor {command[0]} ended with status {status}", hint=f"the file is {file}")


def _cannot_start(command: list[str], exc: OSError | ValueError) -> UsageError:
    reason = exc.strerror if isinstance(exc, OSError) else None
    return UsageError(f"cannot start the editor {command[0]}: {reason or exc}", hint=HINT)


async def edit(text: str) -> str:
    """*text* as it comes back from the editor, without its last newline. The terminal is the editor's meanwhile.

    The event loop goes on: an answer that streams is received. Raises UsageError; the text is then as it was. A
    cancellation ends the editor.
    """
    file = await asyncio.to_thread(_written, text)
    try:
        await _run(file)
        return await asyncio.to_thread(_read, file)
    finally:
        file.unlink(missing_ok=True)


def _written(text: str) -> Path:
    try:
        folder = paths.private_dir(paths.cache_dir())
        fd, name = tempfile.mkstemp(".md", "prompt-", folder)  # 0600
        with os.fdopen(fd, "wb") as opened:
            opened.write(text.encode("utf-8", "surrogatepass"))
    except OSError as exc:
        raise UsageError(
            f"can't make a file for the editor: {exc.strerror or exc}", hint="make room, or check the cache folder"
        ) from exc
    return Path(name)


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\n")
    except OSError as exc:
        raise UsageError(f"can't read {file}: {exc.strerror or exc}", hint="the prompt is as it was") from exc


async def _run(file: Path) -> None:
    command = editor_command()
    with _terminal_as_it_was() as ended, _deaf() as entirely:
        try:
            process = await asyncio.create_subprocess_exec(*command, str(file))
        except (OSError, ValueError) as exc:
            raise _cannot_start(command, exc) from exc
        entirely()
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            await asyncio.shield(_end(process))
            raise
        finally:
            ended(process.returncode)
    if status < 0:
        raise UsageError(f"the editor {command[0]} was killed by signal {-status}", hint="the prompt is as it was")
    if status != 0:
        raise UsageError(f"the editor {command[0]} ended with status {status}", hint="the prompt is as it was")


async def _end(process: asyncio.subprocess.Process) -> None:
    for stop in (process.terminate, process.kill):
        try:
            stop()
            await asyncio.wait_for(process.wait(), _GRACE)
        except ProcessLookupError:
            return
        except TimeoutError:
            continue
        return


@contextmanager
def _deaf() -> Iterator[Callable[[], None]]:
    """What Ctrl+C and Ctrl+\\ send to everybody at the terminal is meant for the editor alone.

    A child would inherit that a signal is ignored, but no handler: so one that does nothing stands there until the
    child has begun. Then what is given is called, for the event loop hears of a signal with any handler.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGQUIT)}

    def answer(how: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
        for sign in before:
            signal.signal(sign, how)

    answer(lambda *_: None)
    try:
        yield lambda: answer(signal.SIG_IGN)
    finally:
        for sign, handler in before.items():
            if handler is not None:
                signal.signal(sign, handler)


@contextmanager
def _terminal_as_it_was() -> Iterator[Callable[[int | None], None]]:
    """The line's settings are the same before and after, whatever the editor did or left undone.

    What is given is told how it ended: one that was killed has not said goodbye to the terminal.
    """
    try:
        saved = termios.tcgetattr(0)
    except (termios.error, OSError):
        saved = None
    ends: list[int | None] = []
    try:
        yield ends.append
    finally:
        if saved is not None:
            try:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
                if any(end is None or end < 0 for end in ends):
                    Path("/dev/tty").write_bytes(_AFTER_A_CRASH)
            except (termios.error, OSError):
                pass  # the terminal is gone
