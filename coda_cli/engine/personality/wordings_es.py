"""Feedback in Spanish (`wordings`)."""

from __future__ import annotations

from typing import Final

from coda_cli.engine.personality.wording_tables import Quality, Tables, Thing


def _forms(word: str) -> tuple[str, ...]:
    """*word* with and without the endings of gender and number."""
    if word.endswith("o"):
        return tuple(word[:-1] + ending for ending in ("o", "a", "os", "as"))
    return (word, f"{word}s", f"{word}es")


_QUALITIES: Final = (
    Quality("shorter", "longer", "corto|breve|conciso|escueto|sucinto", adverbs="brevemente|en pocas palabras"),
    Quality(
        "longer",
        "shorter",
        "largo|extenso|detallado|completo|verboso",
        adverbs="en detalle|con detalle|con mas detalle|en mas detalle",
        quiet="completo",
    ),
    Quality("formal", "casual", "formal|profesional", adverbs="formalmente", excess="rigido|serio y formal|estirado"),
    Quality("casual", "formal", "informal|coloquial|relajado|casual", adverbs="informalmente"),
    Quality("jokes", "no jokes", "gracioso|divertido|chistoso", quiet="gracioso|divertido"),
    Quality("no jokes", "jokes", "serio", adverbs="en serio"),
    Quality(
        "simpler",
        "deeper",
        "simple|sencillo|claro",
        adverbs="sencillamente|con palabras sencillas|en terminos sencillos",
        excess="superficial",
        quiet="claro",
    ),
    Quality(
        "deeper",
        "simpler",
        "tecnico|preciso|riguroso",
        adverbs="con mas precision",
        excess="complicado|complejo|dificil|abstracto",
        quiet="preciso|riguroso",
    ),
    Quality(
        "direct",
        "gentler",
        "directo|franco|honesto|sincero",
        adverbs="directamente",
        excess="duro|brusco|borde|frio",
        quiet="franco|honesto|sincero",
    ),
    Quality("gentler", "direct", "amable|suave|educado|empatico|cortes", adverbs="amablemente", quiet="amable"),
    Quality("livelier", "calmer", "entusiasta|animado|positivo", excess="efusivo|halagador|adulador", quiet="positivo"),
    Quality(
        "calmer",
        "livelier",
        "tranquilo|neutral|sobrio|calmado",
        excess="aburrido|monotono|seco",
        quiet="tranquilo|neutral",
    ),
    Quality("creative", "conventional", "creativo|original", quiet="original"),
    Quality("suggestions", "no suggestions", "proactivo"),
    Quality("decide", "doubt", "decidido|seguro de ti"),
    Quality("doubt", "decide", "humilde|modesto", excess="vago|ambiguo|evasivo|indeciso"),
    Quality("factual", "", "objetivo|factual"),
)
_THINGS: Final = (
    Thing("jokes", "no jokes", "bromas|broma|chistes|humor|bromear", made=True),
    Thing("livelier", "no emojis", "emojis|emoji|emoticonos|signos de exclamacion"),
    Thing("longer", "shorter", "detalle|detalles|texto|palabras|rodeos|relleno"),
    Thing("suggestions", "no suggestions", "sugerencias|consejos|preguntas al final", made=True),
    Thing("deeper", "simpler", "jerga|tecnicismos|terminos tecnicos"),
    Thing("livelier", "calmer", "entusiasmo|halagos|elogios|cumplidos"),
    Thing("gentler", "factual", "empatia"),
)
_DO: Final = (
    r"(?:se|sea|sean|ser|se tu|mantente|responde|responda|responder|respondeme|responderme|contesta"
    r"|conteste|contestar|contestame|escribe|escriba|escribir|habla|hable|hablar|explica|explique"
    r"|explicar|explicate|explicalo|explicarlo|explicarte|expresate)"
)
_GIVE: Final = (
    r"(?:quiero|prefiero|quisiera|querria|(?:a mi )?me gustaria|me gustarian|me gustan|preferiria"
    r"|necesito|da|dame|deme|dar|darme|escribe|escribeme|escriba|escribir|escribirme|usa|usar|haz"
    r"|hacer|tener|manten)(?: tener| recibir| que me des)?"
)
_SO: Final = r"(?:tan|demasiado|muy|asi de)"
_YOUR: Final = r"(?:tus|sus|las|estas|esas|todas tus|todas las)"

