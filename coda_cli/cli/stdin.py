"""Reading stdin for `coda ask`: all of a pipe or file, nothing of a terminal or /dev/null, never silently for long."""

from __future__ import annotations

import os
import select
import time
from typing import Final

from coda_cli.cli.attachments import MAX_TEXT_BYTES, decode, media_type
from coda_cli.cli.output import say
from coda_cli.engine.core.errors import LLMTimeoutError, UsageError

SILENCE: Final = 3.0
"""Seconds without a byte after which a line on stderr says what is being waited for."""


def read_stdin(deadline: float | None, fd: int = 0) -> str:
    """All of stdin as text. *deadline* is monotonic seconds. Raises UsageError (binary, too much), LLMTimeoutError."""
    chunks: list[bytes] = []
    size = 0
    told = False
    while True:
        seconds = None if told or chunks else SILENCE
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LLMTimeoutError("stdin did not end within --timeout", hint="close the pipe, or use --no-stdin")
            seconds = left if seconds is None else min(seconds, left)
        if not select.select([fd], [], [], seconds)[0]:
            if seconds == SILENCE:
                told = True
                say("reading stdin, which is open and silent; press Ctrl-D or use --no-stdin if nothing will come")
            continue
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_TEXT_BYTES:
            raise UsageError(
                f"stdin holds more than {MAX_TEXT_BYTES // 1024 // 1024} MiB of text",
                hint="cut out the part that matters, e.g. with head, tail or grep",
            )
    data = b"".join(chunks)
    text = decode(data, "stdin")
    if text is None:
        hint = "attach it with -a -" if media_type(data[:12]) else "only UTF-8 text can go into the prompt"
        raise UsageError("stdin is not text", hint=hint)
    return text
