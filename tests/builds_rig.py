"""Builds with time and hints in the test's hands; the files are real."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from flashdeckd.builds.builds import Builds, Settled, Watch
from flashdeckd.builds.filesystem import LEASES, filesystem_type
from flashdeckd.builds.source import BuildSource, HandDrivenSource
from flashdeckd.host import files

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
        self.epoch = 0.0
        """The wall clock at the start. At 0 all real files are in the future, and their times not believed."""
        self._now = 0.0
        self._sleepers: list[_Sleeper] = []
        self._came = asyncio.Event()

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self.epoch + self._now

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


class StampedFiles:
    """The real files, with times of change by a test's clock: each new state has the time at which it is first seen."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self._stamps: dict[tuple[int, int, int], int] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def stat(self, path: str | Path, /) -> os.stat_result:
        return self._stamped(os.stat(path))  # noqa: PTH116 - it stands in for the function of this name

    def fstat(self, fd: int, /) -> os.stat_result:
        return self._stamped(os.fstat(fd))

    def _stamped(self, status: os.stat_result) -> os.stat_result:
        now = int(self._clock.wall() * 1e9)
        stamp = self._stamps.setdefault((status.st_dev, status.st_ino, status.st_ctime_ns), now)
        named = {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}
        return os.stat_result(tuple(status), {**named, "st_ctime_ns": stamp})


@dataclass
class BuildsRig:
    """`Builds` on a hand-driven source and clock."""

    builds: Builds
    source: HandDrivenSource
    clock: HandClock
    settled: list[Settled]
    unreadable: list[tuple[str, str]]
    being_written: list[tuple[str, bool]]
    troubles: list[tuple[str, str, str]]
    """Part, what is wrong, and what to do."""
    kept: list[tuple[str, str]]
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
async def stamped(
    watches: Sequence[Watch], *, epoch: float = 1_700_000_000.37
) -> AsyncGenerator[tuple[BuildsRig, StampedFiles]]:
    """As `running`, with times of change that can be believed. A test looks at a file to stamp it."""
    before = files.system
    async with running(watches, epoch=epoch) as rig:
        system = StampedFiles(rig.clock)
        files.system = cast("files.FileSystem", system)
        try:
            yield rig, system
        finally:
            files.system = before


@asynccontextmanager
async def running(
    watches: Sequence[Watch],
    *,
    source: BuildSource | None = None,
    failures: list[Exception] | None = None,
    epoch: float = 0.0,
) -> AsyncGenerator[BuildsRig]:
    """Builds that have looked once. `failures` are raised one by one by the callback, before it takes anything."""
    settled: list[Settled] = []
    unreadable: list[tuple[str, str]] = []
    being_written: list[tuple[str, bool]] = []
    troubles: list[tuple[str, str, str]] = []
    kept: list[tuple[str, str]] = []
    clock = HandClock()
    clock.epoch = epoch
    by_hand = HandDrivenSource()

    async def take(build: Settled) -> None:
        if failures:
            raise failures.pop(0)
        settled.append(build)

    def note_trouble(part: str, trouble: str, mend: str) -> None:
        troubles.append((part, trouble, mend))

    builds = Builds(
        watches,
        take,
        source or by_hand,
        unreadable=lambda _watch, file: unreadable.append((Path(file.path).name, file.reason) if file else ("", "")),
        settling=lambda watch, is_being_written: being_written.append((watch.partition, is_being_written)),
        kept_open=lambda watch, who: kept.append((watch.partition, who)),
        on_trouble=note_trouble,
        clock=clock,
    )
    rig = BuildsRig(builds, by_hand, clock, settled, unreadable, being_written, troubles, kept, len(watches))
    task = asyncio.create_task(builds.run())
    try:
        if source is None:
            await rig.hint()
        yield rig
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
