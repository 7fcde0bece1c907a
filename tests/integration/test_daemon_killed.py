"""The daemon killed at any moment: no mixture boots, nothing outside changes, and the next daemon finishes the job."""

import asyncio
import random
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

import distant_bench
from flashdeck.job_state import Done, Failed, Phase
from flashdeck.model import Snapshot
from flashdeckd.virtual.nor import fill
from flashdeckd.virtual.spec import PLAIN_MODELS, BoardSpec, Model
from flashdeckd.virtual.virtual_bench import load_bench
from job_states import phase_of
from rig import APP1, DAEMON, board, firmware, prepare, running, sha256
from soaking import SOAK

pytestmark = [pytest.mark.soak, pytest.mark.long]

BASE, FLASH_SIZE, PARTITION_SIZE = 0x08000000, 1024 * 1024, 384 * 1024
KILLS = 30
"""Of each board in a soak."""
MORE_KILLS = 10
"""How many more there are at most until one of them has left a board in the middle of its flash."""
IMAGE_SIZE = 40_000
LONGEST = 0.8
"""Seconds: about what a flash of that size takes on such a board."""
LEFT = '[boards.left]\nprofile = "product"\nserial = "TEST00000001"\n'
PLAIN = """
[daemon]
settle = "50ms"
[profiles.gadget]
dfu = "cafe:4000"
app = "cafe:4001"
enter = "detach"
enter_hint = "press the button"
[profiles.gadget.partitions.app1]
alt = "app1"
size = "384K"
image = "build/APP1.bin"
[boards.left]
profile = "gadget"
serial = "TEST00000001"
"""


@dataclass(frozen=True)
class Bench:
    """The emulated board, and what is built for it."""

    name: str
    model: Model = Model.CLASSIC
    kills: int = 1
    """Of its daemons outside of a soak; the first one comes while it writes."""
    only_a_piece: bool = False
    """Whether each build differs from the last one in a single place, so that little is left to write."""

    def prepare(self, root: Path) -> None:
        """Writes configuration, bench and the board's flash."""
        (root / "flash").write_bytes(fill(FLASH_SIZE, 3))
        slow = {"timing": "real", "attach_time": 0, "word_time": 0.0002, "flash_file": "flash"}
        if self.model not in PLAIN_MODELS:
            prepare(root, boards=LEFT, bench=board("left", 1, model=self.model, **slow))
            return
        (root / "config.toml").write_text(PLAIN)
        keys = {"model": self.model, "dfu": "cafe:4000", "app": "cafe:4001", **slow}
        lines = board("left", 1, **keys).splitlines()
        (root / "bench.toml").write_text("\n".join(line for line in lines if not line.startswith("map =")))

    def build(self, number: int) -> bytes:
        """The image of that number."""
        if not self.only_a_piece:
            return firmware(str(number), size=IMAGE_SIZE)
        whole = firmware("0", size=IMAGE_SIZE)
        piece = f"build {number:6}".encode()
        middle = IMAGE_SIZE // 2
        return whole[:middle] + piece + whole[middle + len(piece) :]


BENCHES = (
    Bench("full", kills=3),
    Bench("unreadable", Model.CLASSIC_NOREAD),
    Bench("delta", only_a_piece=True),
    Bench("plain", Model.TINYUSB),
)


class Flash:
    """The emulated board's flash, seen from outside of the daemon: what a dead one has left behind."""

    def __init__(self, path: Path, model: Model) -> None:
        self._path = path
        self._model = model
        self._before = path.read_bytes()

    def check(self, *complete: bytes) -> None:
        """Nothing outside of app1 has changed, and what would be started is one of these images."""
        now = self._path.read_bytes()
        start = APP1 - BASE
        assert now[:start] == self._before[:start]
        assert now[start + PARTITION_SIZE :] == self._before[start + PARTITION_SIZE :]
        spec = BoardSpec(name="left", flash_file=self._path)
        # Plain DFU is written from its first block on: no order of ours protects what is started there.
        if self._model not in PLAIN_MODELS and spec.boots(spec.new_flash()):
            assert any(self.holds(image) for image in complete), "a mixture would be started"

    def holds(self, image: bytes) -> bool:
        return self._path.read_bytes()[APP1 - BASE :][: len(image)] == image


class IsDone:
    """Whether the job of an image has ended, and well."""

    def __init__(self, image: bytes) -> None:
        self._wanted = sha256(image)

    def __call__(self, snapshot: Snapshot) -> bool:
        jobs = [job for job in snapshot.jobs if job.sha256 == self._wanted]
        assert not any(isinstance(job.status, Failed) for job in jobs), jobs
        return any(isinstance(job.status, Done) for job in jobs)


class Reached(IsDone):
    """Whether it is in a phase, or has ended by now."""

    def __init__(self, image: bytes, phase: Phase) -> None:
        super().__init__(image)
        self._phase = phase

    def __call__(self, snapshot: Snapshot) -> bool:
        return super().__call__(snapshot) or any(phase_of(job) is self._phase for job in snapshot.jobs)


@pytest.mark.parametrize("boards", ["lose power", "stay as they are"])
@pytest.mark.parametrize("bench", BENCHES, ids=lambda bench: bench.name)
async def test_a_daemon_killed_at_any_moment(root: Path, bench: Bench, boards: str) -> None:
    bench.prepare(root)
    if boards == "lose power":
        await kill_again_and_again(root, bench, DAEMON)
    else:
        with distant_bench.served(load_bench(root / "bench.toml"), root / "bench"):
            await kill_again_and_again(root, bench, (distant_bench.__file__,))


async def kill_again_and_again(root: Path, bench: Bench, daemon: tuple[str, ...]) -> None:
    flash = Flash(root / "flash", bench.model)
    moments = random.Random(20)  # noqa: S311 - a choice of moments, nothing secret
    old = bench.build(0)
    torn = number = 0
    kills = KILLS if SOAK else bench.kills
    async with running(root, daemon=daemon) as rig:
        rig.build(old)
        await rig.until(IsDone(old))
        while number < kills or (not torn and number < kills + MORE_KILLS):
            number += 1
            new = bench.build(number)
            rig.build(new)
            match number % 3:
                case 1:  # between its first block and its last one
                    await rig.until(Reached(new, Phase.WRITE))
                case 2:  # in the middle of its work
                    await rig.until(Reached(new, Phase.ERASE))
                    await asyncio.sleep(moments.uniform(0, LONGEST))  # a moment of its own choice is the point
                case _:  # at any time, before its first step and after its last too
                    await asyncio.sleep(moments.uniform(0, LONGEST))
            assert await rig.stop(signal.SIGKILL) == -signal.SIGKILL
            flash.check(old, new)
            torn += not (flash.holds(old) or flash.holds(new))
            await rig.restart()
            await rig.until(IsDone(new))
            assert flash.holds(new), f"after kill {number}"
            flash.check(new)
            old = new
    assert torn, "none of the kills came in the middle of a flash"
