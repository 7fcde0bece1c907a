"""Looks that are too dear for every step: presence, holds, sizes; at moments that the seed chooses."""

import asyncio
from typing import TYPE_CHECKING

from simulation.state_look import look_at

if TYPE_CHECKING:
    from simulation.world import World

BETWEEN_SECONDS = 4.0
"""Virtual seconds between two looks, in the mean."""
IDLE_SECONDS = 0.01
"""Virtual seconds after which it is looked again whether the daemon has nothing to record."""
EARLY_SECONDS = 12.0
"""Virtual seconds after which the daemon has noticed what has come in the calm."""
CALM_SECONDS = 150.0
"""Virtual seconds after which everything has come to rest in the calm."""
TRIES = 20
"""The number of tries."""


class Looks:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("looks")

    async def trouble(self) -> None:
        """Look now and then."""
        while True:
            await self._world.pause(self._seed, BETWEEN_SECONDS)
            self._world.witness.seldom()
            await self._look_at_the_disk()

    async def _look_at_the_disk(self) -> None:
        """Look at it at a moment at which the daemon records nothing, if there is one soon."""
        world = self._world
        for _ in range(TRIES):
            life, seen = world.life, world.witness.seen
            if life is None or not seen.is_alive:
                return
            if life.is_idle:
                is_whole = world.disk.room is None and seen.disk_failed_at < life.begun_at
                world.tell("look", "whole" if is_whole else "")
                world.witness.looked(look_at(world.state, is_whole=is_whole))
                return
            await asyncio.sleep(IDLE_SECONDS)

    def calm(self) -> None:
        """The end looks, too."""
        self._world.spawn(self._look_at_rest())

    async def _look_at_rest(self) -> None:
        await asyncio.sleep(EARLY_SECONDS)
        self._world.witness.seldom()  # before persons tidy up, and much is told anew
        await asyncio.sleep(CALM_SECONDS)
        await self._look_at_the_disk()
