"""Jobs that flash nothing, in a lane on an emulated board: verify, read, erase, and leave DFU mode."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from canned_daemon import job
from flash_rig import APP1, BASE, PARTITION2, SECTOR, TARGET, image
from flashdeck.config import Config, Enter, UsbId
from flashdeck.errors import ErrorKind
from flashdeck.geometry import Range
from flashdeck.job_state import (
    Cancelled,
    Done,
    Failed,
    JobKind,
    Queued,
    Superseded,
    Verified,
    WaitFor,
    Waiting,
    Written,
)
from flashdeck.model import BoardHold, Contents, HoldBy, JobState, Presence
from flashdeck.queue_order import in_queue_order
from flashdeckd.flash import engine as flash_engine
from flashdeckd.flash.result import FlashResult
from flashdeckd.images.image import Image
from flashdeckd.jobs import departure
from flashdeckd.jobs.queue import superseded_by_erase
from flashdeckd.jobs.restart import queue_again
from flashdeckd.usb.recognition import ABSENT, Sighting
from flashdeckd.virtual.spec import Model
from job_states import waits_for
from lane_rig import PROFILE, Scene, hurry, running_lane

APP = UsbId(0x0483, 0x5740)
SPAN = Range.sized(APP1.start, 5 * SECTOR)
BLANK = b"\xff" * SPAN.size
SMALL = replace(
    PROFILE,
    partitions={
        "app1": replace(PROFILE.partitions["app1"], span=SPAN),
        "partition2": replace(PROFILE.partitions["partition2"], span=Range.sized(PARTITION2.start, SPAN.size)),
    },
)
DATA = image(20_000)


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    hurry(monkeypatch)
    async with running_lane(tmp_path, SMALL) as scene:
        yield scene


def contents(scene: Scene, partition: str = "app1") -> Contents:
    found = scene.book.contents("left", partition)
    assert found is not None
    return found


def damage(scene: Scene, offset: int, data: bytes) -> None:
    """Another tool flashes the same image, but for these bytes."""
    changed = DATA[:offset] + data + DATA[offset + len(data) :]
    scene.emulated.flash(changed, replace(TARGET, leave=False))


async def ended(scene: Scene, job: JobState) -> JobState:
    return await scene.until(job, Done, Failed, Cancelled)


# Verify.


async def test_what_was_flashed_is_found_there(scene: Scene) -> None:
    await ended(scene, await scene.order(data=DATA))
    job = await ended(scene, await scene.ask(JobKind.VERIFY))
    assert isinstance(job.status, Done), job.text
    assert job.result is not None
    assert job.result.verified is Verified.YES
    assert job.result.bytes_read >= len(DATA)
    assert contents(scene).verified is Verified.YES
    assert scene.emulated.present


async def test_what_is_different_is_counted_and_makes_the_contents_uncertain(scene: Scene) -> None:
    await ended(scene, await scene.order(data=DATA))
    damage(scene, 5000, bytes(each ^ 1 for each in DATA[5000:5003]))
    job = await ended(scene, await scene.ask(JobKind.VERIFY))
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.VERIFY
    assert "3 bytes are different, the first at 0x08021388" in job.failure.message
    assert job.result is not None
    assert (job.result.different, job.result.first_difference) == (3, APP1.start + 5000)
    now = contents(scene)
    assert now.uncertain
    assert now.verified is Verified.NO
    assert now.complete, "no flash was cut short"


async def test_an_image_that_is_there_is_found_whoever_wrote_it(scene: Scene) -> None:
    old = scene.emulated.old[APP1.start - BASE :][:5000]
    job = await ended(scene, await scene.ask(JobKind.VERIFY, data=old))
    assert isinstance(job.status, Done), job.text
    assert job.result is not None
    assert job.result.verified is Verified.NO, "reading is not proved yet"
    assert any("not proved" in remark for remark in job.result.remarks)


async def test_another_image_than_the_one_there_is_different_and_says_nothing_of_what_is_known(scene: Scene) -> None:
    await ended(scene, await scene.order(data=DATA))
    before = contents(scene)
    job = await ended(scene, await scene.ask(JobKind.VERIFY, data=image(20_000, seed=9)))
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.VERIFY
    assert contents(scene) == before


async def test_without_a_file_and_without_knowledge_there_is_nothing_to_compare(scene: Scene) -> None:
    transfers = scene.emulated.board.state().transfers
    job = await ended(scene, await scene.ask(JobKind.VERIFY))
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.NO_SUCH_ARTIFACT
    assert scene.emulated.board.state().transfers == transfers


async def test_an_incomplete_partition_is_not_compared(scene: Scene) -> None:
    torn = Contents(sha256="", size=0, flashed_at=1.0, verified=Verified.NO, job=0, complete=False)
    await scene.book.record("left", "app1", torn)
    job = await ended(scene, await scene.ask(JobKind.VERIFY))
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.VERIFY


async def test_reads_that_were_refused_need_force(tmp_path: Path) -> None:
    async with running_lane(tmp_path, SMALL, Model.CLASSIC_NOREAD) as scene:
        await ended(scene, await scene.order(data=DATA))
        uploads = scene.emulated.board.state().uploads
        job = await ended(scene, await scene.ask(JobKind.VERIFY))
        assert job.failure is not None
        assert job.failure.kind is ErrorKind.UNREADABLE
        assert scene.emulated.board.state().uploads == uploads, "it was not even asked"
        job = await ended(scene, await scene.ask(JobKind.VERIFY, force=True))
        assert job.failure is not None
        assert job.failure.kind is ErrorKind.STALL


async def test_reads_that_lie_need_force_and_a_difference_is_not_believed(tmp_path: Path) -> None:
    async with running_lane(tmp_path, SMALL, Model.CLASSIC_CONSTANT) as scene:
        await ended(scene, await scene.order(data=DATA))
        job = await ended(scene, await scene.ask(JobKind.READ))
        assert job.failure is not None
        assert job.failure.kind is ErrorKind.UNREADABLE
        job = await ended(scene, await scene.ask(JobKind.VERIFY, force=True))
        assert job.failure is not None
        assert job.failure.kind is ErrorKind.VERIFY
        assert job.result is not None
        assert any("false read" in remark for remark in job.result.remarks)
        assert contents(scene).uncertain


# Read.


async def test_all_of_a_partition_is_kept(scene: Scene) -> None:
    job = await ended(scene, await scene.ask(JobKind.READ))
    assert isinstance(job.status, Done), job.text
    assert job.size == SPAN.size
    assert scene.spooled(job.sha256) == Image.raw(scene.emulated.memory(SPAN))


async def test_a_read_shows_that_somebody_else_has_changed_what_is_there(scene: Scene) -> None:
    await ended(scene, await scene.order(data=DATA))
    damage(scene, 5000, b"\x00\x01\x02")
    job = await ended(scene, await scene.ask(JobKind.READ))
    assert isinstance(job.status, Done)
    assert job.result is not None
    assert any("not what flashdeck knows" in remark for remark in job.result.remarks)
    assert contents(scene).uncertain


# Erase.


async def test_an_erased_partition_is_blank_and_known_to_be(scene: Scene) -> None:
    await ended(scene, await scene.order(data=DATA))
    job = await ended(scene, await scene.ask(JobKind.ERASE))
    assert isinstance(job.status, Done), job.text
    assert scene.emulated.memory(SPAN) == BLANK
    assert not scene.emulated.outside_changed(SPAN)
    now = contents(scene)
    assert now.erased
    assert now.complete
    assert (now.sha256, now.patches) == ("", ())
    assert now.verified is Verified.YES
    assert scene.emulated.present
    again = await ended(scene, await scene.ask(JobKind.VERIFY))
    assert isinstance(again.status, Done), again.text


async def test_an_erase_ends_with_the_next_flash(scene: Scene) -> None:
    await ended(scene, await scene.ask(JobKind.ERASE))
    assert scene.book.is_for_hands("left", "app1")
    await ended(scene, await scene.order(data=DATA))
    assert not contents(scene).erased
    assert not scene.book.is_for_hands("left", "app1")
    assert scene.emulated.memory(Range.sized(APP1.start, len(DATA))) == DATA


async def test_the_journal_knows_that_the_contents_are_gone_before_the_first_erase(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(scene, await scene.order(data=DATA))
    seen: list[Contents] = []
    erased: Callable[..., FlashResult] = flash_engine.erase

    def erase(pipe: object, target: object, listener: Any, **rest: object) -> FlashResult:
        began = listener.began

        def told() -> None:
            began()
            seen.append(contents(scene))
            assert scene.emulated.memory(Range.sized(APP1.start, len(DATA))) == DATA

        listener.began = told
        return erased(pipe, target, listener, **rest)

    monkeypatch.setattr(flash_engine, "erase", erase)
    await ended(scene, await scene.ask(JobKind.ERASE))
    assert [(each.complete, each.erased) for each in seen] == [(False, True)]


async def test_a_flash_that_was_asked_for_behind_an_erase_comes_behind_it(scene: Scene) -> None:
    scene.lane.see(ABSENT)
    erase = await scene.ask(JobKind.ERASE)
    flash = await scene.order(data=DATA)
    scene.see()
    assert isinstance((await ended(scene, flash)).status, Done)
    assert isinstance(scene.book.job(erase.id).status, Done)
    assert scene.emulated.memory(Range.sized(APP1.start, len(DATA))) == DATA
    behind = Range(APP1.start + 3 * SECTOR, SPAN.end)
    assert scene.emulated.memory(behind) == b"\xff" * behind.size


async def test_an_erase_takes_the_place_of_what_has_not_begun_for_its_partition(scene: Scene) -> None:
    scene.lane.see(ABSENT)
    flash, other = await scene.order(data=DATA), await scene.order("partition2")
    verify = await scene.ask(JobKind.VERIFY, data=DATA)
    assert superseded_by_erase(scene.book.active("left"), "app1") == (flash.id,)
    assert {flash.id, other.id, verify.id} == {job.id for job in scene.book.active("left")}


async def test_a_flash_that_was_cut_short_gives_way_to_an_erase(scene: Scene) -> None:
    scene.lane.see(ABSENT)
    flash = await scene.order(data=DATA)
    erase = await scene.ask(JobKind.ERASE)
    scene.see()
    assert isinstance((await ended(scene, erase)).status, Done)
    assert isinstance(scene.book.job(flash.id).status, Superseded)


# Leave DFU mode.


class Running:
    """A board that leaves DFU mode, and comes back as its application."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self._scene = scene
        self._loop = asyncio.get_running_loop()
        self._leave: Callable[..., bool] = flash_engine.leave
        self._device = scene.emulated.device
        self.left = 0
        self.has_left = asyncio.Event()
        self.starts = True
        monkeypatch.setattr(flash_engine, "leave", self.leave)

    def leave(self, pipe: object, target: object) -> bool:
        assert self._leave(pipe, target)
        self.left += 1
        self._loop.call_soon_threadsafe(self.has_left.set)
        if self.starts:
            self._loop.call_soon_threadsafe(self._scene.lane.see, self.app)
        else:
            self._loop.call_soon_threadsafe(self.press)
        return True

    @property
    def app(self) -> Sighting:
        device = replace(self._device, serial="A1", usb_id=APP, address=100 + self.left)
        return Sighting(Presence.APP, device)

    def press(self) -> None:
        """The board comes back in DFU mode."""
        self._scene.emulated.back_in_dfu()
        self._scene.see()


