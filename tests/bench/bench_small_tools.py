"""How often a small model gets a tool right: fifty tasks over five tools, and fifty questions that need none.

    python -m tests.bench.bench_small_tools [--model FILE.gguf] [--only TOOL|none|rough] [--show]

A task is done when the right tool was called, once, with the right arguments where they matter, and the answer says
the value. With no model of half a billion parameters here (`python -m tests.fetch_small_model`) the built-in one
is asked, which is told of no tools. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from coda_cli.engine.accumulate import Accumulator
from coda_cli.engine.core.config import FunctionCallingConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.events import Event
from coda_cli.engine.core.messages import LLMMessage, MessageRole, Part, ToolCallPart, ToolResultPart, user
from coda_cli.engine.core.ports import Provider, ProviderRequest, ToolRound, ToolSpec
from coda_cli.engine.providers.local import llama_server
from coda_cli.engine.providers.local.provider import LocalProvider
from coda_cli.engine.request import build
from coda_cli.engine.tools.fitting import fitted
from coda_cli.engine.tools.manager import ToolManager
from tests.bench.small_tool_tasks import FILES, NO_TOOL, ROUGH, TASKS, Task
from tests.weights import SMALL, smollm2_path, weights_home

TOOLS: Final = ("calculator", "get_time", "list_files", "random_number", "read_file")
NONE: Final = "none"
_NUMBER: Final = re.compile(r"\d+(?::\d+)?")


@dataclass(slots=True)
class Said:
    """What came of one question."""

    calls: list[ToolCallPart] = field(default_factory=list)
    results: list[ToolResultPart] = field(default_factory=list)
    text: str = ""
    seconds: float = 0.0


class Asker:
    """One model with five tools in a folder of its own."""

    def __init__(self, provider: Provider, model: str, specs: Sequence[ToolSpec], manager: ToolManager) -> None:
        self._provider, self._model, self._specs, self._manager = provider, model, specs, manager

    async def ask(self, question: str, **options: int) -> Said:
        """The answer to *question*, through as many rounds as it takes, three at most."""
        said, messages, started = Said(), [user(question)], time.perf_counter()
        for _ in range(3):
            answer = await self._once(messages, options)
            said.text += answer.text
            calls = answer.tool_calls()
            if not calls:
                break
            said.calls += calls
            results = await self._run(calls)
            said.results += results
            told: list[Part] = list(results)
            messages += [
                LLMMessage(role=MessageRole.ASSISTANT, parts=answer.parts()),
                LLMMessage(role=MessageRole.TOOL, parts=told),
            ]
        said.seconds = time.perf_counter() - started
        return said

    async def _once(self, messages: Sequence[LLMMessage], options: Mapping[str, int]) -> Accumulator:
        profile = self._provider.profile(self._model)
        config = self._provider.config
        request, _ = build(config, profile, self._model, messages, system_prompt=None, options=options, schema=None)
        asked = ProviderRequest(request.model, request.messages, request.options, tools=self._specs)
        answer = Accumulator("local")
        async with aclosing(self._provider.stream(asked)) as events:
            async for event in events:
                answer.add(event)
        return answer

    async def _run(self, calls: Sequence[ToolCallPart]) -> list[ToolResultPart]:
        turn = ToolRound("bench", FunctionCallingConfig(), _tell, None, 25, only=TOOLS)
        found = {result.id: result async for result in self._manager.run(calls, turn)}
        return [found[call.id] for call in calls]


def _tell(event: type[Event], **fields: object) -> None:
    pass


def done(task: Task, said: Said) -> str:
    """Why *task* is not done; "" if it is."""
    if not said.calls:
        return "no call"
    if [call.name for call in said.calls] != [task.tool]:
        return "called " + ", ".join(call.name for call in said.calls)
    arguments = json.loads(said.calls[0].arguments)
    if any(arguments.get(name) != value for name, value in task.arguments):
        return f"arguments {said.calls[0].arguments}"
    if said.results[0].is_error:
        return f"failed: {said.results[0].text[:80]}"
    for value in task.values:
        wanted = value or _NUMBER.findall(said.results[0].text)[0]
        if wanted.lower() not in said.text.replace(",", "").lower():
            return f"the answer lacks {wanted}"
    return ""


async def measure(asker: Asker, only: str, show: bool) -> None:
    """Ask everything, and print the table."""
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    seconds: list[float] = []
    for task in ROUGH if only == "rough" else TASKS:
        if only not in ("", "rough", task.tool):
            continue
        said = await asker.ask(task.question)
        why = done(task, said)
        asked[task.tool] += 1
        right[task.tool] += not why
        seconds.append(said.seconds)
        if show or why:
            print(f"{'not done' if why else 'done':8}  {task.question!r}: {f'{why}: ' if why else ''}{said.text!r}")
    over = []
    if only in ("", NONE):
        for question in NO_TOOL:
            said = await asker.ask(question, max_tokens=4)  # what it says does not matter, only what it calls
            if said.calls:
                over.append(question)
                print(f"over      {question!r}: {', '.join(f'{c.name} {c.arguments}' for c in said.calls)}")
    print(f"\n{'tool':16}{'done':>6}{'of':>5}")
    for tool in sorted(asked):
        print(f"{tool:16}{right[tool]:>6}{asked[tool]:>5}")
    if asked:
        print(f"{'all':16}{right.total():>6}{asked.total():>5}")
    if only in ("", NONE):
        print(f"{'over-called':16}{len(over):>6}{len(NO_TOOL):>5}")
    if seconds:
        print(f"\nmedian {sorted(seconds)[len(seconds) // 2]:.1f} s a task")


def lay(folder: Path) -> None:
    """Write the files that the tasks are about."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


async def run(model: Path, only: str, show: bool) -> int:
    """Measure *model*, or say why it gets no tools."""
    provider = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(model), extra_params={"n_ctx": 4096}))
    with tempfile.TemporaryDirectory() as folder:
        lay(Path(folder))
        manager = ToolManager(folder=Path(folder))
        specs = manager.specs(FunctionCallingConfig(), TOOLS)
        fit = fitted(provider, str(model), specs)
        print(f"{model.name}, {len(specs)} tools")
        if isinstance(fit, str):
            print(f"tools are off: {fit}")
            return 0
        await measure(Asker(fit, str(model), specs, manager), only, show)
    return 0


def main() -> int:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a GGUF file")
    parser.add_argument(
        "--only", default="", choices=("", NONE, "rough", *TOOLS), help="tasks of one tool, of none; rough ones"
    )
    parser.add_argument("--show", action="store_true", help="print every answer")
    given = parser.parse_args()
    small = weights_home() / SMALL
    model = given.model or (small if small.is_file() else smollm2_path())
    try:
        return asyncio.run(run(model, given.only, given.show))
    finally:
        llama_server.close_all()


if __name__ == "__main__":
    sys.exit(main())
