"""Finds out with few reads which sectors hold their part of an image already. Pure.

A sector differs from its first differing block on: no more of it is read. Where one sector after the other differs, as
with a build by another compiler, comparing saves nothing. So a sector is looked at only as long as it would pay, were
it equal, for all that was read in vain so far: what comparing loses is never more than what it has saved, and the worth
of one sector and a look at it. The rest is taken to differ, and is written.

The looks are spread over the image, for equal sectors lie side by side: before a place that has changed, or behind it.
"""

from collections.abc import Generator, Iterator

from flashdeck.geometry import Range
from flashdeckd.flash.layout import Layout

ERASE_WORTH = 6
"""UPLOADs that an erase is worth: its three requests, and as much again at least for the flash to do it."""
WRITE_WORTH = 3
"""UPLOADs that a block is worth that need not be written and read back: the requests that this takes more."""

Reads = Generator[Range, bytes, None]
"""Yields the blocks to read, one after the other, and is sent what each of them reads."""


def reads(layout: Layout) -> Reads:
    """Compare what is there with the image of `layout`."""
    return _Looks(layout).reads()


def spread(count: int) -> Iterator[int]:
    """Yield the numbers below `count` so that the first of them, however few, lie all over.

    The second is the one behind the first: from there on an interrupted flash has written.
    """
    yield from range(min(2, count))
    stride = 1 << count.bit_length()
    while stride > 1:
        yield from range(stride // 2, count, stride)
        stride //= 2


class _Looks:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._read: dict[Range, bytes] = {}
        """Blocks that were read; one may be part of several sectors."""
        self._looked_at: set[int] = set()
        self._vain = 0
        """UPLOADs so far that showed only that a sector differs."""
        self._saved = 0
        """UPLOADs that sectors are worth which are equal."""

    def reads(self) -> Reads:
        sectors = self._layout.sectors
        for first in spread(len(sectors)):
            for index in range(first, len(sectors)):  # an equal one is followed by others
                if index in self._looked_at or self._vain >= self._saved + self._worth(sectors[index]):
                    break
                self._looked_at.add(index)
                if not (yield from self._holds(sectors[index])):
                    break

    def _holds(self, sector: Range) -> Generator[Range, bytes, bool]:
        asked = 0
        for block in self._layout.cells(sector):
            if block not in self._read:
                self._read[block] = yield block
                asked += 1
            if self._layout.differs(sector, block, self._read[block]):
                self._vain += asked
                return False
        self._saved += self._worth(sector)
        return True

    def _worth(self, sector: Range) -> int:
        return ERASE_WORTH + WRITE_WORTH * len(self._layout.cells(sector))
