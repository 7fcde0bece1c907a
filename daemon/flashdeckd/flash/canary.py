"""Doing what `banks` has planned: a canary comes and goes, and nothing else may change meanwhile."""

from flashdeck.errors import DeviceError, DeviceGoneError, WrongBankError
from flashdeck.geometry import Range
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.flash.banks import canary, foreign_banks, left_of_canary, unproved_bank, witnesses
from flashdeckd.flash.flash_plan import FlashPlan, Step, StepKind
from flashdeckd.flash.history_writer import HistoryWriter
from flashdeckd.flash.layout import blocks
from flashdeckd.flash.sector_events import OnSector, SectorAct, SectorEvent
from flashdeckd.flash.survey import recover_from_read
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import BLANK


class Canary:
    """The canary steps of one plan, in their order.

    Where a canary lies is remembered before it is written, so that whatever ends this job, a later one takes it back.
    """

    def __init__(
        self,
        session: DfuseSession,
        plan: FlashPlan,
        target: AddressTarget,
        history_writer: HistoryWriter,
        on_sector: OnSector,
        *,
        reading_proved: bool,
    ) -> None:
        self._session = session
        self._on_sector = on_sector
        self._plan = plan
        self._target = target
        self._history_writer = history_writer
        self._unit = target.geometry.program_unit
        self._remembered = dict(plan.seen.remembered)
        self._foreign = foreign_banks(target) & {site.bank for site in plan.trials}
        self._is_believed = reading_proved or bool(plan.trials)
        """True if a read may condemn a bank: by what was proved before, or by the canary that was just read."""
        self._there = {each.sector.start for each in plan.seen.leftovers}
        """The addresses where a canary may be now."""
        self._promised = tuple(dict.fromkeys(step.span for step in plan.steps if step.action is StepKind.ERASE_CANARY))
        """The sectors that the plan erases for a canary, until what is left of that was taken."""
        self._erased: set[int] = set()
        self._blank: set[int] = set()
        self.doubt = ""
        """The reason why the canary proves nothing after all; the job goes on without it."""

    @property
    def gone(self) -> frozenset[int]:
        """Addresses of sectors in which no canary lies any more: they were erased, and read blank."""
        return frozenset(self._blank)

    def take_owed(self) -> list[Range]:
        """Return what a canary that was given up has left to be erased behind the boot unit; each sector once.

        It reads blank, and where reads are stale it may hold a part of a program that boots: no hole comes into one.
        """
        promised, self._promised = self._promised, ()
        erased = self._plan.erased
        mine = (each for each in promised if each.start in self._there or any(run.covers(each) for run in erased))
        owed = [sector for sector in mine if sector.start not in self._erased]
        self._erased.update(sector.start for sector in owed)
        return owed

    def do(self, step: Step) -> None:
        """Do one step.

        Raises BlockedError where nothing was proved and the bootloader lies in the other bank, DeviceError
        (`wrong-bank`) where an erase did not do what it was meant for.
        """
        match step.action:
            case _ if self.doubt:
                self._refuse_foreign_banks()
            case StepKind.ERASE_CANARY:
                self._take_back(step.span)
            case StepKind.WRITE_CANARY:
                self._write(step.span)
            case StepKind.READ_CANARY:
                self._read(step.span)
            case _:
                self._check(step.span)

    def _write(self, span: Range) -> None:
        self._history_writer.learn(canaries=(span.start,))
        self._there.add(span.start)
        self._blank.discard(span.start)
        try:
            self._session.write(span.start, canary(span.size))
        except DeviceGoneError:
            raise
        except DeviceError as error:
            self._session.recover()
            self.doubt = f"the canary could not be written: {error.message}"

    def _read(self, span: Range) -> None:
        wanted = canary(self._unit).ljust(span.size, bytes([BLANK]))
        try:
            data = self._session.read(span.start, span.size)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            recover_from_read(self._session, error)
            self.doubt = error.message
            return
        if data != wanted:
            stale = "still reads blank" if data.count(BLANK) == len(data) else "reads something else"
            self.doubt = f"what was written to 0x{span.start:08x} {stale}"

    def _take_back(self, sector: Range) -> None:
        self._on_sector(SectorEvent(SectorAct.ERASING, sector))
        self._erase(sector)
        self._on_sector(SectorEvent(SectorAct.ERASED, sector))
        self._erased.add(sector.start)

    def _erase(self, sector: Range) -> None:
        try:
            self._session.erase(sector)
        except DeviceGoneError:
            raise
        except DeviceError:
            self._session.recover()
            self._session.erase(sector)

    def _check(self, span: Range) -> None:
        wanted = self._remembered.get(span, bytes([BLANK]) * span.size)
        for each in blocks(span, self._plan.block):
            data = self._read_twice(each)
            at = each.start - span.start
            if data == wanted[at : at + each.size]:
                continue
            if span in witnesses(self._target):
                raise _harmed(each)
            if not self._is_believed:
                self.doubt = f"0x{each.start:08x} does not read as erased, after it was"
                return
            raise _wrong_bank(each, data, is_canary=span not in self._remembered, unit=self._unit)
        if span.start in self._erased:
            self._blank.add(span.start)

    def _read_twice(self, span: Range) -> bytes:
        try:
            return self._session.read(span.start, span.size)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            recover_from_read(self._session, error)
            return self._session.read(span.start, span.size)

    def _refuse_foreign_banks(self) -> None:
        """Without a working read there is no proof; where the other bank has a bootloader an erase is too dangerous."""
        for bank in sorted(self._foreign):
            raise unproved_bank(self._target, bank, self.doubt)


def _harmed(span: Range) -> WrongBankError:
    return WrongBankError(
        f"{span} changed, in a protected partition, when a blank sector was written and erased: this bootloader writes "
        "or erases something else than it is asked to",
        hint="do not reset or unplug the board, which may not start again: write its bootloader anew over SWD first",
        harmed=True,
    )


def _wrong_bank(span: Range, data: bytes, *, is_canary: bool, unit: int) -> WrongBankError:
    hint = (
        "the board was not reset: read it out over SWD before anything else; in the bootloader, choose the bank by the "
        "address (ST's USBX sample always takes the first one), and invalidate the caches after an erase"
    )
    if is_canary and left_of_canary(data, unit):
        seen = (
            f"0x{span.start:08x} still reads what was written there after its sector was erased: this bootloader "
            "erases the wrong bank, or its reads are stale"
        )
    else:
        seen = (
            f"{span} changed when a sector of the other bank was written and erased: this bootloader erases the wrong "
            "bank"
        )
    return WrongBankError(f"{seen}; nothing else was touched", hint=hint)
