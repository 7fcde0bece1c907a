"""The touch at 1200 baud: the application's serial port is opened at that speed, and DTR dropped.

Cores for Arduino and TinyUSB restart into the bootloader when DTR is low while the speed is 1200 baud (CDC PSTN 1.2,
6.3.10 and 6.3.12: SET_LINE_CODING and SET_CONTROL_LINE_STATE). The speed stays as it is then: some take the request
back when it changes.
"""

import errno
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from flashdeck.errors import DeviceBusyError, DeviceError, DevicePermissionError, NoAccessError
from flashdeck.model import JobState
from flashdeck.text import clean, counted
from flashdeckd.host import open_files, serial_lines
from flashdeckd.host.open_files import Holder
from flashdeckd.jobs.book import JobBook
from flashdeckd.jobs.device_thread import DeviceThread
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.port_keeper import NOBODY, PortKeeper
from flashdeckd.usb.serial_ports import SerialPort, SerialPorts

TOUCH_BAUD: Final = 1200
"""The speed that nobody uses for anything else."""
_GONE: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


class PortMissingError(NoAccessError):
    """The device has no serial port, or not yet: the kernel makes it a moment after the device."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A serial port that was touched."""

    port: SerialPort
    others: int
    """The number of the device's other ports."""
    holders: tuple[Holder, ...]
    """Other processes that have it open."""

    @property
    def held(self) -> str:
        """Return who else has the port, in words; "" for nobody that can be seen."""
        if not self.holders:
            return ""
        have = "have" if self.holders[1:] else "has"
        return f"{', '.join(map(str, self.holders))} {have} {self.port.node} open, too"


class Touch:
    """The way of an application with a serial port."""

    requests = "touches at 1200 baud"

    def __init__(self, thread: DeviceThread, book: JobBook, ports: SerialPorts, keeper: PortKeeper) -> None:
        self._thread = thread
        self._book = book
        self._ports = ports
        self._keeper = keeper

    async def reach(self, device: UsbDevice) -> None:
        """Raise NoAccessError where the port cannot be opened."""
        await self._thread.run(lambda _: reach(self._ports, device, self._keeper), takes_place=False)

    async def ask(self, job: JobState, device: UsbDevice) -> str:
        """Touch the port, and say which, and who else has it."""
        try:
            async with self._keeper.lent():
                touched = await self._thread.opened(lambda _: touch(self._ports, device), takes_place=False)
        except PortMissingError as error:
            raise DeviceError(error.message) from error
        which = f", the first of its {counted(touched.others + 1, 'serial port')}" if touched.others else ""
        held = f"; {touched.held}" if touched.held else ""
        self._book.log(job, f"touched {touched.port.node} at {TOUCH_BAUD} baud{which}{held}")
        return touched.held


def touch(ports: SerialPorts, device: UsbDevice) -> Touched:
    """Touch the first serial port of exactly this enumeration; blocks. Another process that has it open is no obstacle.

    The first is the one with the lowest interface number: where a core makes several ports, only that one listens.
    Raises PortMissingError, DevicePermissionError, DeviceBusyError with the one who keeps it for itself, DeviceError.
    """
    port, *others = ports.of(device) or (None,)
    if port is None:
        raise _missing(device)
    holders = open_files.holders(port.node)
    try:
        with serial_lines.opened(port.node) as line:
            if not line.is_device(port.number) or port not in ports.of(device):
                raise _missing(device)  # it went just now, and another device may have the name
            with suppress(OSError):  # what reboots at once is gone before it has answered
                line.set_speed(TOUCH_BAUD)
                line.drop_dtr()
    except OSError as error:
        raise _refused(device, port, holders, error) from error
    return Touched(port, len(others), holders)


def reach(ports: SerialPorts, device: UsbDevice, keeper: PortKeeper = NOBODY) -> None:
    """Open and close the first serial port; blocks. Raises as `touch` does, but not for a port that is missing.

    One that the board's console has open is left alone: it can be opened.
    """
    for port in ports.of(device)[:1]:
        if keeper.has(port.node):
            continue
        try:
            with serial_lines.opened(port.node):
                pass
        except OSError as error:
            if error.errno not in _GONE:
                raise _refused(device, port, open_files.holders(port.node), error) from error


def _missing(device: UsbDevice) -> PortMissingError:
    return PortMissingError(f"the application at {device.name} has no serial port")


def _refused(device: UsbDevice, port: SerialPort, holders: tuple[Holder, ...], error: OSError) -> DeviceError:
    """Return the error of a port that cannot be opened."""
    if error.errno == errno.ENOENT:
        return PortMissingError(
            f"the serial port of the application at {device.name} is {port.node}, which is not there"
        )
    if error.errno in _GONE:
        return _missing(device)
    if error.errno in _DENIED:
        return DevicePermissionError(
            f"permission denied for {port.node}",
            hint=f"become a member of the group that `ls -l {port.node}` shows, often dialout or uucp",
        )
    if error.errno == errno.EBUSY:
        who = ", ".join(map(str, holders)) or "another program"
        return DeviceBusyError(f"{who} keeps {port.node} for itself", hint="let it close the port")
    return DeviceError(f"{port.node} cannot be opened: {clean(str(error.strerror))}")
