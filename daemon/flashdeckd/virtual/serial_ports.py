"""The serial ports of emulated applications: pseudo-terminals, and the part of the kernel's driver for them.

A driver tells the application what is set on the tty: SET_LINE_CODING for the speed, and SET_CONTROL_LINE_STATE when
somebody opens it, and when the last one has closed it. A pseudo-terminal tells nobody, so it is looked at. What the
application says is fetched only while somebody has the port open, as a driver does it: until then the device keeps it.
"""

import asyncio
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import usb.core

from flashdeckd.host import clock, threads
from flashdeckd.host.serial_lines import LineState, PseudoPort
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.serial_ports import SerialPort
from flashdeckd.virtual.application import PORT_INTERFACE, AppPort
from flashdeckd.virtual.board import Attachment, VirtualBoard
from flashdeckd.virtual.control import CLASS_REQUEST, Cdc, Recipient, Setup
from flashdeckd.virtual.voice import PortBuffer, Voice

LOOK_SECONDS: Final = 0.02
"""Seconds between two looks at what is set on the ports."""
FETCHED_A_LOOK: Final = 24 * 1024
"""Bytes that a driver fetches between two looks at the most: what a full-speed bus carries in that time."""
_REQUEST: Final = CLASS_REQUEST | Recipient.INTERFACE
_PATIENCE: Final = 1.0
"""Seconds that an application has for an answer, as in the kernel's driver."""
_OPEN_LINES: Final = 3
"""DTR and RTS, which the kernel raises for whoever opens a port."""


@dataclass(slots=True)
class _FollowedPort:
    """The port of one enumeration."""

    port: PseudoPort
    state: LineState = field(init=False)
    """As it was when it was last looked at."""
    buffer: PortBuffer = field(default_factory=PortBuffer)
    """The words of the application that nobody has fetched."""

    def __post_init__(self) -> None:
        self.state = self.port.state


class VirtualSerialPorts:
    """The ports of a bench whose bus is followed. `of` and `node_of` may be called in any thread."""

    def __init__(self, boards: Sequence[VirtualBoard]) -> None:
        self._boards = tuple(board for board in boards if board.spec.serial_port is not AppPort.NONE)
        self._lines: dict[Attachment, _FollowedPort] = {}
        self.trouble = ""
        """The reason why an application has no port, and what to do; "" where all have."""

    def of(self, device: UsbDevice) -> tuple[SerialPort, ...]:
        """Return the ports of exactly this enumeration: one, or none."""
        found = [line for connection, line in tuple(self._lines.items()) if connection.address == device.address]
        return tuple(SerialPort(PORT_INTERFACE, line.port.node, line.port.number) for line in found)

    def node_of(self, board: VirtualBoard) -> str:
        """Return the node of a board's port; "" while it has none."""
        found = [str(line.port.node) for connection, line in tuple(self._lines.items()) if connection.board is board]
        return found[0] if found else ""

    async def follow(self) -> None:
        """Keep the ports of all applications that run, until this is cancelled; those that are there then stay."""
        while self._boards:
            await threads.run(self._look)
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        present = [found for board in self._boards if (found := board.connection()) is not None and not found.is_dfu]
        for gone in self._lines.keys() - set(present):
            self._lines.pop(gone).port.close()
        self.trouble = ""
        for connection in present:
            try:
                if connection not in self._lines:
                    self._lines[connection] = _FollowedPort(PseudoPort())
                _tell(connection, self._lines[connection])
                if connection.voice is not None and not connection.voice.is_silent:
                    _fetch(connection.voice, self._lines[connection], clock.monotonic())
            except OSError as error:
                self.trouble = (
                    f"virtual board {connection.board.spec.name} has no serial port ({error.strerror}): let flashdeckd "
                    "make pseudo-terminals (devpts has to be mounted at /dev/pts)"
                )


def _tell(connection: Attachment, line: _FollowedPort) -> None:
    """Tell an application what was set on its port since the last look."""
    before, now = line.state, line.port.state
    line.state = now
    with suppress(usb.core.USBError):  # it has gone meanwhile: the next look sees it
        if now.baud != before.baud:
            _send(connection, Cdc.SET_LINE_CODING, 0, struct.pack("<IBBB", now.baud, 0, 0, 8))
        # What was opened and closed between two looks was open all the same.
        if now.is_open != before.is_open or (now.baud != before.baud and not now.is_open):
            _send(connection, Cdc.SET_CONTROL_LINE_STATE, _OPEN_LINES if now.is_open else 0, b"")


def _fetch(voice: Voice, line: _FollowedPort, now: float) -> None:
    """Take what an application says into the buffer of its device, and out of it what fits into an open tty."""
    if line.state.is_open:
        voice.opened(now)
    line.buffer.put(voice.spoken(now, line.buffer.room))
    left = FETCHED_A_LOOK if line.state.is_open else 0
    while left and (piece := line.buffer.peek(left)):
        taken = line.port.speak(piece)
        line.buffer.drop(taken)
        left -= taken
        if taken < len(piece):
            return
        line.buffer.put(voice.spoken(now, line.buffer.room))


def _send(connection: Attachment, request: Cdc, value: int, data: bytes) -> None:
    setup = Setup(_REQUEST, request, value, PORT_INTERFACE, len(data))
    connection.board.transfer(connection, setup, data, _PATIENCE)
