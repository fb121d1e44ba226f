"""The llama.cpp engine as a child process that answers HTTP on a private unix socket.

There is no TCP listener. The socket lies in a 0700 folder and asks for a random key, the child dies with this process
(even by `kill -9`), and one engine serves everyone in this process who asks for the same file and parameters.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from coda_cli.engine.core.errors import LLMError, LLMProviderUnavailableError
from coda_cli.engine.providers.local.adapter import Adapter
from coda_cli.engine.providers.local.background import in_background
from coda_cli.engine.providers.local.fetch import human_size
from coda_cli.engine.providers.local.gguf import GgufHead, cut_off, read_head

Device = Literal["auto", "cpu", "cuda", "metal", "gpu"]
BASE_URL: Final = "http://llama"
DEFAULT_CTX: Final = 8192
CACHE_MIB: Final = 256
_IDLE_ENGINES: Final = 1  # loaded models kept beside the one that is about to be loaded
_SECRET: Final = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)$|^LLAMA_", re.IGNORECASE)


class LlamaParams(Struct, frozen=True):
    """How to load a model. None means: decided by the model and the machine. `cache_mib` bounds the prompt cache."""

    device: Device = "auto"
    n_ctx: int | None = None
    n_threads: int | None = None
    n_gpu_layers: int | None = None
    cache_mib: int = CACHE_MIB
    adapter: Adapter | None = None


class LlamaServer:
    """One loaded GGUF model. Made by `shared()`; `start()` may be called again and again."""

    def __init__(self, path: Path, params: LlamaParams) -> None:
        self.path = path
        self.params = params
        self.users = 0
        self.n_ctx = 0
        self.api_key = ""
        self._lock = threading.Lock()
        self._ready = False
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    @property
    def uds(self) -> str:
        """The path of the unix socket. Only while the engine runs."""
        if self._folder is None:
            raise LLMProviderUnavailableError("the local engine is not running")
        return str(self._folder / "s.sock")  # the engine knows a socket's path by this ending

    @property
    def pid(self) -> int | None:
        """The child's process id, or None while none runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    async def start(self) -> None:
        """Load the model unless it is loaded. A cancelled caller leaves the load going on for the next one.

        Raises LLMModelNotFoundError, LLMProviderUnavailableError with what is wrong and what mends it.
        """
        if not self.loaded:
            await in_background(self._start, "llama-load")

    async def stop(self) -> None:
        """End the child and remove its socket."""
        await in_background(self.close, "llama-stop")

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While the block runs, the engine is not given up for another model."""
        with _registry_lock:
            self.users += 1
        try:
            yield
        finally:
            with _registry_lock:
                self.users -= 1

    def obituary(self, patience: float = 0.0) -> str | None:
        """Why the child is gone ("killed by SIGKILL ..."), or None if it still runs after *patience* seconds.

        Blocks for that long: a process that dies closes its socket a moment before it can be seen to be dead.
        """
        child = self._child
        if child is None:
            return "it was stopped"
        try:
            code = child.wait(patience)
        except subprocess.TimeoutExpired:
            return None
        return _ending(code) + _tail(self._folder)

    def close(self) -> None:
        """End the child and remove its socket. Blocks for a moment."""
        self._ready = False
        child, self._child = self._child, None
        if child is not None:
            _end(child)
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def loaded(self) -> bool:
        """Whether the model is loaded: a child that still loads it has a process id too."""
        return self._ready and self.pid is not None

    def _start(self) -> None:
        with self._lock:
            if self.loaded:
                return
            self.close()
            head = read_head(self.path)
            check_engine()
            _make_room(self)
            try:
                self._load(head, _private_folder())
            except LLMError:
                self.close()
                raise
            except OSError as exc:
                self.close()
                raise LLMProviderUnavailableError(f"cannot start the local engine: {exc.strerror or exc}") from exc

    def _load(self, head: GgufHead, folder: Path) -> None:
        self._folder = folder
        self.api_key = secrets.token_urlsafe(32)
        longest = head.number("context_length") or DEFAULT_CTX
        self.n_ctx = min(self.params.n_ctx or DEFAULT_CTX, longest)
        size = sum(part.stat().st_size for part in _parts(self.path))
        need = size + _window_memory(head, self.n_ctx)
        given = {
            "model": str(self.path),
            "socket": self.uds,
            "api_key": self.api_key,
            "parent": os.getpid(),
            "device": self.params.device,
            "n_ctx": self.n_ctx,
            "n_threads": self.params.n_threads,
            "n_gpu_layers": self.params.n_gpu_layers,
            "cache_mib": self.params.cache_mib,
            "adapter": str(self.params.adapter.path) if self.params.adapter is not None else None,
            "need": need,
        }
        with (folder / "stderr").open("wb") as stderr:
            # By path and with -P: neither the working folder nor this package's own folder is searched for modules.
            child = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("llama_child.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={name: value for name, value in os.environ.items() if not _SECRET.search(name)},
                # The terminal's signals are for us: the child ends, and cleans up, when its stdin does.
                start_new_session=True,
            )
        self._child = child
        answer = _handshake(child, given)
        if answer.get("ready") is not True:
            raise self._explained(answer, head, need)
        self._ready = True

    def _explained(self, answer: dict[str, object], head: GgufHead, need: int) -> LLMError:
        kind, message = answer.get("error"), str(answer.get("message", ""))
        match kind:
            case "missing":
                return _engine_missing(message)
            case "device":
                return LLMProviderUnavailableError(
                    f"the installed llama.cpp engine has no {message} device",
                    hint='set `device = "cpu"` or none in extra_params, or install a build of xllamacpp for it',
                )
            case "memory":
                return LLMProviderUnavailableError(
                    f"{self.path.name} needs about {human_size(need)} of memory, {human_size(int(message))} are free",
                    hint="close other programs, lower `n_ctx` in extra_params, or choose a smaller model",
                )
            case "load":
                beside = f" with {self.params.adapter.path.name}" if self.params.adapter is not None else ""
                return LLMProviderUnavailableError(
                    f"llama.cpp cannot load {self.path}{beside}: {_damage(self.path, head) or message}",
                    hint="the file may be damaged or too new for this engine: download it again, or update xllamacpp",
                )
            case _:
                why = self.obituary() or "it gave no answer"
                return LLMProviderUnavailableError(
                    f"the local engine ended while loading {self.path.name}: {why}",
                    hint="most often there is too little memory or the file is damaged: try a smaller model or `n_ctx`",
                )


_registry: dict[tuple[object, ...], LlamaServer] = {}
_registry_lock = threading.RLock()


def shared(path: Path, params: LlamaParams) -> LlamaServer:
    """The engine of this process for *path* and *params*; a changed file gets a new one. Nothing is loaded yet."""
    real = Path(os.path.realpath(path))
    try:
        stat = real.stat()
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    except OSError:
        stamp = (0, 0, 0)
    with _registry_lock:
        key = (real, params, stamp)
        server = _registry.pop(key, None) or LlamaServer(real, params)
        _registry[key] = server  # most recently used last
        return server


def check_engine() -> None:
    """Raise LLMProviderUnavailableError unless llama.cpp is installed. Imports nothing."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise _engine_missing()


