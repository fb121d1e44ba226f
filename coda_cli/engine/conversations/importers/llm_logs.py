"""The `logs.db` of Simon Willison's llm, an SQLite database, in both of its layouts.

Up to 0.31 each call is a row of `responses`, with its attachments, fragments and tool calls in tables beside it. Since
0.32 messages are stored once, under a hash of what was said before them (`messages`, `parts`), `threads` are the
conversations and `turns` the calls; older rows stay where they are. Source: llm's "Logging to SQLite" documentation and
`llm/migrations.py`. Only what is in the database is read: an attachment that is a path on somebody's disk stays a name.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from coda_cli.engine.conversations.importers.growing import (
    Draft,
    Tree,
    listed,
    mapping,
    picture,
    seconds,
    stable_id,
    string,
    tidy,
    title,
)
from coda_cli.engine.conversations.importers.reading import Progress
from coda_cli.engine.conversations.importers.writing import Writer
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    LLMMessage,
    MessageRole,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.rendering.sanitize import sanitize

Row = dict[str, Any]

MAX_CELL: Final = 256 * 1024 * 1024
_AUDIO: Final = ("audio/wav", "audio/mpeg")
_ROLES: Final = {role.value: role for role in MessageRole}


def bring_in(path: Path, writer: Writer, progress: Progress) -> None:
    """Bring the conversations of the database *path* in. Raises UsageError for another program's database."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL)
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            logs = _Logs(connection)
            if not ("responses" in logs.tables or {"turns", "messages", "parts"} <= logs.tables.keys()):
                raise UsageError(
                    f"{sanitize(str(path))} is an SQLite database, but not llm's",
                    hint="`llm logs path` says where it is",
                )
            trees = logs.trees()
            for done, tree in enumerate(trees, 1):
                writer.add_tree(tree)
                progress(done, len(trees))
            for problem in logs.problems:
                writer.tell(path.name, problem)
    except sqlite3.Error as exc:
        raise UsageError(
            f"can't read {sanitize(str(path))}: {sanitize(str(exc))}",
            hint="make a sound copy with `llm logs backup FILE`",
        ) from exc


