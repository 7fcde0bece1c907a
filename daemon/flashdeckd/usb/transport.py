"""Control transfers to one opened device through pyusb.

A `Transport` owns its pyusb device in the thread that opened it, and always gives it back: a pyusb device that ends in
a reference cycle is never closed by itself.
"""

import errno
from array import array
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import usb.core
import usb.util
from usb.backend import IBackend

from flashdeck.errors import (
    DescriptorError,
    DeviceError,
    DeviceGoneError,
    DevicePermissionError,
    ErrorKind,
    ParkedError,
    StallError,
    TransferTimeoutError,
)
from flashdeckd.dfu.descriptor import find_functional, parse_functional
from flashdeckd.dfu.pipe import AlternateSetting
from flashdeckd.dfu.quirks import Quirk, quirk_of
from flashdeckd.dfu.wire import DfuRequest
from flashdeckd.usb.claim import Claim
from flashdeckd.usb.descriptors import MAX_INTERFACES
from flashdeckd.usb.device import DFU_CLASS, DFU_SUBCLASS, UsbDevice
from flashdeckd.usb.pulse import Pulse
from flashdeckd.usb.strings import MAX_STRING, decode_string

_OUT = usb.util.build_request_type(usb.util.CTRL_OUT, usb.util.CTRL_TYPE_CLASS, usb.util.CTRL_RECIPIENT_INTERFACE)
_IN = usb.util.build_request_type(usb.util.CTRL_IN, usb.util.CTRL_TYPE_CLASS, usb.util.CTRL_RECIPIENT_INTERFACE)
_STANDARD_IN = usb.util.build_request_type(
    usb.util.CTRL_IN, usb.util.CTRL_TYPE_STANDARD, usb.util.CTRL_RECIPIENT_DEVICE
)
_GET_DESCRIPTOR = 6
_STRING = 3
_ENGLISH = 0x0409
STANDARD_SECONDS = 5.0
"""Seconds that the kernel gives a standard request, such as that for an alternate setting, and its own drivers."""
RESET_SECONDS = 30.0
"""Seconds for a bus reset: the kernel tries several times, and reads all descriptors again."""
TIMES = 2
"""A string that is refused so often is one that the device does not have."""
_GONE = frozenset(
    (
        errno.ENODEV,
        errno.ESHUTDOWN,
        errno.ENOENT,
        # A cable pulled in mid-transfer shows as one of these before the kernel has noticed.
        errno.EIO,
        errno.EPROTO,
        errno.EILSEQ,
    )
)

