"""A late hint costs its lateness less settle, and no writer that pauses is taken for done. Time by hand, real files."""
# ruff: noqa: ASYNC240 - tiny files on a local disk, and they are what is tested

import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builds_rig import needs_leases, running, stamped
from flashdeckd.builds import post as post_module
from flashdeckd.builds.gate import Fingerprint
from flashdeckd.builds.lease import Writing
from flashdeckd.builds.post import UNPROVED_SETTLE
from flashdeckd.builds.watch import Watch
from flashdeckd.host.clock import tick

SETTLE = 0.5
TICK = tick()
OLD = (10**18, 10**18)
"""A time of access and one of modification, long ago."""
HALF, WHOLE = b"half", b"half and half"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    needs_leases(tmp_path)
    return tmp_path / "APP1.bin"


def watch(file: Path, settle: float = SETTLE) -> Watch:
    return Watch("product", "app1", str(file), settle)


async def test_a_hint_that_comes_later_than_settle_costs_no_more_time(file: Path) -> None:
    async with stamped([watch(file)]) as (rig, files):
        file.write_bytes(WHOLE)
        files.stat(file)
        await rig.advance(SETTLE + 2 * TICK)
        assert rig.take() == []  # nobody has told
        await rig.hint()
        assert rig.take() == [WHOLE]


async def test_a_hint_that_comes_sooner_costs_what_is_left_of_settle(file: Path) -> None:
    async with stamped([watch(file)]) as (rig, files):
        file.write_bytes(WHOLE)
        files.stat(file)
        await rig.advance(SETTLE * 0.8)
        await rig.hint()
        assert rig.take() == []
        await rig.advance(SETTLE * 0.2 + TICK)
        assert rig.take() == [WHOLE]


async def test_where_the_clock_was_set_meanwhile_settle_counts_from_the_first_look(file: Path) -> None:
    async with stamped([watch(file)]) as (rig, files):
        file.write_bytes(WHOLE)
        files.stat(file)
        rig.clock.epoch += 3600
        await rig.hint()
        await rig.advance(SETTLE * 0.9)
        assert rig.take() == []
        await rig.advance(SETTLE * 0.1)
        assert rig.take() == [WHOLE]


async def test_a_file_of_the_future_settles_from_the_first_look(file: Path) -> None:
    async with running([watch(file)]) as rig:
        file.write_bytes(WHOLE)
        await rig.advance(SETTLE * 3)
        await rig.hint()
        assert rig.take() == []
        await rig.advance(SETTLE)
        assert rig.take() == [WHOLE]


async def test_where_nobody_can_say_whether_it_is_open_a_late_hint_costs_all_of_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_path: str) -> Writing:
        return Writing.UNKNOWN

    monkeypatch.setattr(post_module, "ask_writing", unknown)
    async with stamped([watch(file)]) as (rig, files):
        file.write_bytes(WHOLE)
        files.stat(file)
        await rig.advance(SETTLE * 4)
        await rig.hint()
        await rig.advance(UNPROVED_SETTLE * 0.99)
        assert rig.take() == []
        await rig.advance(UNPROVED_SETTLE * 0.01)
        assert rig.take() == [WHOLE]


def copy_with_its_times(file: Path) -> Iterator[float]:
    """`cp -p`, `install -p`: the time of modification is set back through the open file, at the end."""
    with file.open("wb", buffering=0) as writer:
        for piece in (HALF, WHOLE[len(HALF) :]):
            writer.write(piece)
            yield 3 * SETTLE
        os.utime(writer.fileno(), ns=OLD)


def times_at_once(file: Path) -> Iterator[float]:
    """One that sets the time of modification back before it is done, and goes on."""
    with file.open("wb", buffering=0) as writer:
        writer.write(HALF)
        os.utime(writer.fileno(), ns=OLD)
        yield 3 * SETTLE
        writer.write(WHOLE[len(HALF) :])
        os.utime(writer.fileno(), ns=OLD)
        yield 3 * SETTLE


def in_place_then_times(file: Path) -> Iterator[float]:
    """`rsync --inplace -t`: written, closed, and only then is the time of modification set back."""
    with file.open("wb", buffering=0) as writer:
        writer.write(HALF)
        yield 3 * SETTLE
        writer.write(WHOLE[len(HALF) :])
    yield 0.8 * SETTLE
    os.utime(file, ns=OLD)


