"""Budgets that refuse: what was spent and what is under way stands in one small file, for all processes together.

Before a request its estimate is reserved under a lock: what is sent, and a first block of the answer. While the answer
comes, more blocks are reserved; where none is left it stops there. In the end the vendor's own count takes the place of
the reservation. What a process that died had reserved counts as spent: its vendor was asked.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct, field
from msgspec.structs import asdict

from coda_cli import paths
from coda_cli.engine.core.config import BudgetConfig, BudgetLimit
from coda_cli.engine.core.errors import LLMBudgetError

Scope = Literal["request", "run", "conversation", "day", "month"]
Unit = Literal["usd", "tokens"]
BLOCK: Final = 256
"""Tokens of an answer that are reserved at a time."""
_MAX_BYTES: Final = 8 << 20
_MOST_CONVERSATIONS: Final = 2_000
_SCOPES: Final[tuple[Scope, ...]] = ("request", "run", "conversation", "day", "month")


class Amount(Struct, frozen=True):
    """Tokens, and USD (None: nobody knows the price)."""

    tokens: int = 0
    usd: float | None = 0.0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, None if None in (self.usd, other.usd) else self.usd + other.usd)  # type: ignore[operator]  # neither is None


class Reached(Struct, frozen=True):
    """The limit that stands in the way. `spent` is what is used of it by now, reservations included."""

    scope: Scope
    unit: Unit
    limit: float
    spent: float
    needed: float

    def error(self) -> LLMBudgetError:
        """It, for a person."""
        what = {
            "request": "one request",
            "run": "this run",
            "conversation": "this conversation",
            "day": "today",
            "month": "this month",
        }
        if self.unit == "usd":
            said = f"${self.spent:.4f} of ${self.limit:.4f} is used, and this takes about ${self.needed:.4f}"
        else:
            said = f"{self.spent:,.0f} of {self.limit:,.0f} tokens are used, and this takes about {self.needed:,.0f}"
        error = LLMBudgetError(f"the budget for {what[self.scope]} is reached: {said}", final=True)
        error.reached = asdict(self)
        return error


class _Ledger(Struct):
    day: str
    month: str
    spent_day: Amount = field(default_factory=Amount)
    spent_month: Amount = field(default_factory=Amount)
    conversations: dict[str, Amount] = field(default_factory=dict)
    reserved: dict[str, dict[str, Any]] = field(default_factory=dict)


Priced = Callable[[int, int], float | None]
"""(tokens sent, tokens of the answer) -> USD, None where nobody knows."""


class Budget:
    """The limits that *config* gives, over the ledger in *path* (default: `budget.json` in the data folder).

    *history* gives (time, conversation, amount) of what was used before there was a ledger. Safe with any number of
    processes. A ledger that cannot be written refuses: a limit that nobody keeps is none.
    """

    def __init__(
        self,
        config: Callable[[], BudgetConfig],
        path: Path | None = None,
        *,
        history: Callable[[], Iterable[tuple[float, str, Amount]]] = tuple,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._path = path
        self._history = history
        self._now = now
        self._run = Amount()  # what this process has spent

    @property
    def config(self) -> BudgetConfig:
        """The limits as they are now."""
        return self._config()

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self.config.limited

    @property
    def path(self) -> Path:
        """Where the ledger is."""
        return self._path if self._path is not None else paths.data_dir() / "budget.json"

    def reserve(self, conversation_id: str, sent: int, most: int | None, priced: Priced) -> Reservation:
        """Reserve for a request of *sent* tokens, whose answer has at most *most* tokens. Raises LLMBudgetError."""
        first = BLOCK if most is None else min(BLOCK, most)
        if priced(sent, first) is None and self.config.unpriced == "refuse" and self._limits("usd"):
            raise LLMBudgetError(
                "nobody knows what this model costs, and a limit in USD holds",
                hint='give its price under [prices] in coda.toml, or set `unpriced = "allow"` under [budget]',
                final=True,
            )
        made = Reservation(self, secrets.token_hex(8), conversation_id, sent, priced)
        made.extend(first)
        return made

    def status(self, conversation_id: str = "") -> list[tuple[Scope, Unit, float, float]]:
        """(scope, unit, limit, spent) of every limit that holds but that of a request."""
        with self._open() as ledger:
            used = self._used(ledger, conversation_id, "")
        return [
            (scope, unit, limit, spent)
            for scope, unit, limit in self._every()
            if scope != "request" and (spent := _part(used[scope], unit)) is not None
        ]

    # ---- for reservations -------------------------------------------------------------------------------------

    def take(self, held: Reservation, wanted: Amount) -> Reached | None:
        """Let *held* hold *wanted* from now on, if no limit stands in the way; else that limit."""
        with self._open() as ledger:
            used = self._used(ledger, held.conversation_id, held.id)
            for scope, unit, limit in self._every():
                spent, needed = _part(used[scope], unit) or 0.0, _part(wanted, unit)
                free = unit == "usd" and not needed  # what costs nothing is in nobody's way
                if needed is not None and not free and spent + needed > limit:
                    return Reached(scope, unit, limit, spent, needed)
            ledger.reserved[held.id] = {
                "pid": os.getpid(),
                "start": _start_of(os.getpid()),
                "conversation": held.conversation_id,
                "tokens": wanted.tokens,
                "usd": wanted.usd,
            }
        return None

    def settle(self, held: Reservation, spent: Amount) -> None:
        """What *held* stood for is over, and took *spent*."""
        with self._open() as ledger:
            ledger.reserved.pop(held.id, None)
            self._run += Amount(spent.tokens, spent.usd or 0.0)
            _spend(ledger, held.conversation_id, spent)

    def book(self, conversation_id: str, spent: Amount) -> None:
        """*spent* was used without a limit: a ledger that is there must know it when one holds again."""
        if self.path.exists():
            with self._open() as ledger:
                self._run += Amount(spent.tokens, spent.usd or 0.0)
                _spend(ledger, conversation_id, spent)

    def _limits(self, unit: Unit) -> bool:
        return any(one == unit for _, one, _ in self._every())

    def _every(self) -> Iterator[tuple[Scope, Unit, float]]:
        for scope in _SCOPES:
            limit: BudgetLimit = getattr(self.config, scope)
            if limit.usd is not None:
                yield scope, "usd", limit.usd
            if limit.tokens is not None:
                yield scope, "tokens", float(limit.tokens)

    def _used(self, ledger: _Ledger, conversation_id: str, but: str) -> Mapping[Scope, Amount]:
        under_way, here, own = Amount(), Amount(), Amount()
        for key, one in ledger.reserved.items():
            if key != but:
                amount = _amount(one)
                under_way += amount
                here += amount if one.get("conversation") == conversation_id else Amount()
                own += amount if one.get("pid") == os.getpid() else Amount()
        spent_here = ledger.conversations.get(conversation_id, Amount()) if conversation_id else Amount()
        return {
            "request": Amount(),
            "run": self._run + own,
            "conversation": spent_here + here,
            "day": ledger.spent_day + under_way,
            "month": ledger.spent_month + under_way,
        }

    # ---- the file ---------------------------------------------------------------------------------------------

    @contextmanager
    def _open(self) -> Iterator[_Ledger]:
        """The ledger as of now, written back at the end. Raises LLMBudgetError where the disk refuses."""
        try:
            with paths.locked(self.path):
                ledger = self._read()
                yield ledger
                paths.replace_private(self.path, _dumped(ledger))
        except OSError as exc:
            raise LLMBudgetError(
                f"the budget could not be kept in {self.path}: {exc.strerror or exc}",
                hint="free some space or mend the folder's permissions; without it nothing is asked",
                final=True,
            ) from exc

    def _read(self) -> _Ledger:
        now = time.localtime(self._now())
        day, month = time.strftime("%Y-%m-%d", now), time.strftime("%Y-%m", now)
        try:
            value = json.loads(paths.read_private(self.path, _MAX_BYTES) or b"")
        except (ValueError, RecursionError):
            return self._from_history(day, month)
        if not isinstance(value, dict):
            return self._from_history(day, month)
        ledger = _Ledger(day, month)
        ledger.spent_day = _amount(value.get("spent_day")) if value.get("day") == day else Amount()
        ledger.spent_month = _amount(value.get("spent_month")) if value.get("month") == month else Amount()
        ledger.conversations = {key: _amount(one) for key, one in _tables(value.get("conversations")).items()}
        for key, one in _tables(value.get("reserved")).items():
            if _alive(one):
                ledger.reserved[key] = one
            else:
                _spend(ledger, str(one.get("conversation", "")), _amount(one))
        return ledger

    def _from_history(self, day: str, month: str) -> _Ledger:
        ledger = _Ledger(day, month)
        for moment, conversation, amount in self._history():
            at = time.localtime(moment)
            amount = Amount(amount.tokens, amount.usd or 0.0)
            ledger.conversations[conversation] = ledger.conversations.get(conversation, Amount()) + amount
            if time.strftime("%Y-%m", at) == month:
                ledger.spent_month += amount
            if time.strftime("%Y-%m-%d", at) == day:
                ledger.spent_day += amount
        return ledger


class Reservation(Struct):
    """What one request holds of the budget. It is a `Meter`: `add` what comes, and `settle` in the end."""

    budget: Budget
    id: str
    conversation_id: str
    sent: int
    priced: Priced
    held: int = 0
    came: float = 0.0
    reached: Reached | None = None

    def extend(self, tokens: int) -> None:
        """Hold *tokens* more of the answer. Raises LLMBudgetError."""
        wanted = self.held + tokens
        reached = self.budget.take(self, Amount(self.sent + wanted, self.priced(self.sent, wanted)))
        if reached is not None:
            self.reached = reached
            raise reached.error()
        self.held = wanted

    async def add(self, text: str) -> None:
        """More of the answer came: four characters count as a token until the vendor tells. Raises LLMBudgetError."""
        import asyncio

        self.came += len(text) / 4
        while self.came > self.held:
            block = BLOCK
            while True:
                try:
                    await asyncio.to_thread(self.extend, block)
                    break
                except LLMBudgetError:
                    if block == 1:
                        raise
                    block = max(1, block // 4)  # the last of it in small pieces

    def settle(self, spent: Amount | None, *, at_least: Amount | None = None) -> None:
        """The request is over and took *spent*; None: nobody told, and what came counts, at least *at_least*."""
        if spent is None:
            came = int(self.came + 0.999)
            spent = Amount(self.sent + came, self.priced(self.sent, came))
            if at_least is not None:
                dollars = max(spent.usd or 0.0, at_least.usd or 0.0)
                spent = Amount(max(spent.tokens, at_least.tokens), dollars)
        self.budget.settle(self, spent)


def _spend(ledger: _Ledger, conversation_id: str, spent: Amount) -> None:
    spent = Amount(spent.tokens, spent.usd or 0.0)
    ledger.spent_day += spent
    ledger.spent_month += spent
    if conversation_id:
        before = ledger.conversations.pop(conversation_id, Amount())
        ledger.conversations[conversation_id] = before + spent  # the latest last


def _part(amount: Amount, unit: Unit) -> float | None:
    return amount.usd if unit == "usd" else float(amount.tokens)


def _amount(value: object) -> Amount:
    if not isinstance(value, dict):
        return Amount()
    tokens, usd = value.get("tokens"), value.get("usd")
    return Amount(tokens if type(tokens) is int and tokens > 0 else 0, _money(usd))


def _money(value: object) -> float:
    return float(value) if type(value) in (int, float) and 0 <= value < 1e12 else 0.0  # type: ignore[operator, arg-type]  # a number by now


def _tables(value: object) -> dict[str, dict[str, Any]]:
    return {key: one for key, one in value.items() if isinstance(one, dict)} if isinstance(value, dict) else {}


def _dumped(ledger: _Ledger) -> bytes:
    def plain(amount: Amount) -> dict[str, float]:
        return {"tokens": amount.tokens, "usd": amount.usd or 0.0}

    kept = dict(list(ledger.conversations.items())[-_MOST_CONVERSATIONS:])
    value = {
        "day": ledger.day,
        "month": ledger.month,
        "spent_day": plain(ledger.spent_day),
        "spent_month": plain(ledger.spent_month),
        "conversations": {key: plain(one) for key, one in kept.items()},
        "reserved": ledger.reserved,
    }
    return json.dumps(value, ensure_ascii=True).encode()


def _alive(reserved: Mapping[str, Any]) -> bool:
    """Whether the process that reserved this still runs, and is the same one."""
    pid = reserved.get("pid")
    if type(pid) is not int or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's now: the time of its start tells
    started = reserved.get("start")
    return started is None or started == _start_of(pid)


def _start_of(pid: int) -> str | None:
    """When the process *pid* began, where that can be known: pids come again."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def used_before() -> Iterator[tuple[float, str, Amount]]:
    """What the usage log knows, for a budget that has just been set."""
    from coda_cli.engine.usage.log import UsageLog

    for line in UsageLog().lines():
        when, price = line.get("time"), line.get("price")
        tokens = sum(value for key in ("input", "output") if type(value := line.get(key)) is int)
        usd = float(price) if isinstance(price, int | float) else 0.0
        if isinstance(when, int | float):
            yield float(when), str(line.get("conversation") or ""), Amount(tokens, usd)
