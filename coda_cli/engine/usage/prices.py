"""What a request cost, in USD, from the price table of `genai-prices` (bundled, no network)."""

from __future__ import annotations

from coda_cli.engine.core.config import LLMProvider
from coda_cli.engine.core.usage import TokenUsage

_FREE = (LLMProvider.LOCAL, LLMProvider.OLLAMA, LLMProvider.SCRIPTED)
_VENDORS = (LLMProvider.OPENAI, LLMProvider.ANTHROPIC)


def price(kind: LLMProvider, model: str, usage: TokenUsage, *, own_host: bool = False) -> float | None:
    """USD for *usage* of *model*: 0.0 on this machine, None ("unpriced") where the table knows no price.

    *own_host*: the provider speaks the vendor's dialect at an address of the person's own, whose price nobody knows.
    """
    if kind in _FREE:
        return 0.0
    if kind not in _VENDORS or own_host or not usage.reported:
        return None
    from genai_prices import Usage, calc_price  # 0.1 s of imports, after the answer has been shown

    try:
        counts = Usage(
            input_tokens=usage.input_tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
        )
        return float(calc_price(counts, model_ref=model, provider_id=kind.value).total_price)
    except LookupError:
        return None
    except ValueError:  # numbers that cannot be: negative, or more cached than sent
        return None
