"""Templates that include others, and trying one out without asking."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st
from typer.testing import CliRunner, Result

from coda_cli.cli import templates as command
from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.settings.templates import load_template, render, template_file, templates_dir

Run = Callable[..., Result]


def save(name: str, text: str) -> None:
    templates_dir().mkdir(parents=True, exist_ok=True)
    template_file(name).write_text(text, encoding="utf-8")


@pytest.fixture
def run() -> Run:
    return lambda *arguments: CliRunner().invoke(command.app, list(arguments))


def test_texts_of_included_templates_come_first_in_their_order() -> None:
    save("house", 'system = "Answer in $language."\n[defaults]\nlanguage = "English"\ntone = "calm"')
    save("kind", 'system = "Be kind."\nprompt = "Read this:"')
    save("review", 'include = ["house", "kind"]\nsystem = "You review code."\nprompt = "$input"')
    template = load_template("review")
    assert template.variables() == ["language"]
    rendered = render(template, {}, "x = 1")
    assert rendered.system == "Answer in English.\n\nBe kind.\n\nYou review code."
    assert rendered.prompt == "Read this:\n\nx = 1"


def test_the_template_itself_wins_over_what_it_includes_and_a_later_include_over_an_earlier() -> None:
    save("a", 'prompt = "$x"\nmodel = "a"\noptions = { t = 1, a = 1 }\ndefaults = { x = "a" }')
    save("b", 'prompt = "$x"\nmodel = "b"\noptions = { t = 2, b = 1 }\ndefaults = { x = "b" }\nschema = "b.json"')
    save("c", 'include = ["a", "b"]\noptions = { t = 3 }')
    rendered = render(load_template("c"), {})
    assert (rendered.prompt, rendered.model, rendered.schema) == ("b\n\nb", "b", "b.json")
    assert rendered.options == {"t": 3, "a": 1, "b": 1}
    save("d", 'include = ["c"]\nmodel = "d"\ndefaults = { x = "d" }')
    assert (render(load_template("d"), {}).model, render(load_template("d"), {}).prompt) == ("d", "d\n\nd")


def test_a_template_that_two_include_stands_once() -> None:
    save("base", 'system = "Base."')
    save("left", 'include = ["base"]\nsystem = "Left."')
    save("right", 'include = ["base"]\nsystem = "Right."')
    save("top", 'include = ["left", "right"]\nsystem = "Top."')
    assert render(load_template("top"), {}, "q").system == "Base.\n\nLeft.\n\nRight.\n\nTop."


def test_a_template_without_includes_is_as_it_was() -> None:
    save("t", 'prompt = "\\n  two\\n"\nsystem = ""')
    assert load_template("t").prompt == "\n  two\n"


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"t": 'include = ["t"]\nprompt = "x"'}, "t includes t: this has no end"),
        ({"t": 'include = ["a"]', "a": 'include = ["b"]', "b": 'include = ["a"]'}, "a includes b includes a"),
        ({"t": 'include = ["nowhere"]\nprompt = "x"'}, 'there is no template "nowhere"'),
        ({"t": 'include = ["../../etc/passwd"]\nprompt = "x"'}, "is not a name for a template"),
        ({"t": 'include = "a"\nprompt = "x"'}, "expected a list"),
        ({"t": 'include = [3]\nprompt = "x"'}, "include"),
        ({"t": 'include = ["a"]', "a": "oops"}, "a.toml:1"),
        (
            {"t": 'include = ["n0"]', **{f"n{n}": f'include = ["n{n + 1}"]' for n in range(30)}, "n30": 'prompt = "x"'},
            "deeper than 16",
        ),
    ],
)
def test_what_is_wrong_with_an_include_is_told_with_the_file(files: dict[str, str], complaint: str) -> None:
    for name, text in files.items():
        save(name, text)
    with pytest.raises(ConfigError) as caught:
        load_template("t")
    assert complaint in caught.value.message
    assert ".toml" in caught.value.message
    assert caught.value.hint


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from("abcde"), max_size=3), min_size=1))
def test_whatever_includes_whatever_it_ends_in_a_template_or_a_word(graph: dict[str, list[str]]) -> None:
    for old in templates_dir().glob("*.toml"):
        old.unlink()
    for name, included in graph.items():
        save(name, f'include = {json.dumps(included)}\nprompt = "{name}"')
    name = next(iter(graph))
    try:
        prompt = load_template(name).prompt or ""
    except ConfigError:
        prompt = name
    parts = prompt.split("\n\n")
    assert parts[-1] == name
    assert len(set(parts)) == len(parts)


def test_a_template_is_tried_out_without_asking(run: Run) -> None:
    save("base", 'system = "You are $who."\n[defaults]\nwho = "Ann"')
    save("t", 'include = ["base"]\nprompt = "Say $what"\nmodel = "fast"')
    tried = run("test", "t", "hello", "-p", "what=it")
    assert tried.stdout == "You are Ann.\n\nSay it\n\nhello\n"
    value = json.loads(run("test", "t", "-p", "what=it", "-p", "who=Bob", "--json").stdout)
    assert (value["system"], value["prompt"], value["model"]) == ("You are Bob.", "Say it", "fast")
    assert value["includes"] == ["base"]


def test_what_is_missing_for_a_try_is_told(run: Run) -> None:
    save("t", 'prompt = "Say $what"')
    assert isinstance(run("test", "t").exception, UsageError)
    assert isinstance(run("test", "t", "-p", "what").exception, UsageError)
    assert isinstance(run("test", "t", "-p", "waht=1", "-p", "what=2").exception, UsageError)
    assert isinstance(run("test", "other").exception, UsageError)
