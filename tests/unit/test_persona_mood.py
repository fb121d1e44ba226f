"""Which questions ask how the persona is."""

from __future__ import annotations

import pytest

from coda_cli.engine.personality.mood import asks_about_mood

MOOD = (
    "What's your mood?",
    "How's it going?",
    "what is your mood",
    "how is it going",
    "whats your mood",
    "hows it going",
    "How're you?",
    "How are you doing today?",
    "How's your mood today?",
    "How've you been?",
    "How are things?",
    "Hey, how's it going?",
    "Hey Coda! How's life?",
    "What kind of mood are you in?",
    "Wie geht's?",
    "Wie gehts dir?",
    "Wie läuft's?",
    "Wie geht es Ihnen heute?",
    "Bist du gut gelaunt?",
    "In welcher Stimmung bist du?",
    "Ça va ?",
    "Comment vas-tu aujourd'hui ?",
    "Tu vas bien ?",
    "Quelle est ton humeur ?",
    "De quelle humeur es-tu ?",
    "¿Qué tal?",
    "¿Cómo te va?",
    "¿Cómo estás hoy?",
    "¿Cuál es tu estado de ánimo?",
    "Are you okay?",
    "how are you feeling right now?",
    "How was your day?",
    "Could you tell me how you feel?",
    "So how are you?",
    "Hi! How do you feel today?",
)
NOT_MOOD = (
    "What's your name?",
    "How's the weather?",
    "How's it going with the migration?",
    "What's up with the server?",
    "How's the build going?",
    "What's the mood of this poem?",
    "Wie geht es weiter?",
    "Wie geht das?",
    "Wie läuft das Programm?",
    "Comment ça marche ?",
    "Ça va où ?",
    "¿Cómo va el partido?",
    "¿Qué tal el libro?",
    "What is your mood ring made of?",
    "How is life on Mars?",
    'Translate "how\'s it going"',
    "Are you sure?",
    "How are things named in Go?",
    "How do you do a merge?",
    "everything ok in the log?",
    "Is everything fine?",
    "Are you good at chess?",
    "Can you feel pain?",
    "Do you feel?",
    "que tal si lo hacemos?",
)


@pytest.mark.parametrize("text", MOOD)
def test_being_asked_how_one_is(text: str) -> None:
    assert asks_about_mood(text)


@pytest.mark.parametrize("text", NOT_MOOD)
def test_another_question_is_not_about_the_mood(text: str) -> None:
    assert not asks_about_mood(text)
