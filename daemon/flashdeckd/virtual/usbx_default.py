"""ST's USBX DFU class as it is without any setting, with a plain application behind it.

What sets it apart from ST's sample: the class itself handles the leave, answers nothing at all in dfuERROR but
CLRSTATUS, and claims 1 ms for everything. The application refuses what it does not know inside its callbacks, which
drives the class into dfuERROR at once, and reports a flash failure at the next GETSTATUS.
"""

from dataclasses import dataclass

from flashdeckd.virtual.control import STALL, Attribute, Bus, Dfu, Outcome, Setup, State, reply
from flashdeckd.virtual.identity import Functional, Identity
from flashdeckd.virtual.nor import NorFlash, Operation, OperationKind
from flashdeckd.virtual.usbx import ERASE, SET_ADDRESS, STATUS_OK, UsbxBootloader, UsbxSettings

VENDOR_REQUEST = 0x40
COMMAND_LENGTH = 5
COMMANDS = bytes((0x00, SET_ADDRESS, ERASE))
STATUS_WRITE = 3
POLL = 1
"""Milliseconds that the class claims, whatever it is about."""
_NO_CHANGE = (State.MANIFEST_SYNC, State.MANIFEST_WAIT_RESET)


@dataclass(frozen=True, slots=True)
class DefaultSettings:
    """Choices of a product."""

    functional: Functional
    pointer: int = 0x08020000
    asynchronous: bool = False
    """True: the flash work runs beside the bus; else inside the application's write callback."""


class UsbxDefaultBootloader(UsbxBootloader):
    """The class, the stack and a plain application, from power-up on."""

    def __init__(self, flash: NorFlash, identity: Identity, settings: DefaultSettings) -> None:
        super().__init__(flash, identity, UsbxSettings(settings.functional, settings.pointer, POLL, bank_bug=False))
        self._asynchronous = settings.asynchronous

    def ended(self, operation: Operation) -> None:
        """The flash work is done; the application tells the class."""
        awaited = not self._asynchronous or operation is self._pending
        if operation is self._pending:
            self._pending = None
        if operation.access is OperationKind.NOTHING:
            self.pointer = operation.address
        else:
            self._flash.finished(operation, self._pending_size)
        if awaited and operation.failed:
            self._status = STATUS_WRITE
        if self.state is State.DNBUSY:
            self.state = State.DNLOAD_SYNC

    def attach(self) -> None:
        """The host has found the device, reset and configured it; the last error is still told."""
        self.state = State.IDLE
        self.configured = True

    def _class(self, setup: Setup, data: bytes) -> Outcome:
        if self.configured and self.state is State.MANIFEST_WAIT_RESET:
            return STALL
        if self.configured and self.state is State.ERROR and setup.request != Dfu.CLRSTATUS:
            return self._refuse(setup)
        if self.configured and self.state is not State.DNBUSY and setup.kind == VENDOR_REQUEST:
            return self._refuse(setup)  # told apart, unlike a standard request
        return super()._class(setup, data)

    def _refuse(self, setup: Setup) -> Outcome:
        if self.state in _NO_CHANGE:
            return STALL if setup.is_in else Outcome(stall_asked=True)
        return super()._refuse(setup)

    def _get_status(self, setup: Setup) -> Outcome:
        bus = Bus.STAYS
        if self.state is State.DNLOAD_SYNC:
            if self._pending is not None:
                self.state = State.DNBUSY
            else:
                self._error = self._status
                self.state = State.DNLOAD_IDLE if self._error == STATUS_OK else State.ERROR
        elif self.state is State.MANIFEST_SYNC:
            self.state = State.MANIFEST_WAIT_RESET
            if self._settings.functional.attributes & Attribute.WILL_DETACH:
                bus = Bus.RESTARTS
        answer = reply(setup, bytes((self._error, POLL, 0, 0, self.state, 0)))
        return Outcome(answer.answer, answer.data, bus=bus)

    def _download(self, setup: Setup, data: bytes) -> Outcome:
        if setup.length == 0:
            if self.state is State.IDLE:
                return self._refuse(setup)
            self.state = State.MANIFEST_SYNC
            return Outcome()
        if setup.is_in or setup.length > len(self._buffer):
            return self._refuse(setup)
        self._buffer[: len(data)] = data
        self._pending_size = len(data)
        operation = self._write_callback(setup.value)
        if operation is None:
            return self._refuse(setup)
        self._status = STATUS_OK
        self.state = State.DNLOAD_SYNC
        if self._asynchronous:
            self._pending = operation
            return Outcome()
        return Outcome(operation=operation)

    def _write_callback(self, block: int) -> Operation | None:
        """Return the operation that the application starts; None for a block that it refuses."""
        if block > 1:
            data = self._flash.whole_words(self._buffer, self._pending_size)
            return self._flash.write(self._address(block), data)
        if block == 1 or self._pending_size != COMMAND_LENGTH:
            return None
        address = int.from_bytes(self._buffer[1:COMMAND_LENGTH], "little")
        match self._buffer[0]:
            case op if op == SET_ADDRESS:
                return self._flash.pretend(OperationKind.NOTHING, address)
            case op if op == ERASE:
                return self._flash.erase(address)
            case _:
                return None

    def _upload(self, setup: Setup) -> Outcome:
        if setup.value == 1 and setup.length:
            return self._refuse(setup)
        return super()._upload(setup)

    def _commands(self) -> bytes:
        return COMMANDS
