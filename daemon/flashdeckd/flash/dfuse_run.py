"""The doing of a plan: one board, one image, step by step.

It adds nothing to the plan but the recoveries named there; it leaves out reads that turn out not to work. What did not
become as it should is done again from the erase of its sector, whether the device said so or only a read shows it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NoReturn

from flashdeck.config import PollPolicy
from flashdeck.errors import (
    BlockedError,
    DeviceError,
    DeviceGoneError,
    ErrorKind,
    FlashdeckError,
    ParkedError,
    TransferTimeoutError,
    VerifyError,
)
from flashdeck.geometry import Range
from flashdeck.job_state import Phase, Verified
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.canary import Canary
from flashdeckd.flash.flash_plan import CANARY, SKIPS, FlashPlan, Step, StepKind
from flashdeckd.flash.history_writer import HistoryWriter
from flashdeckd.flash.listener import FlashListener
from flashdeckd.flash.readback import ReadBack, ReadTrust
from flashdeckd.flash.sector_events import SectorAct, SectorEvent
from flashdeckd.flash.target import AddressTarget

MAX_REDONE = 8
"""Sectors that are done again in one job: more than that is no accident."""
_NOT_DONE_HERE = frozenset((StepKind.SAMPLE, StepKind.FIND_BLANK, StepKind.COMPARE, *SKIPS))
"""Steps that the plan itself was made from, and what it leaves out."""
_WITH_THE_ONE_BEFORE = frozenset((StepKind.READ_CANARY, StepKind.ERASE_CANARY))
"""Steps that are not put off: the flash is not left with a canary in it."""
_PHASES = {
    StepKind.ERASE: Phase.ERASE,
    StepKind.CHECK_BLANK: Phase.ERASE,
    StepKind.WRITE: Phase.WRITE,
    StepKind.PROVE_READING: Phase.VERIFY,
    StepKind.READ_BACK: Phase.VERIFY,
    StepKind.WRITE_BOOT_UNIT: Phase.BOOT_UNIT,
    StepKind.READ_BOOT_UNIT: Phase.BOOT_UNIT,
    StepKind.LEAVE: Phase.LEAVE,
}
_LAST = frozenset((StepKind.READ_BOOT_UNIT, StepKind.LEAVE))
"""Steps behind the boot unit."""


class DfuseRun:
    """The steps of one flash under way."""

    def __init__(
        self,
        session: DfuseSession,
        plan: FlashPlan,
        target: AddressTarget,
        listener: FlashListener,
        history: BootloaderHistory,
    ) -> None:
        self._session = session
        self._plan = plan
        self._target = target
        self._listener = listener
        multiplies = history.reading_proved or bool(plan.seen.multiplies)
        self._history_writer = HistoryWriter(history, listener.learned, multiplies=multiplies)
        proved = history.reading_proved
        self._canary = Canary(session, plan, target, self._history_writer, listener.happened, reading_proved=proved)
        self._readback = ReadBack(session, plan, target, self._history_writer, listener.check)
        if proved:
            self._readback.reading = ReadTrust.PROVED
            self._history_writer.learn(canaries_gone=frozenset(sector.start for sector in plan.seen.gone))
        self._sectors = tuple(s for s in self._target.sectors if any(run.covers(s) for run in plan.erased))
        """The sectors that may be erased for the image."""
        self._is_canary_over = False
        self._began = False
        self._is_first_erased = False
        self._written: list[Step] = []
        self._read: list[Range] = []
        """Blocks that were read back, and are right."""
        self._redone: set[Range] = set()
        self._done = dict.fromkeys(Phase, 0)
        self._totals = dict.fromkeys(Phase, 0)
        for step in plan.steps:
            if (phase := _PHASES.get(step.action)) is not None and step.action is not StepKind.CHECK_BLANK:
                self._totals[phase] += step.span.size
        self.left = False
        self.interrupted = False
        self.programmed = 0
        self.erases = 0
        self.blocks = 0
        self.notes: list[str] = []

    @property
    def verified(self) -> Verified:
        """Tell whether all of the image was read from the board, by a read that is to be believed."""
        return self._readback.verified

    @property
    def remarks(self) -> tuple[str, ...]:
        """Everything that a person should know of how it went."""
        return (*self._readback.notes, *self.notes)

    def fill(self) -> None:
        """Do all steps up to and with the boot unit."""
        try:
            self._fill()
        except (ParkedError, VerifyError, BlockedError) as error:
            self._stop(error)
            raise
        except DeviceError as error:
            if error.kind is ErrorKind.WRONG_BANK:
                self._history_writer.learn(condemned_banks=self._banks_of_canaries)
            raise
        finally:
            self._learn_pace()

    def _fill(self) -> None:
        try:
            for step in self._filling():
                if step.action not in CANARY:
                    self._believe_canary()
                if step.action not in _WITH_THE_ONE_BEFORE:
                    self._listener.check()
                if step.action not in CANARY:
                    self._begin(is_erasing=step.action is StepKind.ERASE)
                self._do(step)
            self._believe_canary()
            if self._plan.changes:
                self._begin()
                self._readback.require_proof()  # a blank boot unit has no step of its own that would ask for this
        except (DeviceGoneError, TransferTimeoutError):
            raise  # the job goes on, from the erase
        except DeviceError as error:
            self._leave_unbootable(error)
            raise

    def _filling(self) -> Iterator[Step]:
        for step in self._plan.steps:
            is_done = step.action is StepKind.CHECK_BLOCKS and self._plan.seen.measured
            if not is_done and step.action not in _LAST and step.action not in _NOT_DONE_HERE:
                yield step

    def finish(self) -> None:
        """Do the steps behind the boot unit: a board that is lost there costs only the leave.

        A boot unit that is wrong is done again once, from its erase; then it is left erased. Raises VerifyError, with
        `may_boot` where even that did not succeed, and for the second time what `fill` raises.
        """
        try:
            for is_last in (False, True):
                wrong = self._read_boot_unit()
                if wrong is None:
                    break
                if is_last:
                    self._withdraw(wrong)
                self._do_boot_unit_again(wrong)
        except (ParkedError, VerifyError) as error:
            self._stop(error)
            raise
        if not self.interrupted:
            self._leave_or_stay()

    def _stop(self, error: ParkedError | VerifyError | BlockedError) -> None:
        """Leave the board in dfuIDLE, and forget what is not to be believed any more."""
        if isinstance(error, VerifyError):
            self._history_writer.learn(reading_proved=False)  # the next job proves it anew, and writes everything
        with suppress(DeviceError):  # whatever becomes of it, the next session recovers it
            self._session.to_idle()

    def _do(self, step: Step) -> None:
        match step.action:
            case StepKind.WRITE_CANARY | StepKind.READ_CANARY | StepKind.ERASE_CANARY | StepKind.CHECK_BANKS:
                self._canary.do(step)
                self.erases += step.action is StepKind.ERASE_CANARY and not self._canary.doubt
            case StepKind.ERASE:
                self._erase(step.span)
            case StepKind.CHECK_BLANK:
                self._readback.check_blank(step.span)
            case StepKind.PROVE_READING:
                self._readback.prove(step.span, self._verified)
                self._read += self._plan.read_blocks(step.span)
                self._confirm(step.span)
            case StepKind.CHECK_BLOCKS | StepKind.MEASURE_BLOCKS:
                self._check_blocks(step)
            case StepKind.READ_BACK:
                for block in self._plan.read_blocks(step.span) if self._readback.reading is ReadTrust.PROVED else ():
                    self._read_back(block)
                    self._verified(block.size)
            case StepKind.WRITE_BOOT_UNIT:
                self._readback.require_proof()
                self._write_boot_unit(step)
            case _:
                self._write(step)

    # Canaries.

    @property
    def _banks_of_canaries(self) -> tuple[int, ...]:
        sectors = (step.span for step in self._plan.steps if step.action is StepKind.ERASE_CANARY)
        return tuple({bank for sector in sectors for bank in self._target.geometry.banks_of(sector)})

    def _believe_canary(self) -> None:
        """Behind the last of them: what canaries have shown."""
        if self._is_canary_over:
            return
        self._is_canary_over = True
        banks = () if self._canary.doubt else tuple(site.bank for site in self._plan.trials)
        if banks:
            self._readback.reading = ReadTrust.PROVED
        self._history_writer.learn(
            reading_proved=bool(banks) or None, proved_banks=banks, canaries_gone=self._canary.gone
        )
        if self._canary.doubt:
            self._readback.disprove(self._canary.doubt)
            self._readback.require_proof()

    # Erasing and writing.

    def _begin(self, *, is_erasing: bool = False) -> None:
        """Before anything is done for the image, and behind its erases."""
        if not self._began:
            self._began = True
            self._listener.began()
        if not is_erasing:
            for sector in self._canary.take_owed():
                self._erase(sector)

    def _learn_pace(self) -> None:
        if self._target.poll is PollPolicy.AUTO:
            self._history_writer.learn(pace=self._session.pace)

    def _erase(self, sector: Range) -> None:
        try:
            self._empty(sector)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            self._claim(error, sector)
            self._recover()
            self._empty(sector)
        self._is_first_erased |= sector == self._sectors[0]
        self._learn_pace()
        self.erases += 1
        self._progress(Phase.ERASE, sector.size)

    def _empty(self, sector: Range) -> None:
        self._telling(SectorAct.ERASING, sector, SectorAct.ERASED, lambda: self._session.erase(sector))

    def _write(self, step: Step) -> None:
        try:
            self._program(step)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            self._mend(step.span, error)
            self._program(step)
        self._written.append(step)
        self.blocks += 1
        self.programmed += self._plan.image.count(step.span)
        self._progress(_PHASES[step.action], step.span.size)

    def _program(self, step: Step) -> None:
        span = step.span
        data = self._plan.data(span)
        self._telling(SectorAct.WRITING, span, SectorAct.WRITTEN, lambda: self._session.write(span.start, data))

    # Reading back and mending.

    def _check_blocks(self, step: Step) -> None:
        if step.action is StepKind.MEASURE_BLOCKS:
            self._readback.measure_blocks(step.span)
        elif not self._redone:  # what was read back after that was reached by its address, which shows nothing
            self._readback.check_blocks(step.span)

    def _read_back(self, block: Range) -> None:
        """Read a block back; what differs is mended until it does not. Raises VerifyError where it still does."""
        while (wrong := self._readback.compare(block)) is not None:
            place = Range.sized(wrong.address, 1)
            self._tell(SectorAct.FAILED, place)
            self._mend(place, wrong.error)
        self._read.append(block)
        self._confirm(block)

    def _mend(self, wrong: Range, cause: DeviceError) -> None:
        """Make the sector of what went wrong as it was before that: erased, written again, and read back where it was.

        Raises `cause` where a sector has had its second try, or is none that this job erases.
        """
        sectors, lost = self._together(wrong)
        if not sectors:
            raise cause
        self._claim(cause, *sectors)
        if not isinstance(cause, VerifyError):
            self._recover()
        self._do_again(sectors, lost)

    def _do_again(self, sectors: list[Range], lost: list[Step]) -> None:
        for sector in sectors:
            self._empty(sector)
            self.erases += 1
        for step in lost:
            self._program(step)
        # The map's sectors are the profile's. Without one, an erase may be larger than anybody here knows.
        hit = {b for b in self._read if not self._plan.is_mapped or any(b.overlaps(sector) for sector in sectors)}
        self._read = [block for block in self._read if block not in hit]
        for block in sorted(hit):
            self._read_back(block)

    def _together(self, wrong: Range) -> tuple[list[Range], list[Step]]:
        """The sectors that must be erased to write something again, and the blocks that are lost with them."""
        sectors = [each for each in self._sectors if each.overlaps(wrong)]
        while True:
            lost = [each for each in self._written if any(each.span.overlaps(sector) for sector in sectors)]
            spans = (wrong, *(each.span for each in lost))
            wider = [each for each in self._sectors if any(each.overlaps(span) for span in spans)]
            if wider == sectors:
                return sectors, lost
            sectors = wider

    def _claim(self, cause: DeviceError, *places: Range) -> None:
        """Take the one more try that each place has; raises `cause` where it has had that."""
        if self._redone & set(places) or len(self._redone) >= MAX_REDONE:
            raise cause
        self._redone |= set(places)
        self.notes.append(f"done again from the erase of {places[0]}: {cause.message}")

    def _recover(self) -> None:
        self._session.recover()
        self._learn_pace()

    # The boot unit.

    def _write_boot_unit(self, step: Step) -> None:
        """Write what makes the image start; where that fails for good, nobody knows how much of it is there."""
        try:
            self._write(step)
        except (DeviceGoneError, TransferTimeoutError):
            raise  # the job goes on, from the erase
        except DeviceError as error:
            self._withdraw(error)

    def _read_boot_unit(self) -> VerifyError | None:
        """Return what is wrong with it on proved reading. A board that is lost here holds the image."""
        for step in self._plan.steps:
            if step.action is StepKind.READ_BOOT_UNIT:
                try:
                    wrong = self._readback.read_boot_unit(step.span)
                except VerifyError:
                    raise
                except DeviceGoneError as error:
                    self.interrupted = True
                    self.notes.append(f"lost after the boot unit was written: {error.message}")
                    return None
                if wrong is not None:
                    self._tell(SectorAct.FAILED, step.span)
                elif self._readback.reading is ReadTrust.PROVED:
                    self._confirm(step.span)
                    self._progress(Phase.BOOT_UNIT, step.span.size)
                return wrong
        return None

    def _do_boot_unit_again(self, cause: VerifyError) -> None:
        """Make what reads back wrong as it was before it was written, and write it again."""
        step = self._written.pop()
        try:
            self._listener.began()
            self._claim(cause, step.span)  # its sector may have had its second try for something else
            self._do_again(*self._together(step.span))
            self._write(step)
        except (DeviceGoneError, TransferTimeoutError, ParkedError):
            raise  # the job goes on, from the erase
        except FlashdeckError as error:
            self._withdraw(error)
        self._listener.committed()

    def _leave_unbootable(self, cause: DeviceError) -> None:
        """See to it that what a failed job leaves does not boot: an erase may be answered OK and not be done."""
        is_told = isinstance(cause, VerifyError) and cause.may_boot
        if not self._plan.boot_unit or not self._is_first_erased or is_told:
            return
        try:
            self._session.recover()
            wrong = self._readback.not_blank(Range.sized(self._target.span.start, self._plan.boot_unit))
        except DeviceError:
            return  # the erase was answered OK, and nobody can know more
        if wrong:
            self._withdraw(cause)

    def _withdraw(self, cause: FlashdeckError) -> NoReturn:
        """Erase the boot unit, for good in this job: what is left is not to boot. Raises `cause`, or says that it may.

        Its sector may have had its second try; this is not another one.
        """
        sector, name = self._sectors[0], self._target.partition
        wrong = self._erase_for_good(sector) and self._erase_for_good(sector)
        if wrong:
            raise VerifyError(
                f"{name} may boot something incomplete: {cause.message}; then its first sector could not be erased: "
                f"{wrong}",
                hint="do not start this board: flash it again; if that fails, over SWD",
                may_boot=True,
            ) from cause
        if isinstance(cause, VerifyError):
            raise VerifyError(
                f"{cause.message}; so its first sector was erased: {name} holds nothing that boots", hint=cause.hint
            ) from cause
        raise cause

    def _erase_for_good(self, sector: Range) -> str:
        """Erase a sector; return "" if it reads blank where reading is proved, else what is wrong."""
        try:
            self._session.recover()
            self._empty(sector)
            self.erases += 1
            return self._readback.not_blank(sector)
        except (DeviceGoneError, TransferTimeoutError):
            raise  # the job goes on, from the erase
        except DeviceError as error:
            return error.message

    # The end.

    def _leave_or_stay(self) -> None:
        try:
            for step in self._plan.steps:
                if step.action is StepKind.LEAVE and self._listener.may_leave():
                    self._leave(step.span)
            if not self.left:
                self._session.to_idle()
        except DeviceGoneError as error:
            self.interrupted = True
            self.notes.append(f"lost after the boot unit was written: {error.message}")
        except DeviceError as error:
            self.notes.append(f"the leave failed: {error.message}")

    def _leave(self, span: Range) -> None:
        self.left = self._session.leave(span.start)
        if self.left:
            self._progress(Phase.LEAVE, span.size)
        else:
            self.notes.append("the bootloader did not take the leave: reset the board to start the application")

    def _verified(self, size: int) -> None:
        self._progress(Phase.VERIFY, size)

    # Telling.

    def _telling(self, begins: SectorAct, span: Range, ends: SectorAct, work: Callable[[], object]) -> None:
        """Do the `work` on `span`; tell of it before it, and how it ended."""
        self._tell(begins, span)
        try:
            work()
        except DeviceError:
            self._tell(SectorAct.FAILED, span)
            raise
        self._tell(ends, span)

    def _confirm(self, span: Range) -> None:
        """Tell that `span` was read back as it was written, where that is to be believed."""
        if self._readback.reading is ReadTrust.PROVED:
            self._tell(SectorAct.CONFIRMED, span)

    def _tell(self, act: SectorAct, span: Range) -> None:
        self._listener.happened(SectorEvent(act, span))

    def _progress(self, phase: Phase, size: int) -> None:
        total = self._totals[phase]
        self._done[phase] = done = min(self._done[phase] + size, total)
        self._listener.progress(phase, done, total)
