"""Feedback in French (`wordings`)."""

from __future__ import annotations

from typing import Final

from coda_cli.engine.personality.wording_tables import Quality, Tables, Thing


def _forms(word: str) -> tuple[str, ...]:
    """*word* with and without the endings of gender and number."""
    return tuple(word + ending for ending in ("", "e", "s", "es", "le", "les"))


_QUALITIES: Final = (
    Quality("shorter", "longer", "court|bref|breve|concis|succinct", adverbs="brievement|succinctement|en bref"),
    Quality(
        "longer",
        "shorter",
        "long|longue|detaill|detaille|detaillee|complet|approfondi|verbeux|verbeuse|bavard",
        more="plus en detail",
        adverbs="en detail|longuement",
        quiet="complet|approfondi",
    ),
    Quality("formal", "casual", "formel|professionnel|soutenu", adverbs="formellement", excess="guinde|raide|distant"),
    Quality("casual", "formal", "decontracte|familier|familiere|informel|detendu", more="simplement familier"),
    Quality("jokes", "no jokes", "drole|amusant", excess="blagueur", quiet="drole|amusant"),
    Quality("no jokes", "jokes", "serieux|serieuse"),
    Quality(
        "simpler",
        "deeper",
        "simple|clair",
        adverbs="simplement|avec des mots simples|en termes simples|clairement",
        excess="simpliste|superficiel",
        quiet="clair",
    ),
    Quality(
        "deeper",
        "simpler",
        "technique|precis|rigoureux",
        adverbs="precisement",
        excess="complique|compliquee|complexe|difficile|abstrait",
        quiet="precis|rigoureux",
    ),
    Quality(
        "direct",
        "gentler",
        "direct|franc|franche|honnete",
        adverbs="directement|franchement",
        excess="dur|brutal|sec|seche|froid",
        quiet="franc|franche|honnete",
    ),
    Quality(
        "gentler",
        "direct",
        "gentil|aimable|doux|douce|poli|sympa",
        adverbs="gentiment|doucement|poliment",
        quiet="gentil|aimable|sympa",
    ),
    Quality(
        "livelier", "calmer", "enthousiaste|positif|positive|vivant", excess="exalte|flatteur", quiet="positif|positive"
    ),
    Quality(
        "calmer",
        "livelier",
        "calme|neutre|sobre",
        adverbs="calmement|sobrement",
        excess="ennuyeux|monotone",
        quiet="calme|neutre",
    ),
    Quality("creative", "conventional", "creatif|creative|original", quiet="original"),
    Quality("suggestions", "no suggestions", "proactif|proactive"),
    Quality("decide", "doubt", "sur de toi|affirmatif|decide", excess="sur de toi"),
    Quality("doubt", "decide", "modeste|humble", excess="vague|evasif|hesitant"),
    Quality("factual", "", "factuel|objectif|objective"),
)
_THINGS: Final = (
    Thing("jokes", "no jokes", "blagues|blague|plaisanteries|humour|plaisanter", made=True),
    Thing("livelier", "no emojis", "emojis|emoji|emoticones|smileys|points d exclamation"),
    Thing("longer", "shorter", "details|detail|texte|mots|blabla"),
    Thing("suggestions", "no suggestions", "suggestions|conseils|questions a la fin", made=True),
    Thing("deeper", "simpler", "jargon|termes techniques|mots compliques"),
    Thing("livelier", "calmer", "enthousiasme|compliments|flatteries|flatterie"),
    Thing("gentler", "factual", "empathie"),
)
_DO: Final = (
    r"(?:sois|soyez|etre|reste|restez|rester|fais|faites|faire|reponds|repondez|repondre"
    r"|ecris|ecrivez|ecrire|parle|parlez|parler|explique|expliquez|expliquer|exprime toi|exprimez "
    r"vous|t exprimer|vous exprimer|me repondre|m expliquer)(?: moi)?"
)
_GIVE: Final = (
    r"(?:je (?:veux|voudrais|prefere|prefererais|souhaite|souhaiterais)|j (?:aimerais|aime|ai besoin)"
    r"|donne|donne moi|donnez moi|donner|me donner|ecris|ecris moi|ecrivez|ecrire|m ecrire|fais"
    r"|faites|faire|me faire|il me faut|utilise|avoir|envoie moi)(?: avoir| recevoir| de| que)?"
)
_SO: Final = r"(?:si|aussi|trop|tellement|autant)"
_YOUR: Final = r"(?:tes|vos|les|ces|toutes tes|toutes les)"

