"""All that is counted of jobs as they go: results, times, work, interruptions. Pure: states in, numbers out.

It counts from the moment on in which it was made, as Prometheus expects of a counter: after a restart it begins at 0
again, and Prometheus goes on from there. The journal could not say more, for it keeps the newest jobs alone: a sum over
them would go down.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from flashdeck.job_state import (
    Blocked,
    Done,
    FlashWork,
    JobKind,
    Phase,
    Queued,
    Running,
    Waiting,
    judgement_of,
    name_of,
)
from flashdeck.model import JobState

BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds up to which times of phases are counted: a rebuild takes tenths, a chip that claims to be slow minutes."""
NO_WORK: Final = FlashWork()
_BEFORE: Final = frozenset((Phase.DETACH, Phase.OPEN))
"""Phases in which nothing of the board's flash was looked at: who waits there for a hand is not interrupted."""


class CountedPlace(NamedTuple):
    """A partition of a board; "" where a job is for the whole board."""

    board: str
    partition: str


class CountedEnd(NamedTuple):
    """The jobs that are counted together: those of one place, kind and end."""

    board: str
    partition: str
    kind: str
    result: str


class CountedVerdict(NamedTuple):
    """The starts that are counted together."""

    board: str
    verdict: str


class CountedTime(NamedTuple):
    """The times that are counted together."""

    profile: str
    phase: str


_OfBoard = CountedEnd | CountedVerdict | CountedPlace


@dataclass(slots=True)
class Spread:
    """Times, counted by how long they are."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    """By bucket; the last one is for all that is longer."""
    total: float = 0.0
    """Seconds."""

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


class JobTally:
    """Hears of each state of each job, and counts."""

    def __init__(self, jobs: Iterable[JobState]) -> None:
        """`jobs` are those that there are: what they did so far is not counted, but for when the last one was done."""
        self.ended: Counter[CountedEnd] = Counter()
        self.verdicts: Counter[CountedVerdict] = Counter()
        self.interruptions: Counter[CountedPlace] = Counter()
        self.work: dict[CountedPlace, FlashWork] = {}
        self.times: dict[CountedTime, Spread] = {}
        self.last_done: dict[CountedPlace, float] = {}
        """The end of the newest flash that was done; epoch seconds."""
        self._under_way: dict[int, JobState] = {}
        for job in jobs:
            if job.is_settled:
                self._note_done(job)
            else:
                self._under_way[job.id] = job

    def hear(self, job: JobState, profile: str) -> None:
        """Count what is new in the state of a job; `profile` is that of its board."""
        before = self._under_way.get(job.id)
        if before is None and job.is_settled:
            return  # it had ended before: what is told of it now, as of its hook, is no second end
        place = CountedPlace(job.board, job.partition)
        if before is not None and _is_interrupted(before, job):
            self.interruptions[place] += 1
        more = job.work.minus(before.work if before is not None else NO_WORK)
        if more != NO_WORK:
            self.work[place] = self.work.get(place, NO_WORK).plus(more)
        if not job.is_settled:
            self._under_way[job.id] = job
            return
        self._under_way.pop(job.id, None)
        self.ended[CountedEnd(job.board, job.partition, job.kind.value, name_of(job.status))] += 1
        if (judgement := judgement_of(job.status)) is not None:
            self.verdicts[CountedVerdict(job.board, judgement.verdict.value)] += 1
        for phase in Phase:
            if seconds := job.times.of(phase):
                self.times.setdefault(CountedTime(profile, phase.value), Spread()).add(seconds)
        self._note_done(job)

    def forget_all_but(self, boards: Collection[str], profiles: Collection[str]) -> None:
        """Forget what was counted of boards and profiles that are not configured any more: labels are to stay few."""
        for counted in (self.ended, self.verdicts, self.interruptions, self.work, self.last_done):
            _keep(cast("MutableMapping[_OfBoard, object]", counted), boards)
        for timed in [each for each in self.times if each.profile not in profiles]:
            del self.times[timed]

    def _note_done(self, job: JobState) -> None:
        if job.kind is JobKind.FLASH and isinstance(job.status, Done) and job.finished_at is not None:
            place = CountedPlace(job.board, job.partition)
            self.last_done[place] = max(job.finished_at, self.last_done.get(place, 0.0))


def _keep(counted: MutableMapping[_OfBoard, object], boards: Collection[str]) -> None:
    for key in [key for key in counted if key.board not in boards]:
        del counted[key]


def _is_interrupted(before: JobState, now: JobState) -> bool:
    """Return whether an attempt that had looked at the flash has ended without its work being complete."""
    was = before.status
    is_begun = isinstance(was, Running) and was.phase not in _BEFORE
    return is_begun and isinstance(now.status, Queued | Waiting | Blocked)
