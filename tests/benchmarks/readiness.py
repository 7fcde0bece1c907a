"""From the start of the daemon to its first answer."""

import tempfile
import time
from pathlib import Path

from benchmarks.desk import set_up
from benchmarks.rows import Measure, Row, Unit
from rig import start


async def row(repeats: int) -> Row:
    """With the files of an earlier run, as after a login."""
    taken: list[float] = []
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        set_up(Path(directory))
        for _ in range(repeats):
            started = time.monotonic()
            rig = await start(Path(directory), look_again=0.002)
            taken.append((time.monotonic() - started) * 1000)
            await rig.stop()
    return Row(what="daemon's start to its first answer", measure=Measure.median(taken, Unit.MILLISECONDS))
