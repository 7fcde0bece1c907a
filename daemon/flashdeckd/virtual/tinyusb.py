"""TinyUSB's DFU class with an application that has a partition in each alternate setting (plain DFU 1.1).

What makes it special: the flash work begins after the status stage of GETSTATUS; CLRSTATUS, ABORT and SET_INTERFACE
lead to dfuIDLE from everywhere; UPLOAD is answered in every state; any number passes as an alternate setting.
The application erases a sector when a block begins it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from flashdeck.geometry import Range
from flashdeckd.virtual.control import (
    ACK,
    CLASS_INTERFACE_REQUEST,
    STALL,
    STANDARD_DEVICE_REQUEST,
    STANDARD_INTERFACE_REQUEST,
    Attribute,
    Dfu,
    Outcome,
    Setup,
    Standard,
    State,
    reply,
)
from flashdeckd.virtual.identity import Functional, Identity
from flashdeckd.virtual.nor import NorFlash, Operation, OperationKind

STATUS_OK = 0
STATUS_TARGET = 1
STATUS_ERASE = 4
STATUS_PROG = 6
STATUS_ADDRESS = 8
POLL_FIRST = 1
"""Milliseconds that the application claims for a block of alternate setting 0."""
POLL_OTHERS = 100
"""Milliseconds that it claims for one of any other."""
_FAILURES = {OperationKind.ERASE: STATUS_ERASE, OperationKind.WRITE: STATUS_PROG}
_STARTABLE = (State.IDLE, State.DNLOAD_IDLE)


@dataclass(frozen=True, slots=True)
class TinyUsbSettings:
    """Choices of a product."""

    functional: Functional
    partitions: Sequence[Range]
    """One for each alternate setting."""
    asynchronous: bool = False
    """True: the flash work runs beside the bus; else the device answers nothing until it is done."""


@dataclass(slots=True)
class _Work:
    """The application's one piece of work. The next replaces it, with its verdict."""

    operations: list[Operation] = field(default_factory=list[Operation])
    """Flash work that is left to do, the first of it under way."""
    size: int = 0
    """Length of the block that is being written."""
    verdict: int = STATUS_OK
    """The status with which the work ends, if the flash does not fail."""


