"""The disk of the simulation: the product's own code on it, cut at any operation."""

import errno
import os
import random
import stat
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest

from flashdeckd.host import durable, files
from simulation.disk import DEVICE, Deed, Disk, Failure, Step
from simulation.disk_states import all_states


class Cut(BaseException):
    """The process is gone."""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Disk]:
    root = tmp_path / "disk"
    root.mkdir()
    disk = Disk(root, lambda: 1_000_000.25)
    monkeypatch.setattr(files, "system", disk)
    yield disk
    disk.end(None)


def goes_on(_step: Step) -> Failure | None:
    return None


def watches_nothing(_step: Step) -> None:
    """Nobody looks."""


def failing(deed: Deed | None, failure: Failure) -> Callable[[Step], Failure | None]:
    return lambda step: failure if deed in (None, step.deed) else None


def skipped(_: object) -> None:
    """As if the sync had been forgotten."""


def cut_at(disk: Disk, number: int, *, after: bool) -> None:
    """Nothing goes on from there."""

    def look(step: Step) -> None:
        if step.number >= number:
            raise Cut

    if after:
        disk.after = look
    else:
        disk.before = look


def outcomes(disk: Disk, work: Callable[[], None]) -> set[bytes | None]:
    """All that `file` may be after a kill or a power cut before, after and behind each operation of `work`."""
    found: set[bytes | None] = set()
    first, ran = disk.steps, False
    for number in range(first + 1, first + 100):
        for after in (False, True):
            begin = disk.cut(random.Random(1))
            cut_at(disk, number - first + disk.steps, after=after)
            ran = True
            with suppress(Cut):
                work()
                ran = False
            disk.before, disk.after = goes_on, watches_nothing
            states = list(all_states(disk.log))
            found |= {state["file"].data if "file" in state else None for state in states}
            disk.cut(begin)
        if not ran:
            return found
    raise AssertionError("it does not end")


def write(data: bytes) -> Callable[[], None]:
    return lambda: durable.write_durably(Path(files.system.root) / "file", data)  # type: ignore[attr-defined]  # a Disk


def test_a_file_that_is_written_durably_is_the_old_one_or_the_new_one(disk: Disk) -> None:
    write(b"old")()
    assert outcomes(disk, write(b"new")) == {b"old", b"new"}
    write(b"newer")()
    assert [state["file"].data for state in all_states(disk.log)] == [b"newer"]


@pytest.mark.parametrize("missing", [Deed.SYNC, Deed.SYNC_NAMES])
def test_a_sync_that_is_missing_is_seen_as_a_loss(disk: Disk, monkeypatch: pytest.MonkeyPatch, missing: Deed) -> None:
    write(b"old")()
    monkeypatch.setattr(files, "sync" if missing is Deed.SYNC else "sync_directory", skipped)
    write(b"new")()
    found = {state["file"].data for state in all_states(disk.log)}
    assert found == ({b"new", b"", b"\0\0\0"} if missing is Deed.SYNC else {b"new", b"old"})


def test_after_a_kill_all_is_there_and_can_still_be_lost(disk: Disk) -> None:
    root = Path(disk.root)
    descriptor = files.create(root / "file")
    files.write(descriptor, b"not synced")
    disk.restart()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)
    assert disk.files() == {"file": b"not synced"}
    assert {len(disk.cut(state)) for state in list(all_states(disk.log))} == {0, 1}


def test_numbers_and_times_are_those_of_the_world(disk: Disk) -> None:
    path = Path(disk.root) / "file"
    durable.write_durably(path, b"1")
    first = files.status(path)
    assert (first.st_dev, first.st_mtime, first.st_ctime_ns) == (DEVICE, 1_000_000.25, 1_000_000_250_000_000)
    assert first.st_size == 1
    assert stat.S_IMODE(first.st_mode) == 0o600
    disk.restart()
    assert files.status(path) == first
    durable.write_durably(path, b"2")
    assert files.status(path).st_ino == first.st_ino + 1


def test_a_full_disk_takes_what_fits_and_has_room_again_when_something_goes(disk: Disk) -> None:
    root = Path(disk.root)
    durable.write_durably(root / "file", b"12345")
    disk.room = 3
    with pytest.raises(OSError, match="No space") as raised:
        durable.write_durably(root / "file", b"123456")
    assert raised.value.errno == errno.ENOSPC
    assert disk.files() == {"file": b"12345"}
    assert disk.room == 3
    files.remove(root / "file")
    durable.write_durably(root / "file", b"123456")
    assert disk.room == 2


def test_an_operation_fails_as_it_is_told_to(disk: Disk) -> None:
    root = Path(disk.root)
    disk.before = failing(Deed.SYNC_NAMES, Failure(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        durable.write_durably(root / "file", b"12345")
    disk.before = failing(Deed.WRITE, Failure(errno.EIO, written=2))
    descriptor = files.open_to_append(root / "file")
    assert disk.write(descriptor, b"678") == 2
    files.close(descriptor)
    assert disk.files() == {"file": b"1234567"[:5] + b"67"}


def test_the_world_works_by_hand_and_nobody_asks(disk: Disk) -> None:
    root = Path(disk.root)
    disk.before = failing(None, Failure(errno.EIO))
    with disk.by_hand:
        durable.write_durably(root / "file", b"12345")
        disk.symlink("file", root / "link")
        disk.link(root / "file", root / "other")
    assert disk.steps == 0
    assert files.identity(files.status(root / "link")) == files.identity(files.status(root / "other"))
    disk.restart()
    assert files.identity(files.status(root / "link")) == files.identity(files.status(root / "other"))
    assert disk.files() == {"file": b"12345", "link": b"12345", "other": b"12345"}


def test_nothing_outside_of_it_can_be_seen(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"1")
    assert not files.exists(tmp_path / "outside")
    assert not files.is_readable(f"{disk.root}-beside")
    with pytest.raises(FileNotFoundError):
        files.contents(tmp_path / "outside")
    assert files.contents("/proc/self/mountinfo")
