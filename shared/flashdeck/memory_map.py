"""The memory map that a DfuSe device puts into the name of an alternate setting (ST UM0424).

`@Internal Flash  /0x08000000/04*016Ka,124*016Kg`: a name, then groups of an address and runs of equal sectors. The
last letter holds three bits: readable 1, erasable 2, writable 4. Real devices bend every part of it; what cannot be
read without guessing is an error, because half a map is worse than none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from flashdeck.errors import DescriptorError
from flashdeck.geometry import ADDRESS_SPACE, Range
from flashdeck.text import clean

MAX_LENGTH = 1024
"""Characters that are looked at; a string descriptor has at most 126."""

_ADDRESS = re.compile(r"\s*0[xX]([0-9a-fA-F]{1,8})\s*")
# A missing unit and a space mean bytes. `b` may be unit or type: the type letter, which cannot be missing, decides.
_RUN = re.compile(r"\s*([0-9]{1,7})\s*\*\s*([0-9]{1,7})\s*([KkMmBb]?)\s*([a-g])\s*")
_UNITS = {"": 1, "B": 1, "K": 1024, "M": 1024 * 1024}


class Access(IntFlag):
    """The operations that a run of sectors allows."""

    READ = 1
    ERASE = 2
    WRITE = 4


@dataclass(frozen=True, slots=True)
class MapSegment:
    """A run of equal sectors."""

    span: Range
    sector_size: int
    access: Access

    def sector_at(self, address: int) -> Range:
        """The sector that contains `address`, counted from the start of the run: sizes need not be powers of two."""
        index = (address - self.span.start) // self.sector_size
        return Range.sized(self.span.start + index * self.sector_size, self.sector_size)


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """The memory that a device states. It may lie: it narrows what may be touched, and never widens it."""

    name: str
    """Cleaned of control characters."""
    segments: tuple[MapSegment, ...]

    def overlapping(self, span: Range) -> Iterator[MapSegment]:
        """The segments that share at least one byte with `span`."""
        return (segment for segment in self.segments if segment.span.overlaps(span))

    def permits(self, span: Range, access: Access) -> bool:
        """Tell whether every byte of `span` is in a segment, and every segment there allows all of `access`."""
        at = span.start
        for segment in sorted(self.overlapping(span), key=lambda segment: segment.span):
            if segment.access & access != access or segment.span.start > at:
                return False
            at = max(at, segment.span.end)
        return at >= span.end

    def sectors_at(self, address: int) -> tuple[Range, ...]:
        """The sector that contains `address`: none where the map has nothing, several where it contradicts itself."""
        return tuple(s.sector_at(address) for s in self.segments if s.span.start <= address < s.span.end)


def parse_memory_map(text: str) -> MemoryMap:
    """Reads a map; raises DescriptorError where it is none, or where a part of it cannot be understood."""
    plain = "".join(ch for ch in text[:MAX_LENGTH].split("\0", 1)[0] if " " <= ch <= "~")
    fields = plain.split("/")
    first = next((i for i, field in enumerate(fields) if _ADDRESS.fullmatch(field)), None)
    if first is None:
        raise _unreadable(text, "has no address")
    segments: list[MapSegment] = []
    groups = fields[first:]
    if len(groups) % 2:
        raise _unreadable(text, "ends behind an address" if groups[-1].strip() else "ends in a slash")
    for address, runs in zip(groups[::2], groups[1::2], strict=True):
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise _unreadable(text, f"has {clean(address)!r} where an address belongs")
        segments.extend(_segments(text, int(match[1], 16), runs))
    return MemoryMap(clean("/".join(fields[:first]).strip().removeprefix("@").strip()), tuple(segments))


def _segments(text: str, at: int, runs: str) -> Iterator[MapSegment]:
    items = runs.split(",")
    if len(items) > 1 and not items[-1].strip():
        items.pop()  # a comma left at the end
    for item in items:
        match = _RUN.fullmatch(item)
        if match is None:
            raise _unreadable(text, f"has {clean(item)!r} where sectors belong")
        count, size = int(match[1]), int(match[2]) * _UNITS[match[3].upper()]
        if not count or not size or at + count * size > ADDRESS_SPACE:
            raise _unreadable(text, f"has impossible sectors {clean(item)!r}")
        yield MapSegment(Range.sized(at, count * size), size, Access(ord(match[4]) & 7))
        at += count * size


def _unreadable(text: str, why: str) -> DescriptorError:
    return DescriptorError(
        f"the memory map {clean(text)!r} {why}",
        hint="the geometry in the profile is used instead; in the bootloader, mend the interface string",
    )
