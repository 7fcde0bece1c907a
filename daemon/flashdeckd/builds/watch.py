"""Watches, and those who are told of them, as values; the clock that all of it goes by."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flashdeckd.builds.lease import Unreadable
from flashdeckd.host import clock

RESTART = 2.0
"""Seconds after which what failed is tried again, and between looks at a place whose watch failed."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One image file to look after."""

    profile: str
    partition: str
    pattern: str
    """Absolute path or glob."""
    settle: float
    """Seconds that it must be unchanged once no writer has it open."""

    @property
    def place(self) -> tuple[str, str, str]:
        """The part that makes it this watch, however long its file has to settle."""
        return (self.profile, self.partition, self.pattern)


@dataclass(frozen=True, slots=True)
class Settled:
    """A file that is whole."""

    watch: Watch
    path: Path
    data: bytes
    first: bool
    """True: it was already there, in this very state, when it was first looked for."""


@dataclass(frozen=True, slots=True)
class Told:
    """Those who are told of a watch. Each is called in the event loop."""

    settled: Callable[[Settled], Awaitable[None]]
    """A file is whole. Where it raises, the file is handed on again later."""
    unreadable: Callable[[Watch, Unreadable | None], object]
    """Once for each reason why a file that is there cannot be read, and with None once that is over."""
    settling: Callable[[Watch, bool], object]
    """A new state begins to be waited for, or that is over."""
    kept_open: Callable[[Watch, str], object]
    """The program that has had the file open for writing for long, in words; "" once that is over."""
    trouble: Callable[[str, str, str], object]
    """A part that does not work, what is wrong with it ("" for nothing any more), and what to do."""


class BuildClock(Protocol):
    """Time, so that tests can turn it by hand."""

    def now(self) -> float:
        """Seconds from any origin, never backwards."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, by the clock that file systems of this machine go by."""
        ...

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        """Returns when `wake` is set, or after `seconds`."""
        ...


class MachineClock:
    """The real one."""

    def now(self) -> float:
        """See `BuildClock`."""
        return clock.monotonic()

    def wall(self) -> float:
        """See `BuildClock`."""
        return clock.now()

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        """See `BuildClock`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()
