"""What is known of the batches that were handed to a vendor, so that any later process can collect them.

`batches/ID.json` in the data folder says where a batch is and how it stands, `batches/ID.jsonl` which request stands
for which prompt. Neither holds a prompt, an answer or a key.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError

from coda_cli import paths
from coda_cli.engine.core.errors import CodaError, UsageError

_ID: Final = re.compile(r"batch-[0-9a-f]{12}")
_MOST: Final = 1 << 20

Stage = Literal["submitting", "waiting", "collected", "cancelled"]


class Submitted(BaseModel):
    """One batch: `parts` are the vendor's ids, in the order of the input. `output` is where its results go."""

    id: str
    created: float
    provider: str
    model: str
    output: str
    requests: int = 0
    parts: list[str] = []
    stage: Stage = "submitting"

    @property
    def open(self) -> bool:
        """Whether something of it may still be collected."""
        return self.stage in ("submitting", "waiting") and bool(self.parts)


class Line(BaseModel):
    """Which prompt a request stands for. `json_` is whether its answer has to be JSON."""

    custom_id: str
    id: str
    index: int
    prompt_hash: str
    json_: bool = False
    metadata: Any = None


def batches_dir() -> Path:
    """The folder of their files."""
    return paths.data_dir() / "batches"


def _file(batch_id: str, suffix: str) -> Path:
    return batches_dir() / f"{batch_id}{suffix}"


def new_batch(provider: str, model: str, output: Path, now: float) -> Submitted:
    """A batch of which nothing has been sent yet; it is on disk."""
    made = Submitted(
        id=f"batch-{uuid.uuid4().hex[:12]}",
        created=now,
        provider=provider,
        model=model,
        output=str(output.resolve()),
    )
    save(made)
    return made


def save(batch: Submitted) -> None:
    """Keep *batch* as it stands. Raises CodaError."""
    try:
        paths.replace_private(_file(batch.id, ".json"), batch.model_dump_json(indent=2).encode())
    except OSError as exc:
        raise _refused(exc) from exc


def discard(batch: Submitted) -> None:
    """Forget a batch of which nothing was handed over."""
    for suffix in (".json", ".jsonl"):
        _file(batch.id, suffix).unlink(missing_ok=True)


def add_lines(batch: Submitted, lines: Sequence[Line]) -> None:
    """Keep which requests stand for which prompts. Raises CodaError."""
    data = "".join(line.model_dump_json(exclude_defaults=True) + "\n" for line in lines).encode()
    try:
        fd = paths.open_private(_file(batch.id, ".jsonl"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise _refused(exc) from exc


def _refused(exc: OSError) -> CodaError:
    return CodaError(
        f"can't keep track of the batch in {batches_dir()}: {exc.strerror or exc}", hint="make room, and try again"
    )


def lines(batch: Submitted) -> Iterator[Line]:
    """Which requests stand for which prompts."""
    try:
        file = _file(batch.id, ".jsonl").open("rb")
    except FileNotFoundError:
        return
    with file:
        for raw in file:
            try:
                yield Line.model_validate_json(raw)
            except ValidationError:
                continue  # torn: its part was never sent


def all_batches() -> list[Submitted]:
    """Every batch, the newest first; a file that cannot be read is passed over."""
    found = []
    try:
        names = [entry.stem for entry in batches_dir().iterdir() if entry.suffix == ".json"]
    except OSError:
        return []
    for name in names:
        if not _ID.fullmatch(name):
            continue
        try:
            content = paths.read_private(_file(name, ".json"), _MOST)
            found.append(Submitted.model_validate_json(content or b""))
        except (OSError, ValidationError, json.JSONDecodeError):
            continue
    return sorted(found, key=lambda batch: batch.created, reverse=True)


def find(prefix: str | None) -> Submitted:
    """The batch whose id begins with *prefix*; without one the newest that is open. Raises UsageError."""
    batches = all_batches()
    hint = "`coda batch list` shows them"
    if prefix is None:
        newest = next((batch for batch in batches if batch.open), None)
        if newest is None:
            raise UsageError("no batch is under way", hint="hand one over with `coda batch submit FILE --output FILE`")
        return newest
    fitting = [batch for batch in batches if batch.id.startswith(prefix) or batch.id[6:].startswith(prefix)]
    if len(fitting) != 1:
        what = "several batches begin" if fitting else "no batch begins"
        raise UsageError(f"{what} with {prefix[:40]!r}", hint=hint)
    return fitting[0]


def open_for(output: Path) -> Submitted | None:
    """A batch under way whose results go to *output*."""
    where = str(output.resolve())
    return next((batch for batch in all_batches() if batch.open and batch.output == where), None)
