"""A message as clauses of plain words: without quotations, accents and politeness, contractions written out."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_MOST: Final = 4_000
"""Characters that are looked at, half at each end: feedback stands before or behind a task, not deep inside a paste."""

# No quotation holds another opening of its kind: so a text of nothing but openings takes no longer than any.
_QUOTED: Final = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"|“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»"
    r"|(?<!\w)['‘‚][^'’‘\n]*['’‘](?!\w)|^[ \t]*>[^\n]*",
    re.DOTALL | re.MULTILINE,
)
_SENTENCE: Final = re.compile(r"[^.!?…\n]+(?:[.!?…]+|\n|$)")
_CLAUSE: Final = re.compile(r"[,;:–—]|\s-\s|\b(?:and|but|und|aber|et|mais|y|pero)\b")
_CONTRACTED: Final = {
    "can't": "can not", "cant": "can not", "cannot": "can not", "won't": "will not", "wont": "will not",
    "let's": "let us", "lets": "let us", "gimme": "give me", "gonna": "going to", "wanna": "want to", "u": "you",
    "ur": "your", "im": "i am", "ive": "i have", "youre": "you are", "its": "it is", "thats": "that is",
    "whats": "what is", "hows": "how is", "howre": "how are", "erklär's": "erkläre es", "geht's": "geht es",
    "gehts": "geht es", "läuft's": "läuft es", "läufts": "läuft es",
}  # fmt: skip
_WHOLE: Final = re.compile(r"(?<![\w'])(?:" + "|".join(map(re.escape, _CONTRACTED)) + r")(?![\w'])")
_NOT: Final = re.compile(r"\b(do|does|did|is|are|was|were|have|has|would|could|should|need|must)(?:n't|nt)\b")
_ENDINGS: Final = {"'re": " are", "'d": " would", "'ve": " have", "'m": " am", "'ll": " will"}
_ENDED: Final = re.compile(r"(?<=\w)('re|'d|'ve|'m|'ll)\b")
_IS: Final = re.compile(r"\b(that|this|it|what|how|who|where|there|here|everything|tone|answer|reply|response)'s\b")

_ASKING: Final = re.compile(
    r"^(?:(?:why )?(?:can|could|would|will|do) not you|do you think(?: you (?:can|could))?"
    r"|(?:can|could|would|will|may|might) (?:you(?: mind| be able to)?"
    r"|i (?=have\b|get\b|ask\b)|i ask you to|(?=your answers?\b|the answers\b|answers\b))"
    r"|(?:is|would) it (?:be )?possible (?:for you )?to|do you mind|is there a way to"
    r"|(?:kannst|konntest|wurdest|magst) du|konnen sie|konnten sie|wurden sie|geht (?:es|das)(?: auch)?"
    r"|ginge (?:es|das)(?: auch)?|(?:ist|ware) es moglich"
    r"|(?:est ce que )?(?:tu (?:peux|pourrais)|vous (?:pouvez|pourriez))|(?:peux|pourrais|veux) tu"
    r"|(?:pouvez|pourriez|voulez) vous|(?:est il|serait il|c est) possible d(?:e)?"
    r"|(?:me )?(?:puedes|podrias|puede|podria)(?: usted)?|(?:te|le) importaria|es posible|seria posible)\b"
)
_SMALL: Final = re.compile(
    r"\b(?:please|pls|plz|bitte|por favor|porfa|s il te plait|s il vous plait|stp|svp|ok|okay|hey|hi|hello|hm|hmm|well"
    r"|sorry|coda|from now on|from here on|going forward|in future|in the future|for now|next time|again|always|just"
    r"|really|rather|quite|very|extremely|maybe|perhaps|kindly|possibly|if possible|if you can|if you could"
    r"|if you do not mind|in general|generally|overall|a bit|a little|a lot|a little bit|a tad|a touch|slightly"
    r"|somewhat|so much|way|far|much|more than that|try to|let us|i would like you to|i want you to|i need you to"
    r"|you should|you can|you need to|make sure to|when you answer|when answering|ab jetzt|ab sofort|von nun an|kunftig"
    r"|in zukunft|immer|etwas|ein bisschen|ein wenig|ein klein wenig|viel|einfach mal|mal|doch|du sollst|vielleicht"
    r"|wenn moglich|a partir de maintenant|desormais|toujours|un peu|beaucoup|peut etre|si possible"
    r"|a partir de ahora|de ahora en adelante|siempre|un poco|un poquito|mucho|quizas|tal vez|si es posible"
    r"|with me|for me|to me|with your answers|in your answers|bei deinen antworten|in deinen antworten"
    r"|dans tes reponses|dans vos reponses|en tus respuestas|en sus respuestas|all of this"
    r"|this time|then|now|also|too(?=$)|still)\b"
)
_NOUNS: Final = (
    (re.compile(r"\b(?:replies|responses|explanations|your (?:messages|texts|texting))\b"), "answers"),
    (re.compile(r"\b(?:reply|response|explanation)\b"), "answer"),
    (re.compile(r"\b(?:erklarungen|nachrichten)\b"), "antworten"),
    (re.compile(r"\b(?:explications|messages)\b"), "reponses"),
    (re.compile(r"\b(?:explicaciones|contestaciones)\b"), "respuestas"),
)
"""What an answer is called: the first of each stands for all."""


def sentences(text: str) -> list[str]:
    """The sentences of *text* in small letters, contractions written out; a quotation leaves a word behind.

    So what stands around a quotation does not become a phrase.
    """
    ends = text if len(text) <= _MOST else f"{text[: _MOST // 2]}\n{text[-_MOST // 2 :]}"
    return [_expanded(one) for one in _SENTENCE.findall(_QUOTED.sub(" quotation ", ends.replace("’", "'").lower()))]


def clauses(sentence: str) -> list[str]:
    """The parts of *sentence* between commas and conjunctions."""
    return _CLAUSE.split(sentence)


def plain(text: str) -> str:
    """*text* in small ASCII letters, with single spaces and nothing else."""
    folded = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return " ".join(re.sub(r"[^a-z0-9 ]+", " ", "".join(c for c in folded if not unicodedata.combining(c))).split())


def asks_to_do(words: str) -> bool:
    """Whether the plain *words* are a question that asks for something to be done: "can you be shorter"."""
    return _ASKING.match(_without_small_words(words)) is not None


def bare(words: str) -> str:
    """The plain *words* without politeness and small words."""
    return " ".join(_ASKING.sub("", _without_small_words(words)).split())


def one_noun(words: str) -> str:
    """*words* with one word for an answer, whatever it is called."""
    for pattern, noun in _NOUNS:
        words = pattern.sub(noun if noun != "answers" else _answers, words)
    return words


def _answers(found: re.Match[str]) -> str:
    return "your answers" if found[0].startswith("your ") else "answers"


def _without_small_words(words: str) -> str:
    return " ".join(_SMALL.sub(" ", words).split())


def _expanded(text: str) -> str:
    text = _WHOLE.sub(lambda found: _CONTRACTED[found[0]], text)
    text = _ENDED.sub(lambda found: _ENDINGS[found[0]], _NOT.sub(r"\1 not", text))
    return _IS.sub(r"\1 is", text)
