"""Feedback in English (`wordings`)."""

from __future__ import annotations

from typing import Final

from coda_cli.engine.personality.wording_tables import Quality, Tables, Thing

_QUALITIES: Final = (
    Quality(
        "shorter",
        "longer",
        "short|brief|concise|terse|succinct|crisp|compact|snappy|to the point",
        more="shorter|briefer|terser|crisper|snappier",
        adverbs="briefly|concisely|succinctly|tersely",
        excess="clipped|curt",
        quiet="to the point",
    ),
    Quality(
        "longer",
        "shorter",
        ("long|detailed|thorough|elaborate|in depth|comprehensive|extensive|exhaustive|verbose|wordy|lengthy"),
        more="longer|lengthier|wordier|in more detail|in greater detail",
        adverbs="in detail|in depth|at length|thoroughly",
        excess="long winded|chatty|talkative|rambling|verbosely|detailed",
    ),
    Quality(
        "formal",
        "casual",
        "formal|professional|businesslike",
        adverbs="formally|professionally",
        excess="stiff|stuffy|stilted|corporate|distant",
    ),
    Quality(
        "casual",
        "formal",
        "casual|informal|relaxed|laid back|conversational|colloquial|loose",
        more="looser",
        adverbs="casually|informally",
        excess="chummy|sloppy|familiar",
    ),
    Quality(
        "jokes",
        "no jokes",
        "funny|humorous|witty|playful",
        more="funnier|wittier",
        excess="silly|jokey|goofy",
        quiet="funny|playful",
    ),
    Quality("no jokes", "jokes", "serious", adverbs="seriously"),
    Quality(
        "simpler",
        "deeper",
        "simple|plain|easy|easy to understand|beginner friendly",
        more="simpler|plainer|easier|easier to understand|in simpler terms|in simpler words|in plainer words",
        adverbs=(
            "simply|plainly|in simple terms|in plain english|in plain words|in simple words"
            "|in plain language|in simple language|in layman s terms"
        ),
        excess="basic|simplistic|shallow|superficial",
        quiet="plain|easy to understand|beginner friendly",
    ),
    Quality(
        "deeper",
        "simpler",
        "technical|rigorous|analytical|precise",
        more="deeper",
        adverbs="technically|rigorously|precisely",
        excess="complicated|complex|difficult|hard|hard to understand|academic|abstract|theoretical",
        quiet="precise",
    ),
    Quality(
        "direct",
        "gentler",
        "direct|blunt|honest|frank|straightforward|candid",
        more="blunter",
        adverbs="directly|bluntly|honestly|frankly|straight",
        excess="harsh|rude|mean|brutal|cold|abrasive|unfriendly|critical",
        quiet="honest|frank|straightforward|candid",
    ),
    Quality(
        "gentler",
        "direct",
        "gentle|kind|nice|friendly|soft|warm|empathetic|polite|supportive|sympathetic|tactful",
        more="gentler|kinder|nicer|friendlier|softer|warmer",
        adverbs="gently|kindly|nicely|politely",
        excess="cautious|diplomatic",
        quiet="kind|nice|friendly|warm|supportive|sympathetic|empathetic",
    ),
    Quality(
        "livelier",
        "calmer",
        "enthusiastic|lively|positive|energetic|encouraging|cheerful|upbeat",
        more="livelier",
        adverbs="enthusiastically",
        excess="excited|bubbly|flattering|eager|effusive|gushing|perky|sycophantic",
        quiet="positive",
    ),
    Quality(
        "calmer",
        "livelier",
        "calm|neutral|sober|matter of fact",
        more="calmer",
        excess="dry|flat|boring|monotone",
        quiet="calm|neutral",
    ),
    Quality(
        "creative",
        "conventional",
        "creative|original|imaginative|bold|inventive",
        more="bolder",
        adverbs="creatively",
        quiet="original",
    ),
    Quality("conventional", "creative", "conventional", adverbs="conventionally", excess="predictable|generic|bland"),
    Quality("suggestions", "no suggestions", "proactive", adverbs="proactively", excess="pushy"),
    Quality(
        "decide",
        "doubt",
        "confident|decisive|definite",
        adverbs="confidently|decisively",
        excess="cocky|certain|sure of yourself",
    ),
    Quality(
        "doubt",
        "decide",
        "humble|modest",
        adverbs="humbly|modestly",
        excess="vague|hesitant|evasive|noncommittal|wishy washy",
    ),
    Quality("factual", "", "factual|objective", adverbs="factually|objectively"),
    Quality("", "factual", "", excess="emotional|sentimental|touchy feely"),
)
_THINGS: Final = (
    Thing("jokes", "no jokes", "jokes|joke|puns|pun|humor|humour|wisecracks|joking|joking around", made=True),
    Thing("livelier", "no emojis", "emojis|emoji|smileys|emoticons|exclamation marks|exclamation points"),
    Thing("longer", "shorter", "detail|details|words|verbosity"),
    Thing("", "shorter", "filler|waffle|waffling|fluff|rambling|padding|repetition|repeating yourself"),
    Thing(
        "suggestions",
        "no suggestions",
        ("suggestions|suggestion|unsolicited advice|advice|follow up questions|next steps|questions at the end"),
        made=True,
    ),
    Thing("deeper", "simpler", "jargon|technical terms|technical jargon|buzzwords|technical language|tech speak"),
    Thing("livelier", "calmer", "flattery|praise|compliments|enthusiasm|excitement|flattering me|praising me"),
    Thing("gentler", "factual", "empathy|warmth"),
    Thing("formal", "casual", "formality|formalities"),
    Thing(
        "",
        "direct",
        ("hedging|disclaimers|disclaimer|caveats|preamble|preambles|apologies|apologizing|apologising|sugarcoating"),
    ),
)

