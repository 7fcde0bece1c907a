"""The serial ports of emulated boards: pseudo-terminals, and the part of the kernel's driver for them.

A driver tells the application what is set on the tty: SET_LINE_CODING for the speed, and SET_CONTROL_LINE_STATE when
somebody opens it, and when the last one has closed it. A pseudo-terminal tells nobody, so it is looked at. What a board
says is fetched only while somebody has the port open, as a driver does it: until then the device keeps it.

The port of an application ends with its enumeration. That of a UART is another device's, as a debug probe's: it is
there from the first look on, whatever becomes of the board, and a link with a name of the bench's choice leads to it.
"""

import asyncio
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import usb.core

from flashdeck.text import MAX_PATH, clean
from flashdeckd.host import files, threads
from flashdeckd.host.serial_lines import DeviceNumber, LineState, PseudoPort
from flashdeckd.usb.device import UsbDevice
from flashdeckd.usb.serial_ports import SerialPort
from flashdeckd.virtual.application import PORT_INTERFACE, AppPort
from flashdeckd.virtual.board import Attachment, VirtualBoard
from flashdeckd.virtual.control import CLASS_REQUEST, Cdc, Recipient, Setup

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
    """The port of one enumeration, or of a UART."""

    port: PseudoPort
    state: LineState = field(init=False)
    """As it was when it was last looked at."""

    def __post_init__(self) -> None:
        self.state = self.port.state


class VirtualSerialPorts:
    """The ports of a bench whose bus is followed. All but `follow` may be called in any thread."""

    def __init__(self, boards: Sequence[VirtualBoard]) -> None:
        self._boards = tuple(board for board in boards if board.spec.serial_port is not AppPort.NONE)
        self._with_uart = tuple((board, board.spec.uart) for board in boards if board.spec.uart is not None)
        self._lines: dict[Attachment, _FollowedPort] = {}
        self._uarts: dict[VirtualBoard, _FollowedPort] = {}
        self._is_followed = False
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

    def uart_of(self, board: VirtualBoard) -> str:
        """Return the link that leads to a board's UART; "" while there is none."""
        return str(board.spec.uart) if board in self._uarts else ""

    def has(self, number: DeviceNumber) -> bool:
        """Return whether a device is one of the ports of this bench."""
        return any(line.port.number == number for line in (*self._lines.values(), *self._uarts.values()))

    async def follow(self) -> None:
        """Keep the ports of all boards, until this is cancelled: then those that are there stay, and links go."""
        self._is_followed = True
        try:
            while self._boards or self._with_uart:
                await threads.run(self._look)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._is_followed = False
            self._unlink()

    def _look(self) -> None:
        self.trouble = ""
        self._look_at_applications()
        for board, link in self._with_uart:
            try:
                if board not in self._uarts:
                    self._uarts[board] = _FollowedPort(PseudoPort())
                line = self._uarts[board]
                _link(link, line)
                line.state = line.port.state
                _fetch(board, None, line)
            except OSError as error:
                self.trouble = (
                    f"virtual board {board.spec.name} has no UART at {clean(str(link), MAX_PATH)} ({error.strerror}): "
                    "let flashdeckd make pseudo-terminals, and a link of that name, or give it another uart"
                )

        if not self._is_followed:  # that ended meanwhile, and perhaps before there was a link
            self._unlink()

    def _unlink(self) -> None:
        for board, line in tuple(self._uarts.items()):
            with suppress(OSError):  # somebody else has removed it, or may
                if board.spec.uart is not None and files.target(board.spec.uart) == str(line.port.node):
                    files.remove(board.spec.uart)

    def _look_at_applications(self) -> None:
        present = [found for board in self._boards if (found := board.connection()) is not None and not found.is_dfu]
        for gone in self._lines.keys() - set(present):
            self._lines.pop(gone).port.close()
        for connection in present:
            try:
                if connection not in self._lines:
                    self._lines[connection] = _FollowedPort(PseudoPort())
                _tell(connection, self._lines[connection])
                _fetch(connection.board, connection, self._lines[connection])
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


def _fetch(board: VirtualBoard, connection: Attachment | None, line: _FollowedPort) -> None:
    """Take what a board says on a port into an open tty, as much as fits."""
    if line.state.is_open:
        board.speak(connection, FETCHED_A_LOOK, line.port.speak)


def _link(link: Path, line: _FollowedPort) -> None:
    """Let a link lead to a UART; another link of that name, as a daemon leaves it that is killed, is gone then."""
    if files.is_link(link):
        if files.target(link) == str(line.port.node):
            return
        files.remove(link)
    files.make_link(line.port.node, link)


def _send(connection: Attachment, request: Cdc, value: int, data: bytes) -> None:
    setup = Setup(_REQUEST, request, value, PORT_INTERFACE, len(data))
    connection.board.transfer(connection, setup, data, _PATIENCE)
