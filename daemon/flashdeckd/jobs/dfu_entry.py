"""The way into DFU mode as a lane sees it: each of those in `entering` has this form."""

from collections.abc import Sequence
from typing import Protocol

from flashdeck.config import Board
from flashdeck.model import JobState
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.usb.device import UsbDevice


class DfuEntry(Protocol):
    """The way of one board from its application into DFU mode."""

    async def bring_into_dfu(self, jobs: Sequence[JobState], device: UsbDevice) -> bool:
        """Return whether the board came into DFU mode for the first of `jobs`; otherwise all wait for a person.

        Raises ParkedError when the job was to end meanwhile, NoAccessError where the device cannot be asked now.
        """
        ...

    async def reach(self, device: UsbDevice) -> None:
        """Raise NoAccessError where the running application still cannot be asked; it is not asked."""
        ...

    def forget(self) -> None:
        """Begin anew: somebody did something about the board."""
        ...

    def rests_until(self) -> float | None:
        """Return when the board is asked again by itself, by the monotonic clock; None where it is not."""
        ...


class DfuEntryOf(Protocol):
    """The maker of such a way for one lane."""

    def __call__(self, board: Board, *, state: LaneState, thread: DeviceThread, book: JobBook) -> DfuEntry:
        """Return the way in for a board, whose lane has this state, thread and book."""
        ...
