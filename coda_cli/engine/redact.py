"""Keeping secrets out of errors: a server may say a key back, a library may quote a header."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from typing import Final

from coda_cli.engine.core.errors import LLMError

HIDDEN: Final = "***"
LONGEST: Final = 600
"""Characters of an error message that are shown; cut after the secrets are out, so that no part of one is left."""


def conceal(error: LLMError, secrets: Iterable[str]) -> LLMError:
    """*error* without *secrets* in anything it shows, its causes included; returns the same object.

    Secrets under four characters are left alone: hiding them would only garble the text.
    """
    hidden = sorted({secret for secret in secrets if len(secret) > 3}, key=len, reverse=True)
    error.message = _without(error.message, hidden)[:LONGEST]
    error.args = (error.message,)
    error.hint = None if error.hint is None else _without(error.hint, hidden)
    error.request_id = None if error.request_id is None else _without(error.request_id, hidden)[:LONGEST]
    if hidden and (error.__cause__ or error.__context__):
        told = "".join(traceback.format_exception(error))
        if any(secret in told for secret in hidden):
            error.__cause__ = error.__context__ = None
    return error


def hide(text: str, secrets: Iterable[str]) -> str:
    """*text* without *secrets*, which are hidden as `conceal` hides them."""
    return _without(text, sorted({secret for secret in secrets if len(secret) > 3}, key=len, reverse=True))


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text
