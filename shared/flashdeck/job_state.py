"""The life of a job: each state a value with just what it means, and one table of what may follow what. Pure.

Everybody who has to decide something about a job matches on its `status`; nobody compares sentences.
"""

from collections.abc import Mapping
from typing import Final, TypeGuard, get_args

from msgspec import field
from msgspec.structs import replace

from flashdeck.errors import ErrorKind
from flashdeck.open_enum import OpenEnum
from flashdeck.value import Value
from flashdeck.verdict import Judgement


class Origin(OpenEnum):
    """The side that asked for a job."""

    BUILD = "build"
    HAND = "hand"
    FLASHDECK = "flashdeck"  # flashdeck by itself, where a board goes back
    OTHER = "other"


class JobKind(OpenEnum):
    """The thing that a job does to its board."""

    FLASH = "flash"
    VERIFY = "verify"
    READ = "read"
    ERASE = "erase"
    RESET = "reset"  # leave DFU mode
    OTHER = "other"


CHANGES: Final = frozenset((JobKind.FLASH, JobKind.ERASE))
"""The kinds of jobs that change what a partition has."""
LOOKS: Final = frozenset((JobKind.VERIFY, JobKind.READ))
"""The kinds of jobs that only read, and leave the board as they found it."""


class Phase(OpenEnum):
    """The work of a running job."""

    DETACH = "detach"
    OPEN = "open"
    COMPARE = "compare"
    ERASE = "erase"
    WRITE = "write"
    VERIFY = "verify"
    READ = "read"
    BOOT_UNIT = "boot-unit"
    LEAVE = "leave"
    START = "start"
    OTHER = "working"


class Verified(OpenEnum):
    """The knowledge of a partition's contents."""

    YES = "verified"
    NO = "not verified"
    OTHER = "other"


class WaitFor(OpenEnum):
    """The event that a job waits for; it needs no new request."""

    ABSENT = "absent"  # its board is not connected
    HAND = "hand"  # a person has to bring its board into DFU mode
    HOLD = "hold"  # its board is on hold
    ACCESS = "access"  # the system does not let us open the device
    BUSY = "busy"  # another program has the device
    DISK = "disk"  # this host's disk or journal fails
    OTHER_DEVICE = "other-device"  # another device is in its board's place, or two look like it
    LEASE = "lease"  # somebody has taken its board for a while
    CONTROLLER = "controller"  # as many boards of its board's host controller are busy as may be at once
    PAUSE = "pause"  # it is tried again after a pause
    OTHER = "other"


class Canceller(OpenEnum):
    """The one who ended a job before it was done."""

    PERSON = "person"
    CLIENT = "client"  # the connection that had asked for it with `cancel_on_exit` is gone
    CONFIGURATION = "configuration"  # its board or partition is not in it any more
    OTHER = "other"


class DeviceWork(OpenEnum):
    """The work that a board claims time for."""

    ADDRESS = "address"  # setting an address
    BLOCK = "block"
    ERASE = "erase"
    END = "end"  # the end of an image (plain DFU 1.1)
    OTHER = "other"


class TimeClaim(Value, frozen=True, kw_only=True):
    """The time that a board claims for its work (bwPollTimeout), where it is waited for."""

    work: DeviceWork
    seconds: float
    """The time that it claims."""
    waits: float
    """The seconds of it that are waited for: not more than such work could ever need, unless the profile says so."""


class Failure(Value, frozen=True, kw_only=True):
    """An error as it travels and is kept."""

    kind: ErrorKind
    message: str
    hint: str = ""


class JobResult(Value, frozen=True, kw_only=True):
    """The work of a job, counted."""

    bytes_written: int
    """Image bytes that were programmed."""
    erases: int
    blocks: int
    transfers: int
    """DFU class requests and string reads from opening the session to the leave."""
    uploads: int
    slept: float
    """Seconds that the host slept because the device asked for it."""
    seconds: float
    verified: Verified
    protection: str
    """The protection that kept a half-written image from booting."""
    started: bool | None = None
    unchanged: int = 0
    """Bytes of sectors that had the image already and were left alone."""
    erased_beside: int = 0
    """Bytes beside the image that were erased, because it covers only part of their sectors."""
    remarks: tuple[str, ...] = ()
    """Remarks on how it went: why it is not verified, what had to be done again."""
    bytes_read: int = 0
    """Bytes that were read to be compared or kept; 0 for a job that flashes or erases."""
    different: int = 0
    """Those of them that are not what was compared with."""
    first_difference: int | None = None
    """Address of the first of these; an offset where the device knows no addresses."""


