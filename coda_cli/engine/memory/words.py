"""Words as memories are compared and looked for: what carries meaning, without regard to case and accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[^\W_]+")
_ALONE: Final = re.compile("([\u0e00-\u0fff\u1000-\u109f\u3040-\u31ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff])")
"""Letters of scripts that write no spaces: each is a word."""

_STOP: Final = (
    # English
    "a about actually again all also am an and any anything are as at be because been before being but by can could "
    "did do does doing don for from get give got had has have having he her here him his how i if in into is it its "
    "just know let like ll m many may me might more most much must my myself no not now of off on one or our out "
    "over please re really s same she should so some something such t tell than that the their them then there these "
    "they thing things this those to too up us use used using ve very want was we were what when where which while "
    "who whom whose why will with would yes you your yours remember remind recall next last ago today yesterday "
    "tomorrow week weeks month months year years e "
    # German
    "aber als am auch auf aus bei bin bist da das dass dein deine dem den der des die dir du ein eine einem einen "
    "einer er es fur hab habe haben hast hat ich ihr im in ist ja kann kannst mein meine meinen meiner mich mir mit "
    "nach nicht noch nun oder sein sich sie sind so uber um und uns unser von vor war was wann warum welche welcher "
    "welches wenn wer wie wir wird wo zu zum zur "
    # French
    "ai au aux avec c ce ces cette d dans de des du elle en est et eu il ils j je l la le les leur lui ma mais me mes "
    "moi mon n ne nos notre nous on ou par pas pour qu que quel quelle quelles quels qui sa se ses son suis sur ta te "
    "tes toi ton tu un une vos votre vous y "
    # Spanish
    "al como con cual cuando de del donde el ella en era es esta este esto estoy ha han he la las le lo los me mi mis "
    "muy no nos o para pero por que quien se si sin sobre soy su sus te tu tus un una y yo"
)
_EVERYDAY: Final = (
    "able add allow answer area ask back bad begin best better big bit bring build buy call called care case change "
    "close come common create cut different early end enjoy everything example expect fall far feel few find fine "
    "first found four full fun give go going good great group grow half hand hard hear help high hold hope hour idea "
    "important keep kind kinds large late later leave left less level life line list little long look lot low main "
    "make man mean meet mention middle minute moment move name need new nice number often old open order own part "
    "people person pick picked place plan point possible problem put question quick real reason right room say said "
    "second see seem send set several short show side sit size small sort sound stand start stay step stop suggest "
    "sure take talk talked thank think three time times together told took top touch try turn two type understand "
    "until usual usually wait way well whole win word world write written wrong young"
)
COMMON: Final = frozenset(_EVERYDAY.split())
"""Words that everybody uses for anything."""
STOP: Final = frozenset(_STOP.split())
"""Words that say nothing about what is meant."""
_NEGATIONS: Final = frozenset(
    [
        "no",
        "not",
        "never",
        "nicht",
        "kein",
        "keine",
        "nie",
        "pas",
        "jamais",
        "nunca",
        "don't",
        "doesn't",
        "isn't",
        "can't",
        "won't",
    ]
)


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """*text* without case and accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def spaced(text: str) -> str:
    """*text* with blanks between the letters of scripts that write none."""
    return text if text.isascii() else _ALONE.sub(r" \1 ", text)


def words(text: str) -> list[str]:
    """All words of *text*, folded, in order."""
    return [word.replace("’", "'") for word in _WORD.findall(folded(spaced(text)))]


def terms(text: str) -> list[str]:
    """The words of *text* that carry meaning, each once, in order."""
    parts = (part for word in words(text) for part in word.split("'"))
    return list(dict.fromkeys(part for part in parts if part and part not in STOP))


def stem(word: str) -> str:
    """A plural or a participle as its plain form, roughly: for telling whether two texts say the same."""
    for ending in ("ings", "ing", "edly", "ed", "ies", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def same(one: str, other: str) -> bool:
    """Whether two texts say the same: almost the same words in the same order, no other word in place of one.

    What a model says of "the user" is what the person says of themselves.
    """
    first, second = _essence(first_person(one)), _essence(first_person(other))
    if first == second:
        return True
    if not first or not second or _exact(one) != _exact(other):
        return False
    common = set(first) & set(second)
    if len(common) < 3 or len(common) / len(set(first) | set(second)) < 0.8:
        return False
    if set(first) - common and set(second) - common:
        return False  # "on Friday" and "on Sunday" are two things
    return [word for word in first if word in common] == [word for word in second if word in common]


def opposite(one: str, other: str) -> bool:
    """Whether two texts say the same, one of them with a no: "I like tea", "I don't like tea any more"."""
    if (_exact(one)[1] % 2) == (_exact(other)[1] % 2):
        return False
    first, second = (frozenset(_plain(first_person(text))) for text in (one, other))
    return bool(first) and first == second


def _plain(text: str) -> list[str]:
    """The words of *text* without those that say no, or that it was otherwise."""
    parts = (word for word in words(text) if word not in _NEGATIONS and word not in _TURNS)
    return [stem(part) for word in parts for part in word.split("'") if part not in _FILLERS]


_TURNS: Final = frozenset(
    ["longer", "any", "more", "anymore", "now", "still", "do", "does", "did", "mehr", "plus", "mas", "ya", "ne"]
)
_USER: Final = re.compile(r"^(?:the )?user(?:'s|’s)? (?P<verb>is|has|was|[a-z]+)\b", re.IGNORECASE)
_BEING: Final = {"is": "am", "has": "have", "was": "was"}


def first_person(text: str) -> str:
    """What is said of "the user", as the user would say it; any other text as it is."""
    found = _USER.match(text)
    if found is None:
        return text
    rest, verb = text[found.end() :], found["verb"].lower()
    if "'s" in found[0] or "’s" in found[0]:
        return f"my {found['verb']}{rest}"
    if verb not in _BEING and not verb.endswith("s"):
        return f"i {verb}{rest}"
    verb = _BEING.get(verb) or (verb[:-3] + "y" if verb.endswith("ies") else verb[:-1])
    return f"i {verb}{rest}"


def _essence(text: str) -> Sequence[str]:
    return tuple(stem(part) for word in words(text) for part in word.split("'") if part not in _FILLERS)


def no_count(text: str) -> int:
    """How often *text* says no."""
    return sum(word in _NEGATIONS or word.endswith("n't") for word in words(text))


def _exact(text: str) -> tuple[frozenset[str], int]:
    """What must be equal: the numbers, and how often it says no."""
    all_of_them = words(text)
    numbers = frozenset(word for word in all_of_them if any(char.isdigit() for char in word))
    return numbers, no_count(text)


_FILLER: Final = "a an the that please really very always just also i my me am is are to of m ve re s ll d"
_FILLERS: Final = frozenset(_FILLER.split())
