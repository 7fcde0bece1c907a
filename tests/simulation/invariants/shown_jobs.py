"""What is shown of jobs is so, and no lane runs two of them."""

from flashdeck.job_state import Done, Running, Superseded, name_of
from flashdeck.model import Event, JobState
from simulation.invariants.attempts import Attempts
from simulation.invariants.rule import Rule
from simulation.seen import Seen

MAY_FOLLOW = {
    "queued": {"queued", "waiting", "running", "written", "blocked", "failed", "superseded", "cancelled"},
    "waiting": {"queued", "waiting", "running", "written", "blocked", "failed", "superseded", "cancelled"},
    "running": {"queued", "waiting", "running", "written", "blocked", "failed", "cancelled", "superseded"},
    "written": {"written", "queued", "waiting", "running", "done", "failed", "cancelled", "superseded"},
    "blocked": {"queued", "waiting", "running", "blocked", "failed", "superseded", "cancelled"},
}
"""The states that may be shown after each state: those that CONTRIBUTING draws, and a superseded one also behind what
runs, or is written, and one that runs or waits behind one that is blocked, or that a person let begin anew on another
device than the one that has its image: that it was queued again in between may be overtaken before it is recorded, and
so told. Nothing follows an end."""
CAUGHT_UP_SECONDS = 5.0
"""Seconds that the record of all that was missed may take."""


class ShownJobs(Rule):
    """Jobs go through the states that they may, once, and one at a time on each board."""

    name = "jobs"
    sentence = (
        "Lane: a board's own queue: one job at a time, all boards in parallel. Nothing changes a job that has ended."
    )

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._running: dict[str, int] = {}
        self._newest = 0
        self._ends: dict[int, tuple[str, float]] = {}
        self._caught_up_at = float("-inf")
        """When the daemon has recorded a new job, and with it all that a full disk had kept from being recorded."""

    def began(self) -> None:
        """Nothing runs."""
        self._running.clear()
        if self._caught_up_at > self.seen.now - CAUGHT_UP_SECONDS:
            self._caught_up_at = float("-inf")

    def published(self, event: Event, before: JobState | None) -> None:
        """Judge a job's new state."""
        if (daemon := event.daemon) is not None and daemon.degraded != tuple(each.line for each in daemon.troubles):
            raise self.broken(f"degraded is {daemon.degraded}, and the troubles are {daemon.troubles}")
        if (job := event.job) is None:
            return
        name = name_of(job.status)
        self._be_new_or_known(job, name)
        if self._ends.get(job.id, (name, 0.0))[0] != name:
            end, at = self._ends[job.id]
            if at > self.seen.disk_failed_at + CAUGHT_UP_SECONDS or self.seen.disk_failed_at < self._caught_up_at:
                raise self.broken(f"job {job.id} of {job.board} was {end}, and is {name}")
            del self._ends[job.id]
        if job.is_settled:
            self._ends.setdefault(job.id, (name, self.seen.now))
        if before is not None and not before.is_settled and before.board == job.board:
            self._be_legal(job, before, name)
        if isinstance(job.status, Superseded) and job.status.by and job.status.by <= job.id:
            raise self.broken(f"job {job.id} was superseded by {job.status.by}, which is older")
        if not isinstance(job.status, Running):
            if self._running.get(job.board) == job.id:
                del self._running[job.board]
        # What a life finds recorded may be two of them, where a full disk kept from it that the first was over. It
        # queues both again before its socket listens.
        elif not self.seen.is_alive:
            self._running[job.board] = job.id
        elif self._running.setdefault(job.board, job.id) != job.id:
            raise self.broken(f"{job.board} runs job {job.id}, and job {self._running[job.board]} still runs")

    def _be_new_or_known(self, job: JobState, name: str) -> None:
        if job.id > self._newest:
            self._newest = job.id
            if self.seen.is_alive:
                self._caught_up_at = self.seen.now
            if self.seen.is_alive and name not in ("queued", "waiting", "running"):
                raise self.broken(f"job {job.id} of {job.board} begins its life as {name}")

    def _be_legal(self, job: JobState, before: JobState, name: str) -> None:
        former = name_of(before.status)
        # Between a job's work and its record a person or the configuration may end it: only its end is shown then.
        not_started = job.status.not_started if isinstance(job.status, Done) else ""
        is_ended = not_started.startswith("cancelled") or f"board {job.board} " in not_started
        if isinstance(before.status, Running) and is_ended:
            return
        if name not in MAY_FOLLOW[former] and self.seen.is_alive:  # a new life may not know what was published last
            raise self.broken(f"job {job.id} of {job.board} was {former}, and is {name}")
