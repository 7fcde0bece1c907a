"""A lane on an emulated board whose node, or bootloader, is not as it should be."""

import asyncio
import itertools
import threading
from collections.abc import Callable

import pytest

from flashdeck.errors import DeviceError, DevicePermissionError, ErrorKind, FlashdeckError, WrongBankError
from flashdeck.job_state import JobStatus
from flashdeck.model import LogLevel
from flashdeckd.boards.roster import ABSENT
from flashdeckd.flash import engine
from flashdeckd.flash.result import FlashResult
from flashdeckd.images.image import Image
from flashdeckd.images.spool import Spool
from flashdeckd.jobs import retry_policy
from flashdeckd.jobs.device_thread import OPEN_TRIES
from flashdeckd.jobs.worker import Worker
from lane_rig import Scene


async def test_a_job_without_access_waits_and_goes_on_by_itself(scene: Scene) -> None:
    scene.node.is_open = False
    job = await scene.until(await scene.order(), JobStatus.WAITING)
    assert "permission denied" in job.reason
    assert "udev rule" in job.reason
    assert job.attempts == 0
    await scene.node.tried(OPEN_TRIES + 3)
    assert scene.book.job(job.id) == job, "looking again is nothing to tell"
    scene.node.is_open = True
    job = await scene.until(job, JobStatus.DONE)
    assert job.attempts == 1


async def test_a_job_whose_access_is_taken_away_again_waits_again(scene: Scene) -> None:
    refused = [True] * OPEN_TRIES
    scene.node.closed = [*refused, False, *refused]
    seen: list[JobStatus] = []
    scene.hub.listen(lambda event: seen.append(event.job.status) if event.job else None)
    await scene.until(await scene.order(), JobStatus.DONE)
    turns = [status for status, _ in itertools.groupby(seen)]
    once = [JobStatus.RUNNING, JobStatus.WAITING]
    assert turns == [JobStatus.QUEUED, *once, *once, JobStatus.RUNNING, JobStatus.DONE]


async def test_an_interface_that_others_hold_for_a_moment_costs_a_job_nothing(scene: Scene) -> None:
    seen: list[JobStatus] = []
    scene.hub.listen(lambda event: seen.append(event.job.status) if event.job else None)
    scene.node.claims = OPEN_TRIES - 1
    job = await scene.until(await scene.order(), JobStatus.DONE, JobStatus.FAILED)
    assert (job.status, job.attempts) == (JobStatus.DONE, 1)
    assert JobStatus.WAITING not in seen


async def test_a_job_whose_board_another_program_holds_waits_and_goes_on_by_itself(scene: Scene) -> None:
    scene.node.is_claimed = True
    job = await scene.until(await scene.order(), JobStatus.WAITING, JobStatus.FAILED)
    assert job.status is JobStatus.WAITING
    assert "another program has claimed the device: close other DFU tools" in job.reason
    assert job.attempts == 0
    await scene.node.tried(OPEN_TRIES + 3)
    assert scene.book.job(job.id) == job, "looking again is nothing to tell"
    scene.node.is_claimed = False
    assert (await scene.until(job, JobStatus.DONE)).attempts == 1


async def test_what_is_taken_away_in_the_middle_of_a_flash_is_no_door_that_is_closed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "flash", failing(DeviceError("busy", kind=ErrorKind.DEVICE_BUSY)))
    job = await scene.until(await scene.order(), JobStatus.FAILED)
    assert job.attempts == 1


async def test_a_waiting_job_is_looked_at_again_when_its_board_is_plugged_in_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_policy, "ACCESS_SECONDS", 1000.0)
    scene.node.is_open = False
    job = await scene.until(await scene.order(), JobStatus.WAITING)
    scene.lane.see(ABSENT)
    scene.node.is_open = True
    scene.see()
    await scene.until(job, JobStatus.DONE)


async def test_a_job_that_waits_for_access_can_be_cancelled_and_the_next_one_waits(scene: Scene) -> None:
    scene.node.is_open = False
    first = await scene.until(await scene.order(), JobStatus.WAITING)
    second = await scene.order("partition2")
    await scene.lane.cancel(first)
    second = await scene.until(second, JobStatus.WAITING)
    assert "permission denied" in second.reason
    scene.node.is_open = True
    await scene.until(second, JobStatus.DONE)
    assert scene.book.job(first.id).status is JobStatus.CANCELLED


async def test_a_job_that_is_cancelled_while_its_board_is_tried_again_stays_cancelled(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    trying, refuse = threading.Semaphore(0), threading.Semaphore(0)

    def reach(*_: object) -> None:
        trying.release()
        assert refuse.acquire(timeout=30)
        raise DevicePermissionError("permission denied")

    monkeypatch.setattr(Worker, "reach", reach)
    scene.node.is_open = False
    first = await scene.until(await scene.order(), JobStatus.WAITING)
    assert await asyncio.to_thread(trying.acquire, timeout=30)
    await scene.lane.cancel(first)
    second = await scene.order("partition2")
    refuse.release(1000)
    await scene.until(second, JobStatus.WAITING)
    assert scene.book.job(first.id).status is JobStatus.CANCELLED


async def test_a_job_that_is_cancelled_while_its_image_is_read_is_not_flashed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, read = threading.Semaphore(0), threading.Semaphore(0)
    original = Spool.read

    def slow(spool: Spool, sha256: str) -> Image:
        reading.release()
        assert read.acquire(timeout=30)
        return original(spool, sha256)

    monkeypatch.setattr(Spool, "read", slow)
    job = await scene.order()
    read.release()  # before the board is touched
    for _ in range(2):
        assert await asyncio.to_thread(reading.acquire, timeout=30)
    assert scene.book.job(job.id).status is JobStatus.QUEUED
    await scene.lane.cancel(job)
    read.release(1000)
    await scene.until(await scene.order(), JobStatus.DONE)
    assert scene.book.job(job.id).status is JobStatus.CANCELLED
    assert not [line.text for line in scene.hub.logs(limit=1000) if line.job == job.id and "flashing" in line.text]


def failing(error: FlashdeckError) -> Callable[..., FlashResult]:
    def flash(*_: object, **__: object) -> FlashResult:
        raise error

    return flash


@pytest.mark.parametrize("disk_works", [True, False])
async def test_a_board_whose_bootloader_was_harmed_is_held_so_that_nothing_resets_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, disk_works: bool
) -> None:
    scene.disk_works = disk_works
    monkeypatch.setattr(engine, "flash", failing(WrongBankError("it changed", hint="write it anew", harmed=True)))
    first, second = await scene.order("partition2"), await scene.order()
    first = await scene.until(first, JobStatus.FAILED)
    assert first.failure is not None
    assert first.failure.kind is ErrorKind.WRONG_BANK
    assert scene.holds == ["it changed: write it anew"]
    assert "board left is held: it changed" in (await scene.until(second, JobStatus.WAITING)).reason
    assert bool([text for text in scene.logged(LogLevel.ERROR) if "disk is full" in text]) is not disk_works


async def test_a_wrong_bank_alone_fails_the_job_and_no_other(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "flash", failing(WrongBankError("the canary is still there")))
    first, second = await scene.order("partition2"), await scene.order()
    assert (await scene.until(first, JobStatus.FAILED)).attempts == 1
    assert (await scene.until(second, JobStatus.FAILED)).attempts == 1
    assert scene.holds == []
