"""A lane on an emulated board whose node, or bootloader, is not as it should be."""

import asyncio
import errno
import itertools
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import usb.core

from flash_rig import TARGET, image
from flash_rig import Rig as Emulated
from flashdeck.config import BankPolicy, Board, Partition, Profile, UsbId
from flashdeck.errors import DevicePermissionError, ErrorKind, FlashdeckError, WrongBankError
from flashdeck.model import DaemonState, JobState, JobStatus, LogLevel, Origin, Presence
from flashdeckd.boards import ABSENT, Sighting
from flashdeckd.flash import program
from flashdeckd.hub import Hub
from flashdeckd.images.spool import Spool
from flashdeckd.jobs import device_thread, setbacks
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.device_thread import OPEN_TRIES
from flashdeckd.jobs.experiences import ExperienceBook
from flashdeckd.jobs.lane import Lane
from flashdeckd.jobs.worker import Worker
from flashdeckd.journal import Journal
from flashdeckd.virtual.backend import Handle, VirtualBackend
from flashdeckd.virtual.board import VirtualBoard

PROFILE = Profile(
    name="product",
    dfu=UsbId(0x0483, 0xDF11),
    geometry=TARGET.geometry,
    banks=BankPolicy.TRUSTED,
    leave=False,
    partitions={"app1": Partition("app1", TARGET.span, guards=frozenset())},
)
BOARD = Board("left", PROFILE, serial="A1")


class Node(VirtualBackend):
    """The emulated bench behind a device node whose permissions somebody else sets."""

    def __init__(self, board: VirtualBoard) -> None:
        super().__init__([board])
        self.is_open = True
        self.closed: list[bool] = []
        """Whether the next tries are refused, while it is open."""
        self.tries = threading.Semaphore(0)

    def open_device(self, dev: object) -> Handle:
        self.tries.release()
        if not self.is_open or (self.closed and self.closed.pop(0)):
            raise usb.core.USBError("Access denied", -3, errno.EACCES)
        return super().open_device(dev)

    async def tried(self, times: int) -> None:
        """Waits for so many tries, from one that nobody has waited for yet."""
        for _ in range(times):
            assert await asyncio.to_thread(self.tries.acquire, timeout=30)


class Scene:
    """One lane that runs, on one emulated board in DFU mode."""

    def __init__(self, journal: Journal, spool: Spool) -> None:
        self.emulated = Emulated()
        self.hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
        self.node = Node(self.emulated.board)
        self.holds: list[str] = []
        self.disk_works = True
        self._journal = journal
        self._spool = spool
        self.lane: Lane

    async def begin(self) -> None:
        ledger = await self._journal.load()
        self.book = JobBook(self.hub, self._journal, ledger, lambda _: None)
        self.lane = Lane(
            BOARD,
            book=self.book,
            experiences=ExperienceBook(self.hub, self._journal, ledger.experiences, lambda _: None),
            hub=self.hub,
            spool=self._spool,
            backend=self.node,
            hold=self._hold,
        )
        self.see()

    async def _hold(self, reason: str) -> None:
        self.lane.held = reason
        self.holds.append(reason)
        if not self.disk_works:
            raise FlashdeckError("the disk is full")

    def see(self) -> None:
        """Hotplug finds the board."""
        self.lane.see(Sighting(Presence.DFU, replace(self.emulated.device, serial="A1")))

    async def order(self) -> JobState:
        artifact = await asyncio.to_thread(self._spool.add, image(20_000))
        job = await self.book.create("left", "app1", artifact, Origin.HAND)
        self.lane.poke()
        return job

    async def until(self, job: JobState, *statuses: JobStatus) -> JobState:
        async with asyncio.timeout(30):
            await self.hub.until(lambda: self.book.job(job.id).status in statuses)
        return self.book.job(job.id)

    def logged(self, level: LogLevel) -> list[str]:
        return [line.text for line in self.hub.logs(limit=1000) if line.level is level]


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(device_thread, "OPEN_PAUSE", 0.001)
    monkeypatch.setattr(setbacks, "ACCESS_SECONDS", 0.01)
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    scene = Scene(journal, Spool(tmp_path / "spool"))
    await scene.begin()
    running = asyncio.create_task(scene.lane.run())
    yield scene
    scene.lane.stop()
    await running
    await journal.close()


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


async def test_a_waiting_job_is_looked_at_again_when_its_board_is_plugged_in_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setbacks, "ACCESS_SECONDS", 1000.0)
    scene.node.is_open = False
    job = await scene.until(await scene.order(), JobStatus.WAITING)
    scene.lane.see(ABSENT)
    scene.node.is_open = True
    scene.see()
    await scene.until(job, JobStatus.DONE)


async def test_a_job_that_waits_for_access_can_be_cancelled_and_the_next_one_waits(scene: Scene) -> None:
    scene.node.is_open = False
    first = await scene.until(await scene.order(), JobStatus.WAITING)
    second = await scene.order()
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
    second = await scene.order()
    refuse.release(1000)
    await scene.until(second, JobStatus.WAITING)
    assert scene.book.job(first.id).status is JobStatus.CANCELLED


async def test_a_job_that_is_cancelled_while_its_image_is_read_is_not_flashed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, read = threading.Semaphore(0), threading.Semaphore(0)
    original = Spool.read

    def slow(spool: Spool, sha256: str) -> bytes:
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


def failing(error: FlashdeckError) -> Callable[..., program.Outcome]:
    def flash(*_: object, **__: object) -> program.Outcome:
        raise error

    return flash


@pytest.mark.parametrize("disk_works", [True, False])
async def test_a_board_whose_bootloader_was_harmed_is_held_so_that_nothing_resets_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, disk_works: bool
) -> None:
    scene.disk_works = disk_works
    monkeypatch.setattr(program, "flash", failing(WrongBankError("it changed", hint="write it anew", harmed=True)))
    first, second = await scene.order(), await scene.order()
    first = await scene.until(first, JobStatus.FAILED)
    assert first.failure is not None
    assert first.failure.kind is ErrorKind.WRONG_BANK
    assert scene.holds == ["it changed: write it anew"]
    assert scene.book.job(second.id).status is JobStatus.QUEUED
    assert bool([text for text in scene.logged(LogLevel.ERROR) if "disk is full" in text]) is not disk_works


async def test_a_wrong_bank_alone_fails_the_job_and_no_other(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "flash", failing(WrongBankError("the canary is still there")))
    first, second = await scene.order(), await scene.order()
    assert (await scene.until(first, JobStatus.FAILED)).attempts == 1
    assert (await scene.until(second, JobStatus.FAILED)).attempts == 1
    assert scene.holds == []