def close_all() -> None:
    """End every engine of this process."""
    with _registry_lock:
        servers = list(_registry.values())
        _registry.clear()
    for server in servers:
        server.close()


atexit.register(close_all)


def _make_room(newcomer: LlamaServer) -> None:
    """Give up loaded models that nobody is talking to, but for the one used last."""
    with _registry_lock:
        idle = [server for server in _registry.values() if server is not newcomer and server.pid and not server.users]
        for server in idle[: max(0, len(idle) - _IDLE_ENGINES)]:
            server.close()


def _handshake(child: subprocess.Popen[bytes], given: dict[str, object]) -> dict[str, object]:
    """Send the parameters and wait for the one line that ends the load. Empty if the child ended without it."""
    if child.stdin is None or child.stdout is None:
        raise AssertionError("both pipes were asked for")
    try:
        child.stdin.write(json.dumps(given).encode() + b"\n")
        child.stdin.flush()
        answer = json.loads(child.stdout.readline())
    except (OSError, ValueError):
        _end(child)
        return {}
    return answer if isinstance(answer, dict) else {}


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.kill()  # nothing in it needs a goodbye: it owns no file but its socket
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # unsent parameters of a child that died at once
                pass


def _private_folder() -> Path:
    """A new 0700 folder with a path short enough for a socket in it (108 bytes on Linux, 104 on macOS)."""
    folder = Path(tempfile.mkdtemp(prefix="coda-"))
    if len(os.fsencode(folder)) > 90:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="coda-", dir="/tmp"))
    return folder


def _parts(path: Path) -> list[Path]:
    """All parts of a split GGUF, or the file itself."""
    found = re.fullmatch(r"(.+)-\d{5}-of-(\d{5})\.gguf", path.name)
    return sorted(path.parent.glob(f"{found[1]}-*-of-{found[2]}.gguf")) if found else [path]


def _window_memory(head: GgufHead, n_ctx: int) -> int:
    """Bytes of the key/value cache in 16-bit floats, and a little for the rest."""
    heads, width = head.number("attention.head_count") or 1, head.number("embedding_length") or 0
    groups = head.number("attention.head_count_kv") or heads
    layers = head.number("block_count") or 0
    return 2 * 2 * layers * n_ctx * (width // max(heads, 1)) * groups + (64 << 20)


def _damage(path: Path, head: GgufHead) -> str | None:
    if head.tensors == 0:
        return "the file holds no tensors"
    return "the file is cut off" if cut_off(path) else None


def _engine_missing(reason: str = "") -> LLMProviderUnavailableError:
    return LLMProviderUnavailableError(
        "the llama.cpp engine (the package xllamacpp) is not usable here" + (f": {reason}" if reason else ""),
        hint=f"install it with `{sys.executable} -m pip install 'xllamacpp>=2026.10'` "
        "(Linux x86-64 and arm64, macOS arm64), or choose another provider with -m",
    )


def _ending(code: int) -> str:
    if code >= 0:
        return f"it ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")


def _tail(folder: Path | None) -> str:
    """The last line that the child wrote to stderr."""
    if folder is None:
        return ""
    try:
        lines = (folder / "stderr").read_bytes()[-2000:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return f" ({lines[-1][:200]})" if lines else ""
