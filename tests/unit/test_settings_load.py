"""From defaults, file, environment and flags to Settings; and every fault told with its place."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from coda_cli.engine.core.errors import ConfigError
from coda_cli.settings.load import compose, load, load_settings, unknown_variables
from coda_cli.settings.problems import SettingsError, dotted, lines_of, split_dotted
from coda_cli.settings.schema import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("CODA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


def of(text: str | None, environ: dict[str, str] | None = None, **flags: object) -> Settings:
    return compose(text, Path("coda.toml"), environ=environ or {}, overrides=flags).settings


def fault(text: str | None, environ: dict[str, str] | None = None) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        of(text, environ)
    assert caught.value.exit_code == 2
    return caught.value


# --- what holds -------------------------------------------------------------------------------------------------------


def test_without_a_file_four_providers_exist(home: Path) -> None:
    settings = load_settings(environ={})
    assert {name: (p.type, p.model) for name, p in settings.providers.items()} == {
        "openai": ("openai", "gpt-6.1-sol"),
        "anthropic": ("anthropic", "claude-sonnet-5-5"),
        "ollama": ("ollama", None),
        "local": ("local", None),
    }
    assert (settings.model, settings.default_provider, settings.offline) == (None, None, False)
    assert list(home.iterdir()) == []


def test_defaults_of_a_provider() -> None:
    provider = of(None).providers["openai"]
    assert (provider.timeout, provider.connect_timeout, provider.idle_timeout) == (None, 10.0, 300.0)
    assert (provider.max_retries, provider.api, provider.transport, provider.extra_params) == (3, "chat", "lean", {})
    assert (provider.temperature, provider.max_tokens, provider.top_p) == (None, None, None)


def test_defaults_of_conversation_and_tools() -> None:
    settings = of(None)
    conversation, calling = settings.conversation, settings.function_calling
    assert (conversation.max_messages, conversation.max_tokens_per_conversation) == (None, None)
    assert (conversation.auto_summarize, conversation.summarize_threshold) == (True, None)
    assert (conversation.memory_integration_enabled, conversation.personality_integration_enabled) == (True, True)
    assert (calling.enabled, calling.auto_execute, calling.parallel_execution) == (True, True, True)
    assert (calling.max_function_calls_per_turn, calling.tool_integration_enabled) == (25, True)
    assert (calling.max_parallel, calling.timeout, calling.allowed_categories) == (4, 120.0, None)
    assert calling.approval_mode == "ask"
    assert (settings.permissions.allow, settings.permissions.deny) == ([], [])


def test_patterns_of_permissions() -> None:
    settings = of("""
        [permissions]
        allow = ["run_command git status", "write_file notes/*", "fetch_url https://h/*", "mcp__a__*", "get_time"]
        deny = ["run_command curl *", "run_python"]
    """)
    assert settings.permissions.allow[0] == "run_command git status"
    assert settings.permissions.deny == ["run_command curl *", "run_python"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('allow = ["get_time", "run_command a; b"]', "pattern 2: it is not one simple command"),
        ('allow = ["run_command make *"]', "can do too much"),
        ('allow = ["run_command env ls"]', "one that runs other programs"),
        ('deny = ["run_command a; b"]', "pattern 1: it is not one simple command"),
        ('deny = ["../x"]', "must begin with the name of a tool"),
        ('deny = "get_time"', "expected a list"),
        ('denied = ["get_time"]', "there is no such setting"),
    ],
)
def test_a_bad_pattern_is_an_error(line: str, message: str) -> None:
    """A slip in a denial must not leave open what was to be closed."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        of(f"[permissions]\n{line}\n")


def test_defaults_of_the_integrations() -> None:
    settings = of(None)
    assert settings.stream_responses
    assert settings.websocket_events_enabled
    assert settings.memory_integration_enabled
    assert settings.personality_integration_enabled
    assert settings.tool_integration_enabled
    assert (settings.enable_caching, settings.cache_ttl_seconds) == (False, 3600.0)


def test_a_file_adds_providers_and_overrides_fields() -> None:
    settings = of("""
        [providers.openai]
        timeout = 30
        [providers.house]
        type = "openai"
        api_base = "http://127.0.0.1:8000/v1"
        model = "qwen3"
        [aliases]
        fast = "house/qwen3"
        own = "house:qwen3:8b"
    """)
    assert settings.providers["openai"].timeout == 30.0
    assert settings.providers["openai"].model == "gpt-6.1-sol"
    assert settings.providers["house"].api_base == "http://127.0.0.1:8000/v1"
    assert settings.aliases == {"fast": "house/qwen3", "own": "house:qwen3:8b"}
    assert "anthropic" in settings.providers


