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
        BudgetConfig,
        BudgetLimit,
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
        LLMBudgetError,
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
        UsageError,
    )
    from coda_cli.engine.core.events import (
        AnalyticsUpdate,
        ApprovalAnswered,
        ApprovalRequested,
        BudgetReached,
        CacheHit,
        ContextCompacted,
        ContextCompacting,
        ContextTrimmed,
        ConversationCreated,
        ConversationUnsaved,
        Event,
        EventsLost,
        Finished,
        FunctionCalls,
        FunctionProgress,
        FunctionResult,
        MemoryUpdate,
        PersonaUpdate,
        ProviderFallback,
        ProviderStatusChange,
        ReasoningChunk,
        ReasoningDelta,
        ResponseChunk,
        ResponseComplete,
        ResponseError,
        ResponseStart,
        RetryScheduled,
        TextDelta,
        ToolCallDelta,
        ToolsUnavailable,
        Usage,
    )
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
    from coda_cli.server.app import CodaWebSocketServer
    from coda_cli.server.integration import CodaWebSocketIntegration
    from coda_cli.server.manager import WebSocketLLMManager
    from coda_cli.sync import ask

__version__: Final = "0.1.0"

_CORE: Final = "coda_cli.engine.core"
_TOOLS: Final = "coda_cli.engine.tools"
_HOMES: Final[dict[str, str]] = {
    "AnalyticsUpdate": f"{_CORE}.events",
    "Approval": f"{_CORE}.tools",
    "ApprovalAnswered": f"{_CORE}.events",
    "ApprovalRequest": f"{_CORE}.tools",
    "ApprovalRequested": f"{_CORE}.events",
    "Approver": f"{_CORE}.ports",
    "AudioPart": f"{_CORE}.messages",
    "BaseLLMProvider": "coda_cli.engine.providers.base",
    "BaseTool": f"{_TOOLS}.base",
    "BudgetConfig": f"{_CORE}.config",
    "BudgetLimit": f"{_CORE}.config",
    "BudgetReached": f"{_CORE}.events",
    "CacheHit": f"{_CORE}.events",
    "CodaError": f"{_CORE}.errors",
    "CodaWebSocketIntegration": "coda_cli.server.integration",
    "CodaWebSocketServer": "coda_cli.server.app",
    "ConfigError": f"{_CORE}.errors",
    "ContextCompacted": f"{_CORE}.events",
    "ContextCompacting": f"{_CORE}.events",
    "ContextTrimmed": f"{_CORE}.events",
    "Conversation": "coda_cli.engine.conversations.tree",
    "ConversationConfig": f"{_CORE}.config",
    "ConversationCreated": f"{_CORE}.events",
    "ConversationInfo": "coda_cli.engine.conversations.info",
    "ConversationManager": "coda_cli.engine.conversations.manager",
    "ConversationStore": f"{_CORE}.ports",
    "ConversationUnsaved": f"{_CORE}.events",
    "Decision": f"{_CORE}.tools",
    "Effect": f"{_CORE}.tools",
    "Event": f"{_CORE}.events",
    "EventsLost": f"{_CORE}.events",
    "FilePart": f"{_CORE}.messages",
    "FinishReason": f"{_CORE}.usage",
    "Finished": f"{_CORE}.events",
    "FunctionCallingConfig": f"{_CORE}.config",
    "FunctionCalls": f"{_CORE}.events",
    "FunctionProgress": f"{_CORE}.events",
    "FunctionResult": f"{_CORE}.events",
    "Generation": "coda_cli.engine.generation",
    "ImagePart": f"{_CORE}.messages",
    "LLMAuthenticationError": f"{_CORE}.errors",
    "LLMBadResponseError": f"{_CORE}.errors",
    "LLMBudgetError": f"{_CORE}.errors",
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
    "MemoryUpdate": f"{_CORE}.events",
    "MessageRole": f"{_CORE}.messages",
    "ModelInfo": f"{_CORE}.ports",
    "ModelProfile": f"{_CORE}.profiles",
    "Permissions": f"{_TOOLS}.permissions",
    "PersonaUpdate": f"{_CORE}.events",
    "PersonalityManager": "coda_cli.engine.personality.manager",
    "Planned": f"{_TOOLS}.base",
    "PromptEnhancer": "coda_cli.engine.prompting.enhancer",
    "ProviderConfig": f"{_CORE}.config",
    "ProviderFallback": f"{_CORE}.events",
    "ProviderRequest": f"{_CORE}.ports",
    "ProviderStatusChange": f"{_CORE}.events",
    "ReasoningChunk": f"{_CORE}.events",
    "ReasoningDelta": f"{_CORE}.events",
    "ReasoningPart": f"{_CORE}.messages",
    "Reply": "coda_cli.engine.providers.scripted",
    "ResponseChunk": f"{_CORE}.events",
    "ResponseComplete": f"{_CORE}.events",
    "ResponseError": f"{_CORE}.events",
    "ResponseStart": f"{_CORE}.events",
    "RetryScheduled": f"{_CORE}.events",
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
    "ToolsUnavailable": f"{_CORE}.events",
    "Touches": f"{_CORE}.tools",
    "Usage": f"{_CORE}.events",
    "UsageError": f"{_CORE}.errors",
    "UsageSink": f"{_CORE}.ports",
    "WebSocketLLMManager": "coda_cli.server.manager",
    "ask": "coda_cli.sync",
    "tool": f"{_TOOLS}.function",
}

__all__ = [
    "AnalyticsUpdate",
    "Approval",
    "ApprovalAnswered",
    "ApprovalRequest",
    "ApprovalRequested",
    "Approver",
    "AudioPart",
    "BaseLLMProvider",
    "BaseTool",
    "BudgetConfig",
    "BudgetLimit",
    "BudgetReached",
    "CacheHit",
    "CodaError",
    "CodaWebSocketIntegration",
    "CodaWebSocketServer",
    "ConfigError",
    "ContextCompacted",
    "ContextCompacting",
    "ContextTrimmed",
    "Conversation",
    "ConversationConfig",
    "ConversationCreated",
    "ConversationInfo",
    "ConversationManager",
    "ConversationStore",
    "ConversationUnsaved",
    "Decision",
    "Effect",
    "Event",
    "EventsLost",
    "FilePart",
    "FinishReason",
    "Finished",
    "FunctionCallingConfig",
    "FunctionCalls",
    "FunctionProgress",
    "FunctionResult",
    "Generation",
    "ImagePart",
    "LLMAuthenticationError",
    "LLMBadResponseError",
    "LLMBudgetError",
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
    "MemoryUpdate",
    "MessageRole",
    "ModelInfo",
    "ModelProfile",
    "Permissions",
    "PersonaUpdate",
    "PersonalityManager",
    "Planned",
    "PromptEnhancer",
    "ProviderConfig",
    "ProviderFallback",
    "ProviderRequest",
    "ProviderStatusChange",
    "ReasoningChunk",
    "ReasoningDelta",
    "ReasoningPart",
    "Reply",
    "ResponseChunk",
    "ResponseComplete",
    "ResponseError",
    "ResponseStart",
    "RetryScheduled",
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
    "ToolsUnavailable",
    "Touches",
    "Usage",
    "UsageError",
    "UsageSink",
    "WebSocketLLMManager",
    "ask",
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
