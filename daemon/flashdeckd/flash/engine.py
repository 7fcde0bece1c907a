"""The ways to use a board: a flash, a plan, a leave. DfuSe here; plain DFU 1.1 goes its own way, see `plain`."""

import time
from contextlib import suppress

from msgspec.structs import replace

from flashdeck.errors import DeviceError, DeviceGoneError
from flashdeck.model import Phase, Verified
from flashdeckd.dfu import leaving
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.recovery import Sleep
from flashdeckd.flash import plain_engine
from flashdeckd.flash.banks import sites, unproved_banks, witnesses
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.dfuse_planner import DfusePlanner, make_plan
from flashdeckd.flash.dfuse_run import DfuseRun
from flashdeckd.flash.flash_plan import DeviceFacts, FlashPlan
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.result import FlashResult
from flashdeckd.flash.survey import look
from flashdeckd.flash.target import Target
from flashdeckd.images.image import Image

_LOCKED = (
    "reading was refused: a chip at RDP level 1 also answers like this and stores nothing; only its start shows it"
)


def flash(
    pipe: ControlPipe,
    image: Image,
    target: Target,
    listener: FlashListener,
    sleep: Sleep = time.sleep,
    *,
    history: BootloaderHistory = UNKNOWN,
    cached: Image | None = None,
) -> FlashResult:
    """Bring `image` into the target's partition, by the plan.

    `history` is what earlier jobs found out about the board. `cached` is what the partition holds as far as that is
    known and the profile says that it may be trusted; nothing is known of its gaps.
    Raises what `make_plan` raises before anything was changed; ParkedError where the listener asked to stop, with the
    device in dfuIDLE; DeviceGoneError where the board was lost before the image was whole, with `during_read` where the
    next attempt had better not read (`Target.may_read`): a board that hangs after a read counts as lost, too;
    VerifyError for a mismatch on proved reading that did not go away when its sector was done again, without a leave
    (`may_boot` where a wrong boot unit could not be erased); another DeviceError for what the device refused.
    Once the boot unit is written, a lost board is no error any more, unless the boot unit had to be done again.
    """
    if target.alternate is not None:
        return plain_engine.flash(pipe, image, target, listener, sleep, history=history)
    started, transfers = time.monotonic(), pipe.transfers
    session = _session(pipe, target, sleep, history)
    try:
        listener.progress(Phase.OPEN, 0, 1)
        facts = DeviceFacts.of(session.open())
        listener.progress(Phase.OPEN, 1, 1)
        planner = DfusePlanner(image, target, facts, history=history, cached=cached)
        try:
            plan = _look_and_plan(session, planner, listener)
        finally:
            if session.pace is not history.pace:  # it objected to a look; that is so whatever becomes of the plan
                history = replace(history, pace=session.pace)
                listener.learned(history)
        listener.planned(plan)
        session.confine(plan.touched)
        run = DfuseRun(session, plan, listener, history)
        run.fill()
        if plan.changes:
            listener.committed()
        run.finish()
    except DeviceGoneError as error:
        raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error
    is_locked = session.was_refused and plan.changes and run.verified is not Verified.YES
    remarks = (*run.remarks, *([_LOCKED] if is_locked else []))
    return FlashResult(
        bytes_written=run.programmed,
        erases=run.erases,
        blocks=run.blocks,
        transfers=pipe.transfers - transfers,
        uploads=session.uploads,
        slept=session.slept,
        seconds=time.monotonic() - started,
        verified=run.verified,
        protection=plan.protection,
        left=run.left,
        unchanged=plan.unchanged,
        erased_beside=plan.erased_beside,
        interrupted=run.interrupted,
        notes=(*plan.notes, *remarks),
        remarks=remarks,
    )


def survey(
    pipe: ControlPipe,
    image: Image,
    target: Target,
    *,
    history: BootloaderHistory = UNKNOWN,
    cached: Image | None = None,
) -> FlashPlan:
    """Ask the device what it is and reads what a plan needs; writes nothing and leaves the device in dfuIDLE.

    Raises what `make_plan` raises, and DeviceGoneError.
    """
    if target.alternate is not None:
        return plain_engine.survey(pipe, image, target, history=history)
    session = _session(pipe, target, time.sleep, history)
    try:
        facts = DeviceFacts.of(session.open())
        planner = DfusePlanner(image, target, facts, history=history, cached=cached)
        return _look_and_plan(session, planner)
    except DeviceGoneError as error:
        raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error


def preview(image: Image, target: Target, facts: DeviceFacts) -> FlashPlan:
    """Return the plan for a board that can not be asked now; `facts` are taken for granted. See `make_plan`."""
    if target.alternate is not None:
        return plain_engine.make_plan(image, target)
    return make_plan(image, target, facts)


def leave(pipe: ControlPipe, target: Target, sleep: Sleep = time.sleep) -> bool:
    """Start the application of a board that only lacks that; True if the board took it."""
    if target.alternate is not None:
        return plain_engine.leave(pipe, target, sleep)
    session = _session(pipe, target, sleep)
    session.open()
    return session.leave(target.starts)


def detach(pipe: ControlPipe) -> None:
    """Ask a running application to come back in DFU mode. A board that vanishes or refuses is no error here."""
    leaving.detach(pipe)


def _session(pipe: ControlPipe, target: Target, sleep: Sleep, history: BootloaderHistory = UNKNOWN) -> DfuseSession:
    twins = (site.twin for bank in unproved_banks(target, history) for site in sites(target, bank))
    fence = Fence.around(target.span, target.geometry, (*twins, *witnesses(target)), starts=target.starts)
    proved = history.reading_proved
    return DfuseSession(pipe, fence, target.poll, sleep, history.pace, multiplies=proved or None, reading_proved=proved)


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
