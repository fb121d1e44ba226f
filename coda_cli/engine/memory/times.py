"""When a question speaks of: "last week", "yesterday", "in March" -> the days that are meant."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from coda_cli.engine.memory.words import folded

Days = tuple[date, date]
_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COUNT: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS: Final = {word: n for n, word in enumerate(_COUNT)}
_AGO: Final = re.compile(r"\b(\d{1,3}|a|an|couple of|few|" + "|".join(_NUMBERS) + r") (day|week|month|year)s? ago\b")
_FORMER: Final = re.compile(
    r"\b(?:used to|before|previous(?:ly)?|former(?:ly)?|originally|old|earlier|in the past|back then|fruher"
    r"|vorher|avant"
    r"|auparavant|antes)\b"
)
_IN_MONTH: Final = re.compile(r"\b(?:in|last|this|of|during|since) (" + "|".join(_MONTHS) + r")\b(?: (\d{4}))?")
_ON_DAY: Final = re.compile(r"\b(?:on|last) (" + "|".join(_WEEKDAYS) + r")\b")
_ISO: Final = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")


def days_in(question: str, today: date) -> Days | None:
    """The first and the last day that *question* speaks of, None if it speaks of no time."""
    text = folded(question)
    try:
        return _named(text, today) or _counted(text, today) or _dated(text, today)
    except (ValueError, OverflowError):
        return None


def speaks_of_the_past(question: str) -> bool:
    """Whether it may ask for what no longer holds ("where did I live before?")."""
    return _FORMER.search(folded(question)) is not None


def _named(text: str, today: date) -> Days | None:
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    last_month = (first - timedelta(days=1)).replace(day=1)
    spans: dict[str, Days] = {
        r"\byesterday\b|\bgestern\b|\bhier\b|\bayer\b": (today - timedelta(days=1), today - timedelta(days=1)),
        r"\btoday\b|\bthis morning\b|\bheute\b|\baujourd'hui\b|\bhoy\b": (today, today),
        r"\blast week\b|\bletzte woche\b|\bla semaine derniere\b|\bla semana pasada\b": (
            monday - timedelta(days=7),
            monday - timedelta(days=1),
        ),
        r"\bthis week\b|\bdiese woche\b|\bcette semaine\b|\besta semana\b": (monday, today),
        r"\blast month\b|\bletzten monat\b|\ble mois dernier\b|\bel mes pasado\b": (
            last_month,
            first - timedelta(days=1),
        ),
        r"\bthis month\b|\bdiesen monat\b": (first, today),
        r"\blast year\b|\bletztes jahr\b": (date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
        r"\bthis year\b": (date(today.year, 1, 1), today),
    }
    return next((span for pattern, span in spans.items() if re.search(pattern, text)), None)


def _counted(text: str, today: date) -> Days | None:
    found = _AGO.search(text)
    if found is None:
        return None
    word = found[1]
    many = {"a": 1, "an": 1, "couple of": 2, "few": 3}.get(word, _NUMBERS.get(word, 0)) or int(word)
    unit = {"day": 1, "week": 7, "month": 30, "year": 365}[found[2]]
    middle, slack = today - timedelta(days=many * unit), timedelta(days=max(unit // 2, many * unit // 10))
    return middle - slack, min(today, middle + slack)


def _dated(text: str, today: date) -> Days | None:
    if found := _ISO.search(text):
        day = date(int(found[1]), int(found[2]), int(found[3]))
        return day, day
    if found := _IN_MONTH.search(text):
        month = _MONTHS.index(found[1]) + 1
        year = int(found[2]) if found[2] else today.year - (month > today.month)
        first = date(year, month, 1)
        following = date(year + month // 12, month % 12 + 1, 1)
        return first, following - timedelta(days=1)
    if found := _ON_DAY.search(text):
        back = (today.weekday() - _WEEKDAYS.index(found[1])) % 7 or 7
        return today - timedelta(days=back), today - timedelta(days=back)
    return None
