"""What is flashed is never partial, and nothing is flashed without need: exact numbers of jobs, and the right bytes."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path, PurePath

import pytest

from flashdeck import api
from flashdeck.errors import FlashdeckError
from flashdeck.job_state import Done, JobStatus, Running, Superseded, Waiting
from flashdeck.model import Disposition, Snapshot
from rig import Rig, board, firmware, prepare, running, sha256

ONE, TWO, THREE = (firmware(version) for version in ("1.0.0", "1.0.1", "1.0.2"))


def ended(count: int) -> Callable[[Snapshot], bool]:
    """Whether `count` jobs exist and all have ended."""

    def reached(snapshot: Snapshot) -> bool:
        return len(snapshot.jobs) >= count and all(job.is_settled for job in snapshot.jobs)

    return reached


async def flashed(rig: Rig) -> list[tuple[str, type[JobStatus]]]:
    return [(job.sha256, type(job.status)) for job in await rig.jobs()]


async def settle_again(rig: Rig) -> None:
    """Lets everything that was written until now settle: another partition's build goes the same way, after it."""
    marker = firmware(os.urandom(8).hex(), base=0x08080000)
    rig.build(marker, name="APP2.bin")
    await rig.until(lambda s: any(a.sha256 == sha256(marker) for a in s.artifacts))


