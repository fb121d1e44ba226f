"""Feedback in German (`wordings`): umlauts as they stand and written out."""

from __future__ import annotations

from typing import Final

from coda_cli.engine.personality.clauses import plain
from coda_cli.engine.personality.wording_tables import Quality, Tables, Thing


def _forms(word: str) -> tuple[str, ...]:
    """*word* with and without the endings of an adjective, "ü" as "u" and as "ue"."""
    written_out = word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    stems = dict.fromkeys((plain(word), plain(written_out)))
    return tuple(stem + ending for stem in stems for ending in ("", "e", "er", "en", "es", "em"))


_QUALITIES: Final = (
    Quality(
        "shorter",
        "longer",
        "kurz|knapp|bündig|prägnant|kompakt",
        more="kürzer|knapper|prägnanter|kompakter",
        adverbs="in kürze",
        excess="karg",
    ),
    Quality(
        "longer",
        "shorter",
        "lang|ausführlich|detailliert|gründlich|wortreich",
        more="länger|ausführlicher|detaillierter|gründlicher|im detail",
        excess="weitschweifig|langatmig|umständlich|geschwätzig|wortreich",
    ),
    Quality(
        "formal",
        "casual",
        "förmlich|formell|formal|professionell",
        more="förmlicher|formeller|professioneller",
        excess="steif",
    ),
    Quality(
        "casual",
        "formal",
        "locker|informell|leger|ungezwungen",
        more="lockerer|ungezwungener|legerer",
        excess="flapsig|salopp",
    ),
    Quality(
        "jokes",
        "no jokes",
        "lustig|witzig|humorvoll",
        more="lustiger|witziger|humorvoller",
        excess="albern",
        quiet="lustig",
    ),
    Quality("no jokes", "jokes", "ernst|ernsthaft", more="ernster|ernsthafter"),
    Quality(
        "simpler",
        "deeper",
        "einfach|verständlich",
        more="einfacher|verständlicher|mit einfacheren worten|in einfacheren worten",
        adverbs="in einfachen worten|mit einfachen worten|in einfacher sprache",
        excess="oberflächlich|simpel",
        quiet="verständlich",
    ),
    Quality(
        "deeper",
        "simpler",
        "technisch|präzise|genau|analytisch",
        more="technischer|präziser|genauer|tiefer",
        excess="kompliziert|schwierig|komplex|schwer|abstrakt|akademisch|fachlich",
        quiet="präzise|genau",
    ),
    Quality(
        "direct",
        "gentler",
        "direkt|ehrlich|offen",
        more="direkter|ehrlicher|offener",
        excess="hart|harsch|unfreundlich|grob",
        quiet="ehrlich|offen",
    ),
    Quality(
        "gentler",
        "direct",
        "nett|freundlich|sanft|höflich|einfühlsam",
        more="netter|freundlicher|sanfter|höflicher|einfühlsamer",
        excess="vorsichtig|diplomatisch",
        quiet="nett|freundlich",
    ),
    Quality(
        "livelier",
        "calmer",
        "begeistert|lebhaft|enthusiastisch|positiv",
        more="begeisterter|lebhafter|enthusiastischer|positiver",
        excess="überschwänglich|euphorisch|aufgedreht",
        quiet="positiv",
    ),
    Quality(
        "calmer",
        "livelier",
        "ruhig|sachlich|nüchtern|neutral",
        more="ruhiger|sachlicher|nüchterner|neutraler",
        excess="trocken|langweilig",
        quiet="ruhig|sachlich|neutral",
    ),
    Quality("creative", "conventional", "kreativ|originell", more="kreativer|origineller"),
    Quality("suggestions", "no suggestions", "proaktiv", more="proaktiver", excess="aufdringlich"),
    Quality("decide", "doubt", "entschieden|entschlossen", more="entschiedener|entschlossener", excess="selbstsicher"),
    Quality("doubt", "decide", "bescheiden", more="bescheidener", excess="vage|zögerlich|unentschlossen"),
)
_THINGS: Final = (
    Thing("jokes", "no jokes", "witze|witzen|witz|scherze|scherzen|humor|kalauer", made=True),
    Thing("livelier", "no emojis", "emojis|emoji|smileys|emoticons|ausrufezeichen"),
    Thing("longer", "shorter", "details|einzelheiten|text|worte|worter"),
    Thing("", "shorter", "gelaber|geschwafel|fullworter|wiederholungen"),
    Thing("suggestions", "no suggestions", "vorschlage|vorschlagen|ratschlage|ruckfragen|ratschlagen", made=True),
    Thing("deeper", "simpler", "fachbegriffe|fachbegriffen|fachjargon|fachchinesisch|fachworter|jargon"),
    Thing("livelier", "calmer", "begeisterung|lob|komplimente|komplimenten|schmeicheleien"),
    Thing("gentler", "factual", "einfuhlung|mitgefuhl|empathie"),
)
_DO: Final = (
    r"(?:sei|seid|seien sie|bleib|bleibe|bleiben sie|werde|werden sie|antworte|antworten sie|schreib"
    r"|schreibe|schreiben sie|sprich|sprechen sie|rede|reden sie|formuliere|formulier|formulieren sie"
    r"|erklar|erklare|erklaren sie|sag)(?: es| das| mir das| es mir)?"
)
_TO_DO: Final = (
    r"(?:sein|antworten|schreiben|reden|sprechen|formulieren|erklaren|fassen|halten|ausdrucken"
    r"|bleiben|werden)"
)
_YOUR: Final = r"(?:deine|deiner|ihre|eure|die|alle|diese|die meisten) "
_GIVE: Final = (
    r"(?:gib|geben sie|schreib|schreibe|schreiben sie|mach|machen sie|verwende|nutze|bevorzuge|ich "
    r"(?:mochte|moechte|will|hatte|haette|brauche|bevorzuge|mag|wunsche mir|wunschte mir|wurde))"
)
_SO: Final = r"(?:so|zu|allzu|dermassen|derart|ganz so|solch|solche|ubertrieben)"

