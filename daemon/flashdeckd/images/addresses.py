"""The kinds of places of a chip's addresses, in words, with what to do about an image that has bytes there. Pure.

Flash, RAM, option bytes and OTP are known from the chip's entry in the chip table. Where that says nothing, the areas
are those that Arm's memory map (Armv7-M and Armv8-M Architecture Reference Manuals, "System address map") and the
reference manuals of most STM32 families have in common.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from flashdeck.config import Partition, Profile
from flashdeck.geometry import Range
from flashdeck.trustzone import FLASH_OFFSET, RAM_OFFSET

_RAM_HINT = (
    "look at which section the linker put there: initial values are stored in the flash (add AT> FLASH to the "
    "section), and a section without any needs NOLOAD"
)


class MemoryKind(Enum):
    """A kind of memory: its words, and a hint for an image that has bytes there."""

    PARTITION = ("a partition", "flash this file to that partition, or look at which file is configured")
    UNASSIGNED = ("flash that belongs to no partition", "link the image for its partition, or add a partition there")
    RAM = ("RAM", _RAM_HINT)
    OPTION_BYTES = (
        "option bytes",
        "flashdeck never writes option bytes: take them out of the file; STM32CubeProgrammer or OpenOCD can write them",
    )
    OTP = (
        "one-time programmable memory (OTP)",
        "flashdeck never writes OTP: take it out of the file; STM32CubeProgrammer can write it",
    )
    SYSTEM_MEMORY = ("the chip's ROM (system memory)", "nothing can be written there: take it out of the file")
    EEPROM = (
        "the chip's memory for data (EEPROM)",
        "flashdeck writes flash only: take that out of the file (objcopy --remove-section)",
    )
    ADDRESS_ZERO = (
        "the memory at address 0, which is what the chip boots from, or RAM",
        "link the image for its address in the flash (FLASH ORIGIN in the linker script)",
    )
    EXTERNAL = (
        "external memory (FMC, QSPI or OSPI)",
        "flashdeck writes internal flash only: take that out of the file (objcopy --remove-section)",
    )
    PERIPHERALS = ("registers of peripherals", "no program belongs there: look at the linker script")
    SECURE_FLASH = (
        "the secure alias of flash (TrustZone)",
        "link the image for the partition's address; or give the partition its secure address",
    )
    NONSECURE_FLASH = (
        "the non-secure alias of flash (TrustZone)",
        "link the image for the partition's address; or give the partition its non-secure address",
    )
    SECURE_RAM = ("the secure alias of RAM (TrustZone)", _RAM_HINT)
    NOWHERE = ("no memory of this chip", "look at the linker script, and whether this file is for this chip")

    def __init__(self, words: str, hint: str) -> None:
        self.words = words
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Location:
    """An address, and what lives there."""

    address: int
    place: MemoryKind
    partition: Partition | None = None
    """The partition that has it; for an alias of flash, the one that has the same byte."""

    @property
    def words(self) -> str:
        """Return what lives there, as a noun."""
        match self.place, self.partition:
            case MemoryKind.PARTITION, Partition() as partition:
                return f"partition {partition.name}"
            case ((MemoryKind.SECURE_FLASH | MemoryKind.NONSECURE_FLASH), Partition() as partition):
                return f"{self.place.words}, partition {partition.name}"
            case _:
                return self.place.words

    @property
    def hint(self) -> str:
        """Return what to do about an image that has bytes there."""
        match self.place, self.partition:
            case MemoryKind.PARTITION, Partition(protected=True) as partition:
                return f"is this the right file? It has bytes for {partition.name}, which is protected"
            case MemoryKind.PARTITION, Partition() as partition:
                return f"flash this file to {partition.name}, or look at which file is configured"
            case MemoryKind.SECURE_FLASH, Partition() as partition:
                return (
                    f"link it for 0x{partition.span.start:08x}; or, if the bootloader takes secure addresses, set "
                    f"address = 0x{partition.span.start + FLASH_OFFSET:08x} for {partition.name}"
                )
            case MemoryKind.NONSECURE_FLASH, Partition() as partition:
                return (
                    f"link it for 0x{partition.span.start:08x}; or set "
                    f"address = 0x{partition.span.start - FLASH_OFFSET:08x} for {partition.name}"
                )
            case _:
                return self.place.hint


def partition_at(address: int, profile: Profile) -> Partition | None:
    """Return the partition that has `address`. Alternate settings have no addresses."""
    ranges = (p for p in profile.partitions.values() if p.alternate is None)
    return next((p for p in ranges if p.span.start <= address < p.span.end), None)


def locate(address: int, profile: Profile) -> Location:
    """Return what lives at `address` of a board of `profile`."""
    partition = partition_at(address, profile)
    if partition is not None:
        return Location(address, MemoryKind.PARTITION, partition)
    if _is_in(address, (region.span for region in profile.geometry.regions)):
        return Location(address, MemoryKind.UNASSIGNED)
    of_chip = (
        (MemoryKind.OPTION_BYTES, profile.option_bytes),
        (MemoryKind.OTP, profile.otp),
        (MemoryKind.RAM, profile.geometry.ram),
    )
    for place, areas in of_chip:
        if _is_in(address, areas):
            return Location(address, place)
    return _alias(address, profile) or Location(address, _unlisted(address, profile.chip))


_EEPROM = (
    (("STM32L0", "STM32L1"), Range(0x08080000, 0x08084000)),  # ST RM0367, RM0038: data EEPROM
    (("STM32H5",), Range(0x09000000, 0x09018000)),  # ST RM0481: flash high-cycle data
)


_KNOWN_AREAS = (
    # Option bytes of F0, F1 and F3; F2 and F4; F42x's second bank; C0, G0, G4, L4, WB; L4's second bank; L0 and L1.
    (Range(0x1FFFF800, 0x1FFFF810), MemoryKind.OPTION_BYTES),
    (Range(0x1FFFC000, 0x1FFFC010), MemoryKind.OPTION_BYTES),
    (Range(0x1FFEC000, 0x1FFEC010), MemoryKind.OPTION_BYTES),
    (Range(0x1FFF7800, 0x1FFF7880), MemoryKind.OPTION_BYTES),
    (Range(0x1FF80000, 0x1FF80020), MemoryKind.OPTION_BYTES),
    # OTP of C0, G0, G4, L4, WB; F7; H5 and H7A; U5.
    (Range(0x1FFF7000, 0x1FFF7400), MemoryKind.OTP),
    (Range(0x1FF0F000, 0x1FF0F420), MemoryKind.OTP),
    (Range(0x08FFF000, 0x08FFF800), MemoryKind.OTP),
    (Range(0x0BFA0000, 0x0BFA0200), MemoryKind.OTP),
    # ROM, and what else the manufacturer wrote.
    (Range(0x1FF00000, 0x20000000), MemoryKind.SYSTEM_MEMORY),
    (Range(0x0BF80000, 0x0C000000), MemoryKind.SYSTEM_MEMORY),
    # Arm's memory map.
    (Range(0x00000000, 0x08000000), MemoryKind.ADDRESS_ZERO),
    (Range(0x20000000, 0x40000000), MemoryKind.RAM),
    (Range(0x40000000, 0x60000000), MemoryKind.PERIPHERALS),
    (Range(0x60000000, 0xA0000000), MemoryKind.EXTERNAL),
    (Range(0xA0000000, 0xC0000000), MemoryKind.PERIPHERALS),
    (Range(0xC0000000, 0xE0000000), MemoryKind.EXTERNAL),
    (Range(0xE0000000, 0x100000000), MemoryKind.PERIPHERALS),
)
"""The first one that has an address counts."""


def _unlisted(address: int, chip: str) -> MemoryKind:
    if any(chip.startswith(lines) and area.start <= address < area.end for lines, area in _EEPROM):
        return MemoryKind.EEPROM
    return next((place for area, place in _KNOWN_AREAS if area.start <= address < area.end), MemoryKind.NOWHERE)


def _alias(address: int, profile: Profile) -> Location | None:
    """Return what `address` is by another name, on a chip with TrustZone."""
    if not profile.secure_alias:
        return None
    secure = address - FLASH_OFFSET
    if _is_in(secure, (region.span for region in profile.geometry.regions)):
        return Location(address, MemoryKind.SECURE_FLASH, partition_at(secure, profile))
    nonsecure = address + FLASH_OFFSET
    if _is_in(nonsecure, (region.span for region in profile.geometry.regions)):
        return Location(address, MemoryKind.NONSECURE_FLASH, partition_at(nonsecure, profile))
    if _is_in(address - RAM_OFFSET, profile.geometry.ram):
        return Location(address, MemoryKind.SECURE_RAM)
    return None


def _is_in(address: int, areas: Iterable[Range]) -> bool:
    return any(area.start <= address < area.end for area in areas)
