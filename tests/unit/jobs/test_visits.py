"""One stay in DFU mode: what is queued for a board runs in it, in the order of the configuration, with one leave."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flash_rig import APP1, SECTOR
from flashdeck.config import Enter, Partition, UsbId
from flashdeck.errors import BlockedError, DeviceError, DeviceGoneError, ErrorKind, RefusedError
from flashdeck.geometry import Range
from flashdeck.job_state import Blocked, Done, Failed, JobKind, Superseded, Verified, WaitFor, Waiting, Written
from flashdeck.model import BoardHold, Contents, HoldBy, JobState, Presence
from flashdeckd.flash import engine as flash_engine
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import Target
from flashdeckd.images.image import Image
from flashdeckd.usb.recognition import ABSENT, Sighting
from job_states import RUNNING, waits_for
from lane_rig import PROFILE, Scene, hurry, running_lane

APP = UsbId(0x0483, 0x5740)
LAST = "settings"
VISITED = replace(
    PROFILE,
    app=APP,
    enter=Enter.MANUAL,
    leave=True,
    partitions={
        **PROFILE.partitions,
        "app1": replace(PROFILE.partitions["app1"], span=Range(APP1.start, APP1.end - 8 * SECTOR)),
        LAST: Partition(LAST, Range(APP1.end - 8 * SECTOR, APP1.end), guards=frozenset()),
    },
)


class Engine:
    """The engine, with what happens before its flashes, and after a board has left."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self._scene = scene
        self._loop = asyncio.get_running_loop()
        self._flash: Callable[..., FlashResult] = flash_engine.flash
        self._leave: Callable[..., bool] = flash_engine.leave
        self.done: list[str] = []
        """What was done to the board: the partitions that were flashed, and "leave"."""
        self.before: dict[str, Callable[[FlashListener], None]] = {}
        """What happens once a partition's flash is about to begin."""
        self.comes_back = False
        """True: the bootloader accepts nothing, and is there again after a leave."""
        self._device = scene.emulated.device
        monkeypatch.setattr(flash_engine, "flash", self.flash)
        monkeypatch.setattr(flash_engine, "leave", self.leave)

    def flash(self, pipe: object, image: Image, target: Target, observer: FlashListener, **rest: object) -> FlashResult:
        self.done.append(target.partition)
        self.before.pop(target.partition, lambda _: None)(observer)
        outcome = self._flash(pipe, image, target, observer, **rest)
        if outcome.left:
            self._left()
        return outcome

    def leave(self, pipe: object, target: Target) -> bool:
        left = self._leave(pipe, target)
        self._left()
        return left

    def _left(self) -> None:
        self.done.append("leave")
        if self.comes_back:
            self._loop.call_soon_threadsafe(self.press)
        else:
            self._loop.call_soon_threadsafe(self._scene.lane.see, self.app)

    @property
    def app(self) -> Sighting:
        """The application, each time at another address."""
        device = replace(self._device, serial="A1", usb_id=APP, address=100 + len(self.done))
        return Sighting(Presence.APP, device)

    def press(self) -> None:
        """Somebody presses the button."""
        self._scene.emulated.back_in_dfu()
        self._scene.see()

    def in_loop(self, act: Callable[[], None]) -> None:
        """Do something in the loop, from the engine's thread, and wait for it."""

        async def acted() -> None:
            act()

        asyncio.run_coroutine_threadsafe(acted(), self._loop).result()

    def order(self, partition: str, size: int) -> JobState:
        """Queue a job from the engine's thread."""
        return asyncio.run_coroutine_threadsafe(self._scene.order(partition, size=size), self._loop).result()


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    hurry(monkeypatch)
    async with running_lane(tmp_path, VISITED) as scene:
        scene.lane.see(ABSENT)
        yield scene


