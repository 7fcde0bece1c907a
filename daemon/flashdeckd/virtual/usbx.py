"""ST's USBX DFU class with the application of ST's H5 sample behind it, on ST's own device controller driver.

What makes it special: the flash work runs beside the bus. While the state is dfuDNBUSY every class request is STALLed
and changes nothing; any other request that a state does not list leads to dfuERROR. The class looks at bRequest alone,
not at the type of request, so that even a standard GET_DESCRIPTOR to the interface is an ABORT to it.
"""

from dataclasses import dataclass

from flashdeckd.virtual.control import (
    ACK,
    NAK,
    STALL,
    STANDARD_DEVICE_REQUEST,
    STANDARD_INTERFACE_REQUEST,
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
from flashdeckd.virtual.nor import NorFlash, Operation, OperationKind

SET_ADDRESS = 0x21
ERASE = 0x41
COMMANDS = bytes((0x00, SET_ADDRESS, ERASE, 0x00))
STATUS_OK = 0
STATUS_ERASE = 4


@dataclass(frozen=True, slots=True)
class UsbxSettings:
    """Choices of the sample's author."""

    functional: Functional
    pointer: int = 0
    """The address pointer at power-on."""
    poll: int = 244
    """Milliseconds claimed for every operation (500, of which eight bits are left)."""
    bank_bug: bool = True
    """True: an erase always works in bank 1, on the sector of that number."""


class UsbxBootloader:
    """The class, the stack and the sample, from power-up on."""

    def __init__(self, flash: NorFlash, identity: Identity, settings: UsbxSettings) -> None:
        self._flash = flash
        self._identity = identity
        self._settings = settings
        self._buffer = bytearray(settings.functional.transfer_size)
        self.state = State.IDLE
        self.pointer = settings.pointer
        self.configured = False
        self._status = STATUS_OK
        self._error = STATUS_OK
        """The bStatus that the class, not the sample, gives in dfuERROR."""
        self._pending: Operation | None = None
        self._pending_size = 0
        self._stuck = False

    @property
    def busy(self) -> Operation | None:
        """The flash operation under way."""
        return self._pending

    def attach(self) -> None:
        """The host has found the device, reset and configured it."""
        self.state = State.IDLE
        self._error = STATUS_OK
        self.configured = True

    def ended(self, operation: Operation) -> None:
        """The flash work is done; the sample tells the class. What came after a bus reset has waited."""
        awaited = operation is self._pending
        if awaited:
            self._pending = None
        if operation.access is not OperationKind.WRITE:
            self.pointer = operation.address  # not only Set Address moves it: an erase does too
        if operation.access is not OperationKind.NOTHING:
            self._flash.finished(operation, self._pending_size)
        if awaited and operation.access is OperationKind.ERASE and operation.failed:
            self._status = STATUS_ERASE  # that of a write is lost
        if self.state is State.DNBUSY:
            self.state = State.DNLOAD_SYNC

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """Answers one control transfer."""
        aim = setup.aim
        if aim == STANDARD_DEVICE_REQUEST:
            return self._device(setup)
        if setup.recipient != Recipient.INTERFACE or setup.index & 0xFF != 0:
            return STALL
        if aim == STANDARD_INTERFACE_REQUEST and setup.request != Standard.GET_DESCRIPTOR:
            return self._interface(setup)
        return self._class(setup, data)

    def _device(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_DESCRIPTOR:
                return reply(setup, self._identity.descriptor(setup.value))
            case Standard.GET_STATUS:
                return reply(setup, b"\x01\x00")
            case Standard.GET_CONFIGURATION:
                return reply(setup, bytes((self.configured,)))
            case Standard.SET_CONFIGURATION if setup.value in (0, 1):
                if setup.value == 0:
                    self.configured = False
                elif not self.configured:
                    self.attach()
                return ACK
            case _:
                return STALL

    def _interface(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_INTERFACE:
                return reply(setup, b"\x00")
            case Standard.SET_INTERFACE if setup.value == 0:
                return ACK
            case _:
                return STALL

    # The class: one table of allowed requests a state; whatever is not in it is an error.

    def _class(self, setup: Setup, data: bytes) -> Outcome:  # noqa: PLR0911 - one answer a request
        if not self.configured:
            return STALL
        match self.state:
            case State.DNBUSY:
                return STALL
            case State.IDLE if setup.request == Dfu.DNLOAD:
                return self._download(setup, data)
            case State.DNLOAD_IDLE if setup.request == Dfu.DNLOAD:
                return self._download(setup, data)
            case State.IDLE | State.UPLOAD_IDLE if setup.request == Dfu.UPLOAD:
                return self._upload(setup)
            case State.IDLE | State.DNLOAD_IDLE | State.UPLOAD_IDLE if setup.request == Dfu.ABORT:
                self.state = State.IDLE
                return _acknowledge(setup)
            case State.ERROR if setup.request == Dfu.CLRSTATUS:
                self._error = STATUS_OK
                self.state = State.IDLE
                return _acknowledge(setup)
            case _ if setup.request == Dfu.GETSTATUS:
                return self._get_status(setup)
            case _ if setup.request == Dfu.GETSTATE:
                return reply(setup, bytes((self.state,)))
            case _:
                return self._refuse(setup)

    def _refuse(self, setup: Setup) -> Outcome:
        self.state = State.ERROR
        # For OUT requests the stack arms the status stage after the STALL, which takes it back on this controller.
        return STALL if setup.is_in else Outcome(stall_asked=True)

    def _get_status(self, setup: Setup) -> Outcome:
        if self.state is State.ERROR:  # answered by the class itself
            return reply(setup, bytes((self._error, 1, 0, 0, self.state, 0)))
        working = self._pending is not None or self._stuck
        if self.state is State.DNLOAD_SYNC:
            if working:
                self.state = State.DNBUSY
            elif self._status == STATUS_OK:
                self.state = State.DNLOAD_IDLE
            else:
                self.state = State.ERROR
        self._error = self._status
        poll = self._settings.poll if working else 0
        return reply(setup, bytes((self._status, *poll.to_bytes(3, "little"), self.state, 0)))

    def _download(self, setup: Setup, data: bytes) -> Outcome:
        if setup.length == 0:
            return Outcome(bus=Bus.RESTARTS, cut_short=True)  # the sample's hook stops USB before the status stage
        if setup.is_in or setup.length > len(self._buffer):
            return self._refuse(setup)
        self._buffer[: len(data)] = data
        self.state = State.DNLOAD_SYNC
        self._pending_size = len(data)
        self._status = STATUS_OK
        self._stuck = False
        if setup.value == 0:
            self._command()
        else:
            self._pending = self._write_operation(setup.value)
        return ACK

    def _command(self) -> None:
        """The sample looks at the opcode only: a shorter command takes its address from older bytes of the buffer."""
        address = int.from_bytes(self._buffer[1:5], "little")
        if self._buffer[0] == SET_ADDRESS:
            self._pending = self._flash.pretend(OperationKind.NOTHING, address)
        elif self._buffer[0] == ERASE:
            self._pending = self._flash.erase(address, banks=not self._settings.bank_bug)
        else:
            self._stuck = True

    def _write_operation(self, block: int) -> Operation:
        data = self._flash.whole_words(self._buffer, self._pending_size)
        # A refused word is skipped; the sample's loop then forgets that it was refused.
        return self._flash.write(self._address(block), data, stop_at_refused=False)

    def _upload(self, setup: Setup) -> Outcome:
        if setup.length == 0 and self.state is State.UPLOAD_IDLE:
            return ACK
        if not 0 < setup.length <= len(self._buffer) or not setup.is_in:
            return self._refuse(setup)
        if not self._settings.functional.attributes & Attribute.CAN_UPLOAD:
            return self._refuse(setup)
        if setup.value == 0:
            data = self._commands()[: setup.length]
        else:
            found = self._flash.read(self._address(setup.value), setup.length)
            if found is None:
                return self._refuse(setup)
            data = found
        if self.state is State.UPLOAD_IDLE and len(data) < setup.length:
            self.state = State.IDLE
        else:
            self.state = State.UPLOAD_IDLE
        return Outcome(data=data)

    def _commands(self) -> bytes:
        return COMMANDS

    def _address(self, block: int) -> int:
        return (self.pointer + (block - 2) * len(self._buffer)) & 0xFFFFFFFF


def _acknowledge(setup: Setup) -> Outcome:
    """Success without data; a request that asked for some waits for ever."""
    return NAK if setup.is_in and setup.length else ACK
