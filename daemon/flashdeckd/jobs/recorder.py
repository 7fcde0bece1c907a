"""What the flash engine reports from a lane's thread, on its way into the event loop and the books."""

import asyncio
import time
from collections.abc import Callable, Coroutine

from msgspec.structs import replace

from flashdeck.model import Holding, JobState, Phase, Verified
from flashdeckd.flash.experience import Experience
from flashdeckd.flash.plan import Plan
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.experiences import ExperienceBook
from flashdeckd.journal import Bootloader

PROGRESS_SECONDS = 0.1
"""Progress of one phase is passed on at most this often."""


class Recorder:
    """Carries what the engine reports from the lane's thread into the event loop.

    `planned`, `began`, `committed` and `learned` return only when the journal has it: a daemon killed right after them
    will know. Where the disk fails, `began` raises, and the others go on with the log saying so.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        book: JobBook,
        experiences: ExperienceBook,
        job: JobState,
        bootloader: Bootloader,
        check: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._book = book
        self._experiences = experiences
        self._job = job
        self._bootloader = bootloader
        self._check = check
        self._began = False
        self.experience = experiences.of(bootloader)
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
        if plan.tries_canary:
            self._wait_for(self._disturb())

    def began(self) -> None:
        """Records that the partition holds no complete image from now on; raises FlashdeckError where it can not."""
        self._wait_for(self._book.begin(self._job.board, self._job.partition, self._holding(complete=False)))
        self._began = True

    def committed(self) -> None:
        """Records that the partition holds the artifact. A full disk changes nothing in that."""
        self._wait_for(self._hold())

    def check(self) -> None:
        """Raises ParkedError when the job is to end here."""
        self._check()

    def learned(self, experience: Experience) -> None:
        """Records what this job has found out about the bootloader."""
        before, self.experience = self.experience, experience
        self._wait_for(self._experiences.learn(self._bootloader, before, experience))

    async def settled(self, verified: Verified) -> None:
        """Records what reading has shown once the engine is through. Called in the event loop.

        An image that was there already was neither begun nor committed; it counts as this job's all the same.
        """
        holding = self._book.holding(self._job.board, self._job.partition)
        if holding is None or not self._began:
            await self._hold(verified)
        else:
            await self._book.hold(self._job.board, self._job.partition, replace(holding, verified=verified))

    async def _disturb(self) -> None:
        holding = self._book.holding(self._job.board, self._job.partition)
        if holding is not None:
            await self._book.hold(self._job.board, self._job.partition, replace(holding, disturbed=True))

    async def _hold(self, verified: Verified = Verified.NO) -> None:
        await self._book.hold(self._job.board, self._job.partition, self._holding(complete=True, verified=verified))

    def _holding(self, *, complete: bool, verified: Verified = Verified.NO) -> Holding:
        job = self._job
        return Holding(
            sha256=job.sha256,
            size=job.size,
            version=job.version,
            flashed_at=time.time(),
            verified=verified,
            job=job.id,
            complete=complete,
            serial=self._bootloader.serial,
            bcd_device=self._bootloader.bcd_device,
        )

    def _wait_for(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()
