"""All boards of one daemon: what is recorded, and what is told, when things happen at the same time or a disk fails."""

import asyncio
import time
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench_rig import CONFIG, Scene, opened
from flash_rig import image
from flashdeck.config import Board, Config
from flashdeck.errors import BlockedError, FlashdeckError, RequestError
from flashdeck.job_state import Done, JobStatus, Queued, Superseded, Verified, WaitFor, Waiting, Written
from flashdeck.model import (
    ArtifactState,
    BoardHold,
    BoardState,
    Contents,
    Disposition,
    HoldBy,
    JobState,
    Layer,
    Origin,
    Presence,
)
from flashdeckd.boards.leases import LONGEST_HOLDER, LONGEST_REASON, Leases
from flashdeckd.builds.builds import Builds, Settled
from flashdeckd.images import guards
from flashdeckd.images.file_notes import FileNotes
from flashdeckd.images.image import Image
from flashdeckd.images.spool import Artifact, Spool
from flashdeckd.jobs.restart import queue_again
from flashdeckd.jobs.taken_boards import TakenBoards
from flashdeckd.requests.by_hand import HandRequests
from flashdeckd.requests.queueing import MAX_GONE_BACK, note_asked, queue_build
from flashdeckd.state.hub import LONGEST_LINE
from flashdeckd.state.journal import Journal
from flashdeckd.usb.device import InterfaceClass, UsbDevice
from job_states import BLOCKED, CANCELLED, DONE, FAILED, RUNNING, WRITTEN
from lane_rig import PROFILE


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(tmp_path) as scene:
        yield scene


def job(number: int, status: JobStatus, *, started_at: float | None, partition: str = "app1") -> JobState:
    return JobState(
        id=number,
        board="left",
        partition=partition,
        sha256=f"{number:064}",
        size=1,
        origin=Origin.BUILD,
        status=status,
        created_at=0.0,
        started_at=started_at,
    )


async def restored(root: Path, *jobs: JobState) -> list[type[JobStatus]]:
    """What becomes of the jobs that a journal holds."""
    async with opened(root) as scene:
        for each in jobs:
            await scene.journal.save_job(each)
    async with opened(root) as scene:
        await queue_again(scene.bench.book, CONFIG, {})
        return [type(scene.bench.book.job(each.id).status) for each in jobs]


async def test_a_job_whose_end_was_not_recorded_does_not_flash_its_old_image_over_a_later_one(tmp_path: Path) -> None:
    # The disk was full when the first one ended, and no more when the second one ran.
    old, new = job(1, RUNNING, started_at=1.0), job(2, DONE, started_at=2.0)
    assert await restored(tmp_path, old, new) == [Superseded, Done]


@pytest.mark.parametrize(
    "later",
    [
        job(2, CANCELLED, started_at=None),
        job(2, DONE, started_at=2.0, partition="partition2"),
    ],
    ids=["never began", "another partition"],
)
async def test_a_job_that_was_cut_short_goes_on_after_a_restart(tmp_path: Path, later: JobState) -> None:
    statuses = await restored(tmp_path, job(1, RUNNING, started_at=1.0), later)
    assert statuses == [Queued, type(later.status)]


@pytest.mark.parametrize(("status", "after"), [(RUNNING, Written), (WRITTEN, Written), (BLOCKED, Queued)])
async def test_what_was_complete_on_its_board_lacks_its_start_alone_after_a_restart(
    tmp_path: Path, status: JobStatus, after: type[JobStatus]
) -> None:
    begun = job(1, status, started_at=1.0)
    contents = Contents(sha256=begun.sha256, size=1, flashed_at=0.0, verified=Verified.NO, job=1)
    async with opened(tmp_path) as scene:
        if status != BLOCKED:
            await scene.journal.save_contents("left", "app1", contents)
    assert await restored(tmp_path, begun) == [after]


