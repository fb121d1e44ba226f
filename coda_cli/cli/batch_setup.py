"""What `coda batch` and `coda compare` have in common: their input, what holds for every line, and the manager."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from coda_cli import bootstrap
from coda_cli.chat.attachments import printable
from coda_cli.cli.ask_input import check_options, pair, read_schema
from coda_cli.cli.choice import announce
from coda_cli.cli.output import EXIT_INTERRUPTED, stdin_is_readable, warn
from coda_cli.engine.batch.jobs import Target, target
from coda_cli.engine.batch.prompts import BadLineError, Defaults, Filled
from coda_cli.engine.batch.store import PassingStore
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.manager import LLMManager
from coda_cli.settings import folder
from coda_cli.settings.load import load
from coda_cli.settings.model_cache import cached_models
from coda_cli.settings.model_spec import ModelSpec, check_prefix, parse_spec
from coda_cli.settings.schema import Settings

_TOLD: Final = 20
"""So many bad lines are told one by one."""
RETRIES: Final = 6
"""Where the settings do not say how often: nobody sits and waits, and a limit is a matter of minutes."""


class Wanted(Struct, frozen=True):
    """The part of the command line that says what is asked. `offline` None leaves it to the settings."""

    file: Path | None = None
    models: Sequence[str] = ()
    system: str | None = None
    options: Sequence[str] = ()
    schema: str | None = None
    template: str | None = None
    params: Sequence[str] = ()
    log: bool = True
    keep: str | None = None
    offline: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class Ready(Struct):
    """What a run needs: the manager with its parts, what holds for every line, and the models that were named."""

    wired: bootstrap.Wired
    settings: Settings
    defaults: Defaults
    specs: list[ModelSpec]

    @property
    def manager(self) -> LLMManager:
        """The manager."""
        return self.wired.manager

    async def targets(self, specs: Sequence[ModelSpec] | None = None, *, remember: bool) -> list[Target]:
        """The models by their full names; what the settings leave open is asked of the provider. Raises LLMError."""
        found = []
        for spec in self.specs if specs is None else specs:
            provider = spec.provider
            if provider is None:
                choice = await self.manager.default_choice()
                announce(choice, self.settings, remember=remember)
                provider = choice.name
            name, made, model = await self.manager.resolve(provider, spec.model)
            table = self.settings.providers.get(name)
            if table is not None and "max_retries" not in table.model_fields_set:
                made.config.max_retries = RETRIES
            found.append(target(name, model, made.config))
        return found


def prepare(wanted: Wanted, *, more: Sequence[str] = ()) -> Ready:
    """Read the settings and what holds for every line; *more* are further models. Raises UsageError, ConfigError."""
    if wanted.keep is not None and not wanted.log:
        raise UsageError("--keep keeps conversations, --no-log leaves no trace", hint="give one of them")
    loaded = load(overrides={"offline": wanted.offline})
    settings = loaded.settings
    for problem in folder.problems(loaded):
        warn(problem)
    defaults, models = _defaults(wanted)
    named: Sequence[str | None] = models or [None]
    specs = [parse_spec(spec, settings, cached_models()) for spec in [*named, *more]]
    for spec in specs:
        check_prefix(spec, settings)
    wired = bootstrap.wire(
        settings,
        only={name for spec in specs if (name := spec.provider or settings.default_provider)},
        choose=settings.default_provider is None and any(spec.provider is None for spec in specs),
        log=wanted.log,
        conversations=None if wanted.keep is not None else ConversationManager.in_memory(),
        tools=False,
    )
    if wanted.keep is None:
        wired.manager.store = PassingStore()
    return Ready(wired, settings, defaults, specs)


def _defaults(wanted: Wanted) -> tuple[Defaults, list[str]]:
    """What holds for every line, and the models that were named."""
    options = dict(pair(printable(text), "-o", json_values=True) for text in wanted.options)
    params = {name: str(value) for name, value in (pair(printable(text), "-p") for text in wanted.params)}
    schema = read_schema(wanted.schema)
    models = [printable(model) for model in wanted.models]
    fill: Callable[[Mapping[str, str], str], Filled] | None = None
    if wanted.template is not None:
        from coda_cli.settings.templates import load_template, render

        template = load_template(wanted.template)
        if unknown := sorted(set(params) - set(template.variables())):
            render(template, {unknown[0]: ""})  # raises, and says which there are

        def filled(own: Mapping[str, str], text: str) -> Filled:
            rendered = render(template, {**params, **own}, text)
            return Filled(rendered.prompt, rendered.system)

        fill = filled
        models = models or ([template.model] if template.model else [])
        options = {**template.options, **options}
        if schema is None and template.schema_ is not None:
            own = template.schema_
            schema = read_schema(own) if isinstance(own, str) else own
    elif params:
        raise UsageError("-p fills in a template's variables", hint="name the template with -t")
    check_options(options)
    system = None if wanted.system is None else printable(wanted.system)
    return Defaults(system=system, options=options, schema=schema, fill=fill, check=check_options), models


def open_input(file: Path | None) -> int:
    """A descriptor of the prompts: *file*, or stdin where it is None or `-`. Raises UsageError."""
    if file is None or str(file) == "-":
        if sys.stdin is None or not stdin_is_readable():
            raise UsageError(
                "there are no prompts",
                hint="name a file of them, or pipe them in, one a line",
            )
        return 0
    try:
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise UsageError(
            f"can't read {file}: {exc.strerror or exc}", hint="name a file of prompts, one a line"
        ) from exc


class BadLines:
    """Tells of the lines that are no prompts: the first few one by one, the others by their number."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self._before = before
        self.count = 0

    def tell(self, problem: BadLineError) -> None:
        """One more."""
        self.count += 1
        if self.count <= _TOLD:
            self._before()
            warn(f"{problem.message}; left out")

    def end(self) -> None:
        """How many were not told."""
        if self.count > _TOLD:
            warn(f"{self.count - _TOLD} more lines are no prompts and were left out")


class Interrupts:
    """Ctrl-C, the end of the terminal, and a deadline: each stops the work once, and says with which code to leave."""

    def __init__(self, stop: Callable[[], None], timeout: float | None = None) -> None:
        self._stop = stop
        self._timeout = timeout
        self.code: int | None = None
        self.timed_out = False

    def _hit(self, code: int) -> None:
        self.code = code
        self._stop()

    def _late(self) -> None:
        self.timed_out = True
        self._stop()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen while the block runs."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._hit, EXIT_INTERRUPTED)
        for gone in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(gone, self._hit, 128 + gone)
        timer = None if self._timeout is None else loop.call_later(self._timeout, self._late)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
