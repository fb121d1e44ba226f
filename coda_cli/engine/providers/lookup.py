"""Whether a host has a model, as far as its list of models tells. Few lists are complete, so most can only doubt.

Complete are those of Ollama and vLLM. A vendor takes dated ids and aliases that it does not list, llama.cpp answers to
any name, gateways and OpenRouter know more names than they list, and some servers have no list at all.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Collection
from typing import Final, TypeVar

from coda_cli.engine.core.errors import LLMError, LLMModelNotFoundError

_T = TypeVar("_T")

# `-20261001`, `-2026-10-01`, `-0613`: a dated id; `-latest`, `:latest`: the newest of them.
_VERSION: Final = re.compile(r"(-(\d{8}|\d{4}-\d{2}-\d{2}|\d{4}|latest)|:latest)$")
_NO_LIST: Final = frozenset({404, 405, 501})


async def if_it_lists(listing: Awaitable[_T]) -> _T | None:
    """What *listing* gives, None where the host answers that it has no such route. Raises LLMError."""
    try:
        return await listing
    except LLMError as error:
        if error.status not in _NO_LIST:
            raise
        return None


def doubt(model: str, listed: Collection[str] | None) -> str | None:
    """Why *model* may not be there, for a person; None where nothing speaks against it. *listed* None: no list."""
    if listed is None:
        return f"it has no list of models to look {model} up in; check `api_base` if an answer fails"
    if not listed:
        return f"its list of models is empty, so {model} could not be looked up"
    plain = {_VERSION.sub("", name) for name in listed}
    if model in listed or _VERSION.sub("", model) in plain or model.rpartition(":")[0] in listed:
        return None
    return f"its list of models does not have {model}, which may still be an alias"


def missing(model: str, listed: Collection[str]) -> LLMModelNotFoundError:
    """The error for a host whose list is complete and lacks *model*."""
    some = ", ".join(sorted(listed)[:5]) + (", ..." if len(listed) > 5 else "")
    return LLMModelNotFoundError(
        f"the server does not have the model {model}",
        hint=f"it has {some}" if some else "it has none at all",
    )
