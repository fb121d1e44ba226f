"""What every command runs in: what a person can cause ends in a message and an exit code, never in a traceback."""

from __future__ import annotations

from collections.abc import Callable

from coda_cli.cli.output import EXIT_INTERRUPTED, is_write_failure, report, write_failed
from coda_cli.engine.core.errors import CodaError


def guarded(command: Callable[[], object]) -> int:
    """Run *command*; returns its exit code, or that of the error it ended with."""
    try:
        code = command()
        return code if isinstance(code, int) else 0
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except CodaError as error:
        return report(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:
        if not is_write_failure(error):
            raise
        return write_failed(error)
