"""`coda models`: the models on this machine. The progress bar is also what `coda ask` shows for the first download."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, TextIO

import typer

from coda_cli.cli.output import EXIT_INTERRUPTED, can_draw, colour, fail, put, put_json, say
from coda_cli.engine.core.errors import CodaError

if TYPE_CHECKING:
    from coda_cli.settings.schema import Settings

app: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    help="List, fetch and remove the models that run on this machine.",
    epilog="Example: coda models pull smollm2",
)

_WIDTH: Final = 24
_REDRAW: Final = 0.1  # seconds


class ProgressBar:
    """A line on *stream* that grows with a download: call it with (bytes done, bytes in all or 0).

    On a terminal one line is redrawn at most ten times a second; elsewhere nothing is written but the first line.
    """

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = can_draw(self._stream)
        self._label = label
        self._began: float | None = None
        self._first = 0
        self._drawn = float("-inf")

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is."""
        now = time.monotonic()
        if self._began is None:
            self._began, self._first = now, done
            if not self._live:
                print(f"{self._label}{f' ({size(total)})' if total else ''}", file=self._stream, flush=True)
        if self._live and (now - self._drawn >= _REDRAW or done == total):
            self._drawn = now
            self._stream.write(f"\r{self._line(done, total, now - self._began)}\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """End the line, so that what follows begins on its own."""
        if self._live and self._began is not None:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self, done: int, total: int, seconds: float) -> str:
        rate = (done - self._first) / seconds if seconds > 0.5 else 0.0
        speed = f"  {size(int(rate))}/s" if rate else ""
        if not total:
            return f"{self._label}  {size(done)}{speed}"
        filled = min(_WIDTH, _WIDTH * done // total)
        bar = "━" * filled + ("\x1b[2m" if colour(self._stream) else "") + "─" * (_WIDTH - filled)
        bar += "\x1b[0m" if colour(self._stream) else ""
        left = f"  {_duration((total - done) / rate)} left" if rate and done < total else ""
        return f"{self._label}  {bar} {100 * done // total:3d} %  {size(done)} of {size(total)}{speed}{left}"


def size(count: int) -> str:
    """Bytes for people ("98 MB")."""
    from coda_cli.engine.providers.local.fetch import human_size

    return human_size(count)


@app.command("list", epilog="Example: coda models list --json")
def list_(json: bool = typer.Option(False, "--json", help="Print a JSON list.")) -> None:
    """List the models on this machine; the built-in one comes first, with a star."""
    from coda_cli.engine.providers.local.library import list_models

    try:
        models = list_models()
    except CodaError as error:
        fail(error)
    if json:
        put_json([model.to_json() for model in models])
        return
    width = max(len(model.name) for model in models)
    for model in models:
        state = "" if model.installed else "  (not downloaded)" if model.default else "  (incomplete: pull it again)"
        put(f"{'*' if model.default else ' '} {model.name:<{width}}  {size(model.size):>9}  {model.kind}{state}")


@app.command(epilog="Example: coda models pull HuggingFaceTB/SmolLM2-360M-Instruct")
def pull(
    name: str = typer.Argument(
        ...,
        metavar="NAME",
        help="smollm2 (the built-in one), OWNER/REPO for safetensors, OWNER/REPO:FILE.gguf, ollama/NAME.",
    ),
    offline: bool = typer.Option(False, "--offline", help="Refuse to use the network (also CODA_OFFLINE=1)."),
) -> None:
    """Fetch a model; an interrupted download goes on where it stopped."""
    from coda_cli.engine.providers.local.weights import pull as fetch
    from coda_cli.settings.load import load_settings

    bar = ProgressBar(f"fetching {name}")
    try:
        settings = load_settings(overrides={"offline": offline or None})
        if _pulled_by_ollama(name, settings, bar):
            bar.close()
            say(f"{name} is on the Ollama server; try it with `coda ask -m {name} hello`")
            return
        path = fetch(name, bar, settings.offline)
    except CodaError as error:
        bar.close()
        fail(error)
    except KeyboardInterrupt:
        bar.close()
        say(f"stopped; `coda models pull {name}` goes on from here")
        raise SystemExit(EXIT_INTERRUPTED) from None
    bar.close()
    put(str(path))


def _pulled_by_ollama(name: str, settings: Settings, bar: ProgressBar) -> bool:
    """Have an Ollama fetch the model if *name* is `PROVIDER/MODEL` of a configured one; whether it is."""
    provider, _, model = name.partition("/")
    table = settings.providers.get(provider)
    if table is None or table.type != "ollama" or not model:
        return False
    from coda_cli import bootstrap
    from coda_cli.cli.loop import run_async
    from coda_cli.engine.providers.ollama import OllamaProvider

    async def pull_there() -> None:
        async with bootstrap.wire(settings, only=[provider]).manager as manager:
            server = manager.provider(provider)
            if isinstance(server, OllamaProvider):
                async for step in server.pull(model):
                    if step.total:
                        bar(step.completed or 0, step.total)

    run_async(pull_there())
    return True


@app.command(epilog="Example: coda models remove smollm2")
def remove(name: str = typer.Argument(..., metavar="NAME", help="The name as `coda models list` shows it.")) -> None:
    """Delete exactly this model's files."""
    from coda_cli.engine.providers.local.library import remove as delete

    try:
        model = delete(name)
    except CodaError as error:
        fail(error)
    say(f"removed {model.name} ({size(model.size)})")


@app.command(epilog="Example: coda models path smollm2")
def path(
    name: str | None = typer.Argument(None, metavar="[NAME]", help="A model; without one, the folder of all models."),
) -> None:
    """Print where a model lies."""
    from coda_cli.engine.providers.local.library import path_of
    from coda_cli.paths import models_dir

    try:
        put(str(path_of(name) if name is not None else models_dir()))
    except CodaError as error:
        fail(error)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
