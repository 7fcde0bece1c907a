from array import array
from collections.abc import Callable, Iterator
from typing import Literal, overload

from usb.backend import IBackend

class USBError(OSError):
    errno: int | None
    strerror: str | None
    backend_error_code: int | None
    def __init__(self, strerror: str, error_code: int | None = None, errno: int | None = None) -> None: ...

class USBTimeoutError(USBError): ...
class NoBackendError(ValueError): ...

class Endpoint:
    bEndpointAddress: int
    bmAttributes: int
    wMaxPacketSize: int
    bInterval: int

class Interface:
    bLength: int
    bDescriptorType: int
    bInterfaceNumber: int
    bAlternateSetting: int
    bNumEndpoints: int
    bInterfaceClass: int
    bInterfaceSubClass: int
    bInterfaceProtocol: int
    iInterface: int
    extra_descriptors: list[int] | bytes
    def __iter__(self) -> Iterator[Endpoint]: ...

class Configuration:
    bLength: int
    bDescriptorType: int
    wTotalLength: int
    bNumInterfaces: int
    bConfigurationValue: int
    iConfiguration: int
    bmAttributes: int
    bMaxPower: int
    index: int
    extra_descriptors: list[int] | bytes
    def __iter__(self) -> Iterator[Interface]: ...
    def __getitem__(self, index: tuple[int, int]) -> Interface: ...

class Device:
    bLength: int
    bDescriptorType: int
    bcdUSB: int
    bDeviceClass: int
    bDeviceSubClass: int
    bDeviceProtocol: int
    bMaxPacketSize0: int
    idVendor: int
    idProduct: int
    bcdDevice: int
    iManufacturer: int
    iProduct: int
    iSerialNumber: int
    bNumConfigurations: int
    address: int | None
    bus: int | None
    port_number: int | None
    port_numbers: tuple[int, ...] | None
    speed: int | None
    default_timeout: int
    def __iter__(self) -> Iterator[Configuration]: ...
    def __getitem__(self, index: int) -> Configuration: ...
    @property
    def backend(self) -> IBackend: ...
    @property
    def langids(self) -> tuple[int, ...]: ...
    @property
    def serial_number(self) -> str | None: ...
    @property
    def product(self) -> str | None: ...
    @property
    def manufacturer(self) -> str | None: ...
    @property
    def parent(self) -> Device | None: ...
    def get_active_configuration(self) -> Configuration: ...
    def set_configuration(self, configuration: int | Configuration | None = None) -> None: ...
    def set_interface_altsetting(
        self, interface: int | Interface | None = None, alternate_setting: int | None = None
    ) -> None: ...
    def reset(self) -> None: ...
    @overload
    def ctrl_transfer(
        self,
        bmRequestType: int,
        bRequest: int,
        wValue: int = 0,
        wIndex: int = 0,
        data_or_wLength: int | None = None,
        timeout: int | None = None,
    ) -> array[int]: ...
    @overload
    def ctrl_transfer(
        self,
        bmRequestType: int,
        bRequest: int,
        wValue: int,
        wIndex: int,
        data_or_wLength: bytes | bytearray | memoryview | array[int],
        timeout: int | None = None,
    ) -> int: ...
    def is_kernel_driver_active(self, interface: int) -> bool: ...
    def detach_kernel_driver(self, interface: int) -> None: ...
    def attach_kernel_driver(self, interface: int) -> None: ...

@overload
def find(
    find_all: Literal[False] = False,
    backend: IBackend | None = None,
    custom_match: Callable[[Device], bool] | None = None,
    **args: int,
) -> Device | None: ...
@overload
def find(
    find_all: Literal[True],
    backend: IBackend | None = None,
    custom_match: Callable[[Device], bool] | None = None,
    **args: int,
) -> Iterator[Device]: ...
