"""Rule 6: an interrupted job goes on with the newest artifact, and no older image goes over a newer one."""

from flashdeck.job_state import JobKind, Running
from flashdeck.model import Event, JobState, Origin
from simulation.invariants.attempts import Attempts
from simulation.invariants.rule import Rule
from simulation.seen import Ask, FlashChange, Seen, Wish

NOTICED_SECONDS = 2.0
"""Seconds after which a lane knows of a job that was queued."""


class NewestFirst(Rule):
    """A job gives way to a newer one of its partition that brings a program."""

    name = "6, the newest"
    sentence = (
        "The job goes on by itself when the board is back, with the newest artifact queued since (a job asked for by "
        "hand, rollback included, with its own unless a later build superseded it)."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._queued: dict[int, float] = {}
        """By job: when it was shown first."""
        self._flashed: dict[tuple[str, str], int] = {}
        """By board and partition: the newest job with a program that has changed it."""
        self._again: set[int] = set()
        """Jobs that a person wants again."""

    def asked(self, ask: Ask) -> None:
        """A person may want an old one again."""
        if ask.wish is Wish.RETRY:
            self._again.add(ask.job)

    def changed(self, change: FlashChange) -> None:
        """Note what is on the board."""
        attempt = self.attempts.of(change)
        if attempt is not None and attempt.job.kind is JobKind.FLASH and not attempt.job.patch:
            key = (attempt.named.name, attempt.place.name)
            self._flashed[key] = max(self._flashed.get(key, 0), attempt.job.id)

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a job that begins."""
        job = event.job
        if job is None:
            return
        self._queued.setdefault(job.id, self.seen.now)
        if not isinstance(job.status, Running) or (before is not None and isinstance(before.status, Running)):
            return
        if job.kind is not JobKind.FLASH or job.id in self._again:
            return
        newest = self._flashed.get((job.board, job.partition), 0)
        if newest > job.id:
            raise self.broken(f"job {job.id} of {job.board} begins, and job {newest} was there after it")
        for other in self.seen.shown.jobs.values():
            is_newer = other.id > job.id and (other.board, other.partition) == (job.board, job.partition)
            is_program = other.kind is JobKind.FLASH and not other.patch and not other.is_settled
            if is_newer and is_program and self._has_waited(other):
                raise self.broken(f"job {job.id} of {job.board} begins, and job {other.id} waits, which is newer")

    def _has_waited(self, job: JobState) -> bool:
        since = max(self._queued.get(job.id, self.seen.now), self.seen.ready_at)
        return job.origin is Origin.BUILD and since < self.seen.now - NOTICED_SECONDS
