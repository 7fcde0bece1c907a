"""A real daemon takes emulated boards back by itself once a build has crashed: to what last ran on them."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.console_kinds import ConsoleKind
from flashdeck.errors import ErrorKind, RemoteError
from flashdeck.job_state import Done, Failed, Phase, Waiting, Written, judgement_of
from flashdeck.model import Contents, HoldBy, JobState, Origin, PartitionState, Snapshot
from flashdeck.value import Value
from flashdeck.verdict import Verdict
from rig import PARTITION2, Rig, board, firmware, prepare, running, sha256

pytestmark = pytest.mark.long

BY_PORT = '[boards.left]\nprofile = "product"\nport = "1-1"\n'
SAYS = 'says = [{ image = "flashdeck-test " }, { image = "flashdeck-part " }]\n'
GOOD, BETTER = firmware("1.0.0"), firmware("1.0.1")
BAD, WORSE = firmware("1.0.2-bad"), firmware("1.0.3-bad")
MUTE = firmware("1.0.4").replace(b"flashdeck-test ", b"flashdeck-mute ")


def part(version: str) -> bytes:
    """An image for the other partition, which says its version in a line of its own."""
    return firmware(version, base=PARTITION2).replace(b"flashdeck-test ", b"flashdeck-part ")


def console(on_crash: str = '"rollback"', *, within: str = "30s", stays: str = "2s") -> str:
    """The console of a profile; what has crashed says -bad."""
    return (
        '[profiles.product.console]\nport = "app"\npartition = "app1"\nready = \'flashdeck-test (?P<version>\\S+)\'\n'
        f'stays = "{stays}"\nwithin = "{within}"\nfail = ["-bad"]\non_crash = {on_crash}\n'
    )


def put_down(root: Path, profile: str, *, enter: str = '"detach"') -> None:
    bench = board("left", start="dfu", serial_port="plain") + SAYS
    prepare(root, boards=BY_PORT, bench=bench, profile=profile, enter=enter)


async def runs(rig: Rig, data: bytes = GOOD) -> None:
    """Build an image, and return once the board says that it runs."""
    rig.build(data)
    await rig.wait(data=data)


async def ended(rig: Rig, count: int) -> list[JobState]:
    """Return all jobs, once so many have ended and it is decided what follows."""
    await rig.until(
        lambda now: len(now.jobs) >= count and all(job.is_settled and not job.undecided for job in now.jobs)
    )
    return await rig.jobs()


def brought(jobs: list[JobState]) -> list[tuple[str, Origin]]:
    return [(job.sha256, job.origin) for job in jobs]


def shown(now: Snapshot, name: str = "app1") -> PartitionState:
    return next(each for each in now.boards[0].partitions if each.name == name)


async def contents(rig: Rig) -> Contents:
    found = shown(await rig.client.call(api.GetStatus())).contents
    assert found is not None
    return found


async def leaves(rig: Rig) -> int:
    """Return how often the board was asked to leave DFU mode."""
    entries = (await rig.client.call(api.GetConsole(board="left", after=-1, limit=1000))).entries
    return sum(each.kind is ConsoleKind.MARK and each.text.endswith(": leave") for each in entries)


async def test_a_build_that_crashes_is_taken_back_to_what_ran(root: Path) -> None:
    put_down(root, console())
    async with running(root) as rig:
        await runs(rig)
        rig.build(BAD)
        jobs = await ended(rig, 3)
        assert brought(jobs) == [
            (sha256(GOOD), Origin.BUILD),
            (sha256(BAD), Origin.BUILD),
            (sha256(GOOD), Origin.FLASHDECK),
        ]
        assert isinstance(jobs[1].status, Failed)
        assert isinstance(jobs[2].status, Done)
        assert jobs[2].note == "goes back by itself: flashdeck-test 1.0.2-bad crashed"
        assert await rig.partition_of("left", len(GOOD)) == GOOD
        await rig.until_logged("goes back by itself to flashdeck-test 1.0.0 (job 3): flashdeck-test 1.0.2-bad crashed")
        with pytest.raises(RemoteError) as caught:
            await rig.wait()
        assert caught.value.kind is ErrorKind.CRASHED


async def test_builds_of_the_image_gone_back_from_are_offered_and_another_one_is_flashed(root: Path) -> None:
    put_down(root, console())
    async with running(root) as rig:
        await runs(rig)
        rig.build(BAD)
        await ended(rig, 3)
        await runs(rig, BETTER)
        rig.build(BAD)
        await rig.until(lambda now: shown(now).offered == sha256(BAD))
        assert len(await rig.jobs()) == 4
        await rig.until_logged("offered: the board went back from it")
        (job,) = (await rig.client.call(api.Flash(partition="app1"))).jobs  # a person wants to see it crash
        jobs = await ended(rig, 5)
        assert (jobs[-1].id, jobs[-1].origin) == (job.id, Origin.HAND)
        assert isinstance(jobs[-1].status, Failed)
        assert (await contents(rig)).sha256 == sha256(BAD)


async def test_all_partitions_of_a_visit_go_back_in_one_visit(root: Path) -> None:
    put_down(root, console())
    async with running(root) as rig:

        async def build_both(app1: bytes, partition2: bytes) -> None:
            await rig.client.call(api.Hold(boards=("left",)))
            before = len(await rig.jobs())
            rig.build(app1)
            rig.build(partition2, name="APP2.bin")
            await rig.until(lambda now: len(now.jobs) == before + 2)
            await rig.client.call(api.Release(boards=("left",)))

        await build_both(GOOD, part("2.0.0"))
        await ended(rig, 2)
        assert await leaves(rig) == 1
        await build_both(BETTER, part("2.0.1-bad"))
        jobs = await ended(rig, 6)
        assert {(job.partition, job.sha256) for job in jobs[4:]} == {
            ("app1", sha256(GOOD)),
            ("partition2", sha256(part("2.0.0"))),
        }
        assert all(isinstance(job.status, Done) and job.origin is Origin.FLASHDECK for job in jobs[4:])
        assert await leaves(rig) == 3
        assert await rig.partition_of("left", len(GOOD)) == GOOD
        assert await rig.partition_of("left", len(GOOD), address=PARTITION2) == part("2.0.0")


async def runs_and_then_has_to_stand(rig: Rig) -> None:
    """The first image runs; each that comes from now on has to stand for longer than a test may take."""
    await runs(rig)
    config = rig.root / "config.toml"
    config.write_text(config.read_text().replace('stays = "2s"', 'stays = "10min"'))
    await rig.client.call(api.ReloadConfig())


async def stands(rig: Rig, number: int) -> None:
    """Return once a job's image is started, and what its board says decides."""

    def is_started(now: Snapshot) -> bool:
        job = next((job for job in now.jobs if job.id == number), None)
        return job is not None and isinstance(job.status, Written) and job.status.phase is Phase.START

    await rig.until(is_started)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (api.Hold(boards=("left",), reason="mine"), "it is on hold: mine"),
        (api.Disarm(boards=("left",)), "it is disarmed"),
    ],
)
async def test_what_a_person_asked_for_meanwhile_counts(root: Path, asked: api.Params[Value], told: str) -> None:
    put_down(root, console())
    async with running(root) as rig:
        await runs_and_then_has_to_stand(rig)
        rig.build(BETTER)
        await stands(rig, 2)
        await rig.client.call(asked)
        await rig.client.call(api.VirtualSay(board="left", text="soon -bad\r\n"))
        jobs = await ended(rig, 2)
        await rig.until_logged(f"does not go back by itself: {told}")
        assert isinstance(jobs[1].status, Failed)
        assert len(await rig.jobs()) == 2
        assert (await contents(rig)).sha256 == sha256(BETTER)


