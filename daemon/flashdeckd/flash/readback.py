"""Reading back what was written, and whether that is to be believed (safety rule 9)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from flashdeck.config import VerifyPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, VerifyError
from flashdeck.geometry import Range
from flashdeck.job_state import Verified
from flashdeckd.dfu.dfuse_session import DfuseSession
from flashdeckd.flash.flash_plan import FlashPlan
from flashdeckd.flash.history_writer import HistoryWriter
from flashdeckd.flash.survey import recover_from_read
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import BLANK, Image, Piece


class ReadTrust(Enum):
    """The trust that reads deserve."""

    UNTRIED = "untried"
    PROVED = "proved"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A byte that does not read as it was written, where reading is proved."""

    address: int
    error: VerifyError
    """Raised where nothing can be done about it any more."""


class ReadBack:
    """The reads of one plan, and what they prove. `check` raises ParkedError where the flash is to stop."""

    def __init__(
        self,
        session: DfuseSession,
        plan: FlashPlan,
        target: AddressTarget,
        history_writer: HistoryWriter,
        check: Callable[[], None],
    ) -> None:
        self._session = session
        self._plan = plan
        self._target = target
        self._history_writer = history_writer
        self._check = check
        boot = Piece(target.span.start, bytes([BLANK]) * plan.boot_unit)
        self._expected = Image((boot,)).over(plan.image) if plan.boot_unit else plan.image
        """Return the bytes that are there before the boot unit is written."""
        self._withheld = "its boot unit was not written" if plan.boot_unit else "what was written could not be withheld"
        self.reading = ReadTrust.UNTRIED
        self.notes: list[str] = []

    @property
    def verified(self) -> Verified:
        """Tell whether all of the image was read from the board, by a read that is to be believed."""
        is_read = self._plan.reads or not self._plan.changes
        believed = is_read and self.reading is ReadTrust.PROVED and not self._plan.trusts_cache
        return Verified.YES if believed else Verified.NO

    def check_blank(self, sector: Range) -> None:
        """The first half of a proof: a sector that was just erased."""
        for block in self._plan.read_blocks(sector):
            if self.reading is ReadTrust.UNPROVED:
                return
            self._check()
            data = self._try_read(block)
            if data is None:
                return
            wrong = _first_difference(block.start, data, bytes([BLANK]) * block.size)
            if wrong is not None:
                self.disprove(f"{wrong}, right after its sector was erased{self._stale(block, data)}")
                return

    def prove(self, span: Range, progress: Callable[[int], None]) -> None:
        """The other half: what was just written. `progress` hears of the bytes of each block."""
        for block in self._plan.read_blocks(span):
            if self.reading is ReadTrust.UNPROVED:
                return
            self._check()
            data = self._try_read(block)
            at = None if data is None else self._expected.difference(block.start, data)
            if data is not None and at is not None:
                wrong = self._in_words(at, block, data)
                self.disprove(f"{wrong}, right after it was written{self._stale(block, data)}")
            progress(block.size)
        if self.reading is ReadTrust.UNTRIED:
            self.reading = ReadTrust.PROVED
            self._history_writer.learn(reading_proved=True)

    def compare(self, block: Range) -> Mismatch | None:
        """Read one block back, as far as the image defines it; None also where reading is not proved."""
        if self.reading is not ReadTrust.PROVED:
            return None
        self._check()
        data = self._read_again(block)
        at = self._expected.difference(block.start, data)
        if at is not None and self._session.multiplies is None:
            data, at = self._compare_by_address(block, data, at)
        return None if at is None else Mismatch(at, self._mismatch(at, block, data))

    def check_blocks(self, ruler: Range) -> None:
        """Read a block by its address that was read back by its number; raises VerifyError where it differs."""
        if self.reading is not ReadTrust.PROVED or self._session.multiplies is not None:
            return
        self._session.point(ruler.start)
        data = self._read_again(ruler)
        at = self._expected.difference(ruler.start, data)
        if at is not None:  # nothing to be done again: block numbers reach other places than they should
            raise self._mismatch(at, ruler, data)
        self._history_writer.multiplies = True
        self._history_writer.learn(reading_proved=True)

    def measure_blocks(self, both: Range) -> None:
        """Read two blocks that were just written, the second by its number and by its address.

        Where both ways show what was written, later blocks are reached by their numbers; where only the address does,
        none is. Anything else that is wrong here is for the proof, and for reading back, to find.
        """
        if self.reading is ReadTrust.UNPROVED or self._session.multiplies is not None or self._session.counts_blocks:
            return
        for is_last in (False, True):
            try:
                self._session.multiplies = self._measured(*self._plan.read_blocks(both))
                break
            except DeviceGoneError:
                raise
            except DeviceError as error:
                recover_from_read(self._session, error)
                if is_last:
                    self.disprove(error.message)
        if self._session.multiplies:
            self._history_writer.multiplies = True
            if self.reading is ReadTrust.PROVED:
                self._history_writer.learn(reading_proved=True)

    def _measured(self, before: Range, ruler: Range) -> bool | None:
        """Return whether a block's number reaches it from the one `before` it; None where reads do not show it."""
        self._session.point(before.start)
        first, by_number = (self._session.read(block.start, block.size) for block in (before, ruler))
        self._session.point(ruler.start)
        by_address = self._session.read(ruler.start, ruler.size)
        reads = ((before, first), (ruler, by_address))
        if any(self._expected.difference(block.start, data) is not None for block, data in reads):
            return None
        return by_number == by_address

    def require_proof(self) -> None:
        """Raises VerifyError where the boot unit may only be written on proved reading, and there is none."""
        if self._target.verify is VerifyPolicy.ALWAYS and self.reading is not ReadTrust.PROVED:
            raise VerifyError(
                f'verify = "always", but {self._target.partition} is {"; ".join(self.notes)}; {self._withheld}',
                hint='say verify = "auto" in the profile to flash this board without reading back',
            )

    def read_boot_unit(self, span: Range) -> VerifyError | None:
        """Return what is wrong with the boot unit, on proved reading.

        It is taken for wrong also where it reads blank, which a stale read would, too: nobody can tell one from the
        other, and what was not seen to be there is not started. The next job proves reading anew.
        Raises VerifyError where `verify = "always"` asks for more than that nobody knows.
        """
        wrong = self._wrong_boot_unit(span)
        if self.reading is ReadTrust.UNPROVED and self._target.verify is VerifyPolicy.ALWAYS:
            raise VerifyError(
                f'verify = "always", but the boot unit of {self._target.partition} could not be read back: '
                f"{'; '.join(self.notes)}",
                hint='all else was: flash again, or say verify = "auto" in the profile to take that for enough',
            )
        return wrong

    def not_blank(self, sector: Range) -> str:
        """Say what of a sector does not read as erased; "" where all of it does, or reading is not proved."""
        for block in self._plan.read_blocks(sector) if self.reading is ReadTrust.PROVED else ():
            wrong = _first_difference(block.start, self._read_again(block), bytes([BLANK]) * block.size)
            if wrong is not None:
                return wrong
        return ""

    def disprove(self, reason: str) -> None:
        """From now on nothing that is read is believed."""
        self.reading = ReadTrust.UNPROVED
        self._history_writer.learn(reading_proved=False, unreadable=reason)
        self.notes.append(f"not verified, because reading does not work on this board: {reason}")

    def _compare_by_address(self, block: Range, data: bytes, at: int) -> tuple[bytes, int | None]:
        """Read a wrong block once more, by its address: perhaps block numbers do not reach what they should."""
        self._session.point(block.start)
        again = self._read_again(block)
        if self._expected.difference(block.start, again) is not None:
            return data, at
        self._session.multiplies = False
        return again, None

    def _mismatch(self, at: int, block: Range, data: bytes) -> VerifyError:
        name, wrong = self._target.partition, self._in_words(at, block, data)
        if self._stale(block, data):
            return VerifyError(
                f"{name} reads as it did before it was written: {wrong}, a stale read; {self._withheld}",
                hint="the flash is most likely right: in the bootloader, invalidate the caches after erase and write",
            )
        return VerifyError(
            f"{name} is not what was written: {wrong}; {self._withheld}",
            hint="flash again; at the same place again, the flash or the bootloader's driver is at fault",
        )

    def _wrong_boot_unit(self, span: Range) -> VerifyError | None:
        if self.reading is ReadTrust.UNPROVED:
            return None
        was_proved = self.reading is ReadTrust.PROVED
        data = self._try_read(span, forgiving=True)
        if data is None:
            return None
        wrong = _first_difference(span.start, data, self._plan.data(span))
        if wrong is None:
            self.reading = ReadTrust.PROVED
            self._history_writer.learn(reading_proved=True)
            return None
        if not was_proved:
            self.disprove(f"{wrong}, right after it was written")
            return None
        stale = ", as before it was written: perhaps a stale read" if data.count(BLANK) == len(data) else ""
        return VerifyError(
            f"the boot unit of {self._target.partition} is not what was written: {wrong}{stale}",
            hint="flash again; if it happens again, the flash or the bootloader's driver is at fault",
        )

    def _stale(self, block: Range, data: bytes) -> str:
        """Words for a read that answers what was there before, where that is known; "" for any other."""
        before = self._plan.seen.present
        is_stale = before.covers(block) and data == before.read(block)
        return " (a stale read: it is what was there before)" if is_stale else ""

    def _in_words(self, at: int, block: Range, data: bytes) -> str:
        seen, wanted = data[at - block.start], self._expected.read(Range.sized(at, 1))[0]
        return f"0x{at:08x} reads 0x{seen:02x} instead of 0x{wanted:02x}"

    def _try_read(self, block: Range, *, forgiving: bool = False) -> bytes | None:
        """Read while that is still on trial; None, and a working session, where it fails, `forgiving`: twice."""
        try:
            return self._read_again(block) if forgiving else self._session.read(block.start, block.size)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            recover_from_read(self._session, error)
            self.disprove(error.message)
            return None

    def _read_again(self, block: Range) -> bytes:
        """Read where reading is proved; a single failure is forgiven."""
        try:
            return self._session.read(block.start, block.size)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            recover_from_read(self._session, error)
            return self._session.read(block.start, block.size)


def _first_difference(address: int, data: bytes, wanted: bytes) -> str | None:
    if data == wanted:
        return None
    at = next(i for i, (seen, right) in enumerate(zip(data, wanted, strict=True)) if seen != right)
    return f"0x{address + at:08x} reads 0x{data[at]:02x} instead of 0x{wanted[at]:02x}"
