"""A transfer, an open or a close that the kernel never gives back costs its board, and nobody else anything."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Queued, Running, Written
from flashdeck.model import LogLevel
from flashdeckd.jobs import device_thread
from flashdeckd.jobs.device_thread import END_SECONDS, LOOK_SECONDS, DeviceThread
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.worker import Worker
from flashdeckd.usb import pulse
from flashdeckd.usb.pulse import BETWEEN_SECONDS, GRACE_SECONDS, Pulse
from flashdeckd.usb.transport import RESET_SECONDS, STANDARD_SECONDS
from lane_rig import Scene, running_lane
from stuck_kernel import Kernel


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that pass at once."""
    monkeypatch.setattr(pulse, "GRACE_SECONDS", -1000.0)
    monkeypatch.setattr(device_thread, "LOOK_SECONDS", 0.01)


@pytest.fixture
async def kernel() -> AsyncIterator[Kernel]:
    kernel = Kernel()
    yield kernel
    await kernel.rest()


WHERE = {
    "a transfer": "ctrl_transfer",
    "the listing of devices": "enumerate_devices",
    "an open": "open_device",
    "a claim": "claim_interface",
    "a close": "close_device",
}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("name", WHERE.values(), ids=WHERE)
async def test_its_board_is_named_until_it_goes_on_and_does_not_hold_up_the_end(
    tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with running_lane(tmp_path) as scene:
        monkeypatch.setattr(scene.node, name, kernel.call(getattr(scene.node, name)))
        job = await scene.order()
        await kernel.until_stuck()
        await named(scene)
        assert scene.lane.is_past_deadline
        assert scene.lane.has_work
        scene.lane.stop()
        status = (await scene.until(job, Queued, Written)).status
        if name == "close_device":  # its image is complete on the board: never flashed a second time
            assert isinstance(status, Written)
        else:
            assert isinstance(status, Queued)
            assert "parked" in status.note
        await said(scene, "ends without waiting")


async def test_one_that_goes_on_after_all_is_no_trouble_any_more(
    tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_thread, "LOOK_SECONDS", 0.01)
    async with running_lane(tmp_path) as scene:
        with monkeypatch.context() as late:
            late.setattr(pulse, "GRACE_SECONDS", -1000.0)
            monkeypatch.setattr(scene.node, "ctrl_transfer", kernel.call(scene.node.ctrl_transfer, after=20))
            job = await scene.order()
            await kernel.until_stuck()
            await named(scene)
        assert isinstance(scene.book.job(job.id).status, Running)
        kernel.give_back()
        async with asyncio.timeout(30):
            await scene.hub.until(lambda: not scene.hub.daemon.troubles and scene.book.job(job.id).is_settled)
        assert not scene.lane.is_past_deadline


async def named(scene: Scene) -> None:
    async with asyncio.timeout(30):
        await scene.hub.until(lambda: bool(scene.hub.daemon.troubles))
    (trouble,) = scene.hub.daemon.troubles
    assert (trouble.part, trouble.boards) == ("board left", ("left",))
    assert "unplug it" in trouble.hint


@pytest.mark.parametrize("limit", [0.0, END_SECONDS])
async def test_the_end_waits_for_what_is_within_its_time_and_no_longer_than_so(
    tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    monkeypatch.setattr(device_thread, "END_SECONDS", limit)
    monkeypatch.setattr(pulse, "GRACE_SECONDS", 1000.0)
    async with running_lane(tmp_path) as scene:
        monkeypatch.setattr(scene.node, "ctrl_transfer", kernel.call(scene.node.ctrl_transfer))
        job = await scene.order()
        await kernel.until_stuck()
        scene.lane.stop()
        if limit:
            await said(scene, "waits for the running")
            assert isinstance(scene.book.job(job.id).status, Running), "its time is not over"
            kernel.give_back()
        assert "parked" in (await scene.until(job, Queued)).text


async def test_the_end_waits_so_long_by_its_clock(
    tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [0.0, END_SECONDS - 1, END_SECONDS, 100 * END_SECONDS]

    class Clocked:
        """asyncio, whose clock goes on by itself."""

        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

        def get_running_loop(self) -> Any:
            return SimpleNamespace(time=lambda: told.pop(0))

    monkeypatch.setattr(device_thread, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(device_thread, "asyncio", Clocked())
    monkeypatch.setattr(pulse, "GRACE_SECONDS", 1000.0)
    async with running_lane(tmp_path) as scene:
        monkeypatch.setattr(scene.node, "ctrl_transfer", kernel.call(scene.node.ctrl_transfer))
        job = await scene.order()
        await kernel.until_stuck()
        scene.lane.stop()
        assert "parked" in (await scene.until(job, Queued)).text
    assert told == [100 * END_SECONDS], "given up neither earlier nor later"


async def said(scene: Scene, words: str) -> None:
    async with asyncio.timeout(30):
        await scene.hub.until(lambda: any(words in line for line in scene.logged(LogLevel.WARNING)))


async def test_a_board_is_looked_at_so_often_while_something_runs(
    tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float | None] = []
    real = asyncio.wait

    async def wait(ends: Any, *, timeout: float | None = None, return_when: str = asyncio.ALL_COMPLETED) -> Any:  # noqa: ASYNC109 -- asyncio's own
        looks.append(timeout)
        return await real(ends, timeout=timeout, return_when=return_when)

    async with running_lane(tmp_path) as scene:
        monkeypatch.setattr(scene.node, "ctrl_transfer", kernel.call(scene.node.ctrl_transfer))
        monkeypatch.setattr(asyncio, "wait", wait)
        await scene.order()
        await kernel.until_stuck()
        kernel.give_back()
    assert set(looks) <= {LOOK_SECONDS}
    assert looks


async def test_the_kernel_has_so_long_for_its_own_part_of_an_open_and_a_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    real = Pulse.ask

    def ask(beat: Pulse, timeout: float) -> None:
        asked.append(timeout)
        real(beat, timeout)

    monkeypatch.setattr(Pulse, "ask", ask)
    async with running_lane(tmp_path) as scene:
        await scene.lane.examine(lambda pipe, _: pipe.reset())
    assert asked == [STANDARD_SECONDS] * 3 + [RESET_SECONDS] + [STANDARD_SECONDS] * 3


def test_a_deadline_is_the_end_of_the_transfer_and_some_grace_or_else_of_the_longest_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(pulse.clock, "monotonic", lambda: now)
    beat = Pulse()
    assert beat.due_in == float("inf")
    beat.begin()
    assert beat.due_in == BETWEEN_SECONDS
    beat.ask(RESET_SECONDS)
    assert beat.due_in == RESET_SECONDS + GRACE_SECONDS
    now += RESET_SECONDS + GRACE_SECONDS + 1
    assert beat.due_in == -1
    beat.answer(answered=True)
    assert beat.due_in == BETWEEN_SECONDS
    beat.end()
    assert beat.due_in == float("inf")
    assert END_SECONDS > BETWEEN_SECONDS, "what comes to an end at all is waited for"


async def test_who_asks_a_lane_that_has_ended_meanwhile_hears_of_that() -> None:
    thread = DeviceThread("left", Worker(None), cast("LaneState", SimpleNamespace()))
    await thread.end()
    with pytest.raises(FlashdeckError, match="left is not looked after any more") as refused:
        await thread.run(lambda _: None)
    assert refused.value.kind is ErrorKind.INTERRUPTED
