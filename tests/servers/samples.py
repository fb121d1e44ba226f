"""One script that has everything, for tests that want to see it come out whole.

Public API: `FULL` (reasoning with a signature, a ping, text with TRICKY_TEXT, two tool calls, usage), and what a client
must have read at its end: `TEXT`, `THOUGHT`, `TOOLS` (name and arguments of each call).
"""

from tests.servers.framings import TRICKY_TEXT
from tests.servers.script import Call, Ping, Say, Script, Think, Used

__all__ = ["FULL", "TEXT", "THOUGHT", "TOOLS"]

FULL: Script = [
    Think("Let me "),
    Think("see.", signature="c2ln"),
    Ping(),
    Say("It is "),
    Say("noon. "),
    Say(TRICKY_TEXT),
    Call("call_1", "get_time", ['{"zo', 'ne": "UTC"}']),
    Call("call_2", "add", ['{"a": 2, "b": 2}']),
    Used(input=100, output=40, cached=64, reasoning=8),
]
THOUGHT = "Let me see."
TEXT = "It is noon. " + TRICKY_TEXT
TOOLS: list[tuple[str, object]] = [("get_time", {"zone": "UTC"}), ("add", {"a": 2, "b": 2})]
