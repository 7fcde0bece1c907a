"""An attempt to read a partition of a board in DFU mode: to compare it with an image, or to keep its bytes."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flashdeck.errors import ErrorKind, RequestError
from flashdeck.job_state import JobKind, JobResult, Phase, Verified, Written
from flashdeck.model import Contents, JobState, Presence
from flashdeck.words.contents import contents_name, image_name
from flashdeck.words.work import doing_word
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.comparison import Difference, difference
from flashdeckd.flash.reading import ReadOrder, ReadResult, require_readable
from flashdeckd.flash.target import Target
from flashdeckd.host import threads
from flashdeckd.images.image import NOTHING, Image
from flashdeckd.jobs.attempt import Workplace, remarks_of
from flashdeckd.jobs.bootloader_book import bootloader_of
from flashdeckd.jobs.contents import compared, known_bytes
from flashdeckd.jobs.departure import Departure
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.progress_reports import ProgressReports
from flashdeckd.jobs.visit import Visit, wants_leave
from flashdeckd.usb.device import UsbDevice


@dataclass(frozen=True, slots=True)
class _Findings:
    """The outcome of the reads."""

    result: ReadResult
    wrong: Difference | None
    """The difference from what was wanted; None where there is none, or nothing was wanted."""
    changed: Difference | None
    """The difference from what was known of the partition."""
    contents: Contents | None
    """All that is to be said of the partition from now on; None where nothing is known."""


class LookAttempt:
    """Carries out jobs that only read, and leave the board as they found it."""

    def __init__(self, place: Workplace, departure: Departure) -> None:
        self._place = place
        self._departure = departure
        self.reached = -1

    async def check(self, job: JobState) -> None:
        """See that there is something to compare with, before a board is disturbed for it."""
        board = self._place.board
        await self._wanted(job, await self._known(job, target_of(board, board.profile.partitions[job.partition])))

    async def ends_without_dfu(self, job: JobState, presence: Presence) -> bool:  # noqa: ARG002 -- wherever it is
        """Return False: the board is brought into DFU mode, or waited for."""
        return False

    async def run(
        self,
        job: JobState,
        device: UsbDevice,
        visit: Visit,
        *,
        may_leave: Callable[[], bool],  # noqa: ARG002 -- that comes with the end of the visit
        is_accepted: bool,  # noqa: ARG002 -- nothing is done to the device that needs to be the same
    ) -> None:
        """Read, and record what that shows of the partition."""
        self.reached = -1
        place = self._place
        visit.returns = visit.returns or job.was_running  # also where nothing comes of it
        target = target_of(place.board, place.board.profile.partitions[job.partition])
        known = await self._known(job, target)
        wanted = await self._wanted(job, known)
        if not place.may_begin(job):
            return
        history = place.histories.of(bootloader_of(place.board.name, device))
        require_readable(self._why_not(job, history), force=job.force)
        visit.take(job)
        job = await place.begin(job, Phase.OPEN, device)
        place.book.log(job, f"{doing_word(job.kind)} {job.partition}{self._with_what(job)}")
        order = ReadOrder(wanted, whole=job.kind is JobKind.READ, force=job.force)
        reports = ProgressReports(
            loop=asyncio.get_running_loop(),
            book=place.book,
            job=job,
            check=lambda: place.state.check(job.id),
            pulse=place.thread.pulse,
        )
        result = await place.with_pulse(
            reports, place.thread.opened(lambda worker: worker.read(device, target, order, reports, history))
        )
        seen = await place.book.judged(
            job.board, job.partition, lambda before: threads.run(_judge, result, wanted, known, before, target)
        )
        if seen.contents is not None and seen.contents != place.book.contents(job.board, job.partition):
            await place.book.record(job.board, job.partition, seen.contents)
        if order.whole:
            artifact = await place.images.keep(result.read)
            job = await place.book.note_read(job, artifact)
        place.lost_reads.forget(job.id)
        job = await place.book.move(job, Written(result=_in_numbers(seen, target)))
        if not wants_leave(job, place.board.profile):
            await self._departure.finish([job])

    def _why_not(self, job: JobState, history: BootloaderHistory) -> str:
        """Return what is known against reading this board; "" where that is nothing."""
        if not self._place.lost_reads.reading_allowed(job.id, history):
            return "it was lost while it was read"
        return "" if history.reading_proved else history.unreadable

    def _with_what(self, job: JobState) -> str:
        if job.kind is JobKind.READ:
            return ""
        if job.sha256:
            return f": compares with {image_name(job.version, job.sha256)}"
        contents = self._place.book.contents(job.board, job.partition)
        return f": compares with {contents_name(contents)}" if contents is not None else ""

    async def _known(self, job: JobState, target: Target) -> Image:
        contents = self._place.book.contents(job.board, job.partition)
        return await threads.run(known_bytes, contents, target, self._place.images.shelf.image)

    async def _wanted(self, job: JobState, known: Image) -> Image:
        """Return what is compared with; raises RequestError, or DeviceError, where there is nothing."""
        if job.kind is JobKind.READ:
            return NOTHING
        if job.sha256:
            return await self._place.images.read(job)
        contents = self._place.book.contents(job.board, job.partition)
        if contents is not None and not contents.complete:
            raise RequestError(
                f"{job.partition} of board {job.board} is incomplete: there is nothing to compare it with",
                hint=f"flash it again, or name a file: flashdeck verify {job.partition} FILE",
                kind=ErrorKind.VERIFY,
            )
        if contents is None or not known.pieces:
            raise RequestError(
                f"nothing is known of what {job.partition} of board {job.board} has",
                hint=f"name a file: flashdeck verify {job.partition} FILE",
                kind=ErrorKind.NO_SUCH_ARTIFACT,
            )
        return known


def _judge(result: ReadResult, wanted: Image, known: Image, before: Contents | None, target: Target) -> _Findings:
    """Return what the reads show. Looks at every byte, and so blocks."""
    after = None if before is None else compared(before, known, result.read, target, proved=result.proved)
    return _Findings(result, difference(wanted, result.read), difference(known, result.read), after)


def _in_numbers(seen: _Findings, target: Target) -> JobResult:
    """Return the result of the job."""
    result, wrong = seen.result, seen.wrong
    start = target.span.start
    return JobResult(
        bytes_written=0,
        erases=0,
        blocks=0,
        transfers=result.transfers,
        uploads=result.uploads,
        slept=result.slept,
        seconds=result.seconds,
        verified=Verified.YES if result.proved and wrong is None else Verified.NO,
        protection="",
        remarks=remarks_of((*result.remarks, *_remarks(seen, start))),
        bytes_read=result.read.size,
        different=0 if wrong is None else wrong.count,
        first_difference=None if wrong is None else start + wrong.first,
    )


def _remarks(seen: _Findings, start: int) -> Iterator[str]:
    if seen.wrong is not None and not seen.result.proved:
        yield "so the difference may be a false read"
    if seen.changed is not None:
        yield (
            f"it is not what flashdeck knows of it, from 0x{start + seen.changed.first:08x} on: "
            "its contents are uncertain from now on"
        )
