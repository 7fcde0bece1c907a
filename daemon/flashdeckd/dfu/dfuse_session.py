"""One DfuSe session: a device is opened, recovered, pointed, erased, written, read and left (ST AN3156)."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from enum import Enum

from flashdeck.config import PollPolicy
from flashdeck.errors import DeviceError, DeviceGoneError, StallError
from flashdeck.geometry import Range
from flashdeckd.dfu import class_requests, wire
from flashdeckd.dfu.addressing import Addressing
from flashdeckd.dfu.claims import OnClaim, tell_nobody
from flashdeckd.dfu.descriptor import FunctionalDescriptor
from flashdeckd.dfu.facts import Facts, read_facts
from flashdeckd.dfu.fence import Fence
from flashdeckd.dfu.leaving import leave
from flashdeckd.dfu.pace import Pace
from flashdeckd.dfu.pipe import ControlPipe
from flashdeckd.dfu.polling import (
    ADDRESS,
    BLOCK,
    SECTOR_PATIENCE,
    DeviceTask,
    Poller,
    StuckError,
    TooEarlyError,
    erase_of,
)
from flashdeckd.dfu.recovery import to_idle
from flashdeckd.dfu.refusals import refusal
from flashdeckd.dfu.wire import FIRST_BLOCK, MAX_TRANSFER, DfuProtocol

_BLANK = 0xFF
KNOWN_WEDGE_PATIENCE = 5.0
"""Seconds for the erase of a sector on a device that was seen to stay in dfuDNBUSY although it had finished."""


class _DfuseMode(Enum):
    """The requests that the device takes now; ABORT changes it."""

    IDLE = "dfuIDLE"
    DOWNLOAD = "dfuDNLOAD-IDLE"
    UPLOAD = "dfuUPLOAD-IDLE"


class DfuseSession:
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
        *,
        multiplies: bool | None = None,
        reading_proved: bool = False,
        on_claim: OnClaim = tell_nobody,
    ) -> None:
        """`pace`, `multiplies` and `reading_proved` are what earlier sessions learned of this device.

        `on_claim` hears of each longer wait that the device claims, before it begins.
        """
        self._pipe = pipe
        self._on_claim = on_claim
        self._fence = fence
        self._sleep = sleep
        self._poller = Poller(pipe, policy, sleep, pace, on_claim=on_claim)
        self._mode = _DfuseMode.IDLE
        self._functional = FunctionalDescriptor()
        self._addressing = Addressing(0)
        self._longest = MAX_TRANSFER
        """The most bytes in one block."""
        self._selected: int | None = None
        self._state_seen: int | None = None
        """The state that the device was seen in by the last request of all; None where that asked for none."""
        self._stuck = False
        """True if the last operation was given up in dfuDNBUSY, and the device is not yet recovered."""
        self._wedges = False
        """True if an erase was seen to be done although the device stayed in dfuDNBUSY."""
        self._reading_proved = reading_proved
        self._not_blank: set[int] = set()
        """Addresses where something else than erased flash was read, and no erase came since."""
        self.multiplies = multiplies
        """True if this device multiplies block numbers with wTransferSize; None where nobody has seen it."""
        self.uploads = 0
        """UPLOAD requests so far."""
        self.reading = False
        """True during an UPLOAD, and after one that failed until the device was recovered."""
        self.was_refused = False
        """True if the device has answered an UPLOAD with a STALL."""

    @property
    def slept(self) -> float:
        """Seconds slept because the device asked for it."""
        return self._poller.slept

    @property
    def pace(self) -> Pace:
        """The pace of the device, as far as this session and earlier ones know it."""
        return self._poller.pace

    @property
    def counts_blocks(self) -> bool:
        """True if blocks are written by their numbers."""
        return self.pace is Pace.SYNCHRONOUS if self.multiplies is None else self.multiplies

    def open(self) -> Facts:
        """Recovers the device to dfuIDLE, reads its descriptors and map, and selects the alternate setting.

        No string or descriptor is read after this: ST's class would run a pending operation for it. Raises
        DescriptorError where the device does not speak DfuSe.
        """
        self.recover()
        facts, alternate = read_facts(self._pipe, self._fence.span)
        if len(self._pipe.alternates) > 1:
            self._selected = alternate.number
            self._pipe.select(alternate.number)
        self._functional = facts.functional
        transfer_size = facts.functional.transfer_size
        self._addressing = Addressing(transfer_size)
        self._longest = min(MAX_TRANSFER, transfer_size or MAX_TRANSFER)
        return facts

    def confine(self, sectors: AbstractSet[Range]) -> None:
        """From now on, erase nothing but these sectors, and write nothing that lies outside them."""
        self._fence = self._fence.confined(sectors)

    def calm(self) -> None:
        """Brings the device to dfuIDLE where requests alone can do that, after something that it refused."""
        with suppress(DeviceError):
            self.recover(may_reset=False)

    def recover(self, *, may_reset: bool = True) -> None:
        """Brings the device to dfuIDLE from whatever state it is in; raises DeviceError where that fails."""
        self._addressing.pointer = None
        seen, self._state_seen = self._state_seen, None
        to_idle(self._pipe, self._sleep, seen, stuck=self._stuck, may_reset=may_reset, on_claim=self._on_claim)
        self._stuck = False
        if self._selected is not None:  # a bus reset goes back to the first one
            self._pipe.select(self._selected)
        self._mode = _DfuseMode.IDLE
        self.reading = False

    def to_idle(self) -> None:
        """Brings the device to dfuIDLE after an operation that went well."""
        if self._mode is not _DfuseMode.IDLE:
            if self._mode is _DfuseMode.UPLOAD:
                self._addressing.pointer = None  # where reads leave it is written nowhere
            class_requests.abort(self._pipe)
            self._mode = _DfuseMode.IDLE

    def erase(self, sector: Range) -> None:
        """Erases one whole sector. After an error: `recover`, and erase again.

        A device that stays in dfuDNBUSY although it has erased (some STM32H743 do so in bank 2) is brought back; if
        the sector then reads blank, the erase is done. That is believed where reading is proved, where the sector was
        seen not to be blank before, and from then on for the others: some devices read as erased everywhere.
        """
        self._fence.allow_erase(sector)
        try:
            self._erase(sector)
        except TooEarlyError:
            self.recover()
            self._erase(sector)

    def point(self, address: int) -> None:
        """Sets the address, so that a block there is reached whatever the device multiplies block numbers with."""
        self._leave_upload()
        self._set_address(address)

    def write(self, address: int, data: bytes) -> None:
        """Writes at most one transfer's worth of whole program units into erased flash.

        By its block number only where the device is known to multiply with wTransferSize, or works within GETSTATUS:
        that is ST's class, whose descriptor and multiplier are one constant. Those of ST's USBX sample are two, and a
        block too far up may lie behind the partition.

        After an error nobody knows what was written: `recover`, erase the sector, and write all of it again.
        """
        length = len(data)
        self._require_block(length)
        self._leave_upload()
        self._addressing.counts = self.counts_blocks
        block = self._point(address, length)
        reached = self._addressing.address_of(block)
        self._fence.allow_write(Range(reached, reached + length))
        what = f"write of {length} bytes to 0x{address:08x} (block {block})"
        self._download(block, data, what, BLOCK)

    def read(self, address: int, length: int) -> bytes:
        """Reads at most one transfer's worth; raises DeviceError where the device answers less."""
        self._require_block(length)
        self._fence.allow_read(Range(address, address + length))
        self._addressing.counts = self.multiplies is not False
        if self._addressing.block_for(address, length) is None:
            self._leave_upload()
        block = self._point(address, length)
        self._leave_download()
        self.uploads += 1
        self.reading = True
        self._state_seen = None
        try:
            data = class_requests.upload(self._pipe, block, length)
        except StallError as error:
            self.was_refused = True
            said = refusal(self._pipe, DfuProtocol.DFUSE)
            self._state_seen = said.state
            raise StallError(
                f"read of {length} bytes at 0x{address:08x}: {said.words}",
                hint="its read callback is missing or refuses this address; flashing works without it",
            ) from error
        self._mode = _DfuseMode.UPLOAD
        if len(data) != length:
            raise DeviceError(
                f"read of {length} bytes at 0x{address:08x}: the bootloader answered {len(data)}",
                hint="its read callback does not reach as far; flashing works without it",
            )
        self.reading = False
        if (block == FIRST_BLOCK or self.multiplies) and not _is_blank(data):
            self._not_blank.add(address)
        return data

    def leave(self, address: int) -> bool:
        """Ends DFU mode and starts the application at `address`; True if the device took it, or has left the bus.

        A ROM bootloader jumps to the address, ST's class resets the chip. Most devices vanish within the exchange. One
        that stays is in dfuIDLE.
        """
        self._leave_upload()
        self._set_address(address)
        has_left = leave(self._pipe, self._functional, self._sleep)
        if not has_left:
            self.calm()
        return has_left

    def _erase(self, sector: Range) -> None:
        self._leave_upload()
        self._addressing.pointer = None  # some devices move it
        patience = KNOWN_WEDGE_PATIENCE if self._wedges else SECTOR_PATIENCE
        try:
            self._download(0, wire.erase_page(sector.start), f"erase of the sector {sector}", erase_of(patience))
        except StuckError as error:
            self.recover()
            if not self._reads_blank(sector):
                raise
            if not self._believes_blank(sector):
                raise StuckError(
                    f"{error.message}; it reads as erased, but reads of this board are not proved yet",
                    hint="reset the board and flash again; if it happens again, first flash a partition whose "
                    "erases end: that proves reads",
                ) from error
            self._wedges = True
        self._not_blank -= self._seen_in(sector)

    def _require_block(self, length: int) -> None:
        """ST's class takes no more than its buffer holds, and then waits for ever; USBX goes to dfuERROR."""
        if length > self._longest:
            raise ValueError(f"{length} bytes are more than one block")

    def _reads_blank(self, sector: Range) -> bool:
        size = min(self._longest, sector.size)
        try:
            for at in range(sector.start, sector.end, size):
                if not self.multiplies:  # a block reached by its number may be one of another sector
                    self.point(at)
                if not _is_blank(self.read(at, min(size, sector.end - at))):
                    return False
        except DeviceGoneError:
            raise
        except DeviceError:
            self.recover()
            return False
        return True

    def _believes_blank(self, sector: Range) -> bool:
        return self._reading_proved or self._wedges or bool(self._seen_in(sector))

    def _seen_in(self, sector: Range) -> set[int]:
        return {address for address in self._not_blank if sector.start <= address < sector.end}

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
            self._download(0, wire.set_address(address), what, ADDRESS)
        except (DeviceGoneError, StuckError):
            raise
        except DeviceError:  # whatever else it was: nothing in the flash has changed, so it may be said once more
            self.recover()
            self._download(0, wire.set_address(address), what, ADDRESS)
        self._addressing.pointer = address

    def _download(self, block: int, data: bytes, what: str, operation: DeviceTask) -> None:
        self._state_seen = None
        try:
            class_requests.download(self._pipe, block, data)
        except StallError as error:
            raise StallError(
                f"{what}: {refusal(self._pipe, DfuProtocol.DFUSE).words}",
                hint="reset the board and flash again; if it happens again, look at the bootloader's write callback",
            ) from error
        try:
            self._poller.complete(what, operation)
        except StuckError:
            self._stuck = True
            raise
        self._mode = _DfuseMode.DOWNLOAD

    def _leave_upload(self) -> None:
        if self._mode is _DfuseMode.UPLOAD:
            self.to_idle()

    def _leave_download(self) -> None:
        if self._mode is _DfuseMode.DOWNLOAD:
            self.to_idle()


def _is_blank(data: bytes) -> bool:
    return data.count(_BLANK) == len(data)
