"""Many boards at once against one: a real daemon, its lanes and its queue, on boards slowed down alike.

All the boards' models run in one process and are slower than real ones by a factor, so that what is measured is what
flashdeck adds and not how many emulated boards one Python keeps up with.
"""

import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from benchmarks.rows import Measure, Row, Unit
from rig import HONEST_MAP, board, firmware, prepare, running

AIM = 1.2
SIZE = 64 * 1024
"""Bytes of the image."""
SLOWDOWN = 20
"""The boards are so many times slower than real ones."""


async def rows(counts: Sequence[int]) -> AsyncIterator[Row]:
    """One row for each of `counts`; the first is what the others are compared with."""
    alone = 0.0
    for count in counts:
        seconds = await _seconds(count)
        alone = alone or seconds
        boards = "1 board" if count == 1 else f"{count} boards at once"
        yield Row(
            what=f"{boards}: {SIZE // 1024} KiB, time against one board",
            seconds=seconds / SLOWDOWN,
            measure=Measure(seconds / alone, Unit.TIMES),
            aim=AIM,
            remark=f"ST classic, a real daemon; the boards are slowed down by {SLOWDOWN}, the seconds divided by that",
        )


async def _seconds(count: int) -> float:
    """From the start of the first job to the end of the last, on boards slowed down."""
    names = [f"board{number}" for number in range(1, count + 1)]
    bench = "".join(
        board(name, port, serial=f"BENCH{port:04}", timing="real", slowdown=SLOWDOWN, start="dfu", map=HONEST_MAP)
        for port, name in enumerate(names, start=1)
    )
    boards = "".join(
        f'[boards.{name}]\nprofile = "product"\nserial = "BENCH{port:04}"\n' for port, name in enumerate(names, start=1)
    )
    data = firmware(f"crowd of {count}", size=SIZE)
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as directory:
        prepare(Path(directory), boards=boards, bench=bench)
        async with running(Path(directory)) as rig:
            await rig.until(lambda now: all(each.presence == "dfu" for each in now.boards))
            rig.build(data)
            await rig.wait(data=data)
            jobs = await rig.jobs()
    if len(jobs) != count or any(job.result is None for job in jobs):
        raise RuntimeError(f"{count} boards, but these jobs: {jobs}")
    return max(job.finished_at or 0.0 for job in jobs) - min(job.started_at or 0.0 for job in jobs)
