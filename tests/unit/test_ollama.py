"""The Ollama provider: bodies, lines and addresses from tables."""

import base64
from typing import Any

import pytest

from coda_cli.engine.core.errors import (
    LLMInvalidRequestError,
)
from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import (
    FilePart,
    ImagePart,
    LLMMessage,
    MessageRole,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    assistant,
    system,
    user,
)
from coda_cli.engine.core.ports import ProviderRequest, ToolSpec
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.endpoints import ollama_url
from coda_cli.engine.providers.ollama_chat import ChatMapping, chat_body

MODEL = "fake-model:latest"
KNOWN = ModelProfile(context_window=131_072, thinking="adaptive")
SMALL = ModelProfile(context_window=2_048)
UNKNOWN = ModelProfile()
PICTURE = ImagePart(data=b"\x89PNG", media_type="image/png")


def ask(*messages: LLMMessage, **more: Any) -> ProviderRequest:
    return ProviderRequest(model=more.pop("model", MODEL), messages=messages or [user("hi")], **more)


def body(*messages: LLMMessage, profile: ModelProfile = KNOWN, **more: Any) -> dict[str, Any]:
    return chat_body(ask(*messages, **more), profile)


def feed(*lines: dict[str, Any]) -> list[ProviderEvent]:
    mapping = ChatMapping()
    out = [event for data in lines for event in mapping.feed("", data)]
    return [*out, *mapping.end()]


# ---- bodies ---------------------------------------------------------------------------------------------------


def test_a_plain_question() -> None:
    assert body(system("Be brief."), user("hi")) == {
        "model": MODEL,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "stream": True,
        "options": {"num_ctx": 8_192},
    }


@pytest.mark.parametrize(
    ("options", "sent", "inner"),
    [
        ({"temperature": 0.1, "top_p": 0.5, "seed": 7}, {}, {"temperature": 0.1, "top_p": 0.5, "seed": 7}),
        ({"max_tokens": 9}, {}, {"num_predict": 9}),
        ({"stop": "END"}, {}, {"stop": ["END"]}),
        ({"stop": ["A"], "mirostat": 2}, {}, {"stop": ["A"], "mirostat": 2}),
        ({"num_ctx": 512}, {}, {"num_ctx": 512}),
        ({"keep_alive": "10m", "think": False, "format": "json"},) * 2 + ({},),
        ({"effort": "high"}, {"think": True}, {}),
        ({"effort": "none"}, {"think": False}, {}),
        ({"effort": "high", "think": False}, {"think": False}, {}),
    ],
)
def test_options(options: dict[str, Any], sent: dict[str, Any], inner: dict[str, Any]) -> None:
    got = body(options=options)
    assert {
        name: value for name, value in got.items() if name not in ("model", "messages", "stream", "options")
    } == sent
    assert got["options"] == {"num_ctx": 8_192, **inner}


@pytest.mark.parametrize(
    ("effort", "think"), [("none", "low"), ("minimal", "low"), ("medium", "medium"), ("xhigh", "high")]
)
def test_models_with_levels_of_thinking_get_a_level(effort: str, think: str) -> None:
    assert body(model="gpt-oss:20b", options={"effort": effort})["think"] == think


def test_effort_is_left_out_where_the_model_is_not_known_to_think() -> None:
    assert "think" not in body(profile=UNKNOWN, options={"effort": "high"})


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(LLMInvalidRequestError, match="'huge' is no effort"):
        body(options={"effort": "huge"})


@pytest.mark.parametrize(
    ("profile", "text", "options", "size"),
    [
        (KNOWN, "x" * 30_000, {}, 16_384),
        (KNOWN, "x" * 3_000_000, {}, 131_072),
        (UNKNOWN, "x" * 300_000, {}, 131_072),
        (SMALL, "hi", {}, 2_048),
        (KNOWN, "hi", {"max_tokens": 20_000}, 32_768),
        (KNOWN, "語" * 10_000, {}, 16_384),
        (KNOWN, "hi", {"num_predict": -1}, 8_192),
    ],
)
def test_the_window_fits_the_request_and_the_model(
    profile: ModelProfile, text: str, options: dict[str, Any], size: int
) -> None:
    assert body(user(text), profile=profile, options=options)["options"]["num_ctx"] == size


def test_pictures_count_for_the_window_by_number_and_not_by_size() -> None:
    big = ImagePart(data=b"x" * 1_000_000, media_type="image/png")
    assert body(user("see", [big]))["options"]["num_ctx"] == 8_192
    assert body(user("see", [big] * 4))["options"]["num_ctx"] == 16_384


