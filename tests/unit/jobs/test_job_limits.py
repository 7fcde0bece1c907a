"""How long a lane waits, and how much is kept of its jobs: as much as the number says, and no more."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from asked_times import asked_times
from flash_rig import Rig
from flashdeck.config import Enter, UsbId
from flashdeck.errors import DeviceGoneError, DevicePermissionError, ErrorKind
from flashdeck.job_state import (
    Cancelled,
    Canceller,
    DeviceWork,
    Done,
    Failed,
    FlashWork,
    HookRun,
    JobKind,
    JobStatus,
    Phase,
    PhaseTimes,
    Queued,
    Running,
    TimeClaim,
    WaitFor,
    Waiting,
)
from flashdeck.model import DaemonState, JobState, Origin, Presence
from flashdeck.text import clean
from flashdeckd.entering import asking
from flashdeckd.flash import engine
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.result import FlashResult
from flashdeckd.host import clock
from flashdeckd.images import guards
from flashdeckd.images.image import Image
from flashdeckd.images.spool import Artifact
from flashdeckd.jobs import job_images, progress_reports, satisfaction, worker
from flashdeckd.jobs.after_error import LOST_SECONDS
from flashdeckd.jobs.attempt import MAX_REMARKS
from flashdeckd.jobs.book import KEPT_JOBS, JobBook
from flashdeckd.jobs.departure import START_SECONDS, WINDOW_SECONDS
from flashdeckd.jobs.device_thread import OPEN_PAUSE, OPEN_TRIES, DeviceThread
from flashdeckd.jobs.job_images import GuardVerdicts
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.lost_reads import PATIENCE, LostReads
from flashdeckd.jobs.progress_reports import PROGRESS_SECONDS, PULSE_SECONDS, ProgressReports
from flashdeckd.jobs.retry_policy import ACCESS_PAUSE, LOOK_TRIES, RESTS, FailedAttempts, Then, rule_for
from flashdeckd.jobs.satisfaction import Satisfaction
from flashdeckd.jobs.worker import MAX_MAPS, Worker
from flashdeckd.requests.by_hand import HandRequests
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal, Ledger
from flashdeckd.usb.pulse import Pulse
from flashdeckd.usb.recognition import ABSENT, Sighting
from job_states import DONE, waits_for
from lane_rig import PROFILE, Scene, running_lane
from set_clock import set_clock

APP = UsbId(0x0483, 0x5740)
STARTING = replace(PROFILE, app=APP, enter=Enter.DETACH, leave=True)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The times for which lanes wait for their boards; none of them takes longer than a moment."""
    asked: list[float | None] = []
    real = LaneState.until

    async def until(state: LaneState, reached: Callable[[], bool], seconds: float | None) -> bool:
        asked.append(seconds)
        return await real(state, reached, seconds and 0.02)

    monkeypatch.setattr(LaneState, "until", until)
    return asked


def flashed(monkeypatch: pytest.MonkeyPatch, after: Callable[[FlashResult], FlashResult]) -> None:
    """Lets the engine end with something else than what it came to."""
    real: Callable[..., FlashResult] = engine.flash

    def flash(*words: object, **rest: object) -> FlashResult:
        return after(real(*words, **rest))

    monkeypatch.setattr(engine, "flash", flash)


def in_dfu(scene: Scene, address: int) -> Sighting:
    return Sighting(Presence.DFU, replace(scene.emulated.device, serial="A1", address=address))


async def test_an_application_has_its_time_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float | None]
) -> None:
    loop = asyncio.get_running_loop()
    async with running_lane(tmp_path, STARTING) as scene:

        def left(outcome: FlashResult) -> FlashResult:
            loop.call_soon_threadsafe(scene.lane.see, ABSENT)
            return replace(outcome, left=True)

        flashed(monkeypatch, left)
        job = await scene.until(await scene.order(), Done, Failed)
    assert waits[0] == START_SECONDS
    assert f"was not seen to start within {START_SECONDS:.0f} s" in job.text


async def test_a_bootloader_that_shows_itself_has_its_time_to_start_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float | None]
) -> None:
    loop = asyncio.get_running_loop()
    async with running_lane(tmp_path, STARTING) as scene:

        def left(outcome: FlashResult) -> FlashResult:
            loop.call_soon_threadsafe(scene.lane.see, in_dfu(scene, 77))
            return replace(outcome, left=True)

        flashed(monkeypatch, left)
        await scene.until(await scene.order(), Done, Failed)
    assert waits[:2] == [START_SECONDS, WINDOW_SECONDS]


