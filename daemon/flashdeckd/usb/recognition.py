"""Tells which device on the bus is which configured board. Pure; safety rule 3 lives here.

A board is recognised by serial, by port, or by both where both are configured; its USB ids only say in which of its two
identities it shows, and where both have the same ids, the kernel's descriptors do. Nothing is ever "the first found".

A serial that two devices have shown at once does not tell which one it is, also when one of them is alone later: until
a person releases the board, or says its port, it is no identity.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from flashdeck.config import Board, Config, Profile, UsbId
from flashdeck.model import DeviceState, Presence
from flashdeckd.usb.device import UnreadDevice, UsbDevice
from flashdeckd.usb.shown_device import shown_device, ways_shown
from flashdeckd.usb.udev_database import spelled


@dataclass(frozen=True, slots=True, order=True)
class SharedSerial:
    """A serial that two devices have shown at once, with the USB id of one of them."""

    usb_id: UsbId
    serial: str


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
    running: tuple[DeviceState, ...] = ()
    """Devices that are no configured board either, and whose application shows a way into DFU mode."""
    shared: frozenset[SharedSerial] = frozenset()
    """Serials that two devices show now."""
    unread: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The boards that each device which cannot be read may be, by the name of the device."""
    occupied: Mapping[str, str] = field(default_factory=dict[str, str])
    """The board that is in the port of a slot, by the slot's name: it is no unit."""


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


def recognise(
    config: Config,
    devices: Iterable[UsbDevice],
    last_ports: Mapping[str, str],
    *,
    shared: Collection[SharedSerial] = (),
    unread: Iterable[UnreadDevice] = (),
    with_units: Collection[str] = (),
) -> Roster:
    """Tells boards and strangers apart; a unit is in the slots `with_units`, also while it restarts.

    `last_ports` says where each board was last recognised: an application may enumerate with another serial than
    the bootloader, and then the port is the thread between the two. It never identifies a device in DFU mode, nor one
    in a slot with a unit.
    """
    present = sorted(devices, key=lambda device: (device.bus, device.address))
    unread = tuple(unread)
    shown = shared_now(config, present, unread)
    known = shown.union(shared)
    units = [config.boards[name].port for name in with_units if name in config.boards]
    free = [device for device in present if not any(device.is_at(port) for port in units)]
    candidates = {
        name: _candidates(board, present, free, last_ports.get(name, "")) for name, board in config.boards.items()
    }
    hanging = {
        name: [each for each in unread if _may_be(board, each, last_ports.get(name, ""))]
        for name, board in config.boards.items()
    }
    occupied = _known_in_slots(config, candidates)
    candidates |= {slot: {} for slot in occupied}
    claimed: dict[UsbDevice, list[str]] = {}
    for name, found in candidates.items():
        for device in found:
            claimed.setdefault(device, []).append(name)
    sightings = {
        name: _sighting(config.boards[name], found, claimed, known, hanging[name]) for name, found in candidates.items()
    }
    sightings |= {
        slot: Sighting(Presence.ABSENT, trouble=f"board {board} is in this port: it is no unit")
        for slot, board in occupied.items()
    }
    recognised = {sighting.device for sighting in sightings.values()}
    profiles = tuple(config.profiles.values())
    unknown = [device for device in present if device not in recognised]
    in_dfu = [device for device in unknown if device.in_dfu_mode or _may_be_in_dfu(device, profiles)]
    strangers = tuple(_stranger(device, claimed.get(device, []), known) for device in in_dfu)
    running = tuple(
        _stranger(device, claimed.get(device, []), known)
        for device in unknown
        if device not in in_dfu and ways_shown(device)
    )
    costs = {each.name: tuple(name for name, found in hanging.items() if each in found) for each in unread}
    return Roster(sightings, strangers, running, shown, costs, occupied)


def _known_in_slots(config: Config, candidates: Mapping[str, Mapping[UsbDevice, Presence]]) -> dict[str, str]:
    """Return the board in the port of each slot, where a device there may be a board that is no slot.

    A board is itself wherever it is plugged in, and never a unit; also where two devices look like it.
    """
    boards = {
        device: name for name, found in candidates.items() if config.boards[name].slot is None for device in found
    }
    return {slot: boards[device] for slot in config.slots for device in candidates[slot] if device in boards}


def shared_now(
    config: Config, devices: Iterable[UsbDevice], unread: Iterable[UnreadDevice] = ()
) -> frozenset[SharedSerial]:
    """Return the serials that two devices show at once which may be taken for each other.

    These have one USB id, or the two of one profile.
    """
    kin: dict[UsbId, set[UsbId]] = defaultdict(set)
    for profile in config.profiles.values():
        ids = {profile.dfu, *(() if profile.app is None else (profile.app,))}
        for usb_id in ids:
            kin[usb_id] |= ids
    shown: dict[str, list[tuple[UsbId, str]]] = defaultdict(list)
    for device in devices:
        if device.serial:
            shown[spelled(device.serial)].append((device.usb_id, device.serial))
    for hanging in unread:
        if hanging.serial and hanging.usb_id is not None:
            shown[hanging.serial].append((hanging.usb_id, ""))
    found: set[SharedSerial] = set()
    for alike in shown.values():
        for at, (usb_id, serial) in enumerate(alike):
            others = alike[:at] + alike[at + 1 :]
            if any(
                (other == usb_id or other in kin[usb_id]) and other_serial in {"", serial}
                for other, other_serial in others
            ):
                found.add(SharedSerial(usb_id, serial))
    return frozenset(each for each in found if each.serial)


