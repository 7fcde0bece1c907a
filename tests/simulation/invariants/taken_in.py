"""Rule 4: each build is taken in."""

from typing import Final

from simulation.invariants.attempts import Attempts
from simulation.invariants.rule import Rule
from simulation.seen import Seen, Setup

TAKEN_SECONDS: Final = 15.0
"""Seconds after which a build that is whole was read, also where the disk was full: all files are looked at again.

Nothing bounds that while the threads that read are late, each build behind whatever clients ask of them."""


class TakenIn(Rule):
    """What lies at a path is what is shown as its newest build, whatever went wrong as it came."""

    name = "4, taken in"
    sentence = "What is flashed is the spooled artifact, never the path: a rebuild during a flash becomes the next job."

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._took_at = 0.0

    def took(self, before: Setup, after: Setup) -> None:
        """Other paths may be watched now."""
        self._took_at = self.seen.now

    def seldom(self) -> None:
        """Compare what is shown with what lies there."""
        seen = self.seen
        long_ago = seen.now - TAKEN_SECONDS
        if not seen.is_alive or max(seen.ready_at, self._took_at, seen.disk_failed_at, seen.pool_late_at) > long_ago:
            return
        for product in {board.product.name: board.product for board in seen.setup.boards.values()}.values():
            for place in product.places.values():
                build = seen.newest.get((product.name, place.name))
                if build is None or place.protected or build.path != place.image or build.settled_at > long_ago:
                    continue
                artifact = seen.shown.artifacts.get((product.name, place.name))
                if artifact is None or artifact.sha256 != build.sha256:
                    shown = "none" if artifact is None else artifact.sha256[:12]
                    raise self.broken(
                        f"the newest build of {product.name}/{place.name} is {build.sha256[:12]} since "
                        f"{build.settled_at:.3f}, and {shown} is shown"
                    )
