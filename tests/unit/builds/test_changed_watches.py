"""Other files are watched while it runs: what stays is not disturbed, what goes leaves nothing, what comes is new."""
# ruff: noqa: ASYNC240 - tiny files on a local disk, and they are what is tested

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from builds_rig import PATIENCE, needs_leases, running
from flashdeck.errors import FlashdeckError
from flashdeckd.builds.builds import Builds
from flashdeckd.builds.source import WatchfilesSource
from flashdeckd.builds.watch import RESTART, Settled, Watch

SETTLE = 0.5
LONG = 3.0
"""Seconds in which anything settles, and no regular look falls due."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "APP1.bin"


def watch(pattern: Path, partition: str = "app1") -> Watch:
    return Watch("product", partition, str(pattern), SETTLE)


async def test_a_file_that_stays_watched_goes_on_settling_and_is_not_handed_on_again(file: Path) -> None:
    other = file.with_name("APP2.bin")
    async with running([watch(file)]) as rig:
        file.write_bytes(b"image")
        await rig.hint()
        await rig.advance(SETTLE * 0.6)
        await rig.rewatch(watch(other, "partition2"), watch(file))
        await rig.advance(SETTLE * 0.3)
        assert rig.take() == []
        await rig.advance(SETTLE * 0.2)
        (settled,) = rig.settled
        assert (settled.data, settled.first) == (b"image", False)
        await rig.rewatch(watch(file))
        await rig.advance(LONG)
        assert rig.take() == [b"image"]


async def test_what_lies_at_the_path_of_a_new_watch_is_the_first_and_what_is_built_later_is_not(file: Path) -> None:
    file.write_bytes(b"old")
    async with running([]) as rig:
        await rig.rewatch(watch(file))
        await rig.advance(LONG)
        file.write_bytes(b"new")
        await rig.hint()
        await rig.advance(LONG)
        assert [(settled.data, settled.first) for settled in rig.settled] == [(b"old", True), (b"new", False)]


async def test_a_path_that_changed_is_another_watch(file: Path) -> None:
    other = file.with_name("APP2.bin")
    for path in (file, other):
        path.write_bytes(path.name.encode())
    async with running([watch(file)]) as rig:
        await rig.advance(LONG)
        await rig.rewatch(watch(other))
        await rig.advance(LONG)
        assert [(settled.data, settled.first) for settled in rig.settled] == [(b"APP1.bin", True), (b"APP2.bin", True)]


async def test_a_watch_that_is_gone_hands_nothing_on_and_takes_back_what_it_said(file: Path) -> None:
    needs_leases(file.parent)
    with file.open("wb", buffering=0) as writer:
        async with running([watch(file)]) as rig:
            await rig.advance(LONG)
            assert rig.being_written == [("app1", True)]
            await rig.rewatch()
            writer.write(b"image")
            writer.close()
            assert rig.being_written == [("app1", True), ("app1", False)]
            assert rig.take() == []


async def test_what_could_not_be_read_or_taken_is_forgotten_with_its_watch(file: Path) -> None:
    other = file.with_name("APP2.bin")
    file.mkdir()
    other.write_bytes(b"image")
    async with running([watch(file), watch(other, "partition2")], failures=[FlashdeckError("disk full")]) as rig:
        await rig.advance(SETTLE)
        assert [bool(name) for name, _ in rig.unreadable] == [True]
        assert rig.builds.trouble
        await rig.rewatch()
        assert [bool(name) for name, _ in rig.unreadable] == [True, False]
        assert rig.troubles[-1][1:] == ("", "")


async def test_a_shorter_settle_time_counts_at_once_from_when_the_file_came_to_rest(file: Path) -> None:
    slow = replace(watch(file), settle=60.0)
    async with running([slow]) as rig:
        file.write_bytes(b"image")
        await rig.hint()
        await rig.advance(SETTLE * 2)
        assert rig.take() == []
        await rig.rewatch(watch(file))
        await rig.advance(SETTLE * 0.1)
        (settled,) = rig.settled
        assert (settled.data, settled.first, settled.watch) == (b"image", False, watch(file))


async def test_what_is_just_being_handed_on_is_handed_on_to_its_end(file: Path) -> None:
    file.write_bytes(b"image")
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def take(_build: Settled) -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    builds = Builds([replace(watch(file), settle=0.0)], take, WatchfilesSource())
    task = asyncio.create_task(builds.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await begun.wait()
            builds.rewatch([])
            may_end.set()
            await ended.wait()
            assert not await builds.look("product", "app1")
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_who_asked_for_a_look_at_a_path_that_changed_is_answered_by_the_new_one(file: Path) -> None:
    needs_leases(file.parent)
    other = file.with_name("APP2.bin")
    other.write_bytes(b"image")
    with file.open("wb"):
        async with running([watch(file)]) as rig:
            looking = asyncio.ensure_future(rig.builds.look("product", "app1"))
            await asyncio.sleep(0)  # it has asked
            await rig.advance(LONG)
            assert not looking.done()
            await rig.rewatch(watch(other))
            await rig.advance(LONG)
            async with asyncio.timeout(PATIENCE):
                assert await looking
            assert rig.take() == [b"image"]
            await rig.rewatch()
            async with asyncio.timeout(PATIENCE):
                assert not await rig.builds.look("product", "app1")


async def test_watches_may_change_before_it_runs(file: Path) -> None:
    file.write_bytes(b"image")
    queue = asyncio.Queue[Settled]()
    builds = Builds([watch(file.with_name("APP2.bin"))], queue.put)
    builds.rewatch([replace(watch(file), settle=0.0)])
    task = asyncio.create_task(builds.run())
    try:
        async with asyncio.timeout(PATIENCE):
            assert (await queue.get()).data == b"image"
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_new_watch_hears_hints_of_the_kernel(tmp_path: Path) -> None:
    files = [tmp_path / name / "APP.bin" for name in ("one", "two")]
    queue = asyncio.Queue[Settled]()
    builds = Builds([], queue.put)
    task = asyncio.create_task(builds.run())
    try:
        async with asyncio.timeout(RESTART + PATIENCE):
            for number, file in enumerate(files):
                builds.rewatch([Watch("product", f"app{each}", str(files[each]), 0.0) for each in range(number + 1)])
                await builds.looked()
                file.parent.mkdir()
                for data in (b"first", b"second"):
                    file.write_bytes(data)
                    while (await queue.get()).data != data:
                        pass
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_builds_answer_until_every_watch_hangs(tmp_path: Path) -> None:
    hanging = [tmp_path / "APP1.bin", tmp_path / "APP2.bin"]
    for path in hanging:
        path.write_bytes(b"image")
    freed = asyncio.Event()
    handed = asyncio.Queue[Settled]()

    async def hang(settled: Settled) -> None:
        await handed.put(settled)
        await freed.wait()

    watches = [Watch("product", path.stem, str(path), 0.01) for path in hanging]
    builds = Builds([*watches, Watch("product", "none", str(tmp_path / "none.bin"), 0.01)], hang)
    running = asyncio.create_task(builds.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await handed.get()
            await handed.get()
            await builds.answers()  # one has nothing to do
            builds.rewatch(watches)
            asked = asyncio.create_task(builds.answers())
            for _ in range(10):
                await asyncio.sleep(0)
            assert not asked.done()
            freed.set()
            await asked
        builds.rewatch([])
        await builds.answers()
    finally:
        running.cancel()
        await asyncio.wait([running])
