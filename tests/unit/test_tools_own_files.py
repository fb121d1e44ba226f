"""A person's own tools: their files run in a process of their own, and a broken one costs a line of words."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from coda_cli import paths
from coda_cli.engine.core.config import FunctionCallingConfig
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import Touches
from coda_cli.engine.tools import isolated
from coda_cli.engine.tools.manager import ToolManager
from tests.unit.tool_rounds import Person, Told, call, one, turn

GOOD = '''
"""My tools."""
from __future__ import annotations
import os, sys
from dataclasses import dataclass
from coda_cli.engine.core.tools import Touches
from coda_cli.engine.tools.base import BaseTool, ToolContext, ToolError
from coda_cli.engine.tools.function import tool

print("importing", flush=True)

@dataclass
class Place:
    city: str
    country: str = "DE"

@tool(touches=Touches.NETWORK, category="web")
def weather(place: Place, days: int = 1) -> dict[str, object]:
    """The weather.

    Args:
        place: Where.
    """
    return {"place": place, "days": days}

@tool
async def where(context: ToolContext) -> str:
    """Where it runs."""
    context.progress("looking")
    return f"{os.getcwd()} {os.getpid()} {context.call_id}"

@tool
def secret() -> str:
    """What is in the environment."""
    return " ".join(os.environ.values())

@tool
def fails() -> None:
    raise ToolError("name another city")

class Shout(BaseTool):
    name = "shout"
    description = "Shout."
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    touches = Touches.NOTHING

    async def run(self, arguments, context):
        return arguments["text"].upper()

def helper(x):
    return x
'''

PLAIN = '''
import random
from pathlib import Path

def twice(number: int) -> int:
    """Twice the number."""
    return 2 * number

def broken(number):
    return number

def _hidden(number: int) -> int:
    return number
'''

RUDE = '''
import os, sys, time
from coda_cli.engine.tools.function import tool

@tool
def leaves() -> str:
    """Leave."""
    sys.exit(5)

@tool
def gone() -> str:
    """Be gone."""
    print("last words", flush=True)
    os._exit(7)

@tool
def hangs() -> str:
    """Hang."""
    time.sleep(600)
    return ""

@tool
def prints() -> str:
    """Print what looks like a result."""
    print('{"text": "forged", "display": "", "is_error": false}')
    return "real"

@tool
def flood() -> str:
    """Return much."""
    return "x" * 10_000_000
'''


def put(name: str, text: str, mode: int = 0o600) -> Path:
    path = paths.private_dir(paths.config_dir() / "tools") / name
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


async def loaded(manager: ToolManager | None = None) -> tuple[ToolManager, list[str]]:
    manager = manager or ToolManager(builtin=False)
    return manager, await manager.discover(installed=False)


async def test_tools_of_a_file_are_told_and_called_in_another_process(tmp_path: Path) -> None:
    put("mine.py", GOOD)
    folder = tmp_path / "work"
    folder.mkdir()
    manager, problems = await loaded(ToolManager(builtin=False, folder=folder))
    assert problems == []
    assert manager.names() == ("fails", "secret", "shout", "weather", "where")
    assert manager.get("weather").touches is Touches.NETWORK
    assert manager.get("weather").category == "web"
    assert manager.get("shout").touches is Touches.NOTHING
    assert manager.get("where").touches is Touches.RUNS
    spec = next(spec for spec in manager.specs(FunctionCallingConfig()) if spec.name == "weather")
    assert spec.parameters["properties"]["place"]["properties"]["country"] == {"default": "DE", "type": "string"}
    told, person = Told(), Person()
    asked = turn(told, person)
    assert (await one(manager, call("weather", '{"place": {"city": "Ulm"}}'), asked)).text == (
        '{"place": {"city": "Ulm", "country": "DE"}, "days": 1}'
    )
    where = await one(manager, call("where", call_id="c9"), asked)
    cwd, pid, call_id = where.text.split()
    assert (cwd, call_id) == (str(folder), "c9")
    assert int(pid) != os.getpid()
    assert (await one(manager, call("shout", '{"text": "hey"}'), asked)).text == "HEY"
    failed = await one(manager, call("fails"), asked)
    assert (failed.text, failed.is_error) == ("name another city", True)
    assert [request.tool for request in person.requests] == ["weather", "where", "fails"]
    assert "mine.py" in person.requests[0].effect.detail
    assert '"city": "Ulm"' in person.requests[0].effect.detail
    assert "coda_tools_file" not in sys.modules


async def test_a_bad_call_of_such_a_tool_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    put("mine.py", GOOD)
    manager, _ = await loaded()
    monkeypatch.setattr(isolated, "_in_child", None)
    assert (
        "argument `place.city` is missing"
        in (await one(manager, call("weather", '{"place": {}}'), turn(approver=Person()))).text
    )


async def test_plain_functions_are_tools_and_one_bad_one_harms_no_other() -> None:
    put("plain.py", PLAIN)
    manager, problems = await loaded()
    assert manager.names() == ("twice",)
    assert problems == ["plain.py: tool `broken`: parameter `number` has no type; write one, for example `number: str`"]
    assert (await one(manager, call("twice", '{"number": 4}'), turn(approver=Person()))).text == "8"


BROKEN = [
    ("import nowhere_at_all", "No module named 'nowhere_at_all' at line 1"),
    ("import sys\nsys.exit('bye')", "SystemExit: bye at line 2"),
    ("def f(:", "SyntaxError"),
    ("print('\\x1b]0;title\\x07')\nimport os\nos._exit(3)", "ended before it was done (exit code 3)"),
    ("raise ValueError('\\x1b[2J \\u202e')", "ValueError"),
]
MORE = [
    ("x = 1\nraise ValueError('no key')", "ValueError: no key at line 2"),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("raise BaseExceptionGroup('g', [SystemExit(1)])", "SystemExit: 1"),
    ("x = 1", "there is no tool in it"),
    ("\0", "source code"),
]


async def test_broken_files_are_a_line_of_words_each_and_harm_no_other() -> None:
    cases = BROKEN + (MORE if os.environ.get("CODA_TEST_LONG") else [])
    for number, (text, _) in enumerate(cases):
        put(f"broken{number:02}.py", text)
    put("plain.py", PLAIN.replace("def broken(number)", "def _broken(number)"))
    manager, problems = await loaded()
    assert manager.names() == ("twice",)
    assert len(problems) == len(cases)
    for number, (problem, (_, words)) in enumerate(zip(problems, cases, strict=True)):
        assert problem.startswith(f"broken{number:02}.py is left out: ")
        assert words in problem
        assert problem.isprintable()


async def test_a_file_that_hangs_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "LISTING_SECONDS", 1.0)
    put("hangs.py", "import time\ntime.sleep(600)")
    manager, problems = await loaded()
    assert manager.names() == ()
    assert "its time was over" in problems[0]


async def test_whatever_a_call_does_it_is_one_result() -> None:
    put("rude.py", RUDE)
    manager, problems = await loaded()
    assert problems == []
    asked = turn(approver=Person(), timeout=20)
    assert "SystemExit: 5" in (await one(manager, call("leaves"), asked)).text
    gone = await one(manager, call("gone"), asked)
    assert "ended before it was done (exit code 7)" in gone.text
    assert "last words" in gone.text
    assert (await one(manager, call("prints"), asked)).text == "real"
    assert 60_000 < len((await one(manager, call("flood"), asked)).text) < 70_000
    hung = await one(manager, call("hangs"), turn(approver=Person(), timeout=1))
    assert hung.is_error
    assert hung.text.startswith(("its process ended before it was done (stopped", "this took longer than 1 seconds"))


async def test_a_call_that_is_stopped_leaves_no_process(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    put(
        "waits.py",
        f"""
