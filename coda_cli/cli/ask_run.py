"""Running `coda ask`: one or several answers at once, Ctrl-C, deadlines, exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from coda_cli import bootstrap
from coda_cli.cli.ask_input import Asked, Question, gather
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
from coda_cli.cli.choice import announce, show_downloads
from coda_cli.cli.model_cache import cached_models
from coda_cli.cli.output import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, EXIT_PIPE, put_json, report, say, style, warn
from coda_cli.cli.status_line import StatusLine
from coda_cli.engine.core.errors import LLMError, LLMTimeoutError, UsageError
from coda_cli.engine.core.events import Event, ReasoningChunk, ResponseChunk, ResponseStart, RetryScheduled
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import FinishReason, Status
from coda_cli.engine.generation import Generation
from coda_cli.engine.rendering.sanitize import Sanitizer
from coda_cli.settings.load import load_settings
from coda_cli.settings.model_spec import ModelSpec, parse_spec


@dataclass(slots=True)
class _Result:
    """How one answer ended. `code` is its exit code."""

    spec: ModelSpec
    response: LLMResponse | None
    error: LLMError | None
    seconds: float
    code: int


def run(asked: Asked) -> int:
    """Ask, print, and return the exit code."""
    deadline = None if asked.timeout is None else time.monotonic() + asked.timeout
    settings = load_settings(overrides={"offline": asked.offline})
    if asked.extract and asked.format != "text":
        raise UsageError("-x and --xl print a code block, not JSON", hint="leave one of them out")
    question = gather(asked, deadline)
    file = OutputFile(asked.output) if asked.output is not None else None
    asked_models: Sequence[str | None] = question.models or [None]
    specs = [parse_spec(spec, settings, cached_models()) for spec in asked_models]
    only = specs[0].provider if len(specs) == 1 else None
    wired = bootstrap.wire(settings, only=only, log=asked.log)
    code = asyncio.run(_Asking(asked, question, specs, wired, deadline, file).run())
    if asked.log and wired.log.failed is not None:
        warn(f"the usage log could not be written ({wired.log.failed})")
    sys.stdout.flush()
    sys.stderr.flush()
    return code


class _Asking:
    """One run: the answers under way and what is to be done with them."""

    def __init__(
        self,
        asked: Asked,
        question: Question,
        specs: Sequence[ModelSpec],
        wired: bootstrap.Wired,
        deadline: float | None,
        file: OutputFile | None,
    ) -> None:
        self._asked = asked
        self._question = question
        self._specs = specs
        self._wired = wired
        self._deadline = deadline
        self._file = file
        self._status = StatusLine()
        self._generations: list[Generation] = []
        self._interrupted: int | None = None
        self._timed_out = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt, EXIT_INTERRUPTED)
        loop.add_signal_handler(signal.SIGTERM, self._interrupt, 128 + signal.SIGTERM)
        timer = None
        if self._deadline is not None:
            timer = loop.call_later(max(0.0, self._deadline - time.monotonic()), self._time_out)
        main = asyncio.current_task()
        try:
            async with self._wired.manager:
                return await self._all()
        except asyncio.CancelledError:
            # Ctrl-C or the deadline before any answer was under way
            if main is not None:
                main.uncancel()
            return self._interrupted if self._interrupted is not None else report(self._timeout_error())
        finally:
            self._status.clear()
            if timer is not None:
                timer.cancel()

    def _interrupt(self, code: int) -> None:
        self._interrupted = code
        self._stop()

    def _time_out(self) -> None:
        self._timed_out = True
        self._stop()

    def _stop(self) -> None:
        for generation in self._generations:
            generation.cancel()
        if not self._generations:
            for task in asyncio.all_tasks():
                task.cancel()

    def _timeout_error(self) -> LLMTimeoutError:
        return LLMTimeoutError(
            f"no complete answer within --timeout {self._asked.timeout:g} s", hint="allow more time, or ask for less"
        )

    async def _all(self) -> int:
        manager = self._wired.manager
        if any(spec.provider is None for spec in self._specs):
            choice = await manager.default_choice()
            self._specs = [ModelSpec(spec.provider or choice.name, spec.model) for spec in self._specs]
            announce(choice, self._wired.settings, remember=self._asked.log)
        if len(self._specs) == 1:
            result = await self._one(self._specs[0], self._sink())
            code = self._after(result)
        else:
            code = await self._several()
        return self._interrupted if self._interrupted is not None else code

    def _sink(self) -> Sink:
        asked = self._asked
        if asked.format == "stream-json":
            return JsonLinesSink()
        whole = asked.format == "json" or asked.extract is not None or self._file is not None or not asked.stream
        if whole or not self._wired.settings.stream_responses:
            return QuietSink()
        if sys.stdout.isatty() and not asked.raw and self._question.schema is None:
            return TerminalSink()
        return PipeSink(raw=asked.raw and not sys.stdout.isatty())

    async def _one(self, spec: ModelSpec, sink: Sink) -> _Result:
        question = self._question
        generation = self._wired.manager.generate_response(
            question.prompt,
            provider=spec.provider,
            model=spec.model,
            system_prompt=question.system,
            media=question.media,
            schema=question.schema,
            **question.options,
        )
        self._generations.append(generation)
        close_bar = show_downloads(self._wired.manager, spec, self._status)
        started = time.monotonic()
        thoughts = Sanitizer()
        response, error = None, None
        try:
            async for events in generation.batches():
                self._show_progress(events, thoughts)
                sink.take(events)
            response = await generation
        except LLMError as exc:
            error = exc
        except BrokenPipeError:
            generation.cancel()
            await generation
            return _Result(spec, None, None, time.monotonic() - started, EXIT_PIPE)
        finally:
            close_bar()
        self._status.clear()
        interrupted = response is not None and response.status is Status.INTERRUPTED
        if interrupted and self._timed_out:
            error = self._timeout_error()
        try:
            sink.end(None if interrupted else response, error)
        except BrokenPipeError:
            return _Result(spec, None, None, time.monotonic() - started, EXIT_PIPE)
        code = EXIT_OK if error is None else error.exit_code
        return _Result(spec, response or generation.response, error, time.monotonic() - started, code)

    def _show_progress(self, events: Sequence[Event], thoughts: Sanitizer) -> None:
        for event in events:
            match event:
                case ResponseStart():
                    self._status.waiting(f"waiting for {event.provider}/{event.model}")
                case RetryScheduled():
                    retry = f"retry {event.attempt} of {event.max_retries}"
                    self._status.countdown(retry, event.wait, str(event.error.get("message")))
                case ResponseChunk():
                    self._status.clear()
                case ReasoningChunk() if self._asked.reasoning:
                    self._status.clear()
                    sys.stderr.write(style(thoughts.feed(event.delta), "2", sys.stderr))
                    sys.stderr.flush()
                case _:
                    pass

    def _after(self, result: _Result) -> int:
        """Print what is due at the end of a single answer; returns the exit code."""
        response, error = result.response, result.error
        if result.code == EXIT_PIPE:
            return self._hang_up()
        try:
            if response is not None:
                self._put(response, error)
        except BrokenPipeError:
            return self._hang_up()
        code = result.code
        if error is not None and self._asked.format == "text":
            if error.partial:
                say()
            report(error)
        elif response is not None:
            code = self._remarks(response) or code
        if self._asked.usage and response is not None:
            say(style(_summary(result), "2", sys.stderr) if sys.stderr.isatty() else _summary(result))
        return code

    def _hang_up(self) -> int:
        # Nobody reads any more; Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_PIPE

    def _put(self, response: LLMResponse, error: LLMError | None) -> None:
        asked = self._asked
        if asked.format == "json":
            put_json(as_json(response, error))
            return
        if asked.format == "stream-json":
            return
        text = response.content
        if asked.extract is not None and error is None:
            from coda_cli.engine.rendering.blocks import first_code_block, last_code_block

            block = first_code_block(text) if asked.extract == "first" else last_code_block(text)
            if block is None:
                warn("the answer has no code block; here is all of it")
            text = text if block is None else block
        if self._file is not None:
            self._file.save(text)
        elif asked.extract is not None:
            put_whole(text, raw=asked.raw)
        elif isinstance(self._sink(), QuietSink):
            self._put_rendered(text)

    def _put_rendered(self, text: str) -> None:
        if sys.stdout.isatty() and not self._asked.raw and self._question.schema is None:
            from coda_cli.cli.markdown import MarkdownWriter

            with MarkdownWriter(sys.stdout) as writer:
                writer.write(text)
        else:
            put_whole(text, raw=self._asked.raw)

    def _remarks(self, response: LLMResponse) -> int:
        """Warnings about an answer that is whole but not what was hoped for; returns an exit code for the worst."""
        dropped = response.metadata.get("dropped_options")
        if dropped:
            warn(f"{response.model} does not take {', '.join(dropped)}; left out")
        match response.finish_reason:
            case FinishReason.LENGTH | FinishReason.CONTEXT:
                warn("the answer stops at the length limit; raise it with -o max_tokens=N")
            case FinishReason.REFUSAL:
                warn("the model refused")
                return EXIT_FAILURE
            case FinishReason.CONTENT_FILTER:
                warn("the provider's content filter stopped the answer")
                return EXIT_FAILURE
            case _:
                pass
        if self._question.schema is not None and not _is_json(response.content):
            warn("the answer is not JSON")
            return EXIT_FAILURE
        return EXIT_OK

    async def _several(self) -> int:
        """All models at once; each answer is printed when it and those before it are done."""
        quiet = self._asked.format != "stream-json"
        tasks = [
            asyncio.ensure_future(self._one(spec, QuietSink() if quiet else JsonLinesSink())) for spec in self._specs
        ]
        worst = EXIT_OK
        for number, task in enumerate(tasks):
            result = await task
            self._status.clear()
            if result.code == EXIT_PIPE:
                return self._hang_up()
            try:
                self._print_one(result, first=number == 0)
            except BrokenPipeError:
                return self._hang_up()
            worst = worst or result.code
        return worst

    def _print_one(self, result: _Result, *, first: bool) -> None:
        if self._asked.format == "json":
            if result.response is not None:
                put_json(as_json(result.response, result.error))
            return
        if self._asked.format == "stream-json":
            return
        name = _name(result)
        write_out(("" if first else "\n").encode() + f"## {name}\n\n".encode("utf-8", "replace"))
        if result.response is not None:
            self._put_rendered(result.response.content)
        if result.error is not None:
            report(result.error)
        write_out(f"\n{_summary(result)}\n".encode("utf-8", "replace"))


def _is_json(text: str) -> bool:
    import json

    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _name(result: _Result) -> str:
    if result.response is not None and result.response.model:
        return f"{result.response.provider}/{result.response.model}"
    return "/".join(part for part in result.spec if part)


def _summary(result: _Result) -> str:
    """Time, tokens and price of one answer."""
    parts = [f"{result.seconds:.1f} s"]
    response = result.response
    if response is not None and response.usage.reported:
        parts.append(f"{response.usage.input_tokens} tokens in, {response.usage.output_tokens} out")
    if response is not None:
        cost = response.cost
        parts.append("unpriced" if cost is None else "free" if cost == 0 else f"${cost:.6f}".rstrip("0"))
    return " · ".join(parts)
