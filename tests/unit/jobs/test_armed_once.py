"""The one job that a board is armed for: when it disarms the board."""

from pathlib import Path

import pytest

from flash_rig import image
from flashdeck.job_state import Cancelled, Done, Superseded, WaitFor, Waiting
from flashdeck.model import JobState
from flashdeckd.images.image import Image
from flashdeckd.usb.recognition import ABSENT
from lane_rig import hurry, running_lane

BEFORE, AFTER = (image(20_000, seed=seed) for seed in (1, 2))
OLD, NEW = Image.raw(BEFORE), Image.raw(AFTER)


async def test_it_disarms_before_its_first_erase(tmp_path: Path) -> None:
    async with running_lane(tmp_path) as scene:
        await scene.until(await scene.bring(OLD), Done)
        assert scene.disarmed_over == []
        await scene.until(await scene.bring(NEW, once=True), Done)
        assert scene.disarmed_over == [BEFORE[:16]]


async def test_it_disarms_where_the_board_has_the_image_already(tmp_path: Path) -> None:
    async with running_lane(tmp_path) as scene:
        await scene.until(await scene.bring(NEW), Done)
        await scene.book.forget("left", "app1")  # as of a partition that was moved, and back: only the board knows
        await scene.until(await scene.bring(NEW, once=True), Done)
        assert scene.disarmed_over == [AFTER[:16]]


async def test_a_build_that_the_board_is_known_to_have_is_not_the_one_job(tmp_path: Path) -> None:
    """It was queued behind one that was given up before it had changed anything."""
    async with running_lane(tmp_path) as scene:
        await scene.until(await scene.bring(NEW), Done)
        await scene.until(await scene.bring(NEW, once=True), Superseded)
        assert scene.disarmed_over == []


async def test_nothing_is_erased_where_it_cannot_be_recorded_and_the_job_goes_on_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)

    def waits(job: JobState) -> bool:
        return isinstance(job.status, Waiting) and job.status.for_ is WaitFor.DISK

    async with running_lane(tmp_path) as scene:
        await scene.until(await scene.bring(OLD), Done)
        scene.disk_works = False
        job = await scene.bring(NEW, once=True)
        await scene.hub.until(lambda: waits(scene.book.job(job.id)))
        assert scene.disarmed_over
        assert set(scene.disarmed_over) == {BEFORE[:16]}
        scene.disk_works = True
        await scene.until(job, Done)


async def test_a_job_that_ends_before_it_erases_disarms_nothing(tmp_path: Path) -> None:
    async with running_lane(tmp_path) as scene:
        scene.lane.see(ABSENT)
        job = await scene.bring(NEW, once=True)
        await scene.lane.cancel(job)
        await scene.until(job, Cancelled)
        assert scene.disarmed_over == []
