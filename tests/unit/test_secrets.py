"""API keys: where they are found, where they are kept, whom they are given to, and that they never show."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import tomllib
import traceback
import types
from pathlib import Path

import pytest
from msgspec import to_builtins
from msgspec.structs import asdict

from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.settings import secrets
from coda_cli.settings.schema import ProviderSettings
from coda_cli.settings.secrets import Key, find_key, keys_file, remove_key, store_key, variable_of

CANARY = "sk-canary-0123456789abcdef"
VENDORS = {"OPENAI_API_KEY": CANARY, "ANTHROPIC_API_KEY": CANARY, "OLLAMA_API_KEY": CANARY}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no keyring."""
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "keyring", None)
    return tmp_path / "config"


class FakeKeyring(types.ModuleType):
    """The `keyring` package as far as Coda uses it; `failure` is raised by every call."""

    def __init__(self, failure: Exception | None = None, *, keeps: bool = True) -> None:
        super().__init__("keyring")
        self.entries: dict[tuple[str, str], str] = {}
        self.failure = failure
        self.keeps = keeps

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def get_password(self, service: str, name: str) -> str | None:
        self._check()
        return self.entries.get((service, name))

    def set_password(self, service: str, name: str, value: str) -> None:
        self._check()
        if self.keeps:
            self.entries[service, name] = value

    def delete_password(self, service: str, name: str) -> None:
        self._check()
        del self.entries[service, name]


class KeyringError(Exception):
    """Stands for `keyring.errors.KeyringError`."""


class NoKeyringError(KeyringError, RuntimeError):
    """Stands for `keyring.errors.NoKeyringError`, which is both in the package too."""


def install(monkeypatch: pytest.MonkeyPatch, keyring: FakeKeyring) -> FakeKeyring:
    errors = types.ModuleType("keyring.errors")
    errors.KeyringError = KeyringError  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return keyring


def provider(kind: str, **fields: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"type": kind, **fields})


def found(name: str, settings: ProviderSettings, environ: dict[str, str] | None = None) -> tuple[str, str] | None:
    key = find_key(name, settings, environ=environ or {})
    return None if key is None else (key.value.get_secret_value(), key.source)


# --- the order --------------------------------------------------------------------------------------------------------


def test_environment_then_keyring_then_file(monkeypatch: pytest.MonkeyPatch) -> None:
    openai = provider("openai")
    assert found("openai", openai) is None
    assert store_key("openai", "from-file") == str(keys_file())
    assert found("openai", openai) == ("from-file", "keys.toml")
    install(monkeypatch, FakeKeyring()).entries["coda-cli", "openai"] = "from-keyring"
    assert found("openai", openai) == ("from-keyring", "keyring")
    assert found("openai", openai, {"OPENAI_API_KEY": "from-env"}) == ("from-env", "environment OPENAI_API_KEY")


def test_an_empty_variable_counts_as_not_set() -> None:
    store_key("openai", "stored")
    assert found("openai", provider("openai"), {"OPENAI_API_KEY": "  "}) == ("stored", "keys.toml")


def test_a_variable_of_its_own_replaces_the_vendors() -> None:
    own = provider("openai", api_key_env="WORK_KEY")
    assert found("work", own, VENDORS) is None
    assert found("work", own, {**VENDORS, "WORK_KEY": "work"}) == ("work", "environment WORK_KEY")


@pytest.mark.parametrize("kind", ["local", "scripted"])
def test_what_runs_here_needs_no_key(kind: str) -> None:
    assert found(kind, provider(kind, api_key_env="OPENAI_API_KEY"), VENDORS) is None


# --- a vendor's key goes only to that vendor --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "variable"),
    [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY"), ("ollama", "OLLAMA_API_KEY")],
)
def test_the_standard_variable_for_the_vendors_own_host(kind: str, variable: str) -> None:
    others = {name: "other" for name in VENDORS if name != variable}
    assert found(kind, provider(kind), {**others, variable: CANARY}) == (CANARY, f"environment {variable}")


