"""One attempt of one job on its board: what is asked of each kind of job, and what all of them work with."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from flashdeck.config import Board
from flashdeck.errors import DeviceGoneError, OtherDeviceError
from flashdeck.job_state import JobResult, Phase, PhaseTimes, Running
from flashdeck.model import JobState, Presence
from flashdeck.text import clean
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.sector_states import SectorWork
from flashdeckd.host import clock
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook
from flashdeckd.jobs.contents import is_begun, is_of
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.job_images import JobImages
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.lost_reads import LostReads
from flashdeckd.jobs.progress_reports import PULSE_SECONDS, ProgressReports
from flashdeckd.jobs.start_hearing import NoHearing, StartHearing
from flashdeckd.jobs.visit import Visit
from flashdeckd.state.hub import LONGEST_LINE
from flashdeckd.usb.device import UsbDevice

T = TypeVar("T")

MAX_REMARKS: Final = 16
"""Remarks that are kept with a job's result."""


class Attempt(Protocol):
    """The way in which one kind of job is carried out. Nothing is kept from one attempt to the next but `reached`."""

    reached: int
    """Bytes that are right on the board as far as the last attempt came; -1 where it had no plan."""

    async def check(self, job: JobState) -> None:
        """Raise what speaks against a job whatever board it meets: that is said before its board is there.

        One that is not needed any more ends here.
        """
        ...

    async def ends_without_dfu(self, job: JobState, presence: Presence) -> bool:
        """Return whether the job has ended here, because its board is not in DFU mode; raises why it cannot be done."""
        ...

    async def run(
        self, job: JobState, device: UsbDevice, visit: Visit, *, may_leave: Callable[[], bool], is_accepted: bool
    ) -> None:
        """Do the job on a device in DFU mode, and leave where `may_leave` says so; raises what keeps it from that.

        The job is written then, or has ended. `is_accepted` where a person said that the device is the board that the
        job was begun on, whatever it shows.
        """
        ...


@dataclass(frozen=True, slots=True)
class Workplace:
    """The board of one lane, and the books and threads that attempts on it work with."""

    board: Board
    state: LaneState
    thread: DeviceThread
    book: JobBook
    histories: BootloaderBook
    lost_reads: LostReads
    images: JobImages
    disarm: Callable[[], Awaitable[object]]
    """Disarms the board durably, where it is armed for one job and that has come."""
    show_work: Callable[[SectorWork], object]
    """Shows how far a job is with each sector."""
    may_begin: Callable[[JobState], bool]
    """Tells whether a job whose turn has come may still begin: asked once more right before it does."""
    hearing: StartHearing = field(default_factory=NoHearing)
    """Hears how the application starts."""

    @contextmanager
    def timed(self, jobs: Sequence[JobState], phase: Phase) -> Generator[None]:
        """Count the time of the block for each of `jobs`, however it ends."""
        began = clock.monotonic()
        try:
            yield
        finally:
            for job in jobs:
                self.book.spend(job.id, PhaseTimes().plus(phase, clock.monotonic() - began))

    async def begin(self, job: JobState, phase: Phase, device: UsbDevice) -> JobState:
        """Count an attempt of a job that is to run on a device from now on, and return it; raises what the book does.

        Raises DeviceGoneError where the device was pulled, or another one looks like it, while that was recorded.
        """
        now = Running(phase=phase, since=clock.now(), answered_at=self.thread.pulse.answered_at)
        begun = await self.book.begin_attempt(job, now)
        if self.state.sighting.device != device:
            raise DeviceGoneError(f"board {job.board} left, or another device looks like it")
        return begun

    async def with_pulse(self, reports: ProgressReports, work: Awaitable[T]) -> T:
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
            reports.end()

    def require_same(self, job: JobState, device: UsbDevice) -> None:
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


def result_of_engine(outcome: FlashResult) -> JobResult:
    """Return the result of a job that flashed or erased."""
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
        remarks=remarks_of(outcome.remarks),
    )


def remarks_of(remarks: tuple[str, ...]) -> tuple[str, ...]:
    """Return as many remarks as are kept, cleaned."""
    return tuple(clean(remark, LONGEST_LINE) for remark in remarks[:MAX_REMARKS])
