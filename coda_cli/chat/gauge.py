"""How full the window is and what a chat has cost, for a status line."""

from __future__ import annotations

from msgspec import Struct

from coda_cli.engine.conversations.tree import Conversation
from coda_cli.engine.core.messages import MessageRole
from coda_cli.engine.core.ports import TokenCounter


class Gauge(Struct, frozen=True):
    """How full the window is, and what the chat has cost.

    `tokens` are those of the latest request and its answer (an estimate until there is one), `window` is the model's
    (None: nobody knows), `cost` USD over all branches (None: nothing was priced), `unpriced` counts answers without
    a price.
    """

    tokens: int
    window: int | None
    cost: float | None
    unpriced: int


def cost_of(conversation: Conversation) -> tuple[float | None, int]:
    """(USD over all branches, answers without a price)."""
    cost: float | None = None
    unpriced = 0
    for node in conversation.nodes.values():
        if node.message.role is MessageRole.ASSISTANT:
            value = node.message.metadata.get("cost")
            if isinstance(value, int | float):
                cost = (cost or 0.0) + value
            else:
                unpriced += 1
    return cost, unpriced


def tokens_of(conversation: Conversation, counter: TokenCounter) -> int:
    """What the active branch takes in the window: what the vendor reported last, and an estimate of what came since."""
    path = conversation.path()
    for place, node in enumerate(reversed(path)):
        usage = node.message.metadata.get("usage")
        if isinstance(usage, dict) and usage.get("input_tokens"):
            reported = int(usage["input_tokens"]) + int(usage.get("output_tokens") or 0)
            return reported + sum(counter.message(later.message) for later in path[len(path) - place :])
    return sum(counter.message(node.message) for node in path)
