"""Flash in two banks: where a bootloader can be seen to erase the right one, without harm if it does not. Pure.

ST's USBX sample erases the sector of that number in the first bank, whichever was meant. So before anything else in a
bank, a canary is written into a sector that is blank and whose twin in the other bank is blank too, and erased again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flashdeck.config import BankPolicy, PartitionKind
from flashdeck.errors import BlockedError
from flashdeck.geometry import Geometry, Range
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.target import AddressTarget
from flashdeckd.images.image import BLANK

_PATTERN = b"flashdeck canary"
_BANKS = 2


@dataclass(frozen=True, slots=True)
class Site:
    """A place for a canary."""

    bank: int
    sector: Range
    """A sector of the partition."""
    twin: Range
    """The sector of the same number in the other bank."""
    takes_new: bool = True
    """False where one may only be there from an earlier job: it is no place for another."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A sector with a canary that an earlier job did not take back, and nothing else."""

    sector: Range
    is_whole: bool
    """False where it was cut short as it was written or erased."""


def canary(unit: int) -> bytes:
    """Return the pattern, one program unit of it. No byte is 0xFF."""
    return (_PATTERN * -(-unit // len(_PATTERN)))[:unit]


def left_of_canary(data: bytes, unit: int) -> bytes:
    """Return what is left of a canary in a whole sector, `data`; b"" where there is nothing, or anything else.

    A write or an erase that was cut short has programmed or erased only some of its bits: none is 0 but the canary's.
    """
    seen, wanted = data[:unit], canary(unit)
    is_part = all(byte | bit == byte for byte, bit in zip(seen, wanted, strict=True))
    is_alone = data.count(BLANK, unit) == len(data) - unit
    return seen if is_part and is_alone and seen.count(BLANK) < unit else b""


def unproved_banks(target: AddressTarget, history: BootloaderHistory) -> tuple[int, ...]:
    """Return the banks of the partition in which a canary has to come first."""
    if target.banks is BankPolicy.TRUSTED or len(_all_banks(target.geometry)) != _BANKS:
        return ()
    settled = {*history.proved_banks, *history.released_banks}
    return tuple(sorted(target.geometry.banks_of(target.span) - settled))


def foreign_banks(target: AddressTarget) -> frozenset[int]:
    """The banks of the partition in which an erase in the wrong bank may hit a bootloader.

    Those without a protected partition, and those with a sector whose twin is protected; none where nothing is.
    """
    if not target.protected:
        return frozenset()
    homes = {bank for protected in target.protected for bank in target.geometry.banks_of(protected)}
    return frozenset(
        bank
        for bank in target.geometry.banks_of(target.span)
        if bank not in homes or any(_overlaps(twin, target.protected) for _, twin in _pairs(target, bank))
    )


def sites(target: AddressTarget, bank: int) -> Iterator[Site]:
    """The sectors of the partition in that bank which may take a canary, the last first: it is most likely blank.

    Never the sector of a boot unit, and none whose twin is missing, of another size, protected or in the partition.
    """
    boot = target.sectors[0] if target.holds is PartitionKind.PROGRAM else None
    real = {sector.span for sector in target.geometry.sectors()}
    for sector, twin in reversed(list(_pairs(target, bank))):
        if sector != boot and twin in real and not _overlaps(twin, (target.span, *target.protected)):
            yield Site(bank, sector, twin)


def witnesses(target: AddressTarget) -> tuple[Range, ...]:
    """Return the sectors that must never change: the first one of each protected partition."""
    firsts = (target.geometry.sectors_in(protected) for protected in target.protected)
    return tuple(dict.fromkeys(sectors[0].span for sectors in firsts if sectors))


def unproved_bank(target: AddressTarget, bank: int, why: str) -> BlockedError:
    """Return the error for a job whose erases might hit what is protected in the other bank: a person has to decide."""
    return BlockedError(
        f"{target.partition} lies in bank {bank + 1} and the bootloader in the other; whether it erases the bank that "
        f"it is asked to could not be seen ({why}), and some bootloaders erase the same sector of the wrong one",
        hint="if this bootloader is known to erase the right bank, `flashdeck release` lets this board go on, and "
        'banks = "trusted" in the profile all boards',
        bank=bank,
    )


def _pairs(target: AddressTarget, bank: int) -> Iterator[tuple[Range, Range]]:
    """The partition's sectors in that bank, in order, each with the place of the same number in the other bank."""
    geometry = target.geometry
    starts = {each: _start(geometry, each) for each in _all_banks(geometry)}
    if len(starts) != _BANKS:
        return
    (other,) = starts.keys() - {bank}
    for sector in geometry.sectors_in(target.span):
        if sector.bank == bank:
            yield sector.span, Range.sized(sector.span.start - starts[bank] + starts[other], sector.span.size)


def _overlaps(span: Range, others: Iterable[Range]) -> bool:
    return any(other.overlaps(span) for other in others)


def _all_banks(geometry: Geometry) -> frozenset[int]:
    return frozenset(region.bank for region in geometry.regions)


def _start(geometry: Geometry, bank: int) -> int:
    return min(region.address for region in geometry.regions if region.bank == bank)
