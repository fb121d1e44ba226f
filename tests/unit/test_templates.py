"""Prompt templates: variables, faults, and names that try to leave their folder."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.settings.templates import (
    STARTER,
    Rendered,
    Template,
    load_template,
    parse_template,
    render,
    template_file,
    template_names,
    templates_dir,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    return tmp_path


def save(name: str, text: str) -> None:
    templates_dir().mkdir(parents=True, exist_ok=True)
    (templates_dir() / f"{name}.toml").write_text(text, encoding="utf-8")


def of(text: str) -> Template:
    return parse_template(text, Path("t.toml"))


def test_a_whole_template() -> None:
    save("translate", STARTER.format(name="translate"))
    template = load_template("translate")
    assert template.variables() == ["language"]
    assert render(template, {"language": "French"}, "Hello $USER") == Rendered(
        prompt="Translate this into French:\n\nHello $USER", system="You are a careful translator."
    )
    assert render(template, {}, "x").prompt == "Translate this into English:\n\nx"


def test_all_fields_come_through() -> None:
    template = of("""
        prompt = "p"
        model = "fast"
        schema = { type = "object" }
        options = { temperature = 0.2, stop = ["x"] }
    """)
    rendered = render(template, {})
    assert (rendered.prompt, rendered.system, rendered.model) == ("p", None, "fast")
    assert rendered.options == {"temperature": 0.2, "stop": ["x"]}
    assert rendered.schema == {"type": "object"}
    assert render(of("prompt = 'p'\nschema = 'answer.json'"), {}).schema == "answer.json"


@pytest.mark.parametrize(
    ("text", "given_input", "prompt"),
    [
        ("prompt = 'Say: $input!'", "hi", "Say: hi!"),
        ("prompt = 'Review this'", "diff", "Review this\n\ndiff"),
        ("prompt = 'Review this'", "", "Review this"),
        ("system = 'Be brief'", "hi", "hi"),
        ("prompt = 'It costs $$5'", "", "It costs $5"),
        ("prompt = '${a}b'\ndefaults = { a = 1 }", "", "1b"),
        ("prompt = '$a'\ndefaults = { a = true }", "", "true"),
    ],
)
def test_input_and_variables(text: str, given_input: str, prompt: str) -> None:
    assert render(of(text), {}, given_input).prompt == prompt


def test_a_missing_variable_names_the_flag() -> None:
    with pytest.raises(UsageError, match="a value for language, tone") as caught:
        render(of("prompt = '$language'\nsystem = '$language $tone'"), {})
    assert caught.value.hint == "add -p language=VALUE -p tone=VALUE"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("params", "hint"), [({"langage": "x"}, "did you mean `language`?"), ({"zzz": "x"}, "its variables: language")]
)
def test_a_parameter_that_is_no_variable(params: dict[str, str], hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        render(of("prompt = '$language'"), {"language": "y", **params})
    assert caught.value.hint == hint


def test_input_is_not_a_parameter() -> None:
    with pytest.raises(UsageError, match="not a parameter"):
        render(of("prompt = '$input'"), {"input": "x"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a template needs a prompt"),
        ("prompt = ''", "a template needs a prompt"),
        ("prompt = 3", "t.toml:1: prompt: expected text in quotes, got a whole number"),
        ("prompt = 'costs $ 5'", "write $$ for a dollar sign"),
        ("\npromt = 'x'\nsystem = 'y'", "t.toml:2: promt: there is no such key"),
        ("prompt = 'x'\n[options]\nd = 1979-05-27", "t.toml:3: options.d: expected text"),
        ("prompt = 'x'\n[defaults]\na = []", "t.toml:3: defaults.a: expected text"),
        ("prompt = 'x'\n[defaults]\ninput = 'y'", "$input is what is typed or piped in"),
        ("prompt = 'x'\nschema = 3", "t.toml:2: schema"),
        ("prompt = ", "t.toml:1"),
    ],
)
def test_a_wrong_file_names_line_key_and_cause(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(text)
    assert message in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("prompt = 'costs $ 5'", "`$name` is a variable, `$$` a dollar sign; `coda templates edit t` opens the file"),
        ("prompt = ", "a value is text in quotes, a number, true or false; `coda templates edit t` opens the file"),
        ("", 'write prompt = "..."; `coda templates edit t` opens the file'),
        ("prompt = 'x'\n[defaults]\ninput = 'y'", "take `input` out of the defaults; "),
        ("prompt = 'x'\nschema = 3", "write a JSON Schema as a table, or the path of its file in quotes"),
        ("prompt = 'x'\n[options]\nd = 1979-05-27", "`coda templates edit t` opens the file"),
        ("promt = 1\nmodel = 3", "`coda templates edit t` opens the file, `coda templates test t` tries it out"),
    ],
)
def test_the_hint_is_about_the_template_and_not_about_the_settings(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(text)
    assert caught.value.hint
    assert hint in caught.value.hint
    assert "coda config" not in caught.value.hint


def test_an_unknown_template_and_a_near_miss() -> None:
    save("translate", "prompt = 'x'")
    save("notes", "prompt = 'x'")
    (templates_dir() / "not a name.toml").write_text("")
    assert template_names() == ["notes", "translate"]
    with pytest.raises(UsageError) as near:
        load_template("translat")
    assert near.value.hint == "did you mean `translate`?"
    with pytest.raises(UsageError) as far:
        load_template("zzz")
    assert far.value.hint == "create it with `coda templates edit zzz`"


@pytest.mark.parametrize(
    "name", ["", "..", "../keys", "a/b", "/etc/passwd", ".hidden", "a\x00b", "a\nb", "~", "a" * 101, "é", "a b", "-x"]
)
def test_a_name_never_leaves_the_folder(name: str) -> None:
    for use in (template_file, load_template):
        with pytest.raises(UsageError, match="is not a name for a template"):
            use(name)


@given(st.text(max_size=30), st.text(max_size=30))
def test_input_and_parameters_are_never_read_as_templates(value: str, given_input: str) -> None:
    rendered = render(of("prompt = 'A $x B $input C'"), {"x": value}, given_input)
    assert rendered.prompt == f"A {value} B {given_input} C"


@given(st.text(max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(ConfigError):
        of(text)
