"""Which tools a message may need, by its words; and the turns that show a small model how to choose one.

The recipe is measured: a small model that is merely given tools calls one for nearly everything. Few candidates, the
way out told first, and as many turns that need no tool as turns that do, keep it from that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from coda_cli.engine.core.messages import LLMMessage, assistant, system, user
from coda_cli.engine.core.ports import ToolSpec
from coda_cli.engine.tools.grammar import ANSWER, Choice
from coda_cli.engine.tools.grounding import choice

LONGEST: Final = 1000
"""Characters of a message that is looked at; a longer one is a text to work on, not a request for a tool."""

_MOST: Final = 4  # candidates at once
_TURNS: Final = 10  # of each sort


class _Hint(Struct, frozen=True):
    """What calls for a tool (`words`), turns that use it (with its arguments, in order), and turns that do not."""

    words: re.Pattern[str]
    uses: tuple[tuple[str, tuple[object, ...]], ...] = ()
    others: tuple[str, ...] = ()


def _hint(words: str, uses: Sequence[tuple[str, tuple[object, ...]]] = (), others: Sequence[str] = ()) -> _Hint:
    return _Hint(re.compile(words, re.IGNORECASE), tuple(uses), tuple(others))


_DIGITS: Final = r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|hundred|dozen)\b"
_HINTS: Final = {
    "get_time": _hint(
        r"\btime\b|\bo'?clock\b|\bclock\b|\bhow late\b|\bhour\b",
        [
            ("What time is it?", ()),
            ("Tell me the time in Lima, please", ("America/Lima",)),
            ("Could you say how late it is in Rome?", ("Europe/Rome",)),
            ("Can you say what time it is?", ()),
            ("Have you got the time?", ()),
        ],
        ["How does a clock work?", "Is time travel possible?", "What time do shops open?"],
    ),
    "get_date": _hint(
        r"\bdate\b|\btoday\b|\bday\b|\bmonth\b|\byear\b|\bweekday\b|\btomorrow\b|\byesterday\b",
        [("What is today's date?", ()), ("Which day of the week is it?", ()), ("The date tomorrow?", (1,))],
        ["What is a leap year?", "When was the Battle of Hastings?"],
    ),
    "calculator": _hint(
        rf"(?:{_DIGITS}).*(?:[-+*/^×÷%]|\b(?:x|plus|minus|times|divided|multipl\w+|percent|squared?|cubed|power|sum|"
        rf"root|add|subtract|modulo|product|difference|half|total|by|less)\b)|\b(?:calculate|compute|sum|root|"
        rf"product|add|half|difference|divide|multiply|subtract)\b.*(?:{_DIGITS})",
        [
            ("What is 12 * 7?", ("12 * 7",)),
            ("How much is 15 percent of 80?", ("80 * 15 / 100",)),
            ("Add 4 and 9", ("4 + 9",)),
            ("What's 5% of 60?", ("60 * 5 / 100",)),
            ("8 bags with 6 apples each, how many apples?", ("8 * 6",)),
            ("The square root of 81?", ("sqrt(81)",)),
        ],
        ["Why is 7 a prime number?", "Who invented the number 0?", "Name 3 famous mathematicians"],
    ),
    "random_number": _hint(
        r"\brandom\b|\b(?:dice|die|d\d+|roll)\b|\b(?:pick|choose|draw)\b.*\bnumbers?\b|\bnumbers? (?:between|from)\b",
        [
            ("Give me a random number between 5 and 50", (5, 50)),
            ("Roll a die", (1, 6)),
            ("Draw two random numbers from 3 to 8", (3, 8, 2)),
            ("Pick a number from 2 to 9 for me", (2, 9)),
            ("Throw a d12", (1, 12)),
        ],
        ["What is a random variable?", "Are dice games gambling?", "How random is the stock market?"],
    ),
    "generate_uuid": _hint(r"\buuids?\b|\bguid\b|\bunique id", [("Make a UUID", ())], ["What is a UUID made of?"]),
    "timestamp": _hint(
        r"\btimestamp\b|\bunix time\b|\bepoch\b",
        [("Give me the Unix timestamp", ())],
        ["Why does Unix time start in 1970?"],
    ),
    "read_file": _hint(
        r"",  # that a file is named says enough
        [
            ("What is in log.md?", ("log.md",)),
            ("Read src/app.py to me", ("src/app.py",)),
            ("Who is the author, according to paper.txt?", ("paper.txt",)),
            ("Which host is set in server.ini?", ("server.ini",)),
        ],
        ["What is a .toml file?", "How do I open a file in Python?", "What is setup.py for?"],
    ),
    "list_files": _hint(
        r"\bfiles\b|\bfolder\b|\bdirectory\b|^(?:ls|dir)\b|\w/(?![\w/])|\blist(?:ing)?\b.*\b(?:file|here)\b",
        [
            ("Which files are here?", (".",)),
            ("List the files in photos", ("photos",)),
            ("ls lib", ("lib",)),
            ("Does the music folder have files?", ("music",)),
            ("What is inside photos/?", ("photos/",)),
        ],
        ["What is a directory tree?", "How do I list files in Python?", "What is a folder for?"],
    ),
    "search_files": _hint(r"\b(?:search|find|grep|where|contain\w*)\b.*\b(?:files?|folder|code|project)\b"),
    "write_file": _hint(r"\b(?:write|save|create|store)\b.*\b(?:file|to|into|as)\b"),
    "run_command": _hint(r"\b(?:run|execute)\b"),
    "run_python": _hint(r"\b(?:run|execute)\b"),
    "fetch_url": _hint(r"https?://"),
}
_OTHERS: Final = (
    "Hello!",
    "What is the capital of Peru?",
    "Write a short poem about rain",
    "Explain recursion in one sentence",
    "Thank you, that helps",
    "Who wrote Hamlet?",
    "Translate 'good morning' into Spanish",
    "Which is bigger, the sun or the moon?",
    "Why is the sky blue?",
)
_STOP: Final = frozenset({
    *("the", "and", "for", "with", "from", "into", "this", "that", "get", "set", "make", "use", "tool", "file", "text"),
    *("your", "its", "one", "all"),
})  # fmt: skip
_ABOUT: Final = re.compile(
    r"^\s*(?:how (?:do|does|can|could|would|should|to)|explain)\b|"
    r"\b(?:write|create|need|want)\b.*\b(?:code|script|function|program|class|poem|story|essay|song|haiku)\b|"
    r"\bin (?:python|java|javascript|bash|rust|go|c)\b\W*$",
    re.IGNORECASE,
)
"""Messages that speak about a thing instead of asking for it."""


def candidates(specs: Sequence[ToolSpec], message: str) -> list[Choice]:
    """The tools that *message* may need, and how they may be called for it; the likeliest first."""
    if len(message) > LONGEST or _ABOUT.search(message):
        return []
    scored = [(score, spec) for spec in specs if (score := _score(spec, message))]
    scored.sort(key=lambda pair: -pair[0])
    made = (choice(spec, message) for _, spec in scored)
    return [one for one in made if one is not None][:_MOST]


def _score(spec: ToolSpec, message: str) -> int:
    hint = _HINTS.get(spec.name)
    if hint is not None:
        return 3 if hint.words.search(message) else 0
    said = set(_stems(message))
    named = sum(word in said for word in dict.fromkeys(_stems(spec.name.replace("_", " "))))
    told = sum(word in said for word in dict.fromkeys(_stems(spec.description)))
    return 2 * named + told if named or told > 1 else 0


def _stems(text: str) -> Iterator[str]:
    for word in re.findall(r"[^\W\d_]{3,}", text.lower()):
        if word not in _STOP:
            yield re.sub(r"(?:ies|es|s|ing|ed)$", "", word) if len(word) > 4 else word


def clauses(message: str) -> list[str]:
    """The parts of *message* that may each ask for something of their own."""
    parts = re.split(r"(?<=[?!;])\s+|(?<=[a-z]\.)\s+|,?\s+(?:and|then)\s+(?=[a-z']{2,}\b)", message.strip())
    return [part for part in parts if part.strip()]


def prompt(specs: Sequence[ToolSpec], choices: Sequence[Choice], message: str) -> list[LLMMessage]:
    """The turns that ask which of *choices* (out of *specs*) *message* needs."""
    told = {spec.name: spec for spec in specs}
    lines = [
        "Decide which tool the message needs. Reply with one line and nothing else:",
        f"{ANSWER}: the message needs no tool. If unsure, choose {ANSWER}.",
    ]
    for one in choices:
        # nothing here depends on the message: the engine keeps what it has read for the next one
        arguments = ", ".join(told[one.name].parameters.get("properties") or ())
        first = " ".join(told[one.name].description.split()).split(". ")[0].rstrip(".")
        lines.append(f"{one.name} {{{arguments}}}: {first[:160]}.")
    turns = [system("\n".join(lines))]
    for question, reply in _shown([told[one.name] for one in choices]):
        turns += [user(question), assistant(reply)]
    return [*turns, user(message)]


def _shown(specs: Sequence[ToolSpec]) -> list[tuple[str, str]]:
    """Turns to learn from: uses of the candidates, and as many messages that need no tool, in turn."""
    hints = [(spec, hint) for spec in specs if (hint := _HINTS.get(spec.name)) is not None]
    uses = [(question, _written(spec, values)) for spec, hint in hints for question, values in hint.uses][:_TURNS]
    plain = [(question, ANSWER) for _, hint in hints for question in hint.others]
    plain += [(question, ANSWER) for question in _OTHERS]
    out: list[tuple[str, str]] = []
    for number, other in enumerate(plain[: max(len(uses), 4)]):
        out += [other, *uses[number : number + 1]]
    return out


def _written(spec: ToolSpec, values: Sequence[object]) -> str:
    """A call of *spec* with *values* for its first arguments, as the model is to write it."""
    properties = spec.parameters.get("properties") or {}
    return f"{spec.name} {json.dumps(dict(zip(properties, values, strict=False)), ensure_ascii=False)}"
