"""The machine's clock is set, mostly back, now and then."""

from typing import TYPE_CHECKING

from simulation.actors.moments import Moment

if TYPE_CHECKING:
    from simulation.world import World

PAUSES = (10.0, 30.0, 1000.0)
"""Virtual seconds between two jumps, in the mean."""
JUMPS = (-3600.0, -86_400.0, -2.0, 3600.0)
"""Seconds by which it is set."""


class ClockJumps:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("clock")
        self._pause = world.mood.pause("clock", PAUSES)
        if world.mood.favours("set as it pauses"):
            world.moments.when(Moment.PAUSES, lambda _: self._jump(min(JUMPS), -3600.0))

    async def trouble(self) -> None:
        """Set it, in some seeds."""
        while True:
            await self._world.pause(self._seed, self._pause)
            self._jump(*JUMPS)

    def calm(self) -> None:
        """It goes on from where it is."""

    def _jump(self, *jumps: float) -> None:
        jump = self._seed.choice(jumps)
        self._world.tell("clock set", f"{jump:+g}")
        self._world.clock.offset += jump
