"""Results of tools as English sentences: for a small model to answer with, and for a person where it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from coda_cli.engine.core.messages import ToolCallPart, ToolResultPart

_CHECKED: Final = 400  # characters of a result that an answer has to repeat
_LINES: Final = 12
_SENTENCES: Final = {
    "get_time": "The time{ in timezone} is {result}",
    "get_date": "The date{ in timezone} is {result}",
    "calculator": "{expression} = {result}",
    "random_number": "The random number is {result}",
    "generate_uuid": "The new UUID is {result}",
    "timestamp": "The Unix timestamp {result}",
    "read_file": "The file {path} contains:\n{result}",
    "list_files": "The folder{ path} contains:\n{result}",
}
_FIELD: Final = re.compile(r"\{( (?:\w+ )?)?(\w+)\}")
_NUMBER: Final = re.compile(r"\d+(?:[.,:-]\d+)*")


def sentence(call: ToolCallPart | None, result: ToolResultPart) -> str:
    """What came of *call*, in words that a model can repeat."""
    text = result.text.strip()
    arguments = _arguments(call)
    if result.is_error:
        return f"I could not use {result.name}: {text}"
    form = _SENTENCES.get(result.name)
    if form is None:
        told = ", ".join(f"{name} {value}" for name, value in arguments.items())
        return f"{result.name}{f' ({told})' if told else ''} gave: {text}"

    def filled(match: re.Match[str]) -> str:
        value = text if match[2] == "result" else str(arguments.get(match[2], ""))
        return f"{match[1] or ''}{value}" if value or not match[1] else ""

    told = _FIELD.sub(filled, form).strip()
    return (
        told.removeprefix("= ") if result.name != "calculator" or "expression" in arguments else f"The result is {text}"
    )


def missing(answer: str, results: Sequence[tuple[ToolCallPart | None, ToolResultPart]]) -> list[str]:
    """The sentences of those *results* whose values *answer* does not repeat. Long ones need not be repeated."""
    said = _plain(answer)
    return [sentence(call, result) for call, result in results if not _repeated(result.text, said)]


def _repeated(text: str, said: str) -> bool:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if len(text) > _CHECKED or len(lines) > _LINES:
        return True
    return all(_in(line, said) for line in lines)


def _in(line: str, said: str) -> bool:
    """Whether *line* was said: word for word, or the first number in it, or all of a list of numbers.

    The mark of an item and what stands in brackets at the end (a size) need not be.
    """
    line = re.sub(r"\s+\([^()]*\)$", "", line.strip()).lstrip("-* ") or line
    if re.search(rf"(?<![\w.]){re.escape(_plain(line))}(?![\w]|[.,]\d)", said):
        return True
    found, spoken = _NUMBER.findall(line), _NUMBER.findall(said)
    if not found or not line[0].isdigit():
        return False
    wanted = found if re.fullmatch(r"[\d\s,]+", line) else [_short(found[0])]
    return all(number in spoken or any(_short(one) == number for one in spoken) for number in wanted)


def _short(number: str) -> str:
    """14:05 for 14:05:09: a person who asks for the time is not told seconds."""
    return number.rpartition(":")[0] if number.count(":") == 2 else number


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[`*]|(?<=\d),(?=\d{3}\b)", "", text).lower().split())


def _arguments(call: ToolCallPart | None) -> Mapping[str, Any]:
    try:
        told = json.loads(call.arguments) if call is not None else {}
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
