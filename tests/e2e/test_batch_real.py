"""`coda batch` against a real server with parallel slots: llama.cpp's, with a real model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.program import GUARD, Program, read_until
from tests.e2e.test_real_server import SERVER, SYSTEM
from tests.weights import smollm2_path

SLOTS: Final = 4
COUNTRIES: Final = (
    "France",
    "Italy",
    "Spain",
    "Germany",
    "Japan",
    "Russia",
    "Egypt",
    "Greece",
    "Poland",
    "Ireland",
    "Norway",
    "Portugal",
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server with several slots; it ends with the module, by its pid."""
    source = SERVER.replace("p.n_parallel = 1", f"p.n_parallel = {SLOTS}\np.cont_batching = True")
    assert source != SERVER
    child = subprocess.Popen(
        [sys.executable, "-c", source, str(smollm2_path())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    try:
        yield str(json.loads(read_until(child.stdout, b"\n")))
    finally:
        child.kill()
        child.communicate(timeout=GUARD)


def test_a_batch_over_parallel_slots_gives_every_answer_in_its_place(tmp_path: Path, server: str) -> None:
    program = Program(tmp_path)
    program.config(
        f'default_provider = "cluster"\n[providers.cluster]\ntype = "openai"\napi_base = "{server}/v1"\n'
        f'model = "smollm2"\ntemperature = 0.0\nmax_tokens = 24\ntimeout = 300.0\n'
    )
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text(
        "".join(json.dumps({"id": one, "prompt": f"What is the capital of {one}?"}) + "\n" for one in COUNTRIES)
    )
    out = tmp_path / "out.jsonl"
    ran = program.run(
        "batch", str(prompts), "-s", SYSTEM, "--concurrency", str(SLOTS), "--output", str(out), "--json", guard=300.0
    )
    assert ran.code == 0, ran.error
    found = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [record["id"] for record in found] == list(COUNTRIES)
    assert all(record["status"] == "complete" and record["text"].strip() for record in found)
    assert "Paris" in found[0]["text"]
    # each answer is the one to its own question
    assert sum(record["id"] in record["text"] for record in found) >= len(found) - 2
    assert ran.json["usage"]["output_tokens"] == sum(record["usage"]["output_tokens"] for record in found)
    piped = program.run("batch", str(prompts), "-s", SYSTEM, "--concurrency", str(SLOTS), guard=300.0)
    assert [record["id"] for record in piped.lines] == list(COUNTRIES)
