"""A journal that cannot be written: it ends no lane, and what it cannot keep is not lost while the daemon runs."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace as replace_profile
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

import lane_rig
from flash_rig import APP1, BASE, PARTITION2, ROOM, ROOM_TWIN, Rig, blank, image
from flashdeck.config import BankPolicy
from flashdeck.errors import FlashdeckError, HostError, VerifyError
from flashdeck.job_state import Cancelled, Done, Failed, Verified, WaitFor, Waiting
from flashdeck.model import Contents, LogLevel
from flashdeckd.flash import engine as flash_engine
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.result import FlashResult
from flashdeckd.jobs.after_error import AfterError
from flashdeckd.state.journal import Bootloader, Journal, Ledger
from flashdeckd.usb.recognition import ABSENT
from job_states import waits_for
from lane_rig import PROFILE, Scene, running_lane


class Disk:
    """The disk below the journal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.refused = 0
        for save in ("save_job", "save_contents", "save_history"):
            monkeypatch.setattr(Journal, save, self._over(getattr(Journal, save)))

    def _over(self, save: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def saved(*what: object) -> None:
            if self.is_full:
                self.refused += 1
                raise HostError("the disk is full", hint="make room")
            await save(*what)

        return saved


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def held(scene: Scene) -> Contents:
    contents = scene.book.contents("left", "app1")
    assert contents is not None
    return contents


class Patched:
    """The engine with something that happens before its flashes, and after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flashes = 0
        self.before: Callable[[], None] = lambda: None
        self.committed: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        real: Callable[..., FlashResult] = flash_engine.flash

        def flash(pipe: object, image: bytes, target: object, listener: FlashListener, **rest: object) -> FlashResult:
            self.flashes += 1
            self.before()
            commit = listener.committed

            def committed() -> None:
                self.committed()
                commit()

            listener.committed = committed
            outcome = real(pipe, image, target, listener, **rest)
            self.after()
            return outcome

        monkeypatch.setattr(flash_engine, "flash", flash)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Patched:
    return Patched(monkeypatch)


async def test_jobs_wait_for_a_full_disk_and_go_on_by_themselves_once_there_is_room(
    scene: Scene, disk: Disk, engine: Patched
) -> None:
    def mismatch() -> None:
        disk.is_full = True
        raise VerifyError("app1 is not what was written")

    engine.after = mismatch
    scene.lane.see(ABSENT)
    first, second = await scene.order(), await scene.order("partition2")
    scene.see()
    for job in (first, second):
        waiting = await scene.until_says(job, "the disk is full", Waiting)
        assert isinstance(waiting.status, Waiting)
        assert (waiting.status.for_, waiting.status.hint) == (WaitFor.DISK, "make room")
    assert not held(scene).complete, "as long as this daemon runs, it knows"
    assert [text for text in scene.logged(LogLevel.ERROR) if "could not be recorded" in text]
    flash = scene.emulated.memory(PARTITION2)
    engine.after = lambda: None
    disk.is_full = False
    for job in (first, second):
        await scene.until(job, Done)
    assert held(scene).job == first.id
    assert scene.emulated.memory(PARTITION2) != flash


async def test_a_flash_that_can_not_be_recorded_waits_before_it_erases(
    scene: Scene, disk: Disk, engine: Patched
) -> None:
    await scene.until(await scene.order(size=20_000), Done)
    before, flash = held(scene), scene.emulated.memory(APP1)

    def fill() -> None:
        disk.is_full = True

    engine.before = fill
    second = await scene.until_says(await scene.order(size=30_000), "the disk is full", Waiting)
    assert waits_for(second) is WaitFor.DISK
    assert held(scene) == before
    assert scene.emulated.memory(APP1) == flash
    engine.before = lambda: None
    disk.is_full = False
    assert (await scene.until(second, Done)).attempts == 1, "what came of nothing does not count"


async def test_a_canary_whose_place_can_not_be_recorded_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[int] = []
    flash = bytearray(blank(ROOM_TWIN))
    flash[APP1.start - BASE : APP1.end - BASE] = image(20_000).ljust(APP1.size, b"\xff")

    async def full(_journal: Journal, _bootloader: Bootloader, history: BootloaderHistory) -> None:
        places.extend(history.canaries)
        raise HostError("the disk is full", hint="make room")

    monkeypatch.setattr(Journal, "save_history", full)
    monkeypatch.setattr(lane_rig, "Emulated", partial(Rig, old=bytes(flash)))
    async with running_lane(tmp_path, replace_profile(PROFILE, banks=BankPolicy.CHECK)) as scene:
        waiting = await scene.until_says(await scene.order(), "the disk is full", Waiting)
        assert waits_for(waiting) is WaitFor.DISK
        assert places == [ROOM.start]
        assert not scene.emulated.memory(ROOM).strip(b"\xff")


async def test_a_disk_that_is_full_once_the_image_is_whole_costs_no_leave_and_no_failure(
    scene: Scene, disk: Disk, engine: Patched
) -> None:
    def fill() -> None:
        disk.is_full = True

    engine.committed = fill
    job = await scene.until(await scene.order(), Done)
    assert (held(scene).job, held(scene).complete) == (job.id, True)
    assert [text for text in scene.logged(LogLevel.ERROR) if "app1" in text and "could not be recorded" in text]


async def test_what_a_full_disk_kept_out_of_the_journal_is_recorded_once_there_is_room(
    scene: Scene, disk: Disk, engine: Patched, tmp_path: Path
) -> None:
    def fill() -> None:
        disk.is_full = True

    def leave() -> None:
        loop.call_soon_threadsafe(scene.lane.see, ABSENT)

    loop = asyncio.get_running_loop()
    engine.committed, engine.after = fill, leave
    scene.lane.see(ABSENT)
    first, unwanted = await scene.order(), await scene.order("partition2")
    scene.see()
    await scene.until(first, Done)
    await scene.lane.cancel(await scene.until(unwanted, Waiting))
    disk.is_full = False
    await scene.order("partition2")
    async with opened_journal(tmp_path) as ledger:
        assert [type(job.status) for job in ledger.jobs][:2] == [Done, Cancelled]
        assert ledger.contents["left", "app1"] == held(scene)


async def test_a_fault_while_a_setback_is_dealt_with_ends_its_job_and_no_other(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(AfterError, "meet", broken)
        patch.setattr(flash_engine, "flash", broken_flash)
        job = await scene.until(await scene.order(), Failed)
    assert "the first error" in job.text
    assert "a bug" in job.text
    await scene.until(await scene.order(), Done)


def broken_flash(*_: object, **__: object) -> FlashResult:
    raise FlashdeckError("the first error")


@asynccontextmanager
async def opened_journal(root: Path) -> AsyncGenerator[Ledger]:
    """What the next daemon would know."""
    journal = await Journal.open(root / "journal.sqlite3")
    try:
        yield await journal.load()
    finally:
        await journal.close()


async def test_what_a_full_disk_kept_out_of_the_journal_goes_in_by_the_later_name_of_a_board(
    scene: Scene, disk: Disk
) -> None:
    scene.lane.see(ABSENT)
    job = await scene.order()
    await scene.book.forget("left", "partition2")
    disk.is_full = True
    has = Contents(sha256="1" * 64, size=1, flashed_at=0.0, verified=Verified.NO, job=job.id)
    await scene.book.record("left", "app1", has)
    await scene.book.rename_boards({"left": "desk"}, "m1")
    disk.is_full = False
    await scene.book.record("desk", "partition2", has)
    ledger = await scene.journal.load()
    assert sorted(ledger.contents) == [("desk", "app1"), ("desk", "partition2")]
    assert scene.book.is_forgotten(replace(job, board="desk", partition="partition2")), "and so is what was before"
