"""Somebody who looks after the boards: what is on hold is released, sooner or later, and what is disarmed is armed."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from flashdeck import api
from flashdeck.client import Client
from flashdeck.errors import FlashdeckError
from simulation.actors.asking import ask
from simulation.seen import Wish

if TYPE_CHECKING:
    from simulation.world import World

PAUSES = (6.0, 6.0, 6.0, 1000.0)
"""Virtual seconds between two looks, in the mean of a long night."""
SHARE = 0.8
"""The share of seeds in which there is such a person: in the others boards stay as they are."""
NAME = "keeper"


class Keepers:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("keepers")
        self._pause = world.mood.pause("keepers", PAUSES)

    async def trouble(self) -> None:
        """Look, and set free one board that waits for a person."""
        is_there = self._seed.random() < SHARE
        while is_there:
            await self._world.pause(self._seed, self._pause)
            shown = self._world.witness.seen.shown.boards.values()
            idle = [board.name for board in shown if board.hold is not None or not board.armed]
            if idle:
                self._world.spawn(self._set_free(self._seed.choice(idle)))

    def calm(self) -> None:
        """Nothing is left to happen."""

    async def _set_free(self, board: str) -> None:
        with suppress(FlashdeckError):
            client = await Client.over(await self._world.connect(), client=NAME)
            await ask(self._world, client, NAME, (Wish.RELEASE, api.Release(boards=(board,))))
            await asyncio.sleep(self._seed.choice((0.0, 0.1)))
            await ask(self._world, client, NAME, (Wish.ARM, api.Arm(boards=(board,))))
            await client.close()
