"""One attempt of one job on a board in DFU mode: flash, leave, and see the application start.

Whatever comes in between is raised; `retry_policy` has what becomes of the job then.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from flashdeck.config import Board
from flashdeck.errors import DeviceError, DeviceGoneError, ErrorKind, ParkedError
from flashdeck.model import JobResult, JobState, JobStatus, LogLevel, Phase, Presence
from flashdeck.text import clean
from flashdeckd.flash.program import Outcome
from flashdeckd.images import guards
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Spool
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook, bootloader_of
from flashdeckd.jobs.cached_image import cached_image, why_never_cached
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.engine_reports import EngineReports
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.lost_reads import LostReads
from flashdeckd.state.hub import LONGEST_LINE
from flashdeckd.usb.device import UsbDevice

MAX_REMARKS: Final = 16
"""Remarks that are kept with a job's result."""
START_SECONDS: Final = 20.0
"""How long an application may take to enumerate after the leave."""
WINDOW_SECONDS: Final = 5.0
"""How long a bootloader may be back before it starts the application: some, Maple's among them, give a host the chance
to ask for them after each reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Carries out attempts on one board. Nothing is kept from one to the next but what the books have."""

    board: Board
    state: LaneState
    thread: DeviceThread
    book: JobBook
    histories: BootloaderBook
    lost_reads: LostReads
    spool: Spool
    shelf: Shelf

    async def flash(self, job: JobState, device: UsbDevice) -> None:
        """Brings the job's image onto the device and ends the job; raises what keeps it from that."""
        partition = self.board.profile.partitions[job.partition]
        image = await asyncio.to_thread(self.spool.read, job.sha256)
        warnings = await asyncio.to_thread(guards.check, image, self.board.profile, partition)
        if self.book.job(job.id).status.ended:
            return  # cancelled, or superseded, while its image was read
        for warning in warnings:
            self.book.log(job, warning, LogLevel.WARNING)
        job = await self.book.change(
            job.id,
            status=JobStatus.RUNNING,
            phase=Phase.OPEN,
            reason="",
            attempts=job.attempts + 1,
            started_at=job.started_at or time.time(),
        )
        what = job.version or job.sha256[:12]
        self.book.log(job, f"flashing {what} ({job.size} bytes) into {job.partition}")
        bootloader = bootloader_of(self.board.name, device)
        may_read = self.lost_reads.reading_allowed(job.id, self.histories.of(bootloader))
        target = target_of(self.board, partition, may_read=may_read)
        reports = EngineReports(
            loop=asyncio.get_running_loop(),
            book=self.book,
            histories=self.histories,
            job=job,
            target=target,
            shelf=self.shelf,
            bootloader=bootloader,
            check=lambda: self.state.check(job.id),
        )
        contents = self.book.contents(job.board, job.partition)
        cached = await cached_image(contents, device, self.board, target, self.shelf)
        if why := why_never_cached(self.board.profile, device):
            self.book.log(job, why, LogLevel.WARNING)
        outcome = await self.thread.opened(lambda worker: worker.flash(device, image, target, reports, cached))
        for note in outcome.notes:
            self.book.log(job, note)
        await reports.settled(outcome.verified)
        result = _result(outcome)
        if outcome.interrupted:
            await self.book.change(job.id, result=result)
            raise DeviceGoneError(f"board {self.board.name} left the bus before the leave; the image is complete on it")
        if outcome.left and self.board.profile.app is not None:
            result = await self._see_it_start(job, device, result)
        elif outcome.left and self.state.is_in_dfu and self.state.sighting.device != device:
            await self._note_start(job, result, started=False)
            raise self._not_accepted(job)
        await self._done(job, result)

    def only_leave_is_left(self, job: JobState) -> bool:
        """Whether the image went in whole before the board was lost: what is left of the job is the start.

        Not on another board that is at its port by now.
        """
        contents = self.book.contents(job.board, job.partition)
        if contents is None or not contents.complete or contents.job != job.id:
            return False
        device = self.state.sighting.device if self.state.is_in_dfu else None  # an application may show another
        return device is None or not (device.serial and contents.serial) or device.serial == contents.serial

    async def finish_leave(self, job: JobState, device: UsbDevice) -> None:
        """Starts what is on the board, if nothing has yet, and ends the job; raises what keeps it from that."""
        target = target_of(self.board, self.board.profile.partitions[job.partition])
        if self.state.is_in_dfu and target.leave:
            attempts = job.attempts + 1
            await self.book.change(job.id, status=JobStatus.RUNNING, phase=Phase.LEAVE, reason="", attempts=attempts)
            left = await self.thread.opened(lambda worker: worker.leave(device, target))
            if left and self.board.profile.app is not None:
                await self._see_it_start(job, device, None)
        await self._done(job, self.book.job(job.id).result)

    async def _see_it_start(self, job: JobState, device: UsbDevice, result: JobResult | None) -> JobResult | None:
        """Waits for the application's own identity; raises DeviceError (`not-accepted`) when it does not come."""
        state = self.state
        job = await self.book.change(job.id, phase=Phase.START, result=result)
        await state.until(lambda: state.sighting.device not in (None, device), START_SECONDS)
        if state.is_in_dfu and await state.until(lambda: not state.is_in_dfu, WINDOW_SECONDS):
            await state.until(lambda: state.sighting.device is not None, START_SECONDS)
        if state.is_stopping:
            raise ParkedError("parked: the daemon was stopped while the board was starting")
        started = state.sighting.presence is Presence.APP
        result = await self._note_start(job, result, started=started)
        if not started:
            raise self._not_accepted(job)
        return result

    async def _note_start(self, job: JobState, result: JobResult | None, *, started: bool) -> JobResult | None:
        contents = self.book.contents(job.board, job.partition)
        if contents is not None:
            await self.book.record(job.board, job.partition, replace(contents, started=started))
        if result is not None:
            result = replace(result, started=started)
            await self.book.change(job.id, result=result)
        return result

    def _not_accepted(self, job: JobState) -> DeviceError:
        seen = (
            "came back in DFU mode: the bootloader did not accept the image"
            if self.state.is_in_dfu
            else f"was not seen to start within {START_SECONDS:.0f} s"
        )
        return DeviceError(
            f"board {self.board.name} {seen} (partition {job.partition} holds {job.sha256[:12]})",
            kind=ErrorKind.NOT_ACCEPTED,
            hint="check that the image is linked for this partition, that its initial stack pointer is one that the "
            "bootloader's boot check accepts, and that the partition which is booted holds an application",
        )

    async def _done(self, job: JobState, result: JobResult | None) -> None:
        self.lost_reads.forget(job.id)
        job = await self.book.change(job.id, status=JobStatus.DONE, phase=None, reason="", result=result)
        verified = "" if result is None else f", {result.verified}"
        self.book.log(job, f"{job.partition} holds {job.version or job.sha256[:12]}{verified}")


def _result(outcome: Outcome) -> JobResult:
    return JobResult(
        bytes_written=outcome.bytes_written,
        erases=outcome.erases,
        blocks=outcome.blocks,
        transfers=outcome.transfers,
        uploads=outcome.uploads,
        slept=outcome.slept,
        seconds=outcome.seconds,
        verified=outcome.verified,
        protection=outcome.protection,
        unchanged=outcome.unchanged,
        erased_beside=outcome.erased_beside,
        remarks=tuple(clean(remark, LONGEST_LINE) for remark in outcome.remarks[:MAX_REMARKS]),
    )