@pytest.fixture
async def engine(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Engine:
    return Engine(scene, monkeypatch)


def refused(_: FlashListener) -> None:
    raise RefusedError("the image does not belong there")


def torn(observer: FlashListener) -> None:
    """It fails for good once something is erased."""
    observer.began()
    raise DeviceError("the board did not like it", kind=ErrorKind.OTHER)


def not_started(job: JobState) -> str:
    assert isinstance(job.status, Done), job.text
    return job.status.not_started


def started(job: JobState) -> bool | None:
    assert isinstance(job.status, Done), job.text
    assert job.result is not None
    return job.result.started


async def test_what_is_queued_runs_in_the_order_of_the_configuration_with_one_leave(
    scene: Scene, engine: Engine
) -> None:
    jobs = [await scene.order(name) for name in (LAST, "partition2", "app1")]
    scene.see()
    assert [started(await scene.until(job, Done, Failed)) for job in jobs] == [True, True, True]
    assert engine.done == ["app1", "partition2", LAST, "leave"]


async def test_the_order_of_a_person_comes_before_that_of_the_configuration(scene: Scene, engine: Engine) -> None:
    jobs = [await scene.order(name) for name in ("app1", "partition2", LAST)]
    await scene.book.arrange([jobs[2], jobs[0]])
    ledger = await scene.journal.load()
    assert {job.id: job.rank for job in ledger.jobs} == {jobs[0].id: 2, jobs[1].id: 0, jobs[2].id: 1}
    scene.see()
    assert [started(await scene.until(job, Done, Failed)) for job in jobs] == [True, True, True]
    assert engine.done == [LAST, "app1", "partition2", "leave"]


async def test_no_order_lets_an_image_overtake_an_older_one_of_its_partition(scene: Scene, engine: Engine) -> None:
    older, newer = [await scene.order("app1"), await scene.order("app1", size=21_000)]
    other = await scene.order("partition2")
    await scene.book.arrange([newer, other, older])
    scene.see()
    await scene.until(newer, Done, Failed)
    await scene.until(other, Done, Failed)
    assert isinstance(scene.book.job(older.id).status, Superseded)
    assert engine.done[:2] == ["app1", "partition2"]


async def test_what_waits_for_another_device_does_not_keep_what_was_written_waiting(
    scene: Scene, engine: Engine
) -> None:
    def lost(_: FlashListener) -> None:
        raise DeviceGoneError("the board was lost")

    def lost_while_writing(observer: FlashListener) -> None:
        observer.began()
        lost(observer)

    def plug(bcd_device: int) -> None:
        scene.lane.see(ABSENT)
        board = scene.emulated.board
        board.unplug()
        board.spec = replace(board.spec, bcd_device=bcd_device)
        board.plug()
        scene.see()

    own = scene.emulated.device.bcd_device
    engine.before["partition2"] = lost
    first, cut = await scene.order(), await scene.order("partition2")
    scene.see()
    await scene.until_says(cut, "the board was lost", Waiting)
    engine.before["partition2"] = lost_while_writing
    plug(0x0123)
    await scene.hub.until(lambda: bool(scene.book.incomplete("left", ["partition2"])))
    plug(own)
    await scene.until_says(cut, "another device is in the place of board left", Waiting)
    assert not_started(await scene.until(first, Done, Failed)) == "partition2 is incomplete"
    assert waits_for(scene.book.job(cut.id)) is WaitFor.OTHER_DEVICE


async def test_a_manual_board_needs_one_press_for_any_number_of_partitions(scene: Scene, engine: Engine) -> None:
    scene.lane.see(engine.app)
    jobs = [await scene.order(name) for name in ("partition2", "app1")]
    for job in jobs:
        assert waits_for(await scene.until(job, Waiting)) is WaitFor.HAND
    engine.press()
    for job in jobs:
        await scene.until(job, Done)
    assert engine.done == ["app1", "partition2", "leave"]


async def test_a_job_that_fails_before_its_first_erase_does_not_keep_the_board(scene: Scene, engine: Engine) -> None:
    engine.before["partition2"] = refused
    first, second = await scene.order(), await scene.order("partition2")
    scene.see()
    await scene.until(second, Failed)
    assert started(await scene.until(first, Done))
    assert engine.done == ["app1", "partition2", "leave"]


async def test_partitions_that_were_erased_are_named_in_one_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    names = [f"part{number}" for number in range(8)]
    places = (Range.sized(APP1.end - (8 - number) * SECTOR, SECTOR) for number in range(8))
    small = {name: Partition(name, place, guards=frozenset()) for name, place in zip(names, places, strict=True)}
    profile = replace(VISITED, partitions={"app1": VISITED.partitions["app1"], **small})
    async with running_lane(tmp_path, profile) as scene:
        scene.lane.see(ABSENT)
        for name in reversed(names):
            await scene.ask(JobKind.ERASE, name)
        flashed = await scene.order()
        scene.see()
        assert not_started(await scene.until(flashed, Done, Failed)) == f"{' and '.join(names)} were erased"


@pytest.mark.parametrize("name", ["app1", "partition2"])
async def test_a_job_that_fails_after_its_first_erase_keeps_the_board_in_dfu_mode_and_the_rest_runs(
    scene: Scene, engine: Engine, name: str
) -> None:
    engine.before[name] = torn
    jobs = {each: await scene.order(each) for each in ("app1", "partition2", LAST)}
    scene.see()
    await scene.until(jobs.pop(name), Failed)
    for job in jobs.values():
        ended = await scene.until(job, Done, Failed)
        assert not_started(ended) == f"{name} is incomplete"
        assert ended.text.endswith(f"not started: {name} is incomplete")
    assert engine.done == ["app1", "partition2", LAST]


async def test_what_was_written_before_a_job_that_fails_ends_at_once(scene: Scene, engine: Engine) -> None:
    over: list[bool] = []
    first, second = await scene.order(), await scene.order("partition2")
    last = await scene.order(LAST)
    engine.before["partition2"] = torn
    engine.before[LAST] = lambda _: over.append(scene.book.job(first.id).is_settled)
    scene.see()
    await scene.until(last, Done)
    assert isinstance(scene.book.job(second.id).status, Failed)
    assert over == [True], "nobody has to wait for the rest of the visit to hear that"


async def test_the_next_build_begins_a_visit_at_once_on_a_board_that_stayed(scene: Scene, engine: Engine) -> None:
    engine.before["app1"] = torn
    first = await scene.order()
    scene.see()
    await scene.until(first, Failed)
    assert started(await scene.until(await scene.order(size=30_000), Done))
    assert engine.done == ["app1", "app1", "leave"]


async def test_a_build_that_comes_during_the_last_job_of_a_visit_begins_the_next_on_a_board_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    newer: list[JobState] = []
    async with running_lane(tmp_path, replace(VISITED, leave=False)) as scene:
        engine = Engine(scene, monkeypatch)
        engine.before["app1"] = lambda _: newer.append(engine.order("app1", 30_000))
        first = await scene.order()
        await scene.until(first, Done)
        await scene.until(newer[0], Done)  # nothing else happens that would have the lane look again
    assert engine.done == ["app1", "app1"]


async def test_a_person_s_hold_in_mid_visit_ends_it_with_a_leave(scene: Scene, engine: Engine) -> None:
    def hold(_: FlashListener) -> None:
        engine.in_loop(lambda: setattr(scene.lane, "hold", BoardHold(reason="soldering", by=HoldBy.PERSON)))

    engine.before["app1"] = hold
    first, second = await scene.order(), await scene.order("partition2")
    scene.see()
    assert started(await scene.until(first, Done))
    assert engine.done == ["app1", "leave"]
    assert waits_for(await scene.until(second, Waiting)) is WaitFor.HOLD


async def test_a_hold_of_flashdeck_itself_never_leads_to_a_leave(scene: Scene, engine: Engine) -> None:
    def hold(_: FlashListener) -> None:
        engine.in_loop(lambda: setattr(scene.lane, "hold", BoardHold(reason="wrong bank", by=HoldBy.FLASHDECK)))

    engine.before["app1"] = hold
    first, second = await scene.order(), await scene.order("partition2")
    scene.see()
    assert not_started(await scene.until(first, Done)) == "the board is on hold: wrong bank"
    assert waits_for(await scene.until(second, Waiting)) is WaitFor.HOLD
    assert engine.done == ["app1"]


async def test_a_newer_build_of_a_partition_that_is_done_waits_for_the_next_visit(scene: Scene, engine: Engine) -> None:
    newer: list[JobState] = []
    engine.before["partition2"] = lambda _: newer.append(engine.order("app1", 30_000))
    first, second = await scene.order(), await scene.order("partition2")
    scene.see()
    assert started(await scene.until(first, Done))
    assert started(await scene.until(second, Done))
    assert waits_for(await scene.until(newer[0], Waiting)) is WaitFor.HAND
    assert engine.done == ["app1", "partition2", "leave"]
    engine.press()
    assert started(await scene.until(newer[0], Done))
    assert engine.done[3:] == ["app1", "leave"]


async def test_a_newer_build_runs_at_once_on_a_board_that_came_back_in_dfu_mode_from_its_leave(
    scene: Scene, engine: Engine
) -> None:
    """Nothing else happens that would have the lane look again."""
    newer: list[JobState] = []
    engine.before["app1"] = lambda _: newer.append(engine.order("app1", 30_000))
    engine.comes_back = True
    first = await scene.order()
    scene.see()
    assert (await scene.until(first, Failed)).failure is not None
    engine.comes_back = False
    assert started(await scene.until(newer[0], Done))
    assert engine.done == ["app1", "leave", "app1", "leave"]


async def test_a_partition_whose_job_failed_may_be_taken_again_in_the_same_visit(scene: Scene, engine: Engine) -> None:
    newer: list[JobState] = []
    engine.before["app1"] = torn
    engine.before["partition2"] = lambda _: newer.append(engine.order("app1", 30_000))
    first, second = await scene.order(), await scene.order("partition2")
    scene.see()
    await scene.until(first, Failed)
    assert started(await scene.until(second, Done))
    assert started(await scene.until(newer[0], Done))
    assert engine.done == ["app1", "partition2", "app1", "leave"]


async def test_a_blocked_job_never_keeps_the_board(scene: Scene, engine: Engine) -> None:
    def blocked(_: FlashListener) -> None:
        raise BlockedError("its bank is not proved", hint="release it")

    engine.before["app1"] = blocked
    first, second = await scene.order(), await scene.order("partition2")
    scene.see()
    await scene.until(first, Blocked)
    assert started(await scene.until(second, Done))
    assert engine.done == ["app1", "partition2", "leave"]


async def test_a_single_job_leaves_within_its_own_session(
    scene: Scene, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> bool:
        raise AssertionError("a second session costs requests")

    monkeypatch.setattr(flash_engine, "leave", fault)
    job = await scene.order()
    scene.see()
    assert started(await scene.until(job, Done))
    assert engine.done == ["app1", "leave"]


async def test_a_button_that_is_pressed_as_soon_as_the_application_runs_is_no_refusal(
    scene: Scene, engine: Engine
) -> None:
    first = await scene.order()
    scene.see()
    assert started(await scene.until(first, Done))
    engine.press()
    assert started(await scene.until(await scene.order("partition2"), Done))
    assert engine.done == ["app1", "leave", "partition2", "leave"]


@pytest.mark.parametrize("place", ["in DFU mode", "running"])
async def test_a_daemon_that_was_killed_between_the_last_write_and_the_leave_only_starts_the_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    async with running_lane(tmp_path, VISITED) as scene:
        scene.lane.stop()
        job = await scene.book.begin_attempt(await scene.order(), RUNNING)
        contents = Contents(
            sha256=job.sha256,
            size=job.size,
            flashed_at=0.0,
            verified=Verified.YES,
            job=job.id,
            serial="A1",
            bcd_device=scene.emulated.device.bcd_device,
        )
        await scene.book.record("left", "app1", contents)
        await scene.book.move(job, Written())
    async with running_lane(tmp_path, VISITED) as scene:
        engine = Engine(scene, monkeypatch)
        if place == "running":
            scene.lane.see(engine.app)
        assert not_started(await scene.until(job, Done, Failed)) == ""
        assert engine.done == (["leave"] if place == "in DFU mode" else [])
        now = scene.book.contents("left", "app1")
        assert now is not None
        assert now.started


async def test_a_release_while_the_jobs_are_told_of_the_hold_lets_all_of_them_go_on(
    scene: Scene, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not engine.done
    scene.lane.hold = BoardHold(reason="by hand", by=HoldBy.PERSON)
    first, reset = await scene.order(), await scene.ask(JobKind.RESET)
    tell = scene.book.wait

    async def release_meanwhile(job: JobState, status: Waiting) -> JobState | None:
        scene.lane.hold = None
        return await tell(job, status)

    monkeypatch.setattr(scene.book, "wait", release_meanwhile)
    scene.see()
    await scene.until(first, Done)
    assert "on hold" not in scene.book.job(reset.id).text
