"""stdout for what is said, stderr for notes and errors, in the order in which they were written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


class Output:
    """Writes whole pieces at once. Raises BrokenPipeError when stdout has no reader any more."""

    def __init__(self) -> None:
        self._fresh = True  # stdout stands at the beginning of a line

    def put(self, text: str) -> None:
        """Text that is clean already, on stdout."""
        if text:
            self._fresh = text.endswith("\n")
            sys.stdout.write(text)
            sys.stdout.flush()

    def say(self, line: str) -> None:
        """One clean line on stderr, on a line of its own where both are one terminal."""
        self.end_line()
        try:
            print(line, file=sys.stderr, flush=True)
        except OSError:
            return  # nobody can be told that stderr is closed

    def end_line(self) -> None:
        """Let what follows begin on a line of its own."""
        if not self._fresh:
            self.put("\n")

    def flush(self) -> None:
        """Everything is out before a person is asked."""
        self.end_line()
        sys.stdout.flush()

    def terminal(self) -> Callable[[str], None] | None:
        """What writes control characters to the terminal; None where there is none."""
        return self._control if sys.stdout.isatty() else None

    def _control(self, sequence: str) -> None:
        sys.stdout.write(sequence)
        sys.stdout.flush()

    def abandon(self) -> None:
        """stdout has no reader: what Python still holds for it goes nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
