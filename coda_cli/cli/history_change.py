"""`coda history rename`, `tag`, `pin`, `fork`, `delete` and `restore`.

They write through the folder itself: the manager would keep a change in memory while the disk refuses it, and this
program ends before the disk is well again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from coda_cli.cli.history_common import (
    NEWEST,
    find,
    find_message,
    one_line,
    open_folder,
    row_json,
    short_id,
    short_message,
)
from coda_cli.cli.history_list import put_rows
from coda_cli.cli.output import EXIT_FAILURE, EXIT_OK, put, put_json, report, say, warn
from coda_cli.engine.conversations import operations
from coda_cli.engine.conversations.blobs import bring_back
from coda_cli.engine.conversations.info import ConversationInfo
from coda_cli.engine.conversations.journal import Journal
from coda_cli.engine.conversations.scan import describe
from coda_cli.engine.conversations.store import Folder, header, unreadable
from coda_cli.engine.conversations.tree import Conversation, Rating
from coda_cli.engine.core.errors import CodaError, UsageError
from coda_cli.engine.core.messages import MessageRole


def rename(given: str, title: str) -> None:
    """Give the conversation *given* another title."""
    folder = open_folder()
    conversation = operations.rename(folder, find(folder, given), title)
    say(f"{short_id(conversation.id)}: {one_line(conversation.name) or '(no title)'}")


def tag(given: str, add: Sequence[str], remove: Sequence[str], *, json: bool) -> None:
    """Add and remove tags of *given*, and print those that it has."""
    folder = open_folder()
    conversation_id = find(folder, given)
    if add or remove:
        tags = operations.tag(folder, conversation_id, [one.removeprefix("+") for one in add], remove).tags
    else:
        tags = folder.load(conversation_id).tags
    if json:
        put_json(tags)
        return
    for one in tags:
        put(one_line(one))
    if not tags:
        say(f"{short_id(conversation_id)} has no tags")


def pin(given: Sequence[str], *, pinned: bool, message: str | None) -> None:
    """Pin or unpin conversations, or one message of one."""
    if message is not None and len(given) != 1:
        raise UsageError("a message belongs to one conversation", hint="name one conversation with --message")
    folder = open_folder()
    for one in [find(folder, name) for name in given]:
        which = find_message(folder.load(one), message) if message is not None else None
        operations.pin(folder, one, pinned=pinned, message_id=which)
        what = f"message {short_message(which)} of {short_id(one)}" if which is not None else short_id(one)
        say(f"{what} is {'pinned' if pinned else 'not pinned'}")


def rate(given: str, rating: Rating | None, message: str | None) -> None:
    """Rate an answer of *given*, the latest one where *message* names none; None takes the rating back."""
    folder = open_folder()
    one = find(folder, given)
    conversation = folder.load(one)
    if message is not None:
        which = find_message(conversation, message)
    else:
        answers = [node.message for node in conversation.path() if node.message.role is MessageRole.ASSISTANT]
        if not answers:
            raise UsageError(f"there is no answer in {short_id(one)}", hint="rate one of another conversation")
        which = answers[-1].message_id
    operations.rate(folder, one, which, rating)
    say(f"message {short_message(which)} of {short_id(one)} is {f'rated {rating}' if rating else 'not rated'}")


def fork(given: str, at: str | None, title: str | None, *, json: bool) -> None:
    """Copy a branch of *given* into a new conversation, and print its id."""
    folder = open_folder()
    conversation_id = find(folder, given)
    to = find_message(folder.load(conversation_id), at) if at is not None else None
    made = operations.fork(folder, conversation_id, to)
    if title is not None:
        made = operations.rename(folder, made.id, title)
    if json:
        put_json({"id": made.id, "title": made.name, "messages": len(made.nodes), "origin": made.origin})
    else:
        put(made.id)
    say(f"{len(made.nodes):,} messages of {short_id(conversation_id)} are in it; `coda ask --cid {made.id}` goes on")


def delete(given: Sequence[str], *, yes: bool, json: bool) -> int:
    """Move conversations to the trash; the exit code."""
    folder = open_folder()
    ids = list(dict.fromkeys(find(folder, one) for one in given))
    if len(ids) > 1 and not yes and sys.stdin.isatty() and sys.stderr.isatty() and not _sure(folder, ids):
        say("nothing was deleted")
        return EXIT_FAILURE
    code = EXIT_OK
    moved: list[dict[str, str]] = []
    for one in ids:
        try:
            moved.append({"id": one, "file": str(folder.delete(one))})
        except KeyError:
            code = report(operations.not_found(one))
        except CodaError as error:
            code = report(error)
        else:
            say(f"{short_id(one)} is in the trash; `coda history restore {one_line(one)}` brings it back")
    if json:
        put_json(moved)
    return code


def _sure(folder: Folder, ids: Sequence[str]) -> bool:
    for one in ids:
        say(f"  {short_id(one)}  {one_line(folder.load(one).name) or '(no title)'}")
    sys.stderr.write(f"move these {len(ids)} conversations to the trash? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


# ---- the trash ------------------------------------------------------------------------------------------------------


def restore(given: Sequence[str], limit: int, offset: int, *, json: bool) -> None:
    """Take conversations out of the trash; without one list what is in it."""
    folder = open_folder()
    if not given:
        _put_trash(folder, limit, offset, json=json)
        return
    back = [_bring_back(folder, one) for one in given]
    if json:
        put_json([{"id": one, "file": str(file)} for one, file in back])


def _bring_back(folder: Folder, given: str) -> tuple[str, Path]:
    one = _find_trashed(folder, given)
    try:
        file = folder.restore(one)
    except KeyError:
        raise UsageError(
            f"the file of {one!r} in the trash has lost its beginning",
            hint="`coda history verify --fix` gives it a new one",
        ) from None
    say(f"{short_id(one)} is back: `coda history show {one_line(one)}`")
    return one, file


def _find_trashed(folder: Folder, given: str) -> str:
    given = given.removesuffix("…")
    ids = list(dict.fromkeys(_id(file) for file in _trashed(folder)))
    if given in ids:
        return given
    if given in NEWEST and ids:
        return ids[0]
    found = [one for one in ids if given and one.startswith((given, f"conv-{given}"))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"there is no conversation {given!r} in the trash", hint="`coda history restore` lists them")
    some = ", ".join(found[:5])
    raise UsageError(f"several conversations in the trash begin with {given!r}", hint=f"say more of it: {some}")


def _trashed(folder: Folder) -> list[Path]:
    """The files in the trash, what was deleted last first."""
    try:
        return sorted(folder.trashed(), key=lambda file: file.stat().st_ctime_ns, reverse=True)
    except OSError as exc:
        raise unreadable(folder.trash, exc) from exc


def _id(file: Path) -> str:
    return str(header(file).get("id") or file.stem)


def _put_trash(folder: Folder, limit: int, offset: int, *, json: bool) -> None:
    """List the trash, what was deleted last first."""
    files = _trashed(folder)[offset : offset + limit]
    rows = [row for file in files if (row := _row(folder, file)) is not None]
    if json:
        put_json([row_json(row) for row in rows])
        return
    put_rows(rows)
    if rows:
        say("`coda history restore ID` brings one back; Coda itself never empties the trash")
    else:
        say("there are no more" if offset else "the trash is empty")


def _row(folder: Folder, file: Path) -> ConversationInfo | None:
    try:
        conversation = Conversation.of(bring_back(record, folder.blobs) for record in Journal(file).records())
        conversation.id = conversation.id or file.stem
        return describe(conversation, file, file.stat().st_size)
    except OSError as exc:
        warn(f"can't read {file}: {exc.strerror or exc}")
        return None
