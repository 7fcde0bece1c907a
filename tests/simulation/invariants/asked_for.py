"""The rule that what a person was refused is not done all the same."""

from typing import Final

from flashdeck.errors import ErrorKind
from flashdeck.model import Event, JobState, Origin
from simulation.invariants.attempts import Attempts
from simulation.invariants.rule import Rule
from simulation.seen import Ask, Seen, Wish

_WISHES: Final = frozenset({Wish.FLASH, Wish.ERASE, Wish.ROLLBACK, Wish.VERIFY, Wish.READ})
"""Wishes that become jobs."""


class AskedFor(Rule):
    """A call that was refused because the machine fails has left no job behind that runs."""

    name = "asked for"
    sentence = "A reply means done."

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._made: dict[int, list[Ask]] = {}
        """By job: the calls of which one has made it."""

    def published(self, event: Event, before: JobState | None) -> None:
        """Note for whom a job was made."""
        job = event.job
        if job is not None and before is None and job.origin is Origin.HAND and self.seen.is_alive:
            self._made[job.id] = [ask for ask in self.seen.asks if _is_open(ask) and job.board in ask.boards]

    def answered(self, ask: Ask) -> None:
        """Judge what was refused."""
        if ask.refused != ErrorKind.HOST.value or ask.wish not in _WISHES:
            return
        for number, asks in self._made.items():
            job = self.seen.shown.jobs.get(number)
            if asks == [ask] and job is not None and not job.is_settled:
                raise self.broken(f"{ask.client} was refused ({ask.refused}), and job {job.id} is {job.text}")


def _is_open(ask: Ask) -> bool:
    return ask.answered_at is None and not ask.is_abandoned and ask.wish in (*_WISHES, Wish.RETRY)
