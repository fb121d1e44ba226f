"""The many ways in which one and the same stream may be laid out and cut on its way to a client.

Public API::

    FRAMINGS: dict[str, Framing]           all of them, for SSE bodies with `\\n` line ends
    NDJSON_FRAMINGS: dict[str, Framing]    those that make sense for newline-delimited JSON
    SDK_LIMITS: frozenset[str]             names of those that an SDK reads wrongly, though they are right by the SSE
                                           specification (openai 3.54: all four; anthropic 2.12: the two with a BOM)
    framings(wire) -> dict[str, Framing]   the right one of the two for "openai"|"responses"|"anthropic"|"ollama"
    every_split(body)                      all cuts of the body in two pieces: (offset, [head, tail])
    TRICKY_TEXT                            text that breaks naive line splitting and naive UTF-8 decoding

A framing takes the whole body and gives the pieces in which it is written. Each keeps the meaning: a client that
reads the format right sees the same events whatever the framing. Use: `stream_reply(wire, script, cut=FRAMINGS[name])`.
"""

import json
import re
from collections.abc import Callable, Iterator

__all__ = ["FRAMINGS", "NDJSON_FRAMINGS", "SDK_LIMITS", "TRICKY_TEXT", "Framing", "every_split", "framings"]

Framing = Callable[[bytes], list[bytes]]

# U+2028, U+2029, U+0085 and U+001C..1E end a line for str.splitlines(), and not for SSE, NDJSON or JSON.
# Then: a 4-byte emoji, a joined family, a flag, a combining accent, a byte order mark inside, right to left.
TRICKY_TEXT = (
    "a\u2028b\u2029c\u0085d \U0001f600 \U0001f469\u200d\U0001f469\u200d\U0001f466 \U0001f1f3\U0001f1ff "
    'e\u0301 \ufeff \u05e9\u05dc\u05d5\u05dd \\ " \t \\u2028 end'
)


def _whole(body: bytes) -> list[bytes]:
    return [body]


def _by_event(body: bytes) -> list[bytes]:
    return re.findall(rb".*?\n\n|.+\Z", body, re.DOTALL)


def _by_line(body: bytes) -> list[bytes]:
    return re.findall(rb"[^\n]*\n|[^\n]+\Z", body)


