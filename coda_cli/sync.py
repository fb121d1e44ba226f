"""One question from a script that knows nothing of asyncio: `print(coda_cli.ask("What is AI?").content)`."""

from __future__ import annotations

import asyncio
from typing import Any

from coda_cli.engine.core.config import LLMConfig
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.ports import ConversationStore
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.manager import LLMManager


def ask(
    prompt: str,
    *,
    model: str | None = None,
    system: str | None = None,
    conversation_id: str | None = None,
    config: LLMConfig | None = None,
    store: ConversationStore | None = None,
    **options: Any,
) -> LLMResponse:
    """Ask once, wait, and give the answer: its text is `.content`. Everything that was opened is closed again.

    *model* is a model, a provider, or `provider/model`; *system* the system prompt; *conversation_id* goes on with an
    earlier answer's. Without *config* the environment decides, as for `LLMManager()`: a vendor's key, else a running
    Ollama, else a small model on this machine; coda.toml is not read. The conversation is kept among the person's own
    unless *store* is another (`ConversationManager.in_memory()` keeps none). *options* are those of
    `LLMManager.generate_response` (`media`, `schema`, `temperature`, ...). Raises LLMError, and UsageError inside a
    running event loop, where `generate_response` is to be awaited instead.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise UsageError(
            "ask() waits for its answer, which would stop the event loop that is running here",
            hint="in async code write `await LLMManager().generate_response(...)`; a notebook is async code, too",
        )
    return asyncio.run(_ask(prompt, model, system, conversation_id, config, store, options))


async def _ask(
    prompt: str,
    model: str | None,
    system: str | None,
    conversation_id: str | None,
    config: LLMConfig | None,
    store: ConversationStore | None,
    options: dict[str, Any],
) -> LLMResponse:
    async with LLMManager(config, store=store) as manager:
        if model is not None and "provider" not in options:
            provider, model = _named(model, await manager.list_providers())
            options["provider"] = provider
        return await manager.generate_response(
            prompt, model=model, system_prompt=system, conversation_id=conversation_id, **options
        )


def _named(spec: str, providers: list[str]) -> tuple[str | None, str | None]:
    """The provider and the model that *spec* names; None is "the default"."""
    if spec in providers:
        return spec, None
    for separator in "/:":
        name, _, model = spec.partition(separator)
        if model and name in providers:
            return name, model
    return None, spec
