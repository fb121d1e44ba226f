"""What a person means by "forget that ...", and that nothing of it comes back through the gist of a chat.

Of what was forgotten only hashes of its telling words stay, under a random salt: enough to leave them out of a gist
that is made later, and of no use for reading them.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from coda_cli import paths
from coda_cli.engine.memory.record import Memory
from coda_cli.engine.memory.subjects import subject_of
from coda_cli.engine.memory.wishes import Wish
from coda_cli.engine.memory.words import COMMON, first_person, no_count, stem, terms

_MOST: Final = 500
_MAX_BYTES: Final = 1 << 20
_SAYING: Final = (
    "live lives lived living move moved work works working started joined name named call called answer answers reply "
    "respond write speak prefer prefers like likes want love use uses am is age old wohne lebe heisse arbeite"
)
_VERBS: Final = frozenset(stem(word) for word in _SAYING.split())
"""Words that say of a subject only which one it is."""
_CLAUSE: Final = re.compile(r"(?<=[;.]) |: ")


def named_in(memories: Iterable[Memory], wish: Wish, folder: Path | None) -> list[Memory]:
    """Which of *memories* *wish* means: what says what it names, also what held before; one thing unless `wide`."""
    said = first_person(wish.text)
    named = {stem(one) for one in terms(said)}
    value = named - _VERBS
    if not named or not (value or wish.wide):
        return []
    subject, noes = subject_of(said), no_count(said) % 2
    fitting: list[tuple[bool, float, bool, Memory]] = []
    for one in memories:
        if one.kind == "gist" and not wish.wide:
            continue
        if one.folder and (folder is None or not folder.is_relative_to(one.folder)):
            continue
        words = {stem(word) for word in terms(one.text)}
        alike = subject is not None and subject == subject_of(one.text) and value <= words
        if (named <= words or alike) and (wish.wide or no_count(one.text) % 2 == noes):
            fitting.append((named <= words, len(named & words) / max(1, len(words)), one.holds, one))
    fitting.sort(key=lambda found: (not found[0], -found[1], not found[2], found[3].id))
    chosen = [one for *_, one in fitting]
    if wish.wide or not chosen:
        return chosen
    first = {stem(word) for word in terms(chosen[0].text)} - _VERBS
    same_thing = [one for one in chosen[1:] if {stem(word) for word in terms(one.text)} - _VERBS == first]
    return [chosen[0], *same_thing]


def telling_words(gone: Sequence[Memory], left: Iterable[Memory]) -> frozenset[str]:
    """The words of *gone* that tell what it was about: no common ones, and none that something *left* says, too."""
    kept = {stem(word) for one in left if one.kind != "gist" for word in terms(one.text)}
    told = {stem(word) for one in gone for word in terms(one.text) if word not in COMMON}
    return frozenset(told - kept - _VERBS)


def without_words(gist: Memory, words: Collection[str]) -> Memory:
    """*gist* without the clauses that hold one of *words* (stems)."""
    return replace(gist, text=_without(gist.text, words.__contains__)) if words else gist


def _without(text: str, forbidden: Any) -> str:
    clauses = _CLAUSE.split(text)
    kept = [one for one in clauses if not any(forbidden(stem(word)) for word in terms(one))]
    if len(kept) == len(clauses):
        return text
    left = " ".join(one for one in kept if one.strip() not in ("decided", "asked"))
    return left.strip(" ;.")


class Forgotten:
    """The telling words of what was forgotten, hashed, in *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, words: Collection[str], now: str) -> None:
        """*words* were forgotten. A disk that refuses is passed over: the memory itself is what counts."""
        if not words:
            return
        with suppress(OSError), paths.locked(self._path):
            known = self._read()
            salt = str(known.get("salt") or secrets.token_hex(16))
            made = {_hash(salt, word): now for word in words}
            hashes = {**_texts(known.get("words")), **made}
            latest = dict(sorted(hashes.items(), key=lambda item: item[1])[-_MOST:])
            paths.replace_private(self._path, json.dumps({"salt": salt, "words": latest}).encode())

    def out_of(self, text: str) -> str:
        """*text* without the clauses that hold a forgotten word."""
        known = self._read()
        salt, hashes = known.get("salt"), _texts(known.get("words"))
        if not isinstance(salt, str) or not hashes:
            return text
        return _without(text, lambda word: _hash(salt, word) in hashes)

    def remember_again(self, text: str) -> None:
        """The words of *text* are remembered anew: they count as forgotten no more."""
        known = self._read()
        salt, hashes = known.get("salt"), _texts(known.get("words"))
        if not isinstance(salt, str) or not hashes:
            return
        again = {_hash(salt, stem(word)) for word in terms(text)}
        if again & hashes.keys():
            left = {key: value for key, value in hashes.items() if key not in again}
            with suppress(OSError), paths.locked(self._path):
                paths.replace_private(self._path, json.dumps({"salt": salt, "words": left}).encode())

    def _read(self) -> dict[str, Any]:
        try:
            value = json.loads(paths.read_private(self._path, _MAX_BYTES) or b"{}")
        except (OSError, ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


def _texts(value: object) -> dict[str, str]:
    return {key: str(one) for key, one in value.items()} if isinstance(value, dict) else {}


def _hash(salt: str, word: str) -> str:
    return hashlib.blake2b(f"{salt} {word}".encode("utf-8", "replace"), digest_size=12).hexdigest()
