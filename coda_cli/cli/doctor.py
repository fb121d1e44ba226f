"""`coda doctor`: what is wrong with this installation, and how to mend it. Reads only, and calls no network."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import locale
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import typer
from msgspec import Struct
from msgspec.structs import asdict

from coda_cli import paths
from coda_cli.cli.output import EXIT_FAILURE, put_json, style
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.settings import secrets
from coda_cli.settings.files import read_toml
from coda_cli.settings.folder import note, problems
from coda_cli.settings.load import load, unknown_variables
from coda_cli.settings.problems import did_you_mean
from coda_cli.settings.schema import Settings

Status = Literal["ok", "warn", "fail"]
WEIGHTS: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_BYTES: Final = 98_362_432
_MIB: Final = 1024 * 1024
_COLOURS: Final[Mapping[Status, str]] = {"ok": "32", "warn": "33", "fail": "1;31"}
_BASE: Final[Mapping[str, str]] = {
    "anthropic": "anthropic", "genai_prices": "genai-prices", "httpx": "httpx", "httpx2": "httpx2",
    "markdown_it": "markdown-it-py", "ollama": "ollama", "openai": "openai", "platformdirs": "platformdirs",
    "pydantic": "pydantic", "rich": "rich", "tomli_w": "tomli-w", "tomlkit": "tomlkit", "typer": "typer",
}  # fmt: skip
# Extra -> its modules with what pip calls them.
_EXTRAS: Final[Mapping[str, Mapping[str, str]]] = {
    "keyring": {"keyring": "keyring>=25,<27"},
    "local": {"torch": "torch>=2.9,<2.14", "transformers": "transformers>=5.3,<6"},
}
_WHEELS: Final = frozenset({("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")})


class Check(Struct, frozen=True):
    """One line of the report."""

    name: str
    status: Status
    detail: str
    hint: str | None = None


def doctor(json: bool = typer.Option(False, "--json", help="Print one JSON object.")) -> None:
    """Say what is wrong with this installation and how to mend it; exit code 1 if something must be mended.

    Example: coda doctor
    """
    checks = run_checks()
    healthy = all(check.status != "fail" for check in checks)
    if json:
        put_json({"ok": healthy, "checks": [asdict(check) for check in checks]})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            status = style(f"{check.status:<4}", _COLOURS[check.status], sys.stdout)
            print(f"{status}  {check.name:<{width}}  {_indented(check.detail, width)}")
            if check.hint:
                print(f"      {'':<{width}}  {style('hint:', '36', sys.stdout)} {_indented(check.hint, width)}")
    if not healthy:
        raise SystemExit(EXIT_FAILURE)


def _indented(text: str, width: int) -> str:
    return sanitize(text).replace("\n", "\n" + " " * (width + 8))


def run_checks() -> list[Check]:
    """Every check, in the order of the report."""
    groups: tuple[Callable[[], Iterator[Check]], ...] = (
        _python, _libraries, _extras, _local_engine, _config, _folders, _keys, _variables, _editor, _terminal, _tools,
        _disk,
    )  # fmt: skip
    return [check for group in groups for check in group()]


def _python() -> Iterator[Check]:
    version = platform.python_version()
    if sys.version_info < (3, 11):  # noqa: UP036 - a forced installation can end up here
        yield Check("python", "fail", f"{version} at {sys.executable}", "Coda needs Python 3.11 or newer")
    else:
        yield Check("python", "ok", f"{version} at {sys.executable}")
    try:
        yield Check("coda", "ok", importlib.metadata.version("coda-cli"))
    except importlib.metadata.PackageNotFoundError:
        hint = "in the checkout: `python -m pip install -e .`"
        yield Check("coda", "warn", "runs from a folder, it is not installed", hint)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _pip(requirements: list[str]) -> str:
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.join(requirements)}"


def _libraries() -> Iterator[Check]:
    missing = [name for module, name in _BASE.items() if not _installed(module)]
    if missing:
        yield Check("libraries", "fail", f"missing: {', '.join(missing)}", _pip(missing))
    else:
        yield Check("libraries", "ok", f"all {len(_BASE)} are there")


def _extras() -> Iterator[Check]:
    for extra, modules in _EXTRAS.items():
        missing = [requirement for module, requirement in modules.items() if not _installed(module)]
        if not missing:
            versions = ", ".join(f"{module} {_version(module)}" for module in modules)
            yield Check(f"extra {extra}", "ok", versions)
        elif len(missing) < len(modules):
            yield Check(f"extra {extra}", "warn", "only a part of it is installed", _pip(missing))
        else:
            yield Check(f"extra {extra}", "ok", "not installed, optional", _pip(missing))


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "(unknown version)"


def _local_engine() -> Iterator[Check]:
    here = (platform.system(), platform.machine())
    if _installed("xllamacpp"):
        yield Check("local engine", "ok", f"xllamacpp {_version('xllamacpp')}")
    elif here in _WHEELS:
        hint = _pip(["xllamacpp>=2026.10,<2028"])
        yield Check("local engine", "warn", "xllamacpp is missing: no .gguf model can run", hint)
    else:
        hint = "use Ollama or any OpenAI-compatible server"
        yield Check("local engine", "warn", f"there is no xllamacpp for {here[0]} on {here[1]}", hint)
    weights = paths.models_dir() / WEIGHTS
    try:
        size = weights.stat().st_size
    except OSError:
        hint = "it comes (94 MiB) when it is first needed"
        yield Check("embedded model", "ok", "not fetched yet", hint)
        return
    if size == WEIGHTS_BYTES:
        yield Check("embedded model", "ok", str(weights))
    else:
        hint = f"remove the file, and it is fetched again: `rm {shlex.quote(str(weights))}`"
        yield Check("embedded model", "warn", f"{weights} has {size:,} bytes instead of {WEIGHTS_BYTES:,}", hint)


def _config() -> Iterator[Check]:
    try:
        loaded = load()
    except CodaError as error:
        yield Check("coda.toml", "fail", error.message, error.hint)
        return
    where = str(loaded.file) if loaded.found else f"{loaded.file} is not there, the built-in settings hold"
    yield Check("coda.toml", "ok", where)
    if (untrusted := note()) is not None:
        yield Check("this folder", "ok", untrusted)
    for problem in problems(loaded):
        yield Check("this folder", "warn", problem, "mend it, look with `coda trust`, and trust it again")


def _folders() -> Iterator[Check]:
    for name, folder in (("config", paths.config_dir()), ("data", paths.data_dir()), ("cache", paths.cache_dir())):
        label = f"{name} folder"
        nearest = _nearest(folder)
        if not nearest.is_dir():
            yield Check(label, "fail", f"{nearest} is in the way of {folder}: not a folder", "move it away")
        elif not os.access(nearest, os.W_OK | os.X_OK):
            hint = f"give it to your user: `ls -ld {shlex.quote(str(nearest))}`"
            yield Check(label, "fail", f"{nearest} cannot be written", hint)
        elif nearest != folder:
            yield Check(label, "ok", f"{folder} is made when needed")
        elif folder.stat().st_mode & 0o077:
            hint = f"chmod 700 {shlex.quote(str(folder))}"
            yield Check(label, "warn", f"{folder} is open to other users", hint)
        else:
            yield Check(label, "ok", str(folder))


def _nearest(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _keys() -> Iterator[Check]:
    named = [variable for variable in secrets.VENDOR_VARIABLES.values() if os.environ.get(variable)]
    yield Check("keys in environment", "ok", ", ".join(named) or "none of the vendors' variables is set")
    path = secrets.keys_file()
    try:
        mode = path.stat().st_mode & 0o777
        count = len(read_toml(path) or {})
    except OSError:
        yield Check("keys.toml", "ok", "not there", "`coda config set-key NAME` stores a key")
        return
    except CodaError as error:
        yield Check("keys.toml", "fail", error.message, error.hint)
        return
    if mode & 0o077:
        hint = f"chmod 600 {shlex.quote(str(path))}, and renew its keys if others use this machine"
        yield Check("keys.toml", "fail", f"{path} is open to other users (mode {mode:o})", hint)
    else:
        yield Check("keys.toml", "ok", f"{path}: {count} stored")


def _variables() -> Iterator[Check]:
    known = [f"CODA_{name.upper()}" for name in Settings.model_fields]
    unknown = unknown_variables(os.environ)
    for variable in unknown:
        hint = did_you_mean(variable, known) or "unset it: docs/settings.md lists what Coda reads"
        yield Check("environment", "warn", f"{variable} names no setting and is ignored", hint)
    if not unknown:
        yield Check("environment", "ok", "no CODA_ variable is unknown")


def _editor() -> Iterator[Check]:
    wanted = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        command = shlex.split(wanted)
    except ValueError:
        command = [wanted]
    hint = "set EDITOR, as in EDITOR=nano"
    if command and shutil.which(command[0]):
        yield Check("editor", "ok", wanted)
    elif command:
        yield Check("editor", "warn", f"{command[0]} cannot be found", hint)
    elif found := next((name for name in ("nano", "vim", "vi") if shutil.which(name)), None):
        yield Check("editor", "ok", f"EDITOR is not set: {found} is used")
    else:
        yield Check("editor", "warn", "EDITOR is not set and no editor was found", hint)


def _terminal() -> Iterator[Check]:
    term = os.environ.get("TERM", "")
    if not sys.stdout.isatty():
        yield Check("terminal", "ok", "stdout is not a terminal: plain text, no colour")
    elif term in ("", "dumb"):
        hint = "set TERM to your terminal's kind, as in TERM=xterm-256color"
        yield Check("terminal", "warn", f'TERM is "{term}": no colour, no rendering', hint)
    else:
        size = shutil.get_terminal_size()
        colours = "none (NO_COLOR)" if os.environ.get("NO_COLOR") else _colours(term)
        narrow = size.columns < 40
        wider = "make the window wider: Coda is laid out for 40 columns and more" if narrow else None
        detail = f"{term}, {size.columns}x{size.lines}, colour: {colours}"
        yield Check("terminal", "warn" if narrow else "ok", detail, wider)
    encodings = {locale.getpreferredencoding(False), sys.stdout.encoding or ""}
    if all(encoding.lower().replace("-", "") == "utf8" for encoding in encodings):
        yield Check("encoding", "ok", "UTF-8")
    else:
        hint = "choose a UTF-8 locale, as in LC_ALL=C.UTF-8"
        yield Check("encoding", "warn", f"not UTF-8 but {', '.join(sorted(encodings))}", hint)


def _colours(term: str) -> str:
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "16 million"
    return "256" if "256" in term else "8 or 16"


def _tools() -> Iterator[Check]:
    from coda_cli.engine.tools.sandbox import confinement

    held = confinement()
    hint = None if held.files else "install bubblewrap, or let tools ask: `function_calling.approval_mode`"
    yield Check("tools", "ok" if held.files else "warn", f"programs that tools run are {held.words}", hint)
    from coda_cli.bootstrap import permissions

    for problem in permissions(Settings()).problems:
        yield Check("permissions", "warn", problem, "`coda tools permissions list` shows what is in force")


def _disk() -> Iterator[Check]:
    folder = _nearest(paths.data_dir())
    try:
        free = shutil.disk_usage(folder).free // _MIB
    except OSError as exc:
        yield Check("disk", "warn", f"cannot tell the free space at {folder}: {exc.strerror or exc}")
        return
    detail = f"{free:,} MiB free at {folder}"
    if free < 50:
        yield Check("disk", "fail", detail, "make room: conversations cannot be saved on a full disk")
    elif free < 500:
        yield Check("disk", "warn", detail, "make room: a model needs 94 MiB and more")
    else:
        yield Check("disk", "ok", detail)
