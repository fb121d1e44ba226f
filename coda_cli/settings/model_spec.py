"""What a person means by `-m`: `provider/model`, `provider:model`, a bare provider, a bare model, an alias."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from coda_cli.engine.core.errors import UsageError
from coda_cli.settings.schema import Settings

# How close to a provider's name a word before the `/` must be to count as a slip of the fingers.
_CLOSE: Final = 0.75


class ModelSpec(NamedTuple):
    """A provider's name and a model; None is "the default"."""

    provider: str | None
    model: str | None


_VENDOR_NAMES: Final = (
    ("openai", re.compile(r"(gpt-(?!oss)|chatgpt|codex|o\d($|-))", re.IGNORECASE)),
    ("anthropic", re.compile(r"claude-", re.IGNORECASE)),
    ("local", re.compile(r"(.*\.gguf$|(\.{1,2}|~)?/|smollm2$)", re.IGNORECASE)),
)


def parse_spec(spec: str | None, settings: Settings, known: Mapping[str, Sequence[str]] | None = None) -> ModelSpec:
    """What *spec* means with *settings*. *known* maps a provider to the models of its last list.

    In order: an alias, a provider's name, `provider/model` or `provider:model`, a model that is in exactly one
    provider's list, a vendor's naming habit; else a model of the default provider.
    """
    spec = spec or settings.model
    if not spec:
        return ModelSpec(None, None)
    spec = settings.aliases.get(spec, spec)
    if spec in settings.providers:
        return ModelSpec(spec, None)
    for separator in "/:":
        name, found, model = spec.partition(separator)
        if found and model and name in settings.providers:
            return ModelSpec(name, model)
    owners = [name for name, models in (known or {}).items() if spec in models and name in settings.providers]
    if len(owners) == 1:
        return ModelSpec(owners[0], spec)
    for kind, pattern in _VENDOR_NAMES:
        if pattern.match(spec) and kind in settings.providers:
            return ModelSpec(kind, spec)
    return ModelSpec(None, spec)


def check_prefix(spec: ModelSpec, settings: Settings) -> None:
    """Raise UsageError for `opnai/gpt-6`, which the default provider would be asked for as a model of that name.

    Not where an OpenAI-compatible server or an Ollama is the default: those have models with any prefix.
    """
    if spec.provider is not None or spec.model is None:
        return
    prefix, found, model = spec.model.partition("/")
    default = settings.providers.get(settings.default_provider or "")
    if not found or (default is not None and (default.type == "ollama" or default.api_base is not None)):
        return
    from difflib import get_close_matches

    if close := get_close_matches(prefix, settings.providers, n=1, cutoff=_CLOSE):
        raise UsageError(f"there is no provider called {prefix!r}", hint=f"did you mean `{close[0]}/{model}`?")
