"""What the daemon needs while nothing happens."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from benchmarks.desk import desk
from benchmarks.rows import Measure, Row, Unit

_CALM_SECONDS = 2.0
"""For what a start still does afterwards."""
_QUIET = (str(Path(__file__).with_name("quiet_daemon.py")),)
_UTIME, _STIME = 11, 12
"""Fields of /proc/PID/stat behind the name of the program (proc(5))."""


async def rows(seconds: float) -> AsyncIterator[Row]:
    """Processor time and memory of a daemon with one board and a client that listens."""
    async with desk() as rig:
        await asyncio.sleep(_CALM_SECONDS)
        before, woken = _processor_seconds(rig.process.pid), _wake_ups(rig.process.pid)
        await asyncio.sleep(seconds)
        used = _processor_seconds(rig.process.pid) - before
        wakes = _wake_ups(rig.process.pid) - woken
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
        yield _wake_up_row("while anybody builds", wakes / seconds, aim=50)
    async with desk(_QUIET) as rig:
        await asyncio.sleep(_CALM_SECONDS)
        woken = _wake_ups(rig.process.pid)
        await asyncio.sleep(seconds)
        yield _wake_up_row("after quiet hours", (_wake_ups(rig.process.pid) - woken) / seconds, aim=5)


def _wake_up_row(when: str, rate: float, *, aim: float) -> Row:
    return Row(
        what=f"idle daemon, wake-ups {when}",
        measure=Measure(rate, Unit.A_SECOND),
        aim=aim,
        remark="of all its threads, with a client that listens",
    )


def _wake_ups(pid: int) -> int:
    """The number of times that its threads have waited (proc(5)); one that has ended counts no more."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            lines = (thread / "status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches:"))
    return total


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (resident,) = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(resident) * 1024
