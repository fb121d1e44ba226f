"""Whether a call runs, asks or is refused, and what a person's answers mean for the next ones.

In this order: what no tool may touch; deny rules; the mode "read-only"; allow rules and what was allowed in this chat;
the other modes; what the tool touches. A rule for a command is silent only until something is written unasked: `make`
runs what stands in the folder. Nothing here runs anything, and nothing here trusts a text of the model: a rule is
compared with what the tool has planned to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import WHY, Approval, ApprovalMode, ApprovalRequest, Decision, Effect, Touches
from coda_cli.engine.tools.base import BaseTool
from coda_cli.engine.tools.protected import coda_owns, forbidden, protected
from coda_cli.engine.tools.repository import runs_programs
from coda_cli.engine.tools.rules import COMMANDS, BadPattern, Pattern, Rule, RuleFile, Subject, exact_pattern, parse
from coda_cli.engine.tools.visible import visible_line

_HARMLESS: Final = (Touches.NOTHING, Touches.READS)
_WRITTEN_SINCE: Final = "files were written without a question since this rule was given; what it runs may have changed"


class Verdict(Struct, frozen=True):
    """What becomes of a call. `why` is one line for the person, and for the model where it is refused."""

    action: Literal["run", "ask", "refuse"]
    why: str


class _InForce(Struct, frozen=True):
    """A rule as it is compared. `effect`: it covers this effect and no other (an answer in a chat, no pattern)."""

    rule: Rule
    pattern: Pattern | None
    effect: Effect | None = None

    def covers(self, tool: str, effect: Effect, subject: Subject) -> bool:
        if self.effect is not None:
            return self.rule.text == tool and self.effect == effect
        return self.pattern is not None and self.pattern.allows(subject)

    def means(self, effect: Effect, guarded: bool) -> bool:
        """Whether it speaks of what needs a word of its own: by name, or a folder elsewhere by its whole path."""
        if self.pattern is None or not self.pattern.wide:
            return True
        elsewhere = effect.outside and not effect.reason and self.pattern.what.startswith("/")
        return not guarded and (elsewhere or not effect.outside)


class Permissions:
    """The rules that hold in one working folder.

    `allow` and `deny` are the patterns of the settings; `file` is `permissions.toml` (default: in the data folder).
    """

    def __init__(
        self, folder: Path, *, allow: Sequence[str] = (), deny: Sequence[str] = (), file: Path | None = None
    ) -> None:
        self.folder = Path(os.path.realpath(folder))
        self._file = RuleFile(file)
        self._problems: list[str] = []
        self._settings = list(self._of_settings(allow, True)) + list(self._of_settings(deny, False))
        self._chats: list[_InForce] = []
        self._unasked = 0  # writes that no person and no rule has seen
        self._seen: dict[Effect, int] = {}  # how many there were when a person allowed a command for longer

    @property
    def problems(self) -> list[str]:
        """What is wrong with the rules, for a person: one line each."""
        self._file.rules()
        return [*self._problems, *self._file.problems]

    def judge(self, tool: BaseTool, effect: Effect, mode: ApprovalMode, conversation_id: str) -> Verdict:
        """What becomes of a call of *tool* that will do *effect*."""
        subject = Subject.of(tool.name, effect)
        path = subject.what if tool.touches in (Touches.READS, Touches.WRITES) else ""
        if path and (why := forbidden(path, self.folder)):
            return Verdict("refuse", visible_line(why))
        rules = list(self._in_force(conversation_id))
        if denied := next((r for r in rules if not r.rule.allow and r.pattern and r.pattern.denies(subject)), None):
            return Verdict("refuse", visible_line(f"the rule `{denied.rule.text}` forbids it"))
        if mode == "read-only" and (tool.touches not in _HARMLESS or effect.outside):
            return Verdict("refuse", f"{_reason(tool, effect)}, and the mode is read-only")
        if path and tool.touches is Touches.WRITES and (why := coda_owns(path, self.folder)):
            return Verdict("ask", visible_line(why))
        if doubt := self._doubt(tool, subject, rules):
            return Verdict("ask", doubt)
        guarded = protected(path, self.folder) if path and tool.touches is Touches.WRITES else None
        for rule in rules:
            named = rule.means(effect, guarded is not None)
            if rule.rule.allow and named and rule.covers(tool.name, effect, subject):
                if why := self._run_by_the_folder(rule, subject):
                    return Verdict("ask", visible_line(f"git would run programs of this repository: {why}"))
                if tool.name == COMMANDS and mode != "all" and self._unasked > self._seen.get(effect, 0):
                    return Verdict("ask", _WRITTEN_SINCE)
                return Verdict("run", visible_line(f"allowed by the rule `{rule.rule.text}`"))
        verdict = self._by_mode(tool, effect, mode, guarded)
        if verdict.action == "run" and tool.touches is Touches.WRITES:
            self._unasked += 1  # whatever chat it is: the files are those of all
        return verdict

    def _run_by_the_folder(self, rule: _InForce, subject: Subject) -> str | None:
        """Why a rule for every folder does not speak for this one, or None: git runs what a repository names."""
        if rule.rule.folder is not None or not subject.argv or subject.argv[0].rpartition("/")[2] != "git":
            return None
        return runs_programs(self.folder)

    def _by_mode(self, tool: BaseTool, effect: Effect, mode: ApprovalMode, guarded: str | None) -> Verdict:
        if mode == "all":
            if self._file.broken:
                # What it denied is not known.
                return Verdict("ask", f"{self._file.path.name} cannot be read, so it may be forbidden")
            return Verdict("run", "the mode allows everything")
        if guarded:
            return Verdict("ask", visible_line(guarded))
        if not effect.outside:
            if tool.touches in _HARMLESS:
                return Verdict("run", WHY[tool.touches])
            # Without a rule it has a name that no rule can hold: nobody has compared that with the protected places.
            known = effect.rule is not None and not self._file.broken
            if mode == "accept-edits" and tool.touches is Touches.WRITES and known:
                return Verdict("run", "edits are accepted")
        return Verdict("ask", _reason(tool, effect))

    def _doubt(self, tool: BaseTool, subject: Subject, rules: Sequence[_InForce]) -> str | None:
        """Why nobody can tell whether a deny rule covers the call, or None."""
        for rule in rules:
            pattern = rule.pattern
            if rule.rule.allow or pattern is None or pattern.names_nothing or pattern.tool != tool.name:
                continue
            if tool.name == COMMANDS and subject.argv is None:
                return visible_line(f"it is not one simple command, so the rule `{rule.rule.text}` may forbid it")
            if tool.name != COMMANDS and not subject.what:
                return visible_line(f"it does not say what it is for, so the rule `{rule.rule.text}` may forbid it")
        return None

    def remember(
        self, request: ApprovalRequest, approval: Approval, conversation_id: str, *, everywhere: bool = False
    ) -> Rule | None:
        """Keep what the answer means for later calls; returns the rule that holds from now on, None for none.

        Only exact patterns come of an answer. "Always" for a call that no pattern covers alone holds in this chat.
        It holds in this working folder, or *everywhere* unless it names a file of the folder. Raises ConfigError.
        """
        if approval.digest != request.digest or approval.decision not in (Decision.CHAT, Decision.ALWAYS):
            return None
        self._seen[request.effect] = self._unasked
        text = exact_pattern(request.tool, request.effect)
        now = datetime.now(UTC).replace(microsecond=0)
        if approval.decision is Decision.ALWAYS and text is not None:
            bound = not everywhere or _names_a_file_here(request, parse(text))
            rule = Rule(text, folder=str(self.folder) if bound else None, created=now)
            self._file.add(rule)
            return rule
        rule = Rule(text or request.tool, True, str(self.folder), now, "chat", conversation_id)
        known = _InForce(rule, parse(text)) if text is not None else _InForce(rule, None, request.effect)
        self._chats.append(known)
        return rule

    def add(self, text: str, *, allow: bool = True, everywhere: bool = False) -> Rule:
        """Keep a rule that a person wrote. Raises UsageError for a pattern that says nothing, and ConfigError."""
        try:
            parse(text, allow=allow)
        except BadPattern as exc:
            raise UsageError(
                visible_line(f"`{text}` is no pattern: {exc}"),
                hint='as in "run_command git status", "write_file notes/*"',
            ) from exc
        now = datetime.now(UTC).replace(microsecond=0)
        rule = Rule(text, allow, None if everywhere else str(self.folder), now)
        self._file.add(rule)
        return rule

    def rules(self) -> list[Rule]:
        """Every rule, of every folder: first the settings', then the file's, then this process's chats'."""
        return [
            *(known.rule for known in self._settings),
            *(rule for rule, _ in self._file.rules()),
            *(known.rule for known in self._chats),
        ]

    def revoke(self, rule: Rule) -> bool:
        """Take *rule* back; whether it was there. Raises UsageError for one of the settings, and ConfigError."""
        if rule.source == "settings":
            raise UsageError("this rule stands in coda.toml", hint="take it out there: `coda config edit`")
        if rule.source == "file":
            return self._file.remove(rule)
        before = len(self._chats)
        self._chats = [known for known in self._chats if known.rule != rule]
        return len(self._chats) < before

    def _in_force(self, conversation_id: str) -> Iterator[_InForce]:
        yield from self._settings
        for rule, pattern in self._file.rules():
            if rule.folder is None or os.path.realpath(rule.folder) == str(self.folder):
                yield _InForce(rule, pattern)
        for known in self._chats:
            if known.rule.conversation_id == conversation_id:
                yield known

    def _of_settings(self, texts: Sequence[str], allow: bool) -> Iterator[_InForce]:
        for text in texts:
            try:
                yield _InForce(Rule(text, allow, source="settings"), parse(text, allow=allow))
            except BadPattern as exc:
                what = "allow" if allow else "deny"
                self._problems.append(visible_line(f"permissions.{what}: `{text}` is passed over: {exc}"))


def _names_a_file_here(request: ApprovalRequest, pattern: Pattern) -> bool:
    return request.touches in (Touches.READS, Touches.WRITES) and not pattern.what.startswith("/")


def _reason(tool: BaseTool, effect: Effect) -> str:
    beyond = effect.reason or ("outside the working folder" if effect.outside else "")
    return f"{WHY[tool.touches]}, {beyond}" if beyond else WHY[tool.touches]
