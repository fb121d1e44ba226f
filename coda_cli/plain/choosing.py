"""Questions back to the person, in lines: numbered choices, yes or no, one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coda_cli.chat.front import Option
from coda_cli.plain.lines import one_line
from coda_cli.plain.output import Output
from coda_cli.plain.source import Interrupt, Source

_SHOWN: Final = 20


class Chooser:
    """Asks through *source*. The end of the input, Ctrl-C and an empty line mean: none of them."""

    def __init__(self, source: Source, output: Output) -> None:
        self._source = source
        self._out = output

    async def choose(self, title: str, options: Sequence[Option]) -> int | None:
        """The index of the chosen option. Words narrow the list; a number stands for what is shown with it."""
        places = list(range(len(options)))
        while True:
            self._out.put(f"{one_line(title)}\n")
            for place in places[:_SHOWN]:
                option = options[place]
                detail = f" ({one_line(option.detail)})" if option.detail else ""
                self._out.put(f"{place + 1}. {option.label[: _indent(option.label)]}{one_line(option.label)}{detail}\n")
            if len(places) > _SHOWN:
                self._out.put(f"and {len(places) - _SHOWN} more: words narrow the list\n")
            given = await self.ask("Number, or words; empty for none")
            if not given:
                return None
            if given.isascii() and given.isdecimal() and len(given) < 7 and 1 <= int(given) <= len(options):
                return int(given) - 1
            found = _fitting(options, given)
            if len(found) == 1:
                return found[0]
            if not found:
                self._out.say(f"(nothing fits {one_line(given)!r})")
            places = found or places

    async def confirm(self, question: str) -> bool:
        """Whether the answer is yes."""
        given = await self.ask(f"{question} Yes or no")
        return given is not None and given.strip().lower() in ("y", "yes")

    async def ask(self, title: str, *, initial: str = "", secret: bool = False) -> str | None:
        """One line; None for none."""
        self._out.flush()
        if not self._source.interactive:
            self._out.put(f"{one_line(title)}:\n")
        try:
            return (await self._source.line(one_line(title), initial=initial, secret=secret)).strip()
        except (Interrupt, EOFError):
            return None


def _indent(label: str) -> int:
    return len(label) - len(label.lstrip(" "))


def _fitting(options: Sequence[Option], given: str) -> list[int]:
    words = given.casefold().split()
    return [
        place
        for place, option in enumerate(options)
        if all(word in f"{option.label} {option.search}".casefold() for word in words)
    ]
