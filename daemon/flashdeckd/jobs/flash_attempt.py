"""An attempt to bring an image onto a board in DFU mode."""

import asyncio
from collections.abc import Callable
from functools import partial

from flashdeck.errors import DeviceGoneError
from flashdeck.job_state import Done, JobKind, Phase, Written
from flashdeck.model import JobState, LogLevel, Origin, Presence
from flashdeck.words.contents import image_name
from flashdeckd.flash.engine import preview
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.target import Target
from flashdeckd.host import threads
from flashdeckd.images.image import Image
from flashdeckd.jobs.assumed_facts import ASSUMED_FACTS
from flashdeckd.jobs.attempt import Workplace, result_of_engine
from flashdeckd.jobs.bootloader_book import bootloader_of
from flashdeckd.jobs.cached_image import cached_image, why_never_cached
from flashdeckd.jobs.contents import demanded, known_bytes, sparing_written
from flashdeckd.jobs.contents_change import Flashed
from flashdeckd.jobs.departure import Departure
from flashdeckd.jobs.engine_reports import EngineReports
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.visit import Visit
from flashdeckd.usb.device import UsbDevice


class FlashAttempt:
    """Carries out jobs that flash."""

    def __init__(self, place: Workplace, departure: Departure) -> None:
        self._place = place
        self._departure = departure
        self.reached = -1

    async def check(self, job: JobState) -> None:
        """Check the image by assumed facts; a build that is there already ends here (safety rule 7).

        It was queued behind a job that would have changed that, and was given up before it did.
        """
        board = self._place.board
        image = await self._place.images.read(job)
        target = target_of(board, board.profile.partitions[job.partition])
        if job.origin is Origin.BUILD and await self._is_there(job, image, target):
            await self._place.book.supersede(job, 0)
        else:
            preview(image, target, ASSUMED_FACTS)

    async def _is_there(self, job: JobState, image: Image, target: Target) -> bool:
        contents = self._place.book.contents(job.board, job.partition)
        if contents is None or contents.uncertain:
            return False
        known = await threads.run(known_bytes, contents, target, self._place.images.shelf.image)
        return known.satisfies(demanded(image, target))

    async def ends_without_dfu(self, job: JobState, presence: Presence) -> bool:  # noqa: ARG002 -- wherever it is
        """Return False: the board is brought into DFU mode, or waited for."""
        return False

    async def run(
        self, job: JobState, device: UsbDevice, visit: Visit, *, may_leave: Callable[[], bool], is_accepted: bool
    ) -> None:
        """Bring the job's image onto the device, and leave where `may_leave` says so."""
        self.reached = -1
        place = self._place
        partition = place.board.profile.partitions[job.partition]
        image = await place.images.read(job)
        warnings = await place.images.check(image, partition)
        if not place.may_begin(job):
            return  # it was cancelled or superseded, or its board put on hold or taken, while its image was read
        if not is_accepted:
            place.require_same(job, device)
        for warning in warnings:
            place.book.log(job, warning, LogLevel.WARNING)
        visit.take(job)
        job = await place.begin(job, Phase.OPEN, device)
        what = image_name(job.version, job.sha256)
        place.book.log(job, f"flashing {what} ({job.size} bytes) into {job.partition}")
        bootloader = bootloader_of(place.board.name, device)
        may_read = place.lost_reads.reading_allowed(job.id, place.histories.of(bootloader))
        others = self._departure.partitions_of(
            other for other in self._departure.written if other.partition != job.partition
        )
        target = target_of(place.board, partition, may_read=may_read, with_others=others)
        is_asked_to_leave = False

        async def ask() -> bool:
            nonlocal is_asked_to_leave
            if self._departure.is_heard and may_leave():
                await self._departure.drain()  # something may be queued meanwhile, so it is asked once more
            is_asked_to_leave = may_leave()
            if is_asked_to_leave:
                self._departure.expect((job, *self._departure.written))
            return is_asked_to_leave

        reports = EngineReports(
            loop=asyncio.get_running_loop(),
            book=place.book,
            histories=place.histories,
            job=job,
            target=target,
            change=Flashed(job, target, place.images.shelf.image),
            bootloader=bootloader,
            check=partial(place.state.check, job.id),
            is_accepted=is_accepted,
            may_leave=ask,
            changes=lambda: visit.changed.add(job.partition),
            disarm=place.disarm,
            show_work=place.show_work,
            pulse=place.thread.pulse,
        )
        contents = place.book.contents(job.board, job.partition)
        cached = await cached_image(contents, device, place.board, target, place.images.shelf)
        spared = partial(sparing_written, target, reports.history, contents, device, place.images.shelf.image)
        if why := why_never_cached(place.board.profile, device):
            place.book.log(job, why, LogLevel.WARNING)
        try:
            outcome = await place.with_pulse(
                reports, place.thread.opened(lambda worker: worker.flash(device, image, spared(), reports, cached))
            )
        finally:
            self.reached = reports.reached
        for note in outcome.notes:
            place.book.log(job, note)
        await reports.settled(outcome.verified)
        place.lost_reads.forget(job.id)
        await self._conclude(job, device, outcome, is_asked_to_leave=is_asked_to_leave)

    async def _conclude(
        self, job: JobState, device: UsbDevice, outcome: FlashResult, *, is_asked_to_leave: bool
    ) -> None:
        place, departure, result = self._place, self._departure, result_of_engine(outcome)
        if outcome.interrupted:
            await place.book.move(job, Written(result=result, reason="the board was lost before the leave"))
            raise DeviceGoneError(
                f"board {place.board.name} left the bus before the leave; the image is complete on it"
            )
        older = [] if job.patch else _flashes(departure.written, job.partition)
        job = await place.book.move(job, Written(result=result))
        for other in older:
            brought = f"job {job.id} has brought a newer image"
            await departure.end(other, Done(result=other.result, not_started=brought))
        if not place.board.profile.leave:
            await departure.end(job, Done(result=result))
        elif is_asked_to_leave:
            await departure.see_start(departure.written, device, left=outcome.left)


def _flashes(jobs: list[JobState], partition: str) -> list[JobState]:
    return [job for job in jobs if job.kind is JobKind.FLASH and job.partition == partition]
