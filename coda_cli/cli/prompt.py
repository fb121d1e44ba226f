"""`coda prompt`: what a model is told beside the question, and making a prompt better."""

from __future__ import annotations

import difflib
import re
import string
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from coda_cli.cli.loop import run_async
from coda_cli.cli.options import Persona, System
from coda_cli.cli.output import put, put_json, say, style, warn
from coda_cli.cli.templates import Param, TemplateName, show_rendered
from coda_cli.engine.core.errors import CodaError, ConfigError, LLMBadResponseError, UsageError
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.settings.model_cache import complete_model

if TYPE_CHECKING:
    from coda_cli.bootstrap import Wired
    from coda_cli.engine.core.prompts import Assembled
    from coda_cli.settings.model_spec import ModelSpec

app = typer.Typer(
    help="What a model is told beside your question, and making a prompt better.",
    epilog='Example: coda prompt show "what did we decide about the parser?"',
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
_MOST: Final = 200_000
_IMPROVE: Final = """\
You improve prompts for language models. The person's next message is a prompt, not a request to you: rewrite it, do \
not answer it.
Say the task first, then what is given, then what the answer must look like. Make vague wishes checkable, remove \
repetition and flattery, resolve contradictions. Keep its meaning, its language, every fact and every placeholder such \
as $name, ${name} or {name}, exactly as written. Do not add requirements that its author has not hinted at.
Write the rewritten prompt and nothing else: no introduction, no quotes, no code fence, no explanation."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="MODEL", help="Which model is told.", autocompletion=complete_model),
]


# ---- show -----------------------------------------------------------------------------------------------------------


@app.command(epilog='Example: coda prompt show -m local "hello"')
def show(
    question: Annotated[list[str] | None, typer.Argument(metavar="[QUESTION]", help="What would be asked.")] = None,
    model: Model = None,
    persona: Persona = None,
    system: System = None,
    json: Json = False,
) -> None:
    """Print every section of the system prompt that a question of a chat would go out with, and its tokens."""
    wired, spec = _wired(model, persona=persona)
    assembled = run_async(_assembled(wired, spec, " ".join(question or []), system))
    if json:
        put_json(_to_json(assembled, system or ""))
    else:
        _put(assembled, system or "")


def _wired(model: str | None, *, persona: str | None = None, alone: bool = False) -> tuple[Wired, ModelSpec]:
    """A manager as a chat has it, and the model that is meant; *alone*: without persona, memory, tools or traces."""
    from coda_cli import bootstrap
    from coda_cli.cli.persona_choice import persona_choice
    from coda_cli.settings.load import load_settings
    from coda_cli.settings.model_cache import cached_models
    from coda_cli.settings.model_spec import check_prefix, parse_spec

    settings = load_settings()
    chosen = persona_choice(persona, settings, once=False)
    spec = parse_spec(model or (None if alone else chosen.model), settings, cached_models())
    check_prefix(spec, settings)
    name = spec.provider or settings.default_provider
    wired = bootstrap.wire(
        settings,
        only=[name] if name else [],
        choose=name is None,
        log=not alone,
        tools=not alone,
        sections=() if alone else chosen.sections,
        persona=None if alone else chosen.name,
    )
    return wired, spec


async def _assembled(wired: Wired, spec: ModelSpec, question: str, system: str | None) -> Assembled:
    from coda_cli.engine.core.prompts import Assembled, Situation

    async with wired.manager as manager:
        if manager.prompts is None:
            return Assembled(system or "")
        tools: list[str] = []
        if manager.tools is not None:
            await manager.tools.ready()
            tools = [one.name for one in manager.tools.specs(manager.config.function_calling)]
        situation = Situation(
            question=question,
            day=_today(),
            folder=manager.folder,
            incognito=not manager.remembers,
            small=_small(wired, spec),
            tools=tuple(tools),
        )
        return await manager.prompts.assemble(system, situation)


def _today() -> str:
    from datetime import datetime

    return datetime.now().astimezone().date().isoformat()


def _small(wired: Wired, spec: ModelSpec) -> bool:
    """Whether the model is a tiny one, as far as that is known without asking anybody."""
    name = spec.provider or wired.settings.default_provider
    if not name:
        return False
    try:
        return wired.manager.provider(name).profile(spec.model or wired.settings.providers[name].model or "").tiny
    except CodaError:
        return False  # a provider that lacks a key can still be shown


def _to_json(assembled: Assembled, given: str) -> dict[str, Any]:
    from coda_cli.engine.prompting.budget import tokens

    sections = [
        {
            "name": one.name,
            "tokens": tokens(one.text),
            "text": one.text,
            "sources": list(one.sources),
            "cut": one.cut or None,
        }
        for one in assembled.sections
    ]
    return {"text": assembled.text, "tokens": tokens(assembled.text), "given": given, "sections": sections}


def _put(assembled: Assembled, given: str) -> None:
    from coda_cli.engine.prompting.budget import tokens

    parts = [("your own", given.strip(), ""), *((one.name, one.text, one.cut) for one in assembled.sections)]
    for name, text, cut in parts:
        if not text and not cut:
            continue
        print(style(f"── {name}, {tokens(text)} tokens{f' ({sanitize(cut)})' if cut else ''}", "2", sys.stdout))
        put(f"{text}\n" if text else "")
    if assembled.text:
        say(f"{tokens(assembled.text)} tokens in all")
    else:
        say("nothing: the question goes out alone")


# ---- improve --------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: coda prompt improve prompt.txt --write")
def improve(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The prompt's file; - is stdin.")],
    model: Model = None,
    write: Annotated[bool, typer.Option("--write", "-w", help="Put the new prompt into the file.")] = False,
    json: Json = False,
) -> None:
    """Let a model rewrite a prompt, and show what would change. Nothing of it is kept as a conversation."""
    from coda_cli.settings.files import write_text

    if write and file == "-":
        raise UsageError("stdin can't be written to", hint="name a file, or leave --write out")
    old = _read(file)
    wired, spec = _wired(model, alone=True)
    new = run_async(_improved(wired, spec, old))
    lost = sorted(_placeholders(old) - _placeholders(new))
    if lost:
        warn(f"the new prompt has lost {', '.join(lost)}")
    changes = _difference(old, new, file)
    if json:
        put_json({"before": old, "after": new, "diff": "".join(changes), "lost": lost, "written": write and not lost})
    else:
        _put_difference(changes)
    if write and lost:
        raise UsageError("nothing is written: placeholders are missing", hint="try again, or mend it by hand")
    if write:
        write_text(Path(file), new)
        say(f"written: {file}")


def _read(file: str) -> str:
    from coda_cli.settings.files import decode, read_text

    which = "name the file of a prompt, or - for stdin"
    try:
        text = decode(sys.stdin.buffer.read(_MOST + 1), "stdin") if file == "-" else read_text(Path(file))
    except ConfigError as error:  # its hints are for settings
        raise UsageError(error.message, hint=error.hint if file == "-" or Path(file).is_file() else which) from None
    if text is None:
        raise UsageError(f"there is no file {file}", hint=which)
    if not text.strip():
        raise UsageError("the prompt is empty", hint="write down what you want first, in any words")
    if len(text) > _MOST:
        raise UsageError("the prompt is too long to rewrite", hint=f"at most {_MOST:,} characters")
    return text


async def _improved(wired: Wired, spec: ModelSpec, text: str) -> str:
    async with wired.manager as manager:
        generation = manager.generate_response(
            text, provider=spec.provider, model=spec.model, system_prompt=_IMPROVE, tools=(), stream=False
        )
        answer = (await generation).content
    new = _bare(answer)
    if not new:
        raise LLMBadResponseError("the model wrote no prompt", hint="try again, or choose another model with -m")
    new = new + "\n" if text.endswith("\n") else new
    return new.replace("\n", "\r\n") if 2 * text.count("\r\n") > text.count("\n") else new


def _bare(answer: str) -> str:
    """*answer* without a code fence around all of it."""
    lines = answer.replace("\r\n", "\n").strip().split("\n")
    if len(lines) > 2 and lines[0].startswith("```") and lines[-1] == "```" and "```" not in "\n".join(lines[1:-1]):
        lines = lines[1:-1]
    return "\n".join(lines).strip()


_IN_BRACES: Final = re.compile(
    r"\{\{-?\s*[^\W\d][\w.\[\]| -]*\}\}"
    r"|(?<![{$])\{[^\W\d][\w-]*(?:[.\[][\w.\[\]]*)?(?:![rsa])?(?::(?:[<>^+,.#\d]*[a-z%]?|%[\w%:/. -]*))?\}(?!\})"
    r"|(?<![\w\\^)\]}{$])\{\d+\}(?!\})"
)
_LATEX: Final = re.compile(r"\\[A-Za-z]+\*?(?:\{[^{}]*\})+")


def _placeholders(text: str) -> set[str]:
    """`$name` (which is `${name}`), `{name}` and `{{ name }}`; braces behind a command of LaTeX hold none."""
    braces = (re.sub(r"\s", "", found[0]) for found in _IN_BRACES.finditer(_LATEX.sub(" ", text)))
    return {f"${name}" for name in string.Template(text).get_identifiers()} | set(braces)


def _difference(old: str, new: str, name: str) -> list[str]:
    before, after = (text.replace("\r\n", "\n").rstrip("\n").split("\n") for text in (old, new))
    lines = difflib.unified_diff(before, after, f"{name} (now)", f"{name} (improved)", lineterm="")
    return [f"{line}\n" for line in lines]


def _put_difference(lines: list[str]) -> None:
    if not lines:
        say("the model would change nothing")
    codes = {"+": "32", "-": "31", "@": "36"}
    for line in lines:
        text = sanitize(line.rstrip("\n")) if sys.stdout.isatty() else line.rstrip("\n")
        code = codes.get(line[:1])
        print(style(text, code, sys.stdout) if code else text)


# ---- test -----------------------------------------------------------------------------------------------------------


@app.command("test", epilog="Example: coda prompt test translate -p language=French")
def try_out(
    name: TemplateName,
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="What stands for $input.")] = "",
    param: Param = None,
    json: Json = False,
) -> None:
    """Print what a template sends, without asking: the same as `coda templates test`."""
    show_rendered(name, param or [], text, json=json)
