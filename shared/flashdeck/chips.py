"""The chip table: flash geometry and RAM of the microcontrollers that `flash = "…"` can name.

To add a chip, add an entry here with its source; tests hold every entry to the same sanity checks.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flashdeck.errors import ConfigError
from flashdeck.geometry import Geometry, Range, Region
from flashdeck.text import clean

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Chip:
    """A microcontroller, named without its package and temperature suffix."""

    name: str
    geometry: Geometry
    source: str
    """The document that the numbers are from."""


def _two_banks(
    names: Iterable[str], *, sectors: int, sector_size: int, program_unit: int, ram: Range, source: str
) -> dict[str, Chip]:
    """Chips whose flash starts at 0x08000000 and is two banks of `sectors` equal sectors, one behind the other."""
    first = Region(0x08000000, sectors, sector_size, bank=0)
    second = Region(first.span.end, sectors, sector_size, bank=1)
    geometry = Geometry((first, second), program_unit, (ram,))
    return {name: Chip(name, geometry, source) for name in names}


_STM32H563_RAM = Range.sized(0x20000000, 640 * _KIB)  # SRAM1 256 KB, SRAM2 64 KB, SRAM3 320 KB, without a gap
_STM32H563_SOURCE = (
    "ST RM0481, chapters on memory organization and on the embedded flash memory; ST DS14258 for sizes by part number"
)

CHIPS: Mapping[str, Chip] = {
    **_two_banks(
        ("STM32H563AG", "STM32H563IG", "STM32H563RG", "STM32H563VG", "STM32H563ZG"),
        sectors=64,
        sector_size=8 * _KIB,
        program_unit=16,
        ram=_STM32H563_RAM,
        source=_STM32H563_SOURCE,
    ),
    **_two_banks(
        ("STM32H563AI", "STM32H563II", "STM32H563MI", "STM32H563RI", "STM32H563VI", "STM32H563ZI"),
        sectors=128,
        sector_size=8 * _KIB,
        program_unit=16,
        ram=_STM32H563_RAM,
        source=_STM32H563_SOURCE,
    ),
}

_SUFFIX = re.compile(
    r"[A-Z][0-9X][A-Z0-9]{0,4}", re.ASCII
)  # package, temperature, options: T6, I6Q, T6TR; Tx as in tools


def find_chip(part: str) -> Chip:
    """The chip that `part` names: a name of the table or a longer part number, as STM32H563RGT6; case does not matter.

    Raises ConfigError where the table has no such chip.
    """
    wanted = part.upper()
    if wanted in CHIPS:
        return CHIPS[wanted]
    for name, chip in CHIPS.items():
        if wanted.startswith(name) and _SUFFIX.fullmatch(wanted.removeprefix(name)):
            return chip
    near = difflib.get_close_matches(wanted[:40], CHIPS, n=3)
    known = ", ".join(near or sorted(CHIPS))
    raise ConfigError(
        f'the chip table has no "{clean(part, 40)}"',
        hint=f"{'the nearest are' if near else 'it has'} {known}; for any other chip give its sectors instead, "
        'as sectors = "128*8K@0x08000000"',
    )
