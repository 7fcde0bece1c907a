"""The one thread that owns a board's USB handle: libusb blocks, and pyusb's objects must not be shared."""

from collections.abc import Callable
from typing import Final, TypeVar

from flashdeck.errors import NoAccessError
from flashdeckd.host import threads
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.worker import Worker
from flashdeckd.usb.pulse import Pulse

T = TypeVar("T")

OPEN_TRIES: Final = 20
"""A device node appears before udev has set its permissions, and ModemManager or fwupd may look into a new device
first. This often the open is tried again ..."""
OPEN_PAUSE: Final = 0.25
"""... with this pause in seconds."""


class DeviceThread:
    """Runs blocking work on one board, one piece after the other."""

    def __init__(self, board: str, worker: Worker, state: LaneState) -> None:
        self._worker = worker
        self._state = state
        self._thread = threads.OwnThread(f"lane-{board}")

    @property
    def pulse(self) -> Pulse:
        """The time of the board's last answer."""
        return self._worker.pulse

    async def run(self, work: Callable[[Worker], T]) -> T:
        """Runs `work` in the thread, once; raises what it raises."""
        return await self._thread.run(work, self._worker)

    async def opened(self, work: Callable[[Worker], T]) -> T:
        """Runs `work` in the thread, tried again while the device cannot be opened yet."""
        for _ in range(OPEN_TRIES - 1):
            try:
                return await self.run(work)
            except NoAccessError:
                await self._state.until(lambda: self._state.is_stopping, OPEN_PAUSE)
        return await self.run(work)

    async def end(self) -> None:
        """Waits for what runs, and ends the thread."""
        await self._thread.end()
