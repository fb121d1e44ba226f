"""What of a message may become an argument: a small model chooses among what was said, it makes nothing up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from coda_cli.engine.core.ports import ToolSpec
from coda_cli.engine.tools.grammar import Choice, Field, Kind

_PATHS: Final = frozenset({"path", "file", "filename", "file_path", "folder", "directory", "dir", "root"})
_EXPRESSIONS: Final = frozenset({"expression", "formula", "calculation"})
_COMMANDS: Final = frozenset({"command", "cmd", "code"})
_URLS: Final = frozenset({"url", "uri", "link", "address"})
_PATTERNS: Final = frozenset({"pattern", "glob"})
_ZONES: Final = frozenset({"timezone", "time_zone", "tz", "zone"})

_QUOTED: Final = re.compile(r"`([^`\n]+)`|\"([^\"\n]+)\"|(?<!\w)'([^'\n]+)'(?!\w)")
_GLOB: Final = re.compile(r"[\w./-]*\*[\w./*-]*")
_URL: Final = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)]")
_PATH: Final = re.compile(
    r"(?<![\w/.~-])(?:~?/|\.{1,2}/)?[\w-][\w.-]*(?:/[\w.-]+)+/?|(?<![\w/])(?:~|\.{1,2})?/[\w.-]+|(?<![\w.])[\w-]+\.[A-Za-z]\w{0,7}\b"
)
_FOLDERS: Final = (
    re.compile(r"\b(?:folder|directory|dir)\s+(?:called\s+|named\s+)?([\w./-]*\w)", re.IGNORECASE),
    re.compile(r"([\w./-]*\w)\s+(?:folder|directory|dir)\b", re.IGNORECASE),
    re.compile(r"^\s*(?:ls|dir)\s+([\w./~-]+)", re.IGNORECASE),
    re.compile(
        r"\bfiles\s+(?:are\s+|there\s+)*(?:in|under|inside)\s+(?:the\s+)?([\w./~-]*\w)",
        re.IGNORECASE,
    ),
    re.compile(r"(?<![\w/.])((?:[\w.-]*\w/)+)(?![\w/.])"),
)
_NO_FOLDER: Final = frozenset({
    *("a", "an", "and", "any", "contain", "contains", "current", "each", "every", "exist", "for", "has", "have"),
    *("here", "home", "in", "is", "list", "me", "my", "of", "open", "our", "please", "same", "show", "that", "the"),
    *("there", "this", "to", "what", "which", "with", "working", "your"),
})  # fmt: skip
_ARITHMETIC: Final = re.compile(
    r"(?<![\w.])[(\s-]*\d[\d.,]*%?(?:\s*(?:\*\*|//|[-+*/^%×÷x])\s*[(\s-]*\d[\d.,]*%?[)\s]*)+(?![\w])"
)
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")
_WORDS: Final = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "ninety": 90,
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
}
_AFTER_RUN: Final = re.compile(
    r"\b(?:run|execute)\s+(?:the\s+)?(?:command\s+)?(?::\s*)?(.{1,160}?)[.?!]?$", re.IGNORECASE
)
_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)\s+of\s+(\d[\d,]*(?:\.\d+)?)", re.IGNORECASE)
_FILLER: Final = re.compile(
    r"(?:what'?s|what|is|how much|calculate|compute|work out|evaluate|solve|please|tell me|the (?:value|result) of|"
    r"can you|of|[=?.,:!]|\s)*",
    re.IGNORECASE,
)
_PLACE: Final = re.compile(r"\b(?:in|at|for)\s+(?:the\s+)?([A-Z]\w+)")
_COUNTRIES: Final = {
    "japan": "Asia/Tokyo", "india": "Asia/Kolkata", "china": "Asia/Shanghai", "beijing": "Asia/Shanghai",
    "korea": "Asia/Seoul", "germany": "Europe/Berlin", "munich": "Europe/Berlin", "france": "Europe/Paris",
    "spain": "Europe/Madrid", "italy": "Europe/Rome", "england": "Europe/London", "uk": "Europe/London",
    "portugal": "Europe/Lisbon", "austria": "Europe/Vienna", "switzerland": "Europe/Zurich",
    "netherlands": "Europe/Amsterdam", "poland": "Europe/Warsaw", "greece": "Europe/Athens",
    "sweden": "Europe/Stockholm", "norway": "Europe/Oslo", "denmark": "Europe/Copenhagen", "egypt": "Africa/Cairo",
    "turkey": "Europe/Istanbul", "ukraine": "Europe/Kyiv", "russia": "Europe/Moscow", "thailand": "Asia/Bangkok",
    "washington": "America/New_York", "boston": "America/New_York", "miami": "America/New_York",
    "san francisco": "America/Los_Angeles", "seattle": "America/Los_Angeles", "california": "America/Los_Angeles",
    "utc": "UTC", "gmt": "UTC",
}  # fmt: skip


def choice(spec: ToolSpec, message: str) -> Choice | None:
    """How *spec* may be called for *message*; None where something that it must be told is not in the message."""
    properties = spec.parameters.get("properties")
    required = spec.parameters.get("required") or ()
    fields: list[Field] = []
    for name, schema in (properties if isinstance(properties, Mapping) else {}).items():
        made = _field(spec.name, name, schema if isinstance(schema, Mapping) else {}, message, name in required)
        if made is not None:
            fields.append(made)
        elif name in required:
            return None
    return Choice(spec.name, tuple(sorted(fields, key=lambda field: not field.required)))


def grounded(made: Choice, arguments: Mapping[str, Any], message: str) -> dict[str, Any] | None:
    """*arguments* without what was not said in *message*; None where that was required."""
    said = _plain(message)
    kept = dict(arguments)
    for field in made.fields:
        value = kept.get(field.name)
        if field.values or field.name not in kept or not isinstance(value, str):
            continue
        if field.name in _ZONES:
            sound = value in _all_zones()
        elif field.name in _EXPRESSIONS:
            numbers = set(_numbers(message))
            sound = all(number in numbers for number in _numbers(value))
        else:
            sound = f" {_plain(value)} " in f" {said} "
        if not sound:
            if field.required:
                return None
            del kept[field.name]
    return kept


def _field(tool: str, name: str, schema: Mapping[str, Any], message: str, required: bool) -> Field | None:
    if "enum" in schema:
        return Field(name, required, values=tuple(json.dumps(value) for value in schema["enum"]))
    match _type(schema):
        case "integer" | "number" as kind:
            return _number_field(name, schema, message, required, kind)
        case "boolean":
            values = ("true", "false") if required or name.lower() in message.lower() else ()
            return Field(name, required, values=values) if values else None
        case "string":
            return _text_field(tool, name, message, required)
        case _:
            return None


def _type(schema: Mapping[str, Any]) -> str:
    """The one type that *schema* allows beside null; "" where there are more."""
    several = schema.get("anyOf") or schema.get("oneOf")
    kinds = [one.get("type") for one in several] if several else schema.get("type")
    listed = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind != "null"]
    return str(listed[0]) if len(listed) == 1 else ""


def _number_field(name: str, schema: Mapping[str, Any], message: str, required: bool, kind: Kind) -> Field | None:
    said = [number for number in _numbers(message) if kind == "number" or number == int(number)]
    if re.search(r"\b(?:dice|die)\b", message, re.IGNORECASE):
        said += [1, 6]
    said += [float(sides) for sides in re.findall(r"\bd(\d{1,4})\b", message)]
    if name == "days":
        said += [days for word, days in (("tomorrow", 1), ("yesterday", -1)) if word in message.lower()]
    if not said:
        return None if not required else Field(name, required, kind)
    default = schema.get("default")
    usual = [0, 1, *([default] if isinstance(default, int | float) and not isinstance(default, bool) else [])]
    return Field(name, required, kind, tuple(dict.fromkeys(_json(number) for number in [*said, *usual])))


def _text_field(tool: str, name: str, message: str, required: bool) -> Field | None:
    if name in _ZONES:
        if zones := list(_zones(message)):
            return Field(name, True, values=tuple(map(json.dumps, zones)))
        # a place that the table of zones does not name: the model may know its zone, and the result will tell which
        return Field(name, True) if _PLACE.search(message) else None
    found = _found(tool, name, message)
    if found is None:
        return Field(name, True) if required else None
    if not found:
        return None
    return Field(name, True, values=tuple(json.dumps(text, ensure_ascii=False) for text in dict.fromkeys(found)))


def _found(tool: str, name: str, message: str) -> list[str] | None:
    """What in *message* can be the argument *name*; None where that can't be told by looking."""
    quoted = [next(filter(None, found.groups())) for found in _QUOTED.finditer(message)]
    if name in _URLS:
        return _URL.findall(message)
    if name in _PATHS:
        return _paths(message, quoted, only_files=tool == "read_file")
    if name in _COMMANDS:
        after = _AFTER_RUN.search(message)
        return quoted or ([after[1].strip()] if after else [])
    if name in _EXPRESSIONS:
        span = _arithmetic(message)
        return None if span is None else [span[1]]
    if name in _PATTERNS:
        return quoted or _GLOB.findall(message)
    return quoted or None


