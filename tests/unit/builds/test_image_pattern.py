"""Which file a configured path or glob stands for, and where its changes show."""

import os
from pathlib import Path

import pytest

from flashdeckd.builds.gate import Fingerprint
from flashdeckd.builds.lease import Unreadable
from flashdeckd.builds.pattern import directories, names, newest


def make(path: Path, age: int = 0) -> Path:
    """A file that was modified `age` seconds before the others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"image")
    os.utime(path, ns=(0, (1_000_000 - age) * 10**9))
    return path


def found(pattern: Path) -> str:
    outcome = newest(str(pattern))
    assert isinstance(outcome, Fingerprint)
    return Path(outcome.path).name


def test_a_plain_path_is_that_file(tmp_path: Path) -> None:
    assert newest(str(tmp_path / "APP1.bin")) is None
    make(tmp_path / "APP1.bin")
    assert found(tmp_path / "APP1.bin") == "APP1.bin"


def test_of_a_glob_the_newest_counts_and_of_equals_the_last_name(tmp_path: Path) -> None:
    assert newest(str(tmp_path / "app-*.bin")) is None
    make(tmp_path / "app-9.bin", age=20)
    make(tmp_path / "app-1.bin", age=10)
    assert found(tmp_path / "app-*.bin") == "app-1.bin"
    make(tmp_path / "app-2.bin", age=10)
    make(tmp_path / "other.bin")
    assert found(tmp_path / "app-*.bin") == "app-2.bin"


def test_globs_reach_through_directories(tmp_path: Path) -> None:
    make(tmp_path / "a" / "Debug" / "x.bin", age=5)
    make(tmp_path / "b" / "Release" / "deep" / "y.bin")
    assert found(tmp_path / "*" / "Debug" / "*.bin") == "x.bin"
    assert found(tmp_path / "**" / "*.bin") == "y.bin"


def test_a_directory_matches_a_glob_only_where_no_file_does(tmp_path: Path) -> None:
    (tmp_path / "z.bin").mkdir()
    outcome = newest(str(tmp_path / "*.bin"))
    assert isinstance(outcome, Unreadable)
    assert "directory" in outcome.reason
    make(tmp_path / "a.bin", age=10_000)
    assert found(tmp_path / "*.bin") == "a.bin"


def test_a_name_that_exists_as_it_is_written_is_no_glob(tmp_path: Path) -> None:
    make(tmp_path / "fw[1]" / "APP1.bin")
    make(tmp_path / "fw1" / "APP1.bin")
    outcome = newest(str(tmp_path / "fw[1]" / "APP1.bin"))
    assert isinstance(outcome, Fingerprint)
    assert outcome.path == str(tmp_path / "fw[1]" / "APP1.bin")


def test_a_link_stands_for_what_it_points_to(tmp_path: Path) -> None:
    target = make(tmp_path / "out" / "v1.bin")
    link = tmp_path / "latest.bin"
    link.symlink_to(target)
    outcome = newest(str(link))
    assert isinstance(outcome, Fingerprint)
    assert (outcome.path, outcome.inode) == (str(link), target.stat().st_ino)
    target.unlink()
    assert newest(str(link)) is None


def test_a_link_to_itself_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "loop.bin").symlink_to("loop.bin")
    assert isinstance(newest(str(tmp_path / "loop.bin")), Unreadable)


def test_the_directory_and_its_parent_are_watched_and_no_more(tmp_path: Path) -> None:
    make(tmp_path / "app1" / "Debug" / "APP1.bin")
    make(tmp_path / "app1" / "Debug" / "objects" / "main.o")
    pattern = tmp_path / "app1" / "Debug" / "APP1.bin"
    assert set(directories(str(pattern))) == {str(pattern.parent), str(pattern.parent.parent)}


def test_where_the_directory_does_not_exist_its_nearest_ancestor_is_watched(tmp_path: Path) -> None:
    pattern = tmp_path / "app1" / "Debug" / "APP1.bin"
    assert set(directories(str(pattern))) == {str(tmp_path), str(tmp_path.parent)}
    (tmp_path / "app1").mkdir()
    assert set(directories(str(pattern))) == {str(tmp_path / "app1"), str(tmp_path)}


def test_every_directory_that_a_glob_matches_is_watched(tmp_path: Path) -> None:
    make(tmp_path / "a" / "Debug" / "x.bin")
    make(tmp_path / "b" / "Debug" / "x.bin")
    make(tmp_path / "c" / "Release" / "x.bin")
    expected = {tmp_path, tmp_path.parent, tmp_path / "a", tmp_path / "b", tmp_path / "c"}
    expected |= {tmp_path / "a" / "Debug", tmp_path / "b" / "Debug"}
    assert set(directories(str(tmp_path / "*" / "Debug" / "*.bin"))) == {str(path) for path in expected}


def test_the_place_that_a_link_points_to_is_watched_too(tmp_path: Path) -> None:
    target = make(tmp_path / "store" / "1" / "app.bin")
    (tmp_path / "build").mkdir()
    link = tmp_path / "build" / "APP1.bin"
    link.symlink_to(target)
    assert {str(target.parent), str(link.parent)} <= set(directories(str(link)))
    assert {"app.bin", "APP1.bin"} <= names(str(link))


@pytest.mark.parametrize("pattern", ["/APP1.bin", "/nowhere/at/all/APP1.bin"])
def test_the_root_is_a_directory_like_any_other(pattern: str) -> None:
    assert set(directories(pattern)) == {"/"}


def test_a_directory_that_can_not_be_looked_at_costs_no_other_its_watch(tmp_path: Path) -> None:
    # As where a permission is missing, which root never notices.
    far = tmp_path / ("x" * 300) / "build" / "APP1.bin"
    assert isinstance(newest(str(far)), Unreadable)
    assert set(directories(str(far))) == {str(tmp_path), str(tmp_path.parent)}
    link = tmp_path / "APP2.bin"
    link.symlink_to(far)
    assert {str(tmp_path), str(tmp_path.parent)} <= set(directories(str(link)))


def test_a_directory_that_exists_as_it_is_written_is_watched(tmp_path: Path) -> None:
    pattern = make(tmp_path / "fw[1]" / "APP1.bin")
    make(tmp_path / "fw1" / "APP1.bin")
    assert {str(tmp_path / "fw[1]"), str(tmp_path / "fw1"), str(tmp_path)} <= set(directories(str(pattern)))
