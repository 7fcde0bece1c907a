"""Faults that happen once, at a chosen request."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from flashdeckd.virtual.nor import Access


class Fault(StrEnum):
    """What goes wrong."""

    STALL = "stall"
    """The request is refused."""
    TIMEOUT = "timeout"
    """The request is never answered."""
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
    requests: int
    """DFU requests until it is due."""


class Faults:
    """The faults armed on one board."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def arm(self, fault: Fault, after: int) -> None:
        """At the `after`-th DFU request from now (1 is the next), `fault` happens."""
        self._armed.append(_Armed(fault, after))

    def on_request(self) -> Fault | None:
        """Counts a DFU request; the fault that strikes it, if one does."""
        for armed in self._armed:
            armed.requests -= 1
        return self._take(lambda armed: armed.requests <= 0 and armed.fault not in ON_MEDIA)

    def on_operation(self, access: Access) -> Fault | None:
        """The fault that strikes a flash operation that begins now, if one does."""
        return self._take(lambda armed: armed.requests <= 0 and ON_MEDIA.get(armed.fault) is access)

    def _take(self, strikes: Callable[[_Armed], bool]) -> Fault | None:
        for armed in self._armed:
            if strikes(armed):
                self._armed.remove(armed)
                return armed.fault
        return None
