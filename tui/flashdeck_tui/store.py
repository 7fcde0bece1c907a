"""The state of one daemon as the client knows it: fed with snapshots and events, read by every screen. Pure.

The store has the daemon's own values (`flashdeck.model`) and what only a client can know of them: the speed of a job,
and the lines of the log so far. How these are put into words is the business of `views`.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from math import isclose

from flashdeck.flash_map import FlashMap
from flashdeck.job_state import Blocked, JobStatus, Queued, Running, Unknown, Waiting, Written
from flashdeck.model import (
    ArtifactState,
    BoardState,
    DaemonState,
    DeviceState,
    Event,
    JobState,
    LogLine,
    PartitionState,
    Snapshot,
)
from flashdeck.problems import Problem, ProblemKind, condition, last_failures, problems
from flashdeck.queue_order import in_order_of_each_board, is_in_queue
from flashdeck.slot_state import LotState, SlotState
from flashdeck_tui.map_cells import map_of_partitions

LOG_LINES = 5000
"""Log lines kept; older ones stay with the daemon."""
ENDED_JOBS = 200
"""Jobs kept that have ended."""
JUST_HELD = 1.0
"""Seconds for which a hold is new: a key that was meant to hold a board is not to release it."""
RATE_SECONDS = 3.0
"""The speed of a job is that of its last seconds: this many at the most, and no longer than that after the last."""

_URGENCY: tuple[type[JobStatus], ...] = (Running, Written, Waiting, Blocked, Queued, Unknown)
"""The states of jobs that are not settled, the one that matters most to a person first."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The thing that a person points at: a board, one of its partitions, a job, or a device that is no board."""

    board: str = ""
    partition: str = ""
    job: int = 0
    device: str = ""
    """The port of the device."""
    host: str = ""
    """The name of its host, as `FleetHost.name`."""
    group: str = ""
    """A group of boards in the list, by its name: then it is none of the others."""

    @property
    def whole_board(self) -> "Selection":
        """The board alone, whatever of it is pointed at."""
        return Selection(board=self.board, host=self.host)


NOTHING = Selection()


@dataclass(frozen=True, slots=True)
class BoardHealth:
    """The things that are wrong with a board, and the worst of them, which is what it counts as."""

    condition: ProblemKind
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _PhaseSamples:
    """The way of a job through its current phase: when how many bytes were done."""

    phase: str
    samples: tuple[tuple[float, int], ...]


