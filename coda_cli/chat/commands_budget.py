"""`/budget`: what is used of the limits, and going on where one stands in the way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from coda_cli.chat.command_parts import beginning_with
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front
from coda_cli.engine.core.config import BudgetConfig, BudgetLimit
from coda_cli.engine.core.errors import UsageError

_SCOPES: Final = ("request", "run", "conversation", "day", "month")
_MORE: Final = re.compile(r"\+\s*\$?(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>usd|\$|tokens?|t)?", re.IGNORECASE)
_ACTIONS: Final = {
    "+1": "a dollar more for every limit in USD, in this program",
    "+10000 tokens": "more tokens for every limit in tokens, in this program",
    "off": "no limits, in this program",
}


async def budget(front: Front, text: str) -> None:
    """Show the limits, or raise them until this program ends."""
    config = front.session.manager.config
    if not text:
        await _show(front)
        return
    found = _MORE.fullmatch(text)
    if text == "off":
        if await front.confirm("Go on without any limit, in this program?"):
            config.budget = BudgetConfig()
            front.note("there is no limit any more, until this program ends")
        return
    if found is None:
        raise UsageError(f"there is no /budget {text}", hint=f"write one of: {', '.join(_ACTIONS)}")
    tokens = (found["unit"] or "usd").lower().startswith("t")
    config.budget = _raised(config.budget, float(found["number"]), tokens=tokens)
    what = f"{float(found['number']):,.0f} tokens" if tokens else f"${float(found['number']):.2f}"
    front.note(f"{what} more for every limit, until this program ends")
    if not front.session.busy and await front.session.last_failed():
        front.note("/retry asks the last question again")


def _raised(budget: BudgetConfig, more: float, *, tokens: bool) -> BudgetConfig:
    made = budget.model_copy(deep=True)
    for scope in _SCOPES:
        limit: BudgetLimit = getattr(made, scope)
        if tokens and limit.tokens is not None:
            limit.tokens += int(more)
        elif not tokens and limit.usd is not None:
            limit.usd += more
    return made


async def _show(front: Front) -> None:
    session = front.session
    rows = await asyncio.to_thread(session.manager.budget.status, session.conversation_id or "")
    request = session.manager.config.budget.request
    if not rows and request == BudgetLimit():
        front.note("there is no limit: [budget] in coda.toml sets some")
        return
    lines = ["| limit | used | of | |", "|---|--:|--:|---|"]
    for scope, unit, limit, spent in rows:
        used, whole = (f"${spent:.4f}", f"${limit:.2f}") if unit == "usd" else (f"{spent:,.0f}", f"{limit:,.0f} tokens")
        full = round(20 * min(1.0, spent / limit)) if limit else 20
        lines.append(f"| {scope} | {used} | {whole} | {'█' * full}{'░' * (20 - full)} |")
    if request.usd is not None:
        lines.append(f"| request | | ${request.usd:.2f} | |")
    if request.tokens is not None:
        lines.append(f"| request | | {request.tokens:,} tokens | |")
    lines += ["", "`/budget +1` allows a dollar more in this program, `/budget off` lifts all limits."]
    front.document("Budget", "\n".join(lines))


def _complete(_: Front, typed: str) -> Sequence[tuple[str, str]]:
    return beginning_with(typed, list(_ACTIONS.items()))


COMMANDS: Final = (
    Command(
        "budget",
        "[+USD|+N tokens|off]",
        "What is used of your limits, and raising them",
        budget,
        "What the model gets",
        complete=_complete,
    ),
)
