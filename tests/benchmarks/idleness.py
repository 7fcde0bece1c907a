"""What the daemon needs while nothing happens."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks.desk import desk
from benchmarks.rows import Measure, Row, Unit

_CALM_SECONDS = 2.0
"""For what a start still does afterwards."""
_UTIME, _STIME = 11, 12
"""Fields of /proc/PID/stat behind the name of the program (proc(5))."""


async def rows(seconds: float) -> AsyncIterator[Row]:
    """Processor time and memory of a daemon with one board and a client that listens."""
    async with desk() as rig:
        await asyncio.sleep(_CALM_SECONDS)
        before = _processor_seconds(rig.process.pid)
        await asyncio.sleep(seconds)
        used = _processor_seconds(rig.process.pid) - before
        yield Row(
            what=f"idle daemon, processor time over {seconds:g} s",
            measure=Measure(100 * used / seconds, Unit.PERCENT),
            remark="of one core",
        )
        yield Row(
            what="idle daemon, resident memory",
            measure=Measure(_resident_bytes(rig.process.pid) / 1e6, Unit.MEGABYTES),
            remark="with the emulated board and its 1 MiB of flash",
        )


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (resident,) = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(resident) * 1024