STARTED = replace(SMALL, app=APP, enter=Enter.MANUAL, leave=True)


@pytest.fixture
async def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    hurry(monkeypatch)
    async with running_lane(tmp_path, STARTED) as scene:
        yield scene


@pytest.fixture
async def board(started: Scene, monkeypatch: pytest.MonkeyPatch) -> Running:
    return Running(started, monkeypatch)


async def test_a_board_leaves_dfu_mode_when_asked(started: Scene, board: Running) -> None:
    job = await ended(started, await started.ask(JobKind.RESET, ""))
    assert isinstance(job.status, Done), job.text
    assert not job.status.not_started
    assert board.left == 1
    assert started.emulated.memory() == started.emulated.old


async def test_a_board_that_is_running_is_left_alone(started: Scene, board: Running) -> None:
    started.lane.see(board.app)
    job = await ended(started, await started.ask(JobKind.RESET, ""))
    assert isinstance(job.status, Done)
    assert board.left == 0


async def test_a_board_that_is_not_there_is_not_waited_for(started: Scene, board: Running) -> None:
    started.lane.see(ABSENT)
    job = await ended(started, await started.ask(JobKind.RESET, ""))
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.ABSENT
    assert board.left == 0


async def test_an_incomplete_partition_asks_for_force_and_is_named(started: Scene, board: Running) -> None:
    torn = Contents(sha256="", size=0, flashed_at=1.0, verified=Verified.NO, job=0, complete=False)
    await started.book.record("left", "app1", torn)
    job = await ended(started, await started.ask(JobKind.RESET, ""))
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.BLOCKED
    assert "app1 is incomplete" in job.failure.message
    assert board.left == 0
    job = await ended(started, await started.ask(JobKind.RESET, "", force=True))
    assert isinstance(job.status, Done), job.text
    assert board.left == 1


