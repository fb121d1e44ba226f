"""Folders 0700 and files 0600 whatever the umask; what is not Coda's own keeps its mode."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from coda_cli import paths


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_coda_home_puts_everything_under_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "h"
    monkeypatch.setenv("CODA_HOME", str(home))
    assert (paths.config_dir(), paths.data_dir(), paths.cache_dir()) == (home / "config", home / "data", home / "cache")
    assert paths.config_file() == home / "config" / "coda.toml"
    assert paths.models_dir() == home / "data" / "models"
    assert not home.exists(), "asking for a path creates nothing"


def test_a_tilde_in_coda_home_and_coda_config_is_the_persons_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CODA_HOME", "~/h")
    monkeypatch.setenv("CODA_CONFIG", "~/my.toml")
    assert paths.data_dir() == tmp_path / "h" / "data"
    assert paths.config_file() == tmp_path / "my.toml"


def test_without_coda_home_the_systems_folders_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CODA_HOME", "")
    for name in ("CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    folders = {paths.config_dir(), paths.data_dir(), paths.cache_dir()}
    assert len(folders) == 3
    assert all(folder.is_relative_to(tmp_path) and folder.name == "coda" for folder in folders)


@pytest.mark.usefixtures("_umask")
def test_new_folders_are_closed_all_the_way_up(tmp_path: Path) -> None:
    made = paths.private_dir(tmp_path / "a" / "b" / "c")
    assert [mode(folder) for folder in (made, made.parent, made.parent.parent)] == [0o700] * 3


@pytest.mark.usefixtures("_umask")
def test_a_folder_of_codas_own_that_was_opened_is_closed_again() -> None:
    for own in (paths.config_dir(), paths.data_dir(), paths.cache_dir()):
        folder = paths.private_dir(own / "sub")
        for opened in (own, folder):
            opened.chmod(0o755)
        paths.private_dir(own)
        paths.private_dir(folder)
        assert (mode(own), mode(folder)) == (0o700, 0o700)


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("given", [0o755, 0o777, 0o1777, 0o750])
def test_a_folder_of_somebody_elses_keeps_its_mode(tmp_path: Path, given: int) -> None:
    foreign = tmp_path / "shared"
    foreign.mkdir()
    foreign.chmod(given)
    paths.private_dir(foreign)
    paths.replace_private(foreign / "coda.toml", b"x")
    assert mode(foreign) == given
    assert mode(foreign / "coda.toml") == 0o600


@pytest.mark.usefixtures("_umask")
def test_files_are_closed_new_or_old(tmp_path: Path) -> None:
    file = paths.data_dir() / "f"
    os.close(paths.open_private(file, os.O_WRONLY | os.O_CREAT))
    assert mode(file) == 0o600
    file.chmod(0o666)
    descriptor = paths.open_private(file, os.O_RDWR)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    assert mode(file) == 0o600
    paths.replace_private(file, b"new")
    assert (mode(file), file.read_bytes()) == (0o600, b"new")
    assert list(file.parent.iterdir()) == [file], "no temporary file stays"


def test_a_file_where_a_folder_should_be_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(OSError, match="f"):
        paths.open_private(tmp_path / "f" / "g", os.O_WRONLY | os.O_CREAT)


def test_a_failed_replacement_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        paths.replace_private(target, b"x")
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


def test_themes_come_along() -> None:
    assert paths.themes_dir().is_dir()
