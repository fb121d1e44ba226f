"""Files as text: which encoding they are in, what they are if they are no text."""

from __future__ import annotations

import codecs
from typing import Final

from msgspec import Struct

SAMPLE: Final = 64 * 1024
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KINDS: Final = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x7fELF", "a program (ELF)"),
    (b"MZ", "a program (Windows)"),
    (b"\xcf\xfa\xed\xfe", "a program (Mach-O)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"GGUF", "model weights (GGUF)"),
    (b"OggS", "Ogg audio or video"),
    (b"ID3", "an MP3 file"),
    (b"fLaC", "a FLAC file"),
)
_TEXT_CONTROLS: Final = b"\t\n\r\x0c\x1b\x08"
_CONTROLS: Final = bytes(one for one in (*range(32), 127) if one not in _TEXT_CONTROLS)


class Text(Struct, frozen=True):
    """A file as text, its line ends as they are. `encoding` is Python's name; `exact`: it gives the same bytes."""

    text: str
    encoding: str
    exact: bool = True

    def encoded(self, text: str) -> bytes:
        """*text* in the encoding of this file, its byte order mark included. Raises UnicodeEncodeError."""
        return text.encode(self.encoding)


def encoding(sample: bytes) -> str | None:
    """The encoding of a file that begins with *sample*, None for what is no text. Without a mark: UTF-8 or Latin-1."""
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if b"\0" in sample or len(sample) - len(sample.translate(None, _CONTROLS)) > len(sample) // 20:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=len(sample) < SAMPLE)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def decode(data: bytes) -> Text | None:
    """The whole file *data* as text, or None for what is no text."""
    name = encoding(data[:SAMPLE])
    if name is None:
        return None
    if name in ("utf-16", "utf-32"):  # written back in the byte order that it has, not in this machine's
        little = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF32_LE))
        ordered = f"{name}-{'le' if little else 'be'}"
        try:
            return Text(data.decode(ordered), ordered)  # the mark stays the first letter
        except UnicodeDecodeError:
            return Text(data.decode(ordered, "replace"), ordered, exact=False)
    try:
        return Text(data.decode(name), name)
    except UnicodeDecodeError:
        return None if b"\0" in data else Text(data.decode("latin-1"), "latin-1")


def kind(sample: bytes) -> str:
    """What a file that is no text seems to be, from its first bytes."""
    if sample[:4] == b"RIFF":
        return {b"WEBP": "a WebP image", b"WAVE": "a WAV file"}.get(sample[8:12], "a RIFF file")
    if sample[4:8] == b"ftyp":
        return "MP4 or QuickTime video"
    return next((name for magic, name in _KINDS if sample.startswith(magic)), "binary data")


def size(count: int) -> str:
    """*count* bytes for a person."""
    if count < 1024:
        return "1 byte" if count == 1 else f"{count} bytes"
    value = float(count)
    for unit in ("KB", "MB", "GB", "TB"):
        value /= 1024
        if value < 1024 or unit == "TB":
            break
    return f"{value:.1f} {unit}"
