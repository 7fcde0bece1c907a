"""The events of a flash, sector by sector, as values: they cost no request and change nothing. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from flashdeck.geometry import Range


class SectorAct(StrEnum):
    """The things that become of addresses."""

    ERASING = "erasing"  # the erase of a sector comes next, for the first time or once more
    ERASED = "erased"
    WRITING = "writing"  # the write of a block comes next
    WRITTEN = "written"
    CONFIRMED = "confirmed"  # it was read back as it was written, by a read that is to be believed
    FAILED = "failed"  # the device refused it, was lost meanwhile, or reads something else


@dataclass(frozen=True, slots=True)
class SectorEvent:
    """One of them, and the addresses that it is about: a sector, or a part of one or more."""

    act: SectorAct
    span: Range


OnSector = Callable[[SectorEvent], None]
"""The one who is told of it."""
