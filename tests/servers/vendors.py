"""Stand-ins for the vendors: fakes that speak the wire format of OpenAI, Anthropic and Ollama, with no model behind.

Public API::

    async with FakeVendor("openai", answer="Hello there, friend.") as fake:      or "anthropic", "ollama"
        fake.url            base address without /v1 (OpenAI's base_url is fake.url + "/v1")
        fake.requests       every request (`Recorded`), listings too; fake.asked: only those that ask for an answer
        fake.answer = ...   the text that a default answer says
        fake.script = ...   what it says: a Script, or a callable `(Recorded) -> Script`
        fake.queue(...)     for the next requests for an answer: each a Reply, or a Script (streamed or whole, as asked)
        fake.fail_first(3, error_reply("openai", "rate_limited"))    the next 3 requests for an answer get this
        fake.routes["/v1/models"] = Reply(...)     any path, always
        fake.shape = lambda reply: reply.but(delay_between=0.01)     applied to every answer built from a script
        fake.framing = FRAMINGS["crlf"]            lays out every streamed answer
        fake.api_key = "k"  asks for this key (401 without it); None takes any or none
        fake.models         names it lists (Ollama: `catalog`, a list of OllamaModel)
        fake.strict = True  a model that it does not list is a 404
        fake.pulls          what /api/pull streams, a list of JSON objects

Served: openai `/v1/chat/completions /v1/responses /v1/models[/ID]`; anthropic `/v1/messages
/v1/messages/count_tokens /v1/models[/ID]`; ollama `/ /api/chat /api/tags /api/show /api/ps /api/version /api/pull` and
its OpenAI-compatible `/v1/chat/completions`, `/v1/models`. Anything else is a 404 of the vendor. Faults, `Gate`,
`wait_for_requests` and `wait_idle` are those of `http.FakeServer`, which this is.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.servers import framings
from tests.servers.errors import error_reply
from tests.servers.http import FakeServer, Recorded, Reply
from tests.servers.script import CREATED, Script, Used, say
from tests.servers.wire import WIRES, Vendor, Wire, ndjson, stream_reply, whole_reply

__all__ = ["FakeVendor", "OllamaModel"]

_WHEN = "2026-09-21T14:13:20.123456789Z"
_MODELS = {"openai": ["fake-model", "fake-model-mini"], "anthropic": ["fake-model", "fake-model-mini"]}
_WIRES_OF: dict[Vendor, list[Wire]] = {
    "openai": [WIRES["openai"], WIRES["responses"]],
    "anthropic": [WIRES["anthropic"]],
    "ollama": [WIRES["ollama"], WIRES["openai"]],
}


@dataclass
class OllamaModel:
    """One model of the fake Ollama's library, as /api/tags and /api/show tell of it."""

    name: str
    capabilities: list[str] = field(default_factory=lambda: ["completion", "tools"])
    family: str = "llama"
    context: int = 8192
    size: int = 4_661_224_676
    loaded: bool = False

    def details(self) -> dict[str, object]:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": "8.0B",
            "quantization_level": "Q4_K_M",
        }

    def listed(self) -> dict[str, object]:
        """An entry of /api/tags."""
        return {
            "name": self.name,
            "model": self.name,
            "modified_at": _WHEN,
            "size": self.size,
            "digest": "0123456789abcdef" * 4,
            "details": self.details(),
        }

    def shown(self) -> dict[str, object]:
        """The answer of /api/show."""
        return {
            "license": "none",
            "modelfile": f"FROM {self.name}",
            "parameters": 'stop "<|end|>"',
            "template": "{{ .Prompt }}",
            "details": self.details(),
            "model_info": {
                "general.architecture": self.family,
                "general.parameter_count": 8_030_261_248,
                f"{self.family}.context_length": self.context,
            },
            "capabilities": self.capabilities,
            "modified_at": _WHEN,
        }


def _pulls() -> list[dict[str, object]]:
    layer = {"status": "pulling 0123456789ab", "digest": "sha256:" + "0123456789abcdef" * 4, "total": 1000}
    progress: list[dict[str, object]] = [{**layer, "completed": done} for done in (0, 400, 1000)]
    rest: list[dict[str, object]] = [
        {"status": status} for status in ("verifying sha256 digest", "writing manifest", "success")
    ]
    return [{"status": "pulling manifest"}, *progress, *rest]