@pytest.mark.parametrize(
    "api_base",
    [
        "http://127.0.0.1:8000/v1",
        "https://openrouter.ai/api/v1",
        "http://api.openai.com/v1",
        "https://api.openai.com.example.org/v1",
        "https://api.openai.com@example.org/v1",
        "https://example.org/api.openai.com",
        "https://example.org?x=://api.openai.com/",
        "https://api.openai.com:8443/v1",
        "https://api.openai.com\\@example.org/",
        "https://api.anthropic.com",
    ],
)
def test_another_host_never_gets_the_vendors_key(api_base: str) -> None:
    elsewhere = provider("openai", api_base=api_base)
    assert variable_of(elsewhere) is None
    assert found("openai", elsewhere, VENDORS) is None
    store_key("other", CANARY)
    assert found("openai", elsewhere, VENDORS) is None


@pytest.mark.parametrize(
    "api_base", ["https://api.openai.com/v1", "HTTPS://API.OpenAI.com:443", "https://api.openai.com"]
)
def test_the_vendors_host_written_out_is_still_the_vendor(api_base: str) -> None:
    assert variable_of(provider("openai", api_base=api_base)) == "OPENAI_API_KEY"


def test_a_provider_with_another_host_uses_what_is_stored_under_its_own_name() -> None:
    store_key("house", "house-key")
    assert found("house", provider("openai", api_base="http://h/v1"), VENDORS) == ("house-key", "keys.toml")


# --- it never shows ---------------------------------------------------------------------------------------------------


def test_a_key_never_prints_itself() -> None:
    key = find_key("openai", provider("openai"), environ=VENDORS)
    assert key is not None
    shown = [repr(key), str(key), f"{key}", f"{key!r:>90}", str([key]), repr([key]), repr(vars_of(key))]
    shown += [
        json.dumps(asdict(key), default=str),
        json.dumps(to_builtins(key, enc_hook=str)),
        json.dumps({"k": key}, default=repr),
    ]
    try:
        raise ValueError(key)
    except ValueError as exc:
        shown.append("".join(traceback.TracebackException.from_exception(exc, capture_locals=True).format()))
    logs = io.StringIO()
    handler = logging.StreamHandler(logs)
    logging.getLogger("canary").addHandler(handler)
    logging.getLogger("canary").warning("%s %r", key, key)
    logging.getLogger("canary").removeHandler(handler)
    shown.append(logs.getvalue())
    assert not [text for text in shown if CANARY in text]
    with pytest.raises(TypeError):
        json.dumps(key)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(key, protocol)
    assert copy.deepcopy(key) is key
    assert copy.copy(key) is key


def vars_of(key: Key) -> dict[str, object]:
    return {name: getattr(key, name) for name in key.__struct_fields__}


@pytest.mark.parametrize("value", [f"{CANARY}\nX: y", f"{CANARY} x", f"{CANARY}é", f"{CANARY}\x1b[0m"])
def test_a_key_that_no_server_can_accept_is_refused_unseen(value: str) -> None:
    with pytest.raises(ConfigError, match="from environment OPENAI_API_KEY") as in_environment:
        find_key("openai", provider("openai"), environ={"OPENAI_API_KEY": value})
    with pytest.raises(UsageError) as stored:
        store_key("openai", value)
    for caught in (in_environment.value, stored.value):
        assert CANARY not in f"{caught} {caught.hint} {caught!r}"
        assert caught.exit_code == 2


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_and_its_folder_are_private_whatever_the_umask(home: Path) -> None:
    before = os.umask(0)
    try:
        store_key("openai", CANARY)
    finally:
        os.umask(before)
    assert keys_file().stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o077 for path in home.iterdir()] == [0] * len(list(home.iterdir()))


