"""docs/library.md and docs/events.md: their blocks run, in order, and print what they say; every name is documented."""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import re
import runpy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest

import coda_cli
from coda_cli import LLMManager
from coda_cli.engine.core.event_schema import event_kinds
from tests.seed_blocks import AfterStatement, Block, assigned, blocks, run_block
from tests.servers.errors import error_reply
from tests.servers.script import Call, Stop, Used, say
from tests.servers.vendors import FakeVendor
from tests.servers.wire import stream_reply

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "library.md").read_text("utf-8")
BLOCKS = blocks(PAGE)
ANSWER = "Hello there, friend."

UNFINISHED = stream_reply("openai", say("It was a dark and stormy night."))

Vendors = dict[str, FakeVendor]


def _tools(vendors: Vendors) -> None:
    calls = [Call("c1", "forecast", ['{"city": "Bern"}']), Call("c2", "calculator", ['{"expression": "2+2"}'])]
    vendors["openai"].queue([*calls, Stop("tool_calls"), Used(9, 9)], [*say("No rain, and 4."), Used(9, 9)])


# What a stand-in says to a block, by a piece of the block's text.
BEFORE: dict[str, Callable[[Vendors], None]] = {
    "Tell me a story": lambda v: v["openai"].queue([*say("Once upon a time."), Used(3, 4)]),
    "Tell me a long story": lambda v: v["openai"].queue(UNFINISHED.but(body=UNFINISHED.body[:3], end="hang")),
    "chart.png": lambda v: v["openai"].queue([*say('{"highest": 42}'), Used(3, 4)]),
    "Will it rain": _tools,
    "fallback = [": lambda v: v["openai"].queue(error_reply("openai", "unavailable")),
    "LLMAuthenticationError, LLMError": lambda v: v["openai"].queue(error_reply("openai", "unauthorized")),
}
# What a block prints, by its heading and its number below that.
PRINTS: dict[tuple[str, int], str] = {
    ("Quick start", 0): rf"{ANSWER}\nopenai 15 (None|0\.\d+)\n",
    ("Without asyncio", 0): rf"{ANSWER}\n",
    ("Streaming", 0): r"Once upon a time\.",
    ("Streaming", 1): r"interrupted\n",
    ("Several providers", 0): r"anthropic\n",
    ("Several providers", 1): r"42\n",
    ("Conversations", 1): r"(?s:.*)Which colour has the sky\?(?s:.*)user True\n4\n",
    ("Tools", 1): r'No rain, and 4\.\nforecast \{"city": "Bern"\}\ncalculator \{"expression": "2\+2"\}\n',
    ("Memory", 0): r"preference .*detailed explanations\n",
    ("Personality", 0): r"\['verbosity'\]\n",
    ("Events", 0): rf"{ANSWER}\ncomplete\n",
    ("Events", 1): r"response_start\nresponse_complete\n",
    ("WebSocket", 1): r"conversation_created\nresponse_start\n(response_chunk\n)+response_complete\n",
    ("Analytics", 0): r"Total conversations: \d+\nTotal tokens: \d+\nTotal cost: \$\d+\.\d{4}\n"
    r"(\w+: \d+ requests, \d+ tokens\n)+True claude-sonnet-5-5 \d+\n",
    ("Budgets", 0): r"refused: .*budget.*\n",
    ("Caching", 0): r"True 0\.0\n",
    ("Fallback", 0): r"anthropic\n",
    ("Errors and retry", 0): r"Invalid API key\n",
    ("Custom providers", 0): r"HELLO\n",
    ("Post-processing", 0): r"Good day there, friend\.\n",
}


def place(block: Block) -> tuple[str, int]:
    return block.heading, block.number - min(one.number for one in BLOCKS if one.heading == block.heading)


@pytest.fixture
async def vendors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vendors]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chart.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    monkeypatch.setattr(builtins, "input", lambda _: "y")
    async with AsyncExitStack() as stack:
        made = {
            "openai": await stack.enter_async_context(FakeVendor("openai")),
            "anthropic": await stack.enter_async_context(FakeVendor("anthropic")),
            "ollama": await stack.enter_async_context(FakeVendor("ollama")),
        }
        monkeypatch.setenv("OPENAI_BASE_URL", f"{made['openai'].url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "openai-key")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", made["anthropic"].url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "anthropic-key")
        monkeypatch.setenv("OLLAMA_HOST", made["ollama"].url)
        yield made


async def run(block: Block, names: dict[str, Any], after: AfterStatement) -> str:
    """What *block* prints; one that waits for itself runs where no event loop does."""
    if "coda_cli.ask(" not in block.code:
        return (await run_block(block, names, after))[0]
    printed = StringIO()

    def script() -> None:
        with redirect_stdout(printed):
            exec(block.code, names)

    await asyncio.to_thread(script)
    return printed.getvalue()


async def test_the_blocks_run_in_order_and_print_what_they_say(vendors: Vendors) -> None:
    names: dict[str, Any] = {}
    wrong: dict[tuple[str, int], str] = {}
    made: list[LLMManager] = []

    async def after(statement: ast.stmt, names: dict[str, Any]) -> None:
        if assigned(statement) == "llm_manager":
            made.append(names["llm_manager"])

    for block in BLOCKS:
        for text, prepare in BEFORE.items():
            if text in block.code:
                prepare(vendors)
        printed = await run(block, names, after)
        if not re.fullmatch(PRINTS.get(place(block), ""), printed):
            wrong[place(block)] = printed
    for manager in made:
        await manager.aclose()
    assert wrong == {}
    assert PRINTS.keys() <= {place(block) for block in BLOCKS}


async def test_the_block_of_the_page_of_events_runs(vendors: Vendors, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks((DOCS / "events.md").read_text("utf-8"))
    space: dict[str, Any] = {}
    exec(block.code.replace("asyncio.run(main())", ""), space)
    await space["main"]()
    assert re.fullmatch(rf"{ANSWER}\n15 tokens, \d+\.\d s\n", capsys.readouterr().out)


# ---- the names ------------------------------------------------------------------------------------------------


def names() -> Iterator[tuple[str, Any]]:
    return ((name, getattr(coda_cli, name)) for name in coda_cli.__all__)


def test_the_table_of_names_is_what_the_names_say_of_themselves() -> None:
    written = cast("Callable[[str], str]", runpy.run_path(str(DOCS / "names.py"))["written"])
    assert written(PAGE) == PAGE, "run python docs/names.py"


@pytest.mark.parametrize("name", coda_cli.__all__)
def test_a_name_is_documented_where_it_is_made_and_on_the_page(name: str) -> None:
    about = cast("Callable[[str], str]", runpy.run_path(str(DOCS / "names.py"))["about"])
    assert f"| `{name}` |" in PAGE
    said = about(name)
    assert len(said) > 10
    assert not said.startswith(f"{name}("), "a dataclass's own signature says nothing"


def test_every_event_is_exported_by_its_name() -> None:
    assert {kind.__name__ for kind in event_kinds()} <= set(coda_cli.__all__)


def test_every_error_that_a_provider_can_raise_is_exported() -> None:
    from coda_cli.engine.core import errors

    defined = {name for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.CodaError)}
    assert defined <= set(coda_cli.__all__)


def test_what_is_private_of_the_package_is_not_exported_by_accident() -> None:
    public = {name for name in dir(coda_cli) if not name.startswith("_")}
    own = {"annotations", "import_module", "Final", "TYPE_CHECKING"}
    packages = {path.stem for path in Path(coda_cli.__file__).parent.iterdir()}
    assert public - own - packages == set(coda_cli.__all__)
