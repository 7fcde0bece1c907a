"""A machine that is slow: its threads begin late, or end late, so that what waits for them waits for long.

Between a step that is to be recorded and its record lies no virtual time otherwise, and hardly anything falls there.
"""

from typing import TYPE_CHECKING

from simulation.baton import Point

if TYPE_CHECKING:
    from simulation.world import World

LONGEST_SECONDS = 1.0
"""Virtual seconds by which a thread is late at the most: the rules give the daemon some time to notice things."""


class SlowMachines:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("slow machine")
        self._which = self._seed.choice(("journal", "journal", "pool", "lane", ""))
        """The beginning of the names of the threads that are slow."""
        self._share = self._seed.choice((0.0, 0.0, 0.1, 0.5))
        """The share of works in which one of them is late."""
        self._seconds = self._seed.choice((0.002, 0.02, 0.2))
        """Virtual seconds by which it is, in the mean."""
        for which in ("journal", "pool"):
            if world.mood.favours(f"late {which}"):
                self._which, self._share, self._seconds = which, 0.5, 0.2
        world.watch(self._watch, is_on=self._share > 0)

    async def trouble(self) -> None:
        """Nothing but that."""

    def calm(self) -> None:
        """It is as fast as any other."""
        self._world.watch(self._watch, is_on=False)

    def _watch(self, at: Point) -> None:
        baton = self._world.baton
        is_one = at is Point.WORK and baton.current.name.startswith(self._which)
        if is_one and self._seed.random() < self._share:
            self._world.story.counts["late"] += 1
            if self._which == "pool":
                self._world.witness.seen.pool_late_at = baton.now
            baton.wait(baton.now + min(self._seed.expovariate(1 / self._seconds), LONGEST_SECONDS))
