"""docs/prompts.md: its persona loads, its Python runs, its tables and sentences are those of the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from coda_cli import PersonalityManager
from coda_cli.engine.personality.feedback import wishes
from coda_cli.engine.personality.persona import parse_persona
from coda_cli.engine.personality.traits import TRAITS, sentences

PAGE = (Path(__file__).parents[2] / "docs" / "prompts.md").read_text("utf-8")


def test_the_persona_of_the_page_loads() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    persona = parse_persona(block, Path("captain.toml"))
    assert (persona.temperature, persona.traits["humour"]) == (0.8, 0.8)


async def test_the_python_runs_as_printed() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    space: dict[str, Any] = {}
    exec(block, space)
    made = await space["main"]()
    assert made.startswith("You are a helpful assistant\n\nYou edit a writer's text.")
    assert "| - technical" in made


def test_the_table_of_personas_is_what_comes_along() -> None:
    table = PAGE.partition("| Persona | |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE) == PersonalityManager().names()


def test_the_table_of_traits_is_what_a_model_is_told() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| (.*?) \| (.*?) \|$", PAGE.partition("| Trait |")[2], re.MULTILINE)
    assert rows == [(name, *sentences({name: 0.2}), *sentences({name: 0.8})) for name in TRAITS]


def test_every_sentence_that_the_page_quotes_is_heard() -> None:
    quoted = re.findall(r'"([^"]+)"', PAGE.partition("## It adapts")[2].partition("It\nholds")[0])
    assert len(quoted) == 9
    assert [text for text in quoted if not wishes(" ".join(text.split()))] == []
