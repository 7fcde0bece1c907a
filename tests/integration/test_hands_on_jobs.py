"""What a person does to jobs and boards: cancel, retry, arm, disarm, adopt."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind, FlashdeckError
from flashdeck.job_state import Cancelled, Done, Waiting
from flashdeck.model import Snapshot
from flashdeck.queue_order import QueueMove
from flashdeck.value import Value
from job_states import is_writing
from rig import PARTITION2, Rig, board, firmware, prepare, running, sha256

pytestmark = pytest.mark.long

ONE, TWO = (firmware(version, size=60_000) for version in ("1.0.0", "1.0.1"))


def writing(snapshot: Snapshot) -> bool:
    return any(is_writing(job) for job in snapshot.jobs)


async def refused(rig: Rig, params: api.Params[Value]) -> FlashdeckError:
    with pytest.raises(FlashdeckError) as caught:
        await (rig.waited(params) if isinstance(params, api.Wait) else rig.client.call(params))
    return caught.value


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_a_running_job_is_cancelled_at_a_safe_point_and_can_be_tried_again(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(writing)
    job = await rig.client.call(api.Cancel(job=1))
    assert isinstance(job.status, Cancelled)
    assert "is incomplete" in job.text
    assert await rig.partition_of("left", 16) == b"\xff" * 16
    again = await rig.client.call(api.Retry(job=1))
    (done,) = (await rig.client.call(api.WaitJobs(ids=(again.id,), timeout=60))).jobs
    assert isinstance(done.status, Done)
    assert await rig.partition_of("left", len(ONE)) == ONE


async def test_a_waiting_job_is_cancelled_at_once(rig: Rig) -> None:
    await rig.unplug("left")
    rig.build(ONE)
    await rig.until(lambda s: any(isinstance(job.status, Waiting) for job in s.jobs))
    assert isinstance((await rig.client.call(api.Cancel(job=1))).status, Cancelled)
    await rig.plug("left")
    rig.build(TWO)
    await rig.wait(data=TWO)
    assert [job.sha256 for job in await rig.jobs() if isinstance(job.status, Done)] == [sha256(TWO)]


@pytest.mark.parametrize("rig", ["slow"], indirect=True)
async def test_what_runs_is_not_retried(rig: Rig) -> None:
    rig.build(ONE)
    await rig.until(writing)
    assert "has not ended" in (await refused(rig, api.Retry(job=1))).message


async def test_what_has_ended_is_not_cancelled_and_what_waits_is_looked_at_again(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    assert "ended already" in (await refused(rig, api.Cancel(job=1))).message
    await rig.unplug("left")
    rig.build(TWO)
    await rig.until(lambda s: any(isinstance(job.status, Waiting) for job in s.jobs))
    assert (await rig.client.call(api.Retry(job=2))).id == 2
    missing = await refused(rig, api.Retry(job=99))
    assert missing.kind is ErrorKind.NO_SUCH_JOB
    assert "`flashdeck jobs`" in missing.hint


async def test_no_release_is_told_of_a_board_that_does_not_exist(rig: Rig) -> None:
    assert (await refused(rig, api.Release(boards=("lfet",)))).kind is ErrorKind.NO_SUCH_BOARD
    lines = (await rig.client.call(api.GetLogs())).lines
    assert "released" not in [line.text for line in lines]


async def test_a_log_of_a_board_that_does_not_exist_is_no_empty_log(rig: Rig) -> None:
    assert (await refused(rig, api.GetLogs(boards=("lfet",)))).kind is ErrorKind.NO_SUCH_BOARD
    assert (await rig.client.call(api.GetLogs(boards=("left",)))).lines


async def test_a_disarmed_board_is_only_offered_new_builds_also_after_a_restart(rig: Rig) -> None:
    (board,) = (await rig.client.call(api.Disarm(boards=("left",)))).boards
    assert not board.armed
    rig.build(ONE)
    snapshot = await rig.until(lambda s: any(p.offered for p in s.boards[0].partitions))
    assert snapshot.jobs == ()
    assert (await refused(rig, api.Wait(partition="app1"))).kind is ErrorKind.DISARMED
    await rig.stop()
    await rig.restart()
    status = await rig.client.call(api.GetStatus())
    assert not status.boards[0].armed
    assert [p.offered for p in status.boards[0].partitions if p.name == "app1"] == [sha256(ONE)]
    await rig.client.call(api.Arm())
    rig.build(TWO)
    await rig.wait(data=TWO)
    assert [job.sha256 for job in await rig.jobs()] == [sha256(TWO)]


async def test_a_build_that_comes_again_while_its_board_is_disarmed_waits_for_a_person_as_any_other(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    await rig.press("left")
    rig.build(TWO)
    await rig.wait(data=TWO)
    await rig.client.call(api.Disarm())
    rig.build(ONE)
    snapshot = await rig.until(lambda s: any(p.offered for p in s.boards[0].partitions))
    assert len(snapshot.jobs) == 2
    assert (await refused(rig, api.Wait(partition="app1"))).kind is ErrorKind.DISARMED
    await rig.client.call(api.Arm())
    assert (await refused(rig, api.Wait(partition="app1"))).kind is ErrorKind.OFFERED
    assert [job.sha256 for job in await rig.jobs()] == [sha256(ONE), sha256(TWO)]


async def test_an_offered_image_is_taken_by_hand(rig: Rig) -> None:
    await rig.client.call(api.Disarm())
    rig.build(ONE)
    await rig.until(lambda s: any(p.offered for p in s.boards[0].partitions))
    (job,) = (await rig.client.call(api.Flash(partition="app1"))).jobs
    await rig.client.call(api.WaitJobs(ids=(job.id,), timeout=60))
    status = await rig.client.call(api.GetStatus())
    assert [p.offered for p in status.boards[0].partitions if p.name == "app1"] == [""]
    assert await rig.partition_of("left", len(ONE)) == ONE


@pytest.mark.parametrize("rig", ["foreign"], indirect=True)
async def test_an_adopted_board_is_flashed_and_stays_adopted(rig: Rig) -> None:
    board = await rig.client.call(api.Adopt(device="1-2", name="right"))
    assert (board.name, board.serial, board.adopted) == ("right", "OTHER0000002", True)
    assert (await rig.client.call(api.GetBoards())).devices == ()
    assert (await rig.emulated("stranger")).erases == 0
    rig.build(ONE)
    await rig.wait(data=ONE)
    assert await rig.partition_of("stranger", len(ONE)) == ONE
    await rig.stop()
    await rig.restart()
    rig.build(TWO)
    await rig.wait(data=TWO)
    assert await rig.partition_of("stranger", len(TWO)) == TWO
    assert {job.board for job in await rig.jobs()} == {"left", "right"}


@pytest.mark.parametrize("rig", ["foreign"], indirect=True)
@pytest.mark.parametrize(
    ("before", "after", "says"),
    [("16*8Ka,112*8Kg", "16*8Ka,112*8Ke", "memory map"), ("port = 2\n", "port = 2\nbcd_device = 769\n", "bcdDevice")],
)
async def test_a_pinned_fact_that_changed_stops_the_board(rig: Rig, before: str, after: str, says: str) -> None:
    await rig.client.call(api.Adopt(device="OTHER0000002", name="right"))
    await rig.stop()
    bench = (rig.root / "bench.toml").read_text()
    (rig.root / "bench.toml").write_text(bench.replace(before, after))
    await rig.restart()
    rig.build(ONE)
    await rig.until(lambda s: len(s.jobs) == 2)

    def stopped(snapshot: Snapshot) -> bool:
        (job,) = [job for job in snapshot.jobs if job.board == "right"]
        return says in job.text

    await rig.until(stopped)
    assert (await rig.emulated("stranger")).erases == 0


@pytest.mark.parametrize("rig", ["foreign"], indirect=True)
async def test_a_board_is_not_adopted_twice_where_a_pinned_fact_changed(rig: Rig) -> None:
    """Found by seed 230 of the simulation: no daemon could start with what was written then."""
    await rig.client.call(api.Adopt(device="OTHER0000002", name="right"))
    await rig.stop()
    bench = (rig.root / "bench.toml").read_text()
    (rig.root / "bench.toml").write_text(bench.replace("port = 2\n", "port = 2\nbcd_device = 769\n"))
    await rig.restart()
    error = await refused(rig, api.Adopt(device="OTHER0000002", name="again"))
    assert error.message == "board right is known by the same serial already"
    await rig.stop()
    await rig.restart()


@pytest.mark.parametrize("rig", ["foreign"], indirect=True)
async def test_adopting_nonsense_is_refused_in_words(rig: Rig) -> None:
    assert (await refused(rig, api.Adopt(device="9-9"))).kind is ErrorKind.NO_SUCH_BOARD
    assert "configured board already" in (await refused(rig, api.Adopt(device="1-1"))).message
    assert "already" in (await refused(rig, api.Adopt(device="1-2", name="left"))).message
    assert "nope" in (await refused(rig, api.Adopt(device="1-2", profile="nope"))).message
    assert (await rig.emulated("stranger")).requests == 0


@pytest.mark.parametrize("rig", ["foreign"], indirect=True)
async def test_a_board_that_is_adopted_anew_under_its_name_is_as_disarmed_as_it_was(rig: Rig) -> None:
    await rig.stop()
    (rig.root / "boards.toml").write_text('disarmed = ["right"]\n')
    await rig.restart()
    assert not (await rig.client.call(api.Adopt(device="1-2", name="right"))).armed
    await rig.client.call(api.Arm())
    await rig.stop()
    await rig.restart()
    assert [board.armed for board in (await rig.client.call(api.GetBoards())).boards] == [True, True]


async def test_the_log_of_a_board_that_there_is_not_is_refused(rig: Rig) -> None:
    error = await refused(rig, api.GetLogs(boards=("lefd",)))
    assert (error.kind, error.hint) == (ErrorKind.NO_SUCH_BOARD, "did you mean left?")


async def test_a_wait_without_any_patience_tells_what_is_so_now(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    (outcome,) = (await rig.client.call(api.Wait(partition="app1", timeout=0))).boards
    assert outcome.is_there
    assert outcome.job is not None
    assert isinstance(outcome.job.status, Done)
    await rig.unplug("left")
    rig.build(TWO)
    assert (await refused(rig, api.Wait(partition="app1", timeout=0))).kind is ErrorKind.TIMEOUT


async def test_a_journal_that_can_not_be_written_is_shown_for_as_long_as_that_lasts(rig: Rig) -> None:
    with closing(sqlite3.connect(rig.root / "state" / "journal.sqlite3", isolation_level=None)) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON hold BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        assert "disk is full" in (await refused(rig, api.Hold(boards=("left",)))).message
        (degraded,) = (await rig.client.call(api.GetStatus())).daemon.degraded
        assert degraded.startswith("journal: ")
        assert "disk is full" in degraded
        other.execute("DROP TRIGGER full")
    await rig.client.call(api.Hold(boards=("left",)))
    assert (await rig.client.call(api.GetStatus())).daemon.degraded == ()


async def test_the_newest_build_is_the_one_that_lies_there_now_also_before_it_has_settled(root: Path) -> None:
    left = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
    prepare(root, boards=left, bench=board("left"), settle="500ms")
    async with running(root) as rig:
        rig.build(ONE)
        await rig.wait(data=ONE)
        await rig.client.call(api.Disarm())
        await rig.press("left")
        rig.build(TWO)
        (plan,) = (await rig.client.call(api.Plan(partition="app1"))).plans
        assert plan.sha256 == sha256(TWO)
        rig.build(ONE)
        rig.build(TWO + b"more")
        (job,) = (await rig.client.call(api.Flash(partition="app1"))).jobs
        assert job.sha256 == sha256(TWO + b"more")


async def test_a_build_that_does_not_end_is_not_taken_for_an_older_one(root: Path) -> None:
    left = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
    prepare(root, boards=left, bench=board("left"))
    async with running(root) as rig:
        rig.build(ONE)
        await rig.wait(data=ONE)
        with rig.image.open("ab") as linker:
            linker.write(b"half")
            linker.flush()
            error = await refused(rig, api.Flash(partition="app1"))
            assert error.kind is ErrorKind.TIMEOUT
            assert "is still being written" in error.message
        assert [job.sha256 for job in await rig.jobs()] == [sha256(ONE)]


async def test_a_newest_build_that_can_not_be_kept_says_so_and_no_older_one_is_flashed(rig: Rig) -> None:
    rig.build(ONE)
    await rig.wait(data=ONE)
    spool = rig.root / "state" / "spool"
    shutil.rmtree(spool)
    spool.write_text("in the way")
    rig.build(TWO)
    error = await refused(rig, api.Flash(partition="app1"))
    assert "cannot be kept" in error.message
    assert "being written" not in error.message
    assert [job.sha256 for job in await rig.jobs()] == [sha256(ONE)]


async def test_a_queue_is_put_into_another_order_also_over_a_restart(rig: Rig) -> None:
    await rig.unplug("left")
    images = {"app1": ONE, "partition2": firmware("2.0.0", size=60_000, base=PARTITION2)}
    for partition, data in images.items():
        sent = await rig.client.upload("a.bin", data, partition=partition)
        await rig.client.call(api.Flash(partition=partition, sha256=sent.sha256))
    queue = await rig.client.call(api.MoveJob(job=2, to=QueueMove.FIRST))
    assert [job.id for job in queue.jobs] == [2, 1]
    assert "the first one" in (await refused(rig, api.MoveJob(job=2, to=QueueMove.UP))).message
    await rig.stop()
    await rig.restart()
    assert {job.id: job.rank for job in await rig.jobs()} == {1: 2, 2: 1}
    await rig.plug("left")
    await rig.client.call(api.WaitJobs(ids=(1, 2), timeout=60))
    first, second = sorted(await rig.jobs(), key=lambda job: job.started_at or 0.0)
    assert (first.id, second.id) == (2, 1)
    assert "in no queue" in (await refused(rig, api.MoveJob(job=2, to=QueueMove.UP))).message
