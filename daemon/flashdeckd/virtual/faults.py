"""Faults that happen at a chosen request, or a chosen time after a start, and the states that some leave a device in.

Pure: who has a clock says what time it is.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from flashdeckd.virtual.control import Dfu, Setup, State
from flashdeckd.virtual.nor import Operation, OperationKind

STATUS_UNKNOWN = 0x0E
"""errUNKNOWN (USB DFU 1.1, 6.1.2): something went wrong, and the device does not know what."""
_WRONG_STATES = (State.ILLEGAL, State.UPLOAD_IDLE, State.MANIFEST_WAIT_RESET, State.DNLOAD_SYNC, State.IDLE, 0xEE)
"""One illegal, several that are legal elsewhere, and one that nobody has ever heard of."""


class Fault(StrEnum):
    """A kind of fault."""

    STALL = "stall"
    """The request is refused."""
    TIMEOUT = "timeout"
    """The request is never answered, nor carried out."""
    LOST_ANSWER = "lost-answer"
    """The request is carried out, but its answer never arrives."""
    ERROR_STATUS = "error-status"
    """The request fails: the device is in dfuERROR, with errUNKNOWN, until CLRSTATUS."""
    WRONG_STATE = "wrong-state"
    """The request is carried out, but the device is in a state where it cannot be, until CLRSTATUS or ABORT."""
    HANG = "hang"
    """The request is not answered, and nothing after it either, until a bus reset or a power cycle."""
    UNPLUG = "unplug"
    """The cable is pulled during the request, in the middle of what it makes the flash do."""
    ERROR_ERASE = "error-erase"
    """The next erase from that request on fails."""
    ERROR_WRITE = "error-write"
    """The next write from that request on fails."""
    CORRUPT = "corrupt"
    """The next write from that request on programs one bit wrong and says OK."""
    CORRUPT_WORD = "corrupt-word"
    """The next write from that request on programs four bytes in a row wrong and says OK."""
    SILENT_ERASE = "silent-erase"
    """The next erase from that request on leaves its sector as it was and says OK."""
    SILENT_WRITE = "silent-write"
    """The next write from that request on programs nothing and says OK."""
    APP_VANISH = "app-vanish"
    """The application leaves the bus and says nothing more, as one whose USB goes down with it."""
    APP_HANG = "app-hang"
    """The application is still on the bus, and neither answers nor says anything more."""
    APP_RESET = "app-reset"
    """The application resets the board: it leaves the bus and starts again, by its bootloader's check."""
    APP_RESTART = "app-restart"
    """The application starts again so quickly that the bus does not see it: its words come anew."""


ON_MEDIA = {
    Fault.ERROR_ERASE: OperationKind.ERASE,
    Fault.ERROR_WRITE: OperationKind.WRITE,
    Fault.CORRUPT: OperationKind.WRITE,
    Fault.CORRUPT_WORD: OperationKind.WRITE,
    Fault.SILENT_ERASE: OperationKind.ERASE,
    Fault.SILENT_WRITE: OperationKind.WRITE,
}
"""Faults of the flash, and the operation that they wait for."""
OF_APPLICATION = frozenset({Fault.APP_VANISH, Fault.APP_HANG, Fault.APP_RESET, Fault.APP_RESTART})
"""Faults of the application, which happen some time after a start of it, and not at a request."""
SHORTEST_RUN = 0.01
"""Seconds from the start of an application to its first fault at the least: a board needs that long to reset."""
_WRONG_BYTES = {Fault.CORRUPT: 1, Fault.CORRUPT_WORD: 4}


@dataclass
class _Armed:
    fault: Fault
    left: int
    """Requests until it is due."""
    any_transfer: bool
    """True: standard requests count, too."""
    times: int
    """The number of times that it still happens."""
    address: int | None
    """Of the flash: what the operation must touch, and the first byte that goes wrong; None: any, in its middle."""


@dataclass(frozen=True, slots=True)
class AppCrash:
    """A fault of the application, as it is armed."""

    fault: Fault
    """One of `OF_APPLICATION`."""
    after: float = 0.0
    """Seconds after the start of the application; `SHORTEST_RUN` at the least."""
    skip: int = 0
    """Starts that go well before."""
    times: int | None = None
    """The number of times that it happens; None: in all starts from then on."""
    where: bytes = b""
    """It happens only, and starts count only, where the image has these bytes somewhere."""


@dataclass(slots=True)
class _ArmedCrash:
    crash: AppCrash
    skip: int = field(init=False)
    """Starts that still go well."""
    left: int | None = field(init=False)
    """The number of times that it still happens; None: always."""

    def __post_init__(self) -> None:
        self.skip, self.left = self.crash.skip, self.crash.times


@dataclass(frozen=True, slots=True)
class _ApplicationRun:
    """A run of the application."""

    started: float
    image: bytes
    due: list[tuple[float, _ArmedCrash]] = field(default_factory=list[tuple[float, _ArmedCrash]])
    """The crashes that are to come in it, and when; the next is the first."""

    def take(self, armed: _ArmedCrash) -> None:
        """Let a crash happen in this run, if that is its turn."""
        if armed.crash.where not in self.image:
            return
        if armed.skip:
            armed.skip -= 1
            return
        self.due.append((self.started + max(armed.crash.after, SHORTEST_RUN), armed))
        self.due.sort(key=lambda each: each[0])