class FakeVendor(FakeServer):
    """A stand-in for one vendor's API: a fake that only speaks its wire format. No model runs behind it."""

    def __init__(self, vendor: Vendor, *, answer: str = "Hello there, friend.", port: int = 0) -> None:
        super().__init__(port=port)
        self.vendor = vendor
        self.answer = answer
        self.script: Script | Callable[[Recorded], Script] | None = None
        self.routes: dict[str, Reply] = {}
        self.shape: Callable[[Reply], Reply] | None = None
        self.framing: framings.Framing | None = None
        self.api_key: str | None = None
        self.models: list[str] = list(_MODELS.get(vendor, []))
        self.catalog = [OllamaModel("fake-model:latest", loaded=True), OllamaModel("fake-model:mini", ["completion"])]
        self.strict = False
        self.pulls = _pulls()
        self._next: deque[Reply | Script] = deque()
        self._wires = {wire.path: wire for wire in _WIRES_OF[vendor]}

    @property
    def asked(self) -> list[Recorded]:
        """The requests that asked for an answer, without listings and the like."""
        return [request for request in self.requests if request.path in self._wires]

    def queue(self, *replies: Reply | Script) -> None:
        """Answer the next requests for an answer with these, one each."""
        self._next.extend(replies)

    def fail_first(self, n: int, reply: Reply) -> None:
        """Answer the next n requests for an answer with this reply, before anything queued."""
        self._next.extendleft([reply] * n)

    async def respond(self, request: Recorded) -> Reply:
        """The answer to one request."""
        if request.path in self.routes:
            return self.routes[request.path]
        if not self._authorized(request):
            return error_reply(self.vendor, "unauthorized")
        wire = self._wires.get(request.path)
        if wire is not None:
            if request.method != "POST":
                return Reply.json({"error": {"message": "POST only"}}, 405, {"allow": "POST"})
            return self._asked_for(request, wire)
        return self._listing(request) or Reply.json({"error": f"no such path: {request.path}"}, 404)

    def _authorized(self, request: Recorded) -> bool:
        if self.api_key is None:
            return True
        headers = request.headers
        return self.api_key in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer "))

    def _asked_for(self, request: Recorded, wire: Wire) -> Reply:
        queued = self._next.popleft() if self._next else None
        if isinstance(queued, Reply):
            return queued
        model = str(request.data.get("model", "fake-model"))
        if self.strict and not self._knows(model):
            return error_reply(self.vendor, "model_not_found", model=model)
        script = queued if queued is not None else self._script_for(request)
        # Ollama streams unless told not to; the others only when told to.
        if not request.data.get("stream", wire.name == "ollama"):
            reply = whole_reply(wire, script, model)
        else:
            usage = wire.name != "openai" or request.get("stream_options", "include_usage") is True
            reply = stream_reply(wire, script, model, include_usage=usage, cut=self.framing)
        return self.shape(reply) if self.shape else reply

    def _script_for(self, request: Recorded) -> Script:
        if self.script is None:
            return [*say(self.answer), Used(input=12, output=len(self.answer.split()))]
        return self.script(request) if callable(self.script) else self.script

    def _knows(self, model: str) -> bool:
        if self.vendor == "ollama":
            return self._find(model) is not None
        return model in self.models

    def _find(self, model: str) -> OllamaModel | None:
        """Ollama takes a name without a tag for its `latest`."""
        return next(
            (known for known in self.catalog if model in (known.name, known.name.removesuffix(":latest"))), None
        )

    def _listing(self, request: Recorded) -> Reply | None:
        path = request.path
        if self.vendor == "ollama" and (path == "/" or path.startswith("/api/")):
            return self._ollama(request)
        if path == "/v1/messages/count_tokens" and self.vendor == "anthropic":
            return Reply.json({"input_tokens": max(1, len(request.body) // 4)})
        if path == "/v1/models" or path.startswith("/v1/models/"):
            return self._models(request, path.removeprefix("/v1/models").strip("/"))
        return None

    def _models(self, request: Recorded, wanted: str) -> Reply:
        names = self.models or [model.name for model in self.catalog]
        if wanted and wanted not in names:
            return error_reply(self.vendor, "model_not_found", model=wanted)
        if self.vendor == "anthropic":
            if "anthropic-version" not in request.headers:
                error = {"type": "invalid_request_error", "message": "anthropic-version: header is required"}
                return Reply.json({"type": "error", "error": error}, 400)
            entries = [_anthropic_model(name) for name in names]
            page = {"data": entries, "has_more": False, "first_id": names[0], "last_id": names[-1]}
            return Reply.json(_anthropic_model(wanted) if wanted else page)
        listed = [{"id": name, "object": "model", "created": CREATED, "owned_by": "fake"} for name in names]
        if wanted:
            return Reply.json(listed[names.index(wanted)])
        return Reply.json({"object": "list", "data": listed})

    def _ollama(self, request: Recorded) -> Reply | None:
        match request.path:
            case "/":
                return Reply.text("Ollama is running")
            case "/api/version":
                return Reply.json({"version": "0.0.0-fake"})
            case "/api/tags":
                return Reply.json({"models": [model.listed() for model in self.catalog]})
            case "/api/ps":
                loaded = [model for model in self.catalog if model.loaded]
                more = {"expires_at": _WHEN, "size_vram": 0}
                return Reply.json(
                    {"models": [{**model.listed(), **more, "context_length": model.context} for model in loaded]}
                )
            case "/api/show":
                name = str(request.data.get("model") or request.data.get("name") or "")
                model = self._find(name)
                return Reply.json(model.shown()) if model else error_reply("ollama", "model_not_found", model=name)
            case "/api/pull":
                if request.data.get("stream", True) is False:
                    return Reply.json(self.pulls[-1])
                return Reply(
                    headers={"content-type": "application/x-ndjson"}, body=[ndjson(line) for line in self.pulls]
                )
            case _:
                return None


def _anthropic_model(name: str) -> dict[str, object]:
    return {
        "type": "model",
        "id": name,
        "display_name": name.title(),
        "created_at": "2026-09-21T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }
