"""Safety rule 6: a job that was cut short goes on with the newest artifact queued since."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flash_rig import image
from flashdeck.errors import DeviceGoneError, ErrorKind, FlashdeckError, ParkedError, TransferTimeoutError
from flashdeck.job_state import Cancelled, Done, JobStatus, Queued, Superseded, Verified, WaitFor, Waiting, Written
from flashdeck.model import Contents, JobState, Origin, Presence
from flashdeck.words.jobs import status_hint
from flashdeckd.flash import engine
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.result import FlashResult
from flashdeckd.images.image import Image
from flashdeckd.jobs.queue import overtaken
from flashdeckd.usb.recognition import ABSENT, Sighting
from job_states import BLOCKED, QUEUED, RUNNING, WAITING, WRITTEN, waits_for
from lane_rig import Scene, running_lane

OLD, NEW = 20_000, 30_000
OTHER = image(OLD, seed=2)
"""An image that the newer one does not bring, as it does the old one of the same bytes."""


class CutShort:
    """The engine, but for its first flash: while that runs a newer image is queued, and then it fails."""

    def __init__(
        self, scene: Scene, error: FlashdeckError, *, began: bool = True, origin: Origin = Origin.HAND
    ) -> None:
        self._scene, self._error, self._began, self._origin = scene, error, began, origin
        self._loop = asyncio.get_running_loop()
        self._real: Callable[..., FlashResult] = engine.flash
        self.sizes: list[int] = []
        self.newer: JobState | None = None

    def __call__(
        self, pipe: object, image: Image, target: object, listener: FlashListener, **rest: object
    ) -> FlashResult:
        self.sizes.append(image.size)
        if len(self.sizes) > 1:
            return self._real(pipe, image, target, listener, **rest)
        if self._began:
            listener.began()
        newer = self._scene.order(size=NEW, origin=self._origin)
        self.newer = asyncio.run_coroutine_threadsafe(newer, self._loop).result()
        if isinstance(self._error, DeviceGoneError):
            self._loop.call_soon_threadsafe(self._scene.lane.see, ABSENT)
        raise self._error


@pytest.mark.parametrize("error", [DeviceGoneError("cable pulled"), TransferTimeoutError("no answer")], ids=str)
async def test_an_interrupted_job_gives_way_to_the_newer_one_that_came_while_it_ran(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: FlashdeckError
) -> None:
    cut = CutShort(scene, error)
    monkeypatch.setattr(engine, "flash", cut)
    old = await scene.until(await scene.order(size=OLD), Superseded)
    assert cut.newer is not None
    assert old.text == f"superseded by job {cut.newer.id}"
    if isinstance(error, DeviceGoneError):
        contents = scene.book.contents("left", "app1")
        assert contents is not None
        assert not contents.complete
        assert waits_for(await scene.until(cut.newer, Waiting)) is WaitFor.ABSENT
        scene.see()
    await scene.until(cut.newer, Done)
    assert cut.sizes == [OLD, NEW]
    contents = scene.book.contents("left", "app1")
    assert contents is not None
    assert (contents.job, contents.complete) == (cut.newer.id, True)


@pytest.mark.parametrize("origin", [Origin.BUILD, Origin.HAND])
async def test_a_build_that_is_still_there_once_what_ran_before_it_is_given_up_is_not_flashed_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, origin: Origin
) -> None:
    """A, B, A: B is lost before it has changed anything, and A is built again. Found by seed 726 of the simulation."""
    await scene.until(await scene.order(size=NEW), Done)
    cut = CutShort(scene, DeviceGoneError("cable pulled"), began=False, origin=origin)
    monkeypatch.setattr(engine, "flash", cut)
    await scene.until(await scene.order(data=OTHER, origin=Origin.BUILD), Superseded)
    assert cut.newer is not None
    newer = await scene.until(cut.newer, Superseded, Waiting)
    scene.see()
    if origin is Origin.BUILD:
        assert newer.status == Superseded()
        assert cut.sizes == [OLD]
    else:
        await scene.until(newer, Done)  # a person wants it: it is flashed
        assert cut.sizes == [OLD, NEW]


async def test_a_build_that_is_still_there_once_what_ran_before_it_is_cancelled_is_not_flashed_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.until(await scene.order(size=NEW), Done)
    cut = CutShort(scene, ParkedError("cancelled", kind=ErrorKind.CANCELLED), began=False, origin=Origin.BUILD)
    monkeypatch.setattr(engine, "flash", cut)
    await scene.until(await scene.order(data=OTHER, origin=Origin.BUILD), Cancelled)
    assert cut.newer is not None
    newer = await scene.until(cut.newer, Superseded, Done)
    assert newer.text == "superseded the board has the newest build already"
    assert cut.sizes == [OLD]


async def test_a_job_whose_image_is_whole_lacks_its_leave_alone_and_is_no_flash_to_give_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flash(pipe: object, image: Image, target: object, listener: FlashListener, **rest: object) -> FlashResult:
        if not cut.sizes:
            listener.committed()
        return cut(pipe, image, target, listener, **rest)

    cut = CutShort(scene, DeviceGoneError("cable pulled"), began=False)
    monkeypatch.setattr(engine, "flash", flash)
    old = await scene.until_says(await scene.order(size=OLD), "was lost before it was started", Written)
    scene.see()
    await scene.until(old, Done)
    assert cut.newer is not None
    await scene.until(cut.newer, Done)
    assert cut.sizes == [OLD, NEW]


async def test_another_board_in_the_place_of_one_whose_image_is_whole_is_left_alone_until_it_is_released(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flash(pipe: object, image: Image, target: object, listener: FlashListener, **rest: object) -> FlashResult:
        outcome = real(pipe, image, target, listener, **rest)
        loop.call_soon_threadsafe(scene.lane.see, ABSENT)
        interrupted.append(len(interrupted) == 0)
        return replace(outcome, interrupted=interrupted[-1])

    loop, interrupted = asyncio.get_running_loop(), list[bool]()
    real: Callable[..., FlashResult] = engine.flash
    monkeypatch.setattr(engine, "flash", flash)
    job = await scene.until(await scene.order(), Written)
    scene.lane.see(Sighting(Presence.DFU, replace(scene.emulated.device, serial="B2")))
    await scene.until_says(job, "another device is in the place of board left: serial B2", Written)
    assert interrupted == [True]
    await scene.lane.release()
    await scene.until(job, Done)
    assert interrupted == [True, False]
    contents = scene.book.contents("left", "app1")
    assert contents is not None
    assert contents.serial == "B2"


async def test_a_job_behind_one_that_waits_for_its_own_board_says_what_it_waits_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by seed 880 of the simulation: it was queued, and nothing said why it stayed so."""

    def flash(*args: object, **rest: object) -> FlashResult:
        outcome = real(*args, **rest)
        loop.call_soon_threadsafe(scene.lane.see, ABSENT)
        return replace(outcome, interrupted=True)

    loop = asyncio.get_running_loop()
    real: Callable[..., FlashResult] = engine.flash
    monkeypatch.setattr(engine, "flash", flash)
    job = await scene.until(await scene.order(size=OLD), Written)
    monkeypatch.setattr(engine, "flash", real)
    scene.lane.see(Sighting(Presence.DFU, replace(scene.emulated.device, serial="B2")))
    newer = await scene.until(await scene.order(size=NEW), Waiting)
    assert waits_for(newer) is WaitFor.OTHER_DEVICE
    assert f"job {job.id} comes first: another device is in the place of board left: serial B2" in newer.text
    assert "flashdeck release left" in status_hint(newer.status)
    await scene.lane.release()
    await scene.until(newer, Done)


