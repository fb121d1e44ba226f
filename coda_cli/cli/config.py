"""`coda config`: what is set, where it comes from, and how to change it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from coda_cli import paths
from coda_cli.chat.editor import run_editor
from coda_cli.cli.output import EXIT_INTERRUPTED, fail, put, put_json, say, warn
from coda_cli.engine.core.errors import CodaError, ConfigError, UsageError
from coda_cli.settings import edit as edits, secrets
from coda_cli.settings.files import read_text, write_text
from coda_cli.settings.folder import problems as problems_of_folder
from coda_cli.settings.load import Loaded, check_text, load
from coda_cli.settings.model_cache import complete_provider
from coda_cli.settings.problems import SettingsError, did_you_mean
from coda_cli.settings.schema import BUILT_IN_PROVIDERS, ProviderSettings, needs_no_key
from coda_cli.settings.show import as_toml, plain

app: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    help="Show, check and change the settings in coda.toml, and store API keys.",
    epilog="Example: coda config set providers.openai.timeout 60",
)


@app.command(epilog="Example: coda config show --origin")
def show(
    json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    origin: bool = typer.Option(False, "--origin", help="Tell of each value where it comes from."),
) -> None:
    """Show the effective settings. API keys are never shown, only whether there is one."""
    try:
        loaded = load()
        keys = {name: key_state(name, provider) for name, provider in loaded.settings.providers.items()}
    except CodaError as error:
        fail(error)
    if json:
        put_json(_show_json(loaded, keys, origin=origin))
        return
    found = "" if loaded.found else " (not there: built-in settings)"
    put(f"# {loaded.file}{found}")
    put(as_toml(loaded, keys, origin=origin))


def key_state(name: str, provider: ProviderSettings) -> str:
    """Whether a provider has a key, and from where: never the key. Raises ConfigError."""
    if needs_no_key(provider):
        return "not needed"
    key = secrets.find_key(name, provider)
    return "not set" if key is None else f"set ({key.source})"


def _show_json(loaded: Loaded, keys: dict[str, str], *, origin: bool) -> dict[str, Any]:
    values = plain(loaded.settings)
    shown: dict[str, Any] = {"file": str(loaded.file), "found": loaded.found, "settings": values, "keys": keys}
    if origin:
        shown["origins"] = {".".join(path): loaded.origin(path).where for path in _leaves(values)}
    return shown


def _leaves(table: dict[str, Any]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += [(name, *inner) for inner in _leaves(value)]
        else:
            found.append((name,))
    return found


@app.command(epilog="Example: less $(coda config path)")
def path() -> None:
    """Print where coda.toml is, or would be."""
    put(str(paths.config_file()))


@app.command(epilog="Example: EDITOR=nano coda config edit")
def edit() -> None:
    """Open coda.toml in $VISUAL or $EDITOR and check it afterwards. A missing file starts as the commented example."""
    file = paths.config_file()
    try:
        if read_text(file) is None:
            write_text(file, example_text())
        run_editor(file)
        check_text(read_text(file) or "", file)
    except CodaError as error:
        fail(error)
    say(f"{file}: ok")


def example_text() -> str:
    """The commented example that ships with Coda."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package, package.parent):
        if text := read_text(folder / "coda.toml.example"):
            return text
    return "# Coda's settings. `coda config show --origin` lists every value; everything is optional.\n"


