"""Tells which device on the bus is which configured board. Pure; safety rule 3 lives here.

A board is recognised by serial, by port, or by both where both are configured; its USB ids only say in which of its two
identities it shows. Nothing is ever "the first found".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flashdeck.config import Board, Config
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
    dfu_ids = {profile.dfu for profile in config.profiles.values()}
    strangers = tuple(
        _stranger(device, claimed.get(device, []))
        for device in present
        if device not in recognised and (device.usb_id in dfu_ids or device.in_dfu_mode)
    )
    return Roster(sightings, strangers)


def _candidates(board: Board, devices: Iterable[UsbDevice], last_port: str) -> list[UsbDevice]:
    if not board.serial and not board.port:
        return []
    ids = {board.profile.dfu, board.profile.app}
    shown = [device for device in devices if device.usb_id in ids]
    exact = [device for device in shown if _is_exactly(board, device)]
    if exact:
        return exact
    port = board.port or last_port
    return [device for device in shown if device.usb_id == board.profile.app and port and device.is_at(port)]


def _is_exactly(board: Board, device: UsbDevice) -> bool:
    return (not board.serial or board.serial == device.serial) and (not board.port or device.is_at(board.port))


def _sighting(board: Board, found: list[UsbDevice], claimed: Mapping[UsbDevice, list[str]]) -> Sighting:
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
    (device,) = found
    return Sighting(Presence.DFU if device.usb_id == board.profile.dfu else Presence.APP, device)


def _doubt(board: Board, found: list[UsbDevice], claimed: Mapping[UsbDevice, list[str]]) -> str:
    """Return the reason why the device found may not be the board; "" when it is."""
    if len(found) > 1:
        places = ", ".join(device.name for device in found)
        return (
            f"{len(found)} devices look like board {board.name} (at {places}): "
            "unplug all but one, or add its port to the configuration"
        )
    (device,) = found
    rivals = [name for name in claimed[device] if name != board.name]
    if rivals:
        return (
            f"the device at {device.name} matches board {board.name} and also {', '.join(rivals)}: "
            "give each of them a serial or a port of its own"
        )
    is_dfu = device.usb_id == board.profile.dfu
    if is_dfu and board.pins is not None and device.bcd_device != board.pins.bcd_device:
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
