"""A build whose file is being written is shown so."""

from typing import Final

from simulation.invariants.attempts import Attempts
from simulation.invariants.rule import Rule
from simulation.seen import Named, Seen, Setup

SEEN_SECONDS: Final = 0.1
"""Seconds from a change of a file, of which the kernel tells, until a board shows that it is being written."""
CALM_SECONDS: Final = 15.0
"""Seconds after which nothing of an earlier trouble keeps a look at a file waiting."""


class WrittenSlowly(Rule):
    """Nobody takes the build before for the newest while the next one is on its way."""

    name = "being written"
    sentence = "While a tool has the file of a build open, `status` says that it is being written."

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._took_at = 0.0

    def took(self, before: Setup, after: Setup) -> None:
        """Other paths may be watched now."""
        self._took_at = self.seen.now

    def wrote(self, path: str, since: float) -> None:
        """Look at all boards that the file is for."""
        seen = self.seen
        troubles = (seen.ready_at, self._took_at, seen.disk_failed_at, seen.pool_late_at)
        if not seen.is_alive or max(troubles) > seen.now - CALM_SECONDS or since > seen.now - SEEN_SECONDS:
            return
        for named in seen.setup.boards.values():
            self._be_shown(named, path)

    def _be_shown(self, named: Named, path: str) -> None:
        board = self.seen.shown.boards.get(named.name)
        watched = {place.name for place in named.product.places.values() if place.image == path}
        for shown in board.partitions if board is not None else ():
            if shown.name in watched and not shown.being_written:
                raise self.broken(f"the file of {named.name}/{shown.name} is being written, and that is not shown")