def _paths(message: str, quoted: list[str], *, only_files: bool) -> list[str]:
    plain = _URL.sub(" ", message)
    found = [text for text in quoted if " " not in text or "/" in text or "." in text]
    found += [match[0].rstrip(".") for match in _PATH.finditer(plain)]
    if only_files:
        return found
    words = [match[1] for form in _FOLDERS for match in form.finditer(plain)]
    found += [word for word in words if word.lower() not in _NO_FOLDER]
    if not found and re.search(r"\b(?:here|this|current|working)\b", message, re.IGNORECASE):
        found.append(".")
    return found


def only_arithmetic(message: str) -> str | None:
    """The expression, where *message* is one and nothing else, such as "what's 2+2?"; no model need judge that."""
    span = _arithmetic(message)
    return span[1] if span is not None and _FILLER.fullmatch(message.replace(span[0], " ")) else None


def _arithmetic(message: str) -> tuple[str, str] | None:
    """The longest arithmetic in *message*, as it stands there and as a calculator reads it."""
    spans = [(found[0], _expression(found[0].strip())) for found in _ARITHMETIC.finditer(message)]
    spans += [(found[0], f"{found[2].replace(',', '')} * {found[1]} / 100") for found in _PERCENT.finditer(message)]
    return max(spans, key=lambda span: len(span[0]), default=None)


