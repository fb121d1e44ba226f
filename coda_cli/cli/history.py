"""`coda history`: what was said, and what can be done with it. Each command imports its work when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

EPILOG: Final = """\
Examples:

  coda history list --since 3d

  coda history search "rate limit" --model gpt-6.1-sol

  coda history show -                      the newest one

  coda history export 3f2a91c0 -o chat.html

  coda history backup                      everything in one file
"""


def _complete(incomplete: str) -> list[tuple[str, str]]:
    from coda_cli.cli.history_common import complete_id

    return complete_id(incomplete)


app: Final = typer.Typer(
    help="List, search, read, tag, export and back up conversations. ID: any unique beginning of one; - is the newest.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_ID: Final = "The conversation: a unique beginning of its id, or - for the newest."
Id = Annotated[str, typer.Argument(metavar="ID", help=_ID, autocompletion=_complete)]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help=_ID, autocompletion=_complete)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option("--limit", "-l", min=0, metavar="N", help="How many at most.")]
Offset = Annotated[int, typer.Option("--offset", min=0, metavar="N", help="How many to pass over.")]
Tag = Annotated[str | None, typer.Option("--tag", metavar="TAG", help="Only those with this tag.")]
Provider = Annotated[str | None, typer.Option("--provider", metavar="NAME", help="Only those it answered last.")]
Model = Annotated[str | None, typer.Option("--model", "-m", metavar="MODEL", help="Only those it answered last.")]
Since = Annotated[str | None, typer.Option("--since", metavar="WHEN", help="2026-01-31, yesterday, 12h, 3d, 2w, ...")]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="The same; a day counts to its end.")]
Pinned = Annotated[bool, typer.Option("--pinned", help="Only pinned ones.")]
Branch = Annotated[str | None, typer.Option("--branch", metavar="MESSAGE", help="The branch through this message.")]


@app.command("list", epilog="Example: coda history list --tag work --json | jq -r '.[].id'")
def list_(
    tag: Tag = None,
    provider: Provider = None,
    model: Model = None,
    since: Since = None,
    until: Until = None,
    pinned: Pinned = False,
    limit: Limit = 20,
    offset: Offset = 0,
    json: Json = False,
) -> None:
    """List conversations, pinned ones first, then by their latest activity; on a pipe, tab-separated."""
    from coda_cli.cli.history_common import wanted
    from coda_cli.cli.history_list import put_list

    put_list(wanted(tag, provider, model, since, until, pinned=pinned), limit, offset, json=json)


@app.command(epilog='Example: coda history search "what\'s a monad" --since 6mo')
def search(
    text: Annotated[list[str], typer.Argument(metavar="TEXT...", help='Words; "exact words"; "this -butnotthis".')],
    tag: Tag = None,
    provider: Provider = None,
    model: Model = None,
    since: Since = None,
    until: Until = None,
    pinned: Pinned = False,
    limit: Limit = 10,
    offset: Offset = 0,
    json: Json = False,
) -> None:
    """Search everything ever said, the best first: which message says it, and a piece of it."""
    from coda_cli.cli.history_common import wanted
    from coda_cli.cli.history_list import put_hits

    put_hits(" ".join(text), wanted(tag, provider, model, since, until, pinned=pinned), limit, offset, json=json)


@app.command(epilog="Example: coda history show 3f2a91c0 --last 2")
def show(
    id: Id,  # noqa: A002 - the word that a person reads in the help
    branch: Branch = None,
    tree: Annotated[bool, typer.Option("--tree", help="Draw all branches, one line a message.")] = False,
    last: Annotated[int | None, typer.Option("--last", min=1, metavar="N", help="Only the last N messages.")] = None,
    json: Json = False,
) -> None:
    """Read a conversation: Markdown on a terminal, plain text on a pipe, all of it with --json."""
    from coda_cli.cli.history_show import show

    show(id, branch=branch, tree=tree, last=last, json=json)


@app.command(epilog='Example: coda history rename - "Monads, again"')
def rename(
    id: Id,  # noqa: A002 - as above
    title: Annotated[list[str], typer.Argument(metavar="TITLE...", help='"" brings the first words back.')],
) -> None:
    """Give a conversation a title."""
    from coda_cli.cli.history_change import rename

    rename(id, " ".join(title))


# `-work` as an argument would be read as the flags -w -o -r -k, by Typer and by every shell's completion: so what takes
# a tag away is an option, and a plain word (or the `+word` of other programs) adds one.
@app.command(epilog="Example: coda history tag 3f2a91c0 work urgent --remove later")
def tag(
    id: Id,  # noqa: A002 - as above
    tags: Annotated[list[str] | None, typer.Argument(metavar="[TAG]...", help="Tags to add.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", "-r", metavar="TAG", help="Take a tag away.")] = None,
    json: Json = False,
) -> None:
    """Add and remove tags, and print those that it has."""
    from coda_cli.cli.history_change import tag

    tag(id, tags or [], remove or [], json=json)


@app.command(epilog="Example: coda history tags --json")
def tags(limit: Limit = 50, offset: Offset = 0, json: Json = False) -> None:
    """List all tags and how many conversations have them."""
    from coda_cli.cli.history_list import put_tags

    put_tags(limit, offset, json=json)


Message = Annotated[str | None, typer.Option("--message", metavar="MESSAGE", help="One message of it.")]


@app.command(epilog="Example: coda history pin -")
def pin(ids: Ids, message: Message = None) -> None:
    """Put conversations first in every list, or keep one message out of every summary."""
    from coda_cli.cli.history_change import pin

    pin(ids, pinned=True, message=message)


@app.command(epilog="Example: coda history rate - good")
def rate(
    given: Id,
    rating: Annotated[Literal["good", "bad", "none"], typer.Argument(help="none takes it back.")],
    message: Message = None,
) -> None:
    """Say what an answer is worth (the latest one, or --message): `coda finetune export --rated good` chooses by it."""
    from coda_cli.cli.history_change import rate

    rate(given, None if rating == "none" else rating, message)


@app.command(epilog="Example: coda history unpin 3f2a91c0")
def unpin(ids: Ids, message: Message = None) -> None:
    """Take a pin away."""
    from coda_cli.cli.history_change import pin

    pin(ids, pinned=False, message=message)


@app.command(epilog='Example: coda ask --cid "$(coda history fork - --at 3)" "and if not?"')
def fork(
    id: Id,  # noqa: A002 - as above
    at: Annotated[
        str | None, typer.Option("--at", metavar="MESSAGE", help="Up to this message (its id or its number).")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TITLE", help="The copy's title.")] = None,
    json: Json = False,
) -> None:
    """Copy a branch into a new conversation and print its id."""
    from coda_cli.cli.history_change import fork

    fork(id, at, title, json=json)


@app.command(epilog="Example: coda history delete 3f2a91c0 && coda history restore 3f2a91c0")
def delete(
    ids: Ids,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, however many they are.")] = False,
    json: Json = False,
) -> None:
    """Move conversations to the trash."""
    from coda_cli.cli.history_change import delete

    raise typer.Exit(delete(ids, yes=yes, json=json))


@app.command(epilog="Example: coda history restore")
def restore(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="What to bring back.")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
    json: Json = False,
) -> None:
    """Bring conversations back from the trash; without an ID, list it."""
    from coda_cli.cli.history_change import restore

    restore(ids or [], limit, offset, json=json)


@app.command(epilog="Example: coda history export --all -o chats/ --format md")
def export(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help=_ID, autocompletion=_complete)] = None,  # noqa: A002 - as above
    form: Annotated[
        Literal["md", "json", "html"] | None,
        typer.Option(
            "--format", help="Default: as FILE ends, else md; json loses nothing and is always the whole tree."
        ),
    ] = None,
    branch: Branch = None,
    tree: Annotated[bool, typer.Option("--tree", help="All branches.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every conversation, each to a file in the folder -o.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there (0600).")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="The same as --format json; with --all, print what was written.")
    ] = False,
) -> None:
    """Print or write a conversation as Markdown, JSON or one HTML file."""
    from coda_cli.cli import history_io
    from coda_cli.engine.core.errors import UsageError

    if all_:
        if id is not None or branch is not None:
            raise UsageError("--all is every conversation, whole", hint="leave out the ID and --branch, or --all")
        raise typer.Exit(history_io.export_all(form, tree=tree, output=output, json=json))
    if id is None:
        raise UsageError("which conversation?", hint="name an ID (- is the newest), or take --all")
    history_io.export(id, "json" if json else form, branch=branch, tree=tree, output=output)


@app.command("import", epilog="Example: coda history import chatgpt-export.zip")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Coda's JSON, export zips, llm's logs.db.")],
    json: Json = False,
) -> None:
    """Bring in exports of Coda, ChatGPT and Claude, and llm's logs.db; what is known already is not doubled."""
    from coda_cli.cli.history_io import import_

    raise typer.Exit(import_(files, json=json))