class Store:
    """The newest state of everything. `revision` grows with every change, so that a reader can tell whether to look.

    Lines of the log are counted apart, in `log_count`: they come by the thousand, and change nothing else.

    `clock` is monotonic, in seconds; it only measures how fast jobs are, and how new a hold is.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.revision = 0
        self.daemon: DaemonState | None = None
        """None until the first snapshot."""
        self.boards: dict[str, BoardState] = {}
        self.devices: tuple[DeviceState, ...] = ()
        self.jobs: dict[int, JobState] = {}
        self.artifacts: dict[tuple[str, str], ArtifactState] = {}
        """The newest of each profile and partition."""
        self.maps: dict[str, FlashMap] = {}
        """The flash maps that the daemon has told, by board; an older one tells none."""
        self.slots: dict[str, SlotState] = {}
        self.lots: dict[str, LotState] = {}
        """The lots that go on."""
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.log_count = 0
        """Log lines ever taken, so that a reader knows how many are new to it."""
        self._last_line = 0
        self._progress: dict[int, _PhaseSamples] = {}
        self._jobs_at: dict[str, dict[int, JobState]] = {}
        """The jobs of each board, so that a board is told without a look at those of all others."""
        self._held_at: dict[str, float] = {}
        """The time at which a hold was heard of that was not there before, by board."""
        self._health: dict[str, BoardHealth] = {}
        """The health of boards that have not changed since it was found out."""

    def take(self, change: Snapshot | Event) -> None:
        """Takes everything at one instant, or one change after it."""
        if isinstance(change, Snapshot):
            self._take_snapshot(change)
        elif change.log is not None:
            self.take_log((change.log,))
            return
        else:
            self._take_event(change)
        self.revision += 1

    def take_log(self, lines: Iterable[LogLine]) -> None:
        """Takes log lines in ascending order; those it has already are left out."""
        for line in lines:
            if line.id > self._last_line:
                self._last_line = line.id
                self.log.append(line)
                self.log_count += 1

    def take_maps(self, maps: Iterable[FlashMap]) -> None:
        """Takes flash maps as they are now."""
        self.maps |= {each.board: each for each in maps}
        self.revision += 1

    @property
    def last_line(self) -> int:
        """The id of the newest log line of this daemon; 0 before the first."""
        return self._last_line

    def log_since(self, count: int) -> Sequence[LogLine]:
        """The lines after the first `count` ever taken, as far as they are still kept."""
        new = min(self.log_count - count, len(self.log))
        return list(islice(self.log, len(self.log) - new, None)) if new > 0 else []

    def partition(self, board: str, name: str) -> PartitionState | None:
        """A partition of a board, if there is one of that name."""
        state = self.boards.get(board)
        return next((p for p in state.partitions if p.name == name), None) if state else None

    def artifact(self, board: str, partition: str) -> ArtifactState | None:
        """The newest image that was built for a partition of a board."""
        state = self.boards.get(board)
        return self.artifacts.get((state.profile, partition)) if state else None

    def map_of(self, board: str) -> FlashMap:
        """The flash map of a board: the daemon's, else one of its partitions alone."""
        known, state = self.maps.get(board), self.boards.get(board)
        return known or (map_of_partitions(state) if state is not None else FlashMap(board=board))

    def jobs_at(self, board: str, partition: str = "") -> Iterator[JobState]:
        """The jobs of a board, or of one of its partitions, newest first."""
        jobs = self._jobs_at.get(board, {}).values()
        mine = [job for job in jobs if partition in ("", job.partition)]
        return iter(sorted(mine, key=lambda job: -job.id))

    def queue(self, board: str = "") -> list[JobState]:
        """The jobs that have not begun, of a board or of all, those of each board in the order in which they run."""
        jobs = (job for job in self.jobs.values() if is_in_queue(job) and board in ("", job.board))
        return in_order_of_each_board(jobs, self._partitions)

    def _partitions(self, board: str) -> list[str]:
        state = self.boards.get(board)
        return [partition.name for partition in state.partitions] if state is not None else []

    def active_job(self, selection: Selection) -> JobState | None:
        """The job that is meant where one that has not ended is wanted: the running one first, then the next to run."""
        if selection.job:
            chosen = self.jobs.get(selection.job)
            return chosen if chosen is not None and not chosen.is_settled else None
        active = [job for job in self.jobs_at(selection.board, selection.partition) if not job.is_settled]
        active = in_order_of_each_board(active, self._partitions)
        return min(active, key=lambda job: _URGENCY.index(type(job.status)), default=None)

    def last_job(self, selection: Selection) -> JobState | None:
        """The job that is meant where any will do: the selected one, else an active one, else the newest."""
        if selection.job:
            return self.jobs.get(selection.job)
        return self.active_job(selection) or next(self.jobs_at(selection.board, selection.partition), None)

    def last_failure(self, board: str, partition: str = "") -> JobState | None:
        """The newest job there, if it failed: what went wrong and was not put right since."""
        failed = last_failures(self.jobs_at(board, partition)).values()
        return max(failed, key=lambda job: job.id, default=None)

    def health(self, board: str) -> BoardHealth:
        """Return what is wrong with a board that there is; found out again only once it or a job of it has changed."""
        if board not in self._health:
            state, jobs = self.boards[board], list(self.jobs_at(board))
            self._health[board] = BoardHealth(condition(state, jobs), tuple(problems((state,), jobs)))
        return self._health[board]

    def counts(self) -> Mapping[ProblemKind, int]:
        """Return how many boards are in which condition, worst first; each counts once, by its worst."""
        found = Counter(self.health(board).condition for board in self.boards)
        return {kind: found[kind] for kind in ProblemKind if found[kind]}

    def is_just_held(self, board: str) -> bool:
        """True if a board was put on hold in the last moment."""
        return self._clock() - self._held_at.get(board, -JUST_HELD) < JUST_HELD

    @property
    def is_busy(self) -> bool:
        """True while a job runs: how fast it is, and if its board answers, changes though nothing is heard of it."""
        return any(isinstance(job.status, Running) for job in self.jobs.values())

    def speed(self, job: int) -> float | None:
        """Bytes a second of a running job in its current phase; None while that cannot be told, or nothing comes."""
        progress = self._progress.get(job)
        return speed_of(progress.samples, self._clock()) if progress is not None else None

    def _take_snapshot(self, snapshot: Snapshot) -> None:
        if self.daemon is not None and self.daemon.instance != snapshot.daemon.instance:
            self._last_line = 0  # another daemon counts its lines from the start
        self.daemon = snapshot.daemon
        self.boards = {board.name: board for board in snapshot.boards}
        self.devices = snapshot.devices
        self.jobs = {job.id: job for job in snapshot.jobs}
        self._jobs_at.clear()
        self._health.clear()
        for job in snapshot.jobs:
            self._jobs_at.setdefault(job.board, {})[job.id] = job
        self.artifacts = {(artifact.profile, artifact.partition): artifact for artifact in snapshot.artifacts}
        self.maps = {each.board: each for each in snapshot.maps}
        self.slots = {slot.name: slot for slot in snapshot.slots}
        self.lots = {lot.name: lot for lot in snapshot.lots}
        self._progress.clear()

    def _take_event(self, event: Event) -> None:
        if event.daemon is not None:
            self.daemon = event.daemon
        elif event.board is not None:
            self._note_hold(event.board)
            self.boards[event.board.name] = event.board
            self._health.pop(event.board.name, None)
        elif event.devices is not None:
            self.devices = event.devices
        elif event.job is not None:
            self._take_job(event.job)
        elif event.artifact is not None:
            self.artifacts[event.artifact.profile, event.artifact.partition] = event.artifact
        elif event.map is not None:
            self.maps[event.map.board] = event.map
        elif event.slot is not None:
            self.slots[event.slot.name] = event.slot
        elif event.lot is not None:
            self._take_lot(event.lot)

    def _take_lot(self, lot: LotState) -> None:
        if lot.ended_at is None:
            self.lots[lot.name] = lot
        else:
            self.lots.pop(lot.name, None)

    def _note_hold(self, board: BoardState) -> None:
        before = self.boards.get(board.name)
        if board.hold is not None and (before is None or before.hold != board.hold):
            self._held_at[board.name] = self._clock()

    def _take_job(self, job: JobState) -> None:
        self.jobs[job.id] = job
        self._jobs_at.setdefault(job.board, {})[job.id] = job
        self._health.pop(job.board, None)
        if isinstance(job.status, Running):
            self._progress[job.id] = self._further(self._progress.get(job.id), job.status.phase, job.status.done)
        else:
            self._progress.pop(job.id, None)
        if job.is_settled:
            ended = sorted(number for number, other in self.jobs.items() if other.is_settled)
            for number in ended[:-ENDED_JOBS]:
                gone = self.jobs.pop(number)
                self._jobs_at[gone.board].pop(number)
                self._health.pop(gone.board, None)

    def _further(self, before: _PhaseSamples | None, phase: str, done: int) -> _PhaseSamples:
        now = self._clock()
        if before is None or before.phase != phase or done < before.samples[-1][1]:
            return _PhaseSamples(phase, ((now, done),))
        samples = (*before.samples, (now, done))
        # One sample older than the window stays, so that a slow job keeps its speed.
        first = max((i for i, (at, _) in enumerate(samples) if at <= now - RATE_SECONDS), default=0)
        return _PhaseSamples(phase, samples[first:])


def speed_of(samples: Sequence[tuple[float, int]], now: float) -> float | None:
    """Return the bytes a second of what was done at these seconds, of which the last is past by `now`.

    Once nothing has come for longer than it took between two samples, the speed sinks, to nothing within RATE_SECONDS.
    None where it cannot be told, or is nothing.
    """
    (since, before), (until, done) = samples[0], samples[-1]
    if until <= since or done <= before:
        return None
    usual = max(later - earlier for (earlier, _), (later, _) in pairwise(samples))
    left = 1 - max(0.0, now - until - usual) / RATE_SECONDS
    if left <= 0 or isclose(left, 0.0, abs_tol=1e-9):  # what rounding alone leaves is nothing
        return None
    return left * (done - before) / (until - since)
