"""How often an application is asked to detach: what comes back as the application is not rebooted for ever."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

import job_states
from flashdeck.config import Enter, UsbId
from flashdeck.errors import DevicePermissionError
from flashdeck.job_state import Done, Queued, Running, Superseded, WaitFor, Waiting
from flashdeck.model import BoardHold, Event, JobState, Presence
from flashdeckd.entering import asking
from flashdeckd.entering.asking import MAX_ASKED
from flashdeckd.jobs import device_thread
from flashdeckd.jobs.worker import Worker
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import ABSENT, Sighting
from lane_rig import PROFILE, Scene, hurry, running_lane

APP = UsbId(0x0483, 0x5740)
HINT = "hold SW2, press RESET"


class Application:
    """A board that runs its application, and what that does when it is asked to detach."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self._scene = scene
        self._device = replace(scene.emulated.device, serial="A1", usb_id=APP)
        self._loop = asyncio.get_running_loop()
        self.asked = 0
        self.when_asked: Callable[[], object] = lambda: None
        monkeypatch.setattr(Worker, "detach", self._detach)
        monkeypatch.setattr(Worker, "reach", self._reach)

    def _reach(self, _: UsbDevice) -> None:
        """It may be opened."""

    def _detach(self, _: UsbDevice) -> None:
        self.asked += 1
        self.when_asked()

    def start(self) -> None:
        """The application enumerates, each time at another address."""
        self._device = replace(self._device, address=self._device.address + 1)
        self._scene.lane.see(Sighting(Presence.APP, self._device))

    async def restart(self, job: JobState) -> JobState:
        """The board goes away and comes back as its application; the job as it then waits."""
        self._scene.lane.see(ABSENT)
        await self.until(job, WaitFor.ABSENT)
        self.start()
        return await self.until(job, WaitFor.HAND)

    async def until(self, job: JobState, waits_for: WaitFor) -> JobState:
        """The job, once it waits for that, with the hint of the profile."""
        async with asyncio.timeout(30):
            await self._scene.hub.until(lambda: job_states.waits_for(self._scene.book.job(job.id)) is waits_for)
        job = self._scene.book.job(job.id)
        assert isinstance(job.status, Waiting)
        assert job.status.hint == HINT
        return job


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(asking, "ENTER_SECONDS", 0.01)
    hurry(monkeypatch)
    async with running_lane(tmp_path, replace(PROFILE, app=APP, enter=Enter.DETACH, enter_hint=HINT)) as scene:
        yield scene


