"""A board's lane: its queue, and the task that works it off, one job at a time.

The lane decides what is next. `visit` knows what may run in one stay in DFU mode, `attempt` carries it out,
`after_error` does what becomes of a job that cannot go on, and in `device_thread` is the one thread in which the USB
handle lives.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from math import ceil
from typing import TypeVar

import usb.backend

from flashdeck.config import Board, Partition
from flashdeck.errors import (
    BlockedError,
    DeviceError,
    DeviceGoneError,
    ErrorKind,
    FlashdeckError,
    NoAccessError,
    ParkedError,
)
from flashdeck.job_state import (
    CHANGES,
    LOOKS,
    Blocked,
    Cancelled,
    Canceller,
    Failed,
    Failure,
    JobKind,
    Origin,
    Phase,
    PhaseTimes,
    Queued,
    Running,
    WaitFor,
    Waiting,
    Written,
    is_settled,
    is_under_way,
)
from flashdeck.model import BoardHold, BoardLease, HoldBy, JobState, LogLevel, Presence
from flashdeck.queue_order import in_queue_order
from flashdeck.words.boards import lease_text
from flashdeck.words.work import doing_word
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.flash_plan import FlashPlan
from flashdeckd.flash.sector_states import SectorWork
from flashdeckd.flash.target import Target
from flashdeckd.host import clock
from flashdeckd.images.image import Image
from flashdeckd.images.shelf import Shelf
from flashdeckd.jobs.after_error import AfterError
from flashdeckd.jobs.attempt import Attempt, Workplace
from flashdeckd.jobs.attempts import attempts_of
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.bootloader_book import BootloaderBook, bootloader_of, may_read
from flashdeckd.jobs.cached_image import cached_image
from flashdeckd.jobs.contents import is_of, sparing_written
from flashdeckd.jobs.controller_place import ControllerPlace, Controllers
from flashdeckd.jobs.departure import Departure, verdict
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.jobs.dfu_entry import DfuEntry, DfuEntryOf
from flashdeckd.jobs.flash_target import target_of
from flashdeckd.jobs.job_images import GuardVerdicts, JobImages, Rebuilt
from flashdeckd.jobs.lab_gate import LabGate
from flashdeckd.jobs.lane_state import LaneState
from flashdeckd.jobs.lost_reads import LostReads
from flashdeckd.jobs.queue import overtaken
from flashdeckd.jobs.restart_asked import RestartAsked
from flashdeckd.jobs.start_hearing import NoHearing, StartHearing
from flashdeckd.jobs.taken_boards import TakenBoards, acting_for, lab_user
from flashdeckd.jobs.visit import Visit, wants_leave, why_incomplete, why_not_started, written
from flashdeckd.jobs.worker import Worker
from flashdeckd.state.health import Health
from flashdeckd.state.hub import Hub
from flashdeckd.state.on_behalf import on_behalf_of
from flashdeckd.usb.device import EMULATED_CONTROLLER, UsbDevice
from flashdeckd.usb.recognition import Sighting
from flashdeckd.usb.transport import Transport

T = TypeVar("T")
UNANSWERED = 0.5
"""Seconds without an answer from which on it is said that the end of a job waits for the running transfer."""
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
        shelf: Shelf,
        verdicts: GuardVerdicts,
        rebuilt: Rebuilt,
        backend: usb.backend.IBackend | None,
        entry_of: DfuEntryOf,
        hold: Callable[[str], Awaitable[object]],
        disarm: Callable[[], Awaitable[object]],
        changed: Callable[[], object],
        show_work: Callable[[SectorWork], object],
        on_restart: Callable[[Presence], object] = lambda _: None,
        hearing: StartHearing | None = None,
        health: Health | None = None,
        gate: Callable[[], LabGate | None] = lambda: None,
        controllers: Controllers | None = None,
    ) -> None:
        """`hold` puts the board on hold durably, with a reason; `changed` is told of what `BoardState` shows.

        `disarm` disarms it durably, where it is armed for one job and that has come. `show_work` is told how far a job
        is with each sector, and `on_restart` what the board is asked to restart into. `hearing` hears how it starts.
        `gate` decides whose jobs start on a board that is part of a lab; `controllers` how many boards of one host
        controller are talked to at once.
        """
        self.board = board
        """The board as the configuration has it now; a job that runs ends under the one that it began with."""
        self._hold: BoardHold | None = None
        self._armed = True
        self._once = False
        self._lease: TakenBoards | None = None
        self._gate = gate
        self._changed = changed
        self._book = book
        self._histories = histories
        self._hub = hub
        self._health = health or Health(hub)
        self._shelf = shelf
        self._hearing = hearing or NoHearing()
        self._checked: set[int] = set()
        """Jobs that were found fit to run."""
        self._accepted: set[int] = set()
        """Jobs of which a person said that the device is the board that they were begun on."""
        self._decision = ""
        """The last decision in the debug log."""
        self._visit: Visit | None = None
        """The jobs that have run since the board came into DFU mode; None while none has."""
        self._disarm = disarm
        self._show_work = show_work
        self._verdicts = verdicts
        self._rebuilt = rebuilt
        self._entry_of = entry_of
        self._is_run = False
        self._resting: asyncio.Event | None = None
        """Set once nothing goes on; None unless the lane is to rest."""
        self._state = state = LaneState(on_restart)
        self._worker = Worker(backend, board.pins)
        self._controller_place = place = ControllerPlace(board.name, controllers or Controllers(), state.poke)
        self._thread = DeviceThread(board.name, self._worker, state, late=self._tell_of_lateness, place=place)
        self._lost_reads = lost_reads = LostReads(board.name, histories, hub)
        self._telling: asyncio.Task[None] | None = None
        """Says what the end of a job waits for."""
        self._after_error = AfterError(state=state, book=book, lost_reads=lost_reads, hub=hub, hold_board=hold)
        self._place = self._workplace()
        self._departure = Departure(self._place)
        self._attempts = attempts_of(self._place, self._departure)
        self._entry = self._way_in()

    def _workplace(self) -> Workplace:
        """Return what the next job needs of the board as the configuration has it now."""
        board = self.board
        self._worker.pins = board.pins
        images = JobImages(board.profile, self._shelf, self._verdicts, self._rebuilt)
        return Workplace(
            board,
            self._state,
            self._thread,
            self._book,
            self._histories,
            self._lost_reads,
            images,
            self._disarm,
            self._show_work,
            self._may_begin,
            self._hearing,
        )

    def _way_in(self) -> DfuEntry:
        return self._entry_of(self.board, state=self._state, thread=self._thread, book=self._book)

    @property
    def armed(self) -> bool:
        """Tell whether new builds are queued by themselves."""
        return self._armed

    @armed.setter
    def armed(self, armed: bool) -> None:
        self._armed = armed
        self._changed()

    @property
    def once(self) -> bool:
        """Tell whether it is armed for one job only."""
        return self._once

    @once.setter
    def once(self, once: bool) -> None:
        self._once = once
        self._changed()

    @property
    def hold(self) -> BoardHold | None:
        """The hold for which nothing starts; None while the lane is free."""
        return self._hold

    @hold.setter
    def hold(self, hold: BoardHold | None) -> None:
        self._hold = hold
        self._state.poke()
        self._changed()

    @property
    def lease(self) -> TakenBoards | None:
        """The lease of the board; None while nobody has taken it."""
        return self._lease

    @lease.setter
    def lease(self, lease: TakenBoards | None) -> None:
        self._lease = lease
        self._state.poke()
        self._changed()

    @property
    def shown_controller(self) -> str:
        """The host controller that its board is plugged in at; "" while it is not there.

        Also "" for an emulated bench's own one as long as nothing is limited: that tells nothing.
        """
        device = self.sighting.device
        if device is None or (device.controller == EMULATED_CONTROLLER and not self._controller_place.is_limited):
            return ""
        return device.controller

    @property
    def shown_lease(self) -> BoardLease | None:
        """The lease that is shown of the board: a client's, else that of who has acquired it in a lab."""
        if self._lease is not None:
            return self._lease.shown
        gate = self._gate()
        return gate.holding.shown if gate is not None and gate.holding is not None else None

    @property
    def why_not_free(self) -> str:
        """The reason why whoever asks now may not use the board, as who has it; "" where nobody else has."""
        if self._lease is not None and self._lease is not acting_for.get():
            return lease_text(self._lease.shown)
        gate = self._gate()
        return "" if gate is None else gate.why_not(Origin.HAND, lab_user.get())

    def kept_from(self, origin: Origin) -> frozenset[int]:
        """Return the jobs of who has the board, where that is not who asks now: nothing takes their place."""
        gate = self._gate()
        is_holder = self._lease is None or self._lease is acting_for.get()
        if is_holder and (gate is None or not gate.why_not(origin, lab_user.get())):
            return frozenset()
        return frozenset(job.id for job in self._book.active(self.board.name) if not self._whose(job, gate))

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing is under way on the board, not even the start of what was written in this visit."""
        return not self.is_busy and (self._visit is None or not written(self._book.active(self.board.name)))

    @property
    def sighting(self) -> Sighting:
        """The place of the board now."""
        return self._state.sighting

    @property
    def restart(self) -> RestartAsked | None:
        """The restart that was asked of the board, for as long as it may leave the bus for that."""
        return self._state.restart

    @property
    def is_busy(self) -> bool:
        """Tell whether one of its jobs is under way: what is queued now comes after it, without a hand."""
        return any(is_under_way(job.status) for job in self._book.active(self.board.name))

    @property
    def has_work(self) -> bool:
        """True while anything is done on its board: by one of its jobs, or for somebody who looks at it."""
        return self._thread.is_busy or self.is_busy

    @property
    def is_past_deadline(self) -> bool:
        """True if what runs should have ended by now: the kernel does not give a transfer, an open or a close back."""
        return self._thread.is_late

    def see(self, sighting: Sighting) -> None:
        """Tells the lane where its board is now."""
        if sighting.device != self.sighting.device:
            self._after_error.end_pauses()
        self._state.see(sighting)
        self._controller_place.wake_lookers()
        self._changed()

    def poke(self) -> None:
        """Something changed (queue, hold, presence): look again."""
        self._state.poke()

    def configure(self, board: Board) -> None:
        """Take over what the configuration says of the board, which has kept its name, from the next job on."""
        self.board = board
        self.poke()
        self._changed()

    def refuse_protected(self) -> None:
        """Let a running job fail at its next safe point if what it writes to is protected by now."""
        for job in self._book.active(self.board.name):
            begun = self._place.board.profile.partitions.get(job.partition)
            now = self.board.profile.partitions.get(job.partition)
            if begun is None or not isinstance(job.status, Running) or job.kind in (JobKind.VERIFY, JobKind.READ):
                continue
            if (now is not None and now.protected) or self.board.profile.protects(begun):
                reason = (
                    f"partition {job.partition} of board {self.board.name} is protected now: nothing more is written"
                )
                self._state.refuse(job.id, reason, "what is protected is decided by the configuration alone")
                self._book.log(job, reason, LogLevel.WARNING)
                self._tell_of_transfer(job)

    async def rest(self) -> None:
        """Start nothing more; returns once what goes on now has ended, or the lane has."""
        if self._resting is None:
            self._resting = asyncio.Event()
        self.poke()
        if self._is_run:
            await self._resting.wait()

    def go_on(self) -> None:
        """End a rest."""
        self._resting = None
        self.poke()

    def stop(self) -> None:
        """Parks the running job at its next safe point and ends `run`. Safe to call many times."""
        running = [job for job in self._book.active(self.board.name) if isinstance(job.status, Running)]
        if running and not self._state.is_stopping:
            self._tell_of_transfer(running[0])
        self._state.stop()
        self._thread.stop()

    async def cancel(self, job: JobState, by: Canceller = Canceller.PERSON, reason: str = "") -> None:
        """Ends one of this board's jobs; returns once it is not running any more.

        A running one stops at its next safe point. One whose image is complete on the board is done, not cancelled.
        """
        status = self._book.job(job.id).status
        if isinstance(status, Written):
            if status.phase is None:
                await self._book.move(job, verdict(job, status.result, reason or "cancelled before the leave"))
        elif isinstance(status, Running):
            self._state.cancel(job.id, by, reason)
            self._tell_of_transfer(job)
        elif not is_settled(status):
            user = on_behalf_of.get() if by is Canceller.PERSON else ""
            await self._book.move(job, Cancelled(by=by, reason=reason, user=user))
            self._after_error.forget(job.id)
        self.poke()
        await self._hub.until(lambda: not is_under_way(self._book.job(job.id).status))

    async def release(self) -> None:
        """A person lets the board go on: forgets recorded faults of its bootloader, unblocks its jobs.

        The banks for which its jobs are blocked are flashed without proof from now on, also over a restart. The device
        that is there is the board, whatever its jobs were begun on.
        """
        jobs = self._book.active(self.board.name)
        blocked = [job for job in jobs if isinstance(job.status, Blocked)]
        for note in await self._histories.release(self.board.name, self._after_error.release(blocked)):
            self._hub.log(f"released: {note}", level=LogLevel.WARNING, board=self.board.name)
        self._accepted = {job.id for job in jobs}
        self._entry.forget()
        for job in self._book.at_their_turn(jobs):
            if isinstance(job.status, Blocked | Waiting) or self._is_elsewhere(job):
                await self._book.move(job, Queued())
        self.poke()

    def _is_elsewhere(self, job: JobState) -> bool:
        """Tell whether a job only has to start its image, and another device is there than the one that has it."""
        device = self.sighting.device
        return isinstance(job.status, Written) and device is not None and not self._is_written_to(job, device)

    async def look_again(self, job: JobState) -> None:
        """A person wants a job that is blocked, or waits, to be tried now."""
        self._book.claim(job)
        self._after_error.forget(job.id)
        self._accepted.add(job.id)
        self._entry.forget()
        await self._book.move(job, Queued())
        self.poke()

    async def run(self) -> None:
        """Works the queue off until `stop`."""
        self._is_run = True
        try:
            while not self._state.is_stopping:
                self._state.forget_changes()
                if self._resting is not None:
                    self._controller_place.end()
                    self._resting.set()
                    await self._state.changed()
                elif not await self._placed_step():
                    await self._state.changed(self._next_due())
        finally:
            self._is_run = False
            if self._resting is not None:
                self._resting.set()
            await self._thread.end()
            if self._thread.is_left:
                self._hub.log(
                    "the kernel does not give back what was asked of this board: flashdeckd ends without waiting for "
                    "it, and its job goes on at the next start",
                    level=LogLevel.WARNING,
                    board=self.board.name,
                )
            if self._telling is not None:
                self._telling.cancel()

    async def survey(self, image: Image, partition: Partition) -> FlashPlan:
        """The plan for an image on the board as it is now, asked of the device itself; nothing is written.

        Raises BlockedError where somebody else has taken the board, DeviceGoneError when it is not in DFU mode, and all
        that planning raises.
        """
        return await self._survey(
            partition,
            lambda worker, device, target, cached: worker.survey(device, image, target, self.history, cached),
        )

    async def survey_erase(self, partition: Partition) -> FlashPlan:
        """The plan of an erase likewise."""
        return await self._survey(
            partition, lambda worker, device, target, cached: worker.survey_erase(device, target, self.history, cached)
        )

    async def _survey(
        self, partition: Partition, ask: Callable[[Worker, UsbDevice, Target, Image | None], FlashPlan]
    ) -> FlashPlan:
        self._require_free_for_look()
        device, history = self._device_in_dfu(), self.history
        target = self.target(partition, may_read=may_read(history))
        contents = self._book.contents(self.board.name, partition.name)
        cached = await cached_image(contents, device, self.board, target, self._shelf)
        spared = partial(sparing_written, target, history, contents, device, self._shelf.image)
        try:
            return await self._thread.run(lambda worker: ask(worker, device, spared(), cached))
        except DeviceGoneError as error:
            if error.during_read:
                await self.lost_in_a_read(device)
            raise

    @property
    def history(self) -> BootloaderHistory:
        """The history of the bootloader of the device that is there now."""
        device = self.sighting.device
        return UNKNOWN if device is None else self._histories.of(bootloader_of(self.board.name, device))

    async def examine(self, look: Callable[[Transport, BootloaderHistory], T]) -> T:
        """Lets somebody look at the board through an open transport, in the lane's thread and never within a job.

        `look` runs there; it must change nothing and leave the device in dfuIDLE. A job that is to begin meanwhile
        comes after it. Raises BlockedError where somebody else has taken the board, DeviceGoneError when it is not in
        DFU mode, DeviceError (`device-busy`) while one of its jobs runs, and all that opening raises.
        """
        self._require_free_for_look()
        device, name = self._device_in_dfu(), self.board.name
        running = next((job for job in self._book.active(name) if isinstance(job.status, Running)), None)
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

    def _require_free_for_look(self) -> None:
        """Raises BlockedError where somebody has taken the board, and whoever asks now acts for another lease or none.

        A look opens the device, and asks it to answer: that may come between two requests of the holder's own tools.
        """
        if why := self.why_not_free:
            raise BlockedError(
                f"board {self.board.name} is {why}",
                hint="ask again once that has ended, or from within 'flashdeck take'",
            )

    def _device_in_dfu(self) -> UsbDevice:
        device = self.sighting.device
        if device is None or not self._state.is_in_dfu:
            raise DeviceGoneError(f"board {self.board.name} is not in DFU mode")
        return device

    # One step of the lane.

    async def _placed_step(self) -> bool:
        """Take a step, and give back the place at the board's controller that it does not use."""
        self._controller_place.begin_step()
        try:
            return await self._step()
        finally:
            self._controller_place.end_step()

    async def _step(self) -> bool:
        """Takes the queue one step further; False when only a change, or the end of a pause, will let it go on."""
        if self._place.board is not self.board:
            self._place = self._workplace()
            self._departure = Departure(self._place)
            self._attempts = attempts_of(self._place, self._departure)
            self._entry = self._way_in()
            self._checked.clear()
        active = self._book.active(self.board.name)
        self._forget_all_but({job.id for job in active})
        await self._give_way(active)
        await self._after_error.free_rested(active)
        await self._tell_of_hold()
        await self._tell_of_lease()
        if self._visit is not None and not self._state.is_in_dfu:
            self._visit = None
        ready = self._ready()
        if ready:
            return await self._advance(ready)
        return await self._end_visit()

    def _forget_all_but(self, jobs: set[int]) -> None:
        """Forget what was noted of jobs that have ended: a daemon runs for months."""
        self._checked &= jobs
        self._accepted &= jobs
        self._after_error.forget_all_but(jobs)

    async def _give_way(self, active: Sequence[JobState]) -> None:
        """Lets a job that was cut short give way to the newest image. A job that only has to leave stays.

        One of whoever has the board gives way to none but theirs.
        """
        gate = self._gate()
        theirs = {job.id for job in active if not self._whose(job, gate)}
        among_theirs = overtaken(job for job in active if job.id in theirs)
        others = [(old, newer) for old, newer in overtaken(active) if old.id not in theirs]
        for old, newer in (*among_theirs, *others):
            await self._book.supersede(old, newer.id)

    async def _tell_of_hold(self) -> None:
        """Tells the jobs that they wait for the hold, not for their turn or for the board.

        A board is not to leave DFU mode now where that is wanted, and by surprise later: that job ends.
        """
        for job in self._book.at_their_turn(self._book.active(self.board.name)):
            if (hold := self._hold) is None:
                return  # the board was released while the last job was told
            if not isinstance(job.status, Queued | Waiting):
                continue
            if job.kind is JobKind.RESET:
                held = f"board {self.board.name} is on hold: {hold.reason}"
                await self._after_error.fail(job, BlockedError(held, hint="release it, and say it again"))
            else:
                hint = f"`flashdeck release {self.board.name}` lets it go on"
                await self._book.wait(job, Waiting(for_=WaitFor.HOLD, reason=hold.reason, hint=hint))

    async def _tell_of_lease(self) -> None:
        """Tell the jobs that they wait for the end of a lease, or that it has ended."""
        if self._hold is not None:
            return
        for job in self._book.at_their_turn(self._book.active(self.board.name)):
            if isinstance(job.status, Queued | Waiting) and (why := self._why_not_in_lease(job)):
                await self._book.wait(job, why)
            elif isinstance(job.status, Waiting) and job.status.for_ is WaitFor.LEASE:
                await self._book.move(job, Queued())

    def _why_not_in_lease(self, job: JobState) -> Waiting | None:
        """Return why a job does not start while the board is taken; None where it may."""
        gate = self._gate()
        if self._lease is None and gate is None:
            return None
        if why := self._whose(job, gate):
            return Waiting(for_=WaitFor.LEASE, reason=why)
        for other in self._book.active(self.board.name):
            is_older = other.id < job.id and other.partition == job.partition and self._comes_first(other)
            if is_older and self._whose(other, gate):
                reason = f"job {other.id}, which is not of the lease, comes before it"
                return Waiting(for_=WaitFor.LEASE, reason=reason, hint=f"`flashdeck cancel {other.id}` takes that away")
        return None

    def _whose(self, job: JobState, gate: LabGate | None) -> str:
        """Return who has the board, where a job is not one of theirs; "" where it may start."""
        if self._lease is not None and job.id not in self._lease.jobs:
            return lease_text(self._lease.shown)
        return "" if gate is None else gate.why_not(job.origin, job.lab_user)

    def _ready(self) -> list[JobState]:
        """Return the jobs that may run now, the next one first."""
        if self._hold is not None:
            return []
        visit = self._visit
        ready = (
            job
            for job in self._book.active(self.board.name)
            if isinstance(job.status, Queued | Waiting)
            and self._why_not_in_lease(job) is None
            and self._after_error.is_due(job)
            and (visit is None or visit.may_take(job))
            and self._is_oldest(job)
        )
        return in_queue_order(ready, tuple(self.board.profile.partitions))

    def _may_begin(self, job: JobState) -> bool:
        """Tell whether a job whose turn has come may still begin.

        While its image was read, or something of it recorded, it may have been cancelled, and its board put on hold or
        taken: whoever was told so goes by it.
        """
        now = self._book.job(job.id)
        return isinstance(now.status, Queued | Waiting) and self._hold is None and self._why_not_in_lease(now) is None

    def _is_oldest(self, job: JobState) -> bool:
        """Tell whether no older image for its partition is still to come, or still to be started."""
        older = (other for other in self._book.active(self.board.name) if other.id < job.id)
        return not any(other.partition == job.partition and self._comes_first(other) for other in older)

    def _comes_first(self, job: JobState) -> bool:
        """Tell whether a newer image has to wait until a job has ended.

        What an earlier visit wrote to this device, and could not start, is not started where there is a newer one.
        """
        if isinstance(job.status, Written) and job.kind in LOOKS:
            return False  # it has read all that it wanted
        if isinstance(job.status, Written) and self._visit is None and self._state.is_in_dfu:
            device = self.sighting.device
            return device is not None and not self._is_written_to(job, device)
        return isinstance(job.status, Queued | Waiting | Written)

    async def _advance(self, ready: Sequence[JobState]) -> bool:
        """Takes the first of the jobs one step further; False when only a change of things will let it go on."""
        job, device, since = ready[0], self.sighting.device, self._state.since
        attempt = self._attempts[job.kind]
        others = f", then {len(ready) - 1} more" if ready[1:] else ""
        try:
            if device is not None and self._after_error.take_denial(device):
                self._decide(f"checks that {device.name} can be opened now", job)
                await self._reach(device)
            elif job.id not in self._checked:
                await attempt.check(job)
                self._checked.add(job.id)
            elif not self._state.is_in_dfu and await attempt.ends_without_dfu(job, self.sighting.presence):
                self._decide(f"needs no DFU mode: its board is {self.sighting.presence}", job)
            elif device is None:
                self._decide(f"waits for its board: it is {self.sighting.presence}", job)
                await self._wait_for_board(ready)
                return False
            elif self.sighting.presence is Presence.APP:
                self._decide(f"has to be brought into DFU mode{others}", job)
                await self._book.note_running(ready)
                return not self._may_begin(job) or await self._bring_into_dfu(ready, device)
            elif not self._controller_place.ask(device):
                self._decide("waits for a place at its controller", job)
                await self._wait_for_controller(ready)
                return False
            else:
                self._decide(f"{doing_word(job.kind)} begins now{others}", job)
                await self._run(attempt, job, device)
        except FlashdeckError as error:
            await self._meet(job, device, since, error)
        except Exception as error:  # noqa: BLE001 -- a fault of ours on one board must not end the other lanes
            _log.exception("job %d stopped by a fault in flashdeckd", job.id)
            await self._meet(job, device, since, _fault(error))
        return True

    async def _wait_for_controller(self, ready: Sequence[JobState]) -> None:
        """Say for which place the first job waits; that is told once, though others get ahead, or have had their turn.

        Nothing else has to be done for a job that waits here: its lane does nothing, and so looks again as soon as its
        board, its queue, its hold or its lease are different.
        """
        why = self._controller_place.why()
        if why is not None:
            for job in ready:
                self._book.retell(job.id, why)
            await self._book.wait(ready[0], why)

    async def _bring_into_dfu(self, ready: Sequence[JobState], device: UsbDevice) -> bool:
        began = clock.monotonic()
        try:
            return await self._entry.bring_into_dfu(ready, device)
        finally:
            self._book.spend(ready[0].id, PhaseTimes().plus(Phase.DETACH, clock.monotonic() - began))

    async def _reach(self, device: UsbDevice) -> None:
        """Raise NoAccessError where the device, or the way to its application, still cannot be opened."""
        if self.sighting.presence is Presence.APP:
            await self._entry.reach(device)
        else:
            await self._thread.run(lambda worker: worker.reach(device), takes_place=False)

    async def _run(self, attempt: Attempt, job: JobState, device: UsbDevice) -> None:
        visit = self._visit = self._visit or self._begin_visit()
        await attempt.run(
            job,
            device,
            visit,
            may_leave=lambda: self._may_leave_after(job),
            is_accepted=job.id in self._accepted,
        )
        if not isinstance(self._book.job(job.id).status, Queued | Waiting):  # or else it has not begun
            self._after_error.forget(job.id)

    def _may_leave_after(self, job: JobState) -> bool:
        """Tell whether the visit is over with a job, and the board is to be started."""
        ready = self._ready()
        stays = f"job {ready[0].id} comes next" if ready else self._why_it_stays()
        self._decide(f"stays in DFU mode: {stays}" if stays else "ends the visit: the board is started", job)
        return not stays

    def _decide(self, text: str, job: JobState) -> None:
        """Tell the debug log what was decided, once for as long as it stays so."""
        decision = f"job {job.id} {text}"
        if decision != self._decision:
            self._decision = decision
            self._hub.debug(decision, board=self.board.name, job=job.id)

    def _begin_visit(self) -> Visit:
        """Begins a visit with the jobs that an earlier visit has written and could not start."""
        active = self._book.active(self.board.name)
        return Visit(max(job.id for job in active), set(self._unfit) if written(active) else set[str]())

    @property
    def _unfit(self) -> tuple[str, ...]:
        """The partitions that are incomplete, or erased."""
        name, partitions = self.board.name, self.board.profile.partitions
        return (*self._book.incomplete(name, partitions), *self._book.erased(name, partitions))

    async def _meet(self, job: JobState, device: UsbDevice | None, since: float | None, error: FlashdeckError) -> None:
        """The job ends where what follows from its error cannot be done either, as on a full disk."""
        if self._visit is not None:
            self._visit.give_back(job)
        attempt = self._attempts[job.kind]
        reached, attempt.reached = attempt.reached, -1
        try:
            await self._after_error.meet(job, device, error, since=since, reached=reached)
        except Exception as second:  # noqa: BLE001 -- neither must that
            _log.exception("what follows from the end of job %d could not be done", job.id)
            told = second.message if isinstance(second, FlashdeckError) else f"a fault in flashdeckd: {second!r}"
            message = f"{error.message}; then: {told}"
            failure = Failure(kind=error.kind, message=message, hint=error.hint)
            if not is_settled(self._book.job(job.id).status):
                await self._book.move(job, Failed(failure=failure))
            self._book.log(job, f"failed: {message}", LogLevel.ERROR)
        await self._end_with(job)

    # The end of a visit.

    async def _end_with(self, job: JobState) -> None:
        """End what the visit has written once a later job has left its partition incomplete: none of it is started."""
        torn = self._book.incomplete(self.board.name, (job.partition,))
        if torn and is_settled(self._book.job(job.id).status):
            await self._departure.stay(self._departure.written, why_incomplete(torn))

    async def _end_visit(self) -> bool:
        """Starts what was written, once nothing is left that can run now; False where there is nothing to do."""
        await self._departure.finish([job for job in self._departure.written if self._is_done_without_start(job)])
        jobs = self._departure.written
        device = self.sighting.device
        if device is None or not (jobs or self._returns):
            is_over, self._visit = self._visit is not None, None
            return is_over  # what had to wait for the next visit may run now
        if not all(map(self._after_error.is_due, jobs)):
            return False
        try:
            is_over = await self._start(jobs, device)
        except ParkedError:
            return False
        except DeviceError as error:
            is_over = await self._could_not_leave(jobs, device, error)
        except Exception as error:  # noqa: BLE001 -- nor must a fault of ours in the end of a visit
            _log.exception("the end of a visit of %s stopped by a fault in flashdeckd", self.board.name)
            for job in self._book.at_their_turn(jobs):
                if isinstance(job.status, Written):
                    await self._after_error.fail(job, _fault(error))
            is_over = True
        if is_over:
            self._visit = None
        return is_over

    async def _could_not_leave(self, jobs: Sequence[JobState], device: UsbDevice, error: DeviceError) -> bool:
        """Meet an error in the end of a visit; False where the visit only goes on when its jobs are tried again."""
        if not jobs:
            text = f"it was read, and could not be started again: {error.message}"
            self._hub.log(text, level=LogLevel.WARNING, board=self.board.name)
            return True
        if not isinstance(error, DeviceGoneError | NoAccessError):
            await self._departure.stay(jobs, f"the bootloader did not take the leave: {error.message}")
            return True
        for job in jobs:
            await self._after_error.meet(job, device, error)
        return False

    async def _start(self, jobs: Sequence[JobState], device: UsbDevice) -> bool:
        mine = [job for job in jobs if self._is_written_to(job, device)]
        for job in (job for job in jobs if job not in mine):
            await self._tell_of_other_device(job, device)
        if not mine and not self._returns:
            return False
        if not self._state.is_in_dfu:
            await self._departure.seen_running(mine, device)
            return True
        staying = [job for job in mine if not wants_leave(job, self.board.profile)]
        leaving = [job for job in mine if job not in staying]
        await self._departure.see_start(staying, device, left=False)
        if not leaving and not self._returns:
            return True
        if reason := self._why_it_stays():
            if self._is_tried_again():
                return False
            await self._departure.stay(leaving, reason)
        elif not self._controller_place.ask(device):
            await self._tell_of_late_leave(leaving, device)
            return False
        else:
            await self._departure.leave(leaving, device)
        return True

    async def _tell_of_late_leave(self, jobs: Sequence[JobState], device: UsbDevice) -> None:
        """The start of written jobs waits for a place at the board's controller."""
        reason = f"controller {device.controller} is busy: it starts when it is its turn there"
        for job in self._book.at_their_turn(jobs):
            if isinstance(job.status, Written) and job.status.reason != reason:
                await self._book.move(job, Written(result=job.status.result, reason=reason))

    @property
    def _returns(self) -> bool:
        """True if the board was running before it was only read in this visit: it is started again."""
        return self._visit is not None and self._visit.returns and self._state.is_in_dfu

    def _is_done_without_start(self, job: JobState) -> bool:
        """Tell whether a written job needs no leave, nor anything else of its board."""
        return job.kind is not JobKind.FLASH and not wants_leave(job, self.board.profile)

    def _why_it_stays(self) -> str:
        """Return why the board must not be started; "" where it may."""
        if self._hold is not None and self._hold.by is not HoldBy.PERSON:
            return f"the board is on hold: {self._hold.reason}"
        changed = sorted(self._visit.changed) if self._visit is not None else self.board.profile.partitions
        name = self.board.name
        return why_not_started(self._book.incomplete(name, changed), self._book.erased(name, changed))

    def _is_tried_again(self) -> bool:
        """Tell whether an incomplete partition is going to be completed after a pause.

        No pause helps where the board that the job began on has to be plugged in.
        """
        torn = set(self._book.incomplete(self.board.name, self.board.profile.partitions))
        active = [
            job
            for job in self._book.active(self.board.name)
            if not (isinstance(job.status, Waiting) and job.status.for_ is WaitFor.OTHER_DEVICE)
        ]
        return any(job.partition in torn and not self._after_error.is_due(job) for job in active)

    def _is_written_to(self, job: JobState, device: UsbDevice) -> bool:
        """Tell whether a device is the one that an image was written to; an application may show another serial."""
        if job.kind not in CHANGES:
            return True
        contents = self._book.contents(self.board.name, job.partition)
        return not self._state.is_in_dfu or contents is None or is_of(contents, device)

    async def _tell_of_other_device(self, job: JobState, device: UsbDevice) -> None:
        """A job that is written waits for its device or for a person, and what is queued behind it says so, too."""
        why = (
            f"another device is in the place of board {self.board.name}: serial {device.serial or 'none'}, bcdDevice "
            f"{device.bcd_device:04x}"
        )
        hint = f"if it is the right one, run `flashdeck release {self.board.name}`"
        status = Written(result=job.result, reason=f"{why}; {hint}")
        if job.status != status:
            await self._book.move(job, status)
            self._book.log(job, status.reason, LogLevel.WARNING)
        behind = Waiting(for_=WaitFor.OTHER_DEVICE, reason=f"job {job.id} comes first: {why}", hint=hint)
        for newer in self._book.at_their_turn(self._book.active(self.board.name)):
            if newer.id > job.id and newer.partition == job.partition and self._may_begin(newer):
                await self._book.wait(newer, behind)

    async def _wait_for_board(self, jobs: Iterable[JobState]) -> None:
        sighting = self.sighting
        for_ = WaitFor.OTHER_DEVICE if sighting.presence is Presence.AMBIGUOUS else WaitFor.ABSENT
        reason = sighting.trouble or "not connected"
        hint = "" if sighting.trouble else self.board.profile.enter_hint
        waiting = Waiting(for_=for_, reason=reason, hint=hint)
        for job in jobs:
            was_lost = isinstance(job.status, Waiting) and job.status.for_ is WaitFor.ABSENT and job.attempts
            if not (was_lost and not sighting.trouble):  # how it was interrupted says more
                await self._book.wait(job, waiting)

    def _next_due(self) -> float | None:
        """Return in how many seconds something may go on by itself; None: nothing but a change helps."""
        due = self._after_error.next_due(self._book.active(self.board.name))
        asked_again = self._entry.rests_until()
        if asked_again is None or self.sighting.presence is not Presence.APP:
            return due
        rest = max(0.0, asked_again - clock.monotonic())
        return rest if due is None else min(due, rest)

    def _tell_of_transfer(self, job: JobState) -> None:
        """A board that hangs keeps the thread until the transfer that runs has had its time: that is said then."""

        async def tell() -> None:
            while self._thread.pulse.silent_for < UNANSWERED:
                await asyncio.sleep(UNANSWERED)
                if not is_under_way(self._book.job(job.id).status):
                    return
            if busy := ceil(self._thread.pulse.busy_for):
                self._book.log(job, f"waits for the running transfer, at most {busy} s", LogLevel.WARNING)

        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(tell())

    def _tell_of_lateness(self) -> None:
        """A board whose transfer does not come back costs only itself, and is named until it goes on."""
        name, device = self.board.name, self.sighting.device
        late = self._thread.is_late
        where = f" at {device.name}" if device is not None else ""
        text = f"the kernel does not give back what was asked of its USB device{where}" if late else ""
        hint = "unplug it, or power-cycle its hub; its jobs go on by themselves then"
        self._health.report(f"board {name}", text, hint=hint, boards=(name,))


def _fault(error: Exception) -> FlashdeckError:
    return FlashdeckError(f"a fault in flashdeckd: {error!r}", hint="please report it with the daemon's log")
