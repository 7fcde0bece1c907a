"""A lane on an emulated board whose node, or bootloader, is not as it should be."""

import asyncio
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from flashdeck.errors import (
    BlockedError,
    DeviceError,
    DeviceGoneError,
    DevicePermissionError,
    ErrorKind,
    FlashdeckError,
    WrongBankError,
)
from flashdeck.job_state import Blocked, Cancelled, Done, Failed, JobStatus, Queued, Running, WaitFor, Waiting, Written
from flashdeck.model import JobState, LogLevel
from flashdeckd.flash import engine
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import Image
from flashdeckd.jobs import retry_policy
from flashdeckd.jobs.bootloader_book import MAX_READS_LOST
from flashdeckd.jobs.device_thread import OPEN_TRIES
from flashdeckd.jobs.job_images import JobImages
from flashdeckd.jobs.worker import Worker
from flashdeckd.usb.recognition import ABSENT
from job_states import waits_for
from lane_rig import Scene


def states_of(scene: Scene) -> list[type[JobStatus]]:
    """The states that jobs come into from now on."""
    seen: list[type[JobStatus]] = []
    scene.hub.listen(lambda event: seen.append(type(event.job.status)) if event.job else None)
    return seen


async def test_a_job_without_access_waits_and_goes_on_by_itself(scene: Scene) -> None:
    scene.node.is_open = False
    job = await scene.until(await scene.order(), Waiting)
    assert isinstance(job.status, Waiting)
    assert job.status.for_ is WaitFor.ACCESS
    assert "permission denied" in job.text
    assert "udev rule" in job.status.hint
    assert job.attempts == 0
    await scene.node.tried(OPEN_TRIES + 3)
    assert scene.book.job(job.id) == job, "looking again is nothing to tell"
    scene.node.is_open = True
    job = await scene.until(job, Done)
    assert job.attempts == 1


async def test_a_job_whose_access_is_taken_away_again_waits_again(scene: Scene) -> None:
    refused = [True] * OPEN_TRIES
    scene.node.closed = [*refused, False, *refused]
    seen = states_of(scene)
    await scene.order()
    async with asyncio.timeout(30):
        await scene.hub.until(lambda: Done in seen)
    turns = [status for status, _ in itertools.groupby(seen)]
    once = [Running, Waiting]
    assert turns == [Queued, *once, *once, Running, Written, Done]


async def test_an_interface_that_others_hold_for_a_moment_costs_a_job_nothing(scene: Scene) -> None:
    seen = states_of(scene)
    scene.node.claims = OPEN_TRIES - 1
    job = await scene.until(await scene.order(), Done, Failed)
    assert (type(job.status), job.attempts) == (Done, 1)
    assert Waiting not in seen


async def test_a_job_whose_board_another_program_holds_waits_and_goes_on_by_itself(scene: Scene) -> None:
    scene.node.is_claimed = True
    job = await scene.until(await scene.order(), Waiting, Failed)
    assert isinstance(job.status, Waiting)
    assert "another program has claimed the device" in job.text
    assert (job.status.for_, job.status.hint[:21]) == (WaitFor.BUSY, "close other DFU tools")
    assert job.attempts == 0
    await scene.node.tried(OPEN_TRIES + 3)
    assert scene.book.job(job.id) == job, "looking again is nothing to tell"
    scene.node.is_claimed = False
    assert (await scene.until(job, Done)).attempts == 1


async def test_a_board_that_is_taken_away_in_the_middle_of_a_flash_is_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(engine, "flash", failing(DeviceError("busy", kind=ErrorKind.DEVICE_BUSY)))
        job = await scene.until(await scene.order(), Waiting)
        assert waits_for(job) is WaitFor.BUSY
    await scene.until(job, Done)


async def test_a_waiting_job_is_looked_at_again_when_its_board_is_plugged_in_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = {kind: replace(rule, pauses=(1000.0,)) for kind, rule in retry_policy.RULES.items()}
    monkeypatch.setattr(retry_policy, "RULES", patient)
    scene.node.is_open = False
    job = await scene.until(await scene.order(), Waiting)
    scene.lane.see(ABSENT)
    scene.node.is_open = True
    scene.see()
    await scene.until(job, Done)


