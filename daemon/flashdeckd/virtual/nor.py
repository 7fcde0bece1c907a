"""NOR flash: erased to 0xFF a sector at a time, programmed a word at a time, and only where it is blank.

Pure state. An operation is a value that is carried out step by step, so that power may be lost between any two.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from mmap import mmap

BLANK = 0xFF


class Access(StrEnum):
    """What is done to the flash."""

    ERASE = "erase"
    WRITE = "write"
    READ = "read"
    NOTHING = "nothing"
    """A command that only takes its time."""


class Operation:
    """An erase or a write under way. One step is one sector erased or one word programmed."""

    def __init__(
        self,
        flash: "NorFlash",
        access: Access,
        address: int,
        data: bytes,
        *,
        steps: int = 1,
        sector: int = -1,
        stop_at_refused: bool = True,
    ) -> None:
        self._flash = flash
        self.access = access
        self.address = address
        self.data = data
        """What is written, in whole words; empty for an erase."""
        self.sector = sector
        """What is erased, by number; -1 outside the flash."""
        self.steps = steps
        self.done = 0
        self.failed = False
        self._stop_at_refused = stop_at_refused

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.done >= self.steps or (self.failed and self._stop_at_refused)

    def advance(self, steps: int | None = None) -> None:
        """Carries out the next `steps`, all that are left by default."""
        todo = self.steps - self.done if steps is None else min(steps, self.steps - self.done)
        if self.access is Access.ERASE:
            if todo and not self.finished:
                self.done = 1
                self.failed = not self._flash.erase_now(self.sector)
            return
        while todo > 0 and not self.finished:
            written = self._flash.program_now(self._at, self.data[self.done * self._flash.word :], todo)
            self.done += written
            todo -= written
            if todo > 0:  # the next word was refused
                self.failed = True
                self.done += 0 if self._stop_at_refused else 1
                todo -= 1

    def refuse(self) -> None:
        """Makes it fail without touching the flash."""
        self.steps = self.done = 0
        self.failed = True

    def corrupt(self) -> None:
        """Makes a write program one byte wrong."""
        middle = len(self.data) // 2
        self.data = self.data[:middle] + bytes((self.data[middle] ^ 0x01,)) + self.data[middle + 1 :]

    def cut(self, share: float | None = None) -> None:
        """Power is lost in the middle of the next step, a sector or a word, when that `share` of it was done.

        None: half of an erase, and nothing of a word.
        """
        if self.finished:
            return
        if self.access is Access.ERASE:
            self._flash.tear(self.sector, 0.5 if share is None else share)
        elif self.access is Access.WRITE and share is not None:
            self._flash.tear_word(self._at, self.data[self.done * self._flash.word :], share)

    @property
    def _at(self) -> int:
        return self.address + self.done * self._flash.word


@dataclass(frozen=True, slots=True)
class FlashLayout:
    """Where a flash is and how it is divided. The default is a 1 MB STM32H5."""

    base: int = 0x08000000
    size: int = 1024 * 1024
    sector: int = 8 * 1024
    word: int = 16
    """Bytes that are programmed at once."""
    bank: int = 512 * 1024
    bad: frozenset[int] = frozenset()
    """Sectors, by number, that refuse to be erased or programmed."""


Observer = Callable[[Access, int, int, bool], None]
"""Hears of every access once it is over: address, the sector of an erase or else the size asked for, and success."""


class NorFlash:
    """The contents of a flash, and the rules for changing them."""

    def __init__(self, layout: FlashLayout, observe: Observer | None = None) -> None:
        self.layout = layout
        self.word = layout.word
        self.content: bytearray | mmap = bytearray([BLANK]) * layout.size
        self.erases = 0
        self.words = 0
        """Words programmed since this flash was made."""
        self._observe = observe

    def load(self, address: int, data: bytes) -> None:
        """Puts `data` there as a programmer would, whatever was there before."""
        start = address - self.layout.base
        if not 0 <= start <= start + len(data) <= self.layout.size:
            raise ValueError(f"{len(data)} bytes at 0x{address:08x} do not fit into the flash")
        self.content[start : start + len(data)] = data

    def sector_of(self, address: int) -> int:
        """The number of the sector that contains `address`, -1 outside the flash."""
        offset = address - self.layout.base
        return offset // self.layout.sector if 0 <= offset < self.layout.size else -1

    def read(self, address: int, size: int, *, refused: bool = False) -> bytes | None:
        """Bytes of the flash; None unless all of them lie inside, or where whoever asks has `refused` already."""
        start = address - self.layout.base
        inside = not refused and start >= 0 and start + size <= self.layout.size
        self._note(Access.READ, address, size, ok=inside)
        return bytes(self.content[start : start + size]) if inside else None

    def erase(self, address: int, *, banks: bool = True) -> Operation:
        """Starts to erase the sector that contains `address`; without `banks`, the sector of that number in bank 1."""
        sector = self.sector_of(address)
        if not banks and sector >= 0:
            sector %= self.layout.bank // self.layout.sector
        return Operation(self, Access.ERASE, address, b"", sector=sector)

    def write(self, address: int, data: bytes, *, stop_at_refused: bool = True) -> Operation:
        """Starts to program `data`, which must be whole words. What is refused is known only once it is carried out."""
        if len(data) % self.word:
            raise ValueError(f"{len(data)} bytes are not whole words of {self.word}")
        return Operation(
            self, Access.WRITE, address, data, steps=len(data) // self.word, stop_at_refused=stop_at_refused
        )

    def pretend(self, access: Access, address: int) -> Operation:
        """An operation that does nothing and says yes."""
        return Operation(self, access, address, b"", steps=0)

    def finished(self, operation: Operation, size: int) -> None:
        """Tells the observer that `operation`, asked for with `size` bytes, has ended."""
        detail = operation.sector if operation.access is Access.ERASE else size
        self._note(operation.access, operation.address, detail, ok=not operation.failed)

    def erase_now(self, sector: int) -> bool:
        """Erases a sector by number; False where it refuses or does not exist."""
        if sector < 0 or sector in self.layout.bad:
            return False
        start = sector * self.layout.sector
        self.content[start : start + self.layout.sector] = bytes([BLANK]) * self.layout.sector
        self.erases += 1
        return True

    def tear(self, sector: int, share: float) -> None:
        """Leaves a sector as an interrupted erase does: that `share` of its bits are erased already, the others not."""
        if sector < 0 or sector in self.layout.bad:
            return
        start = sector * self.layout.sector
        erased = _torn_bits(share)
        torn = bytes(byte | erased for byte in self.content[start : start + self.layout.sector])
        self.content[start : start + self.layout.sector] = torn

    def tear_word(self, address: int, data: bytes, share: float) -> None:
        """Leaves a word as an interrupted write does: that `share` of its zeros are programmed already."""
        start = address - self.layout.base
        blank = bytearray([BLANK]) * self.word
        inside = start >= 0 and start // self.layout.sector not in self.layout.bad
        if not inside or start % self.word or self.content[start : start + self.word] != blank:
            return
        spared = BLANK ^ _torn_bits(share)
        self.content[start : start + self.word] = bytes(byte | spared for byte in data[: self.word])

    def program_now(self, address: int, data: bytes, words: int) -> int:
        """Programs at most `words` from the start of `data`, up to the first one refused, and says how many."""
        start = address - self.layout.base
        if start % self.word:
            return 0
        done = 0
        words = min(words, len(data) // self.word)
        blank = bytearray([BLANK]) * self.word
        while done < words:
            at = start + done * self.word
            refused = (
                not 0 <= at < self.layout.size
                or at // self.layout.sector in self.layout.bad
                or self.content[at : at + self.word] != blank
            )
            if refused:
                break
            self.content[at : at + self.word] = data[done * self.word : (done + 1) * self.word]
            done += 1
        self.words += done
        return done

    def _note(self, access: Access, address: int, detail: int, *, ok: bool) -> None:
        if self._observe is not None:
            self._observe(access, address, detail, ok)


def _torn_bits(share: float) -> int:
    """The bits of a byte that are done when a `share` of the work is: none at 0, every other at 0.5, all at 1."""
    return (0x00, 0x42, 0x5A, 0xDB, 0xFF)[round(4 * min(max(share, 0.0), 1.0))]


def fill(size: int, seed: int) -> bytes:
    """Bytes that look used, are the same every time, and differ from word to word."""
    words: Iterable[int] = ((index * 2654435761 + seed * 40503) & 0xFFFFFFFF for index in range((size + 3) // 4))
    return b"".join(word.to_bytes(4, "little") for word in words)[:size]
