"""What requests add up to, and the two histograms of how fast they were."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from coda_cli.engine.usage.histogram import percentiles

SHARES: Final = (0.5, 0.9, 0.99)


class Sums(Struct):
    """Sums over requests.

    `cost` is in USD over those with a price, `unpriced` counts the others; `hits` are those that Coda's own cache
    answered. Tokens: `cached` and `cache_write` are part of `input`, `reasoning` of `output`.
    """

    requests: int = 0
    errors: int = 0
    hits: int = 0
    retries: int = 0
    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    cost: float = 0.0
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input + self.output

    def add(self, other: Sums) -> None:
        """Count what *other* counts, too."""
        for name in NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_json(self) -> dict[str, Any]:
        """For `--json`: the fields, with `tokens`, and the cost as `cost_usd`."""
        out: dict[str, Any] = {name: getattr(self, name) for name in NAMES if name != "cost"}
        return {**out, "tokens": self.tokens, "cost_usd": round(self.cost, 9)}


NAMES: Final = Sums.__struct_fields__


class Speeds(Struct):
    """Histograms: seconds of whole answers (`latency`) and to the first token (`first`), tokens a second (`rate`)."""

    latency: int = 0
    first: int = 0
    rate: int = 0

    def add(self, other: Speeds) -> None:
        """Count what *other* counts, too."""
        self.latency += other.latency
        self.first += other.first
        self.rate += other.rate

    def to_json(self) -> dict[str, Any]:
        """Percentiles by name, None where nothing was measured."""
        return {
            "latency_seconds": _percentiles(self.latency),
            "first_token_seconds": _percentiles(self.first),
            "tokens_per_second": _percentiles(self.rate),
        }


def _percentiles(histogram: int) -> dict[str, float] | None:
    found = percentiles(histogram, SHARES)
    if found is None:
        return None
    return {f"p{share * 100:.0f}": round(value, 4) for share, value in zip(SHARES, found, strict=True)}
