"""The model hub over HTTPS: what a repository holds, and its files one by one.

Formats: `GET /api/models/REPO/revision/REV` (commit), `GET /api/models/REPO/tree/COMMIT` (files with their size and,
for large ones, their sha256 as `lfs.oid`) and `GET /REPO/resolve/COMMIT/FILE`, as the hub documents them.
`HF_ENDPOINT` names a mirror; `HF_TOKEN` is sent to that host only, and never in clear text over a network.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urljoin, urlsplit

from msgspec import Struct

from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMConnectionError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMUnsupportedError,
)
from coda_cli.engine.providers.local.fetch import RemoteFile, human_size

if TYPE_CHECKING:
    import httpx2

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_SPEC: Final = re.compile(r"([^/:]+/[^/:]+)(?:[:/](.+\.gguf))?")
_SPLIT: Final = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")
_NEXT: Final = re.compile(r'<([^>]+)>;\s*rel="next"')
_PAGES: Final = 20
_JSON_LIMIT: Final = 32 << 20

# What a chat model needs beside its weights. Code (*.py) and pickles (*.bin, *.pt, *.pkl) are never fetched.
_FOLDER_FILES: Final = frozenset(
    {
        "added_tokens.json",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "merges.txt",
        "model.safetensors.index.json",
        "sentencepiece.bpe.model",
        "special_tokens_map.json",
        "spiece.model",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "vocab.json",
        "vocab.txt",
    }
)


class HubFile(Struct, frozen=True):
    """A file of a repository: its path there, bytes, and sha256 where the hub knows it."""

    path: str
    size: int
    sha256: str | None


class HubSpec(Struct, frozen=True):
    """`owner/repo`, `owner/repo:file.gguf` or `owner/repo/file.gguf`, taken apart."""

    repo: str
    file: str | None = None


def parse_spec(text: str) -> HubSpec | None:
    """*text* as a hub id, or None if it does not have that form. Path tricks (`..`, dot files) have no such form."""
    found = _SPEC.fullmatch(text)
    if not found:
        return None
    names = [*found[1].split("/"), *(found[2].split("/") if found[2] else [])]
    return HubSpec(found[1], found[2]) if all(_safe(name) for name in names) else None


def endpoint() -> str:
    """The hub's address, without a slash at its end."""
    return (os.environ.get("HF_ENDPOINT", "").strip() or "https://huggingface.co").rstrip("/")


def token_headers() -> dict[str, str]:
    """`HF_TOKEN` as a header, if there is one and the way to the hub does not show it to others."""
    token = os.environ.get("HF_TOKEN", "").strip()
    parts = urlsplit(endpoint())
    private = parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")
    return {"Authorization": f"Bearer {token}"} if token and private else {}


def remote_file(repo: str, revision: str, file: HubFile) -> RemoteFile:
    """Where to fetch *file*."""
    url = f"{endpoint()}/{repo}/resolve/{revision}/{quote(file.path)}"
    return RemoteFile(url=url, size=file.size, sha256=file.sha256, headers=token_headers())


def repository(client: httpx2.Client, repo: str) -> tuple[str, list[HubFile]]:
    """The commit and the files of *repo*.

    Raises LLMModelNotFoundError, LLMAuthenticationError, LLMConnectionError.
    """
    meta, _ = _get(client, f"{endpoint()}/api/models/{repo}/revision/main", repo)
    commit = meta.get("sha") if isinstance(meta, dict) else None
    if not isinstance(commit, str) or not _NAME.fullmatch(commit):
        raise _strange()
    files: list[HubFile] = []
    url: str | None = f"{endpoint()}/api/models/{repo}/tree/{commit}?recursive=true"
    for _ in range(_PAGES):
        if url is None:
            break
        page, url = _get(client, url, repo)
        if not isinstance(page, list):
            raise _strange()
        files += [file for entry in page if (file := _file(entry)) is not None]
    return commit, files


