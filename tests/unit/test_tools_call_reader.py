"""Calls written in text: which text is a call, what of it a person sees, and that no cut of the stream matters."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, strategies as st

from coda_cli.engine.tools.call_reader import CallReader
from coda_cli.engine.tools.written_call import WrittenCall, read_calls

NAMES = ("get_time", "calculator")
TIME = '{"name": "get_time", "arguments": {"timezone": "UTC"}}'
SUM = '{"name": "calculator", "arguments": {"expression": "2+2"}}'
FENCED = f"```tool_call\n{TIME}\n```"
TAGGED = f"<tool_call>\n{TIME}\n</tool_call>"
QUOTED = f"````markdown\n{FENCED}\n````"


def read(text: str, *cuts: int) -> tuple[str, list[tuple[str, str]], bool]:
    """What is shown, the calls as (name, arguments), and whether the answer ended within one."""
    reader = CallReader(NAMES)
    shown, start = "", 0
    for cut in (*sorted(cuts), len(text)):
        shown += reader.feed(text[start:cut])
        start = max(start, cut)
    shown += reader.finish()
    return shown, [(call.name, call.arguments) for call in reader.calls], reader.cut


TIME_CALL = ("get_time", '{"timezone": "UTC"}')
SUM_CALL = ("calculator", '{"expression": "2+2"}')


@pytest.mark.parametrize(
    ("text", "shown", "calls"),
    [
        (FENCED, "", [TIME_CALL]),
        (f"Let me look.\n\n{FENCED}\n", "Let me look.\n\n", [TIME_CALL]),
        (f"{FENCED}\n\n```tool_call\n{SUM}\n```", "", [TIME_CALL, SUM_CALL]),
        (f"```tool_call\n{TIME}\n{SUM}\n```", "", [TIME_CALL, SUM_CALL]),
        (f"```tool_calls\n[{TIME}, {SUM}]\n```", "", [TIME_CALL, SUM_CALL]),
        (f"~~~tool_call\n{TIME}\n~~~", "", [TIME_CALL]),
        (f"I look.{TAGGED}", "I look.", [TIME_CALL]),
        (f"<tool_call>{TIME}</tool_call><tool_call>{SUM}</tool_call>", "", [TIME_CALL, SUM_CALL]),
        (f"<function_call>{TIME}</function_call>", "", [TIME_CALL]),
        (f"<tool_call>\n{TIME}", "", [TIME_CALL]),
        (f"```tool_call\n{TIME}", "", [TIME_CALL]),
        (f"```json\n{TIME}\n```", "", [TIME_CALL]),
        (f"Sure:\n```\n{TIME}\n```\n", "Sure:\n", [TIME_CALL]),
        (TIME, "", [TIME_CALL]),
        (f"\n {TIME}\n", "\n ", [TIME_CALL]),
        ('```tool_call\n{"name": "nobody", "arguments": {}}\n```', "", [("nobody", "{}")]),
    ],
)
def test_a_call_in_one_of_the_forms_that_models_write_is_a_call(
    text: str, shown: str, calls: list[tuple[str, str]]
) -> None:
    assert read(text) == (shown, calls, False)


@pytest.mark.parametrize(
    "text",
    [
        QUOTED,
        f"Write this:\n```markdown\n{FENCED[:-4]}\n```\nThat is all.",
        f"An example:\n```json\n{TIME}\n```\nThat calls it.",
        f"An example:\n```json\n{TIME}\n```\n```python\nx = 1\n```",
        f"{TIME} is how it looks",
        '```json\n{"name": "Ada", "age": 36}\n```',
        '{"name": "Ada", "arguments": {}}',
        '{"name": "get_time", "arguments": {',
        "The tag `<tool_call>{}` opens it.",
        "The tag <tool_call> opens it, and a < b.",
        "a ```tool_call in a line\n{}\n",
        "```tool_call",
        "    ```tool_call\n    {}\n",
        "```python\nprint('<tool_call>{}')\n```",
        "",
        "``` `` ```",
    ],
)
def test_text_that_only_looks_like_a_call_stays_text(text: str) -> None:
    assert read(text) == (text, [], False)


def test_the_answer_ends_with_its_call() -> None:
    reader = CallReader(NAMES)
    shown = reader.feed(f"Wait.\n{FENCED}\nThe result is 12:00")
    assert (shown, reader.done, len(reader.calls)) == ("Wait.\n", True, 1)
    assert reader.feed(f"\n{FENCED}") + reader.finish() == ""
    assert len(reader.calls) == 1


def test_text_passes_at_once_and_a_possible_call_is_held_back() -> None:
    reader = CallReader(NAMES)
    assert reader.feed("Hello") == "Hello"
    assert reader.feed(" you <tool") == " you "
    assert reader.feed("s>") == "<tools>"
    assert reader.feed("\n```py") == "\n"
    assert reader.feed("thon\nx =") == "```python\nx ="
    assert reader.feed(" 1\n```\n") == " 1\n```\n"
    assert reader.feed('```json\n{"na') == ""
    assert reader.feed('me": "Ada"') == '```json\n{"name": "Ada"'


def test_a_fence_within_a_string_does_not_end_the_call() -> None:
    arguments = json.dumps({"text": "a\n```\nb</tool_call>"})
    for text in (
        f'```tool_call\n{{"name": "x", "arguments": {arguments}}}\n```',
        f'<tool_call>{{"name": "x", "arguments": {arguments}}}</tool_call>',
        '```tool_call\n{"name": "x", "arguments": {"text": "raw\n```\nline"}}\n```',
    ):
        (call,) = read(text)[1]
        assert "b</tool_call>" in call[1] or "raw\n```\nline" in call[1]


def test_a_call_in_broken_json_goes_on_as_it_was_written() -> None:
    broken = '{"name": "calculator", "arguments": {"expression": 2+2}}'
    assert read(f"```tool_call\n{broken}\n```") == ("", [("calculator", broken)], False)
    assert read(f"```tool_call\nget_time()\n```\n{FENCED}") == ("", [("", "get_time()"), TIME_CALL], False)
    unclosed = '{"name": "calculator", "arguments": {"expression": "2+'
    assert read(f"```tool_call\n{unclosed}") == ("", [("calculator", unclosed)], True)
    assert read(f"```tool_call\n{unclosed}\n```\nSo it is 4.") == ("", [("calculator", unclosed)], False)


def test_what_was_held_back_is_given_back_when_the_stream_breaks() -> None:
    for text in (FENCED[:30], TAGGED[:20], f"```json\n{TIME}\n```\n", TIME[:25], "x\n``"):
        reader = CallReader(NAMES)
        assert reader.feed(text) + reader.abandon() == text
        assert reader.calls == []


_PIECES = st.sampled_from(
    [
        *(
            FENCED,
            TAGGED,
            QUOTED,
            TIME,
            SUM,
            "`",
            "``",
            "```",
            "\n",
            " ",
            "<tool_call>",
            "</tool_call>",
            "```json\n",
            "{",
        ),
        *(
            "```tool_call\n",
            '{"name": "',
            "get_time",
            '"',
            "}",
            "[",
            "~~~",
            "text",
            "\r\n",
            "<",
            "\\",
            "```\n",
            "\u2028é",
        ),
    ]
)
_TEXTS = st.lists(_PIECES, max_size=12).map("".join)


@given(_TEXTS, st.lists(st.integers(0, 400), max_size=6))
@example(f"a\n{FENCED}\n\n{TAGGED}\nrest", [9])
def test_no_cut_of_the_stream_matters(text: str, cuts: list[int]) -> None:
    whole = read(text)
    assert read(text, *(cut for cut in cuts if cut < len(text))) == whole
    assert read(text, *range(len(text))) == whole


@given(_TEXTS)
def test_nothing_but_calls_and_what_follows_them_is_left_out(text: str) -> None:
    shown, calls, _ = read(text)
    assert text.startswith(shown)
    assert calls or shown == text


@given(st.text(max_size=200))
def test_reading_a_call_never_fails_and_an_unsound_one_is_the_whole_text(text: str) -> None:
    for call in read_calls(text):
        if not call.sound:
            assert call.arguments in text


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('{"name": "a"}', [WrittenCall("a", "{}", True)]),
        ('{"tool": "a", "parameters": {"x": 1.0}}', [WrittenCall("a", '{"x": 1.0}', True)]),
        ('{"name": "a", "arguments": "{\\"x\\": 1}"}', [WrittenCall("a", '{"x": 1}', True)]),
        ('{"name": "a", "arguments": null}', [WrittenCall("a", "{}", True)]),
        (
            '{"type": "function", "function": {"name": "a", "arguments": {"x": 1, "x": NaN}}}',
            [WrittenCall("a", '{"x": 1, "x": NaN}', True)],
        ),
        ('{"name": "a", "x": 1}', [WrittenCall("a", '{"name": "a", "x": 1}', False)]),
        (
            '{"name": "a", "name": "b", "arguments": {}}',
            [WrittenCall("a", '{"name": "a", "name": "b", "arguments": {}}', False)],
        ),
        ('{"name": 1, "arguments": {}}', [WrittenCall("", '{"name": 1, "arguments": {}}', False)]),
        ("[" * 100_000, [WrittenCall("", "[" * 100_000, False)]),
    ],
)
def test_the_shapes_of_a_call(text: str, calls: list[WrittenCall]) -> None:
    assert read_calls(text) == calls
