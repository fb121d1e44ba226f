"""What attachments weigh in tokens, by the vendors' own rules of thumb, read off a file's first bytes.

- An image: width x height / 750 after fitting it into 1568 pixels, between 85 and 1,600; 1,600 where its size cannot be
  read (Anthropic, "Vision: calculate image costs"; OpenAI's 512-pixel tiles come to about the same).
- A recording: 10 tokens a second (OpenAI, "Audio: one token per 100 ms of input"), at least 10. The length of a wav is
  in its header; anything else is taken for 128 kbit/s.
- A PDF: 2,500 tokens a page (Anthropic, "PDF support": 1,500 to 3,000 of text, and a picture of each page). Pages that
  can't be counted because they are compressed are taken for 50 kB each.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, MediaPart

IMAGE_MOST: Final = 1_600
IMAGE_LEAST: Final = 85
_LONGEST_SIDE: Final = 1_568
_PIXELS_PER_TOKEN: Final = 750
_TOKENS_PER_SECOND: Final = 10
_BYTES_PER_SECOND: Final = 16_000
_PAGE: Final = 2_500
_BYTES_PER_PAGE: Final = 50_000
_PAGE_MARK: Final = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def media_tokens(part: MediaPart) -> int:
    """About how many tokens *part* takes; see the module's text for the rules."""
    match part:
        case ImagePart():
            return _image(part.data)
        case AudioPart():
            return max(_TOKENS_PER_SECOND, round(_seconds(part.data) * _TOKENS_PER_SECOND))
        case FilePart():
            return _PAGE * max(1, len(_PAGE_MARK.findall(part.data)) or -(-len(part.data) // _BYTES_PER_PAGE))


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels of a PNG, GIF, JPEG or WebP, or None where the bytes do not tell."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", data, 16)
        elif data[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack_from("<HH", data, 6)
        elif data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
        else:
            return None
    except struct.error:
        return None
    return (width, height) if width and height else None


def _image(data: bytes) -> int:
    size = image_size(data)
    if size is None:
        return IMAGE_MOST
    width, height = size
    scale = min(1.0, _LONGEST_SIDE / max(width, height))
    return max(IMAGE_LEAST, min(IMAGE_MOST, round(width * scale * height * scale / _PIXELS_PER_TOKEN)))


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """The size in the first start-of-frame segment (ITU-T T.81, B.2.2)."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = struct.unpack_from(">xBH", data, at)
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return (width, height) if width and height else None
        at += 2 + max(2, length)
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """The size of the three kinds of WebP (RFC 9649, 2.5 to 2.7)."""
    match data[12:16]:
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return (width & 0x3FFF, height & 0x3FFF) if width & 0x3FFF and height & 0x3FFF else None
        case _:
            return None


def _seconds(data: bytes) -> float:
    rate = 0
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE" and len(data) >= 32:
        (rate,) = struct.unpack_from("<I", data, 28)
    return len(data) / (rate or _BYTES_PER_SECOND)
