"""The last line of safety rule 1: whatever the plan says, the session sends nothing that leaves the partition."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property

from flashdeck.errors import ErrorKind, RefusedError
from flashdeck.geometry import Geometry, Range, joined


@dataclass(frozen=True)
class Fence:
    """The places where a session may point, read, erase and write."""

    span: Range
    sectors: frozenset[Range]
    """The only things that may be erased, and written to; all inside `span`."""
    program_unit: int
    """Writes start and end on a multiple of it: a device fills up the last unit with whatever its buffer holds."""
    readable: tuple[Range, ...] = ()
    """Ranges outside that may be read, and pointed at for that, to see that they do not change."""
    starts: int | None = None
    """An address outside that a leave may name: a ROM bootloader starts what is there."""

    @classmethod
    def around(
        cls, span: Range, geometry: Geometry, readable: tuple[Range, ...] = (), *, starts: int | None = None
    ) -> "Fence":
        """A fence around `span`, with the sectors of the flash that lie wholly inside."""
        inside = (sector.span for sector in geometry.sectors_in(span) if span.covers(sector.span))
        return cls(span, frozenset(inside), geometry.program_unit, readable, starts)

    def confined(self, sectors: AbstractSet[Range]) -> "Fence":
        """Return a fence in which only those of its sectors may be erased and written that are in `sectors`, too."""
        return replace(self, sectors=self.sectors & sectors)

    @cached_property
    def _writable(self) -> tuple[Range, ...]:
        return joined(self.sectors)

    @cached_property
    def _known(self) -> tuple[Range, ...]:
        return (self.span, *self.readable)

    def allow_point(self, address: int) -> None:
        """Raises RefusedError unless `address` may be written, read or started. A write is asked for once more."""
        if address != self.starts and not _one_covers(self._known, address, address + 1):
            raise self._refusal(f"address 0x{address:08x} was about to be set")

    def allow_read(self, span: Range) -> None:
        """Raises RefusedError unless all of `span` may be read."""
        if span.end <= span.start or not _one_covers(self._known, span.start, span.end):
            raise self._refusal(f"{span} was about to be read")

    def allow_erase(self, sector: Range) -> None:
        """Raises RefusedError unless `sector` is a whole sector inside."""
        if sector not in self.sectors or not self.span.covers(sector):
            raise self._refusal(f"{sector} was about to be erased")

    def allow_write(self, span: Range) -> None:
        """Raises RefusedError unless all of `span` is inside the sectors and made of whole program units."""
        start, end, unit = span.start, span.end, self.program_unit
        whole = start % unit == 0 and end % unit == 0
        inside = self.span.start <= start and end <= self.span.end and _one_covers(self._writable, start, end)
        if not inside or end <= start or not whole:
            raise self._refusal(f"{span} was about to be written")

    def _refusal(self, what: str) -> RefusedError:
        return RefusedError(
            f"{what}, which the plan for the partition {self.span} with its sectors and program unit of "
            f"{self.program_unit} bytes does not allow; nothing was sent",
            hint="this is a fault in flashdeck: please report it with the configuration and the image's size",
            kind=ErrorKind.OUTSIDE_PARTITION,
        )


def _one_covers(ranges: Iterable[Range], start: int, end: int) -> bool:
    """Tell whether all from `start` up to `end` lies in one of the ranges: asked for every transfer, so in one loop."""
    for each in ranges:  # noqa: SIM110 - `any` over a generator is a call for each range
        if each.start <= start and end <= each.end:
            return True
    return False
