"""An attempt to erase a whole partition of a board in DFU mode, where the board then stays."""

import asyncio
from collections.abc import Callable
from functools import partial

from flashdeck.job_state import Done, JobKind, Phase, Written
from flashdeck.model import JobState, LogLevel, Presence
from flashdeckd.flash.engine import preview_erase
from flashdeckd.jobs.assumed_facts import ASSUMED_FACTS
from flashdeckd.jobs.attempt import Workplace, result_of_engine
from flashdeckd.jobs.bootloader_book import bootloader_of
from flashdeckd.jobs.cached_image import cached_image
from flashdeckd.jobs.contents import sparing_written
from flashdeckd.jobs.contents_change import Erased
from flashdeckd.jobs.departure import Departure
from flashdeckd.jobs.engine_reports import EngineReports
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.visit import Visit
from flashdeckd.usb.device import UsbDevice


class EraseAttempt:
    """Carries out jobs that erase."""

    def __init__(self, place: Workplace, departure: Departure) -> None:
        self._place = place
        self._departure = departure
        self.reached = -1

    async def check(self, job: JobState) -> None:
        """Check by assumed facts that the partition can be erased at all."""
        board = self._place.board
        preview_erase(target_of(board, board.profile.partitions[job.partition]), ASSUMED_FACTS)

    async def ends_without_dfu(self, job: JobState, presence: Presence) -> bool:  # noqa: ARG002 -- wherever it is
        """Return False: the board is brought into DFU mode, or waited for."""
        return False

    async def run(
        self,
        job: JobState,
        device: UsbDevice,
        visit: Visit,
        *,
        may_leave: Callable[[], bool],  # noqa: ARG002 -- never: what was erased does not start
        is_accepted: bool,
    ) -> None:
        """Erase the job's partition; the journal knows that before the first sector goes."""
        self.reached = -1
        place = self._place
        if not place.may_begin(job):
            return
        if not is_accepted:
            place.require_same(job, device)
        visit.take(job)
        job = await place.begin(job, Phase.OPEN, device)
        place.book.log(job, f"erasing {job.partition}", LogLevel.WARNING)
        bootloader = bootloader_of(place.board.name, device)
        may_read = place.lost_reads.reading_allowed(job.id, place.histories.of(bootloader))
        target = target_of(place.board, place.board.profile.partitions[job.partition], may_read=may_read)
        reports = EngineReports(
            loop=asyncio.get_running_loop(),
            book=place.book,
            histories=place.histories,
            job=job,
            target=target,
            change=Erased(target),
            bootloader=bootloader,
            check=lambda: place.state.check(job.id),
            is_accepted=is_accepted,
            may_leave=_never,
            changes=lambda: visit.changed.add(job.partition),
            disarm=place.disarm,
            show_work=place.show_work,
            pulse=place.thread.pulse,
        )
        contents = place.book.contents(job.board, job.partition)
        cached = await cached_image(contents, device, place.board, target, place.images.shelf)
        spared = partial(sparing_written, target, reports.history, contents, device, place.images.shelf.image)
        try:
            outcome = await place.with_pulse(
                reports, place.thread.opened(lambda worker: worker.erase(device, spared(), reports, cached))
            )
        finally:
            self.reached = reports.reached
        visit.changed.add(job.partition)  # also where it was blank already: the board stays
        for note in outcome.notes:
            place.book.log(job, note)
        await reports.settled(outcome.verified)
        place.lost_reads.forget(job.id)
        await self._conclude(job, Written(result=result_of_engine(outcome)))

    async def _conclude(self, job: JobState, status: Written) -> None:
        """End the job, and those whose images it has erased before they were started."""
        gone = [
            other
            for other in self._departure.written
            if other.kind is JobKind.FLASH and other.partition == job.partition
        ]
        job = await self._place.book.move(job, status)
        for other in gone:
            erased = f"job {job.id} has erased {job.partition}"
            await self._departure.end(other, Done(result=other.result, not_started=erased))
        await self._departure.finish([job])


async def _never() -> bool:
    """Return that what was erased does not start."""
    return False
