"""The settings that matter, with their values and where these come from; each change is written to `coda.toml` at once.

Comments and order of the file stay. What the environment or a flag says wins over the file, and is marked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from textual import work
from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from coda_cli import paths
from coda_cli.engine.core.errors import CodaError
from coda_cli.settings.edit import set_value, unset_value
from coda_cli.settings.key_names import ACTIONS
from coda_cli.settings.load import Loaded, load
from coda_cli.settings.problems import dotted, split_dotted
from coda_cli.tui.key_words import keys_name
from coda_cli.tui.screens.ask_text import AskText
from coda_cli.tui.screens.picker import Grouped, KeyAction, Picker, PickerBase
from coda_cli.tui.screens.runs import Row, Run, lit, one_line

Kind = Literal["yes or no", "choice", "text", "number", "keys"]
_NAME: Final = 30
_VALUE: Final = 20
"""Columns of a setting's name and of its value."""
_ROOMY: Final = 118
_NOT_SET: Final = "not set"


class Setting(Struct, frozen=True):
    """One setting: its dotted key, what it is for, how it is asked for; `choices` of a choice, made when asked."""

    key: str
    about: str
    group: str
    kind: Kind = "yes or no"
    choices: Callable[[], list[str]] | None = None


def _themes() -> list[str]:
    from coda_cli.tui import themes

    return themes.names()


def _bells() -> list[str]:
    return ["off", "bell", "notify"]


def _providers() -> list[str]:
    try:
        return list(load().settings.providers)
    except CodaError:
        return []


SETTINGS: Final = (
    Setting("model", "what answers: provider/model, a model, an alias", "Model", "text"),
    Setting("default_provider", "the provider where no model is named", "Model", "choice", _providers),
    Setting("stream_responses", "answers are shown as they come", "Model"),
    Setting("enable_caching", "the same question again is answered from here", "Model"),
    Setting("offline", "nothing leaves this machine", "Model"),
    Setting("theme", "colours, whatever the terminal's background is", "Look", "choice", _themes),
    Setting("theme_dark", "colours on a dark terminal", "Look", "choice", _themes),
    Setting("theme_light", "colours on a light terminal", "Look", "choice", _themes),
    Setting("sidebar", "the list of chats is there from the start", "Look"),
    Setting("mouse", "clicks and the wheel are Coda's, not the terminal's", "Look"),
    Setting("plain", "lines instead of a screen", "Look"),
    Setting("bell", "when a long answer ends and nobody looks", "Look", "choice", _bells),
    Setting("bell_after", "seconds that make an answer long", "Look", "number"),
    Setting("auto_title", "the model gives each chat a title", "Chats"),
    Setting("conversation.auto_summarize", "older messages are summarised where they no longer fit", "Chats"),
    Setting("conversation.summarize_threshold", "messages from which that happens", "Chats", "number"),
    Setting("conversation.max_messages", "messages that are sent at most", "Chats", "number"),
    Setting("conversation.max_tokens_per_conversation", "tokens that are sent at most", "Chats", "number"),
)


