"""Doing what `banks` has planned: a canary comes and goes, and nothing else may change meanwhile."""

from flashdeck.errors import DeviceError, DeviceGoneError, WrongBankError
from flashdeck.geometry import Range
from flashdeckd.dfu.session import Session
from flashdeckd.flash.banks import canary, foreign_banks, unproved_bank, witnesses
from flashdeckd.flash.plan import Action, Plan, Step
from flashdeckd.flash.survey import BLANK, blocks, recover_from_read


class Canary:
    """The canary steps of one plan, in their order."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self._session = session
        self._plan = plan
        self._unit = plan.target.geometry.program_unit
        self._remembered = dict(plan.seen.remembered)
        self._foreign = foreign_banks(plan.target) & {site.bank for site in plan.seen.sites}
        self._sent: set[int] = set()
        """Where a canary may be now."""
        self.doubt = ""
        """Why the canary proves nothing after all; the job goes on without it."""

    def do(self, step: Step) -> None:
        """One step.

        Raises HeldError where nothing was proved and the bootloader lies in the other bank, DeviceError (`wrong-bank`)
        where an erase did not do what it was meant for.
        """
        match step.action:
            case Action.ERASE_CANARY:
                self._take_back(step.span)
            case _ if self.doubt:
                self._refuse_foreign_banks()
            case Action.WRITE_CANARY:
                self._write(step.span)
            case Action.READ_CANARY:
                self._read(step.span)
            case _:
                self._check(step.span)

    def _write(self, span: Range) -> None:
        self._sent.add(span.start)
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
        if self.doubt and self._plan.target.geometry.banks_of(sector) & self._foreign:
            self._refuse_foreign_banks()
        if sector.start in self._sent:
            self._erase(sector)

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
            if span in witnesses(self._plan.target):
                raise _harmed(each)
            raise _wrong_bank(each, data, is_canary=span not in self._remembered, unit=self._unit)

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
            raise unproved_bank(self._plan.target, bank, self.doubt)


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
    if is_canary and data.startswith(canary(unit)):
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
