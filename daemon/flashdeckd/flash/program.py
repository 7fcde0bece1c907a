"""The ways to use a board: a flash, a plan, a leave. DfuSe here; plain DFU 1.1 goes its own way, see `plain`."""

from contextlib import suppress

from msgspec.structs import replace

from flashdeck.errors import DeviceError, DeviceGoneError
from flashdeck.job_state import Phase, Verified
from flashdeckd.dfu import leaving
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.session import Session
from flashdeckd.flash import plain
from flashdeckd.flash.banks import sites, unproved_banks, witnesses
from flashdeckd.flash.bootloader_history import UNKNOWN, BootloaderHistory
from flashdeckd.flash.observer import Observer, Outcome, Sleep
from flashdeckd.flash.plan import DeviceFacts, Plan
from flashdeckd.flash.planner import Planner, make_plan
from flashdeckd.flash.run import Run
from flashdeckd.flash.survey import look
from flashdeckd.flash.target import Target
from flashdeckd.host import clock
from flashdeckd.images.image import Image

_LOCKED = (
    "reading was refused: a chip at RDP level 1 also answers like this and stores nothing; only its start shows it"
)


def flash(
    pipe: ControlPipe,
    image: Image,
    target: Target,
    observer: Observer,
    sleep: Sleep = clock.sleep,
    *,
    history: BootloaderHistory = UNKNOWN,
    cached: Image | None = None,
) -> Outcome:
    """Bring `image` into the target's partition, by the plan.

    `history` is what earlier jobs found out about the board. `cached` is what the partition holds as far as that is
    known and the profile says that it may be trusted; nothing is known of its gaps.
    Raises what `make_plan` raises before anything was changed; ParkedError where the observer asked to stop, with the
    device in dfuIDLE; DeviceGoneError where the board was lost before the image was whole, with `during_read` where the
    next attempt had better not read (`Target.may_read`): a board that hangs after a read counts as lost, too;
    VerifyError for a mismatch on proved reading that did not go away when its sector was done again, without a leave
    (`may_boot` where a wrong boot unit could not be erased); another DeviceError for what the device refused.
    Once the boot unit is written, a lost board is no error any more, unless the boot unit had to be done again.
    """
    if target.alternate is not None:
        return plain.flash(pipe, image, target, observer, sleep, history=history)
    started, transfers = clock.monotonic(), pipe.transfers
    session = _session(pipe, target, sleep, history)
    try:
        observer.progress(Phase.OPEN, 0, 1)
        facts = DeviceFacts.of(session.open())
        observer.progress(Phase.OPEN, 1, 1)
        observer.opened(facts)
        planner = Planner(image, target, facts, history=history, cached=cached)
        try:
            plan = _look_and_plan(session, planner, observer)
        finally:
            if session.pace is not history.pace:  # it objected to a look; that is so whatever becomes of the plan
                history = replace(history, pace=session.pace)
                observer.learned(history)
        observer.planned(plan)
        session.confine(plan.touched)
        run = Run(session, plan, observer, history)
        run.fill()
        if plan.changes:
            observer.committed()
        run.finish()
    except DeviceGoneError as error:
        raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error
    is_locked = session.was_refused and plan.changes and run.verified is not Verified.YES
    remarks = (*run.remarks, *([_LOCKED] if is_locked else []))
    return Outcome(
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


def survey(
    pipe: ControlPipe,
    image: Image,
    target: Target,
    *,
    history: BootloaderHistory = UNKNOWN,
    cached: Image | None = None,
) -> Plan:
    """Ask the device what it is and reads what a plan needs; writes nothing and leaves the device in dfuIDLE.

    Raises what `make_plan` raises, and DeviceGoneError.
    """
    if target.alternate is not None:
        return plain.survey(pipe, image, target, history=history)
    session = _session(pipe, target, clock.sleep, history)
    try:
        facts = DeviceFacts.of(session.open())
        planner = Planner(image, target, facts, history=history, cached=cached)
        return _look_and_plan(session, planner)
    except DeviceGoneError as error:
        raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error


def preview(image: Image, target: Target, facts: DeviceFacts) -> Plan:
    """Return the plan for a board that can not be asked now; `facts` are taken for granted. See `make_plan`."""
    if target.alternate is not None:
        return plain.make_plan(image, target)
    return make_plan(image, target, facts)


def leave(pipe: ControlPipe, target: Target, sleep: Sleep = clock.sleep) -> bool:
    """Start the application of a board that only lacks that; True if the board took it."""
    if target.alternate is not None:
        return plain.leave(pipe, target, sleep)
    session = _session(pipe, target, sleep)
    session.open()
    return session.leave(target.starts)


def detach(pipe: ControlPipe) -> None:
    """Ask a running application to come back in DFU mode. A board that vanishes or refuses is no error here."""
    leaving.detach(pipe)


def _session(pipe: ControlPipe, target: Target, sleep: Sleep, history: BootloaderHistory = UNKNOWN) -> Session:
    twins = (site.twin for bank in unproved_banks(target, history) for site in sites(target, bank))
    fence = Fence.around(target.span, target.geometry, (*twins, *witnesses(target)), starts=target.starts)
    proved = history.reading_proved
    return Session(pipe, fence, target.poll, sleep, history.pace, multiplies=proved or None, reading_proved=proved)


def _look_and_plan(session: Session, planner: Planner, observer: Observer | None = None) -> Plan:
    def progress(done: int, total: int) -> None:
        if observer is not None:
            observer.progress(Phase.COMPARE, done, total)
            observer.check()

    try:
        plan = planner.plan(look(session, planner.questions, progress))
    finally:
        with suppress(DeviceError):  # whatever becomes of it, the next session recovers it
            session.to_idle()
    return plan
