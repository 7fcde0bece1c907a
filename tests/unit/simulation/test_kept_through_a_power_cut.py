"""What the daemon has said to be on the disk is there after a power cut, also where an earlier daemon was killed."""

import os
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest

from flashdeck.config_file import Reading
from flashdeck.paths import ensure_private_dir
from flashdeckd import service
from flashdeckd.boards.board_file import write_board_file
from flashdeckd.boards.board_file_mark import BoardFileMark
from flashdeckd.host import files
from flashdeckd.images.image import Image
from flashdeckd.images.spool import Spool
from flashdeckd.state.place import own_place
from simulation.disk import Deed, Disk, Step
from simulation.disk_states import all_states

IMAGE = Image.raw(b"an image" * 100)


class Killed(BaseException):
    """The daemon is gone."""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Disk]:
    root = tmp_path / "disk"
    root.mkdir(mode=0o700)
    disk = Disk(root, lambda: 1_000_000.0)
    monkeypatch.setattr(files, "system", disk)
    yield disk
    disk.end(None)


def killed_at(disk: Disk, deed: Deed, work: Callable[[], object]) -> None:
    """Do `work` up to its first operation of a kind."""

    def die(step: Step) -> None:
        if step.deed is deed:
            raise Killed

    usual, disk.before = disk.before, die
    with suppress(Killed):
        work()
    disk.before = usual
    disk.restart()


def may_be_lost(disk: Disk, path: str) -> bool:
    return any(path not in state for state in all_states(disk.log))


def test_the_first_image_of_a_spool_is_kept_with_its_directory(disk: Disk) -> None:
    Spool(Path(disk.root) / "spool").add(IMAGE)
    assert not may_be_lost(disk, f"spool/{IMAGE.sha256}")


def test_directories_that_are_made_are_kept(disk: Disk) -> None:
    files.make_directory(Path(disk.root) / "one" / "two" / "three")
    assert not may_be_lost(disk, "one/two/three")


def test_an_image_that_an_earlier_daemon_did_not_sync_is_kept_once_it_is_added_again(disk: Disk) -> None:
    spool = Path(disk.root) / "spool"
    Spool(spool).add(Image.raw(b"another"))
    killed_at(disk, Deed.SYNC_NAMES, lambda: Spool(spool).add(IMAGE))
    assert may_be_lost(disk, f"spool/{IMAGE.sha256}")
    Spool(spool).add(IMAGE)
    assert not may_be_lost(disk, f"spool/{IMAGE.sha256}")


def test_an_image_whose_directory_could_not_be_synced_is_kept_once_it_is_added_again(disk: Disk) -> None:
    spool = Spool(Path(disk.root) / "spool")
    spool.add(Image.raw(b"another"))
    killed_at(disk, Deed.SYNC_NAMES, lambda: spool.add(IMAGE))  # the same spool goes on, as after an error
    spool.add(IMAGE)
    assert not may_be_lost(disk, f"spool/{IMAGE.sha256}")


def test_a_state_that_an_earlier_daemon_did_not_sync_is_kept_once_the_next_one_has_begun(disk: Disk) -> None:
    state = Path(disk.root)
    mark = BoardFileMark(state, state / "boards.toml")
    write_board_file(state / "boards.toml", (), ())
    killed_at(disk, Deed.SYNC_NAMES, mark.set)
    assert may_be_lost(disk, "boards.toml.was-there")
    with own_place(state, hint=""):
        assert not may_be_lost(disk, "boards.toml.was-there")


def test_a_board_that_an_earlier_daemon_has_disarmed_stays_so_once_the_next_one_has_read_that(disk: Disk) -> None:
    config = Path(disk.root) / "config" / "boards.toml"
    write_board_file(config, (), ())
    killed_at(disk, Deed.SYNC_NAMES, lambda: write_board_file(config, (), ("left",)))
    found = {state["config/boards.toml"].data for state in all_states(disk.log)}
    assert len(found) == 2
    mark = BoardFileMark(Path(disk.root), config)
    begin = service._begin_lost_board_file_anew  # pyright: ignore[reportPrivateUsage] -- the daemon's first step
    assert not begin(config, mark, never_read)
    (kept,) = {state["config/boards.toml"].data for state in all_states(disk.log)}
    assert b"left" in (kept or b"")


def test_each_directory_down_to_the_state_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", note)
    state = tmp_path / "share" / "state" / "flashdeck"
    ensure_private_dir(state)
    assert {*synced} == {tmp_path, tmp_path / "share", tmp_path / "share" / "state"}
    synced.clear()
    ensure_private_dir(state)
    assert not synced


def never_read(*, with_board_file: bool = True) -> Reading:
    raise AssertionError(f"boards.toml is as it was left: {with_board_file}")
