"""dapboot: a plain DFU 1.1 bootloader with one alternate setting and no idea of block numbers.

Modelled on the public source of devanlai/dapboot (src/dfu.c, src/dapboot.c and its targets). What makes it special: the
place in the flash is only ever counted on, from a DNLOAD or UPLOAD in dfuIDLE; the flash work begins after the status
stage of GETSTATUS and goes to dfuDNLOAD-IDLE without another one; a DNLOAD in a wrong state is accepted and forgotten;
an UPLOAD in a wrong state answers whatever is in the buffer; DETACH and a bus reset restart the chip.
"""

from dataclasses import dataclass

from flashdeck.geometry import Range
from flashdeckd.virtual.control import (
    ACK,
    CLASS_REQUEST,
    STALL,
    STANDARD_REQUEST,
    Attribute,
    Bus,
    Dfu,
    Outcome,
    Recipient,
    Setup,
    Standard,
    State,
    reply,
)
from flashdeckd.virtual.identity import Functional, Identity
from flashdeckd.virtual.nor import NorFlash, Operation

NAME = "DAPBoot DFU"
"""The name of its alternate setting."""
VERSION = 0x0110
"""Its bcdDFUVersion."""
POLL = 100
"""Milliseconds that it claims for a block."""
STATUS_OK = 0
STATUS_VERIFY = 7
STATUS_FIRMWARE = 10
STATUS_STALLED = 15
_HALF_WORD = 2
_STACK_MASK = 0x2FFE0000
_STACK_BASE = 0x20000000
_ABORTABLE = (State.IDLE, State.DNLOAD_SYNC, State.DNLOAD_IDLE, State.MANIFEST_SYNC, State.UPLOAD_IDLE)


def accepts(stack: int) -> bool:
    """Its only boot check: whether the initial stack pointer is in the first 128 KiB of RAM."""
    return stack & _STACK_MASK == _STACK_BASE


@dataclass(frozen=True, slots=True)
class DapbootSettings:
    """What a product chose."""

    functional: Functional
    start: int
    """Address of the application: where the first block goes."""


