"""The map of a board's flash: each sector of the memory and its state, in runs. An event carries the whole map.

Addresses and sizes are bytes. A map has as many runs as it needs and no more than `MAX_CELLS` and `MAX_REGIONS` allow,
whatever the memory is made of.
"""

from collections.abc import Iterable
from typing import Final

from flashdeck.open_enum import OpenEnum
from flashdeck.value import Value


class SectorState(OpenEnum):
    """The state of a sector: at rest by what is known of it, while a job changes it by what became of it."""

    FOREIGN = "foreign"  # in the memory, in no partition
    PROTECTED = "protected"  # in a protected partition: never erased or written
    UNTOUCHED = "untouched"  # in a partition; no image that is known has a byte there
    CONTENTS = "contents"  # it has bytes of a complete image
    EQUAL = "equal"  # it was as it has to be already: left alone
    TO_ERASE = "to-erase"  # the plan erases it
    ERASING = "erasing"
    ERASED = "erased"  # nothing but 0xFF
    WRITING = "writing"  # some of what goes there is written
    WRITTEN = "written"
    VERIFIED = "verified"  # written, and read back
    UNCERTAIN = "uncertain"  # it may have been changed since it was written
    INCOMPLETE = "incomplete"  # a job that was cut short was to change it
    FAILED = "failed"  # its erase, its write or its comparison failed
    OTHER = "other"


TELLING: Final = (
    SectorState.FAILED,
    SectorState.INCOMPLETE,
    SectorState.UNCERTAIN,
    SectorState.ERASING,
    SectorState.WRITING,
    SectorState.TO_ERASE,
    SectorState.ERASED,
    SectorState.WRITTEN,
    SectorState.VERIFIED,
    SectorState.EQUAL,
    SectorState.CONTENTS,
    SectorState.PROTECTED,
    SectorState.OTHER,
    SectorState.UNTOUCHED,
    SectorState.FOREIGN,
)
"""All states, the one that tells most first: it stands for several sectors where there is room for one state."""
_RANK: Final = {state: rank for rank, state in enumerate(TELLING)}


def most_telling(states: Iterable[SectorState]) -> SectorState:
    """Return the state that stands for all of these; there is at least one."""
    return min(states, key=_RANK.__getitem__)


class SectorRun(Value, frozen=True, kw_only=True):
    """Neighbouring sectors of one size in one state."""

    address: int
    size: int
    """Bytes of each sector; of as many as `FlashMap.grouped` says where that is more than one."""
    count: int = 1
    state: SectorState

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size * self.count


class SectorCount(Value, frozen=True, kw_only=True):
    """Some sectors, counted."""

    sectors: int = 0
    bytes: int = 0


class FlashSums(Value, frozen=True, kw_only=True):
    """The work of a job in sectors. Zero until it has a plan."""

    to_erase: SectorCount = SectorCount()
    """All that the plan erases, whether that was done by now or not."""
    erased: SectorCount = SectorCount()
    """Those of them that were erased by now, the later states included."""
    written: SectorCount = SectorCount()
    """Those of them that are written by now, the verified ones included."""
    verified: SectorCount = SectorCount()
    equal: SectorCount = SectorCount()
    """Those that were as they have to be: neither erased nor written."""
    failed: SectorCount = SectorCount()
    bytes_saved: int = 0
    """Bytes of the image that were not sent, because their sectors were equal."""


class FlashMap(Value, frozen=True, kw_only=True):
    """The flash of one board, sector by sector."""

    board: str
    job: int = 0
    """The job whose work it shows: the one that runs, or the last one; 0 where this daemon has seen none."""
    partition: str = ""
    """The partition of that job."""
    runs: tuple[SectorRun, ...] = ()
    """In ascending order. Every byte of the memory is in exactly one of them."""
    grouped: int = 1
    """Sectors that are told as one, because the memory has more than a map has room for."""
    sums: FlashSums = FlashSums()
    reason: str = ""
    """The reason why there is no map; "" where there is one."""