@pytest.mark.parametrize("before", [DONE, FAILED, CANCELLED], ids=["done", "failed", "cancelled"])
async def test_a_build_that_comes_again_to_a_disarmed_board_is_shown_as_offered(
    tmp_path: Path, before: JobStatus
) -> None:
    """A, B, and A again: what became of A the first time says nothing of the second."""
    first, second = job(1, before, started_at=1.0), job(2, DONE, started_at=2.0)
    contents = Contents(sha256=second.sha256, size=1, flashed_at=2.0, verified=Verified.NO, job=2, complete=True)
    async with opened(tmp_path) as scene:
        await scene.journal.save_job(first)
        await scene.journal.save_job(second)
        await scene.journal.save_contents("left", "app1", contents)
    async with opened(tmp_path) as scene:
        assert shown_as_offered(scene, first, Disposition.OFFERED, seen_at=3.0) == first.sha256
        assert shown_as_offered(scene, first, Disposition.QUEUED, seen_at=3.0) == first.sha256
        # This build's own job, and one that already waited when the build came.
        assert shown_as_offered(scene, first, Disposition.QUEUED, seen_at=first.created_at) == ""
        assert shown_as_offered(scene, first, Disposition.UNCHANGED, seen_at=3.0) == ""


def shown_as_offered(scene: Scene, brought: JobState, disposition: Disposition, *, seen_at: float) -> str:
    """Return the build that `left` is shown as offered, where the newest one is the image of a job."""
    build = ArtifactState(
        sha256=brought.sha256,
        size=1,
        source="APP1.bin",
        profile="product",
        partition="app1",
        seen_at=seen_at,
        disposition=disposition,
    )
    scene.hub.publish_artifact(build)
    return next(each.offered for each in scene.bench.state_of("left").partitions if each.name == "app1")


async def test_boards_that_are_disarmed_at_once_are_all_disarmed_after_a_restart(scene: Scene) -> None:
    enrolment = scene.enrolment
    await asyncio.gather(enrolment.arm(["left"], armed=False), enrolment.arm(["right"], armed=False))
    assert tomllib.loads(scene.board_file.read_text())["disarmed"] == ["left", "right"]


async def test_a_disarmed_board_that_is_out_of_the_configuration_for_a_while_stays_disarmed(tmp_path: Path) -> None:
    async with opened(tmp_path, replace(CONFIG, disarmed=frozenset({"away"}))) as scene:
        await scene.enrolment.arm(["left"], armed=False)
        assert tomllib.loads(scene.board_file.read_text())["disarmed"] == ["away", "left"]


async def test_a_hold_that_can_not_be_recorded_is_shown_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise FlashdeckError("the disk is full")

    monkeypatch.setattr(Journal, "save_hold", refuse)
    with pytest.raises(FlashdeckError, match="the disk is full"):
        await scene.bench.hold("left", "soldering")
    assert scene.bench.lane("left").hold == BoardHold(reason="soldering", by=HoldBy.PERSON)
    await scene.hub.until(lambda: scene.hub.boards["left"].hold == BoardHold(reason="soldering", by=HoldBy.PERSON))


