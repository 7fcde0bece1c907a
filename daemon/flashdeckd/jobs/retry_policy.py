"""What an error does to a job: it is parked, held, waits for its board or for access to it, goes on, or fails."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

from flashdeck.errors import (
    DeviceGoneError,
    ErrorKind,
    FlashdeckError,
    HeldError,
    NoAccessError,
    ParkedError,
    TransferTimeoutError,
    VerifyError,
    WrongBankError,
)
from flashdeck.model import Failure, JobState, JobStatus, LogLevel
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import bootloader_of
from flashdeckd.jobs.contents import distrusted
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.lost_reads import LostReads
from flashdeckd.state.hub import Hub
from flashdeckd.state.journal import Bootloader
from flashdeckd.usb.device import UsbDevice

LOST_SECONDS: Final = 5.0
"""How long hotplug may take to tell that a device which no longer answers is gone."""
MAX_ATTEMPTS: Final = 8
"""A job that was interrupted this often stops with a reason: something is wrong with the cable or the board."""
ACCESS_SECONDS: Final = 5.0
"""How often a board is tried again that could not be opened: nobody tells of a changed mode, or that it is free."""


class RetryPolicy:
    """What becomes of one board's jobs after an error, and what a release or a new try has to know of that."""

    def __init__(
        self,
        *,
        state: LaneState,
        book: JobBook,
        lost_reads: LostReads,
        hub: Hub,
        hold_board: Callable[[str], Awaitable[object]],
    ) -> None:
        """`hold_board` holds the board durably, with a reason."""
        self._state = state
        self._book = book
        self._lost_reads = lost_reads
        self._hub = hub
        self._hold_board = hold_board
        self._unproved: dict[int, tuple[Bootloader, int]] = {}
        """Jobs that were held because a bank could not be proved, and which it is."""
        self._denied: UsbDevice | None = None
        """The device that could not be opened when it was last tried."""

    async def meet(self, job: JobState, device: UsbDevice | None, error: FlashdeckError) -> None:
        """Does to a job what follows from an error in its attempt on `device`; `job` is as it was before that."""
        match error:
            case ParkedError():
                await self._park(job, error)
            case HeldError():
                await self._hold(job, error)
            case DeviceGoneError():
                await self._interrupted(job, device, error)
            case TransferTimeoutError():
                await self._hung(job, error)
            case NoAccessError():
                await self._wait_for_access(job, device, error)
            case _:
                await self._fail(job, error)

    def take_denial(self, device: UsbDevice) -> bool:
        """Return whether this device could not be opened when it was last tried; asked once, it is to be tried."""
        denied = device == self._denied
        if denied:
            self._denied = None
        return denied

    def released(self, jobs: Iterable[JobState]) -> list[tuple[Bootloader, int]]:
        """The banks for which `jobs` were held, and of which nothing is known any more here."""
        banks = [self._unproved[job.id] for job in jobs if job.id in self._unproved]
        self._unproved.clear()
        return banks

    async def _park(self, job: JobState, error: ParkedError) -> None:
        if error.kind is not ErrorKind.CANCELLED:
            await self._book.change(job.id, status=JobStatus.QUEUED, phase=None, reason=error.message)
            return
        reason = error.message + self._torn(job)
        await self._book.change(job.id, status=JobStatus.CANCELLED, phase=None, reason=reason)
        self._book.log(job, reason, LogLevel.WARNING)

    async def _hold(self, job: JobState, error: HeldError) -> None:
        if self._book.job(job.id).status.ended:
            return
        device = self._state.sighting.device
        if error.bank is not None and device is not None:
            self._unproved[job.id] = (bootloader_of(job.board, device), error.bank)
        else:
            self._unproved.pop(job.id, None)
        await self._book.change(job.id, status=JobStatus.HELD, phase=None, reason=error.advice)
        self._book.log(job, f"held: {error.advice}", LogLevel.WARNING)

    async def _interrupted(self, job: JobState, lost: UsbDevice | None, error: DeviceGoneError) -> None:
        if error.during_read and lost is not None:
            await self._lost_reads.add(lost, job.id)
        if self._book.job(job.id).attempts >= MAX_ATTEMPTS:
            await self._fail(job, error)
            return
        reason = f"plug in board {job.board} again: lost{self._where(job)}, the job goes on in DFU mode"
        await self._try_again(job, reason, error)
        # Hotplug may not have told yet. A device that stays was cut off by a bad cable, and is tried again.
        await self._state.until(lambda: self._state.sighting.device != lost, LOST_SECONDS)

    async def _hung(self, job: JobState, error: TransferTimeoutError) -> None:
        """The board is there and does not answer; the next attempt begins by resetting its port."""
        attempts = self._book.job(job.id).attempts
        if attempts >= MAX_ATTEMPTS:
            reason = f"board {job.board} stopped answering in each of {attempts} attempts, the last time: "
            await self._fail(job, TransferTimeoutError(reason + error.message, hint=error.hint))
            return
        reason = f"board {job.board} stopped answering{self._where(job)}: its port is reset, and the job goes on"
        await self._try_again(job, reason, error)

    async def _try_again(self, job: JobState, reason: str, error: FlashdeckError) -> None:
        await self._book.change(job.id, status=JobStatus.WAITING, phase=None, reason=reason)
        self._book.log(job, f"{reason} ({error.message})", LogLevel.WARNING)

    def _where(self, job: JobState) -> str:
        phase = self._book.job(job.id).phase
        return f" in its {phase} phase" if phase else ""

    async def _wait_for_access(self, job: JobState, device: UsbDevice | None, error: NoAccessError) -> None:
        """The job goes on by itself once the device may be opened, or another one has taken its place."""
        self._denied = device
        if self._book.job(job.id).attempts != job.attempts:
            await self._book.change(job.id, attempts=job.attempts)  # nothing came of this one
        await self._book.wait(job, error.advice)
        with suppress(TimeoutError):
            async with asyncio.timeout(ACCESS_SECONDS):
                await self._state.changed()

    async def _fail(self, job: JobState, error: FlashdeckError) -> None:
        if self._book.job(job.id).status.ended:
            return
        if isinstance(error, VerifyError):
            await self._distrust(job)
        message = error.message + self._torn(job)
        failure = Failure(kind=error.kind, message=message, hint=error.hint)
        if (isinstance(error, WrongBankError) and error.harmed) or (isinstance(error, VerifyError) and error.may_boot):
            await self._keep_from_reset(job, error)
        await self._book.change(job.id, status=JobStatus.FAILED, phase=None, reason=message, failure=failure)
        self._book.log(job, f"failed: {message}" + (f": {error.hint}" if error.hint else ""), LogLevel.ERROR)

    async def _keep_from_reset(self, job: JobState, error: FlashdeckError) -> None:
        """Whatever comes next would leave DFU mode sooner or later: nothing does until a person has looked."""
        try:
            await self._hold_board(error.advice)
        except FlashdeckError as failure:  # held all the same, but only by this daemon
            text = f"the hold could not be recorded: {failure.message}"
            self._hub.log(text, level=LogLevel.ERROR, board=job.board)

    def _torn(self, job: JobState) -> str:
        """What to add to the end of a job that left its partition without its boot unit."""
        contents = self._book.contents(job.board, job.partition)
        if contents is None or contents.complete:
            return ""
        return f"; {job.partition} holds no complete image until the next flash"

    async def _distrust(self, job: JobState) -> None:
        """What was read back is wrong: the partition does not hold the artifact, whatever was recorded."""
        contents = self._book.contents(job.board, job.partition)
        if contents is not None:
            await self._book.record(job.board, job.partition, distrusted(contents))
