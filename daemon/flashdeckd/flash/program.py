"""The doing of a plan: one board, one image, step by step.

It adds nothing to the plan but the recoveries named there; it leaves out reads that turn out not to work.
"""

import time
from contextlib import suppress

from msgspec.structs import replace

from flashdeck.config import PollPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, ErrorKind, HeldError, ParkedError, VerifyError
from flashdeck.geometry import Range
from flashdeck.model import Phase, Verified
from flashdeckd.dfu import leaving
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.session import Session
from flashdeckd.flash import plain
from flashdeckd.flash.banks import sites, unproved_banks, witnesses
from flashdeckd.flash.canary import Canary
from flashdeckd.flash.experience import UNKNOWN, Experience
from flashdeckd.flash.lessons import Lessons
from flashdeckd.flash.observer import Observer, Outcome, Sleep
from flashdeckd.flash.plan import SKIPS, Action, DeviceFacts, Plan, Step
from flashdeckd.flash.planner import Planner, make_plan
from flashdeckd.flash.readback import ReadBack, Reading
from flashdeckd.flash.survey import look
from flashdeckd.flash.target import Target

_MAX_REDONE = 8
"""Sectors that are done again in one job: more than that is no accident."""


def flash(
    pipe: ControlPipe,
    image: bytes,
    target: Target,
    observer: Observer,
    sleep: Sleep = time.sleep,
    *,
    experience: Experience = UNKNOWN,
    cached: bytes | None = None,
) -> Outcome:
    """Brings `image` into the target's partition, by the plan.

    `experience` is what earlier jobs found out about the board. `cached` is the image that was last flashed there and
    is undisturbed as far as anybody knows, where the profile says that this may be trusted; None where it may not.
    Raises what `make_plan` raises before anything was changed; ParkedError where the observer asked to stop, with the
    device in dfuIDLE; DeviceGoneError where the board was lost before the boot unit was written, with `during_read`
    where the next attempt had better not read (`Target.may_read`): a board that hangs after a read counts as lost, too;
    VerifyError for a mismatch on proved reading, without a leave; another DeviceError for what the device refused.
    Once the boot unit is written, only a mismatch in it is still an error. A plain DFU device goes its own way, see
    `plain.flash`.
    """
    if target.alternate is not None:
        return plain.flash(pipe, image, target, observer, sleep, experience=experience)
    started, transfers = time.monotonic(), pipe.transfers
    session = _session(pipe, target, sleep, experience)
    try:
        observer.progress(Phase.OPEN, 0, 1)
        facts = DeviceFacts.of(session.open())
        observer.progress(Phase.OPEN, 1, 1)
        planner = Planner(image, target, facts, experience=experience, cached=cached)
        try:
            plan = _look_and_plan(session, planner, observer)
        finally:
            if session.pace is not experience.pace:  # it objected to a look; that is so whatever becomes of the plan
                experience = replace(experience, pace=session.pace)
                observer.learned(experience)
        observer.planned(plan)
        run = _Run(session, plan, observer, Range.sized(target.span.start, len(image)), experience)
        run.fill()
    except DeviceGoneError as error:
        raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error
    if plan.changes:
        observer.committed()
    run.finish()
    return Outcome(
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
        interrupted=run.interrupted,
        notes=(*plan.notes, *run.remarks),
    )


def survey(
    pipe: ControlPipe, image: bytes, target: Target, *, experience: Experience = UNKNOWN, cached: bytes | None = None
) -> Plan:
    """Asks the device what it is and reads what a plan needs; writes nothing and leaves the device in dfuIDLE.

    Raises what `make_plan` raises, and DeviceGoneError.
    """
    if target.alternate is not None:
        return plain.survey(pipe, image, target, experience=experience)
    session = _session(pipe, target, time.sleep, experience)
    try:
        facts = DeviceFacts.of(session.open())
        planner = Planner(image, target, facts, experience=experience, cached=cached)
        return _look_and_plan(session, planner)
    except DeviceGoneError as error:
        raise DeviceGoneError(error.message, hint=error.hint, during_read=session.reading) from error


def preview(image: bytes, target: Target, facts: DeviceFacts) -> Plan:
    """The plan for a board that can not be asked now, `facts` being what is taken for granted; see `make_plan`."""
    if target.alternate is not None:
        return plain.make_plan(image, target)
    return make_plan(image, target, facts)


def leave(pipe: ControlPipe, target: Target, sleep: Sleep = time.sleep) -> bool:
    """Starts the application of a board that only lacks that; True if the board took it."""
    if target.alternate is not None:
        return plain.leave(pipe, target, sleep)
    session = _session(pipe, target, sleep)
    session.open()
    return session.leave(target.span.start)


