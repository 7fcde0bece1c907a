"""A board that is armed for one job gets no second one by itself."""

from flashdeck.model import Event, JobState
from simulation.invariants.rule import Rule


class ArmedOnce(Rule):
    """While the job waits that a board is armed for, builds for its other partitions are only offered."""

    name = "armed once"
    sentence = "arm BOARD --once: just the next build is flashed by itself."

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a job that is queued for a board that was armed once."""
        job = event.job
        if job is None or before is not None or not job.once or job.is_settled:
            return
        for other in self.seen.shown.jobs.values():
            if other.board == job.board and other.once and not other.is_settled and other.partition != job.partition:
                what = f"jobs {other.id} for {other.partition} and {job.id} for {job.partition}"
                raise self.broken(f"{job.board} is armed for one job, and has {what}")
