"""ST's classic DFU class (STM32 USB Device Library, class DFU 2.11.2 and later) with its device core.

What makes it special: an erase or a write runs inside the GETSTATUS that follows its DNLOAD, after the data stage and
before the status stage, because the class works in its "endpoint 0 has sent" handler. That handler runs after the data
stage of *every* IN transfer, so that in states dfuDNBUSY and dfuMANIFEST any read triggers it.

Release 2.9.0 of the library (and by its source up to 2.11.1) is here as a setting.
"""

from dataclasses import dataclass
from enum import Enum

from flashdeckd.virtual.control import (
    ACK,
    CLASS_INTERFACE_REQUEST,
    NAK,
    STALL,
    STANDARD_DEVICE_REQUEST,
    STANDARD_INTERFACE_REQUEST,
    Answer,
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
from flashdeckd.virtual.identity import FUNCTIONAL_DESCRIPTOR, Functional, Identity
from flashdeckd.virtual.nor import NorFlash, Operation, OperationKind

SET_ADDRESS = 0x21
ERASE = 0x41
COMMANDS = bytes((0x00, SET_ADDRESS, ERASE))
COMMAND_WITH_ADDRESS = 5
STATUS_OK = 0
STATUS_VENDOR = 11
STATUS_UNKNOWN = 14
STATUS_LENGTH = 6
CACHE_LINE = 32
"""Bytes in a line of the cache, as in a Cortex-M7."""
MAX_INTERFACES = 1
"""USBD_MAX_NUM_INTERFACES: the core lets wIndex up to and including this pass."""

_STARTABLE = (State.IDLE, State.DNLOAD_IDLE)
_ABORTABLE = (State.IDLE, State.DNLOAD_SYNC, State.DNLOAD_IDLE, State.MANIFEST_SYNC, State.UPLOAD_IDLE)


class LibraryRelease(Enum):
    """A release of the library."""

    CURRENT = "current"
    """2.11.2 and later."""
    V2_9_0 = "2.9.0"
    """An erase moves the address pointer; a failed erase or write leaves dfuDNBUSY for ever, and every IN transfer
    tries it again; a NULL from Read is not noticed, and what is at address 0 is sent."""


class Reads(Enum):
    """The behaviour of the media's Read function."""

    GOOD = "good"
    NULL = "null"
    """It is left as in ST's template and returns NULL."""
    CRASH = "crash"
    """It copies bytes without looking at the address: a bus fault outside the flash."""
    STALE = "stale"
    """It reads through a cache that nobody invalidates: what was read once is answered until the next reset."""
    STALE_ERASE = "stale-erase"
    """The same, but a write refreshes what it wrote; only an erase does not."""
    ECHO = "echo"
    """It leaves the class's buffer as it is: the last block, command or answer comes back."""
    CONSTANT = "constant"
    """It says that it has read, and the buffer it names always holds the same byte."""


@dataclass(frozen=True, slots=True)
class ClassicSettings:
    """Choices of a product that built the class in."""

    functional: Functional
    pointer: int = 0x08020000
    """USBD_DFU_APP_DEFAULT_ADD."""
    reads: Reads = Reads.GOOD
    writes: bool = True
    """False: erase and write say yes and do nothing, as ST's template does."""
    poll_erase: int = 0
    """Milliseconds claimed for an erase."""
    poll_other: int = 0
    """Milliseconds claimed for everything else."""
    release: LibraryRelease = LibraryRelease.CURRENT
    constant: int = 0x00
    """The byte that a constant Read answers, and that is everywhere from address 0 on: release 2.9.0 sends it where
    Read returns NULL."""
    cut_short: bool = True
    """True: the leave's GETSTATUS ends in an error; False: the host saw its answer in time."""


class ClassicBootloader:
    """The class and its core, from power-up on."""

    def __init__(self, flash: NorFlash, identity: Identity, settings: ClassicSettings) -> None:
        self._flash = flash
        self._identity = identity
        self._settings = settings
        self._buffer = bytearray(settings.functional.transfer_size)
        self._alternates = sum(1 for setting in identity.settings if setting.interface == 0)
        self.state = State.IDLE
        self.pointer = settings.pointer
        self.configured = False
        self._cache: dict[int, bytes] = {}
        """Lines of the flash as they were when they were first read, by address."""
        self._initialise()

    def _initialise(self) -> None:
        """Starts the class, as at SET_CONFIGURATION."""
        self.state = State.IDLE
        self.pointer = self._settings.pointer
        self._status = STATUS_OK
        self._poll = 0
        self._block = 0
        self._length = 0
        self._manifesting = False
        self._alternate = 0

    def attach(self) -> None:
        """The host has found the device, reset and configured it."""
        self._initialise()
        self.configured = True

    @property
    def busy(self) -> Operation | None:
        """An operation that runs beside the bus; this class has none."""
        return None

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """Answers one control transfer. An operation in the outcome is carried out before `ended` is called."""
        outcome = self._dispatch(setup, data)
        has_data = setup.is_in and setup.length > 0 and outcome.answer in (Answer.OK, Answer.OVERFLOW)
        return self._after_data_in(outcome) if has_data and self.configured else outcome

    def ended(self, operation: Operation) -> None:
        """The operation of the last outcome has been carried out."""
        self._flash.finished(operation, self._length)
        if self._settings.reads is Reads.STALE_ERASE and operation.access is OperationKind.WRITE:
            self._refresh(operation.address, len(operation.data))
        if operation.failed and self._old:
            return  # the handler gives up; state and command stay, and the next IN transfer runs it again
        if operation.failed:
            self.state = State.ERROR
            self._status = STATUS_VENDOR
            self._poll = 0
            self._length = 0
            self._block = 0
        else:
            self._command_done()

    @property
    def _old(self) -> bool:
        return self._settings.release is LibraryRelease.V2_9_0

    def _dispatch(self, setup: Setup, data: bytes) -> Outcome:
        aim = setup.aim
        if aim == STANDARD_DEVICE_REQUEST:
            return self._device(setup)
        if setup.recipient != Recipient.INTERFACE or setup.index & 0xFF > MAX_INTERFACES:
            return STALL
        if aim == CLASS_INTERFACE_REQUEST:
            return self._class(setup, data)
        if aim == STANDARD_INTERFACE_REQUEST:
            return self._interface(setup) if self.configured else NAK
        return STALL if self.configured else NAK

    # The core's standard requests.

    def _device(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_DESCRIPTOR:
                return reply(setup, self._identity.descriptor(setup.value))
            case Standard.GET_STATUS:
                return reply(setup, b"\x01\x00")
            case Standard.GET_CONFIGURATION:
                return reply(setup, bytes((self.configured,)))
            case Standard.SET_CONFIGURATION if setup.value & 0xFF in (0, 1):
                return self._configure(setup.value & 0xFF)
            case _:
                return STALL

    def _configure(self, value: int) -> Outcome:
        if value == 0:
            self.state = State.IDLE
            self.configured = False
        elif not self.configured:
            self.attach()
        return ACK

    def _interface(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_STATUS:
                return reply(setup, b"\x00\x00")
            case Standard.GET_DESCRIPTOR if setup.value >> 8 == FUNCTIONAL_DESCRIPTOR:
                return reply(setup, self._settings.functional.descriptor)
            case Standard.GET_DESCRIPTOR:
                return ACK if self._old else NAK  # neither data nor status is armed
            case Standard.GET_INTERFACE:
                return reply(setup, bytes((self._alternate,)))
            case Standard.SET_INTERFACE if setup.value & 0xFF < self._alternates:
                self._alternate = setup.value & 0xFF  # noted, and never looked at again
                return ACK
            case _:
                return STALL

    # The class's own requests.

    def _class(self, setup: Setup, data: bytes) -> Outcome:  # noqa: PLR0911 - one answer a request
        if not self.configured:
            return NAK
        match setup.request:
            case Dfu.DNLOAD:
                return self._download(setup, data)
            case Dfu.UPLOAD:
                return self._upload(setup)
            case Dfu.GETSTATUS:
                self._before_status()
                return _overflowing(setup, self._status_bytes())
            case Dfu.GETSTATE:
                return _overflowing(setup, bytes((self.state,)))
            case Dfu.CLRSTATUS:
                self._clear_status()
            case Dfu.ABORT:
                self._abort()
            case Dfu.DETACH:
                return self._detach(setup)
            case _:
                return STALL
        return ACK if setup.length == 0 else NAK

    def _download(self, setup: Setup, data: bytes) -> Outcome:
        if self.state not in _STARTABLE:
            # Without a data stage the core arms the status stage although the class has asked for a STALL.
            return STALL if setup.length else Outcome(stall_asked=True)
        if setup.length == 0:
            self._manifesting = True
            self._enter(State.MANIFEST_SYNC)
            return ACK
        self._block = setup.value
        self._length = min(setup.length, len(self._buffer))
        self._enter(State.DNLOAD_SYNC, poll=None)
        if setup.is_in:
            return NAK  # it waits for data that never comes
        if setup.length > len(self._buffer):
            return NAK  # the class takes no more than its buffer
        self._buffer[: len(data)] = data
        return ACK

    def _upload(self, setup: Setup) -> Outcome:
        if setup.length == 0:
            self._enter(State.IDLE)
            return ACK
        if self.state not in (State.IDLE, State.UPLOAD_IDLE):
            self._length = self._block = 0
            return STALL
        self._block = setup.value
        self._length = min(setup.length, len(self._buffer))
        if self._block == 0:
            self._enter(State.IDLE if self._length > len(COMMANDS) else State.UPLOAD_IDLE)
            self._buffer[: len(COMMANDS)] = COMMANDS
            return _overflowing(setup, COMMANDS)
        if self._block == 1:
            self._enter(State.ILLEGAL)
            return STALL
        self._enter(State.UPLOAD_IDLE)
        return self._read(self._block_address())

    def _read(self, address: int) -> Outcome:
        match self._settings.reads:
            case Reads.ECHO:
                return Outcome(data=bytes(self._buffer[: self._length]))
            case Reads.CONSTANT:
                return Outcome(data=bytes((self._settings.constant,)) * self._length)
            case Reads.STALE | Reads.STALE_ERASE:
                data = self._cached(address)
            case _:
                data = self._flash.read(address, self._length, refused=self._settings.reads is Reads.NULL)
        if data is not None:
            self._buffer[: len(data)] = data
            return Outcome(data=data)
        if self._settings.reads is Reads.CRASH:
            return Outcome(Answer.NAK, bus=Bus.CRASHES)
        if self._old:
            return Outcome(data=bytes((self._settings.constant,)) * self._length)
        self._enter(State.ILLEGAL)
        return STALL

    def _cached(self, address: int) -> bytes | None:
        """A read through the cache; lines that are not in it yet are fetched."""
        if self._flash.read(address, self._length) is None:
            return None
        end = address + self._length
        lines = range(address - address % CACHE_LINE, end, CACHE_LINE)
        for line in lines:
            if line not in self._cache:
                self._cache[line] = self._flash.read(line, CACHE_LINE) or b""
        held = b"".join(self._cache[line] for line in lines)
        return held[address - lines.start : end - lines.start]

    def _refresh(self, address: int, size: int) -> None:
        """Drops the lines of the cache that hold any of these bytes."""
        for line in range(address - address % CACHE_LINE, address + size, CACHE_LINE):
            self._cache.pop(line, None)

    def _before_status(self) -> None:
        if self.state is State.DNLOAD_SYNC:
            if self._length:
                is_erase = self._block == 0 and self._buffer[0] == ERASE
                self._enter(State.DNBUSY, poll=self._settings.poll_erase if is_erase else self._settings.poll_other)
            else:
                self._enter(State.DNLOAD_IDLE)
        elif self.state is State.MANIFEST_SYNC:
            if self._manifesting:
                self._enter(State.MANIFEST, poll=1)
            elif self._settings.functional.attributes & Attribute.MANIFESTATION_TOLERANT:
                self._enter(State.IDLE)

    def _clear_status(self) -> None:
        if self.state is State.ERROR:
            self._status = STATUS_OK
            self._enter(State.IDLE)
        else:
            self._status = STATUS_UNKNOWN
            self._enter(State.ERROR)

    def _abort(self) -> None:
        if self.state in _ABORTABLE:
            self._status = STATUS_OK
            self._enter(State.IDLE)
            self._block = self._length = 0

    def _detach(self, setup: Setup) -> Outcome:
        self._abort()
        if self._settings.functional.attributes & Attribute.WILL_DETACH:
            return Outcome(bus=Bus.REATTACHES)
        return Outcome(ACK.answer if setup.length == 0 else Answer.NAK, delay_ms=setup.value)

    # What runs once the data stage of an IN transfer is over.

    def _after_data_in(self, outcome: Outcome) -> Outcome:
        if self.state is State.DNBUSY:
            return self._run(outcome)
        if self.state is State.MANIFEST:
            return self._leave(outcome)
        return outcome

    def _run(self, outcome: Outcome) -> Outcome:
        if self._block == 0:
            if self._length == COMMAND_WITH_ADDRESS:
                return self._run_command(outcome)
            whole = self._length == 1  # any other length makes the class ask for a STALL
            self._command_done()
            return outcome if whole else _with(outcome, stall_asked=True)
        if self._block == 1:
            self._command_done()
            return outcome
        return _with(outcome, operation=self._write_operation())

    def _run_command(self, outcome: Outcome) -> Outcome:
        address = int.from_bytes(self._buffer[1:COMMAND_WITH_ADDRESS], "little")
        if self._buffer[0] == SET_ADDRESS:
            self.pointer = address
            self._command_done()
            return outcome
        if self._buffer[0] == ERASE:
            if self._old:
                self.pointer = address
            return _with(outcome, operation=self._erase_operation(address))
        return outcome  # unknown: the handler gives up and leaves dfuDNBUSY behind

    def _write_operation(self) -> Operation:
        if not self._settings.writes:
            return self._flash.pretend(OperationKind.WRITE, self._block_address())
        # What lies behind the data in the buffer goes along: words are programmed whole.
        return self._flash.write(self._block_address(), self._flash.whole_words(self._buffer, self._length))

    def _erase_operation(self, address: int) -> Operation:
        return (
            self._flash.erase(address) if self._settings.writes else self._flash.pretend(OperationKind.ERASE, address)
        )

    def _leave(self, outcome: Outcome) -> Outcome:
        self._manifesting = False
        if self._settings.functional.attributes & Attribute.MANIFESTATION_TOLERANT:
            self._enter(State.MANIFEST_SYNC)
            return outcome
        self._enter(State.MANIFEST_WAIT_RESET)
        return Outcome(data=outcome.data, bus=Bus.RESTARTS, cut_short=self._settings.cut_short)

    def _command_done(self) -> None:
        self._length = self._block = 0
        self._enter(State.DNLOAD_SYNC)

    def _block_address(self) -> int:
        return ((self._block - 2) * len(self._buffer) + self.pointer) & 0xFFFFFFFF

    def _enter(self, state: State, poll: int | None = 0) -> None:
        self.state = state
        if poll is not None:
            self._poll = poll

    def _status_bytes(self) -> bytes:
        return bytes((self._status, *self._poll.to_bytes(3, "little"), self.state, 0))


def _overflowing(setup: Setup, data: bytes) -> Outcome:
    """The class sends all of `data`, however little was asked for."""
    if not 0 < setup.length < len(data):
        return Outcome(data=data if setup.length else b"")
    return Outcome(Answer.OVERFLOW, data)


def _with(outcome: Outcome, *, operation: Operation | None = None, stall_asked: bool = False) -> Outcome:
    return Outcome(outcome.answer, outcome.data, operation=operation, stall_asked=stall_asked)
