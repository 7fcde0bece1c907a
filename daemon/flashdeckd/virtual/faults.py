"""Faults that happen at a chosen request, once or several times, and the states that some leave a device in."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
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


ON_MEDIA = {
    Fault.ERROR_ERASE: OperationKind.ERASE,
    Fault.ERROR_WRITE: OperationKind.WRITE,
    Fault.CORRUPT: OperationKind.WRITE,
    Fault.CORRUPT_WORD: OperationKind.WRITE,
    Fault.SILENT_ERASE: OperationKind.ERASE,
    Fault.SILENT_WRITE: OperationKind.WRITE,
}
"""Faults of the flash, and the operation that they wait for."""
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


class Faults:
    """The faults armed on one board, and those that have struck it."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self.struck: Counter[Fault] = Counter()
        """The number of times that each fault has happened."""

    @property
    def armed(self) -> int:
        """The number of faults that are still to happen."""
        return len(self._armed)

    def disarm(self) -> None:
        """Takes back all faults that have not happened yet."""
        self._armed = []

    def arm(
        self, fault: Fault, after: int, *, any_transfer: bool = False, times: int = 1, address: int | None = None
    ) -> None:
        """At the `after`-th DFU request from now (1 is the next), `fault` happens, and `times` in all from there on.

        With `any_transfer`, standard requests are counted and struck, too. A fault of the flash with an `address`
        strikes only what erases or writes that byte.
        """
        self._armed.append(_Armed(fault, after, any_transfer, times, address))

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
