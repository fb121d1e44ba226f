"""What goes into a question: words, stdin, files, attachments, options, templates, models."""

import base64
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import GUARD, Program, Ran, asked_text, finish, read_until
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256))
PDF = b"%PDF-1.7\n" + bytes(range(256))
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256))
MP3 = b"ID3\x04\x00" + bytes(range(256))


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_words_and_stdin_reach_the_model_together(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        both = coda.run("ask", "review", "this", stdin=b"+ new line\n")
        only = coda.run("ask", stdin="grüße\n".encode())
        bare = coda.run(stdin=b"just a pipe\n")
        ignored = coda.run("ask", "--no-stdin", "hi", stdin=b"not me\n")
        texts = [asked_text(fake.server, n) for n in range(4)]
    assert [ran.code for ran in (both, only, bare, ignored)] == [0, 0, 0, 0]
    assert "+ new line" in texts[0]
    assert "review this" in texts[0]
    assert texts[0].index("+ new line") < texts[0].index("review this")
    assert texts[1:] == ["grüße", "just a pipe", "hi"]


def test_nothing_to_ask(coda: Program) -> None:
    coda.scripted("never")
    for ran in (coda.run("ask", stdin=b" \n\n"), coda.run(stdin=b""), *coda.run_all([["ask"], ["ask", ""]])):
        assert (ran.code, ran.out) == (2, b"")
        assert "hint:" in ran.error


def test_stdin_may_be_a_file_or_closed(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        file = coda.folder / "question.txt"
        file.write_text("from a file")
        with file.open("rb") as source:
            assert finish(coda.start("ask", stdin=source)).code == 0
        assert finish(coda.start("ask", "hi", prefix=["sh", "-c", 'exec "$@" <&-', "sh"])).code == 0
        assert [asked_text(fake.server, n) for n in range(2)] == ["from a file", "hi"]


def test_an_open_and_silent_stdin_is_told_and_then_read(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        child = coda.start("ask", "and this", stdin=subprocess.PIPE)
        told = read_until(child.stderr, b"\n")
        assert b"--no-stdin" in told
        assert fake.server.requests == []
        ran = finish(child, b"at last")
        assert asked_text(fake.server).index("at last") < asked_text(fake.server).index("and this")
    assert ran.code == 0
    assert ran.err == b""  # told once


def test_a_silent_stdin_ends_with_the_deadline(coda: Program) -> None:
    coda.scripted("never")
    named: list[list[str]] = [[], ["-f", "-"], ["-a", "-"]]
    children = [coda.start("ask", *more, "hi", "--timeout", "1", stdin=subprocess.PIPE) for more in named]
    try:
        for child in children:
            told = read_until(child.stderr, b"--timeout")
            assert b"error:" in told
            assert child.wait(timeout=GUARD) == 1
    finally:
        for child in children:
            child.kill()
            finish(child)


@pytest.mark.parametrize("flag", ["-f", "-a", "--schema"])
def test_a_silent_fifo_is_told_and_ends_with_the_deadline(coda: Program, flag: str) -> None:
    coda.scripted("never")
    fifo = coda.folder / "fifo"
    os.mkfifo(fifo)
    # without a deadline it waits, and says so; with one it ends
    waits, ends = (coda.start("ask", "hi", flag, str(fifo), *more) for more in ([], ["--timeout", "1"]))
    try:
        assert b"--timeout" in read_until(ends.stderr, b"--timeout")
        assert ends.wait(timeout=GUARD) == 1
        assert str(fifo).encode() in read_until(waits.stderr, b"\n")
    finally:
        for child in (waits, ends):
            child.kill()
            finish(child)


def test_a_schema_comes_through_a_fifo(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai", answer='{"n": 1}')) as fake:
        coda.served_by(fake.url)
        ran = coda.run("ask", "hi", prefix=["bash", "-c", '"$@" --schema <(printf \'{"type": "object"}\')', "bash"])
        stdin = coda.run("ask", "hi", "--schema", "-", stdin=b'{"type": "object"}')
        assert fake.server.asked[0].get("response_format", "json_schema", "schema", "type") == "object"
    assert (ran.code, ran.text) == (0, '{"n": 1}\n'), ran.error
    assert stdin.code == 2


def test_a_silent_stdin_named_as_a_file_is_told_too(coda: Program) -> None:
    coda.scripted("the answer")
    child = coda.start("ask", "-f", "-", "hi", stdin=subprocess.PIPE)
    try:
        told = read_until(child.stderr, b"\n")
    finally:
        child.kill()
        finish(child)
    assert b"stdin" in told


def test_binary_and_huge_input_is_refused(coda: Program) -> None:
    big = coda.folder / "big.txt"
    with big.open("wb") as file:
        file.write(b"x" * 1024)
        file.truncate(50 * 1024 * 1024)
    late = coda.folder / "big2.txt"
    late.write_bytes(b"some text\n" * 5_300_000)
    binary = coda.folder / "binary.dat"
    binary.write_bytes(bytes(range(256)) * 100)
    picture = coda.folder / "picture.png"
    picture.write_bytes(PNG)
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        with late.open("rb") as source:
            runs = [finish(coda.start("ask", "hi", stdin=source))]
        runs.append(coda.run("ask", "hi", stdin=bytes(range(256)) * 10))
        runs += coda.run_all(
            [
                ["ask", "-f", str(big), "hi"],
                ["ask", "-f", str(late), "hi"],
                ["ask", "-f", str(binary), "hi"],
                ["ask", "-f", str(picture), "hi"],
                ["ask", "-f", str(coda.folder / "missing"), "hi"],
                ["ask", "-f", "/dev/zero", "hi"],
                ["ask", "-a", str(coda.folder / "missing.png"), "hi"],
                ["ask", "-a", str(coda.home), "hi"],
                ["ask", "-a", str(coda.config_file), "hi"],
                ["ask", "-a", str(big), "hi"],
            ]
        )
        assert fake.server.requests == []
    for ran in runs:
        assert (ran.code, ran.out) == (2, b""), ran.error
        assert "error:" in ran.error
        assert "hint:" in ran.error
        assert len(ran.err) < 1000
    assert "-a" in runs[5].error
    assert "-f" in runs[10].error


def test_files_folders_and_descriptors(coda: Program) -> None:
    folder = coda.folder / "source"
    (folder / "deep" / ".git").mkdir(parents=True)
    (folder / "one.py").write_text("print('one')\n")
    (folder / "deep" / "two.py").write_text("print('two')")
    (folder / "deep" / ".git" / "config").write_text("hidden")
    (folder / "blob.bin").write_bytes(bytes(1000))
    (folder / "fence.md").write_text("```\ncode\n```\n")
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        assert coda.run("ask", "-f", str(folder), "-f", str(folder / "one.py"), "bugs?").code == 0
        assert coda.run("ask", "-f", "-", "what is it?", stdin=b"from stdin").code == 0
        shell = ["bash", "-c", '"$@" -f <(printf "from a fifo")', "bash"]
        assert coda.run("ask", "hi", prefix=shell).code == 0
        code, stdin, fifo = (asked_text(fake.server, n) for n in range(3))
    for wanted in ("print('one')", "print('two')", "one.py", str(Path("deep") / "two.py"), "bugs?"):
        assert wanted in code
    assert "hidden" not in code
    assert "\0" not in code
    assert code.count("print('one')") == 2
    assert "````\n```\ncode\n```\n````" in code
    assert code.rstrip().endswith("bugs?")
    assert "from stdin" in stdin
    assert stdin.index("from stdin") < stdin.index("what is it?")
    assert "from a fifo" in fifo


def test_strange_names_and_words_break_nothing(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        odd = os.fsencode(coda.folder) + b"/caf\xe9\x1b[31m.txt"
        with open(odd, "wb") as file:  # noqa: PTH123 - a name in bytes
            file.write(b"the text")
        by_name = coda.run("ask", "-f", odd, "hi")
        by_word = coda.run("ask", b"caf\xe9")
        by_system = coda.run("ask", "-s", b"caf\xe9", "hi")
        missing = coda.run("ask", "-f", b"/nope\x1b[31m\xe9", "hi")
    for ran in (by_name, by_word, by_system):
        assert ran.code in (0, 2), ran.error
    assert missing.code == 2
    assert b"\x1b" not in missing.err


ATTACHED = {
    "a.png": ("gpt-4o", PNG, "image/png"),
    "misnamed.png": ("gpt-4o", JPEG, "image/jpeg"),
    "a.pdf": ("gpt-4o", PDF, "application/pdf"),
    "a.wav": ("gpt-audio", WAV, "wav"),
    "a.mp3": ("gpt-audio", MP3, "mp3"),
}


@pytest.mark.parametrize("names", [("a.png", "misnamed.png"), ("a.pdf", "a.wav", "a.mp3")], ids=" ".join)
def test_attachments_reach_the_server(coda: Program, names: tuple[str, ...]) -> None:
    for name in names:
        (coda.folder / name).write_bytes(ATTACHED[name][1])
    with ThreadedServer(FakeVendor("openai")) as fake:
        env = {"OPENAI_BASE_URL": fake.url + "/v1", "OPENAI_API_KEY": "k"}
        commands = [["ask", "-m", f"openai/{ATTACHED[name][0]}", "-a", name, name] for name in names]
        runs = coda.run_all(commands, env=env)
        assert [ran.code for ran in runs] == [0] * len(names), [ran.error for ran in runs]
        bodies = [request.body.decode() for request in fake.server.asked]
    for name in names:
        _, content, kind = ATTACHED[name]
        body = next(text for text in bodies if f'"{name}"' in text)
        assert base64.b64encode(content).decode() in body
        assert kind in body


def test_a_pdf_reaches_anthropic(coda: Program) -> None:
    (coda.folder / "a.pdf").write_bytes(PDF)
    with ThreadedServer(FakeVendor("anthropic")) as fake:
        env = {"ANTHROPIC_BASE_URL": fake.url, "ANTHROPIC_API_KEY": "k"}
        ran = coda.run("ask", "-m", "anthropic", "-a", "a.pdf", "what is it?", env=env)
        assert ran.code == 0, ran.error
        assert base64.b64encode(PDF) in fake.server.asked[0].body


def test_what_a_model_cannot_take_is_told_with_a_hint(coda: Program) -> None:
    (coda.folder / "a.wav").write_bytes(WAV)
    with ThreadedServer(FakeVendor("anthropic")) as fake:
        env = {"ANTHROPIC_BASE_URL": fake.url, "ANTHROPIC_API_KEY": "k"}
        ran = coda.run("ask", "-m", "anthropic", "-a", "a.wav", "what is it?", env=env)
        assert fake.server.asked == []
    assert ran.code in (1, 2)
    assert "hint:" in ran.error


def test_stdin_can_be_an_attachment(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        ran = coda.run("ask", "-m", "fake/gpt-4o", "-a", "-", stdin=PNG)
        assert ran.code == 0, ran.error
        assert base64.b64encode(PNG) in fake.server.asked[0].body


def test_options_and_the_system_prompt(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        options = ["-o", "temperature=0.25", "-o", "max_tokens", "77", "--option", "top_p=0.5", "-o", "stop", '["END"]']
        ran = coda.run("ask", *options, "-s", "You are terse.", "-s", "You are a bird.", "hi")
        assert ran.code == 0, ran.error
        sent = fake.server.asked[0]
    assert sent.get("temperature") == 0.25
    assert 77 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    assert sent.get("top_p") == 0.5
    assert sent.get("stop") == ["END"]
    assert sent.get("messages", 0, "role") in ("system", "developer")
    assert sent.get("messages", 0, "content") == "You are a bird."


def test_wrong_options_are_refused(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        runs = coda.run_all(
            [
                ["ask", "-o", "temperature", "--", "hi"],
                ["ask", "-o", "temperature", "--json", "hi"],
                ["ask", "-o", "=1", "hi"],
                ["ask", "hi", "-o"],
                ["ask", "hi", "--timeout", "0"],
                ["ask", "hi", "--timeout", "soon"],
                ["ask", "hi", "--timeout", "nan"],
                ["ask", "hi", "-p", "x=1"],
                ["ask", "hi", "--output-format", "xml"],
                ["ask", "hi", "--no-such-flag"],
                ["ask", "hi", "-t", "no-such-template"],
                ["no-such-command"],
            ]
        )
        assert fake.server.requests == []
    assert [(ran.code, ran.out) for ran in runs] == [(2, b"")] * len(runs), [ran.error for ran in runs]


def test_odd_options_end_without_a_traceback(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        odd = ["messages=[]", "stream=false", "model=x", "provider=x", "prompt=x", "schema=1", "media=1", "nested={}"]
        runs = coda.run_all(["ask", "-o", option, "hi"] for option in [*odd, "conversation_id=7", "system_prompt=x"])
        models = [str(request.data.get("model")) for request in fake.server.asked]
        streams = [request.data.get("stream") for request in fake.server.asked]
    for option, ran in zip([*odd, "cid", "sys"], runs, strict=True):
        assert ran.code in (0, 1, 2), (option, ran.error)
        if ran.code:
            assert "error:" in ran.error
    assert all(stream is not False for stream in streams)
    assert models


def test_every_spelling_of_a_model(coda: Program) -> None:
    wanted = {
        "fake/other-1": ("other-1", 0),
        "fake:other-2": ("other-2", 0),
        "fake": ("fake-model", 0),
        "quick": ("the-mini", 1),
        "bird": ("par/rot:8b", 1),
        "some-bare-model": ("some-bare-model", 0),
        "second": ("its-own", 1),
    }
    with ThreadedServer(FakeVendor("openai")) as one, ThreadedServer(FakeVendor("openai")) as two:
        coda.served_by(
            one.url,
            tables=f'[providers.second]\ntype = "openai"\napi_base = "{two.url}/v1"\nmodel = "its-own"\n'
            '[aliases]\nquick = "second/the-mini"\nbird = "second/par/rot:8b"\n',
        )
        runs = coda.run_all(["ask", "-m", spec, "hi"] for spec in wanted)
        asked = {(str(request.data["model"]), n) for n, it in enumerate((one, two)) for request in it.server.asked}
    assert [ran.code for ran in runs] == [0] * len(wanted), runs
    assert asked == set(wanted.values())


def test_the_model_may_come_from_the_environment(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        assert coda.run("ask", "hi", env={"CODA_MODEL": "fake/from-env"}).code == 0
        assert coda.run("ask", "-m", "fake/from-flag", "hi", env={"CODA_MODEL": "fake/from-env"}).code == 0
        assert [request.data["model"] for request in fake.server.asked] == ["from-env", "from-flag"]


def test_templates_fill_in_variables(coda: Program) -> None:
    templates = coda.home / "config" / "templates"
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        templates.mkdir()
        (templates / "translate.toml").write_text(
            'description = "Translate"\nsystem = "You translate."\nprompt = "Into $language:\\n\\n$input"\n'
            '[options]\ntemperature = 0.5\n[defaults]\nlanguage = "French"\n'
        )
        (templates / "broken.toml").write_text('prompt = "x"\nmodle = "y"\n')
        assert coda.run("ask", "-t", "translate", stdin=b"good day").code == 0
        assert coda.run("ask", "-t", "translate", "-p", "language", "Welsh", "hello").code == 0
        sent = fake.server.asked
        wrong = coda.run_all(
            [
                ["ask", "-t", "translate", "-p", "langauge=Welsh", "hello"],
                ["ask", "-t", "broken", "hello"],
                ["ask", "-t", "../../etc/passwd", "hello"],
                ["templates", "show", "broken"],
            ]
        )
        listed, shown = coda.run_all([["templates", "list", "--json"], ["templates", "show", "translate", "--json"]])
        assert len(fake.server.asked) == 2
    assert sent[0].get("messages", -1, "content") == "Into French:\n\ngood day"
    assert sent[0].get("messages", 0, "content") == "You translate."
    assert sent[0].get("temperature") == 0.5
    assert sent[1].get("messages", -1, "content") == "Into Welsh:\n\nhello"
    for ran in wrong:
        assert (ran.code, ran.out) == (2, b""), ran
        assert "hint:" in ran.error
    assert [row["name"] for row in listed.json] == ["broken", "translate"]
    assert shown.json["variables"] == ["language"]


def test_an_empty_folder_is_not_silently_ignored(coda: Program) -> None:
    coda.scripted("the answer")
    (coda.folder / "empty").mkdir()
    ran: Ran = coda.run("ask", "-f", "empty", "what is in it?")
    assert ran.code == 2 or "empty" in ran.error
