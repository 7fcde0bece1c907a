"""What the flash engine reports from a lane's thread, on its way into the event loop and the books."""

import asyncio
import time
from collections.abc import Callable, Coroutine

from msgspec.structs import replace

from flashdeck.geometry import Range
from flashdeck.model import Contents, JobState, Phase, Verified
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.plan import Plan
from flashdeckd.flash.target import Target
from flashdeckd.images.shelf import Shelf
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook
from flashdeckd.jobs.contents import begun, flashed
from flashdeckd.state.journal import Bootloader

PROGRESS_SECONDS = 0.1
"""Progress of one phase is passed on at most this often."""


class EngineReports:
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
        shelf: Shelf,
        bootloader: Bootloader,
        check: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._book = book
        self._histories = histories
        self._job = job
        self._target = target
        self._shelf = shelf
        self._erased: tuple[Range, ...] = ()
        """The ranges that the plan erases, counted from the partition's start."""
        self._bootloader = bootloader
        self._check = check
        self._began = False
        self.history = histories.of(bootloader)
        """What the engine was told, or has told, of the bootloader."""
        self._phase: Phase | None = None
        self._last = 0.0

    def progress(self, phase: Phase, done: int, total: int) -> None:
        """Passes progress on, not more often than anybody can see."""
        now = time.monotonic()
        if phase is self._phase and done < total and now - self._last < PROGRESS_SECONDS:
            return
        self._phase, self._last = phase, now
        self._loop.call_soon_threadsafe(lambda: self._book.progress(self._job.id, phase=phase, done=done, total=total))

    def planned(self, plan: Plan) -> None:
        """Records that what is there may be disturbed by a canary: a board that is lost then still has it.

        The plan itself needs no record: it follows from image and target.
        """
        start = self._target.span.start
        self._erased = tuple(Range(span.start - start, span.end - start) for span in plan.erased)
        if plan.tries_canary:
            self._wait_for(self._disturb())

    def began(self) -> None:
        """Record that what is erased from now on is not known any more; raises FlashdeckError where it can not."""
        job = self._job
        after = begun(self._before, job, self._erased, made=self._made(), target=self._target)
        self._wait_for(self._book.begin(job.board, job.partition, after))
        self._began = True

    def committed(self) -> None:
        """Records that the partition holds the artifact. A full disk changes nothing in that."""
        self._wait_for(self._hold())

    def check(self) -> None:
        """Raises ParkedError when the job is to end here."""
        self._check()

    def learned(self, history: BootloaderHistory) -> None:
        """Records what this job has found out about the bootloader."""
        before, self.history = self.history, history
        self._wait_for(self._histories.learn(self._bootloader, before, history))

    async def settled(self, verified: Verified) -> None:
        """Records what reading has shown once the engine is through. Called in the event loop.

        An image that was there already was neither begun nor committed; it counts as this job's all the same.
        """
        if not self._began:
            await self._hold()
        contents = self._before
        if contents is None:
            return
        if self._job.patch and contents.sha256 and contents.verified is Verified.NO:
            verified = Verified.NO  # the program below was not verified, and still is not
        await self._book.record(self._job.board, self._job.partition, replace(contents, verified=verified))

    @property
    def _before(self) -> Contents | None:
        return self._book.contents(self._job.board, self._job.partition)

    async def _disturb(self) -> None:
        contents = self._before
        if contents is not None:
            await self._book.record(self._job.board, self._job.partition, replace(contents, disturbed=True))

    async def _hold(self) -> None:
        job, before, made = self._job, self._before, self._made()
        erased = self._erased if self._began else ()
        after = await asyncio.to_thread(
            lambda: flashed(before, job, erased, made=made, target=self._target, image_of=self._shelf.image)
        )
        await self._book.record(job.board, job.partition, after)

    def _made(self) -> Contents:
        """Return the record of the partition once it has the job's image, its layers aside."""
        job = self._job
        return Contents(
            sha256=job.sha256,
            size=job.size,
            version=job.version,
            flashed_at=time.time(),
            verified=Verified.NO,
            job=job.id,
            serial=self._bootloader.serial,
            bcd_device=self._bootloader.bcd_device,
        )

    def _wait_for(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
