"""Faults that happen once, at a chosen request, and the states that some of them leave a device in."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from flashdeckd.virtual.control import Dfu, Setup, State
from flashdeckd.virtual.nor import Access

STATUS_UNKNOWN = 0x0E
"""errUNKNOWN (USB DFU 1.1, 6.1.2): something went wrong, and the device does not know what."""
_WRONG_STATES = (State.ILLEGAL, State.UPLOAD_IDLE, State.MANIFEST_WAIT_RESET, State.DNLOAD_SYNC, State.IDLE, 0xEE)
"""One illegal, several that are legal elsewhere, and one that nobody has ever heard of."""


class Fault(StrEnum):
    """What goes wrong."""

    STALL = "stall"
    """The request is refused."""
    TIMEOUT = "timeout"
    """The request is never answered, nor carried out."""
    LOST_ANSWER = "lost-answer"
    """The request is carried out, but its answer never arrives."""
    ERROR_STATUS = "error-status"
    """The request fails: the device is in dfuERROR, with errUNKNOWN, until CLRSTATUS."""
    WRONG_STATE = "wrong-state"
    """The request is carried out, but the device is in a state where it can not be, until CLRSTATUS or ABORT."""
    HANG = "hang"
    """The request is not answered, and nothing after it either, until a bus reset or a power cycle."""
    UNPLUG = "unplug"
    """The cable is pulled during the request, in the middle of what it makes the flash do."""
    ERROR_ERASE = "error-erase"
    """The next erase from that request on fails."""
    ERROR_WRITE = "error-write"
    """The next write from that request on fails."""
    CORRUPT = "corrupt"
    """The next write from that request on programs one byte wrong and says OK."""


ON_MEDIA = {Fault.ERROR_ERASE: Access.ERASE, Fault.ERROR_WRITE: Access.WRITE, Fault.CORRUPT: Access.WRITE}
"""Faults of the flash, and the operation that they wait for."""


@dataclass
class _Armed:
    fault: Fault
    left: int
    """Requests until it is due."""
    any_transfer: bool
    """Whether standard requests count, too."""


class Faults:
    """The faults armed on one board."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def arm(self, fault: Fault, after: int, *, any_transfer: bool = False) -> None:
        """At the `after`-th DFU request from now (1 is the next), `fault` happens.

        With `any_transfer`, standard requests are counted and struck, too.
        """
        self._armed.append(_Armed(fault, after, any_transfer))

    def on_transfer(self, setup: Setup) -> Fault | None:
        """Counts a control transfer; the fault that strikes it, if one does."""
        counts = [armed for armed in self._armed if armed.any_transfer or setup.is_dfu]
        for armed in counts:
            armed.left -= 1
        return self._take(lambda armed: armed in counts and armed.left <= 0 and armed.fault not in ON_MEDIA)

    def on_operation(self, access: Access) -> Fault | None:
        """The fault that strikes a flash operation that begins now, if one does."""
        return self._take(lambda armed: armed.left <= 0 and ON_MEDIA.get(armed.fault) is access)

    def _take(self, strikes: Callable[[_Armed], bool]) -> Fault | None:
        for armed in self._armed:
            if strikes(armed):
                self._armed.remove(armed)
                return armed.fault
        return None


@dataclass(frozen=True, slots=True)
class Affliction:
    """A state that a fault has put a device into, whatever its bootloader thinks."""

    state: int
    status: int
    cures: frozenset[Dfu]
    """The requests that end it."""

    def answer(self, setup: Setup) -> bytes | None:
        """What a DFU request brings until one of the cures comes; None for a STALL."""
        match setup.request:
            case Dfu.GETSTATUS:
                return bytes((self.status, 0, 0, 0, self.state, 0))[: setup.length]
            case Dfu.GETSTATE:
                return bytes((self.state,))[: setup.length]
            case _:
                return None


ERROR = Affliction(State.ERROR, STATUS_UNKNOWN, frozenset((Dfu.CLRSTATUS,)))
"""What `Fault.ERROR_STATUS` leaves."""


def lost(request: int) -> Affliction:
    """What `Fault.WRONG_STATE` leaves: which state it is depends on the number of the request that was struck."""
    return Affliction(_WRONG_STATES[request % len(_WRONG_STATES)], 0, frozenset((Dfu.CLRSTATUS, Dfu.ABORT)))
