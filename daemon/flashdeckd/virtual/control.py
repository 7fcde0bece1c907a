"""Control transfers as a device sees them: a setup packet in, what happens on the wire out (USB 2.0, 8.5.3 and 9.3)."""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Protocol

from flashdeckd.virtual.nor import Operation

CLASS_REQUEST = 0x20
STANDARD_REQUEST = 0x00


class Recipient(IntEnum):
    """The recipient of a request: the low bits of bmRequestType."""

    DEVICE = 0
    INTERFACE = 1
    ENDPOINT = 2


class Standard(IntEnum):
    """Standard requests (USB 2.0, table 9-4)."""

    GET_STATUS = 0
    GET_DESCRIPTOR = 6
    GET_CONFIGURATION = 8
    SET_CONFIGURATION = 9
    GET_INTERFACE = 10
    SET_INTERFACE = 11


class Dfu(IntEnum):
    """DFU class requests (USB DFU 1.1, table 3.2)."""

    DETACH = 0
    DNLOAD = 1
    UPLOAD = 2
    GETSTATUS = 3
    CLRSTATUS = 4
    GETSTATE = 5
    ABORT = 6


class Cdc(IntEnum):
    """Class requests of a serial port (USB CDC PSTN 1.2, 6.3)."""

    SET_LINE_CODING = 0x20
    GET_LINE_CODING = 0x21
    SET_CONTROL_LINE_STATE = 0x22
    SEND_BREAK = 0x23


class State(IntEnum):
    """Device states (USB DFU 1.1, A.1), and the one that ST's class invents after a refused read."""

    APP_IDLE = 0
    APP_DETACH = 1
    IDLE = 2
    DNLOAD_SYNC = 3
    DNBUSY = 4
    DNLOAD_IDLE = 5
    MANIFEST_SYNC = 6
    MANIFEST = 7
    MANIFEST_WAIT_RESET = 8
    UPLOAD_IDLE = 9
    ERROR = 10
    ILLEGAL = 15


class Attribute(IntEnum):
    """bmAttributes of the DFU functional descriptor (USB DFU 1.1, table 4.2)."""

    CAN_DNLOAD = 1
    CAN_UPLOAD = 2
    MANIFESTATION_TOLERANT = 4
    WILL_DETACH = 8


class Answer(Enum):
    """The end of a control transfer."""

    OK = "ok"
    STALL = "stall"
    NAK = "nak"
    """Never: the host times out."""
    OVERFLOW = "overflow"
    """The device sends more than the host asked for."""


class Bus(Enum):
    """The effect of a request on the device's presence on the bus."""

    STAYS = "stays"
    REATTACHES = "reattaches"
    """It leaves and comes back as it was, without a restart."""
    RESTARTS = "restarts"
    """It leaves and starts again from reset."""
    JUMPS = "jumps"
    """It leaves and starts what is at the address of the outcome, without a restart."""
    ENTERS_BOOTLOADER = "enters-bootloader"
    """It leaves and starts again, into its bootloader."""
    CRASHES = "crashes"
    """It is still there and never answers again."""


STANDARD_DEVICE_REQUEST = STANDARD_REQUEST | Recipient.DEVICE.value
STANDARD_INTERFACE_REQUEST = STANDARD_REQUEST | Recipient.INTERFACE.value
CLASS_INTERFACE_REQUEST = CLASS_REQUEST | Recipient.INTERFACE.value
_OF_SERIAL_PORTS = range(Cdc.SET_LINE_CODING.value, Cdc.SEND_BREAK.value + 1)


@dataclass(frozen=True, slots=True)
class Setup:
    """A setup packet."""

    request_type: int
    request: int
    value: int
    index: int
    length: int

    @property
    def is_in(self) -> bool:
        """True if data goes to the host."""
        return bool(self.request_type & 0x80)

    @property
    def kind(self) -> int:
        """Standard, class or vendor: bits 5 and 6 of bmRequestType."""
        return self.request_type & 0x60

    @property
    def recipient(self) -> int:
        """Device, interface or endpoint: the low five bits of bmRequestType."""
        return self.request_type & 0x1F

    @property
    def aim(self) -> int:
        """Kind and recipient in one, as `STANDARD_DEVICE_REQUEST`: bmRequestType without the direction."""
        return self.request_type & 0x7F

    @property
    def is_dfu(self) -> bool:
        """True for a class request to an interface, but for those that a serial port knows."""
        return self.request_type & 0x7F == CLASS_INTERFACE_REQUEST and self.request not in _OF_SERIAL_PORTS

    def __str__(self) -> str:
        name = Dfu(self.request).name if self.is_dfu and self.request in list(Dfu) else f"request {self.request}"
        return f"{name} (wValue {self.value}, wLength {self.length})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a request: its answer, its effects, its time."""

    answer: Answer = Answer.OK
    data: bytes = b""
    """Data stage of an IN transfer."""
    operation: Operation | None = None
    """Runs between the data stage and the status stage; the class hears of its end."""
    after_status: bool = False
    """The operation runs after the status stage instead, and nothing else is answered until it is over."""
    refused_on_error: bool = False
    """The request is STALLed after all if its flash work leads to dfuERROR."""
    bus: Bus = Bus.STAYS
    jump: int = 0
    """Address to which a device jumps, if it does."""
    cut_short: bool = False
    """The device is gone before the status stage: the host may see the data, or only an error."""
    delay_ms: float = 0
    """Time that the device blocks inside the request."""
    dtr: bool | None = None
    """The host has raised DTR of the serial port, or taken it back; None: neither."""
    stall_asked: bool = False
    """The class asked for a STALL and took it back at once; a controller on which STALLs stick would answer STALL."""


STALL = Outcome(Answer.STALL)
NAK = Outcome(Answer.NAK)
ACK = Outcome()


class UsbFunction(Protocol):
    """A bootloader or an application: it runs on a board and answers on its endpoint 0."""

    @property
    def state(self) -> State:
        """The DFU state, as the function itself keeps it."""
        ...

    @property
    def busy(self) -> Operation | None:
        """A flash operation that runs beside the bus; whoever drives the function carries it out and calls `ended`."""
        ...

    def attach(self) -> None:
        """The host has found the device, reset and configured it."""
        ...

    def request(self, setup: Setup, data: bytes = b"") -> Outcome:
        """Answers one control transfer; an operation in the outcome is carried out before `ended` is called."""
        ...

    def ended(self, operation: Operation) -> None:
        """An operation of this function has been carried out."""
        ...


def reply(setup: Setup, data: bytes | None) -> Outcome:
    """A data stage of at most as many bytes as were asked for; STALL where there is nothing to send."""
    return STALL if data is None else Outcome(data=data[: setup.length])
