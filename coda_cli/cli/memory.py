"""`coda memory`: what is remembered, where it comes from, and taking it back. Everything is in one file to be read."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from coda_cli import paths
from coda_cli.cli.loop import run_async
from coda_cli.cli.output import EXIT_FAILURE, put_json, say, style, warn
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.prompts import Noticed
from coda_cli.engine.memory.manager import MemoryManager
from coda_cli.engine.memory.record import KINDS, Kind, Memory, from_json, to_json
from coda_cli.engine.rendering.sanitize import sanitize

app: Final = typer.Typer(
    help="What is remembered from one chat to the next: list, search, add, edit, forget.",
    epilog='Example: coda memory search "the parser"',
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The memory's id, or its beginning.")]
Words = Annotated[list[str], typer.Argument(metavar="TEXT", help="The text.")]
_T = TypeVar("_T")
_BY_HAND: Final = tuple(one for one in KINDS if one != "gist")
_TOLD: Final = 5
"""So many lines that cannot be read are told one by one; more of them are another file."""


def _done(memory: MemoryManager, work: Coroutine[Any, Any, _T]) -> _T:
    try:
        return run_async(work)
    finally:
        for problem in memory.problems:
            warn(problem)
        memory.close()


def _kind(name: str | None) -> Kind | None:
    known = next((one for one in KINDS if one == name), None)
    if name is not None and known is None:
        raise UsageError(f"there is no kind {name!r}", hint=f"choose one of: {', '.join(KINDS)}")
    return known


def _line(memory: Memory) -> str:
    ended = "" if memory.holds else f"  (ended {memory.ended_at[:10]})"
    text = sanitize(f"{memory.id}  {memory.kind:<10}  {memory.created[:10]:<10}  {memory.text}")
    return text + style(sanitize(ended + _chat(memory.kind, memory.source)), "2", sys.stdout)


def _chat(kind: str, source: str) -> str:
    """The way to the lines that a gist is of."""
    from coda_cli.cli.history_common import short_id

    chat = source.partition("#")[0] if kind == "gist" else ""
    return f"  (coda history show {short_id(chat)})" if chat else ""


def _tell(noticed: Noticed, *, json: bool) -> None:
    if json:
        put_json({"action": noticed.action, "id": noticed.memory_id, "kind": noticed.kind, "text": noticed.text})
    else:
        say(f"{noticed.action}: {noticed.text}" + (f" ({noticed.memory_id})" if noticed.memory_id else ""))
    if noticed.action == "refused":
        raise typer.Exit(EXIT_FAILURE)


@app.command("list", epilog="Example: coda memory list --kind preference")
def list_(
    kind: Annotated[str | None, typer.Option("--kind", "-k", help=f"One of: {', '.join(KINDS)}.")] = None,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Also what no longer holds.")] = False,
    json: Json = False,
) -> None:
    """List the memories, the newest first."""
    memory = MemoryManager()
    found = _done(memory, memory.list(_kind(kind), ended=all_))
    if json:
        put_json([to_json(one) for one in found])
        return
    for one in found:
        print(_line(one))
    if not found:
        say('nothing is remembered; say "remember that ..." in a chat, or `coda memory add TEXT`')


@app.command(epilog='Example: coda memory search "what did we decide about the parser last week"')
def search(
    query: Words, limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 20, json: Json = False
) -> None:
    """Find memories, as an answer would."""
    memory = MemoryManager()
    found = _done(memory, memory.search(" ".join(query), limit, folder=Path.cwd()))
    if json:
        rows = [
            {"id": one.id, "kind": one.kind, "day": one.day, "text": one.text, "source": one.source} for one in found
        ]
        put_json(rows)
        return
    for one in found:
        text = sanitize(f"{one.id}  {one.kind:<10}  {one.day:<10}  {one.text}")
        print(text + style(sanitize(_chat(one.kind, one.source)), "2", sys.stdout))
    if not found:
        say("nothing that is remembered speaks of that")


@app.command(epilog="Example: coda memory proposals --json")
def proposals(json: Json = False) -> None:
    """List what models have proposed to remember. Nothing of it counts before you say so."""
    memory = MemoryManager()
    found = _done(memory, memory.proposals())
    if json:
        put_json([to_json(one) for one in found])
        return
    for one in found:
        print(_line(one))
    if not found:
        say("nothing is proposed; `propose_memories = true` in coda.toml has models do it, so does /memory propose")


@app.command(epilog="Example: coda memory review --keep m3f9")
def review(
    keep: Annotated[list[str] | None, typer.Option("--keep", metavar="ID", help="Remember this one.")] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", metavar="ID", help="Do not remember this one.")] = None,
    json: Json = False,
) -> None:
    """Decide about what was proposed: each in turn, or those that are named."""
    memory = MemoryManager()
    chosen = [(one, True) for one in keep or ()] + [(one, False) for one in drop or ()]
    if not chosen:
        if not sys.stdin.isatty():
            raise UsageError("there is nobody to ask", hint="`coda memory proposals` lists them; give --keep or --drop")
        chosen = list(_asked_about(_done(memory, memory.proposals())))
    rows: list[dict[str, object]] = []
    for identifier, wanted in chosen:
        done = _done(memory, memory.decide(identifier, keep=wanted))
        rows.append({"id": identifier, "action": "dropped" if done is None else done.action})
        if not json:
            say("dropped" if done is None else f"{done.action}: {done.text}")
    if json:
        put_json(rows)


def _asked_about(found: list[Memory]) -> Iterator[tuple[str, bool]]:
    for one in found:
        sys.stderr.write(sanitize(f"{one.kind}: {one.text}\nRemember it? [y/n, Enter for later] "))
        sys.stderr.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer in ("y", "yes", "n", "no"):
            yield one.id, answer.startswith("y")
    if not found:
        say("nothing is proposed")


@app.command(epilog="Example: coda memory show m3f9")
def show(memory_id: Id, json: Json = False) -> None:
    """Show one memory with all that is known of it."""
    memory = MemoryManager()
    found = _done(memory, memory.get(memory_id))
    if json:
        put_json(to_json(found))
        return
    for key, value in to_json(found).items():
        print(sanitize(f"{key}: {value}".replace("\n", " ")))


@app.command(epilog='Example: coda memory add "I prefer metric units"')
def add(
    text: Words,
    kind: Annotated[
        str | None,
        typer.Option("--kind", "-k", help="fact, preference, or note (of this folder); by default what the text says."),
    ] = None,
    json: Json = False,
) -> None:
    """Remember something. What it contradicts ends; a key or a password is refused."""
    from coda_cli.chat.commands_memory import kind_of

    if kind is not None and kind not in _BY_HAND:
        raise UsageError(f"{kind!r} is no kind to add", hint=f"choose one of: {', '.join(_BY_HAND)}")
    said = " ".join(text)
    known = _kind(kind) or kind_of(said)
    memory = MemoryManager()
    folder = Path.cwd() if known == "note" else None
    _tell(_done(memory, memory.add(said, known, folder=folder)), json=json)


@app.command(epilog='Example: coda memory edit m3f9 "I live in Berlin"')
def edit(
    memory_id: Id,
    text: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="The new text; without it, in $EDITOR.")
    ] = None,
    json: Json = False,
) -> None:
    """Give a memory another text."""
    memory = MemoryManager()
    new = " ".join(text) if text else _edited(_done(memory, memory.get(memory_id)).text)
    _tell(_done(memory, memory.edit(memory_id, new)), json=json)


def _edited(text: str) -> str:
    import tempfile

    from coda_cli.chat.editor import run_editor

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "memory.txt"
        paths.replace_private(file, text.encode())
        run_editor(file)
        return file.read_text("utf-8", "replace").strip() or text


@app.command(epilog="Example: coda memory forget m3f9")
def forget(
    memory_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The memory's id, or its beginning.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is remembered.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Take a memory, or with --all every one, out of the file for good."""
    memory = MemoryManager()
    if memory_id is not None and not everything:
        _tell(_done(memory, memory.forget(memory_id)), json=json)
        return
    if memory_id is not None or not everything:
        raise UsageError("forget takes one memory or all of them", hint="give an id, or --all")
    if not yes and not _sure("Forget everything that is remembered, for good? [y/N] "):
        raise typer.Exit(EXIT_FAILURE)
    count = _done(memory, memory.forget_all())
    if json:
        put_json({"action": "forgotten", "count": count})
    else:
        say(f"forgotten: {_memories(count)}")