class _Logs:
    """The tables of one database. A table that is broken halfway is told, and what was read of it is used."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.problems: list[str] = []
        # no views and no virtual tables (they have no root page): those run what somebody wrote into the file
        names = self._query("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0")
        self.tables: dict[str, list[str]] = {}
        for row in names:
            name = str(row["name"]).replace('"', '""')
            self.tables[str(row["name"])] = [
                str(column["name"]) for column in self._query(f'PRAGMA table_info("{name}")')
            ]

    def _query(self, sql: str, *values: str) -> list[Row]:
        cursor = self._connection.execute(sql, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def rows(self, table: str, order: str = "rowid") -> Iterator[Row]:
        """The rows of *table*, none if it is not there."""
        if table not in self.tables:
            return
        try:
            cursor = self._connection.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608 - our own names
            names = [column[0] for column in cursor.description or ()]
            for values in cursor:
                yield dict(zip(names, values, strict=True))
        except sqlite3.Error as exc:
            self.problems.append(f"the table {table} can't be read to its end: {sanitize(str(exc))}")

    def trees(self) -> list[Tree]:
        """The conversations, from both layouts."""
        self._fragments = {row.get("id"): string(row.get("content")) for row in self.rows("fragments")}
        trees: dict[str, Tree] = {}
        turns = list(self.rows("turns"))
        self._classic(trees, {row.get("id") for row in turns})
        self._store(trees, turns)
        for row in (*self.rows("conversations"), *self.rows("threads")):
            tree = trees.get(string(row.get("id")))
            if tree is not None and not tree.title:
                tree.title = title(row.get("name"))
        return [*trees.values()]

    def _tree(self, trees: dict[str, Tree], name: object, time: float) -> Tree:
        key = name if isinstance(name, str) else repr(name)
        if key not in trees:
            trees[key] = Tree(stable_id("llm", key), "", time, {"import": "llm", "id": key[:200]})
        return trees[key]

    # ---- one row a call -----------------------------------------------------------------------------------------

    def _classic(self, trees: dict[str, Tree], newer: set[Any]) -> None:
        beside = {
            table: self._by_response(table)
            for table in (
                "prompt_attachments", "prompt_fragments", "system_fragments", "tool_calls", "tool_results",
            )
        }  # fmt: skip
        systems: dict[str, str] = {}
        for row in self.rows("responses", "id" if "id" in self.tables.get("responses", ()) else "rowid"):
            if row.get("id") in newer:
                continue  # written to both layouts
            name = row.get("conversation_id") or row.get("id")
            time = seconds(row.get("datetime_utc"))
            tree = self._tree(trees, name, time)
            key = string(row.get("id")) or f"row-{len(tree.drafts)}"
            more = {table: rows.get(row.get("id"), []) for table, rows in beside.items()}
            system = "\n".join([*self._borrowed(more["system_fragments"]), string(row.get("system"))]).strip()
            said: list[tuple[str, MessageRole, list[Part]]] = []
            if system and systems.get(tree.id) != system:
                systems[tree.id] = system
                said.append(("system", MessageRole.SYSTEM, [TextPart(text=system)]))
            said.append(("results", MessageRole.TOOL, [_result(result) for result in more["tool_results"]]))
            said.append(("prompt", MessageRole.USER, self._prompt(row, more)))
            said.append(("response", MessageRole.ASSISTANT, _response(row, more["tool_calls"])))
            for place, role, parts in said:
                if parts:
                    meta = _meta(row) if role is MessageRole.ASSISTANT else {}
                    before = tree.drafts[-1].id if tree.drafts else None
                    name = f"{key}-{place}"
                    message = LLMMessage(role=role, parts=parts, message_id=name, created=0.0, metadata=meta)
                    tree.drafts.append(Draft(name, before, message, time))

    def _by_response(self, table: str) -> dict[Any, list[Row]]:
        out: dict[Any, list[Row]] = {}
        order = '"order"' if "order" in self.tables.get(table, ()) else "rowid"
        for row in self.rows(table, order):
            out.setdefault(row.get("response_id"), []).append(row)
        return out

    def _borrowed(self, rows: list[Row]) -> list[str]:
        return [self._fragments.get(row.get("fragment_id"), "") for row in rows]

    def _prompt(self, row: Row, more: dict[str, list[Row]]) -> list[Part]:
        text = "\n".join([*self._borrowed(more["prompt_fragments"]), string(row.get("prompt"))])
        return tidy([text, *(self._attached(one.get("attachment_id")) for one in more["prompt_attachments"])])

    def _attachment(self, key: object) -> Row | None:
        """One row, read when it is needed: they hold whole pictures."""
        if not isinstance(key, str) or "id" not in self.tables.get("attachments", ()):
            return None
        try:
            return next(iter(self._query("SELECT * FROM attachments WHERE id = ?", key)), None)
        except sqlite3.Error as exc:
            self.problems.append(f"the attachment {sanitize(key[:60])} can't be read: {sanitize(str(exc))}")
            return None

    def _attached(self, key: object) -> str | Part:
        row = self._attachment(key)
        if row is None:
            return "[an attachment that is not in the database]"
        kind, content = string(row.get("type")), row.get("content")
        name = string(row.get("path")) or string(row.get("url"))
        if isinstance(content, bytes) and content:
            if (image := picture(content)) is not None:
                return image
            if kind in _AUDIO:
                return AudioPart(data=content, media_type=kind)
            if kind == "application/pdf":
                return FilePart(data=content, media_type=kind)
        return f"[attached file: {' '.join((name or kind).split())[:500]}]"

    # ---- messages under their hash ------------------------------------------------------------------------------

    def _store(self, trees: dict[str, Tree], turns: list[Row]) -> None:
        if not turns:
            return
        messages = {row.get("hash"): row for row in self.rows("messages")}
        parts: dict[Any, list[Row]] = {}
        for row in self.rows("parts", "message_hash, position"):
            parts.setdefault(row.get("message_hash"), []).append(row)
        turns.sort(key=lambda row: (string(row.get("datetime_utc")), string(row.get("id"))))
        merged: dict[str, _Merged] = {}
        for turn in turns:
            time = seconds(turn.get("datetime_utc"))
            tree = self._tree(trees, turn.get("thread_id") or turn.get("id"), time)
            into = merged.get(tree.id)
            if into is None:
                into = merged[tree.id] = _Merged(tree)
            for key in _chain(turn.get("tip_message_hash"), messages, into.known):
                row = messages[key]
                role = _ROLES.get(string(row.get("role")))
                said = tidy([piece for part in parts.get(key, ()) for piece in self._part(part)])
                if any(isinstance(part, ToolResultPart) for part in said):
                    role = MessageRole.TOOL
                into.add(key, row.get("parent_hash"), role, said, time, turn)
        for thread in self.rows("threads"):
            into = merged.get(stable_id("llm", string(thread.get("id"))))
            if into is not None:
                into.tree.head = into.known.get(thread.get("tip_message_hash"))

    def _part(self, row: Row) -> list[str | Part]:
        payload = _json(row.get("payload"))
        text = string(row.get("text"))
        if row.get("text") is None:
            text = string(payload.get("text")) or self._referenced(listed(payload.get("text_ref")))
        match row.get("type"):
            case "text":
                return [text]
            case "reasoning":
                return [ReasoningPart(text=text)] if text else []
            case "tool_call":
                return [_call({**payload, "arguments": json.dumps(payload.get("arguments") or {}, ensure_ascii=False)})]
            case "tool_result":
                attached = [mapping(one).get("id") for one in listed(payload.get("attachments"))]
                return [_result(payload), *(self._attached(key) for key in attached)]
            case "attachment":
                return [self._attached(mapping(payload.get("attachment")).get("id"))]
        return [text or "[a part of an unknown kind]"]

    def _referenced(self, pieces: list[Any]) -> str:
        out: list[str] = []
        for piece in map(mapping, pieces):
            fragment = piece.get("fragment")
            borrowed = self._fragments.get(fragment, "") if isinstance(fragment, int | str) else ""
            out.append(string(piece["literal"]) if "literal" in piece else borrowed)
        return "".join(out)


class _Merged:
    """A thread being built. What the older layout has of it already is recognised by what it says."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.known: dict[Any, str] = {}  # a message's hash -> its draft
        self._said: dict[tuple[str | None, str, str], str] = {}
        for draft in tree.drafts:
            if draft.message is not None:
                self._said[_as_said(draft.parent, draft.message)] = draft.id

    def add(
        self, key: str, parent: object, role: MessageRole | None, parts: list[Part], time: float, turn: Row
    ) -> None:
        above = self.known.get(parent)
        if role is None or not parts:
            self.known[key] = key
            self.tree.drafts.append(Draft(key, above, None, time))
            return
        ends_turn = key == turn.get("tip_message_hash")
        meta = _meta(turn, counted=ends_turn) if role is MessageRole.ASSISTANT else {}
        message = LLMMessage(role=role, parts=parts, message_id=key, created=0.0, metadata=meta)
        same = self._said.get(_as_said(above, message))
        self.known[key] = same or key
        if same is None:
            self.tree.drafts.append(Draft(key, above, message, time))