async def test_another_build_that_waits_comes_first_and_takes_the_blame(root: Path) -> None:
    put_down(root, console())
    async with running(root) as rig:
        await runs_and_then_has_to_stand(rig)
        rig.build(BETTER)
        await stands(rig, 2)
        rig.build(BAD)
        await rig.until(lambda now: len(now.jobs) == 3)
        await rig.client.call(api.VirtualSay(board="left", text="soon -bad\r\n"))
        await rig.until_logged("does not go back by itself: job 3 for app1 comes first")
        await stands(rig, 4)
        jobs = await rig.jobs()
        assert (jobs[3].sha256, jobs[3].origin) == (sha256(GOOD), Origin.FLASHDECK)
        assert jobs[3].note == "goes back by itself: flashdeck-test 1.0.2-bad crashed"


async def test_a_second_crash_puts_the_board_on_hold(root: Path) -> None:
    put_down(root, console())
    async with running(root) as rig:
        await runs_and_then_has_to_stand(rig)
        rig.build(BAD)
        await stands(rig, 3)
        await rig.client.call(api.VirtualSay(board="left", text="once more -bad\r\n"))
        now = await rig.until(lambda now: now.boards[0].hold is not None)
        hold = now.boards[0].hold
        assert hold is not None
        assert hold.by is HoldBy.FLASHDECK
        assert hold.reason.startswith("it went back by itself, and then flashdeck-test 1.0.0 crashed, too: ")
        assert "once more -bad" in hold.reason
        assert len(await ended(rig, 3)) == 3


