"""The report of `coda compare` for a person, 80 columns wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coda_cli.chat.words import counted, price
from coda_cli.engine.batch.report import Answers, JudgeReport, ModelReport, PairReport, percentile
from coda_cli.engine.rendering.sanitize import sanitize

_NAME: Final = 22
_WIDTH: Final = 79


def table(answers: Answers, pairs: Sequence[PairReport], *, judged: bool) -> str:
    """The whole report."""
    head = f"{'model':<{_NAME}} {'done':>5} {'fail':>4} {'p50':>6} {'p95':>6} {'first':>6} {'in':>6} {'out':>6}  price"
    lines = [head, *(_model(model) for model in answers.models), "", "agreement"]
    lines += [_agreement(pair) for pair in pairs]
    if judged:
        lines += ["", "the judge"]
        lines += [_verdicts(pair) for pair in pairs]
        lines += _judge(answers.judge)
    return "\n".join(line[:_WIDTH].rstrip() for line in lines)


def _model(model: ModelReport) -> str:
    times = [_seconds(percentile(model.latencies, part)) for part in (50, 95)]
    first = _seconds(percentile(model.first_tokens, 50))
    cost = price(None if model.unpriced else model.cost)
    return (
        f"{_name(model.name):<{_NAME}} {model.complete:>5} {model.failed:>4} {times[0]:>6} {times[1]:>6} {first:>6} "
        f"{_short(model.input_tokens):>6} {_short(model.output_tokens):>6}  {cost}"
    )


def _agreement(pair: PairReport) -> str:
    if not pair.both:
        return f"  {_both(pair)}  no prompt that both answered"
    return f"  {_both(pair)}  the same {pair.same / pair.both:>4.0%} · words {pair.overlap / pair.both:.2f}"


def _verdicts(pair: PairReport) -> str:
    wins = f"{pair.wins.get(pair.a, 0)} : {pair.wins.get(pair.b, 0)}"
    return f"  {_both(pair)}  {wins} · {counted(pair.ties, 'tie')} · {pair.split} split"


def _judge(judge: JudgeReport) -> list[str]:
    lines = []
    if judge.decided:
        lines.append(f"  the answer shown first won {judge.first_won / judge.decided:.0%} of {judge.decided} decisions")
    if judge.pairs:
        lines.append(f"  the same verdict in both orders: {judge.of_one_mind / judge.pairs:.0%}")
    if judge.unreadable:
        lines.append(f"  {counted(judge.unreadable, 'verdict')} could not be read")
    lines.append(f"  {counted(judge.verdicts, 'verdict')} · {price(None if judge.unpriced else judge.cost)}")
    return lines


def _both(pair: PairReport) -> str:
    return f"{_name(pair.a, 20)} and {_name(pair.b, 20)}"


def _name(name: str, most: int = _NAME) -> str:
    """The end of a name says more than its beginning."""
    clean = sanitize(name).replace("\n", " ")
    return clean if len(clean) <= most else "…" + clean[1 - most :]


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}s" if value < 10 else f"{value:.0f}s"


def _short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= 10 * size:
            return f"{number / size:.0f}{letter}"
    return str(number)
