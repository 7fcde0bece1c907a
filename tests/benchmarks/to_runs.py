"""From the moment in which the writer of an image closes it to the board's own word that it runs."""

import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

from benchmarks.desk import BOARD, SETTLE
from benchmarks.rows import Measure, Row, Unit
from flashdeck import api
from flashdeck.job_state import Phase
from flashdeck.model import JobState
from rig import Rig, board, firmware, prepare, running

AIM = 800.0
"""Milliseconds."""
_ONE_SECTOR = 8 * 1024 - 256
"""Bytes of an image that changes one sector of an STM32H5."""
_CONSOLE = """[profiles.product.console]
port = "app"
partition = "app1"
ready = 'flashdeck-test (?P<version>.+)'
"""
_BOARDS = f'[boards.{BOARD}]\nprofile = "product"\nport = "1-1"\n'


async def row(repeats: int) -> Row:
    """Return how long a build of one sector takes to run, on an emulated board as quick as a real one."""
    found = [each async for each in _starts(repeats)]
    whole = median(seconds for seconds, _ in found)
    phases = {each: median(of.times.of(each) for _, of in found) for each in Phase if each is not Phase.OTHER}
    first = whole - sum(phases.values())
    parts = ", ".join(f"{each.value} {1000 * seconds:.0f}" for each, seconds in phases.items() if seconds)
    return Row(
        what="writer's close to the board's word that it runs",
        measure=Measure.median([1000 * seconds for seconds, _ in found], Unit.MILLISECONDS),
        aim=AIM,
        remark=f"an H5 at real speed, in DFU mode, one sector; in ms: settle ({SETTLE}), read, queue and rest "
        f"{1000 * first:.0f}, {parts}",
    )


async def _starts(repeats: int) -> AsyncIterator[tuple[float, JobState]]:
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        root = Path(directory, "bench")
        root.mkdir(mode=0o700)  # noqa: ASYNC240 -- nothing else runs here
        bench = board(BOARD, start="dfu", serial_port="plain", timing="real")
        prepare(
            root,
            boards=_BOARDS,
            bench=bench + 'says = [{ image = "flashdeck-test " }]\n',
            settle=SETTLE,
            profile=_CONSOLE,
        )
        async with running(root) as rig:
            await _in_dfu(rig)
            await _started(rig, firmware("first", size=_ONE_SECTOR))
            for number in range(repeats):
                await rig.client.call(api.VirtualPress(boards=(BOARD,)))
                await _in_dfu(rig)
                yield await _started(rig, firmware(f"start {number}", size=_ONE_SECTOR))


async def _in_dfu(rig: Rig) -> None:
    await rig.until(lambda now: now.boards[0].presence == "dfu")


async def _started(rig: Rig, data: bytes) -> tuple[float, JobState]:
    """Build an image, and return after how many seconds it runs, and its job."""
    rig.build(data)
    closed = time.monotonic()
    (job,) = await rig.wait(data=data)
    return time.monotonic() - closed, job
