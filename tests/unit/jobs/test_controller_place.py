"""A lane at its host controller: it has a place only while it talks, and waits for one without being in the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flash_rig import image
from flashdeck.config import Enter, UsbId
from flashdeck.errors import DeviceError, DeviceGoneError, ErrorKind
from flashdeck.job_state import Done, Phase, Running, WaitFor, Waiting, Written
from flashdeck.model import Presence
from flashdeckd.flash import engine
from flashdeckd.flash.flash_plan import FlashPlan
from flashdeckd.flash.result import FlashResult
from flashdeckd.images.image import Image
from flashdeckd.jobs import controller_place, device_thread
from flashdeckd.jobs.controller_place import LOOK_PATIENCE, ControllerPlace
from flashdeckd.usb import pulse
from flashdeckd.usb.recognition import ABSENT, Sighting
from idle_loop import until_nothing_is_ready
from job_states import waits_for
from lane_rig import PROFILE, Scene, running_lane
from stuck_kernel import Kernel

APP = UsbId(0x0483, 0x5740)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """One board, at a controller with one place."""
    async with running_lane(tmp_path) as scene:
        scene.controllers.configure(1)
        yield scene


@pytest.fixture
async def kernel() -> AsyncIterator[Kernel]:
    kernel = Kernel()
    yield kernel
    await kernel.rest()


class Other:
    """Another board of the same controller."""

    def __init__(self, scene: Scene, name: str = "other") -> None:
        self.poked = asyncio.Event()
        self.place = ControllerPlace(name, scene.controllers, self._poke)
        self._device = scene.emulated.device

    def _poke(self) -> None:
        self.poked.set()

    def asks(self) -> bool:
        """Take a step in which it wants to talk to its board."""
        self.place.begin_step()
        has = self.place.ask(self._device)
        if not has:
            self.place.end_step()
        return has

    def ends(self) -> None:
        self.place.end()


def plan_of(scene: Scene) -> "asyncio.Task[FlashPlan]":
    return asyncio.create_task(scene.lane.survey(Image.raw(image(1000)), scene.board.profile.partitions["app1"]))


async def test_a_job_waits_for_its_turn_in_words_and_then_runs(scene: Scene) -> None:
    other, third = Other(scene), Other(scene, "third")
    assert other.asks()
    assert not third.asks()
    job = await scene.until(await scene.order(), Waiting)
    assert isinstance(job.status, Waiting)
    controller = scene.emulated.device.controller
    assert job.status == Waiting(
        for_=WaitFor.CONTROLLER, reason=f"controller {controller} is busy with 1 of 1 boards (other); third comes first"
    )
    assert job.attempts == 0
    other.ends()
    assert third.poked.is_set()
    assert third.asks()
    await scene.until_says(job, f"{controller} is busy with 1 of 1 boards (third); next in line")
    assert len([line for line in scene.hub.logs(limit=100) if "is busy with" in line.text]) == 1, "it is told once"
    third.ends()
    await scene.until(job, Done)


async def test_nobody_waits_where_there_is_no_limit(scene: Scene) -> None:
    scene.controllers.configure(None)
    assert Other(scene).asks()
    await scene.until(await scene.order(), Done)


async def test_a_limit_that_goes_lets_everybody_begin(scene: Scene) -> None:
    other = Other(scene)
    assert other.asks()
    job = await scene.until(await scene.order(), Waiting)
    scene.controllers.configure(None)
    await scene.until(job, Done)
    assert scene.controllers.budget.busy(scene.emulated.device.controller) == (other.place,)


async def test_no_place_is_kept_while_the_start_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., FlashResult] = engine.flash

    def flash(*words: object, **rest: object) -> FlashResult:
        return replace(real(*words, **rest), left=True)

    monkeypatch.setattr(engine, "flash", flash)
    async with running_lane(tmp_path, replace(PROFILE, app=APP, enter=Enter.MANUAL, leave=True)) as scene:
        scene.controllers.configure(1)
        job = await scene.order()
        async with asyncio.timeout(30):
            await scene.hub.until(lambda: _phase(scene, job.id) is Phase.START)
        assert Other(scene).asks()


def _phase(scene: Scene, job: int) -> Phase | None:
    status = scene.book.job(job).status
    return status.phase if isinstance(status, Running | Written) else None


async def test_no_place_is_kept_for_a_device_that_cannot_be_opened_yet(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_thread, "OPEN_PAUSE", 1000.0)
    scene.node.is_open = False
    job = await scene.order()
    await scene.node.tried(1)
    other = Other(scene)
    await until_nothing_is_ready()
    assert other.asks(), "it pauses before the next try"
    scene.lane.poke()
    assert isinstance(scene.book.job(job.id).status, Running)


async def test_what_hangs_in_the_kernel_is_lost_and_costs_no_other_board_its_turn(
    scene: Scene, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_thread, "LOOK_SECONDS", 0.01)
    other, budget = Other(scene), scene.controllers.budget
    with monkeypatch.context() as late:
        late.setattr(pulse, "GRACE_SECONDS", -1000.0)
        late.setattr(pulse, "BETWEEN_SECONDS", 1000.0)
        monkeypatch.setattr(scene.node, "ctrl_transfer", kernel.call(scene.node.ctrl_transfer, after=20))
        job = await scene.order()
        await kernel.until_stuck()
        assert not other.asks()
        await asyncio.wait_for(other.poked.wait(), 30)
        assert other.asks()
    assert isinstance(scene.book.job(job.id).status, Running)
    kernel.give_back()
    await scene.until(job, Done)
    assert budget.busy(scene.emulated.device.controller) == (other.place,)


async def test_a_look_waits_and_has_its_turn(scene: Scene) -> None:
    other = Other(scene)
    assert other.asks()
    looks = plan_of(scene)
    await until_nothing_is_ready()
    assert not looks.done()
    other.ends()
    assert (await looks).steps
    assert other.asks(), "the look has given its place back"


async def test_a_look_ends_with_its_board(scene: Scene) -> None:
    other = Other(scene)
    assert other.asks()
    looks = plan_of(scene)
    await until_nothing_is_ready()
    scene.lane.see(ABSENT)
    with pytest.raises(DeviceGoneError):
        await looks
    assert scene.controllers.budget.waiting(scene.emulated.device.controller) == ()


async def test_a_look_that_is_given_up_leaves_the_line(scene: Scene) -> None:
    other = Other(scene)
    assert other.asks()
    looks = plan_of(scene)
    await until_nothing_is_ready()
    looks.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looks
    assert scene.controllers.budget.waiting(scene.emulated.device.controller) == ()


async def test_a_look_ends_with_the_daemon(scene: Scene) -> None:
    assert Other(scene).asks()
    looks = plan_of(scene)
    await until_nothing_is_ready()
    scene.lane.stop()
    with pytest.raises(DeviceError, match="no place"):
        await looks


async def test_a_look_waits_only_so_long(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOOK_PATIENCE > 1
    monkeypatch.setattr(controller_place, "LOOK_PATIENCE", 0.01)
    assert Other(scene).asks()
    with pytest.raises(DeviceError) as refused:
        await plan_of(scene)
    assert refused.value.kind is ErrorKind.DEVICE_BUSY
    assert "max_per_controller" in refused.value.hint


async def test_a_lane_that_rests_stands_in_no_line(scene: Scene) -> None:
    other = Other(scene)
    assert other.asks()
    job = await scene.until(await scene.order(), Waiting)
    await scene.lane.rest()
    assert scene.controllers.budget.waiting(scene.emulated.device.controller) == ()
    other.ends()
    assert other.asks(), "nobody else has taken the place"
    other.ends()
    scene.lane.go_on()
    await scene.until(job, Done)


async def test_at_another_controller_there_may_be_room(scene: Scene) -> None:
    assert Other(scene).asks()
    job = await scene.until(await scene.order(), Waiting)
    assert waits_for(job) is WaitFor.CONTROLLER
    moved = replace(scene.emulated.device, serial="A1", port="pci-0000:00:1a.0-usb-0:3")
    scene.lane.see(Sighting(Presence.DFU, moved))
    await scene.until(job, Done)
