"""A board that hangs in a transfer: the end of its job waits for that transfer, says so, and waits for nothing more."""

import asyncio
import errno
import threading
from typing import Any

import pytest
import usb.core

from flashdeck.job_state import Cancelled, Done, Queued, Running, Written
from flashdeck.model import JobState, LogLevel
from flashdeckd.dfu.wire import DfuRequest
from flashdeckd.jobs.lane import UNANSWERED
from flashdeckd.usb.pulse import Pulse
from lane_rig import Scene

TOLD = "waits for the running transfer, at most "


class Hang:
    """A board that answers no more from a request of one kind on; the transfer ends when `time_out` is called."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch, request: DfuRequest, after: int) -> None:
        self.transfers = 0
        """Those that it did not answer."""
        self._left = after
        self._begun = threading.Event()
        self._over = threading.Event()
        answers = scene.node.ctrl_transfer

        def ctrl_transfer(handle: Any, kind: int, number: int, *rest: Any) -> int:
            self._left -= number == request
            if self._left > 0:
                return answers(handle, kind, number, *rest)
            self.transfers += 1
            self._begun.set()
            self._over.wait(30)
            raise usb.core.USBError("Operation timed out", -7, errno.ETIMEDOUT)

        monkeypatch.setattr(scene.node, "ctrl_transfer", ctrl_transfer)

    async def begun(self) -> None:
        assert await asyncio.to_thread(self._begun.wait, 30)

    def time_out(self) -> None:
        self._over.set()


@pytest.mark.parametrize(("share", "is_said"), [(0.9, False), (1.1, True)])
async def test_so_long_without_an_answer_is_said_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, share: float, *, is_said: bool
) -> None:
    job, hang = await hung(scene, monkeypatch, DfuRequest.UPLOAD, 1)
    monkeypatch.setattr(Pulse, "silent_for", share * UNANSWERED)
    cancelling = asyncio.create_task(scene.lane.cancel(job))
    for _ in range(5):
        await asyncio.sleep(0)
    assert any(line.startswith(TOLD) for line in scene.logged(LogLevel.WARNING)) == is_said
    hang.time_out()
    await cancelling


async def told(scene: Scene) -> None:
    async with asyncio.timeout(30):
        await scene.hub.until(lambda: any(line.startswith(TOLD) for line in scene.logged(LogLevel.WARNING)))


async def hung(scene: Scene, monkeypatch: pytest.MonkeyPatch, request: DfuRequest, after: int) -> tuple[JobState, Hang]:
    hang = Hang(scene, monkeypatch, request, after)
    job = await scene.order()
    await hang.begun()
    return job, hang


@pytest.mark.parametrize(
    ("request_", "after"), [(DfuRequest.UPLOAD, 1), (DfuRequest.DNLOAD, 3), (DfuRequest.DNLOAD, 12)]
)
async def test_a_cancel_waits_for_the_running_transfer_only(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, request_: DfuRequest, after: int
) -> None:
    job, hang = await hung(scene, monkeypatch, request_, after)
    assert isinstance(scene.book.job(job.id).status, Running)
    cancelling = asyncio.create_task(scene.lane.cancel(job))
    await told(scene)
    assert not cancelling.done()
    hang.time_out()
    await cancelling
    assert isinstance(scene.book.job(job.id).status, Cancelled)
    assert hang.transfers == 1, "nobody asks it anything more"


async def test_so_does_the_end_of_the_daemon(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    job, hang = await hung(scene, monkeypatch, DfuRequest.DNLOAD, 12)
    scene.lane.stop()
    await told(scene)
    hang.time_out()
    status = (await scene.until(job, Queued)).status
    assert isinstance(status, Queued)
    assert "parked" in status.note
    assert hang.transfers == 1


async def test_an_image_that_was_complete_by_then_is_done(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    hang = Hang(scene, monkeypatch, DfuRequest.ABORT, 10_000)
    monkeypatch.setattr(scene.book, "record", _then(scene.book.record, lambda: setattr(hang, "_left", 0)))
    job = await scene.order()
    await hang.begun()
    cancelling = asyncio.create_task(scene.lane.cancel(job))
    await told(scene)
    hang.time_out()
    await cancelling
    assert isinstance(scene.book.job(job.id).status, Done | Written)
    contents = scene.book.contents("left", "app1")
    assert contents is not None
    assert contents.complete


def _then(work: Any, more: Any) -> Any:
    async def both(*arguments: Any) -> None:
        await work(*arguments)
        more()

    return both


async def test_a_board_that_answers_is_said_to_be_waited_for_by_nobody(scene: Scene) -> None:
    job = await scene.order(size=200_000)
    await scene.until(job, Running)
    await scene.lane.cancel(job)
    await asyncio.sleep(0)
    assert not any(line.startswith(TOLD) for line in scene.logged(LogLevel.WARNING))
