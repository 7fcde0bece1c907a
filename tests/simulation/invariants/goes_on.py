"""Rule 6: a job goes on by itself."""

from typing import Final

from flashdeck.job_state import Queued, Running, WaitFor, Waiting, Written
from flashdeck.model import BoardState, Event, JobState, Presence
from simulation.invariants.attempts import Attempts
from simulation.invariants.identity import candidates
from simulation.invariants.rule import Rule
from simulation.seen import Seen, Setup

BEGINS_SECONDS: Final = 10.0
"""Seconds in which a job begins on a board that is there in DFU mode, and on which nothing else is to be done."""
PAUSE_SECONDS: Final = 10.0
"""Seconds after which a pause is over."""
DISK_SECONDS: Final = 40.0
"""The same for a job that waits for the disk, where the longest pause has thirty."""


class GoesOn(Rule):
    """Nothing sleeps that could run, and no pause outlasts its reason."""

    name = "6, goes on"
    sentence = "An interruption leaves a partition that no boot check accepts, and the job goes on by itself."

    def __init__(self, seen: Seen, attempts: Attempts) -> None:
        super().__init__(seen, attempts)
        self._since: dict[int, tuple[object, float]] = {}
        """By job: what it is, or waits for, and since when."""
        self._boards: dict[str, tuple[object, float]] = {}
        """By board: whether and by whom it may be used, and since when."""
        self._took_at = 0.0

    def began(self) -> None:
        """Everything begins anew."""
        self._since.clear()
        self._boards.clear()

    def took(self, before: Setup, after: Setup) -> None:
        """Lanes begin anew with another configuration."""
        self._took_at = self.seen.now

    def published(self, event: Event, before: JobState | None) -> None:
        """Note since when something is so."""
        if (job := event.job) is not None:
            what = (type(job.status), job.status.for_ if isinstance(job.status, Waiting) else None)
            if self._since.get(job.id, (None, 0.0))[0] != what:
                self._since[job.id] = (what, self.seen.now)
        if (board := event.board) is not None:
            state = (board.presence, board.hold, board.lease, board.armed)
            if self._boards.get(board.name, (None, 0.0))[0] != state:
                self._boards[board.name] = (state, self.seen.now)

    def seldom(self) -> None:
        """Look for what stays as it is without a reason."""
        if not self.seen.is_alive:
            return
        for board in self.seen.shown.boards.values():
            jobs = [job for job in self.seen.shown.jobs.values() if job.board == board.name and not job.is_settled]
            if jobs and self._is_free(board) and not any(isinstance(job.status, Running | Written) for job in jobs):
                self._judge(board, jobs)

    def _is_free(self, board: BoardState) -> bool:
        """Tell whether a board is there in DFU mode, and nobody keeps its lane from it."""
        named = self.seen.setup.boards.get(board.name)
        found = candidates(named, self.seen.devices.values()) if named is not None else []
        return (
            (board.hold, board.lease, board.presence) == (None, None, Presence.DFU)
            and len(found) == 1
            and found[0].mode == "dfu"
        )

    def _judge(self, board: BoardState, jobs: list[JobState]) -> None:
        devices = self.seen.devices.values()
        since = max(
            *(self._since[job.id][1] for job in jobs),
            *(device.changed_at for device in devices),
            self._boards[board.name][1],
            self._took_at,
            self.seen.ready_at,
            self.seen.disk_failed_at,
        )
        for job in jobs:
            match job.status:
                case Waiting(for_=WaitFor.PAUSE):
                    most = PAUSE_SECONDS
                case Waiting(for_=WaitFor.DISK):
                    most = DISK_SECONDS
                case Waiting(for_=WaitFor.ABSENT):
                    most = BEGINS_SECONDS
                case Queued() if len(jobs) == 1:
                    most = BEGINS_SECONDS
                case _:
                    continue
            if since < self.seen.now - most:
                raise self.broken(f"job {job.id} of {board.name} is for {self.seen.now - since:.0f} s: {job.text}")
