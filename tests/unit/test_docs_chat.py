"""docs/chat.md lists the keys that are bound and the commands that exist."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import cast

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_of_keys_and_commands_are_those_of_the_program() -> None:
    written = cast("Callable[[str], str]", runpy.run_path(str(DOCS / "keys.py"))["written"])
    page = (DOCS / "chat.md").read_text("utf-8")
    assert written(page) == page, "bring it up to date: python docs/keys.py"
    assert "`Ctrl+F`" in page
    assert "`/help" in page