def _as_said(parent: str | None, message: LLMMessage) -> tuple[str | None, str, str]:
    tools = [(part.id, part.type) for part in message.parts if isinstance(part, ToolCallPart | ToolResultPart)]
    return parent, message.role.value, f"{message.content}\0{tools}"


def _chain(tip: object, messages: dict[Any, Row], known: dict[Any, str]) -> list[Any]:
    """The messages up to *tip* that are not known yet, first to last. Cycles and gaps end it."""
    out: list[Any] = []
    seen: set[Any] = set()
    at = tip
    while isinstance(at, str) and at in messages and at not in known and at not in seen:
        seen.add(at)
        out.append(at)
        at = messages[at].get("parent_hash")
    return out[::-1]


def _response(row: Row, calls: list[Row]) -> list[Part]:
    reasoning = string(row.get("reasoning"))
    thought: list[str | Part] = [ReasoningPart(text=reasoning)] if reasoning else []
    return tidy([*thought, string(row.get("response")), *map(_call, calls)])


def _call(row: Row) -> ToolCallPart:
    name = string(row.get("name")) or "tool"
    return ToolCallPart(id=_call_id(row, name), name=name, arguments=string(row.get("arguments")) or "{}")


def _result(row: Row) -> ToolResultPart:
    name, error = string(row.get("name")) or "tool", string(row.get("exception"))
    output = string(row.get("output")) or error
    return ToolResultPart(id=_call_id(row, name), name=name, text=output, is_error=bool(error))


def _call_id(row: Row, name: str) -> str:
    return string(row.get("tool_call_id")) or f"call-{name}"


def _meta(row: Row, *, counted: bool = True) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    if model := string(row.get("resolved_model")) or string(row.get("model")):
        meta["model"] = model[:200]
    if counted:
        tokens = {name: row.get(name) for name in ("input_tokens", "output_tokens")}
        usage = {name: count for name, count in tokens.items() if isinstance(count, int) and 0 <= count < 1e15}
        if usage:
            meta["usage"] = usage
        took = row.get("duration_ms")
        if isinstance(took, int) and 0 <= took < 1e12:
            meta["latency"] = took / 1000
    return meta


def _json(text: object) -> dict[str, Any]:
    try:
        return mapping(json.loads(string(text) or "{}"))
    except (ValueError, RecursionError):
        return {}
