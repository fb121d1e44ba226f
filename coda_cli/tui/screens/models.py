"""Which model answers: all that are known at once, then what every host says that it has, as it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from msgspec.structs import replace
from textual import work
from textual.binding import Binding, BindingType

from coda_cli.chat.front import Option
from coda_cli.chat.models import ModelChoice, known_models
from coda_cli.chat.session import ChatSession
from coda_cli.engine.core.errors import CodaError, LLMError
from coda_cli.engine.core.ports import ModelInfo
from coda_cli.settings.model_cache import remember_models
from coda_cli.tui.screens.picker import Grouped, PickerBase
from coda_cli.tui.screens.rows import RowList
from coda_cli.tui.screens.runs import Row, Run, lit, one_line
from coda_cli.tui.status import short

_SECONDS: Final = 20.0
"""As long as a host may take for its list; the others do not wait for it."""
_RECENT: Final = 5
_SHORT: Final = {"images": "img", "PDF": "pdf", "audio": "audio", "thinks": "think"}


class ModelOption(Grouped, frozen=True):
    """One model, or another name for one. `takes` is what is given back."""

    takes: str = ""
    choice: ModelChoice | None = None


class Models(PickerBase[str | None]):
    """Gives back `provider/model`, an alias's target, or what was typed; None where the person closed it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "ask_again", "ask again", id="models.ask", priority=True)
    ]

    def __init__(self, session: ChatSession, *, title: str = "Model") -> None:
        self._session = session
        self._choices = known_models(session)
        self._state: dict[str, str] = {}
        self._recent: list[str] = _recent(session)
        self._now = session.spec_name(session.spec)
        options = list(self._options())
        super().__init__(
            title,
            options,
            cursor=self._place_of_now(options),
            placeholder="type to filter, or any model's name",
            free_text=True,
        )

    def _place_of_now(self, options: Sequence[Option]) -> int:
        return next(
            (place for place, one in enumerate(options) if isinstance(one, ModelOption) and one.takes == self._now), 0
        )

    def on_mount(self) -> None:
        """Ask everybody."""
        super().on_mount()
        self.action_ask_again()

    def action_ask_again(self) -> None:
        """Ask every provider for its models, all at once."""
        self._state = dict.fromkeys(self._session.settings.providers, "asking")
        self._renew()
        self._look_up()
        for name in self._session.settings.providers:
            self._ask(name)

    @work(group="models", exit_on_error=True)
    async def _look_up(self) -> None:
        """What is not asked of hosts: which models were used lately, and prices."""
        try:
            await self._session.refresh_recent()
        except CodaError as error:
            self.fail(error)
        await self._who_answers()
        self._recent = _recent(self._session)
        priced = {one.spec: one for one in await asyncio.to_thread(known_models, self._session, prices=True)}
        self._choices = [_with_price(one, priced) for one in self._choices]
        self._renew()

    async def _who_answers(self) -> None:
        """Where no model was named, which one it is has to be asked for; the cursor goes there if nobody moved it."""
        try:
            self._now = "/".join(await self._session.model_name())
        except LLMError:
            return  # none can answer: that is what this list is opened for
        if not self.query(RowList):
            return  # it has been closed meanwhile
        untouched = self.current == self._first_cursor and not self.typed
        self.set_options(self._options())
        if untouched:
            self._first_cursor = self._place_of_now(self.options)
            self.refilter(cursor=self._first_cursor)

    @work(group="models", exit_on_error=True)
    async def _ask(self, name: str) -> None:
        session = self._session
        try:
            async with asyncio.timeout(_SECONDS):
                models = await session.manager.list_models(name)
        except LLMError as error:
            self._state[name] = error.message + (f" ({error.hint})" if error.hint else "")
        except TimeoutError:
            self._state[name] = f"no list within {_SECONDS:.0f} s"
        else:
            self._state[name] = ""
            if not session.incognito:
                await asyncio.to_thread(remember_models, name, [model.id for model in models])
            self._join(name, models)
            priced = await asyncio.to_thread(known_models, session, prices=True)
            self._choices = [_with_price(one, {one.spec: one for one in priced}) for one in self._choices]
        self._renew()

    def _join(self, name: str, models: list[ModelInfo]) -> None:
        """What *name* has now: models it no longer lists go, unless they are configured."""
        known = {one.model: one for one in self._choices if one.provider == name}
        listed = {info.id: _of_host(name, info, known.get(info.id)) for info in models}
        kept = [one for one in known.values() if one.default and one.model not in listed]
        place = next((n for n, one in enumerate(self._choices) if one.provider == name), len(self._choices))
        others = [one for one in self._choices if one.provider != name]
        self._choices = [*others[:place], *kept, *listed.values(), *others[place:]]

    def _renew(self) -> None:
        if self.is_running and self.query(RowList):
            self.set_options(self._options())

    # ---- options ----------------------------------------------------------------------------------------------------

    def _options(self) -> Iterator[ModelOption]:
        by_spec = {one.spec: one for one in self._choices}
        if self._now not in by_spec and self._now not in self._recent and "/" in self._now:
            yield self._option(_bare(self._now), "answers now")
        for spec in self._recent:
            yield self._option(by_spec.get(spec) or _bare(spec), "used lately")
        for alias, target in self._session.settings.aliases.items():
            yield ModelOption(alias, target, f"alias {target}", "aliases", target, by_spec.get(target))
        for one in self._choices:
            if one.spec not in self._recent:
                yield self._option(one, self._heading(one.provider))

    def _heading(self, name: str) -> str:
        state = self._state.get(name, "")
        return f"{name} · {one_line(state)}" if state else name

    @staticmethod
    def _option(one: ModelChoice, group: str) -> ModelOption:
        return ModelOption(one.spec, one.detail, " ".join(one.abilities), group, one.spec, one)

    def row_of(self, index: int) -> Row:
        """The name; what it can, its window, its price."""
        option = self.options[index]
        label = self._labels[index]
        left: list[Run] = lit(label, self._matcher.places(label)) if self.typed.strip() else [(label, "")]
        if not isinstance(option, ModelOption) or option.choice is None:
            return Row(left, [(one_line(option.detail), "dim")])
        one = option.choice
        if option.takes == self._now:
            left.append(("  answers now", "good"))
        elif one.default:
            left.append(("  default", "dim"))
        if option.takes != option.label:
            left.append((f"  {one_line(option.takes)}", "dim"))
        can = " ".join(_SHORT.get(ability, ability) for ability in one.abilities)
        right: list[Run] = [] if one.keyed else [("no key: /key  ", "warn")]
        right.append((one_line(can), "dim"))
        right.append((f"{short(one.window) if one.window else '?':>8}", "dim"))
        right.append((f"{_price(one):>14}", "dim"))
        return Row(left, right)

    # ---- what is given back -----------------------------------------------------------------------------------------

    def picked(self, index: int, action: str) -> None:
        """The model."""
        option = self.options[index]
        self.dismiss(option.takes if isinstance(option, ModelOption) else option.label)

    def picked_text(self, text: str) -> None:
        """What was typed, if it can be a model."""
        try:
            self._session.parse(text)
        except CodaError as error:
            self.fail(error)
            return
        self.dismiss(text)


