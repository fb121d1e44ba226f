"""Gets the headless Chromium that the tests of the page need, where there is none: `python -m tests.fetch_browser`.

Debian's own package, by apt-get, which needs root. Elsewhere install Chromium or Chrome by hand.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Final

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGE: Final = "chromium-headless-shell"


def chromium() -> str | None:
    """The program, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def main() -> int:
    """Install it unless it is here."""
    if chromium() is not None:
        return 0
    if shutil.which("apt-get") is None:
        print("install Chromium or Chrome, so that one of these is found:", ", ".join(NAMES), file=sys.stderr)
        return 1
    quiet = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    for command in ([*quiet, "update"], [*quiet, "install", "-y", "--no-install-recommends", _PACKAGE]):
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        if done.returncode:
            return done.returncode
    return 0 if chromium() is not None else 1


if __name__ == "__main__":
    raise SystemExit(main())
