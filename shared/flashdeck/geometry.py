"""Flash geometry: address ranges, sectors and banks. Pure arithmetic, no I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """Addresses from `start` up to but not including `end`, in bytes."""

    start: int
    end: int

    @classmethod
    def sized(cls, start: int, size: int) -> "Range":
        """The range of `size` bytes from `start`."""
        return cls(start, start + size)

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.end - self.start

    def covers(self, other: "Range") -> bool:
        """Whether all of `other` lies inside."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: "Range") -> bool:
        """Whether the two share at least one byte."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f"0x{self.start:08x}-0x{self.end - 1:08x}"


@dataclass(frozen=True, slots=True)
class Sector:
    """The smallest part of a flash that can be erased by itself."""

    span: Range
    bank: int
    """Which bank it belongs to, from 0."""


@dataclass(frozen=True, slots=True)
class Region:
    """A run of equal sectors."""

    address: int
    count: int
    sector_size: int
    bank: int = 0

    @property
    def span(self) -> Range:
        """All addresses of the region."""
        return Range.sized(self.address, self.count * self.sector_size)


@dataclass(frozen=True, slots=True)
class Geometry:
    """The flash of a chip: regions in ascending order, not overlapping."""

    regions: tuple[Region, ...]
    program_unit: int = 16
    """Bytes that the flash programs at once: a power of two."""
    ram: tuple[Range, ...] = ()
    """Where a stack may lie; empty where that is not known (the stack guard is then refused in the configuration)."""

    def sectors(self) -> Iterator[Sector]:
        """Every sector in ascending order."""
        for region in self.regions:
            for index in range(region.count):
                start = region.address + index * region.sector_size
                yield Sector(Range.sized(start, region.sector_size), region.bank)

    def sectors_in(self, span: Range) -> tuple[Sector, ...]:
        """The sectors that share at least one byte with `span`, in ascending order."""
        return tuple(sector for sector in self.sectors() if sector.span.overlaps(span))

    def is_whole_sectors(self, span: Range) -> bool:
        """Whether `span` is made of whole sectors without a hole."""
        sectors = self.sectors_in(span)
        return bool(sectors) and (
            sectors[0].span.start == span.start
            and sectors[-1].span.end == span.end
            and all(a.span.end == b.span.start for a, b in pairwise(sectors))
        )

    def banks_of(self, span: Range) -> frozenset[int]:
        """The banks that `span` touches."""
        return frozenset(sector.bank for sector in self.sectors_in(span))
