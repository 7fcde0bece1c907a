"""A real daemon judges how emulated boards start, by their consoles: jobs end with that, and everybody is told."""

from pathlib import Path

import pytest

from flashdeck import api
from flashdeck.errors import ErrorKind
from flashdeck.job_state import Done, Failed, JobKind, Phase, Written, judgement_of
from flashdeck.model import Contents, JobState
from flashdeck.verdict import Verdict
from rig import Rig, board, firmware, prepare, running

BY_PORT = '[boards.left]\nprofile = "product"\nport = "1-1"\n'
FIRST, SECOND = firmware("1.0.0"), firmware("2.0.0")
SAYS = 'says = [{ image = "flashdeck-test " }]\n'


def judged(*, within: str = "30s", more: str = "", port: str = "app") -> str:
    """The console of a profile; nothing of it passes by time unless a test says so."""
    return (
        f'[profiles.product.console]\nport = "{port}"\npartition = "app1"\n'
        r"ready = 'flashdeck-test (?P<version>\S+)'" + f'\nwithin = "{within}"\nfail = ["HardFault"]\n{more}'
    )


def verdict_of(job: JobState) -> Verdict | None:
    judgement = judgement_of(job.status)
    return judgement.verdict if judgement is not None else None


def is_starting(job: JobState) -> bool:
    return isinstance(job.status, Written) and job.status.phase is Phase.START


async def contents_of(rig: Rig) -> Contents:
    now = await rig.until(lambda _: True)
    (left,) = (each for each in now.boards if each.name == "left")
    contents = next(each for each in left.partitions if each.name == "app1").contents
    assert contents is not None
    return contents


async def flashed(rig: Rig, data: bytes) -> JobState:
    rig.build(data)
    (job,) = await rig.wait(data=data)
    return job


async def test_a_job_is_done_once_its_image_says_that_it_runs(tmp_path: Path) -> None:
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain") + SAYS, profile=judged())
    async with running(tmp_path) as rig:
        for data, version in ((FIRST, "1.0.0"), (SECOND, "2.0.0")):
            job = await flashed(rig, data)
            assert isinstance(job.status, Done)
            assert verdict_of(job) is Verdict.RUNS
            contents = await contents_of(rig)
            assert contents.verdict is not None
            assert contents.verdict.lines == (f"flashdeck-test {version}",)
            assert contents.verdict.version == version


@pytest.mark.parametrize(
    ("says", "verdict", "kind"),
    [
        ('{ text = "HardFault\\r\\n" }', Verdict.CRASHED, ErrorKind.CRASHED),
        ('{ text = "flashdeck-test 0.9.9\\r\\n" }', Verdict.ANOTHER_BUILD, ErrorKind.ANOTHER_BUILD),
        ('{ text = "hello\\r\\n" }', Verdict.SILENT, ErrorKind.SILENT),
    ],
)
async def test_an_image_that_does_not_run_fails_its_job(
    tmp_path: Path, says: str, verdict: Verdict, kind: ErrorKind
) -> None:
    within = "100ms" if verdict is Verdict.SILENT else "30s"
    bench = board("left", start="dfu", uart="left.tty") + f"says = [{says}]\n"
    # a port that is open all the time: silence would prove nothing of one that is opened late on a busy machine
    profile = judged(within=within, port=str(tmp_path / "left.tty"))
    prepare(tmp_path, boards=BY_PORT, bench=bench, profile=profile)
    async with running(tmp_path) as rig:
        rig.build(FIRST)
        now = await rig.until(lambda now: any(each.is_settled for each in now.jobs))
        job = next(each for each in now.jobs if each.is_settled)
        assert isinstance(job.status, Failed)
        assert job.status.failure.kind is kind
        assert verdict_of(job) is verdict
        contents = await contents_of(rig)
        assert contents.verdict is not None
        assert contents.verdict.verdict is verdict
        assert contents.started is True
        answer = await rig.client.call(api.Wait(partition="app1", boards=("left",)))
        (row,) = answer.boards
        assert row.failure is not None
        assert row.failure.kind is kind


async def test_a_verdict_is_on_the_images_that_a_visit_brought_and_on_nothing_else(tmp_path: Path) -> None:
    """A job that only reads waits for the same start: that says nothing of what it has read."""
    prepare(tmp_path, boards=BY_PORT, bench=board("left", start="dfu", serial_port="plain") + SAYS, profile=judged())
    async with running(tmp_path) as rig:
        await flashed(rig, FIRST)
        await rig.client.call(api.Hold(boards=("left",), reason="both at once"))
        rig.build(SECOND)
        await rig.until(lambda now: any(not each.is_settled for each in now.jobs))
        (reads,) = (await rig.client.call(api.ReadPartition(partition="partition2", boards=("left",)))).jobs
        await rig.client.call(api.Release(boards=("left",)))
        now = await rig.until(lambda now: all(each.is_settled for each in now.jobs))
        by_kind = {each.kind: each for each in now.jobs}
        assert by_kind[JobKind.READ].id == reads.id
        assert isinstance(by_kind[JobKind.READ].status, Done)
        assert verdict_of(by_kind[JobKind.READ]) is None
        assert [verdict_of(each) for each in now.jobs if each.kind is JobKind.FLASH] == [Verdict.RUNS, Verdict.RUNS]


async def test_a_board_that_is_taken_out_as_it_starts_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Nobody hears it any more: builds for the others, and whoever asked for the reload, do not wait for its time."""
    boards = BY_PORT + '[boards.right]\nprofile = "product"\nport = "1-2"\n'
    bench = board("left", start="dfu", serial_port="plain") + board("right", 2, start="dfu", serial_port="plain") + SAYS
    prepare(tmp_path, boards=boards, bench=bench, profile=judged(within="10min"))
    async with running(tmp_path) as rig:
        rig.build(FIRST)
        now = await rig.until(lambda now: any(is_starting(each) and each.board == "left" for each in now.jobs))
        job = next(each for each in now.jobs if each.board == "left")
        path = tmp_path / "config.toml"
        path.write_text(path.read_text().replace(BY_PORT, ""))
        await rig.client.call(api.ReloadConfig())
        now = await rig.until(lambda now: next(each for each in now.jobs if each.id == job.id).is_settled)
        ended = next(each for each in now.jobs if each.id == job.id)
        assert verdict_of(ended) is Verdict.UNKNOWN
        rig.build(SECOND)
        (done,) = await rig.wait(data=SECOND)
        assert (done.board, verdict_of(done)) == ("right", Verdict.RUNS)
