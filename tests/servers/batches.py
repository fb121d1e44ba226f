"""Stand-ins for the vendors' batch APIs: fakes that only speak their wire format, beside all that `FakeVendor` serves.

Public API::

    async with FakeBatches("openai") as fake:            or "anthropic"
        fake.polls = 2            a batch ends with the N-th look at it
        fake.fate["r1"] = "errored"      what becomes of a request, by its custom id: errored, expired, missing, empty
        fake.refuse = "why"       a batch fails as a whole (OpenAI, when it checks the file)
        fake.batches              id -> Batch(entries, looks, cancelled)
        fake.script               what the answers say, as in FakeVendor (a callable gets the body as its request)

Results come in the reverse order of the requests, as the vendors promise none.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Literal

from tests.servers.http import Recorded, Reply
from tests.servers.vendors import FakeVendor
from tests.servers.wire import WIRES, JsonObject, Wire, ndjson

__all__ = ["Batch", "FakeBatches", "Fate"]

Fate = Literal["errored", "expired", "missing", "empty"]
_WHEN = "2026-09-21T14:13:20Z"
_FILE = re.compile(rb'name="file"; filename="([^"]+)"\r\n.*?\r\n\r\n(.*?)\r\n--', re.DOTALL)


@dataclass
class Batch:
    """One batch: its requests as they came, how often it was looked at, whether it was cancelled."""

    entries: list[JsonObject]
    label: str = ""
    endpoint: str = ""
    looks: int = 0
    cancelled: bool = False
    failed: str | None = None


@dataclass
class _Result:
    custom_id: str
    fate: Fate | Literal["cancelled"] | None
    answer: JsonObject = field(default_factory=dict)


class FakeBatches(FakeVendor):
    """A fake vendor with a batch API."""

    def __init__(self, vendor: Literal["openai", "anthropic"], *, answer: str = "Hello there, friend.") -> None:
        super().__init__(vendor, answer=answer)
        self.polls = 1
        self.fate: dict[str, Fate] = {}
        self.refuse: str | None = None
        self.batches: dict[str, Batch] = {}
        self._files: dict[str, bytes] = {}

    async def respond(self, request: Recorded) -> Reply:
        """The answer to one request."""
        batch = request.path.startswith(("/v1/files", "/v1/batches", "/v1/messages/batches"))
        if not batch or request.path in self.routes:
            return await super().respond(request)
        if not self._authorized(request):
            return Reply.json({"error": {"message": "bad key", "type": "authentication_error"}}, 401)
        steps = request.path.removeprefix("/v1/").split("/")
        return self._openai(request, steps) if self.vendor == "openai" else self._anthropic(request, steps[1:])

    # ---- OpenAI ---------------------------------------------------------------------------------------------------

    def _openai(self, request: Recorded, steps: list[str]) -> Reply:
        match (request.method, *steps):
            case ("POST", "files"):
                found = _FILE.search(request.body)
                assert found, "no file in the form"
                assert b'name="purpose"\r\n\r\nbatch' in request.body
                name = f"file-{len(self._files) + 1}"
                self._files[name] = found[2]
                return Reply.json({"id": name, "object": "file", "bytes": len(found[2]), "purpose": "batch"})
            case ("POST", "batches"):
                lines = self._files[str(request.data["input_file_id"])].splitlines()
                label = request.get("metadata", "coda")
                made = Batch([json.loads(line) for line in lines], str(label), str(request.data["endpoint"]))
                made.failed = self.refuse
                name = f"batch_{len(self.batches) + 1}"
                self.batches[name] = made
                return Reply.json(self._openai_batch(name))
            case ("GET", "batches", name) if name in self.batches:
                self.batches[name].looks += 1
                return Reply.json(self._openai_batch(name))
            case ("POST", "batches", name, "cancel") if name in self.batches:
                self.batches[name].cancelled = True
                return Reply.json(self._openai_batch(name))
            case ("GET", "files", name, "content") if name.startswith("out-"):
                return _lines([_openai_line(one) for one in self._results(name[4:]) if one.fate in (None, "empty")])
            case ("GET", "files", name, "content") if name.startswith("err-"):
                bad = [one for one in self._results(name[4:]) if one.fate not in (None, "empty", "missing")]
                return _lines([_openai_line(one) for one in bad])
            case _:
                return Reply.json({"error": {"message": f"no such path: {request.path}"}}, 404)

    def _openai_batch(self, name: str) -> JsonObject:
        batch = self.batches[name]
        ended = self._ended(batch)
        status = "failed" if batch.failed else "in_progress"
        if ended and not batch.failed:
            status = "cancelled" if batch.cancelled else "completed"
        results = self._results(name)
        good = sum(one.fate is None for one in results)
        error = {"code": "invalid", "message": batch.failed, "line": 1, "param": None}
        return {
            "id": name,
            "object": "batch",
            "endpoint": batch.endpoint,
            "status": status,
            "input_file_id": "file-1",
            "completion_window": "24h",
            "created_at": 1_790_000_000,
            "output_file_id": f"out-{name}" if ended and not batch.failed else None,
            "error_file_id": f"err-{name}" if ended and not batch.failed and good < len(results) else None,
            "errors": {"object": "list", "data": [error]} if batch.failed else None,
            "request_counts": {
                "total": len(results),
                "completed": good if ended else 0,
                "failed": len(results) - good if ended else 0,
            },
        }

    # ---- Anthropic ------------------------------------------------------------------------------------------------

    def _anthropic(self, request: Recorded, steps: list[str]) -> Reply:
        match (request.method, *steps):
            case ("POST", "batches"):
                listed = request.data["requests"]
                assert isinstance(listed, list)
                name = f"msgbatch_{len(self.batches) + 1}"
                self.batches[name] = Batch(listed)
                return Reply.json(self._anthropic_batch(name))
            case ("GET", "batches", name) if name in self.batches:
                self.batches[name].looks += 1
                return Reply.json(self._anthropic_batch(name))
            case ("POST", "batches", name, "cancel") if name in self.batches:
                self.batches[name].cancelled = True
                return Reply.json(self._anthropic_batch(name))
            case ("GET", "batches", name, "results") if name in self.batches:
                return _lines([_anthropic_line(one) for one in self._results(name) if one.fate != "missing"])
            case _:
                error = {"type": "not_found_error", "message": f"no such path: {request.path}"}
                return Reply.json({"type": "error", "error": error}, 404)

    def _anthropic_batch(self, name: str) -> JsonObject:
        batch = self.batches[name]
        ended = self._ended(batch)
        fates = [one.fate for one in self._results(name)]
        count = {kind: sum(fate == kind for fate in fates) if ended else 0 for kind in ("errored", "expired")}
        return {
            "id": name,
            "type": "message_batch",
            "processing_status": "ended" if ended else "canceling" if batch.cancelled else "in_progress",
            "request_counts": {
                "processing": 0 if ended else len(fates),
                "succeeded": fates.count(None) if ended else 0,
                "canceled": fates.count("cancelled") if ended else 0,
                **count,
            },
            "created_at": _WHEN,
            "expires_at": _WHEN,
            "ended_at": _WHEN if ended else None,
            "cancel_initiated_at": None,
            "archived_at": None,
            # somebody else's address: a client that follows it would take the key along
            "results_url": "https://example.invalid/results" if ended else None,
        }

    # ---- both -----------------------------------------------------------------------------------------------------

    def _ended(self, batch: Batch) -> bool:
        return batch.looks >= self.polls or batch.cancelled or batch.failed is not None

    def _results(self, name: str) -> list[_Result]:
        batch = self.batches[name]
        found = []
        for entry in reversed(batch.entries):
            custom_id = str(entry["custom_id"])
            fate: Fate | Literal["cancelled"] | None = self.fate.get(custom_id)
            if batch.cancelled:  # before anything was answered, as far as this fake goes
                fate = "cancelled"
            result = _Result(custom_id, fate)
            if fate is None:
                body = entry["body" if self.vendor == "openai" else "params"]
                assert isinstance(body, dict)
                asked = Recorded("POST", self._wire(batch).path, {}, {}, json.dumps(body).encode(), body)
                result.answer = self._wire(batch).whole(self._script_for(asked), str(body["model"]))
            found.append(result)
        return found

    def _wire(self, batch: Batch) -> Wire:
        if self.vendor == "anthropic":
            return WIRES["anthropic"]
        return WIRES["responses" if batch.endpoint == "/v1/responses" else "openai"]


def _lines(values: list[JsonObject]) -> Reply:
    return Reply(headers={"content-type": "application/octet-stream"}, body=[ndjson(value) for value in values])


def _openai_line(one: _Result) -> JsonObject:
    line: JsonObject = {"id": f"batch_req_{one.custom_id}", "custom_id": one.custom_id, "response": None, "error": None}
    match one.fate:
        case None:
            line["response"] = {"status_code": 200, "request_id": "req_1", "body": one.answer}
        case "errored":
            error = {"message": "max_tokens is too large", "type": "invalid_request_error", "code": None, "param": None}
            line["response"] = {"status_code": 400, "request_id": "req_1", "body": {"error": error}}
        case "expired":
            line["error"] = {"code": "batch_expired", "message": "This request could not be executed in time."}
        case "cancelled":
            line["error"] = {"code": "batch_cancelled", "message": "The batch was cancelled."}
        case "empty" | "missing":
            pass
    return line


def _anthropic_line(one: _Result) -> JsonObject:
    result: JsonObject
    match one.fate:
        case None:
            result = {"type": "succeeded", "message": one.answer}
        case "errored":
            error = {"type": "invalid_request_error", "message": "max_tokens: must be positive"}
            result = {"type": "errored", "error": {"type": "error", "error": error}}
        case "expired":
            result = {"type": "expired"}
        case "cancelled":
            result = {"type": "canceled"}
        case "empty" | "missing":
            result = {}
    return {"custom_id": one.custom_id, "result": result}
