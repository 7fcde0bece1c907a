"""Serial ports: speed and modem lines of a tty, what comes from one, and pairs of pseudo-terminals in the place of one.

A simulation sets `system` to ports that are nobody's, with the same steps.
"""

import asyncio
import errno
import fcntl
import os
import select
import stat
import struct
import termios
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

DeviceNumber = tuple[int, int]
"""Major and minor number of a device node."""
_SPEEDS: Final = {
    getattr(termios, name): int(name[1:]) for name in dir(termios) if name.startswith("B") and name[1:].isdecimal()
}
"""Baud by termios' codes."""
_CODES: Final = {baud: code for code, baud in _SPEEDS.items()}
_CFLAG, _LFLAG, _ISPEED, _OSPEED = 2, 3, 4, 5
"""Places in what `tcgetattr` returns."""
_NO_LINES: Final = frozenset({errno.ENOTTY, errno.EINVAL, errno.ENOSYS})


@dataclass(frozen=True, slots=True)
class LineState:
    """A pseudo-terminal as its other side sees it."""

    baud: int
    is_open: bool
    """True if anybody has it open."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """The way in which a port is opened to hear what comes from it."""

    baud: int
    dtr: bool
    rts: bool


class SerialLines(Protocol):
    """A place where serial ports are; all raise OSError."""

    def open(self, node: Path, /) -> int:
        """Open a port without waiting for anything; it becomes nobody's terminal."""
        ...

    def number(self, descriptor: int, /) -> DeviceNumber | None:
        """Return the number of an open device; None where it is none."""
        ...

    def set_speed(self, descriptor: int, baud: int, /) -> None:
        """Set the speed, and echo nothing."""
        ...

    def drop_dtr(self, descriptor: int, /) -> None:
        """Take DTR back, also where others have the port open; nothing where there are no such lines."""
        ...

    def close(self, descriptor: int, /) -> None:
        """Close a port."""
        ...

    def open_to_hear(self, node: Path, settings: LineSettings, /) -> int:
        """Open a port for oneself alone, as far as the kernel and other programs heed that. What came before stays.

        EBUSY or EAGAIN: another program has it for itself. Raises ImportError where pyserial is not installed.
        """
        ...

    def share(self, descriptor: int, /) -> None:
        """Let others open a port again."""
        ...

    def read(self, descriptor: int, size: int, /) -> bytes:
        """Return what has come, at most `size` bytes; none where the port has gone. Raises BlockingIOError."""
        ...

    def watch(self, descriptor: int, come: Callable[[], object], /) -> None:
        """Call `come` in the event loop while there is anything to be read, until `unwatch`."""
        ...

    def unwatch(self, descriptor: int, /) -> None:
        """End that."""
        ...

    def new_pair(self) -> tuple[int, Path, DeviceNumber]:
        """Make a pseudo-terminal: our side, and node and number of the other one. It ends when ours is closed."""
        ...

    def speak(self, descriptor: int, data: bytes, /) -> int:
        """Send bytes from our side of a pseudo-terminal; return how many it takes now, without waiting."""
        ...

    def line_state(self, descriptor: int, /) -> LineState:
        """Return the state of the other side of our pseudo-terminal."""
        ...


