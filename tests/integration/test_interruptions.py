"""A board unplugged, a daemon stopped or killed in the middle: nothing is lost, and nothing half-done boots."""

import signal

import pytest

from flashdeck import api
from flashdeck.job_state import Done, Failed, Superseded, WaitFor, Waiting
from flashdeck.model import BoardHold, HoldBy, Snapshot
from flashdeck.words.jobs import status_hint
from job_states import is_writing, waits_for
from rig import APP1, Rig, firmware, sha256

pytestmark = pytest.mark.long

ONE, TWO = (firmware(version, size=60_000) for version in ("1.0.0", "1.0.1"))


def writing(snapshot: Snapshot) -> bool:
    return any(is_writing(job) for job in snapshot.jobs)


def waiting(snapshot: Snapshot) -> bool:
    return any(isinstance(job.status, Waiting) for job in snapshot.jobs)


async def requests_of_a_flash(rig: Rig) -> int:
    """What a flash costs once the bootloader is known, where every sector differs; the board is in DFU mode again."""
    before = 0
    for version in ("0.0.1", "0.0.2"):
        image = firmware(version, size=60_000)
        before = (await rig.emulated("left")).requests
        rig.build(image)
        await rig.wait(data=image)
        await rig.press("left")
    return (await rig.emulated("left")).requests - before


@pytest.mark.parametrize("fault", [90, 121, 190])
async def test_a_board_pulled_out_mid_flash_is_finished_when_it_is_back(rig: Rig, fault: int) -> None:
    before = await rig.flash_of("left")
    await rig.client.call(api.VirtualFault(board="left", fault="unplug", after=fault))
    rig.build(ONE)
    snapshot = await rig.until(waiting)
    (job,) = snapshot.jobs
    assert isinstance(job.status, Waiting)
    assert job.status.hint == "plug the board in again, or bring it into DFU mode"
    (app1,) = [p for p in snapshot.boards[0].partitions if p.name == "app1"]
    assert app1.contents is not None
    assert not app1.contents.complete
    assert await rig.partition_of("left", 16) == b"\xff" * 16, "no boot check may accept a half-written image"
    await rig.plug("left")
    (job,) = await rig.wait(data=ONE)
    assert job.attempts == 2
    after = await rig.flash_of("left")
    start = APP1 - 0x08000000
    assert after[start:][: len(ONE)] == ONE
    assert after[:start] == before[:start]
    assert after[start + 384 * 1024 :] == before[start + 384 * 1024 :]


async def test_a_board_lost_before_its_leave_is_not_flashed_twice(rig: Rig) -> None:
    # The last request but two sets the address for the leave.
    await rig.client.call(api.VirtualFault(board="left", fault="unplug", after=await requests_of_a_flash(rig) - 2))
    rig.build(TWO)
    snapshot = await rig.until(lambda s: any("was lost before it was started" in job.text for job in s.jobs))
    app1 = next(p for p in snapshot.boards[0].partitions if p.name == "app1")
    assert app1.contents is not None
    assert app1.contents.complete
    erases = (await rig.emulated("left")).erases
    await rig.plug("left")
    (job,) = await rig.wait(data=TWO)
    assert isinstance(job.status, Done)
    assert (await rig.emulated("left")).erases == erases
    assert await rig.partition_of("left", len(TWO)) == TWO


async def test_a_flash_that_fails_says_what_it_leaves_behind(rig: Rig) -> None:
    # A sector is done again once, and an attempt that failed is made again twice.
    await rig.client.call(api.VirtualFault(board="left", fault="error-write", address=APP1 + 9000, times=6))
    rig.build(ONE)
    snapshot = await rig.until(lambda s: any(job.is_settled for job in s.jobs))
    (job,) = snapshot.jobs
    assert isinstance(job.status, Failed)
    assert "app1 is incomplete" in job.text
    assert job.attempts == 3
    assert await rig.partition_of("left", 16) == b"\xff" * 16