class TinyUsbBootloader:
    """The class and its application, from power-up on."""

    def __init__(self, flash: NorFlash, identity: Identity, settings: TinyUsbSettings) -> None:
        self._flash = flash
        self._identity = identity
        self._settings = settings
        self._size = settings.functional.transfer_size
        self.configured = False
        self._alternate = 0
        self._buffer = bytearray(self._size)
        """For downloads and uploads alike: an upload spoils a block that waits to be written."""
        self._work = _Work()
        self._reset()

    def _reset(self) -> None:
        self.state = State.IDLE
        self._status = STATUS_OK
        self._block = 0
        self._length = 0
        self._pending = False
        """True if a block waits to be written, or an image to be manifested."""

    def attach(self) -> None:
        """The host has found the device, reset and configured it."""
        self._reset()
        self._alternate = 0
        self.configured = True

    @property
    def busy(self) -> Operation | None:
        """The flash work under way."""
        return self._work.operations[0] if self._work.operations else None

    def ended(self, operation: Operation) -> None:
        """One piece of flash work is done; the application reports when it was the last."""
        work = self._work
        if operation not in work.operations:
            return  # begun before a reset of the class, and forgotten when the next one began
        work.operations.remove(operation)
        if operation.access is not OperationKind.NOTHING:
            self._flash.finished(operation, work.size)
        if operation.failed:
            work.operations.clear()
            work.verdict = _FAILURES[operation.access]
        if not work.operations:
            self._complete(work.verdict)

    def _complete(self, status: int) -> None:
        """Moves the class on, once the application says that it has finished."""
        self._pending = False  # also where it is about another block by now, which is then never written
        if status != STATUS_OK:
            self.state = State.ERROR
            self._status = status
        elif self.state is State.DNBUSY:
            self.state = State.DNLOAD_SYNC
        elif self.state is State.MANIFEST:
            tolerant = self._settings.functional.attributes & Attribute.MANIFESTATION_TOLERANT
            self.state = State.MANIFEST_SYNC if tolerant else State.MANIFEST_WAIT_RESET

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """Answers one control transfer."""
        aim = setup.aim
        if aim == STANDARD_DEVICE_REQUEST:
            return self._device(setup)
        if setup.index & 0xFF != 0 or not self.configured:
            return STALL
        if aim == CLASS_INTERFACE_REQUEST:
            return self._class(setup, data)
        return self._interface(setup) if aim == STANDARD_INTERFACE_REQUEST else STALL

    def _device(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_DESCRIPTOR:
                return reply(setup, self._identity.descriptor(setup.value))
            case Standard.GET_STATUS:
                return reply(setup, b"\x01\x00")
            case Standard.GET_CONFIGURATION:
                return reply(setup, bytes((self.configured,)))
            case Standard.SET_CONFIGURATION if setup.value in (0, 1):
                if setup.value and not self.configured:
                    self.attach()
                elif not setup.value:
                    self._reset()
                    self.configured = False
                return ACK
            case _:
                return STALL

    def _interface(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_INTERFACE:
                return reply(setup, bytes((self._alternate,)))
            case Standard.SET_INTERFACE:
                self._reset()
                self._alternate = setup.value & 0xFF
                return ACK
            case Standard.GET_STATUS:
                return reply(setup, b"\x00\x00")
            case _:
                return STALL

    def _class(self, setup: Setup, data: bytes) -> Outcome:  # noqa: PLR0911 - one answer a request
        match setup.request:
            case Dfu.DETACH:
                return ACK
            case Dfu.CLRSTATUS | Dfu.ABORT:
                self._reset()
                return ACK
            case Dfu.GETSTATE:
                return reply(setup, bytes((self.state,)))
            case Dfu.GETSTATUS:
                return self._get_status(setup)
            case Dfu.UPLOAD if not self._settings.functional.attributes & Attribute.CAN_UPLOAD:
                return STALL
            case Dfu.DNLOAD if not self._settings.functional.attributes & Attribute.CAN_DNLOAD:
                return STALL
            case Dfu.UPLOAD if setup.length <= self._size and setup.is_in:
                return self._upload(setup)
            case Dfu.DNLOAD if setup.length <= self._size and self.state in _STARTABLE and not setup.is_in:
                self._pending = True
                self._block = setup.value
                self._length = len(data)
                self._fill(data)
                self.state = State.DNLOAD_SYNC if data else State.MANIFEST_SYNC
                return ACK
            case _:
                return STALL

    def _upload(self, setup: Setup) -> Outcome:
        part = self._partition()
        at = setup.value * self._size
        if part is None or at >= part.size:
            return ACK
        data = self._flash.read(part.start + at, min(setup.length, part.size - at)) or b""
        self._fill(data)
        return Outcome(data=data)

    def _get_status(self, setup: Setup) -> Outcome:
        poll = 0
        operation = None
        answered = self.state
        status = self._status
        match self.state:
            case State.DNLOAD_SYNC if self._pending:
                answered = self.state = State.DNBUSY
                poll = POLL_OTHERS if self._alternate else POLL_FIRST
                operation = self._begin()
            case State.DNLOAD_SYNC:
                answered = self.state = State.DNLOAD_IDLE
            case State.MANIFEST_SYNC if self._pending:
                self._pending = False
                answered = self.state = State.MANIFEST
                self._conclude(STATUS_OK)
            case State.MANIFEST_SYNC:
                answered = self.state = State.IDLE
            case _:
                pass
        answer = bytes((status, *poll.to_bytes(3, "little"), answered, 0))
        return Outcome(data=answer[: setup.length], operation=operation, after_status=True)

    def _begin(self) -> Operation | None:
        """Starts the application's work; the operation that holds endpoint 0, if one does."""
        self._pending = False
        part = self._partition()
        at = self._block * self._size
        if part is None:
            return self._complete(STATUS_TARGET)
        if at + self._length > part.size:
            return self._conclude(STATUS_ADDRESS)
        address = part.start + at
        self._work = _Work([self._flash.write(address, self._block_data(self._length))], self._length)
        if self._flash.sector_of(address) >= 0 and self._flash.span_of(address).start == address:
            self._work.operations.insert(0, self._flash.erase(address))
        return None if self._settings.asynchronous else self.busy

    def _fill(self, data: bytes) -> None:
        """Puts `data` into the buffer, from which a write that has not begun takes what it finds."""
        self._buffer[: len(data)] = data
        work = self._work
        if work.operations and work.operations[-1].access is OperationKind.WRITE:
            work.operations[-1].data = self._block_data(work.size)

    def _block_data(self, size: int) -> bytes:
        return bytes(self._buffer[:size]) + b"\xff" * (-size % self._flash.word)

    def _conclude(self, status: int) -> None:
        """Ends work that needs no flash with `status`: at once, or when the application gets round to it."""
        if self._settings.asynchronous:
            self._work = _Work([self._flash.pretend(OperationKind.NOTHING, 0)], verdict=status)
        else:
            self._complete(status)

    def _partition(self) -> Range | None:
        found = self._settings.partitions
        return found[self._alternate] if self._alternate < len(found) else None
