"""What a prompt offers while somebody types: values and a Protocol, the same for both front ends."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completion:
    """`insert` may stand in place of the characters from `start` to `end` of the prompt.

    `label` and `detail` are shown (untrusted: a front end cleans them). Not `final`: there is more to complete behind
    it, as behind a folder.
    """

    start: int
    end: int
    insert: str
    label: str
    detail: str = ""
    final: bool = True


class Completer(Protocol):
    """Whoever knows what may be meant."""

    def complete(self, text: str, cursor: int) -> Sequence[Completion] | Awaitable[Sequence[Completion]]:
        """What may be meant by *text* with the cursor before character *cursor*, the best first; what takes time
        (files) comes later."""
        ...
