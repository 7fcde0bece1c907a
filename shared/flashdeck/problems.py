"""Boards that need a person, worst first, and how many boards are in which condition. Pure.

The command line's `status` and the screen both ask here, so that they agree on what is wrong and in which order.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

from flashdeck.job_state import (
    CHANGES,
    Blocked,
    Cancelled,
    Failed,
    JobKind,
    Queued,
    Running,
    Superseded,
    Unknown,
    WaitFor,
    Waiting,
    Written,
)
from flashdeck.model import BoardState, Contents, JobState, PartitionState, Presence
from flashdeck.value import Value
from flashdeck.words.boards import hold_text
from flashdeck.words.contents import contents_flaw
from flashdeck.words.jobs import status_hint


class ProblemKind(StrEnum):
    """The conditions of a board, worst first. The value is the word that people read."""

    FAILED = "failed"  # the newest job of a partition was given up, and nothing put that right since
    INCOMPLETE = "incomplete"  # a flash was cut short, and no job will finish it
    BLOCKED = "blocked"  # a job does not start until a person acts
    AMBIGUOUS = "ambiguous"  # several devices look like the board
    TROUBLE = "unusable"  # something else keeps the board from being used
    NOT_STARTED = "did not start"
    DOES_NOT_RUN = "does not run"  # its console says so, or says nothing
    REFUSED = "build refused"  # the newest build cannot be taken
    KEPT_OPEN = "file kept open"  # a program has had the image file open for writing for long
    ON_HOLD = "on hold"
    UNCERTAIN = "uncertain"  # its contents may have been changed since they were flashed
    NEEDS_HAND = "needs a hand"  # a job waits for something that a person has to do
    FLASHING = "flashing"
    BUSY = "busy"  # it is read, erased, or taken out of DFU mode
    TAKEN = "taken"  # somebody has it for a while: only that one's jobs start
    QUEUED = "queued"
    WAITING = "waiting"
    ABSENT = "absent"
    OFFERED = "offered"
    NOT_CURRENT = "not current"
    CURRENT = "current"
    NO_BUILD = "no build yet"

    @property
    def needs_person(self) -> bool:
        """True for what only a person puts right; the others are how things go."""
        return self in _NEEDS_PERSON

    @property
    def rank(self) -> int:
        """The place among all conditions; 0 is the worst."""
        return _RANK[self]


_NEEDS_PERSON: Final = frozenset(
    (
        ProblemKind.FAILED,
        ProblemKind.INCOMPLETE,
        ProblemKind.BLOCKED,
        ProblemKind.AMBIGUOUS,
        ProblemKind.TROUBLE,
        ProblemKind.NOT_STARTED,
        ProblemKind.DOES_NOT_RUN,
        ProblemKind.REFUSED,
        ProblemKind.KEPT_OPEN,
        ProblemKind.ON_HOLD,
        ProblemKind.UNCERTAIN,
        ProblemKind.NEEDS_HAND,
    )
)
KEPT_OPEN_HINT: Final = "the build is taken once the file is closed; end that program if it should not run"
"""The next thing to do where a program has had an image file open for long."""
_RANK: Final = {kind: rank for rank, kind in enumerate(ProblemKind)}
_BY_ITSELF: Final = frozenset((WaitFor.ABSENT, WaitFor.CONTROLLER, WaitFor.PAUSE, WaitFor.LEASE))
"""These end without anybody who is told to act."""


class Problem(Value, frozen=True):
    """One thing that needs a person."""

    board: str
    partition: str
    """"" where it is the whole board's."""
    kind: ProblemKind
    text: str
    """The thing that was seen, in a sentence."""
    hint: str = ""
    """The next thing to do; "" where the text says it."""


def problems(boards: Iterable[BoardState], jobs: Iterable[JobState]) -> list[Problem]:
    """Return everything that needs a person, worst first; among equals in the order of the boards."""
    at = jobs_by_board(jobs)
    found = [problem for board in boards for problem in _board_problems(board, at.get(board.name, ()))]
    return sorted(found, key=lambda problem: problem.kind.rank)


def condition(board: BoardState, jobs: Iterable[JobState]) -> ProblemKind:
    """Return the worst condition that a board is in; `jobs` may be those of all boards."""
    mine = [job for job in jobs if job.board == board.name]
    kinds = [problem.kind for problem in _board_problems(board, mine)]
    kinds += [_job_condition(job) for job in mine if not job.is_settled]
    if board.lease is not None:
        kinds.append(ProblemKind.TAKEN)
    if board.presence is Presence.ABSENT and not board.away:
        kinds.append(ProblemKind.ABSENT)
    kinds += [_partition_condition(partition, mine) for partition in board.partitions if not partition.protected]
    return min(kinds, key=lambda kind: kind.rank, default=ProblemKind.NO_BUILD)


def counts(boards: Iterable[BoardState], jobs: Iterable[JobState]) -> Mapping[ProblemKind, int]:
    """Return how many boards are in which condition, worst first; each counts once, by its worst."""
    at = jobs_by_board(jobs)
    found = Counter(condition(board, at.get(board.name, ())) for board in boards)
    return {kind: found[kind] for kind in ProblemKind if found[kind]}


def jobs_by_board(jobs: Iterable[JobState]) -> Mapping[str, Sequence[JobState]]:
    """Return the jobs of each board."""
    at: dict[str, list[JobState]] = defaultdict(list)
    for job in jobs:
        at[job.board].append(job)
    return at


