"""What a chat begins with: the session, and the first message from the command line, stdin and files."""

from __future__ import annotations

import os

from msgspec import Struct

from coda_cli import bootstrap, paths
from coda_cli.chat.attachments import printable, read_media, read_stdin, read_texts
from coda_cli.chat.lent import Lent
from coda_cli.chat.session import ChatSession
from coda_cli.cli.chat_start import Started
from coda_cli.cli.output import say
from coda_cli.cli.persona_choice import persona_choice
from coda_cli.cli.resume import resume
from coda_cli.cli.tool_choice import choice
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import MediaPart
from coda_cli.engine.manager import LLMManager
from coda_cli.settings import folder
from coda_cli.settings.load import load
from coda_cli.settings.model_cache import cached_models
from coda_cli.settings.model_spec import check_prefix, parse_spec


class Opening(Struct, frozen=True):
    """`first` is asked at once, with *media*; `typed` stands in the prompt, to be finished.

    `brought` is what `first` begins with that is not the person's own words.
    """

    first: str | None = None
    brought: str = ""
    media: tuple[MediaPart, ...] = ()
    typed: str = ""


def read_opening(started: Started, *, piped: bool) -> Opening:
    """Read what the command line names, and stdin if *piped*. Files without a question wait in the prompt for one.

    Raises UsageError.
    """
    words = printable(" ".join(started.words))
    named = "-" in started.files or "-" in started.attachments
    said = read_stdin(None, say).strip("\n") if piped and not named else ""
    if not words.strip() and not said.strip() and not named:
        return Opening(typed="".join(f"{_reference(name)} " for name in (*started.files, *started.attachments)))
    texts = read_texts(started.files, None, say).rstrip("\n")
    media = tuple(read_media(name, None, say) for name in started.attachments)
    brought = "\n\n".join(part for part in (texts, said) if part.strip())
    text = "\n\n".join(part for part in (brought, words) if part.strip())
    return Opening(text or None, brought, media)


def _reference(name: str) -> str:
    """The file *name* as the prompt refers to it. Raises UsageError where there is none."""
    if not os.path.lexists(name):
        raise UsageError(f"can't read {printable(name)}: there is no such file", hint="check the path")
    shown = printable(name)
    return f'@"{shown}"' if any(char.isspace() for char in shown) else f"@{shown}"


def make_session(started: Started) -> ChatSession:
    """The session of the conversation and the model that the command line names. Raises CodaError."""
    loaded = load(overrides={"offline": started.offline})
    settings = loaded.settings
    persona = persona_choice(started.persona, settings, once=False)
    resumed = resume(settings, latest=started.latest, cid=started.cid, fork=started.fork, log=started.log)
    if resumed is not None and resumed.spec is not None and started.model is None:
        spec = resumed.spec
    else:
        spec = parse_spec(
            persona.model if started.model is None else printable(started.model), settings, cached_models()
        )
        check_prefix(spec, settings)
    name = spec.provider or settings.default_provider
    tools = choice(started.tools, started.functions, started.approval, default=None)
    wired = bootstrap.wire(
        settings,
        only={name} if name else (),
        choose=name is None,
        log=started.log,
        tools=tools.wanted,
        functions=tools.functions,
        sections=persona.sections,
        persona=persona.name,
        conversations=resumed.conversations if resumed is not None else None,
    )
    tools.apply(wired)
    session = ChatSession(
        wired,
        tools=persona.tools(tools.only),
        spec=spec,
        conversation_id=resumed.conversation_id if resumed is not None else None,
        system_prompt=None if started.system is None else printable(started.system),
        incognito=not started.log,
        notes=[*folder.notes(loaded), *_proposed(wired.manager), *persona.greeting],
    )
    session.named_model = started.model is not None
    session.named_tools = bool(started.tools)
    if persona.model is not None and not session.named_model and resumed is None:
        session.lent_model = Lent(spec, parse_spec(None, settings, cached_models()))
    if session.tools != tools.only:
        session.lent_tools = Lent(session.tools, tools.only)
    return session


def _proposed(manager: LLMManager) -> list[str]:
    """A line where something waits to be remembered."""
    if manager.memory is None or not manager.remembers:
        return []
    from coda_cli.engine.memory.manager import PROPOSED

    try:
        there = (paths.data_dir() / PROPOSED).stat().st_size
    except OSError:
        return []
    return ["something is proposed for the memory: /memory review"] if there else []
