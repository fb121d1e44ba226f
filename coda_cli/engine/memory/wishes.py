"""What a person explicitly wants kept or forgotten, found in what they wrote. Precision over recall.

Only their own sentences count: what is quoted, pasted behind a colon, code, a question, or what somebody else said is
passed over. A wish must begin its sentence. What is not found here can still be kept with `/memory add`.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct

from coda_cli.engine.memory.record import Kind
from coda_cli.engine.memory.subjects import subject_of
from coda_cli.engine.memory.wish_patterns import (
    ASKED,
    CALL_ME,
    FORGET,
    FROM_NOW,
    LEAD,
    NAME,
    NO_NAME,
    PREFER,
    QUESTION,
    REMEMBER,
    STATEMENT,
    TAIL,
    TASK,
    VAGUE,
    WEAK,
)

LONGEST_WISH: Final = 400
"""Characters of a sentence that may be a wish; nobody speaks in longer ones."""
LONGEST: Final = 20_000
_HEAD: Final = 4000
_MARKUP: Final = 500
"""So many tags are a page, not a message."""
_MANY_LINES: Final = 12
"""So many lines are a paste: only its first and last paragraph are the person's own."""


class Wish(Struct, frozen=True):
    """`keep` this text, `forget` what it speaks of, or take it as `news` if something older is known of its subject.

    `wide`: all that fits is meant, not the one that fits best. `sure`: it was asked for, not only said.
    """

    action: Literal["keep", "forget", "news"]
    text: str
    kind: Kind = "fact"
    wide: bool = False
    here: bool = False


