"""The floor of `bench_tui`: the smallest chat in Textual, an Input and one Markdown an answer, fed by its own stream.

    OPENAI_BASE_URL=... python -m tests.bench.textual_floor MODEL

The HTTP client is loaded when the first message is sent, as a careful program would.
"""

from __future__ import annotations

import json
import os
import sys

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Input, Markdown


class Floor(App[None]):
    """The chat."""

    CSS = "VerticalScroll { height: 1fr } Input { dock: bottom }"

    def compose(self) -> ComposeResult:
        """Answers above, the prompt below."""
        yield VerticalScroll()
        yield Input(placeholder="Ready to chat")

    def on_mount(self) -> None:
        """Follow the end; type at once."""
        self.query_one(VerticalScroll).anchor()
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask what was typed."""
        event.input.clear()
        self.run_worker(self.ask(event.value))

    async def ask(self, text: str) -> None:
        """Stream one answer into a Markdown of its own."""
        import httpx2

        answer = Markdown()
        await self.query_one(VerticalScroll).mount(answer)
        stream = Markdown.get_stream(answer)
        body = {"model": sys.argv[1], "stream": True, "messages": [{"role": "user", "content": text}]}
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        async with httpx2.AsyncClient(timeout=60) as client, client.stream("POST", url, json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {") and (choices := json.loads(line[6:])["choices"]):
                    await stream.write(choices[0]["delta"].get("content") or "")
        await stream.stop()


if __name__ == "__main__":
    Floor().run()
