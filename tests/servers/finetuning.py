"""A stand-in for OpenAI's fine-tuning API: a fake that only speaks its wire format, beside what `FakeVendor` serves.

Public API::

    async with FakeFineTuning("openai") as fake:
        fake.files                the training files as they came, by id
        fake.jobs                 the jobs as they are told, by id, the oldest first
        fake.looks = 2            a job has succeeded with the N-th look at it
        fake.refuse = "why"       a job fails when its file is checked
"""

import re

from tests.servers.http import Recorded, Reply
from tests.servers.script import CREATED
from tests.servers.vendors import FakeVendor
from tests.servers.wire import JsonObject

__all__ = ["FakeFineTuning"]

_FILE = re.compile(rb'name="file"; filename="([^"]+)"\r\n.*?\r\n\r\n(.*?)\r\n--', re.DOTALL)


class FakeFineTuning(FakeVendor):
    """A fake OpenAI that takes training files and jobs. Nothing is trained."""

    def __init__(self) -> None:
        super().__init__("openai")
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, JsonObject] = {}
        self.looks = 1
        self.refuse: str | None = None
        self._looked: dict[str, int] = {}

    async def respond(self, request: Recorded) -> Reply:
        """The answer to one request."""
        path = request.path.partition("?")[0]
        if not path.startswith(("/v1/files", "/v1/fine_tuning")):
            return await super().respond(request)
        if not self._authorized(request):
            return Reply.json({"error": {"message": "bad key", "type": "authentication_error"}}, 401)
        match (request.method, *path.removeprefix("/v1/").split("/")):
            case ("POST", "files"):
                found = _FILE.search(request.body)
                assert found, "no file in the form"
                assert b'name="purpose"\r\n\r\nfine-tune' in request.body
                name = f"file-{len(self.files) + 1}"
                self.files[name] = found[2]
                return Reply.json({"id": name, "object": "file", "bytes": len(found[2]), "purpose": "fine-tune"})
            case ("POST", "fine_tuning", "jobs"):
                return Reply.json(self._made(request))
            case ("GET", "fine_tuning", "jobs"):
                return Reply.json({"object": "list", "data": [*self.jobs.values()][::-1], "has_more": False})
            case ("GET", "fine_tuning", "jobs", name) if name in self.jobs:
                return Reply.json(self._looked_at(name))
            case _:
                error = {"message": f"Could not find {path}", "type": "invalid_request_error", "code": "not_found"}
                return Reply.json({"error": error}, 404)

    def _made(self, request: Recorded) -> JsonObject:
        assert request.data["training_file"] in self.files
        name = f"ftjob-{len(self.jobs) + 1}"
        self.jobs[name] = {
            "object": "fine_tuning.job",
            "id": name,
            "model": request.data["model"],
            "created_at": CREATED,
            "finished_at": None,
            "fine_tuned_model": None,
            "organization_id": "org-fake",
            "result_files": [],
            "status": "validating_files",
            "validation_file": None,
            "training_file": request.data["training_file"],
            "trained_tokens": None,
            "error": {},
            "seed": 1,
            "hyperparameters": {"n_epochs": "auto"},
            "method": request.data.get("method"),
            "suffix": request.data.get("suffix"),
        }
        return self.jobs[name]

    def _looked_at(self, name: str) -> JsonObject:
        job = self.jobs[name]
        self._looked[name] = self._looked.get(name, 0) + 1
        if self.refuse is not None:
            error = {"code": "invalid_training_file", "message": self.refuse, "param": "training_file"}
            job |= {"status": "failed", "error": error}
        elif self._looked[name] >= self.looks:
            model = f"ft:{job['model']}:fake:{job['suffix'] or ''}:abc123"
            job |= {"status": "succeeded", "fine_tuned_model": model, "trained_tokens": 1234, "finished_at": CREATED}
        else:
            job |= {"status": "running"}
        return job
