"""The models that a person may choose from: what is configured, and what each provider listed last."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from coda_cli.chat.session import ChatSession
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.settings.model_cache import cached_models, remember_models

_MILLION = 1_000_000


class ModelChoice(Struct, frozen=True):
    """One model. `spec` is what `/model` takes; prices in USD for a million tokens, None where nobody knows.

    `default`: it is what its provider takes where no model is named. `keyed`: what it needs to be asked is there, as
    far as that is known without asking anybody.
    """

    spec: str
    provider: str
    model: str
    window: int | None = None
    abilities: tuple[str, ...] = ()
    price_in: float | None = None
    price_out: float | None = None
    default: bool = False
    keyed: bool = True

    @property
    def detail(self) -> str:
        """Window, abilities and price in words."""
        said = [f"{self.window:,} tokens" if self.window else "", *self.abilities]
        if self.price_in is not None and self.price_out is not None:
            free = not self.price_in and not self.price_out
            said.append("free" if free else f"${self.price_in:g} in, ${self.price_out:g} out")
        said += ["" if self.keyed else "no key yet: /key", "default" if self.default else ""]
        return ", ".join(filter(None, said))


def known_models(session: ChatSession, *, prices: bool = False) -> list[ModelChoice]:
    """All models that are known without asking anybody, by provider, each provider's default first.

    *prices*: look these up too, which loads a table (0.1 s) the first time: in a thread.
    """
    out: list[ModelChoice] = []
    listed = cached_models()
    for name, table in session.settings.providers.items():
        models = dict.fromkeys([*([table.model] if table.model else []), *listed.get(name, [])])
        if not models:
            out.append(ModelChoice(name, name, "", abilities=("its first model",), default=True))
        out += [_choice(session, name, model, default=model == table.model, prices=prices) for model in models]
    return out


def _choice(session: ChatSession, name: str, model: str, *, default: bool, prices: bool) -> ModelChoice:
    manager = session.manager
    config = manager.config.providers.get(name)
    profile = ModelProfile()
    try:
        profile = manager.provider(name).profile(model)
    except LLMError:
        pass  # it is shown all the same, and says why when it is asked
    can = {"images": profile.images, "PDF": profile.pdf, "audio": profile.audio, "thinks": profile.thinking != "none"}
    needs_key = config is not None and config.provider.value in ("openai", "anthropic") and config.api_base is None
    return ModelChoice(
        f"{name}/{model}",
        name,
        model,
        profile.context_window,
        tuple(word for word, on in can.items() if on),
        manager.price(name, model, TokenUsage(input_tokens=_MILLION)) if prices else None,
        manager.price(name, model, TokenUsage(output_tokens=_MILLION)) if prices else None,
        default,
        not needs_key or (config is not None and config.api_key is not None),
    )


async def refresh_models(session: ChatSession, *, seconds: float = 10.0) -> dict[str, str]:
    """Ask every provider for its models, all at once, and remember them. Returns why some gave none, by name."""

    async def ask(name: str) -> str | None:
        try:
            async with asyncio.timeout(seconds):
                models = await session.manager.list_models(name)
        except LLMError as error:
            return error.message
        except TimeoutError:
            return f"no list within {seconds:.0f} s"
        if not session.incognito:
            remember_models(name, [model.id for model in models])
        return None

    names = list(session.settings.providers)
    told = await asyncio.gather(*map(ask, names))
    return {name: why for name, why in zip(names, told, strict=True) if why is not None}
