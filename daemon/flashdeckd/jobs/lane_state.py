"""The state of a lane: where its board is, and whether the lane is to stop or to end a job."""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

from flashdeck.errors import ErrorKind, ParkedError
from flashdeck.job_state import Canceller
from flashdeck.model import Presence
from flashdeckd.host import clock, threads
from flashdeckd.jobs.restart_asked import RestartAsked
from flashdeckd.state.on_behalf import on_behalf_of
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.recognition import ABSENT, Sighting


class LaneState:
    """Changed in the event loop only; `check` may be called in any thread."""

    def __init__(self, on_restart: Callable[[Presence], object] = lambda _: None) -> None:
        """`on_restart` is told what the board is asked to restart into, before it is asked."""
        self._on_restart = on_restart
        self.sighting: Sighting = ABSENT
        self.since: float | None = None
        """The time at which the present device was first seen, by the monotonic clock; None while there is none."""
        self.ran_after: UsbDevice | None = None
        """The newest device in DFU mode after which the application was seen."""
        self._in_dfu: UsbDevice | None = None
        """The newest device in DFU mode."""
        self._restart: RestartAsked | None = None
        self._restart_until = 0.0
        self.cancelling = 0
        """The job that is to end at its next safe point ..."""
        self.cancelled_by = Canceller.PERSON
        """... who wants that, ..."""
        self.cancel_reason = ""
        """... and why; "" where that needs no words."""
        self.cancelling_user = ""
        """The name of that person, where several people use the bench."""
        self._parting = ParkedError("cancelled by hand", kind=ErrorKind.CANCELLED)
        self._stopping = threads.event()
        self._poked = asyncio.Event()

    @property
    def is_stopping(self) -> bool:
        """True if the lane is to end."""
        return self._stopping.is_set()

    @property
    def is_in_dfu(self) -> bool:
        """True if the board is there in DFU mode."""
        return self.sighting.presence is Presence.DFU

    @property
    def restart(self) -> RestartAsked | None:
        """The restart that was asked of the board, for as long as it may leave the bus for that."""
        return self._restart if clock.monotonic() <= self._restart_until else None

    def expect_restart(self, restart: RestartAsked, seconds: float = math.inf) -> None:
        """The board is asked to restart: until it is seen again, or for so many seconds, it leaves the bus for that."""
        self._restart, self._restart_until = restart, clock.monotonic() + seconds
        if restart.is_asked and not restart.by_hand:
            self._on_restart(restart.into)

    def forget_restart(self) -> None:
        """Nobody waits for the board to restart any more."""
        self._restart = None

    def see(self, sighting: Sighting) -> None:
        """The board is there now, or gone."""
        if sighting != self.sighting:
            if sighting.device is not None:
                self.forget_restart()
            if sighting.device != self.sighting.device:
                self.since = None if sighting.device is None else clock.monotonic()
            self.sighting = sighting
            if sighting.presence is Presence.DFU:
                self._in_dfu = sighting.device
            elif sighting.presence is Presence.APP:
                self.ran_after = self._in_dfu
            self.poke()

    def cancel(self, job_id: int, by: Canceller, reason: str = "") -> None:
        """A running job is to end at its next safe point."""
        self.cancelling, self.cancelled_by, self.cancel_reason = job_id, by, reason
        self.cancelling_user = on_behalf_of.get() if by is Canceller.PERSON else ""
        self._parting = ParkedError(reason or "cancelled by hand", kind=ErrorKind.CANCELLED)
        self.poke()

    def refuse(self, job_id: int, reason: str, hint: str) -> None:
        """A running job is to fail at its next safe point: its partition is protected by now."""
        self.cancelling = job_id
        self._parting = ParkedError(reason, hint=hint, kind=ErrorKind.PROTECTED)
        self.poke()

    def stop(self) -> None:
        """The lane is to end, and to park what runs."""
        self._stopping.set()
        self.poke()

    def poke(self) -> None:
        """Something changed, here or elsewhere."""
        self._poked.set()

    def forget_changes(self) -> None:
        """Forget what has changed until now: `changed` waits for what comes after."""
        self._poked.clear()

    async def changed(self, seconds: float | None = None) -> None:
        """Returns once something has changed since the last `forget_changes`, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._poked.wait()

    async def until(self, reached: Callable[[], bool], seconds: float | None) -> bool:
        """Waits until something is so, the lane is stopped, or the time is over; answers whether it is so.

        What changed meanwhile may matter to others: `changed` returns at once for whoever asks next.
        """
        others = False
        try:
            async with asyncio.timeout(seconds):
                while not (reached() or self.is_stopping):
                    others = others or self._poked.is_set()
                    self.forget_changes()
                    await self.changed()
        except TimeoutError:
            pass
        if others:
            self.poke()
        return reached()

    def check(self, job_id: int) -> None:
        """Raises ParkedError when the running job is to end here."""
        if self._stopping.is_set():
            raise ParkedError("parked: the daemon was stopped")
        if self.cancelling == job_id:
            raise ParkedError(self._parting.message, hint=self._parting.hint, kind=self._parting.kind)
