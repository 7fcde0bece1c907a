"""The book of all jobs and of the contents of every partition: one copy in memory, in the journal and at the hub."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from msgspec.structs import replace

from flashdeck.errors import ErrorKind, FlashdeckError, RequestError
from flashdeck.job_state import (
    LOOKS,
    FlashWork,
    HookRun,
    JobKind,
    JobStatus,
    Phase,
    PhaseTimes,
    Queued,
    Running,
    Superseded,
    WaitFor,
    Waiting,
    is_settled,
    may_follow,
    name_of,
)
from flashdeck.model import Contents, JobState, LogLevel, Origin
from flashdeck.names import few
from flashdeck.words.jobs import status_text
from flashdeckd.host import clock
from flashdeckd.images.spool import Artifact
from flashdeckd.jobs.taken_boards import claim, lab_user
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Journal, Ledger
from flashdeckd.state.on_behalf import on_behalf_of

T = TypeVar("T")
NO_WORK: Final = FlashWork()
KEPT_JOBS = 500
"""Ended jobs that are kept in memory, those that ended last."""


class IllegalMoveError(Exception):
    """A job was to come into a state that cannot follow the one that it is in: a fault in flashdeckd."""

    def __init__(self, job: JobState, to: JobStatus) -> None:
        super().__init__(f"job {job.id} is {name_of(job.status)} and cannot become {name_of(to)}")


class JobBook:
    """Reads at once, writes durably: when an awaited change returns, a killed daemon will know of it.

    Runs in the event loop's thread only.
    """

    def __init__(self, hub: Hub, journal: Journal, ledger: Ledger, contents_changed: Callable[[str], object]) -> None:
        self._contents_changed = contents_changed
        self._hub = hub
        self._journal = journal
        self._jobs = {job.id: job for job in ledger.jobs}
        self._ended = dict.fromkeys(job.id for job in sorted(ledger.jobs, key=_age) if job.is_settled)
        """Jobs whose end is recorded and published, in the order of that. These alone may be forgotten."""
        self._contents = dict(ledger.contents)
        self._next_id = ledger.next_job
        self._forgotten: dict[tuple[str, str], int] = {}
        """By board and partition: the first job since all that was known of it was forgotten."""
        self._missed_jobs: set[int] = set()
        self._missed_contents: set[tuple[str, str]] = set()
        """Contents that could not be saved; saved with the next write that succeeds."""
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
                f"there is no job {job_id}", kind=ErrorKind.NO_SUCH_JOB, hint=self._which_there_are()
            ) from None

    def _which_there_are(self) -> str:
        newest = few([str(job_id) for job_id in sorted(self._jobs, reverse=True)])
        return f"there are: {newest}; `flashdeck jobs` lists them" if newest else "there are no jobs yet"

    def at_their_turn(self, jobs: Iterable[JobState]) -> Iterator[JobState]:
        """Yield jobs, each as it is once those before it were dealt with: that takes time, in which others act."""
        return (self.job(job.id) for job in jobs)

    def active(self, board: str) -> list[JobState]:
        """The jobs of a board that have not ended, oldest first."""
        jobs = [job for job in self._jobs.values() if job.board == board and not job.is_settled]
        return sorted(jobs, key=lambda job: job.id)

    def contents(self, board: str, partition: str) -> Contents | None:
        """Return the known contents of a partition of a board; None: nothing is known."""
        return self._contents.get((board, partition))

    def all_contents(self) -> Collection[Contents]:
        """Return the known contents of all partitions of all boards."""
        return self._contents.values()

    def is_forgotten(self, job: JobState) -> bool:
        """Tell whether a job brought its image to where its partition is no more."""
        return job.id < self._forgotten.get((job.board, job.partition), 0)

    def incomplete(self, board: str, partitions: Iterable[str]) -> list[str]:
        """Return those of a board's partitions in which a flash was begun and not ended."""
        contents = {name: self.contents(board, name) for name in partitions}
        return [name for name, has in contents.items() if has is not None and not has.complete]

    async def rename_boards(self, names: Mapping[str, str], mark: str) -> None:
        """Let jobs and contents of boards be those of their new names. None of these jobs may be under way."""
        await self._journal.rename_boards(names, mark)
        replaced = set(names.values()) - names.keys()

        def renamed(places: Mapping[tuple[str, str], T]) -> dict[tuple[str, str], T]:
            kept = {place: each for place, each in places.items() if place[0] not in replaced}
            return {(names.get(board, board), partition): each for (board, partition), each in kept.items()}

        self._contents, self._forgotten = renamed(self._contents), renamed(self._forgotten)
        self._missed_contents = set(renamed(dict.fromkeys(self._missed_contents)))
        for job in [job for job in self._jobs.values() if job.board in names]:
            self._jobs[job.id] = replace(job, board=names[job.board])
            self._hub.publish_job(self._jobs[job.id])

    async def forget(self, board: str, partition: str) -> None:
        """Nothing is known of a partition from now on: its name stands for another place."""
        self._forgotten[board, partition] = self._next_id
        self._missed_contents.discard((board, partition))
        if self._contents.pop((board, partition), None) is not None:
            self._contents_changed(board)
            await self._journal.forget_contents(board, partition)

    def forget_before(self, board: str, at: float) -> None:
        """Take over what an earlier daemon has forgotten: jobs of before then were for another unit in that place."""
        for job in self._jobs.values():
            if job.board == board and job.created_at < at:
                place = (board, job.partition)
                self._forgotten[place] = max(self._forgotten.get(place, 0), job.id + 1)

    def forget_board(self, board: str) -> None:
        """Take over what the journal has forgotten already: another unit is in the place of a board."""
        for place in [place for place in self._contents if place[0] == board]:
            del self._contents[place]
        self._missed_contents = {place for place in self._missed_contents if place[0] != board}
        for place in {(job.board, job.partition) for job in self._jobs.values() if job.board == board}:
            self._forgotten[place] = self._next_id
        self._contents_changed(board)

    def erased(self, board: str, partitions: Iterable[str]) -> list[str]:
        """Return those of a board's partitions that were erased by hand, and not flashed since."""
        contents = {name: self.contents(board, name) for name in partitions}
        return [name for name, has in contents.items() if has is not None and has.complete and has.erased]

    def is_for_hands(self, board: str, partition: str) -> bool:
        """Tell whether builds for a partition are offered, not flashed: a person has erased it, or wants to."""
        contents = self.contents(board, partition)
        wanted = any(job.partition == partition and job.kind is JobKind.ERASE for job in self.active(board))
        return wanted or (contents is not None and contents.erased)

    async def create(
        self,
        board: str,
        partition: str,
        artifact: Artifact,
        origin: Origin,
        *,
        patch: bool = False,
        once: bool = False,
        kind: JobKind = JobKind.FLASH,
        force: bool = False,
    ) -> JobState:
        """Add a queued job at the end of the board's lane; raises FlashdeckError where it cannot be recorded."""
        job = JobState(
            id=self._next_id,
            kind=kind,
            board=board,
            partition=partition,
            sha256=artifact.sha256,
            size=artifact.size,
            version=artifact.version,
            origin=origin,
            user=on_behalf_of.get(),
            lab_user=lab_user.get(),
            patch=patch,
            once=once,
            force=force,
            status=Queued(),
            created_at=clock.now(),
        )
        self._next_id += 1
        claim(job.id)
        await self._journal.save_job(job)
        self._jobs[job.id] = job
        self._hub.publish_job(job)
        await self._catch_up()
        self._forget_old()
        return job

    def claim(self, job: JobState) -> None:
        """Make a job one of those for whom the daemon acts now: the holder of a lease, a user of a lab.

        It is recorded with the next state of the job.
        """
        claim(job.id)
        if user := lab_user.get():
            self._jobs[job.id] = replace(self.job(job.id), lab_user=user)

    async def go_back(self, board: str, images: Mapping[str, Sequence[Artifact]], note: str) -> list[JobState]:
        """Queue what brings a board back, by partition, and decide with that what follows from its undecided jobs.

        All of it is recorded, or nothing: it runs in one visit, and a killed daemon leaves no half of it. Without
        `images` it is only decided. Raises FlashdeckError where it cannot be recorded.
        """
        jobs: list[JobState] = []
        for partition, wanted in images.items():
            for artifact in wanted:
                job = JobState(
                    id=self._next_id + len(jobs),
                    board=board,
                    partition=partition,
                    sha256=artifact.sha256,
                    size=artifact.size,
                    version=artifact.version,
                    origin=Origin.FLASHDECK,
                    patch=artifact is not wanted[0],
                    status=Queued(note=note),
                    created_at=clock.now(),
                    note=note,
                )
                jobs.append(job)
        self._next_id += len(jobs)
        decided = [replace(job, undecided=False) for job in self.undecided_jobs(board)]
        await self._journal.save_jobs((*decided, *jobs))
        for job in decided:
            if job.id in self._jobs:
                self._jobs[job.id] = replace(self._jobs[job.id], undecided=False)
                self._hub.publish_job(self._jobs[job.id])
        self._jobs |= {job.id: job for job in jobs}
        for job in jobs:
            self._hub.publish_job(job)
        await self._catch_up()
        self._forget_old()
        return jobs

    def undecided_jobs(self, board: str) -> list[JobState]:
        """Return the ended jobs of a board after whose verdict it is still to be decided if it goes back by itself."""
        return [job for job in self._jobs.values() if job.board == board and job.undecided and job.is_settled]

    async def move(self, job: JobState, to: JobStatus, *, undecided: bool = False) -> JobState:
        """Bring a job into another state, durably. Only its id counts: it may have moved since `job` was read.

        `undecided` where it is to be decided then if its board goes back by itself.
        Raises IllegalMoveError where the table of the job's life (`TRANSITIONS`) has no such step.
        """
        now = self.job(job.id)
        if not may_follow(now.status, to):
            raise IllegalMoveError(now, to)
        self._hub.debug(
            f"job {job.id}: {status_text(to, now.kind)} (it was {name_of(now.status)})", board=job.board, job=job.id
        )
        ended = clock.now() if is_settled(to) else None
        return await self._put(replace(now, status=to, finished_at=ended, undecided=undecided))

    async def begin_attempt(self, job: JobState, to: Running) -> JobState:
        """Count an attempt of a job, which runs from now on.

        Raises FlashdeckError where that cannot be recorded: then its board must not even be opened.
        """
        now = self.job(job.id)
        if not may_follow(now.status, to):
            raise IllegalMoveError(now, to)
        started = now.started_at or clock.now()
        running = replace(now, status=to, attempts=now.attempts + 1, started_at=started)
        self._jobs[job.id] = running
        try:
            await self._journal.save_job(running)
        except FlashdeckError:
            self._jobs[job.id] = now
            self._hub.publish_job(now)  # whoever saw it run looks again
            raise
        self._tell(running)
        await self._catch_up()
        return self._jobs[job.id]

    async def take_back_attempt(self, job: JobState) -> None:
        """Do not count the last attempt of a job: nothing was begun in it."""
        now = self.job(job.id)
        await self._put(replace(now, attempts=max(0, now.attempts - 1)))

    async def bring_instead(self, job: JobState, artifact: Artifact) -> None:
        """Let a job that waits bring the image that the same file makes now."""
        now = self.job(job.id)
        await self._put(replace(now, sha256=artifact.sha256, size=artifact.size, patch=not artifact.is_program))

    async def note_read(self, job: JobState, artifact: Artifact) -> JobState:
        """Record the image that a job has read."""
        return await self._put(replace(self.job(job.id), sha256=artifact.sha256, size=artifact.size))

    async def note_running(self, jobs: Iterable[JobState]) -> None:
        """Record that a board was running before these jobs began: those that only read leave it so."""
        for now in (self.job(job.id) for job in jobs):
            if now.kind in LOOKS and not now.was_running:
                await self._put(replace(now, was_running=True))

    async def arrange(self, jobs: Sequence[JobState]) -> None:
        """Let jobs of one board run in this order, and before those that are not among them."""
        ranks = {job.id: rank for rank, job in enumerate(jobs, 1) if self.job(job.id).rank != rank}
        for job_id, rank in ranks.items():  # all of them before the first is recorded: nobody is to see half of it
            self._jobs[job_id] = replace(self._jobs[job_id], rank=rank)
        for job_id in ranks:
            await self._put(self.job(job_id))

    async def supersede(self, job: JobState, by: int) -> None:
        """Let another job take the place of this one, unless it runs, is written or has ended meanwhile."""
        if may_follow(self.job(job.id).status, Superseded(by=by)):
            await self.move(job, Superseded(by=by))

    def progress(self, job_id: int, status: Running) -> None:
        """Show how far a running job is, which a restart may forget. One that does not run any more stays as it is."""
        job = self._jobs[job_id]
        if isinstance(job.status, Running):
            self._jobs[job_id] = replace(job, status=status)
            self._hub.publish_job(self._jobs[job_id])

    async def note_hook(self, job_id: int, hook: HookRun) -> None:
        """Keep with a job how the command ended that ran at its end; a job that is forgotten by now stays so."""
        if job_id in self._jobs:
            await self._put(replace(self._jobs[job_id], hook=hook))

    def spend(self, job_id: int, times: PhaseTimes, work: FlashWork = NO_WORK) -> None:
        """Add to the time that a job has taken, and to its work; they are recorded with the next state of the job."""
        job = self._jobs[job_id]
        if work != NO_WORK:
            job = replace(job, work=job.work.plus(work))
        for phase in Phase:
            if seconds := times.of(phase):
                job = replace(job, times=job.times.plus(phase, seconds))
        self._jobs[job_id] = job

    async def wait(self, job: JobState, waiting: Waiting) -> None:
        """Let a job wait for something, which is told once; one that cannot wait any more does not."""
        status = self.job(job.id).status
        if status == waiting or not may_follow(status, waiting):
            return
        await self.move(job, waiting)
        why = f"on hold: {waiting.reason}" if waiting.for_ is WaitFor.HOLD else waiting.reason
        self.log(job, f"{why}: {waiting.hint}" if waiting.hint else why)

    def retell(self, job_id: int, waiting: Waiting) -> None:
        """Show that a job waits for the same thing in other words; nothing is told, and a restart may forget it."""
        job = self._jobs[job_id]
        if isinstance(job.status, Waiting) and job.status.for_ is waiting.for_ and job.status != waiting:
            self._jobs[job_id] = replace(job, status=waiting)
            self._hub.publish_job(self._jobs[job_id])

    def log(self, job: JobState, text: str, level: LogLevel = LogLevel.INFO) -> None:
        """Tells something of a job in the log."""
        self._hub.log(text, level=level, board=job.board, job=job.id)

    async def judged(self, board: str, partition: str, judge: Callable[[Contents | None], Awaitable[T]]) -> T:
        """Return what is found out of the contents of a partition; anew, where these are others by then.

        What is recorded of it right behind that is of the contents that there are, and takes none back.
        """
        while True:
            contents = self.contents(board, partition)
            found = await judge(contents)
            if self.contents(board, partition) is contents:
                return found

    async def begin(self, board: str, partition: str, contents: Contents) -> None:
        """Records that a partition is about to lose its contents.

        Raises FlashdeckError where that is impossible; then it must not be touched, and keeps its contents.
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
        """Records the contents of a partition; where the disk fails, the log says so, and only this daemon knows it."""
        self._contents[board, partition] = contents
        try:
            await self._journal.save_contents(board, partition, contents)
        except FlashdeckError as error:
            self._missed_contents.add((board, partition))
            text = f"the contents of {partition} could not be recorded: {error.message}"
            self._hub.log(text, level=LogLevel.ERROR, board=board)
        else:
            await self._catch_up()
        self._contents_changed(board)

    async def record_all(self, board: str, contents: Mapping[str, Contents]) -> None:
        """Record the contents of several partitions of a board at once, as `record` does."""
        self._contents |= {(board, name): each for name, each in contents.items()}
        try:
            await self._journal.save_all_contents(board, contents)
        except FlashdeckError as error:
            self._missed_contents |= {(board, name) for name in contents}
            text = f"the contents of {board} could not be recorded: {error.message}"
            self._hub.log(text, level=LogLevel.ERROR, board=board)
        else:
            await self._catch_up()
        self._contents_changed(board)

    def _forget_old(self) -> None:
        """A daemon runs for months: of the jobs that ended, the journal alone keeps the old ones.

        A job that waited long has a low number. It is known for as long after its end as any other.
        """
        for job_id in list(self._ended)[:-KEPT_JOBS]:
            del self._ended[job_id]
            del self._jobs[job_id]
            self._hub.forget_job(job_id)

    async def _put(self, job: JobState) -> JobState:
        """A full disk stops no job here: one that would flash is refused in `begin`, before its first erase."""
        self._jobs[job.id] = job
        try:
            await self._journal.save_job(job)
        except FlashdeckError as error:
            self._missed_jobs.add(job.id)
            self._hub.log(f"job {job.id} could not be recorded: {error.message}", level=LogLevel.ERROR, job=job.id)
        else:
            await self._catch_up()
        return self._tell(job)

    def _tell(self, recorded: JobState) -> JobState:
        """Publish a job that is recorded, and return it as it is now.

        One that had ended before may be forgotten meanwhile. One that has moved on is told of when that is recorded,
        too: a daemon that is killed in between would have told what its successor does not know.
        """
        now = self._jobs.get(recorded.id, recorded)
        if now.id in self._jobs and now.status == recorded.status:
            self._hub.publish_job(now)
            if now.is_settled:
                self._ended.setdefault(now.id)
        return now

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


def _age(job: JobState) -> tuple[float, int]:
    """Return what orders jobs by their end; one without a time of it is as old as its beginning."""
    return (job.finished_at or job.created_at, job.id)
