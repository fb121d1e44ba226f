"""The last list of models that each provider gave, for completion and bare model names: never the network."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from coda_cli import paths

# A server chooses its models' names, and a shell gets these words unquoted.
_HARMLESS: Final = re.compile(r"[\w.:/@+-]+", re.ASCII)


def _file() -> Path:
    return paths.cache_dir() / "models.json"


def cached_models() -> dict[str, list[str]]:
    """Provider -> model ids, as last seen; empty where nothing (readable) is there."""
    try:
        value = json.loads(_file().read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {
        name: [model for model in models if isinstance(model, str)]
        for name, models in value.items()
        if isinstance(models, list)
    }


def remember_models(provider: str, models: Sequence[str]) -> None:
    """Keep *models* as *provider*'s list. A cache that cannot be written is no error."""
    known = cached_models()
    if known.get(provider) == list(models):
        return
    known[provider] = list(models)
    try:
        paths.replace_private(_file(), json.dumps(known).encode())
    except OSError:
        return


def complete_model(incomplete: str) -> list[str]:
    """Model specs and provider names that begin with *incomplete*, for the shell's completion."""
    from coda_cli.engine.core.errors import ConfigError
    from coda_cli.settings.load import load_settings

    try:
        settings = load_settings()
    except ConfigError:
        return []
    specs = [f"{name}/{table.model}" for name, table in settings.providers.items() if table.model]
    specs += [f"{name}/{model}" for name, models in cached_models().items() for model in models]
    names = [*settings.aliases, *settings.providers, *specs]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete) and _HARMLESS.fullmatch(name)]


def complete_provider(incomplete: str) -> list[str]:
    """Provider names that begin with *incomplete*."""
    from coda_cli.engine.core.errors import ConfigError
    from coda_cli.settings.load import load_settings

    try:
        return [name for name in load_settings().providers if name.startswith(incomplete)]
    except ConfigError:
        return []
