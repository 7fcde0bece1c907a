"""dapboot: a plain DFU 1.1 bootloader with one alternate setting and no idea of block numbers.

Modelled on the public source of devanlai/dapboot (src/dfu.c and its target for the STM32F103) over libopencm3's control
transfers; recordings of both judge it. What makes it special:

- The place in the flash is only ever counted on, from a DNLOAD or UPLOAD in dfuIDLE; the flash work begins after the
  status stage of GETSTATUS and goes to dfuDNLOAD-IDLE without another one.
- A DNLOAD in a wrong state is accepted and forgotten. DETACH and a bus reset restart the chip.
- There is one control buffer for both directions, and neither the direction of a request nor its length is looked at:
  what a request leaves in the buffer is what another one sends or writes.
- It writes half-words and looks at what is there afterwards; it asks the flash about no erase.
"""

from dataclasses import dataclass, replace

from flashdeck.geometry import Range
from flashdeckd.virtual.control import (
    ACK,
    CLASS_REQUEST,
    STALL,
    STANDARD_REQUEST,
    Answer,
    Attribute,
    Bus,
    Dfu,
    Outcome,
    Recipient,
    Setup,
    Standard,
    State,
)
from flashdeckd.virtual.identity import DEVICE_DESCRIPTOR, ENGLISH, STRING_DESCRIPTOR, Functional, Identity
from flashdeckd.virtual.nor import NorFlash, Operation, OperationKind

NAME = "DAPBoot DFU"
"""The name of its alternate setting."""
VERSION = 0x0110
"""Its bcdDFUVersion."""
POLL = 100
"""Milliseconds that it claims for a block."""
HALF_WORD = 2
"""Bytes that it writes at once."""
STATUS_OK = 0
STATUS_VERIFY = 7
STATUS_FIRMWARE = 10
STATUS_VENDOR = 11
STATUS_STALLED = 15
_STACK_MASK = 0x2FFE0000
_STACK_BASE = 0x20000000
_OWN = Range(0x00, 0x08)
"""The stack pointer and the reset vector in a vector table (ARMv7-M, B1.5.3) ..."""
_KEPT = Range(0x1C, 0x24)
"""... and where a bootloader that takes their place keeps the application's: two entries that are reserved."""
_LEAST_FIRST_BLOCK = 0x20
"""Bytes of the first block from which on it does that: one entry too few."""
_VECTOR_TABLE = 0x150
"""Bytes of the vector table of an STM32F103."""
_ABORTABLE = (State.IDLE, State.DNLOAD_SYNC, State.DNLOAD_IDLE, State.MANIFEST_SYNC, State.UPLOAD_IDLE)


def accepts(stack: int) -> bool:
    """Return whether its only boot check passes: the initial stack pointer is in the first 128 KiB of RAM."""
    return stack & _STACK_MASK == _STACK_BASE


@dataclass(frozen=True, slots=True)
class DapbootSettings:
    """Choices of a product."""

    functional: Functional
    start: int
    """Address of the application: where the first block goes."""
    own_vectors: bytes = b""
    """Stack pointer and reset vector of a bootloader that lies behind its application: they take the place of the
    application's, which go to two unused vectors. Empty where the bootloader begins the flash."""


