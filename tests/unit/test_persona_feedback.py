"""What counts as feedback on the answers, and what does not: a table of sentences in four languages."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.personality.clauses import plain
from coda_cli.engine.personality.feedback import wishes
from coda_cli.engine.personality.mood import asks_about_mood
from coda_cli.engine.personality.phrases import PHRASES, WISH_OF
from coda_cli.engine.personality.topics import BOUND, LEANING, topic_of
from coda_cli.engine.personality.traits import TRAITS

FEEDBACK = {
    "shorter": (
        "shorter please",
        "Shorter, please!",
        "Please be brief.",
        "Could you be a bit more concise?",
        "That was way too long.",
        "that's too long",
        "Your answers are too long",
        "Keep it short from now on.",
        "keep your answers short, please",
        "TL;DR",
        "Fewer words.",
        "You talk too much",
        "ok, shorter",
        "Can you please keep your answers shorter?",
        "Less detail please",
        "Kürzer bitte",
        "Bitte fass dich kurz.",
        "Das war viel zu lang!",
        "Ab jetzt kürzere Antworten, bitte.",
        "Könntest du etwas kürzer antworten? Kürzer.",
        "Plus court s'il te plaît",
        "C'était trop long.",
        "Sois plus bref, stp",
        "Más corto, por favor",
        "Demasiado largo",
        "sé más breve",
    ),
    "longer": (
        "More detail please",
        "Can you go into more detail?",
        "too short",
        "I prefer detailed answers",
        "Be more thorough.",
        "Don't be brief",
        "Ausführlicher bitte",
        "Das war zu kurz",
        "Plus de détails, s'il vous plaît",
        "Más detalles por favor",
    ),
    "no jokes": (
        "Stop joking",
        "no more jokes please",
        "please stop making jokes.",
        "Don't joke",
        "Enough with the jokes!",
        "be serious",
        "Keine Witze mehr!",
        "Arrête de plaisanter",
        "Deja de bromear",
    ),
    "jokes": ("be funnier", "More jokes please!", "lighten up"),
    "formal": (
        "be more formal",
        "Could you be more formal please?",
        "Too casual.",
        "Sois plus formel",
        "Sei formeller",
    ),
    "casual": ("be less formal", "you're too formal", "Lockerer bitte", "Tutoie-moi"),
    "no emojis": ("no emojis", "Please stop using emojis", "don't use emojis", "Keine Emojis bitte", "sin emojis"),
    "calmer": ("tone it down", "Be a little less enthusiastic", "stop flattering me"),
    "livelier": ("be more enthusiastic", "cheer up"),
    "simpler": ("simpler please", "Too technical!", "no jargon please", "Zu kompliziert.", "más sencillo"),
    "for a child": (
        "explain like I'm five",
        "Explain it like I’m 5, please",
        "ELI5",
        "Erklär's mir wie einem Kind. Erkläre es mir wie einem Kind.",
    ),
    "deeper": ("go deeper", "be more technical", "That was too simple."),
    "direct": ("get to the point", "Be more direct", "Komm zum Punkt", "Ve al grano", "stop hedging"),
    "gentler": ("be nicer", "that was too harsh", "Sei freundlicher bitte"),
    "factual": ("just the facts please", "stick to the facts"),
    "creative": ("Be more creative", "think outside the box"),
    "conventional": ("less creative please",),
    "no suggestions": ("stop asking me questions", "Only answer what I ask", "no follow-up questions"),
    "suggestions": ("be more proactive", "make more suggestions"),
    "decide": ("be more confident", "too vague"),
    "doubt": ("say when you're not sure", "be more humble"),
    "praise": ("Thanks!", "Thank you, that helped.", "Danke!", "parfait"),
    "blame": ("That's wrong.", "not helpful"),
}
SILENT = (
    "What does 'shorter please' mean?",
    'How do I say "too long" in German?',
    'My boss wrote "be more formal". What should I answer?',
    "He said “stop joking” and left.",
    "Translate «trop long» into English",
    "Is „zu lang“ an adjective?",
    "> shorter please\nWhat did he mean by that?",
    "```\nshorter please\n```",
    "`be brief`",
    "Write a shorter summary of this text",
    "Make the function shorter",
    "make it shorter",
    "Explain TCP, but keep it short",
    "Write a poem and be brief",
    "Why was that too long?",
    "Is it too long?",
    "too long?",
    "Was that too short?",
    "How can I be more formal in an email?",
    "How to be brief",
    "What is a formal proof?",
    "The queue is too long",
    "The rope was too short for the boat",
    "My essay is too long, what can I cut?",
    "not too long",
    "I do not want shorter answers",
    "Tell me a joke",
    "Tell me more jokes about programmers",
    "Why do people joke?",
    "Should I stop joking at work?",
    "Do you like emojis?",
    "Which emojis are there?",
    "A regex that matches no emojis",
    "Explain like I'm five years late to the party",
    "How does one explain like a pro?",
    "More detail on the second point: why is the sky blue?",
    "Can you give me the details of the contract?",
    "What would you do if I said be serious?",
    "They told me to be more direct in meetings",
    "Wie sagt man zu lang auf Englisch?",
    "Warum war das zu lang?",
    "Mein Kleid ist zu lang",
    "Comment être plus bref ?",
    "¿Cómo puedo ser más breve?",
    "The user typed shorter please and the parser failed",
    "If the answer is too long then split it",
    "formal: a word of eight letters?",
    "What is the opposite of too technical?",
    "Please refactor this to be more concise and readable",
    "Is this sentence too formal: Dear Sir",
    "Summarise the chapter. It should be more formal than the original.",
    "",
    "   ",
    "?!",
)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FEEDBACK.items() for text in texts])
def test_feedback_is_heard(kind: str, text: str) -> None:
    assert [wish.name for wish, _ in wishes(text)] == [kind]


@pytest.mark.parametrize("text", SILENT)
def test_what_is_no_feedback_changes_nothing(text: str) -> None:
    assert wishes(text) == []


def test_several_kinds_in_one_message_are_all_heard() -> None:
    heard = wishes("Thanks. Shorter please, and stop joking! What is TCP?")
    assert [wish.name for wish, _ in heard] == ["praise", "shorter", "no jokes"]


def test_feedback_below_a_quoted_line_is_heard_and_the_line_is_not() -> None:
    assert [wish.name for wish, _ in wishes("> stop joking\n\nshorter please")] == ["shorter"]
    assert [wish.name for wish, _ in wishes("shorter please\n```\nbe formal\n```\nstop joking")] == [
        "shorter",
        "no jokes",
    ]


def test_feedback_before_or_behind_a_long_paste_is_heard_and_inside_it_is_not() -> None:
    paste = "The quick brown fox jumps over the lazy dog.\n" * 500
    assert [wish.name for wish, _ in wishes(f"Shorter please.\n{paste}")] == ["shorter"]
    assert [wish.name for wish, _ in wishes(f"{paste}\nshorter please")] == ["shorter"]
    assert wishes(f"{paste}\nshorter please\n{paste}") == []


def test_every_phrase_of_the_table_is_reachable_and_stands_once() -> None:
    phrases = [phrase for said in PHRASES.values() for phrase in said.split("|")]
    assert sorted(phrases) == sorted(WISH_OF), "a phrase stands under two kinds"
    assert [phrase for phrase in phrases if plain(phrase) != phrase] == []
    unheard = [phrase for phrase in phrases if [w.name for w, _ in wishes(phrase)] != [WISH_OF[phrase]]]
    assert unheard == []


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading(text: str) -> None:
    assert all(set(wish.steps) <= set(TRAITS) for wish, _ in wishes(text))
    asks_about_mood(text)
    topic_of(text)


@given(
    st.sampled_from([text for texts in FEEDBACK.values() for text in texts]), st.sampled_from(['"{}"', "“{}”", "`{}`"])
)
def test_what_is_quoted_is_never_feedback(text: str, quotes: str) -> None:
    if "'" not in text and '"' not in text:
        assert wishes(f"Translate {quotes.format(text)}") == []
        assert wishes(quotes.format(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "How are you feeling?",
        "how are you?",
        "Hi, how are you today?",
        "Hey Coda, how do you feel right now?",
        "What's up? How is it going?",
        "Wie geht es dir?",
        "Wie geht's dir heute?",
        "Wie fühlst du dich?",
        "Comment ça va ?",
        "Comment te sens-tu ?",
        "¿Cómo estás?",
        "¿Cómo te sientes hoy?",
    ],
)
def test_being_asked_how_one_is(text: str) -> None:
    assert asks_about_mood(text)


@pytest.mark.parametrize(
    "text",
    [
        "How are you able to do this?",
        'How do I translate "how are you"?',
        "How are you feeling about the new design of the parser?",
        "What is mood lighting?",
        "How is it going to scale?",
        "Comment faire?",
        "Why do people ask how are you?",
    ],
)
def test_another_question_is_not_about_the_mood(text: str) -> None:
    assert not asks_about_mood(text)


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        ("technical", "Why does this Python function raise an exception?"),
        ("technical", "```\nx = 1\n```"),
        ("creative", "Write me a poem about rain"),
        ("personal", "I feel so lonely since the breakup"),
        ("professional", "Draft an email to the client about the invoice"),
        ("urgent", "URGENT: the site is down"),
        ("urgent", "dringend: der Server ist weg"),
        ("learning", "I want to understand integrals for my exam"),
        ("learning", "Ich möchte Brüche verstehen"),
        (None, "What is the capital of France?"),
        (None, ""),
    ],
)
def test_the_topic_of_a_message(topic: str | None, text: str) -> None:
    assert topic_of(text) == topic


def test_a_topic_only_leans() -> None:
    assert all(trait in TRAITS and abs(step) <= BOUND for steps in LEANING.values() for trait, step in steps.items())
