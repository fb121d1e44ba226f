"""Text that streams -> text for a person and the calls in it. Pure; the pieces may be cut anywhere.

A call is a block of its own:

    ```tool_call                      <tool_call>
    {"name": ..., "arguments": ...}   {"name": ..., "arguments": ...}
    ```                               </tool_call>

Those two forms are calls wherever they stand at the top level of the answer, which ends there, but for more calls. A
block marked as JSON (or not at all) and an answer that is nothing but JSON are calls only if they name a tool that
exists and nothing follows them. Whatever stands within another block of code is quoted, and stays text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from msgspec import Struct, field

from coda_cli.engine.tools.written_call import JsonDepth, WrittenCall, read_calls

_EXPLICIT: Final = frozenset({"tool_call", "tool_calls", "tool-call", "toolcall", "function_call", "function_calls"})
_MAYBE: Final = frozenset({"", "json", "tool", "function", "call"})
_TAGS: Final = ("<tool_call>", "<function_call>")
_TAIL: Final = len("</function_call>")
# At most 80 characters follow a fence: what is longer is no name of a language, and need not be waited for.
_FENCE: Final = re.compile(r" {0,3}(?:(`{3,})([^`\n]{0,80})|(~{3,})([^\n]{0,80}))\n")
_PARTIAL_FENCE: Final = re.compile(r" {0,3}(?:`{0,2}|~{0,2}|`{3,}[^`\n]{0,80}|~{3,}[^\n]{0,80})")
_KEYED: Final = re.compile(r'\s*(?:\[\s*)?\{\s*"(name|function|tool|tool_name|type)"\s*:\s*')
_PARTIAL_KEYED: Final = re.compile(r'\s*(?:\[\s*)?(?:\{\s*(?:"(?:[a-z_]{0,9}(?:"\s*)?)?)?)?')
_VALUE: Final = re.compile(r'"([^"\\]*)("?)')


class _Block(Struct):
    """A block that is held back: `opening` is how it began, `close` finds its end in `body` (None: the answer's end).

    `sure`: it is a call, whatever stands in it.
    """

    opening: str
    close: re.Pattern[str] | None
    sure: bool
    body: str = ""
    depth: JsonDepth = field(default_factory=JsonDepth)
    tried: int = 0  # how much of the body was searched for its end
    first: re.Match[str] | None = None  # the first end that was seen, be the JSON at rest there or not

    def end(self, last: bool) -> re.Match[str] | None:
        """The mark that ends the block: the first one before which its JSON is at rest."""
        if self.close is None:
            return None
        for found in self.close.finditer(self.body, self.tried):
            if not last and found.end() == len(self.body) and not found[0].endswith(("\n", ">")):
                break  # more of this line may come
            self.first = self.first or found
            self.tried = found.end()
            if self.depth.feed(self.body[: found.start()]):
                return found
        self.tried = max(self.tried, min(self.body.rfind("\n") + 1, len(self.body) - _TAIL))
        return None


class CallReader:
    """One answer: `feed` and `finish` give what may be shown, `calls` is whole after `finish`.

    `done`: what follows is of no interest. `cut`: the answer ended within a call.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._buffer = ""
        self._out: list[str] = []
        self._line_start = True
        self._ticks = 0  # backticks in this line so far: odd within inline code
        self._nothing_yet = True
        self._code: re.Pattern[str] | None = None  # what ends the ordinary block of code that is open
        self._block: _Block | None = None
        self._sure: list[WrittenCall] = []
        self._maybe: list[WrittenCall] = []  # calls if nothing follows
        self._held = ""  # how those were written, and the blanks after them
        self.done = False
        self.cut = False

    @property
    def calls(self) -> list[WrittenCall]:
        """The calls, in order."""
        return [*self._sure, *self._maybe]

    def feed(self, text: str) -> str:
        """What of the answer so far may be shown now."""
        self._buffer += text
        return self._run(last=False)

    def finish(self) -> str:
        """What is left to be shown. The end of the answer closes whatever is open."""
        out = self._run(last=True)
        while (block := self._block) is not None and not self.done:
            self._ended(block)
            out += self._run(last=True)
        return out

    def abandon(self) -> str:
        """The rest as it was written, with no call in it: for an answer that was cut off."""
        block = self._block
        rest = self._held + (block.opening + block.body if block is not None else "") + self._buffer
        self._held, self._block, self._buffer, self._sure, self._maybe = "", None, "", [], []
        return rest

    def _run(self, last: bool) -> str:
        while (self._buffer or (last and self._block is not None)) and not self.done:
            if not self._step(last):
                break
        out, self._out = "".join(self._out), []
        if self.done:
            self._buffer = ""
        return out

    def _step(self, last: bool) -> bool:
        """Take something off the buffer; whether there was enough of it."""
        if self._block is not None:
            return self._in_block(self._block, last)
        if self._code is not None:
            return self._in_code(self._code, last)
        if self.calls and (blank := len(self._buffer) - len(self._buffer.lstrip())):
            self._held += self._buffer[:blank] if self._maybe else ""
            self._buffer = self._buffer[blank:]
            return True
        return self._in_text(last)

    # ---- text -----------------------------------------------------------------------------------------------------

    def _in_text(self, last: bool) -> bool:
        if self._line_start and (taken := self._fence(last)) is not None:
            return taken
        if self._nothing_yet and (taken := self._bare(last)) is not None:
            return taken
        line = self._buffer[: self._buffer.find("\n") + 1] or self._buffer
        tag = line.find("<")
        if tag == 0:
            return self._tag(last)
        self._pass(line if tag < 0 else line[:tag])
        return True

    def _fence(self, last: bool) -> bool | None:
        """The line that opens a block. None: it does not; False: that can't be told yet."""
        found = _FENCE.match(self._buffer)
        if found is None:
            return False if not last and _PARTIAL_FENCE.fullmatch(self._buffer) else None
        mark, word = found[1] or found[3], (found[2] or found[4] or "").strip().lower()
        close = re.compile(rf"^ {{0,3}}{mark[0]}{{{len(mark)},}}[ \t\r]{{0,80}}(?:\n|\Z)", re.MULTILINE)
        self._buffer = self._buffer[found.end() :]
        if word in _EXPLICIT or word in _MAYBE:
            self._block = _Block(found[0], close, sure=word in _EXPLICIT)
        else:
            self._code = close
            self._show(found[0])
        return True

    def _bare(self, last: bool) -> bool | None:
        """An answer that begins as JSON. None: this one does not; False: that can't be told yet."""
        rest = self._buffer.lstrip()
        if not rest.startswith(("{", "[")):
            return None
        if rest != self._buffer:
            self._pass(self._buffer[: -len(rest)])
        elif self._may_be_call(rest):
            self._block = _Block("", None, sure=False)
        else:
            return None
        return True

    def _tag(self, last: bool) -> bool:
        buffer = self._buffer
        for tag in _TAGS:
            if buffer.startswith(tag) and self._ticks % 2 == 0:
                after = buffer[len(tag) :].lstrip()
                if after.startswith(("{", "[")):
                    self._block = _Block(buffer[: len(buffer) - len(after)], re.compile(f"</{tag[1:]}"), sure=True)
                    self._buffer = after
                    return True
                if not after and not last:
                    return False
            elif tag.startswith(buffer) and not last:
                return False
        self._pass("<")
        return True

    def _in_code(self, close: re.Pattern[str], last: bool) -> bool:
        line = self._buffer[: self._buffer.find("\n") + 1]
        if not line and not last and self._line_start and _PARTIAL_FENCE.fullmatch(self._buffer):
            return False
        line = line or self._buffer
        if self._line_start and close.match(line):
            self._code = None
        self._pass(line)
        return True

    def _pass(self, text: str) -> None:
        self._buffer = self._buffer[len(text) :]
        self._show(text)

    def _show(self, text: str) -> None:
        if self._sure and text.strip():
            self._maybe, self.done = [], True
            return
        text, self._held, self._maybe = self._held + text, "", []
        self._line_start = text.endswith("\n")
        self._ticks = 0 if self._line_start else self._ticks + text.count("`")
        self._nothing_yet = self._nothing_yet and not text.strip()
        self._out.append(text)

    # ---- blocks that may be calls ---------------------------------------------------------------------------------

    def _may_be_call(self, body: str) -> bool:
        """Whether *body*, so far, is JSON that names a tool."""
        found = _KEYED.match(body)
        if found is None:
            return _PARTIAL_KEYED.fullmatch(body) is not None
        rest, names = body[found.end() :], self._names
        value = _VALUE.match(rest)
        if value is None:
            return not rest or rest.startswith("{")
        if found[1] == "type":
            names = ("function",)
        return value[1] in names if value[2] else any(name.startswith(value[1]) for name in names)

    def _in_block(self, block: _Block, last: bool) -> bool:
        block.body, self._buffer = block.body + self._buffer, ""
        if not block.sure and not self._may_be_call(block.body):
            self._release(block)
            return True
        end = block.end(last)
        if end is None:
            return False
        self._close(block, end)
        return True

    def _ended(self, block: _Block) -> None:
        """The answer is over: broken JSON ends where its block seemed to, and what follows is read again."""
        unfinished = not block.body.strip() or not block.depth.feed(block.body)
        self.cut = block.sure and block.first is None and unfinished
        self._close(block, block.first)

    def _close(self, block: _Block, end: re.Match[str] | None) -> None:
        calls = read_calls(block.body if end is None else block.body[: end.start()])
        rest = "" if end is None else block.body[end.end() :]
        if not block.sure and not all(call.sound and call.name in self._names for call in calls):
            self._release(block)
            return
        self._block, self._line_start = None, True
        if block.sure:
            self._sure += [*self._maybe, *calls]
            self._maybe, self._held = [], ""
        else:
            self._maybe += calls
            self._held += block.opening + block.body[: len(block.body) - len(rest)]
        self._buffer = rest + self._buffer

    def _release(self, block: _Block) -> None:
        """The block is no call but ordinary code, or text."""
        self._block = None
        self._buffer = block.body + self._buffer
        if block.close is None:
            self._nothing_yet = False
            return
        self._code = block.close
        self._show(block.opening)