_PYUSB_ERRORS = (usb.core.USBError, NotImplementedError, ValueError, IndexError)
"""The errors of pyusb: for the system's own, for what a backend lacks, and for descriptors that make no sense."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
Check = Callable[[], object]
"""Raises ParkedError where the job that uses the device is to end."""


class Transport:
    """One opened device with its DFU interface claimed: a `flashdeckd.dfu.pipe.ControlPipe` and a context manager."""

    def __init__(
        self, device: usb.core.Device, where: UsbDevice, pulse: Pulse | None = None, check: Check | None = None
    ) -> None:
        """Takes over `device`, which is what `where` describes. Use `open_device`."""
        self._device = device
        self._where = where
        self._pulse = pulse or Pulse()
        self._check = check
        self._parked: ParkedError | None = None
        """The reason why the device is asked for nothing more; None while it is."""
        self._transfers = 0
        self._quirk = quirk_of(where.usb_id, where.bcd_device)
        try:
            interfaces, self._functional = _dfu_interfaces(device, where, self._quirk)
            self._interface = interfaces[0].bInterfaceNumber
            self._alternates = tuple(
                AlternateSetting(each.bAlternateSetting, each.iInterface, each.bInterfaceProtocol)
                for each in interfaces
            )
            self._claim = self._claimed()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Releases the interface and closes the device. Closing again does nothing."""
        self._pulse.ask(STANDARD_SECONDS)  # the kernel may tell the device of it
        try:
            usb.util.dispose_resources(self._device)
        finally:
            self._pulse.answer(answered=False)

    @property
    def alternates(self) -> tuple[AlternateSetting, ...]:
        """The alternate settings of the DFU interface, at least one."""
        return self._alternates

    @property
    def functional(self) -> bytes:
        """The DFU functional descriptor as the quirk has it, b"" if there is none.

        The interface is not asked for a missing one with GET_DESCRIPTOR: to USBX that is an ABORT, which it never
        answers, and nothing tells a device with USBX from others before that. What is missing takes its default.
        """
        return self._functional

    @property
    def quirk(self) -> Quirk:
        """The corrections of what this device says."""
        return self._quirk

    @property
    def transfers(self) -> int:
        """Control transfers so far, failed ones included; the listing of a device's languages counts as one."""
        return self._transfers

    def send(self, request: int, value: int, data: bytes, *, timeout: float) -> None:
        """A class request that carries `data`, or nothing, to the DFU interface; timeout in seconds."""
        if self._claim.is_lost:
            raise self._forgotten()
        self._transfers += 1
        sent = self._guarded(
            lambda: f"{DfuRequest(request).name} of {len(data)} bytes",
            timeout,
            self._device.ctrl_transfer,
            _OUT,
            request,
            value,
            self._interface,
            array("B", data),  # pyusb itself would first try to take the bytes for a length
            _milliseconds(timeout),
        )
        if sent != len(data):
            raise DeviceError(
                f"{_place(self._where)}: took {sent} of {len(data)} bytes of a {DfuRequest(request).name}"
            )

    def receive(self, request: int, value: int, length: int, *, timeout: float) -> bytes:
        """A class request that asks the DFU interface for at most `length` bytes; timeout in seconds."""
        if self._claim.is_lost:
            raise self._forgotten()
        self._transfers += 1
        answer = array("B", bytes(length))
        count = self._guarded(
            lambda: f"{DfuRequest(request).name} for {length} bytes",
            timeout,
            self._device.ctrl_transfer,
            _IN,
            request,
            value,
            self._interface,
            answer,
            _milliseconds(timeout),
        )
        return answer.tobytes()[:count]

    def select(self, alternate: int) -> None:
        """Selects an alternate setting. To be used only where there are several."""
        self._transfers += 1
        self._guarded(
            lambda: f"selecting alternate setting {alternate}",
            STANDARD_SECONDS,
            self._device.set_interface_altsetting,
            self._interface,
            alternate,
        )

    def text(self, index: int) -> str:
        """A string descriptor as the device sends it (not cleaned); "" where the device twice sends none or a STALL.

        Devices without a list of languages are asked for English. What fails is asked again: the memory map is such a
        string, and what it forbids must not be allowed because of one bad moment on the bus. Raises what `send` does,
        the second time.
        """
        languages = self._device.langids
        self._transfers += 1
        language = languages[0] if languages else _ENGLISH
        refusals, failures = 0, 0
        while refusals < TIMES:
            try:
                text = self._string(index, language)
            except DeviceGoneError:
                raise
            except StallError:
                text = ""
            except DeviceError:
                failures += 1
                if failures == TIMES:
                    raise
                continue
            if text:
                return text
            refusals += 1
        return ""

    def _string(self, index: int, language: int) -> str:
        self._transfers += 1
        raw = self._guarded(
            lambda: "reading a string",
            1.0,  # what pyusb gives where nobody says it
            self._device.ctrl_transfer,
            _STANDARD_IN,
            _GET_DESCRIPTOR,
            _STRING << 8 | index,
            language,
            MAX_STRING,
        )
        return decode_string(raw.tobytes())

    def reset(self) -> None:
        """Resets the device's port. It may enumerate anew, and then is gone for this transport."""
        self._guarded(lambda: "reset", RESET_SECONDS, self._device.reset)
        self._claim = self._claimed()

    def _claimed(self) -> Claim:
        self._guarded(lambda: "open", STANDARD_SECONDS, usb.util.claim_interface, self._device, self._interface)
        configuration = self._guarded(lambda: "open", STANDARD_SECONDS, _configuration, self._device)
        return Claim(self._where, configuration.bConfigurationValue, self._interface)

    def _forgotten(self) -> DeviceGoneError:
        return DeviceGoneError(
            f"{_place(self._where)} was reset by another program, and has forgotten where it was",
            hint="close other programs that use it; what was under way begins anew",
        )

    def _guarded(
        self, what: Callable[[], str], timeout: float, call: Callable[_P, _T], *args: _P.args, **named: _P.kwargs
    ) -> _T:
        """Return what `call` returns; `what` says what that is, where it fails."""
        if self._parked is not None:
            raise self._parked
        self._pulse.ask(timeout)
        answered = True
        try:
            return call(*args, **named)
        except _PYUSB_ERRORS as error:
            failure = _translated(self._where, what(), error)
            answered = not isinstance(failure, TransferTimeoutError | DeviceGoneError)
            if isinstance(failure, TransferTimeoutError):
                self._park_if_asked()
            raise failure from error
        finally:
            self._pulse.answer(answered=answered)

    def _park_if_asked(self) -> None:
        """Whoever wants the job to end waits for no second transfer of a device that does not answer."""
        try:
            if self._check is not None:
                self._check()
        except ParkedError as parked:
            self._parked = parked
            raise


