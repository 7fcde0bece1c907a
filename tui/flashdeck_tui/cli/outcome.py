"""What a set of jobs came to, as one exit code. Pure."""

from collections.abc import Sequence

from flashdeck.errors import EXIT_CODES, ExitCode
from flashdeck.job_state import JobStatus
from flashdeck.model import JobState


def settled(job: JobState) -> bool:
    """Whether nothing more will happen to a job until somebody does something."""
    return job.status.ended or job.status is JobStatus.HELD


def exit_code(jobs: Sequence[JobState]) -> ExitCode:
    """The code for settled `jobs`.

    Where all came to the same, it is that. Where they differ it is SOME_FAILED if a job failed; else some are done and
    the others held or superseded, which is HELD.
    """
    codes = {_code(job) for job in jobs}
    if len(codes) == 1:
        return codes.pop()
    failed = any(job.status in (JobStatus.FAILED, JobStatus.CANCELLED) for job in jobs)
    return ExitCode.SOME_FAILED if failed else ExitCode.HELD


def _code(job: JobState) -> ExitCode:
    match job.status:
        case JobStatus.DONE:
            return ExitCode.OK
        case JobStatus.HELD | JobStatus.SUPERSEDED:
            return ExitCode.HELD
        case _:
            code = EXIT_CODES[job.failure.kind] if job.failure is not None else ExitCode.FAILED
            return ExitCode.FAILED if code is ExitCode.OTHER else code
