"""Slash commands for tools: which the model may call, what they may do without a question, and the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from coda_cli.chat.command_parts import beginning_with, cell
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front, Option
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import ApprovalMode
from coda_cli.engine.tools.manager import ToolManager
from coda_cli.engine.tools.permissions import Permissions
from coda_cli.engine.tools.rules import Rule

_MODES: Final[dict[ApprovalMode, str]] = {
    "ask": "what reads here and what only computes runs; the rest asks",
    "read-only": "nothing is written, run or sent, and nobody is asked",
    "accept-edits": "files of this folder are written without a question; the rest asks",
    "all": "everything runs without a question",
}


def _manager(front: Front) -> ToolManager:
    found = front.session.manager.tools
    if not isinstance(found, ToolManager):
        raise UsageError("tools are switched off", hint="see `function_calling.enabled` in coda.toml, and -T")
    return found


async def tools(front: Front, text: str) -> None:
    """Show the tools, or say which of them the model may call from the next question on."""
    manager, session = _manager(front), front.session
    await manager.ready()
    calling = session.manager.config.function_calling
    if text:
        names = text.replace(",", " ").split()
        only = () if names == ["none"] else None if names == ["all"] else tuple(names)
        if only:
            manager.specs(calling, only)  # raises for a name that nobody knows
        session.tools, session.named_tools = only, True
        said = "no tools" if only == () else "all tools" if only is None else ", ".join(names)
        front.note(f"from the next question on the model may call {said}")
        return
    offered = {spec.name for spec in manager.specs(calling, session.tools)} if session.tools != () else set()
    lines = ["| tool | | touches | what it does |", "|---|---|---|---|"]
    for tool in map(manager.get, manager.names()):
        mark, does = "✓" if tool.name in offered else "", cell(tool.description.split("\n", 1)[0])
        lines.append(f"| `{cell(tool.name)}` | {mark} | {tool.touches.value} | {does} |")
    told = "\n".join(f"- {cell(problem)}" for problem in manager.problems)
    front.document(
        "Tools",
        f"The model may call those with ✓. Mode: **{calling.approval_mode}**, {_MODES[calling.approval_mode]}.\n"
        "`/tools NAME …`, `/tools none` and `/tools all` choose; `/approval` changes the mode, `/permissions` the "
        "rules.\n\n" + "\n".join(lines) + (f"\n\nLeft out:\n\n{told}" if told else ""),
    )


async def approval(front: Front, text: str) -> None:
    """Show or choose what tools may do without a question, in this chat."""
    calling = front.session.manager.config.function_calling
    modes: tuple[ApprovalMode, ...] = get_args(ApprovalMode)
    if not text:
        options = [Option(mode, _MODES[mode] + (" (now)" if mode == calling.approval_mode else "")) for mode in modes]
        place = await front.choose("What may tools do without a question?", options)
        if place is None:
            return
        text = modes[place]
    mode = next((one for one in modes if one == text), None)
    if mode is None:
        raise UsageError(f"there is no mode {text!r}", hint=f"choose one of: {', '.join(modes)}")
    if mode == "all" and not await front.confirm("Run everything without a question, commands among it?"):
        return
    calling.approval_mode = mode
    front.note(f"tools: {_MODES[mode]}")


async def permissions(front: Front, _: str) -> None:
    """The rules for what runs without a question; a chosen one is taken back."""
    rules = _manager(front).permissions
    known = rules.rules() if isinstance(rules, Permissions) else []
    if not isinstance(rules, Permissions) or not known:
        front.note("there are no rules: an answer with `always` makes one, and so does `coda tools permissions allow`")
        return
    options = [Option(f"{'allow' if rule.allow else 'deny'}  {rule.text}", _where(rule)) for rule in known]
    place = await front.choose("Choose a rule to take it back", options)
    if place is not None and await front.confirm(f"Take back: {known[place].text}?"):
        rules.revoke(known[place])
        front.note(f"taken back: {known[place].text}")


def _where(rule: Rule) -> str:
    """Where the rule stands, or holds."""
    if rule.source == "settings":
        return "coda.toml"
    return "this chat" if rule.source == "chat" else rule.folder or "everywhere"


def _complete_tools(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    found = front.session.manager.tools
    names = found.names() if isinstance(found, ToolManager) else ()
    return beginning_with(typed, [("all", "every tool"), ("none", "no tool"), *((name, "") for name in names)])


def _complete_mode(_: Front, typed: str) -> Sequence[tuple[str, str]]:
    return beginning_with(typed, list(_MODES.items()))


_GROUP: Final = "What the model gets"
COMMANDS: Final = (
    Command("tools", "[all|none|NAME …]", "What the model may call", tools, _GROUP, complete=_complete_tools),
    Command("approval", "[MODE]", "What tools may do without a question", approval, _GROUP, complete=_complete_mode),
    Command("permissions", "", "The rules for tools, and taking one back", permissions, _GROUP),
)
