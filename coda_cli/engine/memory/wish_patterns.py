"""The words in which people ask for something to be kept or forgotten: English, and the basics of three more."""

from __future__ import annotations

import re
from typing import Final


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


LEAD: Final = _compiled(
    r"(?:(?:hi|hey|hello|ok(?:ay)?|so|and|also|oh|btw|by the way|well|alright|great|thanks|thank you|cool|perfect|coda"
    r"|one more thing|actually|fyi|for the record|just so you know|correction|hallo|also|übrigens"
    r"|bonjour|au fait"
    r"|hola|por cierto|sorry|nice|good|right|sure|now|(?:no|yes|nein|oui|sí)(?=[,.!]))\b(?: there| again"
    r"| coda)?[,:!. ]+)*"
)
"""What may stand before a wish."""
_POLITE: Final = (
    r"(?:please |kindly |do |always |just |i want you to |i'd like you to |i would like you to |i need you to |bitte "
    r"|s'il te pla[iî]t,? |por favor,? )*"
)
ASKED: Final = _compiled(
    r"(?:can|could|would|will) you (?:please |kindly |just |maybe )*(?=(?:always )?(?:remember|memori[sz]e|keep in mind"
    r"|make a note|note|forget (?:that|about|everything|what)|call me)\b)(?!remember (?:when|how|the time|what"
    r"|who|why|where|if))"
    r"|(?:kannst|könntest) du (?:dir )?(?:bitte )?(?=merken|vergessen)|peux-tu (?=te souvenir|retenir|oublier)"
    r"|puedes (?=recordar|olvidar)"
)
"""A wish in the form of a question."""
QUESTION: Final = _compiled(
    r"(?:do|did|does|can|could|would|will|should|is|are|was|were|have|has|what|when|where|who|whom|whose|why"
    r"|how|which|if"
    r"|suppose|imagine|pretend|let's say|say|unless|whether|kannst|weißt|was|wann|wo|wer|wie|est-ce|sais-tu|qu'|"
    r"¿)(?:\s|(?<=['¿]))(?!you (?:please )?remember)"
)
_THAT: Final = r"(?:\s+(?:please|for me|for later|for next time|for the future|forever))*(?:\s*[:,—–-]\s*|\s+)"
REMEMBER: Final = _compiled(
    _POLITE + r"(?:"
    r"(?:remember|memori[sz]e|don't (?:ever )?forget|do not (?:ever )?forget|never forget|make (?:a )?(?:mental )?note)"
    r"(?:"
    + _THAT
    + r"(?:that|the fact that|the following)(?!\s+(?:time|day|one|movie|film|song|night|guy|thing|when)\b)\b[:,]?"
    r"|(?:\s+(?:please|this|for me|for later|this fact))*\s*[:—–]"
    r"|" + _THAT + r"(?=(?:my|our|i|i'm|i've|i'd|we|we're|we've) )"
    r"|\s+to (?=(?:always|never|use|write|answer|reply|respond|keep|call|address|avoid|include|add|be|speak"
    r"|explain|give)\b))"
    r"|(?:store|save|add|put) (?:this |that |it )?(?:in|to|into) (?:your |the )?memory(?:\s+that|\s*[:—–])"
    r"|merk(?:e)? (?:dir|es dir)(?: bitte)?(?:\s*,\s*dass|\s*[:—–]|\s+dass)"
    r"|(?:denk(?:e)? (?:bitte )?daran|erinner(?:e)? dich (?:bitte )?(?:daran)?"
    r"|vergiss (?:bitte )?nicht)\s*(?:,\s*dass|[:—–])"
    r"|dir merken\s*,\s*dass|merken\s*,\s*dass"
    r"|(?:souviens[- ]toi|rappelle[- ]toi|retiens|n'oublie(?: pas)?|te souvenir"
    r"|retenir)(?: bien)?(?:\s+qu(?:e\s+|')|\s*[:—–])"
    r"|(?:recuerda|no olvides|acu[eé]rdate(?: de)?|ten en cuenta|recordar)(?:\s+que|\s*[:—–]))\s*"
)
WEAK: Final = _compiled(
    _POLITE + r"(?:keep in mind|bear in mind|note|take note|remember)(?:\s*[:,]\s*|\s+)(?:that\s+)?"
    r"(?=(?:i|i'm|i've|i'd|my|we|we're|our)\b(?! (?:asked|said|told|mentioned|wrote|already)))"
    r"|(?:note|garde à l'esprit) que (?=je |j'|mon |ma )|(?:beachte|denk dran)\s*,\s*dass (?=ich |mein)"
)
"""Words that a task uses as well: only what a person says of themselves is meant to last."""
FROM_NOW: Final = _compiled(
    r"(?:from now on|from today on|from here on(?: out)?|going forward|moving forward|in the future|in future"
    r"|for future (?:reference|answers|chats|conversations)|in all future (?:chats|answers|conversations)"
    r"|ab jetzt|ab sofort|ab heute|von nun an|künftig|in zukunft"
    r"|à partir de maintenant|dorénavant|désormais|à l'avenir"
    r"|de ahora en adelante|a partir de ahora|en adelante)\s*[,:]?\s+"
    r"(?:please\s+|bitte\s+|s'il te pla[iî]t,?\s+|por favor,?\s+)?"
    r"(?!(?:the|this|that|it|he|she|they|there|his|her|their|these|those|we can|i will|i'll|i'd|people|users|everyone"
    r"|everything|nothing|what|how)\b)"
    r"|(?:please\s+)(?=(?:always|never)\s)"
    r"|(?=always (?:answer|reply|respond|speak|talk|address|call me|greet|write to me)\b)"
)
_DEICTIC: Final = (
    r"(?:this|that|it|these|those|your|you|him|her|them|option|number|version|variant|choice|answer|candidate|a|b|c|d"
    r"|both|neither|either|another|not to say|none|one|\d+|#\d+"
    r"|the (?:first|second|third|fourth|last|latter|former|other|previous|next|one|ones|version|option|original|new|old"
    r"|shorter|longer|simpler|above|below|latest|earlier|way|idea|approach|solution|red|blue|green|left|right"
    r"|top|bottom"
    r"|\w+ (?:one|option|version|variant|approach|solution|example|draft|design|title|name)))\b"
)
PREFER: Final = _compiled(
    r"(?:(?:generally|usually|personally|in general|as a rule),? )?(?:i|we) (?:generally |usually |always "
    r"|strongly |really "
    r"|personally |much )*prefer\s+(?!" + _DEICTIC + r"|to (?:wait|think|stop|leave|skip|do it|go|start|see|not)\b)\S"
    r"|ich bevorzuge\s+(?!das\b|dies|die (?:erste|zweite)|den\b)\S|je préfère\s+(?!ça|cela|le (?:premier|second)|la "
    r"(?:première|seconde)|ce)\S|prefiero\s+(?!eso|esto|el (?:primero|segundo)|la (?:primera|segunda)|est|es[ea])\S"
)
_NAME: Final = (
    r"(?P<name>[^\W\d_][\w'-]*(?: [^\W\d_][\w'-]*){0,3}?)(?=\s*(?:[,.;!]|$|—|–|\band\b|\bbut\b|\bund\b|\bet\b|\by\b))"
)
NAME: Final = _compiled(
    r"(?:my (?:full |first |real )?name(?:'s| is)|i am called|ich heiße|ich heisse|mein name ist|je m'appelle"
    r"|mon nom est"
    r"|me llamo|mi nombre es) " + _NAME
)
CALL_ME: Final = _compiled(
    r"(?:please |just |you can |you may )*(?:always )?(?:call me|nenn(?:e)? mich(?: bitte)?|appelle[- ]moi|ll[aá]mame) "
    + _NAME
)
NO_NAME: Final = _compiled(
    r"^(?:on|in|not|the|a|an|too|hard|irrelevant|important|unimportant|spelled|written|at|here|there|back|later"
    r"|when|if|as"
    r"|crazy|maybe|tomorrow|now|tonight|old|names|stupid|lazy|paranoid|by|what|whatever|for|to|again|first|mad"
    r"|nuts|soon"
    r"|cynical|already|missing|also|often|usually|common|wrong|correct|none|zurück|plus|demain|mañana|luego|up"
    r"|out|after"
    r"|before|asap|quand|cuando|nicht|taxi|misspelled|pronounced|john doe|surprised|impressed|skeptical|biased)\b"
)
FORGET: Final = _compiled(
    _POLITE + r"(?:forget|(?:delete|erase|remove) (?:the |every |all )?(?:memor(?:y|ies)|notes?)(?= (?:that|about))"
    r"|remove from (?:your )?memory|vergiss|oublie|olvida)(?P<wide>\s+(?:everything|all"
    r"|anything|alles|tout|todo))?"
    r"(?:\s+(?:you (?:know|remember|have)|that you know|i(?:'ve| have)? (?:ever )?(?:told"
    r"|said)(?: to)?(?: you)?|what i(?:'ve)? (?:said|told you)"
    r"|what you know|about me|du weißt|was du))?"
    r"(?:\s+(?P<about>about|über|à propos d(?:e\s+|')|sobre)\s*(?=\S)"
    r"|\s*,?\s+(?:that|dass|qu(?:e\s|')|que)(?=\s+\S)|(?<=')"
    r"|\s+(?=my (?!last|previous|question|request|message|first|earlier)\w))"
)
VAGUE: Final = _compiled(
    r"(?:it|this|that|them|him|her|one|all|everything|what i (?:just )?said|ever happened|it for now|when|how"
    r"|why|who|where"
    r"|time|the (?:last|previous|first) (?:message|question|part|one|sentence|thing|request)|i (?:said|asked"
    r"|mentioned|told you)"
    r"(?: (?:that|it|this|anything|you|about))?|we (?:talked|discussed|spoke)(?: about)?|das|es|ça|cela|eso|esto"
    r"|for now|now|question|the question)?[\s.!]*$"
    r"|(?:when|how|why|who|where|what|if|whether|the time|the days|those|wie|wann|quand|cómo|cuando)\b"
)
"""What says nothing without what stands around it, or begins a recollection."""
STATEMENT: Final = _compiled(
    r"(?:i|i'm|i've|my|we|we're|our|the)\b(?!.*\b(?:would|might|could|used to|was|were|wish|hope|if|planning|want to"
    r"|going to|think about|dream)\b)|ich\b|mein|je |j'|mon |ma |vivo|me |mi "
)
"""What a person says of themselves as it is now."""
TAIL: Final = _compiled(
    r",?\s+(?:and|but|then|so|und|et|y)\s+(?=(?:now|then|please|can you|could you|would you|tell me|explain"
    r"|write|give me"
    r"|show me|help|what|how|why|who|when|where|let's|answer|translate|summari[sz]e|erkläre|sag mir|dis-moi"
    r"|explique|dime)\b)"
    r"|\s*[,;—–]\s*(?=(?:please (?:remember|note|don't forget)|remember (?:that|this)|keep (?:that"
    r"|this) in mind|ok\?|okay\?"
    r"|thanks|thank you|danke|merci|gracias)\b)"
)
"""Where the wish ends and the next task begins."""
TASK: Final = _compiled(
    r"(?:please |can you |could you |kannst du |peux-tu |puedes )*(?:"
    r"(?:translate|summari[sz]e|rewrite|rephrase|proofread|paraphrase|classify|shorten|repeat|quote|echo|role ?play"
    r"|pretend|imagine|übersetze|fasse|traduis|résume|traduce|resume|dear)\b"
    r"|(?:from|subject|to|re|fwd): "
    r"|(?:correct|edit|review|improve|analy[sz]e|explain|fix|write|draft|compose|continue|complete|parse|extract|spell"
    r"|pronounce|say|print|here(?:'s| is| are)|this is (?:an?|the) \w+|the [\w ]{2,40} (?:says|reads|said|is|contains)"
    r"|what does|what is the meaning|how (?:do|would) (?:you|i) (?:say|translate)|for example|e\.g)\b.*[:\"“„«])"
)
"""A task whose material follows: what stands in it is not the person's wish."""
