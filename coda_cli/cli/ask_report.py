"""What `coda ask` prints or saves when an answer is over: text, a code block, JSON, remarks, time and price."""

from __future__ import annotations

import json
import sys

from msgspec import Struct

from coda_cli.cli.ask_input import Asked, Question
from coda_cli.cli.ask_output import (
    JsonLinesSink,
    OutputFile,
    PipeSink,
    QuietSink,
    Sink,
    TerminalSink,
    as_json,
    put_whole,
    write_out,
)
from coda_cli.cli.output import EXIT_FAILURE, EXIT_OK, can_draw, put_json, report, say, style, to_json, warn
from coda_cli.engine.briefing import GIVEN
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import FinishReason
from coda_cli.settings.model_spec import ModelSpec


class Result(Struct):
    """How one answer ended. `code` is its exit code."""

    spec: ModelSpec
    response: LLMResponse | None
    error: LLMError | None
    seconds: float
    code: int


class Printer:
    """Puts answers where the command line wants them. Raises OSError when stdout takes no more."""

    def __init__(self, asked: Asked, question: Question, file: OutputFile | None, *, stream: bool) -> None:
        self._asked = asked
        self._question = question
        self._file = file
        self._stream = stream and asked.stream
        self._count = 0

    def sink(self) -> Sink:
        """Where the events of a single answer go."""
        asked = self._asked
        if asked.format == "stream-json":
            return JsonLinesSink()
        if asked.format == "json" or asked.extract is not None or self._file is not None or not self._stream:
            return QuietSink()
        if self._rendered():
            return TerminalSink()
        return PipeSink(raw=asked.raw and not sys.stdout.isatty())

    def one(self, result: Result) -> int:
        """Print what is due after a single answer; returns the exit code."""
        response, error = result.response, result.error
        code = result.code
        if self._asked.format == "json":
            self._put_json(result)
        elif self._asked.format == "text" and response is not None:
            text = self._text(response, error)
            if self._file is not None:
                self._file.add(text)
            elif isinstance(self.sink(), QuietSink):
                self._put(text)
        if error is not None and self._asked.format == "text":
            if error.partial and self._file is None:
                say()
            report(error)
        elif response is not None and error is None:
            code = self._remarks(response) or code
        if self._asked.usage and response is not None:
            _aside(summary(result))
        return self._save() or code

    def next(self, result: Result) -> int:
        """Print one of several answers; returns its exit code."""
        response, error = result.response, result.error
        self._count += 1
        name = _name(result)
        if self._asked.format == "json":
            self._put_json(result)
        elif self._asked.format == "text":
            text = self._text(response, error) if response is not None else ""
            if self._file is not None:
                self._file.add(f"## {name}\n\n{text}" if text else "")
                _aside(f"{name}: {summary(result)}")
            else:
                write_out(f"{'' if self._count == 1 else chr(10)}## {name}\n\n".encode("utf-8", "replace"))
                self._put(text)
                write_out(f"\n{summary(result)}\n".encode("utf-8", "replace"))
            if error is not None:
                report(error)
        if response is None or error is not None:
            return result.code
        return self._remarks(response, f"{name}: ") or result.code

    def finish(self) -> int:
        """Save what was collected from several answers; returns an exit code."""
        return self._save()

    def _save(self) -> int:
        if self._file is None:
            return EXIT_OK
        between = "" if self._asked.format == "json" else "\n"
        return EXIT_OK if self._file.save(between=between) else EXIT_FAILURE

    def _put_json(self, result: Result) -> None:
        response = result.response
        if response is None:
            return
        value = as_json(response, result.error)
        if memories := response.metadata.get(GIVEN):
            value["memories"] = memories
        if self._file is not None and response.content:
            self._file.add(to_json(value))
        else:
            put_json(value)

    def _text(self, response: LLMResponse, error: LLMError | None) -> str:
        """The text of an answer, or its code block where that is wanted."""
        text = response.content
        if self._asked.extract is None or error is not None:
            return text
        from coda_cli.engine.rendering.blocks import first_code_block, last_code_block

        block = first_code_block(text) if self._asked.extract == "first" else last_code_block(text)
        if block is None and text:
            warn("the answer has no code block; here is all of it")
        return text if block is None else block

    def _put(self, text: str) -> None:
        if self._rendered() and self._asked.extract is None:
            from coda_cli.cli.markdown import MarkdownWriter

            with MarkdownWriter(sys.stdout) as writer:
                writer.write(text)
        else:
            put_whole(text, raw=self._asked.raw)

    def _rendered(self) -> bool:
        return can_draw(sys.stdout) and not self._asked.raw and self._question.schema is None

    def _remarks(self, response: LLMResponse, prefix: str = "") -> int:
        """Warnings about an answer that is whole but not what was hoped for; returns an exit code for the worst."""
        dropped = response.metadata.get("dropped_options")
        if dropped:
            warn(f"{response.model} does not take {', '.join(dropped)}; left out")
        match response.finish_reason:
            case FinishReason.LENGTH | FinishReason.CONTEXT:
                warn(f"{prefix}the answer stops at the length limit; raise it with -o max_tokens=N")
            case FinishReason.REFUSAL:
                warn(f"{prefix}the model refused")
                return EXIT_FAILURE
            case FinishReason.CONTENT_FILTER:
                warn(f"{prefix}the provider's content filter stopped the answer")
                return EXIT_FAILURE
            case _:
                pass
        if self._question.schema is not None and not _is_json(response.content):
            warn(f"{prefix}the answer is not JSON")
            return EXIT_FAILURE
        return EXIT_OK


def summary(result: Result) -> str:
    """Time, tokens and price of one answer."""
    parts = [f"{result.seconds:.1f} s"]
    response = result.response
    if response is not None and response.usage.reported:
        parts.append(f"{response.usage.input_tokens} tokens in, {response.usage.output_tokens} out")
    if response is not None:
        cost = response.cost
        parts.append("unpriced" if cost is None else "free" if cost == 0 else f"${cost:.6f}".rstrip("0"))
    return " · ".join(parts)


def _aside(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(style(text, "2", sys.stderr) + "\n")
    else:
        say(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _name(result: Result) -> str:
    if result.response is not None and result.response.model:
        return f"{result.response.provider}/{result.response.model}"
    return "/".join(part for part in result.spec if part)