def _sure(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask", hint="give --yes")
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@app.command(epilog="Example: coda memory revive m3f9")
def revive(memory_id: Id, json: Json = False) -> None:
    """Let a memory that has ended hold again; what it contradicts ends."""
    memory = MemoryManager()
    _tell(_done(memory, memory.revive(memory_id)), json=json)


@app.command(epilog="Example: coda memory why m3f9")
def why(memory_id: Id, json: Json = False) -> None:
    """Where a memory comes from, and which answers were given it."""
    memory = MemoryManager()
    found, answers = _done(memory, memory.why(memory_id))
    if json:
        rows = [{"time": one.time, "conversation": one.conversation, "message": one.message} for one in answers]
        put_json({"memory": to_json(found), "answers": rows})
        return
    print(sanitize(found.text))
    said = f"in the conversation {found.source}" if found.source else "by hand"
    print(sanitize(f"told {found.created[:10]} {said}"))
    if not found.holds:
        print(sanitize(f"ended {found.ended_at[:10]} by {found.ended_by}"))
    if found.kind == "preference" and found.holds:
        print("a preference: every answer is given it")
    for one in answers:
        print(sanitize(f"given {one.time}  {one.conversation or '(not kept)'}  {one.message}".rstrip()))
    if not answers and found.kind != "preference":
        print("no answer was given it yet")


@app.command(epilog="Example: coda memory export --output memories.jsonl")
def export(output: Annotated[Path | None, typer.Option("--output", "-o", help="The file.")] = None) -> None:
    """Write every memory, one JSON object a line."""
    memory = MemoryManager()
    lines = [jsonlib.dumps(to_json(one), ensure_ascii=False) for one in _done(memory, memory.list(ended=True))]
    text = "".join(f"{line}\n" for line in lines)
    if output is None or str(output) == "-":
        sys.stdout.write(sanitize(text) if sys.stdout.isatty() else text)
        return
    if not output.parent.is_dir():
        hint = f"`mkdir -p '{output.parent}'`, or name a file in another folder"
        raise UsageError(f"there is no folder {output.parent}", hint=hint)
    try:
        paths.replace_private(output, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}", hint="name another file") from error
    say(f"written to {output}: {_memories(len(lines))}")


@app.command("import", epilog="Example: coda memory import memories.jsonl")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export; `-` reads stdin.")], json: Json = False
) -> None:
    """Take in an export. What is there already, and what holds a secret, is left out."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", hint="name another file") from error
    found = _read(text)
    memory = MemoryManager()
    new = _done(memory, memory.take_in(found))
    if json:
        put_json({"read": len(found), "new": new})
    else:
        lines = sum(1 for line in text.split("\n") if line.strip())
        say(f"{_memories(new)} taken in, {lines - new:,} left out")


def _read(text: str) -> list[Memory]:
    """The memories in *text*, one a line; what is none is told."""
    found: list[Memory] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(from_json(jsonlib.loads(line)))
        except (ValueError, RecursionError) as error:
            problems.append(f"line {number} is left out: {str(error)[:100]}")
    for problem in problems[:_TOLD]:
        warn(problem)
    if len(problems) > _TOLD:
        warn(f"{len(problems):,} lines are left out in all: is this what `coda memory export` has written?")
    return found


def _memories(number: int) -> str:
    return "1 memory" if number == 1 else f"{number:,} memories"
