"""Files that go along with a question: text into the prompt, images, PDF and audio as attachments.

`coda ask -f/-a` and the chat read them here. *deadline* is monotonic seconds, *tell* is told once what is waited for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from coda_cli.chat.reading import Tell, quiet, read_all
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, MediaPart

MAX_TEXT_BYTES: Final = 10 * 1024 * 1024
MAX_MEDIA_BYTES: Final = 32 * 1024 * 1024
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "target", "dist", "build", "venv"})


def media_type(head: bytes) -> str | None:
    """The media type of a file that begins with *head* (12 bytes are enough), by its signature, or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav"
    if head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "audio/mpeg"
    return None


def printable(text: str) -> str:
    """*text* from the command line or a folder, with U+FFFD for bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_media(name: str, deadline: float | None = None, tell: Tell = quiet) -> MediaPart:
    """The attachment *name* (`-` is stdin). Raises UsageError and LLMTimeoutError."""
    data = read_bytes(name, MAX_MEDIA_BYTES, "an attachment", deadline, tell)
    part = media_part(data, None if name == "-" else printable(Path(name).name))
    if part is None:
        raise UsageError(f"can't attach {name}: it is no image, PDF, wav or mp3 file", hint="use -f for text files")
    return part


def media_part(data: bytes, shown: str | None) -> MediaPart | None:
    """*data* as the attachment called *shown*; None for what is no image, PDF, wav or mp3 file."""
    kind = media_type(data[:12])
    if kind is None:
        return None
    if kind.startswith("image/"):
        return ImagePart(data=data, media_type=kind, name=shown)
    if kind.startswith("audio/"):
        return AudioPart(data=data, media_type=kind, name=shown)
    return FilePart(data=data, media_type=kind, name=shown)


def read_stdin(deadline: float | None, tell: Tell = quiet) -> str:
    """All of stdin as text. Raises UsageError (binary, too much), LLMTimeoutError."""
    data = read_bytes("-", MAX_TEXT_BYTES, "a text file", deadline, tell)
    text = decode(data)
    if text is None:
        hint = "attach it with -a -" if media_type(data[:12]) else "only UTF-8 text can go into the prompt"
        raise UsageError("stdin is not text", hint=hint)
    return text


def read_text(name: str, what: str, deadline: float | None = None, tell: Tell = quiet) -> str:
    """The text of the file *name*, which is *what* ("a schema"). Raises UsageError and LLMTimeoutError."""
    data = read_bytes(name, MAX_TEXT_BYTES, what, deadline, tell)
    text = decode(data)
    if text is None:
        raise UsageError(f"{name} is not a text file", hint=_binary_hint(data))
    return text


def read_texts(names: Sequence[str], deadline: float | None = None, tell: Tell = quiet) -> str:
    """The text of all files and folders *names*, each under its name. Raises UsageError and LLMTimeoutError."""
    out: list[str] = []
    for name, text in read_named_texts(names, deadline, tell):
        fence = "`" * max(3, _longest_run(text) + 1)
        end = "" if text.endswith("\n") else "\n"
        out.append(f"{name}\n{fence}\n{text}{end}{fence}\n")
    return "\n".join(out)


def read_named_texts(
    names: Sequence[str], deadline: float | None = None, tell: Tell = quiet
) -> Iterator[tuple[str, str]]:
    """(name, text) of all files and folders *names*. Raises as `read_texts`."""
    total = 0
    for name in names:
        found = False
        for path in _files(name):
            data = read_bytes(path, MAX_TEXT_BYTES, "a text file", deadline, tell)
            text = decode(data)
            if text is None:
                if path == name:
                    path = "stdin" if path == "-" else path
                    raise UsageError(f"{path} is not a text file", hint=_binary_hint(data))
                continue  # a folder may hold anything
            total += len(data)
            if total > MAX_TEXT_BYTES:
                raise UsageError(
                    f"the files hold more than {MAX_TEXT_BYTES // 1024 // 1024} MiB of text",
                    hint="choose fewer files, or a part of them",
                )
            found = True
            yield printable(path), text
        if not found:
            raise UsageError(
                f"there is no text file in {name}",
                hint="hidden files, build output and binary files are left out; name files one by one to choose them",
            )


def decode(data: bytes) -> str | None:
    """*data* as text, or None for a binary file (a NUL byte, or not UTF-8)."""
    if b"\0" in data[:8192]:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _binary_hint(data: bytes) -> str:
    if media_type(data[:12]):
        return "attach it with -a"
    return "only UTF-8 text can go into the prompt; images, PDF and audio are attached with -a"


def _longest_run(text: str) -> int:
    longest = 0
    for line in text.split("\n"):
        stripped = line.lstrip()
        longest = max(longest, len(stripped) - len(stripped.lstrip("`")))
    return longest


def _files(name: str) -> Iterator[str]:
    """*name* itself, or the files of the folder *name*: sorted, without hidden ones and well-known build output."""
    if name == "-" or not Path(name).is_dir():
        yield name
        return
    for folder, folders, files in os.walk(name):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in _SKIPPED)
        for file in sorted(files):
            path = Path(folder, file)
            if not file.startswith(".") and path.is_file() and not path.is_symlink():
                yield str(path)


def read_bytes(name: str, limit: int, what: str, deadline: float | None, tell: Tell = quiet) -> bytes:
    """All of the file *name* (`-` is stdin), at most *limit* bytes. Raises UsageError and LLMTimeoutError."""
    too_much = f"too much for {what}; cut out the part that matters, e.g. with head, tail or grep"
    if name == "-":
        return read_all(0, "stdin", limit=limit, too_much=too_much, deadline=deadline, tell=tell)
    try:
        # Opening a FIFO waits for its writer, but for O_NONBLOCK; a file does not care.
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            info = os.fstat(fd)
            if stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
                raise UsageError(f"{name} is a device, not a file", hint="give a file, a folder or -")
            if stat.S_ISREG(info.st_mode) and info.st_size > limit:
                raise _too_large(name, info.st_size, limit, what)
            return read_all(fd, name, limit=limit, too_much=too_much, deadline=deadline, tell=tell)
        finally:
            os.close(fd)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else None
        raise UsageError(f"can't read {name}: {reason or exc}", hint="check the path and its permissions") from exc


def _too_large(name: str, size: int, limit: int, what: str) -> UsageError:
    return UsageError(
        f"{name} has {size / 1024 / 1024:.1f} MiB; {what} may have {limit // 1024 // 1024} MiB",
        hint="cut out the part that matters, e.g. with head, tail or grep",
    )
