"""docs/chat.md lists the keys that are bound and the commands that exist."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import cast

from coda_cli.settings.key_names import ACTIONS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_tables_of_keys_and_commands_are_those_of_the_program() -> None:
    written = cast("Callable[[str], str]", runpy.run_path(str(DOCS / "keys.py"))["written"])
    page = (DOCS / "chat.md").read_text("utf-8")
    assert written(page) == page, "bring it up to date: python docs/keys.py"
    assert "`Ctrl+F`" in page
    assert "`/help" in page


def test_the_example_names_every_action() -> None:
    named = cast("Callable[[str], str]", runpy.run_path(str(DOCS / "keys.py"))["named"])
    example = (DOCS.parent / "coda.toml.example").read_text("utf-8")
    assert named(example) == example, "bring it up to date: python docs/keys.py"
    assert all(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", example) for name in ACTIONS)
