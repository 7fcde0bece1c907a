"""Scripts that wait for an image that was judged: they are told how it runs, and what has come to light of it since."""

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

SECONDS = 4.0
"""Virtual seconds between two of them, in the mean of a long night."""
LAST_SECONDS = 30.0
"""Virtual seconds from the calm until each that was judged is waited for once more."""
NAME = "script"


class Waiters:
    """See `Actor`."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("waiters")

    async def trouble(self) -> None:
        """Wait for one image after the other."""
        while True:
            await self._world.pause(self._seed, SECONDS)
            if judged := self._judged:
                self._world.tell("script waits", "")
                self._world.spawn(self._wait((self._seed.choice(judged),), self._seed.choice((0.5, 5.0))))

    def calm(self) -> None:
        """Ask once more for all of them."""
        self._world.spawn(self._wait_at_last())

    @property
    def _judged(self) -> list[tuple[str, str]]:
        """Return the boards and partitions whose images have a verdict."""
        boards = self._world.witness.seen.shown.boards.values()
        return [
            (board.name, each.name)
            for board in boards
            for each in board.partitions
            if each.contents is not None and each.contents.verdict is not None
        ]

    async def _wait_at_last(self) -> None:
        await asyncio.sleep(LAST_SECONDS)
        await self._wait(tuple(self._judged), 5.0)

    async def _wait(self, places: tuple[tuple[str, str], ...], seconds: float) -> None:
        with suppress(FlashdeckError):
            client = await Client.over(await self._world.connect(), client=NAME)
            for board, place in places:
                wait = api.Wait(partition=place, boards=(board,), timeout=seconds)
                await ask(self._world, client, NAME, (Wish.WAIT, wait))
            await client.close()
