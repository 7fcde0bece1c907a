"""The program in an image: where its vector table is, what that says, and where it was linked for. Pure.

A program for a Cortex-M begins with its vector table (Armv7-M and Armv8-M Architecture Reference Manuals, "The vector
table"): word 0 is the initial stack pointer, word 1 the address of the reset handler with bit 0 set (Thumb code), the
rest are the addresses of other handlers. It is the first thing in an image, or follows a header: that of MCUboot, or
one of the product's own.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from flashdeck.config import Partition, Profile
from flashdeck.first_board.found import HEADER_SIZES
from flashdeck.geometry import Range
from flashdeckd.images import mcuboot
from flashdeckd.images.addresses import MemoryKind, locate
from flashdeckd.images.image import Image

WORD = struct.Struct("<I")
_SYSTEM_VECTORS = 16
"""Words of the vector table that every Cortex-M has."""
LOOKED_AT = 2
"""Words of it that must be right: initial stack pointer and reset vector."""
_BLANK = (bytes(WORD.size), b"\xff" * WORD.size)


def possible_starts(handlers: Sequence[int], table: int, end: int) -> Iterator[int]:
    """Yield the addresses from which all handlers lie in an image that ends at offset `end`, the roundest first.

    Linker scripts put programs at round addresses. `handlers` are in ascending order, `table` is the offset of the
    vector table.
    """
    if not handlers:
        return
    highest = handlers[0] - table - LOOKED_AT * WORD.size
    above = handlers[-1] - end
    last = None
    for bit in reversed(range(2, 32)):
        address = highest >> bit << bit
        if above < address != last:
            last = address
            yield address


def first_word(data: bytes) -> int:
    """Return the offset of the first word that is not blank, or one behind any header; the first one says what is."""
    blank = data[: WORD.size]
    if blank not in _BLANK:
        return 0
    last = min(len(data), HEADER_SIZES.stop + WORD.size)
    return next((at for at in range(0, last, WORD.size) if data[at : at + WORD.size] != blank), last)


@dataclass(frozen=True)
class Program:
    """An image, looked at as the program of one partition. Offsets are from the partition's start."""

    image: Image
    profile: Profile
    partition: Partition

    @cached_property
    def flat(self) -> bytes:
        """The image without its gaps, which are filled as erased flash."""
        return self.image.read(Range(0, self.image.end))

    @cached_property
    def header(self) -> mcuboot.Header | None:
        """The MCUboot header that it begins with."""
        return mcuboot.header(self.flat) if self.image.is_program else None

    @property
    def table(self) -> int:
        """The offset of its vector table."""
        if self.partition.vectors is not None:
            return self.partition.vectors
        return self.header.size if self.header is not None else 0

    @property
    def home(self) -> Range:
        """The addresses that it may be linked for. Its first byte is at the first one when it runs."""
        if self.header is not None and self.header.flags & mcuboot.Flag.RAM_LOAD:
            return Range.sized(self.header.load_address, self.header.end_of_program)
        return self.partition.span

    @property
    def body(self) -> Range:
        """The offsets of its code."""
        return Range(self.table, self.image.end if self.header is None else self.header.end_of_program)

    @cached_property
    def vectors(self) -> tuple[int, ...]:
        """The words of its vector table, as many of the first 16 as there are."""
        return tuple(self._words(self.table, self.body.end))

    @property
    def handlers(self) -> tuple[int, ...]:
        """The addresses of the code that its vector table names, in ascending order."""
        return tuple(sorted({word - 1 for word in self.vectors[1:] if word & 1}))

    @property
    def why_hidden(self) -> str:
        """The reason why there is no vector table to look at, or ""."""
        if self.header is None:
            return ""
        if self.header.flags & mcuboot.ENCRYPTED:
            return "the image is encrypted"
        if self.header.flags & mcuboot.COMPRESSED:
            return "the image is compressed"
        if self.header.flags & mcuboot.Flag.NON_BOOTABLE:
            return "the image's MCUboot header says that it is not started"
        return ""

    @property
    def filler(self) -> int | None:
        """The byte that all of it is made of, where it is as erased flash or as a file that was never filled."""
        first = self.image.pieces[0].data[0] if self.image.pieces else None
        if first not in (0x00, 0xFF):
            return None
        return first if all(each.data.count(first) == len(each.data) for each in self.image.pieces) else None

    def defines(self, address: int) -> bool:
        """Tell whether it has an instruction at `address`."""
        offset = address - self.home.start
        return self.body.start <= offset < self.body.end and self.image.covers(Range.sized(offset, 2))

    def is_in_table(self, address: int) -> bool:
        """Tell whether `address` is one of the first two words of its vector table, which are no code."""
        offset = address - self.home.start
        return self.table <= offset < self.table + LOOKED_AT * WORD.size

    def is_in_ram(self, stack: int) -> bool:
        """Tell whether `stack` may be the end of a stack, which is the first address behind it."""
        return any(area.start <= stack <= area.end for area in self.profile.geometry.ram)

    @property
    def linked_for(self) -> int | None:
        """The likeliest address of its first byte, told from its vectors.

        None where they do not agree on one, or where that is the right one.
        """
        address = next(possible_starts(self.handlers, self.table, self.body.end), None)
        return None if address == self.home.start else address

    @property
    def room_for_header(self) -> int:
        """The bytes that it keeps free for an MCUboot header, which is not there yet; 0 where it does not look so.

        The vector table follows the free bytes. They are zeros, as erased flash, or not in the file at all.
        """
        at = self._first_word()
        if self.header is not None or at not in HEADER_SIZES:
            return 0
        return at if self._may_be_table(at) else 0

    @property
    def table_elsewhere(self) -> int | None:
        """The offset of what looks like its vector table, behind a header of the product's own; None: nothing does."""
        within = range(LOOKED_AT * WORD.size, min(HEADER_SIZES.stop, self.image.end), WORD.size)
        return next((at for at in within if self._may_be_table(at) and self._starts_here(at)), None)

    def _starts_here(self, table: int) -> bool:
        offset = int(WORD.unpack_from(self.flat, table + WORD.size)[0]) - 1 - self.home.start
        return self.image.covers(Range.sized(offset, 2))

    def _first_word(self) -> int:
        """Return the offset of the first word that is not blank; that of the first filler decides what blank is."""
        if not self.image.is_program:
            return self.image.pieces[0].offset if self.image.pieces else 0
        return first_word(self.flat)

    def _may_be_table(self, at: int) -> bool:
        words = tuple(self._words(at, min(self.image.end, at + LOOKED_AT * WORD.size)))
        if len(words) < LOOKED_AT:
            return False
        stack, reset = words
        if self.partition.alternate is not None:
            return locate(stack - 1, self.profile).place is MemoryKind.RAM and bool(reset & 1)
        code = locate(reset, self.profile).place in (
            MemoryKind.PARTITION,
            MemoryKind.UNASSIGNED,
            MemoryKind.SECURE_FLASH,
        )
        return bool(reset & 1) and code and (self.is_in_ram(stack) or not self.profile.geometry.ram)

    def _words(self, start: int, end: int) -> Iterator[int]:
        """Yield the words from `start` on, as many of the first 16 as lie before `end` and are defined."""
        for at in range(start, start + _SYSTEM_VECTORS * WORD.size, WORD.size):
            if at + WORD.size > end or not self.image.covers(Range.sized(at, WORD.size)):
                return
            yield int(WORD.unpack_from(self.flat, at)[0])
