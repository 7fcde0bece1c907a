"""An image on the sectors and blocks of its partition: what it touches, what is written, what is lost beside it. Pure.

Everything here counts in addresses: `placed` moves an image from the partition's start to where it goes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from flashdeck.config import ErasePolicy
from flashdeck.geometry import Range, joined
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import BLANK, Image, Piece


def placed(image: Image, start: int) -> Image:
    """Return the image with addresses for offsets, in a partition that begins at `start`."""
    return Image(tuple(Piece(start + piece.offset, piece.data) for piece in image.pieces))


def blocks(span: Range, size: int) -> Iterator[Range]:
    """Divide `span` into pieces of `size`, the last one shorter."""
    for at in range(span.start, span.end, size):
        yield Range(at, min(at + size, span.end))


def is_blank(data: bytes) -> bool:
    """Tell whether nothing but erased flash is in there."""
    return data.count(BLANK) == len(data)


@dataclass(frozen=True)
class Layout:
    """An image on the sectors and blocks of its partition."""

    target: AddressTarget
    image: Image
    """The bytes that it defines, by address."""
    block: int
    """The most bytes in one transfer; whole program units."""
    boot_unit: int
    """The number of first bytes that are written last; 0 where that protects nothing."""

    @property
    def boot(self) -> Range:
        """The bytes that are written last and alone."""
        return Range.sized(self.target.span.start, self.boot_unit)

    @cached_property
    def written(self) -> Image:
        """The bytes that go to the flash: whole program units, and the boot unit without a gap."""
        whole = self.image.padded(self.target.geometry.program_unit)
        fill = Piece(self.boot.start, bytes([BLANK]) * self.boot_unit)
        return whole.over(Image((fill,))) if self.boot_unit else whole

    @cached_property
    def touched(self) -> tuple[Range, ...]:
        """The sectors in which the image defines at least one byte, in ascending order."""
        return tuple(sector for sector in self.target.sectors if self.image.touches(sector))

    @cached_property
    def sectors(self) -> tuple[Range, ...]:
        """The sectors that a flash of this image may erase, in ascending order: no others."""
        return self.target.sectors if self._is_whole else self.touched

    @cached_property
    def compared(self) -> tuple[Range, ...]:
        """The parts to read before anything is changed, in whole blocks where the partition has them."""
        if self._is_whole:
            return (self.target.span,)
        return joined(self._on_grid(piece.span) for piece in self.image.pieces)

    def holds(self, known: Image, sector: Range) -> bool:
        """Tell whether a sector is as it has to be already, by what is `known` of the flash."""
        if self._is_whole:
            return known.satisfies(Image((Piece(sector.start, self.image.read(sector)),)))
        return known.satisfies(self.image.within(sector))

    def cells(self, sector: Range) -> list[Range]:
        """Return the blocks that have to be read to compare a sector."""
        cells = blocks(self._on_grid(sector), self.block)
        return [cell for cell in cells if self._is_whole or self.image.touches(_common(cell, sector))]

    def differs(self, sector: Range, block: Range, data: bytes) -> bool:
        """Tell whether a sector is not as it has to be, by what was read of one `block` of it."""
        part = _common(block, sector)
        seen = data[part.start - block.start : part.end - block.start]
        return seen != self.image.read(part) if self._is_whole else self.image.difference(part.start, seen) is not None

    def rest(self, erased: Iterable[Range], known: Image) -> tuple[Range, ...]:
        """Return what is not yet `known` of sectors that are to be erased, in blocks."""
        partly = (sector for sector in erased if not self.image.covers(sector))
        cells = (cell for sector in partly for cell in blocks(self._on_grid(sector), self.block))
        return joined(cell for cell in cells if not known.covers(cell))

    def beside(self, sector: Range, known: Image) -> int:
        """Return how many bytes of a sector an erase takes that the image does not bring back.

        Where all of the sector is `known`, bytes that are as erased already do not count.
        """
        if not known.covers(sector):
            return sector.size - self.image.count(sector)
        lost = known.within(sector).without(piece.span for piece in self.image.within(sector).pieces)
        return sum(len(piece.data) - piece.data.count(BLANK) for piece in lost.pieces)

    def writes(self, erased: Iterable[Range]) -> Iterator[Range]:
        """Divide what is written before the boot unit into transfers, inside the `erased` sectors alone.

        They lie on a grid of whole blocks from the partition's start, cut where the sectors end: one for each cell in
        which the image defines something, from its first to its last byte there.
        """
        for run in joined(erased):
            for cell in self._cells_of(Range(max(run.start, self.boot.end), run.end)):
                if (part := self.written.extent(cell)) is not None:
                    yield part

    def read_backs(self, sectors: Iterable[Range]) -> Iterator[Range]:
        """Divide what is read back of `sectors` into transfers.

        A whole block is read where the sectors have it: some devices mistake the place of a short one.
        """
        for run in joined(sectors):
            yield from (cell for cell in blocks(run, self.block) if self.image.touches(cell))

    @property
    def _is_whole(self) -> bool:
        return self.target.erase is ErasePolicy.PARTITION

    def _cells_of(self, run: Range) -> Iterator[Range]:
        """Divide `run` where whole blocks from the partition's start end."""
        at = run.start
        while at < run.end:
            end = min(at + self.block - (at - self.target.span.start) % self.block, run.end)
            yield Range(at, end)
            at = end

    def _on_grid(self, span: Range) -> Range:
        """Return `span` drawn out to whole blocks from the partition's start, as far as the partition goes."""
        origin, end = self.target.span.start, self.target.span.end
        first, last = (span.start - origin) // self.block, (span.end - 1 - origin) // self.block
        return Range(origin + first * self.block, min(origin + (last + 1) * self.block, end))


def _common(one: Range, other: Range) -> Range:
    if other.covers(one):  # as mostly
        return one
    return Range(max(one.start, other.start), min(one.end, other.end))
