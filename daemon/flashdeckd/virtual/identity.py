"""The descriptors of a device, as bytes on the wire (USB 2.0, 9.6; USB DFU 1.1, 4)."""

import struct
from dataclasses import dataclass, field, replace

from flashdeck.config import UsbId
from flashdeckd.usb.device import DFU_CLASS, DFU_SUBCLASS, PROTOCOL_DFU, PROTOCOL_RUNTIME

ENGLISH = 0x0409
DEVICE_DESCRIPTOR = 1
CONFIGURATION_DESCRIPTOR = 2
STRING_DESCRIPTOR = 3
INTERFACE_DESCRIPTOR = 4
ENDPOINT_DESCRIPTOR = 5
FUNCTIONAL_DESCRIPTOR = 0x21
DFUSE = 0x011A
MAX_STRING = 126
"""UTF-16 code units that a string descriptor has room for."""


@dataclass(frozen=True, slots=True)
class DataEndpoint:
    """An endpoint besides endpoint 0. Nothing ever comes from one, and what goes to one is taken and forgotten."""

    address: int
    """With 0x80 for one to the host."""
    attributes: int
    """2 for bulk, 3 for interrupt."""
    packet: int
    interval: int = 0
    """Milliseconds between looks, for interrupt."""

    @property
    def descriptor(self) -> bytes:
        """The endpoint descriptor."""
        return struct.pack("<BBBBHB", 7, ENDPOINT_DESCRIPTOR, self.address, self.attributes, self.packet, self.interval)


@dataclass(frozen=True, slots=True)
class InterfaceSetting:
    """One alternate setting of one interface."""

    interface: int
    alternate: int
    class_code: int
    subclass: int
    protocol: int
    string: int = 0
    extra: bytes = b""
    """Class descriptors that follow it."""
    endpoints: tuple[DataEndpoint, ...] = ()

    @property
    def descriptor(self) -> bytes:
        """The interface descriptor without what follows it."""
        numbers = (self.interface, self.alternate, len(self.endpoints))
        codes = (self.class_code, self.subclass, self.protocol)
        return struct.pack("<9B", 9, INTERFACE_DESCRIPTOR, *numbers, *codes, self.string)

    @property
    def following(self) -> bytes:
        """All descriptors that follow it."""
        return self.extra + b"".join(endpoint.descriptor for endpoint in self.endpoints)


