"""Lines of input: what is a prompt, what is told as none, and what a request is known by from run to run."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.batch.jobs import target
from coda_cli.engine.batch.prompts import BadLineError, Defaults, Filled, Names, Prompt, read_line
from coda_cli.engine.batch.reading import numbered_lines
from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import UsageError


def read(value: object, defaults: Defaults | None = None, line: int = 3) -> Prompt:
    raw = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    prompt = read_line(raw, line, 0, defaults or Defaults())
    assert prompt is not None
    return prompt


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt": "x"', "begins like a JSON object"),
        ('{"promt": "x"}', "did you mean 'prompt'"),
        ('{"prompt": "x", "label": 1}', "'metadata'"),
        ('{"prompt": 5}', "'prompt' is not a text"),
        ('{"prompt": "  "}', "nothing to ask"),
        ("{}", "nothing to ask"),
        ('{"prompt": "x", "messages": []}', "one of them is enough"),
        ('{"messages": []}', "not a list of messages"),
        ('{"messages": [{"role": "assistant", "content": "x"}]}', "not the user's"),
        ('{"messages": [{"role": "tool", "content": "x"}]}', "'role'"),
        ('{"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "x"}]}', "first or not at all"),
        ('{"messages": [{"role": "user", "content": [{"type": "video"}]}]}', "base64"),
        ('{"prompt": "x", "system": 1}', "'system' is not a text"),
        ('{"prompt": "x", "options": []}', "'options' is not an object"),
        ('{"prompt": "x", "options": {"model": "y"}}', "not an option"),
        ('{"prompt": "x", "id": true}', "'id' is neither"),
        ('{"prompt": "x", "id": ""}', "'id' is neither"),
        ('{"prompt": "x", "params": {"a": 1}}', "no template"),
        ('{"prompt": "\\ud800"}', "half a character"),
        ('{"prompt": "x", "options": {"temperature": NaN}}', "no JSON number"),
        ("{" * 100_000, "begins like a JSON object"),
    ],
)
def test_a_line_that_is_no_prompt_is_told_with_its_number(line: str, said: str) -> None:
    def check(options: Any) -> None:
        if "model" in options:
            raise UsageError("`model` is not an option of a model")

    with pytest.raises(BadLineError) as told:
        read(line, Defaults(check=check), line=7)
    assert told.value.line == 7
    assert str(told.value).startswith("line 7: ")
    assert said in str(told.value)


@given(st.binary(max_size=200), st.booleans())
def test_no_line_can_break_the_reader(raw: bytes, braced: bool) -> None:
    try:
        read_line(b"{" + raw if braced else raw, 1, 0, Defaults())
    except BadLineError:
        pass


def test_the_line_wins_over_the_command_line_and_that_over_the_template() -> None:
    def fill(params: Any, text: str) -> Filled:
        return Filled(f"{params['tone']}: {text}", "of the template")

    defaults = Defaults(system="of the flag", options={"temperature": 1, "seed": 4}, schema={"a": 1}, fill=fill)
    prompt = read({"prompt": "x", "params": {"tone": "kind"}, "options": {"temperature": 0}}, defaults)
    assert (prompt.text, prompt.system, prompt.options) == ("kind: x", "of the flag", {"temperature": 0, "seed": 4})
    assert prompt.schema == {"a": 1}
    own = read({"prompt": "x", "system": "", "schema": {"b": 2}, "params": {"tone": "k"}}, defaults)
    assert (own.system, own.schema) == ("", {"b": 2})
    assert read("x", Defaults(fill=lambda params, text: Filled(text, "of the template"))).system == "of the template"


def test_messages_become_what_was_said_and_a_question() -> None:
    image = {"type": "image", "media_type": "image/png", "data": "aGk="}
    prompt = read(
        {
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "one"},
                {"role": "assistant", "content": "two"},
                {"role": "user", "content": [{"type": "text", "text": "three"}, image]},
            ]
        }
    )
    assert prompt.system == "s"
    assert [message.content for message in prompt.before] == ["one", "two"]
    assert prompt.text == "three"
    assert prompt.media[0].data == b"hi"


def test_everything_that_shapes_the_request_shapes_the_hash_and_nothing_else_does() -> None:
    base = read({"prompt": "x", "options": {"a": 1, "b": 2}})
    assert base.content == read({"options": {"b": 2, "a": 1}, "prompt": "x", "id": 9, "metadata": 5}).content
    others = [
        {"prompt": "y", "options": {"a": 1, "b": 2}},
        {"prompt": "x", "options": {"a": 1, "b": 3}},
        {"prompt": "x", "options": {"a": 1, "b": 2}, "system": "s"},
        {"prompt": "x", "options": {"a": 1, "b": 2}, "schema": {"type": "object"}},
        {"messages": [{"role": "user", "content": "u"}, {"role": "user", "content": "x"}], "options": {"a": 1, "b": 2}},
    ]
    assert len({base.content, *(read(other).content for other in others)}) == len(others) + 1


def test_a_models_settings_shape_its_requests_and_its_address_does_not() -> None:
    def shape(**more: Any) -> str:
        return target("p", "m", ProviderConfig(provider=LLMProvider.OPENAI, **more)).shape

    assert shape() == shape(api_base="http://127.0.0.1:1/v1", timeout=3)
    assert len({shape(), shape(temperature=0.5), shape(api="responses"), shape(extra_params={"k": 1})}) == 4


def test_prompts_without_an_id_keep_theirs_when_others_come_before_them() -> None:
    def ids(*lines: str) -> list[str]:
        names = Names()
        return [names.name(read(line)) for line in lines]

    first = ids("a", "b", "b", "b")
    assert len(set(first)) == 4
    assert set(ids("new", "b", "b", "a", "b")) > set(first)
    names = Names()
    names.name(read({"id": 1, "prompt": "x"}))
    with pytest.raises(BadLineError, match="earlier line"):
        names.name(read({"id": "1", "prompt": "y"}))


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), max_size=8), st.booleans())
def test_lines_come_whole_whatever_the_blocks(lines: list[bytes], ended: bool) -> None:
    import asyncio

    async def all_of(fd: int) -> list[tuple[int, bytes | BadLineError]]:
        return [line async for line in numbered_lines(fd, most=15)]

    source, sink = os.pipe()
    os.write(sink, b"\n".join(lines) + (b"\n" if ended else b""))
    os.close(sink)
    found = asyncio.run(all_of(source))
    os.close(source)
    expected = lines if ended and lines else lines[: len(lines) - (not lines or not lines[-1])]
    if ended and not lines:
        expected = [b""]
    assert [number for number, _ in found] == list(range(1, len(expected) + 1))
    for line, (_, got) in zip(expected, found, strict=True):
        assert isinstance(got, BadLineError) if len(line) > 15 else got == line