@pytest.mark.parametrize("by", [HoldBy.FLASHDECK, HoldBy.PERSON])
async def test_a_hold_never_leads_to_a_leave(started: Scene, board: Running, by: HoldBy) -> None:
    started.lane.hold = BoardHold(reason="it may boot something incomplete", by=by)
    job = await ended(started, await started.ask(JobKind.RESET, "", force=True))
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.BLOCKED
    await started.lane.release()
    assert board.left == 0, "nor is it done when nobody expects it any more"


async def test_a_board_that_comes_back_in_dfu_mode_has_not_started(
    started: Scene, board: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departure, "WINDOW_SECONDS", 0.01)
    board.starts = False
    job = await ended(started, await started.ask(JobKind.RESET, ""))
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.NOT_ACCEPTED


def test_a_reset_comes_before_all_that_is_queued() -> None:
    flash, reset = job(1), job(2, kind=JobKind.RESET, partition="")
    assert in_queue_order((flash, reset), ("app1", "partition2")) == [reset, flash]


async def test_a_visit_in_which_something_was_erased_ends_in_dfu_mode(started: Scene, board: Running) -> None:
    started.lane.hold = BoardHold(reason="for now")
    erase = await started.ask(JobKind.ERASE)
    flash = await started.order("partition2", data=image(20_000, start=PARTITION2.start))
    started.lane.hold = None
    assert isinstance((await ended(started, erase)).status, Done)
    status = (await ended(started, flash)).status
    assert isinstance(status, Done)
    assert status.not_started == "app1 was erased"
    assert board.left == 0
    assert started.emulated.present


