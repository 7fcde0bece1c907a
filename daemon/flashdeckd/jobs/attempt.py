"""One attempt of one job on a board in DFU mode; and the end of a visit: leave, and see the application start.

Whatever comes in between is raised; `after_error` does what becomes of the job then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

from msgspec.structs import replace

from flashdeck.config import Board, Partition
from flashdeck.errors import DeviceError, DeviceGoneError, ErrorKind, OtherDeviceError, ParkedError
from flashdeck.job_state import Done, Failed, Failure, JobResult, Phase, PhaseTimes, Running, Written, may_follow
from flashdeck.model import JobState, LogLevel, Presence
from flashdeck.text import clean
from flashdeck.words.contents import image_name
from flashdeckd.flash.result import FlashResult
from flashdeckd.host import clock
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook, bootloader_of
from flashdeckd.jobs.cached_image import cached_image, why_never_cached
from flashdeckd.jobs.contents import is_begun, is_of
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.engine_reports import PULSE_SECONDS, EngineReports
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.job_images import JobImages
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.lost_reads import LostReads
from flashdeckd.jobs.visit import Visit, why_incomplete, written
from flashdeckd.state.hub import LONGEST_LINE
from flashdeckd.usb.device import UsbDevice

T = TypeVar("T")

MAX_REMARKS: Final = 16
"""Remarks that are kept with a job's result."""
START_SECONDS: Final = 20.0
"""Longest time in which an application enumerates after the leave."""
WINDOW_SECONDS: Final = 5.0
"""Longest time for which a bootloader is back before it starts the application. Some, as Maple's, wait for a host after
each reset."""


