"""Each finished build is handed on once, whole, and nothing else is. Real files; time and hints by hand."""
# ruff: noqa: ASYNC240 - tiny files on a local disk, and they are what is tested

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

from builds_rig import PATIENCE, needs_leases, running
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.image_formats import MAX_IMAGE
from flashdeckd.builds.post import RESCAN
from flashdeckd.builds.watch import RESTART, Watch

SETTLE = 0.5
LONG = 3.0
"""Seconds in which anything settles, and no regular look falls due."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app1" / "Debug" / "APP1.bin"
    path.parent.mkdir(parents=True)
    return path


def watch(pattern: Path, partition: str = "app1") -> Watch:
    return Watch("product", partition, str(pattern), SETTLE)


async def test_a_file_that_is_there_at_the_start_is_handed_on_as_the_first(file: Path) -> None:
    file.write_bytes(b"old")
    async with running([watch(file)]) as rig:
        await rig.advance(SETTLE * 0.9)
        assert rig.settled == []
        await rig.advance(LONG)
        (settled,) = rig.settled
        assert (settled.watch, settled.path, settled.data, settled.first) == (watch(file), file, b"old", True)
        rig.take()
        file.write_bytes(b"new")
        await rig.hint()
        await rig.advance(LONG)
        (settled,) = rig.settled
        assert (settled.data, settled.first) == (b"new", False)


async def test_a_file_that_appears_later_is_not_the_first(file: Path) -> None:
    async with running([watch(file)]) as rig:
        file.write_bytes(b"new")
        await rig.hint()
        await rig.advance(LONG)
        (settled,) = rig.settled
        assert (settled.data, settled.first) == (b"new", False)


async def test_a_file_that_was_being_written_at_the_start_is_not_the_first(file: Path) -> None:
    needs_leases(file.parent)
    with file.open("wb", buffering=0) as writer:
        writer.write(b"half")
        async with running([watch(file)]) as rig:
            await rig.advance(LONG)
            writer.write(b" whole")
            writer.close()
            await rig.hint()
            await rig.advance(LONG)
            (settled,) = rig.settled
            assert (settled.data, settled.first) == (b"half whole", False)


async def test_a_slow_writer_that_stays_open_makes_one_build(file: Path) -> None:
    needs_leases(file.parent)
    async with running([watch(file)]) as rig:
        with file.open("wb", buffering=0) as writer:
            for piece in (b"one ", b"two ", b"three"):
                writer.write(piece)
                await rig.hint()
                await rig.advance(5 * SETTLE)
                assert rig.settled == []
        await rig.advance(LONG)
        assert rig.take() == [b"one two three"]
        await rig.advance(3 * RESCAN)
        assert rig.settled == []


async def test_closing_a_file_needs_no_hint(file: Path) -> None:
    needs_leases(file.parent)
    async with running([watch(file)]) as rig:
        with file.open("wb", buffering=0) as writer:
            writer.write(b"image")
            await rig.hint()
            await rig.advance(LONG)
        await rig.advance(SETTLE + 0.1)
        assert rig.take() == [b"image"]


async def test_a_step_that_patches_the_file_soon_after_the_link_is_waited_for(file: Path) -> None:
    needs_leases(file.parent)
    async with running([watch(file)]) as rig:
        with file.open("wb", buffering=0) as linker:
            linker.write(b"linked, checksum ????")
            await rig.hint()
            await rig.advance(LONG)
        await rig.advance(SETTLE * 0.9)
        with file.open("r+b", buffering=0) as patcher:
            patcher.seek(-4, os.SEEK_END)
            patcher.write(b"1234")
        await rig.hint()
        await rig.advance(LONG)
        assert rig.take() == [b"linked, checksum 1234"]


async def test_a_writer_that_reopens_makes_one_build(file: Path) -> None:
    async with running([watch(file)]) as rig:
        for piece in (b"a", b"b", b"c", b"d"):
            with file.open("ab", buffering=0) as writer:
                writer.write(piece)
            await rig.hint()
            await rig.advance(SETTLE * 0.8)
        await rig.advance(LONG)
        assert rig.take() == [b"abcd"]


async def test_a_replacement_by_rename_makes_one_build(file: Path) -> None:
    file.write_bytes(b"old")
    async with running([watch(file)]) as rig:
        await rig.advance(LONG)
        rig.take()
        temporary = file.with_suffix(".tmp")
        temporary.write_bytes(b"new")
        await rig.hint()
        temporary.rename(file)
        await rig.hint()
        await rig.advance(LONG)
        assert rig.take() == [b"new"]


async def test_a_build_directory_that_is_removed_and_made_again_makes_one_build(file: Path) -> None:
    file.write_bytes(b"old")
    async with running([watch(file)]) as rig:
        await rig.advance(LONG)
        rig.take()
        shutil.rmtree(file.parent.parent)
        await rig.hint()
        await rig.advance(LONG)
        file.parent.mkdir(parents=True)
        await rig.hint()
        file.write_bytes(b"new")
        await rig.hint()
        await rig.advance(LONG)
        assert rig.take() == [b"new"]


async def test_a_truncated_file_is_another_state(file: Path) -> None:
    file.write_bytes(b"long image")
    async with running([watch(file)]) as rig:
        await rig.advance(LONG)
        os.truncate(file, 4)
        await rig.hint()
        await rig.advance(LONG)
        assert rig.take() == [b"long image", b"long"]


async def test_a_touch_and_a_chmod_hand_on_equal_bytes_again(file: Path) -> None:
    # Whether bytes are new is told by their hash, one floor up.
    file.write_bytes(b"image")
    async with running([watch(file)]) as rig:
        await rig.advance(LONG)
        for act in (lambda: os.utime(file, ns=(1, 1)), lambda: file.chmod(0o600)):
            act()
            await rig.hint()
            await rig.advance(LONG)
        assert set(rig.take()) == {b"image"}


async def test_hints_about_nothing_hand_on_nothing(file: Path) -> None:
    file.write_bytes(b"image")
    async with running([watch(file)]) as rig:
        await rig.advance(LONG)
        rig.take()
        for _ in range(20):
            await rig.hint()
            await rig.advance(SETTLE)
        assert rig.settled == []


async def test_a_missed_hint_costs_only_the_time_until_the_next_look(file: Path) -> None:
    async with running([watch(file)]) as rig:
        file.write_bytes(b"image")
        await rig.advance(RESCAN + SETTLE)
        assert rig.take() == [b"image"]


async def test_of_a_glob_the_newest_match_counts(file: Path) -> None:
    async with running([watch(file.parent / "app-*.bin")]) as rig:
        for number, name in enumerate(["app-2.bin", "app-1.bin"]):
            (file.parent / name).write_bytes(name.encode())
            os.utime(file.parent / name, ns=(0, (1000 + number) * 10**9))
            await rig.hint()
            await rig.advance(LONG)
        assert [settled.path.name for settled in rig.settled] == ["app-2.bin", "app-1.bin"]
        assert rig.take() == [b"app-2.bin", b"app-1.bin"]


async def test_removing_the_newest_match_does_not_bring_an_older_build_back(file: Path) -> None:
    async with running([watch(file.parent / "app-*.bin")]) as rig:
        for number in (1, 2):
            path = file.parent / f"app-{number}.bin"
            path.write_bytes(path.name.encode())
            os.utime(path, ns=(0, (1000 + number) * 10**9))
        await rig.hint()
        await rig.advance(LONG)
        (file.parent / "app-2.bin").unlink()
        await rig.hint()
        await rig.advance(LONG)
        assert rig.take() == [b"app-2.bin"]


async def test_a_link_that_points_elsewhere_is_a_new_build(file: Path) -> None:
    for name in ("v1", "v2"):
        (file.parent / name).write_bytes(name.encode())
    file.symlink_to("v1")
    async with running([watch(file)]) as rig:
        await rig.advance(LONG)
        file.unlink()
        file.symlink_to("v2")
        await rig.hint()
        await rig.advance(LONG)
        assert rig.take() == [b"v1", b"v2"]


async def test_two_watches_of_one_file_are_both_served(file: Path) -> None:
    file.write_bytes(b"image")
    async with running([watch(file, "app1"), watch(file, "partition2")]) as rig:
        await rig.advance(LONG)
        assert sorted(settled.watch.partition for settled in rig.settled) == ["app1", "partition2"]


async def test_builds_of_two_partitions_do_not_wait_for_each_other(file: Path) -> None:
    needs_leases(file.parent)
    other = file.with_name("APP2.bin")
    async with running([watch(file, "app1"), watch(other, "partition2")]) as rig:
        with file.open("wb", buffering=0) as writer:
            writer.write(b"half")
            other.write_bytes(b"second")
            await rig.hint()
            await rig.advance(LONG)
            assert rig.take() == [b"second"]
            writer.write(b" whole")
        await rig.advance(LONG)
        assert rig.take() == [b"half whole"]


@pytest.mark.parametrize("what", ["directory", "FIFO", "huge", "link"])
async def test_what_can_not_be_read_is_told_once_and_again_after_it_could(file: Path, what: str) -> None:
    def spoil() -> None:
        file.unlink(missing_ok=True)
        if what == "directory":
            file.mkdir()
        elif what == "FIFO":
            os.mkfifo(file)
        elif what == "link":
            file.symlink_to(file.name)
        else:
            file.touch()
            os.truncate(file, MAX_IMAGE + 1)

    spoil()
    async with running([watch(file)]) as rig:
        for _ in range(3):
            await rig.hint()
            await rig.advance(LONG)
        assert rig.settled == []
        ((name, reason),) = rig.unreadable
        assert name == "APP1.bin"
        assert reason
        shutil.rmtree(file) if what == "directory" else file.unlink()
        file.write_bytes(b"image")
        await rig.hint()
        await rig.advance(LONG)
        assert rig.take() == [b"image"]
        spoil()
        await rig.hint()
        await rig.advance(LONG)
        assert [bool(name) for name, _ in rig.unreadable] == [True, False, True]


async def test_a_build_that_could_not_be_taken_is_offered_again(file: Path) -> None:
    file.write_bytes(b"image")
    failures: list[Exception] = [FlashdeckError("the disk is full"), RuntimeError("a bug")]
    async with running([watch(file)], failures=failures) as rig:
        await rig.advance(SETTLE)
        assert "the disk is full" in rig.builds.trouble
        await rig.advance(2 * RESTART)
        (settled,) = rig.settled
        assert (settled.data, settled.first) == (b"image", True)
        assert rig.builds.trouble == ""
        assert rig.troubles[-1][1:] == ("", "")
        await rig.advance(2 * RESCAN)
        assert len(rig.settled) == 1


async def test_what_keeps_a_build_from_being_taken_is_logged_once_however_long_it_lasts(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_bytes(b"image")
    failures: list[Exception] = [*(FlashdeckError("the disk is full") for _ in range(9)), RuntimeError("a bug")]
    async with running([watch(file)], failures=failures) as rig:
        await rig.advance(SETTLE + 12 * RESTART)
        assert len(rig.settled) == 1
    logged = [str(line.exc_info[1]) for line in caplog.records if line.exc_info]
    assert logged == ["a bug"], "what a disk says is no fault of ours, and worth no traceback"


class BrokenSource:
    """Breaks the first times, each time in another way, and then works."""

    def __init__(self) -> None:
        self._left: list[BaseException | None] = [
            OSError("inotify watch limit reached"),
            BaseExceptionGroup("of a task group", [RuntimeError("a broken watcher")]),
            type("PanicException", (BaseException,), {})("a Rust panic"),
            None,
        ]
        self.works = asyncio.Event()

    trouble = mend = ""
    deaf_to: AbstractSet[str] = frozenset()

    async def hints(self, patterns: Sequence[str]) -> AsyncGenerator[None, None]:
        assert patterns
        if self._left:
            error = self._left.pop(0)
            if error is not None:
                raise error
            yield
            return
        self.works.set()
        yield
        await asyncio.Event().wait()


async def test_a_broken_watcher_is_told_and_files_are_looked_at_meanwhile(file: Path) -> None:
    source = BrokenSource()
    async with running([watch(file)], source=source) as rig:
        await rig.clock.idle(2)  # the watch, and the source's restart
        assert "inotify watch limit reached" in rig.builds.trouble
        file.write_bytes(b"image")
        await rig.clock.advance(RESTART, 2)
        assert "a broken watcher" in rig.builds.trouble
        await rig.clock.advance(RESTART, 2)
        assert "a Rust panic" in rig.builds.trouble
        assert rig.take() == [b"image"]
        await rig.clock.advance(RESTART, 2)
        assert "it stopped" in rig.builds.trouble
        await rig.clock.advance(RESTART, 1)
        async with asyncio.timeout(PATIENCE):
            await source.works.wait()
        assert rig.builds.trouble == ""
        assert rig.troubles[-1][1:] == ("", "")


async def test_a_look_finds_what_no_hint_told_of(file: Path) -> None:
    async with running([watch(file)]) as rig, asyncio.timeout(PATIENCE):
        assert not await rig.builds.look("product", "app1")
        file.write_bytes(b"image")
        looking = asyncio.ensure_future(rig.builds.look("product", "app1"))
        await rig.clock.idle(1)
        while not looking.done():
            await rig.advance(SETTLE)
        assert await looking
        assert rig.take() == [b"image"]
        assert await rig.builds.look("product", "app1")  # nothing new, and still there
        file.unlink()
        assert not await rig.builds.look("product", "app1")
        assert rig.settled == []


async def test_a_look_waits_for_a_writer_and_can_be_given_up(file: Path) -> None:
    needs_leases(file.parent)
    async with running([watch(file)]) as rig:
        with file.open("wb", buffering=0) as writer:
            writer.write(b"half")
            looking = asyncio.ensure_future(rig.builds.look("product", "app1"))
            given_up = asyncio.ensure_future(rig.builds.look("product", "app1"))
            await asyncio.sleep(0)  # both have asked
            await rig.advance(LONG)
            assert not looking.done()
            given_up.cancel()
            await asyncio.wait([given_up])
            writer.write(b" whole")
        await rig.advance(LONG)
        async with asyncio.timeout(PATIENCE):
            assert await looking
        assert rig.take() == [b"half whole"]


@pytest.mark.parametrize(("profile", "partition"), [("product", "bootloader"), ("other", "app1")])
async def test_a_look_where_nothing_is_watched_finds_nothing(file: Path, profile: str, partition: str) -> None:
    file.write_bytes(b"image")
    async with running([watch(file)]) as rig, asyncio.timeout(PATIENCE):
        assert not await rig.builds.look(profile, partition)


async def test_a_look_at_what_can_not_be_read_finds_nothing(file: Path) -> None:
    file.mkdir()
    async with running([watch(file)]) as rig, asyncio.timeout(PATIENCE):
        assert not await rig.builds.look("product", "app1")


async def test_a_look_ends_with_the_daemon(file: Path) -> None:
    needs_leases(file.parent)
    with file.open("wb"):
        async with running([watch(file)]) as rig:
            looking = asyncio.ensure_future(rig.builds.look("product", "app1"))
            await asyncio.sleep(0)  # it has asked
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(FlashdeckError) as caught:
                await looking
            with pytest.raises(FlashdeckError):
                await rig.builds.look("product", "app1")
    assert caught.value.kind is ErrorKind.INTERRUPTED


async def test_everything_is_looked_at_again_after_its_time_and_not_before(file: Path) -> None:
    async with running([watch(file)]) as rig:
        file.write_bytes(b"image")
        await rig.advance(RESCAN * 0.99)
        assert rig.take() == []
        await rig.advance(RESCAN * 0.01 + SETTLE)
        assert rig.take() == [b"image"]


async def test_what_failed_is_tried_again_after_its_time_and_not_before(file: Path) -> None:
    file.write_bytes(b"image")
    async with running([watch(file)], failures=[FlashdeckError("the disk is full")]) as rig:
        await rig.advance(SETTLE)
        assert rig.builds.trouble
        await rig.advance(RESTART * 0.99)
        assert rig.take() == []
        await rig.advance(RESTART * 0.01)
        assert rig.take() == [b"image"]