def open_device(
    backend: IBackend | None, device: UsbDevice, pulse: Pulse | None = None, check: Check | None = None
) -> Transport:
    """Opens exactly the enumeration that `device` describes: its bus and address, checked again by ids and port.

    `pulse` is told of each transfer. `check` is called after each that was not answered in time; where it raises
    ParkedError, so does this and every later transfer, which then is not made.

    `backend` None means the system's libusb. Raises DeviceGoneError where it is no longer there, or another device has
    its address by now; DescriptorError where it has no DFU interface; DevicePermissionError; DeviceError `device-busy`.
    """
    pulse = pulse or Pulse()
    pulse.ask(STANDARD_SECONDS)  # all devices are looked at, and one that hangs may hold that up
    try:
        found = usb.core.find(backend=backend, bus=device.bus, address=device.address)
    except usb.core.NoBackendError as error:
        raise DeviceError(
            "no libusb could be loaded", hint="'flashdeck status' says why, and what to install"
        ) from error
    except _PYUSB_ERRORS as error:
        if isinstance(error, usb.core.USBError) and error.errno == errno.EBUSY:  # no device can be asked yet
            raise DeviceError(
                f"{_place(device)}: {error.strerror}",
                hint="unplug the device that hangs (`flashdeck status` may name it), or power-cycle its hub",
                kind=ErrorKind.DEVICE_BUSY,
            ) from error
        raise _translated(device, "looking for the device", error) from error
    if found is None:
        raise DeviceGoneError(
            f"{_place(device)} is no longer at bus {device.bus} address {device.address}",
            hint="it was unplugged or has enumerated anew",
        )
    try:
        _check_same(found, device)
    except BaseException:
        usb.util.dispose_resources(found)
        raise
    return Transport(found, device, pulse, check)


def _check_same(found: usb.core.Device, device: UsbDevice) -> None:
    seen = (found.idVendor, found.idProduct, found.bcdDevice)
    wanted = (device.usb_id.vendor, device.usb_id.product, device.bcd_device)
    if seen != wanted:
        raise DeviceGoneError(
            f"{_place(device)}: at bus {device.bus} address {device.address} is now {seen[0]:04x}:{seen[1]:04x} "
            f"(bcdDevice {seen[2]:04x}); expected was bcdDevice {device.bcd_device:04x}",
            hint="another device has taken its place; nothing was sent to it",
        )
    ports = found.port_numbers
    expected = _port_numbers(device.name)
    if ports and expected and tuple(ports) != expected:
        raise DeviceGoneError(
            f"{_place(device)}: the device at bus {device.bus} address {device.address} is now at port "
            f"{'.'.join(map(str, ports))}",
            hint="it was moved to another port; nothing was sent to it",
        )


def _port_numbers(name: str) -> tuple[int, ...]:
    """The hub ports in the kernel's name for a place: (4, 2) of `1-4.2`; empty where the name is of another form."""
    _, _, ports = name.partition("-")
    fields = ports.split(".")
    return tuple(map(int, fields)) if all(field.isdecimal() for field in fields) else ()