def choose(spec: HubSpec, files: list[HubFile]) -> list[HubFile]:
    """The files to pull for *spec*. Raises LLMModelNotFoundError and LLMUnsupportedError with what there is instead."""
    by_path = {file.path: file for file in files}
    ggufs = [file for file in files if file.path.endswith(".gguf")]
    if spec.file:
        wanted = _all_parts(spec.file)
        if missing := [path for path in wanted if path not in by_path]:
            raise LLMModelNotFoundError(
                f"{spec.repo} has no file {missing[0]}", hint=_offer(spec.repo, ggufs) or "it holds no GGUF files"
            )
        return [by_path[path] for path in wanted]
    tensors = [file for file in files if file.path.endswith(".safetensors") and "/" not in file.path]
    if any(file.path.startswith("model") for file in tensors):  # "consolidated" ones would double the weights
        tensors = [file for file in tensors if file.path.startswith("model")]
    if not tensors or "config.json" not in by_path:
        if ggufs:
            raise LLMUnsupportedError(f"{spec.repo} holds GGUF files: name one", hint=_offer(spec.repo, ggufs))
        raise LLMUnsupportedError(
            f"{spec.repo} has no safetensors weights",
            hint="weights in pickle files can run code and are refused; look for a GGUF or safetensors version of it",
        )
    return [by_path[name] for name in sorted(_FOLDER_FILES & by_path.keys())] + tensors


def _all_parts(path: str) -> list[str]:
    """All parts of a split GGUF, given any one of them."""
    found = _SPLIT.fullmatch(path)
    if not found or not 0 < int(found[3]) <= 999:
        return [path]
    return [f"{found[1]}-{number:05d}-of-{found[3]}.gguf" for number in range(1, int(found[3]) + 1)]


def split_stem(name: str) -> str:
    """What the parts of one split GGUF have in common; *name* itself for a whole one."""
    found = _SPLIT.fullmatch(name)
    return found[1] if found else name


def _offer(repo: str, ggufs: list[HubFile]) -> str:
    if not ggufs:
        return ""
    middle = sorted(ggufs, key=lambda file: ("q4_k_m" not in file.path.lower(), file.size))[:6]
    return "for example: " + "; ".join(f"`coda models pull {repo}:{f.path}` ({human_size(f.size)})" for f in middle)


def _safe(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and ".." not in name


def _file(entry: object) -> HubFile | None:
    if not isinstance(entry, dict) or entry.get("type") != "file":
        return None
    path, size, lfs = entry.get("path"), entry.get("size"), entry.get("lfs")
    if not isinstance(path, str) or not isinstance(size, int) or not all(_safe(part) for part in path.split("/")):
        return None
    oid = lfs.get("oid") if isinstance(lfs, dict) else None
    known = isinstance(oid, str) and re.fullmatch("(?:sha256:)?[0-9a-f]{64}", oid)
    return HubFile(path, size, str(oid).removeprefix("sha256:") if known else None)


def _get(client: httpx2.Client, url: str, repo: str) -> tuple[object, str | None]:
    """A page of the hub's API and the address of the next one, which must lie on the hub too."""
    import httpx2

    host = urlsplit(endpoint()).hostname or endpoint()
    try:
        with client.stream("GET", url, headers=token_headers()) as response:
            status, link, here = response.status_code, response.headers.get("link", ""), str(response.url)
            body = bytearray()
            for block in response.iter_bytes():
                body += block
                if len(body) > _JSON_LIMIT:
                    raise _strange()
    except (httpx2.TransportError, httpx2.InvalidURL, httpx2.TooManyRedirects) as exc:
        raise LLMConnectionError(
            f"cannot reach {host}: {str(exc) or type(exc).__name__}",
            hint="check the network; HF_ENDPOINT names a mirror of the hub",
        ) from exc
    if status in (401, 403):
        raise LLMAuthenticationError(
            f"{host} does not give {repo} away freely: it is private, gated, or does not exist",
            hint="check the name; for a gated model accept its terms on the hub and set HF_TOKEN",
            status=status,
        )
    if status == 404:
        raise LLMModelNotFoundError(f"{host} has no model {repo}", hint="check the name: owner/repo", status=404)
    if status != 200:
        raise LLMConnectionError(f"{host} answered {status}", hint="try again later", status=status)
    try:
        page = json.loads(body)
    except ValueError as exc:
        raise _strange() from exc
    following = _NEXT.search(link)
    if not following:
        return page, None
    target = urljoin(here, following[1])
    if urlsplit(target)[:2] != urlsplit(endpoint())[:2]:
        raise _strange()
    return page, target


def _strange() -> LLMInvalidRequestError:
    return LLMInvalidRequestError(
        f"{urlsplit(endpoint()).hostname or endpoint()} did not answer as a model hub does",
        hint="check HF_ENDPOINT, and that no login page or proxy stands in between",
    )
