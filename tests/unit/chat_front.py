"""A front end for tests: it records what a command does, and answers what it is asked.

front = Recorder(session, choices=[1], texts=["yes"], confirms=[True])
await run(front, "/model other")
front.notes, front.errors, front.documents, front.prompt
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coda_cli import bootstrap
from coda_cli.chat import commands
from coda_cli.chat.comparison import Comparison
from coda_cli.chat.front import Feature, FrontKind, Option
from coda_cli.chat.session import ChatSession
from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import CodaError, LLMError
from coda_cli.engine.generation import Generation
from coda_cli.engine.providers.scripted import Reply, ScriptedProvider
from coda_cli.settings.model_spec import ModelSpec
from coda_cli.settings.schema import ProviderSettings, Settings


class Recorder:
    """A `Front` without a screen."""

    def __init__(
        self,
        session: ChatSession,
        *,
        choices: Sequence[int | None] = (),
        texts: Sequence[str | None] = (),
        confirms: Sequence[bool] = (),
    ) -> None:
        self.session = session
        self.choices, self.texts, self.confirms = list(choices), list(texts), list(confirms)
        self.notes: list[str] = []
        self.errors: list[CodaError] = []
        self.documents: dict[str, str] = {}
        self.options: list[Sequence[Option]] = []
        self.secrets: list[bool] = []
        self.prompt = ""
        self.attached: list[Path] = []
        self.copied = ""
        self.reloads: list[tuple[str | None, str]] = []
        self.left = False
        self.started: list[Generation] = []

    @property
    def kind(self) -> FrontKind:
        return "plain"

    def note(self, text: str) -> None:
        self.notes.append(text)

    def fail(self, error: CodaError) -> None:
        self.errors.append(error)

    async def choose(self, title: str, options: Sequence[Option]) -> int | None:
        self.options.append(options)
        return self.choices.pop(0) if self.choices else None

    async def confirm(self, question: str) -> bool:
        return self.confirms.pop(0) if self.confirms else False

    async def ask_text(self, title: str, *, initial: str = "", secret: bool = False) -> str | None:
        self.secrets.append(secret)
        return self.texts.pop(0) if self.texts else None

    async def edit_text(self, text: str) -> str | None:
        return None

    def document(self, title: str, markdown: str) -> None:
        self.documents[title] = markdown

    async def reload(self, at: str | None = None, text: str = "") -> None:
        await self.session.entries()
        self.reloads.append((at, text))

    def start(self, generation: Generation) -> None:
        self.started.append(generation)

    async def compare(self, comparison: Comparison) -> int | None:
        for contender in comparison.contenders:
            try:
                await contender.generation
            except LLMError:
                pass
        return await self.choose("", [Option(one.name) for one in comparison.contenders])

    def put_prompt(self, text: str, attachments: Sequence[Path] = ()) -> None:
        self.prompt = text
        self.attached += attachments

    def copy(self, text: str) -> str:
        self.copied = text
        return "clipboard (test)"

    async def own(self, feature: Feature, argument: str) -> bool:
        return False

    def quit(self) -> None:
        self.left = True

    async def do(self, line: str) -> None:
        """Run *line*, and the answer that it starts, to the end."""
        assert await commands.run(self, line)
        while self.started:
            await self.started.pop(0)


def session_with(
    replies: Sequence[str | Reply] = ("An answer.",), *, other: Sequence[str | Reply] = ("Another.",), log: bool = True
) -> ChatSession:
    """A session over two scripted providers, `fake` and `other`; `fake` answers."""
    names = {"fake": replies, "other": other}
    settings = Settings(
        default_provider="fake",
        providers={
            **{name: ProviderSettings(type="scripted", model=f"{name}-model", max_retries=0) for name in names},
            "vendor": ProviderSettings(type="openai", model="gpt-6"),
        },
    )
    wired = bootstrap.wire(settings, log=log, environ={})
    for name, said in names.items():
        config = ProviderConfig(provider=LLMProvider.SCRIPTED, model=f"{name}-model", max_retries=0)
        wired.manager._providers[name] = ScriptedProvider(config, replies=list(said))
    return ChatSession(wired, spec=ModelSpec("fake", None), incognito=not log)


def provider_of(session: ChatSession, name: str = "fake") -> ScriptedProvider:
    """The scripted provider *name*."""
    provider = session.manager.provider(name)
    assert isinstance(provider, ScriptedProvider)
    return provider
