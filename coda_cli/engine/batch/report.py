"""What an output of `coda compare` says: times, tokens and prices by model, agreement and verdicts by pair."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from msgspec import Struct, field

from coda_cli.engine.batch.agreement import overlap, same
from coda_cli.engine.batch.results import COMPLETE, Record, ResultFile, is_result


class ModelReport(Struct):
    """One model over all prompts. Times in seconds, cost in USD; `unpriced` answers are not in it."""

    name: str
    complete: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0
    latencies: list[float] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "model": self.name,
            "complete": self.complete,
            "failed": self.failed,
            "latency_p50": percentile(self.latencies, 50),
            "latency_p95": percentile(self.latencies, 95),
            "first_token_p50": percentile(self.first_tokens, 50),
            "first_token_p95": percentile(self.first_tokens, 95),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": None if self.unpriced else self.cost,
        }


class PairReport(Struct):
    """Two models: on how many prompts both answered, and how much they agree."""

    a: str
    b: str
    both: int = 0
    same: int = 0
    overlap: float = 0.0
    wins: dict[str, int] = field(default_factory=dict)
    ties: int = 0
    split: int = 0

    def to_json(self) -> dict[str, Any]:
        """As plain data. `split`: the judge changed its mind when the answers changed places."""
        return {
            "a": self.a,
            "b": self.b,
            "both": self.both,
            "same": self.same / self.both if self.both else None,
            "overlap": self.overlap / self.both if self.both else None,
            "wins": {self.a: self.wins.get(self.a, 0), self.b: self.wins.get(self.b, 0)},
            "ties": self.ties,
            "split": self.split,
        }


class JudgeReport(Struct):
    """The judge: how many verdicts, how often the answer that stood first won, how often it was of one mind."""

    verdicts: int = 0
    unreadable: int = 0
    decided: int = 0
    first_won: int = 0
    pairs: int = 0
    of_one_mind: int = 0
    cost: float = 0.0
    unpriced: int = 0

    def to_json(self) -> dict[str, Any]:
        """As plain data. `first_won` is 0.5 for a judge who does not mind the order."""
        return {
            "verdicts": self.verdicts,
            "unreadable": self.unreadable,
            "first_won": self.first_won / self.decided if self.decided else None,
            "of_one_mind": self.of_one_mind / self.pairs if self.pairs else None,
            "cost_usd": None if self.unpriced else self.cost,
        }


class Answers:
    """Where the answers to each prompt lie in an output; of each model the latest."""

    def __init__(self, out: ResultFile, names: Sequence[str]) -> None:
        self._out = out
        self._names = {name: number for number, name in enumerate(names)}
        self.places: dict[str, dict[int, tuple[int, int]]] = {}
        self.verdicts: dict[tuple[str, str, str], dict[str, str]] = {}
        self.models = [ModelReport(name) for name in names]
        self.judge = JudgeReport()
        self._unread: set[tuple[str, str, str, str]] = set()
        for record, offset, length in out.places():
            if record is None or not is_result(record):
                continue
            if record.get("type") == "verdict":
                self._verdict(record)
            elif (number := self._names.get(name_of(record))) is not None:
                self._answer(record, number, (offset, length))
        self.judge.unreadable = len(self._unread)
        for model, number in zip(self.models, range(len(names)), strict=True):
            model.failed = sum(place[1] == 0 for places in self.places.values() if (place := places.get(number)))

    def _answer(self, record: Record, number: int, place: tuple[int, int]) -> None:
        model, usage = self.models[number], record["usage"]
        model.input_tokens += usage["input_tokens"]
        model.output_tokens += usage["output_tokens"]
        model.cost += record["cost_usd"] or 0.0
        model.unpriced += record["cost_usd"] is None and bool(usage["input_tokens"])
        places = self.places.setdefault(str(record["id"]), {})
        if record["status"] != COMPLETE:
            places.setdefault(number, (0, 0))
            return
        model.complete += 1
        model.latencies.append(record["latency"])
        if record["first_token"] is not None:
            model.first_tokens.append(record["first_token"])
        places[number] = place

    def _verdict(self, record: Record) -> None:
        judge = self.judge
        judge.cost += record["cost_usd"] or 0.0
        judge.unpriced += record["cost_usd"] is None and bool(record["usage"]["input_tokens"])
        key = (str(record["id"]), str(record["a"]), str(record["b"]))
        first = str(record["first"])
        if record["status"] != COMPLETE:
            self._unread.add((*key, first))
            return
        self._unread.discard((*key, first))
        judge.verdicts += 1
        winner = str(record["winner"])
        if winner != "tie":
            judge.decided += 1
            judge.first_won += winner == first
        self.verdicts.setdefault(key, {})[first] = winner

    def pairs(self) -> Iterator[tuple[Record, Record]]:
        """Every two whole answers to one prompt, in the order of the models."""
        for places in self.places.values():
            whole = [place for _, place in sorted(places.items()) if place[1]]
            yield from combinations([self._out.at(*place) for place in whole], 2)

    def pair_reports(self) -> list[PairReport]:
        """How much each two models agree, and whom the judge prefers."""
        found = {(a, b): PairReport(a, b) for a, b in combinations(self._names, 2)}
        for one, other in self.pairs():
            pair = found[name_of(one), name_of(other)]
            pair.both += 1
            pair.same += same(one["text"], other["text"])
            pair.overlap += overlap(one["text"], other["text"])
        for (_, a, b), said in self.verdicts.items():
            if (judged := found.get((a, b))) is None or len(said) < 2:
                continue
            self.judge.pairs += 1
            winners = set(said.values())
            if len(winners) > 1:
                judged.split += 1
                continue
            self.judge.of_one_mind += 1
            winner = winners.pop()
            if winner == "tie":
                judged.ties += 1
            else:
                judged.wins[winner] = judged.wins.get(winner, 0) + 1
        return list(found.values())


def name_of(record: Record) -> str:
    """`provider/model` as it was asked for."""
    return str(record.get("target") or f"{record['provider']}/{record['model']}")


def percentile(values: Sequence[float], part: int) -> float | None:
    """The nearest-rank percentile *part* (1 to 100), None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * part / 100) - 1)]