_SO: Final = (
    r"(?:so|too|that|this|such|overly|as|quite so|that kind of|excessively|terribly|unnecessarily"
    r"|needlessly|all)"
)
_TOO: Final = r"(?:too|overly|excessively|unnecessarily|needlessly|way too|annoyingly)"
_VERB: Final = (
    r"(?:be|get|sound|write|answer|talk|speak|act|explain(?: it| this| that| things)?|express "
    r"yourself)"
)
_VERBING: Final = r"(?:being|getting|sounding|writing|answering|talking|speaking|acting)"
_WHOSE: Final = r"(?:(?:your|the|all|all of|most of|these|those|some of|future|next|last|previous|other) )*"
_TONE: Final = r"(?:tone|style|language|wording|voice|writing|writing style|tone of voice|manner|way|words)"
_WANT: Final = (
    r"(?:i (?:would |do |d )?(?:want|prefer|like|need|love|appreciate|have|enjoy|expect)(?: to "
    r"(?:have|get|see))?|i could use|i am (?:looking|hoping|asking) for|i want you to (?:give"
    r"|write)(?: me)?|ask for|(?:give|giving|write|writing|send|sending|show|provide)(?: me)?(?: "
    r"with)?|use|using|make|try|have|get|stick to|keep to|go for|offer|produce|only|in|with|answer "
    r"(?:in|with))"
)

