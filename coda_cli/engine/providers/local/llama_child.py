"""The child process in which llama.cpp runs: a corrupt model or a lack of memory ends it, and only it.

It is started by path and stands alone: it imports nothing of Coda. Parameters come as one JSON line on stdin, never
in the argument list, where every user of the machine could read the API key. It answers with one JSON line,
`{"ready": true}` or `{"error": KIND, "message": TEXT}`, serves on a unix socket, and ends when stdin does.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _fail(kind: str, message: str) -> NoReturn:
    _say({"error": kind, "message": message})
    sys.stderr.flush()
    os._exit(1)


def _die_with_parent(parent: int, number: int) -> None:
    """On Linux, get signal *number* when the parent's thread ends; 0 switches that off.

    It covers the load only, during which the engine holds the interpreter and the end of stdin goes unnoticed. Later
    it would end this process together with the mere thread that started it.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if number and os.getppid() != parent:
        os._exit(1)


def available_memory() -> int | None:
    """Bytes that can be had without swapping: the kernel's estimate, and the cgroup's limit where it is lower."""
    try:
        text = Path("/proc/meminfo").read_text()
        found = int(next(line.split()[1] for line in text.splitlines() if line.startswith("MemAvailable:"))) * 1024
    except (OSError, StopIteration, ValueError):
        return None
    base = Path("/sys/fs/cgroup")
    for limit, used in (
        (base / "memory.max", base / "memory.current"),
        (base / "memory/memory.limit_in_bytes", base / "memory/memory.usage_in_bytes"),
    ):
        try:
            found = min(found, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # "max", or no such controller
            continue
    return found


def _threads() -> int:
    """Cores worth using: those this process may run on, without the second thread of a core on larger machines."""
    if sys.platform == "darwin":
        return max(1, (os.cpu_count() or 2) // 2)
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # "max", or no such controller
        pass
    try:
        doubled = Path("/sys/devices/system/cpu/smt/active").read_text().strip() == "1"
    except OSError:
        doubled = False
    return max(1, count // 2 if doubled and count > 4 else count)


def _gpu(xllamacpp: Any) -> bool:
    kinds = xllamacpp.ggml_backend_dev_type
    gpus = (kinds.GGML_BACKEND_DEVICE_TYPE_GPU, kinds.GGML_BACKEND_DEVICE_TYPE_IGPU)
    return any(device["type"] in gpus for device in xllamacpp.get_device_info())


def _params(xllamacpp: Any, given: dict[str, Any], gpu: bool) -> Any:
    p = xllamacpp.CommonParams()
    p.verbosity = -1
    p.model.path = given["model"]
    p.hostnames = [given["socket"]]
    p.api_keys = [given["api_key"]]
    p.ui = p.endpoint_slots = p.endpoint_metrics = False
    p.cors_origins = ""
    p.use_jinja = True
    p.n_parallel = 1
    p.n_ctx = given["n_ctx"]
    # Small batches: between two of them a cancelled request is noticed and progress is told.
    p.n_batch = p.n_ubatch = 512 if gpu else 64
    p.cache_ram_mib = given["cache_mib"]
    if given["adapter"]:
        p.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(given["adapter"], 1.0)]
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = given["n_threads"] or _threads()
    if given["n_gpu_layers"] is not None:
        p.n_gpu_layers = given["n_gpu_layers"]
    elif given["device"] == "cpu":
        p.n_gpu_layers = 0
    return p


def main() -> NoReturn:
    """Load the model, serve it, and end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops an answer, not the engine
    given = json.loads(sys.stdin.buffer.readline())
    _die_with_parent(given["parent"], signal.SIGKILL)
    try:
        import xllamacpp
    except ImportError as exc:
        _fail("missing", str(exc))
    gpu = given["device"] != "cpu" and _gpu(xllamacpp)
    if given["device"] not in ("auto", "cpu") and not gpu:
        _fail("device", given["device"])
    free = available_memory()
    if not gpu and free is not None and given["need"] > free:
        _fail("memory", str(free))
    try:
        server = xllamacpp.Server(_params(xllamacpp, given, gpu))
    except (RuntimeError, ValueError, OverflowError, TypeError, MemoryError) as exc:
        _fail("load", str(exc) or type(exc).__name__)
    if not str(server.listening_address).startswith("unix:"):
        _fail("load", "the engine did not listen on the unix socket")
    _die_with_parent(given["parent"], 0)
    _say({"ready": True, "gpu": gpu})
    sys.stdin.buffer.read()
    shutil.rmtree(Path(given["socket"]).parent, ignore_errors=True)  # the parent may have had no time for it
    os._exit(0)  # no destructors: they would wait for an answer in progress


if __name__ == "__main__":
    main()