async def test_a_job_that_has_ended_is_not_superseded_any_more(scene: Scene) -> None:
    done = await scene.until(await scene.order(), Done)
    await scene.book.supersede(done, 2)
    assert scene.book.job(done.id) == done


async def test_another_partition_is_no_newer_artifact(scene: Scene) -> None:
    scene.lane.see(ABSENT)
    first, second = await scene.order(), await scene.order("partition2")
    scene.see()
    await scene.until(first, Done)
    await scene.until(second, Done)


async def test_after_a_restart_the_newest_goes_on_in_the_place_of_what_was_parked(tmp_path: Path) -> None:
    async with running_lane(tmp_path) as scene:
        scene.lane.see(ABSENT)
        scene.lane.stop()
        old = await scene.order(size=OLD)
        # As a daemon leaves it that was killed: running, its partition begun.
        await scene.book.begin_attempt(old, RUNNING)
        torn = Contents(sha256=old.sha256, size=OLD, flashed_at=0, verified=Verified.NO, job=old.id, complete=False)
        await scene.book.record("left", "app1", torn)
        newer = await scene.order(size=NEW)
    async with running_lane(tmp_path) as scene:
        await scene.book.move(old, Queued(note="the daemon was restarted"))
        scene.lane.poke()
        await scene.until(newer, Done)
        assert isinstance(scene.book.job(old.id).status, Superseded)


def job(number: int, status: JobStatus = QUEUED, partition: str = "app1") -> JobState:
    return JobState(
        id=number,
        board="left",
        partition=partition,
        sha256="a" * 64,
        size=1,
        origin=Origin.BUILD,
        status=status,
        created_at=0,
    )


def test_what_does_not_run_gives_way_to_the_newest_of_its_partition() -> None:
    blocked, waiting, newest = job(1, BLOCKED), job(2, WAITING), job(4)
    assert overtaken([newest, blocked, job(3, partition="app2"), waiting]) == [(blocked, newest), (waiting, newest)]


def test_what_runs_gives_way_to_nothing() -> None:
    assert overtaken([job(1, RUNNING), job(2)]) == []
    assert overtaken([job(1, WRITTEN), job(2)]) == []
    assert overtaken([]) == []