ENGLISH: Final = Tables(
    qualities=_QUALITIES,
    things=_THINGS,
    like=(
        (rf"(?:{_VERB}|{_VERBING}|stay|become|keep it|keep things|keep this|put it|phrase (?:it|things)) X"),
        (
            rf"i (?:would )?(?:(?:want|like|need|prefer|wish|expect) )?(?:that )?you (?:to {_VERB}|were"
            rf"|{_VERB}|would {_VERB}|could {_VERB}|wrote|answered) X"
        ),
        (rf"(?:it would be|that would be) (?:\w+ )?if you (?:were|{_VERB}|could {_VERB}|would {_VERB}) X"),
        (
            rf"i would (?:appreciate|prefer|love|like)(?: it)? if you (?:were|{_VERB}|could {_VERB}|would "
            rf"{_VERB}) X"
        ),
        (
            rf"you (?:could|might|may|must|have to|ought to|had better|are allowed to|are welcome to) {_VERB} "
            rf"X"
        ),
        (
            rf"{_WHOSE}answers (?:(?:should|could|can|must|may|need to|have to|ought to) )?(?:be |become "
            rf"|stay |get )?X"
        ),
        (
            rf"(?:keep|make|have|want|i (?:would )?(?:want|like|prefer|need|love)) (?:{_WHOSE}answers|your "
            rf"answer) (?:to be )?X"
        ),
        rf"{_WANT} (?:only |some |the |your )?X answers(?: only)?",
        r"(?:only )?X answers(?: only)?(?: would (?:be )?(?:nice|great|good|better|best|appreciated|help|helpful|do))?",
        rf"(?:make|keep) your {_TONE} X",
    ),
    too=(
        (
            rf"(?:do not|never|try not to|not|no need to|there is no need to|you (?:do not (?:need|have) to"
            rf"|need not|must not|can not|could)|let us not) {_VERB} (?:{_SO} )?X"
        ),
        rf"(?:stop|quit|avoid|without|enough of you|no more) {_VERBING} (?:{_SO} )?X",
        (
            rf"(?:that|this|it|you|{_WHOSE}answers?|(?:that|this|your last|the last) answer|your {_TONE}) "
            rf"(?:is|are|was|were|feels?|felt|sounds?|sounded|seems?|seemed|looks?|got|gets|come across as"
            rf"|comes across as|write|talk|speak|answer|explain (?:it|this|that|things)|(?:is|are|was|were) "
            rf"(?:being|getting)|(?:has|have) been|tend to be|can be) (?:all )?{_TOO} X"
        ),
        rf"(?:a |an )?{_TOO} X",
        r"not (?:so|that|quite so|as|overly) X",
        (
            rf"(?:no(?: more)?|avoid|without|enough(?: with)?|stop (?:giving|writing|sending|making|using"
            rf"|with)(?: me)?|quit (?:giving|writing)(?: me)?|do not (?:give|write|send|use|make)(?: me)?|i "
            rf"(?:do not|would not) (?:want|like|need|enjoy)|i (?:hate|dislike)) (?:(?:{_SO}|these|those|the"
            rf"|your|any) )*X answers(?: like that)?"
        ),
        (rf"(?:do not|stop|never) (?:make|making|keep|keeping|write|writing) {_WHOSE}answers? {_SO} X"),
        rf"{_WHOSE}answers (?:should|must|need|do|could|can) not (?:need to |have to )?be {_SO} X",
    ),
    compared=(
        rf"(?:{_WANT} )?(?:a |an |your )?X answer",
        r"i (?:would )?(?:want|like|prefer|need)(?: it| things| this)? X",
        rf"(?:{_WANT} )?(?:a |an |your )?X {_TONE}",
    ),
    more=(
        (
            r"(?:more|some more|a few more|not enough|too few|too little|(?:that|there|this|it) (?:is|are"
            r"|was) (?:not enough|too little|too few)) T"
        ),
        (
            r"(?:use|using|make|add|include|put in|show|have|with|answer (?:in|with)|go into|explain (?:it "
            r"|this |that |things )?in) more T"
        ),
        (
            r"(?:give(?: me)?|i (?:would )?(?:want|like|need|prefer|love|appreciate|could use)|write|provide"
            r"|offer) more T"
        ),
    ),
    less=(
        (
            r"(?:no|no more|less|fewer|without|without any|enough|enough with|enough of|avoid|skip|drop|cut"
            r"|cut out|cut back on|cut down on|leave out|leave away|omit|lose|spare me|ditch|tone down|go "
            r"easy on|easy on|ease up on|i am tired of|i (?:do not|would not) (?:want|like|need|enjoy)|i hate"
            r"|i dislike|i (?:would )?(?:want|prefer|like) (?:less|fewer|no)|stop(?: with)?|quit|lay off) "
            r"(?:(?:so many|so much|any|any more|the|these|those|your|all|all the|such|many|that many) )*T"
        ),
        (
            r"(?:stop|do not|not|never|avoid|quit|without) (?:us(?:e|ing)|mak(?:e|ing)|add(?:ing)?|includ(?:e"
            r"|ing)|writ(?:e|ing)|giv(?:e|ing)|giv(?:e|ing) me|offer(?:ing)?|tell(?:ing)?|put(?:ting)? in) "
            r"(?:(?:so many|so much|any|any more|the|these|those|your|all|all the|such|too many|too much"
            r"|many) )*T"
        ),
        r"(?:use|make|add|include|give|give me|write|with|offer|go into) (?:less|fewer|no) T",
        (
            r"(?:(?:that|this|it|those|these|there|you) (?:is|are|was|were|use|make|add|give me|include|write"
            r"|have|put in) )?(?:too many|too much|too) T"
        ),
    ),
    given=r"^(?:give|i|write|provide|offer|show)\b",
    tasks=(
        r"^(?:in|with|without|no|skip|drop|cut|omit|leave|avoid|use|using|do not|never|keep (?:it|this|things))\b"
        r"|\b(?:write|writing|explain|phrase|put|express)\b"
    ),
    more_word="more",
    less_word="less",
)
