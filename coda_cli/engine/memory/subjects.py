"""What a memory is about, where only one thing can be true at a time: a home, a name, a favourite, a preference.

Two memories of the same subject contradict each other, and the newer one holds. A text of no such subject contradicts
nothing: rather two memories too many than one ended wrongly.
"""

from __future__ import annotations

import re
from typing import Final

from coda_cli.engine.memory.words import folded

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
            r"i(?:'ve| have)? (?:just |recently |now )*(?:live|moved|relocated|am living|am based)(?: to| in| from)\b"
            r"|i'm (?:now |currently )?(?:living|based) in\b|i (?:now |currently )?live in\b|my home is in\b"
            r"|we(?:'ve| have)? (?:just |recently |now )*(?:live|moved|relocated)(?: house)?(?: to| in| at)\b"
            r"|(?:i|we)(?:'ve| have) moved\b[^.;]*\b(?:i|we) (?:now )?live (?:at|in|on)\b"
            r"|ich (?:wohne|lebe)(?: jetzt| nun)? in\b|ich bin nach \w+ (?:um)?gezogen|j'habite\b"
            r"|j'ai demenage a\b|vivo(?: ahora)? en\b|me mude a\b"
        ),
    ),
    (
        "work",
        (
            r"i(?:'ve| have)? (?:now |currently |just |recently )*(?:(?:work|started(?: working)?)(?: at| for)|joined)"
            r" (?!on\b|from\b|as\b|home\b|night|least\b|most\b|in\b|with\b|\d|(?:the|a|an) (?:choir|club|gym|call))\w"
            r"|i'm (?:now )?(?:employed by|working at|working for)\b|my employer is\b|ich arbeite(?: jetzt)? bei\b"
            r"|je travaille chez\b|trabajo en\b"
        ),
    ),
    (
        "age",
        r"i(?:'m| am)(?: now)? \d{1,3}(?: years old)?$|ich bin \d{1,3} jahre alt|j'ai \d{1,3} ans|tengo \d{1,3} anos",
    ),
    (
        "answer length",
        (
            r".*\b(?:prefer|like|want|give me|bevorzuge|prefere|prefiero)\b[^,;]*\b(?:short|brief|concise|terse"
            r"|detailed"
            r"|long|longer|shorter|thorough|in[- ]depth|kurze|ausfuhrliche|courtes|detaillees|cortas"
            r"|detalladas)\w*\b[^,;]*"
            r"\b(?:answer|explanation|repl|response|antwort|erklarung|reponse|explication|respuesta|explicacion)"
        ),
    ),
    (
        "answer language",
        (
            r".*\b(?:answer|reply|respond|speak|talk|write)(?: to)?(?: me)?(?: only)? in (?:english|german"
            r"|french|spanish"
            r"|italian|portuguese|dutch|polish|japanese|chinese|korean|russian|swedish|danish|turkish|arabic|hindi)\b"
            r"|.*\bantworte(?:st)?\b.* auf (?:deutsch|englisch)\b"
        ),
    ),
    (
        "indentation",
        r".*\b(?:prefer|use|indent)\b[^,;]*\b(?:tabs|spaces)\b",
    ),
    ("units", r".*\b(?:prefer|use|give|in)\b[^,;]*\b(?:metric|imperial|celsius|fahrenheit)\b"),
    ("clock", r".*\b(?:12|24)[- ]?hours?\b[^,;]*\b(?:clock|time|format)\b"),
)
_COMPILED: Final = tuple((name, re.compile(pattern)) for name, pattern in _FIXED)
_OWN: Final = re.compile(
    r"(?P<whose>my|our|the|mein|meine|unser|unsere|mon|ma|mi) (?P<what>(?:[\w-]+ ){0,3}?[\w-]+)(?: is| are|'s"
    r"| ist| sind"
    r"| est| es)(?: now| jetzt)? (?!in\b|on\b|at\b|not\b|very\b|too\b|going\b|getting\b|with\b|from\b)\S"
)
_SINGLE: Final = (
    "favorite favourite email mail phone number address timezone zone editor language os laptop computer machine "
    "deadline birthday title employer city country version budget shell distro browser keyboard port lead database "
    "framework job occupation profession role hometown school university team manager boss wife husband partner car "
    "codename linter formatter theme font license licence branch date company project pronouns diet anniversary "
    "geburtstag adresse telefonnummer sprache chef arbeitgeber anniversaire adresse cumpleanos direccion"
)
_ONE_ONLY: Final = frozenset(_SINGLE.split())
_USE: Final = re.compile(
    r"(?:we|i)(?: now| have decided to| decided to| agreed to|'ll| will)? use [\w .+#-]+? (?:for|as) (?P<for>[\w '-]+)"
)
_LEAD: Final = re.compile(
    r"^(?:(?:actually|now|well|so|and|but|no|oh|btw|by the way|fyi|sorry|correction|update|it turns out)[,:. ]+)+"
)


def subject_of(text: str) -> str | None:
    """What only one memory at a time can be true of, None where there is no such thing in *text*."""
    plain = _LEAD.sub("", folded(text).replace("’", "'").strip())
    for name, pattern in _COMPILED:
        if pattern.match(plain):
            return name
    if found := _OWN.match(plain):
        what = found["what"].split()
        if _ONE_ONLY.intersection(what):
            return f"{'our' if found['whose'] in ('our', 'the') else 'my'} {' '.join(what)}"
    if found := _USE.match(plain):
        return f"use for {found['for'].removeprefix('the ').removeprefix('my ').removeprefix('our ').strip()}"
    return _choice(plain) or _quantity(plain)


_QUANTITY: Final = re.compile(
    r"(?:[$€£] ?)?\d[\d.,:]*(?=\s?(?:%|[$€£]|(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|times?|percent"
    r"|euros?|dollars?|pounds?|francs?|kg|km|cm|mm|m|gb|mb|kb|ms|s|lines?|characters?|words?|people|persons?|points?)\b))"
)
_LEAST_WORDS: Final = 5


def _quantity(plain: str) -> str | None:
    """The whole sentence but for how much of something it says: "a sensor counts as dead after ... minutes"."""
    made, count = _QUANTITY.subn("#", plain)
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
