"""What a person says a model costs: the table `[prices."MODEL"]`, which wins over the bundled price list."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Usd = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class TokenPrices(BaseModel):
    """USD per million tokens. What is None costs as much as `input`, or `output` for `output_audio`.

    `cached_input` is for what is read from the vendor's prompt cache, `cache_write` for what is written to it
    (`cache_write_1h`: for an hour, by default as much as `cache_write`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Usd
    output: Usd
    cached_input: Usd | None = None
    cache_write: Usd | None = None
    cache_write_1h: Usd | None = None
    input_audio: Usd | None = None
    output_audio: Usd | None = None
