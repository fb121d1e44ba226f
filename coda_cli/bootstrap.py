"""The composition root: settings -> a wired LLMManager. The one file that knows every concrete part."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.prompts import SectionName
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.usage.log import UsageLog
from coda_cli.settings import folder
from coda_cli.settings.schema import ProviderSettings, Settings
from coda_cli.settings.secrets import Key, find_key

if TYPE_CHECKING:
    from coda_cli.engine.tools.manager import ToolManager
    from coda_cli.engine.tools.mcp.servers import McpServers
    from coda_cli.engine.tools.permissions import Permissions


class Wired(Struct, frozen=True):
    """A manager with the parts that a front end asks beside it. `key_sources`: where each provider's key was found."""

    manager: LLMManager
    settings: Settings
    log: UsageLog
    key_sources: Mapping[str, str]
    conversations: ConversationManager


def wire(
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    choose: bool = False,
    default: str | None = None,
    log: bool = True,
    conversations: ConversationManager | None = None,
    tools: bool = True,
    functions: Sequence[Path] = (),
    sections: Collection[SectionName] = (),
    persona: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Wired:
    """Make the manager for *settings*.

    *only*: look up the keys of these providers and no others (a keyring may ask the person); with *choose* also as
    many as it takes to choose a default provider. *default* wins over the settings' default provider. *log*: write
    the usage log and the conversations (*conversations* keeps them elsewhere). *tools*: models may call tools, as far
    as the settings let them, those of the Python files *functions* among them. *sections* are those of the system
    prompt that memory, persona, folder and day fill (none: it is only what the caller says); *persona* answers instead
    of that of the settings. Raises ConfigError for a broken key file, UsageError for an unknown persona.
    """
    keys: dict[str, Key | None] = {}
    for name in settings.providers if only is None else only:
        if name in settings.providers:
            keys[name] = find_key(name, settings.providers[name], environ=environ)
    if choose:
        for name in _by_choice(settings):
            if name not in keys:
                keys[name] = find_key(name, settings.providers[name], environ=environ)
            if keys[name] is not None and not settings.offline:
                break  # the first vendor with a key is the default
    config = LLMConfig(
        providers={name: _provider(table, keys.get(name)) for name, table in settings.providers.items()},
        default_provider=default or settings.default_provider,
        conversation=settings.conversation.model_dump(),
        function_calling=settings.function_calling.model_dump(),
        websocket_events_enabled=settings.websocket_events_enabled,
        stream_responses=settings.stream_responses,
        memory_integration_enabled=settings.memory_integration_enabled,
        personality_integration_enabled=settings.personality_integration_enabled,
        tool_integration_enabled=settings.tool_integration_enabled,
        enable_caching=settings.enable_caching,
        cache_ttl_seconds=settings.cache_ttl_seconds,
        budget=settings.budget.model_dump(),
        prices={name: one.model_dump() for name, one in settings.prices.items()},
        offline=settings.offline,
    )
    usage = UsageLog()
    if conversations is None:
        conversations = ConversationManager() if log else ConversationManager.in_memory()
    manager = LLMManager(config, store=conversations, usage=usage if log else None)
    if tools and config.tools_enabled:
        manager.tools = tool_manager(settings, functions)
    if sections:
        _brief(manager, settings, sections, persona)
    sources = {name: key.source for name, key in keys.items() if key is not None}
    return Wired(manager, settings, usage, sources, conversations)


def _brief(manager: LLMManager, settings: Settings, sections: Collection[SectionName], persona: str | None) -> None:
    from coda_cli.engine.prompting.enhancer import PromptEnhancer

    if manager.config.memory_enabled:
        from coda_cli.engine.memory.manager import MemoryManager

        manager.memory = MemoryManager()
        if manager.tools is not None and manager.remembers:
            manager.tools.use_memory(manager.memory)
    if manager.config.personality_enabled and "persona" in sections:
        from coda_cli.engine.personality.manager import PersonalityManager

        manager.personality = PersonalityManager(persona or settings.persona or "default")
    manager.folder = Path.cwd()
    manager.prompts = PromptEnhancer(
        manager.memory, manager.personality, sections=sections, folder_notes=folder.trusted_notes
    )


def tool_manager(settings: Settings, functions: Sequence[Path] = ()) -> ToolManager:
    """The tools of this installation and of *functions*, under the rules of *settings*, for the current folder."""
    from coda_cli.engine.tools.manager import ToolManager

    tools = ToolManager(folder=Path.cwd(), permissions=permissions(settings))
    tools.discover_later(functions, folder.trusted_files)
    allowed = settings.function_calling.allowed_categories
    if settings.mcp.servers and (allowed is None or "mcp" in allowed):
        tools.servers = mcp_servers(settings)
    return tools


def mcp_servers(settings: Settings) -> McpServers:
    """The MCP servers that *settings* name and do not switch off. None is started."""
    from coda_cli.engine.tools.mcp.config import ServerConfig
    from coda_cli.engine.tools.mcp.servers import McpServers

    configs = [
        ServerConfig(
            name=name,
            command=server.command or "",
            args=tuple(server.args),
            env=tuple(server.env),
            cwd=server.cwd or "",
            url=server.url or "",
            headers_env=server.headers_env,
            timeout=server.timeout,
            start_timeout=server.start_timeout,
        )
        for name, server in settings.mcp.servers.items()
        if server.enabled
    ]
    return McpServers(configs, offline=settings.offline)


def permissions(settings: Settings) -> Permissions:
    """What tools may do in the current folder: the rules of *settings* and those that the person has given since."""
    from coda_cli.engine.tools.permissions import Permissions

    return Permissions(Path.cwd(), allow=settings.permissions.allow, deny=settings.permissions.deny)


def _by_choice(settings: Settings) -> Iterator[str]:
    """The providers that may have a key, in the order in which the engine considers them as the default."""
    for kinds in (("openai", "anthropic"), ("ollama",)):
        yield from (name for name, table in settings.providers.items() if table.type in kinds)


def _provider(table: ProviderSettings, key: Key | None) -> ProviderConfig:
    return ProviderConfig(
        provider=LLMProvider(table.type),
        model=table.model or "",
        api_key=key.value if key is not None else None,
        api_base=table.api_base,
        api=table.api,
        transport=table.transport,
        temperature=table.temperature,
        max_tokens=table.max_tokens,
        top_p=table.top_p,
        timeout=table.timeout,
        connect_timeout=table.connect_timeout,
        idle_timeout=table.idle_timeout,
        max_retries=table.max_retries,
        fallback=table.fallback,
        extra_params=table.extra_params,
    )