FRENCH: Final = Tables(
    qualities=_QUALITIES,
    things=_THINGS,
    like=(
        (rf"(?:tu (?:peux|pourrais|dois) |vous (?:pouvez|pourriez) )?{_DO} (?:de (?:facon|maniere) )?X"),
        (
            r"(?:je (?:veux|voudrais|prefere|prefererais)|j aimerais) que (?:tu sois|vous soyez|tu reponds"
            r"|tu repondes) X"
        ),
        rf"{_GIVE} (?:des |de |les |tes )?reponses X",
        r"(?:des |de )?reponses X(?: (?:seraient|serait) (?:bien|mieux|bienvenues|appreciees|preferables))?",
        rf"{_YOUR} reponses (?:devraient|doivent|pourraient|peuvent) etre X",
        r"(?:en|en faisant) X",
    ),
    too=(
        rf"(?:n |ne )?{_DO} pas {_SO} X",
        rf"ne pas {_DO} {_SO} X",
        r"pas (?:si|aussi|tellement) X",
        (
            rf"(?:c est|c etait|cela est|cela etait|tu es|vous etes|tu etais|(?:ta|votre|la|cette|ta derniere"
            rf"|la derniere) reponse (?:est|etait)|{_YOUR} reponses (?:sont|etaient)|(?:ton|votre) (?:ton"
            rf"|style|langage) est|tu parles|tu reponds|tu ecris) (?:(?:encore|bien) )?trop X"
        ),
        r"(?:bien )?trop X",
        rf"(?:arrete|arretez|cesse|cessez|evite|evitez) d etre (?:{_SO} )?X",
        (
            rf"(?:pas de|pas des|plus de|arrete les|evite les|je ne veux pas de|je n aime pas les) reponses "
            rf"(?:{_SO} )?X"
        ),
    ),
    compared=(
        rf"(?:{_GIVE} )?une reponse X",
        r"(?:(?:sur|avec|prends|adopte|utilise|dans) )?(?:un |des )?(?:ton|style|langage|mots|langue) X",
    ),
    more=(
        (
            r"(?:davantage de|davantage d|avec plus de|avec plus d|pas assez de|pas assez d|utilise plus de"
            r"|utilise plus d|mets plus de|mets plus d|ajoute plus de|il manque des|il manque de) T"
        ),
        rf"{_GIVE} plus (?:de|d) T",
    ),
    less=(
        (
            r"(?:pas de|pas d|moins de|moins d|sans|trop de|trop d|assez de|assez d|arrete les|arrete avec "
            r"les|arrete|arretez les|arretez|evite les|evitez les|evite|laisse tomber les|plus aucun|plus "
            r"aucune) (?:(?:tes|ces|tous ces|tous les) )?T"
        ),
        (
            r"(?:n |ne )?(?:utilise|utilisez|mets|mettez|fais|faites|donne|emploie|employez) (?:pas|moins"
            r"|plus) (?:(?:autant|tant|trop) )?(?:de |d |les |des )?T"
        ),
        (
            r"(?:je ne veux (?:pas|plus)|je n aime pas|arrete d utiliser|arrete de faire|arretez d utiliser) "
            r"(?:de |d |les |des )T"
        ),
        r"(?:il y a|tu utilises|tu mets|c est) trop (?:de |d )T",
    ),
    tasks=r"^(?:en|avec|sur|dans|sans|pas|utilise|evite)\b|\b(?:ecri|expliqu)",
    given=r"^(?:je|j|donne|donnez|ecris|fais|faites|il me|me|envoie)\b",
    more_word="plus",
    less_word="moins",
    forms=_forms,
)
