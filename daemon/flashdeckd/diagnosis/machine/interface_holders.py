"""Programs and drivers that have a device already: a DFU interface has one user at a time."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePath

from flashdeck.diagnosis import Finding, Severity
from flashdeck.text import clean
from flashdeckd.diagnosis.machine.surroundings import Surroundings
from flashdeckd.host import files, open_files
from flashdeckd.usb.device import UsbDevice


def findings(around: Surroundings) -> Iterator[Finding]:
    """Yield who has a device of interest open, and which driver of the kernel has its DFU interface."""
    for device in sorted(around.wanted, key=lambda device: device.name):
        others = open_files.holders(around.node(device), proc=around.proc)
        if others:
            who = " and ".join(map(str, others))
            yield Finding(
                code="device-open",
                severity=Severity.WARNING,
                seen=f"{who} {'have' if len(others) > 1 else 'has'} {device.usb_id} at {device.name} open",
                means="while it uses the DFU interface, jobs for this board wait",
                mend=f"end it: kill {' '.join(str(other.pid) for other in others)}",
            )
        driver = _driver(around, device)
        if driver:
            yield Finding(
                code="driver-bound",
                severity=Severity.WARNING,
                seen=f"the kernel's driver {driver} has the DFU interface of {device.usb_id} at {device.name}",
                means="flashdeck asks the kernel to take it off; where it does not, jobs for this board wait",
                mend=f"sudo modprobe --remove {driver}, if no other device needs it",
            )


def _driver(around: Surroundings, device: UsbDevice) -> str:
    """Return the driver of the device's DFU interface; "" for none, and for programs that use it by way of usbfs."""
    for interface in {each.number for each in device.interfaces if each.is_dfu}:
        # Configurations beside the first are unheard of in bootloaders; where there is one, nothing is said.
        link = around.sysfs / f"{device.name}:1.{interface}" / "driver"
        with suppress(OSError):
            name = PurePath(files.target(link)).name
            if name != "usbfs":
                return clean(name)
    return ""