def _recent(session: ChatSession) -> list[str]:
    """The models of the latest chats whose providers are still there."""
    known = session.settings.providers
    specs = dict.fromkeys(
        f"{one.provider}/{one.model}" for one in session.recent if one.provider in known and one.model
    )
    return list(specs)[:_RECENT]


def _bare(spec: str) -> ModelChoice:
    provider, _, model = spec.partition("/")
    return ModelChoice(spec, provider, model)


def _of_host(name: str, info: ModelInfo, known: ModelChoice | None) -> ModelChoice:
    """What the host says of a model, on top of what is known of it."""
    one = known or ModelChoice(f"{name}/{info.id}", name, info.id)
    return replace(one, window=info.context_window or one.window, abilities=one.abilities or info.capabilities)


def _with_price(one: ModelChoice, priced: dict[str, ModelChoice]) -> ModelChoice:
    found = priced.get(one.spec)
    if found is None:
        return one
    return replace(
        one,
        window=one.window or found.window,
        abilities=one.abilities or found.abilities,
        price_in=found.price_in,
        price_out=found.price_out,
        default=found.default,
        keyed=found.keyed,
    )


def _price(one: ModelChoice) -> str:
    """In and out, USD for a million tokens."""
    if one.price_in is None or one.price_out is None:
        return ""
    return "free" if not one.price_in and not one.price_out else f"${one.price_in:g}/${one.price_out:g}"