_FENCE: Final = re.compile(r"(?ms)^[ \t]*(```+|~~~+).*?(?:^[ \t]*\1[ \t]*$|\Z)")
_QUOTED_LINE: Final = re.compile(r"(?m)^[ \t]*(?:>|\|).*$|^(?: {4}|\t).*$|^[ \t]*(?:[-*+•]|\d+[.)]|\[\d+\])\s+.*$")
_HEADER: Final = re.compile(r"(?mi)^(?:from|subject|to|sent|date|betreff): ?\S")
_TAGGED: Final = re.compile(r"(?is)<([a-z][\w-]*)[^>]*>.*?</\1>")
_SENTENCE: Final = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+(?=[\w¿¡(\"'“])|\n+|(?<=;)\s+")
_OPENERS: Final = "\"“”„«`'‘"
_BULLET: Final = re.compile(
    r"^[ \t]*(?:[-*+•]|\d+[.)]|\[\d+\])\s+|^\s*(?:\w{1,30} ?\w{0,30}>|\$|#+|//|(?!remember"
    r"|memori[sz]e|retiens|recuerda|correction)\w{2,12}:)\s",
    re.IGNORECASE,
)
_HERE: Final = re.compile(
    r"\b(?:in|for) this (?:project|repo(?:sitory)?|folder|directory|code ?base|package)\b|^(?:this"
    r"|our) (?:project|repo)\b"
    r"|\bin diesem (?:projekt|ordner)\b|\bdans ce (?:projet|dossier)\b|\ben est[ea] (?:proyecto|carpeta)\b",
    re.IGNORECASE,
)
_PREFERENCE: Final = re.compile(
    r"\b(?:i|we) (?:really |always |usually |strongly |much )*(?:prefer|like|love|hate|dislike|want|don't like"
    r"|do not like"
    r"|can't stand|would like|need you)\b|^(?:please )?(?:always|never|don't|do not|answer|reply|respond|use"
    r"|write|speak"
    r"|call me|address me|avoid|keep|be|give me|explain|show|stop|no)\b|\b(?:answers|replies|explanations|responses)\b"
    r"|\bich (?:bevorzuge|mag|möchte|will)\b|\bje (?:préfère|n'aime|veux)\b|\b(?:prefiero|me gusta|no me gusta"
    r"|quiero)\b"
    r"|^(?:antworte|benutze|nenn|réponds|utilise|responde|usa)\b",
    re.IGNORECASE,
)


def wishes(text: str) -> list[Wish]:
    """The explicit wishes in *text*, in order."""
    if len(text) > LONGEST:
        text = text[:_HEAD].rpartition("\n")[0]  # the rest of so much is a paste
    if text.count("<") > _MARKUP or not _HINT.search(text) or _HEADER.search(text):
        return []
    found: list[Wish] = []
    sentences = _own_sentences(text)
    for place, sentence in enumerate(sentences):
        if TASK.match(sentence):
            break  # what follows is material to work on
        if len(sentence) <= LONGEST_WISH and (wish := _wish(sentence, alone=len(sentences) == 1)):
            found.append(wish)
        if sentence.endswith(":") and place + 1 < len(sentences):
            break
    return found


def _own_sentences(text: str) -> list[str]:
    """The sentences that the person themselves has written."""
    text = _FENCE.sub("\n", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _QUOTED_LINE.sub("\n", _TAGGED.sub(" ", text))
    paragraphs = [one for one in re.split(r"\n\s*\n", text) if one.strip()]
    if text.count("\n") >= _MANY_LINES:
        paragraphs = [one for one in paragraphs[:1] + paragraphs[1:][-1:] if one.count("\n") < 4]
    out: list[str] = []
    for paragraph in paragraphs:
        inside = False
        for part in _SENTENCE.split(paragraph):
            sentence = part.strip()
            opened = sentence.count('"') + sentence.count("“") + sentence.count("”") + sentence.count("„")
            if sentence and not inside and not _BULLET.match(sentence):
                out.append(sentence)
            elif sentence:
                out.append("…")  # it keeps its place: what follows a colon is not the person's
            inside ^= bool(opened % 2)
    return out


def _wish(sentence: str, *, alone: bool) -> Wish | None:
    if sentence[0] in _OPENERS or "`" in sentence.split(" ", 1)[0]:
        return None
    plain = LEAD.sub("", sentence.replace("’", "'"), count=1).strip()
    asked = ASKED.match(plain)
    if plain.endswith("?") and asked is None:
        return None
    plain = (plain[asked.end() :] if asked is not None else plain).rstrip("?").strip()
    return _forget(plain, alone=alone) or _keep(plain) or _news(plain, sentence)


def _keep(plain: str) -> Wish | None:
    if found := REMEMBER.match(plain):
        body = _body(plain[found.end() :])
        body = _main_clause(body) if _DASS.search(found[0]) else body
        return None if VAGUE.match(body) else _kept(body)
    if found := WEAK.match(plain):
        return _kept(_body(plain[found.end() :]))
    if QUESTION.match(plain):
        return None
    if found := FROM_NOW.match(plain):
        body = _body(plain[found.end() :])
        return None if VAGUE.match(body) or QUESTION.match(body) else _kept(body, "preference")
    if PREFER.match(plain):
        return _kept(_body(plain), "preference")
    if (found := NAME.match(plain)) and not NO_NAME.search(found["name"]):
        return _kept(plain[: found.end()])
    if (found := CALL_ME.match(plain)) and not NO_NAME.search(found["name"]):
        return _kept(plain[: found.end()], "preference")
    return None


def _forget(plain: str, *, alone: bool) -> Wish | None:
    if _ALL.match(plain.rstrip(" .!")):
        return Wish("forget", "", wide=True)
    found = FORGET.match(plain)
    if found is None:
        return None
    if found["about"] and not found["wide"] and not alone:
        return None  # "forget about the parser, let us ..." is a turn of phrase
    body = _body(plain[found.end() :])
    body = _main_clause(body) if _DASS.search(found[0]) else body
    if found["about"] and not found["wide"] and re.search(r"[,;]| (?:and|but|und|et|y) ", body):
        return None
    return None if VAGUE.match(body) or not body else Wish("forget", body, wide=bool(found["wide"]))


def _news(plain: str, sentence: str) -> Wish | None:
    """What a person says of themselves: kept if something older is known of it, or if they stress it."""
    body = _body(plain)
    if subject_of(body) is None or not STATEMENT.match(body) or QUESTION.match(plain):
        return None
    stressed = re.match(r"(?i)(?:actually|fyi|for the record|just so you know|correction)\b", sentence) is not None
    wish = _kept(body)
    return wish and Wish("keep" if stressed else "news", wish.text, wish.kind, here=wish.here)


_DASS: Final = re.compile(r"(?i)\bdass\s*$")
_ALL: Final = re.compile(
    r"(?i)(?:please |bitte )?(?:forget|vergiss|oublie|olvida) (?:everything|all|alles|tout|todo)"
    r"(?: (?:that )?(?:you (?:know|remember|have)|i(?:'ve)? (?:told|said)(?: to)?(?: you)?))?"
    r"(?: (?:about|of|über|sur|sobre) (?:me|myself|mich|moi|mí))?$"
)
_CLAUSE: Final = re.compile(r"(?i)^(?P<who>ich|wir|(?:mein|unser)\w* [\w-]+) (?P<rest>.+) (?P<verb>[\w-]+)$")


def _main_clause(body: str) -> str:
    """What stood behind a German "dass", its verb where a sentence of its own has it: "ich wohne in Bern"."""
    found = _CLAUSE.match(body)
    return f"{found['who']} {found['verb']} {found['rest']}" if found is not None else body


def _kept(body: str, kind: Kind | None = None) -> Wish | None:
    """*body* as what is to be kept, None if there is too little in it."""
    if len(body) < 3 or not re.search(r"\w.*\s.*\w|\w{3,}", body) or body[0] in '"“„«' or body == "…":
        return None
    here = _HERE.search(body) is not None
    kind = kind or ("preference" if _PREFERENCE.search(body) else "fact")
    return Wish("keep", body[0].upper() + body[1:], "note" if here else kind, here=here)


def _body(text: str) -> str:
    """What is to be kept: without the turn to the next task, and without punctuation at its ends."""
    text = TAIL.split(text.strip(" \t,:;-—–"), maxsplit=1)[0]
    return text.strip(" \t,:;-—–").removesuffix(".").rstrip(" !.")


_HINT: Final = re.compile(
    r"remember|mind|forget|memor|note|prefer|name|call me|from now|going forward|always|actually|never|please"
    r"|moved|live"
    r"|work|fyi|correction|joined|for the record|just so you|\bmy\b|merk|vergiss|erinner|denk|bevorzug|hei(?:ß"
    r"|ss)e|nenn"
    r"|ab (?:jetzt|sofort|heute)|von nun|künftig|zukunft|souvien|rappel|retien|oubli|note|désormais|partir|préfère"
    r"|appelle|nom|recuerda|olvid|acuérdate|cuenta|adelante|ahora|prefiero|ll[aá]m|nombre|wohne|habite|vivo"
    r"|mudé|arbeite",
    re.IGNORECASE,
)
