"""verify, read, erase and reset on a real daemon: true bytes, a board as it was found, and what outlives a restart."""

import signal
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Cancelled, Done, Phase, Running
from flashdeck.model import Disposition, JobState, Presence, Snapshot
from rig import APP1, PARTITION2, Rig, board, firmware, prepare, running

ONE, TWO, THREE = (firmware(version, size=60_000) for version in ("1.0.0", "1.0.1", "1.0.2"))
SIZE = 384 * 1024
BLANK = b"\xff" * SIZE


async def ended(rig: Rig, params: api.Params[api.JobList]) -> JobState:
    """The one job that was asked for, once it has ended or needs a person."""
    (job,) = (await rig.client.call(params)).jobs
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    return job


def presence(snapshot: Snapshot) -> Presence:
    return snapshot.boards[0].presence


async def is_running(rig: Rig) -> None:
    await rig.until(lambda snapshot: presence(snapshot) is Presence.APP)


def is_erasing(job: JobState) -> bool:
    return isinstance(job.status, Running) and job.status.phase is Phase.ERASE and job.status.done > 0


async def image_of(rig: Rig, job: JobState) -> bytes:
    data = b""
    while len(data) < job.size:
        data += (await rig.client.call(api.ReadImage(sha256=job.sha256, offset=len(data)))).data
    return data


