"""`edit_file`: one text in a file for another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from coda_cli.engine.core.tools import Arguments, ToolOutput, Touches
from coda_cli.engine.tools import texts
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.diff import unified
from coda_cli.engine.tools.folder import Folder
from coda_cli.engine.tools.replacing import Target, effect, replace, target
from coda_cli.engine.tools.threads import in_thread

_TOLD: Final = 10
"""Places that are named when a text is there more than once."""
_NEAR: Final = 3
_COMPARED: Final = 5_000
"""Lines that are compared with a text that is not there."""
_LETTERS: Final = 200


class EditFile(BaseTool):
    """The text must be there exactly as given, and once unless all are meant."""

    name = "edit_file"
    description = "Replace a text in a file. `old` must be in the file exactly once, blanks and line breaks included."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "path of the file, relative to the working folder"},
            "old": {
                "type": "string",
                "minLength": 1,
                "description": "the text to replace, exactly as it is in the file",
            },
            "new": {"type": "string", "description": "what to put in its place"},
            "all": {"type": "boolean", "default": False, "description": "replace it everywhere in the file"},
        },
        "required": ["path", "old", "new"],
        "additionalProperties": False,
    }
    touches = Touches.WRITES
    category = "files"

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """As planned."""
        return await (await self.plan(arguments, context)).run()

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The diff is against what stands there; if that changes before the run, nothing is written."""
        path, old, new = arguments["path"], arguments["old"], arguments["new"]
        everywhere = arguments.get("all", False)
        return await in_thread(lambda: _planned(context, path, old, new, everywhere), context.cancelled)


def _planned(context: ToolContext, path: str, old: str, new: str, everywhere: bool) -> Planned:
    there = target(Folder(context.folder), path)
    text = _text(there)
    after, count = _edited(text.text, old, new, everywhere, there.shown)
    try:
        data = text.encoded(after)
    except UnicodeEncodeError as exc:
        letter = exc.object[exc.start]
        raise ToolError(f"{there.shown} is in {text.encoding}, which cannot hold {letter!a}") from exc
    diff = unified(text.text, after, there.shown)

    async def run() -> ToolOutput:
        more = await in_thread(lambda: replace(there, data), context.cancelled)
        done = f"changed {there.shown}" + (f" in {count} places" if count > 1 else "")
        return ToolOutput(f"{done} ({diff})" + (f": {more}" if more else ""))

    return Planned(effect("edit_file", "change", there, diff), run)


def _text(there: Target) -> texts.Text:
    if there.data is None:
        raise ToolError(f"there is no {there.shown}: write_file makes a new file")
    text = there.text
    if text is None or not text.exact:
        raise ToolError(f"{there.shown} is {texts.kind(there.data[:64])}, not text that can be edited")
    return text


def _edited(text: str, old: str, new: str, everywhere: bool, shown: str) -> tuple[str, int]:
    """*text* with *new* in place of *old*, and how often. In a file whose lines end with CRLF they all go on to."""
    if not old:
        raise ToolError("`old` is empty: say which text is to be replaced; write_file writes a whole file")
    if "\r\n" in text and "\r" not in old + new:
        crlf = old.replace("\n", "\r\n")
        if crlf in text:
            old, new = crlf, new.replace("\n", "\r\n")
    if old == new:
        raise ToolError("`old` and `new` are the same: nothing would change")
    places = _places(text, old)
    if not places:
        raise ToolError(_not_there(text, old, shown))
    if everywhere:
        return text.replace(old, new), text.count(old)
    if len(places) > 1:
        lines = ", ".join(str(text.count("\n", 0, place) + 1) for place in places[:_TOLD])
        more = "" if len(places) <= _TOLD else " and more"
        raise ToolError(
            f"`old` is in {shown} {len(places) if not more else f'over {_TOLD}'} times, at lines {lines}{more}: "
            "give more of the text around the one that is meant, or all=true"
        )
    return text[: places[0]] + new + text[places[0] + len(old) :], 1


def _places(text: str, old: str) -> list[int]:
    """Where *old* begins, those included that overlap: which one is meant is then not clear either."""
    found: list[int] = []
    place = text.find(old)
    while place >= 0 and len(found) <= _TOLD:
        found.append(place)
        place = text.find(old, place + 1)
    return found


def _not_there(text: str, old: str, shown: str) -> str:
    lines = text.splitlines()
    wanted = old.strip("\r\n").splitlines() or [""]
    same = list(_but_for_blanks(lines, wanted))
    if same:
        near = "\n".join(lines[same[0] : same[0] + min(len(wanted), 20)])
        return (
            f"`old` is not in {shown}; the text from line {same[0] + 1} is the same but for blanks. "
            f"Copy it exactly:\n{near}"
        )
    close = _close(lines, next((line for line in wanted if line.strip()), ""))
    if not close:
        return f"`old` is not in {shown}, nor anything like it: read the file first"
    told = "\n".join(f"{number + 1}: {lines[number][: 2 * _LETTERS]}" for number in close)
    return f"`old` is not in {shown}. Lines that are like its first one:\n{told}\nread_file shows what is there"


def _but_for_blanks(lines: list[str], wanted: list[str]) -> Iterator[int]:
    bare = ["".join(line.split()) for line in lines]
    sought = ["".join(line.split()) for line in wanted]
    if not any(sought):
        return
    for start in range(len(bare) - len(sought) + 1):
        if bare[start] == sought[0] and bare[start : start + len(sought)] == sought:
            yield start


def _close(lines: list[str], wanted: str) -> list[int]:
    """The numbers of the lines that are most like *wanted*, in their order."""
    import difflib

    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted.strip()[:_LETTERS])
    scores = []
    for number, line in enumerate(lines[:_COMPARED]):
        matcher.set_seq1(line.strip()[:_LETTERS])
        if matcher.real_quick_ratio() > 0.6 and matcher.quick_ratio() > 0.6 and (ratio := matcher.ratio()) > 0.6:
            scores.append((-ratio, number))
    return sorted(number for _, number in sorted(scores)[:_NEAR])