async def test_a_hold_that_comes_while_the_one_before_is_released_stays_and_a_restart_knows_it(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as scene:
        await scene.bench.hold("left", "soldering")
        releasing = asyncio.create_task(scene.bench.release("left"))
        await asyncio.sleep(0)  # it has begun
        shown = await scene.bench.hold("left", "measuring")
        await releasing
        assert shown.hold == scene.bench.lane("left").hold == BoardHold(reason="measuring", by=HoldBy.PERSON)
    async with opened(tmp_path) as scene:
        assert scene.bench.lane("left").hold == BoardHold(reason="measuring", by=HoldBy.PERSON)


async def test_the_reason_of_a_hold_fits_into_a_line_whatever_a_client_says(scene: Scene) -> None:
    hold = (await scene.bench.hold("left", "\x1b[2J" + "x" * 900_000)).hold
    assert hold is not None
    assert "\x1b" not in hold.reason
    assert len(hold.reason) <= LONGEST_LINE


async def test_what_is_seen_last_counts_where_an_adoption_looks_at_the_same_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, began = asyncio.Event(), asyncio.Event()

    async def wait(*_: object) -> None:
        began.set()
        await slow.wait()

    monkeypatch.setattr(Journal, "save_port", wait)
    both = frozenset({device(1, "A1"), device(2, "B2"), device(3, "C3")})
    earlier = asyncio.create_task(scene.bench.see(both))
    await began.wait()
    later = asyncio.create_task(scene.bench.see(frozenset()))
    await asyncio.sleep(0)  # lets it begin
    slow.set()
    await asyncio.gather(earlier, later)
    assert [scene.bench.state_of(name).presence for name in ("left", "right")] == [Presence.ABSENT, Presence.ABSENT]
    assert scene.hub.devices == ()


RENAMED = Config(
    profiles=CONFIG.profiles,
    boards={"desk": Board("desk", PROFILE, serial="A1"), "right": CONFIG.boards["right"]},
)


async def renamed_meanwhile(scene: Scene, work: Callable[[], Coroutine[Any, Any, BoardState]]) -> BoardState:
    """Give the left board another name; `work` begins once the writer of the journal has been told so."""
    rename, working = scene.journal.rename_boards, list[asyncio.Task[BoardState]]()

    async def rename_and_work(names: Mapping[str, str], mark: str) -> None:
        renaming = asyncio.create_task(rename(names, mark))
        await asyncio.sleep(0)
        working.append(asyncio.create_task(work()))
        await asyncio.sleep(0)
        await renaming

    scene.journal.rename_boards = rename_and_work  # type: ignore[method-assign]
    await scene.bench.rename_boards({"left": "desk"}, RENAMED, "mark")
    return await working[0]


async def test_a_hold_that_comes_while_its_board_gets_another_name_is_kept_under_that(tmp_path: Path) -> None:
    """Found by seed 1127 of the simulation: it was answered with a fault, and the next daemon knew of no hold."""
    async with opened(tmp_path) as scene:
        state = await renamed_meanwhile(scene, lambda: scene.bench.hold("left", "why"))
        assert (state.name, state.hold) == ("desk", BoardHold(reason="why"))
    async with opened(tmp_path, RENAMED) as scene:
        assert scene.bench.lane("desk").hold == BoardHold(reason="why")


async def test_a_release_that_comes_while_its_board_gets_another_name_releases_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        await scene.bench.hold("left", "why")
        state = await renamed_meanwhile(scene, lambda: scene.bench.release("left"))
        assert (state.name, state.hold) == ("desk", None)
    async with opened(tmp_path, RENAMED) as scene:
        assert scene.bench.lane("desk").hold is None


async def test_a_hold_that_comes_while_its_board_is_taken_out_of_the_configuration_says_so(scene: Scene) -> None:
    only_right = replace(CONFIG, boards={"right": CONFIG.boards["right"]})
    holding = asyncio.create_task(scene.bench.hold("left", "why"))
    await asyncio.sleep(0)
    scene.bench.configure(only_right)
    await scene.bench.retire(("left",))
    with pytest.raises(RequestError, match="no board 'left'"):
        await holding


async def test_a_board_whose_new_name_cannot_be_recorded_stays_where_it_is(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by seed 109 of the simulation: it was shown as absent."""
    await scene.bench.see(frozenset({device(1, "A1")}))

    async def fail(*_: object) -> None:
        raise FlashdeckError("the disk is full")

    monkeypatch.setattr(Journal, "rename_boards", fail)
    with pytest.raises(FlashdeckError, match="full"):
        await scene.bench.rename_boards({"left": "desk"}, CONFIG, "mark")
    assert scene.bench.state_of("left").presence is Presence.DFU


@pytest.mark.parametrize(("ago", "started"), [(1, False), (3600, None), (-3600, None)])
async def test_a_board_in_dfu_mode_is_only_back_from_a_leave_that_was_just_now(
    tmp_path: Path, ago: float, *, started: bool | None
) -> None:
    # A machine without a battery for its clock begins in the past: what has ended lies in the future then.
    done = msgspec.structs.replace(job(1, DONE, started_at=1.0), finished_at=time.time() - ago)
    contents = Contents(
        sha256=done.sha256, size=1, flashed_at=0.0, verified=Verified.NO, job=1, serial="A1", bcd_device=0x200
    )
    profile = replace(PROFILE, leave=True)
    config = replace(CONFIG, profiles={"product": profile}, boards={"left": Board("left", profile, serial="A1")})
    async with opened(tmp_path, config) as scene:
        await scene.journal.save_job(done)
        await scene.journal.save_contents("left", "app1", contents)
    async with opened(tmp_path, config) as scene:
        await scene.bench.see(frozenset({device(1, "A1")}))
        now = scene.bench.book.contents("left", "app1")
        assert now is not None
        assert now.started is started


@pytest.mark.parametrize("for_", [WaitFor.HAND, WaitFor.ABSENT])
async def test_a_board_that_somebody_was_asked_to_bring_into_dfu_mode_has_not_refused_its_image(
    tmp_path: Path, for_: WaitFor
) -> None:
    done = msgspec.structs.replace(job(1, DONE, started_at=1.0), finished_at=time.time() - 1)
    contents = Contents(
        sha256=done.sha256, size=1, flashed_at=0.0, verified=Verified.NO, job=1, serial="A1", bcd_device=0x200
    )
    profile = replace(PROFILE, leave=True)
    config = replace(CONFIG, profiles={"product": profile}, boards={"left": Board("left", profile, serial="A1")})
    async with opened(tmp_path, config) as scene:
        await scene.journal.save_job(done)
        await scene.journal.save_job(
            job(2, Waiting(for_=for_, reason="press"), started_at=None, partition="partition2")
        )
        await scene.journal.save_contents("left", "app1", contents)
    async with opened(tmp_path, config) as scene:
        await scene.bench.see(frozenset({device(1, "A1")}))
        now = scene.bench.book.contents("left", "app1")
        assert now is not None
        assert now.started is None


async def test_an_order_whose_client_leaves_while_it_is_recorded_is_carried_through(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, slow, began = Journal.save_job, asyncio.Event(), asyncio.Event()

    async def save(journal: Journal, saved: JobState) -> None:
        began.set()
        await slow.wait()
        await real(journal, saved)

    monkeypatch.setattr(Journal, "save_job", save)
    artifact = await asyncio.to_thread(scene.spool.add, Image.raw(image(20_000)))
    by_hand = HandRequests(scene.bench, Builds([], nobody), scene.hub, FileNotes())
    order = asyncio.create_task(by_hand.flash("app1", artifact.sha256, (), no_wait=False))
    await began.wait()
    order.cancel()
    await asyncio.wait([order])
    slow.set()
    async with asyncio.timeout(30):
        await scene.hub.until(lambda: {job.board for job in scene.bench.book.jobs.values()} == {"left", "right"})


async def test_the_image_of_a_hand_flash_is_read_and_guarded_once_for_all_boards_and_steps(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any) -> Any:
            asked[name] += 1
            return real(*words)

        return call

    monkeypatch.setattr(Spool, "read", counted("read", Spool.read))
    monkeypatch.setattr(guards, "check", counted("guard", guards.check))
    artifact = await asyncio.to_thread(scene.spool.add, Image.raw(image(20_000)))
    by_hand = HandRequests(scene.bench, Builds([], nobody), scene.hub, FileNotes())
    running = asyncio.create_task(scene.bench.run())
    await by_hand.flash("app1", artifact.sha256, (), no_wait=False)
    jobs = scene.bench.book.jobs
    async with asyncio.timeout(30):
        await scene.hub.until(lambda: all(isinstance(job.status, Waiting) for job in jobs.values()))
    scene.bench.stop()
    await running
    assert len(jobs) == 2
    assert asked == {"read": 1, "guard": 1}


async def nobody(_: Settled) -> None:
    """There is no build."""


def device(place: int, serial: str) -> UsbDevice:
    return UsbDevice(
        name=f"1-{place}",
        port=f"pci-0000:00:14.0-usb-0:{place}",
        bus=1,
        address=place,
        usb_id=PROFILE.dfu,
        bcd_device=0x0200,
        serial=serial,
        interfaces=(InterfaceClass(0, 0, 0xFE, 1, 2),),
    )


async def test_so_much_is_kept_of_a_holder_and_of_what_a_lease_is_for(scene: Scene) -> None:
    leases = Leases(scene.bench, scene.hub)
    for extra in (0, 1):
        by, reason = "\x1b" + "h" * (LONGEST_HOLDER - 1 + extra), "r" * (LONGEST_REASON + extra)
        lease = await leases.take(("left",), by, reason, no_wait=True, seconds=None)
        assert "\x1b" not in lease.shown.by
        assert (len(lease.shown.by), len(lease.shown.reason)) == (LONGEST_HOLDER, LONGEST_REASON)
        assert lease.shown.reason.endswith("…" if extra else "r")
        leases.end(lease)
        leases.end(lease)  # a second time is no harm
    assert scene.bench.lane("left").lease is None


async def test_whoever_wants_several_boards_gets_all_or_none_and_nobody_is_overtaken(scene: Scene) -> None:
    leases = Leases(scene.bench, scene.hub)

    def take(*boards: str) -> asyncio.Task[TakenBoards]:
        return asyncio.create_task(leases.take(boards, boards[0], "", no_wait=False, seconds=None))

    first = await take("left")
    both, right = take("right", "left"), take("right")
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    assert scene.bench.lane("right").lease is None  # the one who wants both has none, and comes first all the same
    with pytest.raises(BlockedError, match="somebody else waits for board right"):
        await leases.take(("right",), "c", "", no_wait=True, seconds=None)
    leases.end(first)
    assert set((await both).boards) == {"left", "right"}
    assert not right.done()
    leases.end(await both)
    assert (await right).boards == ("right",)
    waiting = take("right", "left")
    await asyncio.sleep(0.0)
    waiting.cancel()
    await asyncio.wait([waiting])
    again = take("left")
    assert (await again).boards == ("left",)


async def test_so_many_images_that_a_person_went_back_from_are_remembered(scene: Scene) -> None:
    contents = Contents(sha256="ff" * 32, size=1, flashed_at=0.0, verified=Verified.NO, job=1)
    await scene.bench.book.record("left", "app1", contents)
    gone = tuple(f"{number:064x}" for number in range(MAX_GONE_BACK + 1))
    board = scene.bench.config.boards["left"]
    await note_asked(scene.bench, board, "app1", "ee" * 32, gone[1:])
    await note_asked(scene.bench, board, "app1", "ee" * 32, gone[:1])
    kept = scene.bench.book.contents("left", "app1")
    assert kept is not None
    assert kept.went_back == gone[:MAX_GONE_BACK]
    await note_asked(scene.bench, board, "app1", gone[3])
    kept = scene.bench.book.contents("left", "app1")
    assert kept is not None
    assert gone[3] not in kept.went_back


def contents_of(artifact: Artifact, job: int) -> Contents:
    return Contents(
        sha256=artifact.sha256,
        size=artifact.size,
        flashed_at=0.0,
        verified=Verified.NO,
        job=job,
        layers=(Layer(sha256=artifact.sha256, erased=((0, 20_480),)),),
    )


async def flashed_meanwhile(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> tuple[Artifact, Artifact]:
    """Return an image that `left` has, and one that a job has brought there as soon as an image is read."""
    old, new = [
        await asyncio.to_thread(scene.spool.add, Image.raw(image(20_000, seed)), f"1.{seed}") for seed in (1, 2)
    ]
    await scene.bench.book.record("left", "app1", contents_of(old, 1))
    loop, read = asyncio.get_running_loop(), scene.bench.shelf.image

    def image_in_a_thread(sha256: str) -> Image | None:
        monkeypatch.setattr(scene.bench.shelf, "image", read)
        done = scene.bench.book.record("left", "app1", contents_of(new, 2))
        asyncio.run_coroutine_threadsafe(done, loop).result()
        return read(sha256)

    monkeypatch.setattr(scene.bench.shelf, "image", image_in_a_thread)
    return old, new


async def test_what_a_person_asks_for_leaves_alone_what_a_job_has_flashed_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await flashed_meanwhile(scene, monkeypatch)
    await note_asked(scene.bench, scene.bench.config.boards["left"], "app1", new.sha256, (old.sha256,))
    kept = scene.bench.book.contents("left", "app1")
    assert kept is not None
    assert (kept.sha256, kept.went_back) == (new.sha256, (old.sha256,))


async def test_a_build_is_compared_with_what_is_there_once_it_is_queued(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A, B and A again, where B comes onto the board while A is looked for there."""
    old, _ = await flashed_meanwhile(scene, monkeypatch)
    job = await queue_build(scene.bench, scene.bench.config.boards["left"], "app1", old)
    assert job is not None
    assert job.sha256 == old.sha256