async def test_a_running_board_is_verified_and_runs_again(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await is_running(rig)
    before = await rig.flash_of("left")
    job = await ended(rig, api.Verify(partition="app1"))
    assert isinstance(job.status, Done), job.text
    assert job.result is not None
    assert (job.result.started, job.result.verified) == (True, "verified")
    assert presence(await rig.client.call(api.GetStatus())) is Presence.APP
    assert await rig.flash_of("left") == before


async def test_all_of_a_partition_is_read(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    job = await ended(rig, api.ReadPartition(partition="app1", boards=("left",)))
    assert isinstance(job.status, Done), job.text
    assert await image_of(rig, job) == await rig.partition_of("left", SIZE)
    assert await image_of(rig, job) == ONE + (await rig.partition_of("left", SIZE))[len(ONE) :]


async def test_a_file_that_is_not_there_is_different(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    other = (await rig.client.upload("two.bin", TWO, partition="app1")).sha256
    job = await ended(rig, api.Verify(partition="app1", sha256=other))
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.VERIFY
    assert job.result is not None
    first = next(i for i, (one, two) in enumerate(zip(ONE, TWO, strict=True)) if one != two)
    count = sum(one != two for one, two in zip(ONE, TWO, strict=True))
    assert (job.result.first_difference, job.result.different) == (APP1 + first, count)
    assert (await rig.client.call(api.GetStatus())).boards[0].partitions[1].contents is not None
    await is_running(rig)


async def test_after_an_erase_builds_are_offered_until_a_person_flashes_one(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    before = await rig.flash_of("left")
    job = await ended(rig, api.Erase(partition="app1"))
    assert isinstance(job.status, Done), job.text
    flash = await rig.flash_of("left")
    at = APP1 - 0x08000000
    assert flash[at : at + SIZE] == BLANK
    assert (flash[:at], flash[at + SIZE :]) == (before[:at], before[at + SIZE :])
    snapshot = await rig.client.call(api.GetStatus())
    assert presence(snapshot) is Presence.DFU
    assert snapshot.boards[0].partitions[1].offered, "the build that was there can be had again"
    await rig.stop()
    await rig.restart()
    rig.build(TWO)
    await rig.until(lambda s: any(a.disposition is Disposition.OFFERED for a in s.artifacts))
    assert await rig.partition_of("left", SIZE) == BLANK
    with pytest.raises(RemoteError) as caught:
        await rig.wait(data=TWO)
    assert caught.value.kind is ErrorKind.OFFERED
    await ended(rig, api.Flash(partition="app1"))
    assert await rig.partition_of("left", len(TWO)) == TWO
    rig.build(THREE)
    await rig.wait(data=THREE)
    assert await rig.partition_of("left", len(THREE)) == THREE


async def test_a_build_does_not_overtake_an_erase_that_waits_for_its_board(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.unplug("left")
    reply = await rig.client.call(api.Erase(partition="app1"))
    (job,) = reply.jobs
    assert reply.notes == ("app1: builds are offered until you flash one",)
    rig.build(TWO)
    await rig.until(lambda s: any(a.disposition is Disposition.OFFERED for a in s.artifacts))
    await rig.plug("left")
    await rig.press("left")
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    assert isinstance(job.status, Done), job.text
    assert await rig.partition_of("left", SIZE) == BLANK


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_an_erase_goes_on_after_the_daemon_was_killed_in_it(rig: Rig) -> None:
    before = await rig.flash_of("left")
    (job,) = (await rig.client.call(api.Erase(partition="app1"))).jobs
    await rig.until(lambda s: any(is_erasing(each) for each in s.jobs))
    await rig.stop(signal.SIGKILL)
    await rig.restart()
    (job,) = (await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))).jobs
    assert isinstance(job.status, Done), job.text
    flash, at = await rig.flash_of("left"), APP1 - 0x08000000
    assert flash[at : at + SIZE] == BLANK
    assert (flash[:at], flash[at + SIZE :]) == (before[:at], before[at + SIZE :])


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_an_erase_that_is_cancelled_leaves_nothing_that_boots(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    (job,) = (await rig.client.call(api.Erase(partition="app1"))).jobs
    await rig.until(lambda s: any(is_erasing(each) for each in s.jobs))
    job = await rig.client.call(api.Cancel(job=job.id))
    assert isinstance(job.status, Cancelled)
    assert "app1 is incomplete" in job.text
    assert await rig.partition_of("left", 16) == b"\xff" * 16
    rig.build(TWO)
    await rig.until(lambda s: any(a.disposition is Disposition.OFFERED for a in s.artifacts))


async def test_a_board_leaves_dfu_mode(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await is_running(rig)
    await rig.press("left")
    await rig.until(lambda snapshot: presence(snapshot) is Presence.DFU)
    job = await ended(rig, api.ResetBoards())
    assert isinstance(job.status, Done), job.text
    assert presence(await rig.client.call(api.GetStatus())) is Presence.APP
    with pytest.raises(RemoteError) as caught:
        await rig.client.call(api.ResetBoards())
    assert caught.value.kind is ErrorKind.ABSENT


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_an_incomplete_partition_keeps_the_board_in_dfu_mode(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(lambda s: any("writing" in job.text for job in s.jobs))
    await rig.client.call(api.Cancel(job=1))
    job = await ended(rig, api.ResetBoards(boards=("left",)))
    assert job.failure is not None
    assert (job.failure.kind, "app1 is incomplete" in job.failure.message) == (ErrorKind.BLOCKED, True)
    assert presence(await rig.client.call(api.GetStatus())) is Presence.DFU


async def test_what_is_not_done_ends_with_its_client(rig: Rig) -> None:
    await rig.unplug("left")
    other = await Client.connect(rig.socket, client="other")
    (job,) = (await other.call(api.ReadPartition(partition="app1"))).jobs
    await other.close()
    ends = await rig.until(lambda s: any(each.id == job.id and each.is_settled for each in s.jobs))
    assert isinstance(next(each for each in ends.jobs if each.id == job.id).status, Cancelled)


async def test_work_is_done_once_more_but_for_what_nobody_would_take(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    verified = await ended(rig, api.Verify(partition="app1"))
    again = await rig.client.call(api.Retry(job=verified.id))
    assert (again.kind, again.id != verified.id) == (verified.kind, True)
    await rig.client.call(api.WaitJobs(ids=(again.id,), timeout=60))
    read = await ended(rig, api.ReadPartition(partition="app1"))
    with pytest.raises(RemoteError):
        await rig.client.call(api.Retry(job=read.id))


async def test_only_bytes_of_an_image_are_given_out(rig: Rig) -> None:
    sha256 = (await rig.client.upload("one.bin", ONE, partition="app1")).sha256
    assert (await rig.client.call(api.ReadImage(sha256=sha256, offset=len(ONE)))).data == b""
    assert (await rig.client.call(api.ReadImage(sha256=sha256, offset=len(ONE) - 3))).data == ONE[-3:]
    for offset, size in ((-1, 10), (0, 0), (0, api.CHUNK + 1)):
        with pytest.raises(RemoteError):
            await rig.client.call(api.ReadImage(sha256=sha256, offset=offset, size=size))
    with pytest.raises(RemoteError):
        await rig.client.call(api.ReadImage(sha256="../../etc/passwd"))


BOARDS = """
[profiles.gadget]
dfu = "cafe:4000"
[profiles.gadget.partitions.firmware]
alt = 0
size = "384K"
[boards.left]
profile = "product"
serial = "TEST00000001"
[boards.right]
profile = "product"
serial = "TEST00000002"
[boards.tiny]
profile = "gadget"
serial = "TEST00000003"
"""


async def test_boards_of_several_kinds(root: Path) -> None:
    bench = (
        board("left", 1)
        + board("right", 2, serial="TEST00000002", model="classic-noread")
        + '[boards.tiny]\nmodel = "tinyusb"\nserial = "TEST00000003"\nport = 3\ntiming = "none"\ndfu = "cafe:4000"\n'
    )
    prepare(root, boards=BOARDS, bench=bench)
    async with running(root) as rig:
        with pytest.raises(RemoteError) as caught:
            await rig.client.call(api.Erase(partition="firmware"))
        assert (caught.value.kind, "no erase" in caught.value.message) == (ErrorKind.GUARD, True)
        for ask in (api.Erase(partition="bootloader"), api.ReadPartition(partition="bootloader")):
            with pytest.raises(RemoteError) as caught:
                await rig.client.call(ask)
            assert caught.value.kind is ErrorKind.PROTECTED
        with pytest.raises(RemoteError) as caught:
            await rig.client.call(api.ReadPartition(partition="app1"))
        assert caught.value.kind is ErrorKind.AMBIGUOUS
        read = await ended(rig, api.ReadPartition(partition="firmware"))
        assert isinstance(read.status, Done), read.text
        assert await image_of(rig, read) == await rig.partition_of("tiny", SIZE)
        (plan,) = (await rig.client.call(api.PlanErase(partition="app1", boards=("left",)))).plans
        assert plan.erases == SIZE // 8192
        jobs = (await rig.client.call(api.ReadPartition(partition="partition2", boards=("right",)))).jobs
        (job,) = (await rig.client.call(api.WaitJobs(ids=(jobs[0].id,), timeout=60))).jobs
        assert job.failure is not None
        assert job.failure.kind is ErrorKind.UNREADABLE
        assert await rig.partition_of("right", 16, address=PARTITION2) == b"\xff" * 16
