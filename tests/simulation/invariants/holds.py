"""A board on hold starts nothing."""

from flashdeck.job_state import Running
from flashdeck.model import Event, JobState
from simulation.invariants.rule import Rule
from simulation.seen import Wish

RECORDED_SECONDS = 5.0
"""Seconds after a disk has failed in which the record of a beginning may be late."""


class Holds(Rule):
    """Once a person was told that a board is on hold, no job begins there until somebody wants it released."""

    name = "holds"
    sentence = "held: a lane that starts nothing, with a reason, until released. A reply means done."

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a job that begins."""
        job = event.job
        if job is None or not isinstance(job.status, Running) or (before and isinstance(before.status, Running)):
            return
        board = self.seen.shown.boards.get(job.board)
        if board is None or board.hold is None or self.seen.disk_failed_at > self.seen.now - RECORDED_SECONDS:
            return
        mine = [ask for ask in self.seen.asks if job.board in ask.boards and ask.wish in (Wish.HOLD, Wish.RELEASE)]
        last = mine[-1] if mine else None
        if last is not None and last.wish is Wish.HOLD and last.answered_at is not None and not last.refused:
            raise self.broken(f"job {job.id} begins on {job.board}, which {last.client} has put on hold")