def is_shared(board: Board, shared: Collection[SharedSerial]) -> bool:
    """Tell whether a board's serial, by which alone it would be known, is one that two devices have shown."""
    return not board.port and any(each in shared for each in serials_of(board))


def serials_of(board: Board) -> tuple[SharedSerial, ...]:
    """Return the serials, with their USB ids, that a board would be known by."""
    ids = (board.profile.dfu, board.profile.app)
    return tuple(SharedSerial(usb_id, board.serial) for usb_id in ids if usb_id is not None and board.serial)


def _may_be(board: Board, device: UnreadDevice, last_port: str) -> bool:
    """Tell whether a device that cannot be read may be the board, by what is known of it without asking it."""
    if not (board.serial or board.port) or device.usb_id not in (None, board.profile.dfu, board.profile.app):
        return False
    if board.port:
        return device.is_at(board.port)
    if board.serial and device.serial:
        return spelled(board.serial) == device.serial
    return device.is_at(last_port)


def _may_be_in_dfu(device: UsbDevice, profiles: Iterable[Profile]) -> bool:
    return any(mode_of(profile, device) is Presence.DFU for profile in profiles)


def _candidates(
    board: Board, devices: Iterable[UsbDevice], free: Collection[UsbDevice], last_port: str
) -> dict[UsbDevice, Presence]:
    """Return the devices that may be the board, each with its mode; only a `free` one may have another serial."""
    if not board.serial and not board.port:
        return {}
    modes = {device: mode for device in devices if (mode := mode_of(board.profile, device)) is not None}
    exact = {device: mode for device, mode in modes.items() if _is_exactly(board, device)}
    if exact:
        return exact
    port = board.port or last_port
    may_be = {each: mode for each, mode in modes.items() if each in free or board.port}
    return {each: mode for each, mode in may_be.items() if mode is Presence.APP and port and each.is_at(port)}


def _is_exactly(board: Board, device: UsbDevice) -> bool:
    return (not board.serial or board.serial == device.serial) and (not board.port or device.is_at(board.port))


def _sighting(
    board: Board,
    found: Mapping[UsbDevice, Presence],
    claimed: Mapping[UsbDevice, list[str]],
    shared: Collection[SharedSerial],
    hanging: list[UnreadDevice],
) -> Sighting:
    if not board.serial and not board.port:
        return Sighting(
            Presence.ABSENT,
            trouble=f"board {board.name} has neither serial nor port, so no device can be told to be it: "
            f"give it one of them in the configuration, or `flashdeck adopt DEVICE --name {board.name}`",
        )
    if not found:
        return Sighting(Presence.ABSENT, trouble=_hangs(board, hanging)) if hanging else ABSENT
    doubt = _doubt(board, found, claimed) or _twin(board, found, shared)
    if doubt:
        return Sighting(Presence.AMBIGUOUS, trouble=doubt)
    ((device, mode),) = found.items()
    return Sighting(mode, device)


def _hangs(board: Board, hanging: list[UnreadDevice]) -> str:
    places = ", ".join(device.name for device in hanging)
    return (
        f"the device at {places} may be board {board.name}, but {hanging[0].reason}; "
        "unplug it and plug it in again, or power-cycle its hub"
    )


def _twin(board: Board, found: Mapping[UsbDevice, Presence], shared: Collection[SharedSerial]) -> str:
    """Return why the serial of the one device found does not say that it is the board; "" where it does."""
    if not is_shared(board, shared):
        return ""
    return (
        f"two devices have shown the serial {board.serial} at once, and the one at {next(iter(found)).name} may be the "
        f"other: {_told_apart(board)}"
    )


def _told_apart(board: Board) -> str:
    if board.pins is not None:
        give = "take it out of boards.toml and adopt it again by its port"
    else:
        give = "add its port to the configuration"
    return f"{give}; or unplug all but the right one, and run `flashdeck release {board.name}`"


def _doubt(board: Board, found: Mapping[UsbDevice, Presence], claimed: Mapping[UsbDevice, list[str]]) -> str:
    """Return the reason why the device found may not be the board; "" when it is."""
    if len(found) > 1:
        places = ", ".join(device.name for device in found)
        return f"{len(found)} devices look like board {board.name} (at {places}): {_told_apart(board)}"
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


def _stranger(device: UsbDevice, claimed_by: list[str], shared: Collection[SharedSerial]) -> DeviceState:
    note = f"matches boards {', '.join(claimed_by)}" if claimed_by else "not configured"
    return shown_device(
        device, f"{note}: never touched", serial_shared=SharedSerial(device.usb_id, device.serial) in shared
    )
