"""The parts of a machine that the daemon stands on, and where each is looked for."""

from dataclasses import dataclass
from pathlib import Path

from flashdeck.config import Config, UsbId
from flashdeckd.usb.device import UsbDevice

LONGEST_ANSWER = 64 * 1024
"""Bytes that are read of one file of the kernel, or of udev."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A daemon's own places, and the kernel's; a test gives others."""

    config: Config
    devices: frozenset[UsbDevice]
    state_dir: Path
    sockets: tuple[Path, ...] = ()
    """Places where a client looks for a daemon and this one does not listen."""
    proc: Path = Path("/proc")
    run: Path = Path("/run")
    var: Path = Path("/var")
    nodes: Path = Path("/dev/bus/usb")
    sysfs: Path = Path("/sys/bus/usb/devices")

    def node(self, device: UsbDevice) -> Path:
        """Return the device's node, through which it is opened."""
        return node_of(self.nodes, device)

    @property
    def wanted(self) -> frozenset[UsbDevice]:
        """The devices that are of any interest: those of the configuration, and those with DFU."""
        ids = ids_of(self.config)
        return frozenset(device for device in self.devices if device.usb_id in ids or device.has_dfu)


def ids_of(config: Config) -> frozenset[UsbId]:
    """Return the USB ids that the configuration names."""
    profiles = config.profiles.values()
    return frozenset(each for profile in profiles for each in (profile.dfu, profile.app) if each is not None)


def node_of(nodes: Path, device: UsbDevice) -> Path:
    """Return a device's node below the directory of all of them."""
    return nodes / f"{device.bus:03d}" / f"{device.address:03d}"
