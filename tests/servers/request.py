"""One HTTP request as a fake server received it, and the reader that takes it off the wire.

Public API: `Recorded` (fields below) and `read_request(reader)`, which gives None at the end of the connection.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["Recorded", "read_request"]


@dataclass
class Recorded:
    """One request, and how its answer ended.

    Header names are in lower case. `arrived` is `time.monotonic()` in seconds. `json` is the parsed body, or None
    where the body is empty or no JSON. `status` is what was answered (None: no status line was sent), `sent` the
    bytes of the body written so far, without framing. `ended` says that the server is done with this request;
    `client_gone` that the client left before that.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    json: object = None
    arrived: float = field(default_factory=time.monotonic)
    number: int = 0
    status: int | None = None
    sent: int = 0
    ended: bool = False
    client_gone: bool = False

    @property
    def data(self) -> dict[str, object]:
        """The JSON body where it is an object, else an empty one."""
        return self.json if isinstance(self.json, dict) else {}

    def get(self, *path: str | int) -> object:
        """A value deep in the JSON body, None where the path leads nowhere: `request.get("messages", -1, "role")`."""
        value = self.json
        for step in path:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return None
        return value


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        return await reader.readexactly(int(headers.get("content-length") or 0))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    # Trailers, up to the empty line.
    while (await reader.readline()).strip():
        pass
    return body


async def read_request(reader: asyncio.StreamReader) -> Recorded | None:
    """The next request of this connection, or None where the client has closed it.

    Raises ConnectionError and asyncio.IncompleteReadError where the client breaks off inside the request.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        key, value = name.strip().lower(), value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    body = await _read_body(reader, headers)
    url = urlsplit(target)
    request = Recorded(method, unquote(url.path), dict(parse_qsl(url.query)), headers, body)
    try:
        request.json = json.loads(body) if body else None
    except ValueError:
        pass  # not JSON: `body` has it as it came
    return request
