"""Hooks of a real daemon: they run, they hold up nothing, and what they did is kept with their jobs."""

from pathlib import Path

from flashdeck import api
from flashdeck.job_state import Done
from rig import Rig, board, firmware, prepare, running, sha256

LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
ONE, TWO = (firmware(version) for version in ("1.0.0", "1.0.1"))


def hooked(root: Path, hooks: str) -> None:
    prepare(root, boards=LEFT, bench=board("left"))
    config = (root / "config.toml").read_text()
    (root / "config.toml").write_text(f"[hooks]\n{hooks}\n{config}")


async def test_a_hook_runs_with_the_facts_of_its_job_and_nothing_else_of_the_daemon(root: Path) -> None:
    script = (
        f'echo $BOARD $PARTITION $PORT $SERIAL $JOB $RESULT $SHA256 >{root}/said; echo "$VERSION"; ls /proc/self/fd'
    )
    hooked(root, f"done = ['sh', '-c', '{script}']")
    async with running(root) as rig:
        rig.build(ONE)
        (job,) = await rig.wait(data=ONE)
        snapshot = await rig.until(lambda s: s.jobs[0].hook is not None)
        hook = snapshot.jobs[0].hook
        assert hook is not None
        assert (hook.name, hook.code, hook.output[0]) == ("done", 0, "flashdeck-test 1.0.0")
        assert hook.output[1:] == ("0", "1", "2", "3")  # 3 is the directory that ls reads
        port = snapshot.boards[0].port
        assert (root / "said").read_text() == f"left app1 {port} TEST00000001 {job.id} done {sha256(ONE)}\n"
        await rig.stop()
        await rig.restart()
        (again,) = (await rig.client.call(api.GetHistory())).jobs
        assert again.hook == hook


async def test_a_hook_that_never_ends_holds_up_neither_its_lane_nor_the_daemons_end(root: Path) -> None:
    hooked(root, "done = ['sleep', '600']")
    async with running(root) as rig:
        for data in (ONE, TWO):
            rig.build(data)
            (job,) = await rig.wait(data=data)
            assert isinstance(job.status, Done)
        assert [job.hook for job in await rig.jobs()] == [None, None]


async def test_a_failed_job_has_the_other_hook(root: Path) -> None:
    hooked(root, "failed = ['sh', '-c', 'echo $RESULT of $JOB; exit 4']")
    async with running(root) as rig:
        await fail(rig)
        snapshot = await rig.until(lambda s: s.jobs[0].hook is not None)
        hook = snapshot.jobs[0].hook
        assert hook is not None
        assert (hook.name, hook.code, hook.output) == ("failed", 4, ("failed of 1",))
        await rig.until_logged("hook failed ended with 4")


async def fail(rig: Rig) -> None:
    await rig.client.call(api.VirtualFault(board="left", fault="error-erase", times=50))
    rig.build(ONE)
    await rig.until(lambda s: any(job.failure is not None for job in s.jobs))
