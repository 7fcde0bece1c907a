"""Tells which device on the bus is which configured board. Pure; safety rule 3 lives here.

A board is recognised by serial, by port, or by both where both are configured; its USB ids only say in which of its two
identities it shows, and where both have the same ids, the kernel's descriptors do. Nothing is ever "the first found".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flashdeck.config import Board, Config, Profile
from flashdeck.model import DeviceState, Presence
from flashdeckd.usb.device import UsbDevice


@dataclass(frozen=True, slots=True)
class Sighting:
    """The place of one board now."""

    presence: Presence
    device: UsbDevice | None = None
    """The one device that it is; None unless `presence` is DFU or APP."""
    trouble: str = ""
    """The reason why it is not recognised, and what to do."""


ABSENT = Sighting(Presence.ABSENT)


@dataclass(frozen=True, slots=True)
class Roster:
    """All that is on the bus, told apart."""

    boards: Mapping[str, Sighting]
    strangers: tuple[DeviceState, ...]
    """DFU devices that are no configured board: listed, never touched."""


def mode_of(profile: Profile, device: UsbDevice) -> Presence | None:
    """Return in which of a profile's two identities a device shows: DFU or APP; None if it is no device of it.

    Many products keep their USB id: then a DFU interface with protocol 2 is DFU mode (USB DFU 1.1, 4.2.3), and
    everything else is the application, whether it has a run-time interface (4.1.2) or not.
    """
    if device.usb_id == profile.dfu == profile.app:
        return Presence.DFU if device.in_dfu_mode else Presence.APP
    if device.usb_id == profile.dfu:
        return Presence.DFU
    return Presence.APP if device.usb_id == profile.app else None


def recognise(config: Config, devices: Iterable[UsbDevice], last_ports: Mapping[str, str]) -> Roster:
    """Tells boards and strangers apart.

    `last_ports` says where each board was last recognised: an application may enumerate with another serial than
    the bootloader, and then the port is the thread between the two. It never identifies a device in DFU mode.
    """
    present = sorted(devices, key=lambda device: (device.bus, device.address))
    candidates = {name: _candidates(board, present, last_ports.get(name, "")) for name, board in config.boards.items()}
    claimed: dict[UsbDevice, list[str]] = {}
    for name, found in candidates.items():
        for device in found:
            claimed.setdefault(device, []).append(name)
    sightings = {name: _sighting(config.boards[name], found, claimed) for name, found in candidates.items()}
    recognised = {sighting.device for sighting in sightings.values()}
    profiles = tuple(config.profiles.values())
    strangers = tuple(
        _stranger(device, claimed.get(device, []))
        for device in present
        if device not in recognised and (device.in_dfu_mode or _may_be_in_dfu(device, profiles))
    )
    return Roster(sightings, strangers)


def _may_be_in_dfu(device: UsbDevice, profiles: Iterable[Profile]) -> bool:
    return any(mode_of(profile, device) is Presence.DFU for profile in profiles)


def _candidates(board: Board, devices: Iterable[UsbDevice], last_port: str) -> dict[UsbDevice, Presence]:
    """Return the devices that may be the board, each with its mode."""
    if not board.serial and not board.port:
        return {}
    modes = {device: mode for device in devices if (mode := mode_of(board.profile, device)) is not None}
    exact = {device: mode for device, mode in modes.items() if _is_exactly(board, device)}
    if exact:
        return exact
    port = board.port or last_port
    return {each: mode for each, mode in modes.items() if mode is Presence.APP and port and each.is_at(port)}


def _is_exactly(board: Board, device: UsbDevice) -> bool:
    return (not board.serial or board.serial == device.serial) and (not board.port or device.is_at(board.port))


def _sighting(board: Board, found: Mapping[UsbDevice, Presence], claimed: Mapping[UsbDevice, list[str]]) -> Sighting:
    if not board.serial and not board.port:
        return Sighting(
            Presence.ABSENT,
            trouble=f"board {board.name} has neither serial nor port, so no device can be told to be it: "
            f"give it one of them in the configuration, or `flashdeck adopt DEVICE --name {board.name}`",
        )
    if not found:
        return ABSENT
    doubt = _doubt(board, found, claimed)
    if doubt:
        return Sighting(Presence.AMBIGUOUS, trouble=doubt)
    ((device, mode),) = found.items()
    return Sighting(mode, device)


def _doubt(board: Board, found: Mapping[UsbDevice, Presence], claimed: Mapping[UsbDevice, list[str]]) -> str:
    """Return the reason why the device found may not be the board; "" when it is."""
    if len(found) > 1:
        places = ", ".join(device.name for device in found)
        return (
            f"{len(found)} devices look like board {board.name} (at {places}): "
            "unplug all but one, or add its port to the configuration"
        )
    ((device, mode),) = found.items()
    rivals = [name for name in claimed[device] if name != board.name]
    if rivals:
        return (
            f"the device at {device.name} matches board {board.name} and also {', '.join(rivals)}: "
            "give each of them a serial or a port of its own"
        )
    if mode is Presence.DFU and board.pins is not None and device.bcd_device != board.pins.bcd_device:
        return (
            f"the device at {device.name} looks like board {board.name}, but its bcdDevice is {device.bcd_device:04x} "
            f"and was {board.pins.bcd_device:04x} when it was adopted: if it is the same board, take it out of "
            "boards.toml and adopt it again"
        )
    return ""


def _stranger(device: UsbDevice, claimed_by: list[str]) -> DeviceState:
    note = f"matches boards {', '.join(claimed_by)}" if claimed_by else "not configured"
    return DeviceState(
        port=device.name,
        usb_id=str(device.usb_id),
        serial=device.serial,
        product=device.product,
        bcd_device=device.bcd_device,
        note=f"{note}: never touched",
    )
