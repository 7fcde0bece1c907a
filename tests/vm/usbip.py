"""USB/IP, protocol 1.1.1, as the device's side speaks it once a device is imported.

The commands and their answers: the kernel's Documentation/usb/usbip_protocol.rst. The numbers on the wire are
big-endian; a setup packet is as on the bus. A status is 0 or a negative errno, as in a URB.
"""

import errno
import queue
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum

import usb.core

from flashdeckd.virtual.board import Attachment
from flashdeckd.virtual.control import STANDARD_REQUEST, Cdc, Setup, Standard

_HEAD = struct.Struct(">5I")
_SUBMIT = struct.Struct(">IiiII8s")
_SETUP = struct.Struct("<BBHHH")
_RET_SUBMIT = struct.Struct(">5I i i 3I 8x")
_RET_UNLINK = struct.Struct(">5I i 24x")
_DEVICE_DESCRIPTOR = 0x0100
_FIRST_LOOK = 64
"""wLength of the only GET_DESCRIPTOR by which a device on vhci learns of a bus reset: the hub driver's after it."""
_IN = 0x80
_BULK = 2
_CLASS_TO_INTERFACE = 0x21
_LOOK_SECONDS = 0.05
"""Between two looks whether a board whose port is open has said anything: it tells nobody."""


class Command(IntEnum):
    """Commands and their answers."""

    SUBMIT = 1
    UNLINK = 2
    RET_SUBMIT = 3
    RET_UNLINK = 4


@dataclass
class Tally:
    """What came to one board over all its enumerations, beside the transfers that it counts itself."""

    unlinks: list[Setup] = field(default_factory=list[Setup])
    """Transfers on endpoint 0 that the host gave up before they were answered."""
    resets: int = 0
    """Bus resets of a device that was configured already."""
    lines: list[int] = field(default_factory=list[int])
    """The modem lines as the host has set them, one after the other: 1 is DTR, 2 is RTS."""
    first: float | None = None
    """When the first DFU request came, on the monotonic clock; whoever measures sets it to None before."""
    last: float = 0.0
    """When the last DFU request was over."""


@dataclass(frozen=True, eq=False)
class _Transfer:
    number: int
    endpoint: int
    """Its address, with 0x80 for one to the host; 0 for endpoint 0."""
    setup: Setup
    length: int
    """Bytes that the host takes, or sends."""
    data: bytes
    given_up: threading.Event