class Attempts:
    """Carries out attempts on one board. Nothing is kept from one to the next but what the books have."""

    def __init__(
        self,
        *,
        board: Board,
        state: LaneState,
        thread: DeviceThread,
        book: JobBook,
        histories: BootloaderBook,
        lost_reads: LostReads,
        images: JobImages,
        disarm: Callable[[], Awaitable[object]],
    ) -> None:
        """`disarm` disarms the board durably, where it is armed for one job and that has come."""
        self.board = board
        self.state = state
        self.thread = thread
        self.book = book
        self.histories = histories
        self.lost_reads = lost_reads
        self.images = images
        self.disarm = disarm
        self.reached = -1
        """Bytes that are right on the board as far as the last attempt came; -1 where it had no plan."""

    async def flash(
        self, job: JobState, device: UsbDevice, visit: Visit, *, may_leave: Callable[[], bool], is_accepted: bool
    ) -> None:
        """Bring the job's image onto the device, and leave where `may_leave` says so; raises what keeps it from that.

        The job is written then, or done where the board is not to be started. `is_accepted` where a person said that
        the device is the board that the job was begun on, whatever it shows.
        """
        self.reached = -1
        partition = self.board.profile.partitions[job.partition]
        image = await self.images.read(job)
        warnings = await self.images.check(image, partition)
        if not may_follow(self.book.job(job.id).status, self._running(Phase.OPEN)):
            return  # cancelled, or superseded, while its image was read
        if not is_accepted:
            self._require_same(job, device)
        for warning in warnings:
            self.book.log(job, warning, LogLevel.WARNING)
        visit.take(job)
        job = await self.book.begin_attempt(job, self._running(Phase.OPEN))
        what = image_name(job.version, job.sha256)
        self.book.log(job, f"flashing {what} ({job.size} bytes) into {job.partition}")
        bootloader = bootloader_of(self.board.name, device)
        may_read = self.lost_reads.reading_allowed(job.id, self.histories.of(bootloader))
        others = self._partitions_of(other for other in self._written() if other.partition != job.partition)
        target = target_of(self.board, partition, may_read=may_read, with_others=others)
        is_asked_to_leave = False

        def ask() -> bool:
            nonlocal is_asked_to_leave
            is_asked_to_leave = may_leave()
            return is_asked_to_leave

        reports = EngineReports(
            loop=asyncio.get_running_loop(),
            book=self.book,
            histories=self.histories,
            job=job,
            target=target,
            shelf=self.images.shelf,
            bootloader=bootloader,
            check=lambda: self.state.check(job.id),
            is_accepted=is_accepted,
            may_leave=ask,
            changes=lambda: visit.changed.add(job.partition),
            disarm=self.disarm,
            pulse=self.thread.pulse,
        )
        contents = self.book.contents(job.board, job.partition)
        cached = await cached_image(contents, device, self.board, target, self.images.shelf)
        if why := why_never_cached(self.board.profile, device):
            self.book.log(job, why, LogLevel.WARNING)
        try:
            outcome = await self._with_pulse(
                reports, self.thread.opened(lambda worker: worker.flash(device, image, target, reports, cached))
            )
        finally:
            self.reached = reports.reached
            self.book.spend(job.id, reports.end())
        for note in outcome.notes:
            self.book.log(job, note)
        await reports.settled(outcome.verified)
        self.lost_reads.forget(job.id)
        await self._conclude(job, device, outcome, is_asked_to_leave=is_asked_to_leave)

    async def leave(self, jobs: Sequence[JobState], device: UsbDevice) -> None:
        """Start what the written `jobs` brought onto a board in DFU mode, and end them; raises what prevents it."""
        first, *others = self._partitions_of(jobs)
        target = target_of(self.board, first, with_others=others)
        jobs = await self._show(jobs, Phase.LEAVE)
        if not jobs:
            return
        with self._timed(jobs, Phase.LEAVE):
            left = await self.thread.opened(lambda worker: worker.leave(device, target))
        await self.see_start(jobs, device, left=left)

    async def see_start(self, jobs: Sequence[JobState], device: UsbDevice, *, left: bool) -> None:
        """End written jobs as their board starts, or does not: the verdict is one on all that the visit changed."""
        if left and self.board.profile.app is not None:
            jobs = await self._show(jobs, Phase.START)
            with self._timed(jobs, Phase.START):
                started = await self._wait_for_app(device)
        elif left and self.state.is_in_dfu and self.state.sighting.device != device:
            started = False
        else:
            started = None
        if left and started is None:
            await self._forget_that_it_did_not_start()
        incomplete = self.book.incomplete(self.board.name, self.board.profile.partitions)
        if started is False and incomplete:  # left there by an earlier visit: that says nothing of these images
            await self.stay(jobs, why_incomplete(incomplete))
            return
        for job in self._written_of(jobs):
            await self._end(job, started=started)

    async def seen_running(self, jobs: Sequence[JobState]) -> None:
        """End written jobs whose board is running by now."""
        for job in jobs:
            await self._end(job, started=True)

    async def stay(self, jobs: Sequence[JobState], reason: str) -> None:
        """End written jobs whose board is not started, and stays in DFU mode, for a reason."""
        for job in self._written_of(jobs):
            await self._note_start(job, started=False)
            await self._done(job, Done(result=job.result, not_started=reason))

    @contextmanager
    def _timed(self, jobs: Sequence[JobState], phase: Phase) -> Generator[None]:
        """Count the time of the block for each of `jobs`, however it ends."""
        began = clock.monotonic()
        try:
            yield
        finally:
            for job in jobs:
                self.book.spend(job.id, PhaseTimes().plus(phase, clock.monotonic() - began))

    def _written(self) -> list[JobState]:
        return written(self.book.active(self.board.name))

    def _written_of(self, jobs: Iterable[JobState]) -> list[JobState]:
        """Return the jobs as they are now, without those that were cancelled or released meanwhile."""
        return written(self.book.job(job.id) for job in jobs)

    async def _show(self, jobs: Iterable[JobState], phase: Phase) -> list[JobState]:
        """Bring written jobs into a phase of the start, and return them: from then on nobody else ends them."""
        for job in jobs:
            if self._written_of([job]):
                await self.book.move(job, Written(result=job.result, phase=phase))
        return self._written_of(jobs)

    async def _conclude(
        self, job: JobState, device: UsbDevice, outcome: FlashResult, *, is_asked_to_leave: bool
    ) -> None:
        result = _result(outcome)
        if outcome.interrupted:
            await self.book.move(job, Written(result=result, reason="the board was lost before the leave"))
            raise DeviceGoneError(f"board {self.board.name} left the bus before the leave; the image is complete on it")
        older = [] if job.patch else [other for other in self._written() if other.partition == job.partition]
        job = await self.book.move(job, Written(result=result))
        for other in older:
            await self._done(other, Done(result=other.result, not_started=f"job {job.id} has brought a newer image"))
        if not self.board.profile.leave:
            await self._done(job, Done(result=result))
        elif is_asked_to_leave:
            await self.see_start(self._written(), device, left=outcome.left)

    async def _wait_for_app(self, device: UsbDevice) -> bool:
        """Wait for the application's own identity; raises ParkedError where the daemon is stopped meanwhile."""
        state = self.state

        def ran() -> bool:
            return state.ran_after == device  # also where somebody has pressed the button since

        await state.until(lambda: ran() or state.sighting.device not in (None, device), START_SECONDS)
        if ran():
            return True
        if state.is_in_dfu and await state.until(lambda: not state.is_in_dfu, WINDOW_SECONDS):
            await state.until(lambda: state.sighting.device is not None, START_SECONDS)
        if state.is_stopping:
            raise ParkedError("parked: the daemon was stopped while the board was starting")
        return state.sighting.presence is Presence.APP

    async def _end(self, job: JobState, *, started: bool | None) -> None:
        if started is not None:
            await self._note_start(job, started=started)
        result = job.result if started is None or job.result is None else replace(job.result, started=started)
        if started is not False:
            await self._done(job, Done(result=result))
            return
        error = self._not_accepted(job)
        failure = Failure(kind=error.kind, message=error.message, hint=error.hint)
        if self._written_of([job]):
            await self.book.move(job, Failed(failure=failure, result=result))
            self.book.log(job, f"failed: {error.advice}", LogLevel.ERROR)

    async def _forget_that_it_did_not_start(self) -> None:
        """The board left DFU mode, and nothing can be seen of what it runs: an earlier visit says nothing of that."""
        for name in self.board.profile.partitions:
            contents = self.book.contents(self.board.name, name)
            if contents is not None and contents.started is False:
                await self.book.record(self.board.name, name, replace(contents, started=None))

    async def _note_start(self, job: JobState, *, started: bool) -> None:
        contents = self.book.contents(job.board, job.partition)
        if contents is not None:
            await self.book.record(job.board, job.partition, replace(contents, started=started))

    def _require_same(self, job: JobState, device: UsbDevice) -> None:
        """Raises OtherDeviceError where the job was begun on a device that showed something else."""
        contents = self.book.contents(job.board, job.partition)
        if contents is None or not is_begun(contents, job) or is_of(contents, device):
            return
        raise OtherDeviceError(
            f"another device is in the place of board {job.board}: serial {device.serial or 'none'}, bcdDevice "
            f"{device.bcd_device:04x}; job {job.id} began on one with serial {contents.serial or 'none'}, bcdDevice "
            f"{contents.bcd_device:04x}",
            hint=f"plug in the board that the job began on; if it is this one, run `flashdeck release {job.board}`",
        )

    def _not_accepted(self, job: JobState) -> DeviceError:
        seen = (
            "came back in DFU mode: the bootloader did not accept the image"
            if self.state.is_in_dfu
            else f"was not seen to start within {START_SECONDS:.0f} s"
        )
        return DeviceError(
            f"board {self.board.name} {seen} (partition {job.partition} has {image_name(job.version, job.sha256)})",
            kind=ErrorKind.NOT_ACCEPTED,
            hint="check that the image is linked for this partition, that its initial stack pointer passes "
            "the bootloader's boot check, and that the partition which is booted has an application",
        )

    async def _done(self, job: JobState, done: Done) -> None:
        if not self._written_of([job]):
            return
        await self.book.move(job, done)
        verified = f", {done.result.verified}" if done.result else ""
        unstarted = f"; not started: {done.not_started}" if done.not_started else ""
        self.book.log(job, f"{job.partition} has {image_name(job.version, job.sha256)}{verified}{unstarted}")

    def _partitions_of(self, jobs: Iterable[JobState]) -> list[Partition]:
        return [self.board.profile.partitions[name] for name in dict.fromkeys(job.partition for job in jobs)]

    def _running(self, phase: Phase) -> Running:
        return Running(phase=phase, since=clock.now(), answered_at=self.thread.pulse.answered_at)

    async def _with_pulse(self, reports: EngineReports, work: Awaitable[T]) -> T:
        """Show that the board answers for as long as `work` goes on."""

        async def show() -> None:
            while True:
                await asyncio.sleep(PULSE_SECONDS)
                reports.show_pulse()

        showing = asyncio.create_task(show())
        try:
            return await work
        finally:
            showing.cancel()


def _result(outcome: FlashResult) -> JobResult:
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