async def test_an_application_that_follows_such_a_bootloader_has_its_time_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []
    real, loop = LaneState.until, asyncio.get_running_loop()
    async with running_lane(tmp_path, STARTING) as scene:

        async def until(state: LaneState, reached: Callable[[], bool], seconds: float | None) -> bool:
            waits.append(seconds)
            if seconds == WINDOW_SECONDS:
                state.see(ABSENT)
            return await real(state, reached, seconds and 0.02)

        monkeypatch.setattr(LaneState, "until", until)

        def left(outcome: FlashResult) -> FlashResult:
            loop.call_soon_threadsafe(scene.lane.see, in_dfu(scene, 77))
            return replace(outcome, left=True)

        flashed(monkeypatch, left)
        await scene.until(await scene.order(), Done, Failed)
    assert waits[:3] == [START_SECONDS, WINDOW_SECONDS, START_SECONDS]


async def test_a_board_that_was_asked_to_detach_has_its_time_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float | None]
) -> None:
    def nothing(*_: object) -> None:
        """It is asked, and does nothing."""

    monkeypatch.setattr(Worker, "detach", nothing)
    monkeypatch.setattr(Worker, "reach", nothing)
    async with running_lane(tmp_path, STARTING) as scene:
        scene.lane.see(Sighting(Presence.APP, replace(scene.emulated.device, serial="A1", usb_id=APP)))
        job = await scene.order()
        async with asyncio.timeout(30):
            await scene.hub.until(lambda: waits_for(scene.book.job(job.id)) is WaitFor.HAND)
    assert waits == [asking.ENTER_SECONDS]


async def test_hotplug_has_its_time_to_tell_that_a_board_is_gone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, waits: list[float | None]
) -> None:
    real: Callable[..., FlashResult] = engine.flash

    def lost(*_: object, **__: object) -> FlashResult:
        monkeypatch.setattr(engine, "flash", real)
        raise DeviceGoneError("no answer")

    monkeypatch.setattr(engine, "flash", lost)
    await scene.until(await scene.order(), Done, Failed)
    assert waits == [LOST_SECONDS]