class Export:
    """One enumeration of an emulated board, served on a stream socket until either side ends it.

    One thread reads commands, so that an UNLINK reaches a transfer that is under way; another lets the board answer,
    one transfer at a time, as endpoint 0 does. Where the application has a serial port, a third brings its words.
    """

    def __init__(self, connection: Attachment, stream: socket.socket, tally: Tally) -> None:
        self.connection = connection
        self._stream = stream
        self._tally = tally
        self._lock = threading.Lock()
        self._pending: dict[int, _Transfer] = {}
        self._submitted: queue.SimpleQueue[_Transfer | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Transfer | None] = queue.SimpleQueue()
        """Those of the serial port's data, as they came."""
        self._ended = threading.Event()
        self._configured = False
        name, works = connection.board.spec.name, [("reader", self._read), ("endpoint 0", self._answer)]
        if connection.output is not None:
            works.append(("words", self._speak))
        self._threads = [threading.Thread(target=work, name=f"{name}: {what}", daemon=True) for what, work in works]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """The device is gone from the bus. Ends what is under way; returns once both threads have ended."""
        with suppress(OSError):  # the other side was first
            self._stream.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._stream.close()

    def _read(self) -> None:
        try:
            while True:
                self._command(self._receive(_HEAD.size), self._receive(_SUBMIT.size))
        except OSError:
            pass  # the end of the connection
        with self._lock:
            lost = list(self._pending.values())
            self._pending.clear()
        for transfer in lost:
            self._give_up(transfer)
        self._ended.set()
        self._submitted.put(None)
        self._reads.put(None)

    def _command(self, head: bytes, rest: bytes) -> None:
        command, number, _, direction, endpoint = _HEAD.unpack(head)
        first, length, _, _, _, setup = _SUBMIT.unpack(rest)
        match command:
            case Command.SUBMIT:
                data = b"" if direction else self._receive(length)
                address = endpoint | _IN if endpoint and direction else endpoint
                transfer = _Transfer(number, address, Setup(*_SETUP.unpack(setup)), length, data, threading.Event())
                with self._lock:
                    self._pending[number] = transfer
                (self._reads if self._is_read(address) else self._submitted).put(transfer)
            case Command.UNLINK:
                self._unlink(number, first)
            case _:
                raise ConnectionError(f"USB/IP command {command} from the host")

    def _unlink(self, number: int, victim: int) -> None:
        """Answers -ECONNRESET for a transfer that was not answered yet, and then never will be; else 0."""
        with self._lock:
            transfer = self._pending.pop(victim, None)
            status = 0 if transfer is None else -errno.ECONNRESET
            if transfer is not None and not transfer.endpoint:
                self._tally.unlinks.append(transfer.setup)
            self._stream.sendall(_RET_UNLINK.pack(Command.RET_UNLINK, number, 0, 0, 0, status))
        if transfer is not None:
            self._give_up(transfer)

    def _give_up(self, transfer: _Transfer) -> None:
        transfer.given_up.set()
        self.connection.board.look_up()

    def _answer(self) -> None:
        while (transfer := self._submitted.get()) is not None:
            if transfer.given_up.is_set():
                continue
            try:
                status, data = 0, self._transferred(transfer)
            except usb.core.USBTimeoutError:
                continue  # it stays pending until the host gives it up
            except usb.core.USBError as error:
                # The bus does not answer for a device that is gone, before the hub has noticed.
                status, data = -(errno.EPROTO if error.errno == errno.ENODEV else error.errno or errno.EIO), b""
            with self._lock:
                if self._pending.pop(transfer.number, None) is not None:
                    self._return(transfer, status, data)

    def _is_read(self, endpoint: int) -> bool:
        """Tell whether an endpoint brings what is said on the application's serial port."""
        if self.connection.output is None or not endpoint & _IN:
            return False
        settings = self.connection.identity.settings
        return any(each.address == endpoint and each.attributes == _BULK for it in settings for each in it.endpoints)

    def _speak(self) -> None:
        """Answer each read with what the board says next, the oldest first."""
        while (transfer := self._reads.get()) is not None:
            while not transfer.given_up.is_set() and not self._is_answered(transfer):
                if self._ended.wait(_LOOK_SECONDS):
                    return

    def _is_answered(self, transfer: _Transfer) -> bool:
        """Answer a read, if the board has something to say; what is given up meanwhile is kept for the next."""
        answered = False

        def take(data: bytes) -> int:
            nonlocal answered
            with self._lock:
                if answered or self._pending.pop(transfer.number, None) is None:
                    return 0
                self._return(transfer, 0, data)
            answered = True
            return len(data)

        self.connection.board.speak(self.connection, transfer.length, take)
        return answered

    def _transferred(self, transfer: _Transfer) -> bytes:
        if transfer.endpoint:
            return self._beside(transfer.endpoint)
        board, setup = self.connection.board, transfer.setup
        if _is_first_look(setup) and self._configured:
            self._tally.resets += 1
            board.reset(self.connection)
        if (setup.request_type, setup.request) == (_CLASS_TO_INTERFACE, Cdc.SET_CONTROL_LINE_STATE):
            self._tally.lines.append(setup.value)
        if setup.is_dfu and self._tally.first is None:
            self._tally.first = time.monotonic()
        try:
            answer = board.transfer(self.connection, setup, transfer.data, None, given_up=transfer.given_up)
        finally:
            if setup.is_dfu:
                self._tally.last = time.monotonic()
        self._configured |= setup.kind == STANDARD_REQUEST and setup.request == Standard.SET_CONFIGURATION
        return answer

    def _beside(self, endpoint: int) -> bytes:
        """Any other endpoint: what goes to one is taken, and nothing ever comes from one, but words."""
        settings = self.connection.identity.settings
        if endpoint not in [each.address for setting in settings for each in setting.endpoints]:
            raise usb.core.USBError("no such endpoint", None, errno.EPIPE)
        if endpoint & _IN:
            raise usb.core.USBTimeoutError("nothing to say")
        return b""

    def _return(self, transfer: _Transfer, status: int, data: bytes) -> None:
        is_in = transfer.setup.is_in or transfer.endpoint & _IN
        moved = 0 if status else len(data) if is_in else len(transfer.data)
        head = _RET_SUBMIT.pack(Command.RET_SUBMIT, transfer.number, 0, 0, 0, status, moved, 0, 0, 0)
        with suppress(OSError):  # `_read` sees the end of the connection, too
            self._stream.sendall(head + data)

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._stream.recv(size - len(data))
            if not part:
                raise ConnectionError("the host closed the connection")
            data += part
        return data


def _is_first_look(setup: Setup) -> bool:
    return (setup.request_type, setup.request, setup.value, setup.length) == (
        _IN,
        Standard.GET_DESCRIPTOR,
        _DEVICE_DESCRIPTOR,
        _FIRST_LOOK,
    )
