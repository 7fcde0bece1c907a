"""Everything about its destination that a flash must know, and nothing of boards or jobs. Pure.

A partition is a range of addresses on a DfuSe device, and an alternate setting on a plain DFU 1.1 device. Whoever has
a target asks it; its type is looked at in one place alone, `engine.engine_for`, which chooses how it is flashed.
"""

from dataclasses import dataclass
from functools import cached_property

from flashdeck.config import BankPolicy, ErasePolicy, MapPolicy, PartitionKind, PollPolicy, VerifyPolicy
from flashdeck.geometry import Geometry, Range, joined
from flashdeckd.images.image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class _CommonTarget:
    """The part of a target that does not depend on how its bytes are reached."""

    partition: str
    """Its name, for messages only."""
    verify: VerifyPolicy = VerifyPolicy.AUTO
    holds: PartitionKind = PartitionKind.PROGRAM
    """Data boots nothing: no part of it is written last."""
    leave: bool = True
    poll: PollPolicy = PollPolicy.AUTO
    may_read: bool = True
    """False where an earlier attempt of this job died while reading: then nothing is read."""


@dataclass(frozen=True, kw_only=True)
class AddressTarget(_CommonTarget):
    """A range of addresses in the flash of a DfuSe device."""

    span: Range
    """The only addresses that may be erased or written (safety rule 1)."""
    geometry: Geometry
    protected: tuple[Range, ...] = ()
    """Spans of the protected partitions; they decide which bank the bootloader lives in."""
    map: MapPolicy = MapPolicy.CHECK
    erase: ErasePolicy = ErasePolicy.NEEDED
    banks: BankPolicy = BankPolicy.CHECK
    program: int | None = None
    """The address of the program that the leave starts, where that is not the partition's own start: for data, or after
    other partitions. A ROM bootloader jumps to that address."""
    written: tuple[Range, ...] = ()
    """Sectors that hold what was flashed there last, as far as anybody remembers. No canary goes into one: where it
    reads blank all the same, the reads are stale, and its erase would leave a hole in a program that still boots."""

    @property
    def starts(self) -> int:
        """The address that a leave names."""
        return self.span.start if self.program is None else self.program

    @cached_property
    def sectors(self) -> tuple[Range, ...]:
        """The sectors of the flash that the partition is made of, in ascending order."""
        return tuple(sector.span for sector in self.geometry.sectors_in(self.span))

    @property
    def place(self) -> str:
        """Its address, to be put behind its size in a message."""
        return f" at 0x{self.span.start:08x}"

    @property
    def erases_all(self) -> bool:
        """True if every flash makes the whole partition new, not only the sectors that its image touches."""
        return self.erase is ErasePolicy.PARTITION

    def touched(self, image: Image) -> tuple[Range, ...]:
        """Return where a flash of `image` may change a byte, counted from the partition's start; neighbours joined."""
        if self.erases_all:
            return (Range(0, self.span.size),)
        start = self.span.start
        sectors = (Range(sector.start - start, sector.end - start) for sector in self.sectors)
        return joined(sector for sector in sectors if image.touches(sector))


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternateTarget(_CommonTarget):
    """An alternate setting of a plain DFU 1.1 device, which knows no addresses and erases by itself."""

    setting: int | str
    """Its number, or its name."""
    size: int
    """The most bytes that it takes."""

    @property
    def span(self) -> Range:
        """Its bytes, counted from 0."""
        return Range(0, self.size)

    @property
    def sectors(self) -> tuple[Range, ...]:
        """None: where it erases, and how much at once, is up to the device."""
        return ()

    @property
    def place(self) -> str:
        """Empty text behind its size in a message: it has no address."""
        return ""

    @property
    def erases_all(self) -> bool:
        """False: what lies behind an image that was sent is up to the device."""
        return False

    def touched(self, image: Image) -> tuple[Range, ...]:
        """Return where a flash of `image` may change any byte: all that is sent, from the start on."""
        return (Range(0, image.end),)


Target = AddressTarget | AlternateTarget
"""One partition of one profile, as the engine needs it."""
