"""Boards that a client has taken: only its jobs start there, and they are free at the latest with its connection."""

from flashdeck.job_state import Running
from flashdeck.model import Event, JobState
from simulation.invariants.rule import Rule
from simulation.seen import Wish


class Leases(Rule):
    """A lease keeps everybody else away, and never outlives its holder."""

    name = "leases"
    sentence = (
        "take: a lease that belongs to the connection: only its holder's jobs start, builds queue behind it, everybody "
        "sees who and since when; it ends with the connection."
    )

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge whose job begins on a board that is taken."""
        job = event.job
        if job is None or not isinstance(job.status, Running) or (before and isinstance(before.status, Running)):
            return
        board = self.seen.shown.boards.get(job.board)
        if board is None or board.lease is None:
            return
        holder = board.lease.by
        mine = [ask for ask in self.seen.asks if ask.client == holder and ask.life == self.seen.life]
        if not any(ask.wish is Wish.TAKE for ask in mine):
            return  # somebody who did not say its name
        if not any(job.id in ask.jobs or ask.answered_at is None for ask in mine):
            raise self.broken(f"job {job.id} begins on {job.board}, which {holder} has taken, and did not ask for it")

    def rested(self) -> None:
        """Nobody is connected any more who could have a board."""
        for board in self.seen.shown.boards.values():
            if board.lease is not None and board.name in self.seen.setup.boards:
                raise self.broken(f"{board.name} is still taken by {board.lease.by}, who is gone")
