"""What is allowed or denied for good: patterns, and the file that keeps a person's answers.

A pattern is the name of a tool, alone (all of it) or with what it may be called for::

    run_command git status          this command, word by word
    run_command pytest -q *         and further plain arguments (only by hand, never for what runs other programs)
    write_file notes/today.md       this file; `notes/*` the files of that folder, `notes/**` all below it
    fetch_url https://host/page     this address; `https://host/*` all of that host
    mcp__server__tool               a tool; `mcp__server__*` all of that server

`permissions.toml` in the data folder holds a list of tables `[[rule]]` with `allow` or `deny` (a pattern), `folder`
(the working folder where it holds; left out: everywhere) and `created`.
"""

from __future__ import annotations

import os
import posixpath
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError
from coda_cli.engine.core.tools import Effect
from coda_cli.engine.tools.shell_programs import hands_over, may_be_wide, plain_argument
from coda_cli.engine.tools.shell_words import simple_argv
from coda_cli.engine.tools.small_file import Stamp, keep_aside, locked, read_own, stamp_of
from coda_cli.engine.tools.visible import visible_line

COMMANDS: Final = "run_command"
Source = Literal["settings", "file", "chat"]

_TOOL: Final = re.compile(r"[A-Za-z0-9_.:-]+")
_ALL_OF_A_SERVER: Final = re.compile(r"mcp__[A-Za-z0-9_.:-]+__\*")
_URL: Final = re.compile(r"(https?)://([^/?#\\@\s]+)(/.*)?", re.IGNORECASE)
_CLIMBS: Final = re.compile(r"(^|/)(\.|%2e){2}(/|%2f|$)|%2f|%5c|\\", re.IGNORECASE)
_HEADER: Final = (
    "# What Coda's tools may do without a question. Coda rewrites this file; `coda tools permissions` lists it.\n\n"
)


