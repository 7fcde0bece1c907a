"""The profiles that a device may be a board of, by how it speaks DFU and by its memory map. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from flashdeck.config import Profile
from flashdeck.first_board.chip_guess import maps_in, shows

DFUSE: Final = 0x011A
"""The bcdDFUVersion of devices with addresses (ST UM0424)."""


def speaks_plain(setting_names: Iterable[str], usb_id: str, dfu_version: int | None) -> bool:
    """Tell whether a device speaks plain DFU, without addresses; a memory map says more than its version."""
    return dfu_version not in (None, DFUSE) and not maps_in(setting_names, usb_id)


def of_its_kind(
    profiles: Iterable[Profile], setting_names: Iterable[str], usb_id: str, dfu_version: int | None
) -> list[Profile]:
    """Return the profiles that have addresses where a device has them; all where nothing tells if it has."""
    names = tuple(setting_names)
    if dfu_version is None and not maps_in(names, usb_id):
        return list(profiles)
    is_plain = speaks_plain(names, usb_id, dfu_version)
    return [profile for profile in profiles if profile.is_plain is is_plain]


def with_its_sectors(profiles: Sequence[Profile], setting_names: Iterable[str], usb_id: str) -> list[Profile]:
    """Return those of `profiles` whose flash has the sectors that a device's memory map shows."""
    maps = maps_in(setting_names, usb_id)
    return [profile for profile in profiles if profile.is_plain or shows(maps, profile.geometry)]