def _every_byte(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


def _sevens(body: bytes) -> list[bytes]:
    """Pieces of 7 bytes, which fall on no border for long."""
    return [body[i : i + 7] for i in range(0, len(body), 7)]


def _before_newlines(body: bytes) -> list[bytes]:
    """Each piece begins with a line end: what ends an event comes only with the next one."""
    return [piece for piece in re.split(rb"(?=\n)", body) if piece]


def _inside_characters(body: bytes) -> list[bytes]:
    """A cut before every continuation byte: no character of more than one byte arrives in one piece."""
    return [piece for piece in re.split(rb"(?=[\x80-\xbf])", body) if piece]


def _crlf(body: bytes) -> list[bytes]:
    return _by_event_crlf(body.replace(b"\n", b"\r\n"))


def _by_event_crlf(body: bytes) -> list[bytes]:
    return re.findall(rb".*?\r\n\r\n|.+\Z", body, re.DOTALL)


def _crlf_split(body: bytes) -> list[bytes]:
    """CRLF with every pair torn: the LF comes with the next piece."""
    return [piece for piece in re.split(rb"(?=\n)", body.replace(b"\n", b"\r\n")) if piece]


def _cr(body: bytes) -> list[bytes]:
    """A lone CR ends a line too, says the SSE specification."""
    return [body.replace(b"\n", b"\r")]


def _bom(body: bytes) -> list[bytes]:
    return [b"\xef\xbb\xbf" + body]


def _bom_split(body: bytes) -> list[bytes]:
    return [b"\xef", b"\xbb", b"\xbf", *_by_event(body)]


def _comments(body: bytes) -> list[bytes]:
    """Keep-alive comments: as blocks of their own and as a line inside an event."""
    pieces = [b": connected\n\n"]
    for event in _by_event(body):
        pieces += [b":\n\n", b": keep-alive\n" + event]
    return pieces


def _multi_line_data(body: bytes) -> list[bytes]:
    """JSON spread over several `data:` lines, which a client joins with newlines."""

    def spread(match: re.Match[bytes]) -> bytes:
        try:
            value = json.loads(match[1])
        except ValueError:
            return match[0]  # [DONE], or JSON that is broken on purpose
        lines = json.dumps(value, ensure_ascii=False, indent=1).split("\n")
        return b"".join(f"data: {line}\n".encode() for line in lines)

    return _by_event(re.sub(rb"(?m)^data: (.*)\n", spread, body))


def _no_space(body: bytes) -> list[bytes]:
    """The space after the colon is optional."""
    return _by_event(re.sub(rb"(?m)^(data|event): ", rb"\1:", body))


def _more_fields(body: bytes) -> list[bytes]:
    """Fields that a client has no use for: retry, one without a colon, one that nobody knows."""
    # Not to a comment by itself: that would make it a block without data, which is what `dataless` is for.
    fields = b"retry: 3000\nflag\nunknown: x\n"
    return [event if event.startswith(b":") else fields + event for event in _by_event(body)]


def _ids(body: bytes) -> list[bytes]:
    return [event if event.startswith(b":") else b"id: 1\n" + event for event in _by_event(body)]


def _dataless(body: bytes) -> list[bytes]:
    """Blocks without data between the events: no events at all, says the SSE specification."""
    return [piece for event in _by_event(body) for piece in (b"id: 7\n\n", b"event: ping\nretry: 10\n\n", event)]


def _data_before_event(body: bytes) -> list[bytes]:
    """The fields of an event may come in any order."""
    return _by_event(re.sub(rb"(?m)^(event: .*\n)(data: .*\n)", rb"\2\1", body))


def _escaped(body: bytes) -> list[bytes]:
    """Everything beyond ASCII as \\uXXXX, emoji as surrogate pairs."""

    def escape(match: re.Match[str]) -> str:
        return json.dumps(match[0])[1:-1]

    return _by_event(re.sub(r"[^\x00-\x7f]", escape, body.decode()).encode())


def _raw(body: bytes) -> list[bytes]:
    """U+2028, U+2029 and U+0085 raw, where JSON had them escaped."""
    for code in ("2028", "2029", "0085"):
        body = re.sub(rb"(?<!\\)((?:\\\\)*)\\u" + code.encode(), rb"\1" + chr(int(code, 16)).encode(), body)
    return _by_event(body)


def _blank_lines(body: bytes) -> list[bytes]:
    return [line for line in _by_line(body) for line in (line, b"\n", b" \n")]


def _no_last_newline(body: bytes) -> list[bytes]:
    return [body.removesuffix(b"\n")]


def _crlf_lines(body: bytes) -> list[bytes]:
    return _by_line(body.replace(b"\n", b"\r\n"))


_COMMON: dict[str, Framing] = {
    "whole": _whole,
    "by_line": _by_line,
    "every_byte": _every_byte,
    "seven_bytes": _sevens,
    "before_newlines": _before_newlines,
    "inside_characters": _inside_characters,
    "crlf_split": _crlf_split,
    "bom": _bom,
    "escaped_unicode": _escaped,
    "raw_separators": _raw,
}

FRAMINGS: dict[str, Framing] = {
    **_COMMON,
    "by_event": _by_event,
    "crlf": _crlf,
    "cr": _cr,
    "bom_split": _bom_split,
    "comments": _comments,
    "multi_line_data": _multi_line_data,
    "no_space": _no_space,
    "more_fields": _more_fields,
    "data_before_event": _data_before_event,
    "ids": _ids,
    "dataless": _dataless,
}

NDJSON_FRAMINGS: dict[str, Framing] = {
    **_COMMON,
    "crlf": _crlf_lines,
    "blank_lines": _blank_lines,
    "no_last_newline": _no_last_newline,
}


# Found by running them: a BOM hides the first event from both SDKs; a block without data, or a comment once an id has
# been seen, is an event to openai's and raises JSONDecodeError.
SDK_LIMITS: frozenset[str] = frozenset({"bom", "bom_split", "dataless", "ids"})


def framings(wire: str) -> dict[str, Framing]:
    """The framings that fit a wire format's name (a key of `wire.WIRES`)."""
    return NDJSON_FRAMINGS if wire == "ollama" else FRAMINGS


def every_split(body: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Every way to cut the body into two pieces, with the offset of the cut."""
    for offset in range(1, len(body)):
        yield offset, [body[:offset], body[offset:]]
