"""Flash geometry: address ranges, sectors and banks. Pure arithmetic, no I/O."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter

from flashdeck.text import clean, format_size, parse_size

ADDRESS_SPACE = 1 << 32
"""Addresses are 32 bits wide, as in DfuSe's Set Address Pointer (AN3156)."""
PROGRAM_UNIT = 16
"""Bytes taken for the program unit of a flash that nothing is known about: the largest of the usual ones."""
MAX_SECTORS = 65536
MAX_SECTOR_SIZE = 16 * 1024 * 1024


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
        """Return whether all of `other` lies inside."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: "Range") -> bool:
        """Return whether the two share at least one byte."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f"0x{self.start:08x}-0x{self.end - 1:08x}"


def joined(spans: Iterable[Range]) -> tuple[Range, ...]:
    """Return the spans in ascending order, those that touch or overlap as one."""
    ordered = sorted(spans, key=attrgetter("start"))
    if not ordered:
        return ()
    runs: list[Range] = []
    start, end = ordered[0].start, ordered[0].end
    for span in ordered:
        if span.start > end:
            runs.append(Range(start, end))
            start, end = span.start, span.end
        elif span.end > end:
            end = span.end
    return (*runs, Range(start, end))


@dataclass(frozen=True, slots=True)
class Sector:
    """The smallest part of a flash that can be erased by itself."""

    span: Range
    bank: int
    """The bank that it belongs to, from 0."""


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

    def sectors(self, first: int, end: int) -> Iterator[Sector]:
        """The sectors from the one of number `first` on, up to but not including that of number `end`."""
        for index in range(first, end):
            yield Sector(Range.sized(self.address + index * self.sector_size, self.sector_size), self.bank)

    def sectors_near(self, span: Range) -> Iterator[Sector]:
        """All sectors that `span` touches, and at most a few beside them: no other is looked at."""
        first = (span.start - self.address) // self.sector_size
        last = (span.end - self.address) // self.sector_size
        return self.sectors(max(0, first), min(self.count, last + 1))


@dataclass(frozen=True, slots=True)
class Geometry:
    """The flash of a chip: regions in ascending order, not overlapping."""

    regions: tuple[Region, ...]
    program_unit: int = PROGRAM_UNIT
    """Bytes that the flash programs at once: a power of two."""
    ram: tuple[Range, ...] = ()
    """Ranges for a stack; empty where they are not known (the stack guard is then refused in the configuration)."""

    def sectors(self) -> Iterator[Sector]:
        """Every sector in ascending order."""
        for region in self.regions:
            yield from region.sectors(0, region.count)

    def sectors_in(self, span: Range) -> tuple[Sector, ...]:
        """The sectors that share at least one byte with `span`, in ascending order."""
        return _sectors_in(self.regions, span)

    def is_whole_sectors(self, span: Range) -> bool:
        """Return whether `span` is made of whole sectors without a hole."""
        sectors = self.sectors_in(span)
        return bool(sectors) and (
            sectors[0].span.start == span.start
            and sectors[-1].span.end == span.end
            and all(a.span.end == b.span.start for a, b in pairwise(sectors))
        )

    def banks_of(self, span: Range) -> frozenset[int]:
        """The banks that `span` touches."""
        return frozenset(sector.bank for sector in self.sectors_in(span))


@lru_cache  # a job asks for those of its partition again and again
def _sectors_in(regions: tuple[Region, ...], span: Range) -> tuple[Sector, ...]:
    near = (sector for region in regions for sector in region.sectors_near(span))
    return tuple(sector for sector in near if sector.span.overlaps(span))


_RUN = re.compile(r"(?P<count>[0-9]{1,9}) ?\* ?(?P<size>[^@*]+?) ?(?:@ ?(?P<address>\S+))?", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-f]{1,16}|[0-9]{1,20}", re.IGNORECASE | re.ASCII)


