"""The one thread that owns a board's USB handle: libusb blocks, and pyusb's objects must not be shared."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal, TypeVar

from flashdeck.errors import ErrorKind, FlashdeckError, NoAccessError, ParkedError
from flashdeckd.dfu.class_requests import OPERATION_TIMEOUT
from flashdeckd.dfu.polling import LONGEST_NAP
from flashdeckd.host import threads
from flashdeckd.jobs.controller_place import ControllerPlace, Controllers
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.worker import Worker
from flashdeckd.usb.pulse import Pulse

T = TypeVar("T")

OPEN_TRIES: Final = 20
"""A device node appears before udev has set its permissions, and ModemManager or fwupd may look into a new device
first. This often the open is tried again ..."""
OPEN_PAUSE: Final = 0.25
"""... with this pause in seconds."""
LOOK_SECONDS: Final = 2.0
"""Seconds between looks at whether what runs is past its deadline."""
END_SECONDS: Final = LONGEST_NAP + OPERATION_TIMEOUT + 15.0
"""Longest wait for what runs once the daemon is to end: longer than anything takes that comes to an end at all."""


class DeviceThread:
    """Runs blocking work on one board, one piece after the other."""

    def __init__(
        self,
        board: str,
        worker: Worker,
        state: LaneState,
        late: Callable[[], object] = lambda: None,
        place: ControllerPlace | None = None,
    ) -> None:
        """`late` is told whenever `is_late` changes; `place` is what talk with the board takes at its controller."""
        self._place = place or ControllerPlace(board, Controllers(), lambda: None)
        self._worker = worker
        self._state = state
        self._late = late
        self._board = board
        self._thread = threads.OwnThread(f"lane-{board}")
        self._is_over = False
        """True once the thread takes no more work."""
        self._stopped = asyncio.Event()
        self._running = 0
        self.is_late = False
        """True while what runs is past its deadline: the kernel does not give a transfer, an open or a close back."""
        self.is_left = False
        """True once the thread was left behind, with what runs in it."""

    @property
    def pulse(self) -> Pulse:
        """The time of the board's last answer."""
        return self._worker.pulse

    @property
    def is_busy(self) -> bool:
        """True while anything runs, or waits for its turn."""
        return self._running > 0

    def stop(self) -> None:
        """From now on what is stuck is not waited for, and what runs for so long only that it should have ended."""
        self._stopped.set()
        self._place.wake_lookers()

    async def run(self, work: Callable[[Worker], T], *, takes_place: bool = True) -> T:
        """Runs `work` in the thread, once; raises what it raises.

        It takes a place at the board's controller for as long as it runs, which a step of the lane has by now; a look
        waits for one, as `ControllerPlace.wait_to_look` says. Not so where that is left out: a single request, as that
        to come back in DFU mode, is no load.

        Raises ParkedError after `stop` where what runs is stuck: it is left behind then, with the thread. Raises
        FlashdeckError of kind `interrupted` after `end`: whoever asks has found the lane before that.
        """
        if self._is_over:
            raise FlashdeckError(
                f"board {self._board} is not looked after any more",
                hint="it was taken out of the configuration, or flashdeckd ends: see `flashdeck boards`, and ask again",
                kind=ErrorKind.INTERRUPTED,
            )

        def timed() -> T:
            self.pulse.begin()
            try:
                return work(self._worker)
            finally:
                self.pulse.end()

        device = self._state.sighting.device if takes_place else None
        if device is None:
            return await self._awaited(self._thread.run(timed))
        await self._place.wait_to_look(device, lambda: self._state.sighting.device == device, self._stopped)
        with self._place.used():
            return await self._awaited(self._thread.run(timed))

    async def opened(self, work: Callable[[Worker], T], *, takes_place: bool = True) -> T:
        """Runs `work` in the thread, tried again while the device cannot be opened yet.

        No place is kept for the pauses; where another board has taken it, NoAccessError is raised at once.
        """
        for _ in range(OPEN_TRIES - 1):
            try:
                return await self.run(work, takes_place=takes_place)
            except NoAccessError:
                await self._state.until(lambda: self._state.is_stopping, OPEN_PAUSE)
                device = self._state.sighting.device
                if takes_place and device is not None and not self._place.ask_again(device):
                    raise
        return await self.run(work, takes_place=takes_place)

    async def end(self) -> None:
        """Waits for what runs, and ends the thread; one that is stuck is left behind."""
        self._is_over = True
        self._place.end()
        if not self.is_left:
            last = self._thread.run(_nothing)
            self._thread.let_go()
            with suppress(ParkedError):
                await self._awaited(last)

    async def _awaited(self, running: "asyncio.Future[T]") -> T:
        stopped = asyncio.ensure_future(self._stopped.wait())
        self._running += 1
        try:
            await self._over(running, stopped)
            return running.result()
        finally:
            self._running -= 1
            stopped.cancel()
            running.cancel()  # what did not begin yet needs not begin any more
            self._tell(is_late=False)

    async def _over(self, running: "asyncio.Future[T]", stopped: "asyncio.Future[Literal[True]]") -> None:
        """Returns once `running` is done; raises ParkedError where it is not to be waited for any longer."""
        loop = asyncio.get_running_loop()
        give_up: float | None = None
        while not running.done():
            due = self.pulse.due_in
            if stopped.done():
                give_up = loop.time() + END_SECONDS if give_up is None else give_up
                if due < 0 or loop.time() >= give_up:
                    self.is_left = self._is_over = True
                    self._thread.let_go()
                    raise ParkedError("parked: the daemon ended without waiting for a USB transfer that hangs")
            if self.is_late:  # for longer than one look: it is lost, and what hangs costs no other board its turn
                self._place.lose() if due < 0 else self._place.regain(self._state.sighting.device)
            self._tell(is_late=due < 0)
            timeout = min(max(due, 0.0) or LOOK_SECONDS, LOOK_SECONDS)
            ends = (running,) if stopped.done() else (running, stopped)
            await asyncio.wait(ends, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    def _tell(self, *, is_late: bool) -> None:
        if is_late is not self.is_late:
            self.is_late = is_late
            self._late()


def _nothing() -> None:
    """Comes after everything else that runs in the thread."""