async def test_a_writer_that_pauses_is_one_job(rig: Rig) -> None:
    rig.image.parent.mkdir()
    with rig.image.open("wb") as linker:
        linker.write(b"")
        linker.flush()
        await rig.until(lambda s: any(p.being_written for p in s.boards[0].partitions))
        for start in range(0, len(ONE), len(ONE) // 3):
            linker.write(ONE[start : start + len(ONE) // 3])
            linker.flush()
            await asyncio.sleep(5 * 0.05)  # the pause is the subject: five times `settle`
    await rig.wait(data=ONE)
    assert await flashed(rig) == [(sha256(ONE), Done)]
    assert await rig.partition_of("left", len(ONE)) == ONE
    assert not any(p.being_written for p in (await rig.client.call(api.GetStatus())).boards[0].partitions)


async def test_a_build_that_a_job_which_waits_brings_is_not_said_to_be_there(rig: Rig) -> None:
    await rig.client.call(api.Hold(boards=("left",), reason="soldering"))
    rig.build(ONE)
    await rig.until(lambda s: len(s.jobs) == 1)
    rig.build(ONE[: len(ONE) // 2])
    snapshot = await rig.until(lambda s: any(a.disposition is Disposition.UNCHANGED for a in s.artifacts))
    assert [a.reason for a in snapshot.artifacts] == ["every board has it already, or a job that brings it"]
    assert len(snapshot.jobs) == 1


async def test_a_replace_by_rename_is_one_job(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.press("left")
    fresh = rig.image.with_suffix(".tmp")
    fresh.write_bytes(TWO)
    fresh.rename(rig.image)
    await rig.wait(data=TWO)
    assert await flashed(rig) == [(sha256(ONE), Done), (sha256(TWO), Done)]
    assert await rig.partition_of("left", len(TWO)) == TWO


async def test_a_build_directory_made_anew_is_one_job(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    shutil.rmtree(rig.image.parent)
    rig.build(TWO)
    await rig.wait(data=TWO)
    assert await flashed(rig) == [(sha256(ONE), Done), (sha256(TWO), Done)]
    assert await rig.partition_of("left", len(TWO)) == TWO


async def test_touch_chmod_and_the_same_bytes_are_no_job(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    rig.image.touch()
    await rig.wait(data=ONE)
    rig.image.chmod(0o600)
    await rig.wait(data=ONE)
    rig.build(ONE)
    await rig.wait(data=ONE)
    await settle_again(rig)
    assert [job.sha256 for job in await rig.jobs() if job.partition == "app1"] == [sha256(ONE)]


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_two_builds_within_one_flash_are_two_jobs_in_order(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(lambda s: any(isinstance(job.status, Running) for job in s.jobs))
    rig.build(TWO)
    await rig.wait(data=TWO)
    assert await flashed(rig) == [(sha256(ONE), Done), (sha256(TWO), Done)]
    first, second = await rig.jobs()
    assert first.finished_at is not None
    assert second.started_at is not None
    assert first.finished_at <= second.started_at
    assert await rig.partition_of("left", len(TWO)) == TWO


async def test_of_builds_while_the_board_is_away_only_the_newest_is_flashed(rig: Rig) -> None:
    await rig.unplug("left")
    rig.build(ONE)
    await rig.until(lambda s: len(s.jobs) == 1)
    rig.build(TWO)
    await rig.until(lambda s: len(s.jobs) == 2)
    await rig.plug("left")
    await rig.wait(data=TWO)
    assert await flashed(rig) == [(sha256(ONE), Superseded), (sha256(TWO), Done)]
    board = await rig.emulated("left")
    assert await rig.partition_of("left", len(TWO)) == TWO
    assert board.words == -(-len(TWO) // 16) + 1, "the first job on a board writes one canary, and all else once"


async def test_back_to_an_earlier_build_is_new_again(rig: Rig) -> None:
    for data in (ONE, TWO, ONE):
        rig.build(data)
        await rig.wait(data=data)
    assert [sha for sha, _ in await flashed(rig)] == [sha256(ONE), sha256(TWO), sha256(ONE)]
    assert await rig.partition_of("left", len(ONE)) == ONE


async def test_a_hundred_replugs_after_a_good_flash_write_nothing(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    before = await rig.emulated("left")
    for _ in range(100):
        await rig.press("left")
        await rig.unplug("left")
        await rig.plug("left")
    await rig.press("left")
    await rig.unplug("left")  # or the other partition's build would begin, and be counted
    await settle_again(rig)
    after = await rig.emulated("left")
    assert (after.erases, after.words) == (before.erases, before.words)
    assert [job.partition for job in await rig.jobs()].count("app1") == 1


async def test_a_file_that_was_there_first_is_only_offered(rig: Rig) -> None:
    await rig.stop()
    rig.build(ONE)
    await rig.restart()
    snapshot = await rig.until(lambda s: any(p.offered for p in s.boards[0].partitions))
    assert snapshot.jobs == ()
    assert [artifact.disposition for artifact in snapshot.artifacts] == ["offered"]


async def test_a_file_that_changed_while_the_daemon_was_away_is_flashed(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.stop()
    rig.build(TWO)
    await rig.restart()
    await rig.wait(data=TWO)
    assert [sha for sha, _ in await flashed(rig)] == [sha256(ONE), sha256(TWO)]


async def test_an_image_of_another_partition_is_refused_by_name(rig: Rig) -> None:
    rig.build(firmware("1.0.0", base=0x08080000))
    snapshot = await rig.until(lambda s: bool(s.artifacts))
    (artifact,) = snapshot.artifacts
    assert artifact.disposition == "refused"
    assert "0x08080000" in artifact.reason
    assert "partition2" in artifact.reason
    assert snapshot.jobs == ()
    assert (await rig.emulated("left")).requests == 0


async def test_what_is_flashed_is_what_was_read_not_what_lies_there_later(rig: Rig) -> None:
    await rig.unplug("left")
    rig.build(ONE)
    await rig.until(lambda s: len(s.jobs) == 1)
    rig.image.unlink()
    await rig.plug("left")
    await rig.until(ended(1))
    assert await rig.partition_of("left", len(ONE)) == ONE


async def test_a_build_whose_name_is_no_utf8_is_flashed_and_remembered(root: Path) -> None:
    prepare(root, boards='[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n', bench=board("left"))
    config = root / "config.toml"
    config.write_text(config.read_text().replace("build/APP1.bin", "build/APP1*.bin"))
    async with running(root) as rig:
        rig.build(ONE, name=os.fsdecode(b"APP1-\xff.bin"))
        snapshot = await rig.until(lambda s: bool(s.artifacts))
        assert snapshot.artifacts[0].source.endswith("build/APP1-\N{REPLACEMENT CHARACTER}.bin")
        await rig.wait(data=ONE)
        assert await flashed(rig) == [(sha256(ONE), Done)]


async def test_a_project_in_a_directory_whose_name_is_no_utf8_is_served_like_any_other(root: Path) -> None:
    odd = root / os.fsdecode(b"\xff")
    odd.mkdir(mode=0o700)
    prepare(odd, boards='[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n', bench=board("left"))
    async with running(odd) as rig:
        (state,) = (await rig.client.call(api.GetStatus())).boards
        assert state.partitions[1].image == str(root / "\N{REPLACEMENT CHARACTER}" / "build" / "APP1.bin")
        rig.build(ONE)
        await rig.wait(data=ONE)


async def damaged(rig: Rig) -> None:
    """The daemon is not running while a sector of the disk goes bad."""
    await rig.stop()
    (rig.root / "state" / "spool" / sha256(ONE)).write_bytes(b"damaged")
    await rig.restart()


async def test_an_image_that_was_damaged_on_the_disk_is_read_again_from_its_build(rig: Rig) -> None:
    await rig.unplug("left")
    rig.build(ONE)
    await rig.until(lambda s: any(isinstance(job.status, Waiting) for job in s.jobs))
    await damaged(rig)
    await rig.plug("left")
    await rig.wait(data=ONE)
    await damaged(rig)
    (job,) = (await rig.client.call(api.Flash(partition="app1"))).jobs
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    assert isinstance(job.status, Done)


async def test_an_image_that_was_lost_on_the_disk_is_there_again_once_it_is_built_again(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    rig.image.unlink()
    await damaged(rig)
    with pytest.raises(FlashdeckError, match="was damaged on the disk") as caught:
        await rig.client.call(api.Flash(partition="app1"))
    assert "build it again" in caught.value.hint
    rig.build(ONE)
    (job,) = (await rig.client.call(api.Flash(partition="app1"))).jobs
    assert job.sha256 == sha256(ONE)


@pytest.mark.parametrize("pattern", ["release/APP1.bin", "release/APP1*.bin"])
async def test_a_file_at_another_path_than_before_is_one_that_was_never_seen(rig: Rig, pattern: str) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.stop()
    config = rig.root / "config.toml"
    config.write_text(config.read_text().replace("build/APP1.bin", pattern))
    there = rig.root / "release" / "APP1.bin"
    there.parent.mkdir()
    there.write_bytes(TWO)
    await rig.restart()
    snapshot = await rig.until(lambda s: any(a.sha256 == sha256(TWO) for a in s.artifacts))
    assert [artifact.disposition for artifact in snapshot.artifacts] == ["offered"]
    there.write_bytes(THREE)
    await rig.wait(data=THREE)
    assert [sha for sha, _ in await flashed(rig)] == [sha256(ONE), sha256(THREE)]


async def test_a_file_that_was_moved_as_it_is_was_seen_where_it_is_now(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.stop()
    config = rig.root / "config.toml"
    config.write_text(config.read_text().replace("build/APP1.bin", "release/APP1.bin"))
    (rig.root / "build").rename(rig.root / "release")
    await rig.restart()
    await rig.until(lambda s: [PurePath(a.source).parent.name for a in s.artifacts] == ["release"])
    await rig.stop()
    (rig.root / "release" / "APP1.bin").write_bytes(TWO)
    await rig.restart()
    await rig.wait(data=TWO)
    assert [sha for sha, _ in await flashed(rig)] == [sha256(ONE), sha256(TWO)]


@pytest.mark.parametrize("pattern", ["build/APP1*.bin", "**/APP1*.bin", "build/**/APP1*.bin"])
async def test_another_match_of_the_same_glob_is_flashed_where_it_came_while_the_daemon_was_away(
    rig: Rig, pattern: str
) -> None:
    await rig.stop()
    config = rig.root / "config.toml"
    config.write_text(config.read_text().replace("build/APP1.bin", pattern))
    await rig.restart()
    rig.build(ONE, name="APP1-1.bin")
    await rig.wait(data=ONE)
    await rig.stop()
    rig.build(TWO, name="APP1-2.bin")
    await rig.restart()
    await rig.wait(data=TWO)
    assert [sha for sha, _ in await flashed(rig)] == [sha256(ONE), sha256(TWO)]
