"""Writes docs/events.schema.json and the tables in docs/events.md: `python docs/events.py`, in a checkout."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from coda_cli.engine.core.event_schema import Schema, event_schema

PAGE: Final = Path(__file__).parent / "events.md"
SCHEMA: Final = Path(__file__).parent / "events.schema.json"
SHARED: Final = ("type", "seq", "time", "conversation_id")


def main() -> None:
    """Write them."""
    made = event_schema()
    SCHEMA.write_text(exported(made), "utf-8")
    PAGE.write_text(written(PAGE.read_text("utf-8"), made), "utf-8")


def exported(schema: Schema) -> str:
    """The schema as the file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def written(page: str, schema: Schema) -> str:
    """*page* with the tables as they are now."""
    for name, lines in (("events", events(schema)), ("parts", parts(schema))):
        table = "\n".join([*lines, ""])
        page = re.sub(
            rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)",
            lambda found, table=table: f"{found[1]}{table}\n{found[2]}",  # type: ignore[misc]  # bound at once
            page,
            flags=re.DOTALL,
        )
    return page


def _kinds(schema: Schema) -> list[str]:
    return [one["$ref"].rpartition("/")[2] for one in schema["oneOf"]]


def events(schema: Schema) -> Iterator[str]:
    """A table for each event: its own fields."""
    for name in _kinds(schema):
        yield from _table(schema["$defs"][name], schema["$defs"][name]["properties"]["type"]["const"], name)


def parts(schema: Schema) -> Iterator[str]:
    """A table for each object that stands inside events."""
    kinds = _kinds(schema)
    for name, one in schema["$defs"].items():
        if name not in kinds:
            yield from _table(one, name, "")


def _table(one: Schema, title: str, name: str) -> Iterator[str]:
    yield from ("", f"### `{title}`" + (f" (`{name}`)" if name else ""), "", _escaped(one["description"]))
    own = {field: shape for field, shape in one["properties"].items() if not name or field not in SHARED}
    if own:
        yield from ("", "| Field | | |", "|---|---|---|")
        for field, shape in own.items():
            yield f"| `{field}` | {_kind(shape)} | {_escaped(shape.get('description', ''))} |"


def _kind(shape: dict[str, Any]) -> str:
    """What a field holds, in a few words."""
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in shape:
        return ", ".join(f"`{one}`" for one in shape["enum"])
    kinds = shape.get("type", "any")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds == ["array"]:
        return f"list of {_kind(shape['items'])}"
    return " or ".join(kinds)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
