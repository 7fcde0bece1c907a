"""The daemon killed at any moment: no mixture boots, nothing outside changes, and the next daemon finishes the job."""

import asyncio
import random
import signal
from pathlib import Path

import pytest

import distant_bench
from flashdeck.model import JobStatus, Phase, Snapshot
from flashdeckd.virtual.bench import load_bench
from flashdeckd.virtual.nor import fill
from flashdeckd.virtual.spec import BoardSpec
from rig import APP1, DAEMON, board, firmware, prepare, running, sha256
from soaking import SOAK

pytestmark = pytest.mark.soak

BASE, FLASH_SIZE, PARTITION_SIZE = 0x08000000, 1024 * 1024, 384 * 1024
KILLS = 200 if SOAK else 2
IMAGE_SIZE = 40_000
LONGEST = 0.4
"""Seconds: about what a flash of that size takes on a board with real timing."""
LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'


class Flash:
    """The emulated board's flash, seen from outside of the daemon: what a dead one has left behind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = path.read_bytes()

    def check(self, *complete: bytes) -> None:
        """Nothing outside of app1 has changed, and what would be started is one of these images."""
        now = self._path.read_bytes()
        start = APP1 - BASE
        assert now[:start] == self._before[:start]
        assert now[start + PARTITION_SIZE :] == self._before[start + PARTITION_SIZE :]
        spec = BoardSpec(name="left", flash_file=self._path)
        if spec.boots(spec.new_flash()):
            assert any(self.holds(image) for image in complete), "a mixture would be started"

    def holds(self, image: bytes) -> bool:
        return self._path.read_bytes()[APP1 - BASE :][: len(image)] == image


class Done:
    """Whether the job of an image has ended, and well."""

    def __init__(self, image: bytes) -> None:
        self._wanted = sha256(image)

    def __call__(self, snapshot: Snapshot) -> bool:
        jobs = [job for job in snapshot.jobs if job.sha256 == self._wanted]
        assert not any(job.status is JobStatus.FAILED for job in jobs), jobs
        return any(job.status is JobStatus.DONE for job in jobs)


class Begun(Done):
    """Whether it erases, or has ended by now."""

    def __call__(self, snapshot: Snapshot) -> bool:
        return super().__call__(snapshot) or any(job.phase is Phase.ERASE for job in snapshot.jobs)


@pytest.mark.parametrize("boards", ["lose power", "stay as they are"])
async def test_a_daemon_killed_at_any_moment(root: Path, boards: str) -> None:
    (root / "flash").write_bytes(fill(FLASH_SIZE, 3))
    emulated = board("left", timing="real", attach_time=0, flash_file="flash")
    prepare(root, boards=LEFT, bench=emulated)
    if boards == "lose power":
        await kill_again_and_again(root, DAEMON)
    else:
        with distant_bench.served(load_bench(root / "bench.toml"), root / "bench"):
            await kill_again_and_again(root, (distant_bench.__file__,))


async def kill_again_and_again(root: Path, daemon: tuple[str, ...]) -> None:
    flash = Flash(root / "flash")
    moments = random.Random(20)  # noqa: S311 - a choice of moments, nothing secret
    old = firmware("0", size=IMAGE_SIZE)
    torn = 0
    async with running(root, daemon=daemon) as rig:
        rig.build(old)
        await rig.until(Done(old))
        for number in range(1, KILLS + 1):
            new = firmware(str(number), size=IMAGE_SIZE)
            rig.build(new)
            if number % 2:  # in the middle of its work; else at any time, before its first step and after its last too
                await rig.until(Begun(new))
            await asyncio.sleep(moments.uniform(0, LONGEST))  # a moment of its own choice is the point
            assert await rig.stop(signal.SIGKILL) == -signal.SIGKILL
            flash.check(old, new)
            torn += not (flash.holds(old) or flash.holds(new))
            await rig.restart()
            await rig.until(Done(new))
            assert flash.holds(new), f"after kill {number}"
            flash.check(new)
            old = new
    assert torn or not SOAK, "none of so many kills came in the middle of a flash"
