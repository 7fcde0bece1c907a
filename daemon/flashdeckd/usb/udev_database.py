"""The part of udev's database that says of a device what it is, without asking the device or the kernel.

It is read only of a device that the kernel does not tell of: udev changes spellings, so nothing there is an identity.
Its files are lines, of which those that begin with `E:` are properties (systemd's sd-device: device_read_db).
"""

from pathlib import Path

from flashdeck.config import UsbId
from flashdeck.text import clean
from flashdeckd.host import files

DATABASE = Path("/run/udev/data")
MAX_ENTRY = 1 << 16
"""Bytes that are looked at of one device's entry."""
_USB_MAJOR = 189
"""Of the device nodes of usbfs (admin-guide/devices.txt of the kernel), 128 for each bus."""
_DEVICES_OF_BUS = 128
_SAFE = frozenset("#+-.:=@_")


def properties(database: Path, bus: int, address: int) -> dict[str, str]:
    """Return what udev has noted of a device; nothing where it has no entry. Blocks."""
    number = (bus - 1) * _DEVICES_OF_BUS + address - 1
    try:
        raw = files.contents(database / f"c{_USB_MAJOR}:{number}", MAX_ENTRY)
    except OSError:
        return {}
    lines = raw.decode(errors="replace").splitlines()
    pairs = (line.removeprefix("E:").partition("=") for line in lines if line.startswith("E:"))
    return {key: clean(value) for key, _, value in pairs}


def usb_id(noted: dict[str, str]) -> UsbId | None:
    """Return the USB id that udev has noted, None where it has none."""
    try:
        return UsbId(int(noted["ID_VENDOR_ID"], 16), int(noted["ID_MODEL_ID"], 16))
    except (KeyError, ValueError):
        return None


def spelled(serial: str) -> str:
    """Return a serial as udev spells it in ID_SERIAL_SHORT: what is no plain character becomes `_`."""
    return "".join(each if each in _SAFE or (each.isascii() and each.isalnum()) else "_" for each in _joined(serial))


def _joined(text: str) -> str:
    return "_".join(text.split())
