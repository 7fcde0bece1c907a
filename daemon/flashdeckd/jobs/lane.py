"""A board's lane: its queue, and the task that works it off, one job at a time.

The lane decides what is next. `attempt` carries it out, `retry_policy` has what becomes of a job that can not go on,
and `device_thread` the one thread in which the board's USB handle lives.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import usb.backend

from flashdeck.config import Board, Partition
from flashdeck.errors import DeviceError, DeviceGoneError, ErrorKind, FlashdeckError
from flashdeck.model import Failure, JobState, JobStatus, LogLevel, Presence
from flashdeckd.boards.roster import Sighting
from flashdeckd.entering.detach import Detach
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.plan import Plan
from flashdeckd.flash.program import preview
from flashdeckd.flash.target import Target
from flashdeckd.images.image import Image
from flashdeckd.images.shelf import Shelf
from flashdeckd.images.spool import Spool
from flashdeckd.jobs.assumed_facts import ASSUMED_FACTS
from flashdeckd.jobs.attempt import Attempts
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook, bootloader_of, may_read
from flashdeckd.jobs.cached_image import cached_image
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.lost_reads import LostReads
from flashdeckd.jobs.queue import overtaken
from flashdeckd.jobs.retry_policy import RetryPolicy
from flashdeckd.jobs.worker import Worker
from flashdeckd.state.hub import Hub
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.transport import Transport

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Lane:
    """The queue of one board and the task that works it off."""

    def __init__(
        self,
        board: Board,
        *,
        book: JobBook,
        histories: BootloaderBook,
        hub: Hub,
        spool: Spool,
        shelf: Shelf,
        backend: usb.backend.IBackend | None,
        hold: Callable[[str], Awaitable[object]],
    ) -> None:
        """`hold` holds the board durably, with a reason."""
        self.board = board
        self.armed = True
        """Whether new artifacts are queued by themselves."""
        self.held = ""
        """Why nothing starts; "" when the lane is free."""
        self._book = book
        self._histories = histories
        self._hub = hub
        self._spool = spool
        self._shelf = shelf
        self._checked = 0
        """The job that was last found fit to run."""
        self._state = state = LaneState()
        self._thread = thread = DeviceThread(board.name, Worker(backend, board.pins), state)
        self._lost_reads = lost_reads = LostReads(board.name, histories, hub)
        self._detach = Detach(board, state=state, thread=thread, book=book)
        self._retry_policy = RetryPolicy(state=state, book=book, lost_reads=lost_reads, hub=hub, hold_board=hold)
        self._attempts = Attempts(
            board=board,
            state=state,
            thread=thread,
            book=book,
            histories=histories,
            lost_reads=lost_reads,
            spool=spool,
            shelf=shelf,
        )

    @property
    def sighting(self) -> Sighting:
        """Where the board is now."""
        return self._state.sighting

    def see(self, sighting: Sighting) -> None:
        """Tells the lane where its board is now."""
        self._state.see(sighting)

    def poke(self) -> None:
        """Something changed (queue, hold, presence): look again."""
        self._state.poke()

    def stop(self) -> None:
        """Parks the running job at its next safe point and ends `run`. Safe to call many times."""
        self._state.stop()

    async def cancel(self, job: JobState) -> None:
        """Ends one of this board's jobs; returns once it is not running any more.

        A running one stops at its next safe point. One whose boot unit is written is done rather than cancelled.
        """
        if job.status is not JobStatus.RUNNING:
            await self._book.change(job.id, status=JobStatus.CANCELLED, phase=None, reason="cancelled by hand")
            self.poke()
            return
        self._state.cancel(job.id)
        await self._hub.until(lambda: self._book.job(job.id).status is not JobStatus.RUNNING)

    async def release(self) -> None:
        """A person lets the board go on: ends the hold, the doubts about its bootloader, and the holds of its jobs.

        The banks for which its jobs are held are flashed without proof from now on, also over a restart.
        """
        told = self._why_held
        self.held = ""
        jobs = self._book.active(self.board.name)
        held = [job for job in jobs if job.status is JobStatus.HELD]
        for note in await self._histories.release(self.board.name, self._retry_policy.released(held)):
            self._hub.log(f"released: {note}", level=LogLevel.WARNING, board=self.board.name)
        for job in jobs:
            now = self._book.job(job.id)
            waited_for_this = (now.status, now.reason) == (JobStatus.WAITING, told)
            if waited_for_this or (job in held and now.status is JobStatus.HELD):
                await self._book.change(job.id, status=JobStatus.QUEUED, reason="")
        self.poke()

    async def run(self) -> None:
        """Works the queue off until `stop`."""
        try:
            while not self._state.is_stopping:
                self._state.forget_changes()
                await self._give_way()
                await self._tell_of_hold()
                job = self._first()
                if job is None or not await self._advance(job):
                    await self._state.changed()
        finally:
            await self._thread.end()

    async def survey(self, image: Image, partition: Partition) -> Plan:
        """The plan for an image on the board as it is now, asked of the device itself; nothing is written.

        Raises DeviceGoneError when the board is not in DFU mode, and all that planning raises.
        """
        device, history = self._device_in_dfu(), self.history
        target = self.target(partition, may_read=may_read(history))
        contents = self._book.contents(self.board.name, partition.name)
        cached = await cached_image(contents, device, self.board, target, self._shelf)
        try:
            return await self._thread.run(lambda worker: worker.survey(device, image, target, history, cached))
        except DeviceGoneError as error:
            if error.during_read:
                await self.lost_in_a_read(device)
            raise

    @property
    def history(self) -> BootloaderHistory:
        """What is known of the bootloader of the device that is there now."""
        device = self.sighting.device
        return UNKNOWN if device is None else self._histories.of(bootloader_of(self.board.name, device))

    async def examine(self, look: Callable[[Transport, BootloaderHistory], T]) -> T:
        """Lets somebody look at the board through an open transport, in the lane's thread and never within a job.

        `look` runs there; it must change nothing and leave the device in dfuIDLE. A job that is to begin meanwhile
        comes after it. Raises DeviceGoneError when the board is not in DFU mode, DeviceError (`device-busy`) while one
        of its jobs runs, and all that opening raises.
        """
        device, name = self._device_in_dfu(), self.board.name
        running = next((job for job in self._book.active(name) if job.status is JobStatus.RUNNING), None)
        if running is not None:
            raise DeviceError(
                f"board {name} is busy with job {running.id}",
                kind=ErrorKind.DEVICE_BUSY,
                hint=f"ask again when it has ended, or end it: flashdeck cancel {running.id}",
            )
        history = self.history
        return await self._thread.run(lambda worker: worker.examine(device, lambda pipe: look(pipe, history)))

    async def lost_in_a_read(self, device: UsbDevice) -> None:
        """Records that the board did not survive a read of somebody who looked at it."""
        await self._lost_reads.add(device)

    def target(self, partition: Partition, *, may_read: bool = True) -> Target:
        """A partition of this board as the engine needs it."""
        return target_of(self.board, partition, may_read=may_read)

    def _device_in_dfu(self) -> UsbDevice:
        device = self.sighting.device
        if device is None or not self._state.is_in_dfu:
            raise DeviceGoneError(f"board {self.board.name} is not in DFU mode")
        return device

    async def _give_way(self) -> None:
        """What was cut short goes on with the newest artifact; one that only has to leave is no flash any more."""
        for old, newer in overtaken(self._book.active(self.board.name)):
            if not self._attempts.only_leave_is_left(old):
                await self._book.supersede(old.id, f"superseded by job {newer.id}")

    @property
    def _why_held(self) -> str:
        return f"board {self.board.name} is held: {self.held} (`flashdeck release {self.board.name}` lets it go on)"

    async def _tell_of_hold(self) -> None:
        """Who follows a job must hear that it is not its turn that it waits for, nor its board."""
        for job in self._book.active(self.board.name) if self.held else ():
            if self._book.job(job.id).status is not JobStatus.HELD:
                await self._book.wait(job, self._why_held)

    def _first(self) -> JobState | None:
        if self.held:
            return None
        ready = (job for job in self._book.active(self.board.name) if job.status is not JobStatus.HELD)
        return next(ready, None)

    async def _advance(self, job: JobState) -> bool:
        """Takes the job one step further; False when only a change of things will let it go on."""
        device = self.sighting.device
        try:
            return await self._step(job, device)
        except FlashdeckError as error:
            await self._meet(job, device, error)
        except Exception as error:  # noqa: BLE001 -- a fault of ours on one board must not end the other lanes
            _log.exception("job %d stopped by a fault in flashdeckd", job.id)
            hint = "please report it with the daemon's log"
            fault = FlashdeckError(f"a fault in flashdeckd: {error!r}", hint=hint)
            await self._meet(job, device, fault)
        return True

    async def _meet(self, job: JobState, device: UsbDevice | None, error: FlashdeckError) -> None:
        """The job ends where what follows from its error can not be done either, as on a full disk."""
        try:
            await self._retry_policy.meet(job, device, error)
        except Exception as second:  # noqa: BLE001 -- neither must that
            _log.exception("what follows from the end of job %d could not be done", job.id)
            told = second.message if isinstance(second, FlashdeckError) else f"a fault in flashdeckd: {second!r}"
            message = f"{error.message}; then: {told}"
            failure = Failure(kind=error.kind, message=message, hint=error.hint)
            await self._book.change(job.id, status=JobStatus.FAILED, phase=None, reason=message, failure=failure)
            self._book.log(job, f"failed: {message}", LogLevel.ERROR)

    async def _step(self, job: JobState, device: UsbDevice | None) -> bool:
        if device is not None and self._retry_policy.take_denial(device):
            await self._thread.run(lambda worker: worker.reach(device))
        elif self._attempts.only_leave_is_left(job):
            if device is None:
                await self._wait_for_board(job)
                return False
            await self._attempts.finish_leave(job, device)
        elif job.id != self._checked:
            await self._check_by_assumed_facts(job)
            self._checked = job.id
        elif device is None:
            await self._wait_for_board(job)
            return False
        elif self.sighting.presence is Presence.APP:
            return await self._detach.bring_into_dfu(job, device)
        else:
            await self._attempts.flash(job, device)
        return True

    async def _check_by_assumed_facts(self, job: JobState) -> None:
        """What would keep the job from running on any board is said before the board is touched, or even there."""
        image = await asyncio.to_thread(self._spool.read, job.sha256)
        preview(image, self.target(self.board.profile.partitions[job.partition]), ASSUMED_FACTS)

    async def _wait_for_board(self, job: JobState) -> None:
        trouble = self.sighting.trouble
        if job.status is JobStatus.WAITING and job.attempts and not trouble:
            return  # how it was interrupted says more
        hint = self.board.profile.enter_hint
        absent = f"board {self.board.name} is not connected" + (f" ({hint})" if hint else "")
        await self._book.wait(job, trouble or absent)
