"""`python -m tests.fetch_weights`: fetch the weights that the tests run, once. Does nothing if they are there."""

from __future__ import annotations

import os
import sys

from tests.weights import smollm2_path, weights_home


def main() -> int:
    """Fetch by the program's own code, and link the file into the folder of test weights."""
    from coda_cli.engine.core.errors import CodaError
    from coda_cli.engine.providers.local import weights

    home = weights_home()
    home.mkdir(parents=True, exist_ok=True)
    target = home / weights.DEFAULT.file
    os.environ["CODA_HOME"] = str(home / "home")
    try:
        if not weights.is_sound(target):
            weights.ensure_default().replace(target)
    except CodaError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return 1
    print(smollm2_path())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
