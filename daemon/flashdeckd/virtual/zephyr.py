"""Zephyr's DFU class of its newer USB stack and its flash backend: plain DFU 1.1, an image in each alternate setting.

Modelled on the public source of zephyrproject-rtos/zephyr: subsys/usb/device_next/class (usbd_dfu.c and
usbd_dfu_flash.c) over subsys/dfu/img_util/flash_img.c and subsys/storage/stream/stream_flash.c, built to erase as they
go. Nobody has recorded it. What makes it special:

- GETSTATUS tells the state before its own transition: 3 and then 5 after a block, 6 and then 2 at the end. It claims
  the same time whatever it is about.
- The flash work is done inside DNLOAD, which is STALLed if it fails. What does not fill a buffer waits for the next
  block, or for the end.
- Blocks are numbered, also those of an upload, and 0 begins anew. As the number of the end it writes nothing more.
- What has no place in a state is STALLed and leads to dfuERROR: CLRSTATUS and DETACH in dfuIDLE, too, and ABORT in the
  two SYNC states.
- A bus reset and SET_INTERFACE leave the DFU state alone. After a bus reset the stack says alternate setting 0, and the
  class still has the image of before.
- It restarts neither by itself nor by a reset: its application does, some time after the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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

NAMES = ("slot0_image", "slot1_image")
"""The names of its alternate settings."""
VERSION = 0x0110
"""Its bcdDFUVersion."""
ATTRIBUTES = Attribute.CAN_DNLOAD | Attribute.CAN_UPLOAD | Attribute.MANIFESTATION_TOLERANT | Attribute.WILL_DETACH
"""Its bmAttributes, as delivered."""
DETACH_TIMEOUT = 0
TRANSFER_SIZE = 512
"""Its wTransferSize, as delivered."""
POLL = 100
"""Milliseconds that it claims, as delivered."""
BUFFER = 512
"""Bytes that are written to the flash at once, as delivered."""
MAX_TRANSFER = 1024
"""Bytes of a data stage that the stack has room for."""
STATUS_OK = 0
STATUS_UNKNOWN = 14
STATUS_STALLED = 15
_STATUS_LENGTH = 6
_LAST_REQUEST = 10
"""A request with a higher number is STALLed and changes nothing."""
_OPEN = {
    State.IDLE: (Dfu.DNLOAD, Dfu.UPLOAD, Dfu.ABORT, Dfu.GETSTATUS, Dfu.GETSTATE),
    State.DNLOAD_SYNC: (Dfu.GETSTATUS, Dfu.GETSTATE),
    State.DNLOAD_IDLE: (Dfu.DNLOAD, Dfu.ABORT, Dfu.GETSTATUS, Dfu.GETSTATE),
    State.MANIFEST_SYNC: (Dfu.GETSTATUS, Dfu.GETSTATE),
    State.UPLOAD_IDLE: (Dfu.UPLOAD, Dfu.ABORT, Dfu.GETSTATUS, Dfu.GETSTATE),
    State.ERROR: (Dfu.GETSTATUS, Dfu.GETSTATE, Dfu.CLRSTATUS),
}
"""The requests that have a place in a state; in dfuMANIFEST and dfuMANIFEST-WAIT-RESET all have."""


@dataclass(frozen=True, slots=True)
class ZephyrSettings:
    """Choices of a product."""

    functional: Functional
    """Without the bit for manifestation tolerance its backend is taken to need longer than one GETSTATUS at the end."""
    images: Sequence[Range]
    """One for each alternate setting."""


class _ImageArea:
    """One image of the flash backend, and how far it is."""

    def __init__(self, flash: NorFlash, span: Range) -> None:
        self._flash = flash
        self.span = span
        self._last = 0
        """The number of the last block, in either direction."""
        self._counted = 0
        """Bytes asked for or brought by the blocks so far, in either direction."""
        self._written = 0
        self._waiting = b""
        """Bytes that have not filled a buffer yet."""
        self._page = Range(0, 0)
        """The page that was erased last."""
        self._operations: list[Operation] = []

    @property
    def busy(self) -> Operation | None:
        """The flash work that is left, the first piece of it."""
        return self._operations[0] if self._operations else None

    def download(self, number: int, data: bytes) -> bool:
        """Takes a block, or the end; False where it cannot be. What it makes the flash do is `busy` then."""
        if number == 0:
            self._last = self._counted = self._written = 0
            self._waiting = b""
            self._page = Range(0, 0)
            if not data:
                return True
        elif number != self._last + 1:
            return False
        if self._written + len(self._waiting) + len(data) > self.span.size:
            return False
        self._last = number
        self._counted += len(data)
        rest, at = self._waiting + data, self._written
        while len(rest) >= BUFFER or (rest and not data):
            self._plan(at, rest[:BUFFER])
            at, rest = at + len(rest[:BUFFER]), rest[BUFFER:]
        self._waiting = rest
        if not data:
            self._erase(self.span.end - 1)  # where MCUboot keeps what it knows of the image
        return True

    def ended(self, operation: Operation) -> bool:
        """One piece of flash work is done; False where it failed, and with it all the rest."""
        self._flash.finished(operation, len(operation.data))
        self._operations.remove(operation)
        if operation.failed:
            self._operations.clear()
            return False
        if operation.access is OperationKind.WRITE:
            self._written = operation.address + len(operation.data) - self.span.start
        return True

    def upload(self, number: int, size: int) -> bytes | None:
        """A block, shorter where the image ends; None where it cannot be."""
        if size == 0:
            return b""
        if number == 0:
            self._last = self._counted = 0
        elif number != self._last + 1:
            return None
        left = self.span.size - self._counted
        data = self._flash.read(self.span.start + self._counted, min(size, left)) if left >= 0 else None
        if data is not None:
            self._last = number
            self._counted += size
        return data

    def _plan(self, at: int, data: bytes) -> None:
        address = self.span.start + at
        self._erase(address + len(data) - 1)
        self._operations.append(self._flash.write(address, data + b"\xff" * (-len(data) % self._flash.word)))

    def _erase(self, address: int) -> None:
        if not self._page.start <= address < self._page.end:
            operation = self._flash.erase(address)
            self._operations.append(operation)
            self._page = self._flash.span_of(address) if operation.sector >= 0 else Range(0, 0)


class ZephyrBootloader:
    """The class, the stack and the flash backend, from power-up on."""

    def __init__(self, flash: NorFlash, identity: Identity, settings: ZephyrSettings) -> None:
        self._identity = identity
        self._settings = settings
        self._images = [_ImageArea(flash, span) for span in settings.images]
        self._image = self._images[0]
        self._told = 0
        """The alternate setting, as the stack tells it."""
        self._status = STATUS_OK
        self.state = State.IDLE
        self.configured = False

    def attach(self) -> None:
        """The host has found the device, reset and configured it. The class hears nothing of that."""
        self._told = 0
        self.configured = True

    @property
    def busy(self) -> Operation | None:
        """The flash work of the DNLOAD under way."""
        return next((image.busy for image in self._images if image.busy is not None), None)

    def ended(self, operation: Operation) -> None:
        """One piece of flash work is done; after one that failed the DNLOAD is refused."""
        image = next(image for image in self._images if image.busy is operation)
        if not image.ended(operation):
            self._fail(STATUS_UNKNOWN)

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
                self.configured = bool(setup.value)
                self._told = 0
                return ACK
            case _:
                return STALL

    def _interface(self, setup: Setup) -> Outcome:
        match setup.request:
            case Standard.GET_INTERFACE:
                return reply(setup, bytes((self._told,)))
            case Standard.SET_INTERFACE if setup.value < len(self._images):
                self._told = setup.value
                self._image = self._images[setup.value]
                return ACK
            case Standard.GET_STATUS:
                return reply(setup, b"\x00\x00")
            case _:
                return STALL

    # The class: first what comes next is settled, then the request is done, then the state changes.

    def _class(self, setup: Setup, data: bytes) -> Outcome:
        if setup.request > _LAST_REQUEST or (setup.length > MAX_TRANSFER and not setup.is_in):
            return STALL
        if setup.request not in _OPEN.get(self.state, (setup.request,)):
            return STALL if self.state is State.ERROR else self._refuse(STATUS_STALLED)
        if self._denied(setup):
            return self._refuse(STATUS_STALLED)
        following = self._following(setup)
        outcome = self._done(setup, data)
        if outcome is not None:
            self.state = following
            return outcome
        return self._refuse(STATUS_UNKNOWN)

    def _denied(self, setup: Setup) -> bool:
        """True if a request has a place in this state but not as it is."""
        attributes = self._settings.functional.attributes
        match self.state, setup.request:
            case State.IDLE, Dfu.DNLOAD:
                return not attributes & Attribute.CAN_DNLOAD or setup.length == 0
            case State.IDLE, Dfu.UPLOAD if not attributes & Attribute.CAN_UPLOAD:
                return True
            case ((State.IDLE | State.UPLOAD_IDLE), Dfu.UPLOAD):
                return setup.length > self._settings.functional.transfer_size
            case _:
                return False

    def _following(self, setup: Setup) -> State:  # noqa: PLR0911 - one state a request
        tolerant = self._settings.functional.attributes & Attribute.MANIFESTATION_TOLERANT
        match self.state, setup.request:
            case ((State.IDLE | State.DNLOAD_IDLE), Dfu.DNLOAD):
                return State.DNLOAD_SYNC if setup.length else State.MANIFEST_SYNC
            case ((State.IDLE | State.UPLOAD_IDLE), Dfu.UPLOAD):
                return State.UPLOAD_IDLE
            case ((State.DNLOAD_IDLE | State.UPLOAD_IDLE), Dfu.ABORT):
                return State.IDLE
            case State.DNLOAD_SYNC, Dfu.GETSTATUS:
                return State.DNLOAD_IDLE
            case State.MANIFEST_SYNC, Dfu.GETSTATUS:
                return State.IDLE if tolerant else State.MANIFEST
            case State.MANIFEST, _:
                return State.MANIFEST_WAIT_RESET
            case State.ERROR, Dfu.CLRSTATUS:
                return State.IDLE
            case _:
                return self.state

    def _done(self, setup: Setup, data: bytes) -> Outcome | None:  # noqa: PLR0911 - one answer a request
        """Does what a request is for, if it goes in its direction; None where the backend refuses."""
        match setup.request, setup.is_in:
            case Dfu.CLRSTATUS, _:
                self._status = STATUS_OK
                return ACK
            case Dfu.GETSTATUS, True:
                told = bytes((self._status, POLL, 0, 0, self.state, 0))
                return Outcome(data=told) if setup.length == _STATUS_LENGTH else ACK
            case Dfu.GETSTATE, True:
                return Outcome(data=bytes((self.state,))) if setup.length == 1 else ACK
            case Dfu.UPLOAD, True:
                read = self._image.upload(setup.value, setup.length)
                return None if read is None else Outcome(data=read)
            case Dfu.DNLOAD, False:
                if not self._image.download(setup.value, data):
                    return None
                return Outcome(operation=self._image.busy, refused_on_error=True)
            case _:
                return ACK

    def _refuse(self, status: int) -> Outcome:
        self._fail(status)
        return STALL

    def _fail(self, status: int) -> None:
        self._status = status
        self.state = State.ERROR
