"""The tools that Coda brings, one a file, imported when a model is first told of them."""

from __future__ import annotations

from typing import Final

_HERE: Final = "coda_cli.engine.tools.builtin"

BUILTIN: Final[dict[str, str]] = {
    "ask_user": f"{_HERE}.ask_user:AskUser",
    "calculator": f"{_HERE}.calculator:Calculator",
    "delete_memory": f"{_HERE}.delete_memory:DeleteMemory",
    "edit_file": f"{_HERE}.edit_file:EditFile",
    "fetch_url": f"{_HERE}.fetch_url:FetchUrl",
    "generate_uuid": f"{_HERE}.generate_uuid:GenerateUuid",
    "get_date": f"{_HERE}.get_date:GetDate",
    "get_time": f"{_HERE}.get_time:GetTime",
    "list_files": f"{_HERE}.list_files:ListFiles",
    "random_number": f"{_HERE}.random_number:RandomNumber",
    "read_file": f"{_HERE}.read_file:ReadFile",
    "read_output": f"{_HERE}.read_output:ReadOutput",
    "run_command": f"{_HERE}.run_command:RunCommand",
    "run_python": f"{_HERE}.run_python:RunPython",
    "search_files": f"{_HERE}.search_files:SearchFiles",
    "search_memory": f"{_HERE}.search_memory:SearchMemory",
    "store_memory": f"{_HERE}.store_memory:StoreMemory",
    "timestamp": f"{_HERE}.timestamp:Timestamp",
    "update_memory": f"{_HERE}.update_memory:UpdateMemory",
    "write_file": f"{_HERE}.write_file:WriteFile",
}
"""Name -> "module:attribute", a `BaseTool` or a class of one. A module imports only the standard library."""
