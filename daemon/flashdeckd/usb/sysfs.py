"""Reads a USB device from sysfs, without opening it and without udev's database. It may block for ever.

The kernel gives a string of a device (`serial`, `product`) only once nobody else has the device's lock
(usb_string_attr in drivers/usb/core/sysfs.c), and where a device hangs in a request, somebody has it for as long.

Attributes: the kernel's Documentation/ABI/stable/sysfs-bus-usb and testing/sysfs-bus-usb. They are there in every
container that sees the device; udev's ID_* properties are not.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePath

from flashdeck.config import UsbId
from flashdeck.text import clean
from flashdeckd.host import files
from flashdeckd.usb.descriptors import MAX_BYTES, dfu_version, interfaces
from flashdeckd.usb.device import UsbDevice

HUB_CLASS = 9
_GONE = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO, errno.ENOTDIR})
_MAX_ATTRIBUTE = 4096
"""Bytes of a text attribute; sysfs has no longer ones."""
MAX_NAMES = 8
"""DFU interfaces of one device whose names are read; real ones have one."""
MAX_SPEED = 16
"""Characters kept of a link's speed."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A device on the way from a USB device up to the root of the tree."""

    subsystem: str
    """"" where the kernel gives none, as for `pci0000:00`."""
    name: str


def read_device(directory: Path, known: UsbDevice | None = None) -> UsbDevice | None:
    """The device whose sysfs directory this is; `known` where it still is that, of which nothing is read again.

    Only the names of its DFU interfaces are, while there are none: their directories come a moment after its own. None
    for a hub, and for a device that left or was replaced while it was read (an event for that follows). Raises OSError
    where sysfs cannot be read for any other reason.
    """
    try:
        address = devnum_of(directory)
        if known is not None and known.address == address:
            return _with_names(directory, known)
        if _integer(directory, "bDeviceClass", 16) == HUB_CLASS:
            return None
        raw = files.contents(directory / "descriptors", MAX_BYTES, wait=True)
        device = UsbDevice(
            name=directory.name,
            port=port_of(directory.name, ancestors(directory)),
            bus=_integer(directory, "busnum", 10),
            address=address,
            usb_id=UsbId(_integer(directory, "idVendor", 16), _integer(directory, "idProduct", 16)),
            bcd_device=_integer(directory, "bcdDevice", 16),
            serial=_optional_text(directory, "serial"),
            product=_optional_text(directory, "product"),
            interfaces=interfaces(raw),
            dfu_version=dfu_version(raw),
            speed=_optional_text(directory, "speed")[:MAX_SPEED],
            manufacturer=_optional_text(directory, "manufacturer"),
        )
        device = _with_names(directory, device)
        # The next device at the same place gets the same directory; never mix two.
        return device if devnum_of(directory) == address else None
    except ValueError:
        return None
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise


def _with_names(directory: Path, device: UsbDevice) -> UsbDevice:
    """Return the device with the names of its DFU interfaces, as far as the kernel has them."""
    if device.setting_names or not device.has_dfu:
        return device
    numbers = {interface.number for interface in device.interfaces if interface.is_dfu}
    found: list[str] = []
    for name in files.names(directory):
        # 1-4.2:1.0 is interface 0 of configuration 1; its attribute `interface` is a string that the kernel has kept.
        start, dot, number = name.rpartition(".")
        if dot and start.startswith(f"{directory.name}:") and number.isdecimal() and int(number) in numbers:
            found.append(_optional_text(directory / name, "interface"))
            if len(found) == MAX_NAMES:
                break
    names = tuple(filter(None, found))
    return replace(device, setting_names=names) if names else device


def devnum_of(directory: Path) -> int:
    """The address of the device in this sysfs directory; raises OSError and ValueError."""
    return _integer(directory, "devnum", 10)


def ancestors(directory: Path) -> tuple[Ancestor, ...]:
    """The devices above the one in this sysfs directory, nearest first."""
    return tuple(
        Ancestor(_subsystem(parent), parent.name) for parent in directory.parents if files.exists(parent / "uevent")
    )


def port_of(name: str, above: Sequence[Ancestor]) -> str:
    """Return where a device called `name` (`1-4.2`) with these ancestors is plugged in, as in udev's ID_PATH.

    The chain of hub ports is the part of the name after the bus number, which may change over a reboot. In front of it
    comes the controller: of each run of ancestors in one subsystem the nearest, so that of PCI bridges and the function
    behind them only the function counts. `pci-0000:00:14.0-usb-0:4.2`, `platform-vhci_hcd.0-usb-0:1`.
    """
    bus, _, ports = name.partition("-")
    parts = [f"usb-0:{ports}"]
    for subsystem, run in groupby(above, key=lambda device: device.subsystem):
        if subsystem in _CONTROLLERS:
            parts.insert(0, f"{subsystem}-{next(run).name}")
    if len(parts) == 1:
        # A controller on a bus that ID_PATH has no word for: the bus number is all there is to tell two apart.
        parts.insert(0, f"bus-{bus}")
    return "-".join(parts)


_CONTROLLERS = frozenset({"pci", "platform"})


def _subsystem(directory: Path) -> str:
    try:
        return PurePath(files.target(directory / "subsystem")).name
    except OSError:
        return ""


def _integer(directory: Path, attribute: str, base: int) -> int:
    return int(files.contents(directory / attribute, _MAX_ATTRIBUTE, wait=True), base)


def _optional_text(directory: Path, attribute: str) -> str:
    try:
        raw = files.contents(directory / attribute, _MAX_ATTRIBUTE, wait=True)
    except FileNotFoundError:
        return ""
    # sysfs adds one line feed; all others are the device's.
    return clean(raw.removesuffix(b"\n").decode(errors="replace"))
