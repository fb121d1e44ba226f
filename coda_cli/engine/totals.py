"""What the requests of one answer come to."""

from __future__ import annotations

from msgspec import Struct, field

from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.turn import Turn


class Totals(Struct):
    """The sums over the requests of an answer that have ended: tokens, USD (None: a price is not known), retries.

    `texts` and `thoughts` are those of its finished steps; `owes_a_gap`: the next step's text begins a new paragraph.
    """

    requests: int = 0
    retries: int = 0
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost: float | None = 0.0
    first_token: float | None = None
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    owes_a_gap: bool = False

    def add(self, turn: Turn, cost: float | None) -> None:
        """Count *turn*, which cost *cost*."""
        self.requests += 1
        self.retries += turn.retries
        self.usage += turn.answer.usage
        self.cost = None if cost is None or self.cost is None else self.cost + cost
        if self.first_token is None:
            self.first_token = turn.first_token

    def step(self, turn: Turn) -> None:
        """*turn* was a step: its answer goes on after the results of its calls."""
        self.texts.append(turn.answer.text)
        self.thoughts.append(turn.answer.reasoning)
        self.owes_a_gap = any(self.texts)

    def text(self, turn: Turn | None, *, gap: bool = False) -> str:
        """The text of all steps, that of *turn* last; with *gap* as far as the next text begins."""
        texts = [text for text in (*self.texts, turn.answer.text if turn is not None else "") if text]
        return "\n\n".join(texts) + ("\n\n" if gap and texts else "")

    def reasoning(self, turn: Turn | None) -> str:
        """The thinking of all steps, that of *turn* last."""
        return "\n\n".join(text for text in (*self.thoughts, turn.answer.reasoning if turn is not None else "") if text)
