"""Several models on one question: which they are, and their answers under way."""

from __future__ import annotations

from msgspec import Struct

from coda_cli.engine.generation import Generation
from coda_cli.settings.model_spec import ModelSpec


class Contender(Struct, frozen=True):
    """One of the models that answer, and its answer. Nothing is sent before that is awaited or iterated."""

    spec: ModelSpec
    name: str
    generation: Generation


class Comparison(Struct, frozen=True):
    """One question and all that answer it. The answers are siblings; the chosen one becomes the branch."""

    conversation_id: str
    question_id: str
    question: str
    contenders: tuple[Contender, ...]
