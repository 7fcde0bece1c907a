"""The second addresses that chips with TrustZone give their flash and RAM, for secure code. Pure.

The same memory has two addresses, by which the core tells secure from non-secure accesses (ST RM0481, RM0456 and
RM0438, "Memory map": flash at 0x08000000 and 0x0c000000, SRAM at 0x20000000 and 0x30000000).
"""

from dataclasses import replace

from flashdeck.geometry import Geometry, Range

FLASH_OFFSET = 0x04000000
RAM_OFFSET = 0x10000000
SECURE_FLASH = Range(0x0C000000, 0x10000000)
"""The first secure address of flash."""


def secure_view(geometry: Geometry) -> Geometry:
    """Return `geometry` at its secure addresses. Its RAM has both, because secure code may use either."""
    secure_ram = tuple(Range(area.start + RAM_OFFSET, area.end + RAM_OFFSET) for area in geometry.ram)
    regions = tuple(replace(region, address=region.address + FLASH_OFFSET) for region in geometry.regions)
    return replace(geometry, regions=regions, ram=geometry.ram + secure_ram)