@dataclass(frozen=True, slots=True)
class Functional:
    """The DFU functional descriptor (USB DFU 1.1, 4.1.3)."""

    attributes: int
    detach_timeout: int = 255
    """Milliseconds."""
    transfer_size: int = 1024
    version: int = DFUSE

    @property
    def descriptor(self) -> bytes:
        """Its nine bytes."""
        return struct.pack(
            "<BBBHHH",
            9,
            FUNCTIONAL_DESCRIPTOR,
            self.attributes,
            self.detach_timeout,
            self.transfer_size,
            self.version,
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """A device in one of its modes."""

    usb_id: UsbId
    settings: tuple[InterfaceSetting, ...]
    """In ascending order of interface and alternate setting."""
    strings: tuple[str, ...]
    """String descriptors from index 1: manufacturer, product, serial number, and whatever `settings` name."""
    bcd_device: int = 0x0200
    configuration_string: int = 0
    power: int = 0xC0
    """bmAttributes of the configuration: self-powered; 0x80: from the bus."""
    device_class: tuple[int, int, int] = field(default=(0, 0, 0))

    @property
    def interfaces(self) -> int:
        """The number of interfaces."""
        return len({setting.interface for setting in self.settings})

    @property
    def manufacturer_string(self) -> int:
        """Index of the manufacturer's name."""
        return 1

    @property
    def product_string(self) -> int:
        """Index of the product's name."""
        return 2

    @property
    def serial_string(self) -> int:
        """Index of the serial number, 0 for a device without one."""
        return 3 if self.strings[2] else 0

    def text(self, index: int) -> str:
        """Return the string of an index; "" where there is none, as in recordings, which lack what nobody asked for."""
        return self.strings[index - 1] if 0 < index <= len(self.strings) else ""

    def device(self) -> bytes:
        """The device descriptor."""
        return struct.pack(
            "<BBH4BHHH4B",
            18,
            DEVICE_DESCRIPTOR,
            0x0200,
            *self.device_class,
            64,
            self.usb_id.vendor,
            self.usb_id.product,
            self.bcd_device,
            self.manufacturer_string,
            self.product_string,
            self.serial_string,
            1,
        )

    def configuration(self) -> bytes:
        """The configuration descriptor with all that follows it."""
        body = b"".join(setting.descriptor + setting.following for setting in self.settings)
        head = (
            9,
            CONFIGURATION_DESCRIPTOR,
            9 + len(body),
            self.interfaces,
            1,
            self.configuration_string,
            self.power,
            0x32,
        )
        return struct.pack("<BBHBBBBB", *head) + body

    def descriptor(self, value: int) -> bytes | None:
        """Return the descriptor that GET_DESCRIPTOR with this wValue finds; None where there is none."""
        kind, index = value >> 8, value & 0xFF
        if kind == DEVICE_DESCRIPTOR:
            return self.device()
        if kind == CONFIGURATION_DESCRIPTOR:
            return self.configuration()
        return self.string(index) if kind == STRING_DESCRIPTOR else None

    def string(self, index: int) -> bytes | None:
        """A string descriptor, index 0 being the list of languages; None where there is none."""
        if index == 0:
            return struct.pack("<BBH", 4, STRING_DESCRIPTOR, ENGLISH)
        if index > len(self.strings):
            return None
        text = self.strings[index - 1].encode("utf-16-le", "surrogatepass")[: 2 * MAX_STRING]
        return bytes((2 + len(text), STRING_DESCRIPTOR)) + text


def dfu_settings(functional: Functional, *, alternates: int = 1, string: int) -> tuple[InterfaceSetting, ...]:
    """The one interface of a device in DFU mode; the functional descriptor follows its last alternate setting.

    The strings of the alternate settings are numbered from `string`.
    """
    return tuple(
        InterfaceSetting(
            interface=0,
            alternate=number,
            class_code=DFU_CLASS,
            subclass=DFU_SUBCLASS,
            protocol=PROTOCOL_DFU,
            string=string + number,
            extra=functional.descriptor if number == alternates - 1 else b"",
        )
        for number in range(alternates)
    )


def app_settings(functional: Functional | None, *, serial_port: bool = False) -> tuple[InterfaceSetting, ...]:
    """A serial port (CDC, abstract control model) and, if given, DFU at run time.

    The port works only where that is asked for: otherwise it is an interface that no driver takes.
    """
    settings = _WORKING_PORT if serial_port else _IDLE_PORT
    if functional is None:
        return settings
    runtime = InterfaceSetting(
        interface=len(settings),
        alternate=0,
        class_code=DFU_CLASS,
        subclass=DFU_SUBCLASS,
        protocol=PROTOCOL_RUNTIME,
        extra=functional.descriptor,
    )
    return (*settings, runtime)


_IDLE_PORT = (InterfaceSetting(interface=0, alternate=0, class_code=0x02, subclass=0x02, protocol=0x01),)
_WORKING_PORT = (
    replace(
        _IDLE_PORT[0],
        # Header, call management, abstract control (it takes a line coding), union (USB CDC 1.2, 5.2.3).
        extra=bytes.fromhex("0524002001 0524010001 04240202 0524060001"),
        endpoints=(DataEndpoint(0x82, attributes=3, packet=8, interval=16),),
    ),
    InterfaceSetting(
        interface=1,
        alternate=0,
        class_code=0x0A,
        subclass=0,
        protocol=0,
        endpoints=(DataEndpoint(0x01, attributes=2, packet=64), DataEndpoint(0x81, attributes=2, packet=64)),
    ),
)
