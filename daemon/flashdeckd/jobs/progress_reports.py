"""Takes the progress of a job from a lane's thread into the event loop and the book of jobs."""

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from flashdeck.job_state import FlashWork, Phase, PhaseTimes, Running, TimeClaim
from flashdeck.model import JobState
from flashdeckd.host import clock
from flashdeckd.jobs.book import JobBook
from flashdeckd.usb.pulse import Pulse

PROGRESS_SECONDS = 0.1
"""Progress of one phase is passed on at most this often."""
PULSE_SECONDS = 1.0
"""Seconds at least between two reports that the board answers, while it makes no progress."""

READS: Final = frozenset((Phase.COMPARE, Phase.VERIFY, Phase.READ))
"""The phases whose progress is bytes that were read."""


class ProgressReports:
    """Carries the progress of one job, and that its board answers, from the lane's thread into the event loop."""

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        book: JobBook,
        job: JobState,
        check: Callable[[], None],
        pulse: Pulse,
    ) -> None:
        self._loop = loop
        self._book = book
        self._job = job
        self._check = check
        self._pulse = pulse
        self._status = Running(phase=Phase.OPEN, since=clock.now(), answered_at=pulse.answered_at)
        self._last = 0.0
        # The times and the work that were not passed on yet.
        self._seconds: dict[Phase, float] = {}
        self._sectors_erased = 0
        self._bytes_written = 0
        self._bytes_read = 0
        self._reached: dict[Phase, int] = {}
        """The progress of each phase that was counted as work."""
        self._reported_at = clock.monotonic()

    def progress(self, phase: Phase, done: int, total: int) -> None:
        """Passes progress on, not more often than anybody can see."""
        now = self._count(phase)  # a report ends a piece of work
        if phase in READS:
            self._bytes_read += self._further(phase, done)
        is_new = phase is not self._status.phase
        if is_new:
            self._tell_times()
        if not is_new and done < total and now - self._last < PROGRESS_SECONDS:
            return
        self._last = now
        since = clock.now() if is_new else self._status.since
        self._status = Running(phase=phase, done=done, total=total, since=since, answered_at=self._pulse.answered_at)
        self._show(self._status)

    def claimed(self, claim: TimeClaim) -> None:
        """Passes on that the board claims time, and is waited for; until there is progress."""
        self._status = replace(self._status, claim=claim, answered_at=self._pulse.answered_at)
        self._show(self._status)

    def show_pulse(self) -> None:
        """Passes on that the board has answered since the last progress. Called in the event loop."""
        if self._pulse.answered_at - self._status.answered_at >= PULSE_SECONDS:
            # It has answered since, so what it claimed before is over.
            self._status = replace(self._status, answered_at=self._pulse.answered_at, claim=None)
            self._book.progress(self._job.id, self._status)

    def end(self) -> None:
        """Notes how long the last phase took; what came after the last report counts for the one that was under way.

        Called in the event loop, once the work has ended.
        """
        self._count(self._status.phase)
        self._book.spend(self._job.id, *self._taken())

    def check(self) -> None:
        """Raises ParkedError when the job is to end here."""
        self._check()

    def _tell_times(self) -> None:
        """Add what was counted so far to the job's times: whoever looks sees each phase once it is over."""
        self._loop.call_soon_threadsafe(self._book.spend, self._job.id, *self._taken())

    def _taken(self) -> tuple[PhaseTimes, FlashWork]:
        """Return the times and the work that were not passed on yet; they are by now."""
        times = PhaseTimes()
        for phase, seconds in self._seconds.items():
            times = times.plus(phase, seconds)
        work = FlashWork(
            sectors_erased=self._sectors_erased, bytes_written=self._bytes_written, bytes_read=self._bytes_read
        )
        self._seconds = {}
        self._sectors_erased = self._bytes_written = self._bytes_read = 0
        return times, work

    def _further(self, phase: Phase, done: int) -> int:
        """Return how many bytes a phase has come further; one that begins anew counts from 0."""
        before, self._reached[phase] = self._reached.get(phase, 0), done
        return done - before if done >= before else done

    def _count(self, phase: Phase) -> float:
        """Count the time since the last report for a phase, and return what time it is."""
        now = clock.monotonic()
        self._seconds[phase] = round(self._seconds.get(phase, 0.0) + now - self._reported_at, 3)
        self._reported_at = now
        return now

    def _show(self, status: Running) -> None:
        self._loop.call_soon_threadsafe(lambda: self._book.progress(self._job.id, status))
