"""A serial port as pyserial opens it: any speed, and the modem lines as they are to be. It is an extra."""

import fcntl
import os
import termios
from pathlib import Path

from serial import Serial


class _Untouched(Serial):
    """A port of which nothing is thrown away when it is opened: a board may speak as soon as DTR is up."""

    def _reset_input_buffer(self) -> None:
        """Leave what came before."""


def opened_alone(node: Path, *, baud: int, dtr: bool, rts: bool) -> int:
    """Return a descriptor of a port that others are kept away from. Blocks. Raises OSError."""
    port = _Untouched(baudrate=baud, timeout=0, exclusive=True)
    port.dtr, port.rts = dtr, rts  # before it is opened: some boards reset on them
    port.port = str(node)
    port.open()
    try:
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
        _tell_nothing_from_gone(port.fileno())
        return os.dup(port.fileno())  # the lock is that of the open file, and outlives pyserial's descriptor
    finally:
        port.close()


def _tell_nothing_from_gone(descriptor: int) -> None:
    """Let a read with nothing to be read fail with EAGAIN: as pyserial has it, it returns as if the port had gone."""
    attributes = termios.tcgetattr(descriptor)
    attributes[-1][termios.VMIN] = 1  # the last are the control characters
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