def parse_sectors(text: str) -> Geometry:
    """The geometry that `text` describes: runs of equal sectors, `COUNT*SIZE@ADDRESS`, divided by commas.

    A run without `@ADDRESS` goes on where the one before it ended: "4*16K@0x08000000, 1*64K, 7*128K". Runs are in
    ascending order and do not overlap. Banks cannot be said this way: all sectors count as one.

    Raises ValueError, with a sentence, for anything else.
    """
    regions: list[Region] = []
    end: int | None = None
    for run in text.split(","):
        region = _parse_run(run.strip(), end)
        regions.append(region)
        end = region.span.end
        if sum(each.count for each in regions) > MAX_SECTORS:
            raise ValueError(f"more than {MAX_SECTORS} sectors are more than any flash has")
    return Geometry(tuple(regions))


def format_sectors(geometry: Geometry) -> str:
    """Return the text from which `parse_sectors` makes this geometry again, banks and RAM aside."""
    return ", ".join(f"{r.count}*{r.sector_size}@0x{r.address:08x}" for r in geometry.regions)


_RANGE = re.compile(r"(?P<address>0x[0-9a-f]{1,16}) ?\+ ?(?P<size>[^+]+)", re.IGNORECASE | re.ASCII)
MAX_RANGES = 16
"""Ranges in one text: more than any chip has."""


def parse_ranges(text: str) -> tuple[Range, ...]:
    """The addresses that `text` names: `START+SIZE`, divided by commas, as "0x20000000+640K". Ranges do not overlap.

    Raises ValueError, with a sentence, for anything else.
    """
    ranges = sorted(_parse_range(part.strip()) for part in text.split(","))
    if len(ranges) > MAX_RANGES:
        raise ValueError(f"more than {MAX_RANGES} ranges are more than any chip has")
    for one, other in pairwise(ranges):
        if one.overlaps(other):
            raise ValueError(f"{one} and {other} overlap")
    return tuple(ranges)


def format_ranges(ranges: Iterable[Range]) -> str:
    """The text that `parse_ranges` makes these ranges of again."""
    return ", ".join(f"0x{each.start:08x}+{_in_k(each.size)}" for each in ranges)


def _in_k(size: int) -> str:
    return f"{size // 1024}K" if size % 1024 == 0 else str(size)


def _parse_range(text: str) -> Range:
    shown = clean(text, 60)
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f'"{shown}" is not a range of addresses; write START+SIZE, as 0x20000000+640K')
    start, size = int(match["address"], 16), parse_size(match["size"])
    if not size:
        raise ValueError(f'"{shown}" is empty')
    if start + size > ADDRESS_SPACE:
        raise ValueError(f'"{shown}": ends at 0x{start + size:x}, outside 32-bit addresses')
    return Range.sized(start, size)


def _parse_run(run: str, previous_end: int | None) -> Region:
    shown = clean(run, 60)
    match = _RUN.fullmatch(run)
    if match is None:
        raise ValueError(f'"{shown}" is not a run of sectors; write COUNT*SIZE@ADDRESS, as 128*8K@0x08000000')
    count, size = int(match["count"]), parse_size(match["size"])
    if not 1 <= count <= MAX_SECTORS:
        raise ValueError(f'"{shown}": a run has from 1 to {MAX_SECTORS} sectors')
    if not PROGRAM_UNIT <= size <= MAX_SECTOR_SIZE or size % PROGRAM_UNIT:
        raise ValueError(
            f'"{shown}": a sector is a multiple of {PROGRAM_UNIT} bytes and at most {format_size(MAX_SECTOR_SIZE)}'
        )
    address = _parse_address(match["address"], shown) if match["address"] else previous_end
    if address is None:
        raise ValueError(f'"{shown}": the first run needs its address, as 128*8K@0x08000000')
    if address % PROGRAM_UNIT:
        raise ValueError(f'"{shown}": the address is not a multiple of {PROGRAM_UNIT}')
    if previous_end is not None and address < previous_end:
        raise ValueError(
            f'"{shown}": starts at 0x{address:08x}, before the end of the run before it (0x{previous_end:08x}); '
            "runs are in ascending order and do not overlap"
        )
    region = Region(address, count, size)
    if region.span.end > ADDRESS_SPACE:
        raise ValueError(f'"{shown}": ends at 0x{region.span.end:x}, outside 32-bit addresses')
    return region


def _parse_address(text: str, shown: str) -> int:
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f'"{shown}": "{clean(text, 40)}" is not an address; write it as 0x08000000')
    return int(text, 0 if text[:2].lower() == "0x" else 10)
