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
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from coda_cli import paths
from coda_cli.engine.core.tools import Effect
from coda_cli.engine.tools.shell_programs import hands_over, may_be_wide, plain_argument
from coda_cli.engine.tools.shell_words import literal_words, simple_argv
from coda_cli.engine.tools.small_file import EntryFile
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


class Subject(Struct, frozen=True):
    """What a call is compared by: the tool, what it is called for ("" where it does not say), its command.

    `argv` is the one simple command that it runs, `words` what a denial may look at beside it.
    """

    tool: str
    what: str = ""
    argv: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, tool: str, effect: Effect) -> Subject:
        """The subject of a call of *tool* that will do *effect*."""
        named, _, what = (effect.rule or "").partition(" ")
        argv = effect.argv if tool == COMMANDS and effect.argv and not hands_over(effect.argv) else None
        if tool == COMMANDS:
            return cls(tool, "", argv, argv or literal_words(effect.summary) or ())
        return cls(tool, what if named == tool else "")


class Pattern(Struct, frozen=True):
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
        if not self.argv or subject.tool != self.tool or not subject.words:
            return False
        programs = {subject.words[0], subject.words[0].rpartition("/")[2]}
        words = subject.words[1 : len(self.argv) if self.wide else None]
        return self.argv[0] in programs and words == self.argv[1:]

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


def parse(text: str, *, allow: bool = True) -> Pattern:
    """The pattern that *text* writes, to allow or to deny. Raises BadPattern."""
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
        return _parse_command(what, allow)
    if "://" in what:
        return _parse_url(tool, what)
    wide = what.rpartition("/")[2] in ("*", "**")
    if "*" in (what.rpartition("/")[0] if wide else what):
        raise BadPattern("a star stands only at the end: `folder/*` or `folder/**`")
    if what.startswith("~"):
        raise BadPattern("write the path out: `~` is not read")
    if ".." in what.split("/"):
        raise BadPattern("a path has no `..`")
    return Pattern(tool, posixpath.normpath(what), wide=wide)


def _parse_command(what: str, allow: bool) -> Pattern:
    wide = what.endswith(" *")
    line = what.removesuffix(" *")
    argv = simple_argv(line) if allow else literal_words(line)
    if not argv:
        raise BadPattern(f"it is not one simple command{', or one that runs other programs' if allow else ''}")
    if allow and wide and not may_be_wide(argv):
        raise BadPattern("its program can do too much to be allowed with any arguments")
    return Pattern(COMMANDS, argv=argv, wide=wide)


def _parse_url(tool: str, what: str) -> Pattern:
    found = _URL.fullmatch(what)
    if found is None:
        raise BadPattern("an address is https://host/path, or https://host/* for all of the host")
    wide = what.endswith("/*")
    if "*" in found[2] or "*" in (what[:-1] if wide else what):
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


class Rule(Struct, frozen=True):
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
    """`permissions.toml`: one that cannot be read counts as empty (`broken`), is told, and never written over."""

    def __init__(self, path: Path | None = None) -> None:
        self._file = EntryFile(path or paths.data_dir() / "permissions.toml", "rule", _HEADER)
        self._rules: list[tuple[Rule, Pattern]] = []
        self._passed_over: list[str] = []

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._file.path

    @property
    def broken(self) -> bool:
        """Whether it is there and cannot be used."""
        return self._file.broken

    @property
    def problems(self) -> list[str]:
        """What is wrong with it, for a person."""
        return [*self._file.notices, *self._file.problems, *self._passed_over]

    def rules(self) -> list[tuple[Rule, Pattern]]:
        """What holds now: the file is read again when it has changed."""
        entries = self._file.changed()
        if entries is not None:
            self._rules, self._passed_over = [], []
            for number, entry in enumerate(entries, 1):
                try:
                    self._rules.append(_rule_of(entry))
                except BadPattern as exc:
                    self._passed_over.append(visible_line(f"{self.path}: rule {number} is passed over: {exc}"))
        return self._rules

    def add(self, rule: Rule) -> None:
        """Keep *rule*, once. Raises ConfigError."""
        entry: dict[str, Any] = {"allow" if rule.allow else "deny": rule.text}
        if rule.folder is not None:
            entry["folder"] = rule.folder
        entry["created"] = rule.created or datetime.now(UTC).replace(microsecond=0)
        self._file.change(lambda entries: [*(kept for kept in entries if not _same(kept, rule)), entry])

    def remove(self, rule: Rule) -> bool:
        """Forget *rule*; whether it was there. Raises ConfigError."""
        return self._file.change(lambda entries: [kept for kept in entries if not _same(kept, rule)])


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
    return Rule(text, allow, folder, created if isinstance(created, datetime) else None), parse(text, allow=allow)


def _same(entry: object, rule: Rule) -> bool:
    if not isinstance(entry, Mapping):
        return False
    return entry.get("allow" if rule.allow else "deny") == rule.text and entry.get("folder") == rule.folder
