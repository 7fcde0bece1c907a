"""The policy for a job after an error: one table by the kind of error, and the few facts that it needs. Pure.

A job is tried again as often as its rule says *without progress*: an attempt that wrote more of the image than all
before it does not count. What only somebody at the board can end blocks the job, and a calm replug frees
it again. Trouble of this host is never a job's result: the job waits until the host works.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from flashdeck.errors import ErrorKind
from flashdeck.job_state import CHANGES, JobKind, WaitFor


class Then(Enum):
    """The end of a job that is not tried again any more."""

    FAIL = auto()
    BLOCK = auto()
    NOTHING = auto()
    """The job is tried again for as long as it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The answer to one kind of error."""

    tries: int = 1
    """Attempts in a row that may end like this without progress, the last one included."""
    pauses: tuple[float, ...] = (0.0,)
    """Seconds before the next attempt, after the first, the second ... of them; the last one repeats."""
    then: Then = Then.FAIL
    waits_for: WaitFor = WaitFor.PAUSE
    """The event for which a job waits until the next attempt, as people read it."""

    def pause(self, times: int) -> float:
        """Return the pause in seconds after an error that was met `times` (1 or more) in a row."""
        return self.pauses[min(times, len(self.pauses)) - 1]


NEVER: Final = Rule()
"""Not tried again: it would end in the same way, or must not be repeated."""
_BOARD: Final = Rule(tries=3, pauses=(0.5, 2.0))
"""The board refused something: it may have been disturbed, and what is wrong for good is said soon."""
_LOST: Final = Rule(tries=8, then=Then.BLOCK, waits_for=WaitFor.ABSENT)
"""Cables are pulled, and hubs misbehave."""
ACCESS_PAUSE: Final = (5.0,)
"""Nobody tells of a changed mode, or that another program has let the device go."""
_HOST: Final = Rule(pauses=(1.0, 2.0, 5.0, 15.0, 30.0), then=Then.NOTHING, waits_for=WaitFor.DISK)

RULES: Final[Mapping[ErrorKind, Rule]] = {
    ErrorKind.DEVICE_GONE: _LOST,
    # The next attempt begins by resetting the board's port.
    ErrorKind.TRANSFER_TIMEOUT: Rule(tries=8, then=Then.BLOCK),
    ErrorKind.STALL: _BOARD,
    ErrorKind.DFU_STATUS: _BOARD,
    ErrorKind.DFU_STATE: _BOARD,
    ErrorKind.DESCRIPTOR: _BOARD,
    # What does not read back as written was done again within the attempt; a second attempt writes everything.
    ErrorKind.VERIFY: Rule(tries=2, pauses=(0.5,)),
    ErrorKind.NO_PERMISSION: Rule(pauses=ACCESS_PAUSE, then=Then.NOTHING, waits_for=WaitFor.ACCESS),
    ErrorKind.DEVICE_BUSY: Rule(pauses=ACCESS_PAUSE, then=Then.NOTHING, waits_for=WaitFor.BUSY),
    ErrorKind.HOST: _HOST,
    ErrorKind.BLOCKED: Rule(then=Then.BLOCK),
    # Another device in the board's place: hotplug tells when it goes.
    ErrorKind.AMBIGUOUS: Rule(pauses=(5.0, 30.0), then=Then.NOTHING, waits_for=WaitFor.OTHER_DEVICE),
}
"""All other kinds are `NEVER`: a guard or a rule that said no, a wrong bank, an image that the bootloader did not
accept, a fault of our own."""


LOOK_TRIES: Final = 3
"""Attempts without progress of a job that changes nothing; what it was wanted for is soon over."""
_NOT_TRIED_AGAIN: Final = frozenset((ErrorKind.VERIFY, ErrorKind.BLOCKED))
"""Kinds of errors that are the answer to whoever wanted a job that changes nothing."""


def rule_for(kind: ErrorKind, of: JobKind = JobKind.FLASH) -> Rule:
    """Return how a kind of error is met in a kind of job.

    A job that changes nothing is never blocked: somebody waits for its answer, and nothing is left to be mended.
    """
    rule = RULES.get(kind, NEVER)
    if of in CHANGES:
        return rule
    if kind in _NOT_TRIED_AGAIN:
        return NEVER
    return replace(rule, tries=min(rule.tries, LOOK_TRIES), then=Then.FAIL) if rule.then is Then.BLOCK else rule


RESTS: Final = (3.0, 30.0, 300.0)
"""Seconds that a board has to stay after it came back, until a job that it was lost in too often is tried again: the
first time, the second ...; the last one repeats. A board that a person plugs in stays; one that crashes in every
attempt is not worn out."""


@dataclass(slots=True)
class FailedAttempts:
    """The failed attempts of one job. They last as long as the daemon: a restart begins anew."""

    best: int = -1
    """The most that an attempt has brought onto the board, in bytes."""
    in_vain: int = 0
    """Attempts in a row that did not get further."""
    delays: int = 0
    """Times in a row that this host, or the way to the board, kept it from being tried."""
    blocked: int = 0
    """The number of times that the job was blocked for that."""

    def note(self, reached: int) -> int:
        """Take in how far an attempt came, in bytes; return how many in a row were in vain."""
        self.in_vain = 1 if reached > self.best else self.in_vain + 1
        self.best = max(self.best, reached)
        return self.in_vain

    def rest(self) -> float:
        """Return how long the board has to stay, in seconds, until the job is tried again."""
        return RESTS[min(max(self.blocked, 1), len(RESTS)) - 1]
