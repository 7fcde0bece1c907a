"""A board's lane: one job at a time, in the order of the queue, on one worker thread that owns the USB handle.

The lane runs in the event loop and decides; `worker` blocks in the thread and does.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

import usb.backend
from msgspec.structs import replace

from flashdeck.config import Board, Enter, Partition
from flashdeck.errors import (
    DeviceError,
    DeviceGoneError,
    DevicePermissionError,
    ErrorKind,
    FlashdeckError,
    HeldError,
    ParkedError,
    RequestError,
    TransferTimeoutError,
    VerifyError,
    WrongBankError,
)
from flashdeck.model import Failure, Holding, JobResult, JobState, JobStatus, LogLevel, Phase, Presence
from flashdeckd.boards import ABSENT, Sighting
from flashdeckd.flash.experience import UNKNOWN, Experience
from flashdeckd.flash.plan import Plan
from flashdeckd.flash.program import Outcome, preview
from flashdeckd.flash.target import Target
from flashdeckd.hub import Hub
from flashdeckd.images import guards
from flashdeckd.images.spool import Spool
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.experiences import ExperienceBook, may_read
from flashdeckd.jobs.unseen import UNSEEN
from flashdeckd.jobs.worker import Recorder, Worker
from flashdeckd.journal import Bootloader
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.transport import Transport

T = TypeVar("T")
_log = logging.getLogger(__name__)

DETACH_SECONDS: Final = 15.0
"""How long a detached board may take to come back in DFU mode; slow hubs need a few seconds."""
START_SECONDS: Final = 20.0
"""How long an application may take to enumerate after the leave."""
LOST_SECONDS: Final = 5.0
"""How long hotplug may take to tell that a device which no longer answers is gone."""
MAX_ATTEMPTS: Final = 8
"""A job that was interrupted this often stops with a reason: something is wrong with the cable or the board."""
OPEN_TRIES: Final = 20
"""A device node appears before udev has set its permissions; this often the open is tried again ..."""
OPEN_PAUSE: Final = 0.25
"""... with this pause in seconds."""
ACCESS_SECONDS: Final = 5.0
"""How often a board is looked at again to which the system gives no access; udev tells nobody of a changed mode."""


class Lane:
    """The queue of one board and the task that works it off."""

    def __init__(
        self,
        board: Board,
        *,
        book: JobBook,
        experiences: ExperienceBook,
        hub: Hub,
        spool: Spool,
        backend: usb.backend.IBackend | None,
        hold: Callable[[str], Awaitable[object]],
    ) -> None:
        """`hold` holds the board durably, with a reason."""
        self.board = board
        self.sighting: Sighting = ABSENT
        self.armed = True
        """Whether new artifacts are queued by themselves."""
        self.held = ""
        """Why nothing starts; "" when the lane is free."""
        self._book = book
        self._experiences = experiences
        self._hub = hub
        self._spool = spool
        self._hold_board = hold
        self._worker = Worker(backend, board.pins)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"lane-{board.name}")
        self._poked = asyncio.Event()
        self._stopping = threading.Event()
        self._cancelling = 0
        """The job that is to end at its next safe point."""
        self._checked = 0
        """The job that was last found fit to run."""
        self._detached: tuple[int, UsbDevice] | None = None
        """The job for which an application was last asked to detach; it is not asked twice for one."""
        self._unreadable: set[int] = set()
        """Jobs that lost the board while reading: they do not read again, or not the next time."""
        self._unproved: dict[int, tuple[Bootloader, int]] = {}
        """Jobs that were held because a bank could not be proved, and which it is."""
        self._denied: UsbDevice | None = None
        """The device to which the system gave no access when it was last tried."""

    def see(self, sighting: Sighting) -> None:
        """Tells the lane where its board is now."""
        if sighting != self.sighting:
            self.sighting = sighting
            self.poke()

    def poke(self) -> None:
        """Something changed (queue, hold, presence): look again."""
        self._poked.set()

    def stop(self) -> None:
        """Parks the running job at its next safe point and ends `run`. Safe to call many times."""
        self._stopping.set()
        self.poke()

    async def cancel(self, job: JobState) -> None:
        """Ends one of this board's jobs; returns once it is not running any more.

        A running one stops at its next safe point. One whose boot unit is written is done rather than cancelled.
        """
        if job.status is not JobStatus.RUNNING:
            await self._book.change(job.id, status=JobStatus.CANCELLED, phase=None, reason="cancelled by hand")
            self.poke()
            return
        self._cancelling = job.id
        self.poke()
        await self._hub.until(lambda: self._book.job(job.id).status is not JobStatus.RUNNING)

    async def release(self) -> None:
        """A person lets the board go on: ends the hold, the doubts about its bootloader, and the holds of its jobs.

        The banks for which its jobs are held are flashed without proof from now on, also over a restart.
        """
        self.held = ""
        held = [job for job in self._book.active(self.board.name) if job.status is JobStatus.HELD]
        banks = [self._unproved[job.id] for job in held if job.id in self._unproved]
        self._unproved.clear()
        for note in await self._experiences.release(self.board.name, banks):
            self._hub.log(f"released: {note}", level=LogLevel.WARNING, board=self.board.name)
        for job in held:
            if self._book.job(job.id).status is JobStatus.HELD:
                await self._book.change(job.id, status=JobStatus.QUEUED, reason="")
        self.poke()

    async def run(self) -> None:
        """Works the queue off until `stop`."""
        try:
            while not self._stopping.is_set():
                self._poked.clear()
                job = self._first()
                if job is None or not await self._advance(job):
                    await self._poked.wait()
        finally:
            await asyncio.to_thread(self._thread.shutdown)

    async def survey(self, image: bytes, partition: Partition) -> Plan:
        """The plan for an image on the board as it is now, asked of the device itself; nothing is written.

        Raises DeviceGoneError when the board is not in DFU mode, and all that planning raises.
        """
        device = self.sighting.device
        if device is None or self.sighting.presence is not Presence.DFU:
            raise DeviceGoneError(f"board {self.board.name} is not in DFU mode")
        experience = self._experiences.of(self._bootloader(device))
        target = self.target(partition, may_read=may_read(experience))
        cached = await self._cached(partition, device)
        try:
            return await self._in_thread(lambda: self._worker.survey(device, image, target, experience, cached))
        except DeviceGoneError as error:
            if error.during_read:
                await self.lost_in_a_read(device)
            raise

    @property
    def experience(self) -> Experience:
        """What is known of the bootloader of the device that is there now."""
        device = self.sighting.device
        return UNKNOWN if device is None else self._experiences.of(self._bootloader(device))

    async def examine(self, look: Callable[[Transport, Experience], T]) -> T:
        """Lets somebody look at the board through an open transport, in the lane's thread and never within a job.

        `look` runs there; it must change nothing and leave the device in dfuIDLE. A job that is to begin meanwhile
        comes after it. Raises DeviceGoneError when the board is not in DFU mode, DeviceError (`device-busy`) while one
        of its jobs runs, and all that opening raises.
        """
        device, name = self.sighting.device, self.board.name
        if device is None or self.sighting.presence is not Presence.DFU:
            raise DeviceGoneError(f"board {name} is not in DFU mode")
        running = next((job for job in self._book.active(name) if job.status is JobStatus.RUNNING), None)
        if running is not None:
            raise DeviceError(
                f"board {name} is busy with job {running.id}",
                kind=ErrorKind.DEVICE_BUSY,
                hint=f"ask again when it has ended, or end it: flashdeck cancel {running.id}",
            )
        experience = self.experience
        return await self._in_thread(lambda: self._worker.examine(device, lambda pipe: look(pipe, experience)))

    async def lost_in_a_read(self, device: UsbDevice, job: int = 0) -> None:
        """Records that the board did not survive a read: after a few, nothing reads it any more.

        Where reading was proved, it was most likely unplugged, and nothing is recorded.
        """
        bootloader = self._bootloader(device)
        known = self._experiences.of(bootloader)
        if known.reading_proved:
            return
        known = replace(known, reads_lost=known.reads_lost + 1)
        await self._experiences.put(bootloader, known)
        if not may_read(known):
            name = self.board.name
            text = (
                f"board {name} was lost in {known.reads_lost} reads and is not read any more: nothing on it will be "
                f"verified; `flashdeck release {name}` lets it be tried again"
            )
            self._hub.log(text, level=LogLevel.WARNING, board=name, job=job)

    def target(self, partition: Partition, *, may_read: bool = True) -> Target:
        """A partition of this board as the engine needs it."""
        profile = self.board.profile
        return Target(
            partition=partition.name,
            span=partition.span,
            geometry=profile.geometry,
            protected=profile.protected,
            map=profile.map,
            erase=profile.erase,
            verify=profile.verify,
            poll=profile.poll,
            banks=profile.banks,
            leave=profile.leave,
            may_read=may_read,
            alternate=partition.alternate,
        )

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
        except ParkedError as error:
            await self._park(job, error)
        except HeldError as error:
            await self._hold(job, error)
        except DeviceGoneError as error:
            await self._interrupted(job, device, error)
        except TransferTimeoutError as error:
            await self._hung(job, error)
        except DevicePermissionError as error:
            await self._wait_for_access(job, device, error)
        except FlashdeckError as error:
            await self._fail(job, error)
        except Exception as error:  # noqa: BLE001 -- a fault of ours on one board must not end the other lanes
            _log.exception("job %d stopped by a fault in flashdeckd", job.id)
            hint = "please report it with the daemon's log"
            await self._fail(job, FlashdeckError(f"a fault in flashdeckd: {error!r}", hint=hint))
        return True

    async def _step(self, job: JobState, device: UsbDevice | None) -> bool:
        if device is not None and device == self._denied:
            self._denied = None
            await self._in_thread(lambda: self._worker.reach(device))
        elif self._only_leave_is_left(job):
            if device is None:
                await self._wait_for_board(job)
                return False
            await self._finish_leave(job, device)
        elif job.id != self._checked:
            await self._check_unseen(job)
            self._checked = job.id
        elif device is None:
            await self._wait_for_board(job)
            return False
        elif self.sighting.presence is Presence.APP:
            return await self._bring_into_dfu(job, device)
        else:
            await self._flash(job, device)
        return True

    async def _check_unseen(self, job: JobState) -> None:
        """What would keep the job from running on any board is said before the board is touched, or even there."""
        image = await asyncio.to_thread(self._spool.read, job.sha256)
        preview(image, self.target(self._partition(job)), UNSEEN)

    async def _wait_for_board(self, job: JobState) -> None:
        if job.status is JobStatus.WAITING and job.attempts and not self.sighting.trouble:
            return  # how it was interrupted says more
        hint = self.board.profile.enter_hint
        absent = f"board {self.board.name} is not connected" + (f" ({hint})" if hint else "")
        await self._wait(job, self.sighting.trouble or absent)

    async def _wait(self, job: JobState, reason: str) -> None:
        now = self._book.job(job.id)
        if (now.status, now.reason) != (JobStatus.WAITING, reason):
            await self._book.change(job.id, status=JobStatus.WAITING, phase=None, reason=reason)
            self._log(job, reason)

    async def _bring_into_dfu(self, job: JobState, device: UsbDevice) -> bool:
        profile = self.board.profile
        hint = profile.enter_hint or "bring it into DFU mode by hand"
        if profile.enter is Enter.MANUAL:
            await self._wait(job, f"{hint} (board {self.board.name} runs its application)")
            return False
        if self._detached == (job.id, device):
            return False
        self._detached = (job.id, device)
        await self._book.change(job.id, status=JobStatus.RUNNING, phase=Phase.DETACH, reason="")
        self._log(job, "asking the application to detach into DFU mode")
        try:
            await self._opened(lambda: self._worker.detach(device))
        except DeviceGoneError:
            pass  # a device may reboot before it answers: what counts is whether it comes back
        except DevicePermissionError:
            self._detached = None  # it was not asked
            raise
        except DeviceError as error:
            await self._wait(job, f"{hint} (board {self.board.name} can not be detached: {error.message})")
            return False
        if await self._until(lambda: self._is_in_dfu() or self._cancelling == job.id, DETACH_SECONDS):
            self._check(job.id)
            return True
        await self._wait(job, f"{hint} (board {self.board.name} did not come back in DFU mode when asked)")
        return False

    async def _flash(self, job: JobState, device: UsbDevice) -> None:
        partition = self._partition(job)
        image = await asyncio.to_thread(self._spool.read, job.sha256)
        for warning in guards.check(image, self.board.profile, partition):
            self._log(job, warning, LogLevel.WARNING)
        job = await self._book.change(
            job.id,
            status=JobStatus.RUNNING,
            phase=Phase.OPEN,
            reason="",
            attempts=job.attempts + 1,
            started_at=job.started_at or time.time(),
        )
        what = job.version or job.sha256[:12]
        self._log(job, f"flashing {what} ({job.size} bytes) into {job.partition}")
        bootloader = self._bootloader(device)
        loop = asyncio.get_running_loop()
        recorder = Recorder(
            loop=loop,
            book=self._book,
            experiences=self._experiences,
            job=job,
            bootloader=bootloader,
            check=lambda: self._check(job.id),
        )
        target = self.target(partition, may_read=self._reads(job, recorder.experience))
        cached = await self._cached(partition, device)
        outcome = await self._opened(lambda: self._worker.flash(device, image, target, recorder, cached))
        for note in outcome.notes:
            self._log(job, note)
        await recorder.settled(outcome.verified)
        result = _result(outcome)
        if outcome.interrupted:
            await self._book.change(job.id, result=result)
            raise DeviceGoneError(f"board {self.board.name} left the bus before the leave; the image is complete on it")
        if outcome.left and self.board.profile.app is not None:
            result = await self._see_it_start(job, device, result)
        await self._done(job, result)

    def _bootloader(self, device: UsbDevice) -> Bootloader:
        return Bootloader(self.board.name, device.serial, device.bcd_device)

    def _reads(self, job: JobState, experience: Experience) -> bool:
        """Whether this attempt of a job may read.

        Where reading was proved, a board that was lost in a read was most likely unplugged: one attempt goes without.
        """
        lost = job.id in self._unreadable
        if experience.reading_proved:
            self._unreadable.discard(job.id)
        return may_read(experience) and not lost

    async def _cached(self, partition: Partition, device: UsbDevice) -> bytes | None:
        """The image that the partition is trusted to hold, where the profile says `trust_cache`.

        That is what this daemon last flashed into this very device, whole, unless the board has shown another serial or
        bcdDevice since. Nobody can notice here what else changes a flash: a debugger, a DFU tool or a daemon of another
        machine, the firmware itself.
        """
        holding = self._book.holding(self.board.name, partition.name)
        if not self.board.profile.trust_cache or holding is None or not _is_undisturbed(holding, device):
            return None
        try:
            return await asyncio.to_thread(self._spool.read, holding.sha256)
        except RequestError:  # pruned, or damaged on the disk: without it there is nothing to compare with
            return None

    def _only_leave_is_left(self, job: JobState) -> bool:
        holding = self._book.holding(job.board, job.partition)
        return holding is not None and holding.complete and holding.job == job.id

    async def _finish_leave(self, job: JobState, device: UsbDevice) -> None:
        """The image went in whole before the board was lost: what is left of the job is the start."""
        target = self.target(self._partition(job))
        if self.sighting.presence is Presence.DFU and target.leave:
            attempts = job.attempts + 1
            await self._book.change(job.id, status=JobStatus.RUNNING, phase=Phase.LEAVE, reason="", attempts=attempts)
            left = await self._opened(lambda: self._worker.leave(device, target))
            if left and self.board.profile.app is not None:
                await self._see_it_start(job, device, None)
        await self._done(job, self._book.job(job.id).result)

    async def _see_it_start(self, job: JobState, device: UsbDevice, result: JobResult | None) -> JobResult | None:
        """Waits for the application's own identity; raises DeviceError (`not-accepted`) when it does not come."""
        job = await self._book.change(job.id, phase=Phase.START, result=result)
        await self._until(lambda: self.sighting.device not in (None, device), START_SECONDS)
        if self._stopping.is_set():
            raise ParkedError("parked: the daemon was stopped while the board was starting")
        started = self.sighting.presence is Presence.APP
        holding = self._book.holding(job.board, job.partition)
        if holding is not None:
            await self._book.hold(job.board, job.partition, replace(holding, started=started))
        if result is not None:
            result = replace(result, started=started)
            await self._book.change(job.id, result=result)
        if started:
            return result
        came_back = self.sighting.presence is Presence.DFU
        seen = (
            "came back in DFU mode: the bootloader did not accept the image"
            if came_back
            else f"was not seen to start within {START_SECONDS:.0f} s"
        )
        raise DeviceError(
            f"board {self.board.name} {seen} (partition {job.partition} holds {job.sha256[:12]})",
            kind=ErrorKind.NOT_ACCEPTED,
            hint="check that the image is linked for this partition, that its initial stack pointer is one that the "
            "bootloader's boot check accepts, and that the partition which is booted holds an application",
        )

    async def _done(self, job: JobState, result: JobResult | None) -> None:
        self._unreadable.discard(job.id)
        job = await self._book.change(job.id, status=JobStatus.DONE, phase=None, reason="", result=result)
        verified = "" if result is None else f", {result.verified}"
        self._log(job, f"{job.partition} holds {job.version or job.sha256[:12]}{verified}")

    async def _park(self, job: JobState, error: ParkedError) -> None:
        if error.kind is not ErrorKind.CANCELLED:
            await self._book.change(job.id, status=JobStatus.QUEUED, phase=None, reason=error.message)
            return
        reason = error.message + self._torn(job)
        await self._book.change(job.id, status=JobStatus.CANCELLED, phase=None, reason=reason)
        self._log(job, reason, LogLevel.WARNING)

    async def _hold(self, job: JobState, error: HeldError) -> None:
        if self._book.job(job.id).status.ended:
            return
        device = self.sighting.device
        if error.bank is not None and device is not None:
            self._unproved[job.id] = (self._bootloader(device), error.bank)
        else:
            self._unproved.pop(job.id, None)
        await self._book.change(job.id, status=JobStatus.HELD, phase=None, reason=error.advice)
        self._log(job, f"held: {error.advice}", LogLevel.WARNING)

    async def _interrupted(self, job: JobState, lost: UsbDevice | None, error: DeviceGoneError) -> None:
        if error.during_read and lost is not None:
            self._unreadable.add(job.id)
            await self.lost_in_a_read(lost, job.id)
        if self._book.job(job.id).attempts >= MAX_ATTEMPTS:
            await self._fail(job, error)
            return
        phase = self._book.job(job.id).phase
        where = f" in its {phase} phase" if phase else ""
        reason = f"plug in board {self.board.name} again: lost{where}, the job goes on in DFU mode"
        await self._book.change(job.id, status=JobStatus.WAITING, phase=None, reason=reason)
        self._log(job, f"{reason} ({error.message})", LogLevel.WARNING)
        # Hotplug may not have told yet. A device that stays was cut off by a bad cable, and is tried again.
        await self._until(lambda: self.sighting.device != lost, LOST_SECONDS)

    async def _hung(self, job: JobState, error: TransferTimeoutError) -> None:
        """The board is there and does not answer; the next attempt begins by resetting its port."""
        attempts = self._book.job(job.id).attempts
        if attempts >= MAX_ATTEMPTS:
            reason = f"board {self.board.name} stopped answering in each of {attempts} attempts, the last time: "
            await self._fail(job, TransferTimeoutError(reason + error.message, hint=error.hint))
            return
        phase = self._book.job(job.id).phase
        where = f" in its {phase} phase" if phase else ""
        reason = f"board {self.board.name} stopped answering{where}: its port is reset, and the job goes on"
        await self._book.change(job.id, status=JobStatus.WAITING, phase=None, reason=reason)
        self._log(job, f"{reason} ({error.message})", LogLevel.WARNING)

    async def _wait_for_access(self, job: JobState, device: UsbDevice | None, error: DevicePermissionError) -> None:
        """The job goes on by itself once the device may be opened, or another one has taken its place."""
        self._denied = device
        if self._book.job(job.id).attempts != job.attempts:
            await self._book.change(job.id, attempts=job.attempts)  # nothing came of this one
        await self._wait(job, error.advice)
        with suppress(TimeoutError):
            async with asyncio.timeout(ACCESS_SECONDS):
                await self._poked.wait()

    async def _fail(self, job: JobState, error: FlashdeckError) -> None:
        if self._book.job(job.id).status.ended:
            return
        if isinstance(error, VerifyError):
            await self._distrust(job)
        message = error.message + self._torn(job)
        failure = Failure(kind=error.kind, message=message, hint=error.hint)
        if isinstance(error, WrongBankError) and error.harmed:
            await self._keep_from_reset(error)
        await self._book.change(job.id, status=JobStatus.FAILED, phase=None, reason=message, failure=failure)
        self._log(job, f"failed: {message}" + (f": {error.hint}" if error.hint else ""), LogLevel.ERROR)

    async def _keep_from_reset(self, error: WrongBankError) -> None:
        """Whatever comes next would leave DFU mode sooner or later: nothing does until a person has looked."""
        try:
            await self._hold_board(error.advice)
        except FlashdeckError as failure:  # held all the same, but only by this daemon
            text = f"the hold could not be recorded: {failure.message}"
            self._hub.log(text, level=LogLevel.ERROR, board=self.board.name)

    def _torn(self, job: JobState) -> str:
        """What to add to the end of a job that left its partition without its boot unit."""
        holding = self._book.holding(job.board, job.partition)
        if holding is None or holding.complete:
            return ""
        return f"; {job.partition} holds no complete image until the next flash"

    async def _distrust(self, job: JobState) -> None:
        """What was read back is wrong: the partition does not hold the artifact, whatever was recorded."""
        holding = self._book.holding(job.board, job.partition)
        if holding is not None:
            await self._book.hold(job.board, job.partition, replace(holding, complete=False))

    def _is_in_dfu(self) -> bool:
        return self.sighting.presence is Presence.DFU

    def _check(self, job_id: int) -> None:
        """Raises ParkedError when the running job is to end here; called in both threads."""
        if self._stopping.is_set():
            raise ParkedError("parked: the daemon was stopped")
        if self._cancelling == job_id:
            raise ParkedError("cancelled by hand", kind=ErrorKind.CANCELLED)

    def _partition(self, job: JobState) -> Partition:
        return self.board.profile.partitions[job.partition]

    async def _opened(self, work: Callable[[], T]) -> T:
        """Runs blocking work in the lane's thread, tried again while the node still lacks its permissions."""
        for _ in range(OPEN_TRIES - 1):
            try:
                return await self._in_thread(work)
            except DevicePermissionError:
                await self._until(self._stopping.is_set, OPEN_PAUSE)
        return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _until(self, reached: Callable[[], bool], seconds: float | None) -> bool:
        """Waits until something is so, the lane is stopped, or the time is over; answers whether it is so."""
        try:
            async with asyncio.timeout(seconds):
                while not (reached() or self._stopping.is_set()):
                    self._poked.clear()
                    await self._poked.wait()
        except TimeoutError:
            pass
        return reached()

    def _log(self, job: JobState, text: str, level: LogLevel = LogLevel.INFO) -> None:
        self._hub.log(text, level=level, board=self.board.name, job=job.id)


def _is_undisturbed(holding: Holding, device: UsbDevice) -> bool:
    """Whether this device holds what was last flashed, as far as anybody can tell.

    A bootloader that did not start the image may not have written it.
    """
    same = (holding.serial, holding.bcd_device) == (device.serial, device.bcd_device)
    return same and holding.complete and not holding.disturbed and holding.started is not False


def _result(outcome: Outcome) -> JobResult:
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
    )