class BadPattern(ValueError):
    """A pattern that says nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call is compared by: the tool, what it is called for ("" where it does not say), its command."""

    tool: str
    what: str = ""
    argv: tuple[str, ...] | None = None

    @classmethod
    def of(cls, tool: str, effect: Effect) -> Subject:
        """The subject of a call of *tool* that will do *effect*."""
        named, _, what = (effect.rule or "").partition(" ")
        argv = effect.argv if tool == COMMANDS and effect.argv and not hands_over(effect.argv) else None
        return cls(tool, what if named == tool and tool != COMMANDS else "", argv)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern. `wide`: it covers more than one call."""

    tool: str
    what: str = ""
    argv: tuple[str, ...] = ()
    wide: bool = False

    @property
    def names_nothing(self) -> bool:
        """It is a tool alone, or all tools of a server."""
        return not self.what and not self.argv

    def allows(self, subject: Subject) -> bool:
        """Whether *subject* is one of those that the pattern covers, beyond doubt."""
        if self.names_nothing:
            return self._names_tool(subject.tool)
        if subject.tool != self.tool:
            return False
        if self.argv:
            return self._allows_command(subject.argv)
        return bool(subject.what) and self._allows_what(subject.what)

    def denies(self, subject: Subject) -> bool:
        """Whether *subject* is covered, where a doubt counts against it: a program also by its bare name."""
        if self.allows(subject):
            return True
        if not self.argv or subject.tool != self.tool or not subject.argv:
            return False
        named = (subject.argv[0].rpartition("/")[2], *subject.argv[1:])
        return named[: len(self.argv)] == self.argv if self.wide else named == self.argv

    def _names_tool(self, tool: str) -> bool:
        return tool.startswith(self.tool[:-1]) if self.tool.endswith("*") else tool == self.tool

    def _allows_command(self, argv: tuple[str, ...] | None) -> bool:
        if not argv or argv[: len(self.argv)] != self.argv:
            return False
        rest = argv[len(self.argv) :]
        return not rest or (self.wide and may_be_wide(self.argv) and all(plain_argument(word) for word in rest))

    def _allows_what(self, what: str) -> bool:
        if not self.wide:
            return what == self.what
        if (here := _URL.fullmatch(self.what)) is not None:
            there = _URL.fullmatch(what)
            if there is None or _CLIMBS.search(there[3] or "") or not what.isprintable():
                return False
            same_host = (there[1].lower(), there[2].lower()) == (here[1].lower(), here[2].lower())
            return same_host and (there[3] or "/").startswith((here[3] or "/").rstrip("*"))
        folder, _, star = self.what.rpartition("/")
        below = what.removeprefix(f"{folder}/") if folder or self.what.startswith("/") else what
        inside = below != what or not folder
        if not inside or what != posixpath.normpath(what) or ".." in what.split("/"):
            return False
        # A relative pattern speaks of the working folder: no absolute path is below it.
        return what.startswith("/") == self.what.startswith("/") and (star == "**" or "/" not in below)


def parse(text: str) -> Pattern:
    """The pattern that *text* writes. Raises BadPattern."""
    tool, _, what = text.strip().partition(" ")
    what = what.strip()
    if _ALL_OF_A_SERVER.fullmatch(tool) and not what:
        return Pattern(tool, wide=True)
    if not _TOOL.fullmatch(tool):
        raise BadPattern("it must begin with the name of a tool")
    if not what:
        return Pattern(tool, wide=True)
    if not what.isprintable():
        raise BadPattern("it holds characters that cannot be seen")
    if tool == COMMANDS:
        return _parse_command(what)
    if "://" in what:
        return _parse_url(tool, what)
    wide = what.rpartition("/")[2] in ("*", "**")
    if wide and what.count("*") != len(what.rpartition("/")[2]):
        raise BadPattern("a star stands only at the end: `folder/*` or `folder/**`")
    if what.startswith("~"):
        raise BadPattern("write the path out: `~` is not read")
    if ".." in what.split("/"):
        raise BadPattern("a path has no `..`")
    return Pattern(tool, posixpath.normpath(what), wide=wide)


def _parse_command(what: str) -> Pattern:
    wide = what.endswith(" *")
    argv = simple_argv(what.removesuffix(" *"))
    if argv is None:
        raise BadPattern("it is not one simple command, or one that runs other programs")
    if wide and not may_be_wide(argv):
        raise BadPattern(f"`{visible_line(argv[0])}` can do too much to be allowed with any arguments")
    return Pattern(COMMANDS, argv=argv, wide=wide)


def _parse_url(tool: str, what: str) -> Pattern:
    found = _URL.fullmatch(what)
    if found is None:
        raise BadPattern("an address is https://host/path, or https://host/* for all of the host")
    wide = what.endswith("/*")
    if "*" in found[2] or (wide and "*" in what[:-1]):
        raise BadPattern("a star stands only at the end: `https://host/*`")
    return Pattern(tool, what, wide=wide)


def exact_pattern(tool: str, effect: Effect) -> str | None:
    """The one pattern that covers this call and no other, for a person to allow for good; None where there is none.

    A tool whose effect names itself alone as its rule is allowed as a whole.
    """
    if effect.rule is None or effect.rule.partition(" ")[0] != tool:
        return None
    subject = Subject.of(tool, effect)
    if tool == COMMANDS:
        text = f"{COMMANDS} {shlex.join(subject.argv)}" if subject.argv else ""
    else:
        text = f"{tool} {subject.what}".strip()
    try:
        pattern = parse(text)
    except BadPattern:
        return None
    # A file may be called `*`: what would be read back as more than this call is not offered.
    exact = not pattern.wide or (pattern.names_nothing and effect.rule == tool)
    return text if exact and pattern.allows(subject) else None


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern in force. `folder` None: everywhere. `conversation_id` only for an answer "in this chat"."""

    text: str
    allow: bool = True
    folder: str | None = None
    created: datetime | None = None
    source: Source = "file"
    conversation_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """The rule as plain data, for `--json`."""
        return {
            "allow" if self.allow else "deny": self.text,
            "folder": self.folder,
            "created": self.created.isoformat() if self.created else None,
            "source": self.source,
        }