def detach(pipe: ControlPipe) -> None:
    """Asks a running application to come back in DFU mode. A board that vanishes or refuses is no error here."""
    leaving.detach(pipe)


def _session(pipe: ControlPipe, target: Target, sleep: Sleep, experience: Experience = UNKNOWN) -> Session:
    twins = (site.twin for bank in unproved_banks(target, experience) for site in sites(target, bank))
    fence = Fence.around(target.span, target.geometry, (*twins, *witnesses(target)))
    proved = experience.reading_proved
    return Session(pipe, fence, target.poll, sleep, experience.pace, multiplies=proved or None, reading_proved=proved)


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


_NOT_DONE_HERE = frozenset((Action.SAMPLE, Action.FIND_BLANK, Action.COMPARE, *SKIPS))
"""Steps that the plan itself was made from, and what it leaves out."""
_WITH_THE_ONE_BEFORE = frozenset((Action.READ_CANARY, Action.ERASE_CANARY))
"""Steps that are not put off: the flash is not left with a canary in it."""
_PHASES = {
    Action.ERASE: Phase.ERASE,
    Action.CHECK_BLANK: Phase.ERASE,
    Action.WRITE: Phase.WRITE,
    Action.PROVE_READING: Phase.VERIFY,
    Action.READ_BACK: Phase.VERIFY,
    Action.WRITE_BOOT_UNIT: Phase.BOOT_UNIT,
    Action.READ_BOOT_UNIT: Phase.BOOT_UNIT,
    Action.LEAVE: Phase.LEAVE,
}
_LAST = frozenset((Action.READ_BOOT_UNIT, Action.LEAVE))
"""Steps behind the boot unit."""