class PhaseTimes(Value, frozen=True, kw_only=True):
    """The seconds that a job has spent in each phase, over all its attempts."""

    detach: float = 0.0
    open: float = 0.0
    compare: float = 0.0
    erase: float = 0.0
    write: float = 0.0
    verify: float = 0.0
    read: float = 0.0
    boot_unit: float = 0.0
    leave: float = 0.0
    start: float = 0.0

    def of(self, phase: Phase) -> float:
        """Return the seconds of one phase; 0 for one that is not counted."""
        return float(getattr(self, phase.name.lower(), 0.0))

    def plus(self, phase: Phase, seconds: float) -> "PhaseTimes":
        """Return these times with more of one phase; one that only a newer daemon knows is not counted."""
        name = phase.name.lower()
        more = round(self.of(phase) + max(0.0, seconds), 3)
        return replace(self, **{name: more}) if name in self.__struct_fields__ else self


class FlashWork(Value, frozen=True, kw_only=True):
    """The work of a job on the flash of its board, over all its attempts, also those that were cut short."""

    sectors_erased: int = 0
    """Erases of a sector that the board has confirmed; a sector may be erased more than once."""
    bytes_written: int = 0
    """Bytes that it was given and has confirmed, filling included."""
    bytes_read: int = 0
    """Bytes that were read to be compared, verified or kept."""

    def plus(self, more: "FlashWork") -> "FlashWork":
        """Return the sum."""
        return FlashWork(
            sectors_erased=self.sectors_erased + more.sectors_erased,
            bytes_written=self.bytes_written + more.bytes_written,
            bytes_read=self.bytes_read + more.bytes_read,
        )

    def minus(self, less: "FlashWork") -> "FlashWork":
        """Return the difference."""
        return FlashWork(
            sectors_erased=self.sectors_erased - less.sectors_erased,
            bytes_written=self.bytes_written - less.bytes_written,
            bytes_read=self.bytes_read - less.bytes_read,
        )


class HookRun(Value, frozen=True, kw_only=True):
    """The run of a command that the configuration names for the end of a job."""

    name: str
    """`done` or `failed`."""
    ending: str
    """Its end, to go on after its name: "ended with 0"."""
    code: int | None = None
    """Its exit code; None where it did not end by itself, or was not run."""
    seconds: float = 0.0
    output: tuple[str, ...] = ()
    """The last lines that it printed."""


class Queued(Value, frozen=True, kw_only=True, tag_field="state", tag="queued"):
    """It waits for its turn."""

    note: str = ""
    """The reason why it is in the queue again; "" where it never left it."""


class Waiting(Value, frozen=True, kw_only=True, tag_field="state", tag="waiting"):
    """It cannot run now, and goes on by itself once what it waits for has come."""

    for_: WaitFor = field(name="for")
    reason: str
    """The reason, in a sentence: what was seen."""
    hint: str = ""
    """The next step for a person; "" for none."""


class Running(Value, frozen=True, kw_only=True, tag_field="state", tag="running"):
    """It is being carried out. Times are in epoch seconds, by the daemon's clock."""

    phase: Phase
    done: int = 0
    total: int = 0
    """Progress of the phase, in bytes (erase: bytes of the sectors); 0 where it cannot be measured."""
    since: float
    """Start of the phase."""
    answered_at: float
    """Time of the board's last answer to a request."""
    claim: TimeClaim | None = None
    """The time that the board claims for what it does now, from some half a second on; None where it claims none."""


class Written(Value, frozen=True, kw_only=True, tag_field="state", tag="written"):
    """Its work on the board is complete; what is missing is the leave, which comes last in a visit."""

    result: JobResult | None = None
    """The work of the flash; None where the daemon was killed before it could tell."""
    phase: Phase | None = None
    """LEAVE or START once that is under way."""
    reason: str = ""
    """The reason why it is not under way yet; "" where something else is flashed before."""


class Blocked(Value, frozen=True, kw_only=True, tag_field="state", tag="blocked"):
    """It does not start until a person acts."""

    reason: str
    hint: str = ""


class Done(Value, frozen=True, kw_only=True, tag_field="state", tag="done"):
    """Its image is on the board, or what else it was to do is done."""

    result: JobResult | None = None
    """The work of the flash; None where the daemon was killed before it could tell."""
    not_started: str = ""
    """The reason why the board was not started after all; "" where it was, or was not to be."""
    verdict: Judgement | None = None
    """The verdict on the start, by the board's console; None where nothing is judged."""


