"""The exit code of what was asked of several boards. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final, assert_never

from flashdeck.errors import EXIT_CODES, ErrorKind, ExitCode
from flashdeck.job_state import (
    Blocked,
    Cancelled,
    Done,
    Failed,
    Queued,
    Running,
    Superseded,
    Unknown,
    WaitFor,
    Waiting,
    Written,
)
from flashdeck.model import JobState

_UNDECIDED: Final = (ExitCode.HELD, ExitCode.TIMEOUT, ExitCode.NOT_FOUND)
"""Nothing went wrong there; the first that is among several counts."""


def is_over(job: JobState) -> bool:
    """Tell whether nothing more happens to a job until somebody does something."""
    return job.is_settled or job.needs_person


def exit_code(jobs: Sequence[JobState], *, waits: bool = True) -> ExitCode:
    """Return the code for jobs that nobody follows any more; `waits` is False where the board was not waited for."""
    return combined(code_of(job, waits=waits) for job in jobs)


def combined(codes: Iterable[ExitCode]) -> ExitCode:
    """Return one code for several boards.

    Where all came to the same, it is that. Where one failed and others did not, it is SOME_FAILED. Else the others
    wait, or need a person: then what says most about that counts.
    """
    different = set(codes)
    if len(different) == 1:
        return different.pop()
    undecided = [code for code in _UNDECIDED if code in different]
    return undecided[0] if different <= {ExitCode.OK, *_UNDECIDED} else ExitCode.SOME_FAILED


def code_of(job: JobState, *, waits: bool = True) -> ExitCode:
    """Return the code for one job. One that is not over was followed until the time was over."""
    status = job.status
    if job.needs_person:
        return ExitCode.HELD
    match status:
        case Done():
            return ExitCode.HELD if status.not_started else ExitCode.OK
        case Failed():
            return code_of_kind(status.failure.kind)
        case Blocked() | Superseded():
            return ExitCode.HELD
        case Waiting() if not waits:
            return ExitCode.NOT_FOUND if status.for_ is WaitFor.ABSENT else ExitCode.HELD
        case Queued() | Running() | Written() | Waiting() | Cancelled() | Unknown():
            return ExitCode.FAILED if job.is_settled else ExitCode.TIMEOUT
        case _:
            assert_never(status)


def code_of_kind(kind: ErrorKind) -> ExitCode:
    """Return the code for a job that ended with an error; what has no better one counts as failed."""
    code = EXIT_CODES[kind]
    return ExitCode.FAILED if code is ExitCode.OTHER else code
