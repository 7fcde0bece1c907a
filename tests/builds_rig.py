"""Builds with time and hints in the test's hands; the files are real."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flashdeckd.builds.builds import Builds, Settled, Watch
from flashdeckd.builds.filesystem import LEASES, filesystem_type
from flashdeckd.builds.source import BuildSource, HandDrivenSource

PATIENCE = 60
"""Seconds after which a wait for something that must come is given up."""


def needs_leases(directory: Path) -> None:
    """Skips a test where the file system has no leases to rely on."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        kind = filesystem_type(descriptor)
    finally:
        os.close(descriptor)
    if kind not in LEASES:
        pytest.skip(f"no leases on {kind or 'this file system'}")


@dataclass(eq=False)
class _Sleeper:
    deadline: float
    wake: asyncio.Event
    rung: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def sleeps(self) -> bool:
        return not (self.wake.is_set() or self.rung.is_set())


class HandClock:
    """Time stands still until it is told to pass."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[_Sleeper] = []
        self._came = asyncio.Event()

    def now(self) -> float:
        return self._now

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        sleeper = _Sleeper(self._now + seconds, wake)
        self._sleepers.append(sleeper)
        self._came.set()
        ends = {asyncio.ensure_future(wake.wait()), asyncio.ensure_future(sleeper.rung.wait())}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._sleepers.remove(sleeper)
            for end in ends:
                end.cancel()

    async def idle(self, sleepers: int) -> None:
        """Returns when that many wait for time to pass."""
        async with asyncio.timeout(PATIENCE):
            while sum(sleeper.sleeps for sleeper in self._sleepers) < sleepers:
                self._came.clear()
                await self._came.wait()

    async def advance(self, seconds: float, sleepers: int) -> None:
        """Lets time pass, from one deadline to the next, until all have done what was due."""
        end = self._now + seconds
        await self.idle(sleepers)
        while (deadline := min(sleeper.deadline for sleeper in self._sleepers if sleeper.sleeps)) <= end:
            self._now = max(self._now, deadline)
            for sleeper in self._sleepers:
                if sleeper.deadline <= self._now:
                    sleeper.rung.set()
            await self.idle(sleepers)
        self._now = end


@dataclass
class BuildsRig:
    """`Builds` on a hand-driven source and clock."""

    builds: Builds
    source: HandDrivenSource
    clock: HandClock
    settled: list[Settled]
    unreadable: list[tuple[str, str]]
    being_written: list[tuple[str, bool]]
    troubles: list[str]
    watches: int

    async def rewatch(self, *watches: Watch) -> None:
        """Other files are looked after from now on; returns when all of them were looked at."""
        self.builds.rewatch(watches)
        self.watches = len(watches)
        async with asyncio.timeout(PATIENCE):
            await self.source.hint()
            await self.builds.looked()

    async def hint(self) -> None:
        """Something changed; returns when everything was looked at."""
        async with asyncio.timeout(PATIENCE):
            await self.source.hint()
        await self.clock.idle(self.watches)

    async def advance(self, seconds: float) -> None:
        """Lets time pass."""
        await self.clock.advance(seconds, self.watches)

    def take(self) -> list[bytes]:
        """The contents that were handed on since the last call."""
        contents = [settled.data for settled in self.settled]
        self.settled.clear()
        return contents


@asynccontextmanager
async def running(
    watches: Sequence[Watch], *, source: BuildSource | None = None, failures: list[Exception] | None = None
) -> AsyncGenerator[BuildsRig]:
    """Builds that have looked once. `failures` are raised one by one by the callback, before it takes anything."""
    settled: list[Settled] = []
    unreadable: list[tuple[str, str]] = []
    being_written: list[tuple[str, bool]] = []
    troubles: list[str] = []
    clock = HandClock()
    by_hand = HandDrivenSource()

    async def take(build: Settled) -> None:
        if failures:
            raise failures.pop(0)
        settled.append(build)

    builds = Builds(
        watches,
        take,
        source or by_hand,
        unreadable=lambda _watch, file: unreadable.append((Path(file.path).name, file.reason) if file else ("", "")),
        settling=lambda watch, is_being_written: being_written.append((watch.partition, is_being_written)),
        on_trouble=troubles.append,
        clock=clock,
    )
    rig = BuildsRig(builds, by_hand, clock, settled, unreadable, being_written, troubles, len(watches))
    task = asyncio.create_task(builds.run())
    try:
        if source is None:
            await rig.hint()
        yield rig
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