class _Ttys:
    """The kernel's."""

    @staticmethod
    def open(node: Path, /) -> int:
        flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(node, flags)

    @staticmethod
    def number(descriptor: int, /) -> DeviceNumber | None:
        status = os.fstat(descriptor)
        return (os.major(status.st_rdev), os.minor(status.st_rdev)) if stat.S_ISCHR(status.st_mode) else None

    @staticmethod
    def set_speed(descriptor: int, baud: int, /) -> None:
        with _os_errors():
            attributes = termios.tcgetattr(descriptor)
            attributes[_CFLAG] |= termios.CLOCAL | termios.CREAD
            attributes[_LFLAG] &= ~(termios.ECHO | termios.ECHONL)
            attributes[_ISPEED] = attributes[_OSPEED] = _CODES[baud]
            termios.tcsetattr(descriptor, termios.TCSANOW, attributes)

    @staticmethod
    def drop_dtr(descriptor: int, /) -> None:
        try:
            fcntl.ioctl(descriptor, termios.TIOCMBIC, struct.pack("I", termios.TIOCM_DTR))
        except OSError as error:
            if error.errno not in _NO_LINES:
                raise

    close = staticmethod(os.close)
    read = staticmethod(os.read)

    @staticmethod
    def open_to_hear(node: Path, settings: LineSettings, /) -> int:
        # Imported here: pyserial is an extra, and most daemons have nothing to hear.
        from flashdeckd.host.heard_lines import opened_alone  # noqa: PLC0415

        return opened_alone(node, baud=settings.baud, dtr=settings.dtr, rts=settings.rts)

    @staticmethod
    def share(descriptor: int, /) -> None:
        fcntl.ioctl(descriptor, termios.TIOCNXCL)

    @staticmethod
    def watch(descriptor: int, come: Callable[[], object], /) -> None:
        asyncio.get_running_loop().add_reader(descriptor, come)

    @staticmethod
    def unwatch(descriptor: int, /) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)

    @staticmethod
    def new_pair() -> tuple[int, Path, DeviceNumber]:
        ours, theirs = os.openpty()
        try:
            os.set_blocking(ours, False)
            status = os.fstat(theirs)
            return ours, Path(os.ttyname(theirs)), (os.major(status.st_rdev), os.minor(status.st_rdev))
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)

    @staticmethod
    def speak(descriptor: int, data: bytes, /) -> int:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            return 0

    @staticmethod
    def line_state(descriptor: int, /) -> LineState:
        poll = select.poll()
        poll.register(descriptor, 0)
        hung_up = any(events & select.POLLHUP for _, events in poll.poll(0))
        with _os_errors():
            code = termios.tcgetattr(descriptor)[_OSPEED]
        return LineState(_SPEEDS.get(code, 0), not hung_up)


@contextmanager
def _os_errors() -> Generator[None]:
    try:
        yield
    except termios.error as error:  # is no OSError, for reasons of its own
        raise OSError(*error.args) from error


system: SerialLines = _Ttys()


class OpenPort:
    """A port that is open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def is_device(self, number: DeviceNumber) -> bool:
        """Return whether it is the device with this number."""
        return system.number(self._descriptor) == number

    def set_speed(self, baud: int) -> None:
        """Set its speed to one of the usual ones, and let it echo nothing. Raises OSError."""
        system.set_speed(self._descriptor, baud)

    def drop_dtr(self) -> None:
        """Take DTR back, whoever else has the port open; a pseudo-terminal has none. Raises OSError."""
        system.drop_dtr(self._descriptor)


@contextmanager
def opened(node: Path) -> Generator[OpenPort]:
    """Open a port for the length of the block; no link is followed. Raises OSError; EBUSY: another has it alone."""
    descriptor = system.open(node)
    try:
        yield OpenPort(descriptor)
    finally:
        with suppress(OSError):  # the device may have gone; the descriptor has, too
            system.close(descriptor)


class HeardPort:
    """A port that is open to hear what comes from it. Opening and closing it may block, the rest does not."""

    def __init__(self, node: Path, settings: LineSettings) -> None:
        """Raises as `SerialLines.open_to_hear` does."""
        self.node = node
        self._descriptor = system.open_to_hear(node, settings)

    def is_device(self, number: DeviceNumber) -> bool:
        """Return whether it is the device with this number."""
        return system.number(self._descriptor) == number

    def read(self, size: int) -> bytes:
        """Return what has come, at most `size` bytes; none once the port has gone. Raises BlockingIOError, OSError."""
        return system.read(self._descriptor, size)

    def watch(self, come: Callable[[], object]) -> None:
        """Call `come` in the event loop while there is anything to be read."""
        system.watch(self._descriptor, come)

    def unwatch(self) -> None:
        """End that."""
        system.unwatch(self._descriptor)

    def close(self) -> None:
        """Let others have the port."""
        with suppress(OSError):  # a pseudo-terminal would stay closed to others; a device that has gone needs nothing
            system.share(self._descriptor)
        with suppress(OSError):
            system.close(self._descriptor)


class PseudoPort:
    """Our side of a pseudo-terminal that stands in for a serial port."""

    def __init__(self) -> None:
        self._descriptor, self.node, self.number = system.new_pair()

    @property
    def state(self) -> LineState:
        """Its state now. Raises OSError."""
        return system.line_state(self._descriptor)

    def speak(self, data: bytes) -> int:
        """Send bytes to whoever has it open; return how many of them it takes now. Raises OSError."""
        return system.speak(self._descriptor, data)

    def close(self) -> None:
        """The port is gone; whoever has it open is hung up."""
        system.close(self._descriptor)
