"""What counts as the start of an application, once its board was told to leave DFU mode."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct

from flashdeck.config import Enter, UsbId
from flashdeck.errors import ErrorKind
from flashdeck.job_state import Done, Failed, Running, Verified, Waiting, Written
from flashdeck.model import Contents, JobState, LogLevel, Presence
from flashdeckd.flash import engine
from flashdeckd.flash.result import FlashResult
from flashdeckd.jobs import departure
from flashdeckd.usb.recognition import ABSENT, Sighting
from idle_loop import until_nothing_is_ready
from lane_rig import PROFILE, Scene, running_lane

APP = UsbId(0x0483, 0x5740)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with running_lane(tmp_path, replace(PROFILE, app=APP, enter=Enter.MANUAL, leave=True)) as scene:
        yield scene


@pytest.fixture
async def shows(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[Sighting]:
    """What hotplug tells one after the other once the board has left; the leave itself is only claimed."""
    sightings: list[Sighting] = []
    loop = asyncio.get_running_loop()
    real: Callable[..., FlashResult] = engine.flash

    async def show() -> None:
        for sighting in sightings:
            scene.lane.see(sighting)
            await asyncio.sleep(0.001)  # lets the lane's thread come back
            await until_nothing_is_ready()  # and the lane see each of them

    def flash(*words: object, **rest: object) -> FlashResult:
        outcome = replace(real(*words, **rest), left=True)
        asyncio.run_coroutine_threadsafe(show(), loop)
        return outcome

    monkeypatch.setattr(engine, "flash", flash)
    return sightings


def dfu(scene: Scene) -> Sighting:
    return Sighting(Presence.DFU, replace(scene.emulated.device, serial="A1", address=77))


async def test_a_bootloader_that_shows_itself_before_it_starts_the_application_has_accepted_it(
    scene: Scene, shows: list[Sighting]
) -> None:
    started = Sighting(Presence.APP, replace(scene.emulated.device, serial="A1", usb_id=APP, address=78))
    shows += [ABSENT, dfu(scene), ABSENT, started]
    job = await scene.until(await scene.order(), Done, Failed)
    assert isinstance(job.status, Done), job.text
    assert job.result is not None
    assert job.result.started


async def test_a_bootloader_that_stays_has_not(
    scene: Scene, shows: list[Sighting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departure, "WINDOW_SECONDS", 0.01, raising=False)
    shows += [ABSENT, dfu(scene)]
    job = await scene.until(await scene.order(), Failed)
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.NOT_ACCEPTED


def started(scene: Scene) -> Sighting:
    return Sighting(Presence.APP, replace(scene.emulated.device, serial="A1", usb_id=APP, address=78))


async def written_before_the_leave(scene: Scene) -> JobState:
    """A job whose image is complete on a board that was lost then."""
    scene.lane.see(ABSENT)
    job = await scene.order()
    made = Contents(sha256=job.sha256, size=job.size, flashed_at=1.0, verified=Verified.YES, job=job.id, serial="A1")
    await scene.book.record("left", "app1", replace_struct(made, bcd_device=scene.emulated.device.bcd_device))
    return await scene.book.move(job, Written())


async def test_a_job_that_is_cancelled_while_its_start_is_recorded_stays_cancelled_and_the_lane_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await written_before_the_leave(scene)
    record = scene.book.record

    async def cancel_and_record(board: str, partition: str, contents: Contents) -> None:
        await scene.lane.cancel(job)
        await record(board, partition, contents)

    monkeypatch.setattr(scene.book, "record", cancel_and_record)
    scene.lane.see(started(scene))
    job = await scene.until(job, Done)
    assert isinstance(job.status, Done)
    assert job.status.not_started == "cancelled before the leave"
    monkeypatch.undo()
    scene.see()
    await scene.until(await scene.order("partition2"), Running)
    assert not [line for line in scene.logged(LogLevel.ERROR) if "fault" in line]


async def test_a_fault_of_ours_in_the_end_of_a_visit_fails_its_jobs_and_ends_no_lane(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(departure.Departure, "seen_running", broken)
        job = await written_before_the_leave(scene)
        scene.lane.see(started(scene))
        job = await scene.until(job, Failed)
        assert "a fault in flashdeckd: ZeroDivisionError" in job.text
    scene.see()
    await scene.until(await scene.order("partition2"), Running)


async def test_a_board_that_does_not_start_because_of_what_an_earlier_visit_left_is_no_refusal_of_this_image(
    scene: Scene, shows: list[Sighting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departure, "WINDOW_SECONDS", 0.01)
    torn = Contents(sha256="", size=0, flashed_at=1.0, verified=Verified.NO, job=0, complete=False, serial="A1")
    await scene.book.record("left", "app1", replace_struct(torn, bcd_device=scene.emulated.device.bcd_device))
    shows += [ABSENT, dfu(scene)]
    job = await scene.until(await scene.order("partition2"), Done, Failed)
    assert isinstance(job.status, Done), job.text
    assert job.status.not_started == "app1 is incomplete"


async def test_an_application_that_was_seen_has_started_whoever_presses_the_button_right_after(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., FlashResult] = engine.flash
    loop = asyncio.get_running_loop()

    def start_and_press() -> None:
        for sighting in (ABSENT, started(scene), ABSENT, dfu(scene)):
            scene.lane.see(sighting)  # the lane sees only the last of them

    def flash(*words: object, **rest: object) -> FlashResult:
        outcome = replace(real(*words, **rest), left=True)
        loop.call_soon_threadsafe(start_and_press)
        return outcome

    monkeypatch.setattr(engine, "flash", flash)
    monkeypatch.setattr(departure, "WINDOW_SECONDS", 0.01)
    job = await scene.until(await scene.order(), Done, Failed)
    assert isinstance(job.status, Done), job.text
    assert job.result is not None
    assert job.result.started


async def test_a_board_that_was_lost_before_the_leave_gets_a_newer_image_before_it_is_started(scene: Scene) -> None:
    older = await written_before_the_leave(scene)
    newer = await scene.order(size=30_000)
    scene.see()
    older = await scene.until(older, Done, Failed)
    assert isinstance(older.status, Done)
    assert older.status.not_started == f"job {newer.id} has brought a newer image"
    assert isinstance((await scene.until(newer, Written, Failed)).status, Written)


async def test_a_board_that_runs_what_was_written_to_it_is_not_asked_for_anything_before_that_is_told(
    scene: Scene,
) -> None:
    older = await written_before_the_leave(scene)
    newer = await scene.order(size=30_000)
    scene.lane.see(started(scene))
    older = await scene.until(older, Done, Failed)
    assert isinstance(older.status, Done)
    assert not older.status.not_started
    await scene.until_says(newer, "is running", Waiting)