def test_another_type_under_a_built_in_name_drops_its_default_model() -> None:
    provider = of('[providers.openai]\ntype = "ollama"').providers["openai"]
    assert (provider.type, provider.model) == ("ollama", None)


def test_each_layer_wins_over_the_one_below() -> None:
    text, environ = 'model = "local/file"', {"CODA_MODEL": "local/env"}
    assert of(None).model is None
    assert of(text).model == "local/file"
    assert of(text, environ).model == "local/env"
    assert of(text, environ, model="local/flag").model == "local/flag"
    assert of(text, environ, model=None).model == "local/env"


@pytest.mark.parametrize(
    ("variable", "value", "path", "expected"),
    [
        ("CODA_OFFLINE", "1", "offline", True),
        ("CODA_OFFLINE", "no", "offline", False),
        ("CODA_OFFLINE", "TRUE", "offline", True),
        ("CODA_MODEL", "123", "model", "123"),
        ("CODA_MODEL", "true", "model", "true"),
        ("CODA_DEFAULT_PROVIDER", "ollama", "default_provider", "ollama"),
        ("CODA_CACHE_TTL_SECONDS", "60", "cache_ttl_seconds", 60.0),
        ("CODA_PROVIDERS__OPENAI__TIMEOUT", "2.5", "providers.openai.timeout", 2.5),
        ("CODA_PROVIDERS__OPENAI__MAX_TOKENS", "7", "providers.openai.max_tokens", 7),
        ("CODA_PROVIDERS__MY_HOST__MODEL", "qwen", "providers.my-host.model", "qwen"),
        ("CODA_PROVIDERS__LOCAL__EXTRA_PARAMS__DEVICE", "cpu", "providers.local.extra_params.device", "cpu"),
        ("CODA_PROVIDERS__LOCAL__EXTRA_PARAMS__N_CTX", "512", "providers.local.extra_params.n_ctx", 512),
        ("CODA_PROVIDERS__LOCAL__EXTRA_PARAMS", "{ a = [1, 2] }", "providers.local.extra_params.a", [1, 2]),
        ("CODA_CONVERSATION__MAX_MESSAGES", "9", "conversation.max_messages", 9),
        ("CODA_FUNCTION_CALLING__ENABLED", "off", "function_calling.enabled", False),
        ("CODA_ALIASES__FAST", "openai/x", "aliases.fast", "openai/x"),
        ("CODA_MODEL", "", "model", None),
    ],
)
def test_environment_variables(variable: str, value: str, path: str, expected: object) -> None:
    found: object = of('[providers.my-host]\ntype = "openai"', {variable: value}).model_dump()
    for part in path.split("."):
        assert isinstance(found, dict)
        found = found[part]
    assert found == expected
    assert type(found) is type(expected)


def test_a_variable_can_add_a_provider() -> None:
    environ = {"CODA_PROVIDERS__NEW__TYPE": "ollama", "CODA_PROVIDERS__NEW__MODEL": "x"}
    assert of(None, environ).providers["new"].model == "x"


def test_unknown_variables_are_ignored_and_listed() -> None:
    environ = {"CODA_MODLE": "x", "CODA_HOME": "/h", "CODA_PROVIDERS__OPENAI__NOPE": "1", "CODA__X": "1", "HOME": "/"}
    assert unknown_variables(environ) == ["CODA_MODLE", "CODA_PROVIDERS__OPENAI__NOPE", "CODA__X"]
    assert of(None, environ) == of(None)


def test_origins_name_line_variable_and_flag() -> None:
    loaded = compose(
        "# head\n\n[providers.openai]\ntimeout = 3\nextra_params = { a = 1 }\n",
        Path("c.toml"),
        environ={"CODA_OFFLINE": "1"},
        overrides={"providers.openai.max_retries": 0},
    )
    places = {
        ("providers", "openai", "timeout"): ("file", "c.toml:4"),
        ("providers", "openai", "extra_params"): ("file", "c.toml:5"),
        ("providers", "openai", "max_retries"): ("flag", "flag providers.openai.max_retries"),
        ("providers", "openai", "model"): ("default", "default"),
        ("offline",): ("env", "CODA_OFFLINE"),
    }
    for path, expected in places.items():
        origin = loaded.origin(path)
        assert (origin.kind, origin.where) == expected


