"""Between a job's turn and its beginning lies a wait, for its image or a record, in which others act."""

from collections.abc import Callable

import pytest

from flashdeck.job_state import Done, Failed, JobKind, Queued, Superseded, WaitFor, Waiting
from flashdeck.model import BoardHold, BoardLease, JobState
from flashdeckd.images.image import Image
from flashdeckd.jobs.board_names import BoardNames
from flashdeckd.jobs.job_images import JobImages
from flashdeckd.jobs.taken_boards import TakenBoards
from job_states import waits_for
from lane_rig import Scene


def lease() -> TakenBoards:
    return TakenBoards("token", BoardNames(("left",)), BoardLease(by="somebody", since=1.0))


def puts_on_hold(scene: Scene) -> None:
    scene.lane.hold = BoardHold(reason="wait")


def takes(scene: Scene) -> None:
    scene.lane.lease = lease()


@pytest.mark.parametrize(("act", "waits"), [(puts_on_hold, WaitFor.HOLD), (takes, WaitFor.LEASE)])
async def test_a_job_does_not_begin_once_its_board_is_held_or_taken_while_its_image_is_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, act: Callable[[Scene], None], waits: WaitFor
) -> None:
    """Found by seed 103 of the simulation."""
    read, times = JobImages.read, 0

    async def read_meanwhile(images: JobImages, job: JobState) -> Image:
        nonlocal times
        found, times = await read(images, job), times + 1
        if times == 2:  # it was looked at once when it was queued
            act(scene)
        return found

    monkeypatch.setattr(JobImages, "read", read_meanwhile)
    job = await scene.until(await scene.order(), Waiting, Done, Failed)
    assert (waits_for(job), job.attempts) == (waits, 0)


async def test_a_job_that_is_superseded_as_another_is_told_of_the_end_of_a_lease_stays_so(scene: Scene) -> None:
    """Found by seed 76 of the simulation: the daemon ended by it."""
    scene.lane.lease = lease()
    first = await scene.until(await scene.order("app1"), Waiting)
    second = await scene.until(await scene.order("partition2"), Waiting)
    save = scene.journal.save_job

    async def save_meanwhile(job: JobState) -> None:
        await save(job)
        if job.id == first.id and isinstance(job.status, Queued):
            await scene.book.supersede(second, 99)

    scene.journal.save_job = save_meanwhile  # type: ignore[method-assign]
    scene.lane.lease = None
    scene.lane.poke()
    await scene.until(first, Done)
    assert scene.book.job(second.id).status == Superseded(by=99)


async def test_a_reset_that_is_cancelled_as_another_job_is_told_of_a_hold_stays_so(scene: Scene) -> None:
    """It is the same with what a hold tells the jobs."""
    scene.lane.lease = lease()
    first = await scene.until(await scene.order("app1"), Waiting)
    second = await scene.until(await scene.ask(JobKind.RESET, ""), Waiting)
    save = scene.journal.save_job

    async def save_meanwhile(job: JobState) -> None:
        await save(job)
        if job.id == first.id and waits_for(job) is WaitFor.HOLD:
            await scene.book.supersede(second, 99)

    scene.journal.save_job = save_meanwhile  # type: ignore[method-assign]
    scene.lane.hold = BoardHold(reason="wait")
    scene.lane.poke()
    await scene.until(second, Superseded, Failed)
    scene.lane.hold = None
    scene.lane.lease = None
    scene.lane.poke()
    await scene.until(first, Done)
    assert scene.book.job(second.id).status == Superseded(by=99)
