"""Coda: every language model, in the terminal and in Python.

    from coda_cli import LLMManager
    response = await LLMManager().generate_response("Hello")

Names are imported on first use (PEP 562), so `import coda_cli` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from coda_cli.engine.conversations.info import ConversationInfo, SearchHit
    from coda_cli.engine.conversations.manager import ConversationManager
    from coda_cli.engine.conversations.tree import Conversation
    from coda_cli.engine.core.config import (
        ConversationConfig,
        FunctionCallingConfig,
        LLMConfig,
        LLMProvider,
        ProviderConfig,
    )
    from coda_cli.engine.core.errors import (
        CodaError,
        ConfigError,
        LLMAuthenticationError,
        LLMBadResponseError,
        LLMConnectionError,
        LLMContextLengthError,
        LLMError,
        LLMIncompleteResponseError,
        LLMInvalidRequestError,
        LLMModelNotFoundError,
        LLMOverloadedError,
        LLMProviderUnavailableError,
        LLMRateLimitError,
        LLMTimeoutError,
        LLMUnsupportedError,
    )
    from coda_cli.engine.core.events import Event, Finished, ReasoningDelta, TextDelta, ToolCallDelta, Usage
    from coda_cli.engine.core.messages import (
        AudioPart,
        FilePart,
        ImagePart,
        LLMMessage,
        MessageRole,
        ReasoningPart,
        TextPart,
        ToolCallPart,
        ToolResultPart,
    )
    from coda_cli.engine.core.ports import Approver, ConversationStore, ModelInfo, ProviderRequest, ToolSpec, UsageSink
    from coda_cli.engine.core.profiles import ModelProfile
    from coda_cli.engine.core.responses import LLMResponse, LLMStreamChunk
    from coda_cli.engine.core.tools import Approval, ApprovalRequest, Decision, Effect, ToolOutput, Touches
    from coda_cli.engine.core.usage import FinishReason, Status, TokenUsage
    from coda_cli.engine.generation import Generation
    from coda_cli.engine.manager import LLMManager
    from coda_cli.engine.memory.manager import MemoryManager
    from coda_cli.engine.personality.manager import PersonalityManager
    from coda_cli.engine.prompting.enhancer import PromptEnhancer
    from coda_cli.engine.providers.base import BaseLLMProvider
    from coda_cli.engine.providers.scripted import Reply, ScriptedProvider
    from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
    from coda_cli.engine.tools.function import tool
    from coda_cli.engine.tools.manager import ToolManager
    from coda_cli.engine.tools.permissions import Permissions

__version__: Final = "0.1.0"

_CORE: Final = "coda_cli.engine.core"
_TOOLS: Final = "coda_cli.engine.tools"
_HOMES: Final[dict[str, str]] = {
    "Approval": f"{_CORE}.tools",
    "ApprovalRequest": f"{_CORE}.tools",
    "Approver": f"{_CORE}.ports",
    "AudioPart": f"{_CORE}.messages",
    "BaseLLMProvider": "coda_cli.engine.providers.base",
    "BaseTool": f"{_TOOLS}.base",
    "CodaError": f"{_CORE}.errors",
    "ConfigError": f"{_CORE}.errors",
    "Conversation": "coda_cli.engine.conversations.tree",
    "ConversationConfig": f"{_CORE}.config",
    "ConversationInfo": "coda_cli.engine.conversations.info",
    "ConversationManager": "coda_cli.engine.conversations.manager",
    "ConversationStore": f"{_CORE}.ports",
    "Decision": f"{_CORE}.tools",
    "Effect": f"{_CORE}.tools",
    "Event": f"{_CORE}.events",
    "FilePart": f"{_CORE}.messages",
    "FinishReason": f"{_CORE}.usage",
    "Finished": f"{_CORE}.events",
    "FunctionCallingConfig": f"{_CORE}.config",
    "Generation": "coda_cli.engine.generation",
    "ImagePart": f"{_CORE}.messages",
    "LLMAuthenticationError": f"{_CORE}.errors",
    "LLMBadResponseError": f"{_CORE}.errors",
    "LLMConfig": f"{_CORE}.config",
    "LLMConnectionError": f"{_CORE}.errors",
    "LLMContextLengthError": f"{_CORE}.errors",
    "LLMError": f"{_CORE}.errors",
    "LLMIncompleteResponseError": f"{_CORE}.errors",
    "LLMInvalidRequestError": f"{_CORE}.errors",
    "LLMManager": "coda_cli.engine.manager",
    "LLMMessage": f"{_CORE}.messages",
    "LLMModelNotFoundError": f"{_CORE}.errors",
    "LLMOverloadedError": f"{_CORE}.errors",
    "LLMProvider": f"{_CORE}.config",
    "LLMProviderUnavailableError": f"{_CORE}.errors",
    "LLMRateLimitError": f"{_CORE}.errors",
    "LLMResponse": f"{_CORE}.responses",
    "LLMStreamChunk": f"{_CORE}.responses",
    "LLMTimeoutError": f"{_CORE}.errors",
    "LLMUnsupportedError": f"{_CORE}.errors",
    "MemoryManager": "coda_cli.engine.memory.manager",
    "MessageRole": f"{_CORE}.messages",
    "ModelInfo": f"{_CORE}.ports",
    "ModelProfile": f"{_CORE}.profiles",
    "Permissions": f"{_TOOLS}.permissions",
    "PersonalityManager": "coda_cli.engine.personality.manager",
    "Planned": f"{_TOOLS}.base",
    "PromptEnhancer": "coda_cli.engine.prompting.enhancer",
    "ProviderConfig": f"{_CORE}.config",
    "ProviderRequest": f"{_CORE}.ports",
    "ReasoningDelta": f"{_CORE}.events",
    "ReasoningPart": f"{_CORE}.messages",
    "Reply": "coda_cli.engine.providers.scripted",
    "ScriptedProvider": "coda_cli.engine.providers.scripted",
    "SearchHit": "coda_cli.engine.conversations.info",
    "Status": f"{_CORE}.usage",
    "TextDelta": f"{_CORE}.events",
    "TextPart": f"{_CORE}.messages",
    "TokenUsage": f"{_CORE}.usage",
    "ToolCallDelta": f"{_CORE}.events",
    "ToolCallPart": f"{_CORE}.messages",
    "ToolContext": f"{_TOOLS}.base",
    "ToolError": f"{_TOOLS}.base",
    "ToolManager": f"{_TOOLS}.manager",
    "ToolOutput": f"{_CORE}.tools",
    "ToolResultPart": f"{_CORE}.messages",
    "ToolSpec": f"{_CORE}.ports",
    "Touches": f"{_CORE}.tools",
    "Usage": f"{_CORE}.events",
    "UsageSink": f"{_CORE}.ports",
    "tool": f"{_TOOLS}.function",
}

__all__ = [
    "Approval",
    "ApprovalRequest",
    "Approver",
    "AudioPart",
    "BaseLLMProvider",
    "BaseTool",
    "CodaError",
    "ConfigError",
    "Conversation",
    "ConversationConfig",
    "ConversationInfo",
    "ConversationManager",
    "ConversationStore",
    "Decision",
    "Effect",
    "Event",
    "FilePart",
    "FinishReason",
    "Finished",
    "FunctionCallingConfig",
    "Generation",
    "ImagePart",
    "LLMAuthenticationError",
    "LLMBadResponseError",
    "LLMConfig",
    "LLMConnectionError",
    "LLMContextLengthError",
    "LLMError",
    "LLMIncompleteResponseError",
    "LLMInvalidRequestError",
    "LLMManager",
    "LLMMessage",
    "LLMModelNotFoundError",
    "LLMOverloadedError",
    "LLMProvider",
    "LLMProviderUnavailableError",
    "LLMRateLimitError",
    "LLMResponse",
    "LLMStreamChunk",
    "LLMTimeoutError",
    "LLMUnsupportedError",
    "MemoryManager",
    "MessageRole",
    "ModelInfo",
    "ModelProfile",
    "Permissions",
    "PersonalityManager",
    "Planned",
    "PromptEnhancer",
    "ProviderConfig",
    "ProviderRequest",
    "ReasoningDelta",
    "ReasoningPart",
    "Reply",
    "ScriptedProvider",
    "SearchHit",
    "Status",
    "TextDelta",
    "TextPart",
    "TokenUsage",
    "ToolCallDelta",
    "ToolCallPart",
    "ToolContext",
    "ToolError",
    "ToolManager",
    "ToolOutput",
    "ToolResultPart",
    "ToolSpec",
    "Touches",
    "Usage",
    "UsageSink",
    "tool",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
