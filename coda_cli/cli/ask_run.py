"""Running `coda ask`: one or several answers at once, Ctrl-C, deadlines, exit codes."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from coda_cli import bootstrap
from coda_cli.chat import telling
from coda_cli.cli.ask_input import Asked, Question, gather
from coda_cli.cli.ask_output import JsonLinesSink, OutputFile, QuietSink, Sink
from coda_cli.cli.ask_report import Printer, Result
from coda_cli.cli.ask_tools import ToolNews, ToolTeller, by_step
from coda_cli.cli.choice import announce, show_downloads
from coda_cli.cli.loop import run_async
from coda_cli.cli.output import EXIT_INTERRUPTED, EXIT_OK, EXIT_PIPE, report, say, style, warn, write_failed
from coda_cli.cli.persona_choice import persona_choice
from coda_cli.cli.resume import resume
from coda_cli.cli.status_line import StatusLine
from coda_cli.cli.tool_choice import choice, ready
from coda_cli.engine.core.config import BudgetLimit, LLMProvider
from coda_cli.engine.core.errors import LLMError, LLMTimeoutError, UsageError
from coda_cli.engine.core.events import (
    CacheHit,
    ContextCompacted,
    ContextCompacting,
    ContextTrimmed,
    ConversationUnsaved,
    Event,
    MemoryUpdate,
    PersonaUpdate,
    ProviderFallback,
    ReasoningChunk,
    ResponseChunk,
    ResponseStart,
    RetryScheduled,
)
from coda_cli.engine.core.usage import Status
from coda_cli.engine.generation import Generation
from coda_cli.engine.providers.http import preload
from coda_cli.engine.rendering.sanitize import Sanitizer
from coda_cli.settings import folder
from coda_cli.settings.load import Loaded, load
from coda_cli.settings.model_cache import cached_models
from coda_cli.settings.model_spec import ModelSpec, check_prefix, parse_spec


def run(asked: Asked) -> int:
    """Ask, print, and return the exit code."""
    deadline = None if asked.timeout is None else time.monotonic() + asked.timeout
    loaded = load(overrides={"offline": asked.offline})
    settings = loaded.settings
    if asked.extract and asked.format != "text":
        raise UsageError("-x and --xl print a code block, not JSON", hint="leave one of them out")
    if asked.output is not None and asked.format == "stream-json":
        raise UsageError("--output takes an answer, not events", hint="redirect stdout with > instead")
    _tell_of_folder(loaded)
    question = gather(asked, deadline)
    file = OutputFile(asked.output) if asked.output is not None else None
    persona = persona_choice(asked.persona, settings, once=True)
    resumed = resume(settings, latest=asked.latest, cid=asked.cid, fork=asked.fork, log=asked.log)
    if resumed is not None and resumed.spec is not None and not question.models:
        specs = [resumed.spec]
    else:
        asked_models: Sequence[str | None] = question.models or [persona.model]
        specs = [parse_spec(spec, settings, cached_models()) for spec in asked_models]
    for spec in specs:
        check_prefix(spec, settings)
    tools = choice(asked.tools, asked.functions, asked.approval, default=())
    names = {name for spec in specs if (name := spec.provider or settings.default_provider)}
    wired = bootstrap.wire(
        settings,
        only=names,
        choose=settings.default_provider is None and any(spec.provider is None for spec in specs),
        log=asked.log,
        conversations=resumed.conversations if resumed is not None else None,
        tools=tools.wanted,
        functions=tools.functions,
        sections=persona.sections,
        persona=persona.name,
    )
    tools.apply(wired)
    providers = wired.manager.config.providers
    if any(providers[name].provider is not LLMProvider.SCRIPTED for name in names & providers.keys()):
        # Here and not in a thread as for a chat: nobody types meanwhile, and a thread's memory comes on top.
        preload()
    if asked.max_budget is not None:
        wired.manager.config.budget.run = BudgetLimit(usd=asked.max_budget)
    conversation_id = resumed.conversation_id if resumed is not None else None
    code = run_async(_Asking(asked, question, specs, wired, deadline, file, conversation_id, tools.only).run())
    if asked.log and wired.log.failed is not None:
        warn(f"the usage log could not be written ({wired.log.failed})")
    return code


def _tell_of_folder(loaded: Loaded) -> None:
    """What is wrong with a trusted folder; that one is not trusted only where a person reads it."""
    for problem in folder.problems(loaded):
        warn(problem)
    if sys.stderr.isatty() and (note := folder.note()) is not None:
        say(note)


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
        conversation_id: str | None,
        tools: Sequence[str] | None,
    ) -> None:
        self._asked = asked
        self._conversation_id = conversation_id
        self._question_id: str | None = None  # of the question that several models answer
        self._question = question
        self._specs = list(specs)
        self._printer = Printer(asked, question, file, stream=wired.settings.stream_responses)
        self._wired = wired
        self._deadline = deadline
        self._status = StatusLine()
        self._tools = tools
        self._teller = ToolTeller(self._status)
        wired.manager.set_approver(self._teller.approver)
        self._generations: list[Generation] = []
        self._interrupted: int | None = None
        self._timed_out = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt, EXIT_INTERRUPTED)
        for gone in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(gone, self._interrupt, 128 + gone)
        loop.set_exception_handler(_complain)
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
        if self._tools != ():
            await ready(self._wired, self._tools)
        try:
            code = await self._several() if len(self._specs) > 1 else await self._single()
        except BrokenPipeError as exc:
            self._stop()
            code = write_failed(exc)
        return self._interrupted if self._interrupted is not None else code

    async def _single(self) -> int:
        result = await self._one(self._specs[0], self._printer.sink())
        self._status.clear()
        return result.code if result.code == EXIT_PIPE else self._printer.one(result)

    async def _one(self, spec: ModelSpec, sink: Sink) -> Result:
        generation = self._generation(spec)
        self._generations.append(generation)
        close_bar = show_downloads(self._wired.manager, spec, self._status)
        started = time.monotonic()
        thinking = _Thinking()
        response, error = None, None
        try:
            async for events in generation.batches():
                for step in by_step(events):
                    self._take(step, sink, thinking)
            response = await generation
        except LLMError as exc:
            error = exc
        except OSError as exc:  # stdout takes no more
            generation.cancel()
            await generation
            if not isinstance(exc, BrokenPipeError):
                raise
            return Result(spec, None, None, time.monotonic() - started, write_failed(exc))
        finally:
            close_bar()
            thinking.end()
        self._status.clear()
        interrupted = response is not None and response.status is Status.INTERRUPTED
        if interrupted and self._timed_out:
            error = self._timeout_error()
        sink.end(None if interrupted else response, error)
        code = EXIT_OK if error is None else error.exit_code
        return Result(spec, response or generation.response, error, time.monotonic() - started, code)

    def _take(self, step: ToolNews | list[Event], sink: Sink, thinking: _Thinking) -> None:
        """Events in order: what tools tell stands where it came, with the answer's text before it on the screen."""
        if isinstance(step, list):
            self._show_progress(step, thinking)
            sink.take(step)
            return
        thinking.end()
        sink.pause()
        self._teller.show(step)
        sink.take([step])

    def _generation(self, spec: ModelSpec) -> Generation:
        manager, question = self._wired.manager, self._question
        if self._conversation_id is not None and self._question_id is not None:
            return manager.retry(
                self._conversation_id,
                self._question_id,
                provider=spec.provider,
                model=spec.model,
                schema=question.schema,
                options=question.options,
                tools=self._tools,
                use_cache=self._asked.use_cache,
            )
        return manager.generate_response(
            question.prompt,
            conversation_id=self._conversation_id,
            provider=spec.provider,
            model=spec.model,
            system_prompt=question.system,
            media=question.media,
            schema=question.schema,
            options=question.options,
            tools=self._tools,
            said=question.said,
            use_cache=self._asked.use_cache,
        )

    def _show_progress(self, events: Sequence[Event], thinking: _Thinking) -> None:
        for event in events:
            match event:
                case ResponseStart():
                    self._status.waiting(f"waiting for {event.provider}/{event.model}")
                case RetryScheduled():
                    retry = f"retry {event.attempt} of {event.max_retries}"
                    self._status.countdown(retry, event.wait, str(event.error.get("message")))
                case ResponseChunk():
                    self._status.clear()
                    thinking.end()
                case ContextCompacting():
                    self._status.waiting(telling.compacting(event))
                case ContextCompacted():
                    self._status.clear()
                    say(telling.compacted(event))
                case ContextTrimmed():
                    self._status.clear()
                    warn(telling.trimmed(event))
                case MemoryUpdate():
                    for line in telling.memory(event):
                        say(line)
                case PersonaUpdate():
                    for line in telling.persona(event):
                        say(line)
                case ProviderFallback():
                    self._status.clear()
                    warn(telling.fallback(event))
                case CacheHit():
                    self._status.clear()
                    say(telling.cached(event))
                case ConversationUnsaved():
                    self._status.clear()
                    warn(f"this conversation is not saved: {event.reason}")
                case ReasoningChunk() if self._asked.reasoning:
                    self._status.clear()
                    thinking.add(event.delta)
                case _:
                    pass

    async def _several(self) -> int:
        """All models at once; each answer is printed when it and those before it are done."""
        question = self._question
        self._conversation_id, self._question_id = await self._wired.manager.add_question(
            question.prompt,
            conversation_id=self._conversation_id,
            media=question.media,
            system_prompt=question.system,
        )
        quiet = self._asked.format != "stream-json"
        tasks = [
            asyncio.ensure_future(self._one(spec, QuietSink() if quiet else JsonLinesSink())) for spec in self._specs
        ]
        worst = EXIT_OK
        for task in tasks:
            result = await task
            self._status.clear()
            if result.code == EXIT_PIPE:
                return EXIT_PIPE
            code = self._printer.next(result)
            worst = worst or code
        return self._printer.finish() or worst


class _Thinking:
    """A model's reasoning on stderr, which ends with a newline before the answer begins."""

    def __init__(self) -> None:
        self._sanitizer = Sanitizer()
        self._last = "\n"

    def add(self, delta: str) -> None:
        """Show more of it."""
        self._put(self._sanitizer.feed(delta))

    def end(self) -> None:
        """It is over, for now."""
        self._put(self._sanitizer.flush())
        if self._last != "\n":
            self._put("\n")

    def _put(self, text: str) -> None:
        if not text:
            return
        self._last = text[-1]
        with suppress(OSError):  # a full stderr must not cost the answer
            sys.stderr.write(style(text, "2", sys.stderr))
            sys.stderr.flush()


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """asyncio's own report, but for one that means nothing: a socket that became ready in the tick of its cancel."""
    if not isinstance(context.get("exception"), asyncio.InvalidStateError):
        loop.default_exception_handler(context)
