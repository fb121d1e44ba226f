"""What a model can do, as data: the first row whose pattern fits the model's name wins.

A profile is looked up by vendor dialect and model name. Rows come from the vendors' model lists as of November 2026;
a model that no row knows gets its dialect's last row. Token counts are in tokens.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from msgspec import Struct, field
from msgspec.structs import replace

SAMPLING: Final = frozenset({"temperature", "top_p"})
Dialect = Literal["openai", "compatible", "anthropic", "ollama", "local", "scripted", "custom"]
Thinking = Literal["none", "budget", "adaptive"]


class ModelProfile(Struct, frozen=True):
    """Capabilities of one model. `context_window` and `max_output` are None where nobody knows.

    `sampling`: parameters the model takes. `reasons`: an OpenAI reasoning model. `thinking`: how Anthropic models are
    told to think. `tiny`: under one billion parameters, so greedy decoding and a one-line system prompt.
    `output_field`: what the Chat Completions dialect calls the limit on the answer. `parameters`: how many it has, None
    where its files do not tell. `grammar`: it can be held to a grammar (GBNF) by the option of that name.
    """

    context_window: int | None = None
    max_output: int | None = None
    tools: bool = True
    images: bool = True
    pdf: bool = False
    audio: bool = False
    schema: bool = True
    thinking: Thinking = "none"
    reasons: bool = False
    sampling: frozenset[str] = field(default=SAMPLING)
    output_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    tiny: bool = False
    parameters: int | None = None
    grammar: bool = False


_GPT: Final = ModelProfile(
    context_window=1_050_000,
    max_output=128_000,
    pdf=True,
    reasons=True,
    sampling=frozenset(),
    output_field="max_completion_tokens",
)
_GPT_5: Final = replace(_GPT, context_window=400_000)
_GPT_4: Final = replace(_GPT, context_window=128_000, max_output=16_384, reasons=False, sampling=SAMPLING)
_CLAUDE: Final = ModelProfile(
    context_window=1_000_000, max_output=128_000, pdf=True, thinking="adaptive", sampling=frozenset()
)
_CLAUDE_4: Final = replace(
    _CLAUDE, context_window=200_000, max_output=32_000, thinking="budget", sampling=frozenset({"temperature"})
)
_CLAUDE_3: Final = replace(_CLAUDE_4, max_output=4_096, thinking="none", sampling=SAMPLING)
_LOCAL: Final = ModelProfile(tools=False, images=False)

_ROWS: Final[dict[Dialect, tuple[tuple[str, ModelProfile], ...]]] = {
    "openai": (
        (r"gpt-[\w.]*-?audio|gpt-4o-audio", replace(_GPT_4, audio=True, images=False, pdf=False)),
        (r"gpt-6|gpt-[7-9]", _GPT),
        (r"gpt-5\.?\d*-chat|chatgpt", replace(_GPT_4, sampling=frozenset())),
        (r"gpt-5|codex", _GPT_5),
        (r"o[1-9](-|$)", replace(_GPT_5, context_window=200_000, max_output=100_000)),
        (r"gpt-4\.1", replace(_GPT_4, context_window=1_047_576, max_output=32_768)),
        (r"gpt-4o|gpt-4-turbo", _GPT_4),
        (r"gpt-4", replace(_GPT_4, context_window=8_192, max_output=4_096, images=False, pdf=False, schema=False)),
        (
            r"gpt-3\.5",
            replace(_GPT_4, context_window=16_385, max_output=4_096, images=False, pdf=False, schema=False),
        ),
        (r"", _GPT),
    ),
    "compatible": ((r"", ModelProfile()),),
    "anthropic": (
        (r"claude-3-7", replace(_CLAUDE_4, max_output=64_000, sampling=SAMPLING)),
        (r"claude-3-5", replace(_CLAUDE_3, max_output=8_192)),
        (r"claude-3|claude-2|claude-instant", _CLAUDE_3),
        (r"claude-(sonnet|haiku)-4", replace(_CLAUDE_4, max_output=64_000)),
        (r"claude-opus-4", _CLAUDE_4),
        (r"", _CLAUDE),
    ),
    "ollama": ((r"", ModelProfile()),),
    "local": (
        (
            r"smollm2-135m|smollm2$|^default$|^$",
            replace(_LOCAL, context_window=8_192, tiny=True, parameters=135_000_000),
        ),
        (r"[-_ ](0\.[1-9]\d*b|\d{2,3}m)([-_. ]|$)", replace(_LOCAL, tiny=True)),
        (r"", _LOCAL),
    ),
    "scripted": ((r"", ModelProfile(context_window=128_000, max_output=16_384, pdf=True, audio=True)),),
    "custom": ((r"", ModelProfile()),),
}


def is_known(dialect: Dialect, model: str) -> bool:
    """Whether a row other than the last one fits *model*."""
    name = model.rsplit("/", 1)[-1].lower()
    return any(re.search(pattern, name) for pattern, _ in _ROWS[dialect][:-1])


def profile_for(dialect: Dialect, model: str) -> ModelProfile:
    """The profile of *model* in *dialect*; a `vendor/` prefix and letter case do not matter."""
    name = model.rsplit("/", 1)[-1].lower()
    for pattern, profile in _ROWS[dialect]:
        if re.search(pattern, name):
            return profile
    raise AssertionError(f"the last row of {dialect} fits everything")
