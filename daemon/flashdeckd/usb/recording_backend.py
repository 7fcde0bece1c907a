"""A backend for pyusb that records: it hands every call to another one, and writes down what the device answered.

Nothing is asked of a device that would not have been asked anyway. What cannot be written is said once, and then
nothing is recorded any more: the sessions themselves never notice.
"""

import errno
import hashlib
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import usb.backend
import usb.core

from flashdeck import __version__
from flashdeck.recording import FORMAT, MAX_FILE, AnyLine, End, Ending, RecordedSession, Reset, Transfer, encode
from flashdeckd.host import clock, files, threads
from flashdeckd.usb.descriptors import MAX_INTERFACES
from flashdeckd.usb.record_directory import RecordDirectory

SHORT = 8
"""Bytes of a DNLOAD or UPLOAD of block 0 that are always kept: DfuSe commands (AN3156), and the list of them."""
_DFU_REQUEST = 0x21
"""bmRequestType of a class request to an interface, its direction left out."""
_DIRECTION = 0x80
_DNLOAD, _UPLOAD = 1, 2
_SET_CONFIGURATION, _GET_CONFIGURATION, _SET_INTERFACE = 9, 8, 11
_ENDINGS = {
    errno.EPIPE: Ending.STALL,
    errno.ETIMEDOUT: Ending.TIMEOUT,
    errno.EOVERFLOW: Ending.OVERFLOW,
    errno.ENODEV: Ending.GONE,
    errno.ESHUTDOWN: Ending.GONE,
}

_T = TypeVar("_T")


class Recorder:
    """The place of recordings, until the first one that cannot be written. May be used from any thread."""

    def __init__(
        self,
        directory: RecordDirectory,
        *,
        payloads: bool = False,
        on_trouble: Callable[[str], None],
        max_file: int = MAX_FILE,
    ) -> None:
        """`on_trouble` hears once, from any thread, why nothing is recorded any more."""
        self.directory = directory
        self.payloads = payloads
        self.max_file = max_file
        self._on_trouble = on_trouble
        self._lock = threads.lock()
        self._broken = False

    @property
    def broken(self) -> bool:
        """True once it has given up."""
        return self._broken

    def give_up(self, error: OSError) -> None:
        """Records nothing any more."""
        with self._lock:
            first, self._broken = not self._broken, True
        if first:
            self._on_trouble(
                f"recordings cannot be written to {self.directory.path} ({error.strerror or error}); "
                "nothing is recorded until flashdeckd is started again"
            )


class _Log:
    """The file that a session goes to, or nothing once it cannot be written."""

    def __init__(self, recorder: Recorder, session: RecordedSession | None) -> None:
        self._recorder = recorder
        self._began = clock.monotonic()
        self._path: Path | None = None
        self._file: int | None = None
        self._written = 0
        if session is None or recorder.broken:
            return
        try:
            self._path, self._file = recorder.directory.create()
        except OSError as error:
            recorder.give_up(error)
            return
        self.write(session)

    def resume(self) -> bool:
        """Goes on behind an end; False where the file is full or gone, or nothing is recorded any more."""
        if self._path is None or self._recorder.broken:
            return False
        try:
            self._file = self._recorder.directory.reopen(self._path)
        except OSError:
            return False  # it made room for others; whoever asks begins anew, and hears what is wrong there
        return True

    def now(self) -> float:
        """Seconds since the session began."""
        return round(clock.monotonic() - self._began, 6)

    def write(self, line: AnyLine) -> None:
        """Adds a line; what does not fit any more ends the recording."""
        if self._file is None:
            return
        raw = encode(line)
        is_full = self._written + len(raw) > self._recorder.max_file
        if is_full:
            raw = encode(End(at=self.now(), full=True))
        try:
            files.write(self._file, raw)  # at once: it has to be there when the daemon is killed
        except OSError as error:
            self._close_file()
            self._recorder.give_up(error)
            return
        self._written += len(raw)
        if is_full:
            self._close_file()
            self._path = None

    def close(self) -> None:
        """Ends the recording."""
        self.write(End(at=self.now()))
        self._close_file()

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            files.close(file)
        except OSError as error:  # a network's disk says only here that it is full
            self._recorder.give_up(error)


class _RecordedHandle:
    """An open device."""

    def __init__(self, inner: object, device: object, log: _Log) -> None:
        self.inner = inner
        self.device = device
        self.log = log
        self.is_reset = False
        """True if the last that happened was a bus reset."""