GERMAN: Final = Tables(
    qualities=_QUALITIES,
    things=_THINGS,
    like=(
        rf"{_DO} (?:lieber |auch )?X",
        r"(?:fass|fasse|halt|halte|druck|drucke) dich (?:auch )?X(?: aus)?",
        r"(?:fassen|halten|drucken) sie sich X(?: aus)?",
        (
            rf"(?:(?:du|sie) (?:kannst|konntest|musst|darfst|solltest|konnen|konnten|sollten) )?(?:(?:dich"
            rf"|sich|mir|es|das|auch) )*X (?:zu )?{_TO_DO}"
        ),
        (
            rf"{_GIVE} (?:(?:mir|gern|gerne|lieber|es|das|dass du) )*X antworten(?: haben| bekommen| geben| "
            rf"schreiben| bevorzugen)?"
        ),
        r"X antworten (?:waren|wurden) (?:schon|gut|besser|nett|super|toll|helfen|reichen|genugen)",
        r"(?:mir )?(?:nur )?X antworten(?: geben| schreiben| haben| bekommen)?",
        (
            rf"(?:{_YOUR})?antworten (?:sollten|konnten|sollen|mussen|konnen|durfen|durften)? ?X(?: sein| "
            rf"halten| machen)?"
        ),
        rf"(?:halt|halte|halten sie|mach|mache|machen sie|schreib|schreibe) (?:{_YOUR})antworten X",
        r"ich (?:hatte|haette|mag|mochte|moechte|will) (?:es |das )?(?:gern |gerne |lieber )?X",
        r"(?:auch )?(?:gern|lieber) X",
    ),
    too=(
        rf"{_DO} nicht (?:immer )?{_SO} X",
        rf"(?:fass|fasse|halt|halte) dich nicht {_SO} X",
        rf"nicht (?:so|ganz so|derart|dermassen|allzu) X(?: {_TO_DO})?",
        (
            rf"(?:das|es|du|sie|dein ton|ihr ton|deine sprache|(?:(?:{_YOUR})|deine letzte |die letzte "
            rf")antwort(?:en)?|(?:deine |ihre )?antworten) (?:ist|sind|war|waren|bist|klingst|klingt|klingen"
            rf"|warst|wirkst|wird|wirst|schreibst|schreiben|antwortest|redest|sprichst) (?:(?:mir|immer|noch"
            rf"|wieder|alle) )*(?:zu|allzu|ubertrieben|unnotig) X"
        ),
        r"(?:zu|allzu|viel zu) X",
        rf"(?:hor|hore|horen sie) auf (?:{_SO} )?X zu {_TO_DO}",
        (
            rf"(?:keine|ohne|(?:schreib|schreibe|gib|ich (?:mochte|will|mag|brauche))(?: mir)? (?:keine"
            rf"|nicht)) (?:{_SO} )?X antworten(?: mehr)?"
        ),
        rf"du (?:musst|brauchst) nicht (?:{_SO} )?X (?:zu )?{_TO_DO}",
    ),
    compared=(
        r"(?:eine |gib mir eine |ich hatte gern eine |ich mochte eine )X antwort",
        r"(?:(?:in|mit|verwende|benutze) )?(?:einem |einen |eine )?X (?:ton|stil|sprache|worte|worten)",
    ),
    more=(
        (
            r"(?:mehr|noch mehr|mit mehr|zu wenig|zu wenige|nicht genug|verwende mehr|benutze mehr|mach "
            r"mehr) T"
        ),
        rf"{_GIVE} (?:mir )?(?:gern |gerne )?mehr T",
    ),
    less=(
        (
            r"(?:kein|keine|keinen|keinerlei|weniger|ohne|nicht so viel|nicht so viele|zu viel|zu viele|lass "
            r"die|lass das|lass|lassen sie die|lassen sie das|hor auf mit|hor auf mit den|hor auf mit dem"
            r"|hore auf mit den|verzichte auf|spar dir|spar dir die|genug|schluss mit|schluss mit den|zu) "
            r"(?:(?:mehr|so|so viele|viele|diese|deine|die|den|dem) )*T(?: mehr)?(?: "
            r"machen| verwenden| benutzen| geben)?"
        ),
        (
            r"(?:verwende|benutze|benutz|nutze|mach|mache|erzahl|gib mir|verwenden sie|machen sie) (?:bitte "
            r")?(?:keine|keinen|kein|weniger|nicht so viele|nicht so viel) (?:so viele )?T(?: mehr)?"
        ),
        r"ich (?:mochte|moechte|will|mag|brauche) (?:keine|weniger|kein|keinen) T(?: mehr)?",
        (
            r"(?:(?:du (?:verwendest|benutzt|machst|nutzt)|das (?:sind|ist|waren|war)) )(?:zu viele|zu viel"
            r"|zu) T"
        ),
    ),
    given=r"^(?:gib|geben|schreib|ich|mach)\b",
    tasks=r"^(?:in|mit|ohne|kein|keine|keinen|verwende|benutze|lass)\b|\b(?:schreib|formulier|erklar)|^sag\b",
    more_word="mehr",
    less_word="weniger",
    forms=_forms,
)
