"""The outcome of a request to several boards: why it failed, on which of them, with which exit code. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Self, assert_never

from flashdeck.errors import EXIT_CODES, ErrorKind, ExitCode, NotDoneError
from flashdeck.job_state import (
    Blocked,
    Cancelled,
    Done,
    Failed,
    Failure,
    JobStatus,
    Queued,
    Running,
    Superseded,
    Unknown,
    WaitFor,
    Waiting,
    Written,
    stands_still,
)
from flashdeck.model import JobState
from flashdeck.names import SHOWN
from flashdeck.words.jobs import status_hint

_UNDECIDED: Final = (ExitCode.BLOCKED, ExitCode.TIMEOUT, ExitCode.NOT_FOUND)
"""Nothing went wrong there; the first that is among several counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardResult:
    """The result of a request for one board."""

    board: str
    partition: str
    is_done: bool
    job: JobState | None = None
    """The job that did it, or was to; None where there is none."""
    failure: Failure | None = None
    """The reason why it is not done; None where it is, or where nobody followed it to its end."""

    @property
    def shortfall(self) -> Failure | None:
        """The reason why it is not done, or not yet; None where it is."""
        if self.is_done or self.failure is not None:
            return self.failure
        if self.job is None:
            return Failure(kind=ErrorKind.TIMEOUT, message="not up to date yet")
        not_yet = Failure(kind=ErrorKind.TIMEOUT, message=f"not up to date yet: {self.job.text}")
        return failure_of(self.job) or not_yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a request: a row a board."""

    what: str
    """The partition, or else what was asked for."""
    rows: tuple[BoardResult, ...]
    notes: tuple[str, ...] = ()
    """Remarks of the daemon on the request: the warnings of the guards."""
    taken_back: tuple[JobState, ...] = ()
    """Jobs that were cancelled because nobody follows them any more, as they ended."""

    @property
    def jobs(self) -> tuple[JobState, ...]:
        """The jobs in their last known states."""
        return tuple(row.job for row in self.rows if row.job is not None)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that the command line has for it."""
        return exit_code(row.shortfall for row in self.rows)

    @property
    def failure(self) -> Failure | None:
        """The failures of all boards together, each named, the worst first; None where all is done."""
        return overall(self.what, [(row.board, row.shortfall) for row in self.rows])

    def checked(self) -> Self:
        """Return the outcome; raises NotDoneError unless all is done."""
        if (failure := self.failure) is not None:
            raise NotDoneError(failure.message, hint=failure.hint, kind=failure.kind, outcome=self)
        return self


def is_over(job: JobState) -> bool:
    """Tell whether nothing more happens to a job until somebody does something."""
    return job.is_settled or job.needs_person


def are_over(jobs: Sequence[JobState], *, waits: bool = True) -> bool:
    """Tell whether there is nothing more to follow: each job is over, or one went wrong and nothing runs elsewhere.

    Unless it `waits` for the boards, a job that stands still counts as over.
    """
    still_open = [job for job in jobs if not is_over(job)]
    went_wrong = any(is_over(job) and failure_of(job) is not None for job in jobs)
    return all(stands_still(job.status) for job in still_open) and (went_wrong or not waits or not still_open)


def failure_of(job: JobState, *, waits: bool = True) -> Failure | None:
    """Return why a job that is followed no more did not bring its image; None where it did.

    `waits` is False where the board was not to be waited for. One that is not over was followed until the time was up.
    """
    kind = _kind_of(job.status, waits=waits)
    if kind is None or isinstance(job.status, Failed):
        return job.failure
    if isinstance(job.status, Unknown) and not job.is_settled:
        kind = ErrorKind.BLOCKED if job.needs_person else ErrorKind.TIMEOUT
    message = f"not done yet: {job.text}" if kind is ErrorKind.TIMEOUT else job.text
    return Failure(kind=kind, message=message, hint=status_hint(job.status))


def _kind_of(status: JobStatus, *, waits: bool) -> ErrorKind | None:
    match status:
        case Done():
            return ErrorKind.BLOCKED if status.not_started else None
        case Failed():
            return status.failure.kind
        case Blocked() | Waiting(for_=WaitFor.HOLD):
            return ErrorKind.BLOCKED
        case Superseded():
            return ErrorKind.SUPERSEDED
        case Cancelled():
            return ErrorKind.CANCELLED
        case Waiting(for_=WaitFor.ABSENT) if not waits:
            return ErrorKind.ABSENT
        case Waiting() | Written() if not waits and stands_still(status):
            return ErrorKind.BLOCKED
        case Queued() | Running() | Written() | Waiting():
            return ErrorKind.TIMEOUT
        case Unknown():
            return ErrorKind.OTHER
        case _:
            assert_never(status)


def overall(partition: str, boards: Sequence[tuple[str, Failure | None]]) -> Failure | None:
    """Return what went wrong on all boards together, each named, the worst first; None where nothing did."""
    failed = [(board, failure) for board, failure in boards if failure is not None]
    if not failed:
        return None
    failed.sort(key=lambda each: code_of_kind(each[1].kind) in _UNDECIDED)
    alike = groupby(failed[:SHOWN], key=lambda each: each[1].message)
    told = [_named([board for board, _ in group], partition if len(boards) == 1 else "", why) for why, group in alike]
    if len(failed) > SHOWN:
        told.append(f"and {len(failed) - SHOWN} more")
    message, worst = "; ".join(told), failed[0][1]
    if len(boards) > 1:
        are = "is" if len(failed) == 1 else "are"
        rows = "boards" if len({board for board, _ in boards}) == len(boards) else "jobs"
        message = f"{partition}: {len(failed)} of {len(boards)} {rows} {are} not done: {message}"
    return Failure(kind=worst.kind, message=message, hint=worst.hint)


def exit_code(failures: Iterable[Failure | None]) -> ExitCode:
    """Return one code for several boards.

    Where all came to the same, it is that. Where one failed and others did not, it is SOME_FAILED. Else the others
    wait, or need a person: then what says most about that counts.
    """
    different = {ExitCode.OK if failure is None else code_of_kind(failure.kind) for failure in failures}
    if len(different) <= 1:
        return next(iter(different), ExitCode.OK)
    undecided = [code for code in _UNDECIDED if code in different]
    return undecided[0] if different <= {ExitCode.OK, *_UNDECIDED} else ExitCode.SOME_FAILED


def code_of_kind(kind: ErrorKind) -> ExitCode:
    """Return the code for a job that ended with an error; what has no better one counts as failed."""
    code = EXIT_CODES[kind]
    return ExitCode.FAILED if code is ExitCode.OTHER else code


def _named(boards: Sequence[str], partition: str, message: str) -> str:
    """Return a message that names its boards, once."""
    place = f"{', '.join(dict.fromkeys(boards))} {partition}".strip()
    return message if f"board {boards[0]}" in message else f"{place}: {message}"
