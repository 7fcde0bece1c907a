"""Takes the flash engine's reports from a lane's thread into the event loop and the books."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from msgspec.structs import replace

from flashdeck.errors import FlashdeckError, OtherDeviceError
from flashdeck.geometry import Range
from flashdeck.job_state import JobKind, Phase, Verified
from flashdeck.model import Contents, JobState, LogLevel
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan
from flashdeckd.flash.sector_events import SectorAct, SectorEvent
from flashdeckd.flash.sector_states import SectorWork
from flashdeckd.flash.target import Target
from flashdeckd.host import clock, threads
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook
from flashdeckd.jobs.contents import is_begun
from flashdeckd.jobs.contents_change import ContentsChange
from flashdeckd.jobs.progress_reports import ProgressReports
from flashdeckd.jobs.sector_reports import SectorReports
from flashdeckd.state.journal import Bootloader
from flashdeckd.usb.pulse import Pulse

T = TypeVar("T")


class EngineReports(ProgressReports):
    """Carries what the engine reports from the lane's thread into the event loop.

    `planned`, `began`, `committed` and `learned` return only when the journal has it: a daemon killed right after them
    will know. Where the disk fails, `began` raises, and the others go on with the log saying so.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        book: JobBook,
        histories: BootloaderBook,
        job: JobState,
        target: Target,
        change: ContentsChange,
        bootloader: Bootloader,
        check: Callable[[], None],
        is_accepted: bool,
        may_leave: Callable[[], Coroutine[None, None, bool]],
        changes: Callable[[], object],
        disarm: Callable[[], Awaitable[object]],
        show_work: Callable[[SectorWork], object],
        pulse: Pulse,
    ) -> None:
        """`is_accepted` where a person said that the device is the board, whatever it shows.

        `may_leave` is asked, `changes` told that something is erased, and `show_work` how far each sector is, in the
        event loop. `disarm` is called there before the first erase of the one job that the board was armed for.
        """
        super().__init__(loop=loop, book=book, job=job, check=check, pulse=pulse)
        self._sectors = SectorReports(loop=loop, job=job, sectors=target.sectors, show=show_work)
        self._histories = histories
        self._target = target
        self._change = change
        self._erased: tuple[Range, ...] = ()
        """The ranges that the plan erases, counted from the partition's start."""
        self._bootloader = bootloader
        self._is_accepted = is_accepted
        self._may_leave = may_leave
        self._changes = changes
        self._disarm = disarm
        self._counts = Phase.ERASE if job.kind is JobKind.ERASE else Phase.WRITE
        """The phase whose bytes tell how far an attempt came."""
        self._began = False
        self._map = ""
        self._kept = 0
        """Bytes that the plan leaves alone, because they are right."""
        self.reached = -1
        """Bytes that are right on the board as far as this attempt came; -1 before it had a plan."""
        self.history = histories.of(bootloader)
        """The history of the bootloader, as the engine was told it or has told it."""

    def progress(self, phase: Phase, done: int, total: int) -> None:
        """Passes progress on, and remembers how far the job came. Where it only erases, that counts."""
        if phase is self._counts:
            self.reached = max(self.reached, self._kept + done)
        if phase is Phase.WRITE and not self._target.sectors:  # nothing else tells of what such a device has taken
            self._bytes_written += self._further(phase, done)
        super().progress(phase, done, total)

    def happened(self, event: SectorEvent) -> None:
        """Counts and passes on what became of a sector."""
        if event.act is SectorAct.ERASED:
            self._sectors_erased += 1
        elif event.act is SectorAct.WRITTEN:
            self._bytes_written += event.span.size
        self._sectors.happened(event)

    def show_pulse(self) -> None:
        """Passes on what is new, as the board's answers, while no progress does. Called in the event loop."""
        super().show_pulse()
        self._sectors.catch_up()

    def end(self) -> None:
        """Notes the times, and how the sectors were left. Called in the event loop, once the work has ended."""
        super().end()
        self._sectors.end()

    def opened(self, facts: DeviceFacts) -> None:
        """Raises OtherDeviceError where the job was begun on a device with another map: nothing is done to this one."""
        self._map = facts.map_fingerprint
        before = self._before
        if self._is_accepted or before is None or not is_begun(before, self._job):
            return
        if before.memory_map not in ("", self._map):
            raise OtherDeviceError(
                f"board {self._job.board} shows another memory map than when job {self._job.id} began: "
                "it may be another board with the same serial",
                hint="plug in the board that the job began on; if it is this one, run `flashdeck release`",
            )

    def may_leave(self) -> bool:
        """Asks whether the visit is over."""
        return self._wait_for(self._may_leave())

    def planned(self, plan: FlashPlan) -> None:
        """Records that what is there may be uncertain by a canary: a board that is lost then still has it.

        The plan itself needs no record: it follows from image and target.
        """
        start = self._target.span.start
        self._kept = plan.unchanged
        self.reached = max(self.reached, plan.unchanged)
        self._sectors.planned(plan)
        self._erased = tuple(Range(span.start - start, span.end - start) for span in plan.erased)
        if plan.tries_canary:
            self._wait_for(self._disturb())

    def began(self) -> None:
        """Record that what is erased from now on is not known any more; raises FlashdeckError where it cannot."""
        job = self._job
        if job.once:
            self._wait_for(self._use_up())
        after = self._change.begun(self._before, self._erased, self._made())
        self._wait_for(self._book.begin(job.board, job.partition, after))
        self._began = True
        self._loop.call_soon_threadsafe(self._changes)

    def committed(self) -> None:
        """Records that the partition has the image. A full disk changes nothing in that."""
        self._wait_for(self._hold())

    def learned(self, history: BootloaderHistory) -> None:
        """Record what this job has found out about the bootloader.

        Raises FlashdeckError where that is the place of a canary to come, and it cannot be recorded.
        """
        self._wait_for(self._histories.learn(self._bootloader, self.history, history))
        self.history = history

    async def settled(self, verified: Verified) -> None:
        """Records what reading has shown once the engine is through. Called in the event loop.

        An image that was there already was neither begun nor committed; it counts as this job's all the same.
        """
        if not self._began:
            await self._hold()
            await self._try_to_use_up()
        contents = self._before
        if contents is None:
            return
        if self._job.patch and contents.sha256 and contents.verified is Verified.NO:
            verified = Verified.NO  # the program below was not verified, and still is not
        await self._book.record(self._job.board, self._job.partition, replace(contents, verified=verified))

    @property
    def _before(self) -> Contents | None:
        return self._book.contents(self._job.board, self._job.partition)

    async def _use_up(self) -> None:
        await self._disarm()

    async def _try_to_use_up(self) -> None:
        """Disarm the board where its one job found the image there already; the log says where the disk fails."""
        if not self._job.once:
            return
        try:
            await self._disarm()
        except FlashdeckError as error:
            self._book.log(self._job, f"could not be recorded: {error.message}", LogLevel.ERROR)

    async def _disturb(self) -> None:
        contents = self._before
        if contents is not None:
            await self._book.record(self._job.board, self._job.partition, replace(contents, uncertain=True))

    async def _hold(self) -> None:
        job, erased = self._job, self._erased if self._began else ()
        after = await self._book.judged(
            job.board, job.partition, lambda before: threads.run(self._change.done, before, erased, self._made())
        )
        await self._book.record(job.board, job.partition, after)

    def _made(self) -> Contents:
        """Return the record of the partition once it has the job's image, its layers aside."""
        job, before = self._job, self._before
        return Contents(
            sha256=job.sha256,
            size=job.size,
            version=job.version,
            flashed_at=clock.now(),
            verified=Verified.NO,
            job=job.id,
            serial=self._bootloader.serial,
            bcd_device=self._bootloader.bcd_device,
            memory_map=self._map,
            went_back=before.went_back if before is not None else (),
            ran=before.ran if before is not None else None,
        )

    def _wait_for(self, work: Coroutine[None, None, T]) -> T:
        return threads.result_of(work, self._loop)
