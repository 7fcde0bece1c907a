"""The order in which the jobs of one board run, and how a person changes it. Pure.

Daemon and clients go by the same order: what takes a board out of DFU mode, then what a person has moved, then the rest
in the order of the configuration.
"""

from collections.abc import Callable, Iterable, Sequence

from flashdeck.errors import RequestError
from flashdeck.job_state import Blocked, JobKind, Queued, Waiting
from flashdeck.model import JobState
from flashdeck.open_enum import OpenEnum


class QueueMove(OpenEnum):
    """A way in the queue of a board."""

    UP = "up"
    DOWN = "down"
    FIRST = "first"  # up as far as it goes
    OTHER = "other"


def in_queue_order(jobs: Iterable[JobState], partitions: Sequence[str]) -> list[JobState]:
    """Return jobs of one board in the order in which they run; `partitions` are in that of the configuration."""
    places = {name: place for place, name in enumerate(partitions)}

    def key(job: JobState) -> tuple[bool, bool, int, int, int]:
        place = places.get(job.partition, len(places))
        return (job.kind is not JobKind.RESET, not job.rank, job.rank, place, job.id)

    return sorted(jobs, key=key)


def in_order_of_each_board(jobs: Iterable[JobState], partitions_of: Callable[[str], Sequence[str]]) -> list[JobState]:
    """Return jobs of many boards, the oldest first, but those of each board in the order in which they run."""
    oldest_first = sorted(jobs, key=lambda job: job.id)
    mine: dict[str, list[JobState]] = {}
    for job in oldest_first:
        mine.setdefault(job.board, []).append(job)
    queues = {board: iter(in_queue_order(queue, partitions_of(board))) for board, queue in mine.items()}
    return [next(queues[job.board]) for job in oldest_first]


def is_in_queue(job: JobState) -> bool:
    """Tell whether a job has not begun: it can be moved."""
    return isinstance(job.status, Queued | Waiting | Blocked)


def moved(job: JobState, to: QueueMove, queue: Sequence[JobState]) -> list[JobState]:
    """Return the queue of a board, `queue`, in the order that it has once `job` was moved.

    Jobs of one partition keep their order, and what takes the board out of DFU mode stays first: raises RequestError
    where a job would have to pass one of these, and where there is nothing to pass.
    """
    order = list(queue)
    at = next(place for place, other in enumerate(order) if other.id == job.id)
    step = 1 if to is QueueMove.DOWN else -1
    if why := why_not_moved(job, to, order):
        raise RequestError(why, hint="only jobs of different partitions change places")
    while not why_not_moved(job, to, order):
        order[at], order[at + step] = order[at + step], order[at]
        at += step
        if to is not QueueMove.FIRST:
            break
    return order


def why_not_moved(job: JobState, to: QueueMove, queue: Sequence[JobState]) -> str:
    """Return why a job of `queue` cannot be moved; "" where it can."""
    if to is QueueMove.OTHER:
        return f"job {job.id} can be moved up, down or first, and in no other way"
    if job.kind is JobKind.RESET:
        return _STAYS_FIRST.format(job.id)
    at = next(place for place, other in enumerate(queue) if other.id == job.id)
    passed = at + (1 if to is QueueMove.DOWN else -1)
    if not 0 <= passed < len(queue):
        return f"job {job.id} is the {'first' if passed < 0 else 'last'} one in the queue of {job.board}"
    other = queue[passed]
    if other.kind is JobKind.RESET:
        return _STAYS_FIRST.format(other.id)
    if other.partition == job.partition:
        return f"job {other.id} is for {job.partition}, too: jobs of one partition keep their order"
    return ""


_STAYS_FIRST = "job {} takes the board out of DFU mode: that comes first"


def ranked(before: Sequence[JobState], after: Sequence[JobState]) -> list[JobState]:
    """Return the jobs, in the order of `after`, that need a rank so that it stays.

    These are all up to the last that has another place than in `before`, or a rank already. What is queued later comes
    behind them.
    """
    pairs = enumerate(zip(before, after, strict=True), 1)
    last = max((place for place, (was, now) in pairs if was.id != now.id or now.rank), default=0)
    return list(after[:last])