async def test_a_flash_that_fails_once_is_tried_again(rig: Rig) -> None:
    await rig.client.call(api.VirtualFault(board="left", fault="error-write", address=APP1 + 9000, times=2))
    rig.build(ONE)
    (job,) = await rig.wait(data=ONE)
    assert (type(job.status), job.attempts) == (Done, 2)
    assert await rig.partition_of("left", len(ONE)) == ONE


@pytest.mark.long
async def test_an_application_that_shows_late_counts_as_started(rig: Rig) -> None:
    await rig.client.call(api.VirtualFault(board="left", fault="unplug", after=await requests_of_a_flash(rig) - 1))
    rig.build(TWO)
    snapshot = await rig.until(lambda s: any(isinstance(job.status, Failed) for job in s.jobs))
    assert "was not seen to start" in snapshot.jobs[-1].text
    await rig.plug("left")
    await rig.until(
        lambda s: any(p.contents is not None and p.contents.started is True for p in s.boards[0].partitions)
    )
    await rig.wait(data=TWO)


async def test_a_newer_build_takes_over_from_an_interrupted_job(rig: Rig) -> None:
    await rig.client.call(api.VirtualFault(board="left", fault="unplug", after=60))
    rig.build(ONE)
    await rig.until(waiting)
    rig.build(TWO)
    await rig.until(lambda s: len(s.jobs) == 2)
    await rig.plug("left")
    await rig.wait(data=TWO)
    assert [(j.sha256, type(j.status)) for j in await rig.jobs()] == [
        (sha256(ONE), Superseded),
        (sha256(TWO), Done),
    ]
    assert await rig.partition_of("left", len(TWO)) == TWO


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_a_killed_daemon_is_followed_by_one_that_finishes_the_job(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(writing)
    await rig.stop(signal.SIGKILL)
    await rig.restart()
    await rig.wait(data=ONE)
    assert [(j.sha256, type(j.status)) for j in await rig.jobs()] == [(sha256(ONE), Done)]
    assert await rig.partition_of("left", len(ONE)) == ONE


async def test_a_daemon_started_again_knows_what_is_where(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    before = (await rig.client.call(api.GetStatus())).boards[0].partitions
    jobs = await rig.jobs()
    await rig.stop()
    await rig.restart()
    after = (await rig.until(lambda s: not any(p.being_written for p in s.boards[0].partitions))).boards[0].partitions
    assert after == before
    (app1,) = [p for p in after if p.name == "app1"]
    assert app1.contents is not None
    assert (app1.contents.sha256, app1.contents.version, app1.contents.verified) == (
        sha256(ONE),
        "flashdeck-test 1.0.0",
        "verified",
    )
    assert await rig.jobs() == jobs


async def test_a_hold_survives_a_restart(rig: Rig) -> None:
    await rig.client.call(api.Hold(boards=("left",), reason="measuring"))
    await rig.stop()
    await rig.restart()
    rig.build(ONE)
    snapshot = await rig.until(lambda s: len(s.jobs) == 1)
    assert snapshot.boards[0].hold == BoardHold(reason="measuring", by=HoldBy.PERSON)
    snapshot = await rig.until(lambda s: waits_for(s.jobs[0]) is WaitFor.HOLD)
    assert snapshot.jobs[0].text == "on hold: measuring"
    assert "`flashdeck release left`" in status_hint(snapshot.jobs[0].status)
    assert (await rig.emulated("left")).requests == 0
    await rig.client.call(api.Release(boards=("left",)))
    await rig.wait(data=ONE)
    assert await rig.partition_of("left", len(ONE)) == ONE


async def test_what_waited_for_its_board_tells_of_a_hold_that_came_since(rig: Rig) -> None:
    await rig.unplug("left")
    rig.build(ONE)
    await rig.until(lambda s: any("not connected" in job.text for job in s.jobs))
    await rig.client.call(api.Hold(boards=("left",), reason="measuring"))
    await rig.until(lambda s: "on hold: measuring" in s.jobs[0].text)
    await rig.client.call(api.Release(boards=("left",)))
    await rig.until(lambda s: "not connected" in s.jobs[0].text)