def last_failures(jobs: Iterable[JobState]) -> Mapping[tuple[str, str], JobState]:
    """Return the failed job of each board and partition where nothing newer was done or begun.

    A job that was cancelled or superseded puts nothing right, nor does one that only reads.
    """
    newest: dict[tuple[str, str], JobState] = {}
    for job in jobs:
        if job.kind in CHANGES and not isinstance(job.status, Superseded | Cancelled):
            before = newest.get((job.board, job.partition))
            if before is None or before.id < job.id:
                newest[job.board, job.partition] = job
    return {place: job for place, job in newest.items() if isinstance(job.status, Failed)}


def _board_problems(board: BoardState, jobs: Sequence[JobState]) -> Iterator[Problem]:
    if board.presence is Presence.AMBIGUOUS:
        text = board.trouble or "several devices look like this board"
        yield Problem(board.name, "", ProblemKind.AMBIGUOUS, text)
    elif board.trouble:
        yield Problem(board.name, "", ProblemKind.TROUBLE, board.trouble)
    if board.hold is not None:
        hint = f"release it: `flashdeck release {board.name}`"
        yield Problem(board.name, "", ProblemKind.ON_HOLD, hold_text(board), hint)
    active = [job for job in jobs if not job.is_settled]
    for job in active:
        yield from _job_problem(board, job)
    failures = last_failures(jobs)
    for partition in board.partitions:
        if partition.protected:
            yield from _protected_problems(board, partition)
        else:
            failed = failures.get((board.name, partition.name))
            is_active = any(job.partition == partition.name and job.kind in CHANGES for job in active)
            yield from _partition_problems(board, partition, failed, is_active=is_active)


def _job_problem(board: BoardState, job: JobState) -> Iterator[Problem]:
    match job.status:
        case Blocked(reason=reason, hint=hint):
            yield Problem(board.name, job.partition, ProblemKind.BLOCKED, reason, hint)
        case Waiting(for_=for_, reason=reason) if _job_condition(job).needs_person:
            hint = status_hint(job.status)
            if for_ is not WaitFor.HOLD:
                yield Problem(board.name, job.partition, ProblemKind.NEEDS_HAND, reason, hint)
            elif board.hold is None:  # the board's own state says it once for all jobs
                yield Problem(board.name, job.partition, ProblemKind.ON_HOLD, reason, hint)
        case Unknown(text=text) if job.needs_person:
            yield Problem(board.name, job.partition, ProblemKind.BLOCKED, text)
        case _:
            pass


def _partition_problems(
    board: BoardState, partition: PartitionState, failed: JobState | None, *, is_active: bool
) -> Iterator[Problem]:
    """Yield what is wrong with a partition; a job that is on its way to it puts all but a bad build right."""
    name, contents = partition.name, partition.contents
    flaw = contents_flaw(contents, plain=bool(partition.alternate)) if contents is not None and not is_active else ""
    if contents is not None and failed is not None and failed.id == contents.job and contents.verdict is not None:
        failed = None  # what is known of its start may be other than when the job ended
    if failed is not None and failed.failure is not None:  # where a flash failed, that says it for its contents, too
        yield Problem(board.name, name, ProblemKind.FAILED, failed.failure.message, failed.failure.hint)
    elif contents is not None and flaw:
        kind, hint = _flaw_of(board, contents)
        yield Problem(board.name, name, kind, flaw, hint)
    if partition.trouble:
        yield Problem(board.name, name, ProblemKind.REFUSED, partition.trouble)
    if partition.kept_open:
        yield Problem(board.name, name, ProblemKind.KEPT_OPEN, partition.kept_open, KEPT_OPEN_HINT)


def _protected_problems(board: BoardState, partition: PartitionState) -> Iterator[Problem]:
    """Yield that a flash was cut short because the partition was protected while it ran: no job ends it."""
    contents = partition.contents
    if contents is not None and not contents.complete:
        flaw = contents_flaw(contents, plain=bool(partition.alternate))
        hint = "it is protected since: take `protected` out of the configuration, and flash it again"
        yield Problem(board.name, partition.name, ProblemKind.INCOMPLETE, flaw, hint)


def _flaw_of(board: BoardState, contents: Contents) -> tuple[ProblemKind, str]:
    """Return the kind of a flaw, and what to do about it."""
    if not contents.complete:
        return ProblemKind.INCOMPLETE, "flash it again"
    if contents.uncertain:
        return ProblemKind.UNCERTAIN, "flash it again to be sure"
    if contents.started is False:
        return ProblemKind.NOT_STARTED, "look at the board, or flash another build"
    return ProblemKind.DOES_NOT_RUN, f"`flashdeck console {board.name} --since leave` shows what it said"


def _job_condition(job: JobState) -> ProblemKind:
    match job.status:
        case Running() | Written():
            return ProblemKind.FLASHING if job.kind is JobKind.FLASH else ProblemKind.BUSY
        case Blocked():
            return ProblemKind.BLOCKED
        case Waiting(for_=WaitFor.HOLD):
            return ProblemKind.ON_HOLD
        case Waiting(for_=for_):
            return ProblemKind.WAITING if for_ in _BY_ITSELF else ProblemKind.NEEDS_HAND
        case Queued():
            return ProblemKind.QUEUED
        case _:  # a state that only a newer daemon knows, and that is not settled
            return ProblemKind.BLOCKED if job.needs_person else ProblemKind.WAITING


def _partition_condition(partition: PartitionState, jobs: Iterable[JobState]) -> ProblemKind:
    if partition.offered:
        return ProblemKind.OFFERED
    if partition.current:
        return ProblemKind.CURRENT
    is_known = partition.contents is not None or any(job.partition == partition.name for job in jobs)
    return ProblemKind.NOT_CURRENT if partition.image and is_known else ProblemKind.NO_BUILD