def test_coda_config_names_another_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = home / "other.toml"
    other.write_text("offline = true")
    monkeypatch.setenv("CODA_CONFIG", str(other))
    assert load().file == other
    assert load_settings(environ={}).offline


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("offlin = true", "coda.toml:1: offlin: there is no such setting", "did you mean `offline`?"),
        ("\n\noffline = 1", "coda.toml:3: offline: expected true or false, got a whole number", None),
        ("model = 3", "coda.toml:1: model: expected text in quotes, got a whole number", None),
        ('model = ""', "coda.toml:1: model: must not be empty", None),
        ("providers = 3", "coda.toml:1: providers: expected a table, got a whole number", None),
        ("conversation = 'x'", "coda.toml:1: conversation: expected a table, got text", None),
        ("cache_ttl_seconds = 0", "coda.toml:1: cache_ttl_seconds: must be greater than 0", None),
        ("cache_ttl_seconds = nan", "coda.toml:1: cache_ttl_seconds: expected a finite number", None),
        ("[openai]\nmodel='x'", "coda.toml:1: openai: there is no such setting", "did you mean `[providers.openai]`?"),
        ("[providers.x]\nmodel='m'", "coda.toml:1: providers.x.type: is missing", "OpenAI-compatible"),
        (
            "[providers.x]\ntype='opena'",
            'providers.x.type: "opena" is not one of the choices',
            "did you mean `openai`?",
        ),
        ("[providers.openai]\ntransport='tcp'", '"tcp" is not one of the choices', "allowed: lean, sdk"),
        (
            "[providers.openai]\n\ntimeout = '9'",
            "coda.toml:3: providers.openai.timeout: expected a number, got text",
            None,
        ),
        ("[providers.openai]\nmax_retries = 2.5", "expected a whole number, got a number", None),
        ("[providers.openai]\nmax_retries = -1", "must be at least 0", None),
        ("[providers.openai]\ntop_p = 2", "must be at most 1", None),
        ("[providers.openai]\nextra_params = { d = 1979-05-27 }", "providers.openai.extra_params: expected text", None),
        ("[providers.openai]\nextra_params = { d = [inf] }", "inf and nan cannot be sent", None),
        ("[providers.openai]\napi_base = 'localhost:1'", "must start with http:// or https://", None),
        ("[providers.openai]\napi_base = 'http://a b'", "a URL has no spaces", None),
        ("[providers.anthropic]\napi = 'responses'", 'exists only for type = "openai"', None),
        ("[providers.'a/b']\ntype = 'openai'", 'providers."a/b": not a name for a provider', "letters, digits"),
        ("default_provider = 'opnai'", 'default_provider: there is no provider "opnai"', "did you mean `openai`?"),
        ("[aliases]\nfast = 'gpt'", 'aliases.fast: "gpt" is not a model spec', "provider/model"),
        ("[aliases]\nfast = 'antropic/x'", 'there is no provider "antropic"', "did you mean `anthropic`?"),
        ("[aliases]\n'a/b' = 'openai/x'", 'aliases."a/b": an alias has no', None),
        ("[conversation]\nmax_mesages = 1", "coda.toml:2: conversation.max_mesages", "did you mean `max_messages`?"),
        ("[conversation]\nmax_messages = true", "expected a whole number, got true or false", None),
    ],
)
def test_a_wrong_setting_names_file_line_key_and_cause(text: str, message: str, hint: str | None) -> None:
    error = fault(text)
    assert message in error.message
    assert len(error.problems) == 1
    if hint is not None:
        assert error.hint is not None
        assert hint in error.hint


def test_several_problems_are_told_together_in_the_order_of_the_file() -> None:
    error = fault("offlin = true\n[providers.openai]\ntimeout = 'x'\ntemprature = 1\n[aliases]\na = 'b'\n")
    assert [problem.where for problem in error.problems] == [f"coda.toml:{line}" for line in (1, 3, 4, 6)]
    assert "4 problems" in error.message
    assert "did you mean `temperature`?" in error.message


def test_a_wrong_variable_is_named() -> None:
    error = fault(None, {"CODA_OFFLINE": "maybe", "CODA_PROVIDERS__NEW__MODEL": "x"})
    assert "CODA_OFFLINE: offline: expected true or false, got text" in error.message
    assert "CODA_PROVIDERS__NEW__MODEL: providers.new.type: is missing" in error.message


