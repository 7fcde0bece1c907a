"""One DfuSe session: a device is opened, recovered, pointed, erased, written, read and left (ST AN3156)."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from flashdeck.config import PollPolicy
from flashdeck.errors import DescriptorError, DeviceError, DeviceGoneError, StallError, TransferTimeoutError
from flashdeck.geometry import Range
from flashdeck.text import clean
from flashdeckd.dfu import requests, wire
from flashdeckd.dfu.addressing import Addressing
from flashdeckd.dfu.descriptor import VERSION_DFUSE, FunctionalDescriptor, parse_functional
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.memory_map import MemoryMap, parse_memory_map
from flashdeckd.dfu.pipe import AlternateSetting, ControlPipe
from flashdeckd.dfu.polling import Pace, Poller, TooEarlyError
from flashdeckd.dfu.recovery import to_idle
from flashdeckd.dfu.wire import FIRST_BLOCK, MAX_TRANSFER, State, state_name

_MAX_ALTERNATES = 16
_LEAVE_POLLS = 3
_LEAVE_NAP = 0.05
_DETACH_MS = 1000


@dataclass(frozen=True, slots=True)
class Facts:
    """What a device says of itself."""

    functional: FunctionalDescriptor
    memory_map: MemoryMap | None
    """None where it has none that can be understood; `map_error` says why."""
    map_error: str = ""


class _Mode(Enum):
    """Which requests the device takes now; changed by ABORT."""

    IDLE = "dfuIDLE"
    DOWNLOAD = "dfuDNLOAD-IDLE"
    UPLOAD = "dfuUPLOAD-IDLE"


class Session:
    """Drives one device inside one fence. For one thread; ends with the pipe.

    Errors leave the device in an unknown state: `recover` brings it back to dfuIDLE.
    """

    def __init__(
        self,
        pipe: ControlPipe,
        fence: Fence,
        policy: PollPolicy,
        sleep: Callable[[float], object],
        pace: Pace = Pace.UNPROVEN,
    ) -> None:
        """`pace` is what earlier sessions learned of this device."""
        self._pipe = pipe
        self._fence = fence
        self._sleep = sleep
        self._poller = Poller(pipe, policy, sleep, pace)
        self._mode = _Mode.IDLE
        self._addressing = Addressing(0)
        self._selected: int | None = None
        self.uploads = 0
        """UPLOAD requests so far."""
        self.reading = False
        """True during an UPLOAD, and after one that failed until the device was recovered."""

    @property
    def slept(self) -> float:
        """Seconds slept because the device asked for it."""
        return self._poller.slept

    @property
    def pace(self) -> Pace:
        """What is known now of when the device may be asked, earlier sessions included."""
        return self._poller.pace

    def open(self) -> Facts:
        """Recovers the device to dfuIDLE, reads its descriptors and map, and selects the alternate setting.

        No string or descriptor is read after this: ST's class would run a pending operation for it. Raises
        DescriptorError where the device does not speak DfuSe.
        """
        self.recover()
        functional = parse_functional(self._pipe.functional)
        alternate, memory_map, trouble = self._alternate()
        _require_dfuse(functional, memory_map)
        if len(self._pipe.alternates) > 1:
            self._selected = alternate.number
            self._pipe.select(alternate.number)
        self._addressing = Addressing(functional.transfer_size)
        return Facts(functional, memory_map, trouble)

    def recover(self) -> None:
        """Brings the device to dfuIDLE from whatever state it is in; raises DeviceError where that fails."""
        self._addressing.pointer = None
        to_idle(self._pipe, self._sleep)
        if self._selected is not None:  # a bus reset goes back to the first one
            self._pipe.select(self._selected)
        self._mode = _Mode.IDLE
        self.reading = False

    def to_idle(self) -> None:
        """Brings the device to dfuIDLE after an operation that went well."""
        if self._mode is not _Mode.IDLE:
            requests.abort(self._pipe)
            self._mode = _Mode.IDLE

    def erase(self, sector: Range) -> None:
        """Erases one whole sector. After an error: `recover`, and erase again."""
        self._fence.allow_erase(sector)
        what = f"erase of the sector {sector}"
        try:
            self._erase(sector, what)
        except TooEarlyError:
            self.recover()
            self._erase(sector, what)

    def write(self, address: int, data: bytes) -> None:
        """Writes at most one transfer's worth of whole program units into erased flash.

        After an error nobody knows what was written: `recover`, erase the sector, and write all of it again.
        """
        if len(data) > MAX_TRANSFER or len(data) > (self._addressing.transfer_size or MAX_TRANSFER):
            raise ValueError(f"{len(data)} bytes are more than one block")
        self._leave_upload()
        block = self._point(address, len(data))
        self._fence.allow_write(Range.sized(self._addressing.address_of(block), len(data)))
        what = f"write of {len(data)} bytes to 0x{address:08x} (block {block})"
        self._download(block, data, what)

    def read(self, address: int, length: int) -> bytes:
        """Reads at most one transfer's worth; raises DeviceError where the device answers less."""
        self._fence.allow_read(Range.sized(address, length))
        if self._addressing.block_for(address, length) is None:
            self._leave_upload()
        block = self._point(address, length)
        self._leave_download()
        self.uploads += 1
        self.reading = True
        try:
            data = requests.upload(self._pipe, block, length)
        except StallError as error:
            raise StallError(
                f"read of {length} bytes at 0x{address:08x}: the bootloader refused it with a STALL",
                hint="its read callback is missing or refuses this address; flashing works without it",
            ) from error
        self._mode = _Mode.UPLOAD
        if len(data) != length:
            raise DeviceError(
                f"read of {length} bytes at 0x{address:08x}: the bootloader answered {len(data)}",
                hint="its read callback does not reach as far; flashing works without it",
            )
        self.reading = False
        return data

    def leave(self, address: int) -> bool:
        """Ends DFU mode and starts the application at `address`; True if the device took it, or has left the bus.

        A ROM bootloader jumps to the address, ST's class resets the chip. Most devices vanish within the exchange.
        """
        self._leave_upload()
        self._set_address(address)
        try:
            requests.download(self._pipe, FIRST_BLOCK, b"", timeout=requests.REQUEST_TIMEOUT)
        except StallError:
            return self._is_leaving()
        except (DeviceGoneError, TransferTimeoutError):
            return True
        return self._watch_leave()

    def _watch_leave(self) -> bool:
        for _ in range(_LEAVE_POLLS):
            try:
                state = requests.get_status(self._pipe, timeout=requests.REQUEST_TIMEOUT).state
            except DeviceError:  # gone, a STALL (USBX answers nothing else from here on), or a transfer cut short
                return True
            if state != State.MANIFEST_SYNC:
                return state in (State.MANIFEST, State.MANIFEST_WAIT_RESET)
            self._sleep(_LEAVE_NAP)
        return True

    def _is_leaving(self) -> bool:
        try:
            return requests.get_state(self._pipe) in (
                State.MANIFEST_SYNC,
                State.MANIFEST,
                State.MANIFEST_WAIT_RESET,
            )
        except DeviceGoneError:
            return True
        except (StallError, TransferTimeoutError):
            return False

    def _alternate(self) -> tuple[AlternateSetting, MemoryMap | None, str]:
        """The alternate setting whose map reaches the partition, else the first that has a map, else the first."""
        alternates = self._pipe.alternates[:_MAX_ALTERNATES]
        readable: list[tuple[AlternateSetting, MemoryMap]] = []
        troubles: list[str] = []
        seen: set[int] = set()
        for alternate in alternates:
            if alternate.text_index in seen:
                continue
            seen.add(alternate.text_index)
            try:
                memory_map = parse_memory_map(self._text(alternate))
            except DescriptorError as error:
                troubles.append(error.message)
                continue
            if any(memory_map.overlapping(self._fence.span)):
                return alternate, memory_map, ""
            readable.append((alternate, memory_map))
        if readable:
            return *readable[0], ""
        return alternates[0], None, troubles[0] if troubles else "the device has no memory map"

    def _text(self, alternate: AlternateSetting) -> str:
        text = self._pipe.text(alternate.text_index) if alternate.text_index else ""
        if not text:
            raise DescriptorError(
                f"alternate setting {alternate.number} has no name that can be read, so no memory map"
            )
        return text

    def _erase(self, sector: Range, what: str) -> None:
        self._leave_upload()
        self._addressing.pointer = None  # some devices move it
        self._command(wire.erase_page(sector.start), what, erase=True)

    def _point(self, address: int, length: int) -> int:
        """The block number that reaches `address`; sets the address where no block does."""
        block = self._addressing.block_for(address, length)
        if block is None:
            self._set_address(address)
            block = FIRST_BLOCK
        return block

    def _set_address(self, address: int) -> None:
        self._fence.allow_point(address)
        self._addressing.pointer = None
        what = f"setting the address 0x{address:08x}"
        try:
            self._command(wire.set_address(address), what)
        except TooEarlyError:
            self.recover()
            self._command(wire.set_address(address), what)
        self._addressing.pointer = address

    def _command(self, command: bytes, what: str, *, erase: bool = False) -> None:
        self._download(0, command, what, erase=erase)

    def _download(self, block: int, data: bytes, what: str, *, erase: bool = False) -> None:
        try:
            requests.download(self._pipe, block, data)
        except StallError as error:
            raise StallError(
                f"{what}: the bootloader refused it with a STALL{self._state_after_stall()}",
                hint="reset the board and flash again; if it stays so, look at the bootloader's write callback",
            ) from error
        self._poller.complete(what, erase=erase)
        self._mode = _Mode.DOWNLOAD

    def _state_after_stall(self) -> str:
        with suppress(DeviceError):
            return f" in {state_name(requests.get_state(self._pipe))}"
        return ""

    def _leave_upload(self) -> None:
        if self._mode is _Mode.UPLOAD:
            self.to_idle()

    def _leave_download(self) -> None:
        if self._mode is _Mode.DOWNLOAD:
            self.to_idle()


