"""A lane that runs for months holds no more after many jobs than after a few."""

import asyncio
from collections import Counter

import pytest

from flash_rig import image
from flashdeck.job_state import Cancelled, Done, Failed, JobKind, Superseded, Waiting
from flashdeckd.images import shelf
from flashdeckd.jobs import book, job_images
from flashdeckd.usb.recognition import ABSENT
from flashdeckd.virtual.faults import Fault
from held_items import held_items
from lane_rig import Scene

WARM, MORE = 4, 4
"""Rounds until all that is bounded is full, and those after that, which must add nothing."""


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of everything that is kept, so low that a few jobs reach them."""
    monkeypatch.setattr(book, "KEPT_JOBS", 4)
    monkeypatch.setattr(job_images, "REMEMBERED", 2)
    monkeypatch.setattr(shelf, "KEPT_IMAGES", 2)


async def live(scene: Scene, number: int) -> None:
    """Let jobs end in every way: done, compared, cut short and then superseded, asked for again, cancelled."""
    data = bytearray(image(4_000))
    data[-4:] = number.to_bytes(4, "little")
    await scene.until(await scene.order(data=bytes(data)), Done)
    await scene.until(await scene.ask(JobKind.VERIFY), Done, Failed)

    scene.emulated.board.fault(Fault.UNPLUG, 8)
    torn = await scene.order(data=bytes(data[:-1]))
    await scene.hub.until(lambda: scene.book.job(torn.id).attempts > 0)
    scene.lane.see(ABSENT)
    await scene.until(torn, Waiting)
    newer = await scene.order(data=bytes(data[:-2]))
    await scene.until(torn, Superseded)
    scene.emulated.board.plug()
    scene.see()
    await scene.until(newer, Done)

    scene.lane.see(ABSENT)
    last = await scene.order(data=bytes(data[:-3]))
    await scene.until(last, Waiting)
    await scene.lane.look_again(last)
    await scene.lane.cancel(last)
    await scene.until(last, Cancelled)
    scene.see()


async def test_what_a_lane_knows_does_not_grow_with_the_jobs_that_it_did(scene: Scene) -> None:
    async def counted(rounds: range) -> Counter[str]:
        for number in rounds:
            await live(scene, number)
        await asyncio.sleep(0)
        return held_items(scene)

    first = await counted(range(WARM))
    second = await counted(range(WARM, WARM + MORE))
    assert second - first == Counter(), f"after {MORE} rounds of jobs more"
