"""The book of all jobs and of what every partition holds: one copy in memory, in the journal and at the hub."""

import time
from collections.abc import Callable, Mapping

import msgspec

from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.model import Contents, JobState, JobStatus, LogLevel, Origin
from flashdeckd.images.spool import Artifact
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal, Ledger

KEPT_JOBS = 500
"""Ended jobs that are kept in memory, the newest."""


class JobBook:
    """Reads at once, writes durably: when an awaited change returns, a killed daemon will know of it.

    Runs in the event loop's thread only.
    """

    def __init__(self, hub: Hub, journal: Journal, ledger: Ledger, contents_changed: Callable[[str], object]) -> None:
        self._contents_changed = contents_changed
        self._hub = hub
        self._journal = journal
        self._jobs = {job.id: job for job in ledger.jobs}
        self._contents = dict(ledger.contents)
        self._next_id = ledger.next_job
        self._missed_jobs: set[int] = set()
        self._missed_contents: set[tuple[str, str]] = set()
        """Of what the disk did not take the newest state; it is recorded with the next that it takes."""
        for job in ledger.jobs:
            hub.publish_job(job)

    @property
    def jobs(self) -> Mapping[int, JobState]:
        """All known jobs by id."""
        return self._jobs

    def job(self, job_id: int) -> JobState:
        """One job; raises RequestError (`no-such-job`)."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise RequestError(
                f"there is no job {job_id}", kind=ErrorKind.NO_SUCH_JOB, hint="`flashdeck jobs` lists the newest"
            ) from None

    def active(self, board: str) -> list[JobState]:
        """The jobs of a board that have not ended, oldest first."""
        jobs = [job for job in self._jobs.values() if job.board == board and not job.status.ended]
        return sorted(jobs, key=lambda job: job.id)

    def contents(self, board: str, partition: str) -> Contents | None:
        """What a partition of a board holds, as far as is known."""
        return self._contents.get((board, partition))

    async def create(
        self, board: str, partition: str, artifact: Artifact, origin: Origin, *, patch: bool = False
    ) -> JobState:
        """Add a queued job at the end of the board's lane; raises FlashdeckError where it can not be recorded."""
        job = JobState(
            id=self._next_id,
            board=board,
            partition=partition,
            sha256=artifact.sha256,
            size=artifact.size,
            version=artifact.version,
            origin=origin,
            patch=patch,
            status=JobStatus.QUEUED,
            created_at=time.time(),
        )
        self._next_id += 1
        await self._journal.save_job(job)
        self._jobs[job.id] = job
        self._hub.publish_job(job)
        await self._catch_up()
        self._forget_old()
        return job

    async def change(self, job_id: int, **changes: object) -> JobState:
        """Changes fields of a job durably; a job that ends gets its time, a new phase begins at nothing."""
        progress = {"done": 0, "total": 0} if "phase" in changes else {}
        job = msgspec.structs.replace(self.job(job_id), **{**progress, **changes})
        if job.status.ended and job.finished_at is None:
            job = msgspec.structs.replace(job, finished_at=time.time())
        await self._put(job)
        return job

    async def supersede(self, job_id: int, reason: str) -> None:
        """Another job takes the place of this one, unless it runs or has ended meanwhile."""
        status = self.job(job_id).status
        if status is not JobStatus.RUNNING and not status.ended:
            await self.change(job_id, status=JobStatus.SUPERSEDED, phase=None, reason=reason)

    def progress(self, job_id: int, **changes: object) -> None:
        """Changes fields that a restart may forget (phase, done, total)."""
        self._jobs[job_id] = msgspec.structs.replace(self._jobs[job_id], **changes)
        self._hub.publish_job(self._jobs[job_id])

    async def wait(self, job: JobState, reason: str) -> None:
        """A job waits for something, which is told once; one that has ended meanwhile does not."""
        now = self.job(job.id)
        if now.status.ended:
            return
        if (now.status, now.reason) != (JobStatus.WAITING, reason):
            await self.change(job.id, status=JobStatus.WAITING, phase=None, reason=reason)
            self.log(job, reason)

    def log(self, job: JobState, text: str, level: LogLevel = LogLevel.INFO) -> None:
        """Tells something of a job in the log."""
        self._hub.log(text, level=level, board=job.board, job=job.id)

    async def begin(self, board: str, partition: str, contents: Contents) -> None:
        """Records that a partition is about to lose what it holds.

        Raises FlashdeckError where that is impossible; then it must not be touched, and holds what it did.
        """
        before = self._contents.get((board, partition))
        self._contents[board, partition] = contents
        try:
            await self._journal.save_contents(board, partition, contents)
        except FlashdeckError:
            if before is None:
                del self._contents[board, partition]
            else:
                self._contents[board, partition] = before
            raise
        finally:
            self._contents_changed(board)

    async def record(self, board: str, partition: str, contents: Contents) -> None:
        """Records what a partition holds; where the disk fails, the log says so, and only this daemon knows it."""
        self._contents[board, partition] = contents
        try:
            await self._journal.save_contents(board, partition, contents)
        except FlashdeckError as error:
            self._missed_contents.add((board, partition))
            text = f"what {partition} holds could not be recorded: {error.message}"
            self._hub.log(text, level=LogLevel.ERROR, board=board)
        else:
            await self._catch_up()
        self._contents_changed(board)

    def _forget_old(self) -> None:
        """A daemon runs for months: of the jobs that ended, the journal alone keeps the old ones."""
        ended = [job.id for job in self._jobs.values() if job.status.ended]
        for job_id in sorted(ended)[:-KEPT_JOBS]:
            del self._jobs[job_id]
            self._hub.forget_job(job_id)

    async def _put(self, job: JobState) -> None:
        """A full disk stops no job here: one that would flash is refused in `begin`, before its first erase."""
        self._jobs[job.id] = job
        try:
            await self._journal.save_job(job)
        except FlashdeckError as error:
            self._missed_jobs.add(job.id)
            self._hub.log(f"job {job.id} could not be recorded: {error.message}", level=LogLevel.ERROR, job=job.id)
        else:
            await self._catch_up()
        self._hub.publish_job(self._jobs[job.id])

    async def _catch_up(self) -> None:
        """Records what a full disk kept out of the journal: no job that has ended is to run again after a restart."""
        while self._missed_contents:
            place = self._missed_contents.pop()
            try:
                await self._journal.save_contents(*place, self._contents[place])
            except FlashdeckError:
                self._missed_contents.add(place)
                return  # it was said when it was missed
        while self._missed_jobs:
            job_id = self._missed_jobs.pop()
            try:
                if job_id in self._jobs:
                    await self._journal.save_job(self._jobs[job_id])
            except FlashdeckError:
                self._missed_jobs.add(job_id)
                return