@pytest.fixture
async def application(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Application:
    scene.lane.see(ABSENT)
    return Application(scene, monkeypatch)


async def test_an_application_that_comes_back_is_asked_a_few_times_and_then_left_to_a_person(
    scene: Scene, application: Application
) -> None:
    application.start()
    job = await application.until(await scene.order(), WaitFor.HAND)
    assert application.asked == 1
    assert "did not come back in DFU mode" in job.text
    for _ in range(MAX_ASKED + 5):
        job = await application.restart(job)
    assert application.asked == MAX_ASKED
    assert job.text == f"waiting: it is running again, after {MAX_ASKED} requests to detach"
    scene.see()
    await scene.until(job, Done)


async def test_the_next_job_asks_anew(scene: Scene, application: Application) -> None:
    application.start()
    job = await application.until(await scene.order(), WaitFor.HAND)
    for _ in range(MAX_ASKED):
        await application.restart(job)
    await scene.lane.cancel(job)
    await application.until(await scene.order(), WaitFor.HAND)
    assert application.asked == MAX_ASKED + 1


async def worn_out(scene: Scene, application: Application) -> JobState:
    """A job of a board that came back as its application as often as it may."""
    application.start()
    job = await application.until(await scene.order(), WaitFor.HAND)
    for _ in range(MAX_ASKED):
        job = await application.restart(job)
    assert application.asked == MAX_ASKED
    return job


async def asked(application: Application, times: int) -> None:
    async with asyncio.timeout(30):
        while application.asked < times:  # noqa: ASYNC110 -- the thread that asks tells nobody
            await asyncio.sleep(0.001)


async def test_requests_that_a_cable_may_have_cut_are_made_again_once_the_board_has_stayed(
    scene: Scene, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "RESTS", (0.05, 1000.0))
    await worn_out(scene, application)
    await asked(application, MAX_ASKED + 1)


async def test_a_board_that_does_not_stay_is_not_asked_for_ever(
    scene: Scene, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "RESTS", (1000.0,))
    job = await worn_out(scene, application)
    for _ in range(3):
        await application.restart(job)
    assert application.asked == MAX_ASKED
    await scene.lane.release()
    await asked(application, MAX_ASKED + 1)


async def test_a_job_that_comes_while_a_person_is_waited_for_says_so_too(
    scene: Scene, application: Application
) -> None:
    application.start()
    first = await application.until(await scene.order(), WaitFor.HAND)
    second = await application.until(await scene.order("partition2"), WaitFor.HAND)
    assert second.text == first.text
    assert application.asked == 1


async def test_what_changes_elsewhere_asks_nobody_again(scene: Scene, application: Application) -> None:
    application.start()
    job = await application.until(await scene.order(), WaitFor.HAND)
    scene.lane.poke()
    await scene.order("partition2")
    scene.lane.see(ABSENT)
    await application.until(job, WaitFor.ABSENT)
    assert application.asked == 1


async def test_an_application_that_could_not_be_opened_was_not_asked(scene: Scene, application: Application) -> None:
    def refuse() -> None:
        if application.asked <= 3 * device_thread.OPEN_TRIES:
            raise DevicePermissionError("permission denied")

    application.when_asked = refuse
    application.start()
    job = await application.until(await scene.order(), WaitFor.HAND)
    assert "did not come back in DFU mode" in job.text


async def test_a_newer_build_that_came_while_the_board_was_waited_for_asks_at_once(
    scene: Scene, application: Application
) -> None:
    loop, newer = asyncio.get_running_loop(), list[JobState]()

    def build() -> None:
        application.when_asked = lambda: None
        newer.append(asyncio.run_coroutine_threadsafe(scene.order(size=30_000), loop).result())

    application.when_asked = build
    application.start()
    await scene.until(await scene.order(), Superseded)
    await application.until(newer[0], WaitFor.HAND)
    assert application.asked == 2


async def test_a_daemon_that_stops_while_the_board_is_waited_for_tells_nothing_of_the_board(
    scene: Scene, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ENTER_SECONDS", 60.0)
    asked, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> None:
        loop.call_soon_threadsafe(asked.set)

    application.when_asked = tell
    application.start()
    job = await scene.order()
    async with asyncio.timeout(30):
        await asked.wait()
    scene.lane.stop()
    assert (await scene.until(job, Queued, Waiting)).text == "queued: parked: the daemon was stopped"


async def test_a_hold_that_comes_while_a_board_is_detached_is_told_and_its_job_can_be_cancelled(
    scene: Scene, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ENTER_SECONDS", 60.0)
    loop = asyncio.get_running_loop()

    def hold() -> None:
        scene.lane.hold = BoardHold(reason="measuring")
        scene.see()

    def come() -> None:
        loop.call_soon_threadsafe(hold)

    application.when_asked = come
    application.start()
    job = await scene.until_says(await scene.order(), "on hold: measuring", Waiting)
    async with asyncio.timeout(30):
        await scene.lane.cancel(job)


async def test_what_is_queued_while_a_board_is_detached_may_come_first_and_nothing_runs_beside_it(
    scene: Scene, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ENTER_SECONDS", 60.0)
    loop = asyncio.get_running_loop()
    together = 0

    def count(_: Event) -> None:
        nonlocal together
        together = max(together, sum(isinstance(job.status, Running) for job in scene.book.active("left")))

    def build() -> None:
        asyncio.run_coroutine_threadsafe(scene.order("app1"), loop).result()
        loop.call_soon_threadsafe(scene.see)

    scene.hub.listen(count)
    application.when_asked = build
    application.start()
    await scene.until(await scene.order("partition2"), Done)
    assert together == 1
