"""The bench below pyusb: a backend whose devices are emulated boards. All the code above it is the real one."""

import errno
from array import array
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import usb.backend
import usb.core

from flashdeckd.host import threads
from flashdeckd.virtual.board import Attachment, VirtualBoard
from flashdeckd.virtual.control import Recipient, Setup, Standard
from flashdeckd.virtual.identity import InterfaceSetting

BUS = 1
FULL_SPEED = 2
"""As libusb numbers the speeds."""
_CONFIGURATION = 1


class Handle:
    """A connection that somebody has opened."""

    def __init__(self, connection: Attachment) -> None:
        self.connection = connection


class VirtualBackend(usb.backend.IBackend):
    """The part of libusb that pyusb needs for control transfers; no bulk transfers, no kernel drivers."""

    def __init__(self, boards: Sequence[VirtualBoard]) -> None:
        self._boards = boards
        self._claims: dict[tuple[Attachment, int], Handle] = {}
        self._lock = threads.lock()

    def enumerate_devices(self) -> Iterator[Attachment]:
        """Return each device that is on the bus now."""
        return iter([found for board in self._boards if (found := board.connection()) is not None])

    def get_parent(self, dev: object) -> None:
        """The root hub is not shown."""

    def get_device_descriptor(self, dev: object) -> SimpleNamespace:
        """The device descriptor, and where the device is plugged in."""
        connection = _connection(dev)
        identity, port = connection.identity, connection.board.spec.port
        raw = identity.device()
        return SimpleNamespace(
            bLength=raw[0],
            bDescriptorType=raw[1],
            bcdUSB=int.from_bytes(raw[2:4], "little"),
            bDeviceClass=raw[4],
            bDeviceSubClass=raw[5],
            bDeviceProtocol=raw[6],
            bMaxPacketSize0=raw[7],
            idVendor=identity.usb_id.vendor,
            idProduct=identity.usb_id.product,
            bcdDevice=identity.bcd_device,
            iManufacturer=raw[14],
            iProduct=raw[15],
            iSerialNumber=raw[16],
            bNumConfigurations=raw[17],
            address=connection.address,
            bus=BUS,
            port_number=port,
            port_numbers=(port,),
            speed=FULL_SPEED,
        )

    def get_configuration_descriptor(self, dev: object, config: int) -> SimpleNamespace:
        """The only configuration."""
        if config != 0:
            raise IndexError(f"configuration {config}")
        raw = _connection(dev).identity.configuration()
        return SimpleNamespace(
            bLength=raw[0],
            bDescriptorType=raw[1],
            wTotalLength=int.from_bytes(raw[2:4], "little"),
            bNumInterfaces=raw[4],
            bConfigurationValue=raw[5],
            iConfiguration=raw[6],
            bmAttributes=raw[7],
            bMaxPower=raw[8],
            extra_descriptors=[],
        )

    def get_interface_descriptor(self, dev: object, intf: int, alt: int, config: int) -> SimpleNamespace:
        """An alternate setting; IndexError past the last, by which pyusb knows that it has seen all."""
        if config != 0:
            raise IndexError(f"configuration {config}")
        settings = _connection(dev).identity.settings
        setting = _setting(settings, intf, alt)
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=4,
            bInterfaceNumber=setting.interface,
            bAlternateSetting=setting.alternate,
            bNumEndpoints=len(setting.endpoints),
            bInterfaceClass=setting.class_code,
            bInterfaceSubClass=setting.subclass,
            bInterfaceProtocol=setting.protocol,
            iInterface=setting.string,
            extra_descriptors=list(setting.extra),
        )

    def get_endpoint_descriptor(self, dev: object, ep: int, intf: int, alt: int, config: int) -> SimpleNamespace:
        """An endpoint of an alternate setting, counted from 0."""
        if config != 0:
            raise IndexError(f"configuration {config}")
        endpoint = _setting(_connection(dev).identity.settings, intf, alt).endpoints[ep]
        return SimpleNamespace(
            bLength=7,
            bDescriptorType=5,
            bEndpointAddress=endpoint.address,
            bmAttributes=endpoint.attributes,
            wMaxPacketSize=endpoint.packet,
            bInterval=endpoint.interval,
            bRefresh=0,
            bSynchAddress=0,
            extra_descriptors=[],
        )

    def open_device(self, dev: object) -> Handle:
        """Opens a device that is still there."""
        connection = _connection(dev)
        connection.board.check(connection)
        return Handle(connection)

    def close_device(self, dev_handle: object) -> None:
        """Closes it and lets go of what it had claimed."""
        with self._lock:
            self._claims = {key: owner for key, owner in self._claims.items() if owner is not dev_handle}

    def get_configuration(self, dev_handle: object) -> int:
        """Devices are configured when they are enumerated; EIO for an answer without any data, as libusb has it."""
        connection = _handle(dev_handle).connection
        answer = self._standard(connection, Setup(0x80, Standard.GET_CONFIGURATION, 0, 0, 1))
        if not answer:
            raise usb.core.USBError("Input/Output Error", -1, errno.EIO)
        return answer[0]

    def set_configuration(self, dev_handle: object, config_value: int) -> None:
        """SET_CONFIGURATION."""
        self._standard(_handle(dev_handle).connection, Setup(0x00, Standard.SET_CONFIGURATION, config_value, 0, 0))

    def set_interface_altsetting(self, dev_handle: object, intf: int, altsetting: int) -> None:
        """SET_INTERFACE."""
        self._standard(
            _handle(dev_handle).connection, Setup(Recipient.INTERFACE, Standard.SET_INTERFACE, altsetting, intf, 0)
        )

    def claim_interface(self, dev_handle: object, intf: int) -> None:
        """Claims an interface for this handle; EBUSY while another one has it."""
        connection = _handle(dev_handle).connection
        connection.board.check(connection)
        with self._lock:
            if self._claims.setdefault((connection, intf), _handle(dev_handle)) is not dev_handle:
                raise usb.core.USBError("Resource busy", -6, errno.EBUSY)

    def release_interface(self, dev_handle: object, intf: int) -> None:
        """Releases what this handle claimed."""
        connection = _handle(dev_handle).connection
        with self._lock:
            if self._claims.get((connection, intf)) is dev_handle:
                del self._claims[connection, intf]
        connection.board.check(connection)

    def ctrl_transfer(  # noqa: PLR0917 - pyusb calls it so
        self,
        dev_handle: object,
        bmRequestType: int,  # noqa: N803 - pyusb names it
        bRequest: int,  # noqa: N803 - pyusb names it
        wValue: int,  # noqa: N803 - pyusb names it
        wIndex: int,  # noqa: N803 - pyusb names it
        data: "array[int]",
        timeout: int,
    ) -> int:
        """One control transfer; how many bytes it moved. `timeout` in milliseconds, 0 for none."""
        connection = _handle(dev_handle).connection
        size = len(data)
        setup = Setup(bmRequestType, bRequest, wValue, wIndex, size)
        is_in = setup.is_in
        out = b"" if is_in else data.tobytes()
        answer = connection.board.transfer(connection, setup, out, timeout / 1000 if timeout else None)
        if not is_in:
            return size
        moved = len(answer)
        data[:moved] = array("B", answer)
        return moved

    def reset_device(self, dev_handle: object) -> None:
        """A bus reset; the device keeps its place and its address."""
        connection = _handle(dev_handle).connection
        connection.board.reset(connection)

    @staticmethod
    def _standard(connection: Attachment, setup: Setup) -> bytes:
        return connection.board.transfer(connection, setup, b"", 1.0)


def _setting(settings: Sequence[InterfaceSetting], intf: int, alt: int) -> InterfaceSetting:
    """Pyusb counts interfaces, whatever their numbers are."""
    number = sorted({setting.interface for setting in settings})[intf]
    return [setting for setting in settings if setting.interface == number][alt]


def _connection(dev: object) -> Attachment:
    """Pyusb hands back what `enumerate_devices` gave it."""
    if not isinstance(dev, Attachment):
        raise TypeError(f"{dev!r} is no device of this backend")
    return dev


def _handle(dev_handle: object) -> Handle:
    """Pyusb hands back what `open_device` gave it."""
    if not isinstance(dev_handle, Handle):
        raise TypeError(f"{dev_handle!r} is no handle of this backend")
    return dev_handle
