"""What a model can do, held against what is asked of it, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from coda_cli.engine.core.config import ProviderConfig, sampling
from coda_cli.engine.core.errors import LLMUnsupportedError
from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, LLMMessage, system
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.profiles import SAMPLING, ModelProfile

TINY_MAX_TOKENS: Final = 1024
"""Where a model under a billion parameters is cut: it may repeat itself until its window is full, for minutes."""

BRIEF_SYSTEM_PROMPT: Final = "You are a helpful assistant."
_AUDIO_TYPES: Final = ("audio/wav", "audio/mpeg")


def build(
    config: ProviderConfig,
    profile: ModelProfile,
    model: str,
    messages: Sequence[LLMMessage],
    *,
    system_prompt: str | None,
    options: Mapping[str, Any],
    schema: Mapping[str, Any] | None,
) -> tuple[ProviderRequest, list[str]]:
    """The request for *model*, and the names of the options in *options* that it does not take.

    Raises LLMUnsupportedError for an attachment or a schema that the model does not take.
    """
    check_attachments(profile, model, messages)
    if schema is not None and not profile.schema:
        raise LLMUnsupportedError(
            f"{model} can't be held to a JSON Schema",
            hint="choose a newer model with -m, or ask for JSON in the prompt",
        )
    untaken = SAMPLING - profile.sampling
    merged = {**sampling(config), **config.extra_params, **options}
    if profile.tiny:
        merged.setdefault("temperature", 0.0)
        merged.setdefault("max_tokens", TINY_MAX_TOKENS)
    kept = {name: value for name, value in merged.items() if name not in untaken}
    dropped = sorted(untaken & options.keys())
    prompt = system_prompt or (BRIEF_SYSTEM_PROMPT if profile.tiny else None)
    head = [system(prompt)] if prompt else []
    return ProviderRequest(model=model, messages=[*head, *messages], options=kept, schema=schema), dropped


def check_attachments(profile: ModelProfile, model: str, messages: Sequence[LLMMessage]) -> None:
    """Raise LLMUnsupportedError for the first attachment that *profile* does not take."""
    for part in (part for message in messages for part in message.parts):
        if isinstance(part, ImagePart) and not profile.images:
            raise _unsupported(model, "images", "choose a model that sees with -m")
        if isinstance(part, FilePart) and not profile.pdf:
            raise _unsupported(model, "PDF files", "turn it into text first (`pdftotext FILE -`), and pipe that in")
        if isinstance(part, AudioPart):
            if not profile.audio:
                raise _unsupported(model, "audio", "choose a model that hears with -m, such as openai/gpt-audio")
            if part.media_type not in _AUDIO_TYPES:
                raise _unsupported(model, part.media_type, "convert it to wav or mp3")


def _unsupported(model: str, what: str, hint: str) -> LLMUnsupportedError:
    return LLMUnsupportedError(f"{model or 'this model'} does not take {what}", hint=hint)