class RuleFile:
    """`permissions.toml`. A file that cannot be read counts as empty, is told, and is never written over."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or paths.data_dir() / "permissions.toml"
        self.problems: list[str] = []
        self.broken = False
        self._seen: Stamp | Literal["never"] | None = "never"
        self._rules: list[tuple[Rule, Pattern]] = []

    def rules(self) -> list[tuple[Rule, Pattern]]:
        """What holds now: the file is read again when it has changed."""
        stamp = stamp_of(self.path)
        if stamp != self._seen:
            self._seen = stamp
            self._rules = self._understood(self._read())
        return self._rules

    def add(self, rule: Rule) -> None:
        """Keep *rule*, once. Raises ConfigError."""
        entry: dict[str, Any] = {"allow" if rule.allow else "deny": rule.text}
        if rule.folder is not None:
            entry["folder"] = rule.folder
        entry["created"] = rule.created or datetime.now(UTC).replace(microsecond=0)

        def change(entries: list[Any]) -> list[Any]:
            return [*(kept for kept in entries if not _same(kept, rule)), entry]

        self._change(change)

    def remove(self, rule: Rule) -> bool:
        """Forget *rule*; whether it was there. Raises ConfigError."""
        return self._change(lambda entries: [kept for kept in entries if not _same(kept, rule)])

    def _read(self) -> list[Any]:
        self.problems, self.broken = [], False
        try:
            content = read_own(self.path)
            table = tomllib.loads((content or b"").decode("utf-8"))
        except OSError as exc:
            return self._bad(exc.strerror or str(exc))
        except (ValueError, RecursionError) as exc:
            return self._bad(f"bad TOML: {exc}")
        entries = table.get("rule", [])
        if not isinstance(entries, list) or set(table) - {"rule"}:
            return self._bad("it holds more than a list of `[[rule]]`")
        return entries

    def _bad(self, why: str) -> list[Any]:
        self.broken = True
        self.problems.append(visible_line(f"{self.path} cannot be used, and nothing in it holds: {why}"))
        return []

    def _understood(self, entries: list[Any]) -> list[tuple[Rule, Pattern]]:
        rules: list[tuple[Rule, Pattern]] = []
        for number, entry in enumerate(entries, 1):
            try:
                rules.append(_rule_of(entry))
            except BadPattern as exc:
                self.problems.append(visible_line(f"{self.path}: rule {number} is passed over: {exc}"))
        return rules

    def _change(self, change: Callable[[list[Any]], list[Any]]) -> bool:
        import tomli_w

        try:
            with locked(self.path):
                old = self._read()
                new = change(old)
                if new == old:
                    return False
                if self.broken:
                    aside = keep_aside(self.path)
                    told = [visible_line(f"{self.path} could not be used and is kept as {aside.name}")]
                else:
                    told = []
                content = _HEADER + tomli_w.dumps({"rule": new})
                # A link (a folder of dotfiles) stays one.
                paths.replace_private(Path(os.path.realpath(self.path)), content.encode("utf-8"))
        except OSError as exc:
            hint = f"check the folder and the free space: `ls -ld '{self.path.parent}'`"
            raise ConfigError(f"cannot write {self.path}: {exc.strerror or exc}", hint=hint) from exc
        self._seen = "never"
        self.rules()
        self.problems += told
        return True


def _rule_of(entry: object) -> tuple[Rule, Pattern]:
    """Raises BadPattern."""
    if not isinstance(entry, Mapping) or ("allow" in entry) == ("deny" in entry):
        raise BadPattern("it needs either `allow` or `deny`")
    if unknown := set(entry) - {"allow", "deny", "folder", "created"}:
        # Whatever it narrows the rule to, we would not.
        raise BadPattern(f"it has an unknown key: {min(unknown)}")
    allow = "allow" in entry
    text, folder, created = entry["allow" if allow else "deny"], entry.get("folder"), entry.get("created")
    if not isinstance(text, str) or not (folder is None or isinstance(folder, str)):
        raise BadPattern("a pattern and a folder are texts in quotes")
    if folder is not None and not os.path.isabs(folder):  # noqa: PTH117 - a text, not a path yet
        raise BadPattern("`folder` is not an absolute path")
    return Rule(text, allow, folder, created if isinstance(created, datetime) else None), parse(text)


def _same(entry: object, rule: Rule) -> bool:
    if not isinstance(entry, Mapping):
        return False
    return entry.get("allow" if rule.allow else "deny") == rule.text and entry.get("folder") == rule.folder
