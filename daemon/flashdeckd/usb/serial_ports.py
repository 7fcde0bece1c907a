"""The serial ports of a USB device: found by where the device is plugged in, never by their numbers.

The kernel's drivers make a tty below the interface that they drive: `1-4.2:1.0/tty/ttyACM0` (cdc_acm), or
`1-4.2:1.0/ttyUSB0/tty/ttyUSB0` (usb-serial).
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from flashdeckd.host import files
from flashdeckd.host.serial_lines import DeviceNumber
from flashdeckd.usb.device import UsbDevice

MAX_PORTS: Final = 16
"""Serial ports that are taken from one device."""
_MAX_ATTRIBUTE: Final = 64
"""Bytes of an attribute that is a number or two."""


@dataclass(frozen=True, slots=True, order=True)
class SerialPort:
    """One serial port of one enumeration of a device. They are ordered by the interface, and then by the name."""

    interface: int
    """The number of the USB interface that it belongs to."""
    node: Path
    number: DeviceNumber
    """Of the node: another device may get the name once this one has gone."""


class SerialPorts(Protocol):
    """A source of serial ports: sysfs, or an emulated bench."""

    def of(self, device: UsbDevice, /) -> tuple[SerialPort, ...]:
        """Return the ports of exactly this enumeration, in order; none where it has gone. Blocks, and opens none."""
        ...


class EmulatedPorts(SerialPorts, Protocol):
    """An emulated bench as such a source."""

    def has(self, number: DeviceNumber, /) -> bool:
        """Return whether a device is one of the ports of the bench, also one that belongs to no device on the bus."""
        ...


class SysfsSerialPorts:
    """The serial ports of this machine's USB devices."""

    def __init__(self, devices: Path = Path("/sys/bus/usb/devices"), nodes: Path = Path("/dev")) -> None:
        self._devices = devices
        self._nodes = nodes

    def of(self, device: UsbDevice) -> tuple[SerialPort, ...]:
        """Return the ports of exactly this enumeration, in order."""
        place = self._devices / device.name
        found = sorted(islice(self._below(place), MAX_PORTS)) if _is_there(place, device) else []
        return tuple(found) if _is_there(place, device) else ()  # the next device at that place gets the same directory

    def _below(self, place: Path) -> Iterator[SerialPort]:
        for interface in _directories(place):
            if not interface.name.startswith(f"{place.name}:"):
                continue
            number = _number(interface / "bInterfaceNumber", 16)
            for tty in (*_directories(interface / "tty"), *_of_drivers(interface)):
                device_number = _device_number(tty / "dev")
                if number is not None and device_number is not None:
                    yield SerialPort(number, self._nodes / tty.name, device_number)


def _of_drivers(interface: Path) -> Iterator[Path]:
    """Yield the ttys of drivers that put a port of their own between the interface and them."""
    for port in _directories(interface):
        if port.name != "tty":
            yield from _directories(port / "tty")


def _is_there(place: Path, device: UsbDevice) -> bool:
    return _number(place / "devnum", 10) == device.address


def _directories(place: Path) -> Iterator[Path]:
    names: list[str] = []
    with suppress(OSError):  # it has gone, or has none
        names = files.names(place)
    return (place / name for name in names if files.is_directory(place / name) and not files.is_link(place / name))


def _number(attribute: Path, base: int) -> int | None:
    with suppress(OSError, ValueError):
        return int(files.contents(attribute, _MAX_ATTRIBUTE), base)
    return None


def _device_number(attribute: Path) -> DeviceNumber | None:
    with suppress(OSError, ValueError):
        major, minor = files.contents(attribute, _MAX_ATTRIBUTE).decode().split(":")
        return int(major), int(minor)
    return None
