"""A disk that is full for a while, and one that is slow or fails a single write."""

import asyncio
import errno
from typing import TYPE_CHECKING

from simulation import commits
from simulation.disk import Deed, Failure, Step

if TYPE_CHECKING:
    from simulation.world import World


class FullDisks:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("disk")
        self._pause = world.mood.pause("disk", (12.0, 1000.0, 1000.0))
        self._failing = 0
        self._commits = 0
        """Commits of the journal until one fails."""
        self._lost = 0.0
        """The share of the journal's commits that fail on a disk that is full."""
        world.disk_faults.append(self._fail)
        commits.fail_where(self._commit_fails)

    async def trouble(self) -> None:
        """Full, and back; or a single failure."""
        while True:
            await self._world.pause(self._seed, self._pause)
            if self._seed.random() < 0.4:
                if self._seed.random() < 0.5:
                    self._failing = self._seed.choice((1, 5, 20))
                else:
                    self._commits = self._seed.choice((1, 2, 5, 10))
                continue
            self._lost = self._seed.choice((0.0, 0.3, 0.5, 1.0))
            self._world.disk.room = self._seed.choice((0, 100, 5000, 20_000))
            self._world.witness.seen.disk_failed_at = self._world.baton.now
            self._world.tell("disk", "full")
            await asyncio.sleep(self._seed.choice((0.5, 5.0, 20.0)))
            self._world.disk.room = None
            self._lost = 0.0
            self._world.witness.seen.disk_failed_at = self._world.baton.now
            self._world.tell("disk", "room")

    def calm(self) -> None:
        """There is room, and nothing fails."""
        if self._world.disk.room is not None:
            self._world.witness.seen.disk_failed_at = self._world.baton.now
        self._world.disk.room = None
        self._failing = self._commits = 0
        self._lost = 0.0

    def _fail(self, step: Step) -> Failure | None:
        if self._failing and step.deed is not Deed.READ:
            self._failing -= 1
            if not self._failing:
                self._world.tell("disk", f"fails at {step.deed.value}")
                return Failure(errno.EIO)
        return None

    def _commit_fails(self) -> bool:
        """Tell whether the next commit of the journal fails."""
        fails = self._lost > 0 and self._seed.random() < self._lost
        if self._commits:
            self._commits -= 1
            fails |= not self._commits
        if fails:
            self._world.witness.seen.disk_failed_at = self._world.baton.now
            self._world.tell("disk", "fails a commit")
        return fails
