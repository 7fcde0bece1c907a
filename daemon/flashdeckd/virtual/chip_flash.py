"""The flash of a chip that the chip table knows: its sectors, how it takes a write, and how long that takes.

The typical times are from ST's data sheets: STM32F4 (DS8626), F7 (DS10916), H7 (DS12110), L4 (DS10198), G0 (DS12232),
H5 (DS14258). What becomes of a word that is not blank is from the reference manuals, chapter on the embedded flash
memory: RM0090 (F4), RM0385 (F7), RM0433 (H7), RM0351 (L4), RM0444 (G0), RM0440 (G4), RM0481 (H5).
"""

from dataclasses import dataclass

from flashdeck.chips import find_chip
from flashdeck.geometry import Range
from flashdeckd.virtual.nor import FlashLayout, Overwrite


@dataclass(frozen=True, slots=True)
class Family:
    """Facts that all chips of one family share."""

    overwrite: Overwrite = Overwrite.REFUSED
    erase_time: float = 0.002
    """Seconds for its largest sector."""
    word_time: float = 0.00003
    """Seconds for what is programmed at once."""


_OTHERS = Family()
_FAMILIES = {
    "STM32F4": Family(Overwrite.CLEARS, erase_time=1.0, word_time=0.000016),
    "STM32F7": Family(Overwrite.CLEARS, erase_time=1.1, word_time=0.000016),
    "STM32H7": Family(Overwrite.CLEARS, erase_time=1.0, word_time=0.0001),
    "STM32L4": Family(Overwrite.ZEROS, erase_time=0.022, word_time=0.000082),
    "STM32G0": Family(Overwrite.ZEROS, erase_time=0.022, word_time=0.000085),
    "STM32G4": Family(Overwrite.ZEROS, erase_time=0.022, word_time=0.000082),
}


@dataclass(frozen=True, slots=True)
class ChipFlash:
    """The flash of one chip, and what a bootloader in it knows of the chip."""

    layout: FlashLayout
    family: Family
    ram: tuple[Range, ...] = ()
    """Ranges in which an application may have its stack; empty: unknown."""


def chip_flash(part: str) -> ChipFlash:
    """Return the flash of the chip that `part` names, as `flash` in a profile does.

    Raises ConfigError where the chip table has no such chip.
    """
    geometry = find_chip(part).geometry
    family = next((found for prefix, found in _FAMILIES.items() if part.upper().startswith(prefix)), _OTHERS)
    return ChipFlash(FlashLayout.of(geometry, family.overwrite), family, geometry.ram)