async def test_a_job_that_waits_for_access_can_be_cancelled_and_the_next_one_waits(scene: Scene) -> None:
    scene.node.is_open = False
    first = await scene.until(await scene.order(), Waiting)
    second = await scene.order("partition2")
    await scene.lane.cancel(first)
    second = await scene.until(second, Waiting)
    assert "permission denied" in second.text
    scene.node.is_open = True
    await scene.until(second, Done)
    assert isinstance(scene.book.job(first.id).status, Cancelled)


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
    first = await scene.until(await scene.order(), Waiting)
    assert await asyncio.to_thread(trying.acquire, timeout=30)
    await scene.lane.cancel(first)
    second = await scene.order("partition2")
    refuse.release(1000)
    await scene.until(second, Waiting)
    assert isinstance(scene.book.job(first.id).status, Cancelled)


async def test_a_job_that_is_cancelled_while_its_image_is_read_is_not_flashed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, read = asyncio.Semaphore(0), asyncio.Semaphore(0)
    original = JobImages.read

    async def slow(images: JobImages, job: JobState) -> Image:
        reading.release()
        await read.acquire()
        return await original(images, job)

    monkeypatch.setattr(JobImages, "read", slow)
    job = await scene.order()
    read.release()  # before the board is touched
    async with asyncio.timeout(30):
        for _ in range(2):
            await reading.acquire()
    assert isinstance(scene.book.job(job.id).status, Queued)
    await scene.lane.cancel(job)
    for _ in range(10):
        read.release()
    await scene.until(await scene.order(), Done)
    assert isinstance(scene.book.job(job.id).status, Cancelled)
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
    first, second = await scene.order(), await scene.order("partition2")  # as in the configuration, whoever is quicker
    first = await scene.until(first, Failed)
    assert first.failure is not None
    assert first.failure.kind is ErrorKind.WRONG_BANK
    assert scene.holds == ["it changed: write it anew"]
    second = await scene.until_says(second, "on hold: it changed", Waiting)
    assert waits_for(second) is WaitFor.HOLD
    assert bool([text for text in scene.logged(LogLevel.ERROR) if "disk is full" in text]) is not disk_works


async def test_a_wrong_bank_alone_fails_the_job_and_no_other(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "flash", failing(WrongBankError("the canary is still there")))
    first, second = await scene.order("partition2"), await scene.order()
    assert (await scene.until(first, Failed)).attempts == 1
    assert (await scene.until(second, Failed)).attempts == 1
    assert scene.holds == []


@pytest.mark.parametrize("lost_before", [0, MAX_READS_LOST])
async def test_a_job_that_reads_nothing_because_cables_were_pulled_reads_again_once_its_board_stays(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, lost_before: int
) -> None:
    for _ in range(lost_before):
        await scene.lane.lost_in_a_read(replace(scene.emulated.device, serial="A1"))
    monkeypatch.setattr(retry_policy, "RESTS", (0.05,))
    real: Callable[..., FlashResult] = engine.flash
    loop = asyncio.get_running_loop()
    reads: list[bool] = []

    def flash(*words: object, **rest: object) -> FlashResult:
        (target,) = [each for each in (*words, *rest.values()) if isinstance(each, AddressTarget)]
        reads.append(target.may_read)
        if len(reads) == 1 and not lost_before:
            loop.call_soon_threadsafe(scene.lane.see, ABSENT)
            raise DeviceGoneError("pulled", during_read=True)
        if not target.may_read:
            raise BlockedError("nobody can see which bank it erases", hint="flashdeck release left")
        return real(*words, **rest)

    monkeypatch.setattr(engine, "flash", flash)
    job = await scene.order()
    if not lost_before:
        await scene.until(job, Waiting)
        scene.see()
    blocked = await scene.until(job, Blocked)
    assert isinstance(blocked.status, Blocked)
    assert blocked.status.hint == "it is read again once board left has stayed for 0.05 s; or flashdeck release left"
    await scene.until(job, Done)
    assert reads[-2:] == [False, True]
