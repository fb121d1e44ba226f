"""Source code coloured by Pygments, as lines of styled runs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

from coda_cli.markdown.text import Key, Line, plain, split_lines

_HIGHLIGHT_LIMIT: Final = 200_000
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
    def get_tokens(self, text: str) -> Iterable[tuple[TokenKind, str]]: ...


def highlight(code: str, language: str) -> list[Line]:
    """The lines of *code*, coloured if *language* is the name of a lexer; no character is added or lost."""
    unlit: list[Line] = [[(line, ("code_block",))] if line else [] for line in code.split("\n")]
    if not language or len(code) > _HIGHLIGHT_LIMIT or (lexer := lexer_for(language)) is None:
        return unlit
    runs = [(text, syntax_key(kind)) for kind, text in lexer.get_tokens(code) if text]
    # A lexer that loses or adds a character would change the code: then it is shown without colour.
    return split_lines(runs) if plain(runs) == code else unlit


@lru_cache(maxsize=1)
def _aliases() -> frozenset[str]:
    from pygments.lexers import get_all_lexers

    # Without plugins: looking for them reads the metadata of every installed package.
    return frozenset(alias for _, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases)


@lru_cache(maxsize=16)
def lexer_for(language: str) -> Lexer | None:
    """Pygments' lexer of that name (one of its aliases, lower case), built once; None if there is none."""
    if language not in _aliases():
        return None
    from pygments.lexers import get_lexer_by_name

    lexer: Lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return lexer


@lru_cache(maxsize=512)
def syntax_key(kind: TokenKind) -> Key:
    """The style names of a token type: its own, or those of the nearest type above it."""
    at: TokenKind | None = kind
    while at is not None:
        if (name := _SYNTAX.get(str(at).removeprefix("Token."))) is not None:
            return (name,)
        at = at.parent
    return ("code_block",)
