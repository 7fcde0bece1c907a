"""A USB device as hotplug shows it, without opening it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from flashdeck.config import UsbId
from flashdeckd.dfu.quirks import quirk_of

EMULATED_CONTROLLER = "virtual-bench"
"""The controller of emulated devices; the kernel knows of none with that name."""
DFU_CLASS = 0xFE
DFU_SUBCLASS = 0x01
PROTOCOL_RUNTIME = 1
PROTOCOL_DFU = 2


@dataclass(frozen=True, slots=True, order=True)
class InterfaceClass:
    """Class codes of one alternate setting."""

    number: int
    alternate: int
    class_code: int
    subclass: int
    protocol: int

    @property
    def is_dfu(self) -> bool:
        """Tell whether this is a DFU interface, run-time or DFU mode (USB DFU 1.1, 4.1.2 and 4.2.3)."""
        return (self.class_code, self.subclass) == (DFU_CLASS, DFU_SUBCLASS)


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """One enumeration of a USB device: a replug makes another one, with a new `address`."""

    name: str
    """The kernel's name for the place: bus and hub ports, as `1-4.2`."""
    port: str
    """The controller and the chain of hub ports, as in udev's ID_PATH: `pci-0000:00:14.0-usb-0:4.2`."""
    bus: int
    address: int
    usb_id: UsbId
    bcd_device: int
    serial: str = ""
    """Cleaned of control characters; "" where the device has none."""
    product: str = ""
    """The same."""
    interfaces: tuple[InterfaceClass, ...] = ()
    dfu_version: int | None = None
    """bcdDFUVersion of its DFU functional descriptor, None where it has none."""
    speed: str = ""
    """The speed of its link in Mbit/s (sysfs-bus-usb: 1.5, 12, 480, ...); "" where the kernel does not say."""
    manufacturer: str = field(default="", compare=False)
    """As `product`."""
    setting_names: tuple[str, ...] = field(default=(), compare=False)
    """The names of the chosen alternate settings of its DFU interfaces, cleaned: they may come later than all the rest,
    and then it is still the same enumeration."""

    @property
    def has_dfu(self) -> bool:
        """Tell whether any interface is a DFU one."""
        return any(interface.is_dfu for interface in self.interfaces)

    @property
    def in_dfu_mode(self) -> bool:
        """Tell whether any DFU interface is in DFU mode, by what the device says or by what is known of it."""
        quirk = quirk_of(self.usb_id, self.bcd_device)
        count = len({interface.number for interface in self.interfaces})
        return any(
            interface.is_dfu and quirk.is_dfu_mode(interface.protocol, self.dfu_version, count)
            for interface in self.interfaces
        )

    @property
    def controller(self) -> str:
        """The host controller behind the root hub, as `port` begins: one xHCI has two buses, and is one controller."""
        return self.port.rpartition("-usb-0:")[0] or self.port

    @property
    def is_emulated(self) -> bool:
        """Tell whether it is one of an emulated bench, of which sysfs knows nothing."""
        return self.port.startswith(f"{EMULATED_CONTROLLER}-")

    def is_at(self, port: str) -> bool:
        """Tell whether `port`, in either form, names where this device is plugged in."""
        return port in (self.name, self.port)


@dataclass(frozen=True, slots=True, order=True)
class UnreadDevice:
    """A device on the bus of which the kernel does not say what it is: it hangs, or cannot be read.

    All but its name is as far as it is known without asking the device.
    """

    name: str
    """The kernel's name for the place, as `1-4.2`."""
    reason: str
    port: str = ""
    """As that of a `UsbDevice`; "" where it is not known."""
    serial: str = ""
    """In udev's spelling (`udev_database.spelled`); "" where it is not known."""
    usb_id: UsbId | None = None

    def is_at(self, port: str) -> bool:
        """Tell whether `port`, in either form, names where it is plugged in."""
        return port in {self.name, self.port} and bool(port)


class HotplugSource(Protocol):
    """A source of snapshots of the bus: pyudev, or an emulated bench."""

    def snapshots(self) -> AsyncGenerator[frozenset[UsbDevice], None]:
        """All devices now, and all of them again whenever that, `unread` or `trouble` changes.

        Fast changes may be folded into one, so a device that went and came back shows only by its new `address`.
        Ends when the iterator is closed.
        """
        ...

    @property
    def trouble(self) -> str:
        """The reason why the source does not see devices as it should; "" when it does."""
        ...

    @property
    def hint(self) -> str:
        """The thing to do about `trouble`."""
        ...

    @property
    def unread(self) -> tuple[UnreadDevice, ...]:
        """The devices that are on the bus and in no snapshot, because the kernel does not say what they are."""
        ...
