"""What is to be asked of whom: prompts times models, without what an earlier run has answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from coda_cli.engine.batch.prompts import BadLineError, Defaults, Names, Prompt, digest, key_of, read_line
from coda_cli.engine.core.config import ProviderConfig, sampling

Lines = AsyncIterable[tuple[int, bytes | BadLineError]]
Read = Callable[[str], Mapping[str, Any]]


class Target(Struct, frozen=True):
    """A model that answers. `shape` stands for what its provider's settings put into every request."""

    provider: str
    model: str
    shape: str = ""

    @property
    def name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.model}"


def target(provider: str, model: str, config: ProviderConfig) -> Target:
    """The target for *model* with the settings of *config*. Where it is reached is left out: it may move."""
    options = {**sampling(config), **config.extra_params}
    shape = digest({"kind": config.provider.value, "api": config.api, "model": model, "options": options})
    return Target(provider, model, shape)


class Job(Struct, frozen=True):
    """One request. `extra` are more fields of its result; `read` makes some of the answer, or raises ValueError."""

    id: str
    prompt: Prompt
    target: Target
    hash: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    read: Read | None = None

    @property
    def key(self) -> int:
        """What the request is known by from one run to the next."""
        return key_of(self.id, self.hash)


def job(prompt_id: str, prompt: Prompt, to: Target, extra: Mapping[str, Any] = {}, read: Read | None = None) -> Job:
    """The request of *prompt* to *to*."""
    return Job(prompt_id, prompt, to, digest([prompt.content, to.shape])[:32], extra, read)


class Source:
    """The requests that a stream of lines asks for.

    `tell` hears of each bad line, `extra` gives more fields of a result. `bad`, `prompts` (good lines) and `skipped`
    (requests that were answered earlier) count while it is read; `names` knows all ids.
    """

    def __init__(
        self,
        lines: Lines,
        defaults: Defaults,
        targets: Sequence[Target],
        *,
        is_done: Callable[[int], bool],
        tell: Callable[[BadLineError], None],
        limit: int | None = None,
        extra: Callable[[Prompt, Target], Mapping[str, Any]] = lambda prompt, to: {},
    ) -> None:
        self._lines = lines
        self._defaults = defaults
        self._targets = targets
        self._is_done = is_done
        self._tell = tell
        self._limit = limit
        self._extra = extra
        self.names = Names()
        self.bad = 0
        self.prompts = 0
        self.skipped = 0

    async def jobs(self) -> AsyncGenerator[Job, None]:
        """The requests in the order of the lines; for each prompt those of all models."""
        asked = 0
        async for number, raw in self._lines:
            try:
                named = self._read(number, raw)
            except BadLineError as problem:
                self.bad += 1
                self._tell(problem)
                continue
            if named is None:
                continue
            prompt, name = named
            self.prompts += 1
            wanted = [job(name, prompt, to, self._extra(prompt, to)) for to in self._targets]
            open_ = [one for one in wanted if not self._is_done(one.key)]
            self.skipped += len(wanted) - len(open_)
            if open_ and asked == self._limit:
                return
            asked += bool(open_)
            for one in open_:
                yield one

    def _read(self, number: int, raw: bytes | BadLineError) -> tuple[Prompt, str] | None:
        if isinstance(raw, BadLineError):
            raise raw
        prompt = read_line(raw, number, self.prompts, self._defaults)
        return None if prompt is None else (prompt, self.names.name(prompt))
