"""Files, pastes, drafts and the prompt history of a chat: nothing is lost, nothing is open to others."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli import paths
from coda_cli.chat.attach import complete_path, mentioned, pasted_media, prepare
from coda_cli.chat.drafts import Drafts
from coda_cli.chat.file_blocks import file_block, split_files, with_files, with_files_of
from coda_cli.chat.pastes import Pastes
from coda_cli.chat.prompt_history import NEWEST, PromptHistory
from coda_cli.engine.core.errors import UsageError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
text_ = st.text(st.characters(codec="utf-8"), max_size=60)
lines = st.lists(text_ | st.sampled_from(["```", "````", "[file x]", "", "  ```js"]), max_size=8).map("\n".join)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


# ---- files in a question --------------------------------------------------------------------------------------------


@given(question=lines, files=st.lists(st.tuples(text_, lines), max_size=3))
def test_a_question_and_its_files_come_apart_as_they_were_put_together(
    question: str, files: list[tuple[str, str]]
) -> None:
    whole = with_files(question, [file_block(name, text) for name, text in files])
    said, found = split_files(whole)
    if files and not split_files(question)[1]:
        assert said.rstrip("\n") == question.rstrip("\n")
        assert len(found) == len(files)
    assert whole.startswith(said)
    edited = with_files_of(whole, "other")
    assert split_files(edited) == ("other", found)


@given(st.text(max_size=300) | lines)
def test_any_text_is_a_question(text: str) -> None:
    said, _ = split_files(text)
    assert text.startswith(said)


def test_a_long_text_full_of_beginnings_takes_no_time() -> None:
    text = "\n\n[file x]\n```\n" * 20_000
    assert split_files(text)[0]


async def test_at_sends_text_into_the_question_and_images_beside_it(here: Path) -> None:
    (here / "a b.md").write_text("# Notes\n")
    (here / "code.py").write_text("x = 1")
    (here / "pic.png").write_bytes(PNG)
    (here / "src").mkdir()
    (here / "src" / "m.txt").write_text("inside")
    made = await prepare('see @"a b.md", @code.py, @src and (@pic.png); mail me@home.org, @nobody', [here / "code.py"])
    said, files = split_files(made.text)
    assert said.endswith("@nobody")
    assert {Path(one.name).name for one in files} == {"a b.md", "code.py", "m.txt"}
    assert [(part.name, part.media_type) for part in made.media] == [("pic.png", "image/png")]


@pytest.mark.parametrize(
    ("data", "reason"), [(b"\0\1\2", "neither text nor"), (b"x" * (33 << 20), "MiB")], ids=["binary", "large"]
)
async def test_what_cannot_be_sent_says_why(here: Path, data: bytes, reason: str) -> None:
    (here / "big").write_bytes(data)
    with pytest.raises(UsageError, match=reason):
        await prepare("@big")


@given(st.text(max_size=80))
def test_any_prompt_can_be_looked_through_for_files(text: str) -> None:
    assert all(path.exists() for path in [*mentioned(text), *mentioned("@" + text)])
    assert (found := pasted_media(text)) is None or found.is_file()
    assert isinstance(complete_path(text), list)


@pytest.mark.parametrize("form", ["{}", "'{}'", '"{}"', "file://{quoted}", "{escaped}", " {}\n"])
def test_the_path_of_an_image_that_is_dropped_is_the_image(here: Path, form: str) -> None:
    file = here / "my pic.png"
    file.write_bytes(PNG)
    (here / "t.txt").write_text("x")
    name = str(file)
    text = form.format(name, quoted=name.replace(" ", "%20"), escaped=name.replace(" ", "\\ "))
    assert pasted_media(text) == file
    assert pasted_media(str(here / "t.txt")) is None


def test_paths_complete_folder_by_folder_and_hide_what_is_hidden(here: Path) -> None:
    for name in ("src/main.py", "src/.env", "setup.py", ".git/config", "node_modules/x/y"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    assert complete_path("s") == ["src/", "setup.py"]
    assert complete_path("src/") == ["src/main.py"]
    assert complete_path("src/.") == ["src/.env"]
    assert complete_path("no/such/") == []


# ---- pastes ---------------------------------------------------------------------------------------------------------


def test_a_large_paste_is_one_word_until_it_is_sent() -> None:
    pastes = Pastes()
    first, second = "\n".join(map(str, range(1240))), "\n".join(map(str, range(1, 1241)))
    word, other = pastes.add(first), pastes.add(second)
    assert word == "[pasted 1,240 lines]"
    assert word != other
    assert pastes.expand(f"a {word} b {other} c {word}") == f"a {first} b {second} c {first}"
    assert pastes.add("small") == "small"


@given(st.lists(lines.map(lambda text: text + "\n" * 9), max_size=4), text_)
def test_pastes_come_back_as_they_were(texts: list[str], between: str) -> None:
    pastes = Pastes()
    words = [pastes.add(text) for text in texts]
    if any(word in between for word in words) or any(word in text for word in words for text in texts):
        return
    assert pastes.expand(between.join(words)) == between.join(
        t.replace("\r\n", "\n").replace("\r", "\n") for t in texts
    )


# ---- drafts ---------------------------------------------------------------------------------------------------------


def test_a_draft_is_kept_per_chat_for_its_owner_alone() -> None:
    drafts = Drafts()
    drafts.save("conv-1", "half")
    drafts.save(None, "new")
    assert (Drafts().load("conv-1"), Drafts().load(None), Drafts().load("conv-2")) == ("half", "new", "")
    assert {stat.S_IMODE(file.stat().st_mode) for file in drafts.folder.iterdir()} == {0o600}
    assert stat.S_IMODE(drafts.folder.stat().st_mode) == 0o700
    drafts.forget("conv-1")
    drafts.forget(None)
    assert list(drafts.folder.iterdir()) == []


async def test_typing_is_written_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []
    original = paths.replace_private

    def counted(file: Path, data: bytes) -> None:
        writes.append(file.name)
        original(file, data)

    monkeypatch.setattr(paths, "replace_private", counted)
    drafts = Drafts()
    for number in range(100):
        drafts.note("conv-1", f"text {number}")
    assert drafts.load("conv-1") == "text 99"
    drafts.flush()
    assert len(writes) == 1
    assert Drafts().load("conv-1") == "text 99"


def test_a_process_that_was_killed_leaves_its_draft_to_the_next_one() -> None:
    code = "from coda_cli.chat.drafts import Drafts; import os, signal; d = Drafts(); d.save(None, 'lost?'); "
    child = subprocess.run([sys.executable, "-c", code + "os.kill(os.getpid(), signal.SIGKILL)"], check=False)
    assert child.returncode == -signal.SIGKILL
    assert Drafts().load(None) == "lost?"
    assert Drafts().load(None) == "lost?", "it is ours now"


def test_a_process_that_lives_keeps_its_draft() -> None:
    other = Drafts()
    other.folder.mkdir(parents=True)
    (other.folder / f"new-{os.getppid()}.json").write_text('{"text": "theirs"}')
    assert Drafts().load(None) == ""


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"text": 3}', b"[" * 100_000])
def test_a_damaged_draft_is_none(content: bytes) -> None:
    drafts = Drafts()
    drafts.save("conv-1", "x")
    [file] = drafts.folder.iterdir()
    file.write_bytes(content)
    assert Drafts().load("conv-1") == ""


async def test_an_incognito_chat_writes_neither_drafts_nor_history() -> None:
    drafts, history = Drafts(keep=False), PromptHistory(keep=False)
    drafts.note("conv-1", "x")
    drafts.save(None, "y")
    history.add("z")
    drafts.flush()
    assert (drafts.load("conv-1"), drafts.load(None), history.entries) == ("x", "y", ["z"])
    assert not paths.data_dir().exists()


# ---- the prompt history ---------------------------------------------------------------------------------------------


def test_prompts_are_found_again_newest_first() -> None:
    history = PromptHistory()
    for text in ("Fix the tests", "fix the docs", "run", "run", "fix the docs", " secret", ""):
        history.add(text)
    again = PromptHistory()
    assert again.entries == ["Fix the tests", "fix the docs", "run", "fix the docs"]
    assert again.search("fix") == ["fix the docs", "Fix the tests"]
    assert again.search("Fix") == ["Fix the tests"]
    assert again.with_prefix("r") == ["run"]
    assert stat.S_IMODE(history.file.stat().st_mode) == 0o600


def test_the_newest_ten_thousand_are_kept() -> None:
    history = PromptHistory()
    history.file.parent.mkdir(parents=True)
    history.file.write_text("".join(json.dumps({"text": f"old {n}"}) + "\n" for n in range(NEWEST + 1_999)))
    history.add("new")
    kept = history.file.read_text().splitlines()
    assert len(kept) == NEWEST
    assert json.loads(kept[-1])["text"] == "new"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.binary(max_size=60), text=st.text(min_size=1, max_size=40))
def test_a_damaged_history_never_swallows_the_next_prompt(before: bytes, text: str, tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_bytes(before)
    PromptHistory(file).add(f"x{text}")
    assert PromptHistory(file).entries[-1] == f"x{text}"


def test_writers_that_are_killed_leave_whole_lines_for_those_who_follow() -> None:
    code = (
        "import sys\nfrom coda_cli.chat.prompt_history import PromptHistory\nhistory = PromptHistory()\n"
        "for n in range(10**6): history.add(f'{sys.argv[1]} {n} ' + 'x' * 500); n == 20 and print(flush=True)"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE, bufsize=0) for name in "ab"
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.read(1)
    for child in children:
        child.kill()
        child.communicate()
    history = PromptHistory()
    history.add("after")
    assert PromptHistory().entries[-1] == "after"
    bad = [line for line in history.file.read_bytes().splitlines() if not line.endswith(b"}")]
    assert len(bad) <= 2, "at most the line that each was writing"
    numbers = [int(entry.split()[1]) for entry in PromptHistory().entries if entry.startswith("a ")]
    assert numbers == sorted(numbers)
    assert len(numbers) > 20


def test_a_disk_that_refuses_costs_no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paths, "open_private", refuse)
    history, drafts = PromptHistory(), Drafts()
    history.add("one")
    drafts.save("conv-1", "half")
    assert history.entries == ["one"]


def test_drafts_want_no_loop_to_be_saved() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    Drafts().save("conv-1", "x")
    assert Drafts().load("conv-1") == "x"
