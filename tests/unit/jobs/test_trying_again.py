"""What becomes of a job after an error: how often it is tried again, and what frees it once it is not any more."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from flashdeck.errors import (
    DeviceError,
    DeviceGoneError,
    ErrorKind,
    FlashdeckError,
    HostError,
    RefusedError,
    TransferTimeoutError,
    WrongBankError,
)
from flashdeck.job_state import Blocked, Cancelled, Done, Failed, Phase, WaitFor, Waiting
from flashdeck.model import JobState, LogLevel, Presence
from flashdeckd.flash import engine as flash_engine
from flashdeckd.flash.flash_plan import DeviceFacts
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.result import FlashResult
from flashdeckd.images.image import Image
from flashdeckd.jobs import after_error, retry_policy
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.retry_policy import RESTS, RULES, Then
from flashdeckd.jobs.worker import Worker
from flashdeckd.usb.recognition import ABSENT, Sighting
from job_states import phase_of, waits_for
from lane_rig import Scene

LOST = RULES[ErrorKind.DEVICE_GONE].tries


class Engine:
    """The engine, but for the errors that its next attempts end with."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self._scene = scene
        self._loop = asyncio.get_running_loop()
        self._real: Callable[..., FlashResult] = flash_engine.flash
        self.errors: list[FlashdeckError] = []
        self.before: Callable[[FlashListener], None] = lambda _: None
        self.progress = 0
        """Bytes that each attempt brings onto the board beyond the last one."""
        self.attempts = 0
        monkeypatch.setattr(flash_engine, "flash", self)
        monkeypatch.setattr(after_error, "LOST_SECONDS", 30.0)

    def __call__(
        self, pipe: object, image: Image, target: object, observer: FlashListener, **rest: object
    ) -> FlashResult:
        self.attempts += 1
        self.before(observer)
        if not self.errors:
            return self._real(pipe, image, target, observer, **rest)
        observer.progress(Phase.WRITE, self.progress * self.attempts, 1_000_000)
        error = self.errors.pop(0)
        if isinstance(error, DeviceGoneError):
            self._loop.call_soon_threadsafe(self._scene.lane.see, ABSENT)
        raise error