@app.command(epilog="Example: coda history backup ~/coda.zip; coda history backup --restore ~/coda.zip")
def backup(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A new .tar.gz or .zip; default: coda-backup-TIME.tar.gz.")
    ] = None,
    restore: Annotated[
        Path | None, typer.Option("--restore", metavar="FILE", help="Bring a backup back; nothing is overwritten.")
    ] = None,
    json: Json = False,
) -> None:
    """Put every conversation into one archive, or bring one back."""
    from coda_cli.cli import history_io
    from coda_cli.engine.core.errors import UsageError

    if file is not None and restore is not None:
        raise UsageError("--restore names its own file", hint="`coda history backup --restore FILE`")
    if restore is not None:
        raise typer.Exit(history_io.restore_backup(restore, json=json))
    raise typer.Exit(history_io.backup(file, json=json))


@app.command(epilog="Example: coda history verify --json | jq '.findings[] | .file'")
def verify(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what loses nothing; originals stay in backups/.")] = False,
    json: Json = False,
) -> None:
    """Read every file and tell everything that is wrong; exit 1 if something is."""
    from coda_cli.cli.history_upkeep import verify

    raise typer.Exit(verify(fix=fix, json=json))


@app.command("rebuild-index", epilog="Example: coda history rebuild-index")
def rebuild_index(json: Json = False) -> None:
    """Make the search index anew from the files."""
    from coda_cli.cli.history_upkeep import rebuild_index

    rebuild_index(json=json)


@app.command(epilog="Example: coda history stats --json | jq '.months'")
def stats(json: Json = False) -> None:
    """Count conversations, messages, tokens, cost and size, by month and by model."""
    from coda_cli.cli.history_upkeep import stats

    stats(json=json)
