"""Time. The event loop has its own way to wait (`asyncio.sleep`, timeouts), and its own `time`.

A simulation sets `system` to its virtual time, and gives the same to its event loop.
"""

import time
from typing import Final, Protocol

LONGEST_TICK: Final = 0.01
"""Seconds between two ticks of the slowest kernels."""
_REALTIME_COARSE: Final = 5  # clock_gettime(2): the clock that stamps files; the standard library has no name for it


class Clock(Protocol):
    """A source of time."""

    def time(self) -> float:
        """Return the seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from any origin, never fewer than before."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Return after `seconds`."""
        ...


system: Clock = time


def now() -> float:
    """Return the seconds since 1970-01-01 UTC; they jump when somebody sets the clock."""
    return system.time()


def monotonic() -> float:
    """Return seconds from any origin, which no setting of the clock changes."""
    return system.monotonic()


def tick() -> float:
    """Return by how many seconds the kernel dates a change too early at most: by its last tick."""
    try:
        return min(time.clock_getres(_REALTIME_COARSE), LONGEST_TICK)
    except OSError:
        return LONGEST_TICK


def sleep(seconds: float) -> None:
    """Block the thread for `seconds`."""
    system.sleep(seconds)


def local_stamp(seconds: float) -> str:
    """Return a time as it stands in a log that people read: 2026-01-31 23:59:59.123, by the host's time zone."""
    whole = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03d}"


def stamp() -> str:
    """Return the time in UTC as it stands in the name of a file: 20260131T235959Z."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now()))
