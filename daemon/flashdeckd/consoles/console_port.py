"""The port of a board's console: which it is, whether it may be opened, and who else has it. All of it blocks.

Safety rule 3 holds for ports, too: the port of the application is that of the one device that the board is, and a path
must not lead to a device that is another configured board, or may be one.
"""

import errno
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flashdeck.config import Console
from flashdeck.console_kinds import ConsoleCondition
from flashdeck.errors import FlashdeckError
from flashdeck.extras import Extra, require
from flashdeck.text import MAX_PATH, clean
from flashdeckd.host import files, open_files
from flashdeckd.host.serial_lines import DeviceNumber, HeardPort, LineSettings
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.serial_ports import SerialPorts

_HELD: Final = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})
_GONE: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO})
_PSEUDO_TERMINALS: Final = range(136, 144)
"""Their major numbers (Linux, admin-guide/devices)."""
_DEVICES: Final = Path("/sys/dev/char")
_WENT: Final = "it went away as it was opened"
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


class PortTroubleError(Exception):
    """A port that cannot be had now, in words."""

    def __init__(self, condition: ConsoleCondition, reason: str, *, node: str = "", hint: str = "") -> None:
        super().__init__(reason)
        self.condition = condition
        self.reason = reason
        self.node = node
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSurroundings:
    """All that a port may belong to."""

    board: str
    """The board whose console it is."""
    device: UsbDevice | None
    """The device that the board is, while its application runs."""
    devices: Mapping[UsbDevice, str] = field(default_factory=dict[UsbDevice, str])
    """All devices on the bus that are a configured board, or may be one: its name, "" where that is not certain."""
    paths: Mapping[str, str] = field(default_factory=dict[str, str])
    """The paths that the consoles of other boards name, by board."""
    emulated: Callable[[DeviceNumber], bool] | None = None
    """True of the ports of emulated boards: no other one is opened (safety rule 10). None: the boards are real."""


@dataclass(frozen=True, slots=True)
class FoundPort:
    """The port of a console."""

    node: Path
    number: DeviceNumber


def find_port(console: Console, around: PortSurroundings, ports: SerialPorts) -> FoundPort:
    """Return the port of a console. Raises PortTroubleError."""
    return _port_of_app(around.device, ports) if console.is_of_app else _port_at(console.port, around, ports)


def open_port(console: Console, around: PortSurroundings, ports: SerialPorts) -> HeardPort:
    """Open the port of a console, where nobody else has it. Raises PortTroubleError."""
    try:
        require(Extra.CONSOLE, f"the console of board {around.board}")
    except FlashdeckError as error:
        raise PortTroubleError(ConsoleCondition.UNAVAILABLE, error.message, hint=error.hint) from error
    found = find_port(console, around, ports)
    holders = open_files.holders(found.node)
    if holders:
        raise _held(found.node, " and ".join(map(str, holders)), plural=len(holders) > 1)
    try:
        port = HeardPort(found.node, LineSettings(console.baud, console.dtr, console.rts))
    except OSError as error:
        raise _refused(found.node, error) from error
    if _is_still(found, port, console, around, ports):
        return port
    port.close()
    raise PortTroubleError(ConsoleCondition.ABSENT, _WENT)


def _is_still(
    found: FoundPort, port: HeardPort, console: Console, around: PortSurroundings, ports: SerialPorts
) -> bool:
    """Return whether a port that is open is the one that was found: another device may have got its name."""
    with suppress(OSError, PortTroubleError):
        return port.is_device(found.number) and find_port(console, around, ports) == found
    return False


def _port_of_app(device: UsbDevice | None, ports: SerialPorts) -> FoundPort:
    if device is None:
        raise PortTroubleError(ConsoleCondition.ABSENT, "the board is not running")
    found = next(iter(ports.of(device)), None)
    if found is None:
        raise PortTroubleError(ConsoleCondition.ABSENT, f"the application at {device.name} has no serial port")
    return FoundPort(found.node, found.number)


def _port_at(path: str, around: PortSurroundings, ports: SerialPorts) -> FoundPort:
    node = files.real_path(path)
    shown = clean(str(node), MAX_PATH)
    try:
        status = files.status(node)
    except OSError as error:
        reason = f"there is no {clean(path, MAX_PATH)}"
        raise PortTroubleError(ConsoleCondition.ABSENT, reason) from error
    found = FoundPort(node, files.device_number(status))
    if not stat.S_ISCHR(status.st_mode) or not _is_tty(found.number):
        raise PortTroubleError(ConsoleCondition.UNAVAILABLE, "it is no serial port", node=shown)
    _refuse_foreign(found, around, ports)
    return found


def _is_tty(number: DeviceNumber) -> bool:
    """Return whether a device is a tty, without opening it: there are some that do harm when they are opened."""
    major, minor = number
    if major in _PSEUDO_TERMINALS:
        return True  # these are not in sysfs
    try:
        return "/tty/" in files.target(_DEVICES / f"{major}:{minor}")
    except OSError:
        return not files.is_directory(_DEVICES)


def _refuse_foreign(found: FoundPort, around: PortSurroundings, ports: SerialPorts) -> None:
    """Raise PortTroubleError where a port that was named by its path is, or may be, that of another board."""
    shown = clean(str(found.node), MAX_PATH)
    same = [board for board, path in around.paths.items() if files.real_path(path) == found.node]
    if same:
        reason = f"the consoles of {' and '.join(sorted((around.board, *same)))} are the same port"
        raise PortTroubleError(
            ConsoleCondition.UNAVAILABLE, reason, node=shown, hint="give each board a profile with a port of its own"
        )
    for device, board in around.devices.items():
        if board != around.board and any(port.number == found.number for port in ports.of(device)):
            whose = f"the serial port of board {board}" if board else "that of a device that may be another board"
            raise PortTroubleError(
                ConsoleCondition.UNAVAILABLE,
                f"it is {whose} ({device.name})",
                node=shown,
                hint='name a port that is no board\'s, or use port = "app"',
            )
    if around.emulated is not None and not around.emulated(found.number):
        raise PortTroubleError(
            ConsoleCondition.UNAVAILABLE, "it is no port of an emulated board, and only these are opened", node=shown
        )


def _held(node: Path, who: str, *, plural: bool = False) -> PortTroubleError:
    return PortTroubleError(
        ConsoleCondition.HELD,
        f"{who} {'have' if plural else 'has'} it open",
        node=str(node),
        hint="it is recorded again once that program has closed it",
    )


def _refused(node: Path, error: OSError) -> PortTroubleError:
    """Return why a port cannot be opened."""
    if error.errno in _HELD:
        who = open_files.holders(node)
        return _held(node, " and ".join(map(str, who)) or "another program", plural=len(who) > 1)
    if error.errno in _GONE:
        return PortTroubleError(ConsoleCondition.ABSENT, _WENT)
    if error.errno in _DENIED:
        return PortTroubleError(
            ConsoleCondition.UNAVAILABLE,
            "permission denied",
            node=str(node),
            hint=f"become a member of the group that `ls -l {node}` shows, often dialout or uucp",
        )
    reason = error.strerror or str(error)  # pyserial says more than the system, where that says nothing
    return PortTroubleError(ConsoleCondition.UNAVAILABLE, f"cannot be opened: {clean(reason)}", node=str(node))
