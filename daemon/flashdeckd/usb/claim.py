"""Our claim of an interface, as the kernel has it.

A bus reset by somebody else takes it away, and with the next transfer usbfs claims the interface again without a word
(checkintf in the kernel's drivers/usb/core/devio.c). But the bootloader has begun anew: ST's class has its default
address pointer again, and the next block would land there instead of in the partition.
"""

from pathlib import Path

from flashdeckd.host import files
from flashdeckd.usb.device import UsbDevice

DEVICES = Path("/sys/bus/usb/devices")
_NOWHERE = Path("/nonexistent")
_USBFS = "/usbfs"


class Claim:
    """The claim of one interface, from when it was made. Costs one look at sysfs, and no transfer."""

    def __init__(self, device: UsbDevice, configuration: int, interface: int, devices: Path | None = None) -> None:
        """`devices` is the directory of USB devices and interfaces; where they are not, nothing can be seen.

        None means that of sysfs. An emulated device is not there, but a real one may be that has its name.
        """
        if devices is None:
            devices = _NOWHERE if device.is_emulated else DEVICES
        self._link = str(devices / f"{device.name}:{configuration}.{interface}" / "driver")
        self._is_seen = self._is_held()

    @property
    def is_lost(self) -> bool:
        """Tell whether the claim was seen once, and is no more."""
        return self._is_seen and not self._is_held()

    def _is_held(self) -> bool:
        try:
            return files.target(self._link).endswith(_USBFS)
        except OSError:
            return False
