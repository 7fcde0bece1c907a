"""Everything about its destination that a flash must know, and nothing of boards or jobs."""

from dataclasses import dataclass

from flashdeck.config import BankPolicy, ErasePolicy, Holds, MapPolicy, PollPolicy, VerifyPolicy
from flashdeck.geometry import Geometry, Range


@dataclass(frozen=True, slots=True)
class Target:
    """One partition of one profile, as the engine needs it."""

    partition: str
    """Its name, for messages only."""
    span: Range
    """The only addresses that may be erased or written (safety rule 1)."""
    geometry: Geometry
    protected: tuple[Range, ...] = ()
    """Spans of the protected partitions; they decide which bank the bootloader lives in."""
    map: MapPolicy = MapPolicy.CHECK
    erase: ErasePolicy = ErasePolicy.NEEDED
    verify: VerifyPolicy = VerifyPolicy.AUTO
    poll: PollPolicy = PollPolicy.AUTO
    banks: BankPolicy = BankPolicy.CHECK
    holds: Holds = Holds.PROGRAM
    """Data boots nothing: no part of it is written last."""
    leave: bool = True
    may_read: bool = True
    """False where an earlier attempt of this job died while reading: then nothing is read."""
    alternate: int | str | None = None
    """The alternate setting, by number or name, that is this partition on a plain DFU 1.1 device, which knows no
    addresses: `span` then counts from 0 and only says how much fits. None: a DfuSe device."""

    program: int | None = None
    """The address of the program that the leave starts, where that is not the partition's own start: for data, or after
    other partitions. A ROM bootloader jumps to that address."""

    @property
    def starts(self) -> int:
        """The address that a leave names."""
        return self.span.start if self.program is None else self.program

    @property
    def sectors(self) -> tuple[Range, ...]:
        """The sectors of the flash that the partition is made of, in ascending order."""
        return tuple(sector.span for sector in self.geometry.sectors_in(self.span))