@pytest.mark.parametrize("is_listed", [False, True])
async def test_silence_counts_only_where_it_is_listed(root: Path, *, is_listed: bool) -> None:
    listed = '{ rollback_after = ["crashed", "silent"] }'
    put_down(root, console(listed if is_listed else '"rollback"', within="3s"))
    async with running(root) as rig:
        await runs(rig)
        rig.build(MUTE)
        jobs = await ended(rig, 3 if is_listed else 2)
        judgement = judgement_of(jobs[1].status)
        assert judgement is not None
        assert judgement.verdict is Verdict.SILENT
        if is_listed:
            assert jobs[2].note == "goes back by itself: flashdeck-mute 1.0.4 was silent"
        else:
            await runs(rig, BETTER)
            assert len(await rig.jobs()) == 3  # what silence asked for would have come before


async def test_what_crashes_after_the_answer_is_an_event(root: Path) -> None:
    put_down(root, console())
    async with running(root) as rig:
        await runs(rig)
        await runs(rig, BETTER)
        await rig.client.call(api.VirtualSay(board="left", text="much later -bad\r\n"))
        await rig.until(
            lambda now: (
                (has := shown(now).contents) is not None
                and has.verdict is not None
                and has.verdict.verdict is Verdict.CRASHED
            )
        )
        assert not any(job.undecided for job in await ended(rig, 2))
        assert (await contents(rig)).sha256 == sha256(BETTER)


async def test_where_nothing_has_run_there_is_no_way_back(root: Path) -> None:
    put_down(root, console())
    async with running(root) as rig:
        rig.build(BAD)
        (job,) = await ended(rig, 1)
        assert isinstance(job.status, Failed)
        await rig.until_logged("does not go back by itself: no set of images has run there yet")


async def test_bytes_that_are_gone_are_said_and_it_stays(root: Path) -> None:
    put_down(root, console())
    async with running(root) as rig:
        await runs(rig)
        await rig.stop()
        (root / "state" / "spool" / sha256(GOOD)).unlink()
        rig.build(BAD)
        await rig.restart()
        await ended(rig, 2)
        await rig.until_logged("does not go back by itself: ")
        assert (await contents(rig)).sha256 == sha256(BAD)
        assert len(await rig.jobs()) == 2


async def test_a_board_that_is_armed_for_one_job_is_disarmed_by_then(root: Path) -> None:
    put_down(root, console())
    async with running(root) as rig:
        await runs(rig)
        await rig.client.call(api.Arm(boards=("left",), once=True))
        rig.build(BAD)
        await ended(rig, 2)
        await rig.until_logged("does not go back by itself: it is disarmed")
        assert len(await rig.jobs()) == 2


def forget_decision(root: Path) -> None:
    """Make the journal that of the moment before job 3 was recorded, which brings the board back from job 2."""
    with closing(sqlite3.connect(root / "state" / "journal.sqlite3")) as journal, journal:
        journal.execute("DELETE FROM job WHERE id = 3")
        undecided = "UPDATE job SET state = json_set(state, '$.undecided', json('true')) WHERE id = 2"
        assert journal.execute(undecided).rowcount == 1


@pytest.mark.parametrize("is_decided", [True, False])
async def test_a_daemon_that_is_killed_behind_the_verdict_goes_back_all_the_same(
    root: Path, *, is_decided: bool
) -> None:
    put_down(root, console(), enter='"manual"')
    async with running(root) as rig:
        await runs(rig)
        rig.build(BAD)
        await rig.until(lambda now: any(isinstance(job.status, Waiting) and job.id == 2 for job in now.jobs))
        await rig.press("left")
        await rig.until(lambda now: any(isinstance(job.status, Waiting) and job.id == 3 for job in now.jobs))
        assert await rig.stop(signal.SIGKILL) == -signal.SIGKILL
        if not is_decided:
            forget_decision(root)
        await rig.restart()  # on a board in DFU mode
        jobs = await ended(rig, 3)
        assert brought(jobs)[1:] == [(sha256(BAD), Origin.BUILD), (sha256(GOOD), Origin.FLASHDECK)]
        assert isinstance(jobs[-1].status, Done)
        assert await rig.partition_of("left", len(GOOD)) == GOOD


async def test_a_board_on_hold_stays_as_it_is_also_for_the_next_daemon(root: Path) -> None:
    put_down(root, console(), enter='"manual"')
    async with running(root) as rig:
        await runs(rig)
        rig.build(BAD)
        await rig.until(lambda now: any(isinstance(job.status, Waiting) and job.id == 2 for job in now.jobs))
        await rig.press("left")
        await rig.until(lambda now: any(isinstance(job.status, Waiting) and job.id == 3 for job in now.jobs))
        await rig.client.call(api.Hold(boards=("left",), reason="mine"))
        await rig.stop(signal.SIGKILL)
        forget_decision(root)
        await rig.restart()
        await rig.until_logged("does not go back by itself: it is on hold: mine")
        await rig.client.call(api.Release(boards=("left",)))
        await rig.stop()
        await rig.restart()  # it is decided
        await runs(rig, BETTER)
        assert [job.origin for job in await rig.jobs()] == [Origin.BUILD] * 3
