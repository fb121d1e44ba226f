"""Source code coloured by Pygments, as lines of styled runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, Literal, Protocol

from coda_cli.markdown.text import Key, Line, Run, plain, split_lines

HIGHLIGHT_LIMIT: Final = 200_000
"""More characters than this are shown without colour."""
_AT_ONCE: Final = 3000
"""Characters of code that are lexed at once, in some 10 ms, even where colours may come later."""
LONGEST_LINE: Final = 16_384
"""Characters of a line of code that `shortened` leaves."""
_SYNTAX: Final = {
    "Comment": "syntax.comment",
    "Keyword": "syntax.keyword",
    "Keyword.Constant": "syntax.builtin",
    "Name.Tag": "syntax.tag",
    "Name.Attribute": "syntax.attribute",
    "Name.Function": "syntax.function",
    "Name.Class": "syntax.class",
    "Name.Builtin": "syntax.builtin",
    "Name.Decorator": "syntax.decorator",
    "Literal.String": "syntax.string",
    "Literal.Number": "syntax.number",
    "Operator.Word": "syntax.keyword",
    "Generic.Inserted": "syntax.inserted",
    "Generic.Deleted": "syntax.deleted",
    "Generic.Heading": "syntax.heading",
    "Generic.Subheading": "syntax.heading",
}


class TokenKind(Protocol):
    """A token type of Pygments, which has no type information."""

    def __hash__(self) -> int: ...
    @property
    def parent(self) -> TokenKind | None: ...


class Lexer(Protocol):
    """A lexer of Pygments, which has no type information."""

    def get_tokens(self, text: str) -> Iterable[tuple[TokenKind, str]]: ...


_KEPT: Final = 400_000
_kept: dict[tuple[str, str], list[Line]] = {}
_lexers: dict[str, Lexer | None] = {}
_building: set[str] = set()
_lock = threading.Lock()


def highlight(
    code: str, language: str, *, missed: set[str] | None = None, later: dict[tuple[str, str], None] | None = None
) -> list[Line]:
    """The lines of *code*, coloured if *language* is the name of a lexer; no character is added or lost.

    With a set *missed*, a lexer that is not built yet is not waited for: its name is put there, the code is plain.
    With *later*, neither is long code lexed: it is put there with its language, for `remember`.
    """
    if not language or len(code) > HIGHLIGHT_LIMIT:
        return unlit(code)
    if (kept := _kept.get((language, code))) is not None:
        return kept
    lexer = lexer_for(language) if missed is None else lexer_soon(language)
    if lexer is False and missed is not None:
        missed.add(language)
    if not lexer:
        return unlit(code)
    if later is not None and len(code) > _AT_ONCE:
        later[language, code] = None
        return unlit(code)
    return remember(code, language, checked(code, [run for run in lex(lexer, code) if run[0]]))


def shortened(code: str) -> tuple[str, dict[int, str]]:
    """*code* without the ends of lines that are huge, and by the line's number what is to be said of each."""
    if len(code) <= LONGEST_LINE:
        return code, {}
    lines = code.split("\n")
    told = {place: left_out(line) for place, line in enumerate(lines) if len(line) > LONGEST_LINE}
    return "\n".join(line[:LONGEST_LINE] for line in lines) if told else code, told


def left_out(line: str) -> str:
    """What stands after a huge line that is shortened."""
    return f" … {len(line) - LONGEST_LINE:,} more characters, shown as plain text by /raw"


def unlit(code: str) -> list[Line]:
    """The lines of *code* without colour."""
    return [[(line, ("code_block",))] if line else [] for line in code.split("\n")]


def checked(code: str, runs: Line) -> list[Line]:
    """*runs* as lines. A lexer that loses or adds a character would change the code: then it is without colour."""
    return split_lines(runs) if plain(runs) == code else unlit(code)


def lex(lexer: Lexer, code: str) -> Iterator[Run]:
    """The runs of *code*, one by one, so that a long piece can be lexed bit by bit."""
    for kind, text in lexer.get_tokens(code):
        yield text, syntax_key(kind)


def remember(code: str, language: str, lines: list[Line]) -> list[Line]:
    """Keep *lines* as what `highlight` gives, so that another width costs no lexing."""
    _kept[language, code] = lines
    while len(_kept) > 1 and sum(len(each) for _, each in _kept) > _KEPT:
        del _kept[next(iter(_kept))]
    return lines


def lexer_soon(language: str) -> Lexer | Literal[False] | None:
    """Pygments' lexer if it is built already; False if it is being built, in a thread, for that takes up to 60 ms."""
    with _lock:
        if language in _lexers:
            return _lexers[language]
        if language not in _building:
            _building.add(language)
            threading.Thread(target=lexer_for, args=(language,), daemon=True).start()
    return False


def lexer_for(language: str) -> Lexer | None:
    """Pygments' lexer of that name (one of its aliases, lower case), built once; None if there is none."""
    if language in _lexers:
        return _lexers[language]
    lexer: Lexer | None = None
    if language in _aliases():
        from pygments.lexers import get_lexer_by_name

        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    with _lock:
        return _lexers.setdefault(language, lexer)


@lru_cache(maxsize=1)
def _aliases() -> frozenset[str]:
    from pygments.lexers import get_all_lexers

    # Without plugins: looking for them reads the metadata of every installed package.
    return frozenset(alias for _, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases)


@lru_cache(maxsize=512)
def syntax_key(kind: TokenKind) -> Key:
    """The style names of a token type: its own, or those of the nearest type above it."""
    at: TokenKind | None = kind
    while at is not None:
        if (name := _SYNTAX.get(str(at).removeprefix("Token."))) is not None:
            return (name,)
        at = at.parent
    return ("code_block",)
