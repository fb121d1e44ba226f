"""Files behind an `@`: which are offered, how they are written, what is left out."""

from collections.abc import Awaitable
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from coda_cli.chat import attach
from coda_cli.chat.completion import Completion
from coda_cli.chat.fuzzy import best, match
from coda_cli.chat.path_complete import PathCompleter, listed
from coda_cli.engine.tools.ignored import IgnoreRules, glob


def make(folder: Path, *names: str) -> None:
    """Files, and folders where a name ends with a slash."""
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")


async def complete(folder: Path, text: str) -> list[Completion]:
    found = PathCompleter(folder).complete(text, len(text))
    return list(await found if isinstance(found, Awaitable) else found)


async def labels(folder: Path, text: str) -> list[str]:
    return [one.label for one in await complete(folder, text)]


async def test_a_bare_at_sign_lists_the_folder_folders_first(tmp_path: Path) -> None:
    make(tmp_path, "b.txt", "A.md", "src/x.py", ".hidden", "node_modules/x.js")
    assert await labels(tmp_path, "see @") == ["src/", "A.md", "b.txt"]


async def test_letters_find_files_in_any_folder_the_best_first(tmp_path: Path) -> None:
    make(tmp_path, "docs/readme.md", "src/deep/reader.py", "src/other.py", "README.md")
    found = await labels(tmp_path, "@read")
    assert found[0] == "README.md"
    assert set(found) == {"README.md", "docs/readme.md", "src/deep/reader.py"}
    assert await labels(tmp_path, "@sdr") == ["src/deep/reader.py"]


async def test_a_folder_is_listed_behind_its_slash(tmp_path: Path) -> None:
    make(tmp_path, "src/a.py", "src/sub/b.py", "src/.secret")
    assert await labels(tmp_path, "@src/") == ["src/sub/", "src/a.py"]
    assert await labels(tmp_path, "@src/.") == ["src/.secret"]
    assert await labels(tmp_path, "@./src/a") == ["./src/a.py"]
    assert await labels(tmp_path / "src", "@../src/a") == ["../src/a.py"]
    assert await labels(tmp_path, f"@{tmp_path}/sr") == [f"{tmp_path}/src/"]


async def test_hidden_files_only_when_asked(tmp_path: Path) -> None:
    make(tmp_path, ".env", ".git/config", "env.txt")
    assert await labels(tmp_path, "@env") == ["env.txt"]
    assert await labels(tmp_path, "@.en") == [".env"]


async def test_what_gitignore_names_is_left_out_also_in_folders_below(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "a.pyc", "build/a.o", "sub/build/a.c", "sub/a.log", "sub/keep.log", "sub/gen/a.h")
    (tmp_path / ".gitignore").write_text("# made\n*.pyc\nbuild/\n*.log\n!keep.log\n")
    (tmp_path / "sub" / ".gitignore").write_text("/gen\n")
    assert set(listed(tmp_path)) == {"a.py", "sub/", "sub/keep.log"}
    assert await labels(tmp_path, "@") == ["sub/", "a.py"]


@pytest.mark.parametrize("text", ["mail a@b", "plain", "@a b", '@"a" b', "", "x@"])
def test_elsewhere_nothing_is_looked_for(tmp_path: Path, text: str) -> None:
    assert not PathCompleter(tmp_path).complete(text, len(text))


@pytest.mark.parametrize(
    "name", ["plain.txt", "a b.txt", "it's.txt", "a 'b'.txt", 'say "x".txt', "a 'b' \"c\".txt", "漢 字"]
)
async def test_what_is_inserted_is_what_is_attached(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, name)
    (one,) = await complete(tmp_path, "see @")
    text = "see @"[: one.start] + one.insert + "please"
    assert [str(path) for path in attach.mentioned(text)] == [name]


async def test_names_that_could_harm_a_terminal_are_not_offered(tmp_path: Path) -> None:
    make(tmp_path, "good", "bad\x1b[2J", "new\nline", "turn\u202ed")
    assert await labels(tmp_path, "@") == ["good"]


