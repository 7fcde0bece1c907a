"""The kernel's own mark of one enumeration of a device, by which a later daemon knows that nobody unplugged it.

The directory of a device in sysfs has an inode number that the kernel gives to nothing else until it is booted again
(kernfs: `kernfs_get_inode` in fs/kernfs/inode.c takes the node's id, which `__kernfs_new_node` counts up). The number
that the bus gives the device is no such mark: there are 127 of them.
"""

from pathlib import Path

from flashdeckd.host import files, threads
from flashdeckd.usb.device import UsbDevice

DEVICES = Path("/sys/bus/usb/devices")
BOOT = Path("/proc/sys/kernel/random/boot_id")
MAX_MARK = 64
"""Bytes that are read of what the kernel says; a boot id has 37 (random(4)), and a number far fewer."""


async def enumeration_of(device: UsbDevice) -> str:
    """Return the mark of an enumeration; "" where the kernel has none, as of an emulated device, or one that left."""
    return "" if device.is_emulated else await threads.run(mark_of, device, DEVICES, BOOT)


def mark_of(device: UsbDevice, devices: Path, boot: Path) -> str:
    """Return the same by these files. Blocks."""
    try:
        booted = files.contents(boot, MAX_MARK, wait=True).decode().strip()
        inode = files.status(devices / device.name).st_ino
        number = files.contents(devices / device.name / "devnum", MAX_MARK, wait=True).decode().strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f"{booted}/{inode}" if number == str(device.address) else ""
