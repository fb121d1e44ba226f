"""Every file of the store read, and everything that is wrong told, with the mend.

Reading needs no lock, so a chat that is under way goes on meanwhile. With *fix* only that is mended which loses
nothing; a file that is rewritten for it is kept as it was in `backups/`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from coda_cli.engine.conversations import blobs, mend
from coda_cli.engine.conversations.backup import BLOB, whole_lines
from coda_cli.engine.conversations.findings import Finding, Kind, VerifyReport
from coda_cli.engine.conversations.info import ConversationInfo, Filter
from coda_cli.engine.conversations.journal import SCHEMA, SUFFIX, Journal, Line, Record, StoreError
from coda_cli.engine.conversations.scan import describe
from coda_cli.engine.conversations.store import Folder, IndexPort
from coda_cli.engine.conversations.tree import Conversation

Progress = Callable[[int, int], None]

_HALVES: Final = (".tmp", ".migrating", ".mending")
_OLD: Final = 3600.0
"""Seconds after which a temporary file has no writer any more."""
_NETWORK: Final = frozenset(
    {"9p", "afs", "ceph", "cifs", "davfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs"}
    | {"lustre", "nfs", "nfs4", "smb3", "smbfs", "virtiofs"}
)
_GONE: Final = "`coda history backup --restore FILE` brings it back, if a backup has it"


def verify(folder: Folder, *, fix: bool = False, progress: Progress | None = None) -> VerifyReport:
    """Read everything in *folder* and tell what is wrong; with *fix* mend what can be mended without loss."""
    check = _Check(folder, fix=fix)
    check.run(progress or (lambda done, whole: None))
    return check.report


class _Check:
    def __init__(self, folder: Folder, *, fix: bool) -> None:
        self.folder = folder
        self.report = VerifyReport()
        self._fix = fix
        self._blobs: dict[str, tuple[Path, str]] = {}  # digest -> who names it first: file and conversation
        self._rows: dict[str, ConversationInfo] = {}
        self._files: dict[str, list[Path]] = {}  # by conversation

    def run(self, progress: Progress) -> None:
        folder = self.folder
        places = (folder.conversations, folder.trash, folder.blobs, folder.backups)
        listed = {place: list(self._entries(place)) for place in places}
        whole = sum(map(len, listed.values()))
        done = 0
        for place, entries in listed.items():
            for entry in entries:
                progress(done, whole)
                done += 1
                self._file(place, entry)
        progress(whole, whole)
        self._missing_blobs()
        self._duplicates()
        if folder.index is not None and self._rows:
            self._index(folder.index)
        if (kind := _file_system(folder.conversations)) in _NETWORK:
            self.report.warnings.append(
                f"the conversations lie on a network file system ({kind}): its locks may not hold between machines, "
                "so write to a conversation from one machine at a time"
            )

    def tell(
        self,
        kind: Kind,
        file: Path,
        problem: str,
        way: str,
        *,
        line: Line | None = None,
        conversation: str | None = None,
        work: Callable[[], bool] | None = None,
    ) -> Finding:
        """Add a finding; *work* mends it and says whether it did."""
        finding = Finding(kind, file, problem, way, conversation=conversation, fixable=work is not None)
        if line is not None:
            finding.line, finding.byte = line.number, line.offset
        if work is not None and self._fix:
            try:
                finding.fixed = work()
            except (OSError, StoreError) as exc:
                finding.mend = f"{way} (it could not be mended: {exc})"
        self.report.findings.append(finding)
        return finding

    # ---- folders and files ----------------------------------------------------------------------------------------

    def _entries(self, place: Path) -> Iterator[os.DirEntry[str]]:
        try:
            self._mode(place, place.stat(), 0o700)
            with os.scandir(place) as entries:
                yield from sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        except OSError as exc:
            self.tell("unreadable", place, f"the folder can't be read: {exc.strerror or exc}", _readable(place))

    def _file(self, place: Path, entry: os.DirEntry[str]) -> None:
        file = place / entry.name
        try:
            status = file.stat()
        except FileNotFoundError:
            if os.path.lexists(file):
                self.tell("unreadable", file, "it is a link to nothing", "delete the link, or put the file back")
            return  # else: deleted meanwhile
        except OSError as exc:
            self.tell("unreadable", file, f"it can't be read: {exc.strerror or exc}", _readable(file))
            return
        if not stat.S_ISREG(status.st_mode):
            self.tell("stranger", file, "it is no file", "move it elsewhere: it is not read")
        elif entry.name.startswith(".") and entry.name.endswith(_HALVES):
            self._leftover(file)
        elif place == self.folder.blobs and BLOB.fullmatch(entry.name):
            self._mode(file, status, 0o600)
            self._blob(file, status)
        elif place != self.folder.blobs and entry.name.endswith(SUFFIX):
            self._mode(file, status, 0o600)
            if place != self.folder.backups:  # what was damaged lies there as it was
                self._journal(file)
        else:
            self.tell("stranger", file, "it is nothing that Coda has made", "move it elsewhere: it is not read")

    def _mode(self, path: Path, status: os.stat_result, wanted: int) -> None:
        """Tell of modes that let others in, or the owner out."""
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid != os.geteuid():
            self.tell(
                "owner", path, f"it belongs to the user {status.st_uid}", f"`chown {os.geteuid()} {path}`, as that user"
            )
        elif mode & 0o077 or mode & wanted != wanted:
            who = "others may read it" if mode & 0o077 else "not even its owner may read and write it"

            def close() -> bool:
                path.chmod(wanted)
                return True

            self.tell("permissions", path, f"{who} (mode {mode:04o})", f"`chmod {wanted:o} {path}`", work=close)

    def _leftover(self, file: Path) -> None:
        def remove() -> bool:
            file.unlink(missing_ok=True)
            return True

        if mend.age(file) > _OLD:
            problem = "half of a file whose writer was killed; it was never a part of the store"
            self.tell("leftover", file, problem, "delete it", work=remove)

    def _blob(self, file: Path, status: os.stat_result) -> None:
        self.report.blobs += 1
        self.report.size += status.st_size
        if blobs.load(file.name, self.folder.blobs) is None:
            self.tell("damaged-blob", file, "its content is not what its name says, or can't be read", _GONE)

    def _missing_blobs(self) -> None:
        for digest, (file, conversation) in self._blobs.items():
            if not (self.folder.blobs / digest).exists():
                self.tell("missing-blob", file, f"blobs/{digest} is missing", _GONE, conversation=conversation)

    # ---- journals -------------------------------------------------------------------------------------------------

    def _journal(self, file: Path) -> None:
        reading = _Reading(self, file)
        try:
            if file.stat().st_size == 0:
                self.tell("empty", file, "there is nothing in it", "delete it", work=lambda: mend.remove_empty(file))
                return
            reading.run()
        except FileNotFoundError:
            return  # deleted meanwhile
        except OSError as exc:
            self.tell("unreadable", file, f"it can't be read: {exc.strerror or exc}", _readable(file))
            return
        report, conversation = self.report, reading.conversation
        report.records += reading.records
        report.messages += len(conversation.nodes)
        report.size += reading.size
        if file.parent == self.folder.trash:
            report.trashed += 1
        elif conversation.seq >= 0:
            report.conversations += 1
            self._rows[file.name] = describe(conversation, file, reading.size)
            self._files.setdefault(conversation.id, []).append(file)

    def mended(self, file: Path) -> bool:
        """Rewrite the journal without what is wrong in it, and keep what it was."""
        done = mend.mend(self.folder, file)
        if done and self.folder.index is not None and file.parent == self.folder.conversations:
            self.folder.index.moved(file)
        return done

    def needs(self, digest: str, file: Path, conversation: str) -> None:
        """A record names the blob."""
        self._blobs.setdefault(digest, (file, conversation))

    def _duplicates(self) -> None:
        for conversation, files in self._files.items():
            if len(files) < 2 or not conversation:
                continue
            longest = max(files, key=lambda file: (file.stat().st_size, file == self.folder.own_file(conversation)))
            for file in files:
                if file != longest:
                    self._duplicate(conversation, file, longest)

    def _duplicate(self, conversation: str, file: Path, other: Path) -> None:
        problem = f"it has the same id as {other.name}, so only one of them is shown"
        if mend.begins(other, file):

            def remove() -> bool:
                mend.put_into(file, self.folder.trash, file.name)
                if self.folder.index is not None:
                    self.folder.index.moved(file)
                return True

            way = "move it to the trash: all of it is in the other too"
            self.tell("duplicate-id", file, problem, way, conversation=conversation, work=remove)
        else:
            way = "they differ: change the id in its first line, and both are shown"
            self.tell("duplicate-id", file, problem, way, conversation=conversation)

    # ---- the index ------------------------------------------------------------------------------------------------

    def _index(self, index: IndexPort) -> None:
        """Compare what the index says with what the files say."""
        files = {row.file.name: row for row in index.rows(Filter(), limit=len(self._rows) + 1000)}
        wrong = [name for name, row in self._rows.items() if not self._same(row, files.get(name))]
        wrong += [name for name in files if name not in self._rows and not (self.folder.conversations / name).exists()]
        if wrong:
            self.tell(
                "index",
                self.folder.conversations,
                f"the index does not know {len(wrong)} of the conversations as they are",
                "`coda history rebuild-index`",
                work=lambda: mend.rebuild(index),
            )

    def _same(self, row: ConversationInfo, known: ConversationInfo | None) -> bool:
        if known is not None and _told(row) == _told(known):
            return True
        duplicate = len(self._files.get(row.id, [])) > 1
        try:  # somebody may have written to it, or deleted it, since it was read
            return duplicate or not row.file.exists() or row.file.stat().st_size != row.size
        except OSError:
            return True


class _Reading:
    """One journal, read line by line."""

    def __init__(self, check: _Check, file: Path) -> None:
        self.check = check
        self.file = file
        self.conversation = Conversation()
        self.records = self.size = self._lines = 0
        self._begun = False
        self._seq: int | None = None
        self._torn = False
        self._excused = False  # a line before this one is lost: what follows from that is no finding of its own
        self._lost = False  # the same for the whole file
        self._disorder = 0

    def run(self) -> None:
        start: int | None = 0
        while start is not None:
            start = self._read(start)
        if self._disorder:
            problem = f"{self._disorder} records have a number that is not after the one before"
            self._tell("order", problem, "nothing to do: they are read in the order of the file")

    def _read(self, start: int) -> int | None:
        """Read from byte *start* on; where to go on, if somebody was writing the last line just then."""
        before = self._lines
        for line in Journal(self.file).lines(start):
            line = replace(line, number=before + line.number)
            if line.record is None and self._unfinished(line):
                return line.offset
            self.size, self._lines = line.end, line.number
            if line.record is not None:
                self._record(line, line.record)
            else:
                self._bad(line)
        return None

    def _tell(self, kind: Kind, problem: str, way: str, line: Line | None = None, *, mends: bool = False) -> None:
        work = (lambda: self.check.mended(self.file)) if mends else None
        conversation = self.conversation.id or None
        self.check.tell(kind, self.file, problem, way, line=line, conversation=conversation, work=work)

    def _unfinished(self, line: Line) -> bool:
        """Whether somebody is writing the line just now."""
        if not (line.problem or "").startswith("torn"):
            return False
        with self.file.open("rb") as opened:
            end = whole_lines(opened.fileno())
            self._torn = end <= line.offset and os.fstat(opened.fileno()).st_size == line.end
        return not self._torn

    def _bad(self, line: Line) -> None:
        if self._torn:
            way = "cut it off: its writer was never told that it is safe"
            self._tell("torn-tail", line.problem or "", way, line, mends=True)
            return
        way = "take it out of the file: what can be read of it stays, and the rest of the file is whole"
        self._tell("bad-line", f"a line is {line.problem}", way, line, mends=True)
        self._excused = self._lost = True

    def _record(self, line: Line, record: Record) -> None:
        self.records += 1
        begins = not self._begun and record["type"] != "lost"
        self._begun = self._begun or begins
        if begins and record["type"] != "conversation":
            way = "give it a new beginning: what is in it stays"
            self._tell("no-beginning", "its first record, with its id, is lost", way, line, mends=True)
            self.conversation.id = self.file.stem
            self._excused = self._lost = True
        if record["type"] == "lost":
            self._excused = self._lost = True
        elif record["type"] == "conversation" and isinstance(schema := record.get("schema"), int) and schema > SCHEMA:
            problem = f"a newer version of Coda wrote it (schema {schema}; this one writes {SCHEMA})"
            self._tell("newer-schema", problem, "update Coda: until then it can be read, not written", line)
        self._order(line, record)
        told = len(self.conversation.problems)
        self.conversation.apply(record)
        for problem in self.conversation.problems[told:]:
            self._problem(line, problem.partition(": ")[2] or problem)
        for digest in _digests(record):
            self.check.needs(digest, self.file, self.conversation.id)

    def _order(self, line: Line, record: Record) -> None:
        seq = record.get("seq")
        if not isinstance(seq, int) or isinstance(seq, bool):
            return
        if self._seq is not None and seq <= self._seq:
            self._disorder += 1
        elif self._seq is not None and seq > self._seq + 1 and not self._excused:
            lost = seq - self._seq - 1
            self._tell("gap", f"{lost} {'record is' if lost == 1 else 'records are'} missing before it", _GONE, line)
            self._lost = True
        self._seq = seq
        self._excused = record["type"] == "lost"

    def _problem(self, line: Line, problem: str) -> None:
        if problem.startswith("the message before it is missing"):
            if not self._lost:
                way = "nothing to do: the branch goes on from what was said before"
                self._tell("unknown-parent", problem, way, line)
        elif problem.startswith("another message has this id"):
            self._tell("duplicate-message", problem, "nothing to do: the first one is shown", line)
        else:
            self._tell("record", f"a record makes no sense: {problem}", "nothing to do: it is passed over", line)


def _digests(record: Record) -> Iterator[str]:
    parts: Any = record.get("parts")
    for part in parts if isinstance(parts, list) else ():
        blob = part.get("blob") if isinstance(part, dict) else None
        if isinstance(blob, dict) and BLOB.fullmatch(str(blob.get("sha256"))):
            yield str(blob["sha256"])


def _told(row: ConversationInfo) -> tuple[object, ...]:
    return row.messages, row.tags, row.pinned, row.size, row.model


def _readable(path: Path) -> str:
    return f"`chmod u+rwX {path}`, or become the user to whom it belongs; all other files are read without it"


def _file_system(path: Path) -> str:
    """The kind of the file system that *path* is on, "" where that cannot be told."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    there = path.resolve()
    best, kind = 0, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        mount = fields[4].replace("\\040", " ")
        if there.is_relative_to(mount) and len(mount) >= best:
            best, kind = len(mount), right.split(" ")[0]
    return kind
