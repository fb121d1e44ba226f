"""The real weights that some tests run: where they lie, and what to do if they do not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SMALL: Final = "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf"
"""What `python -m tests.fetch_small_model` fetches: for a bench, no test needs it."""


def weights_home() -> Path:
    """The folder that keeps test weights between runs: `CODA_TEST_WEIGHTS`, else `~/.cache/coda-tests`."""
    named = os.environ.get("CODA_TEST_WEIGHTS")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "coda-tests"


def smollm2_path() -> Path:
    """The built-in model's file. AssertionError names the command that fetches it."""
    from coda_cli.engine.providers.local.weights import DEFAULT

    path = weights_home() / DEFAULT.file
    if not path.is_file() or path.stat().st_size != DEFAULT.size:
        raise AssertionError(f"{path} is missing: run `python -m tests.fetch_weights` once, with a network connection")
    return path
