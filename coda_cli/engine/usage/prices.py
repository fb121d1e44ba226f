"""What a request cost, in USD: what the person says, else the price table of `genai-prices` (bundled, no network).

The table's `input_tokens` are all that was sent, as in `TokenUsage`; what was read from or written to a cache, and
what was audio, is taken out of them and priced by itself. Reasoning is output like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from coda_cli.engine.core.config import LLMProvider
from coda_cli.engine.core.prices import TokenPrices
from coda_cli.engine.core.usage import TokenUsage

_FREE: Final = (LLMProvider.LOCAL, LLMProvider.OLLAMA, LLMProvider.SCRIPTED)
_VENDORS: Final = (LLMProvider.OPENAI, LLMProvider.ANTHROPIC)
_MILLION: Final = Decimal(1_000_000)
_NOTHING: Final[Mapping[str, TokenPrices]] = {}


def price(
    kind: LLMProvider,
    model: str,
    usage: TokenUsage,
    *,
    own_host: bool = False,
    name: str = "",
    overrides: Mapping[str, TokenPrices] = _NOTHING,
    batch: bool = False,
) -> float | None:
    """`exact_price` as a float."""
    exact = exact_price(kind, model, usage, own_host=own_host, name=name, overrides=overrides, batch=batch)
    return None if exact is None else float(exact)


def exact_price(
    kind: LLMProvider,
    model: str,
    usage: TokenUsage,
    *,
    own_host: bool = False,
    name: str = "",
    overrides: Mapping[str, TokenPrices] = _NOTHING,
    batch: bool = False,
) -> Decimal | None:
    """USD for *usage* of *model*: 0 on this machine, None ("unpriced") where no price is known.

    *overrides* by `NAME/MODEL` (*name*: the provider's) or by the model alone win over everything. *own_host*: the
    provider speaks the vendor's dialect at an address of the person's own, whose prices only they can know. *batch*: it
    went through the vendor's batch API.
    """
    own = overrides.get(f"{name}/{model}") or overrides.get(model)
    if own is not None:
        return _by_hand(own, usage)
    if kind in _FREE:
        return Decimal(0)
    if kind not in _VENDORS or own_host or not usage.reported:
        return None
    return _by_table(kind.value, model, usage, batch=batch)


def _by_table(vendor: str, model: str, usage: TokenUsage, *, batch: bool) -> Decimal | None:
    from genai_prices import Usage, calc_price  # 0.1 s of imports, after the answer has been shown

    counts = {
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "input_audio_tokens": usage.input_audio_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
        "web_searches": usage.web_searches,
    }
    always = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    try:
        found = calc_price(
            Usage(**{key: count for key, count in counts.items() if count or key in always}),
            model_ref=model,
            provider_id=vendor,
            price_context={"processing": "batch"} if batch else None,
        )
    except LookupError:
        return None
    except ValueError:  # numbers that cannot be: negative, more cached than sent, or audio that may be cached too
        return None
    rates = found.model_price
    if (usage.input_audio_tokens and rates.input_audio_mtok is None) or (
        usage.output_audio_tokens and rates.output_audio_mtok is None
    ):
        return None  # audio costs many times what text does: the table would call it text
    return found.total_price


def _by_hand(rates: TokenPrices, usage: TokenUsage) -> Decimal | None:
    if not usage.reported:
        return None
    write = rates.input if rates.cache_write is None else rates.cache_write
    longer = write if rates.cache_write_1h is None else rates.cache_write_1h
    audio_in = 0 if rates.input_audio is None else usage.input_audio_tokens
    audio_out = 0 if rates.output_audio is None else usage.output_audio_tokens
    parts = (
        (usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens - audio_in, rates.input),
        (usage.cached_tokens, rates.input if rates.cached_input is None else rates.cached_input),
        (usage.cache_write_tokens - usage.cache_write_1h_tokens, write),
        (usage.cache_write_1h_tokens, longer),
        (audio_in, rates.input_audio or 0.0),
        (usage.output_tokens - audio_out, rates.output),
        (audio_out, rates.output_audio or 0.0),
    )
    if any(tokens < 0 for tokens, _ in parts):
        return None
    # str: the decimal that was written, not the binary float nearest to it
    return sum((tokens * Decimal(str(rate)) for tokens, rate in parts), Decimal(0)) / _MILLION
