"""The firmware that a bootloader starts: a serial port and perhaps a run-time DFU interface (USB DFU 1.1, 4).

A serial port that knows the touch restarts the board into its bootloader when DTR is low at 1200 baud, as the cores for
Arduino and TinyUSB do, in whichever order the two come.
"""

import struct
from enum import StrEnum

from flashdeckd.virtual.control import (
    ACK,
    CLASS_REQUEST,
    STALL,
    STANDARD_REQUEST,
    Bus,
    Cdc,
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

PORT_INTERFACE = 0
TOUCH_BAUD = 1200
_USUAL_BAUD = 115200
_LINE_CODING = struct.Struct("<IBBB")
"""dwDTERate, and the form of a character (USB CDC PSTN 1.2, table 17)."""


class AppPort(StrEnum):
    """The serial port of an application."""

    NONE = "none"
    PLAIN = "plain"
    """It works, and whatever is set means nothing to the application."""
    TOUCH = "touch-1200"
    """It restarts the board into its bootloader when it is touched at 1200 baud."""


class Application:
    """Answers what an idle application answers; DETACH restarts the board into its bootloader, and so may a touch."""

    def __init__(self, identity: Identity, runtime: Functional | None, port: AppPort = AppPort.NONE) -> None:
        self._identity = identity
        self._runtime = runtime
        self._runtime_interface = max(setting.interface for setting in identity.settings) if runtime else None
        self._port = port
        self._coding = _LINE_CODING.pack(_USUAL_BAUD, 0, 0, 8)
        self._dtr = True
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
        self._coding, self._dtr = _LINE_CODING.pack(_USUAL_BAUD, 0, 0, 8), True

    def ended(self, operation: Operation) -> None:
        """Nothing here starts operations."""
        raise AssertionError(f"an application was told of a flash {operation.access}")

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """Answers one control transfer."""
        if setup.kind == STANDARD_REQUEST:
            return self._standard(setup)
        if setup.kind != CLASS_REQUEST or setup.recipient != Recipient.INTERFACE:
            return STALL
        interface = setup.index & 0xFF
        if interface == self._runtime_interface:
            return self._dfu(setup)
        if interface == PORT_INTERFACE and self._port is not AppPort.NONE:
            return self._serial_port(setup, data)
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

    def _serial_port(self, setup: Setup, data: bytes) -> Outcome:
        dtr = None
        match setup.request:
            case Cdc.SET_LINE_CODING if len(data) == _LINE_CODING.size:
                self._coding = data
            case Cdc.GET_LINE_CODING:
                return reply(setup, self._coding)
            case Cdc.SET_CONTROL_LINE_STATE:
                self._dtr = dtr = bool(setup.value & 1)
            case Cdc.SEND_BREAK:
                return ACK
            case _:
                return STALL
        baud = _LINE_CODING.unpack(self._coding)[0]
        is_touched = self._port is AppPort.TOUCH and baud == TOUCH_BAUD and not self._dtr
        return Outcome(bus=Bus.ENTERS_BOOTLOADER if is_touched else Bus.STAYS, dtr=dtr)

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