def beside_then_renamed(file: Path) -> Iterator[float]:
    """`rsync -t`, `tar`: written under another name, its times set back, and renamed."""
    beside = file.with_name(".APP1.bin.x7")
    beside.write_bytes(HALF)
    yield 3 * SETTLE
    beside.write_bytes(WHOLE)
    os.utime(beside, ns=OLD)
    yield 3 * SETTLE
    beside.rename(file)


def object_copy(file: Path) -> Iterator[float]:
    """`objcopy -p`: written, closed, mode and times set by name."""
    file.write_bytes(WHOLE)
    yield 0.8 * SETTLE
    file.chmod(0o755)
    yield 0.8 * SETTLE
    os.utime(file, ns=OLD)


def object_copy_then_signed(file: Path) -> Iterator[float]:
    """`objcopy -p`, whose output looks old from then on, and a step after it that adds a signature."""
    file.write_bytes(HALF)
    os.utime(file, ns=OLD)
    yield 0.8 * SETTLE
    with file.open("ab", buffering=0) as writer:
        writer.write(WHOLE[len(HALF) :])
    os.utime(file, ns=OLD)


def holds_it_open(file: Path) -> Iterator[float]:
    """A linker that writes its map, with the image still open, and then the image's last part."""
    with file.open("wb", buffering=0) as writer:
        writer.write(HALF)
        yield 8 * SETTLE
        writer.write(WHOLE[len(HALF) :])
        yield 8 * SETTLE


def reopens(file: Path) -> Iterator[float]:
    """One that closes the file between its halves."""
    for piece in (HALF, WHOLE[len(HALF) :]):
        with file.open("ab", buffering=0) as writer:
            writer.write(piece)
        yield 0.8 * SETTLE


def reopens_to_patch(file: Path) -> Iterator[float]:
    """A linker that keeps the file open long after its last write, and a step soon after that patches it."""
    with file.open("wb", buffering=0) as writer:
        writer.write(HALF + bytes(len(WHOLE) - len(HALF)))
        yield 5 * SETTLE
    yield 0.8 * SETTLE
    with file.open("r+b", buffering=0) as writer:
        yield 3 * SETTLE
        writer.write(WHOLE)


def maps(file: Path) -> Iterator[float]:
    """A linker that writes through a mapping, as gold and mold do: no write of it is told by the kernel."""
    with file.open("w+b") as writer:
        writer.truncate(len(WHOLE))
        mapping = mmap.mmap(writer.fileno(), len(WHOLE))
    mapping[: len(HALF)] = HALF
    yield 3 * SETTLE
    mapping[:] = WHOLE
    yield 3 * SETTLE
    mapping.close()


WRITERS = (
    copy_with_its_times,
    times_at_once,
    in_place_then_times,
    beside_then_renamed,
    object_copy,
    object_copy_then_signed,
    holds_it_open,
    reopens,
    reopens_to_patch,
    maps,
)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("lateness", [0.0, 0.5, 0.9])
async def test_no_writer_that_pauses_is_taken_for_done(
    file: Path, writer: Callable[[Path], Iterator[float]], lateness: float
) -> None:
    async with stamped([watch(file)]) as (rig, files):
        await rig.advance(10 * SETTLE)  # clocks are known by now
        for pause in writer(file):
            if file.exists():
                files.stat(file)
            await rig.advance(pause * lateness)
            await rig.hint()
            await rig.advance(pause * (1 - lateness))
        files.stat(file)
        await rig.advance(SETTLE * lateness)
        await rig.hint()
        await rig.advance(SETTLE + 3 * TICK)
        assert rig.take() == [WHOLE]


def test_the_state_of_a_file_is_another_with_each_status_change(file: Path) -> None:
    file.write_bytes(WHOLE)
    os.utime(file, ns=OLD)
    before = Fingerprint.of(str(file), file.stat())
    while Fingerprint.of(str(file), file.stat()) == before:  # until the kernel's next tick
        os.utime(file, ns=OLD)
    assert Fingerprint.of(str(file), file.stat()).changed_ns > before.changed_ns