async def test_a_folder_that_is_gone_or_cannot_be_read_offers_nothing(tmp_path: Path) -> None:
    assert await labels(tmp_path / "none", "@a") == []
    assert await labels(tmp_path, "@~nobody-at-all/x") == []
    assert await labels(tmp_path, "@" + "x" * 3000 + "/") == []


def test_links_to_folders_are_not_followed_round(tmp_path: Path) -> None:
    make(tmp_path, "src/a.py")
    (tmp_path / "src" / "loop").symlink_to(tmp_path)
    assert set(listed(tmp_path)) == {"src/", "src/a.py", "src/loop/"}


def test_it_stops_after_so_many_files_and_so_much_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, *(f"f{number}" for number in range(30)))
    times = iter(range(1000))
    assert len(list(listed(tmp_path, lambda: float(next(times))))) <= 3
    monkeypatch.setattr("coda_cli.chat.path_complete.LIMIT", 10)
    assert len(list(listed(tmp_path))) == 10


@pytest.mark.parametrize(
    ("rule", "name", "left_out"),
    [
        ("*.o", "a/b.o", True),
        ("*.o", "a/b.oo", False),
        ("/a", "a", True),
        ("/a", "b/a", False),
        ("a/b", "a/b", True),
        ("a/b", "c/a/b", False),
        ("**/b", "x/y/b", True),
        ("a/**", "a/x/y", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab]c", "bc", True),
        ("[!ab]c", "bc", False),
        ("\\#x", "#x", True),
        ("# x", "# x", False),
        ("x  ", "x", True),
        ("d/", "d", False),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "a1c2b", False),
        ("*a*", "xay", True),
        ("[", "[", True),
        ("[z-a]", "b", False),
    ],
)
def test_the_rules_of_gitignore(rule: str, name: str, left_out: bool) -> None:
    assert bool(IgnoreRules([rule]).verdict(name, is_folder=False)) is left_out


@given(st.text("ab*?[]!/\\-^ #.", max_size=12), st.text("ab/.", min_size=1, max_size=20))
def test_no_rule_fails(rule: str, name: str) -> None:
    assert IgnoreRules([rule]).verdict(name, is_folder=True) in (None, True, False)


def test_no_rule_takes_long() -> None:
    assert IgnoreRules(["*a" * 100 + "b", "**/**/**/*a*a*a*a*a*c"]).verdict("a" * 255, is_folder=False) is None


@given(st.text(max_size=8), st.text(max_size=30))
def test_a_match_names_the_letters_that_were_typed(query: str, name: str) -> None:
    found = match(query, name)
    if found is None:
        assert query.lower() not in name.lower() or len(name.lower()) != len(name)
    else:
        assert len(found.places) in (len(query), len(query.lower()))
        assert list(found.places) == sorted(set(found.places))
        assert all(0 <= place < len(name) for place in found.places)


def test_pieces_and_starts_of_words_come_first() -> None:
    names = ["m-o-d-e-l", "remodel", "my-model", "model", "models"]
    assert best("model", names, str, 9) == ["model", "models", "my-model", "remodel", "m-o-d-e-l"]
    assert best("MODEL", names, str, 1) == ["model"]
    assert best("", names, str, 2) == names[:2]


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.py", "a.py", True),
        ("*.py", "src/deep/a.py", True),
        ("*.py", "a.pyc", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/deep/a.py", False),
        ("src/**/*.py", "src/deep/er/a.py", True),
        ("**/test_*.py", "tests/unit/test_a.py", True),
        ("./a.py", "a.py", True),
        ("*.{c,h}", "x/a.h", True),
        ("*.{c,h}", "a.o", False),
        ("{a,b}/{c,d}", "b/c", True),
        ("!a", "!a", True),
        ("#a", "#a", True),
        ("a[0-9].txt", "a7.txt", True),
    ],
)
def test_a_glob_means_what_people_write(pattern: str, name: str, matches: bool) -> None:
    assert bool(glob(pattern).verdict(name, is_folder=False)) == matches


def test_braces_do_not_grow_without_end() -> None:
    assert glob("{a,b}" * 40).verdict("a", is_folder=False) is None