@app.command(epilog="Example: coda config check ./coda.toml")
def check(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="The file to check, if not yours.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a settings file and tell everything that is wrong with it; exit code 2 if anything is."""
    target = file if file is not None else paths.config_file()
    try:
        text = read_text(target)
        if text is None and file is not None:
            raise ConfigError(f"there is no file {target}", hint="`coda config path` shows yours", file=str(target))
        if text is not None:
            check_text(text, target)
        if file is None:
            for problem in problems_of_folder(load()):  # the environment counts too, and what a trusted folder sets
                warn(problem)
    except ConfigError as error:
        if not json:
            fail(error)
        put_json({"file": str(target), "ok": False, "problems": _problems(error)})
        raise SystemExit(error.exit_code) from None
    if json:
        put_json({"file": str(target), "ok": True, "problems": []})
    else:
        put(f"{target}: ok" if text is not None else f"{target}: not there, the built-in settings hold")


def _problems(error: ConfigError) -> list[dict[str, str | None]]:
    if isinstance(error, SettingsError):
        return error.describe()
    return [{"where": error.file or "", "key": error.key or "", "message": error.message, "hint": error.hint}]


@app.command("set", epilog="Example: coda config set default_provider anthropic")
def set_(
    key: str = typer.Argument(..., metavar="KEY", help="A dotted name, as in providers.openai.timeout."),
    value: str = typer.Argument(..., metavar="VALUE", help="Text, a number, true, false, or a TOML table."),
) -> None:
    """Set one value in coda.toml and keep its comments. A value that is wrong is not written."""
    file = paths.config_file()
    try:
        edits.set_value(file, key, value)
    except CodaError as error:
        fail(error)
    say(f"set {key} in {file}")


@app.command(epilog="Example: coda config unset providers.openai.timeout")
def unset(key: str = typer.Argument(..., metavar="KEY", help="A dotted name, or a whole table.")) -> None:
    """Take one value or table out of coda.toml: its default holds again."""
    file = paths.config_file()
    try:
        changed = edits.unset_value(file, key)
    except CodaError as error:
        fail(error)
    say(f"unset {key} in {file}" if changed else f"{key} is not set in {file}")


ProviderName = Annotated[
    str, typer.Argument(metavar="NAME", help="The provider's name.", autocompletion=complete_provider)
]


@app.command(
    "set-key",
    epilog="Example: pass show openai | coda config set-key openai",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def set_key(context: typer.Context, name: ProviderName) -> None:
    """Store a provider's API key: asked for on a terminal, else one line of stdin. Never an argument."""
    try:
        if context.args:
            # Never repeated: it may be the key.
            raise UsageError(
                "set-key takes a provider's name and nothing else; a key on a command line is seen by others",
                hint="leave it out and paste it when asked, or pipe it in; a key that was typed here may need renewal",
            )
        provider = _provider(name)
        where = secrets.store_key(name, _read_key(name))
        say(f"stored the key of {name}: {where}")
        used = secrets.find_key(name, provider)
        if used is not None and used.source.startswith("environment"):
            warn(f"the {used.source} is set too, and wins while it is")
    except CodaError as error:
        fail(error)


def _provider(name: str) -> ProviderSettings:
    providers = load().settings.providers
    if name not in providers:
        guess = did_you_mean(name, providers) or f"configured: {', '.join(providers)}"
        raise UsageError(f'there is no provider "{name}"', hint=guess)
    if needs_no_key(providers[name]):
        raise UsageError(f"{name} runs on this machine and needs no key")
    return providers[name]


def _read_key(name: str) -> str:
    try:
        if sys.stdin.isatty():
            import getpass

            return getpass.getpass(f"API key of {name} (not shown): ")
        return sys.stdin.readline(16384)
    except EOFError:
        return ""
    except UnicodeDecodeError:
        raise UsageError("stdin is not text", hint="pipe one line with the key") from None
    except KeyboardInterrupt:
        say()
        raise SystemExit(EXIT_INTERRUPTED) from None


@app.command("remove-key", epilog="Example: coda config remove-key openai")
def remove_key(name: ProviderName) -> None:
    """Forget a provider's stored API key."""
    try:
        removed = secrets.remove_key(name)
    except CodaError as error:
        fail(error)
    if removed:
        say(f"removed the key of {name} from {' and '.join(removed)}")
        return
    say(f"there is no stored key of {name}")
    variable = secrets.VENDOR_VARIABLES.get(str(BUILT_IN_PROVIDERS.get(name, {}).get("type")))
    if variable and os.environ.get(variable):
        say(f"its key comes from the environment variable {variable}")
