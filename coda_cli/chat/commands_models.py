"""Slash commands for models: which one answers, its key, several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from pydantic import SecretStr

from coda_cli.chat.command_parts import beginning_with
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front, Option
from coda_cli.chat.models import known_models, refresh_models
from coda_cli.engine.core.errors import LLMError, UsageError
from coda_cli.settings import secrets
from coda_cli.settings.model_cache import cached_models
from coda_cli.settings.model_spec import ModelSpec
from coda_cli.settings.schema import needs_no_key


async def model(front: Front, text: str) -> None:
    """Choose what answers next."""
    session = front.session
    if text == "refresh":
        for name, why in (await refresh_models(session)).items():
            front.note(f"{name}: {why}")
        front.note(f"{len(known_models(session))} models are known")
        return
    if not text:
        if await front.own("model", text):
            return
        choices = await asyncio.to_thread(known_models, session, prices=True)
        options = [Option(one.spec, one.detail, f"{one.spec} {one.detail}") for one in choices]
        chosen = await front.choose("Which model answers from now on", options)
        if chosen is None:
            return
        text = choices[chosen].spec
    spec = await session.switch_model(text)
    front.note(f"{session.spec_name(spec)} answers from now on")


async def key(front: Front, text: str) -> None:
    """Keep a vendor's key, which is not shown while it is typed."""
    session = front.session
    tables = {name: table for name, table in session.settings.providers.items() if not needs_no_key(table)}
    if not tables:
        raise UsageError("no provider that is configured takes a key", hint="`coda config edit` adds one")
    if " " in text:
        # Never repeated: it may be the key.
        raise UsageError(
            "/key takes a provider's name and nothing else", hint="leave the key out: it is asked for, and not shown"
        )
    name = text or await _asked_provider(front, list(tables))
    if name is None:
        return
    if name not in tables:
        raise UsageError(f"there is no provider {name!r} that takes a key", hint=f"choose one of: {', '.join(tables)}")
    value = await front.ask_text(f"API key of {name} (not shown)", secret=True)
    if not value:
        front.note("no key was given; nothing has changed")
        return
    where = await asyncio.to_thread(secrets.store_key, name, value)
    used = await asyncio.to_thread(secrets.find_key, name, tables[name])
    config = session.manager.config.providers.get(name)
    if config is not None:
        config.api_key = used.value if used is not None else SecretStr(value.strip())
    front.note(f"the key of {name} is kept: {where}")
    if used is not None and used.source.startswith("environment"):
        front.note(f"the {used.source} is set too, and wins while it is")
    if not session.busy and await session.last_failed():
        front.note("/retry asks the last question again")


async def _asked_provider(front: Front, names: Sequence[str]) -> str | None:
    current = front.session.spec.provider
    if current is None:
        try:
            current = (await front.session.manager.default_choice()).name
        except LLMError:
            pass
    ordered = sorted(names, key=lambda name: name != current)
    chosen = await front.choose("Key of which provider", [Option(name) for name in ordered])
    return ordered[chosen] if chosen is not None else None


async def compare(front: Front, text: str) -> None:
    """Several models answer one question; the chosen answer becomes the branch."""
    session = front.session
    specs, question = _models_and_question(front, text)
    if len(specs) < 2:
        raise UsageError("comparing takes two models or more", hint="/compare MODEL MODEL, and a question if it is new")
    if not question and await session.last_question() is None:
        question = await front.ask_text("Question for all of them") or ""
        if not question:
            return
    comparison = await session.compare(specs, question or None)
    chosen = await front.compare(comparison)
    await session.settle(comparison, chosen)
    await front.reload()
    if chosen is not None:
        front.note(f"{comparison.contenders[chosen].name} goes on; the other answers are beside it")


def _models_and_question(front: Front, text: str) -> tuple[list[ModelSpec], str]:
    """The models that *text* begins with, and the rest. `--` ends the models."""
    specs: list[ModelSpec] = []
    rest = text
    while rest:
        word, _, after = rest.partition(" ")
        if word == "--":
            return specs, after.strip()
        if not _is_model(front, word):
            break
        specs.append(front.session.parse(word))
        rest = after.lstrip()
    return specs, rest


def _is_model(front: Front, word: str) -> bool:
    settings = front.session.settings
    if word in settings.aliases or word in settings.providers:
        return True
    if any(word.startswith(f"{name}{mark}") for name in settings.providers for mark in "/:"):
        return True
    if any(word in models for models in cached_models().values()):
        return True
    spec = front.session.parse(word)
    return spec.provider is not None


def complete_models(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    """Models, providers and aliases."""
    settings = front.session.settings
    names = [(alias, target) for alias, target in settings.aliases.items()]
    names += [(one.spec, one.detail) for one in known_models(front.session)]
    names += [(name, "its default model") for name in settings.providers]
    return beginning_with(typed, names)


def _complete_model(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    return [*complete_models(front, typed), *beginning_with(typed, [("refresh", "ask all providers for their models")])]


def _complete_key(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    tables = front.session.settings.providers.items()
    return beginning_with(typed, [(name, table.type) for name, table in tables if not needs_no_key(table)])


COMMANDS: Final = (
    Command(
        "model",
        "[MODEL|refresh]",
        "Choose what answers next",
        model,
        "Models",
        ("m", "models"),
        complete=_complete_model,
    ),
    Command(
        "compare",
        "MODEL MODEL [QUESTION]",
        "Several models on one question",
        compare,
        "Models",
        idle=True,
        complete=complete_models,
    ),
    Command("key", "[PROVIDER]", "Keep a vendor's key", key, "Models", ("login",), complete=_complete_key),
)
