"""What a caller of the library gets back."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from coda_cli.engine.core.messages import ToolCallPart
from coda_cli.engine.core.usage import FinishReason, Status, TokenUsage


class LLMResponse(BaseModel):
    """A whole answer. `cost` is in USD: 0.0 for local models, None where no price is known.

    `metadata` tells where it is kept, `question_id` and (if there is something to keep) `message_id`; what the vendor
    calls it; and which options the model did not take.
    """

    model_config = ConfigDict(validate_assignment=True)

    response_id: str
    content: str
    provider: str
    model: str
    conversation_id: str = ""
    finish_reason: FinishReason = FinishReason.STOP
    status: Status = Status.COMPLETE
    usage: TokenUsage = Field(default_factory=TokenUsage)
    cost: float | None = None
    tool_calls: list[ToolCallPart] = Field(default_factory=list)
    reasoning: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)


class LLMStreamChunk(BaseModel):
    """One piece of an answer as the vendor sent it: text in `delta`, or thinking in `reasoning`."""

    delta: str = ""
    reasoning: str = ""
    conversation_id: str = ""
    provider: str = ""
    model: str = ""