def test_attachments_tools_and_schema() -> None:
    tool = ToolSpec("add", "Adds.", {"type": "object", "properties": {}})
    schema = {"type": "object"}
    note = FilePart(data=b"%PDF", media_type="application/pdf")
    got = body(user("see", [PICTURE, note]), tools=[tool], schema=schema)
    assert got["format"] == schema
    function = {"name": "add", "description": "Adds.", "parameters": dict(tool.parameters)}
    assert got["tools"] == [{"type": "function", "function": function}]
    (message,) = got["messages"]
    assert message["images"] == [base64.b64encode(PICTURE.data).decode()]
    assert message["content"].startswith("see")
    assert "application/pdf" in message["content"]


def test_a_round_of_tools_keeps_its_thoughts_and_an_earlier_one_does_not() -> None:
    def thinking(text: str, *parts: Any) -> LLMMessage:
        return LLMMessage(role=MessageRole.ASSISTANT, parts=[ReasoningPart(text=text), *parts])

    call = ToolCallPart(id="c1", name="add", arguments='{"a": 1}')
    broken = ToolCallPart(id="c2", name="add", arguments='{"a"')
    result = ToolResultPart(id="c1", name="add", text="1")
    got = body(
        user("q"),
        thinking("old", TextPart(text="A")),
        user("next"),
        thinking("new", call, broken),
        LLMMessage(role=MessageRole.TOOL, parts=[result]),
        assistant(""),
    )
    assert got["messages"] == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": "next"},
        {
            "role": "assistant",
            "content": "",
            "thinking": "new",
            "tool_calls": [
                {"function": {"name": "add", "arguments": {"a": 1}}},
                {"function": {"name": "add", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "1", "tool_name": "add"},
    ]


# ---- lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"message": {"content": "Hi"}}, [TextDelta("Hi")]),
        ({"message": {"content": None}}, []),
        ({"message": {"content": "", "thinking": "hm"}}, [ReasoningDelta("hm")]),
        (
            {"message": {"tool_calls": [{"function": {"name": "add", "arguments": {"a": "ü"}}}]}},
            [ToolCallDelta(0, None, "add", '{"a": "ü"}')],
        ),
        (
            {
                "message": {
                    "tool_calls": [
                        {"id": "c1", "function": {"name": "a"}},
                        {"id": "", "function": {"name": "b", "arguments": "{"}},
                    ]
                }
            },
            [ToolCallDelta(0, "c1", "a", "{}"), ToolCallDelta(1, None, "b", "{")],
        ),
        ({"status": "something new"}, []),
    ],
)
def test_content_lines(line: dict[str, Any], expected: list[ProviderEvent]) -> None:
    assert feed(line) == expected


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("load", FinishReason.STOP),
        ("unload", FinishReason.STOP),
        (None, FinishReason.STOP),
        ("brand new", FinishReason.UNKNOWN),
    ],
)
def test_done_reasons(reason: str | None, finish: FinishReason) -> None:
    line = {"model": "m", "done": True, "done_reason": reason, "prompt_eval_count": 3, "eval_count": 4}
    assert feed(line) == [Usage(TokenUsage(input_tokens=3, output_tokens=4)), Finished(finish, "m")]


def test_calls_end_as_tool_calls_and_are_numbered_over_lines() -> None:
    call = {"message": {"tool_calls": [{"function": {"name": "a", "arguments": {}}}]}}
    events = feed(call, call, {"done": True, "done_reason": "stop"})
    assert [event.index for event in events if isinstance(event, ToolCallDelta)] == [0, 1]
    assert events[-1] == Finished(FinishReason.TOOL_CALLS)


# ---- addresses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("  ", "http://127.0.0.1:11434"),
        ("example.com", "http://example.com:11434"),
        ("example.com:1234", "http://example.com:1234"),
        (":1234", "http://127.0.0.1:1234"),
        (" 10.0.0.2 ", "http://10.0.0.2:11434"),
        ('"example.com"', "http://example.com:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("[::]:8080", "http://[::1]:8080"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:1234", "http://[::1]:1234"),
        ("::1", "http://[::1]:11434"),
        ("http://example.com", "http://example.com:80"),
        ("https://example.com", "https://example.com:443"),
        ("http://example.com:1234", "http://example.com:1234"),
        ("https://example.com/ollama", "https://example.com:443/ollama"),
        ("example.com:1234/path/", "http://example.com:1234/path"),
        ("example.com:99999", "http://example.com:11434"),
    ],
)
def test_spellings_of_ollama_host(spelling: str, url: str) -> None:
    assert ollama_url(spelling) == url