class _Run:
    """The steps of one flash under way."""

    def __init__(self, session: Session, plan: Plan, observer: Observer, image: Range, experience: Experience) -> None:
        self._session = session
        self._plan = plan
        self._target = plan.target
        self._observer = observer
        self._image = image
        multiplies = experience.reading_proved or bool(plan.seen.multiplies)
        self._lessons = Lessons(experience, observer.learned, multiplies=multiplies)
        self._canary = Canary(session, plan)
        self._readback = ReadBack(session, plan, self._lessons, observer.check)
        if experience.reading_proved:
            self._readback.reading = Reading.PROVED
        self._began = False
        self._written: list[Step] = []
        self._redone: set[Range] = set()
        self._done: dict[Phase, int] = {}
        self._totals: dict[Phase, int] = {}
        for step in plan.steps:
            if (phase := _PHASES.get(step.action)) is not None and step.action is not Action.CHECK_BLANK:
                self._totals[phase] = self._totals.get(phase, 0) + step.span.size
        self.left = False
        self.interrupted = False
        self.programmed = 0
        self.erases = 0
        self.blocks = 0
        self.notes: list[str] = []

    @property
    def verified(self) -> Verified:
        """Whether all of the image was read from the board, by a read that is to be believed."""
        return self._readback.verified

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of how it went."""
        return (*self._readback.notes, *self.notes)

    def fill(self) -> None:
        """All steps up to and with the boot unit."""
        try:
            for step in self._plan.steps:
                if step.action in _LAST or step.action in _NOT_DONE_HERE:
                    continue
                if step.action is Action.CHECK_BLOCKS and self._plan.seen.measured:
                    continue
                if step.action not in _WITH_THE_ONE_BEFORE:
                    self._observer.check()
                self._do(step)
            if self._plan.changes:  # a blank boot unit has no step of its own that would ask for this
                self._readback.require_proof()
        except (ParkedError, VerifyError, HeldError):
            with suppress(DeviceError):  # whatever becomes of it, the next session recovers it
                self._session.to_idle()
            raise
        except DeviceError as error:
            if error.kind is ErrorKind.WRONG_BANK:
                self._lessons.learn(condemned_banks=self._banks_on_trial)
            raise
        finally:
            self._learn_pace()

    def finish(self) -> None:
        """The steps behind the boot unit: from here on a lost board costs only the leave."""
        try:
            for step in self._plan.steps:
                if step.action is Action.READ_BOOT_UNIT:
                    if self._readback.read_boot_unit(step.span):
                        self._progress(Phase.BOOT_UNIT, step.span.size)
                elif step.action is Action.LEAVE:
                    self._leave(step.span)
            if not self.left:
                self._session.to_idle()
        except VerifyError:
            raise
        except DeviceGoneError as error:
            self.interrupted = True
            self.notes.append(f"lost after the boot unit was written: {error.message}")
        except DeviceError as error:
            self.notes.append(f"the leave failed: {error.message}")

    def _do(self, step: Step) -> None:
        match step.action:
            case Action.WRITE_CANARY | Action.READ_CANARY | Action.ERASE_CANARY | Action.CHECK_BANKS:
                self._canary.do(step)
                self.erases += step.action is Action.ERASE_CANARY
            case Action.ERASE:
                self._believe_canary()
                self._erase(step.span)
            case Action.CHECK_BLANK:
                self._readback.check_blank(step.span)
            case Action.PROVE_READING:
                self._readback.prove(step.span, self._verified)
            case Action.CHECK_BLOCKS:
                self._readback.check_blocks(step.span)
            case Action.READ_BACK:
                self._readback.read_back(step.span, self._verified)
            case Action.WRITE_BOOT_UNIT:
                self._readback.require_proof()
                self._write(step)
            case _:
                self._write(step)

    @property
    def _banks_on_trial(self) -> tuple[int, ...]:
        return tuple(site.bank for site in self._plan.seen.sites)

    def _believe_canary(self) -> None:
        """Before the first erase: what the canary has shown."""
        if self._began or not self._banks_on_trial:
            return
        if self._canary.doubt:
            self._readback.disprove(self._canary.doubt)
            self._readback.require_proof()
            return
        self._readback.reading = Reading.PROVED
        self._lessons.learn(reading_proved=True, proved_banks=self._banks_on_trial)

    def _learn_pace(self) -> None:
        if self._target.poll is PollPolicy.AUTO:
            self._lessons.learn(pace=self._session.pace)

    def _erase(self, sector: Range) -> None:
        first, self._began = not self._began, True
        if first:
            self._observer.began()
        try:
            self._session.erase(sector)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            self._recover(error, sector)
            self._session.erase(sector)
        if first:
            self._learn_pace()
        self.erases += 1
        self._progress(Phase.ERASE, sector.size)

    def _write(self, step: Step) -> None:
        try:
            self._program(step)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            self._redo(step, error)
            self._program(step)
        self._written.append(step)
        span = step.span
        self.blocks += 1
        self.programmed += max(0, min(span.end, self._image.end) - span.start)
        self._progress(_PHASES[step.action], span.size)

    def _program(self, step: Step) -> None:
        self._session.write(step.span.start, self._plan.data(step.span))

    def _redo(self, step: Step, cause: DeviceError) -> None:
        """Makes the sector of a block that failed as it was before that block: erased, and written up to there."""
        sectors, blocks = self._together(step)
        self._recover(cause, *sectors)
        for sector in sectors:
            self._session.erase(sector)
            self.erases += 1
        for block in blocks:
            self._program(block)
        if step.action is Action.WRITE_BOOT_UNIT and self._readback.reading is Reading.PROVED:
            for each in self._plan.steps:
                if each.action in (Action.PROVE_READING, Action.READ_BACK):
                    self._readback.read_back(each.span, lambda _: None)

    def _together(self, step: Step) -> tuple[list[Range], list[Step]]:
        """The sectors that must be erased to write a block again, and the blocks that are lost with them."""
        all_sectors = [each.span for each in self._plan.steps if each.action is Action.ERASE]
        sectors = [each for each in all_sectors if each.overlaps(step.span)]
        while True:
            lost = [each for each in self._written if any(each.span.overlaps(sector) for sector in sectors)]
            wider = [each for each in all_sectors if any(each.overlaps(block.span) for block in (step, *lost))]
            if wider == sectors:
                return sectors, lost
            sectors = wider

    def _recover(self, cause: DeviceError, *sectors: Range) -> None:
        """Back to dfuIDLE for another try, unless these sectors have had theirs."""
        if self._redone & set(sectors) or len(self._redone) >= _MAX_REDONE:
            raise cause
        self._redone |= set(sectors)
        self._session.recover()
        self._learn_pace()
        self.notes.append(f"done again from the erase of {sectors[0]}: {cause.message}")

    def _leave(self, span: Range) -> None:
        self.left = self._session.leave(span.start)
        if self.left:
            self._progress(Phase.LEAVE, span.size)
        else:
            self.notes.append("the bootloader did not take the leave: reset the board to start the application")

    def _verified(self, size: int) -> None:
        self._progress(Phase.VERIFY, size)

    def _progress(self, phase: Phase, size: int) -> None:
        self._done[phase] = self._done.get(phase, 0) + size
        self._observer.progress(phase, self._done[phase], self._totals[phase])
