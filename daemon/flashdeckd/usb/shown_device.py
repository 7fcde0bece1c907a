"""A device that is no configured board, as clients see it: by what hotplug knows of it. Pure."""

from flashdeck.model import DeviceMode, DeviceState, WayIntoDfu
from flashdeckd.usb.device import PROTOCOL_RUNTIME, UsbDevice

_COMMUNICATIONS, _ABSTRACT_CONTROL = 0x02, 0x02
"""Class and subclass of a serial port (USB CDC 1.2, 4.2 and 4.3)."""
_PROBES = frozenset(
    {
        0x0483: range(0x3740, 0x3760),  # ST-LINK
        0x0D28: range(0x0200, 0x0210),  # DAPLink
        0x1366: range(0x10000),  # J-Link
        0x1FC9: range(0x0080, 0x0150),  # LPC-Link, MCU-Link
        0x1D50: range(0x6017, 0x6019),  # Black Magic Probe
        0x2E8A: range(0x000C, 0x000D),  # Debugprobe
    }.items()
)
"""Debug probes (usb.ids): they have serial ports, and are never the board that is to be flashed."""


def ways_shown(device: UsbDevice) -> tuple[WayIntoDfu, ...]:
    """Return the ways into DFU mode that a running device shows; none for one that is there, or for a debug probe."""
    if device.in_dfu_mode or _is_probe(device):
        return ()
    ways: list[WayIntoDfu] = []
    if any(each.is_dfu and each.protocol == PROTOCOL_RUNTIME for each in device.interfaces):
        ways.append(WayIntoDfu.DETACH)
    if any((each.class_code, each.subclass) == (_COMMUNICATIONS, _ABSTRACT_CONTROL) for each in device.interfaces):
        ways.append(WayIntoDfu.TOUCH)
    return tuple(ways)


def shown_device(device: UsbDevice, note: str, *, serial_shared: bool = False) -> DeviceState:
    """Return all that is known of a device, with a note on why it is no board."""
    return DeviceState(
        port=device.name,
        usb_id=str(device.usb_id),
        serial=device.serial,
        product=device.product,
        bcd_device=device.bcd_device,
        note=note,
        serial_shared=serial_shared,
        mode=DeviceMode.RUNNING if ways_shown(device) else DeviceMode.DFU,
        manufacturer=device.manufacturer,
        dfu_version=device.dfu_version,
        setting_names=device.setting_names,
        ways_into_dfu=ways_shown(device),
        alternates=_alternates(device),
    )


def _alternates(device: UsbDevice) -> tuple[int, ...]:
    """Return the numbers of the alternate settings of a device in DFU mode."""
    if not device.in_dfu_mode:
        return ()
    return tuple(sorted({interface.alternate for interface in device.interfaces if interface.is_dfu}))


def _is_probe(device: UsbDevice) -> bool:
    return any(device.usb_id.vendor == vendor and device.usb_id.product in products for vendor, products in _PROBES)
