"""Checks before anything is planned: safety rules 1 and 2, and a device that can be written at all. Pure."""

from collections.abc import Iterable

from flashdeck.config import BankPolicy
from flashdeck.errors import BlockedError, DescriptorError, ErrorKind, RefusedError
from flashdeck.geometry import Range
from flashdeck.memory_map import Access, MemoryMap
from flashdeckd.dfu.wire import usable_transfer_size
from flashdeckd.flash.bootloader_history import BootloaderHistory
from flashdeckd.flash.flash_plan import DeviceFacts
from flashdeckd.flash.target import AddressTarget, Target
from flashdeckd.images.image import Image


def check_partition(target: AddressTarget, boot_unit: int) -> None:
    """Raises RefusedError unless the partition is unprotected and made of whole sectors of whole boot units."""
    for protected in target.protected:
        if protected.overlaps(target.span):
            raise RefusedError(
                f"the partition {target.partition} ({target.span}) overlaps the protected {protected}",
                hint="a protected partition cannot be flashed; choose another partition",
                kind=ErrorKind.PROTECTED,
            )
    if not target.geometry.is_whole_sectors(target.span):
        raise RefusedError(
            f"the partition {target.partition} ({target.span}) is not made of whole sectors of the flash",
            hint="erasing its edge would erase its neighbour; mend address and size in the profile",
            kind=ErrorKind.OUTSIDE_PARTITION,
        )
    if any(sector.start % boot_unit or sector.size % boot_unit for sector in target.sectors):
        raise RefusedError(
            f"the sectors of {target.partition} are no multiples of {boot_unit} bytes, "
            "the least that is written at once",
            hint="mend the sectors in the profile",
            kind=ErrorKind.OUTSIDE_PARTITION,
        )


def check_image(image: Image, target: Target) -> None:
    """Raises RefusedError unless there is an image and it fits."""
    if not image.pieces:
        raise RefusedError("the image is empty", hint="build it again", kind=ErrorKind.GUARD)
    if image.end > target.span.size:
        size = f"has {image.end} bytes" if image.is_raw else f"ends {image.end} bytes behind the partition's start"
        raise RefusedError(
            f"the image {size} and does not fit into {target.partition} ({target.span.size} bytes{target.place})",
            hint="it was built for a larger partition, or has outgrown this one",
            kind=ErrorKind.OUTSIDE_PARTITION,
        )


def check_banks(target: AddressTarget, history: BootloaderHistory) -> None:
    """Raises RefusedError (`wrong-bank`) where this bootloader was seen to erase the wrong bank."""
    bad = target.geometry.banks_of(target.span) & frozenset(history.condemned_banks)
    if bad and target.banks is not BankPolicy.TRUSTED:
        raise RefusedError(
            f"{target.partition} lies in bank {min(bad) + 1}, where this bootloader was seen to erase something else "
            "than it was asked to, or to answer reads with what was there before",
            hint="mend the bootloader, then run `flashdeck release` to try again",
            kind=ErrorKind.WRONG_BANK,
        )


def check_map(target: AddressTarget, memory_map: MemoryMap, sectors: Iterable[Range]) -> None:
    """Raises BlockedError where map and geometry disagree, RefusedError where the map forbids one of `sectors`."""
    for sector in target.sectors:
        different = [each for each in memory_map.sectors_at(sector.start) if each != sector]
        inner = [s for s in memory_map.overlapping(sector) if sector.start < s.span.start]
        if different or inner:
            theirs = different[0] if different else inner[0].span
            raise BlockedError(
                f"the device's memory map has the sector {theirs} where the profile's flash has {sector}",
                hint="mend flash or sectors in the profile; if the device's map is wrong, "
                'say map = "ignore" in the profile',
            )
    for sector in sectors:
        if not memory_map.permits(sector, Access.ERASE | Access.WRITE):
            raise RefusedError(
                f"the device's memory map does not let the sector {sector} of {target.partition} be erased and written",
                hint="the bootloader protects it or does not know it; if its map is wrong, "
                'say map = "ignore" in the profile',
                kind=ErrorKind.OUTSIDE_PARTITION,
            )


def check_download(*, can_download: bool) -> None:
    """Raises DescriptorError where a device says that it cannot be written."""
    if not can_download:
        raise DescriptorError(
            "the device says that it cannot be written (bitCanDnload is 0)",
            hint="this bootloader does not take images over DFU; look at bmAttributes in its descriptor",
        )


def block_size(facts: DeviceFacts, boot_unit: int) -> int:
    """The bytes in one block: whole boot units, as many as device and system take at once; raises DescriptorError."""
    check_download(can_download=facts.can_download)
    usable = usable_transfer_size(facts.transfer_size)
    block = usable - usable % boot_unit
    if not block:
        raise DescriptorError(
            f"the device takes only {facts.transfer_size} bytes at a time (wTransferSize), "
            f"and its flash is programmed in units of {boot_unit}",
            hint="raise wTransferSize in the bootloader",
        )
    return block
