"""Commands of the simulated machine: the one that brings a board into DFU mode, which works, fails, or hangs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from flashdeckd.host.commands import CommandResult, Exited, TimedOut

ENTER: Final = "/usr/bin/enter-dfu"
"""The one that there is."""
_ENDS: Final = ("well", "well", "well", "well", "does nothing", "fails", "hangs")


class SimCommands:
    """See `flashdeckd.host.commands.Commands`."""

    def __init__(self, seed: Random, began: Callable[[str], object], press: Callable[[str], object]) -> None:
        """`began` is told the board of each command; `press` brings what is at a port into DFU mode."""
        self._seed = seed
        self._began = began
        self._press = press

    @staticmethod
    def find(program: str) -> str:
        """See the base."""
        return program

    async def run(
        self, argv: Sequence[str], *, environment: Mapping[str, str], seconds: float, most_output: int
    ) -> CommandResult:
        """See the base."""
        del argv, most_output
        self._began(environment["BOARD"])
        end = self._seed.choice(_ENDS)
        if end == "hangs":
            await asyncio.sleep(seconds)
            return CommandResult(TimedOut(seconds))
        await asyncio.sleep(self._seed.choice((0.0, 0.1, 2.0)))
        if end == "well":
            self._press(environment["PORT"])
        return CommandResult(Exited(int(end == "fails")), "said something")