class SettingsScreen(PickerBase[None]):
    """Enter changes a setting: a switch turns, anything else is asked for. Delete gives it back to its default.

    *changed* is told of every key that was written, with all settings as they are now.
    """

    DEFAULT_CSS = """
    SettingsScreen {
        .about { height: 1; padding: 0 1; color: $text-muted; }
        &.-roomy .about { display: none; }
    }
    """

    def __init__(self, changed: Callable[[str, Loaded], None] | None = None) -> None:
        self._told_to = changed
        self._loaded: Loaded | None = None
        self._settings = [*SETTINGS, *_key_settings()]
        super().__init__(
            "Settings",
            list(self._options()),
            placeholder="find a setting",
            actions=[KeyAction("delete", "unset", "back to default")],
            click_takes=False,
        )

    def on_resize(self) -> None:
        """Where it is wide enough, each row says what the setting is for."""
        self.set_class(self.size.width >= _ROOMY, "-roomy")

    def compose_sheet(self) -> Iterable[Widget]:
        """The list; below it, where rows have no room for it, what the setting under the cursor is for."""
        yield from super().compose_sheet()
        yield Static(classes="about", markup=False)

    def on_mount(self) -> None:
        """Read the file."""
        super().on_mount()
        self._read()

    @work(group="settings", exclusive=True)
    async def _read(self) -> None:
        try:
            self._loaded = await asyncio.to_thread(load)
        except CodaError as error:
            self.fail(error)
        self.set_options(self._options())

    def count(self) -> None:
        """The file, in the lower edge."""
        there = "" if self._loaded is None or self._loaded.found else " (made with the first change)"
        where = str(paths.config_file()).replace(str(Path.home()), "~", 1)
        room = self.app.size.width - len(there) - 16
        self.subtitle((where if len(where) <= room else f"…{where[-max(room, 12) :]}") + there)

    # ---- rows -------------------------------------------------------------------------------------------------------

    def _options(self) -> Iterator[Grouped]:
        for setting in self._settings:
            label = setting.key.replace('"', "").removeprefix("conversation.")
            yield Grouped(label, self._value(setting), setting.about, setting.group)

    def _value(self, setting: Setting) -> str:
        if self._loaded is None:
            return ""
        value: object = self._loaded.settings.model_dump(mode="json")
        for part in split_dotted(setting.key):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            return _NOT_SET
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)

    def row_of(self, index: int) -> Row:
        """Name and value; what it is for, and where the value comes from."""
        option, label = self.options[index], self._labels[index]
        setting = self._settings[index]
        typed = bool(self.typed.strip())
        left: list[Run] = lit(label, self._matcher.places(label)) if typed else [(label, "")]
        value = one_line(option.detail)
        if setting.kind == "keys":
            value = keys_name(ACTIONS[split_dotted(setting.key)[1]] if value == _NOT_SET else value)
        origin = self._loaded.origin(split_dotted(setting.key)) if self._loaded is not None else None
        own = origin is not None and origin.kind != "default"
        left.append((" " * max(2, _NAME - len(label)), ""))
        left.append((value, "strong" if own else "dim"))
        if self.has_class("-roomy"):
            left += [(" " * max(2, _VALUE - len(value)), ""), (setting.about, "dim")]
        right: list[Run] = []
        if own and origin is not None:
            place = one_line(origin.where.rsplit("/", 1)[-1])
            right.append((f"  {place}", "warn" if origin.kind in ("env", "flag") else "accent"))
        return Row(left, right)

    def moved(self) -> None:
        """Where a row has no room for it: what the setting under the cursor is for."""
        index = self.current
        self.query_one(".about", Static).update(Content(self._settings[index].about if index is not None else ""))

    # ---- changes ----------------------------------------------------------------------------------------------------

    def picked(self, index: int, action: str) -> None:
        """Change it, or give it back to its default."""
        setting = self._settings[index]
        if action == "unset":
            self._write(setting.key, None)
        elif setting.kind == "yes or no":
            self._write(setting.key, "false" if self._value(setting) == "yes" else "true")
        else:
            self.opening()
            self._ask(setting)

    @work(group="ask")
    async def _ask(self, setting: Setting) -> None:
        now = self._value(setting)
        if setting.kind == "choice" and setting.choices is not None:
            names = await asyncio.to_thread(setting.choices)
            options = [Grouped(name, "now" if name == now else "") for name in names]
            cursor = names.index(now) if now in names else 0
            chosen = await self.app.push_screen_wait(Picker(setting.key, options, cursor=cursor))
            if chosen is not None:
                self._write(setting.key, names[chosen])
            return
        note = setting.about + ("; keys like ctrl+t or f5, commas between several" if setting.kind == "keys" else "")
        text = await self.app.push_screen_wait(
            AskText(setting.key, initial="" if now == _NOT_SET else now, note=f"{note}. Nothing: the default")
        )
        if text is not None:
            self._write(setting.key, text.strip() or None)

    @work(group="write")
    async def _write(self, key: str, text: str | None) -> None:
        file = paths.config_file()
        try:
            if text is None:
                done = "is the default again" if await asyncio.to_thread(unset_value, file, key) else "was not set"
            else:
                await asyncio.to_thread(set_value, file, key, text)
                done = f"is {text}, written to {file}"
            self._loaded = await asyncio.to_thread(load)
        except CodaError as error:
            self.fail(error)
            return
        self.set_options(self._options())
        origin = self._loaded.origin(split_dotted(key))
        if text is not None and origin.kind in ("env", "flag"):
            self.tell(f"{key} is written, but {origin.where} wins while it is there", bad=True)
        elif self._told_to is not None:
            self.tell(f"{key} {done}")
        else:
            self.tell(f"{key} {done}; it holds from the next start on" if text is not None else f"{key} {done}")
        if self._told_to is not None:
            self._told_to(key, self._loaded)


def _key_settings() -> list[Setting]:
    """One for each action that can have other keys."""
    from coda_cli.tui.screens.help import action_name, does, places

    about = {
        action_name(binding): f"{does(binding)} · {place.lower()}"
        for place, bound in places()
        for binding in bound
        if isinstance(binding, Binding)
    }
    return [Setting(dotted(("keys", name)), about.get(name, ""), "Keys", "keys") for name in ACTIONS]