SPANISH: Final = Tables(
    qualities=_QUALITIES,
    things=_THINGS,
    like=(
        (rf"(?:(?:tienes|hay) que |debes |deberias |puedes |podrias )?{_DO} (?:de (?:forma|manera|modo) )?X"),
        (
            r"(?:quiero|me gustaria|preferiria|necesito|quisiera) que (?:seas|sea|fueras|fuera|respondas"
            r"|contestes|escribas) X"
        ),
        rf"{_GIVE} (?:unas |las |tus )?respuestas X",
        r"(?:unas )?respuestas X(?: (?:estarian|serian|estaria) (?:bien|mejor|mejores|geniales))?",
        rf"{_YOUR} respuestas (?:deberian|deben|podrian|pueden|tienen que) ser X",
    ),
    too=(
        rf"no (?:seas|sea|respondas|responda|escribas|escriba|hables|hable|contestes) {_SO} X",
        r"(?:no|sin) (?:tan|ser tan|ser demasiado) X",
        (
            rf"(?:(?:eso|esto|ello|usted|tu) )?(?:es|fue|era|eres|ha sido|estas siendo|suenas|suena|has sido"
            rf"|(?:tu|su|la|esta|esa|tu ultima|la ultima) respuesta (?:es|fue|era)|{_YOUR} respuestas (?:son"
            rf"|eran|fueron)|tu (?:tono|estilo|lenguaje) es|escribes|respondes|hablas) demasiado X"
        ),
        r"demasiado X",
        rf"(?:deja|deje|para|evita) (?:de )?ser {_SO} X",
        (rf"(?:no (?:quiero|me des|des|escribas|me gustan las|me gustan)|sin|evita) respuestas (?:{_SO} )?X"),
    ),
    compared=(
        rf"(?:{_GIVE} )?una respuesta X",
        r"(?:(?:con|en|usa|de) )?(?:un |una )?(?:tono|lenguaje|estilo) X",
    ),
    more=(
        (
            r"(?:mas|con mas|usa mas|pon mas|incluye mas|faltan|falta|haz mas|muestra mas|no hay "
            r"suficientes?) T"
        ),
        rf"{_GIVE} mas T",
    ),
    less=(
        (
            r"(?:sin|menos|con menos|no mas|ya no mas|basta de|evita|evita los|evita las|deja|deja los|deja "
            r"las|deja de|demasiado|demasiada|demasiados|demasiadas|hay demasiados|hay demasiadas|hay "
            r"demasiado) (?:(?:tantos|tantas|tus|esos|esas) )?T"
        ),
        (
            r"no (?:uses|use|utilices|utilice|hagas|haga|pongas|des|me des|incluyas) (?:(?:tantos|tantas"
            r"|tanto|tanta|mas|demasiados|los|las) )?T"
        ),
        r"(?:usa|use|haz|pon|da|dame) menos T",
        r"(?:no quiero|no me gustan|no me gusta) (?:(?:tantos|tantas|mas|los|las|el|la|tus) )*T",
        (r"(?:deja|para|deje) de (?:usar|hacer|poner|dar|darme) (?:(?:tantos|tantas|los|las|mas) )?T"),
        r"(?:usas|haces|pones) (?:demasiados|demasiadas) T",
    ),
    tasks=r"^(?:en|con|sin|usa|evita|no)\b|\b(?:escrib|explic)",
    given=(
        r"^(?:quiero|prefiero|quisiera|querria|me|preferiria|necesito|da|dame|deme|dar|escribe|haz"
        r"|hacer)\b"
    ),
    more_word="mas",
    less_word="menos",
    forms=_forms,
)
