"""The engine for DfuSe devices: sectors are erased and blocks are written by their addresses."""

from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from flashdeck.config import MapPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, TransferTimeoutError
from flashdeck.geometry import Range
from flashdeck.job_state import Phase, Verified
from flashdeck.memory_map import Access
from flashdeck.text import clean
from flashdeckd.dfu.claims import OnClaim, tell_nobody
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.recovery import Sleep
from flashdeckd.dfu.wire import usable_transfer_size
from flashdeckd.flash.banks import sites, unproved_banks, witnesses
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.dfuse_planner import DfusePlanner, make_plan
from flashdeckd.flash.dfuse_run import DfuseRun
from flashdeckd.flash.erasing import blank_image, to_erase, without_blocks
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan
from flashdeckd.flash.history_writer import LONGEST_REASON
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.reading import (
    UNPROVED,
    ReadListener,
    ReadOrder,
    ReadResult,
    ending_idle,
    read_addresses,
    require_readable,
)
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.survey import look
from flashdeckd.flash.target import AddressTarget
from flashdeckd.host import clock
from flashdeckd.images.image import Image

_LOCKED = (
    "reading was refused: a chip at RDP level 1 also answers like this and stores nothing; only its start shows it"
)


@dataclass(frozen=True, slots=True)
class DfuseEngine:
    """One range of addresses on one board."""

    target: AddressTarget
    history: BootloaderHistory = UNKNOWN
    """The findings of earlier jobs about the board."""
    cached: Image | None = None
    """The bytes that the partition has, as far as they are known and may be trusted; nothing is known of its gaps."""

    def survey(self, pipe: ControlPipe, image: Image) -> FlashPlan:
        """Ask the device what it is and read what a plan needs; write nothing, and leave the device in dfuIDLE."""
        session = _session(pipe, self.target, clock.sleep, self.history)
        try:
            facts = DeviceFacts.of(session.open())
            return _look_and_plan(session, self._planner(image, facts))
        except DeviceGoneError as error:
            raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error

    def preview(self, image: Image, facts: DeviceFacts) -> FlashPlan:
        """Return the plan for a board that cannot be asked now."""
        return make_plan(image, self.target, facts)

    def flash(self, pipe: ControlPipe, image: Image, listener: FlashListener, sleep: Sleep) -> FlashResult:
        """Bring `image` into the partition.

        VerifyError is raised for a mismatch on proved reading that did not go away when its sector was done again,
        without a leave (`may_boot` where a wrong boot unit could not be erased). Once the boot unit is written, a lost
        board is no error any more, unless the boot unit had to be done again.
        """
        started, transfers = clock.monotonic(), pipe.transfers
        history = self.history
        session = _session(pipe, self.target, sleep, history, listener.claimed)
        try:
            listener.progress(Phase.OPEN, 0, 1)
            facts = DeviceFacts.of(session.open())
            listener.progress(Phase.OPEN, 1, 1)
            listener.opened(facts)
            planner = self._planner(image, facts)
            try:
                plan = _look_and_plan(session, planner, listener)
                if plan.seen.obstacle and not history.reading_proved:
                    history = replace(history, unreadable=clean(plan.seen.obstacle, LONGEST_REASON))
                    listener.learned(history)
            finally:
                if session.pace is not history.pace:  # it objected to a look; that is so whatever becomes of the plan
                    history = replace(history, pace=session.pace)
                    listener.learned(history)
            listener.planned(plan)
            session.confine(plan.touched)
            run = DfuseRun(session, plan, self.target, listener, history)
            run.fill()
            if plan.changes:
                listener.committed()
            run.finish()
        except DeviceGoneError as error:
            raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error
        except TransferTimeoutError:
            raise  # it answers nothing, so nothing can be asked of it
        except DeviceError:
            session.calm()
            raise
        is_locked = session.was_refused and plan.changes and run.verified is not Verified.YES
        remarks = (*run.remarks, *([_LOCKED] if is_locked else []))
        return FlashResult(
            bytes_written=run.programmed,
            erases=run.erases,
            blocks=run.blocks,
            transfers=pipe.transfers - transfers,
            uploads=session.uploads,
            slept=session.slept,
            seconds=clock.monotonic() - started,
            verified=run.verified,
            protection=plan.protection,
            left=run.left,
            unchanged=plan.unchanged,
            erased_beside=plan.erased_beside,
            interrupted=run.interrupted,
            notes=(*plan.notes, *remarks),
            remarks=remarks,
        )

    def preview_erase(self, facts: DeviceFacts) -> FlashPlan:
        """Return the plan of an erase for a board that cannot be asked now."""
        return without_blocks(self._eraser.preview(blank_image(self.target), facts))

    def survey_erase(self, pipe: ControlPipe) -> FlashPlan:
        """Plan an erase with what the device says; write nothing."""
        return without_blocks(self._eraser.survey(pipe, blank_image(self.target)))

    def erase(self, pipe: ControlPipe, listener: FlashListener, sleep: Sleep) -> FlashResult:
        """Erase all of the partition."""
        return self._eraser.flash(pipe, blank_image(self.target), listener, sleep)

    def read(self, pipe: ControlPipe, order: ReadOrder, listener: ReadListener, sleep: Sleep) -> ReadResult:
        """Read what the order says; the session can neither erase nor write."""
        started, transfers = clock.monotonic(), pipe.transfers
        session = _session(pipe, self.target, sleep, self.history, listener.claimed)
        session.confine(frozenset())
        with ending_idle(session, force=order.force):
            listener.progress(Phase.OPEN, 0, 1)
            facts = DeviceFacts.of(session.open())
            listener.progress(Phase.OPEN, 1, 1)
            cells = order.cells(self.target.span, usable_transfer_size(facts.transfer_size))
            require_readable(self._obstacle_to_reading(facts, cells), force=order.force)
            read = read_addresses(session, self.target.span.start, cells, order, listener)
        session.to_idle()
        proved = self.history.reading_proved
        return ReadResult(
            read=read,
            proved=proved,
            transfers=pipe.transfers - transfers,
            uploads=session.uploads,
            slept=session.slept,
            seconds=clock.monotonic() - started,
            remarks=() if proved else (UNPROVED,),
        )

    def leave(self, pipe: ControlPipe, sleep: Sleep) -> bool:
        """Start the program: a ROM bootloader jumps to its address."""
        session = _session(pipe, self.target, sleep)
        session.open()
        return session.leave(self.target.starts)

    @property
    def _eraser(self) -> "DfuseEngine":
        return DfuseEngine(to_erase(self.target), self.history, self.cached)

    def _obstacle_to_reading(self, facts: DeviceFacts, cells: tuple[Range, ...]) -> str:
        """Return what the device says against these reads; "" where that is nothing."""
        if not facts.can_upload:
            return "the device says that it cannot be read (bitCanUpload is 0)"
        device_map = facts.memory_map if self.target.map is MapPolicy.CHECK else None
        start = self.target.span.start
        wanted = (Range(start + cell.start, start + cell.end) for cell in cells)
        if device_map is not None and not all(device_map.permits(each, Access.READ) for each in wanted):
            return "the device's memory map does not let the partition be read"
        return ""

    def _planner(self, image: Image, facts: DeviceFacts) -> DfusePlanner:
        return DfusePlanner(image, self.target, facts, history=self.history, cached=self.cached)


def _session(
    pipe: ControlPipe,
    target: AddressTarget,
    sleep: Sleep,
    history: BootloaderHistory = UNKNOWN,
    on_claim: OnClaim = tell_nobody,
) -> DfuseSession:
    twins = (site.twin for bank in unproved_banks(target, history) for site in sites(target, bank))
    fence = Fence.around(target.span, target.geometry, (*twins, *witnesses(target)), starts=target.starts)
    proved = history.reading_proved
    return DfuseSession(
        pipe,
        fence,
        target.poll,
        sleep,
        history.pace,
        multiplies=proved or None,
        reading_proved=proved,
        on_claim=on_claim,
    )


def _look_and_plan(session: DfuseSession, planner: DfusePlanner, listener: FlashListener | None = None) -> FlashPlan:
    def progress(done: int, total: int) -> None:
        if listener is not None:
            listener.progress(Phase.COMPARE, done, total)
            listener.check()

    try:
        plan = planner.plan(look(session, planner.questions, progress))
    finally:
        with suppress(DeviceError):  # whatever becomes of it, the next session recovers it
            session.to_idle()
    return plan
