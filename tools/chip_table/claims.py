"""Claims of the sources about chips, in one form: values that can be compared."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flashdeck.geometry import Range, Region

FLASH = 0x08000000
"""The start of the flash of every chip of the table."""
RAM = 0x20000000
"""The start of the main RAM of most chips."""
_ORDERED = re.compile(r"((?:GD32|AT32)[A-Z]+\d\w*?)[A-Z]\d(?:-\d)?", re.ASCII)

Layout = tuple[Region, ...]
"""The flash of a chip in one of its modes."""


class SourceError(Exception):
    """A checkout is not what the reader knows."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The claims of one source about one part; None, or empty, where it makes none."""

    source: str
    part: str
    """The name up to the letter of the flash's size, as STM32F405RG."""
    layouts: tuple[Layout, ...] = ()
    """All modes of its flash, with banks, where the source knows them."""
    erased_by: tuple[Layout, ...] = ()
    """The sectors of what erases this part's flash. They may reach further than the flash of this part."""
    flash_size: int | None = None
    ram: tuple[Range, ...] | None = None
    usb: bool | None = None
    option_bytes: tuple[Range, ...] = ()
    otp: tuple[Range, ...] = ()


def part_of(number: str) -> str:
    """The name of GigaDevice's or Artery's part `number` up to its size: AT32F403ACG of AT32F403ACGT7; or ""."""
    match = _ORDERED.fullmatch(number.upper())
    return match[1] if match else ""


def sectors_of(layout: Layout) -> tuple[Range, ...]:
    """Every sector in ascending order."""
    return tuple(
        Range.sized(region.address + index * region.sector_size, region.sector_size)
        for region in layout
        for index in range(region.count)
    )


def flash_size(layout: Layout) -> int:
    """Bytes of all sectors."""
    return sum(region.span.size for region in layout)


def bank_count(layout: Layout) -> int:
    """The number of banks that the sectors are in."""
    return len({region.bank for region in layout})


def erases(eraser: Layout, layout: Layout) -> bool:
    """True where the sectors of `layout` are those of `eraser` too, and all that it has there."""
    spans = [region.span for region in layout]
    inside = [sector for sector in sectors_of(eraser) if any(span.overlaps(sector) for span in spans)]
    return tuple(inside) == sectors_of(layout)


def joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same addresses in as few ranges as possible: a stack may lie across neighbours."""
    found: list[Range] = []
    for each in sorted(ranges):
        if found and each.start <= found[-1].end:
            found[-1] = Range(found[-1].start, max(found[-1].end, each.end))
        else:
            found.append(each)
    return tuple(found)