class DapbootBootloader:
    """The bootloader from power-up on."""

    def __init__(self, flash: NorFlash, identity: Identity, settings: DapbootSettings) -> None:
        self._flash = flash
        self._identity = identity
        self._settings = settings
        self._tolerant = bool(settings.functional.attributes & Attribute.MANIFESTATION_TOLERANT)
        self._buffer = bytes(settings.functional.transfer_size)
        """The last data stage."""
        self._blank = Range(0, 0)
        """What is left of the page that was erased last."""
        self._queue: list[Operation] = []
        self.state = State.IDLE
        self.configured = False
        self._status = STATUS_OK
        self._offset = 0
        self._block = b""
        self._manifested = False

    def attach(self) -> None:
        """The host has found the device and configured it; a second bus reset restarts the chip instead."""
        self.configured = True

    @property
    def busy(self) -> Operation | None:
        """The flash work under way."""
        return self._queue[0] if self._queue else None

    def ended(self, operation: Operation) -> None:
        """One piece of flash work is done; with the last the block is, and with a failure all of it."""
        self._queue.remove(operation)
        self._flash.finished(operation, len(operation.data))
        if operation.failed:
            self._queue.clear()
            self._fail(STATUS_VERIFY)
        elif not self._queue:
            self._offset += len(self._block)
            self.state = State.DNLOAD_IDLE

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """Answers one control transfer."""
        if setup.recipient == Recipient.DEVICE and setup.kind == STANDARD_REQUEST:
            return self._device(setup)
        if setup.recipient != Recipient.INTERFACE or setup.index & 0xFF != 0 or not self.configured:
            return STALL
        if setup.kind == STANDARD_REQUEST:
            return self._interface(setup)
        return self._class(setup, data) if setup.kind == CLASS_REQUEST else STALL

    def _device(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_DESCRIPTOR:
                return reply(setup, self._identity.descriptor(setup.value))
            case Standard.GET_STATUS:
                return reply(setup, b"\x00\x00")
            case Standard.GET_CONFIGURATION:
                return reply(setup, bytes((self.configured,)))
            case Standard.SET_CONFIGURATION if setup.value in (0, 1):
                self.configured = bool(setup.value)
                return ACK
            case _:
                return STALL

    def _interface(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_INTERFACE:
                return reply(setup, b"\x00")
            case Standard.SET_INTERFACE if setup.value == 0:
                return ACK
            case Standard.GET_STATUS:
                return reply(setup, b"\x00\x00")
            case _:
                return STALL

    def _class(self, setup: Setup, data: bytes) -> Outcome:  # noqa: PLR0911 - one answer a request
        match setup.request:
            case Dfu.DETACH:
                return Outcome(bus=Bus.RESTARTS)
            case Dfu.DNLOAD if not setup.is_in and setup.length <= len(self._buffer):
                return self._download(data)
            case Dfu.UPLOAD if setup.is_in and setup.length <= len(self._buffer):
                return self._upload(setup.length)
            case Dfu.GETSTATUS:
                return self._get_status(setup)
            case Dfu.CLRSTATUS:
                self._status = STATUS_OK
                if self.state is State.ERROR:
                    self.state = State.IDLE
                return ACK
            case Dfu.GETSTATE:
                return reply(setup, bytes((self.state,)))
            case Dfu.ABORT:
                if self.state in _ABORTABLE:
                    self.state = State.IDLE
                return ACK
            case _:
                self._fail(STATUS_STALLED)
                return STALL

    def _download(self, data: bytes) -> Outcome:
        self._buffer = data + self._buffer[len(data) :]
        match self.state:
            case State.IDLE if not data:
                self._fail(STATUS_STALLED)
                return STALL
            case State.IDLE:
                self._offset = 0
                self._manifested = False
            case State.DNLOAD_IDLE if not data:
                self.state = State.MANIFEST_SYNC
                return ACK
            case State.DNLOAD_IDLE:
                pass
            case _:
                return ACK
        self._block = data
        self.state = State.DNLOAD_SYNC
        return ACK

    def _upload(self, length: int) -> Outcome:
        if self.state is State.IDLE:
            self._offset = 0
        elif self.state is not State.UPLOAD_IDLE:
            return Outcome(data=self._buffer[:length])
        address = self._settings.start + self._offset
        left = max(0, self._flash.layout.base + self._flash.layout.size - address)
        self.state = State.IDLE if length > left else State.UPLOAD_IDLE
        data = self._flash.read(address, min(length, left)) or b""
        self._offset += len(data)
        return Outcome(data=data)

    def _get_status(self, setup: Setup) -> Outcome:
        poll = 0
        operation = None
        restarts = False
        match self.state:
            case State.DNLOAD_SYNC:
                self.state = State.DNBUSY
                poll = POLL
                answered = self.state
                operation = self._program()
            case State.MANIFEST_SYNC if self._manifested:
                answered = self.state = State.IDLE
            case State.MANIFEST_SYNC:
                answered = self.state = State.MANIFEST
                restarts = self._manifest()
            case _:
                answered = self.state
        status = STATUS_OK if answered in (State.DNBUSY, State.MANIFEST) else self._status
        answer = bytes((status, *poll.to_bytes(3, "little"), answered, 0))
        bus = Bus.RESTARTS if restarts else Bus.STAYS
        return Outcome(data=answer[: setup.length], operation=operation, after_status=True, bus=bus)

    def _manifest(self) -> bool:
        """Checks the image once the answer is out; True if the chip restarts then."""
        stack = self._flash.read(self._settings.start, 4) or b""
        self._manifested = accepts(int.from_bytes(stack, "little"))
        if not self._manifested:
            self._fail(STATUS_FIRMWARE)
            return False
        self.state = State.MANIFEST_SYNC
        return not self._tolerant

    def _program(self) -> Operation | None:
        """Starts the flash work of a block: each page is erased when the first half-word of it is reached.

        Half-words are what it counts in: an odd last byte is left out. What the word of the emulated flash is longer
        than that is filled with 0xFF.
        """
        data = self._block[: len(self._block) // _HALF_WORD * _HALF_WORD]
        at, page = self._settings.start + self._offset, self._flash.layout.sector
        while data:
            if not self._blank.start <= at < self._blank.end:
                self._queue.append(self._flash.erase(at))
                self._blank = Range.sized(at // page * page, page)
            size = min(len(data), self._blank.end - at)
            self._queue.append(self._flash.write(at, data[:size] + b"\xff" * (-size % self._flash.word)))
            self._blank = Range(at + size, self._blank.end)
            at, data = at + size, data[size:]
        if not self._queue:
            self._offset += len(self._block)
            self.state = State.DNLOAD_IDLE
        return self.busy

    def _fail(self, status: int) -> None:
        self._status = status
        self.state = State.ERROR
