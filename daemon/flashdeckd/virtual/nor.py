"""NOR flash: erased to 0xFF a sector at a time and programmed a word at a time, by the rules of its family.

Pure state. An operation is a value that is carried out step by step, so that power may be lost between any two.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from mmap import mmap

from flashdeck.geometry import Geometry, Range, Region, Sector

BLANK = 0xFF
_KIB = 1024


class OperationKind(StrEnum):
    """An operation on the flash."""

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
        access: OperationKind,
        address: int,
        data: bytes,
        *,
        steps: int = 1,
        sector: int = -1,
        stop_at_refused: bool = True,
        verified: bool = False,
    ) -> None:
        self._flash = flash
        self.access = access
        self.address = address
        self.data = data
        """The data to write, in whole words; empty for an erase."""
        self.sector = sector
        """The sector to erase, by number; -1 outside the flash."""
        self.steps = steps
        self.done = 0
        self.failed = False
        self.crashed = False
        """True if the processor took a bus fault over it, and does nothing any more."""
        self._stop_at_refused = stop_at_refused
        self._verified = verified

    @property
    def finished(self) -> bool:
        """True if nothing is left to do."""
        return self.done >= self.steps or (self.failed and self._stop_at_refused)

    def advance(self, steps: int | None = None) -> None:
        """Carries out the next `steps`, all that are left by default."""
        todo = self.steps - self.done if steps is None else min(steps, self.steps - self.done)
        if self.access is OperationKind.ERASE:
            if todo and not self.finished:
                self.done = 1
                self.failed = not self._flash.erase_now(self.sector)
            return
        if todo and self._flash.layout.faults and self.address % self._flash.word:
            self.failed = self.crashed = True
            return
        while todo > 0 and not self.finished:
            written = self._flash.program_now(self._at, self._rest, todo)
            self.done += written
            todo -= written
            if todo > 0:  # the next word was refused
                there = self._verified and self._flash.holds(self._at, self._rest[: self._flash.word])
                self.failed |= not there
                self.done += 1 if there or not self._stop_at_refused else 0
                todo -= 1

    def refuse(self) -> None:
        """Makes it fail without touching the flash."""
        self.steps = self.done = 0
        self.failed = True

    def corrupt(self, size: int = 1, address: int | None = None) -> None:
        """Makes a write program one bit wrong in each of `size` bytes, from `address` on or around its middle."""
        middle = (len(self.data) - size + 1) // 2
        first = max(0, middle if address is None else address - self.address)
        wrong = bytes(byte ^ 0x01 for byte in self.data[first : first + size])
        self.data = self.data[:first] + wrong + self.data[first + len(wrong) :]

    def skip(self) -> None:
        """Makes it succeed, in its time, without touching the flash."""
        self.done = self.steps

    def touches(self, address: int) -> bool:
        """True if it erases or writes the byte at `address`."""
        if self.access is OperationKind.ERASE:
            return self.sector >= 0 and self._flash.sector_of(address) == self.sector
        return self.address <= address < self.address + len(self.data)

    def cut(self, share: float | None = None) -> None:
        """Power is lost in the middle of the next step, a sector or a word, when that `share` of it was done.

        None: half of an erase, and nothing of a word.
        """
        if self.finished:
            return
        if self.access is OperationKind.ERASE:
            self._flash.tear(self.sector, 0.5 if share is None else share)
        elif self.access is OperationKind.WRITE and share is not None:
            self._flash.tear_word(self._at, self._rest, share)

    @property
    def _at(self) -> int:
        return self.address + self.done * self._flash.word

    @property
    def _rest(self) -> bytes:
        return self.data[self.done * self._flash.word :]


class Overwrite(StrEnum):
    """The fate of a word that is programmed although it is not blank."""

    REFUSED = "refused"
    """It is refused, and stays as it was (STM32H5, U5)."""
    ZEROS = "zeros"
    """The same, but that it may be set to zeros (STM32F1, L4, G0, G4)."""
    CLEARS = "clears"
    """It is not refused: what was 0 stays 0 (STM32F4, F7; H7, whose code for error correction then is wrong, too)."""


@dataclass(frozen=True, slots=True)
class FlashLayout:
    """The place of a flash, and its sectors. The default is a 1 MB STM32H5."""

    base: int = 0x08000000
    size: int = 1024 * 1024
    sector: int = 8 * 1024
    """Bytes of a sector; of the largest where `regions` has several kinds."""
    word: int = 16
    """Bytes that are programmed at once."""
    bank: int = 512 * 1024
    bad: frozenset[int] = frozenset()
    """Sectors, by number, that refuse to be erased or programmed."""
    overwrite: Overwrite = Overwrite.REFUSED
    faults: bool = False
    """True if a write to an address that is not a multiple of `word` is a bus fault (STM32F1); else it is refused."""
    regions: tuple[Region, ...] = ()
    """All sectors, where they are not as `size`, `sector` and `bank` say."""

    @classmethod
    def of(cls, geometry: Geometry, overwrite: Overwrite) -> "FlashLayout":
        """The layout of a chip."""
        first, last = geometry.regions[0], geometry.regions[-1]
        second = next((region.address for region in geometry.regions if region.bank), last.span.end)
        return cls(
            base=first.address,
            size=last.span.end - first.address,
            sector=max(region.sector_size for region in geometry.regions),
            word=geometry.program_unit,
            bank=second - first.address,
            overwrite=overwrite,
            regions=geometry.regions,
        )

    def sectors(self) -> tuple[Sector, ...]:
        """All sectors, in ascending order; one's number is its place here."""
        if self.regions:
            return tuple(Geometry(self.regions).sectors())
        starts = range(0, self.size, self.sector)
        ends = (min(at + self.sector, self.size) for at in starts)
        spans = (Range(self.base + at, self.base + end) for at, end in zip(starts, ends, strict=True))
        return tuple(Sector(span, (span.start - self.base) // self.bank) for span in spans)

    def memory_map(self, app: int) -> str:
        """Return a bootloader's memory map string of this flash (UM0424): all of it is writable from `app` on."""

        def kind(sector: Sector) -> tuple[int, str]:
            return sector.span.size, "a" if sector.span.end <= app else "g"

        sectors = self.sectors()
        areas: list[str] = []
        for area in _joined(sector.span for sector in sectors):
            inside = (sector for sector in sectors if area.covers(sector.span))
            runs = [(len(tuple(group)), size, letter) for (size, letter), group in groupby(inside, kind)]
            areas.append(f"0x{area.start:08X}/" + ",".join(f"{n}*{_sized(size)}{letter}" for n, size, letter in runs))
        return f"@Internal Flash   /{'/'.join(areas)}"


Observer = Callable[[OperationKind, int, int, bool], None]
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
        self._sectors = layout.sectors()
        self._starts = [sector.span.start for sector in self._sectors]
        self._ends = [sector.span.end for sector in self._sectors]
        self._runs = _joined(sector.span for sector in self._sectors)
        self._blank_word = bytes([BLANK]) * layout.word

    def load(self, address: int, data: bytes) -> None:
        """Puts `data` there as a programmer would, whatever was there before."""
        start = address - self.layout.base
        if not 0 <= start <= start + len(data) <= self.layout.size:
            raise ValueError(f"{len(data)} bytes at 0x{address:08x} do not fit into the flash")
        self.content[start : start + len(data)] = data

    def sector_of(self, address: int) -> int:
        """The number of the sector that contains `address`, -1 outside the flash."""
        number = bisect_right(self._starts, address) - 1
        return number if number >= 0 and address < self._ends[number] else -1

    @property
    def whole(self) -> Range:
        """All of its addresses."""
        return Range.sized(self.layout.base, self.layout.size)

    def share_of(self, sector: int) -> float:
        """Return the size of a sector, by number, as a share of the largest; 1 if there is no such sector."""
        return self._sectors[sector].span.size / self.layout.sector if sector >= 0 else 1.0

    def span_of(self, address: int) -> Range:
        """The sector that contains `address`, as addresses. Raises ValueError outside the flash."""
        number = self.sector_of(address)
        if number < 0:
            raise ValueError(f"0x{address:08x} is not in the flash")
        return self._sectors[number].span

    def bank_of(self, address: int) -> int:
        """The number of the bank that contains `address`, from 0; -1 outside the flash."""
        number = self.sector_of(address)
        return self._sectors[number].bank if number >= 0 else -1

    def read(self, address: int, size: int, *, refused: bool = False) -> bytes | None:
        """Bytes of the flash; None unless all of them lie inside, or where whoever asks has `refused` already."""
        inside = not refused and self._covers(address, size)
        self._note(OperationKind.READ, address, size, ok=inside)
        start = address - self.layout.base
        return bytes(self.content[start : start + size]) if inside else None

    def holds(self, address: int, data: bytes) -> bool:
        """True if these bytes are there, as a driver finds that looks at them itself."""
        start = address - self.layout.base
        return self._covers(address, len(data)) and self.content[start : start + len(data)] == data

    def _covers(self, address: int, size: int) -> bool:
        """True if all of these bytes lie inside, and no hole between two banks among them."""
        end = address + size
        return any(run.start <= address and end <= run.end for run in self._runs)

    def erase(self, address: int, *, banks: bool = True) -> Operation:
        """Starts to erase the sector that contains `address`; without `banks`, the sector of that number in bank 1."""
        sector = self.sector_of(address)
        if not banks and sector >= 0:
            bank = self._sectors[sector].bank
            sector -= next(number for number, each in enumerate(self._sectors) if each.bank == bank)
        return Operation(self, OperationKind.ERASE, address, b"", sector=sector)

    def write(self, address: int, data: bytes, *, stop_at_refused: bool = True, verified: bool = False) -> Operation:
        """Starts to program `data`, which must be whole words. What is refused is known only once it is carried out.

        `verified`: the driver asks not the flash but looks: a refused word that holds the data anyway is no failure.
        """
        if len(data) % self.word:
            raise ValueError(f"{len(data)} bytes are not whole words of {self.word}")
        return Operation(
            self,
            OperationKind.WRITE,
            address,
            data,
            steps=len(data) // self.word,
            stop_at_refused=stop_at_refused,
            verified=verified,
        )

    def whole_words(self, buffer: bytes | bytearray, size: int) -> bytes:
        """The first `size` bytes of a buffer and what else is in it up to a whole word; 0xFF where it is too short."""
        rounded = -(-size // self.word) * self.word
        return bytes(buffer[:rounded]).ljust(rounded, bytes([BLANK]))

    def pretend(self, access: OperationKind, address: int) -> Operation:
        """An operation that does nothing and says yes."""
        return Operation(self, access, address, b"", steps=0)

    def finished(self, operation: Operation, size: int) -> None:
        """Tells the observer that `operation`, asked for with `size` bytes, has ended."""
        detail = operation.sector if operation.access is OperationKind.ERASE else size
        self._note(operation.access, operation.address, detail, ok=not operation.failed)

    def erase_now(self, sector: int) -> bool:
        """Erases a sector by number; False where it refuses or does not exist."""
        if sector < 0 or sector in self.layout.bad:
            return False
        start, size = self._place(sector)
        self.content[start : start + size] = bytes([BLANK]) * size
        self.erases += 1
        return True

    def _place(self, sector: int) -> tuple[int, int]:
        """Return the place of a sector, by number, in `content`, and its size."""
        span = self._sectors[sector].span
        return span.start - self.layout.base, span.size

    def tear(self, sector: int, share: float) -> None:
        """Leaves a sector as an interrupted erase does: that `share` of its bits are erased already, the others not."""
        if sector < 0 or sector in self.layout.bad:
            return
        start, size = self._place(sector)
        erased = _torn_bits(share)
        self.content[start : start + size] = bytes(byte | erased for byte in self.content[start : start + size])

    def tear_word(self, address: int, data: bytes, share: float) -> None:
        """Leaves a word as an interrupted write does: that `share` of its zeros are programmed already."""
        if address % self.word or not self._takes(address, data[: self.word]):
            return
        start = address - self.layout.base
        spared = BLANK ^ _torn_bits(share)
        old = self.content[start : start + self.word]
        self.content[start : start + self.word] = bytes(
            (new | spared) & before for new, before in zip(data[: self.word], old, strict=True)
        )

    def program_now(self, address: int, data: bytes, words: int) -> int:
        """Programs at most `words` from the start of `data`, up to the first one refused, and says how many."""
        if address % self.word:
            return 0
        done = 0
        words = min(words, len(data) // self.word)
        while done < words:
            at = address + done * self.word
            start = at - self.layout.base
            # Programming only clears bits; for most pieces, which lie in blank flash, that is the piece itself.
            if count := self._blank_words(at, words - done):
                new = data[done * self.word : (done + count) * self.word]
            else:
                count, piece = 1, data[done * self.word : (done + 1) * self.word]
                if not self._takes(at, piece):
                    break
                old = self.content[start : start + self.word]
                new = bytes(new & before for new, before in zip(piece, old, strict=True))
            self.content[start : start + len(new)] = new
            done += count
        self.words += done
        return done

    def _blank_words(self, address: int, most: int) -> int:
        """Return the number of blank words from there on in one good sector: `most`, what the sector has, or 0."""
        sector = self.sector_of(address)
        if sector < 0 or sector in self.layout.bad:
            return 0
        count = min(most, (self._ends[sector] - address) // self.word)
        start = address - self.layout.base
        return count if self.content[start : start + count * self.word] == self._blank_word * count else 0

    def _takes(self, address: int, data: bytes) -> bool:
        """True if the flash programs these words of one sector there, whatever becomes of them: one, or blank ones."""
        sector = self.sector_of(address)
        if sector < 0 or sector in self.layout.bad:
            return False
        start = address - self.layout.base
        if self.content[start : start + self.word] == self._blank_word:
            return True
        match self.layout.overwrite:
            case Overwrite.REFUSED:
                return False
            case Overwrite.ZEROS:
                return not any(data)
            case Overwrite.CLEARS:
                return True

    def _note(self, access: OperationKind, address: int, detail: int, *, ok: bool) -> None:
        if self._observe is not None:
            self._observe(access, address, detail, ok)


def _joined(spans: Iterable[Range]) -> tuple[Range, ...]:
    """Ascending ranges, those that touch made one."""
    runs: list[Range] = []
    for span in spans:
        if runs and runs[-1].end == span.start:
            runs[-1] = Range(runs[-1].start, span.end)
        else:
            runs.append(span)
    return tuple(runs)


def _sized(size: int) -> str:
    """A size as a memory map has it: in KiB where it is whole ones."""
    return f"{size // _KIB}K" if size % _KIB == 0 else f"{size}B"


def _torn_bits(share: float) -> int:
    """The bits of a byte that are done when a `share` of the work is: none at 0, every other at 0.5, all at 1."""
    return (0x00, 0x42, 0x5A, 0xDB, 0xFF)[round(4 * min(max(share, 0.0), 1.0))]


def fill(size: int, seed: int) -> bytes:
    """Bytes that look used, are the same every time, and differ from word to word."""
    words: Iterable[int] = ((index * 2654435761 + seed * 40503) & 0xFFFFFFFF for index in range((size + 3) // 4))
    return b"".join(word.to_bytes(4, "little") for word in words)[:size]
