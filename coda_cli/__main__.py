"""The entry point `coda`. `--version` is answered before anything heavy is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; leaves through SystemExit."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from coda_cli import __version__

        print(f"coda {__version__}")
        return
    from coda_cli.cli.app import run

    raise SystemExit(run(arguments))


if __name__ == "__main__":
    main()
