"""The entry point `coda`. `--version` is answered before anything heavy is imported."""

from __future__ import annotations

import sys

if __name__ == "__main__" and __spec__ is not None and not sys.flags.safe_path:
    # `python -m` looks for modules in the working folder first. It may be a stranger's: nothing there is ours to run.
    del sys.path[0]

import gc
import os


def main() -> None:
    """Run the command line; leaves through SystemExit."""
    _open_streams()
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from coda_cli import __version__

        try:
            print(f"coda {__version__}", flush=True)
        except OSError as error:
            from coda_cli.cli.output import write_failed

            raise SystemExit(write_failed(error)) from None
        return
    code = None
    if arguments[:1] not in ([], ["chat"]):
        # What is imported lives to the end: looking through it again and again is a tenth of the time to the answer.
        gc.set_threshold(50_000, 20, 100)
    if arguments[:1] in ([], ["chat"], ["ask"]):
        from coda_cli.cli.quick import at_once

        code = at_once(arguments)
    if code is None:
        from coda_cli.cli.app import run

        code = run(arguments)
    # Nobody wants the memory back: at its end Python would go through every object, which takes 50 ms and more.
    gc.freeze()
    raise SystemExit(code)


def _open_streams() -> None:
    """Put /dev/null where the caller closed stdin, stdout or stderr.

    Otherwise the next file or connection gets that number, and what is meant for a person is written into it.
    """
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            # Gets the lowest free number, which is this one. Writing to stdout fails: a lost answer is told.
            os.open(os.devnull, os.O_WRONLY if fd == 2 else os.O_RDONLY)
        if getattr(sys, name) is None:
            mode = "w" if fd else "r"
            setattr(sys, name, open(fd, mode, encoding="utf-8", errors="replace", closefd=False))  # noqa: SIM115 - a descriptor, open to the end


if __name__ == "__main__":
    main()
