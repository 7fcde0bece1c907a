"""The firmware that a bootloader starts: a serial port and perhaps a run-time DFU interface (USB DFU 1.1, 4)."""

from flashdeckd.virtual.control import (
    ACK,
    CLASS_REQUEST,
    STALL,
    STANDARD_REQUEST,
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
from flashdeckd.virtual.nor import Operation

RUNTIME_INTERFACE = 1


class Application:
    """Answers what an idle application answers; DETACH restarts the board into its bootloader."""

    def __init__(self, identity: Identity, runtime: Functional | None) -> None:
        self._identity = identity
        self._runtime = runtime
        self.state = State.APP_IDLE
        self.configured = False

    @property
    def busy(self) -> Operation | None:
        """It never works on the flash."""
        return None

    def attach(self) -> None:
        """The host has found the device, reset and configured it."""
        self.state = State.APP_IDLE
        self.configured = True

    def ended(self, operation: Operation) -> None:
        """Nothing here starts operations."""
        raise AssertionError(f"an application was told of a flash {operation.access}")

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """Answers one control transfer."""
        del data  # no request that is answered here carries any
        interface = setup.index & 0xFF
        if setup.kind == STANDARD_REQUEST:
            return self._standard(setup)
        if setup.kind == CLASS_REQUEST and setup.recipient == Recipient.INTERFACE and interface == RUNTIME_INTERFACE:
            return self._dfu(setup) if self._runtime else STALL
        return STALL

    def _standard(self, setup: Setup) -> Outcome:  # noqa: PLR0911 - one answer a request
        match setup.recipient, setup.request:
            case Recipient.DEVICE, Standard.GET_DESCRIPTOR:
                return reply(setup, self._identity.descriptor(setup.value))
            case Recipient.DEVICE, Standard.GET_CONFIGURATION:
                return reply(setup, bytes((self.configured,)))
            case Recipient.DEVICE, Standard.SET_CONFIGURATION if setup.value in (0, 1):
                self.configured = bool(setup.value)
                return ACK
            case _, Standard.GET_STATUS:
                return reply(setup, b"\x01\x00" if setup.recipient == Recipient.DEVICE else b"\x00\x00")
            case Recipient.INTERFACE, Standard.SET_INTERFACE if setup.value == 0:
                return ACK
            case Recipient.INTERFACE, Standard.GET_INTERFACE:
                return reply(setup, b"\x00")
            case Recipient.INTERFACE, Standard.GET_DESCRIPTOR if setup.value >> 8 == FUNCTIONAL_DESCRIPTOR:
                return reply(setup, self._runtime.descriptor if self._runtime else None)
            case _:
                return STALL

    def _dfu(self, setup: Setup) -> Outcome:
        match setup.request:
            case Dfu.DETACH:
                return Outcome(bus=Bus.ENTERS_BOOTLOADER)
            case Dfu.GETSTATUS:
                return reply(setup, bytes((0, 0, 0, 0, self.state, 0)))
            case Dfu.GETSTATE:
                return reply(setup, bytes((self.state,)))
            case _:
                return STALL
