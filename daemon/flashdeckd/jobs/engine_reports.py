"""Takes the flash engine's reports from a lane's thread into the event loop and the books."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from msgspec.structs import replace

from flashdeck.errors import FlashdeckError, OtherDeviceError
from flashdeck.geometry import Range
from flashdeck.job_state import Phase, PhaseTimes, Running, TimeClaim, Verified
from flashdeck.model import Contents, JobState, LogLevel
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan
from flashdeckd.flash.target import Target
from flashdeckd.host import clock, threads
from flashdeckd.images.shelf import Shelf
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook
from flashdeckd.jobs.contents import begun, flashed, is_begun
from flashdeckd.state.journal import Bootloader
from flashdeckd.usb.pulse import Pulse

PROGRESS_SECONDS = 0.1
"""Progress of one phase is passed on at most this often."""
PULSE_SECONDS = 1.0
"""Seconds at least between two reports that the board answers, while it makes no progress."""
T = TypeVar("T")


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
        is_accepted: bool,
        may_leave: Callable[[], bool],
        changes: Callable[[], object],
        disarm: Callable[[], Awaitable[object]],
        pulse: Pulse,
    ) -> None:
        """`is_accepted` where a person said that the device is the board, whatever it shows.

        `may_leave` is asked, and `changes` told that something is erased, in the event loop. `disarm` is called there
        before the first erase of the one job that the board was armed for.
        """
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
        self._is_accepted = is_accepted
        self._may_leave = may_leave
        self._changes = changes
        self._disarm = disarm
        self._pulse = pulse
        self._began = False
        self._map = ""
        self._kept = 0
        """Bytes that the plan leaves alone, because they are right."""
        self.reached = -1
        """Bytes that are right on the board as far as this attempt came; -1 before it had a plan."""
        self.history = histories.of(bootloader)
        """The history of the bootloader, as the engine was told it or has told it."""
        self._status = Running(phase=Phase.OPEN, since=clock.now(), answered_at=pulse.answered_at)
        self._last = 0.0
        self.times = PhaseTimes()
        """The time that each phase took, until the last report."""
        self._reported_at = clock.monotonic()

    def progress(self, phase: Phase, done: int, total: int) -> None:
        """Passes progress on, not more often than anybody can see."""
        if phase is Phase.WRITE:
            self.reached = max(self.reached, self._kept + done)
        self._count(phase)  # a report ends a piece of work
        now = clock.monotonic()
        is_new = phase is not self._status.phase
        if not is_new and done < total and now - self._last < PROGRESS_SECONDS:
            return
        self._last = now
        since = clock.now() if is_new else self._status.since
        self._status = Running(phase=phase, done=done, total=total, since=since, answered_at=self._pulse.answered_at)
        self._show(self._status)

    def end(self) -> PhaseTimes:
        """Return the time of all phases; what came after the last report counts for the phase that was under way."""
        self._count(self._status.phase)
        return self.times

    def claimed(self, claim: TimeClaim) -> None:
        """Passes on that the board claims time, and is waited for; until there is progress."""
        self._status = replace(self._status, claim=claim, answered_at=self._pulse.answered_at)
        self._show(self._status)

    def show_pulse(self) -> None:
        """Passes on that the board has answered since the last progress. Called in the event loop."""
        if self._pulse.answered_at - self._status.answered_at >= PULSE_SECONDS:
            # It has answered since, so what it claimed before is over.
            self._status = replace(self._status, answered_at=self._pulse.answered_at, claim=None)
            self._book.progress(self._job.id, self._status)

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
        return self._wait_for(self._asked_to_leave())

    def planned(self, plan: FlashPlan) -> None:
        """Records that what is there may be uncertain by a canary: a board that is lost then still has it.

        The plan itself needs no record: it follows from image and target.
        """
        start = self._target.span.start
        self._kept = plan.unchanged
        self.reached = max(self.reached, plan.unchanged)
        self._erased = tuple(Range(span.start - start, span.end - start) for span in plan.erased)
        if plan.tries_canary:
            self._wait_for(self._disturb())

    def began(self) -> None:
        """Record that what is erased from now on is not known any more; raises FlashdeckError where it cannot."""
        job = self._job
        if job.once:
            self._wait_for(self._use_up())
        after = begun(self._before, job, self._erased, made=self._made(), target=self._target)
        self._wait_for(self._book.begin(job.board, job.partition, after))
        self._began = True
        self._loop.call_soon_threadsafe(self._changes)

    def committed(self) -> None:
        """Records that the partition has the image. A full disk changes nothing in that."""
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

    async def _asked_to_leave(self) -> bool:
        return self._may_leave()

    def _count(self, phase: Phase) -> None:
        now = clock.monotonic()
        self.times = self.times.plus(phase, now - self._reported_at)
        self._reported_at = now

    def _show(self, status: Running) -> None:
        self._loop.call_soon_threadsafe(lambda: self._book.progress(self._job.id, status))

    async def _disturb(self) -> None:
        contents = self._before
        if contents is not None:
            await self._book.record(self._job.board, self._job.partition, replace(contents, uncertain=True))

    async def _hold(self) -> None:
        job, before, made = self._job, self._before, self._made()
        erased = self._erased if self._began else ()
        after = await threads.run(
            lambda: flashed(before, job, erased, made=made, target=self._target, image_of=self._shelf.image)
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
        )

    def _wait_for(self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
