"""The moments that matter: what is begun, written, recorded or read again right now, so that trouble can come there.

Chance alone hardly ever meets them: between a step and the record of it lies no time, and a seed has a hundred thousand
points. An actor that has something for a moment (`when`) does it in some of those that come, and then lets the daemon
be for a while.
"""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from flashdeck.job_state import JobStatus, Phase, Queued, Running, WaitFor, Waiting, is_settled
from simulation.baton import Point
from simulation.disk import Deed as DiskDeed
from simulation.disk import Step
from simulation.invariants.attempts import Attempt, is_blank
from simulation.watched_flash import Cause

if TYPE_CHECKING:
    from simulation.world import World

SHARES: Final = (0.3, 0.6, 1.0)
"""The share of its moments at which something is done: one of these in a seed."""
BETWEEN_SECONDS: Final = 3.0
"""Virtual seconds of a long night, in the mean, until it is done again."""
OWN_PLACE: Final = "config/"
"""The directory of boards.toml, on the disk."""
_BOARD: Final = re.compile(r'"board":"([^"]+)"')
SPOOL: Final = "state/spool/"


class Moment(Enum):
    """A moment that matters. Whoever hears of it is given a name: of a board, of a device, or none."""

    QUEUED = "a job waits for its turn"
    """Of a board."""
    RUNS = "a job is shown as running"
    """Of a board."""
    BEGINS = "the first byte has changed for an attempt, canaries aside"
    """Of a device."""
    CANARY = "a canary was written"
    """Of a device."""
    WHOLE = "a boot unit was written: the image is there, and the end of its job is about to be recorded"
    """Of a device."""
    PAUSES = "a job is to be tried again later"
    """Of a board."""
    OPENS = "a lane begins to do something with its board"
    """Of a board."""
    RECORDS = "something of a job is being recorded"
    """Of a board."""
    ASKS = "it is being recorded that an application is asked to start the bootloader"
    """Of a board."""
    OWN_FILE = "boards.toml is being written"
    TAKES_IN = "an image is being kept"
    READS_AGAIN = "a configuration has changed"


Deed = Callable[[str], None]


@dataclass(slots=True)
class _Aim:
    """Something that an actor does at a moment."""

    share: float
    deed: Deed
    rests_until: float = 0.0


class Moments:
    """One for a world. What actors do at a moment is done at the next point of one of the daemon's threads."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._seed = world.random("moments")
        self.disk_step = Step(0, DiskDeed.READ, "")
        """The change of the disk that the daemon is at, or was at last."""
        self._aims: dict[Moment, list[_Aim]] = defaultdict(list)
        self._changed: deque[tuple[str, Cause]] = deque()
        """Changes of a flash that nobody has looked at."""
        self._begun: set[Attempt] = set()
        self._has_jobs = False
        """True if something was told of a job that nobody has looked at."""
        self._shown: dict[int, JobStatus] = {}
        self._is_edited = False

    def when(self, moment: Moment, deed: Deed) -> None:
        """Do something at some of the moments of a kind, until the calm."""
        if not self._aims:
            self._world.hearers.append(self._hear)
            self._world.watch(self._watch, is_on=True)
        self._aims[moment].append(_Aim(self._seed.choice(SHARES), deed))

    def recording(self, values: Sequence[object]) -> None:
        """Something is being recorded, in the journal's thread."""
        if self._world.is_calm or not self._aims:
            return
        for value in map(str, values):
            if found := _BOARD.search(value):
                self._come(Moment.ASKS if f'"{Phase.DETACH.value}"' in value else Moment.RECORDS, found[1])
                return

    def _hear(self, kind: str, text: str) -> None:
        match kind:
            case "flash":
                device = text.partition(" ")[0]
                self._changed.append((device, self._world.witness.cause(device)))
            case "event" if text.startswith("job "):
                self._has_jobs = True  # which it is, is seen once the rules have heard of it
            case "reload" | "configure":
                self._is_edited = True
            case _:
                pass

    def _watch(self, at: Point) -> None:
        if self._world.is_calm:
            self._world.watch(self._watch, is_on=False)
            return
        while self._changed:
            self._see_change(*self._changed.popleft())
        if self._has_jobs:
            self._has_jobs = False
            self._see_jobs()
        if self._is_edited:
            self._is_edited = False
            self._come(Moment.READS_AGAIN, "")
        if at is Point.WORK and Moment.OPENS in self._aims and (lane := self._world.witness.cause("").lane):
            self._come(Moment.OPENS, lane)
        if at is Point.DISK:
            path = self.disk_step.path
            if path.startswith(SPOOL):
                self._come(Moment.TAKES_IN, "")
            elif path.startswith(OWN_PLACE):
                self._come(Moment.OWN_FILE, "")

    def _see_change(self, device: str, cause: Cause) -> None:
        attempt = self._world.witness.checker.attempts.running(cause.lane)
        if attempt is None or attempt.device is None or attempt.device.name != device:
            return
        if attempt.is_canary:
            self._come(Moment.CANARY, device)
        elif attempt not in self._begun:
            self._begun.add(attempt)
            self._come(Moment.BEGINS, device)
        elif not is_blank(attempt.device.bytes_of(attempt.boot_unit)):
            self._come(Moment.WHOLE, device)

    def _see_jobs(self) -> None:
        for job in self._world.witness.seen.shown.jobs.values():
            before, self._shown[job.id] = self._shown.get(job.id), job.status
            if is_settled(job.status) or type(before) is type(job.status):
                continue
            match job.status:
                case Queued():
                    self._come(Moment.QUEUED, job.board)
                case Running():
                    self._come(Moment.RUNS, job.board)
                case Waiting(for_=WaitFor.PAUSE | WaitFor.DISK | WaitFor.OTHER_DEVICE | WaitFor.BUSY):
                    self._come(Moment.PAUSES, job.board)
                case _:
                    pass

    def _come(self, moment: Moment, name: str) -> None:
        """Let one of those who wait for a moment do what they have for it: two would spoil each other's."""
        now = self._world.baton.now
        aims = self._aims.get(moment, ())
        for aim in self._seed.sample(aims, len(aims)):
            if now >= aim.rests_until and self._seed.random() < aim.share:
                aim.rests_until = now + self._seed.expovariate(1 / BETWEEN_SECONDS) / self._world.night.haste
                self._world.tell("aimed", f"{moment.name.lower()} {name}")
                aim.deed(name)
                return