def identify(pipe: ControlPipe, sleep: Callable[[float], object] = time.sleep) -> str:
    """The names of all alternate settings as the device sends them, joined: on DfuSe devices its memory maps."""
    to_idle(pipe, sleep)
    indices = dict.fromkeys(each.text_index for each in pipe.alternates[:_MAX_ALTERNATES] if each.text_index)
    return " ".join(filter(None, (pipe.text(index) for index in indices)))


def detach(pipe: ControlPipe) -> None:
    """Asks a running application to come back in DFU mode (USB DFU 1.1, 5.1).

    A STALL, a timeout or a vanished device is no error: some reboot before they answer. Without bitWillDetach the host
    resets the bus.
    """
    functional = parse_functional(pipe.functional)
    with suppress(StallError, TransferTimeoutError, DeviceGoneError):
        requests.detach(pipe, _DETACH_MS)
        if not functional.will_detach:
            pipe.reset()


def _require_dfuse(functional: FunctionalDescriptor, memory_map: MemoryMap | None) -> None:
    """A plain DFU device would take a DfuSe command for the first bytes of its firmware."""
    if functional.version == VERSION_DFUSE or (functional.version is None and memory_map is not None):
        return
    version = "no version" if functional.version is None else f"bcdDFUVersion 0x{functional.version:04x}"
    name = f" and the memory map {clean(memory_map.name)!r}" if memory_map else ""
    raise DescriptorError(
        f"the device reports {version}{name}: it speaks plain DFU, which has no addresses "
        f"(DfuSe reports 0x{VERSION_DFUSE:04x})",
        hint="only DfuSe bootloaders can take an image for an address; in ST's class, set bcdDFUVersion to 0x011A",
    )