CANARY = "sk-canary-0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"[providers.openai]\napi_key = '{CANARY}'",
        f"[providers.openai]\napi_key_env = '{CANARY}'",
        f"[providers.openai]\ntimeout = '{CANARY}'",
        f"[providers.openai]\napi_base = 'http:// {CANARY}'",
        f"api_key = '{CANARY}'",
        f"[providers]\nopenai = '{CANARY}'",
    ],
)
def test_a_key_in_the_wrong_place_is_never_shown(text: str) -> None:
    error = fault(text)
    chain = [error.message, error.hint, repr(error), repr(error.problems), repr(error.__cause__)]
    assert not any(CANARY in str(part) for part in chain)
    assert error.__cause__ is None


def test_a_key_in_the_file_gets_the_right_hint() -> None:
    error = fault("[providers.house]\ntype = 'openai'\napi_key = 'x'")
    assert error.hint is not None
    assert "coda config set-key house" in error.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = [\n1,\n", "bad TOML"),
        (b"x = = 1\n", "coda.toml:1:5: bad TOML"),
        (b"a = 1\na = 2\n", "coda.toml:2:"),
        (b"\xef\xbb\xbfoffline = true", "byte order mark (UTF-8)"),
        (b"\xff\xfeo\x00", "byte order mark (UTF-16)"),
        (b"# ok\nmodel = '\xff'\n", "coda.toml:2:10: not valid UTF-8 (byte 0xff)"),
        (b"model = 'a\x00b'", "bad TOML"),
        pytest.param(b"x = " + b"[" * 5000, "nested too deeply", id="deep"),
        pytest.param(b"x = " + b"9" * 5000, "bad TOML", id="digits"),
        pytest.param(b"#" * (1024 * 1024 + 1), "larger than 1 MiB", id="large"),
    ],
)
def test_a_file_that_is_no_toml(home: Path, content: bytes, message: str) -> None:
    (home / "coda.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(environ={})
    assert message in caught.value.message
    assert caught.value.exit_code == 2
    assert caught.value.file == str(home / "coda.toml")
    assert caught.value.hint


def test_a_folder_a_pipe_a_loop_and_a_missing_file(home: Path) -> None:
    folder, pipe, loop = home / "folder", home / "pipe", home / "loop"
    folder.mkdir()
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    expected = {folder: "is a folder", pipe: "not a regular file", loop: "cannot read", home / "no": "there is no file"}
    for path, message in expected.items():
        with pytest.raises(ConfigError, match=message):
            load(file=path, environ={})
    assert load(file=Path(os.devnull), environ={}).settings == of(None)


def test_an_unreadable_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A mode cannot keep root out, so the refusal itself is staged.
    (home / "coda.toml").write_text("offline = true")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match=r"cannot read .*coda\.toml: Permission denied"):
        load(environ={})


def test_importing_the_settings_stays_light() -> None:
    heavy = "tomlkit tomli_w typer rich httpx openai anthropic ollama keyring platformdirs asyncio"
    modules = "sys, coda_cli.settings.load, coda_cli.settings.secrets"
    code = f"import {modules}\nprint(set('{heavy}'.split()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- properties -------------------------------------------------------------------------------------------------------


@given(st.text(max_size=80) | st.text(alphabet="[]{}=.'\"#\n abc1_-,", max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(ConfigError):
        of(text)


_KEYS = st.text(alphabet='abc-_ .é"', min_size=1, max_size=4)
_VALUES = st.integers() | st.text(max_size=8) | st.booleans() | st.lists(st.integers(), max_size=3)


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(_VALUES, lambda inner: st.dictionaries(_KEYS, inner, max_size=3), max_leaves=8))
def test_every_key_of_a_document_gets_the_line_it_stands_on(value: object) -> None:
    text = tomli_w.dumps({"top": value}, multiline_strings=True)
    found = lines_of(text)
    rows = text.split("\n")

    def walk(table: dict[str, object], at: tuple[str, ...]) -> None:
        for name, inner in table.items():
            path = (*at, name)
            assert path in found
            assert dotted((name,)) in rows[found[path] - 1]
            if isinstance(inner, dict):
                walk(inner, path)

    walk(tomllib.loads(text), ())


@given(st.lists(st.text(alphabet="abcXYZ09-_ ./:é", min_size=1, max_size=5), min_size=1, max_size=4))
def test_a_dotted_key_survives_being_written_and_read(parts: list[str]) -> None:
    assert split_dotted(dotted(parts)) == tuple(parts)


@pytest.mark.parametrize("text", ["", "=", "a = 1", "a..b", "a b", "a\nb = 1\nc", ".a", "a.", "[a]"])
def test_what_is_no_dotted_key(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a setting's name"):
        split_dotted(text)
