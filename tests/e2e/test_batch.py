"""`coda batch` and `coda compare` as installed: killed at any moment, run twice, bad lines, a budget, a judge."""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, finish, read_until
from tests.servers.batches import FakeBatches
from tests.servers.errors import error_reply
from tests.servers.reply import Gate
from tests.servers.request import Recorded
from tests.servers.script import Say, Script, Used
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

PRICES = '[prices."fake/fake-model"]\ninput = 1000.0\noutput = 10000.0\n'


@pytest.fixture
def fake() -> Iterator[ThreadedServer[FakeVendor]]:
    with ThreadedServer(FakeVendor("openai")) as server:
        server.server.script = echo
        yield server


@pytest.fixture
def coda(tmp_path: Path, fake: ThreadedServer[FakeVendor]) -> Program:
    program = Program(tmp_path)
    program.served_by(fake.url, tables=PRICES)
    return program


def echo(request: Recorded) -> Script:
    return [Say(f"re {request.get('messages', -1, 'content')}"), Used(10, 2)]


def prompts(folder: Path, *lines: str) -> str:
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n")
    return str(folder / "prompts.jsonl")


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_prompts_of_a_file_become_answers_in_a_file_in_their_order(coda: Program, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    file = prompts(tmp_path, "one", "", '{"id": "x", "prompt": "two", "metadata": {"k": 1}}', "three")
    ran = coda.run("batch", file, "--output", str(out), "-s", "be brief", "-o", "seed=3")
    assert (ran.code, ran.out) == (0, b"")
    assert "3 answered" in ran.error
    assert [record["text"] for record in records(out)] == ["re one", "re two", "re three"]
    assert records(out)[1]["id"] == "x"
    assert records(out)[1]["metadata"] == {"k": 1}
    assert records(out)[0]["cost_usd"] == pytest.approx(0.03)
    assert out.stat().st_mode & 0o777 == 0o600
    assert len(coda.usage) == 3, "each is in the usage log"
    assert not list((coda.home / "data").rglob("conv*")), "and none is kept as a conversation"


def test_a_pipe_in_and_a_pipe_out(coda: Program) -> None:
    ran = coda.run("batch", stdin=b"one\ntwo\n")
    assert [record["text"] for record in ran.lines] == ["re one", "re two"]
    same = coda.run("batch", "run", "-", "--no-log", stdin=b"one\n")
    assert [record["text"] for record in same.lines] == ["re one"]
    assert len(coda.usage) == 2


def test_killed_at_any_moment_and_run_again_every_prompt_is_answered_once(
    coda: Program, fake: ThreadedServer[FakeVendor], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    count, at_once = 60, 4
    file = prompts(tmp_path, *(f"p{number}" for number in range(count)))
    fake.server.shape = lambda reply: reply.but(delay_headers=0.01)
    draw = random.Random(7)
    kills = 0
    before: set[str] = set()
    while True:
        arrived = len(fake.server.asked)
        child = coda.start("batch", file, "--output", str(out), "--concurrency", str(at_once))
        if kills < 5:
            fake.wait_for_requests(arrived + draw.randint(1, 9))
            child.kill()
            child.communicate()
            kills += 1
            whole = {record["id"] for record in _whole(out)}
            assert before <= whole, "what was there stays"
            before = whole
            continue
        assert finish(child).code == 0
        break
    found = records(out)
    assert [record["text"] for record in found] == [f"re p{number}" for number in range(count)]
    times = Counter(str(request.get("messages", -1, "content")) for request in fake.server.asked)
    assert sum(times.values()) <= count + kills * at_once, "only what was under way is asked again"


def _whole(out: Path) -> list[dict[str, Any]]:
    """The lines that are whole."""
    lines = out.read_bytes().splitlines(keepends=True) if out.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def test_a_second_run_on_the_same_output_is_refused(
    coda: Program, fake: ThreadedServer[FakeVendor], tmp_path: Path
) -> None:
    gate = Gate()
    fake.server.shape = lambda reply: reply.but(body=[gate, *reply.body])
    out = tmp_path / "out.jsonl"
    file = prompts(tmp_path, "one", "two")
    first = coda.start("batch", file, "--output", str(out))
    fake.wait_for_requests(2)
    second = coda.run("batch", file, "--output", str(out))
    assert second.code == 2
    assert "another run is writing" in second.error
    assert "hint:" in second.error
    gate.open()
    assert finish(first).code == 0
    assert len(fake.server.asked) == 2


def test_bad_lines_are_told_and_do_not_stop_the_rest(coda: Program, tmp_path: Path) -> None:
    file = prompts(tmp_path, "one", '{"prompt": 5}', "\x1b[31mtwo", "{")
    ran = coda.run("batch", file, "--json", "--output", str(tmp_path / "out.jsonl"))
    assert ran.code == 1
    assert ran.json["complete"] == 2
    assert ran.json["bad_lines"] == 2
    assert "line 2: 'prompt' is not a text" in ran.error
    assert "line 4: " in ran.error
    only = coda.run("batch", prompts(tmp_path, "{", '{"a": 1}'), "--output", str(tmp_path / "o2.jsonl"))
    assert only.code == 2
    assert "no prompt" in only.error
    assert coda.run("batch", str(tmp_path / "none.txt")).code == 2
    assert coda.run("batch", "run").code == 2


def test_what_failed_is_asked_again_and_replaced(
    coda: Program, fake: ThreadedServer[FakeVendor], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    file = prompts(tmp_path, "one", "two", "three")
    fake.server.fail_first(1, error_reply("openai", "bad_request"))
    ran = coda.run("batch", file, "--output", str(out), "--concurrency", "1")
    assert ran.code == 1
    assert [record["status"] for record in records(out)] == ["error", "complete", "complete"]
    assert coda.run("batch", file, "--output", str(out)).code == 0
    assert [record["status"] for record in records(out)] == ["complete"] * 3
    assert len(fake.server.asked) == 4


def test_a_changed_prompt_is_asked_and_an_unchanged_one_is_not(
    coda: Program, fake: ThreadedServer[FakeVendor], tmp_path: Path
) -> None:
    out = str(tmp_path / "out.jsonl")
    coda.run("batch", prompts(tmp_path, '{"id": 1, "prompt": "a"}', '{"id": 2, "prompt": "b"}'), "--output", out)
    coda.run("batch", prompts(tmp_path, '{"id": 1, "prompt": "a"}', '{"id": 2, "prompt": "c"}'), "--output", out)
    assert [request.get("messages", -1, "content") for request in fake.server.asked][2:] == ["c"]
    coda.run("batch", prompts(tmp_path, '{"id": 1, "prompt": "a"}'), "--output", out, "-s", "otherwise")
    assert len(fake.server.asked) == 4


def test_a_budget_ends_the_run_with_3_and_a_larger_one_goes_on(coda: Program, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    file = prompts(tmp_path, *(f"p{number}" for number in range(20)))
    flags = ["--output", str(out), "-o", "max_tokens=2", "--concurrency", "2"]
    ran = coda.run("batch", file, *flags, "--max-budget-usd", "0.2")
    assert ran.code == 3
    assert "budget" in ran.error
    spent = sum(record["cost_usd"] for record in records(out))
    assert 0.1 < spent <= 0.2
    assert coda.run("batch", file, *flags, "--max-budget-usd", "0.2").code == 3, "what was spent before counts"
    assert len(records(out)) == round(spent / 0.03)
    assert coda.run("batch", file, *flags, "--max-budget-usd", "5").code == 0
    assert len(records(out)) == 20


def test_a_budget_that_cannot_be_kept_is_refused(coda: Program, fake: ThreadedServer[FakeVendor]) -> None:
    ran = coda.run("batch", "-m", "fake/another", "--max-budget-usd", "1", stdin=b"one\n")
    assert ran.code == 2
    assert "price" in ran.error
    assert fake.server.asked == []


def test_ctrl_c_keeps_what_is_finished(coda: Program, fake: ThreadedServer[FakeVendor], tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    gate = Gate()
    fake.server.queue([Say("first"), Used(1, 1)])
    child = coda.start("batch", prompts(tmp_path, "one", "two", "three"), "--output", str(out), "--concurrency", "1")
    fake.server.shape = lambda reply: reply.but(body=[gate, *reply.body]) if len(fake.server.asked) > 1 else reply
    fake.wait_for_requests(2)
    child.send_signal(signal.SIGINT)
    ran = finish(child)
    assert ran.code == 130
    assert "go on" in ran.error
    assert [record["text"] for record in records(out)] == ["first"]
    gate.open()


def test_a_deadline_ends_the_run_with_1(coda: Program, fake: ThreadedServer[FakeVendor], tmp_path: Path) -> None:
    gate = Gate()
    fake.server.shape = lambda reply: reply.but(body=[gate, *reply.body])
    ran = coda.run("batch", prompts(tmp_path, "one"), "--timeout", "0.5", "--output", str(tmp_path / "o.jsonl"))
    assert ran.code == 1
    assert "--timeout" in ran.error
    gate.open()


def test_a_wrong_key_ends_with_4(coda: Program, fake: ThreadedServer[FakeVendor]) -> None:
    fake.server.api_key = "right"
    ran = coda.run("batch", stdin=b"one\ntwo\nthree\n")
    assert ran.code == 4
    assert "Traceback" not in ran.error


def test_a_template_takes_its_variables_from_the_line(coda: Program, tmp_path: Path) -> None:
    templates = coda.home / "config" / "templates"
    templates.mkdir()
    (templates / "to.toml").write_text('prompt = "To $language, $tone: $input"\n[defaults]\ntone = "kind"\n')
    lines = ['{"prompt": "hi", "params": {"tone": "rude"}}', "ho"]
    ran = coda.run("batch", prompts(tmp_path, *lines), "-t", "to", "-p", "language=French")
    assert [record["text"] for record in ran.lines] == ["re To French, rude: hi", "re To French, kind: ho"]
    assert coda.run("batch", prompts(tmp_path, "x"), "-t", "to", "-p", "lang=French").code == 2


def test_kept_conversations_have_the_tag(coda: Program, tmp_path: Path) -> None:
    coda.run("batch", prompts(tmp_path, "one", "two"), "--keep", "survey")
    listed = coda.run("history", "list", "--tag", "survey", "--json").json
    assert len(listed) == 2
    assert coda.run("batch", prompts(tmp_path, "one"), "--keep", "survey", "--no-log").code == 2


def test_a_terminal_sees_how_far_it_is_and_no_control_byte(coda: Program, fake: ThreadedServer[FakeVendor]) -> None:
    fake.server.script = [Say("\x1b]0;pwned\x07 \x1b[31mred"), Used(1, 1)]
    file = prompts(coda.folder, "one", "two")
    with coda.terminal("batch", file, only="err") as terminal:
        assert terminal.end() == 0
        assert "done" in terminal.raw.decode()
    with coda.terminal("batch", file, only="out") as terminal:
        assert terminal.end() == 0
        assert b"\x1b]0" not in terminal.raw
        assert "\\u001b" in terminal.raw.decode()


# ---- compare ------------------------------------------------------------------------------------------------------


def by_model(request: Recorded) -> Script:
    model, text = request.get("model"), str(request.get("messages", -1, "content"))
    if model != "judge":
        return [Say(f"{text} by {model}" if model == "b" else text.upper()), Used(10, 2)]
    first_is_b = text.index(" by b") < text.index("second answer")
    return [Say(json.dumps({"reason": "b names itself", "winner": "first" if first_is_b else "second"})), Used(50, 9)]


def test_two_models_are_compared_and_judged_and_nothing_is_asked_twice(
    coda: Program, fake: ThreadedServer[FakeVendor], tmp_path: Path
) -> None:
    fake.server.script = by_model
    out = tmp_path / "run.jsonl"
    command = ["compare", "-m", "fake/a", "-m", "fake/b", "--judge", "fake/judge", prompts(tmp_path, "one", "two")]
    ran = coda.run(*command, "--output", str(out))
    assert ran.code == 0
    rows = ran.text.splitlines()
    assert all(len(row) <= 80 for row in rows)
    assert rows[1].startswith("fake/a ")
    assert "0 : 2 · 0 ties · 0 split" in ran.text
    kinds = [(record["index"], record["type"], record.get("target")) for record in records(out)]
    one = [(0, "answer", "fake/a"), (0, "answer", "fake/b"), (0, "verdict", None), (0, "verdict", None)]
    assert kinds == [*one, *((1, *rest) for _, *rest in one)]
    assert len(fake.server.asked) == 8
    again = coda.run(*command, "--output", str(out), "--json")
    assert len(fake.server.asked) == 8
    found = again.json
    assert found["pairs"][0]["wins"] == {"fake/a": 0, "fake/b": 2}
    assert found["judge"]["of_one_mind"] == 1.0
    assert found["judge"]["first_won"] == 0.5
    assert found["models"][0]["complete"] == 2
    assert found["models"][0]["latency_p50"] > 0
    assert found["skipped"] == 4


def test_a_judge_who_likes_the_first_place_is_found_out(
    coda: Program, fake: ThreadedServer[FakeVendor], tmp_path: Path
) -> None:
    fake.server.script = lambda request: (
        [Say('{"reason": "", "winner": "first"}'), Used(1, 1)]
        if request.get("model") == "judge"
        else [Say(f"{request.get('model')}"), Used(1, 1)]
    )
    ran = coda.run("compare", "-m", "fake/a", "-m", "fake/b", "--judge", "fake/judge", prompts(tmp_path, "x"), "--json")
    assert ran.json["pairs"][0]["split"] == 1
    assert ran.json["judge"]["first_won"] == 1.0
    assert ran.json["judge"]["of_one_mind"] == 0.0


def test_a_comparison_needs_two_models(coda: Program) -> None:
    assert coda.run("compare", "-m", "fake/a", stdin=b"x\n").code == 2
    assert coda.run("compare", "-m", "fake/a", "-m", "fake/a", stdin=b"x\n").code == 2


# ---- the vendor's own ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_a_vendors_batch_is_waited_for_or_collected_by_another_process(tmp_path: Path, vendor: Any) -> None:
    with ThreadedServer(FakeBatches(vendor)) as server:
        coda = Program(tmp_path)
        coda.config(
            f'default_provider = "v"\n[providers.v]\ntype = "{vendor}"\napi_base = "{server.url}"\nmodel = "m"\n'
            f'[prices."v/m"]\ninput = 1000.0\noutput = 10000.0\n'.replace(
                server.url, server.url + ("/v1" if vendor == "openai" else "")
            )
        )
        out = tmp_path / "out.jsonl"
        file = prompts(tmp_path, "one", "two")
        ran = coda.run("batch", file, "--vendor-batch", "--output", str(out), "--json")
        assert ran.code == 0, ran.error
        assert ran.json["complete"] == 2
        assert ran.json["cost_usd"] == pytest.approx(2 * (12 * 0.001 + 3 * 0.01) / 2), "half the price"
        assert [record["text"] for record in records(out)] == ["Hello there, friend."] * 2
        assert [line["price"] for line in coda.usage] == pytest.approx([0.021] * 2)

        server.server.polls = 10_000
        other = tmp_path / "other.jsonl"
        child = coda.start("batch", file, "--vendor-batch", "--output", str(other))
        seen = read_until(child.stderr, b"handed to")
        server.wait_for_requests(len(server.server.requests) + 1)
        child.send_signal(signal.SIGINT)
        left = finish(child)
        assert left.code == 130
        assert "coda batch collect" in (seen.decode() + left.error)
        assert coda.run("batch", file, "--vendor-batch", "--output", str(other)).code == 2, "it is under way"
        assert coda.run("batch", "collect").code == 1, "it is not done"
        assert "in_progress" in coda.run("batch", "status").text
        server.server.polls = 1
        assert coda.run("batch", "collect", "--wait").code == 0
        assert len(records(other)) == 2
        assert [batch["stage"] for batch in coda.run("batch", "list", "--json").json] == ["collected"] * 2
        offline = coda.run("batch", file, "--vendor-batch", "--offline", "--output", str(tmp_path / "o3"))
        assert offline.code == 0, "a server on this machine is no network"


def test_a_batch_at_the_vendor_is_stopped(tmp_path: Path) -> None:
    with ThreadedServer(FakeBatches("openai")) as server:
        coda = Program(tmp_path)
        coda.served_by(server.url)
        server.server.polls = 10_000
        out = tmp_path / "out.jsonl"
        submitted = coda.run("batch", "submit", prompts(tmp_path, "one"), "--output", str(out), "--json")
        batch = submitted.json["id"]
        assert coda.run("batch", "cancel", batch[:9]).code == 0
        assert server.server.batches["batch_1"].cancelled
        assert coda.run("batch", "collect", batch).code == 1
        assert records(out)[0]["error"]["type"] == "Cancelled"
        assert coda.run("batch", "submit", "x", "--vendor-batch").code == 2


def test_a_model_without_a_batch_api_is_refused(coda: Program, tmp_path: Path) -> None:
    coda.scripted("hi")
    ran = coda.run("batch", prompts(tmp_path, "x"), "--vendor-batch", "--output", str(tmp_path / "o"))
    assert ran.code == 1
    assert "batch API" in ran.error
