"""When a question speaks of: "last week", "yesterday", "in March" -> the days that are meant.

In English, German, French and Spanish, for the ways in which people name days that have been.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

from coda_cli.engine.memory.words import folded

Days = tuple[date, date]
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar janner janvier enero",
            "february feb februar fevrier febrero",
            "march marz maerz mars marzo",
            "april apr avril abril",
            "may mai mayo",
            "june jun juni juin junio",
            "july jul juli juillet julio",
            "august aug aout agosto",
            "september sept sep septembre septiembre setiembre",
            "october oct oktober octobre octubre",
            "november nov novembre noviembre",
            "december dec dezember decembre diciembre",
        ),
        1,
    )
    for name in names.split()
}
_WEEKDAYS: Final = {
    name: number
    for number, names in enumerate(
        (
            "monday montag lundi lunes",
            "tuesday dienstag mardi martes",
            "wednesday mittwoch mercredi miercoles",
            "thursday donnerstag jeudi jueves",
            "friday freitag vendredi viernes",
            "saturday samstag samedi sabado",
            "sunday sonntag dimanche domingo",
        )
    )
    for name in names.split()
}
_COUNT: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS: Final = {word: n for n, word in enumerate(_COUNT)}
_MONTH: Final = "(" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b"
_WEEKDAY: Final = "(" + "|".join(_WEEKDAYS) + r")\b"
_AGO: Final = re.compile(
    r"\b(\d{1,3}|an?|(?:a )?couple of|(?:a )?few|"
    + "|".join(_NUMBERS)
    + r") (day|week|month|year)s? (?:ago|back|earlier)\b"
)
_FORMER: Final = re.compile(
    r"\b(?:used to|before|previous(?:ly)?|former(?:ly)?|originally|old|earlier|in the past|back then|fruher"
    r"|vorher|avant"
    r"|auparavant|antes)\b"
)
_IN: Final = r"\b(?:in|last|this|of|during|since|around|im|seit|letzten|en|pasado|from)"
_PART: Final = re.compile(
    r"\b(early|beginning of|start of|first half of|mid|middle of|late|end of|second half of|anfang|mitte|ende|debut"
    r"|mi|fin|principios de|mediados de|finales de)[ -](?:in )?" + _MONTH + r"(?: (?:of )?(\d{4}))?"
)
_PARTS: Final = {
    "early": (1, 12), "beginning of": (1, 12), "start of": (1, 12), "first half of": (1, 15), "anfang": (1, 12),
    "debut": (1, 12), "principios de": (1, 12), "mid": (8, 23), "middle of": (8, 23), "mitte": (8, 23), "mi": (8, 23),
    "mediados de": (8, 23), "late": (18, 31), "end of": (18, 31), "second half of": (15, 31), "ende": (18, 31),
    "fin": (18, 31), "finales de": (18, 31),
}  # fmt: skip
_ON_DATE: Final = re.compile(
    r"\b(?:on |am |le |el |of )?(?:the )?(\d{1,2})(?:st|nd|rd|th|\.)?(?: of| de)? "
    + _MONTH
    + r"(?: (?:of |de )?(\d{4}))?"
    r"|\b" + _MONTH + r" (?:the )?(\d{1,2})(?:st|nd|rd|th)?\b(?!:)(?:,? (\d{4}))?"
)
_IN_MONTH: Final = re.compile(
    _IN
    + r" (?:the month of )?"
    + _MONTH
    + r"(?: (?:of |de )?(last year|letztes jahr|\d{4}))?|\b"
    + _MONTH
    + r" (last year|\d{4})\b"
)
_ON_DAY: Final = re.compile(r"\b(on|last|this past|since|am|letzten|seit|le|el|desde)(?: el)? " + _WEEKDAY)
_SEASON: Final = re.compile(
    r"\b(?:in|last|this|during|over|im|letzten) (?:the )?(spring|summer|autumn|fall|winter|fruhling|sommer|herbst)\b"
)
_SEASONS: Final = {
    "spring": 3,
    "fruhling": 3,
    "summer": 6,
    "sommer": 6,
    "autumn": 9,
    "fall": 9,
    "herbst": 9,
    "winter": 12,
}
_ISO: Final = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")


def days_in(question: str, today: date) -> Days | None:
    """The first and the last day that *question* speaks of, None if it speaks of no time."""
    text = folded(question)
    for read in (_dated, _named, _counted, _in_month, _in_season):
        try:
            if (found := read(text, today)) is not None:
                return found
        except (ValueError, OverflowError):
            continue  # "the 31st of June" is no day
    return None


def speaks_of_the_past(question: str) -> bool:
    """Whether it may ask for what no longer holds ("where did I live before?")."""
    return _FORMER.search(folded(question)) is not None


def _named(text: str, today: date) -> Days | None:
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    last_month = (first - timedelta(days=1)).replace(day=1)
    day = timedelta(days=1)
    spans: dict[str, Days] = {
        r"\bday before yesterday\b|\bvorgestern\b|\bavant-hier\b|\banteayer\b": (today - 2 * day, today - 2 * day),
        r"\byesterday\b|\blast night\b|\bgestern\b|\bhier\b|\bayer\b": (today - day, today - day),
        r"\btoday\b|\bthis (?:morning|afternoon|evening)\b|\btonight\b|\bheute\b|\baujourd'hui\b|\bhoy\b": (
            today,
            today,
        ),
        r"\blast weekend\b|\b(?:at|over|on) the weekend\b|\bam wochenende\b": (monday - 2 * day, monday - day),
        r"\blast week\b|\b(?:letzte|vorige) woche\b|\bla semaine derniere\b|\bla semana pasada\b": (
            monday - 7 * day,
            monday - day,
        ),
        r"\bthis week\b|\bdiese woche\b|\bcette semaine\b|\besta semana\b": (monday, today),
        r"\b(?:the )?(?:past|last) (?:few|couple of) days\b|\bthe other day\b|\bneulich\b": (today - 7 * day, today),
        r"\b(?:the )?(?:past|last) (?:few|couple of) weeks\b": (today - 28 * day, today),
        r"\blast month\b|\b(?:letzten|vorigen) monat\b|\ble mois dernier\b|\bel mes pasado\b": (
            last_month,
            first - day,
        ),
        r"\bthis month\b|\bdiesen monat\b|\bce mois-ci\b|\beste mes\b": (first, today),
        r"\b(?:past|last) (?:few|couple of) months\b": (today - 92 * day, today),
    }
    return next((span for pattern, span in spans.items() if re.search(pattern, text)), None)


def _counted(text: str, today: date) -> Days | None:
    found = _AGO.search(text)
    if found is None:
        return None
    word = found[1].removeprefix("a ") if found[1] not in ("a", "an") else "one"
    many = {"couple of": 2, "few": 3}.get(word, _NUMBERS.get(word, 0)) or int(word)
    unit = {"day": 1, "week": 7, "month": 30, "year": 365}[found[2]]
    middle, slack = today - timedelta(days=many * unit), timedelta(days=max(unit // 2, many * unit // 10))
    return middle - slack, min(today, middle + slack)


def _dated(text: str, today: date) -> Days | None:
    """A day, or a part of a month."""
    if found := _ISO.search(text):
        day = date(int(found[1]), int(found[2]), int(found[3]))
        return day, day
    if found := _PART.search(text):
        first, last = _month(found[2], found[3], today)
        begin, end = _PARTS[found[1]]
        return first.replace(day=begin), min(last, first.replace(day=min(end, last.day)))
    if found := _ON_DATE.search(text):
        name, number, year = (found[2], found[1], found[3]) if found[2] else (found[4], found[5], found[6])
        day = _month(name, year, today)[0].replace(day=int(number))
        return day, day
    if found := _ON_DAY.search(text):
        back = (today.weekday() - _WEEKDAYS[found[2]]) % 7 or 7
        day = today - timedelta(days=back)
        return day, today if found[1] in ("since", "seit", "desde") else day
    return None


def _month(name: str, year: str | None, today: date) -> Days:
    """The first and the last day of the latest month *name*; *year* is one, or says that it is last year's."""
    month = _MONTHS[name]
    which = today.year - (month > today.month)
    if year:
        which = int(year) if year.isdigit() else today.year - 1
    first = date(which, month, 1)
    return first, date(which + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _in_month(text: str, today: date) -> Days | None:
    if found := _IN_MONTH.search(text):
        first, last = _month(found[1] or found[3], found[2] or found[4], today)
        return (first, today) if found[0].startswith(("since", "seit", "desde")) else (first, last)
    if re.search(r"\blast year\b|\bletztes jahr\b|\bl'annee derniere\b|\bel ano pasado\b", text):
        return date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)
    if re.search(r"\bthis year\b|\bdieses jahr\b|\bcette annee\b|\beste ano\b", text):
        return date(today.year, 1, 1), today
    return None


def _in_season(text: str, today: date) -> Days | None:
    found = _SEASON.search(text)
    if found is None:
        return None
    month = _SEASONS[found[1]]
    begin = date(today.year - (month > today.month), month, 1)
    return begin, begin + timedelta(days=91)
