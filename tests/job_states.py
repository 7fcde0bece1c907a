"""A job in each of its states, for tests that only need one; and what tests ask of any of them."""

from flashdeck.errors import ErrorKind
from flashdeck.job_state import (
    Blocked,
    Cancelled,
    Canceller,
    Done,
    Failed,
    Failure,
    JobResult,
    JobStatus,
    Phase,
    Queued,
    Running,
    Superseded,
    Unknown,
    Verified,
    WaitFor,
    Waiting,
    Written,
)
from flashdeck.model import JobState

RESULT = JobResult(
    bytes_written=20_000,
    erases=3,
    blocks=20,
    transfers=100,
    uploads=20,
    slept=1.5,
    seconds=2.0,
    verified=Verified.YES,
    protection="boot unit",
)
QUEUED = Queued()
WAITING = Waiting(for_=WaitFor.ABSENT, reason="board left is not connected", hint="plug it in")
RUNNING = Running(phase=Phase.WRITE, done=1000, total=20_000, since=1.0, answered_at=2.0)
WRITTEN = Written(result=RESULT)
BLOCKED = Blocked(reason="its bank is not proved", hint="flashdeck release left")
DONE = Done(result=RESULT)
FAILED = Failed(failure=Failure(kind=ErrorKind.VERIFY, message="at 0x08020000", hint="again"))
SUPERSEDED = Superseded(by=2)
CANCELLED = Cancelled(by=Canceller.PERSON)
EVERY: tuple[JobStatus, ...] = (
    *(QUEUED, WAITING, RUNNING, WRITTEN, BLOCKED, DONE, FAILED, SUPERSEDED, CANCELLED),
    Unknown(name="resting"),
)


def phase_of(job: JobState) -> Phase | None:
    """Return what a job is doing right now; None where that is nothing."""
    return job.status.phase if isinstance(job.status, Running | Written) else None


def is_writing(job: JobState) -> bool:
    """Tell whether bytes of a job are on their way."""
    return isinstance(job.status, Running) and job.status.phase is Phase.WRITE and job.status.done > 0


def waits_for(job: JobState) -> WaitFor | None:
    """Return what a job waits for; None where it does not."""
    return job.status.for_ if isinstance(job.status, Waiting) else None