def _expression(span: str) -> str:
    """An arithmetic span as a calculator reads it: `3 x 4` is `3 * 4`, `1,000` is `1000`."""
    text = re.sub(r"(?<=[\d)])\s*[x×]\s*(?=[\d(-])", " * ", span).replace("÷", "/").replace("^", "**")
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    while text.count(")") > text.count("(") and text.endswith(")"):
        text = text[:-1]
    return text.strip(" ,.")


def _numbers(text: str) -> list[float]:
    text = _PATH.sub(" ", text)
    found: list[float] = [float(match[0].replace(",", "")) for match in _NUMBER.finditer(text)]
    found += [abs(number) for number in found if number < 0]
    return found + [float(_WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in _WORDS]


def _json(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _zones(message: str) -> Iterator[str]:
    """The time zones of the places that *message* names."""
    said = f" {_plain(message)} "
    for place, zone in _COUNTRIES.items():
        if f" {place} " in said:
            yield zone
    for zone in sorted(_all_zones()):
        city = zone.rpartition("/")[2].replace("_", " ").lower()
        named = len(city) > 3 and not zone.startswith("Etc/") and f" {city} " in said
        if "/" in zone and (named or zone in message):
            yield zone


def _all_zones() -> set[str]:
    from zoneinfo import available_timezones  # not before a message asks for a time

    return available_timezones()


def _plain(text: str) -> str:
    """Lower case, words only: for looking whether something was said."""
    return " ".join(re.findall(r"\w+", text.lower()))
