"""The form of the tables of `wordings_*`: the qualities and things that feedback is about, and the ways to say it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field


class Quality(Struct, frozen=True):
    """A quality of answers: the wish of who wants it, and of whom it is too much ("" for none).

    `words` are the quality itself, `more` its comparatives, `excess` what is only said of too much; each a text with
    `|` between. `quiet`: those of `words` that nothing follows from where there is too much of them.
    """

    wanted: str
    too_much: str
    words: str
    more: str = ""
    adverbs: str = ""
    excess: str = ""
    quiet: str = ""


class Thing(Struct, frozen=True):
    """Something in answers: the wish of who wants more of it, and less. `made`: to ask for some is a task."""

    more: str
    less: str
    words: str
    made: bool = False


def as_it_is(word: str) -> tuple[str, ...]:
    """A language whose adjectives have one form."""
    return (word,)


class Tables(Struct, frozen=True):
    """One language. In the ways, patterns for a whole clause, X stands for a quality and T for a thing.

    `like` want the quality, `too` complain of too much of it, `compared` count for "shorter" and not for "short".
    `more` and `less` speak of a thing; a way that begins with `given` asks for a thing that is made. What has
    `tasks` in it may belong to a task ("write formally", "in simple terms", "no details"): there a comparison counts.
    """

    qualities: tuple[Quality, ...]
    things: tuple[Thing, ...]
    like: tuple[str, ...]
    too: tuple[str, ...]
    compared: tuple[str, ...]
    more: tuple[str, ...]
    less: tuple[str, ...]
    given: str
    tasks: str
    more_word: str
    less_word: str
    forms: Callable[[str], tuple[str, ...]] = field(default=as_it_is)