class RecordingBackend(usb.backend.IBackend):
    """Another backend, with everything that goes over endpoint 0 of its devices written down."""

    def __init__(self, inner: usb.backend.IBackend, recorder: Recorder) -> None:
        self._inner = inner
        self._recorder = recorder
        self._last = threads.Local()
        """`handle`: what the thread closed last, if that was because of a reset."""

    def enumerate_devices(self) -> Iterable[object]:
        """The devices on the bus now."""
        return self._inner.enumerate_devices()

    def get_parent(self, dev: object) -> object | None:
        """The hub."""
        return self._inner.get_parent(dev)

    def get_device_descriptor(self, dev: object) -> object:
        """The device descriptor."""
        return self._inner.get_device_descriptor(dev)

    def get_configuration_descriptor(self, dev: object, config: int) -> object:
        """A configuration descriptor."""
        return self._inner.get_configuration_descriptor(dev, config)

    def get_interface_descriptor(self, dev: object, intf: int, alt: int, config: int) -> object:
        """An interface descriptor."""
        return self._inner.get_interface_descriptor(dev, intf, alt, config)

    def get_endpoint_descriptor(self, dev: object, ep: int, intf: int, alt: int, config: int) -> object:
        """An endpoint descriptor."""
        return self._inner.get_endpoint_descriptor(dev, ep, intf, alt, config)

    def open_device(self, dev: object) -> object:
        """Opens a device and begins its recording."""
        inner = self._inner.open_device(dev)
        last: _RecordedHandle | None = getattr(self._last, "handle", None)
        self._last.handle = None
        if last is not None and last.device is dev and last.log.resume():
            return _RecordedHandle(inner, dev, last.log)  # pyusb closes a device to reset it, and its session goes on
        return _RecordedHandle(inner, dev, _Log(self._recorder, None if self._recorder.broken else self._session(dev)))

    def close_device(self, dev_handle: object) -> None:
        """Closes it, and its recording."""
        handle = _handle(dev_handle)
        try:
            self._inner.close_device(handle.inner)
        finally:
            handle.log.close()
            self._last.handle = handle if handle.is_reset else None

    def set_configuration(self, dev_handle: object, config_value: int) -> None:
        """SET_CONFIGURATION."""
        handle = _handle(dev_handle)
        self._control(
            handle,
            (0x00, _SET_CONFIGURATION, config_value, 0, 0),
            lambda: self._inner.set_configuration(handle.inner, config_value),
        )

    def get_configuration(self, dev_handle: object) -> int:
        """GET_CONFIGURATION."""
        handle = _handle(dev_handle)
        return self._control(
            handle,
            (0x80, _GET_CONFIGURATION, 0, 0, 1),
            lambda: self._inner.get_configuration(handle.inner),
            lambda value: bytes((value & 0xFF,)),
        )

    def set_interface_altsetting(self, dev_handle: object, intf: int, altsetting: int) -> None:
        """SET_INTERFACE."""
        handle = _handle(dev_handle)
        self._control(
            handle,
            (0x01, _SET_INTERFACE, altsetting, intf, 0),
            lambda: self._inner.set_interface_altsetting(handle.inner, intf, altsetting),
        )

    def claim_interface(self, dev_handle: object, intf: int) -> None:
        """Claims an interface; nothing of it goes over the bus."""
        self._inner.claim_interface(_handle(dev_handle).inner, intf)

    def release_interface(self, dev_handle: object, intf: int) -> None:
        """Releases it."""
        self._inner.release_interface(_handle(dev_handle).inner, intf)

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
        """One control transfer."""
        handle = _handle(dev_handle)
        return self._control(
            handle,
            (bmRequestType, bRequest, wValue, wIndex, len(data) * data.itemsize),
            lambda: self._inner.ctrl_transfer(handle.inner, bmRequestType, bRequest, wValue, wIndex, data, timeout),
            lambda moved: data.tobytes()[:moved],
            out=b"" if bmRequestType & _DIRECTION else data.tobytes(),
        )

    def clear_halt(self, dev_handle: object, ep: int) -> None:
        """Clears a halt."""
        self._inner.clear_halt(_handle(dev_handle).inner, ep)

    def reset_device(self, dev_handle: object) -> None:
        """A bus reset."""
        handle = _handle(dev_handle)
        began = handle.log.now()
        handle.is_reset = True
        ending, number = Ending.OK, 0
        try:
            self._inner.reset_device(handle.inner)
        except usb.core.USBError as error:
            ending, number = _ending(error)
            raise
        finally:
            took = round(handle.log.now() - began, 6)
            handle.log.write(Reset(at=began, took=took, ending=ending, errno=number))

    def is_kernel_driver_active(self, dev_handle: object, intf: int) -> bool:
        """Tell whether the kernel has a driver on it."""
        return self._inner.is_kernel_driver_active(_handle(dev_handle).inner, intf)

    def detach_kernel_driver(self, dev_handle: object, intf: int) -> None:
        """Takes it off."""
        self._inner.detach_kernel_driver(_handle(dev_handle).inner, intf)

    def attach_kernel_driver(self, dev_handle: object, intf: int) -> None:
        """Puts it on again."""
        self._inner.attach_kernel_driver(_handle(dev_handle).inner, intf)

    def _control(
        self,
        handle: _RecordedHandle,
        setup: tuple[int, int, int, int, int],
        call: Callable[[], _T],
        moved: Callable[[_T], bytes] = lambda _: b"",
        *,
        out: bytes = b"",
    ) -> _T:
        """Carries out a transfer and writes down how it ended."""
        began = handle.log.now()
        handle.is_reset = False
        try:
            answer = call()
        except usb.core.USBError as error:
            ending, number = _ending(error)
            took = round(handle.log.now() - began, 6)
            handle.log.write(self._line(setup, out, ending, began=began, took=took, number=number))
            raise
        took = round(handle.log.now() - began, 6)
        handle.log.write(self._line(setup, out or moved(answer), Ending.OK, began=began, took=took, number=0))
        return answer

    def _line(
        self,
        setup: tuple[int, int, int, int, int],
        data: bytes,
        ending: Ending,
        *,
        began: float,
        took: float,
        number: int,
    ) -> Transfer:
        request_type, request, value, index, length = setup
        keep = self._recorder.payloads or not is_payload(request_type, request, value, len(data))
        return Transfer(
            at=began,
            took=took,
            request_type=request_type,
            request=request,
            value=value,
            index=index,
            length=length,
            ending=ending,
            moved=len(data),
            data=data if keep and data else None,
            sha256="" if keep or not data else hashlib.sha256(data).hexdigest(),
            errno=number,
        )

    def _session(self, dev: object) -> RecordedSession | None:
        """Return what the system knows of the device already; None for one whose descriptors make no sense."""
        try:
            device, configuration = self._device(dev), self._configuration(dev)
        except (usb.core.USBError, NotImplementedError, ValueError, IndexError, OverflowError):
            return None  # whoever opened it stumbles over the same at once, and says so
        return RecordedSession(
            format=FORMAT,
            flashdeck=__version__,
            started=clock.now(),
            device=device,
            configuration=configuration,
            payloads=self._recorder.payloads,
        )

    def _device(self, dev: object) -> bytes:
        found: Any = self._inner.get_device_descriptor(dev)
        codes = (found.bDeviceClass, found.bDeviceSubClass, found.bDeviceProtocol, found.bMaxPacketSize0)
        strings = (found.iManufacturer, found.iProduct, found.iSerialNumber, found.bNumConfigurations)
        words = _words(found.idVendor, found.idProduct, found.bcdDevice)
        return bytes((18, 1)) + _words(found.bcdUSB) + bytes(codes) + words + bytes(strings)

    def _configuration(self, dev: object) -> bytes:
        found: Any = self._inner.get_configuration_descriptor(dev, 0)
        values = (found.bNumInterfaces, found.bConfigurationValue, found.iConfiguration)
        body = bytes(found.extra_descriptors)
        for number in range(min(found.bNumInterfaces, MAX_INTERFACES)):
            for alternate in range(MAX_INTERFACES):
                try:
                    body += self._setting(dev, number, alternate)
                except IndexError:
                    break  # there is no other
        total = _words(9 + len(body))
        return bytes((9, 2)) + total + bytes((*values, found.bmAttributes, found.bMaxPower)) + body

    def _setting(self, dev: object, number: int, alternate: int) -> bytes:
        found: Any = self._inner.get_interface_descriptor(dev, number, alternate, 0)
        codes = (found.bInterfaceClass, found.bInterfaceSubClass, found.bInterfaceProtocol, found.iInterface)
        head = (9, 4, found.bInterfaceNumber, found.bAlternateSetting, found.bNumEndpoints, *codes)
        endpoints = b"".join(self._endpoint(dev, each, number, alternate) for each in range(found.bNumEndpoints))
        return bytes(head) + bytes(found.extra_descriptors) + endpoints

    def _endpoint(self, dev: object, endpoint: int, number: int, alternate: int) -> bytes:
        found: Any = self._inner.get_endpoint_descriptor(dev, endpoint, number, alternate, 0)
        size = _words(found.wMaxPacketSize)
        head = bytes((7, 5, found.bEndpointAddress, found.bmAttributes)) + size + bytes((found.bInterval,))
        return head + bytes(found.extra_descriptors)


def is_payload(request_type: int, request: int, value: int, size: int) -> bool:
    """Return whether the data are image bytes: those of DNLOAD and UPLOAD, but for DfuSe's commands in block 0."""
    is_dfu = request_type & ~_DIRECTION == _DFU_REQUEST and request in (_DNLOAD, _UPLOAD)
    return is_dfu and (value != 0 or size > SHORT)


def _ending(error: usb.core.USBError) -> tuple[Ending, int]:
    number = error.errno or 0
    return _ENDINGS.get(number, Ending.ERROR), number


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "little") for value in values)


def _handle(dev_handle: object) -> _RecordedHandle:
    """Pyusb hands back what `open_device` gave it."""
    if not isinstance(dev_handle, _RecordedHandle):
        raise TypeError(f"{dev_handle!r} is no handle of this backend")
    return dev_handle
