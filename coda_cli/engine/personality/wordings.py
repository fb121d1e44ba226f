"""How feedback is said beside the set phrases: a way of saying it around a quality, "do not be so" around "verbose".

The qualities and the ways are tables of plain words, one file a language. A clause counts only where a way and a
quality are the whole of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final, Literal

from msgspec import Struct

from coda_cli.engine.personality.wording_tables import Tables
from coda_cli.engine.personality.wordings_de import GERMAN
from coda_cli.engine.personality.wordings_en import ENGLISH
from coda_cli.engine.personality.wordings_es import SPANISH
from coda_cli.engine.personality.wordings_fr import FRENCH

Sense = Literal["like", "too", ""]
"""Whether a quality is wanted, or there is too much of it."""


class Heard(Struct, frozen=True):
    """The wish in a clause. `sense` is how a mere quality behind an "and" is meant."""

    wish: str
    sense: Sense = ""


class _Language:
    """One language; its patterns are made once a clause has one of its words."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._like: dict[str, str] = {}
        self._too: dict[str, str] = {}
        self._compared: set[str] = set()
        self._things = {word: thing for thing in tables.things for word in thing.words.split("|")}
        for quality in tables.qualities:
            words = [*self._forms(quality.words), *self._forms(quality.adverbs)]
            excess, quiet = self._forms(quality.excess), set(self._forms(quality.quiet))
            compared = [*self._forms(quality.more), *(f"{tables.more_word} {word}" for word in words)]
            self._like |= dict.fromkeys((*words, *compared), quality.wanted)
            self._compared.update(compared)
            if quality.too_much:
                unwanted = [word for word in (*words, *excess) if word not in quiet]
                less = [f"{tables.less_word} {word}" for word in unwanted]
                self._too |= dict.fromkeys(unwanted, quality.too_much)
                self._like |= dict.fromkeys(less, quality.too_much)
                self._compared.update(less)
        self._words = {word.split()[-1] for word in (*self._like, *self._too, *self._things)}

    def _forms(self, words: str) -> list[str]:
        return [form for word in words.split("|") if word for form in self._tables.forms(word)]

    @cached_property
    def _ways(self) -> dict[str, list[re.Pattern[str]]]:
        tables, things = self._tables, f"(?P<x>{'|'.join(self._things)})"
        return {
            name: [re.compile(way.replace("X", "(?P<x>.+?)").replace("T", things)) for way in ways]
            for name, ways in (
                ("like", tables.like), ("too", tables.too), ("compared", tables.compared),
                ("more", tables.more), ("less", tables.less), ("given", (tables.given,)), ("tasks", (tables.tasks,)),
            )
        }  # fmt: skip

    def _said(self, name: str, words: str) -> Iterator[str]:
        return (found["x"] for way in self._ways[name] if (found := way.fullmatch(words)))

    def heard(self, words: str, carried: Sense) -> Heard | None:
        """What the clause *words* wishes; *carried* is the sense of the clause before it."""
        if self._words.isdisjoint(words.split()):
            return None
        if words in self._compared:
            return Heard(self._like[words], "like")
        senses: tuple[tuple[Sense, dict[str, str]], ...] = (("like", self._like), ("too", self._too))
        part_of_a_task = self._ways["tasks"][0].search(words) is not None
        for sense, table in senses:
            if sense == carried and words in table:
                return Heard(table[words], sense)
            for quality in self._said(sense, words):
                if quality in table and (sense == "too" or quality in self._compared or not part_of_a_task):
                    return Heard(table[quality], sense)
        for quality in self._said("compared", words):
            if quality in self._compared:
                return Heard(self._like[quality], "like")
        return self._of_things(words)

    def _of_things(self, words: str) -> Heard | None:
        for name in ("less", "more"):
            for thing in filter(None, map(self._things.get, self._said(name, words))):
                wish = thing.less if name == "less" else thing.more
                # "give me more jokes" is a task, and "no details" may be part of one.
                task = self._ways["given" if name == "more" else "tasks"][0].search(words)
                if wish and not (task and (thing.made if name == "more" else thing.more == "longer")):
                    return Heard(wish)
        return None


_LANGUAGES: Final = tuple(map(_Language, (ENGLISH, GERMAN, FRENCH, SPANISH)))


def heard(words: str, carried: Sense = "") -> Heard | None:
    """What the plain clause *words* wishes, in any language; *carried* is the sense of the clause before it."""
    return next(filter(None, (language.heard(words, carried) for language in _LANGUAGES)), None)
