"""Every queue, list and file stays within its named number."""

from collections.abc import Callable, Mapping
from typing import Final

from flashdeck.model import Event, JobState
from flashdeck.rpc import MAX_CALLS
from flashdeckd.jobs.book import KEPT_JOBS
from flashdeckd.jobs.contents import MAX_LAYERS, MAX_PATCHES
from flashdeckd.jobs.satisfaction import REMEMBERED
from flashdeckd.state.hub import DEBUG_LINES, JOBS_IN_SNAPSHOT, LOG_LINES, LONGEST_LINE
from simulation.invariants.rule import Rule
from simulation.seen import Seen

ACTIVE_JOBS = 16
"""Jobs of one board that have not ended, for each of its partitions: a newer one takes the place of older ones, and
only what persons ask for is queued beside it."""

NAMED: Final[Mapping[str, int]] = {
    "log lines": LOG_LINES,
    "debug lines": DEBUG_LINES,
    "answers about images": REMEMBERED,
    "ended jobs": KEPT_JOBS + 1,
    "calls of one client": MAX_CALLS,
    "uploads of clients that are gone": 0,
    "ended jobs of a snapshot": JOBS_IN_SNAPSHOT,
}
"""What the world measures now and then (`measured`), and the number that it has."""


class Bounds(Rule):
    """Nothing grows."""

    name = "bounds"
    sentence = "Every queue, list and file within its number."

    def __init__(self, seen: Seen, attempts: object, measure: Callable[[], Mapping[str, int]] | None = None) -> None:
        super().__init__(seen, attempts)  # type: ignore[arg-type]  # as it is
        self.measure = measure or dict[str, int]
        """Sizes by their names in `NAMED`, and by `<what>: <number>` any others with their own limit."""

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge what is shown."""
        if event.log is not None and len(event.log.text) > LONGEST_LINE:
            raise self.broken(f"a log line has {len(event.log.text)} characters")
        for partition in event.board.partitions if event.board is not None else ():
            contents = partition.contents
            if contents is not None and (len(contents.layers) > MAX_LAYERS or len(contents.patches) > MAX_PATCHES):
                raise self.broken(f"{len(contents.layers)} layers, {len(contents.patches)} patches of {partition.name}")

    def seldom(self) -> None:
        """Judge what the world measures."""
        for what, size in self.measure().items():
            if size > NAMED[what]:
                raise self.broken(f"{size} {what}, and there may be {NAMED[what]}")