def _dfu_interfaces(device: usb.core.Device, where: UsbDevice, quirk: Quirk) -> tuple[list[usb.core.Interface], bytes]:
    """The alternate settings of the DFU interface, one in DFU mode first, and the functional descriptor."""
    try:
        configuration = _configuration(device)
        everything = [each for each, _ in zip(configuration, range(MAX_INTERFACES), strict=False)]
        settings = [
            each for each in everything if (each.bInterfaceClass, each.bInterfaceSubClass) == (DFU_CLASS, DFU_SUBCLASS)
        ]
        extra = bytes(configuration.extra_descriptors)
    except _PYUSB_ERRORS as error:
        raise _translated(where, "reading its descriptors", error) from error
    if not settings:
        raise DescriptorError(
            f"{_place(where)} has no DFU interface",
            hint=f'bring the board into DFU mode; if its application has the same USB id, add app = "{where.usb_id}"',
        )
    count = len({each.bInterfaceNumber for each in everything})

    def functional_of(number: int) -> bytes:
        own = (bytes(each.extra_descriptors) for each in settings if each.bInterfaceNumber == number)
        return quirk.mend_functional(find_functional([*own, extra]))

    def is_dfu_mode(setting: usb.core.Interface) -> bool:
        version = parse_functional(functional_of(setting.bInterfaceNumber)).version
        return quirk.is_dfu_mode(setting.bInterfaceProtocol, version, count)

    number = next(filter(is_dfu_mode, settings), settings[0]).bInterfaceNumber
    return [each for each in settings if each.bInterfaceNumber == number], functional_of(number)


def _configuration(device: usb.core.Device) -> usb.core.Configuration:
    """The active configuration. One is only set where none is: setting it again would restart the device's classes."""
    if device.bNumConfigurations == 1:
        return device[0]
    try:
        return device.get_active_configuration()
    except usb.core.USBError as error:
        if error.errno is not None:  # "not set" is pyusb's own error and has no number
            raise
    device.set_configuration()
    return device.get_active_configuration()


@cache  # there are a few timeouts, and one goes with each transfer
def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))  # 0 would mean for ever


def _place(device: UsbDevice) -> str:
    return f"{device.name} ({device.usb_id})"


def _translated(where: UsbDevice, doing: str, error: Exception) -> DeviceError:
    """The error of ours that a pyusb error stands for."""
    what = f"{_place(where)}: {doing}"
    if not isinstance(error, usb.core.USBError):
        return _objection(what, error)
    match error.errno:
        case errno.ETIMEDOUT:
            return TransferTimeoutError(f"{what}: no answer in time", hint="reset the board and try again")
        case errno.EPIPE:
            return StallError(f"{what}: refused with a STALL", hint="reset the board and try again")
        case errno.EACCES | errno.EPERM:
            return DevicePermissionError(
                f"{what}: permission denied for /dev/bus/usb/{where.bus:03d}/{where.address:03d}",
                hint=f"run `flashdeck install`, which writes the udev rule for {where.usb_id}, and plug it in again",
            )
        case number if number in _GONE:
            reason = str(error.strerror).partition(" (")[0]  # libusb adds that it may have been disconnected
            return DeviceGoneError(f"{what}: the device is gone: {reason}", hint="was it unplugged or reset?")
        case _:
            return _unusual(what, error)


def _objection(what: str, error: Exception) -> DeviceError:
    if isinstance(error, NotImplementedError):
        return DeviceError(f"{what}: not supported by this USB backend", kind=ErrorKind.OTHER)
    return DescriptorError(
        f"{what}: its descriptors contradict themselves ({error})",
        hint="unplug the board and plug it in again; if it happens again, its bootloader's descriptors are wrong",
    )


def _unusual(what: str, error: usb.core.USBError) -> DeviceError:
    if error.errno == errno.EBUSY:
        return DeviceError(
            f"{what}: another program has claimed the device",
            hint="close other DFU tools, and virtual machines that capture USB devices",
            kind=ErrorKind.DEVICE_BUSY,
        )
    return DeviceError(
        f"{what}: USB error {error.strerror} (errno {error.errno})",
        hint="try another cable, port or hub",
        kind=ErrorKind.OTHER,
    )
