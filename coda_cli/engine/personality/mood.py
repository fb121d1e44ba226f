"""Being asked how one is: "how are you feeling?", "what's your mood?", "wie geht's?"."""

from __future__ import annotations

import re
from typing import Final

from coda_cli.engine.personality.clauses import plain, sentences

_GREETING: Final = (
    r"(?:(?:and|so|hey|hi|hello|good (?:morning|evening|afternoon)|please|tell me|coda|oh|well|na|und"
    r"|hallo|moin|servus|guten (?:tag|morgen|abend)|sag mal|et|salut|bonjour|bonsoir|alors|dis moi|y"
    r"|hola|buenas|buenos dias|oye|dime) )*"
)
_HOW: Final = (
    (
        r"how (?:are|do) you (?:feel(?:ing)?|do(?:ing)?|holding up)|how are you|how is your (?:mood"
        r"|day)(?: going| been)?|how has your day been|how (?:is|are|was) (?:it|things|everything|life"
        r"|your day)(?: going| with you| been going)?|(?:what|how) is your (?:current |present )?mood(?: "
        r"like)?|what (?:kind of |sort of )?mood are you in|in what (?:kind of )?mood are you|are you "
        r"(?:feeling )?(?:happy|sad|ok|okay|well|fine|good|tired|all right|alright|in a (?:good|bad) mood"
        r"|doing (?:ok|okay|well|fine|all right))|you (?:ok|okay|all right|alright|good)|do you feel "
        r"(?:ok|okay|well|fine|good)|(?:can|could|would|will) you tell me how you (?:feel|are)|how you (?:are|feel)"
        r"|how have you been|how do you do|what is up|what is new with you"
    ),
    (
        r"wie (?:geht es|gehts|geht s) (?:dir|ihnen|euch)|wie gehts|wie geht es(?: so)?|wie geht es so"
        r"|wie lauft es|wie lauft s|wie (?:fuhlst du dich|fuhlen sie sich)|wie ist (?:deine|ihre|die) "
        r"(?:stimmung|laune)|wie bist du (?:drauf|gelaunt)|(?:in welcher|was fur eine|welche) (?:stimmung"
        r"|laune) (?:bist|hast) du|was macht (?:die|deine) laune|bist du (?:gut|schlecht) (?:gelaunt"
        r"|drauf)|geht es (?:dir|ihnen) gut|alles (?:gut|klar|ok) bei (?:dir|ihnen)"
    ),
    (
        r"(?:comment )?(?:ca va|vas tu|allez vous|te sens tu|vous sentez vous)|comment (?:tu vas|vous "
        r"allez|tu te sens|vous vous sentez|va ton humeur|vont les choses)|(?:tu vas|vous allez|vas tu"
        r"|allez vous) bien|ca va bien|(?:est ce que )?(?:ca va|tu vas bien)|quelle est (?:ton|votre) "
        r"humeur|de quelle humeur (?:es tu|etes vous|tu es)|tu es de bonne humeur"
    ),
    (
        r"como (?:estas|esta usted|te sientes|se siente|te encuentras|se encuentra|te va|le va|va|va todo"
        r"|andas|vas)|que tal(?: estas| te va| te sientes| todo| va)?|(?:estas|te encuentras|te sientes) "
        r"bien|(?:cual es|como es) tu estado de animo|como esta tu (?:humor|animo)|de que humor estas"
        r"|estas de buen humor"
    ),
)
_WHEN: Final = (
    r"(?: (?:today|now|right now|at the moment|really|this (?:morning|evening|afternoon)|these days"
    r"|lately|so far|coda|feeling|then|heute|gerade|jetzt|denn|so|im moment|aujourd hui|maintenant"
    r"|en ce moment|toi|hoy|ahora|hoy en dia|tu))*"
)
_ASKED: Final = re.compile(_GREETING + "(?:" + "|".join(_HOW) + ")" + _WHEN)


def asks_about_mood(text: str) -> bool:
    """Whether a sentence of *text* asks how the one who answers is."""
    parts = (part for sentence in sentences(text) for part in re.split(r"[,;:–—]", sentence))
    return any(_ASKED.fullmatch(plain(part)) for part in parts)