@pytest.fixture
async def engine(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Engine:
    return Engine(scene, monkeypatch)


async def lost_again_and_again(scene: Scene, engine: Engine, times: int) -> JobState:
    """A job whose cable is pulled in each attempt; as it is once the last of them is over."""
    engine.errors = [DeviceGoneError("cable pulled") for _ in range(times)]
    job = await scene.order()
    for attempt in range(1, times + 1):
        async with asyncio.timeout(30):
            await scene.hub.until(
                lambda attempt=attempt: (
                    scene.book.job(job.id).attempts == attempt
                    and isinstance(scene.book.job(job.id).status, Waiting | Blocked)
                    and scene.lane.sighting is ABSENT
                )
            )
        if attempt < times:
            assert isinstance(scene.book.job(job.id).status, Waiting), scene.book.job(job.id).text
            scene.see()
    return scene.book.job(job.id)


async def test_a_board_that_is_lost_too_often_without_progress_is_left_to_a_person_and_freed_by_a_calm_replug(
    scene: Scene, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_policy, "RESTS", (0.05,))
    job = await lost_again_and_again(scene, engine, LOST)
    assert isinstance(job.status, Blocked)
    assert f"was lost in {LOST} attempts in a row that came no further" in job.text
    assert "plug it in again" in job.status.hint
    scene.see()
    job = await scene.until(job, Done, Failed)
    assert (type(job.status), job.attempts) == (Done, LOST + 1)


async def test_a_board_that_comes_back_has_to_stay_before_it_is_tried_again(
    scene: Scene, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_policy, "RESTS", (1000.0,))
    job = await lost_again_and_again(scene, engine, LOST)
    scene.see()
    other = await scene.until(await scene.order("partition2"), Done)
    assert isinstance(scene.book.job(job.id).status, Blocked), "it has not stayed yet"
    assert other.attempts == 1, "another job is not kept by that"
    await scene.lane.release()
    await scene.until(job, Done)


async def test_losses_with_progress_do_not_count(scene: Scene, engine: Engine) -> None:
    engine.progress = 100
    job = await lost_again_and_again(scene, engine, LOST + 4)
    assert waits_for(job) is WaitFor.ABSENT
    scene.see()
    assert (await scene.until(job, Done)).attempts == LOST + 5


async def test_a_board_that_hangs_too_often_is_blocked_and_a_new_build_is_tried(scene: Scene, engine: Engine) -> None:
    engine.errors = [TransferTimeoutError("no answer") for _ in range(RULES[ErrorKind.TRANSFER_TIMEOUT].tries)]
    job = await scene.until(await scene.order(), Blocked, Failed)
    assert "stopped answering in 8 attempts in a row" in job.text
    newer = await scene.order(size=30_000)
    await scene.until(newer, Done)


@pytest.mark.parametrize("kind", [ErrorKind.STALL, ErrorKind.DFU_STATUS, ErrorKind.DFU_STATE, ErrorKind.DESCRIPTOR])
async def test_what_a_board_refuses_is_tried_again_a_few_times_and_then_given_up(
    scene: Scene, engine: Engine, kind: ErrorKind
) -> None:
    tries = RULES[kind].tries
    assert tries > 1
    engine.errors = [DeviceError("it refused", kind=kind) for _ in range(tries - 1)]
    assert (await scene.until(await scene.order(), Done, Failed)).attempts == tries
    engine.errors = [DeviceError("it refused", kind=kind) for _ in range(tries)]
    job = await scene.until(await scene.order(), Failed, Done)
    assert (type(job.status), job.attempts) == (Failed, tries)


@pytest.mark.parametrize("error", [RefusedError("a guard"), WrongBankError("the canary is there")], ids=str)
async def test_what_must_not_be_repeated_is_not(scene: Scene, engine: Engine, error: FlashdeckError) -> None:
    engine.errors = [error]
    job = await scene.until(await scene.order(), Failed, Done)
    assert (type(job.status), job.attempts) == (Failed, 1)


async def test_trouble_of_the_host_is_never_a_job_s_result(scene: Scene, engine: Engine) -> None:
    engine.errors = [HostError("the journal is locked", hint="close it") for _ in range(3 * LOST)]
    job = await scene.until(await scene.order(), Waiting)
    assert waits_for(job) is WaitFor.DISK
    assert (await scene.until(job, Done, Failed, Blocked)).attempts == 1


def test_every_kind_that_is_tried_for_ever_says_what_it_waits_for() -> None:
    waits = {kind: rule.waits_for for kind, rule in RULES.items() if rule.then is Then.NOTHING}
    assert WaitFor.PAUSE not in waits.values()
    assert {ErrorKind.GUARD, ErrorKind.PROTECTED, ErrorKind.WRONG_BANK, ErrorKind.NOT_ACCEPTED}.isdisjoint(RULES)
    assert list(RESTS) == sorted(RESTS)


@pytest.mark.parametrize("change", [{"bcd_device": 0x0123}, {"serial": "B2"}], ids=str)
async def test_another_device_in_a_board_s_place_is_left_alone_and_changes_nothing(
    scene: Scene, engine: Engine, change: dict[str, object]
) -> None:
    engine.before = lambda observer: observer.began()
    job = await lost_again_and_again(scene, engine, 1)
    engine.before = lambda _: None
    contents, transfers = scene.book.contents("left", "app1"), scene.emulated.board.state().transfers
    scene.lane.see(Sighting(Presence.DFU, replace(scene.emulated.device, **{"serial": "A1", **change})))
    job = await scene.until_says(job, "another device is in the place of board left", Waiting)
    assert waits_for(job) is WaitFor.OTHER_DEVICE
    assert scene.book.contents("left", "app1") == contents
    assert (engine.attempts, scene.emulated.board.state().transfers) == (1, transfers)
    scene.see()
    await scene.until(job, Done)


async def test_another_map_is_another_device_until_a_person_says_that_it_is_the_board(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mapped(name: str) -> None:
        monkeypatch.setattr(DeviceFacts, "map_fingerprint", property(lambda _: name))

    mapped("one")
    loop = asyncio.get_running_loop()
    real, cut = flash_engine.flash, [True]

    def flash(pipe: object, image: Image, target: object, observer: FlashListener, **rest: object) -> FlashResult:
        if cut:
            cut.clear()
            began = observer.began

            def lost() -> None:
                began()
                loop.call_soon_threadsafe(scene.lane.see, ABSENT)
                raise DeviceGoneError("cable pulled")

            observer.began = lost
        return real(pipe, image, target, observer, **rest)  # type: ignore[arg-type]  # what the lane passes

    monkeypatch.setattr(flash_engine, "flash", flash)
    job = await scene.until(await scene.order(), Waiting)
    mapped("another")
    erases = scene.emulated.board.state().erases
    scene.see()
    job = await scene.until_says(job, "another memory map", Waiting)
    assert waits_for(job) is WaitFor.OTHER_DEVICE
    assert scene.emulated.board.state().erases == erases
    await scene.lane.release()
    await scene.until(job, Done)


async def test_who_cancels_a_job_on_a_board_that_hangs_hears_how_long_that_may_take(
    scene: Scene, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, threads = DeviceThread.opened, list[DeviceThread]()

    async def opened(thread: DeviceThread, work: Callable[[Worker], FlashResult]) -> FlashResult:
        threads.append(thread)
        return await real(thread, work)

    monkeypatch.setattr(DeviceThread, "opened", opened)
    hangs, answered = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(observer: FlashListener) -> None:
        pulse = threads[0].pulse
        pulse.ask(30.0)
        loop.call_soon_threadsafe(hangs.set)
        asyncio.run_coroutine_threadsafe(answered.wait(), loop).result()
        pulse.answer(answered=False)
        observer.check()

    engine.before = hang
    job = await scene.order()
    async with asyncio.timeout(30):
        await hangs.wait()
        cancelling = asyncio.create_task(scene.lane.cancel(job))
        await scene.hub.until(lambda: bool([t for t in scene.logged(LogLevel.WARNING) if "running transfer" in t]))
        assert phase_of(scene.book.job(job.id)) is Phase.OPEN, "it has not ended yet"
        answered.set()
        await cancelling
    assert isinstance(scene.book.job(job.id).status, Cancelled)
    (told,) = [text for text in scene.logged(LogLevel.WARNING) if "running transfer" in text]
    assert told in {f"waits for the running transfer, at most {seconds} s" for seconds in (29, 30)}