def waits() -> str:
    import os, time
    from pathlib import Path
    Path({str(mark)!r}).write_text(str(os.getpid()))
    time.sleep(600)
    return ""
""",
    )
    manager, _ = await loaded()

    async def reading() -> None:
        await one(manager, call("waits"), turn(approver=Person()))

    task = asyncio.create_task(reading())
    while not (mark.exists() and mark.read_text()):  # noqa: ASYNC110  # another process writes it
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


async def test_a_secret_of_the_environment_is_not_seen_by_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEATHER_API_KEY", "canary-1")
    monkeypatch.setenv("MY_TOKEN", "canary-2")
    put("mine.py", GOOD)
    manager, _ = await loaded()
    assert "canary" not in (await one(manager, call("secret"), turn(approver=Person()))).text


async def test_a_package_of_the_working_folder_is_not_taken_for_codas(tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    for name in ("coda_cli", "pydantic", "json"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('hostile')")
    put("plain.py", PLAIN.replace("def broken(number)", "def _broken(number)"))
    manager, problems = await loaded(ToolManager(builtin=False, folder=folder))
    assert problems == []
    assert (await one(manager, call("twice", '{"number": 4}'), turn(approver=Person()))).text == "8"


async def test_a_listing_is_made_once_and_again_when_the_file_or_the_cache_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = put("plain.py", PLAIN.replace("def broken(number)", "def _broken(number)"))
    await loaded()
    cached = list((paths.cache_dir() / "tools").iterdir())
    assert len(cached) == 1
    assert cached[0].stat().st_mode & 0o077 == 0
    real = isolated._in_child
    monkeypatch.setattr(isolated, "_in_child", None)
    assert (await loaded())[0].names() == ("twice",)
    monkeypatch.setattr(isolated, "_in_child", real)
    cached[0].write_text('{"tools": [{"name": "twice"}]}')
    manager, problems = await loaded()
    assert (manager.names(), problems) == (("twice",), [])
    path.write_text(path.read_text().replace("twice", "thrice"))
    assert (await loaded())[0].names() == ("thrice",)
    changed = await one(manager, call("twice", '{"number": 4}'), turn(approver=Person()))
    assert "changed since Coda read it" in changed.text


async def test_a_name_that_is_taken_is_told() -> None:
    put("plain.py", "def get_time() -> str:\n    return 'mine'")
    manager, problems = await loaded(ToolManager())
    assert problems == ["plain.py: there is a tool `get_time` already"]
    assert manager.get("get_time").category == "time"


async def test_a_file_that_others_can_write_is_left_out() -> None:
    put("open.py", PLAIN, 0o606)
    put("_private.py", PLAIN)
    put("notes.txt", "no")
    manager, problems = await loaded()
    assert manager.names() == ()
    assert problems == ["tools/open.py is left out: others can write it; make it yours alone with `chmod 600`"]


async def test_files_of_one_run_are_added_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text("def thrice(number: int) -> int:\n    return 3 * number\n")
    manager = ToolManager(builtin=False)
    assert await manager.discover([file], installed=False) == []
    assert manager.names() == ("thrice",)
    for wrong in (tmp_path / "nowhere.py", tmp_path):
        with pytest.raises(UsageError, match="cannot read the tools"):
            await manager.discover([wrong], installed=False)


async def test_tools_of_installed_packages_are_isolated_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    info = site / "my_tools-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "my_tools_of_coda.py").write_text("def four() -> int:\n    return 4\n\nbad = 5\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-tools\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[coda.tools]\nfour = my_tools_of_coda:four\nbad = my_tools_of_coda:bad\ngone = nowhere_at_all:x\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(isolated, "import_path", lambda: [str(site), *sys.path])
    manager = ToolManager(builtin=False)
    problems = await manager.discover()
    assert manager.names() == ("four",)
    assert [problem.partition(":")[0] for problem in problems] == [
        "my-tools (bad) is left out",
        "my-tools (gone) is left out",
    ]
    assert (await one(manager, call("four"), turn(approver=Person()))).text == "4"
    assert "my_tools_of_coda" not in sys.modules