async def test_so_many_remarks_are_kept_with_a_result(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    remarks = tuple(f"remark {number}" for number in range(2 * MAX_REMARKS + 1))
    flashed(monkeypatch, lambda outcome: replace(outcome, remarks=remarks))
    job = await scene.until(await scene.order(), Done, Failed)
    assert job.result is not None
    assert job.result.remarks == remarks[:MAX_REMARKS]


def test_a_job_that_changes_nothing_is_tried_so_often_and_never_blocked() -> None:
    lost = rule_for(ErrorKind.DEVICE_GONE, JobKind.READ)
    assert (lost.tries, lost.then) == (LOOK_TRIES, Then.FAIL)
    assert rule_for(ErrorKind.BLOCKED, JobKind.RESET).then is Then.FAIL
    assert rule_for(ErrorKind.BLOCKED, JobKind.ERASE).then is Then.BLOCK
    assert rule_for(ErrorKind.HOST, JobKind.VERIFY) == rule_for(ErrorKind.HOST)


async def test_it_is_shown_so_often_that_a_board_answers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_times(monkeypatch)
    await scene.until(await scene.order(), Done, Failed)
    assert max(asked.naps) == PULSE_SECONDS


class Shown:
    """A book that notes what it is told of a running job."""

    def __init__(self) -> None:
        self.told: list[Running] = []
        self.times = PhaseTimes()
        self.work = FlashWork()

    def spend(self, _: int, times: PhaseTimes, work: FlashWork) -> None:
        self.work = self.work.plus(work)
        for phase in Phase:
            self.times = self.times.plus(phase, times.of(phase))

    def progress(self, _: int, status: Running) -> None:
        self.told.append(status)


def reports(book: Shown, pulse: Pulse) -> ProgressReports:
    loop = SimpleNamespace(call_soon_threadsafe=_call)
    return ProgressReports(
        loop=cast("asyncio.AbstractEventLoop", loop),
        book=cast("JobBook", book),
        job=cast("Any", SimpleNamespace(id=1)),
        check=lambda: None,
        pulse=pulse,
    )


def _call(work: Callable[..., object], *values: object) -> None:
    work(*values)


def test_progress_is_passed_on_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(progress_reports, "clock", SimpleNamespace(monotonic=lambda: now, now=clock.now))
    book = Shown()
    report = reports(book, Pulse())
    for now, done in ((100.0, 1), (100.0 + PROGRESS_SECONDS * 0.99, 2), (100.0 + PROGRESS_SECONDS * 1.01, 3)):  # noqa: B007 - the clock reads it
        report.progress(Phase.WRITE, done, 10)
    assert [status.done for status in book.told] == [1, 3]


def test_each_phase_is_counted_once_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_ = set_clock(monkeypatch)
    book = Shown()
    report = reports(book, Pulse())
    for seconds, phase in ((1, Phase.OPEN), (2, Phase.ERASE), (4, Phase.ERASE), (8, Phase.WRITE)):
        clock_.seconds += seconds
        report.progress(phase, 1, 10)
    assert book.times == PhaseTimes(open=1, erase=6, write=8)
    clock_.seconds += 16
    report.progress(Phase.WRITE, 2, 10)
    assert book.times.write == 8
    report.end()
    assert book.times == PhaseTimes(open=1, erase=6, write=24)


def test_an_answer_is_passed_on_only_so_often() -> None:
    book, pulse = Shown(), Pulse()
    begun = pulse.answered_at = 1000.0
    report = reports(book, pulse)
    for after in (0.99, 1.01):
        pulse.answered_at = begun + PULSE_SECONDS * after
        report.show_pulse()
    assert [status.answered_at for status in book.told] == [begun + PULSE_SECONDS * 1.01]


async def test_a_device_that_cannot_be_opened_yet_is_tried_again_after_such_a_pause() -> None:
    pauses: list[float] = []

    async def until(_: object, seconds: float) -> bool:
        pauses.append(seconds)
        return False

    def refused(_: Worker) -> None:
        raise DevicePermissionError("permission denied")

    thread = DeviceThread("left", Worker(None), cast("LaneState", SimpleNamespace(until=until, sighting=ABSENT)))
    with pytest.raises(DevicePermissionError):
        await thread.opened(refused)
    await thread.end()
    assert pauses == [OPEN_PAUSE] * (OPEN_TRIES - 1)


def test_so_much_is_kept_of_what_a_board_says_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def identify(_: object) -> str:
        return said

    monkeypatch.setattr(worker, "identify", identify)
    rig = Rig()
    said = "m" * MAX_MAPS
    assert Worker(rig.bench.backend).identify(rig.device) == said
    said += "m"
    assert Worker(rig.bench.backend).identify(rig.device) == clean(said, MAX_MAPS)


@pytest.mark.parametrize("kind", [ErrorKind.NO_PERMISSION, ErrorKind.DEVICE_BUSY])
def test_what_somebody_else_keeps_closed_is_tried_again_after_such_a_pause(kind: ErrorKind) -> None:
    assert (rule_for(kind).pause(1), rule_for(kind).pause(1000)) == (ACCESS_PAUSE[0], ACCESS_PAUSE[-1])


def test_a_board_that_was_lost_too_often_has_to_stay_longer_each_time() -> None:
    asked = [FailedAttempts(blocked=times).rest() for times in range(1, len(RESTS) + 2)]
    assert asked == [*RESTS, RESTS[-1]]


async def test_a_job_may_lose_so_many_reads_where_reading_was_proved() -> None:
    history = BootloaderHistory(reading_proved=True)
    nobody = cast("Any", SimpleNamespace(of=lambda _: history))  # pyright: ignore[reportUnknownLambdaType]
    lost = LostReads("left", nobody, cast("Hub", None))
    for _ in range(PATIENCE):
        assert lost.reading_allowed(1, history)
        await lost.add(Rig().device, 1)
    assert not lost.reading_allowed(1, history)


def ended(number: int) -> JobState:
    return one_job(number, DONE)


def one_job(number: int, status: JobStatus) -> JobState:
    return JobState(
        id=number,
        board="left",
        partition="app1",
        sha256=f"{number:064}",
        size=1,
        origin=Origin.BUILD,
        status=status,
        created_at=0.0,
    )


async def test_so_many_ended_jobs_are_kept(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    for count, is_kept in ((KEPT_JOBS, True), (KEPT_JOBS + 1, False)):
        hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
        jobs = tuple(ended(number) for number in range(1, count + 1))
        ledger = Ledger(jobs=jobs, contents={}, artifacts={}, holds={}, ports={}, histories={}, next_job=count + 1)
        book = JobBook(hub, journal, ledger, lambda _: None)
        await book.create("left", "app1", Artifact(sha256="0" * 64, size=1, version=""), Origin.HAND)
        assert (1 in book.jobs, 1 in hub.jobs) == (is_kept, is_kept)
        assert len(book.jobs) == KEPT_JOBS + 1
    await journal.close()


async def test_a_job_that_waited_longer_than_all_others_is_known_when_it_ends(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
    waited = one_job(1, Queued())
    jobs = (waited, *(ended(number) for number in range(2, KEPT_JOBS + 2)))
    ledger = Ledger(jobs=jobs, contents={}, artifacts={}, holds={}, ports={}, histories={}, next_job=KEPT_JOBS + 2)
    book = JobBook(hub, journal, ledger, lambda _: None)
    artifact = Artifact(sha256="0" * 64, size=1, version="")
    end = Cancelled(by=Canceller.PERSON)
    await asyncio.gather(
        book.move(waited, end),
        *(book.create("left", "app1", artifact, Origin.HAND) for _ in range(3)),  # before its end is recorded
        book.note_hook(2, HookRun(name="done", ending="ended with 0")),  # of the first that is forgotten
    )
    assert book.job(1).status == hub.jobs[1].status == end
    assert sum(job.is_settled for job in book.jobs.values()) == KEPT_JOBS
    assert book.jobs.keys() == hub.jobs.keys()
    await journal.close()


async def test_nobody_is_told_of_an_end_before_it_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
    job = one_job(1, Queued())
    ledger = Ledger(jobs=(job,), contents={}, artifacts={}, holds={}, ports={}, histories={}, next_job=2)
    book = JobBook(hub, journal, ledger, lambda _: None)
    save, may_end = journal.save_job, asyncio.Event()

    async def slow(now: JobState) -> None:
        if now.is_settled:
            await may_end.wait()
        await save(now)

    monkeypatch.setattr(journal, "save_job", slow)
    waits = asyncio.create_task(book.wait(job, Waiting(for_=WaitFor.ABSENT, reason="not connected")))
    ends = asyncio.create_task(book.move(job, Cancelled(by=Canceller.PERSON)))
    await waits
    assert not hub.jobs[1].is_settled
    may_end.set()
    await ends
    assert hub.jobs[1].is_settled
    await journal.close()


async def test_a_client_may_leave_when_its_job_is_forgotten(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite3")
    hub = Hub(DaemonState(version="0", pid=1, instance="i", host="h", started_at=0.0))
    jobs = tuple(ended(number) for number in range(1, KEPT_JOBS + 2))
    ledger = Ledger(jobs=jobs, contents={}, artifacts={}, holds={}, ports={}, histories={}, next_job=KEPT_JOBS + 2)
    book = JobBook(hub, journal, ledger, lambda _: None)
    await book.create("left", "app1", Artifact(sha256="0" * 64, size=1, version=""), Origin.HAND)
    assert 1 not in book.jobs
    nobody = cast("Any", None)
    HandRequests(cast("Any", SimpleNamespace(book=book)), nobody, hub, nobody).abandon(jobs[:2])
    await journal.close()


async def test_so_many_verdicts_of_the_guards_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def check(image: Image, *_: object) -> tuple[str, ...]:
        asked.append(image.sha256)
        return ()

    monkeypatch.setattr(guards, "check", check)
    verdicts, images = GuardVerdicts(), [f"{number}" for number in range(job_images.REMEMBERED + 1)]

    async def judge(sha256: str) -> None:
        image = cast("Image", SimpleNamespace(sha256=sha256))
        await verdicts.check(image, PROFILE, PROFILE.partitions["app1"])

    for sha256 in (*images[:-1], images[0], images[-1], images[0]):
        await judge(sha256)
    assert asked == [*images, images[0]], "the oldest one alone is judged anew, once there is one more"


def test_so_many_answers_about_bytes_are_kept(scene: Scene) -> None:
    asked: list[str] = []
    known = Image.raw(bytes(16))

    def image(sha256: str) -> Image:
        asked.append(sha256)
        return known

    answers = Satisfaction(scene.book, cast("Any", SimpleNamespace(image=image)))

    def is_asked(other: int) -> bool:
        asked.clear()
        answers.is_brought_by(f"{other}", scene.board, PROFILE.partitions["app1"], "wanted")
        return bool(asked)

    assert all(is_asked(number) for number in range(satisfaction.REMEMBERED))
    assert not is_asked(0)
    assert is_asked(satisfaction.REMEMBERED)
    assert not is_asked(0), "it was asked for since"
    assert is_asked(1), "the one that was not asked for longest is forgotten"


def test_a_claim_is_passed_on_at_once_until_there_is_progress_or_an_answer() -> None:
    book, pulse = Shown(), Pulse()
    pulse.answered_at = 1000.0
    report, claim = reports(book, pulse), TimeClaim(work=DeviceWork.BLOCK, seconds=10, waits=10)
    report.claimed(claim)
    assert book.told[-1].claim == claim
    report.progress(Phase.WRITE, 1, 10)
    assert book.told[-1].claim is None
    report.claimed(claim)
    assert (book.told[-1].claim, book.told[-1].done) == (claim, 1)
    pulse.answered_at += PULSE_SECONDS
    report.show_pulse()
    assert book.told[-1].claim is None


def test_what_is_read_is_counted_by_how_far_a_phase_has_come_also_where_it_begins_anew() -> None:
    book = Shown()
    report = reports(book, Pulse())
    for phase, done in (
        (Phase.COMPARE, 4),
        (Phase.COMPARE, 10),
        (Phase.WRITE, 7),
        (Phase.VERIFY, 3),
        (Phase.VERIFY, 2),
    ):
        report.progress(phase, done, 10)
    report.end()
    assert book.work == FlashWork(bytes_read=10 + 3 + 2)
