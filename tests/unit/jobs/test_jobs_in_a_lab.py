"""Jobs on a board that is part of a lab: whose they are decides when they start."""

import asyncio
from pathlib import Path

import pytest

from flash_rig import image
from flashdeck.errors import BlockedError
from flashdeck.job_state import Done, JobKind, WaitFor, Waiting
from flashdeck.model import JobState, Origin
from flashdeckd.images.image import Image
from flashdeckd.jobs.job_images import JobImages
from flashdeckd.jobs.lab_gate import LabGate, LabHolding
from flashdeckd.jobs.taken_boards import lab_user
from flashdeckd.usb.recognition import ABSENT
from job_states import waits_for
from lane_rig import Scene, running_lane

ANN, BOB = "desk/ann", "cellar/bob"
ANNS, BOBS = (
    LabGate(holding=LabHolding(place="left", holder=each), is_known=True, only_for=ANN) for each in (ANN, BOB)
)
NOBODYS = LabGate(is_known=True, only_for=ANN)


def turn(scene: Scene, gate: LabGate | None) -> None:
    """Let the lab say who has the board."""
    scene.gate = gate
    scene.lane.poke()


async def asked_by(user: str, scene: Scene) -> JobState:
    async def ask() -> JobState:
        lab_user.set(user)
        return await scene.order()

    return await asyncio.create_task(ask())


async def waits_in_lab(scene: Scene, job: JobState) -> str:
    """Return why a job waits for who has the board."""
    waiting = await scene.until(job, Waiting)
    assert waits_for(waiting) is WaitFor.LEASE
    return waiting.text


async def test_builds_wait_for_the_one_user_and_go_once_that_one_has_the_board(scene: Scene) -> None:
    turn(scene, NOBODYS)
    build = await scene.order(origin=Origin.BUILD)
    assert f"until {ANN} has acquired" in await waits_in_lab(scene, build)
    turn(scene, BOBS)
    await scene.until_says(build, f"taken by {BOB} for place left")
    turn(scene, ANNS)
    await scene.until(build, Done)


async def test_a_job_of_somebody_else_waits_until_the_place_is_released(scene: Scene) -> None:
    turn(scene, ANNS)
    others = await asked_by("", scene)
    assert f"taken by {ANN}" in await waits_in_lab(scene, others)
    turn(scene, None)
    await scene.until(others, Done)


async def test_a_job_of_the_holder_goes_and_one_that_is_retried_by_the_holder_becomes_theirs(scene: Scene) -> None:
    turn(scene, BOBS)
    await scene.until(await asked_by(BOB, scene), Done)
    others = await asked_by("", scene)
    await waits_in_lab(scene, others)

    async def retry() -> None:
        lab_user.set(BOB)
        await scene.lane.look_again(others)

    await asyncio.create_task(retry())
    await scene.until(others, Done)


async def test_what_comes_before_a_job_of_the_holder_and_is_not_theirs_is_named(scene: Scene) -> None:
    turn(scene, BOBS)
    build = await scene.order(origin=Origin.BUILD)
    await waits_in_lab(scene, build)

    async def ask() -> JobState:
        lab_user.set(BOB)
        return await scene.ask(JobKind.READ)

    read = await asyncio.create_task(ask())
    assert f"job {build.id}, which is not of the lease" in await waits_in_lab(scene, read)


async def test_a_board_that_is_acquired_while_an_image_is_read_is_left_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, times = JobImages.read, 0

    async def read_meanwhile(images: JobImages, job: JobState) -> Image:
        nonlocal times
        found, times = await read(images, job), times + 1
        if times == 2:  # it was looked at once when it was queued
            turn(scene, BOBS)
        return found

    monkeypatch.setattr(JobImages, "read", read_meanwhile)
    job = await scene.until(await scene.order(), Waiting, Done)
    assert (waits_for(job), job.attempts) == (WaitFor.LEASE, 0)


async def test_nobody_else_looks_at_a_board_that_is_acquired(scene: Scene) -> None:
    turn(scene, ANNS)
    with pytest.raises(BlockedError, match=f"taken by {ANN}"):
        await scene.lane.survey(Image.raw(image(1000)), scene.board.profile.partitions["app1"])


async def test_after_a_restart_a_job_is_still_of_the_user_who_asked_for_it(tmp_path: Path) -> None:
    async with running_lane(tmp_path) as scene:
        turn(scene, ANNS)
        bobs, nobodys = await asked_by(BOB, scene), await scene.order("partition2")
        await waits_in_lab(scene, bobs)
        await waits_in_lab(scene, nobodys)
    async with running_lane(tmp_path) as scene:
        turn(scene, LabGate())
        await scene.until_says(bobs, "labgrid has not yet said who has it")
        turn(scene, ANNS)
        await scene.until_says(bobs, f"taken by {ANN} for place left")
        turn(scene, BOBS)
        await scene.until(bobs, Done)
        assert await waits_in_lab(scene, nobodys) == f"waiting: taken by {BOB} for place left"


async def test_after_a_restart_a_job_is_of_the_user_who_asked_for_it_again(tmp_path: Path) -> None:
    async with running_lane(tmp_path) as scene:
        turn(scene, ANNS)
        job = await asked_by(BOB, scene)
        await waits_in_lab(scene, job)
        scene.lane.see(ABSENT)

        async def retry() -> None:
            lab_user.set(ANN)
            await scene.lane.look_again(job)

        await asyncio.create_task(retry())
    async with running_lane(tmp_path) as scene:
        turn(scene, ANNS)
        await scene.until(job, Done)
