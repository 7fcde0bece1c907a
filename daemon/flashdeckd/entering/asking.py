"""Asks a running application to come back in DFU mode for the jobs that are queued, a few times in a row."""

from collections.abc import Sequence
from typing import Final, Protocol

from flashdeck.config import Board
from flashdeck.errors import DeviceError, DeviceGoneError, NoAccessError
from flashdeck.job_state import Phase, Queued, Running
from flashdeck.model import JobState, Presence
from flashdeckd.entering.manual import wait_for_hand
from flashdeckd.host import clock
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.restart_asked import RestartAsked
from flashdeckd.jobs.retry_policy import RESTS
from flashdeckd.usb.device import UsbDevice

ENTER_SECONDS: Final = 15.0
"""Longest time in which a board that was asked comes back in DFU mode; slow hubs need a few seconds."""
MAX_ASKED: Final = 3
"""An application that came back as often would do so for ever, and each time the board reboots."""


class Way(Protocol):
    """One way to ask an application."""

    @property
    def requests(self) -> str:
        """The requests of this way in words, to go on after their number."""
        ...

    async def reach(self, device: UsbDevice) -> None:
        """Raise NoAccessError where the application cannot be asked now, without asking it."""
        ...

    async def ask(self, job: JobState, device: UsbDevice) -> str:
        """Ask the application once, and say so in the log; return what may have kept it from hearing, "" for nothing.

        Raises NoAccessError where it cannot be asked now, DeviceGoneError where it went meanwhile, another DeviceError
        where it cannot be asked at all, and ParkedError when the job was to end meanwhile.
        """
        ...


class Asking:
    """Asks the application of one board in one way, a few times in a row."""

    def __init__(self, board: Board, way: Way, *, state: LaneState, book: JobBook) -> None:
        self._board = board
        self._way = way
        self._state = state
        self._book = book
        self._device: UsbDevice | None = None
        """The last one that was asked; it is not asked twice before it has enumerated anew."""
        self._times = 0
        """The number of times in a row that one was asked, and came back as the application."""
        self._given_up = 0
        """The number of times that this was too often."""
        self._newest = 0
        """The newest job that one was asked for."""
        self._reason = ""
        """The outcome of the last time that one was asked."""

    def forget(self) -> None:
        """Begin anew: somebody did something about the board, or it came into DFU mode."""
        self._device, self._times, self._given_up = None, 0, 0

    async def reach(self, device: UsbDevice) -> None:
        """Raise NoAccessError where the application still cannot be asked."""
        await self._way.reach(device)

    async def bring_into_dfu(self, jobs: Sequence[JobState], device: UsbDevice) -> bool:
        """Return whether the board came into DFU mode for the first of `jobs`; otherwise all wait for a person.

        Raises ParkedError when the job was to end meanwhile, NoAccessError where the device cannot be asked now.
        """
        if jobs[0].id > self._newest:  # a new build may be for a board that was mended
            self.forget()
            self._newest = jobs[0].id
        if device == self._device:
            await self._wait(jobs, self._reason)
            return False
        if self._times >= MAX_ASKED and not self._has_rested():
            await self._wait(jobs, f"it is running again, after {self._times} {self._way.requests}")
            return False
        job = jobs[0]
        now = clock.now()
        await self._book.move(job, Running(phase=Phase.DETACH, since=now, answered_at=now))
        if self._state.sighting.device != device:  # nothing is done to a device that is not exactly this board
            await self._book.move(job, Queued())
            return True
        before = (self._device, self._times)
        self._device, self._times = device, self._times + 1
        self._state.expect_restart(RestartAsked(Presence.DFU, back_within=ENTER_SECONDS))
        try:
            return await self._ask(jobs, device, before)
        finally:
            self._state.forget_restart()

    async def _ask(self, jobs: Sequence[JobState], device: UsbDevice, before: tuple[UsbDevice | None, int]) -> bool:
        """Ask the application, and wait for the board in DFU mode; `before` is who was asked last, and how often."""
        job, note = jobs[0], ""
        try:
            note = await self._way.ask(job, device)
        except DeviceGoneError:
            pass  # a device may reboot before it answers: what counts is whether it comes back
        except NoAccessError:
            self._device, self._times = before  # it was not asked now
            raise
        except DeviceError as error:
            await self._wait(jobs, f"it cannot be brought into DFU mode: {error.message}")
            return False
        came = await self._state.until(lambda: self._is_over(job), ENTER_SECONDS)
        self._state.check(job.id)
        if came:
            self.forget()
            # Which job runs now is decided anew: the board may be on hold by now, and another job may come first.
            await self._book.move(job, Queued(note="its board has come into DFU mode"))
            return True
        await self._wait(jobs, f"it did not come back in DFU mode when asked{f': {note}' if note else ''}")
        return False

    def rests_until(self) -> float | None:
        """Return when the board is asked again by itself, by the monotonic clock; None where it is not."""
        if self._times < MAX_ASKED or self._state.since is None or self._state.sighting.device == self._device:
            return None
        return self._state.since + RESTS[min(self._given_up, len(RESTS) - 1)]

    def _has_rested(self) -> bool:
        """Tell whether the board stayed long enough since it came back: cables may have cut the earlier requests."""
        until = self.rests_until()
        if until is None or clock.monotonic() < until:
            return False
        self._times, self._given_up = 0, self._given_up + 1
        return True

    async def _wait(self, jobs: Sequence[JobState], reason: str) -> None:
        self._reason = reason
        await wait_for_hand(self._board, self._book, jobs, reason)

    def _is_over(self, job: JobState) -> bool:
        return self._state.is_in_dfu or self._state.cancelling == job.id