def test_storing_keeps_the_others_and_removing_takes_only_one() -> None:
    store_key("openai", "a")
    store_key("my-house", ' "q\\'.strip())
    store_key("openai", "b")
    assert tomllib.loads(keys_file().read_text()) == {"openai": "b", "my-house": '"q\\'}
    assert remove_key("openai") == ["keys.toml"]
    assert remove_key("openai") == []
    assert tomllib.loads(keys_file().read_text()) == {"my-house": '"q\\'}


def test_nothing_is_written_by_a_look_or_a_remove(home: Path) -> None:
    assert found("openai", provider("openai")) is None
    assert remove_key("openai") == []
    assert not home.exists()


def test_a_file_open_to_others_is_closed_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    store_key("openai", CANARY)
    keys_file().chmod(0o644)
    assert found("openai", provider("openai")) == (CANARY, "keys.toml")
    assert keys_file().stat().st_mode & 0o777 == 0o600
    assert "was open to others (mode 644)" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize("content", [f"openai = {CANARY}", f"[openai]\nkey = '{CANARY}'", f"\xff{CANARY}"])
def test_a_broken_file_is_told_without_its_content(home: Path, content: str) -> None:
    home.mkdir(mode=0o700)
    keys_file().write_bytes(content.encode("latin-1"))
    keys_file().chmod(0o600)
    with pytest.raises(ConfigError, match=r"keys\.toml") as caught:
        find_key("openai", provider("openai"), environ={})
    text = "".join(traceback.TracebackException.from_exception(caught.value).format())
    assert CANARY not in text
    with pytest.raises(ConfigError):
        store_key("anthropic", "x")
    assert keys_file().read_bytes() == content.encode("latin-1")


@pytest.mark.parametrize("name", ["", "a/b", "a.b", "../x", "a b", "é"])
def test_a_name_that_is_no_provider(name: str) -> None:
    with pytest.raises(UsageError, match="not a name for a provider"):
        store_key(name, "x")


@pytest.mark.parametrize("value", ["", "  \n"])
def test_an_empty_key_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        store_key("openai", value)


def test_eight_processes_storing_different_keys_lose_none() -> None:
    code = (
        "import sys; sys.modules['keyring'] = None\n"
        "from coda_cli.settings.secrets import store_key\n"
        "sys.stdin.readline()\n"
        "for turn in range(5): store_key(f'p{sys.argv[1]}-{turn}', f'value-{sys.argv[1]}-{turn}')"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(number)], stdin=subprocess.PIPE, text=True)
        for number in range(8)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.close()
    assert [child.wait() for child in children] == [0] * 8
    stored = tomllib.loads(keys_file().read_text())
    assert stored == {f"p{number}-{turn}": f"value-{number}-{turn}" for number in range(8) for turn in range(5)}


# --- the keyring ------------------------------------------------------------------------------------------------------


def test_a_working_keyring_keeps_the_key_and_the_file_gives_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    store_key("openai", "old")
    keyring = install(monkeypatch, FakeKeyring())
    assert store_key("openai", CANARY) == "keyring"
    assert keyring.entries == {("coda-cli", "openai"): CANARY}
    assert CANARY not in keys_file().read_text()
    assert "old" not in keys_file().read_text()
    assert remove_key("openai") == ["keyring"]
    assert keyring.entries == {}


@pytest.mark.parametrize(
    "failure", [NoKeyringError("headless"), KeyringError("locked"), OSError("no bus"), RuntimeError("backend")]
)
def test_a_keyring_that_fails_falls_back_to_the_file(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    install(monkeypatch, FakeKeyring(failure))
    assert store_key("openai", "kept") == str(keys_file())
    assert found("openai", provider("openai")) == ("kept", "keys.toml")
    assert remove_key("openai") == ["keys.toml"]


def test_a_keyring_that_keeps_nothing_falls_back_to_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeKeyring(keeps=False))
    assert store_key("openai", "kept") == str(keys_file())


def test_whether_the_extra_is_there() -> None:
    assert not secrets.keyring_installed()
