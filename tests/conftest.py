"""Every test starts with no key, no host and no folder of the person who runs it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of the program.
settings.register_profile("coda", deadline=None)
settings.load_profile("coda")

# A shell starts what runs behind it deaf to Ctrl-C, and every program that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_PREFIXES = ("CODA_", "OPENAI_", "ANTHROPIC_", "OLLAMA_", "HF_", "PIP_", "UV_")
_KEPT = ("CODA_TEST_", "PIP_", "UV_")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_PREFIXES) and not name.startswith(_KEPT):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "CLICOLOR_FORCE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CODA_HOME", str(tmp_path / "coda-home"))
    return
