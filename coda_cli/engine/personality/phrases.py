"""The kinds of feedback, what each does to a persona, and the set phrases for them. For other ways see `wordings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct


class Wish(Struct, frozen=True):
    """One kind of feedback: `steps` on traits, and `word`, what it does to the mood ("" for nothing).

    A step of more than 1 goes all the way to its end: -2 means "at most 0.1", 2 "at least 0.9".
    """

    name: str
    steps: Mapping[str, float]
    word: str = ""


_STEP: Final = 0.2
_WISHES: Final = (
    Wish("shorter", {"verbosity": -_STEP}, "attentive"),
    Wish("much shorter", {"verbosity": -2 * _STEP}, "attentive"),
    Wish("longer", {"verbosity": _STEP}),
    Wish("no jokes", {"humour": -2}, "serious"),
    Wish("jokes", {"humour": _STEP}, "playful"),
    Wish("formal", {"formality": _STEP}, "businesslike"),
    Wish("casual", {"formality": -_STEP}, "relaxed"),
    Wish("no emojis", {"enthusiasm": -2}, "sober"),
    Wish("calmer", {"enthusiasm": -_STEP}, "sober"),
    Wish("livelier", {"enthusiasm": _STEP}, "lively"),
    Wish("simpler", {"analytical": -_STEP}),
    Wish("for a child", {"analytical": -2}),
    Wish("deeper", {"analytical": _STEP}),
    Wish("direct", {"directness": _STEP}),
    Wish("gentler", {"directness": -_STEP, "empathy": _STEP}, "gentle"),
    Wish("factual", {"empathy": -_STEP}),
    Wish("creative", {"creativity": _STEP}),
    Wish("conventional", {"creativity": -_STEP}),
    Wish("no suggestions", {"proactivity": -2}),
    Wish("suggestions", {"proactivity": _STEP}),
    Wish("decide", {"confidence": _STEP}),
    Wish("doubt", {"confidence": -_STEP}),
    Wish("praise", {}, "pleased"),
    Wish("blame", {}, "attentive"),
)
BY_NAME: Final = {wish.name: wish for wish in _WISHES}

# Phrases as they stand after `clauses.plain`: small letters, no accents, no politeness. One table for all languages.
PHRASES: Final[Mapping[str, str]] = {
    "shorter": (
        "shorter|be shorter|be brief|be briefer|briefer|be concise|be more concise|more concise|be more brief|be terse"
        "|keep it short|keep it brief|keep it concise|keep it shorter|keep your answers short|keep answers short"
        "|keep your answers shorter|short answers|shorter answers|give shorter answers|give me shorter answers"
        "|answer briefly|answer shorter|answer more briefly|make your answers shorter|too long|that was too long"
        "|that is too long|this is too long|this was too long|it was too long|your answer was too long"
        "|your answers are too long|too wordy|that was too wordy|you are too wordy|too verbose|that was too verbose"
        "|you are too verbose|be less verbose|less verbose|less detail|less details|fewer words|use fewer words|tl dr"
        "|tldr|get to the point faster|i prefer short answers|i prefer shorter answers|i want shorter answers"
        "|you talk too much|you write too much|too much text|do not ramble|stop rambling"
        "|you are writing too much|you are talking too much|you explain too much|you say too much"
        "|du schreibst zu viel|du redest zu viel|du erklarst zu viel|tu parles trop|tu ecris trop|hablas demasiado"
        "|escribes demasiado|do not write so much|do not write so much text"
        "|kurzer|fass dich kurz|fass dich kurzer|fasse dich kurz|kurze antworten|kurzere antworten|antworte kurz"
        "|antworte kurzer|knapper|zu lang|das war zu lang|das ist zu lang|deine antworten sind zu lang|weniger text"
        "|halte dich kurz|nicht so ausfuhrlich|weniger details|sei kurzer|in kurze"
        "|plus court|sois bref|sois plus bref|soyez bref|soyez plus bref|reponds plus court|des reponses plus courtes"
        "|trop long|c etait trop long|c est trop long|tes reponses sont trop longues|moins de details|fais court"
        "|mas corto|se breve|se mas breve|sea breve|sea mas breve|mas breve|respuestas mas cortas|demasiado largo"
        "|fue demasiado largo|es demasiado largo|tus respuestas son demasiado largas|menos detalles"
    ),
    "much shorter": (
        "one sentence answers only|answer in one sentence|one word answers|as short as possible|be as brief as possible"
        "|so kurz wie moglich|le plus court possible|lo mas corto posible"
    ),
    "longer": (
        "longer|be longer|more detail|more details|be more detailed|more detailed|be detailed|give more detail"
        "|give me more detail|give more details|give me more details|longer answers|give longer answers|too short"
        "|give me longer answers|that was too short|that is too short|your answers are too short|too brief"
        "|that was too brief|be more verbose|more verbose|be thorough|be more thorough|answer in more detail"
        "|detailed answers|more detailed answers|go into more detail|i prefer detailed answers|i want more detail"
        "|i prefer longer answers|elaborate more|explain more"
        "|langer|ausfuhrlicher|mehr details|mehr detail|genauer|zu kurz|das war zu kurz|langere antworten"
        "|ausfuhrlichere antworten|antworte ausfuhrlicher|sei ausfuhrlicher"
        "|plus long|plus de details|plus detaille|sois plus detaille|trop court|c etait trop court"
        "|des reponses plus longues|mas largo|mas detalles|mas detalle|mas detallado|demasiado corto"
        "|respuestas mas largas|se mas detallado"
    ),
    "no jokes": (
        "stop joking|no jokes|no more jokes|stop the jokes|stop making jokes|stop with the jokes|do not joke"
        "|do not make jokes|enough jokes|enough with the jokes|be serious|less jokes|fewer jokes|be more serious"
        "|no puns|stop being funny|this is not funny|that is not funny|not funny"
        "|keine witze|keine witze mehr|hor auf zu scherzen|hor auf mit den witzen|lass die witze|sei ernst"
        "|sei ernster|nicht lustig|arrete de plaisanter|arrete les blagues|pas de blagues|plus de blagues|sois serieux"
        "|sin bromas|no mas bromas|deja de bromear|deja las bromas|se serio|se mas serio"
    ),
    "jokes": (
        "be funny|be funnier|funnier|more jokes|more humour|more humor|be humorous|lighten up|make jokes|be witty"
        "|make more jokes|be less serious|mehr humor|sei lustiger|sei witziger|lustiger|sois plus drole|plus d humour"
        "|se mas gracioso|mas humor"
    ),
    "formal": (
        "be formal|be more formal|more formal|be more professional|more professional|be professional|too casual"
        "|that was too casual|you are too casual|write more formally|be less casual|use formal language|too informal"
        "|formeller|sei formeller|sei formlicher|formlicher|sieze mich|bitte siezen|zu locker|professioneller"
        "|sois plus formel|plus formel|vouvoie moi|vouvoyez moi|se mas formal|mas formal|tratame de usted"
    ),
    "casual": (
        "be casual|be more casual|more casual|be less formal|less formal|be informal|be more informal|more informal"
        "|too formal|that was too formal|you are too formal|loosen up|relax|be more relaxed|too stiff|you are too stiff"
        "|lockerer|sei lockerer|duze mich|zu formell|weniger formell|zu steif|sois plus decontracte|moins formel"
        "|tutoie moi|trop formel|se menos formal|menos formal|tuteame|demasiado formal"
    ),
    "no emojis": (
        "no emojis|no emoji|no more emojis|stop using emojis|stop with the emojis|do not use emojis|without emojis"
        "|stop the emojis|drop the emojis|skip the emojis|no smileys|keine emojis|keine emojis mehr|ohne emojis"
        "|keine smileys|pas d emojis|sans emojis|arrete les emojis|plus d emojis|sin emojis|no uses emojis"
    ),
    "calmer": (
        "calm down|be calmer|be less enthusiastic|less enthusiasm|less enthusiastic|tone it down|too enthusiastic"
        "|stop flattering me|stop praising me|do not flatter me|no flattery|no praise|be neutral|be more neutral"
        "|you are too enthusiastic|beruhige dich|weniger begeistert|sei sachlicher|sachlicher|calme toi"
        "|moins d enthousiasme|calmate|menos entusiasmo"
    ),
    "livelier": (
        "be more enthusiastic|more enthusiasm|be enthusiastic|be more lively|be livelier|be more positive|cheer up"
        "|be more encouraging|use emojis|more emojis|use more emojis|sei begeisterter|mehr begeisterung|mehr emojis"
        "|plus d enthousiasme|sois plus enthousiaste|mas entusiasmo"
    ),
    "simpler": (
        "simpler|be simpler|more simply|explain more simply|keep it simple|simpler words|use simpler words"
        "|use plain language|use simple language|plain english|less jargon|no jargon|too technical|too complicated"
        "|that was too technical|that was too complicated|that is too complicated|this is too technical|less technical"
        "|be less technical|too complex|einfacher|erklare es einfacher|einfache sprache|zu kompliziert|zu technisch"
        "|das ist zu kompliziert|plus simple|plus simplement|trop complique|trop technique|mas simple|mas sencillo"
        "|demasiado complicado|demasiado tecnico"
    ),
    "for a child": (
        "explain like i am five|explain it like i am five|explain like i am 5|explain it like i am 5|eli5"
        "|explain things like i am five|explain as if i were five|explain it to me like i am five"
        "|explain it to me like i am 5|erklare es wie einem kind|erklare es mir wie einem kind"
        "|erklar es mir wie einem kind|explique comme si j avais cinq ans|explique moi comme si j avais cinq ans"
        "|explicamelo como si tuviera cinco anos"
    ),
    "deeper": (
        "be more technical|more technical|go deeper|more depth|be more analytical|be more precise|more precise"
        "|more rigorous|be more rigorous|show your reasoning|too simple|that was too simple|too basic"
        "|that was too basic|technischer|sei genauer|mehr tiefe|praziser|plus technique|plus precis|plus de profondeur"
        "|mas tecnico|mas preciso|mas profundidad"
    ),
    "direct": (
        "be direct|be more direct|more direct|be blunt|be honest|be more honest|be frank|get to the point"
        "|get straight to the point|do not sugarcoat it|do not sugarcoat|stop beating around the bush|no preamble"
        "|skip the preamble|stop hedging|do not hedge|stop apologizing|stop apologising|komm zum punkt|sei direkter"
        "|direkter|sei ehrlich|sois plus direct|plus direct|va droit au but|se mas directo|mas directo|ve al grano"
    ),
    "gentler": (
        "be gentle|be gentler|be kinder|be nicer|be nice|be kind|be more gentle|be less harsh|too harsh|be friendlier"
        "|that was too harsh|you are too harsh|be more friendly|be more empathetic|be less blunt|too blunt|be softer"
        "|that was rude|you are rude|sei netter|sei freundlicher|freundlicher|zu hart|sois plus gentil"
        "|sois plus aimable|trop dur|se mas amable|mas amable|demasiado duro"
    ),
    "factual": (
        "just the facts|the facts|only the facts|stick to the facts|be factual|be objective|be more objective"
        "|facts only|stop being so emotional|less empathy|nur die fakten|bleib bei den fakten|juste les faits"
        "|solo los hechos"
    ),
    "creative": (
        "be creative|be more creative|more creative|think outside the box|be more original|be bolder|sei kreativer"
        "|kreativer|sois plus creatif|plus creatif|se mas creativo|mas creativo"
    ),
    "conventional": (
        "be less creative|less creative|be conventional|be more conventional|too creative|weniger kreativ"
        "|moins creatif|menos creativo"
    ),
    "no suggestions": (
        "no suggestions|stop suggesting things|stop making suggestions|no follow up questions|no unsolicited advice"
        "|stop asking follow up questions|stop asking me questions|stop asking questions|only answer the question"
        "|only answer what i ask|answer only what i ask|do not suggest things|no advice|keine vorschlage"
        "|keine ruckfragen|pas de suggestions|sin sugerencias"
    ),
    "suggestions": (
        "be proactive|be more proactive|more proactive|make suggestions|make more suggestions|more suggestions"
        "|suggest more|sei proaktiver|mehr vorschlage|sois plus proactif|plus de suggestions|se mas proactivo"
        "|mas sugerencias"
    ),
    "decide": (
        "be confident|be more confident|more confident|be decisive|be more decisive|commit to an answer"
        "|give me a clear answer|stop being so vague|be less vague|too vague|that was too vague|sei entschiedener"
        "|zu vage|sois plus sur de toi|trop vague|se mas decidido|demasiado vago"
    ),
    "doubt": (
        "be less confident|be less certain|less confident|be more humble|be humble|too confident|you are too confident"
        "|admit when you do not know|say when you do not know|say when you are not sure|sei bescheidener"
        "|sois plus modeste|se mas humilde"
    ),
    "praise": (
        "thanks|thank you|great|perfect|great answer|good answer|well done|good job|nice|excellent|awesome|brilliant"
        "|i like that|i love it|that helps|that helped|that was helpful|very helpful|much better|danke|super|prima"
        "|gut gemacht|perfekt|merci|parfait|bravo|gracias|perfecto|genial|muy bien"
    ),
    "blame": (
        "wrong|that is wrong|this is wrong|you are wrong|bad answer|that did not help|that does not help|not helpful"
        "|that was not helpful|you did not listen|falsch|das ist falsch|das hilft nicht|c est faux|ca n aide pas"
        "|eso esta mal|no ayuda"
    ),
}
WISH_OF: Final = {phrase: name for name, phrases in PHRASES.items() for phrase in phrases.split("|")}
