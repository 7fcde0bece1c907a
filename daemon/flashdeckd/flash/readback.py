"""Reading back what was written, and whether that is to be believed (safety rule 9)."""

from collections.abc import Callable
from enum import Enum

from flashdeck.config import VerifyPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, VerifyError
from flashdeck.geometry import Range
from flashdeck.model import Verified
from flashdeckd.dfu.session import Session
from flashdeckd.flash.lessons import Lessons
from flashdeckd.flash.plan import Plan
from flashdeckd.flash.survey import BLANK, recover_from_read


class Reading(Enum):
    """How far reading is to be believed."""

    UNTRIED = "untried"
    PROVED = "proved"
    UNPROVED = "unproved"


class ReadBack:
    """The reads of one plan, and what they prove. `check` raises ParkedError where the flash is to stop."""

    def __init__(self, session: Session, plan: Plan, lessons: Lessons, check: Callable[[], None]) -> None:
        self._session = session
        self._plan = plan
        self._target = plan.target
        self._lessons = lessons
        self._check = check
        self.reading = Reading.UNTRIED
        self.notes: list[str] = []

    @property
    def verified(self) -> Verified:
        """Whether all of the image was read from the board, by a read that is to be believed."""
        is_read = self._plan.reads or not self._plan.changes
        believed = is_read and self.reading is Reading.PROVED and not self._plan.trusts_cache
        return Verified.YES if believed else Verified.NO

    def check_blank(self, sector: Range) -> None:
        """The first half of a proof: a sector that was just erased."""
        for block in self._plan.read_blocks(sector):
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
            if self.reading is Reading.UNPROVED:
                return
            self._check()
            data = self._try_read(block)
            wrong = None if data is None else _first_difference(block.start, data, self._without_boot_unit(block))
            if data is not None and wrong is not None:
                self.disprove(f"{wrong}, right after it was written{self._stale(block, data)}")
            progress(block.size)
        if self.reading is Reading.UNTRIED:
            self.reading = Reading.PROVED
            self._lessons.learn(reading_proved=True)

    def read_back(self, span: Range, progress: Callable[[int], None]) -> None:
        """Where reading is proved, all of `span`; raises VerifyError for the first block that is not as written."""
        if self.reading is not Reading.PROVED:
            return
        for block in self._plan.read_blocks(span):
            self._check()
            self.compare(block)
            progress(block.size)

    def check_blocks(self, ruler: Range) -> None:
        """A block that was read back by its number, once more by its address; raises VerifyError where it differs."""
        if self.reading is not Reading.PROVED:
            return
        self._session.point(ruler.start)
        self.compare(ruler)
        self._lessons.multiplies = True
        self._lessons.learn(reading_proved=True)

    def compare(self, block: Range) -> None:
        """One block, as far as it is written before the boot unit; raises VerifyError."""
        data = self._read_again(block)
        wrong = _first_difference(block.start, data, self._without_boot_unit(block))
        if wrong is None:
            return
        self._lessons.learn(reading_proved=False)  # the next job proves it anew, and writes everything
        name = self._target.partition
        if self._stale(block, data):
            raise VerifyError(
                f"{name} reads as it did before it was written: {wrong}, a stale read; its boot unit was not written",
                hint="the flash is most likely right: in the bootloader, invalidate the caches after erase and write",
            )
        raise VerifyError(
            f"{name} does not hold what was written: {wrong}; its boot unit was not written",
            hint="flash again; at the same place again, the flash or the bootloader's driver is at fault",
        )

    def require_proof(self) -> None:
        """Raises VerifyError where the boot unit may only be written on proved reading, and there is none."""
        if self._target.verify is VerifyPolicy.ALWAYS and self.reading is not Reading.PROVED:
            raise VerifyError(
                f'verify = "always", but {self._target.partition} is {"; ".join(self.notes)}; '
                "its boot unit was not written",
                hint='say verify = "auto" in the profile to flash this board without reading back',
            )

    def read_boot_unit(self, span: Range) -> bool:
        """Whether the boot unit reads as written.

        Raises VerifyError where it does not and reading is proved, or where `verify = "always"` asks for more than that
        nobody knows.
        """
        reads = self._reads_boot_unit(span)
        if not reads and self._target.verify is VerifyPolicy.ALWAYS:
            raise VerifyError(
                f'verify = "always", but the boot unit of {self._target.partition} could not be read back: '
                f"{'; '.join(self.notes)}",
                hint='all else was: flash again, or say verify = "auto" in the profile to take that for enough',
            )
        return reads

    def _reads_boot_unit(self, span: Range) -> bool:
        if self.reading is Reading.UNPROVED:
            return False
        was_proved, self.reading = self.reading is Reading.PROVED, Reading.UNTRIED
        data = self._try_read(span, forgiving=True)
        if data is None:
            return False
        wrong = _first_difference(span.start, data, self._plan.data(span))
        if wrong is None:
            self.reading = Reading.PROVED
            self._lessons.learn(reading_proved=True)
            return True
        if was_proved and data.strip(bytes([BLANK])):
            self._lessons.learn(reading_proved=False)
            raise VerifyError(
                f"the boot unit of {self._target.partition} does not hold what was written: {wrong}",
                hint="flash again; if it stays so, the flash or the bootloader's driver is at fault",
            )
        stale = "; what was there before, so most likely a stale read" if was_proved else ""
        self.disprove(f"{wrong}, right after it was written{stale}")
        return False

    def disprove(self, reason: str) -> None:
        """From now on nothing that is read is believed."""
        self.reading = Reading.UNPROVED
        self._lessons.learn(reading_proved=False)
        self.notes.append(f"not verified, because reading does not work on this board: {reason}")

    def _stale(self, block: Range, data: bytes) -> str:
        """Words for a read that answers what was there before, where that is known; "" for any other."""
        at = block.start - self._target.span.start
        before = self._plan.seen.present[at : at + block.size]
        known = len(before) == block.size
        return " (a stale read: it is what was there before)" if known and data == before else ""

    def _without_boot_unit(self, block: Range) -> bytes:
        """What a block holds before the boot unit is written."""
        data = self._plan.data(block)
        blank = min(len(data), max(0, self._target.span.start + self._plan.boot_unit - block.start))
        return bytes([BLANK]) * blank + data[blank:]

    def _try_read(self, block: Range, *, forgiving: bool = False) -> bytes | None:
        """Reads while that is still on trial; None, and a working session, where it fails, `forgiving`: twice."""
        try:
            return self._read_again(block) if forgiving else self._session.read(block.start, block.size)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            recover_from_read(self._session, error)
            self.disprove(error.message)
            return None

    def _read_again(self, block: Range) -> bytes:
        """Reads where reading is proved; a single failure is forgiven."""
        try:
            return self._session.read(block.start, block.size)
        except DeviceGoneError:
            raise
        except DeviceError as error:
            recover_from_read(self._session, error)
            return self._session.read(block.start, block.size)


def _first_difference(address: int, data: bytes, wanted: bytes | bytearray) -> str | None:
    """Compares as much as `wanted` is long."""
    if data[: len(wanted)] == wanted:
        return None
    at = next(i for i, (seen, right) in enumerate(zip(data, wanted, strict=False)) if seen != right)
    return f"0x{address + at:08x} reads 0x{data[at]:02x} instead of 0x{wanted[at]:02x}"