# As they found it.


async def test_a_board_that_was_running_is_started_again(started: Scene, board: Running) -> None:
    started.lane.see(board.app)
    job = await started.ask(JobKind.READ)
    async with asyncio.timeout(30):
        await started.hub.until(lambda: waits_for(started.book.job(job.id)) is WaitFor.HAND)
    assert started.book.job(job.id).was_running
    started.see()
    job = await ended(started, job)
    assert isinstance(job.status, Done), job.text
    assert not job.status.not_started
    assert board.left == 1


async def test_a_board_that_was_running_is_started_again_also_where_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    async with running_lane(tmp_path, STARTED, Model.CLASSIC_NOREAD) as started:
        board = Running(started, monkeypatch)
        started.lane.see(board.app)
        job = await started.ask(JobKind.READ)
        async with asyncio.timeout(30):
            await started.hub.until(lambda: waits_for(started.book.job(job.id)) is WaitFor.HAND)
        started.see()
        job = await ended(started, job)
        assert job.failure is not None
        assert job.failure.kind is ErrorKind.UNREADABLE
        async with asyncio.timeout(30):
            await board.has_left.wait()


async def test_what_is_different_fails_once_the_board_was_started_again(started: Scene, board: Running) -> None:
    started.lane.see(board.app)
    job = await started.ask(JobKind.VERIFY, data=DATA)
    async with asyncio.timeout(30):
        await started.hub.until(lambda: waits_for(started.book.job(job.id)) is WaitFor.HAND)
    started.see()
    job = await ended(started, job)
    assert job.failure is not None
    assert job.failure.kind is ErrorKind.VERIFY
    assert board.left == 1


async def test_a_board_that_was_in_dfu_mode_stays_there(started: Scene, board: Running) -> None:
    job = await ended(started, await started.ask(JobKind.READ))
    assert isinstance(job.status, Done)
    assert not job.was_running
    other = await ended(
        started, await started.ask(JobKind.VERIFY, data=started.emulated.memory(Range.sized(APP1.start, 100)))
    )
    assert isinstance(other.status, Done), other.text
    assert board.left == 0
    assert started.emulated.present


async def test_it_stays_where_the_same_visit_has_left_a_partition_incomplete(started: Scene, board: Running) -> None:
    started.lane.see(board.app)
    job = await started.ask(JobKind.READ, "partition2")
    erase = await started.ask(JobKind.ERASE)
    async with asyncio.timeout(30):
        await started.hub.until(lambda: waits_for(started.book.job(job.id)) is WaitFor.HAND)
    started.see()
    assert isinstance((await ended(started, erase)).status, Done)
    status = (await ended(started, job)).status
    assert isinstance(status, Done)
    assert status.not_started == "app1 was erased"
    assert board.left == 0


# A restart.


async def test_after_a_restart_nobody_waits_for_what_is_read(scene: Scene) -> None:
    scene.lane.see(ABSENT)
    read, verify = await scene.ask(JobKind.READ), await scene.ask(JobKind.VERIFY, data=DATA)
    reset = await scene.ask(JobKind.RESET, "")
    await scene.until(reset, Failed)
    await queue_again(scene.book, cast("Config", SimpleNamespace(boards={"left": scene.board})), {})
    assert isinstance(scene.book.job(read.id).status, Cancelled)
    assert isinstance(scene.book.job(verify.id).status, Queued | Waiting)


def test_a_written_comparison_is_called_so() -> None:
    assert job(1, kind=JobKind.VERIFY, status=Written()).text.startswith("compared")