class Failed(Value, frozen=True, kw_only=True, tag_field="state", tag="failed"):
    """It was given up."""

    failure: Failure
    result: JobResult | None = None
    """The work of the flash, where its image is complete on the board all the same."""
    verdict: Judgement | None = None
    """The verdict on the start; None where nothing is judged, or it was not begun."""


class Superseded(Value, frozen=True, kw_only=True, tag_field="state", tag="superseded"):
    """A newer image took its place before it was done."""

    by: int = 0
    """The job that took it; 0 where the board has the newer image already."""


class Cancelled(Value, frozen=True, kw_only=True, tag_field="state", tag="cancelled"):
    """Somebody ended it before it was done."""

    by: Canceller
    reason: str = ""
    """The state that it leaves behind; "" for none."""
    user: str = ""
    """The person, by name, where several people use the bench; "" elsewhere."""


class Unknown(Value, frozen=True, kw_only=True, tag_field="state", tag="unknown"):
    """Stands in for a state that only a newer daemon knows; what it means is in `JobState` beside it."""

    name: str = ""
    """The name that the daemon has for it."""
    text: str = ""
    """`JobState.text`: that daemon's own sentence."""


JobStatus = Queued | Waiting | Running | Written | Blocked | Done | Failed | Superseded | Cancelled | Unknown
"""The state of a job."""

Settled = Done | Failed | Superseded | Cancelled
"""The states that nothing changes any more."""

STATUSES: Final[tuple[type[JobStatus], ...]] = get_args(JobStatus)

TRANSITIONS: Final[Mapping[type[JobStatus], tuple[type[JobStatus], ...]]] = {
    Queued: (Queued, Waiting, Running, Written, Blocked, Failed, Superseded, Cancelled),
    Waiting: (Queued, Waiting, Running, Written, Blocked, Failed, Superseded, Cancelled),
    Running: (Queued, Waiting, Running, Written, Blocked, Failed, Cancelled),
    Written: (Written, Queued, Done, Failed, Cancelled),
    Blocked: (Queued, Blocked, Failed, Superseded, Cancelled),
    Done: (),
    Failed: (),
    Superseded: (),
    Cancelled: (),
    Unknown: (),
}
"""The states that may follow each state.

Only a job whose work on the board is complete is done. A running job is not superseded. A written job is only started,
or begun again if its image turned out to be lost.
"""


SETTLED: Final[tuple[type[JobStatus], ...]] = get_args(Settled)
"""The members of `Settled`."""


def name_of(status: JobStatus | type[JobStatus]) -> str:
    """Return the name of a state, as the wire and the command line have it."""
    return str(status.__struct_config__.tag)


NAMES: Final = tuple(name_of(status) for status in STATUSES if status is not Unknown)
"""The names of all states that a job can be in."""


def may_follow(before: JobStatus, after: JobStatus) -> bool:
    """Tell whether a job in the state `before` may come into the state `after`."""
    return type(after) in TRANSITIONS[type(before)]


def is_settled(status: JobStatus) -> TypeGuard[Settled]:
    """Tell whether nothing will change a state any more."""
    return isinstance(status, SETTLED)


def is_under_way(status: JobStatus) -> bool:
    """Return whether something is done on the board for a job with this status now, its start included."""
    return isinstance(status, Running) or (isinstance(status, Written) and status.phase is not None)


def needs_person(status: JobStatus) -> bool:
    """Tell whether a job goes on only once a person has acted: it is blocked, or its board is on hold."""
    return isinstance(status, Blocked) or (isinstance(status, Waiting) and status.for_ is WaitFor.HOLD)


def stands_still(status: JobStatus) -> bool:
    """Tell whether nothing happens to a job until something changes around it: a cable, a hand, access, a disk."""
    match status:
        case Waiting():
            return status.for_ is not WaitFor.PAUSE
        case Written():
            return status.phase is None and bool(status.reason)
        case _:
            return isinstance(status, Blocked)


def judgement_of(status: JobStatus) -> Judgement | None:
    """Return how the start of a job's image was judged; None where it was not, or not yet."""
    return status.verdict if isinstance(status, Done | Failed) else None


def result_of(status: JobStatus) -> JobResult | None:
    """Return what a flash did, where that is known by now."""
    return status.result if isinstance(status, Written | Done | Failed) else None
