"""A DfuSe bootloader by the book, and the ways in which known ones leave it (USB DFU 1.1, appendix A; AN3156).

The GETSTATUS after a DNLOAD starts the flash work, which then runs beside the bus. What a request does depends on the
state; one that does not belong there is STALLed and leads to dfuERROR. The ROM bootloader of the STM32 is such a one.
Not here: mass erase and Read Unprotect. They are unsupported commands, and a host that sends them is noted anyway.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum

from flashdeckd.host import clock
from flashdeckd.virtual.control import (
    ACK,
    CLASS_INTERFACE_REQUEST,
    NAK,
    STALL,
    STANDARD_DEVICE_REQUEST,
    STANDARD_INTERFACE_REQUEST,
    Attribute,
    Bus,
    Dfu,
    Outcome,
    Setup,
    Standard,
    State,
    reply,
)
from flashdeckd.virtual.identity import FUNCTIONAL_DESCRIPTOR, Functional, Identity
from flashdeckd.virtual.nor import NorFlash, Operation, OperationKind

SET_ADDRESS = 0x21
ERASE = 0x41
COMMAND_LENGTH = 5
COMMANDS = bytes((0x00, SET_ADDRESS, ERASE))
STATUS_OK = 0
STATUS_TARGET = 1
STATUS_ERASE = 4
STATUS_PROG = 6
STATUS_FIRMWARE = 10
STATUS_VENDOR = 11
STATUS_STALLED = 15
_FAILURES = {OperationKind.ERASE: STATUS_ERASE, OperationKind.WRITE: STATUS_PROG}
_ABORTABLE = (State.IDLE, State.DNLOAD_IDLE, State.UPLOAD_IDLE)
_STARTABLE = (State.IDLE, State.DNLOAD_IDLE)


class Early(Enum):
    """The answer to a request that comes before bwPollTimeout has passed since the last GETSTATUS."""

    ANSWERED = "answered"
    ERROR = "error"
    """It is refused and leads to dfuERROR (USB DFU 1.1, A.2.5)."""


class Leave(StrEnum):
    """The effect of a zero-length DNLOAD."""

    ANSWERS = "answers"
    """The GETSTATUS after it says dfuMANIFEST, then the device jumps to where the address pointer is."""
    VANISHES = "vanishes"
    """The device jumps at once; the DNLOAD itself is never answered."""
    IGNORES = "ignores"
    """The device never answers it and stays where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """The traits of one such bootloader."""

    early_erase: Early = Early.ANSWERED
    """The answer to an early request during an erase."""
    early_other: Early = Early.ANSWERED
    """The answer to one during anything else."""
    first_status: int = STATUS_OK
    """Its status at power-on: a ROM bootloader without an application to start may begin in dfuERROR, FIRMWARE."""
    busy_stalls: bool = False
    """True: everything is STALLed, without any other effect, while the flash work runs (STM32L4)."""
    wedges: bool = False
    """True: an erase in bank 2 is done, but leaves the device in dfuDNBUSY (STM32H743, revision V)."""
    leave: Leave = Leave.ANSWERS
    protected: bool = False
    """True if read protection is at level 1, and silent: erases and writes are answered OK, in their time, and do
    nothing, as reported of the STM32U5; a read is refused with errVENDOR (AN3156)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DfuseSettings:
    """Choices of a product, and the manner of its bootloader."""

    functional: Functional
    pointer: int = 0x08000000
    poll_erase: int = 50
    """Milliseconds claimed for an erase."""
    poll_other: int = 50
    """Milliseconds claimed for everything else."""
    clock: Callable[[], float] = clock.monotonic
    """Seconds, by which the device knows what is early."""
    manner: Manner = Manner()


class DfuseBootloader:
    """The bootloader, from power-up on."""

    def __init__(self, flash: NorFlash, identity: Identity, settings: DfuseSettings) -> None:
        self._flash = flash
        self._identity = identity
        self._settings = settings
        self._manner = settings.manner
        self._size = settings.functional.transfer_size
        self._alternates = sum(1 for setting in identity.settings if setting.interface == 0)
        self.pointer = settings.pointer
        self.configured = False
        self._first_status = settings.manner.first_status
        self._running: Operation | None = None
        self._running_size = 0
        self._awaited: Operation | None = None
        """The flash work whose end is still to be told; one that an error or a bus reset has overtaken is not."""
        self._initialise()

    def _initialise(self) -> None:
        self._status, self._first_status = self._first_status, STATUS_OK
        self.state = State.IDLE if self._status == STATUS_OK else State.ERROR
        self._alternate = 0
        self._block = 0
        self._data = b""
        """Data of the last DNLOAD, until it is carried out."""
        self._result = STATUS_OK
        self._access = OperationKind.NOTHING
        self._awaited = None
        self._wedged = False
        self._not_before = 0.0

    def attach(self) -> None:
        """The host has found the device, reset and configured it. Its error at power-on outlives the first time."""
        if self.configured:
            self._initialise()
        self.configured = True

    @property
    def busy(self) -> Operation | None:
        """The flash work that runs beside the bus."""
        return self._running

    def ended(self, operation: Operation) -> None:
        """The flash work is done."""
        self._running = None
        self._flash.finished(operation, self._running_size)
        if operation is self._awaited and operation.failed:
            self._result = _FAILURES[operation.access]

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """Answers one control transfer."""
        aim = setup.aim
        if aim == STANDARD_DEVICE_REQUEST:
            return self._device(setup)
        if setup.index & 0xFF != 0:
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
                self.configured = bool(setup.value)
                return ACK
            case _:
                return STALL

    def _interface(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_STATUS:
                return reply(setup, b"\x00\x00")
            case Standard.GET_DESCRIPTOR if setup.value >> 8 == FUNCTIONAL_DESCRIPTOR:
                return reply(setup, self._settings.functional.descriptor)
            case Standard.GET_INTERFACE:
                return reply(setup, bytes((self._alternate,)))
            case Standard.SET_INTERFACE if setup.value < self._alternates:
                self._alternate = setup.value
                return ACK
            case _:
                return STALL

    # The class: what each state allows; whatever is not in it is an error.

    def _class(self, setup: Setup, data: bytes) -> Outcome:
        if not self.configured:
            return STALL
        if self.state is State.DNBUSY:
            early = self._manner.early_erase if self._access is OperationKind.ERASE else self._manner.early_other
            if early is Early.ERROR and self._settings.clock() < self._not_before:
                return self._refuse()
        if self._running is not None and self.state is State.DNBUSY and self._manner.busy_stalls:
            return STALL
        return self._in_state(setup, data)

    def _in_state(self, setup: Setup, data: bytes) -> Outcome:  # noqa: PLR0911 - one answer a request
        match setup.request:
            case Dfu.GETSTATUS:
                return self._get_status(setup)
            case Dfu.GETSTATE:
                return reply(setup, bytes((self.state,)))
            case Dfu.DNLOAD if self.state in _STARTABLE and not setup.is_in:
                return self._download(setup, data)
            case Dfu.UPLOAD if self.state in (State.IDLE, State.UPLOAD_IDLE) and setup.is_in:
                return self._upload(setup)
            case Dfu.ABORT if self.state in _ABORTABLE:
                self.state = State.IDLE
                return ACK
            case Dfu.CLRSTATUS if self.state is State.ERROR:
                self.state = State.IDLE
                self._status = STATUS_OK
                return ACK
            case _:
                return self._refuse()

    def _refuse(self, status: int = STATUS_STALLED) -> Outcome:
        if self.state is not State.ERROR:
            self._status = status
        self.state = State.ERROR
        self._data = b""
        self._awaited = None
        self._wedged = False
        return STALL

    def _get_status(self, setup: Setup) -> Outcome:
        poll = 0
        bus = Bus.STAYS
        match self.state:
            case State.DNLOAD_SYNC:
                poll = self._begin()
            case State.DNBUSY:
                poll = self._go_on()
            case State.MANIFEST_SYNC:
                self.state = State.MANIFEST
                bus = Bus.JUMPS
            case _:
                pass
        self._not_before = self._settings.clock() + poll / 1000 if poll else 0.0
        answer = bytes((self._status, *poll.to_bytes(3, "little"), self.state, 0))
        return Outcome(data=answer[: setup.length], bus=bus, jump=self.pointer)

    def _begin(self) -> int:
        """Starts what the last DNLOAD asked for, unless flash work from before an error is still under way."""
        self.state = State.DNBUSY
        self._result = STATUS_OK
        if self._running is None:
            self._carry_out()
        return self._claimed()

    def _go_on(self) -> int:
        if self._running is None and self._data:
            self._carry_out()
        if self._running is not None or self._wedged:
            return self._claimed()
        self._status = self._result
        self.state = State.DNLOAD_IDLE if self._status == STATUS_OK else State.ERROR
        return 0

    def _claimed(self) -> int:
        is_erase = self._access is OperationKind.ERASE
        return self._settings.poll_erase if is_erase else self._settings.poll_other

    def _carry_out(self) -> None:
        data, self._data = self._data, b""
        if self._block > 1:
            word = self._flash.word
            padded = data + b"\xff" * (-len(data) % word)
            self._start(self._flash.write(self._address(), padded), len(data))
        elif self._access is OperationKind.ERASE:
            address = int.from_bytes(data[1:], "little")
            self._wedged = self._manner.wedges and self._flash.bank_of(address) > 0
            self._start(self._flash.erase(address), len(data))
        elif len(data) == COMMAND_LENGTH and data[0] == SET_ADDRESS:
            self.pointer = int.from_bytes(data[1:], "little")
        else:
            self._result = STATUS_STALLED

    def _start(self, operation: Operation, size: int) -> None:
        if self._alternate or self._flash.sector_of(operation.address) < 0:
            self._result = STATUS_TARGET
            return
        if self._manner.protected:
            operation.skip()
        self._running = self._awaited = operation
        self._running_size = size

    def _download(self, setup: Setup, data: bytes) -> Outcome:
        if not self._settings.functional.attributes & Attribute.CAN_DNLOAD:
            return self._refuse()
        if setup.length == 0:
            return self._leave()
        if setup.length > self._size or setup.value == 1:
            return self._refuse()
        self._block = setup.value
        self._data = data
        self._access = OperationKind.WRITE if self._block else OperationKind.NOTHING
        if self._block == 0 and len(data) == COMMAND_LENGTH and data[0] == ERASE:
            self._access = OperationKind.ERASE
        self.state = State.DNLOAD_SYNC
        return ACK

    def _leave(self) -> Outcome:
        match self._manner.leave:
            case Leave.ANSWERS:
                self.state = State.MANIFEST_SYNC
                return ACK
            case Leave.VANISHES:
                return Outcome(bus=Bus.JUMPS, jump=self.pointer, cut_short=True)
            case Leave.IGNORES:
                return NAK

    def _upload(self, setup: Setup) -> Outcome:
        if not self._settings.functional.attributes & Attribute.CAN_UPLOAD:
            return self._refuse()
        if setup.length > self._size or setup.value == 1:
            return self._refuse()
        if setup.value == 0:
            self.state = State.IDLE
            return Outcome(data=COMMANDS[: setup.length])
        self._block = setup.value
        protected = self._manner.protected
        data = self._flash.read(self._address(), setup.length, refused=protected or self._alternate != 0)
        if data is None:
            return self._refuse(STATUS_VENDOR if protected else STATUS_TARGET)
        self.state = State.UPLOAD_IDLE
        return Outcome(data=data)

    def _address(self) -> int:
        return (self.pointer + (self._block - 2) * self._size) & 0xFFFFFFFF
