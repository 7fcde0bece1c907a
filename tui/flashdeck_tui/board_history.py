"""The jobs of a board, or of one of its partitions, as far back as they were fetched. Pure but for the fetching."""

from collections.abc import Awaitable, Callable, Iterable

from flashdeck.api import GetHistory, HistoryPage
from flashdeck.job_state import Done, JobKind
from flashdeck.model import JobState
from flashdeck.names import literal

MOST_JOBS = 2000
"""Jobs that are kept in memory, the newest: what is older, the command line shows."""
PAGE_JOBS = 100
"""Jobs of a page."""
PIECES = 25
"""Pieces of the journal that are looked through for a page: a board may have no job in many of them."""

Fetch = Callable[[GetHistory], Awaitable[HistoryPage]]


class BoardHistory:
    """Jobs by their number, the newest first."""

    def __init__(self, fetch: Fetch, board: str = "", partition: str = "") -> None:
        """`fetch` asks the daemon; "" means all boards, or all partitions."""
        self._fetch = fetch
        self.board = board
        self.partition = partition
        self._jobs: dict[int, JobState] = {}
        self._before = 0
        self.ended = False
        """True once there is nothing older."""
        self.since: float | None = None
        """The time from which on the journal has every job; None while it is not known."""

    @property
    def jobs(self) -> list[JobState]:
        """The jobs, the newest first."""
        return [self._jobs[number] for number in sorted(self._jobs, reverse=True)]

    @property
    def is_full(self) -> bool:
        """True if no more are kept in memory."""
        return len(self._jobs) >= MOST_JOBS

    def take(self, jobs: Iterable[JobState]) -> bool:
        """Take the newest state of jobs that are of interest; return True if anything is different."""
        changed = False
        for job in jobs:
            if self._is_wanted(job) and self._jobs.get(job.id) != job:
                self._jobs[job.id] = job
                changed = True
        for oldest in sorted(self._jobs)[: max(0, len(self._jobs) - MOST_JOBS)]:
            del self._jobs[oldest]
        return changed

    async def page_back(self) -> int:
        """Fetch older jobs; return how many there were. Raises FlashdeckError."""
        found = 0
        for _ in range(PIECES):
            if self.ended or self.is_full or found:
                break
            page = await self._fetch(
                GetHistory(
                    boards=(literal(self.board),) if self.board else (),
                    partition=self.partition,
                    before=self._before,
                    limit=PAGE_JOBS,
                )
            )
            known = len(self._jobs)
            self.take(page.jobs)
            found += len(self._jobs) - known
            self._before, self.ended, self.since = page.next, not page.next, page.since
        return found

    @property
    def durations(self) -> list[float]:
        """The seconds that each flash took which was carried out, the oldest first."""
        done = (self._jobs[number] for number in sorted(self._jobs))
        return [job.result.seconds for job in done if _was_flashed(job) and job.result is not None]

    def _is_wanted(self, job: JobState) -> bool:
        return self.board in ("", job.board) and self.partition in ("", job.partition)


def _was_flashed(job: JobState) -> bool:
    return job.kind is JobKind.FLASH and isinstance(job.status, Done)