class Faults:
    """The faults armed on one board, and those that have struck it."""

    def __init__(self, crashes: Iterable[AppCrash] = ()) -> None:
        self._armed: list[_Armed] = []
        self._crashes = [_ArmedCrash(crash) for crash in crashes]
        self._run: _ApplicationRun | None = None
        """The run of the application that is under way."""
        self.struck: Counter[Fault] = Counter()
        """The number of times that each fault has happened."""

    @property
    def armed(self) -> int:
        """The number of faults that are still to happen."""
        return len(self._armed) + len(self._crashes)

    def disarm(self) -> None:
        """Takes back all faults that have not happened yet."""
        self._armed, self._crashes = [], []
        if self._run is not None:
            self._run.due.clear()

    def arm(
        self, fault: Fault, after: int, *, any_transfer: bool = False, times: int = 1, address: int | None = None
    ) -> None:
        """At the `after`-th DFU request from now (1 is the next), `fault` happens, and `times` in all from there on.

        With `any_transfer`, standard requests are counted and struck, too. A fault of the flash with an `address`
        strikes only what erases or writes that byte.
        """
        self._armed.append(_Armed(fault, after, any_transfer, times, address))

    def arm_crash(self, crash: AppCrash) -> None:
        """The application that runs, or starts next, is the first to which that happens."""
        armed = _ArmedCrash(crash)
        self._crashes.append(armed)
        if self._run is not None:
            self._run.take(armed)

    @property
    def looks_at_image(self) -> bool:
        """Return whether an image decides if anything happens to it."""
        return any(armed.crash.where for armed in self._crashes)

    def on_start(self, now: float, image: bytes) -> None:
        """An application starts; `image` may be empty where `looks_at_image` says so."""
        self._run = _ApplicationRun(now, image)
        for armed in self._crashes:
            self._run.take(armed)

    def on_end(self) -> None:
        """The application does not run any more, and nothing will start it again but a hand or a host."""
        self._run = None

    @property
    def due(self) -> float | None:
        """Return when the next crash of this run happens; None where none does."""
        return self._run.due[0][0] if self._run is not None and self._run.due else None

    def crash(self) -> Fault:
        """Let the next crash of this run happen."""
        assert self._run is not None  # noqa: S101 - it is due
        _, armed = self._run.due.pop(0)
        self.struck[armed.crash.fault] += 1
        if armed.left is not None:
            armed.left -= 1
            if not armed.left:
                self._crashes.remove(armed)
        return armed.crash.fault

    def on_transfer(self, setup: Setup) -> Fault | None:
        """Counts a control transfer; the fault that strikes it, if one does."""
        if not self._armed:
            return None
        counts = [armed for armed in self._armed if armed.any_transfer or setup.is_dfu]
        for armed in counts:
            armed.left -= 1
        struck = self._take(lambda armed: armed in counts and armed.left <= 0 and armed.fault not in ON_MEDIA)
        return struck.fault if struck else None

    def on_operation(self, operation: Operation) -> None:
        """Lets a flash operation that begins now go wrong, if a fault strikes it."""
        struck = self._take(lambda armed: armed.left <= 0 and _concerns(armed, operation))
        match struck.fault if struck else None:
            case Fault.ERROR_ERASE | Fault.ERROR_WRITE:
                operation.refuse()
            case Fault.SILENT_ERASE | Fault.SILENT_WRITE:
                operation.skip()
            case Fault.CORRUPT | Fault.CORRUPT_WORD as fault:
                operation.corrupt(_WRONG_BYTES[fault], struck.address if struck else None)
            case _:
                pass

    def _take(self, strikes: Callable[[_Armed], bool]) -> _Armed | None:
        for armed in self._armed:
            if strikes(armed):
                self.struck[armed.fault] += 1
                armed.times -= 1
                if not armed.times:
                    self._armed.remove(armed)
                return armed
        return None


def _concerns(armed: _Armed, operation: Operation) -> bool:
    """True if a fault waits for such an operation at such a place. One that does nothing can only be refused."""
    if ON_MEDIA.get(armed.fault) is not operation.access:
        return False
    if not operation.steps and armed.fault not in (Fault.ERROR_ERASE, Fault.ERROR_WRITE):
        return False
    return armed.address is None or operation.touches(armed.address)


@dataclass(frozen=True, slots=True)
class Affliction:
    """A state that a fault has put a device into, whatever its bootloader thinks."""

    state: int
    status: int
    cures: frozenset[Dfu]
    """The requests that end it."""

    def answer(self, setup: Setup) -> bytes | None:
        """Return the answer to a DFU request until one of the cures comes; None for a STALL."""
        match setup.request:
            case Dfu.GETSTATUS:
                return bytes((self.status, 0, 0, 0, self.state, 0))[: setup.length]
            case Dfu.GETSTATE:
                return bytes((self.state,))[: setup.length]
            case _:
                return None


ERROR = Affliction(State.ERROR, STATUS_UNKNOWN, frozenset((Dfu.CLRSTATUS,)))
"""The affliction that `Fault.ERROR_STATUS` leaves."""


def lost(request: int) -> Affliction:
    """Return the affliction that `Fault.WRONG_STATE` leaves: its state depends on the struck request's number."""
    return Affliction(_WRONG_STATES[request % len(_WRONG_STATES)], 0, frozenset((Dfu.CLRSTATUS, Dfu.ABORT)))