class DapbootBootloader:
    """The bootloader from power-up on."""

    def __init__(self, flash: NorFlash, identity: Identity, settings: DapbootSettings) -> None:
        self._flash = flash
        self._identity = identity
        self._settings = settings
        self._tolerant = bool(settings.functional.attributes & Attribute.MANIFESTATION_TOLERANT)
        self._control = bytearray(settings.functional.transfer_size)
        """The control buffer."""
        self._erased = Range(0, 0)
        """The rest of the page that was erased last."""
        self._operation: Operation | None = None
        self._at = 0
        """Address of the rest of the block."""
        self._rest = b""
        self._block = b""
        self._offset = 0
        self._manifested = False
        self.state = State.IDLE
        self._status = STATUS_OK
        self.configured = False

    def attach(self) -> None:
        """The host has found the device and configured it; a second bus reset restarts the chip instead."""
        self.configured = True

    @property
    def busy(self) -> Operation | None:
        """The flash work under way."""
        return self._operation

    def ended(self, operation: Operation) -> None:
        """One piece of flash work is done; with the last the block is, and with a failed write all of it."""
        self._operation = None
        if operation.access is OperationKind.ERASE:  # nobody looks at its result
            self._flash.finished(operation, 0)
            self._erased = self._flash.span_of(operation.address)
            self._go_on()
            return
        self._flash.finished(operation, len(operation.data))
        written = operation.done * HALF_WORD
        self._erased = Range(operation.address + written + operation.failed * HALF_WORD, self._erased.end)
        self._at, self._rest = self._at + written, self._rest[written:]
        if operation.failed:
            self._fail(STATUS_VERIFY)
        else:
            self._go_on()

    # Control transfers, as libopencm3 has them.

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """Answers one control transfer."""
        if setup.length and not setup.is_in:
            if setup.length > len(self._control):
                return STALL
            self._control[: len(data)] = data
        outcome = self._dispatch(setup)
        if outcome.answer is not Answer.OK:
            return outcome
        if setup.is_in and len(outcome.data) > setup.length > 0:
            return Outcome(Answer.OVERFLOW, outcome.data)  # and the status stage never comes, nor what follows it
        if not (setup.is_in and setup.length):
            outcome = replace(outcome, data=b"")
        return self._after_status(setup, outcome)

    def _dispatch(self, setup: Setup) -> Outcome:
        if setup.kind == CLASS_REQUEST and setup.recipient == Recipient.INTERFACE and setup.index == 0:
            return self._class(setup)
        if setup.kind != STANDARD_REQUEST:
            return STALL
        if setup.recipient == Recipient.DEVICE:
            return self._device(setup)
        return self._interface(setup) if setup.recipient == Recipient.INTERFACE else STALL

    def _device(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_DESCRIPTOR:
                found = self._identity.descriptor(setup.value)
                kind, number = setup.value >> 8, setup.value & 0xFF
                if found is None or (kind == STRING_DESCRIPTOR and number and setup.index != ENGLISH):
                    return STALL
                found = found[: setup.length]
                if kind != DEVICE_DESCRIPTOR:  # all others are put together in the buffer
                    self._control[: len(found)] = found
                return Outcome(data=found)
            case Standard.GET_STATUS:
                return self._answer(setup, bytes(2))
            case Standard.GET_CONFIGURATION:
                return self._answer(setup, bytes((self.configured,)))
            case Standard.SET_CONFIGURATION if setup.value in (0, 1):
                self.configured = bool(setup.value)
                return self._sent(setup)
            case _:
                return STALL

    def _interface(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_STATUS:
                return self._answer(setup, bytes(2))
            case Standard.GET_INTERFACE if self.configured and setup.index == 0:
                return self._answer(setup, bytes(1))
            case Standard.SET_INTERFACE if self.configured and setup.index == 0 and setup.value == 0:
                return ACK
            case _:
                return STALL

    def _answer(self, setup: Setup, data: bytes) -> Outcome:
        """An answer of the stack: put into the buffer whole, sent as far as it was asked for."""
        self._control[: len(data)] = data
        return Outcome(data=data[: setup.length])

    def _sent(self, setup: Setup) -> Outcome:
        """Return the buffer as it is, for a request to the host that has no answer of its own."""
        return Outcome(data=bytes(self._control[: setup.length]).ljust(setup.length, b"\0"))

    # The class.

    def _class(self, setup: Setup) -> Outcome:
        match setup.request:
            case Dfu.DNLOAD:
                return self._download(setup)
            case Dfu.UPLOAD:
                return self._upload(setup)
            case Dfu.GETSTATUS:
                return self._get_status()
            case Dfu.GETSTATE:
                self._control[0] = self.state
                return Outcome(data=bytes((self.state,)))
            case Dfu.CLRSTATUS:
                self._status = STATUS_OK
                if self.state is State.ERROR:
                    self.state = State.IDLE
            case Dfu.ABORT:
                if self.state in _ABORTABLE:
                    self.state = State.IDLE
            case Dfu.DETACH:
                pass  # restarts after the status stage
            case _:
                self._fail(STATUS_STALLED)
                return STALL
        return self._sent(setup)

    def _after_status(self, setup: Setup, outcome: Outcome) -> Outcome:
        """Starts the work of a class request once its status stage is over."""
        if not setup.is_dfu or setup.index != 0:
            return outcome
        match setup.request:
            case Dfu.DETACH:
                return replace(outcome, bus=Bus.RESTARTS)
            case Dfu.GETSTATUS if self.state is State.DNBUSY and self._operation is None:
                self._program()
                return replace(outcome, operation=self._operation, after_status=True)
            case Dfu.GETSTATUS if self.state is State.MANIFEST:
                return replace(outcome, bus=Bus.RESTARTS if self._manifest() else Bus.STAYS)
            case _:
                return outcome

    def _download(self, setup: Setup) -> Outcome:
        if self.state is State.IDLE and not setup.length:
            self._fail(STATUS_STALLED)
            return Outcome(stall_asked=True)
        if self.state is State.DNLOAD_IDLE and not setup.length:
            self.state = State.MANIFEST_SYNC
        elif self.state in (State.IDLE, State.DNLOAD_IDLE):
            if self.state is State.IDLE:
                self._offset = 0
                self._manifested = False
            self._block = self._sent(setup).data
            self.state = State.DNLOAD_SYNC
        return self._sent(setup)

    def _upload(self, setup: Setup) -> Outcome:
        if self.state is State.IDLE:
            self._offset = 0
        elif self.state is not State.UPLOAD_IDLE:
            return self._sent(setup)
        address = self._settings.start + self._offset
        left = max(0, self._flash.layout.base + self._flash.layout.size - address)
        size = min(setup.length, left)
        self.state = State.IDLE if setup.length > left else State.UPLOAD_IDLE
        data = self._flash.read(address, size) or b""
        if self._settings.own_vectors and self._offset < _VECTOR_TABLE:
            data = self._restored(size)
        self._offset += size
        return Outcome(data=data)

    def _restored(self, size: int) -> bytes:
        """Return the application's vectors as a read shows them: its own two back, zeros where they were kept."""
        length = len(self._control)
        there = self._flash.read(self._settings.start, length) or b""
        there = there[_KEPT.start : _KEPT.end] + there[_OWN.end : _KEPT.start] + bytes(_KEPT.size) + there[_KEPT.end :]
        return there[self._offset : self._offset + size].ljust(size, b"\0")

    def _get_status(self) -> Outcome:
        poll = 0
        if self.state is State.DNLOAD_SYNC:
            self.state = State.DNBUSY
            poll = POLL
        elif self.state is State.MANIFEST_SYNC:
            self.state = State.IDLE if self._manifested else State.MANIFEST
        data = bytes((self._status, *poll.to_bytes(3, "little"), self.state, 0))
        self._control[: len(data)] = data
        return Outcome(data=data)

    def _manifest(self) -> bool:
        """Checks the image once the answer is out; True if the chip restarts then."""
        place = _KEPT.start if self._settings.own_vectors else _OWN.start
        stack = self._flash.read(self._settings.start + place, 4) or b""
        self._manifested = accepts(int.from_bytes(stack, "little"))
        if not self._manifested:
            self._fail(STATUS_FIRMWARE)
            return False
        self.state = State.MANIFEST_SYNC
        return not self._tolerant

    def _program(self) -> None:
        """Starts the flash work of a block, in half-words: an odd last byte is left out."""
        block = self._block
        if self._settings.own_vectors and self._offset == 0:
            if len(block) < _LEAST_FIRST_BLOCK:
                self._fail(STATUS_VENDOR)  # and goes on
            else:
                table = block.ljust(_KEPT.end, b"\0")
                table = (
                    self._settings.own_vectors
                    + table[_OWN.end : _KEPT.start]
                    + table[_OWN.start : _OWN.end]
                    + table[_KEPT.end :]
                )
                block = table[: len(block)]
        self._at = self._settings.start + self._offset
        self._rest = block[: len(block) // HALF_WORD * HALF_WORD]
        self._go_on()

    def _go_on(self) -> None:
        """The next piece of flash work: a page is erased when the first half-word of it is reached."""
        end = self._flash.layout.base + self._flash.layout.size
        if not self._rest:
            self._offset += len(self._block)
            self.state = State.DNLOAD_IDLE
        elif self._at >= end:
            self._fail(STATUS_VERIFY)
        elif not self._erased.start <= self._at < self._erased.end:
            self._operation = self._flash.erase(self._flash.span_of(self._at).start)
        else:
            size = HALF_WORD if self._at % HALF_WORD else min(len(self._rest), self._erased.end - self._at)
            self._operation = self._flash.write(self._at, self._rest[:size], verified=True)

    def _fail(self, status: int) -> None:
        self._status = status
        self.state = State.ERROR
