"""The kernel's virtual host controller (vhci_hcd): ports that take a device from a socket, through sysfs."""

import socket
from dataclasses import dataclass
from pathlib import Path

from flashdeckd.virtual.board import Attachment
from vm.usbip import Export, Tally

_PLATFORM = Path("/sys/devices/platform")
_CONTROL = _PLATFORM / "vhci_hcd.0"
PORTS = 15
"""Full-speed ports of a controller. As many ports for super speed follow them in the numbering."""
CONTROLLERS = 8
_FULL_SPEED = 2
"""As the kernel's enum usb_device_speed numbers it."""
_FREE = "004"
"""VDEV_ST_NULL: nothing is attached."""


@dataclass(frozen=True, slots=True)
class Port:
    """One port, counted from 1 over all controllers."""

    number: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= PORTS * CONTROLLERS:
            raise ValueError(f"vhci_hcd has no port {self.number}")

    @property
    def controller(self) -> str:
        """The name of its controller."""
        return f"vhci_hcd.{(self.number - 1) // PORTS}"

    @property
    def hub_port(self) -> int:
        """Its number on its root hub."""
        return (self.number - 1) % PORTS + 1

    @property
    def path(self) -> str:
        """Its place as udev's ID_PATH has it."""
        return f"platform-{self.controller}-usb-0:{self.hub_port}"

    @property
    def name(self) -> str:
        """What the kernel calls a device in it."""
        return f"{self._bus()}-{self.hub_port}"

    @property
    def device(self) -> Path:
        """Where sysfs has a device that is in it."""
        return Path("/sys/bus/usb/devices", self.name)

    @property
    def empty(self) -> bool:
        """Whether a device can be attached, the last one being gone for the kernel's hub driver, too."""
        return self._status() == _FREE and not self.device.exists()

    def attach(self, connection: Attachment, tally: Tally) -> Export:
        """Plugs an enumeration of a board in."""
        ours, theirs = socket.socketpair()
        with theirs:
            (_CONTROL / "attach").write_text(f"{self._kernel_number} {theirs.fileno()} {self.number} {_FULL_SPEED}")
        return Export(connection, ours, tally)

    @property
    def _kernel_number(self) -> int:
        return (self.number - 1) // PORTS * 2 * PORTS + self.hub_port - 1

    def _status(self) -> str:
        index = (self.number - 1) // PORTS
        text = (_CONTROL / (f"status.{index}" if index else "status")).read_text()
        (status,) = [
            fields[2]
            for fields in map(str.split, text.splitlines()[1:])
            if fields[0] == "hs" and int(fields[1]) == self._kernel_number
        ]
        return status

    def _bus(self) -> int:
        """The bus of the controller's first root hub; the other one is for super speed."""
        return min(int(path.name.removeprefix("usb")) for path in (_PLATFORM / self.controller).glob("usb[0-9]*"))
