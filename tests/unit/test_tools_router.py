"""The router: what a small model is asked, what of its choice is taken, and what becomes of results."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMIncompleteResponseError
from coda_cli.engine.core.events import Finished, ProviderEvent, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import (
    LLMMessage,
    MessageRole,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    assistant,
    system,
    user,
)
from coda_cli.engine.core.ports import ProviderRequest, ToolSpec
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.local.provider import LocalProvider
from coda_cli.engine.providers.scripted import Reply, ScriptedProvider
from coda_cli.engine.tools.builtin.get_time import GetTime
from coda_cli.engine.tools.builtin.list_files import ListFiles
from coda_cli.engine.tools.builtin.random_number import RandomNumber
from coda_cli.engine.tools.builtin.read_file import ReadFile
from coda_cli.engine.tools.grammar import union
from coda_cli.engine.tools.grounding import grounded
from coda_cli.engine.tools.router import RouterProvider
from coda_cli.engine.tools.routing import candidates, clauses
from tests.weights import smollm2_path

CALCULATOR = ToolSpec(
    "calculator",
    "Compute an expression.",
    {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]},
)
WEATHER = ToolSpec(
    "weather_report",
    "Weather forecast of a city.",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city"],
    },
)
SPECS = (CALCULATOR, GetTime().spec(), RandomNumber().spec(), ReadFile().spec(), WEATHER)


def router(*replies: str | Reply) -> tuple[RouterProvider, ScriptedProvider]:
    inner = ScriptedProvider(replies=replies)
    return RouterProvider(inner), inner


def request(*messages: LLMMessage | str, **more: object) -> ProviderRequest:
    made = [user(message) if isinstance(message, str) else message for message in messages]
    return ProviderRequest("m", made, tools=SPECS, **more)  # type: ignore[arg-type]  # keyword arguments of the test


async def collect(stream: AsyncGenerator[ProviderEvent, None]) -> list[ProviderEvent]:
    async with aclosing(stream):
        return [event async for event in stream]


def text(events: Sequence[ProviderEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calls(events: Sequence[ProviderEvent]) -> list[tuple[str, object]]:
    return [(event.name or "", json.loads(event.arguments)) for event in events if isinstance(event, ToolCallDelta)]


def result(name: str, value: str, arguments: str = "{}", *, error: bool = False, said: str = "") -> list[LLMMessage]:
    """A call and its result, as the history has them."""
    call = ToolCallPart(id=f"id-{name}", name=name, arguments=arguments)
    parts = [TextPart(text=said), call] if said else [call]
    told = ToolResultPart(id=call.id, name=name, text=value, is_error=error)
    return [LLMMessage(role=MessageRole.ASSISTANT, parts=parts), LLMMessage(role=MessageRole.TOOL, parts=[told])]


# ---- the choice ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["Hello!", "What is the capital of France?", "Write a poem about a clock"])
async def test_a_message_whose_words_point_to_no_tool_is_answered_at_once(message: str) -> None:
    provider, inner = router("Fine.")
    assert text(await collect(provider.stream(request(message)))) == "Fine."
    (asked,) = inner.requests
    assert [m.content for m in asked.messages] == [message]
    assert not asked.tools
    assert "grammar" not in asked.options


async def test_the_choice_is_a_request_of_its_own_held_by_a_grammar_at_temperature_zero() -> None:
    provider, inner = router('get_time {"timezone": "Asia/Tokyo"}')
    history = [system("You are a pirate."), user("Hi"), assistant("Ahoy"), user("What time is it in Tokyo?")]
    events = await collect(provider.stream(request(*history, options={"temperature": 0.9, "n_ctx": 512})))
    (asked,) = inner.requests
    assert asked.options["temperature"] == 0.0
    assert asked.options["n_ctx"] == 512
    assert str(asked.options["grammar"]).startswith('root ::= "answer" | tool-0\n')
    assert asked.messages[0].content.startswith("Decide which tool")
    assert "pirate" not in "".join(m.content for m in asked.messages)
    assert asked.messages[-1].content == "What time is it in Tokyo?"
    assert calls(events) == [("get_time", {"timezone": "Asia/Tokyo"})]
    assert events[-1] == Finished(FinishReason.TOOL_CALLS, "m")


async def test_half_of_the_turns_that_teach_it_need_no_tool() -> None:
    provider, inner = router("answer", "It flies.")
    await collect(provider.stream(request("What is the time now, do you know?")))
    replies = [m.content for m in inner.requests[0].messages if m.role is MessageRole.ASSISTANT]
    assert len(replies) >= 8
    assert replies.count("answer") * 2 == len(replies)
    assert all(reply == "answer" or reply.startswith("get_time {") for reply in replies)


async def test_where_it_chooses_to_answer_it_is_asked_for_the_answer_and_both_are_paid_for() -> None:
    provider, inner = router(
        Reply("answer", usage=TokenUsage(input_tokens=100, output_tokens=2)),
        Reply("It flies.", usage=TokenUsage(input_tokens=10, output_tokens=3)),
    )
    events = await collect(provider.stream(request("What is the time?")))
    assert text(events) == "It flies."
    assert len(inner.requests) == 2
    (usage,) = [event.usage for event in events if isinstance(event, Usage)]
    assert (usage.input_tokens, usage.output_tokens) == (110, 5)


async def test_a_question_with_two_parts_gets_two_calls_at_once() -> None:
    provider, _ = router("get_time {}")
    events = await collect(provider.stream(request("What time is it and what's 2+2?")))
    assert calls(events) == [("get_time", {}), ("calculator", {"expression": "2+2"})]


@pytest.mark.parametrize(
    ("message", "expression"),
    [
        ("what's 2+2?", "2+2"),
        ("1,000 - 387 = ?", "1000 - 387"),
        ("Calculate (3 + 4) × 5", "(3 + 4) * 5"),
        ("What is 12.5% of 240?", "240 * 12.5 / 100"),
        ("2^16", "2**16"),
    ],
)
async def test_a_message_that_is_nothing_but_arithmetic_needs_no_model(message: str, expression: str) -> None:
    provider, inner = router("answer")
    assert calls(await collect(provider.stream(request(message)))) == [("calculator", {"expression": expression})]
    assert inner.requests == []


@pytest.mark.parametrize(
    ("message", "chosen", "taken"),
    [
        ("Read notes.txt to me", 'read_file {"path": "notes.txt"}', {"path": "notes.txt"}),
        ("Multiply four by 12", 'calculator {"expression": "4 * 12"}', {"expression": "4 * 12"}),
        ("Multiply four by 12", 'calculator {"expression": "4 * 13"}', None),
        ("What's the weather forecast for Oslo?", 'weather_report {"city": "Oslo"}', {"city": "Oslo"}),
        ("What's the weather forecast for Oslo?", 'weather_report {"city": "Paris"}', None),
        ("What is the time in Xanadu?", 'get_time {"timezone": "Asia/Xanadu"}', None),
        ("What is the time in Hyderabad?", 'get_time {"timezone": "Asia/Kolkata"}', {"timezone": "Asia/Kolkata"}),
        ("What's the weather forecast for Oslo?", 'weather_report {"city": "Osl"}', None),
        ("What is the time?", "get_ti", None),
        ("What is the time?", '{"name": "get_time"}', None),
        ("Read notes.txt to me", 'read_file {"path": "not', None),
    ],
)
async def test_an_argument_that_was_not_said_is_not_taken(message: str, chosen: str, taken: object) -> None:
    provider, _ = router(chosen, "I can't say.")
    events = await collect(provider.stream(request(message)))
    if taken is None:
        assert calls(events) == []
        assert text(events) == "I can't say."
    else:
        assert [arguments for _, arguments in calls(events)] == [taken]


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("Read notes.txt to me", ['"\\"path\\": " ("\\"notes.txt\\"")']),
        ("Roll a die", ['"\\"minimum\\": " ("1" | "6" | "0" | "100"', '"\\"maximum\\": " ("1" | "6" | "0" | "100")']),
        (
            "roll a d20",
            ['"\\"minimum\\": " ("20" | "0" | "1" | "100")', '"\\"maximum\\": " ("20" | "0" | "1" | "100")'],
        ),
        ("What's the time in Paris?", ['("\\"Europe/Paris\\"")']),
    ],
)
async def test_the_grammar_offers_what_was_said_and_nothing_else(message: str, values: list[str]) -> None:
    provider, inner = router("answer")
    await collect(provider.stream(request(message)))
    grammar = str(inner.requests[0].options["grammar"])
    for value in values:
        assert value.replace(' | "100"', "") in grammar.replace(' | "100"', "")


@pytest.mark.parametrize(
    ("message", "folders"),
    [
        ("List the files in docs", ["docs"]),
        ("show folder src", ["src"]),
        ("Which files does the assets directory have?", ["assets"]),
        ("ls src/lib", ["src/lib"]),
        ("what's inside data/", ["data/"]),
        ("Which files are in this folder?", ["."]),
        ("List files", []),
    ],
)
def test_the_folder_that_is_meant_is_found(message: str, folders: list[str]) -> None:
    (made,) = [one for one in candidates([ListFiles().spec()], message) if one.name == "list_files"]
    values = [value for field in made.fields if field.name == "path" for value in field.values]
    assert [json.loads(value) for value in values] == folders


async def test_a_file_that_nobody_named_cannot_be_read() -> None:
    provider, inner = router("I see no file.")
    assert text(await collect(provider.stream(request("Read my file and show its contents")))) == "I see no file."
    assert all("grammar" not in asked.options for asked in inner.requests)


async def test_a_long_text_is_no_request_for_a_tool_and_calls_that_are_over_are_not_made() -> None:
    for asked in (request("What time is it? " * 100), request("What time is it?", tool_choice="none")):
        provider, inner = router("Late.")
        assert text(await collect(provider.stream(asked))) == "Late."
        assert len(inner.requests) == 1


async def test_a_choice_that_breaks_off_is_an_error_not_a_choice() -> None:
    provider, _ = router(Reply("get_time {}", end=False))
    with pytest.raises(LLMIncompleteResponseError):
        await collect(provider.stream(request("What time is it?")))


_WORDS = st.sampled_from(
    [
        "time",
        "in",
        "Paris",
        "7",
        "+",
        "-",
        "(",
        "%",
        "of",
        "random",
        "between",
        "a.txt",
        '"',
        "`",
        "\\",
        "files",
        "ls",
        "ü",
    ]
)


@given(st.lists(_WORDS, max_size=15).map(" ".join) | st.text(max_size=80))
def test_no_message_breaks_the_choice(message: str) -> None:
    choices = candidates(SPECS, message)
    assert len(choices) <= 4
    for line in union(choices).splitlines():
        assert re.match(r"[a-z0-9-]+ ::= .", line)
    for part in clauses(message):
        assert part.strip()
    for choice in choices:
        assert grounded(choice, {}, message) == {}


# ---- results -------------------------------------------------------------------------------------------------------


async def test_a_result_comes_back_as_a_sentence_in_the_question() -> None:
    provider, inner = router("2+2 = 4, of course.")
    asked = [user("Hi"), assistant("Ahoy"), user("How much is 2+2?")]
    events = await collect(provider.stream(request(*asked, *result("calculator", "4", '{"expression": "2+2"}'))))
    assert text(events) == "2+2 = 4, of course."
    (sent,) = inner.requests
    assert [m.role.value for m in sent.messages] == ["user", "assistant", "user"]
    assert sent.messages[-1].content.startswith("How much is 2+2?\n\n2+2 = 4\nAnswer with exactly")


@pytest.mark.parametrize(
    ("name", "value", "said", "shown"),
    [
        ("calculator", "391", "It is 391.", ""),
        ("calculator", "1234567", "That makes 1,234,567 in all.", ""),
        ("calculator", "391", "It is 390.", "The result is 391"),
        ("calculator", "4", "About 42.", "The result is 4"),
        ("get_time", "14:05:09 UTC, Tuesday", "It is 14:05.", ""),
        ("get_time", "14:05:09 UTC, Tuesday", "I can't know the time.", "The time is 14:05:09 UTC, Tuesday"),
        ("list_files", "a.txt\nb.txt", "There are a.txt and b.txt.", ""),
        ("list_files", "a.txt\nb.txt", "There is a.txt.", "The folder contains:\na.txt\nb.txt"),
        ("list_files", "docs/\na.txt (3 bytes)", "There are docs/ and a.txt", ""),
        ("read_file", "- milk\n- bread", "Buy milk and bread.", ""),
        ("random_number", "3, 14", "3 and 15", "The random number is 3, 14"),
        ("random_number", "7", "", "The random number is 7"),
        ("weather_report", "Rain", "It will rain.", ""),
    ],
)
async def test_a_value_that_the_answer_leaves_out_is_shown_below_it(
    name: str, value: str, said: str, shown: str
) -> None:
    provider, _ = router(said or Reply(""))
    events = await collect(provider.stream(request("Well?", *result(name, value))))
    assert text(events) == "\n\n".join(part for part in (said, shown) if part)
    assert isinstance(events[-1], Finished)


async def test_an_answer_that_must_fit_a_schema_is_left_as_it_is() -> None:
    provider, inner = router('{"sum": 5}')
    asked = request("2+2?", *result("calculator", "4"), schema={"type": "object"})
    assert text(await collect(provider.stream(asked))) == '{"sum": 5}'
    assert inner.requests[0].schema == {"type": "object"}


async def test_a_failed_call_is_told_in_a_fixed_sentence_and_the_model_is_not_asked() -> None:
    provider, inner = router("The file says hello!")
    asked = request("Read a.txt", *result("read_file", "there is no file a.txt", error=True))
    events = await collect(provider.stream(asked))
    assert text(events) == "I could not use read_file: there is no file a.txt"
    assert events[-1] == Finished(FinishReason.STOP, "m")
    assert inner.requests == []


async def test_the_history_keeps_clean_questions_and_tells_results_that_got_no_answer() -> None:
    provider, inner = router("Hello.")
    history = [
        user("What time is it?"),
        *result("get_time", "14:05", said="Let me look."),
        assistant("It is 14:05."),
        user("And 2+2?"),
        *result("calculator", "4"),
        user("Hello"),
    ]
    await collect(provider.stream(request(*history)))
    sent = [(m.role.value, m.content) for m in inner.requests[0].messages]
    assert sent == [
        ("user", "What time is it?"),
        ("assistant", "Let me look."),
        ("assistant", "It is 14:05."),
        ("user", "And 2+2?"),
        ("assistant", "The result is 4"),
        ("user", "Hello"),
    ]


# ---- the real engine -----------------------------------------------------------------------------------------------


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalProvider:
    model = smollm2_path()
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    return LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(model), extra_params={"n_ctx": 1024}))


@pytest.mark.parametrize(
    "message",
    [
        'Show me "notes \\ünlike.txt" and docs/a.md',
        "What's the weather forecast for Oslo, in celsius?",
    ],
)
async def test_llama_cpp_holds_even_a_model_that_is_too_small_to_a_well_formed_choice(
    local: LocalProvider, message: str
) -> None:
    written: list[str] = []

    class Watched(LocalProvider):
        async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
            heard = ""
            async with aclosing(super().stream(request)) as events:
                async for event in events:
                    heard += event.text if isinstance(event, TextDelta) else ""
                    yield event
            if "grammar" in request.options:
                written.append(heard)

    provider = RouterProvider(Watched(local.config))
    asked = ProviderRequest(local.config.model, [user(message)], {"max_tokens": 8}, tools=SPECS)
    events = await collect(provider.stream(asked))
    (choice,) = written
    assert choice == "answer" or re.fullmatch(r"[a-z_]+ \{.*\}", choice)
    if choice != "answer":
        name, _, arguments = choice.partition(" ")
        assert name in {spec.name for spec in SPECS}
        assert isinstance(json.loads(arguments), dict)
    assert isinstance(events[-1], Finished)
