"""What a memory is about, where only one thing can be true at a time: a home, a name, a favourite, a preference.

Two memories of the same subject contradict each other, and the newer one holds. A text of no such subject contradicts
nothing: rather two memories too many than one ended wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from coda_cli.engine.memory.words import first_person, folded, opposite, terms

_PLACE: Final = "\u2191"
"""Before a word that is written with a capital or a digit: a name, not "the backend team" or "constant fear"."""
_LANGUAGE: Final = (
    r"(?:english|german|french|spanish|italian|portuguese|dutch|polish|japanese|chinese|korean|russian|swedish|danish"
    r"|turkish|arabic|hindi)\b"
)
_SCOPE: Final = re.compile(
    r"\b(?:in|for|when|at|with) (?:the |my |our )?(?!general\b|future\b|all\b|every)([\w#+.-]+)\W*$"
)
"""What a preference is limited to: "tabs in Go"."""
_FIXED: Final = (
    (
        "name",
        (
            r"my (?:full |first |real )?name(?: is|'s)\b|ich hei(?:ss|ß)e\b|mein name ist\b|je m'appelle\b"
            r"|mon nom est\b|me llamo\b|mi nombre es\b"
        ),
    ),
    ("called", r"(?:please )?(?:always )?(?:call|address) me\b|nenn(?:e)? mich\b|appelle[- ]moi\b|llamame\b"),
    (
        "home",
        (
            r"(?:i|we)(?:'ve| have)? (?:just |recently |now |currently )*(?:live|moved|relocated)(?: house)?(?: back)?"
            r" (?:to|in|at) "
            + _PLACE
            + r"|(?:i'm|we're|i am|we are) (?:now |currently )?(?:living|based) (?:in|at) "
            + _PLACE
            + r"|my home is in\b"
            r"|(?:i|we)(?:'ve| have) moved\b[^.;]*\b(?:i|we) (?:now )?live (?:at|in|on)\b"
            r"|ich (?:wohne|lebe)(?: jetzt| nun)? in " + _PLACE + r"|ich bin nach \w+ (?:um)?gezogen|j'habite\b"
            r"|j'ai demenage a\b|vivo(?: ahora)? en\b|me mude a\b"
        ),
    ),
    (
        "work",
        (
            r"i(?:'ve| have)? (?:now |currently |just |recently )*(?:(?:work|started(?: working)?) (?:at|for)|joined) "
            + _PLACE
            + r"|i'm (?:now )?(?:employed by|working at|working for) "
            + _PLACE
            + r"|my employer is\b"
            r"|ich arbeite(?: jetzt)? bei " + _PLACE + r"|je travaille chez\b|trabajo en\b"
        ),
    ),
    (
        "age",
        r"i(?:'m| am)(?: now)? \d{1,3}(?: years old)?$|ich bin \d{1,3} jahre alt|j'ai \d{1,3} ans|tengo \d{1,3} anos",
    ),
    (
        "answer length",
        (
            r"(?:please |always |from now on,? )*(?:(?:i|we) (?:really |always |usually |strongly |much |would |'d )*"
            r"(?:prefer|like|want|love)|give me|ich (?:bevorzuge|mag|mochte)|je prefere|prefiero)\b[^,;]*\b"
            r"(?:short|brief|concise|terse|detailed|long|longer|shorter|thorough|in[- ]depth|kurze|ausfuhrliche|courtes"
            r"|detaillees|cortas|detalladas)\w*\b[^,;]*"
            r"\b(?:answer|explanation|repl|response|antwort|erklarung|reponse|explication|respuesta|explicacion)"
        ),
    ),
    (
        "answer language",
        (
            r"(?:please |always |only |from now on,? |you should |you must )*(?:answer|reply|respond|speak|talk|write)"
            r"(?: to)?(?: me)?(?: back)?(?: only| always)? in " + _LANGUAGE + r"$"
            r"|(?:i|we) (?:always |really )?(?:prefer|want|like|would like)[^,;]*\b(?:answers?|replies|responses)"
            r" in " + _LANGUAGE + r"|(?:bitte )?antworte(?: mir)?(?: bitte)?(?: immer)? auf (?:deutsch|englisch)\b"
        ),
    ),
    (
        "indentation",
        r"(?:please |always )*(?:(?:i|we) )?(?:always )?(?:prefer|use|indent(?: with)?) (?:tabs|(?:\w+ )?spaces)\b",
    ),
    (
        "units",
        r"(?:please |always )*(?:(?:i|we) )?(?:always )?(?:prefer|use|want|give me)\b[^,;]*\b(?:metric|imperial)\b",
    ),
    (
        "temperature unit",
        r"(?:please |always )*(?:(?:i|we) )?(?:always )?(?:prefer|use|want|give me)\b[^,;]*\b(?:celsius|fahrenheit)\b",
    ),
    ("clock", r".*\b(?:12|24)[- ]?hours?\b[^,;]*\b(?:clock|time|format)\b"),
)
_COMPILED: Final = tuple((name, re.compile(pattern), "\u2191" in pattern) for name, pattern in _FIXED)
_OWN: Final = re.compile(
    r"(?P<whose>my|our|the|mein|meine|unser|unsere|mon|ma|mi) (?P<what>(?:[\w-]+ ){0,3}?[\w-]+)(?: is| are|'s"
    r"| ist| sind"
    r"| est| es)(?: now| jetzt)? "
    r"(?P<value>(?!in\b|on\b|at\b|not\b|very\b|too\b|going\b|getting\b|with\b|from\b|\w+ing\b).+)"
)
_CAPITAL: Final = re.compile(r"(?<![\w'])(?=[A-Z0-9\u00c0-\u00de])")
"""Where a word with a capital or a digit begins."""
_VALUED: Final = frozenset(
    [
        "favorite",
        "email",
        "mail",
        "phone",
        "number",
        "address",
        "timezone",
        "zone",
        "language",
        "os",
        "deadline",
        "birthday",
        "title",
        "city",
        "country",
        "version",
        "budget",
        "shell",
        "distro",
        "browser",
        "keyboard",
        "port",
        "editor",
        "role",
        "occupation",
        "profession",
        "hometown",
        "codename",
        "linter",
        "formatter",
        "theme",
        "font",
        "license",
        "licence",
        "branch",
        "date",
        "pronouns",
        "diet",
        "anniversary",
        "geburtstag",
        "adresse",
        "telefonnummer",
        "sprache",
        "anniversaire",
        "cumpleanos",
        "direccion",
    ]
)
"""Has one value, whatever word that is."""
_ENTITIES: Final = frozenset(
    [
        "laptop",
        "computer",
        "machine",
        "employer",
        "lead",
        "database",
        "framework",
        "job",
        "school",
        "university",
        "team",
        "manager",
        "boss",
        "wife",
        "husband",
        "partner",
        "car",
        "company",
        "project",
        "chef",
        "arbeitgeber",
    ]
)
"""Is somebody or something: another one only where a name, a number or "a ..." is said of it, not how it is."""
_NAMED: Final = re.compile(r"(?:\u2191|an? |called |named |ein(?:e)? |une? )")
_USE: Final = re.compile(
    r"(?:we|i)(?: now| have decided to| decided to| agreed to|'ll| will)? use [\w .+#-]+? (?:for|as) (?P<for>[\w '-]+)"
)
_LEAD_RAW: Final = re.compile(
    r"(?i)^(?:(?:actually|now|well|so|and|but|no|oh|btw|by the way|fyi|sorry|correction|update|it turns out)[,:. ]+)+"
)


@lru_cache(maxsize=4096)
def subject_of(text: str) -> str | None:
    """What only one memory at a time can be true of, None where there is no such thing in *text*."""
    said = _LEAD_RAW.sub("", first_person(text).replace("’", "'").strip())
    plain = folded(said[:1] + _CAPITAL.sub("\u2191", said[1:]))
    bare = plain.replace("\u2191", "")
    for name, pattern, marks in _COMPILED:
        if pattern.match(plain if marks else bare):
            scope = _SCOPE.search(bare) if name in _SCOPED else None
            return f"{name} in {scope[1]}" if scope is not None else name
    if (found := _OWN.match(plain)) is not None:
        what = found["what"].replace("\u2191", "").replace("favourite", "favorite").replace("colour", "color").split()
        if _VALUED.intersection(what) or (_ENTITIES.intersection(what) and _NAMED.match(found["value"])):
            return f"{'our' if found['whose'] in ('our', 'the') else 'my'} {' '.join(what)}"
    if found := _USE.match(bare):
        return f"use for {found['for'].removeprefix('the ').removeprefix('my ').removeprefix('our ').strip()}"
    return _choice(bare) or _quantity(bare)


def concerned_by(text: str) -> Callable[[str], bool]:
    """Whether another text can say the same as *text*, or contradict it, at a glance: of thousands most cannot."""
    subject = subject_of(text)
    keys = [word[:6] for word in sorted(terms(text), key=len)[-2:]]
    if subject is not None and subject.startswith(("my ", "our ", "use for ", "choice: ", "how much: ")):
        keys.append(subject.split()[-1][:6])
    elif subject is not None or not keys:
        return lambda other: True
    return lambda other: any(key in plain for key in keys) if (plain := folded(other)) else False


def contradicts(newer: str, older: str) -> bool:
    """Whether *older* is no longer true where *newer* is."""
    subject = subject_of(newer)
    return (subject is not None and subject_of(older) == subject) or opposite(newer, older)


_SCOPED: Final = ("indentation", "units", "temperature unit", "answer length")
_QUANTITY: Final = re.compile(
    r"(?:[$€£] ?)?\d[\d.,:]*(?=\s?(?:%|[$€£]|(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|times?|percent"
    r"|euros?|dollars?|pounds?|francs?|kg|km|cm|mm|m|gb|mb|kb|ms|s|lines?|characters?|words?|people|persons?|points?)\b))"
)
_LEAST_WORDS: Final = 5
_WHEN: Final = re.compile(
    r"\b(?:on |every )?(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|tomorrow)\b"
    r"|\b(?:in|on|until|by) (?:the )?(?:\d{1,2}(?:st|nd|rd|th)? (?:of )?)?(?:january|february|march|april|may|june|july"
    r"|august|september|october|november|december)\b"
)


def _quantity(plain: str) -> str | None:
    """The whole sentence but for how much of something it says: "a sensor counts as dead after ... minutes"."""
    made, count = _QUANTITY.subn("#", plain)
    made, days = _WHEN.subn("#", made)
    count += days
    return f"how much: {made.strip(' .')}" if count == 1 and len(made.split()) >= _LEAST_WORDS else None


_OVER: Final = re.compile(
    r".*?\bprefer(?:s|red)? (?P<one>[\w +#.-]{2,40}?) (?:over|to|instead of|rather than) (?P<two>[\w +#.-]{2,40})"
)


def _choice(plain: str) -> str | None:
    found = _OVER.match(plain)
    if found is None or found["one"].startswith(("to ", "not ")):
        return None
    return "choice: " + " / ".join(sorted((found["one"].strip(), found["two"].strip(" ."))))


_ASKED: Final = (
    (
        "home",
        (
            r"\bwhere (?:do|did|am|are) (?:i|we) (?:now )?(?:live|living|based|reside)|\b(?:which|what) (?:city"
            r"|town) (?:do|did|am)"
            r" i (?:live|move|living)|\bwhere (?:i|we) live\b|\bnear me\b|\baround here\b"
            r"|\b(?:in|around|near|of|from|to) my (?:city|town|village|home|place|area|neighbou?rhood|region)\b"
            r"|\bwo wohne ich|\bwo ich wohne|\bbei mir in der nahe|\bou est-ce que j'habite|\bou j'habite|\bdonde vivo"
        ),
    ),
    (
        "work",
        (
            r"\bwhere (?:do|did) i work|\b(?:who|which company|what company) (?:do|did) i (?:work for|join)"
            r"|\bwho is my employer"
            r"|\bwo arbeite ich"
        ),
    ),
    ("name", r"\bwhat(?:'s| is) my name\b|\bwie heisse ich|\bcomment je m'appelle|\bcomo me llamo"),
    ("age", r"\bhow old am i\b"),
)
_QUESTIONS: Final = tuple((name, re.compile(pattern)) for name, pattern in _ASKED)


def subject_asked(question: str) -> str | None:
    """The subject that *question* asks for in its usual words, None for none."""
    plain = folded(question).replace("’", "'")
    return next((name for name, pattern in _QUESTIONS if pattern.search(plain)), None)
